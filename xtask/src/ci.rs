//! `cargo xtask ci`: exactly what the continuous integration runs.

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Runs `.ci/run`.
///
/// # Errors
///
/// When it fails.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    process::run(process::command(workspace, "bash").arg(".ci/run").env("CI", "true"))
}
