//! Line coverage: the floor, and how each side measures it.

use anyhow::Result;

use crate::process;
use crate::tools::TARPAULIN;
use crate::workspace::Workspace;

/// The least share of lines that tests must run, in percent.
pub(crate) const FLOOR: &str = "95";

/// The arguments that make pytest measure the installed packages.
pub(crate) fn pytest_arguments() -> Vec<String> {
    vec![
        "--cov=sutra_storage".to_owned(),
        "--cov=sutra_core".to_owned(),
        "--cov-report=term-missing:skip-covered".to_owned(),
        format!("--cov-fail-under={FLOOR}"),
    ]
}

/// Measures storage-core's lines under its own tests.
///
/// Through ptrace: the other engine needs LLVM's tools, which a stable toolchain does not bring.
///
/// # Errors
///
/// When tarpaulin can't be had, a test fails, or the floor is missed.
pub(crate) fn storage_core(workspace: &Workspace) -> Result<()> {
    let mut tarpaulin = TARPAULIN.command(workspace)?;
    tarpaulin.args(["--locked", "--packages", "storage-core", "--engine", "ptrace"]);
    tarpaulin.args(["--include-files", "storage-core/src/*", "--fail-under", FLOOR]);
    // Its own target folder: it builds with other flags, and would undo the other steps' builds.
    tarpaulin.args(["--skip-clean", "--timeout", "600", "--out", "stdout", "--target-dir"]);
    process::run(tarpaulin.arg(workspace.target("tarpaulin")))
}
