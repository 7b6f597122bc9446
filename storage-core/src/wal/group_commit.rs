//! One sync for all commits that wait: the first that comes leads, the others share its result.
//!
//! Invariant: `synced` names only transactions whose frames were in the file before a sync of it
//! began that succeeded; after a sync that failed there is no other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::fs::File;
use crate::sync::{self, AtomicU64, Condvar, Instant, Mutex, MutexGuard, Ordering, PoisonError};
use crate::{Error, Result};

/// The longest that a leader waits for others to join its group.
const MAX_GATHER: Duration = Duration::from_millis(2);

/// What makes one log durable, for all threads of the process; syncs without the store's write lock.
#[derive(Debug)]
pub(crate) struct GroupCommit {
    file: Arc<dyn File>,
    path: PathBuf,
    store: PathBuf,
    /// The newest transaction whose frame is in the file.
    appended: AtomicU64,
    /// The newest transaction that is durable.
    synced: AtomicU64,
    state: Mutex<State>,
    /// A sync has ended.
    ended: Condvar,
    /// A member has joined the group whose leader gathers.
    joined: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether a leader gathers or syncs.
    led: bool,
    /// Counts the groups taken by leaders, so that a member knows whether its own was.
    group: u64,
    /// The members of the group not yet taken.
    members: usize,
    last_members: usize,
    last_took: Duration,
    failed: Option<String>,
}

impl State {
    /// How long a leader waits for others at most: not at all where the last group had no more than one.
    fn gather_limit(&self) -> Duration {
        match self.last_members {
            0 | 1 => Duration::ZERO,
            _ => (self.last_took / 2).min(MAX_GATHER),
        }
    }
}

/// What a successful [`GroupCommit::sync`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Synced {
    /// All transactions up to this LSN are durable.
    pub(crate) lsn: u64,
    /// Whether this call did the sync; such a caller then writes the marker (`Log::mark_synced`).
    pub(crate) led: bool,
}

impl GroupCommit {
    pub(super) fn new(file: Arc<dyn File>, store: &Path, path: &Path, synced_lsn: u64) -> Self {
        Self {
            file,
            path: path.to_owned(),
            store: store.to_owned(),
            appended: AtomicU64::new(synced_lsn),
            synced: AtomicU64::new(synced_lsn),
            state: Mutex::default(),
            ended: Condvar::new(),
            joined: Condvar::new(),
        }
    }

    /// Notes that the frame of this transaction, and all before it, are in the file.
    pub(super) fn note_appended(&self, lsn: u64) {
        self.appended.fetch_max(lsn, Ordering::AcqRel);
    }

    /// Notes that this transaction is durable, since a frame in the file says so.
    pub(super) fn note_synced(&self, lsn: u64) {
        self.synced.fetch_max(lsn, Ordering::AcqRel);
    }

    /// The newest transaction that is known to be durable in this log.
    pub(crate) fn synced_lsn(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// Returns once the transaction `target_lsn`, which is in the log, is durable.
    ///
    /// One caller syncs for all that wait. Where the last group had several members, the leader first
    /// waits until as many have joined, at most half as long as the last sync took.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when a sync has failed: then, and for each later transaction, for good.
    pub(crate) fn sync(&self, target_lsn: u64) -> Result<Synced> {
        let mut state = sync::lock(&self.state);
        let joined = state.group;
        state.members += 1;
        if state.led {
            self.joined.notify_one();
        }
        loop {
            let outcome = if self.synced_lsn() >= target_lsn {
                Ok(Synced { lsn: self.synced_lsn(), led: false })
            } else if let Some(reason) = &state.failed {
                Err(self.poisoned(reason))
            } else if state.led {
                state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            } else {
                return self.lead(state);
            };
            if state.group == joined {
                // No leader has taken the group that counts this member: it leaves.
                state.members -= 1;
            }
            return outcome;
        }
    }

    fn lead<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<Synced> {
        state.led = true;
        let limit = state.gather_limit();
        state = self.gather(state, limit);
        state.group += 1;
        state.last_members = std::mem::take(&mut state.members);
        drop(state);

        let appended = self.appended.load(Ordering::Acquire);
        let started = Instant::now();
        let result = self.file.sync_data();
        let took = started.elapsed();

        let mut state = sync::lock(&self.state);
        state.led = false;
        state.last_took = took;
        self.ended.notify_all();
        match result {
            Ok(()) => {
                self.note_synced(appended);
                Ok(Synced { lsn: self.synced_lsn(), led: true })
            }
            Err(error) => {
                let reason = format!("sync {}: {error}", self.path.display());
                let poisoned = self.poisoned(&reason);
                state.failed = Some(reason);
                Err(poisoned)
            }
        }
    }

    /// Waits until there are as many members as the last group had, for at most `limit`.
    fn gather<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        limit: Duration,
    ) -> MutexGuard<'a, State> {
        let started = Instant::now();
        while state.members < state.last_members {
            let Some(left) = limit.checked_sub(started.elapsed()) else { break };
            state = sync::wait_timeout(&self.joined, &self.state, state, left);
        }
        state
    }

    fn poisoned(&self, reason: &str) -> Error {
        Error::Poisoned { path: self.store.clone(), reason: reason.to_owned() }
    }
}

