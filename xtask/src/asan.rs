//! `cargo xtask asan`: the tests that reach unsafe code, under the address sanitizer.
//!
//! Unsafe code is in vector-kernel's kernels, and in storage-core's maps of files, through which its
//! segments are read. The sanitizer is for unstable use, which `RUSTC_BOOTSTRAP` permits.

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Arguments of `cargo test`: what reaches unsafe code.
const TESTS: [&[&str]; 3] = [
    &["--package", "vector-kernel", "--lib", "--tests"],
    &["--package", "storage-core", "--lib", "--", "fs::", "segment::"],
    &["--package", "storage-core", "--test", "store"],
];

/// Builds the tests with the sanitizer and runs them.
///
/// # Errors
///
/// When a test fails, or can't be built.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let host = process::host(workspace)?;
    for tests in TESTS {
        let mut test = process::cargo(workspace);
        // With `--target`, build scripts and macros are built without the sanitizer.
        test.args(["test", "--locked", "--target", &host, "--target-dir"]);
        test.arg(workspace.target("asan"));
        // Optimised dependencies would take longer to build than they save.
        test.args(["--config", "profile.dev.package.\"*\".opt-level=0"]).args(tests);
        test.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
        process::run(&mut test)?;
    }
    Ok(())
}
