//! The code of the README and the guide runs: the README's shell lines name commands that exist, the
//! Python of both is replayed.
//!
//! Shell lines are not run (they are what the other steps run); a line that can't be checked is
//! a finding, so that the README can't drift unseen. Python is run by
//! `xtask/scripts/run_readme.py`.

use anyhow::{Result, bail};
use clap::Parser as _;

use crate::cli::Cli;
use crate::process;
use crate::test;
use crate::workspace::Workspace;

/// The documents whose code is run; the first one's shell lines are looked at, too.
const README: &str = "README.md";
const GUIDE: &str = "docs/guide.md";

/// What Python is given to run the documents' Python.
pub(crate) const ARGUMENTS: [&str; 4] = ["-P", "xtask/scripts/run_readme.py", README, GUIDE];

/// Programs whose lines a reader runs once, and this check leaves alone.
const FOREIGN: [&str; 5] = ["git", "cd", "pip", "python", "source"];

/// Checks the shell lines, then runs the Python blocks.
///
/// # Errors
///
/// When a line names what does not exist, or a block fails or prints something else than shown.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let text = crate::files::read(workspace.root(), README.as_ref())?;
    let metadata = process::output(process::cargo(workspace).args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    let examples = test::examples(&serde_json::from_str(&metadata)?);
    let findings: Vec<String> = shell_lines(&text)
        .into_iter()
        .filter_map(|(number, line)| {
            finding(&line, &examples).map(|reason| format!("{README}:{number}: `{line}`: {reason}"))
        })
        .collect();
    for finding in &findings {
        println!("{finding}");
    }
    let mut blocks = process::python(workspace);
    process::run(blocks.args(ARGUMENTS))?;
    if !findings.is_empty() {
        bail!("{} shell lines of the README name what does not exist", findings.len());
    }
    Ok(())
}

/// What is wrong with a shell line.
fn finding(line: &str, examples: &[(String, String)]) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["cargo", "xtask", rest @ ..] => {
            let parsed = Cli::try_parse_from([&["cargo xtask"], rest].concat());
            parsed
                .err()
                .map(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
        }
        ["cargo", "run", rest @ ..] => {
            let after = |long: &str, short: &str| {
                let at = rest.iter().position(|word| *word == long || *word == short)?;
                rest.get(at + 1).copied()
            };
            let (Some(package), Some(example)) =
                (after("--package", "-p"), after("--example", "--example"))
            else {
                return Some("it names no package and example".to_owned());
            };
            let known = examples.iter().any(|(of, name)| of == package && name == example);
            (!known).then(|| format!("{package} has no example {example}"))
        }
        [program, ..] if FOREIGN.contains(program) => None,
        _ => Some("this check does not know what that is".to_owned()),
    }
}

/// The command lines of the `sh`, `bash` and `console` blocks, comments left out.
///
/// In a `console` block only what follows `$ ` is a command.
fn shell_lines(text: &str) -> Vec<(usize, String)> {
    let mut block: Option<&str> = None;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(language.trim()) };
            continue;
        }
        let command = match block {
            Some("sh" | "bash" | "shell") => line,
            Some("console") => match line.strip_prefix("$ ") {
                Some(command) => command,
                None => continue,
            },
            _ => continue,
        };
        let command = command.split(" #").next().unwrap_or_default().trim();
        if !command.is_empty() && !command.starts_with('#') {
            found.push((index + 1, command.to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_lines_are_found_in_shell_blocks_only() {
        let text = "cargo xtask no\n```sh\n# first\ncargo xtask demo   # learn and ask\n\n```\n\
                    ```python\ncargo = 1\n```\n```console\n$ cargo xtask test\n17 passed\n```\n";
        let expected = [(4, "cargo xtask demo"), (11, "cargo xtask test")];
        assert_eq!(shell_lines(text), expected.map(|(number, line)| (number, line.to_owned())));
    }

    #[test]
    fn a_line_must_name_what_exists() {
        let examples = [("graph-index".to_owned(), "paths".to_owned())];
        for line in
            ["cargo xtask demo --full", "cargo run -p graph-index --example paths", "git clone x"]
        {
            assert_eq!(finding(line, &examples), None, "{line}");
        }
        for line in [
            "cargo xtask dem",
            "cargo xtask demo --fast",
            "cargo run -p graph-index --example path",
            "cargo run --release",
            "sutra ask",
        ] {
            assert!(finding(line, &examples).is_some(), "{line}");
        }
    }
}
