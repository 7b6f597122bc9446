//! `cargo xtask loom`: models of concurrent code, in every interleaving.
//!
//! Built with `--cfg modelled`, which puts the model checker's locks and atomics in place of std's.

use anyhow::{Result, bail};

use crate::crash::with_checkers;
use crate::process;
use crate::workspace::Workspace;

/// Builds the models and checks them.
///
/// # Errors
///
/// When a model fails, or can't be built.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let test = || {
        let mut test = process::cargo(workspace);
        test.args(["test", "--locked", "--release", "--package", "storage-core", "--lib"]);
        with_checkers(&mut test, workspace);
        test.arg("models::");
        test
    };
    process::run(&mut test())?;
    // A name that changed would leave nothing to fail.
    if !process::output(test().args(["--", "--list"]))?.contains("models::") {
        bail!("no model was checked");
    }
    Ok(())
}
