//! Backups: a second store with the state of one moment, made while writes go on.
//!
//! A flush puts that state into segments, which are then copied; the lease keeps them from being
//! removed meanwhile. Invariant: the manifest is written last, so a backup that was cut short is no
//! store, and opening it says so. Its directory bears a mark until then, and the next backup takes its place.

use std::path::Path;

use super::Shared;
use super::disk::{Disk, header, segment_path};
use super::unfinished::{self, Maker};
use crate::fs::FileSystem;
use crate::manifest::Manifest;
use crate::segment::{AnnFile, ann_path_of};
use crate::state::Part;
use crate::tombstones::Tombstones;
use crate::wal::{Log, log_dir};
use crate::{Error, Result, history, interrupt, tombstones};

/// Bytes that are copied by one write.
const COPY_BYTES: usize = 1 << 20;

impl Shared {
    /// Makes a backup in a new or empty directory, or in place of one that did not end; returns the epoch that
    /// it holds.
    pub(super) fn backup(&self, target: &Path) -> Result<u64> {
        let Some(disk) = &self.disk else {
            return Err(Error::InvalidArgument {
                name: "store",
                expected: "a store on disk".to_owned(),
                found: "one in memory".to_owned(),
            });
        };
        super::check_path(target)?;
        // A link may lead into the store.
        let target = &disk.fs.resolve(target);
        super::check_apart(&*disk.fs, "path", target, &disk.fs.resolve(&disk.dir))?;
        unfinished::check_target(&*disk.fs, target, Maker::Backup)?;
        let _lease = disk.lease()?;
        self.flush_leased(disk)?;
        let (manifest, base) = {
            let writer = self.writer();
            let position = writer.position();
            (position.manifest.clone(), position.base.clone())
        };
        check_sound(disk, &manifest, &base)?;
        copy_store(disk, &manifest, target)?;
        Ok(manifest.lsn)
    }
}

/// Refuses to copy damage: a backup is for the day on which the store is damaged.
fn check_sound(disk: &Disk, manifest: &Manifest, base: &[Part]) -> Result<()> {
    for part in base {
        if let Some(damage) = part.segment.verify_all().next() {
            return Err(damage);
        }
        interrupt::check_now()?;
    }
    let store = manifest.store_uuid(&disk.dir)?;
    for entry in &manifest.segments {
        if let Some(lsn) = entry.tombstones {
            Tombstones::read(&*disk.fs, &disk.dir, &store, entry.id, lsn)?;
        }
    }
    for entry in &manifest.history {
        disk.history_file(entry, &store)?.verify()?;
        interrupt::check()?;
    }
    Ok(())
}

fn copy_store(disk: &Disk, manifest: &Manifest, target: &Path) -> Result<()> {
    let fs = &*disk.fs;
    let mark = unfinished::claim(fs, target, Maker::Backup)?;
    for folder in [target.join("seg"), log_dir(target)] {
        fs.create_dir_all(&folder).map_err(|e| Error::io("create", &folder, e))?;
    }
    // Else power loss could keep the manifest's name and not theirs.
    fs.sync_dir(target).map_err(|e| Error::io("sync", target, e))?;
    let store = manifest.store_uuid(&disk.dir)?;
    for entry in &manifest.segments {
        let (from, to) = (segment_path(&disk.dir, entry.id), segment_path(target, entry.id));
        copy(fs, &from, &to)?;
        // One that is damaged, or of another version, is made anew where it is wanted.
        if AnnFile::open(fs, &from, store, entry.id)?.is_some_and(|ann| ann.is_sound()) {
            copy(fs, &ann_path_of(&from), &ann_path_of(&to))?;
        }
        if let Some(lsn) = entry.tombstones {
            let from = tombstones::path(&disk.dir, entry.id, lsn);
            copy(fs, &from, &tombstones::path(target, entry.id, lsn))?;
        }
    }
    for entry in &manifest.history {
        copy(fs, &history::path(&disk.dir, entry.id), &history::path(target, entry.id))?;
    }
    let seg = target.join("seg");
    fs.sync_dir(&seg).map_err(|e| Error::io("sync", &seg, e))?;
    let log = header(store, manifest.log, manifest.lsn + 1, manifest.lsn);
    Log::create(fs, target, log)?;
    manifest.publish(fs, target)?;
    // Where power loss brings the mark back, the manifest beside it says that the backup is whole.
    mark.remove(fs)
}

/// Copies a write-once file and syncs the copy; the caller syncs the directory.
fn copy(fs: &dyn FileSystem, from: &Path, to: &Path) -> Result<()> {
    let bytes = fs.view(from).map_err(|e| Error::io("open", from, e))?;
    let file = fs.create_new(to).map_err(|e| Error::io("create", to, e))?;
    for (at, chunk) in bytes.chunks(COPY_BYTES).enumerate() {
        interrupt::check()?;
        file.write_all_at(chunk, (at * COPY_BYTES) as u64)
            .map_err(|e| Error::io("write", to, e))?;
    }
    file.sync_data().map_err(|e| Error::io("sync", to, e))
}
