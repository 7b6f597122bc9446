//! `cargo xtask crash`: storage-core's tests of power loss, death, failing disks and damage, with as many seeds
//! as wanted, and a report that can be kept.
//!
//! Invariant: the tests decide; this only sets the environment variables that they read, and notes what
//! they said.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;

use crate::cli::{CrashArguments, CrashPart};
use crate::workspace::Workspace;
use crate::{process, report};

/// Where the report goes, from cargo's target folder.
const REPORT: &str = "crash/report.txt";

/// How one of the tests is called, and told what to do.
struct Test {
    /// The integration test of storage-core.
    name: &'static str,
    /// The variables of the first seed and of the number of seeds, where it has seeds.
    seeds: Option<[&'static str; 2]>,
    /// What a long run sets.
    long: &'static [(&'static str, &'static str)],
    /// Whether the store is built with a checker's locks and atomics.
    modelled: bool,
}

impl Test {
    const fn new(
        name: &'static str,
        seeds: Option<[&'static str; 2]>,
        long: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { name, seeds, long, modelled: false }
    }
}

const CRASH_SEEDS: Option<[&str; 2]> = Some(["SUTRA_CRASH_SEED", "SUTRA_CRASH_COUNT"]);

const fn test(part: CrashPart) -> Test {
    match part {
        CrashPart::PowerLoss => {
            Test::new("power_loss", CRASH_SEEDS, &[("SUTRA_CRASH_COUNT", "100000")])
        }
        CrashPart::Exhaustive => {
            Test::new("exhaustive", CRASH_SEEDS, &[("SUTRA_EXHAUSTIVE_LONG", "1")])
        }
        CrashPart::TestsTested => {
            Test::new("tests_tested", None, &[("SUTRA_TESTED_SEEDS", "1000")])
        }
        CrashPart::Kill => Test::new("crash", CRASH_SEEDS, &[("SUTRA_CRASH_COUNT", "10000")]),
        CrashPart::Processes => Test::new(
            "processes",
            Some(["SUTRA_PROCESSES_SEED", "SUTRA_PROCESSES_COUNT"]),
            // An hour on two cores that nothing else uses.
            &[("SUTRA_PROCESSES_COUNT", "2000")],
        ),
        CrashPart::KillPoints => Test::new(
            "kill_points",
            Some(["SUTRA_POINT_SEED", "SUTRA_POINT_COUNT"]),
            &[("SUTRA_POINT_COUNT", "50")],
        ),
        CrashPart::Io => Test::new(
            "io_failure",
            Some(["SUTRA_IO_SEED", "SUTRA_IO_COUNT"]),
            &[("SUTRA_IO_COUNT", "20"), ("SUTRA_IO_ALL", "1")],
        ),
        CrashPart::Interleavings => Test::new(
            "interleavings",
            Some(["SUTRA_TURNS_SEED", "SUTRA_TURNS_COUNT"]),
            &[("SUTRA_TURNS_COUNT", "100000")],
        ),
        CrashPart::Shuttle => Test {
            modelled: true,
            // Rounds of ten schedules.
            ..Test::new(
                "shuttle",
                Some(["SUTRA_SHUTTLE_SEED", "SUTRA_SHUTTLE_COUNT"]),
                &[("SUTRA_SHUTTLE_COUNT", "10000")],
            )
        },
        CrashPart::StateMachine => Test::new(
            "state_machine",
            Some(["SUTRA_MACHINE_SEED", "SUTRA_MACHINE_COUNT"]),
            &[("SUTRA_MACHINE_COUNT", "20000"), ("SUTRA_MACHINE_STEPS", "500")],
        ),
        CrashPart::Damage => Test::new("damage", None, &[("SUTRA_DAMAGE_LONG", "1")]),
    }
}

/// Builds the store with checkers' locks and atomics in the place of std's, in a folder of its own.
pub(crate) fn with_checkers(command: &mut Command, workspace: &Workspace) {
    command.arg("--target-dir").arg(workspace.target("modelled"));
    command.env("RUSTFLAGS", "--cfg modelled");
    // Most of the time goes to building all crates anew, which these settings halve.
    command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
}

/// The environment variables that a part's test is given.
fn variables(part: CrashPart, arguments: &CrashArguments) -> Vec<(&'static str, String)> {
    let test = test(part);
    let mut variables: Vec<(&str, String)> = Vec::new();
    if arguments.long {
        variables.extend(test.long.iter().map(|&(name, value)| (name, value.to_owned())));
    }
    if let Some([seed, count]) = test.seeds {
        // A seed without a count is one to replay.
        let wanted = arguments.count.or(arguments.seed.map(|_| 1));
        if let Some(wanted) = wanted {
            variables.retain(|(name, _)| *name != count);
            variables.push((count, wanted.to_string()));
        }
        variables.extend(arguments.seed.map(|first| (seed, first.to_string())));
    }
    variables
}

fn name_of(part: CrashPart) -> String {
    part.to_possible_value().expect("no part is hidden").get_name().to_owned()
}

/// Refuses a seed, or a number of seeds, for a part that is named and has none.
fn check(arguments: &CrashArguments) -> Result<()> {
    if arguments.seed.is_none() && arguments.count.is_none() {
        return Ok(());
    }
    match arguments.only.iter().find(|part| test(**part).seeds.is_none()) {
        Some(&part) => {
            let name = name_of(part);
            bail!(
                "{name} has no seeds and always does the same: leave --seed and --count out for it"
            )
        }
        None => Ok(()),
    }
}

/// Runs the tests in release mode, all of them even if one fails, and writes the report.
///
/// # Errors
///
/// When a part is named that has no seeds, and a seed; when a test fails or can't be built.
pub(crate) fn run(workspace: &Workspace, arguments: &CrashArguments) -> Result<()> {
    check(arguments)?;
    let parts = match arguments.only.as_slice() {
        [] => CrashPart::value_variants(),
        only => only,
    };
    let mut report = report::preface(workspace)?;
    let mut failed = Vec::new();
    for &part in parts {
        let name = name_of(part);
        let variables = variables(part, arguments);
        let mut command = process::cargo(workspace);
        command.args(["test", "--locked", "--release", "--package", "storage-core"]);
        command.args(["--test", test(part).name]);
        if test(part).modelled {
            with_checkers(&mut command, workspace);
        }
        command.args(["--", "--nocapture"]);
        for (variable, value) in &variables {
            command.env(variable, value);
        }
        println!("\n=== {name} ===");
        let started = Instant::now();
        let mut said = Vec::new();
        let outcome = process::run_noting(&mut command, &mut |line| {
            if let Some(said_of) = line.strip_prefix("result: ") {
                said.push(said_of.to_owned());
            } else if line.starts_with("replay with") || line.contains(" panicked at ") {
                said.push(line.to_owned());
            }
        });
        let (result, seconds) =
            (if outcome.is_ok() { "ok" } else { "FAILED" }, started.elapsed().as_secs());
        write!(report, "\n{name}: {result} in {seconds} s")?;
        for (variable, value) in &variables {
            write!(report, " {variable}={value}")?;
        }
        report.push('\n');
        said.sort();
        for line in said {
            writeln!(report, "  {line}")?;
        }
        if let Err(error) = outcome {
            println!("{error:#}");
            failed.push(name);
        }
        // Written each time: a long run may be ended by hand.
        write_report(workspace, &report)?;
    }
    println!("\n{report}\nwritten to {REPORT} in the target folder");
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn write_report(workspace: &Workspace, report: &str) -> Result<()> {
    let path = workspace.target(REPORT);
    let folder = path.parent().expect("the report lies in a folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, report))
        .with_context(|| format!("writing {REPORT}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn arguments(seed: Option<u64>, count: Option<u64>, long: bool) -> CrashArguments {
        CrashArguments { seed, count, long, only: Vec::new() }
    }

    fn set(part: CrashPart, arguments: &CrashArguments) -> Vec<String> {
        let pairs = variables(part, arguments).into_iter();
        pairs.map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn a_seed_without_a_count_is_replayed_alone() {
        let one = set(CrashPart::PowerLoss, &arguments(Some(7), None, false));
        assert_eq!(one, ["SUTRA_CRASH_COUNT=1", "SUTRA_CRASH_SEED=7"]);
        let some = set(CrashPart::Io, &arguments(Some(7), Some(3), false));
        assert_eq!(some, ["SUTRA_IO_COUNT=3", "SUTRA_IO_SEED=7"]);
    }

    #[test]
    fn a_seed_is_refused_for_a_part_that_would_pass_it_over() {
        let only = |parts: &[CrashPart], seed, count| {
            check(&CrashArguments { only: parts.to_vec(), ..arguments(seed, count, false) })
        };
        for part in [CrashPart::Damage, CrashPart::TestsTested] {
            for (seed, count) in [(Some(7), None), (None, Some(2)), (Some(7), Some(2))] {
                for parts in [&[part][..], &[CrashPart::Io, part]] {
                    let refused = only(parts, seed, count).expect_err("it has no seeds");
                    assert!(refused.to_string().starts_with(&name_of(part)), "{refused}");
                }
            }
            assert!(only(&[part], None, None).is_ok());
        }
        assert!(only(&[CrashPart::Io], Some(7), Some(2)).is_ok());
        assert!(only(&[], Some(7), None).is_ok(), "all parts: those that have seeds take it");
    }

    #[test]
    fn what_is_set_is_read_by_the_test_that_it_is_for() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage-core/tests");
        for &part in CrashPart::value_variants() {
            let name = test(part).name;
            let read = |path: &str| fs::read_to_string(tests.join(path)).expect("a test's source");
            let mut source = read(&format!("{name}.rs"));
            if source.contains("power::") {
                source.push_str(&read("common/power.rs"));
            }
            for (variable, _) in variables(part, &arguments(Some(1), Some(1), true)) {
                assert!(source.contains(&format!("\"{variable}\"")), "{variable} in {name}");
            }
        }
    }

    #[test]
    fn a_long_run_takes_its_own_numbers_unless_told_others() {
        assert!(set(CrashPart::Kill, &arguments(None, None, false)).is_empty());
        let long = set(CrashPart::PowerLoss, &arguments(None, None, true));
        assert_eq!(long, ["SUTRA_CRASH_COUNT=100000"]);
        let fewer = set(CrashPart::Io, &arguments(None, Some(2), true));
        assert_eq!(fewer, ["SUTRA_IO_ALL=1", "SUTRA_IO_COUNT=2"]);
    }
}
