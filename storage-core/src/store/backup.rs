//! Backups: a second store with the state of one moment, made while writes go on.
//!
//! A flush puts that state into segments, which are then copied; the lease keeps them from being
//! removed meanwhile. Invariant: the manifest is written last, so a backup that was cut short is no
//! store, and opening it says so. Its directory bears a mark until then, and the next backup takes its place.

use std::path::{Path, PathBuf};

use super::Shared;
use super::cleaning::parse_segment_name;
use super::disk::{Disk, create_directory, header, segment_path, sync_own_name};
use crate::fs::{Access, File, FileSystem};
use crate::manifest::Manifest;
use crate::segment::{AnnFile, ann_path_of};
use crate::state::Part;
use crate::tombstones::Tombstones;
use crate::wal::{Log, list_logs, log_dir, log_path};
use crate::{Error, Result, history, interrupt, tombstones};

/// A file in a backup's directory from before there is anything else in it until the manifest is there.
/// Whoever makes the backup holds its lock.
const MARK: &str = "UNFINISHED-BACKUP";

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
        leftovers(&*disk.fs, target)?;
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
    create_directory(fs, target)?;
    // Whoever made an empty one may not have seen to its name.
    sync_own_name(fs, target)?;
    let mark = claim(fs, target)?;
    for path in leftovers(fs, target)? {
        fs.remove(&path).map_err(|e| Error::io("remove", &path, e))?;
    }
    for folder in [target.join("seg"), log_dir(target)] {
        fs.create_dir_all(&folder).map_err(|e| Error::io("create", &folder, e))?;
    }
    // Else power loss could keep the manifest's name and not theirs.
    fs.sync_dir(target).map_err(|e| Error::io("sync", target, e))?;
    let store = manifest.store_uuid(&disk.dir)?;
    for entry in &manifest.segments {
        let (from, to) = (segment_path(&disk.dir, entry.id), segment_path(target, entry.id));
        copy(fs, &from, &to)?;
        // One that is damaged is made anew where it is wanted.
        if AnnFile::open(fs, &from, store, entry.id)?.is_some_and(|ann| ann.verify().is_empty()) {
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
    drop(mark);
    let path = target.join(MARK);
    fs.remove(&path).map_err(|e| Error::io("remove", &path, e))
}

/// Marks a directory as that of a backup which is being made; the mark's lock goes with the process.
fn claim(fs: &dyn FileSystem, target: &Path) -> Result<Box<dyn File>> {
    let path = target.join(MARK);
    let file = match fs.create_new(&path) {
        Ok(file) => {
            // Before anything that would be unknown without it.
            file.sync_data().map_err(|e| Error::io("sync", &path, e))?;
            fs.sync_dir(target).map_err(|e| Error::io("sync", target, e))?;
            file
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            fs.open(&path, Access::ReadWrite).map_err(|e| Error::io("open", &path, e))?
        }
        Err(error) => return Err(Error::io("create", &path, error)),
    };
    if file.try_lock().map_err(|e| Error::io("lock", &path, e))? {
        return Ok(file);
    }
    let found = "a backup that is being made".to_owned();
    Err(Error::NotAStore { path: target.to_owned(), found })
}

/// Refuses a directory that has anything in it but what a backup left that did not end; returns that.
fn leftovers(fs: &dyn FileSystem, target: &Path) -> Result<Vec<PathBuf>> {
    let list = |path: &Path| match fs.list(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names.map_err(|e| Error::io("list", path, e)),
    };
    let names = list(target)?;
    if !names.iter().any(|name| name == MARK) {
        super::check_empty(fs, target)?;
        return Ok(Vec::new());
    }
    let refuse = |found: String| Err(Error::NotAStore { path: target.to_owned(), found });
    if names.iter().any(|name| Manifest::generation_of(name).is_some()) {
        return refuse("a store".to_owned());
    }
    let is_temporary = |name: &str| {
        name.strip_prefix("manifest-").is_some_and(|rest| rest.strip_suffix(".tmp").is_some())
    };
    let mut left = Vec::new();
    for name in names {
        match name.as_str() {
            MARK | "seg" | "wal" => {}
            _ if is_temporary(&name) => left.push(target.join(name)),
            _ => return refuse(name),
        }
    }
    let seg = target.join("seg");
    for name in list(&seg)? {
        if parse_segment_name(&name).is_none() {
            return refuse(format!("seg/{name}"));
        }
        left.push(seg.join(name));
    }
    let logs = list(&log_dir(target))?;
    if !logs.is_empty() {
        let numbers = list_logs(fs, target)?;
        if numbers.len() < logs.len() {
            return refuse("other files than logs in wal".to_owned());
        }
        left.extend(numbers.into_iter().map(|number| log_path(target, number)));
    }
    Ok(left)
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
