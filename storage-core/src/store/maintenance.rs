//! What runs behind the commits: a thread that syncs when it is due, and one that flushes and compacts.
//! They are two, so that no compaction delays a sync that was promised.
//!
//! Flush and compaction are under the lease, so one thread of one process at a time does either.
//! Invariant: whatever the threads fail to do, the commits or the next opening can do as well.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Shared;
use super::disk::Disk;
use crate::sync::{self, Condvar, Instant, JoinHandle, Mutex, MutexGuard};
use crate::{Error, Result, interrupt};

/// A tail of this many times the flush size holds up further commits.
const BACKPRESSURE_FACTOR: u64 = 4;
/// How long to wait for another process to end its flush or compaction.
const LEASE_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait after a flush or compaction that failed; twice as long after each further one.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_RETRY_PAUSE: Duration = Duration::from_mins(1);
/// How long after something expired a sweep comes.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// How long no one has to commit before waste is looked for.
const IDLE: Duration = Duration::from_secs(1);
/// How long after a flush or compaction missing indexes are built: what is merged again soon needs none.
const INDEX_PAUSE: Duration = Duration::from_secs(1);
/// How long until it is looked again whether another process has built them.
const INDEX_RETRY_PAUSE: Duration = Duration::from_secs(10);
/// How long commits wait for room before they go on all the same.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What the background thread is to do, and whether it is there.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    signals: Arc<Signals>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Signals {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wanted {
    /// Whether there are threads.
    running: bool,
    stop: bool,
    flush: bool,
    /// When to try again what another process was at, or what failed; `flush` stays set meanwhile.
    retry_at: Option<Instant>,
    /// How often in a row it has failed.
    failures: u32,
    /// When no one will have committed for a while, if no one does.
    idle_at: Option<Instant>,
    tail_bytes: u64,
    limit_bytes: u64,
    sync_due: Option<Instant>,
    /// When to delete what has expired by then.
    sweep_due: Option<Instant>,
    /// When to look for segments without an index, to build it.
    index_at: Option<Instant>,
    /// What expired by this time was swept, seconds since the Unix epoch; `None`: nothing yet.
    swept: Option<f64>,
    /// Why the last flush or compaction failed; cleared by one that succeeds.
    last_error: Option<String>,
    /// The same of building indexes, which holds no commit up.
    index_error: Option<String>,
}

impl Wanted {
    /// Whether a flush is to be tried now.
    fn is_flush_due(&self, now: Instant) -> bool {
        self.flush && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Notes how long the tail is, and from where on it holds writers up.
    fn set_tail(&mut self, tail_bytes: u64, flush_bytes: u64) {
        self.tail_bytes = tail_bytes;
        self.limit_bytes = flush_bytes.saturating_mul(BACKPRESSURE_FACTOR);
    }
}

impl Signals {
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        sync::lock(&self.wanted)
    }

    fn wait<'a>(
        &'a self,
        wanted: MutexGuard<'a, Wanted>,
        pause: Duration,
    ) -> MutexGuard<'a, Wanted> {
        sync::wait_timeout(&self.changed, &self.wanted, wanted, pause)
    }
}

