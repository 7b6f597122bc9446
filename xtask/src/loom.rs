//! `cargo xtask loom`: models of concurrent code, in every interleaving.
//!
//! Built with `--cfg modelled`, which puts the model checker's locks and atomics in place of std's.

use anyhow::Result;

use crate::crash::with_checkers;
use crate::process;
use crate::workspace::Workspace;

/// Builds the models and checks them.
///
/// # Errors
///
/// When a model fails, or can't be built.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut test = process::cargo(workspace);
    test.args(["test", "--locked", "--release", "--package", "storage-core", "--lib"]);
    with_checkers(&mut test, workspace);
    process::run(test.arg("models::"))
}
