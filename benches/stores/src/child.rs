//! What runs in a process of its own, so that nothing is warm but the system's files.
//!
//! A child says what it measured in lines of JSON.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::report::{median, quantile};
use crate::stores::{self, Kind, Put, Session, Store};
use crate::work::{Random, Work};

/// What a child is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Puts records in durable transactions, and waits for a line before it closes
    Load(LoadArguments),
    /// Opens, and reads one record
    Open(Place),
    /// Reads random records, and compares each
    Read(ReadArguments),
    /// Compares the count, and a sample
    Check(ReadArguments),
    /// Commits records singly
    Commits(CommitArguments),
    /// Makes the files as small as the store can
    Compact(Place),
    /// What Sutra's lock between processes costs a lone writer
    Lock(Place),
}

/// Where, and what of.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[arg(long)]
    store: Kind,
    #[arg(long)]
    path: PathBuf,
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    #[command(flatten)]
    place: Place,
    #[arg(long)]
    from: u64,
    #[arg(long)]
    count: u64,
    #[arg(long)]
    batch: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ReadArguments {
    #[command(flatten)]
    place: Place,
    /// Records that were put before
    #[arg(long)]
    count: u64,
    #[arg(long)]
    reads: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CommitArguments {
    #[command(flatten)]
    place: Place,
    #[arg(long)]
    from: u64,
    #[arg(long)]
    threads: u64,
    #[arg(long)]
    milliseconds: u64,
}

fn say(value: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}

impl Job {
    /// Does it.
    ///
    /// # Errors
    ///
    /// When a store fails, or gives a wrong answer.
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Load(arguments) => load(&arguments),
            Self::Open(place) => open(&place),
            Self::Read(arguments) => read(&arguments),
            Self::Check(arguments) => check(&arguments),
            Self::Commits(arguments) => commits(&arguments),
            Self::Compact(place) => compact(&place),
            Self::Lock(place) => say(&stores::lock_cost(&place.path, &place.work()?)?),
        }
    }
}

impl Place {
    fn work(&self) -> Result<Work> {
        Work::read(&self.data, self.seed)
    }

    fn open(&self) -> Result<Box<dyn Store>> {
        self.store.open(&self.path)
    }

    fn put(&self, work: &Work, at: u64) -> Put {
        let vector = self.store.has_vectors().then(|| work.vector(at));
        Put { record: work.record(at), vector }
    }
}

/// The most memory that this process held: resident, and its own part of that now.
fn memory() -> Value {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    };
    json!({"resident_peak_bytes": of("VmHWM:"), "anonymous_bytes": of("RssAnon:")})
}

fn load(arguments: &LoadArguments) -> Result<()> {
    let place = &arguments.place;
    let work = place.work()?;
    let store = place.open()?;
    let mut session = store.session()?;
    let (mut took, mut slowest) = (Duration::ZERO, Duration::ZERO);
    let mut backlog = Vec::new();
    let end = arguments.from + arguments.count;
    let mut at = arguments.from;
    while at < end {
        let next = (at + arguments.batch).min(end);
        // Making the records is no work of the store's.
        let puts = (at..next).map(|at| place.put(&work, at)).collect();
        let started = Instant::now();
        session.put(puts)?;
        let one = started.elapsed();
        took += one;
        slowest = slowest.max(one);
        backlog.extend(store.backlog_bytes());
        at = next;
        say(&json!({"acknowledged": at}))?;
    }
    drop(session);
    say(&json!({
        "loaded": true,
        "seconds": took.as_secs_f64(),
        "records_per_second": arguments.count as f64 / took.as_secs_f64(),
        "slowest_transaction_ms": slowest.as_secs_f64() * 1e3,
        "backlog_max_bytes": backlog.iter().max(),
        "backlog_median_bytes": (!backlog.is_empty())
            .then(|| median(backlog.iter().map(|&bytes| bytes as f64).collect())),
        "memory": memory(),
    }))?;
    // The parent watches the files until nothing changes any more.
    std::io::stdin().read_line(&mut String::new())?;
    let started = Instant::now();
    store.close()?;
    say(&json!({"close_ms": started.elapsed().as_secs_f64() * 1e3}))
}