impl Maintenance {
    /// Starts the threads; they end when the handle is closed.
    pub(super) fn start(shared: &Arc<Shared>) {
        let maintenance = &shared.maintenance;
        {
            let mut wanted = maintenance.signals.lock();
            wanted.running = true;
            // Another process may have left waste behind, or died as it built an index.
            wanted.idle_at = Some(Instant::now() + IDLE);
            wanted.index_at = Some(Instant::now() + INDEX_PAUSE);
        }
        let tasks: [(&str, Task); 3] =
            [("sutra-sync", syncs), ("sutra-maintenance", maintains), ("sutra-index", indexes)];
        for (name, task) in tasks {
            let signals = Arc::clone(&maintenance.signals);
            let weak = Arc::downgrade(shared);
            let Ok(thread) = sync::spawn(name, move || run(&signals, &weak, task)) else {
                // Without all threads the commits do their work themselves.
                maintenance.signals.lock().running = false;
                return;
            };
            maintenance.threads().push(thread);
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        sync::lock(&self.threads)
    }

    pub(super) fn stop(&self) {
        {
            let mut wanted = self.signals.lock();
            wanted.stop = true;
            wanted.running = false;
        }
        self.signals.changed.notify_all();
        let threads = std::mem::take(&mut *self.threads());
        for thread in threads {
            if thread.thread().id() != sync::current().id() {
                // A panic in it was a bug; what it did not finish, the next opening does.
                thread.join().ok();
            }
        }
    }

    /// Notes how long the log's tail is.
    pub(super) fn note_tail(&self, tail_bytes: u64, flush_bytes: u64) {
        let mut wanted = self.signals.lock();
        wanted.set_tail(tail_bytes, flush_bytes);
        // The thread that waits for it looks again when it comes, so a later one needs no call.
        let was_busy = wanted.idle_at.replace(Instant::now() + IDLE).is_some();
        let flush = tail_bytes > flush_bytes && !wanted.flush;
        wanted.flush |= flush;
        if flush || !was_busy {
            self.signals.changed.notify_all();
        }
    }

    /// Whether there are threads that do the work.
    pub(super) fn is_running(&self) -> bool {
        self.signals.lock().running
    }

    /// Wakes the thread that flushes and compacts.
    pub(super) fn want(&self) {
        let mut wanted = self.signals.lock();
        if !wanted.flush {
            wanted.flush = true;
            self.signals.changed.notify_all();
        }
    }

    /// Corrects how long the log's tail is, where others may have flushed it.
    fn correct_tail(&self, tail_bytes: u64, flush_bytes: u64) {
        self.signals.lock().set_tail(tail_bytes, flush_bytes);
        self.signals.changed.notify_all();
    }

    /// Sees to it that what is committed is synced within an interval.
    pub(super) fn sync_within(&self, interval: Duration) {
        let mut wanted = self.signals.lock();
        let due = Instant::now() + interval;
        if wanted.sync_due.is_none_or(|known| due < known) {
            wanted.sync_due = Some(due);
            self.signals.changed.notify_all();
        }
    }

    /// Sees to it that what expires next is deleted soon after; `next` tells when that is after a time.
    pub(super) fn sweep_after(&self, next: impl FnOnce(f64) -> f64, now: f64) {
        let mut wanted = self.signals.lock();
        let next = next(wanted.swept.unwrap_or(f64::NEG_INFINITY));
        let Ok(wait) = Duration::try_from_secs_f64((next - now).max(0.0)) else { return };
        // Gathered over a pause, so that much that expires one by one goes in few transactions.
        let Some(due) = Instant::now().checked_add(wait + SWEEP_PAUSE) else { return };
        if wanted.sweep_due.is_none_or(|known| due < known) {
            wanted.sweep_due = Some(due);
            self.signals.changed.notify_all();
        }
    }

    /// Notes that what had expired by a time is being swept.
    pub(super) fn note_swept(&self, now: f64) {
        let mut wanted = self.signals.lock();
        wanted.sweep_due = None;
        wanted.swept = Some(now);
    }

    /// Sees to it that segments without an index get one, once no more come.
    pub(super) fn index_soon(&self) {
        self.signals.lock().index_at = Some(Instant::now() + INDEX_PAUSE);
        self.signals.changed.notify_all();
    }

    pub(super) fn note_error(&self, error: &Error) {
        self.signals.lock().last_error = Some(error.to_string());
    }

    /// Holds a writer up while the tail is far too long; without a thread, does the work here.
    pub(super) fn wait_for_room(&self, shared: &Shared) {
        let mut wanted = self.signals.lock();
        if !wanted.running {
            let now = Instant::now();
            let due = wanted.sync_due.is_some_and(|due| due <= now);
            let sweep = wanted.sweep_due.is_some_and(|due| due <= now);
            let flush = wanted.is_flush_due(now);
            wanted.flush &= !flush;
            drop(wanted);
            if due {
                shared.background_sync();
            }
            if sweep {
                shared.background_sweep();
            }
            if flush {
                shared.background_maintain();
            }
            return;
        }
        let deadline = Instant::now() + shared.options.timeout.min(LONGEST_WAIT);
        while wanted.running
            && wanted.last_error.is_none()
            && wanted.tail_bytes > wanted.limit_bytes
            && Instant::now() < deadline
            && !interrupt::is_wanted()
        {
            let pause = Duration::from_millis(100);
            wanted = self.signals.wait(wanted, pause);
        }
    }

    pub(super) fn last_error(&self) -> Option<String> {
        let wanted = self.signals.lock();
        wanted.last_error.clone().or_else(|| wanted.index_error.clone())
    }
}

/// What a thread is there for: says what of it is due, or when.
type Task = fn(&mut Wanted, Instant) -> Due;

/// What is due.
enum Due {
    Now(fn(&Shared)),
    /// At this time, or when something changes.
    At(Option<Instant>),
}

fn syncs(wanted: &mut Wanted, now: Instant) -> Due {
    match wanted.sync_due {
        Some(due) if due <= now => Due::Now(Shared::background_sync),
        due => Due::At(due),
    }
}

fn maintains(wanted: &mut Wanted, now: Instant) -> Due {
    if wanted.sweep_due.is_some_and(|due| due <= now) {
        return Due::Now(Shared::background_sweep);
    }
    if wanted.is_flush_due(now) {
        wanted.flush = false;
        return Due::Now(Shared::background_maintain);
    }
    if wanted.idle_at.is_some_and(|at| at <= now) {
        wanted.idle_at = None;
        return Due::Now(Shared::background_reclaim);
    }
    let retry_at = wanted.retry_at.filter(|_| wanted.flush);
    Due::At(retry_at.into_iter().chain(wanted.idle_at).chain(wanted.sweep_due).min())
}

fn indexes(wanted: &mut Wanted, now: Instant) -> Due {
    match wanted.index_at {
        Some(due) if due <= now => {
            wanted.index_at = None;
            Due::Now(Shared::background_index)
        }
        due => Due::At(due),
    }
}

fn run(signals: &Signals, shared: &Weak<Shared>, task: Task) {
    let _watch = Watch(signals);
    loop {
        let work = {
            let mut wanted = signals.lock();
            loop {
                if wanted.stop {
                    return;
                }
                let now = Instant::now();
                let pause = match task(&mut wanted, now) {
                    Due::Now(work) => break work,
                    Due::At(at) => at.map_or(sync::FOR_EVER, |at| at - now),
                };
                wanted = signals.wait(wanted, pause);
            }
        };
        let Some(shared) = shared.upgrade() else { return };
        work(&shared);
    }
}

/// Tells the commits when a thread panics: from then on they do the work themselves.
struct Watch<'a>(&'a Signals);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().running = false;
            self.0.changed.notify_all();
        }
    }
}

