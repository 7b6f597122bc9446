//! `cargo xtask crash`: storage-core's kill -9 test over as many seeds as wanted.
//!
//! The test reads `SUTRA_CRASH_SEED` (the first seed) and `SUTRA_CRASH_COUNT` (how many).

use anyhow::Result;

use crate::cli::CrashArguments;
use crate::process;
use crate::workspace::Workspace;

/// Runs the test in release mode.
///
/// # Errors
///
/// When a seed fails, or the test can't be built.
pub(crate) fn run(workspace: &Workspace, arguments: &CrashArguments) -> Result<()> {
    let mut test = process::cargo(workspace);
    test.args(["test", "--locked", "--release", "--package", "storage-core", "--test", "crash"]);
    test.args(["--", "--nocapture"]);
    test.env("SUTRA_CRASH_SEED", arguments.seed.to_string());
    test.env("SUTRA_CRASH_COUNT", arguments.count.to_string());
    process::run(&mut test)
}
