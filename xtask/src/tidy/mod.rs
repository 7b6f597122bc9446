//! `cargo xtask tidy`: what no compiler checks about the tree.
//!
//! Each check returns its findings as `path:line: what is wrong`; the command prints all of them and
//! fails if there is one. Invariant: a check reads files only, so the order of checks does not matter.

mod crates;
mod headers;
mod layers;
mod links;

use std::path::Path;

use anyhow::{Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// Runs every check.
///
/// # Errors
///
/// When there is a finding, or the tree can't be read.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let metadata = process::output(process::cargo(workspace).args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    let mut findings = crates::upward_arrows(&serde_json::from_str(&metadata)?)?;
    findings.extend(tree_findings(workspace.root())?);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: layers, headers, links and markers are in order");
            Ok(())
        }
        1 => bail!("tidy: one finding"),
        count => bail!("tidy: {count} findings"),
    }
}

/// The findings of the checks that look at files.
fn tree_findings(root: &Path) -> Result<Vec<String>> {
    let mut findings = layers::upward_imports(root)?;
    findings.extend(links::dead_links(root)?);
    findings.extend(headers::missing_headers(root)?);
    findings.extend(headers::markers(root)?);
    Ok(findings)
}