impl Shared {
    fn background_sync(&self) {
        self.maintenance.signals.lock().sync_due = None;
        // A failed sync has poisoned the store: every later write says so.
        if let Err(error) = self.sync_newest() {
            self.maintenance.signals.lock().last_error = Some(error.to_string());
        }
    }

    fn background_maintain(&self) {
        let outcome = self.maintain();
        let mut wanted = self.maintenance.signals.lock();
        wanted.retry_at = None;
        if let Ok(false) = outcome {
            // Whoever is at it may not know of this tail, or may die: look again.
            wanted.flush = true;
            wanted.retry_at = Some(Instant::now() + LEASE_PAUSE);
        }
        if let Err(Error::Interrupted) = outcome {
            // Who stopped it wanted something else done; it is due still.
            wanted.flush = true;
            return;
        }
        wanted.failures = if outcome.is_ok() { 0 } else { wanted.failures.saturating_add(1) };
        if let Err(error) = &outcome
            && !matches!(error, Error::Poisoned { .. } | Error::Closed)
        {
            // The disk was full, perhaps, and is so no longer. What there was to flush there is still.
            let pause = RETRY_PAUSE.saturating_mul(1 << (wanted.failures - 1).min(16));
            wanted.flush = true;
            wanted.retry_at = Some(Instant::now() + pause.min(LONGEST_RETRY_PAUSE));
        }
        wanted.last_error = outcome.err().map(|error| error.to_string());
        drop(wanted);
        self.maintenance.signals.changed.notify_all();
    }

