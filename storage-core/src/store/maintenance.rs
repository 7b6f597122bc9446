//! What runs behind the commits: the thread that syncs, flushes and compacts when it is due.
//!
//! Flush and compaction are under the lease, so one thread of one process at a time does either.
//! Invariant: whatever this thread fails to do, the commits or the next opening can do as well.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Shared;
use super::disk::Disk;
use crate::{Error, Result};

/// A tail of this many times the flush size holds up further commits.
const BACKPRESSURE_FACTOR: u64 = 4;
/// How long commits wait for room before they go on all the same.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What the background thread is to do, and whether it is there.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    signals: Arc<Signals>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Signals {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wanted {
    running: bool,
    stop: bool,
    flush: bool,
    tail_bytes: u64,
    limit_bytes: u64,
    sync_due: Option<Instant>,
    last_sync: Option<Instant>,
    /// Why the last flush or compaction failed; cleared by one that succeeds.
    last_error: Option<String>,
}

impl Signals {
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maintenance {
    /// Starts the thread; it ends when the handle is closed.
    pub(super) fn start(shared: &Arc<Shared>) {
        let signals = Arc::clone(&shared.maintenance.signals);
        signals.lock().running = true;
        let weak = Arc::downgrade(shared);
        let thread = std::thread::Builder::new()
            .name("sutra-maintenance".to_owned())
            .spawn(move || run(&signals, &weak));
        match thread {
            Ok(thread) => {
                let mut slot =
                    shared.maintenance.thread.lock().unwrap_or_else(PoisonError::into_inner);
                *slot = Some(thread);
            }
            // Without a thread the commits do its work themselves.
            Err(_) => shared.maintenance.signals.lock().running = false,
        }
    }

    pub(super) fn stop(&self) {
        self.signals.lock().stop = true;
        self.signals.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic in it was a bug; what it did not finish, the next opening does.
            thread.join().ok();
        }
    }

    /// Notes how long the log's tail is.
    pub(super) fn note_tail(&self, tail_bytes: u64, flush_bytes: u64) {
        let mut wanted = self.signals.lock();
        wanted.tail_bytes = tail_bytes;
        wanted.limit_bytes = flush_bytes.saturating_mul(BACKPRESSURE_FACTOR);
        if tail_bytes > flush_bytes && !wanted.flush {
            wanted.flush = true;
            self.signals.changed.notify_all();
        }
    }

    /// Sees to it that what is committed is synced within an interval.
    pub(super) fn sync_within(&self, interval: Duration) {
        let mut wanted = self.signals.lock();
        if wanted.sync_due.is_none() {
            wanted.sync_due = Some(Instant::now() + interval);
            self.signals.changed.notify_all();
        }
    }

    /// Holds a writer up while the tail is far too long; without a thread, does the work here.
    pub(super) fn wait_for_room(&self, shared: &Shared) {
        let mut wanted = self.signals.lock();
        if !wanted.running {
            let due = wanted.sync_due.is_some_and(|due| due <= Instant::now());
            let flush = std::mem::take(&mut wanted.flush);
            drop(wanted);
            if due {
                shared.background_sync();
            }
            if flush {
                shared.background_maintain();
            }
            return;
        }
        let deadline = Instant::now() + LONGEST_WAIT;
        while wanted.running
            && wanted.last_error.is_none()
            && wanted.tail_bytes > wanted.limit_bytes
            && Instant::now() < deadline
        {
            let pause = Duration::from_millis(100);
            let (guard, _) = self
                .signals
                .changed
                .wait_timeout(wanted, pause)
                .unwrap_or_else(PoisonError::into_inner);
            wanted = guard;
        }
    }

    pub(super) fn last_error(&self) -> Option<String> {
        self.signals.lock().last_error.clone()
    }
}

fn run(signals: &Signals, shared: &Weak<Shared>) {
    loop {
        let (sync, flush) = {
            let mut wanted = signals.lock();
            loop {
                if wanted.stop {
                    wanted.running = false;
                    signals.changed.notify_all();
                    return;
                }
                let now = Instant::now();
                let sync = wanted.sync_due.is_some_and(|due| due <= now);
                if sync || wanted.flush {
                    break (sync, std::mem::take(&mut wanted.flush));
                }
                let pause = wanted.sync_due.map_or(Duration::from_hours(1), |due| due - now);
                let waited = signals.changed.wait_timeout(wanted, pause);
                wanted = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        };
        let Some(shared) = shared.upgrade() else { return };
        if sync {
            shared.background_sync();
        }
        if flush {
            shared.background_maintain();
        }
    }
}

impl Shared {
    fn background_sync(&self) {
        {
            let mut wanted = self.maintenance.signals.lock();
            wanted.sync_due = None;
            wanted.last_sync = Some(Instant::now());
        }
        // A failed sync has poisoned the store: every later write says so.
        if let Err(error) = self.sync_newest() {
            self.maintenance.signals.lock().last_error = Some(error.to_string());
        }
    }

    fn background_maintain(&self) {
        let outcome = self.maintain();
        let mut wanted = self.maintenance.signals.lock();
        wanted.last_error = outcome.err().map(|error| error.to_string());
        drop(wanted);
        self.maintenance.signals.changed.notify_all();
    }

    /// Flushes, and compacts while there is something to compact; leaves it to the lease's holder.
    fn maintain(&self) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let Some(_lease) = disk.try_lease()? else { return Ok(()) };
        self.flush_leased(disk)?;
        while !self.is_closed() {
            let Some(run) = self.choose_compaction() else { break };
            self.compact_leased(disk, run)?;
        }
        Ok(())
    }

    pub(super) fn lease<'a>(&self, disk: &'a Disk) -> Result<super::disk::Lease<'a>> {
        if self.options.read_only {
            return Err(Error::ReadOnly { path: disk.dir.clone() });
        }
        let deadline = Instant::now() + disk.timeout;
        loop {
            if let Some(lease) = disk.try_lease()? {
                return Ok(lease);
            }
            if Instant::now() >= deadline {
                let pid = disk.control.writer_pid();
                return Err(Error::Locked { path: disk.dir.clone(), pid });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
