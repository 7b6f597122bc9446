//! The commit path: lock, catch up from the log, resolve, append, show, release, acknowledge.
//!
//! Invariant: readers see a transaction only once its frame is in the log, in the order of LSNs, and
//! a caller is told of success only once its durability is reached.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::disk::Disk;
use super::write::{Occasion, Write, resolve};
use super::{Shared, Writer};
use crate::options::Durability;
use crate::state::{Frame, State};
use crate::sync::{self, Ordering};
use crate::wal::{self, GroupCommit, MAX_PAYLOAD_BYTES};
use crate::{Error, Result};

/// Commits whose changes are remembered for conflict checks.
const REMEMBERED_COMMITS: usize = 4096;
/// Numbers that they may name in all.
const REMEMBERED_NUMBERS: usize = 1 << 20;

/// What recent commits changed, other processes' too: answers whether something read earlier still
/// stands.
#[derive(Debug)]
pub(super) struct Changes {
    /// Everything up to this epoch is forgotten.
    forgotten: u64,
    /// The last commit that it knows of.
    newest: u64,
    recent: VecDeque<(u64, Vec<u32>)>,
    numbers: usize,
}

impl Changes {
    pub(super) fn from_epoch(epoch: u64) -> Self {
        Self { forgotten: epoch, newest: epoch, recent: VecDeque::new(), numbers: 0 }
    }

    /// Learns what was changed on the way to an epoch; where commits are missing, all before is forgotten.
    fn learn(&mut self, changed: Vec<(u64, Vec<u32>)>, epoch: u64) {
        if epoch <= self.newest {
            return;
        }
        for (lsn, touched) in changed {
            if lsn == self.newest + 1 {
                self.push(lsn, touched);
            }
        }
        if self.newest != epoch {
            *self = Self::from_epoch(epoch);
        }
    }

    fn push(&mut self, lsn: u64, touched: Vec<u32>) {
        self.newest = lsn;
        self.numbers += touched.len();
        self.recent.push_back((lsn, touched));
        while self.recent.len() > REMEMBERED_COMMITS || self.numbers > REMEMBERED_NUMBERS {
            let Some((lsn, touched)) = self.recent.pop_front() else { break };
            self.numbers -= touched.len();
            self.forgotten = lsn;
        }
    }

    /// Whether a number was changed after an epoch; `None` when that is no longer known.
    fn changed_since(&self, epoch: u64, number: u32) -> Option<bool> {
        if epoch < self.forgotten {
            return None;
        }
        let later = self.recent.iter().rev().take_while(|(lsn, _)| *lsn > epoch);
        Some(later.into_iter().any(|(_, touched)| touched.binary_search(&number).is_ok()))
    }
}

/// What a transaction read, and so relies on.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The epoch that it read at.
    pub(super) epoch: u64,
    /// Concepts by id; with the number that was found, if any.
    pub(super) concepts: Vec<(String, Option<u32>)>,
}

impl Reads {
    fn check(&self, state: &State, namespace: &str, changes: &Changes) -> Result<()> {
        if state.epoch == self.epoch {
            return Ok(());
        }
        for (id, number) in &self.concepts {
            let same = match number {
                Some(number) => changes.changed_since(self.epoch, *number) == Some(false),
                None => state.find_unexpired(namespace, id, now())?.is_none(),
            };
            if !same {
                return Err(Error::Conflict { what: format!("concept {id:?}") });
            }
        }
        Ok(())
    }
}

/// A commit that is visible and in the log, but perhaps not yet as durable as asked.
#[derive(Debug, Clone)]
pub(super) struct Appended {
    pub(super) lsn: u64,
    pub(super) group: Option<Arc<GroupCommit>>,
}

pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

impl Shared {
    /// Commits writes in a namespace as one transaction; returns its LSN (or the newest, when nothing changed).
    pub(super) fn commit(
        &self,
        namespace: &str,
        writes: Vec<Write>,
        reads: Option<&Reads>,
        durability: Durability,
    ) -> Result<u64> {
        let appended = self.append_writes(namespace, writes, reads)?;
        self.finish(&appended, durability)
    }

    /// Commits what is copied from elsewhere in a namespace, whether it has expired or not.
    pub(super) fn commit_copies(&self, namespace: &str, writes: Vec<Write>) -> Result<u64> {
        self.check_usable()?;
        self.commit_made(None, Durability::Buffered, |state| {
            resolve(state, Occasion::of_copy(namespace, now()), writes)
        })
    }

