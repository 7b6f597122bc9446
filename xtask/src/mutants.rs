//! `cargo xtask mutants`: changes the log, the manifest and recovery in one place at a time, and counts
//! which changes the tests notice.
//!
//! What is changed is in `.cargo/mutants.toml`. The unit tests go first, since a run of them takes seconds;
//! what they miss is shown to the tests of whole stores. Invariant: cargo-mutants changes a copy of the
//! checkout, which may be worked in meanwhile.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::cli::MutantsArguments;
use crate::tools::MUTANTS;
use crate::workspace::Workspace;
use crate::{process, report};

/// The share of the viable mutants that has to be killed, in percent.
const LEAST_KILLED: f64 = 90.0;

/// Runs the rest of its arguments within 8 GiB: a mutant may gather memory without end.
const LIMITED: &str = "ulimit -v 8388608 && exec \"$0\" \"$@\"";

/// Tests that a mutant is shown to.
struct Tier {
    /// Which test targets are built.
    targets: &'static [&'static str],
    /// Which of their tests run.
    tests: &'static [&'static str],
    /// Files that these tests do not reach.
    passed_over: &'static [&'static str],
}

const TIERS: [Tier; 3] = [
    Tier {
        targets: &["--lib"],
        // One test takes as long as all others.
        tests: &["wal::", "manifest::", "--skip=power_loss"],
        passed_over: &["storage-core/src/store/recovery.rs"],
    },
    Tier {
        targets: &["--test=recovery", "--test=handles", "--test=store"],
        tests: &[],
        passed_over: &[],
    },
    Tier {
        targets: &[
            "--lib",
            "--test=golden",
            "--test=history",
            "--test=interleavings",
            "--test=io_failure",
            "--test=power_loss",
            "--test=repair",
        ],
        tests: &[],
        passed_over: &[],
    },
];

/// What the tests are told: seeds for some seconds, and no search for the smallest failing input.
const VARIABLES: [(&str, &str); 4] = [
    ("SUTRA_CRASH_COUNT", "40"),
    ("SUTRA_TURNS_COUNT", "40"),
    ("SUTRA_IO_STEP", "31"),
    ("PROPTEST_MAX_SHRINK_ITERS", "0"),
];

/// How mutants ended, by their names: place and change.
#[derive(Debug, Default)]
struct Outcomes {
    caught: BTreeSet<String>,
    timeout: BTreeSet<String>,
    unviable: BTreeSet<String>,
    missed: BTreeSet<String>,
}

impl Outcomes {
    /// Reads what cargo-mutants, or [`Outcomes::write`], left in a folder; what is not there is empty.
    fn read(folder: &Path) -> Result<Self> {
        let names = |name: &str| match fs::read_to_string(folder.join(name)) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(error).context(format!("reading {name} of the mutants")),
        };
        Ok(Self {
            caught: names("caught.txt")?,
            timeout: names("timeout.txt")?,
            unviable: names("unviable.txt")?,
            missed: names("missed.txt")?,
        })
    }

    fn write(&self, folder: &Path) -> Result<()> {
        for (name, mutants) in [
            ("caught.txt", &self.caught),
            ("timeout.txt", &self.timeout),
            ("unviable.txt", &self.unviable),
            ("missed.txt", &self.missed),
        ] {
            let lines: Vec<&str> = mutants.iter().map(String::as_str).collect();
            fs::write(folder.join(name), lines.join("\n"))
                .with_context(|| format!("writing {name}"))?;
        }
        Ok(())
    }

    /// Forgets what is not among these mutants (any more), and what was missed.
    fn keep_ended(&mut self, mutants: &BTreeSet<String>) {
        for ended in [&mut self.caught, &mut self.timeout, &mut self.unviable] {
            ended.retain(|mutant| mutants.contains(mutant));
        }
        self.missed.clear();
    }

    /// Adds a tier's outcomes; what it missed takes the place of what was missed before.
    fn add(&mut self, tier: Self) {
        self.caught.extend(tier.caught);
        self.timeout.extend(tier.timeout);
        self.unviable.extend(tier.unviable);
        self.missed = tier.missed;
    }

    fn has_ended(&self, mutant: &str) -> bool {
        [&self.caught, &self.timeout, &self.unviable].iter().any(|ended| ended.contains(mutant))
    }

    /// The share of the viable mutants that was killed, in percent.
    fn killed_percent(&self) -> f64 {
        let killed = self.caught.len() + self.timeout.len();
        100.0 * killed as f64 / (killed + self.missed.len()).max(1) as f64
    }

    fn summary(&self) -> String {
        let mut summary = format!(
            "{} killed, {} killed by timeout, {} missed, {} unviable: {:.1} % of the viable killed\n",
            self.caught.len(),
            self.timeout.len(),
            self.missed.len(),
            self.unviable.len(),
            self.killed_percent(),
        );
        if !self.missed.is_empty() {
            summary.push_str("\nmissed:\n");
        }
        for mutant in &self.missed {
            writeln!(summary, "  {mutant}").expect("a string takes all");
        }
        summary
    }
}

