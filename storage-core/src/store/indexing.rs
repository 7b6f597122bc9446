//! Indexes for approximate search: built beside the segments, after them, by whoever has the time.
//!
//! Invariant: an index follows from a segment alone, so that whether there is one, or who built it, changes no state;
//! and none appears beside a segment that the newest manifest does not name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::disk::Disk;
use super::{Shared, VerifyReport, commit};
use crate::fs::{Access, File};
use crate::manifest::Manifest;
use crate::segment::{AnnFile, Segment};
use crate::state::State;
use crate::sync;
use crate::{Error, Result, interrupt};

/// How long to wait for the lease before looking again.
const LEASE_PAUSE: Duration = Duration::from_millis(20);
/// How often to ask whether a build is to go on.
const BUILD_PAUSE: Duration = Duration::from_millis(10);

impl Shared {
    /// Builds the indexes that are missing, waits for those that others are building, until the store is closed;
    /// returns how many it built.
    pub(super) fn index_all(&self) -> Result<u64> {
        let mut built = 0;
        while !self.index_missing(&mut built)? {
            interrupt::check()?;
            sync::sleep(LEASE_PAUSE);
        }
        Ok(built)
    }

    /// Builds the indexes that are missing, the largest first, until the store is closed, and counts them; returns
    /// false where another thread or process is at it.
    pub(super) fn index_missing(&self, built: &mut u64) -> Result<bool> {
        let Some(disk) = &self.disk else { return Ok(true) };
        while let Some(segment) = self.next_to_index(disk) {
            if self.is_closed() {
                break;
            }
            let Some(lock) = disk.try_build_lock()? else { return Ok(false) };
            // Another process may have built it since.
            disk.look_for_ann(&segment);
            if !segment.wants_ann() {
                continue;
            }
            // This handle may not have seen yet that it was compacted away.
            if !disk.is_named(&segment)? {
                break;
            }
            let Some(index) = self.build_index(&segment)? else { break };
            if self.publish_index(disk, &segment, &index)? {
                *built += 1;
                drop(lock);
                self.audit_index(&segment)?;
            }
        }
        Ok(true)
    }

    /// Takes the indexes that others have built since, for a handle whose threads don't: at most once a second.
    pub(super) fn look_for_indexes(&self, state: &State) {
        let Some(disk) = &self.disk else { return };
        if self.options.background && !self.options.read_only {
            return;
        }
        let now = commit::now() as u64;
        if self.looked_at.load(Ordering::Relaxed) != now {
            self.looked_at.store(now, Ordering::Relaxed);
            state.parts.iter().for_each(|part| disk.look_for_ann(&part.segment));
        }
    }

    /// The largest segment that wants an index.
    fn next_to_index(&self, disk: &Disk) -> Option<Arc<Segment>> {
        let state = self.state.load_full();
        let wanting = state.parts.iter().map(|part| &part.segment).filter(|segment| {
            disk.look_for_ann(segment);
            segment.wants_ann()
        });
        wanting.max_by_key(|segment| segment.vectors()).cloned()
    }

    /// Builds an index on half of the cores, as someone may want to search; `None` once the store is closed.
    fn build_index(&self, segment: &Segment) -> Result<Option<Vec<u8>>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let metric = self.state.load().config.metric;
        let stop = AtomicBool::new(false);
        let go_on = || !stop.load(Ordering::Relaxed) && !self.is_closed();
        // The builder's threads are not this one, whose calls are to stop perhaps.
        let index = std::thread::scope(|scope| {
            let build = scope.spawn(|| segment.build_ann(metric, cores.div_ceil(2), &go_on));
            while !build.is_finished() {
                std::thread::sleep(BUILD_PAUSE);
                if interrupt::is_wanted() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            build.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        if index.is_none() && stop.into_inner() {
            return Err(Error::Interrupted);
        }
        Ok(index)
    }

    /// Audits an index that was just built: on this thread alone, without a lock or a state, until the store is closed.
    fn audit_index(&self, segment: &Segment) -> Result<()> {
        let metric = self.state.load().config.metric;
        let go_on = || !self.is_closed() && !interrupt::is_wanted();
        if !segment.audit_ann(metric, commit::now(), &go_on)? {
            interrupt::check_now()?;
        }
        Ok(())
    }

    /// Puts an index beside its segment, unless that is gone; returns whether it did.
    fn publish_index(&self, disk: &Disk, segment: &Segment, index: &[u8]) -> Result<bool> {
        // A flush or a compaction may take longer than anyone waits for a lock.
        let _lease = loop {
            if let Some(lease) = disk.try_lease()? {
                break lease;
            }
            interrupt::check()?;
            if self.is_closed() {
                return Ok(false);
            }
            sync::sleep(LEASE_PAUSE);
        };
        disk.check_not_poisoned()?;
        if !disk.is_named(segment)? {
            return Ok(false);
        }
        let identity = segment.identity();
        AnnFile::write(&*disk.fs, segment.path(), identity.store, identity.id, index)?;
        let seg = disk.dir.join("seg");
        disk.fs.sync_dir(&seg).map_err(|e| Error::io("sync", &seg, e))?;
        segment.look_for_ann(&*disk.fs)?;
        Ok(true)
    }
}

impl Disk {
    /// Compares the index beside a segment, if there is one, with its checksums.
    pub(super) fn verify_ann(&self, segment: &Segment, report: &mut VerifyReport) -> Result<()> {
        let identity = segment.identity();
        let ann = AnnFile::open(&*self.fs, segment.path(), identity.store, identity.id)?;
        if let Some(ann) = ann {
            report.files += 1;
            report.bytes += ann.byte_len() as u64;
            ann.verify().into_iter().for_each(|error| report.note(error));
        }
        Ok(())
    }

    /// Whether the newest manifest names a segment.
    fn is_named(&self, segment: &Segment) -> Result<bool> {
        let newest = Manifest::list(&*self.fs, &self.dir)?.first().copied().unwrap_or(0);
        let manifest = Manifest::read(&*self.fs, &self.dir, newest)?;
        Ok(manifest.segments.iter().any(|entry| entry.id == segment.id()))
    }

    /// Makes this handle the one that builds indexes, unless another is; given back when dropped.
    fn try_build_lock(&self) -> Result<Option<BuildLock>> {
        let path = self.dir.join(BUILD_LOCK);
        let file = match self.fs.create_new(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                self.fs.open(&path, Access::ReadWrite)
            }
            file => file,
        };
        let file = file.map_err(|e| Error::io("open", &path, e))?;
        let taken = file.try_lock().map_err(|e| Error::io("lock", &path, e))?;
        Ok(taken.then_some(BuildLock { _file: file }))
    }
}

/// The file whose OS lock has who builds indexes.
pub(super) const BUILD_LOCK: &str = "INDEXING";

/// Its lock, which goes with the file's handle.
struct BuildLock {
    _file: Box<dyn File>,
}
