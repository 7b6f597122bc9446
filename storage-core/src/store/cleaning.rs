//! Which files are still needed, and that the others go.
//!
//! Invariant: nothing is removed that the newest manifest or, outside of an erasure, the one before it
//! names; readers that hold a removed file keep its bytes until they let go of it.

use std::path::{Path, PathBuf};

use super::disk::Disk;
use crate::fs::Access;
use crate::manifest::Manifest;
use crate::wal::{self, Log};
use crate::{Error, Result};

impl Disk {
    /// Removes files that neither the newest manifest nor the one before needs.
    ///
    /// The caller holds the lease. What can't be removed now is removed after a later flush.
    pub(super) fn remove_unneeded(&self, newest: &Manifest, previous: Option<&Manifest>) {
        for path in self.unneeded(newest, previous).unwrap_or_default() {
            // A file that can't go now (an open map on some systems) goes after a later flush.
            self.fs.remove(&path).ok();
        }
    }

    fn unneeded(&self, newest: &Manifest, previous: Option<&Manifest>) -> Result<Vec<PathBuf>> {
        let kept: Vec<&Manifest> = previous.into_iter().chain([newest]).collect();
        let oldest_log = kept.iter().map(|m| m.log).min().unwrap_or(0);
        let keeps_segment = |id: u64| kept.iter().any(|m| m.segments.iter().any(|s| s.id == id));
        let keeps_tombstones = |id: u64, lsn: u64| {
            kept.iter().any(|m| m.segments.iter().any(|s| s.id == id && s.tombstones == Some(lsn)))
        };
        let keeps_history = |id: u64| kept.iter().any(|m| m.history.iter().any(|h| h.id == id));
        let mut unneeded = Vec::new();
        for number in wal::list_logs(&*self.fs, &self.dir)? {
            if number < oldest_log {
                unneeded.push(wal::log_path(&self.dir, number));
            }
        }
        let seg = self.dir.join("seg");
        for name in self.fs.list(&seg).map_err(|e| Error::io("list", &seg, e))? {
            let needed = match parse_segment_name(&name) {
                // What a flush that died left goes with an erasure, and is overwritten else.
                Some(SegmentName::Segment(id)) => {
                    keeps_segment(id) || (previous.is_some() && id >= newest.next_segment)
                }
                Some(SegmentName::Tombstones(id, lsn)) => keeps_tombstones(id, lsn),
                Some(SegmentName::Ann(id)) => keeps_segment(id),
                // Written under the lease, which the caller holds: so no one writes it any more.
                Some(SegmentName::UnfinishedAnn) => false,
                Some(SegmentName::History(id)) => {
                    keeps_history(id) || (previous.is_some() && id >= newest.next_segment)
                }
                None => true,
            };
            if !needed {
                unneeded.push(seg.join(name));
            }
        }
        for generation in Manifest::list(&*self.fs, &self.dir)? {
            if generation < newest.generation && kept.iter().all(|m| m.generation != generation) {
                unneeded.push(Manifest::path(&self.dir, generation));
            }
        }
        Ok(unneeded)
    }

    /// Reads every log that the manifests need; a tail that is just torn is no damage.
    pub(super) fn verify_logs(&self, store: &[u8; 16], report: &mut super::VerifyReport) {
        let logs = wal::list_logs(&*self.fs, &self.dir).unwrap_or_else(|error| {
            report.note(error);
            Vec::new()
        });
        for number in logs {
            report.files += 1;
            let read =
                Log::open(&*self.fs, &self.dir, number, *store, Access::Read).and_then(|log| {
                    log.map_or(Ok(0), |mut log| log.follow(0, &mut |_| Ok(())).map(|_| log.bytes()))
                });
            match read {
                Ok(bytes) => report.bytes += bytes,
                Err(error) => report.note(error),
            }
        }
    }

    /// Fails when a file is left that the newest generation does not need.
    pub(super) fn check_removed(&self, newest: &Manifest) -> Result<()> {
        if let Some(path) = self.unneeded(newest, None)?.pop() {
            let source = std::io::Error::other("it is still there; close other handles, retry");
            return Err(Error::Io { action: "remove", path, source });
        }
        let sync = |path: &Path| self.fs.sync_dir(path).map_err(|e| Error::io("sync", path, e));
        sync(&self.dir)?;
        sync(&self.dir.join("seg"))?;
        sync(&wal::log_dir(&self.dir))
    }
}

/// What a name in the directory of segments stands for.
pub(super) enum SegmentName {
    Segment(u64),
    Tombstones(u64, u64),
    History(u64),
    Ann(u64),
    UnfinishedAnn,
}

pub(super) fn parse_segment_name(name: &str) -> Option<SegmentName> {
    if let Some(id) = name.strip_suffix(".seg") {
        return id.parse().ok().map(SegmentName::Segment);
    }
    if let Some(id) = name.strip_suffix(".his") {
        return id.parse().ok().map(SegmentName::History);
    }
    if let Some(id) = name.strip_suffix(".ann") {
        return id.parse().ok().map(SegmentName::Ann);
    }
    if let Some(id) = name.strip_suffix(".ann.tmp") {
        return id.parse().ok().map(|_: u64| SegmentName::UnfinishedAnn);
    }
    let (id, lsn) = name.strip_suffix(".del")?.split_once('.')?;
    Some(SegmentName::Tombstones(id.parse().ok()?, lsn.parse().ok()?))
}