/// Tries all mutants, or those asked for, and writes the report.
///
/// # Errors
///
/// When fewer are killed than have to be, the tests fail without a mutant, or can't be built.
pub(crate) fn run(workspace: &Workspace, arguments: &MutantsArguments) -> Result<()> {
    let folder = workspace.target("mutants");
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).with_context(|| format!("making {}", temporary.display()))?;
    let all = list(workspace, &[])?;
    let chosen = match &arguments.shard {
        Some(shard) => list(workspace, &["--sharding=round-robin", "--shard", shard])?,
        None => all.clone(),
    };
    let mut preface = report::preface(workspace)?;
    let version = process::output(MUTANTS.command(workspace)?.arg("--version"))?;
    writeln!(preface, "tool     {}", version.trim_end())?;
    writeln!(preface, "\n{} of {} mutants", chosen.len(), all.len())?;

    let mut outcomes = Outcomes::default();
    if arguments.iterate {
        outcomes = Outcomes::read(&folder)?;
        outcomes.keep_ended(&chosen);
        let ended = chosen.iter().filter(|mutant| outcomes.has_ended(mutant)).count();
        writeln!(preface, "{ended} of them were killed, or did not compile, in an earlier run")?;
    }
    for tier in &TIERS {
        let pending: BTreeSet<&String> =
            chosen.iter().filter(|mutant| !outcomes.has_ended(mutant)).collect();
        let passed_over =
            |mutant: &str| tier.passed_over.iter().any(|file| mutant.starts_with(file));
        let skipped =
            all.iter().filter(|mutant| !pending.contains(mutant) || passed_over(mutant)).cloned();
        let skipped: Vec<String> = skipped.collect();
        let mut ended = Outcomes::default();
        if skipped.len() < all.len() {
            try_out(workspace, tier, &skipped)?;
            ended = Outcomes::read(&folder.join("mutants.out"))?;
        }
        ended.missed.extend(pending.into_iter().filter(|mutant| passed_over(mutant)).cloned());
        outcomes.add(ended);
        // Written each time: a long run may be ended by hand.
        outcomes.write(&folder)?;
        let report = folder.join("report.txt");
        fs::write(&report, format!("{preface}{}", outcomes.summary()))
            .with_context(|| format!("writing {}", report.display()))?;
    }
    println!(
        "\n{preface}{}\nwritten to mutants/report.txt in the target folder",
        outcomes.summary()
    );
    if outcomes.killed_percent() < LEAST_KILLED {
        bail!("the tests have to kill {LEAST_KILLED} % of the mutants");
    }
    Ok(())
}

/// The names of the mutants.
fn list(workspace: &Workspace, arguments: &[&str]) -> Result<BTreeSet<String>> {
    let mut list = MUTANTS.command(workspace)?;
    list.args(["--list", "--colors=never"]).args(arguments);
    let printed = process::output(&mut list)?;
    Ok(printed.lines().map(str::to_owned).collect())
}

/// Shows a tier's tests all mutants but some.
fn try_out(workspace: &Workspace, tier: &Tier, skipped: &[String]) -> Result<()> {
    let folder = workspace.target("mutants");
    // What an earlier run left here would be skipped, too.
    let out = folder.join("mutants.out");
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("removing {}", out.display()))?;
    }
    fs::create_dir_all(&out)
        .and_then(|()| fs::write(out.join("previously_caught.txt"), skipped.join("\n") + "\n"))
        .with_context(|| format!("writing to {}", out.display()))?;

    let tool = MUTANTS.command(workspace)?;
    let mut mutants = process::command(workspace, "sh");
    mutants.args(["-c", LIMITED]).arg(tool.get_program()).args(tool.get_args());
    mutants.args(["--iterate", "--jobs=1", "--colors=never", "--output"]).arg(&folder);
    mutants.args(tier.targets.iter().map(|target| format!("--cargo-arg={target}")));
    mutants.args(["--", "--"]).args(tier.tests);
    mutants.env("CARGO", env!("CARGO")).envs(VARIABLES);
    mutants.env("CARGO_TARGET_DIR", folder.join("build")).env("TMPDIR", folder.join("tmp"));
    succeed(&mut mutants)
}

/// Runs cargo-mutants; mutants that are missed, or take too long, are no failure of it.
fn succeed(mutants: &mut Command) -> Result<()> {
    let status = mutants.stdin(Stdio::null()).status().context("could not start cargo-mutants")?;
    match status.code() {
        Some(0 | 2 | 3) => Ok(()),
        Some(4) => bail!("the tests fail, or take too long, without any mutant"),
        _ => bail!("cargo-mutants failed: {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_the_second_tier_kills_is_missed_no_more() {
        let mut outcomes = Outcomes {
            caught: names(&["a"]),
            missed: names(&["b", "c", "d"]),
            ..Outcomes::default()
        };
        outcomes.add(Outcomes {
            caught: names(&["b"]),
            timeout: names(&["c"]),
            missed: names(&["d"]),
            ..Outcomes::default()
        });
        assert!((outcomes.killed_percent() - 75.0).abs() < 1e-9);
        assert_eq!(
            outcomes.summary(),
            "2 killed, 1 killed by timeout, 1 missed, 0 unviable: 75.0 % of the viable killed\n\n\
             missed:\n  d\n"
        );
    }

    #[test]
    fn outcomes_are_read_as_written_and_only_of_mutants_there_are() {
        let folder = tempfile::tempdir().expect("created");
        let written = Outcomes {
            caught: names(&["a", "gone"]),
            unviable: names(&["b"]),
            missed: names(&["c"]),
            ..Outcomes::default()
        };
        written.write(folder.path()).expect("written");
        let mut read = Outcomes::read(folder.path()).expect("readable");
        assert_eq!(read.missed, written.missed);
        read.keep_ended(&names(&["a", "b", "c"]));
        assert_eq!((read.caught.len(), read.has_ended("b"), read.has_ended("c")), (1, true, false));
    }
}
