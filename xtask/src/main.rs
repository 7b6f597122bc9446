//! `cargo xtask`: every developer command of the workspace.
//!
//! This file only dispatches; each command is a module of its own. Invariant: a command does what it
//! says or exits non-zero with a sentence that names what is missing. It never skips a step in
//! silence, and it writes only to `.venv`, `target`, `data`, `benches/out` and `language/model`
//! (`slice` also rewrites the slice that the repository carries).

#![expect(clippy::print_stdout, reason = "a developer command talks to its terminal")]

mod asan;
mod bench;
mod ci;
mod cli;
mod coverage;
mod crash;
mod data;
mod demo;
mod files;
mod fuzz;
mod loom;
mod mutants;
mod offline;
mod process;
mod python;
mod readme;
mod report;
mod setup;
mod slice;
mod stamp;
mod test;
mod tidy;
mod tools;
mod valgrind;
mod wordnet;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::cli::{Cli, Command};
use crate::workspace::Workspace;

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    let workspace = Workspace::find()?;
    match command {
        Command::Setup => setup::run(&workspace),
        Command::Demo(arguments) => demo::run(&workspace, &arguments),
        Command::Test(arguments) => test::run(&workspace, &arguments),
        Command::Tidy => tidy::run(&workspace),
        Command::Data(arguments) => data::run(&workspace, &arguments),
        Command::Slice(arguments) => slice::run(&workspace, &arguments),
        Command::Bench(arguments) => bench::run(&workspace, &arguments),
        Command::Crash(arguments) => crash::run(&workspace, &arguments),
        Command::Fuzz(arguments) => fuzz::run(&workspace, &arguments),
        Command::Valgrind => valgrind::run(&workspace),
        Command::Loom => loom::run(&workspace),
        Command::Mutants(arguments) => mutants::run(&workspace, &arguments),
        Command::Asan => asan::run(&workspace),
        Command::Ci => ci::run(&workspace),
    }
}
