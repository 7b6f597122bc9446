//! `cargo xtask demo`: the demonstration that the wheel carries, on the repository's slice or on all of
//! WordNet.

use anyhow::{Context as _, Result};

use crate::cli::DemoArguments;
use crate::data;
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

/// What Python is given to run the demonstration; the data's folder follows.
pub(crate) const ARGUMENTS: [&str; 3] = ["-P", "-m", "sutra_core.demo"];

/// Sets up and runs the demonstration; `--full` finds or makes the full data set first.
///
/// # Errors
///
/// When the set-up, the data set or the demonstration fails.
pub(crate) fn run(workspace: &Workspace, arguments: &DemoArguments) -> Result<()> {
    setup::run(workspace)?;
    let folder = if arguments.full {
        data::find_or_make(workspace).context("making the full data set")?
    } else {
        workspace.slice()
    };
    let mut demo = process::python(workspace);
    process::run(demo.args(ARGUMENTS).arg(folder))
}
