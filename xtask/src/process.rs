//! Running other programs: one that fails is an error that shows its command line.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;

/// A command that runs in the workspace's root, with the environment that all builds share.
pub(crate) fn command(workspace: &Workspace, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace.root());
    // The bindings are an extension module: linking them must not look for libpython, whether maturin
    // builds them or `cargo test --workspace` comes by.
    command.env("PYO3_BUILD_EXTENSION_MODULE", "1");
    let python = workspace.venv_bin("python");
    if python.exists() {
        command.env("PYO3_PYTHON", python);
    }
    command
}

/// The cargo that started this xtask.
pub(crate) fn cargo(workspace: &Workspace) -> Command {
    command(workspace, env!("CARGO"))
}

/// The platform that this toolchain builds for by default.
///
/// # Errors
///
/// When the compiler can't be asked.
pub(crate) fn host(workspace: &Workspace) -> Result<String> {
    let printed = output(cargo(workspace).args(["-vV"]))?;
    let host = printed.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`cargo -vV` names no host")?.to_owned())
}

/// The Python of the virtual environment.
pub(crate) fn python(workspace: &Workspace) -> Command {
    command(workspace, workspace.venv_bin("python"))
}

/// Runs `command` with this terminal as its own.
///
/// # Errors
///
/// When it can't be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", line(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("could not start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs `command` as [`run`] does, and shows each line of its stderr to `note`.
///
/// # Errors
///
/// When it can't be started or does not succeed.
pub(crate) fn run_noting(command: &mut Command, note: &mut dyn FnMut(&str)) -> Result<()> {
    println!("$ {}", line(command));
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{}`", line(command)))?;
    let mut stderr = BufReader::new(child.stderr.take().expect("its stderr is piped"));
    let mut bytes = Vec::new();
    while stderr.read_until(b'\n', &mut bytes)? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        eprint!("{text}");
        note(text.trim_end());
        bytes.clear();
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs `command` and returns what it printed.
///
/// # Errors
///
/// When it can't be started, does not succeed (the error ends with what it wrote to stderr), or prints
/// what is not UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start `{}`", line(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", line(command), output.status, stderr.trim_end());
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed what is not UTF-8", line(command)))
}

/// The command line as a person would type it; programs by their name, not their place.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line =
        program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        line.push(' ');
        if argument.is_empty() || argument.contains(char::is_whitespace) {
            line.push('\'');
            line.push_str(&argument);
            line.push('\'');
        } else {
            line.push_str(&argument);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_an_error_that_shows_it() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).expect_err("it exits with 3");
        assert!(error.to_string().starts_with("`sh -c 'exit 3'` failed"), "{error}");
    }

    #[test]
    fn lines_of_stderr_are_noted() {
        let mut noted = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one >&2; echo two >&2; exit 1"]);
        let error = run_noting(&mut command, &mut |line| noted.push(line.to_owned()));
        assert!(error.is_err());
        assert_eq!(noted, ["one", "two"]);
    }

    #[test]
    fn a_failing_commands_stderr_is_in_its_error() {
        let error = output(Command::new("sh").args(["-c", "echo why >&2; exit 1"]))
            .expect_err("it exits with 1");
        assert!(error.to_string().ends_with("\nwhy"), "{error}");
    }

    #[test]
    fn a_missing_program_is_an_error_that_names_it() {
        let error = output(&mut Command::new("no-such-program-here")).expect_err("there is none");
        assert!(error.to_string().contains("no-such-program-here"), "{error}");
    }

    #[test]
    fn output_is_returned() {
        let printed =
            output(Command::new("sh").args(["-c", "printf 'a\nb'"])).expect("it succeeds");
        assert_eq!(printed, "a\nb");
    }
}
