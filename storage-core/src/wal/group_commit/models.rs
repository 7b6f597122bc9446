//! Every interleaving of a few threads at the group commit, by loom: `cargo xtask loom`.
//!
//! Invariant of all: who is told that a transaction is durable had it in the file before a sync began
//! that succeeded; no sync follows one that failed; and none waits for ever (loom finds deadlocks).

use std::io;

use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::*;

/// Preemptions of one execution: with three, all but contrived faults are known to show.
const PREEMPTIONS: usize = 3;

/// A file that knows what of it is durable.
#[derive(Debug)]
struct ModelFile {
    written: AtomicU64,
    durable: AtomicU64,
    syncs: AtomicU64,
    fails: AtomicBool,
}

impl File for ModelFile {
    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::AcqRel);
        let written = self.written.load(Ordering::Acquire);
        thread::yield_now();
        if self.fails.load(Ordering::Acquire) {
            return Err(io::Error::other("the disk is gone"));
        }
        self.durable.fetch_max(written, Ordering::AcqRel);
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn unlock(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A log in whose file transactions are written under a lock, as commits do.
struct ModelLog {
    file: Arc<ModelFile>,
    group: GroupCommit,
    newest: Mutex<u64>,
}

impl ModelLog {
    fn new() -> Arc<Self> {
        let file = Arc::new(ModelFile {
            written: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            fails: AtomicBool::new(false),
        });
        let dynamic: Arc<dyn File> = Arc::<ModelFile>::clone(&file);
        let group = GroupCommit::new(dynamic, Path::new("store"), Path::new("log"), 0);
        Arc::new(Self { file, group, newest: Mutex::new(0) })
    }

    /// Appends a transaction and waits until it is durable; what is acknowledged has to be.
    fn commit(&self) -> Result<Synced> {
        let lsn = {
            let mut newest = sync::lock(&self.newest);
            *newest += 1;
            self.file.written.store(*newest, Ordering::Release);
            self.group.note_appended(*newest);
            *newest
        };
        let synced = self.group.sync(lsn)?;
        assert!(synced.lsn >= lsn, "{synced:?} for {lsn}");
        let durable = self.file.durable.load(Ordering::Acquire);
        assert!(durable >= synced.lsn, "{synced:?} with {durable} durable");
        Ok(synced)
    }

    fn syncs(&self) -> u64 {
        self.file.syncs.load(Ordering::Acquire)
    }

    /// Nobody leads, and nobody is counted, once all have returned.
    fn assert_at_rest(&self) {
        let state = sync::lock(&self.group.state);
        assert!(!state.led);
        assert_eq!(state.members, 0);
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(model);
}

/// `threads` committers of `commits` transactions each; the last one is this thread.
fn commit_together(log: &Arc<ModelLog>, threads: usize, commits: usize) -> Vec<Result<Synced>> {
    let run = move |log: Arc<ModelLog>| (0..commits).map(|_| log.commit()).collect::<Vec<_>>();
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let log = Arc::clone(log);
            thread::spawn(move || run(log))
        })
        .collect();
    let mut outcomes = run(Arc::clone(log));
    for other in others {
        outcomes.extend(other.join().expect("no committer panics"));
    }
    outcomes
}

#[test]
fn all_that_wait_are_acknowledged_and_only_what_is_durable() {
    check(|| {
        let log = ModelLog::new();
        let outcomes = commit_together(&log, 3, 1);
        let led = outcomes.iter().filter(|outcome| outcome.as_ref().expect("no sync fails").led);
        assert_eq!(led.count() as u64, log.syncs());
        assert_eq!(log.group.synced_lsn(), 3);
        log.assert_at_rest();
    });
}

#[test]
fn a_leader_that_gathers_ends_whether_or_not_others_come() {
    check(|| {
        let log = ModelLog::new();
        {
            let mut state = sync::lock(&log.group.state);
            state.last_members = 2;
            state.last_took = Duration::from_millis(4);
        }
        for outcome in commit_together(&log, 2, 2) {
            outcome.expect("no sync fails");
        }
        assert!((1..=4).contains(&log.syncs()));
        log.assert_at_rest();
    });
}

#[test]
fn a_sync_that_fails_is_the_last_and_all_that_wait_are_told() {
    check(|| {
        let log = ModelLog::new();
        log.file.fails.store(true, Ordering::Release);
        for outcome in commit_together(&log, 3, 1) {
            let error = outcome.expect_err("the disk is gone");
            assert!(matches!(error, Error::Poisoned { .. }), "{error}");
        }
        assert_eq!(log.syncs(), 1);
        assert_eq!(log.group.synced_lsn(), 0);
        log.assert_at_rest();
    });
}

#[test]
fn a_disk_that_goes_at_any_moment_takes_no_acknowledged_transaction() {
    check(|| {
        let log = ModelLog::new();
        let other = Arc::clone(&log);
        let breaking = thread::spawn(move || other.file.fails.store(true, Ordering::Release));
        let outcomes = commit_together(&log, 2, 1);
        breaking.join().expect("it only stores");
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert!(log.syncs() <= 2);
        let poisoned = sync::lock(&log.group.state).failed.is_some();
        assert_eq!(failed > 0, poisoned, "who is refused was refused by a failed sync");
        log.assert_at_rest();
    });
}
