//! The measurement of one store: the parent's side, which starts the children and watches the files.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::child;
use crate::report::median;
use crate::stores::Kind;

/// Records of a transaction.
const BATCH: u64 = 1000;
/// Fresh processes that open the store.
const OPENINGS: usize = 9;
/// Transactions that are acknowledged before the kill.
const BEFORE_KILL: u64 = 50;
/// Openings after the kill, each of a copy of the files.
const OPENINGS_AFTER_KILL: usize = 5;
const READS: u64 = 50_000;
const SAMPLE: u64 = 2000;
/// Runs with one thread and with eight, by turns.
const COMMIT_RUNS: usize = 5;
const COMMIT_MILLISECONDS: u64 = 2000;
/// Files that have not changed for so long are settled.
const CALM: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_mins(3);

/// What to measure on.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) concepts: u64,
    pub(crate) data: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    /// Bytes of the records themselves.
    pub(crate) record_bytes: u64,
}

/// A child, and the lines that it says.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().expect("its output is piped"));
        Ok(Self { child, lines })
    }

    fn next(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line)?))
    }

    /// The last line, once the child has ended well.
    fn last(mut self) -> Result<Value> {
        drop(self.child.stdin.take());
        let mut last = Value::Null;
        while let Some(line) = self.next()? {
            last = line;
        }
        let status = self.child.wait()?;
        ensure!(status.success() && !last.is_null(), "a child failed: {status}");
        Ok(last)
    }
}

/// Bytes that a folder takes on the disk; files may go while it looks.
fn disk_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            bytes += disk_bytes(&entry.path());
        } else {
            bytes += allocated(&metadata);
        }
    }
    bytes
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// Watches a folder's size while something is done; returns the greatest.
fn watching<T>(folder: &Path, work: impl FnOnce() -> Result<T>) -> Result<(T, u64)> {
    let (stop, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                peak.fetch_max(disk_bytes(folder), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let outcome = work();
        stop.store(true, Ordering::Relaxed);
        outcome
    });
    Ok((outcome?, peak.into_inner()))
}

/// Waits until a folder's size stays; returns how long it took to get there.
fn settle(folder: &Path) -> Duration {
    let started = Instant::now();
    let (mut bytes, mut since) = (disk_bytes(folder), Instant::now());
    while since.elapsed() < CALM && started.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(100));
        let now = disk_bytes(folder);
        if now != bytes {
            (bytes, since) = (now, Instant::now());
        }
    }
    since - started
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

impl Plan {
    fn child(&self, job: &str, store: Kind, path: &Path) -> Command {
        child::command(job, store, path, &self.data, self.seed)
    }

    /// Everything that is measured of one store.
    ///
    /// # Errors
    ///
    /// When a store fails, or gives a wrong answer.
    pub(crate) fn measure(&self, store: Kind) -> Result<Value> {
        let path = self.folder.join(store.name());
        let step = |what: &str| eprintln!("stores: {}: {what}", store.name());
        step("load");
        let (load, mut disk) = self.load(store, &path)?;
        self.check(store, &path, self.concepts, self.concepts)?;
        step("open");
        let open = self.open(store, &path)?;
        step("read");
        let mut command = self.child("read", store, &path);
        command.args(["--count", &self.concepts.to_string(), "--reads", &READS.to_string()]);
        let read = Running::start(&mut command)?.last()?;
        step("kill");
        let (open_after_kill, end) = self.kill(store, &path)?;
        step("commits");
        let commits = self.commits(store, &path, end)?;
        step("compact");
        self.compact(store, &path, &mut disk)?;
        fs::remove_dir_all(&path)?;
        let mut result = json!({
            "settings": store.settings(),
            "load": load,
            "disk": disk,
            "open": open,
            "read": read,
            "open_after_kill": open_after_kill,
            "commits": commits,
        });
        if store == Kind::Sutra {
            step("lock");
            let path = self.folder.join("locks");
            result["lock"] = Running::start(&mut self.child("lock", store, &path))?.last()?;
            fs::remove_dir_all(&path)?;
        }
        Ok(result)
    }

    fn load_command(&self, store: Kind, path: &Path, from: u64, count: u64) -> Command {
        let mut command = self.child("load", store, path);
        command.args(["--from", &from.to_string(), "--count", &count.to_string()]);
        command.args(["--batch", &BATCH.to_string()]);
        command
    }

    fn load(&self, store: Kind, path: &Path) -> Result<(Value, Value)> {
        let ((mut load, settling), peak) = watching(path, || {
            let mut command = self.load_command(store, path, 0, self.concepts);
            let mut running = Running::start(&mut command)?;
            let mut load = Value::Null;
            while let Some(line) = running.next()? {
                if line["loaded"] == true {
                    load = line;
                    break;
                }
            }
            ensure!(!load.is_null(), "the load ended early: {}", running.child.wait()?);
            let settling = settle(path);
            let open = disk_bytes(path);
            running.child.stdin.take().context("its input is piped")?.write_all(b"\n")?;
            load["close_ms"] = running.last()?["close_ms"].clone();
            load["open_bytes"] = open.into();
            Ok((load, settling))
        })?;
        load["settling_seconds"] = settling.as_secs_f64().into();
        let settled = disk_bytes(path);
        // What background work did before the store was closed must not be undone by closing it.
        let disk = json!({"peak_bytes": peak, "settled_bytes": settled});
        Ok((load, disk))
    }