    /// Builds the indexes that are missing.
    fn background_index(&self) {
        let outcome = self.index_missing(&mut 0);
        let mut wanted = self.maintenance.signals.lock();
        let again = match outcome {
            Ok(true) => None,
            Ok(false) => Some(INDEX_RETRY_PAUSE),
            Err(_) => Some(LONGEST_RETRY_PAUSE),
        };
        wanted.index_error = outcome.err().map(|error| error.to_string());
        if let (None, Some(pause)) = (wanted.index_at, again) {
            wanted.index_at = Some(Instant::now() + pause);
        }
    }

    /// Gives back what deletions left, once no one commits.
    fn background_reclaim(&self) {
        let outcome = self.reclaim();
        let mut wanted = self.maintenance.signals.lock();
        if let Ok(false) = outcome {
            wanted.idle_at = Some(Instant::now() + IDLE);
        }
        if let Err(error) = outcome {
            wanted.last_error = Some(error.to_string());
        }
    }

    /// Flushes deletions where there are many, and compacts; returns false where another is at it.
    fn reclaim(&self) -> Result<bool> {
        let Some(disk) = &self.disk else { return Ok(true) };
        let Some(_lease) = disk.try_lease()? else { return Ok(false) };
        self.measure_tail(disk)?;
        if self.has_waste() {
            self.flush_leased(disk)?;
        }
        self.compact_while_needed(disk)?;
        Ok(true)
    }

    fn compact_while_needed(&self, disk: &Disk) -> Result<()> {
        while !self.is_closed() {
            let Some(run) = self.choose_compaction() else { return self.drop_previous(disk) };
            self.compact_leased(disk, run, None)?;
        }
        Ok(())
    }

    /// Flushes a tail that is long, and compacts while there is something to compact; returns false where
    /// there is, and another thread or process is at it.
    fn maintain(&self) -> Result<bool> {
        let Some(disk) = &self.disk else { return Ok(true) };
        let lease = disk.try_lease()?;
        let is_long = self.measure_tail(disk)? > self.options.flush_bytes;
        let Some(_lease) = lease else { return Ok(!is_long) };
        if is_long {
            self.flush_leased(disk)?;
        }
        self.compact_while_needed(disk)?;
        Ok(true)
    }

    /// How long the log's tail is by now: another process may have flushed what this one knows of.
    fn measure_tail(&self, disk: &Disk) -> Result<u64> {
        let mut writer = self.writer();
        self.adopt_newest(disk, &mut writer)?;
        self.follow_others(disk, &mut writer, false)?;
        let bytes = writer.position().tail_bytes();
        drop(writer);
        self.maintenance.correct_tail(bytes, self.options.flush_bytes);
        Ok(bytes)
    }
}

#[cfg(all(test, not(modelled)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_leaves_its_work_to_the_commits() {
        let maintenance = Maintenance::default();
        maintenance.signals.lock().running = true;
        let signals = Arc::clone(&maintenance.signals);
        let thread = sync::spawn("panics", move || {
            run(&signals, &Weak::new(), |_, _| panic!("as is wanted"));
        });
        assert!(thread.expect("it starts").join().is_err());
        assert!(!maintenance.is_running());
    }
}