    /// Appends writes in a namespace as one transaction, if they change anything.
    pub(super) fn append_writes(
        &self,
        namespace: &str,
        writes: Vec<Write>,
        reads: Option<&Reads>,
    ) -> Result<Appended> {
        self.check_usable()?;
        let config = Arc::clone(&self.state.load().config);
        for write in &writes {
            write.validate(&config)?;
        }
        let reads = reads.map(|reads| (reads, namespace));
        self.append(reads, |state| resolve(state, Occasion::new(namespace, now()), writes))
    }

    /// Commits what is made of the newest state under the write lock, if anything.
    pub(super) fn commit_made(
        &self,
        reads: Option<(&Reads, &str)>,
        durability: Durability,
        make: impl FnOnce(&State) -> Result<Option<Vec<u8>>>,
    ) -> Result<u64> {
        let appended = self.append(reads, make)?;
        self.finish(&appended, durability)
    }

    fn finish(&self, appended: &Appended, durability: Durability) -> Result<u64> {
        self.acknowledge(appended, durability)?;
        self.maintenance.wait_for_room(self);
        Ok(appended.lsn)
    }

    fn append(
        &self,
        reads: Option<(&Reads, &str)>,
        make: impl FnOnce(&State) -> Result<Option<Vec<u8>>>,
    ) -> Result<Appended> {
        let _lock = match &self.disk {
            Some(disk) => {
                let lock = disk.write_lock()?;
                // A sync may have failed while this waited.
                disk.check_not_poisoned()?;
                Some(lock)
            }
            None => None,
        };
        let writer = &mut *self.writer();
        self.check_usable()?; // It may have been closed while this waited.
        if let Some(disk) = &self.disk {
            self.catch_up_as_writer(disk, writer)?;
        }
        let state = self.state.load_full();
        if let Some((reads, namespace)) = reads {
            reads.check(&state, namespace, &writer.changes)?;
        }
        let payload = make(&state)?;
        let group = writer.position.as_ref().map(|position| Arc::clone(position.log.group()));
        let Some(payload) = payload else {
            return Ok(Appended { lsn: state.epoch, group });
        };
        if payload.len() as u64 > MAX_PAYLOAD_BYTES {
            let bytes = payload.len() as u64;
            return Err(Error::TransactionTooLarge { bytes, max: MAX_PAYLOAD_BYTES });
        }
        let lsn = state.epoch + 1;
        // What readers will see is made before the frame is written: if it can't be, nothing is.
        let frame = Frame { lsn, payload: &payload };
        let mut next = state.apply(&[frame], Path::new("(this transaction)"))?;
        next.tidy(writer.pinned)?;
        self.prune_in_memory(&mut next)?;
        if let Some(position) = &mut writer.position {
            position.log.append(lsn, &payload)?;
        }
        self.show(writer, next);
        if let (Some(disk), Some(position)) = (&self.disk, &writer.position) {
            disk.control.set_newest_lsn(lsn);
            self.maintenance.note_tail(position.tail_bytes(), self.options.flush_bytes);
        }
        Ok(Appended { lsn, group })
    }

    /// Makes a state the one that readers of this handle see.
    pub(super) fn show(&self, writer: &mut Writer, mut state: State) {
        writer.changes.learn(std::mem::take(&mut state.changed), state.epoch);
        state.note_scopes();
        self.watch_expiry(&state);
        self.mend_soon(&state);
        self.state.store(Arc::new(state));
        if let Some(position) = &mut writer.position {
            position.adrift = false;
        }
    }

    /// Returns once a commit is as durable as asked.
    fn acknowledge(&self, appended: &Appended, durability: Durability) -> Result<()> {
        match durability {
            Durability::Sync => self.acknowledge_durable(appended),
            Durability::Interval(interval) => {
                if !self.maintenance.is_running() {
                    // No one would do it later.
                    return self.acknowledge_durable(appended);
                }
                if appended.group.is_some() {
                    self.maintenance.sync_within(interval);
                }
                Ok(())
            }
            Durability::Buffered => Ok(()),
        }
    }

    /// Returns once a commit survives power loss.
    pub(super) fn acknowledge_durable(&self, appended: &Appended) -> Result<()> {
        let (Some(disk), Some(group)) = (&self.disk, &appended.group) else { return Ok(()) };
        self.sync_group(disk, group, appended.lsn)
    }

    fn sync_group(&self, disk: &Disk, group: &GroupCommit, lsn: u64) -> Result<()> {
        let synced = match group.sync(lsn) {
            Ok(synced) => synced,
            Err(error) => return disk.note_sync(Err(error)),
        };
        // After a sync that failed, another handle's perhaps, one that succeeds proves nothing: the system
        // may take for written what it could not write.
        disk.check_not_poisoned()?;
        if synced.led {
            self.mark_synced(disk);
        }
        Ok(())
    }

