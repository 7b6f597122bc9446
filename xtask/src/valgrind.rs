//! `cargo xtask valgrind`: the installed wheel's smoke test under valgrind's memcheck.
//!
//! It sees what the sanitizer can't: the wheel as it is shipped, reads of uninitialised bytes, and the
//! border to Python. An error counts when a frame of it is in the extension module: the interpreter and
//! the dynamic loader have harmless ones of their own, which differ from build to build. Old valgrinds
//! know no AVX-512, and hide it from the program, which then takes its AVX2 kernels.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::process;
use crate::setup;
use crate::workspace::Workspace;

/// Sets up, and runs the smoke test; says that it was left out where there is no valgrind.
///
/// # Errors
///
/// When memcheck finds an error of the extension module, or the smoke test fails.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    if process::output(process::command(workspace, "valgrind").arg("--version")).is_err() {
        println!("valgrind: SKIPPED, since valgrind is not installed (Debian's package: valgrind)");
        return Ok(());
    }
    setup::run(workspace)?;
    let log = workspace.target("valgrind.log");
    let mut valgrind = process::command(workspace, "valgrind");
    valgrind.args(["--num-callers=40", "--leak-check=no"]);
    valgrind.arg(format!("--log-file={}", log.display()));
    valgrind.arg(workspace.venv_bin("python")).args(["-P", "py-bindings/tests/test_smoke.py"]);
    // Python's own allocator hides where a block ends.
    process::run(valgrind.env("PYTHONMALLOC", "malloc"))?;

    let said = fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    if !said.contains("ERROR SUMMARY") {
        bail!("{} has no summary: valgrind did not end well", log.display());
    }
    let errors = errors(&said);
    for error in &errors {
        println!("{error}\n");
    }
    match errors.len() {
        0 => {
            println!("valgrind: no error in the extension module");
            Ok(())
        }
        count => bail!("{count} errors with frames in the extension module"),
    }
}

/// The errors in memcheck's log that have a frame in the extension module.
fn errors(said: &str) -> Vec<String> {
    let mut errors = vec![String::new()];
    for line in said.lines() {
        // Each line starts with `==1234==`; one with nothing behind it ends an error.
        let text = line.trim_start_matches(|c: char| c == '=' || c.is_ascii_digit()).trim_end();
        match errors.last_mut() {
            Some(last) if !text.is_empty() => {
                last.push_str(text);
                last.push('\n');
            }
            _ => errors.push(String::new()),
        }
    }
    let is_ours = |error: &String| error.contains("    at 0x") && error.contains("_native.");
    errors.into_iter().filter(is_ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_extension_module_count_and_others_do_not() {
        let said = "==7== Memcheck, a memory error detector\n\
                    ==7== Command: python smoke.py\n\
                    ==7== \n\
                    ==7== Invalid read of size 8\n\
                    ==7==    at 0x1: strncmp (strcmp.S:1)\n\
                    ==7== \n\
                    ==7== Use of uninitialised value of size 8\n\
                    ==7==    at 0x2: dot (simd.rs:3)\n\
                    ==7==    by 0x3: ??? (in site-packages/sutra_storage/_native.abi3.so)\n\
                    ==7== \n\
                    ==7== ERROR SUMMARY: 2 errors from 2 contexts\n";
        let errors = errors(said);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with(" Use of uninitialised value"), "{errors:?}");
    }
}
