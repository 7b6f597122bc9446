//! The durable store beside its peers: load, open, recover, read, commit, and the disk that each takes.
//!
//! `cargo xtask bench stores` runs it. Every store is given the same records, each in its documented
//! setting for commits that survive power loss; every answer is compared with what was put. What is
//! measured after opening runs in fresh processes.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod child;
mod measure;
mod report;
mod stores;
mod work;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand, ValueEnum as _};
use serde_json::{Value, json};

use child::Job;
use measure::Plan;
use stores::Kind;
use work::Work;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures the stores one after the other
    Run(RunArguments),
    /// What a measurement starts
    #[command(hide = true)]
    Child {
        #[command(subcommand)]
        job: Job,
    },
}

#[derive(Debug, Args)]
struct RunArguments {
    /// How many records
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    concepts: u64,
    /// A folder with `concepts.jsonl`
    #[arg(long)]
    data: PathBuf,
    /// Where the stores are made, and removed again; the system's folder for such by default
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The file that takes all figures as JSON
    #[arg(long)]
    output: PathBuf,
    /// The commit that is measured, for the record
    #[arg(long, default_value = "unknown")]
    commit: String,
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Only this store; may be given several times
    #[arg(long, value_name = "STORE")]
    only: Vec<Kind>,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(arguments) => run(&arguments),
        Command::Child { job } => job.run(),
    }
}

fn run(arguments: &RunArguments) -> Result<()> {
    let folder = match &arguments.folder {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    }
    .context("making a folder for the stores")?;
    let work = Work::read(&arguments.data, arguments.seed)?;
    let (hash, record_bytes) = work.fingerprint(arguments.concepts);
    let plan = Plan {
        concepts: arguments.concepts,
        data: arguments.data.clone(),
        folder: folder.path().to_owned(),
        seed: arguments.seed,
        record_bytes,
    };
    let mut report = json!({
        "work": format!(
            "{} records of id, content and metadata, 1,000 a transaction, each durable before the next: \
             the data set's {} texts, then copies of them with each fourth word, on average, replaced \
             by one of another text",
            arguments.concepts,
            work.texts(),
        ),
        "records": arguments.concepts,
        "record_bytes": record_bytes,
        "records_fnv1a": format!("{hash:016x}"),
        "seed": arguments.seed,
        "versions": versions(),
        "machine": machine(),
        "date": output("date", &["-u", "+%Y-%m-%dT%H:%M:%S+00:00"]),
        "commit": arguments.commit,
    });
    println!("{} ({} MB, hash {hash:016x})", report["work"], record_bytes / 1_000_000);
    let stores = match arguments.only.as_slice() {
        [] => Kind::value_variants(),
        only => only,
    };
    let mut results = Vec::new();
    for &store in stores {
        let before = load_average();
        let mut result =
            plan.measure(store).with_context(|| format!("measuring {}", store.name()))?;
        result["load_average"] = json!([before, load_average()]);
        results.push((store.name(), result));
        // Written each time: a long run may be ended by hand.
        report["stores"] = results.iter().cloned().collect::<serde_json::Map<_, _>>().into();
        fs::write(&arguments.output, format!("{report:#}\n")).context("writing the figures")?;
    }
    println!("\n{}", report::table(&results));
    if let Some(lock) = report.pointer("/stores/sutra/lock") {
        println!("sutra: {lock}");
    }
    Ok(())
}

fn versions() -> Value {
    let lock = include_str!("../Cargo.lock");
    let version = |name: &str| {
        let entry = lock.split("[[package]]").find(|e| e.contains(&format!("name = \"{name}\"\n")));
        entry.and_then(|e| Some(e.split_once("version = \"")?.1.split_once('"')?.0.to_owned()))
    };
    json!({
        "storage-core": version("storage-core"),
        "rusqlite": version("rusqlite"),
        "sqlite": rusqlite::version(),
        "redb": version("redb"),
        "fjall": version("fjall"),
        "rustc": output("rustc", &["--version"]),
    })
}

fn machine() -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    json!({
        "cpu": cpu,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "os": output("uname", &["-sr"]),
        "load_average": load_average(),
    })
}

fn load_average() -> Value {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|one| one.parse::<f64>().ok()).into()
}

/// What a program prints; nothing where it is not there.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}
