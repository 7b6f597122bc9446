//! Cargo tools that a machine may lack: the pinned wheel's, the machine's own, or built here.
//!
//! Invariant: the versions are pinned; what is built goes to `target/tools` once and stays there.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;
use crate::workspace::Workspace;

/// A cargo tool that the project uses.
#[derive(Debug)]
pub(crate) struct Tool {
    /// The crate, and the executable.
    name: &'static str,
    /// The version that is built where none is found.
    version: &'static str,
    /// Further arguments of `cargo install`.
    features: &'static [&'static str],
}

/// Licences, bans and sources of the dependencies.
pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2", features: &[] };

/// The test runner.
pub(crate) const NEXTEST: Tool = Tool { name: "cargo-nextest", version: "0.9.148", features: &[] };

/// Line coverage; no upload service is built in.
pub(crate) const TARPAULIN: Tool =
    Tool { name: "cargo-tarpaulin", version: "0.37.5", features: &["--no-default-features"] };

/// Fuzzing by libFuzzer.
pub(crate) const FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2", features: &[] };

/// Mutation testing.
pub(crate) const MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0", features: &[] };

impl Tool {
    /// A command that starts the tool as cargo would, its subcommand's name given.
    ///
    /// # Errors
    ///
    /// When it is not there and can't be built.
    pub(crate) fn command(&self, workspace: &Workspace) -> Result<Command> {
        let executable = self.find_or_build(workspace)?;
        let mut command = process::command(workspace, executable);
        command.arg(self.name.strip_prefix("cargo-").expect("cargo tools are called so"));
        command.env("CARGO", env!("CARGO"));
        Ok(command)
    }

    fn find_or_build(&self, workspace: &Workspace) -> Result<PathBuf> {
        let root = workspace.target("tools");
        let built = root.join("bin").join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX));
        for candidate in [workspace.venv_bin(self.name), built.clone(), PathBuf::from(self.name)] {
            if self.answers(&candidate) {
                return Ok(candidate);
            }
        }
        println!(
            "building {} {} into target/tools: this takes minutes, once",
            self.name, self.version
        );
        let mut install = process::cargo(workspace);
        install.args(["install", "--locked", "--quiet", "--version", self.version]);
        install.args(self.features).arg("--root").arg(&root).arg(self.name);
        process::run(&mut install).with_context(|| format!("installing {}", self.name))?;
        Ok(built)
    }

    fn answers(&self, executable: &PathBuf) -> bool {
        let subcommand = self.name.strip_prefix("cargo-").expect("cargo tools are called so");
        process::output(Command::new(executable).args([subcommand, "--version"])).is_ok()
    }
}
