//! `cargo xtask fuzz`: every target of `fuzz/` for some seconds, from seeds and what earlier runs found.
//!
//! Built with the address sanitizer, so an input that leaks is a finding too, as is one that takes
//! seconds, or much memory. Corpora, and inputs that failed, are in `target/fuzz`.

use std::fmt::Write as _;
use std::fs;
use std::num::NonZero;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::cli::FuzzArguments;
use crate::tools::FUZZ;
use crate::workspace::Workspace;
use crate::{process, report};

/// The crate of the targets, from the root.
pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";

/// Limits of one input. A second is what one may take; the sanitizer, checks of every sum, and a machine
/// that others use make five times as much of it.
const LIMITS: [&str; 3] = ["-timeout=5", "-rss_limit_mb=2048", "-malloc_limit_mb=512"];

/// Where the report goes, from cargo's target folder.
const REPORT: &str = "fuzz/report.txt";

/// Builds the targets and runs them, one a core at a time, all of them even if one fails; writes a report.
///
/// # Errors
///
/// When a target finds something or can't be built, or `--only` names none.
pub(crate) fn run(workspace: &Workspace, arguments: &FuzzArguments) -> Result<()> {
    let targets = chosen(&targets(workspace)?, &arguments.only)?;
    if arguments.list {
        for target in targets {
            println!("{target}");
        }
        return Ok(());
    }
    let (folder, host) = (workspace.target("fuzz"), process::host(workspace)?);
    let mut build = cargo_fuzz(workspace, "build")?;
    build.args(["--strip-dead-code", "--target", &host, "--target-dir"]).arg(&folder);
    process::run(&mut build)?;

    let report = Mutex::new(report::preface(workspace)?);
    let failed = Mutex::new(Vec::new());
    let pending = Mutex::new(targets.iter());
    let next = || pending.lock().expect("no holder panics").next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let outcome = fuzz(workspace, &host, target, arguments.seconds);
                    let line = match outcome {
                        Ok(counts) => format!("{target}: {counts}"),
                        Err(error) => {
                            failed.lock().expect("no holder panics").push(target.as_str());
                            format!("{target}: FAILED: {error:#}")
                        }
                    };
                    println!("{line}");
                    writeln!(report.lock().expect("no holder panics"), "\n{line}")
                        .expect("a string takes all");
                }
            });
        }
    });
    let report = report.into_inner().expect("no holder panics");
    fs::write(workspace.target(REPORT), report).with_context(|| format!("writing {REPORT}"))?;
    let failed = failed.into_inner().expect("no holder panics");
    if !failed.is_empty() {
        bail!("findings of {}: their inputs are in target/fuzz/artifacts", failed.join(", "));
    }
    Ok(())
}

/// Runs one target; returns what libFuzzer counted, or prints all that it said where it found something.
fn fuzz(workspace: &Workspace, host: &str, target: &str, seconds: u64) -> Result<String> {
    let folder = workspace.target("fuzz");
    let executable = folder.join(host).join("release").join(target);
    let [corpus, artifacts, logs] =
        ["corpus", "artifacts", "logs"].map(|name| folder.join(name).join(target));
    for made in [&corpus, &artifacts, &logs] {
        fs::create_dir_all(made).with_context(|| format!("making {}", made.display()))?;
    }
    process::output(process::command(workspace, &executable).env("SUTRA_FUZZ_SEEDS", &corpus))?;

    let log = logs.join("log");
    let file = fs::File::create(&log).with_context(|| format!("making {}", log.display()))?;
    let mut fuzz = process::command(workspace, &executable);
    fuzz.arg(&corpus).args(LIMITS).args(["-verbosity=0", "-print_final_stats=1"]);
    fuzz.arg(format!("-max_total_time={seconds}"));
    // With a separator at its end: the names of files are added as they are.
    fuzz.arg(format!("-artifact_prefix={}", artifacts.join("").display()));
    // cargo-fuzz sets this too: globals of two crates may be one.
    fuzz.env("ASAN_OPTIONS", "detect_odr_violation=0").stderr(file);
    let outcome = process::run(&mut fuzz);
    let said = fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    if outcome.is_err() {
        println!("{said}");
    }
    outcome.map(|()| counts(&said))
}

/// What libFuzzer counted, in one line.
fn counts(said: &str) -> String {
    let lines = said.lines().filter_map(|line| line.strip_prefix("stat::"));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect::<Vec<_>>().join(", ")
}

/// A subcommand of cargo-fuzz, on the stable toolchain.
fn cargo_fuzz(workspace: &Workspace, subcommand: &str) -> Result<Command> {
    let mut command = FUZZ.command(workspace)?;
    command.arg(subcommand).env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}

/// The names of all targets.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let printed = process::output(&mut cargo_fuzz(workspace, "list")?)?;
    let targets: Vec<String> = printed.lines().map(str::to_owned).collect();
    if targets.is_empty() {
        bail!("{MANIFEST} names no target");
    }
    Ok(targets)
}

/// Those of the targets that are asked for; all, where none is.
fn chosen(targets: &[String], only: &[String]) -> Result<Vec<String>> {
    if let Some(name) = only.iter().find(|name| !targets.contains(name)) {
        bail!("there is no target {name}; there are {}", targets.join(", "));
    }
    Ok(if only.is_empty() { targets.to_vec() } else { only.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_targets_run_unless_some_are_named_and_unknown_ones_are_refused() {
        let targets = ["log", "text"].map(str::to_owned);
        assert_eq!(chosen(&targets, &[]).expect("known targets"), targets);
        let only = |name: &str| chosen(&targets, &[name.to_owned()]);
        assert_eq!(only("text").expect("a known target"), ["text"]);
        assert!(only("texts").is_err());
    }

    #[test]
    fn counts_are_those_of_libfuzzer() {
        let said = "INFO: Seed: 1\nstat::number_of_executed_units: 12\nstat::peak_rss_mb:     40\n";
        assert_eq!(counts(said), "number_of_executed_units: 12, peak_rss_mb: 40");
    }
}
