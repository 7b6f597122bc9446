//! What a report of a long run begins with: what was tested, where and when.
//!
//! Invariant: no path of the machine is in it, so that it can be kept in the repository.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// The command, and what it ran on: commit, date, machine, load and compiler.
///
/// # Errors
///
/// When git, or another program that is asked, can't be.
pub(crate) fn preface(workspace: &Workspace) -> Result<String> {
    let said = |program: &str, arguments: &[&str]| {
        process::output(process::command(workspace, program).args(arguments))
            .map(|text| text.trim_end().to_owned())
    };
    let mut commit = said("git", &["rev-parse", "HEAD"])?;
    if !said("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
        commit.push_str(", and changes since");
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = cpu_model().unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    Ok(format!(
        "cargo xtask {}\ncommit   {commit}\ndate     {}\nmachine  {cpu}, {cores} cores, {}\nload     {}\n\
         compiler {}\n",
        std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])?,
        said("uname", &["-sr"])?,
        fs::read_to_string("/proc/loadavg")
            .map_or_else(|_| "unknown".to_owned(), |text| text.trim_end().to_owned()),
        process::output(Command::new("rustc").arg("--version"))?.trim_end(),
    ))
}

fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