#[cfg(all(modelled, test))]
mod models;

#[cfg(all(test, not(modelled)))]
mod tests {
    use std::io;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::thread;

    use super::*;

    /// A file of which only the sync matters: it counts, takes a while, and may fail.
    #[derive(Debug, Default)]
    struct SlowFile {
        syncs: AtomicUsize,
        fails: AtomicBool,
    }

    impl File for SlowFile {
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
            self.syncs.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(1));
            if self.fails.load(Ordering::SeqCst) {
                return Err(io::Error::other("the disk is gone"));
            }
            Ok(())
        }

        fn try_lock(&self) -> io::Result<bool> {
            Ok(true)
        }

        fn unlock(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn group() -> (Arc<SlowFile>, Arc<GroupCommit>) {
        let file = Arc::new(SlowFile::default());
        let dynamic: Arc<dyn File> = Arc::<SlowFile>::clone(&file);
        let group = GroupCommit::new(dynamic, Path::new("store"), Path::new("log"), 0);
        (file, Arc::new(group))
    }

    #[test]
    fn eight_threads_share_syncs_and_all_reach_their_targets() {
        let (file, group) = group();
        let (lsns, together) = (Mutex::new(0), Barrier::new(8));
        let commits = 8 * 50;
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    for _ in 0..50 {
                        let target = {
                            let mut newest = sync::lock(&lsns);
                            *newest += 1;
                            group.note_appended(*newest);
                            *newest
                        };
                        let synced = group.sync(target).expect("no sync fails");
                        assert!(synced.lsn >= target);
                    }
                });
            }
        });
        assert_eq!(group.synced_lsn(), commits);
        let syncs = file.syncs.load(Ordering::SeqCst) as u64;
        assert!((1..commits).contains(&syncs), "{syncs} syncs for {commits} commits");
        assert_eq!(sync::lock(&group.state).members, 0);
    }

    #[test]
    fn a_leader_waits_for_as_many_as_the_last_group_had() {
        let (_, group) = group();
        group.note_appended(1);
        let mut state = sync::lock(&group.state);
        (state.led, state.members, state.last_members) = (true, 1, 2);
        let hour = Duration::from_hours(1);
        let met = thread::scope(|scope| {
            scope.spawn(|| group.sync(1).expect("no sync fails"));
            let state = group.gather(state, hour);
            let met = state.members;
            // Nobody else comes, and nobody else is waited for.
            let mut state = group.gather(state, hour);
            (state.led, state.members) = (false, state.members - 1);
            drop(state);
            group.ended.notify_all();
            met
        });
        assert_eq!(met, 2);
        assert_eq!(sync::lock(&group.state).members, 0);
    }

    #[test]
    fn a_leader_waits_half_as_long_as_a_sync_takes_where_it_had_company() {
        let limit = |last_members, took_us| {
            let last_took = Duration::from_micros(took_us);
            State { last_members, last_took, ..State::default() }.gather_limit().as_micros()
        };
        assert_eq!([limit(0, 1000), limit(1, 1000), limit(2, 1000)], [0, 0, 500]);
        assert_eq!([limit(8, 3000), limit(8, 9000)], [1500, 2000]);
    }

    #[test]
    fn what_is_durable_already_needs_no_sync() {
        let (file, group) = group();
        group.note_appended(3);
        assert_eq!(group.sync(2).expect("works"), Synced { lsn: 3, led: true });
        assert_eq!(group.sync(3).expect("works"), Synced { lsn: 3, led: false });
        assert_eq!(sync::lock(&group.state).members, 0);
        assert_eq!(file.syncs.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn failed_sync_poisons_all_waiters_and_is_never_retried() {
        let (file, group) = group();
        group.note_appended(1);
        group.sync(1).expect("works");
        file.fails.store(true, Ordering::SeqCst);
        group.note_appended(9);
        let together = Barrier::new(8);
        thread::scope(|scope| {
            for target in 2..10 {
                let (group, together) = (&group, &together);
                scope.spawn(move || {
                    together.wait();
                    let error = group.sync(target).expect_err("the disk is gone");
                    assert!(
                        matches!(&error, Error::Poisoned { reason, .. }
                            if reason == "sync log: the disk is gone"),
                        "{error}"
                    );
                });
            }
        });
        file.fails.store(false, Ordering::SeqCst);
        group.sync(9).expect_err("poisoned for good");
        assert_eq!(file.syncs.load(Ordering::SeqCst), 2);
        assert_eq!(group.sync(1).expect("was durable before").lsn, 1);
    }
}