    /// Leaves a marker of what is durable, if no one is writing; a writer's frame says it as well.
    fn mark_synced(&self, disk: &Disk) {
        let Some(lock) = disk.try_write_lock() else { return };
        let Some(mut writer) = sync::try_lock(&self.writer) else { return };
        // Only at the very end of the log may a marker be written; what other processes appended
        // since is left to the next commit to catch up with.
        let at_end = disk.control.newest_lsn() == self.state.load().epoch;
        if let Some(position) = writer.position.as_mut().filter(|_| at_end) {
            // A transaction of another process stops the look: it must be applied, not stepped over.
            let mut nothing_new = |_: wal::Frame<'_>| Err(Error::Closed);
            // Without the marker nothing is lost but proof: damage would pass for a torn tail.
            if position.log.follow(0, &mut nothing_new).is_ok()
                && position.log.newest_lsn() == self.state.load().epoch
                && position.log.is_at_clean_end()
            {
                position.log.mark_synced().ok();
            }
        }
        drop(writer);
        drop(lock);
    }

    /// Makes all that was committed so far durable, by other processes too.
    pub(super) fn save(&self) -> Result<()> {
        if let Some(disk) = self.disk.as_ref().filter(|_| !self.options.read_only) {
            disk.check_not_poisoned()?;
            // What this handle has not read yet is in no sync that it knows to be needed.
            self.catch_up(disk)?;
        }
        self.sync_newest()
    }

    /// Makes the newest transaction that this handle knows of durable.
    pub(super) fn sync_newest(&self) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        if self.options.read_only {
            return Ok(());
        }
        let (group, lsn) = {
            let writer = self.writer();
            let position = writer.position();
            (Arc::clone(position.log.group()), position.log.newest_lsn())
        };
        disk.check_not_poisoned()?;
        self.sync_group(disk, &group, lsn)
    }

    // ---- other processes' commits ----------------------------------------------------------------

    /// Follows the log without the write lock; what is half-written is not there yet.
    pub(super) fn catch_up(&self, disk: &Disk) -> Result<Arc<State>> {
        let mut writer = self.writer();
        let state = self.state.load_full();
        if disk.control.is_shared() && disk.control.newest_lsn() <= state.epoch {
            return Ok(state); // Another thread was faster.
        }
        self.follow_others(disk, &mut writer, false)
    }

    pub(super) fn catch_up_as_writer(&self, disk: &Disk, writer: &mut Writer) -> Result<()> {
        self.follow_others(disk, writer, true)?;
        disk.control.set_newest_lsn(self.state.load().epoch);
        Ok(())
    }

    pub(super) fn follow_others(
        &self,
        disk: &Disk,
        writer: &mut Writer,
        locked: bool,
    ) -> Result<Arc<State>> {
        let state = self.state.load_full();
        let position = writer.position_mut();
        let log = position.log.header().number;
        let mut failed = None;
        if !position.adrift {
            // Following moves the log; what it read is shown below, or else it has to be read again.
            position.adrift = true;
            let followed = if locked {
                disk.catch_up_locked(position, State::clone(&state))
            } else {
                disk.follow(position, State::clone(&state)).map(|(state, _)| state)
            };
            match followed {
                Ok(mut next) => {
                    let sealed = position.log.header().number != log;
                    if next.epoch == state.epoch {
                        position.adrift = false;
                    } else {
                        next.tidy(writer.pinned)?;
                        self.show(writer, next);
                    }
                    // Only now, so that what each commit changed has been seen.
                    self.adopt_if_flushed(disk, writer, sealed)?;
                    return Ok(self.state.load_full());
                }
                Err(error) => failed = Some(error),
            }
        }
        // The log that this handle was at may be gone after others' flushes, or could not be read:
        // start over from the manifest.
        match disk.load_as(&state.store, locked) {
            Ok((loaded, mut next)) if next.epoch >= state.epoch => {
                next.tidy(writer.pinned)?;
                let discarded_bytes = writer.position_mut().discarded_bytes;
                writer.position = Some(loaded);
                writer.position_mut().discarded_bytes += discarded_bytes;
                self.show(writer, next);
                Ok(self.state.load_full())
            }
            Ok((_, next)) => Err(failed.unwrap_or_else(|| {
                let expected =
                    format!("transactions up to {}, which were read before", state.epoch);
                Error::corrupt(&disk.dir, 0, expected, format!("up to {}", next.epoch))
            })),
            Err(error) => Err(failed.unwrap_or(error)),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}