fn open(place: &Place) -> Result<()> {
    let id = Work::first(&place.data, place.seed)?.record(0);
    let started = Instant::now();
    let store = place.open()?;
    let opened = started.elapsed();
    let found = store.session()?.get(&id.id)?;
    let read = started.elapsed();
    ensure!(found.as_ref() == Some(&id), "the first record is not what was put: {found:?}");
    say(&json!({
        "open_ms": opened.as_secs_f64() * 1e3,
        "open_and_read_ms": read.as_secs_f64() * 1e3,
        "memory": memory(),
    }))?;
    // It ends without closing, as by a kill: opening must leave no work behind.
    std::process::exit(0);
}

fn compare(session: &mut dyn Session, work: &Work, at: u64) -> Result<()> {
    let expected = work.record(at);
    let found = session.get(&expected.id)?;
    ensure!(found.as_ref() == Some(&expected), "record {at} is {found:?}, not {expected:?}");
    Ok(())
}

fn read(arguments: &ReadArguments) -> Result<()> {
    let place = &arguments.place;
    let work = place.work()?;
    let store = place.open()?;
    let mut session = store.session()?;
    let mut random = Random(place.seed ^ 0x7ead);
    let chosen: Vec<u64> = (0..arguments.reads).map(|_| random.below(arguments.count)).collect();
    let mut passes = Vec::new();
    for _ in 0..2 {
        let mut micros = Vec::new();
        for &at in &chosen {
            let expected = work.record(at);
            let started = Instant::now();
            let found = session.get(&expected.id)?;
            micros.push(started.elapsed().as_secs_f64() * 1e6);
            ensure!(found.as_ref() == Some(&expected), "record {at} is {found:?}");
        }
        passes.push(
            json!({"median_us": quantile(&mut micros, 0.5), "p99_us": quantile(&mut micros, 0.99)}),
        );
    }
    say(&json!({"reads": arguments.reads, "first": passes[0], "again": passes[1]}))
}

fn check(arguments: &ReadArguments) -> Result<()> {
    let place = &arguments.place;
    let work = place.work()?;
    let store = place.open()?;
    let mut session = store.session()?;
    let found = session.count()?;
    let mut random = Random(place.seed ^ 0xc4ec);
    for _ in 0..arguments.reads {
        compare(&mut *session, &work, random.below(arguments.count))?;
    }
    // The newest are those that a crash could have taken.
    for at in arguments.count.saturating_sub(arguments.reads)..arguments.count {
        compare(&mut *session, &work, at)?;
    }
    drop(session);
    store.close()?;
    say(&json!({"count": found}))
}

fn commits(arguments: &CommitArguments) -> Result<()> {
    let place = &arguments.place;
    let work = place.work()?;
    let store = place.open()?;
    let next = AtomicU64::new(arguments.from);
    let period = Duration::from_millis(arguments.milliseconds);
    let started = Instant::now();
    let threads = (0..arguments.threads).map(|_| ());
    let outcomes: Vec<Result<Vec<f64>>> = std::thread::scope(|scope| {
        let running: Vec<_> = threads
            .map(|()| {
                scope.spawn(|| {
                    let mut session = store.session()?;
                    let mut micros = Vec::new();
                    while started.elapsed() < period {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let put = place.put(&work, at);
                        let began = Instant::now();
                        session.put(vec![put])?;
                        micros.push(began.elapsed().as_secs_f64() * 1e6);
                    }
                    Ok(micros)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    let took = started.elapsed().as_secs_f64();
    let mut micros = Vec::new();
    for outcome in outcomes {
        micros.extend(outcome.context("a thread that commits")?);
    }
    let end = next.into_inner();
    let mut session = store.session()?;
    for at in [arguments.from, end - 1] {
        compare(&mut *session, &work, at)?;
    }
    drop(session);
    store.close()?;
    say(&json!({
        "next": end,
        "per_second": micros.len() as f64 / took,
        "median_us": quantile(&mut micros, 0.5),
        "p99_us": quantile(&mut micros, 0.99),
    }))
}

fn compact(place: &Place) -> Result<()> {
    let mut store = place.open()?;
    let started = Instant::now();
    store.compact()?;
    let took = started.elapsed().as_secs_f64();
    store.close()?;
    say(&json!({"compact_seconds": took}))
}

/// The command that starts a job in a process of its own.
pub(crate) fn command(
    job: &str,
    store: Kind,
    path: &Path,
    data: &Path,
    seed: u64,
) -> std::process::Command {
    let program = std::env::current_exe().expect("a running program has a path");
    let mut command = std::process::Command::new(program);
    command.args(["child", job, "--store", &store.name(), "--seed", &seed.to_string()]);
    command.arg("--path").arg(path).arg("--data").arg(data);
    command
}
