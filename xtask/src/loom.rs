//! `cargo xtask loom`: models of concurrent code, in every interleaving.
//!
//! Built with `--cfg loom`, which puts the model checker's locks and atomics in place of std's.

use anyhow::Result;

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
    test.arg("--target-dir").arg(workspace.target("loom")).arg("models::");
    // Thin link-time optimisation would double the build, and a model takes seconds.
    test.env("CARGO_PROFILE_RELEASE_LTO", "off").env("RUSTFLAGS", "--cfg loom");
    process::run(&mut test)
}