    fn check(&self, store: Kind, path: &Path, least: u64, most: u64) -> Result<u64> {
        let mut command = self.child("check", store, path);
        command.args(["--count", &least.to_string(), "--reads", &SAMPLE.to_string()]);
        let count = Running::start(&mut command)?.last()?["count"].as_u64().unwrap_or(0);
        if !(least..=most).contains(&count) {
            bail!("{} has {count} records; {least} to {most} are expected", store.name());
        }
        Ok(count)
    }

    fn open(&self, store: Kind, path: &Path) -> Result<Value> {
        let mut openings = Vec::new();
        for _ in 0..OPENINGS {
            openings.push(Running::start(&mut self.child("open", store, path))?.last()?);
        }
        Ok(summary(&openings))
    }

    /// Kills a load, and opens copies of what it leaves; returns how many records there are then.
    fn kill(&self, store: Kind, path: &Path) -> Result<(Value, u64)> {
        let more = BATCH * BEFORE_KILL * 4;
        let mut running = Running::start(&mut self.load_command(store, path, self.concepts, more))?;
        let mut acknowledged = self.concepts;
        while acknowledged < self.concepts + BATCH * BEFORE_KILL {
            let line = running.next()?.context("the load ended before it was killed")?;
            acknowledged = line["acknowledged"].as_u64().context("a number of records")?;
        }
        running.child.kill()?;
        running.child.wait()?;
        while let Some(line) = running.next()? {
            acknowledged = line["acknowledged"].as_u64().unwrap_or(acknowledged);
        }
        let mut openings = Vec::new();
        let (mut after, mut log) = (0, 0);
        for at in 0..OPENINGS_AFTER_KILL {
            let copied = path.with_extension(format!("killed-{at}"));
            copy(path, &copied)?;
            log = disk_bytes(&copied.join("wal"));
            openings.push(Running::start(&mut self.child("open", store, &copied))?.last()?);
            if at == 0 {
                // All that was acknowledged, and at most the transaction in flight.
                after = self.check(store, &copied, acknowledged, acknowledged + BATCH)?;
            }
            fs::remove_dir_all(&copied)?;
        }
        let mut summary = summary(&openings);
        summary["acknowledged"] = acknowledged.into();
        summary["found"] = after.into();
        if store == Kind::Sutra || store.has_vectors() {
            summary["log_bytes"] = log.into();
        }
        Ok((summary, after))
    }

    fn commits(&self, store: Kind, path: &Path, mut from: u64) -> Result<Value> {
        let mut runs = [Vec::new(), Vec::new()];
        for run in 0..COMMIT_RUNS * 2 {
            let eight = run % 2 == 1;
            let mut command = self.child("commits", store, path);
            command.args(["--from", &from.to_string()]);
            command.args(["--threads", if eight { "8" } else { "1" }]);
            command.args(["--milliseconds", &COMMIT_MILLISECONDS.to_string()]);
            let result = Running::start(&mut command)?.last()?;
            from = result["next"].as_u64().context("the next record's number")?;
            runs[usize::from(eight)].push(result);
        }
        let of = |runs: &[Value], key: &str| {
            median(runs.iter().filter_map(|run| run[key].as_f64()).collect())
        };
        let [one, eight] = &runs;
        let [slow, fast] = [of(one, "per_second"), of(eight, "per_second")];
        Ok(json!({
            "one_per_second": slow,
            "eight_per_second": fast,
            "ratio": fast / slow,
            "one_median_us": of(one, "median_us"),
            "eight_median_us": of(eight, "median_us"),
            "runs": runs,
        }))
    }

    /// Compacts by hand: what is left is taken for the live data.
    fn compact(&self, store: Kind, path: &Path, disk: &mut Value) -> Result<()> {
        // Only the records of the load count, so the others go in proportion.
        let (compacted, peak) =
            watching(path, || Running::start(&mut self.child("compact", store, path))?.last())?;
        let bytes = disk_bytes(path);
        let count = self.check(store, path, self.concepts, u64::MAX)?;
        let live = bytes as f64 * self.concepts as f64 / count as f64;
        let number = |disk: &Value, key: &str| disk[key].as_f64().unwrap_or(f64::NAN);
        disk["compact_seconds"] = compacted["compact_seconds"].clone();
        disk["compacted_records"] = count.into();
        disk["compacted_bytes"] = bytes.into();
        disk["live_bytes"] = live.into();
        disk["live_to_records"] = (live / self.record_bytes as f64).into();
        disk["peak_to_live"] = (number(disk, "peak_bytes") / live).into();
        disk["settled_to_live"] = (number(disk, "settled_bytes") / live).into();
        disk["compaction_peak_to_live"] = (peak as f64 / bytes as f64).into();
        Ok(())
    }
}

fn summary(openings: &[Value]) -> Value {
    let of = |key: &str| -> Vec<f64> {
        openings.iter().filter_map(|opening| opening[key].as_f64()).collect()
    };
    json!({
        "median_ms": median(of("open_ms")),
        "median_with_first_read_ms": median(of("open_and_read_ms")),
        "all_ms": of("open_ms"),
        "memory": openings.last().map(|opening| opening["memory"].clone()),
    })
}
