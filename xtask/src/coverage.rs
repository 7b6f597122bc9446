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
/// By the compiler's own counters, which tarpaulin reads itself: the toolchain needs no LLVM tools, and
/// tests with many threads run at their usual speed, which they don't under ptrace.
///
/// # Errors
///
/// When tarpaulin can't be had, a test fails, or the floor is missed.
pub(crate) fn storage_core(workspace: &Workspace) -> Result<()> {
    let mut tarpaulin = TARPAULIN.command(workspace)?;
    tarpaulin.args(["--locked", "--packages", "storage-core", "--engine", "llvm"]);
    tarpaulin.args(["--include-files", "storage-core/src/*", "--fail-under", FLOOR]);
    // Its own target folder: it builds with other flags, and would undo the other steps' builds.
    tarpaulin.args(["--skip-clean", "--timeout", "1200", "--out", "stdout", "--target-dir"]);
    tarpaulin.arg(workspace.target("tarpaulin"));
    // The counters are laid before the optimiser runs, so the test profile's own level stands. But two
    // threads that count the same lines share a cache line: one failure in seven, and some dozens of
    // crashes, say as much here.
    tarpaulin.env("SUTRA_IO_STEP", "7").env("SUTRA_CRASH_COUNT", "60");
    process::run(&mut tarpaulin)
}
