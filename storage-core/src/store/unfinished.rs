//! Directories in which a backup or a repair makes a store: they bear a mark until it is whole.
//!
//! Invariant: nothing is removed but what such an attempt left, in a directory that bears its mark, with that mark's
//! lock held; and a mark tells it from any other directory, since there is nothing else in one that gets it.

use std::path::{Path, PathBuf};

use super::cleaning::parse_segment_name;
use super::disk::sync_names_above;
use super::indexing::BUILD_LOCK;
use crate::fs::{Access, File, FileSystem};
use crate::manifest::Manifest;
use crate::wal::{list_logs, log_dir, log_path};
use crate::{Error, Result};

/// What a mark says, to whom finds it; and that the directory had nothing else in it when it was written.
const TEXT: &[u8] =
    b"A store is being made here. If no one does so any more, make it again: that replaces this.\n";

/// What makes a store in a directory, file by file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// The manifest comes last.
    Backup,
    /// What is made is a store from the beginning, which takes one transaction after another.
    Repair,
}

impl Maker {
    /// The name of its mark.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Backup => "UNFINISHED-BACKUP",
            Self::Repair => "UNFINISHED",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Repair => "repair",
        }
    }

    /// Whether it may leave a file of this name beside its mark, `seg` and `wal`.
    fn leaves(self, name: &str) -> bool {
        let is_temporary =
            name.strip_prefix("manifest-").is_some_and(|rest| rest.strip_suffix(".tmp").is_some());
        let is_of_a_store = matches!(name, "LOCK" | "LEASE" | "CONTROL" | BUILD_LOCK)
            || Manifest::generation_of(name).is_some();
        is_temporary || (self == Self::Repair && is_of_a_store)
    }

    fn is_under_way(self, target: &Path) -> Error {
        let found = format!("a {} that is being made", self.name());
        Error::NotAStore { path: target.to_owned(), found }
    }
}

/// The mark of a directory in which a store is being made; its lock goes with the process.
pub(super) struct Mark {
    path: PathBuf,
    file: Box<dyn File>,
}

impl Mark {
    /// Takes the mark away: the store is whole.
    ///
    /// Its lock is held until it is gone, so that no one takes the store for what it has been.
    pub(super) fn remove(self, fs: &dyn FileSystem) -> Result<()> {
        let removed = fs.remove(&self.path).map_err(|e| Error::io("remove", &self.path, e));
        drop(self.file);
        removed
    }
}

/// Refuses a store that is not whole yet.
pub(super) fn check_finished(fs: &dyn FileSystem, dir: &Path) -> Result<()> {
    // Whatever else is wrong with the directory, opening finds out.
    let names = fs.list(dir).unwrap_or_default();
    let has = |maker: Maker| names.iter().any(|name| name == maker.mark());
    let has_manifest = names.iter().any(|name| Manifest::generation_of(name).is_some());
    let maker = if has(Maker::Repair) {
        Maker::Repair
    } else if has(Maker::Backup) && !has_manifest {
        Maker::Backup
    } else {
        return Ok(());
    };
    Err(Error::Unfinished { path: dir.to_owned(), maker: maker.name() })
}

/// Refuses a directory that has anything in it but what the same maker left there that did not end.
pub(super) fn check_target(fs: &dyn FileSystem, target: &Path, maker: Maker) -> Result<()> {
    leftovers(fs, target, maker).map(drop)
}

/// Makes a directory, or takes an empty one or what an attempt left that did not end, and marks it; what was left is
/// removed.
pub(super) fn claim(fs: &dyn FileSystem, target: &Path, maker: Maker) -> Result<Mark> {
    fs.create_dir_all(target).map_err(|e| Error::io("create", target, e))?;
    sync_names_above(fs, target)?;
    let path = target.join(maker.mark());
    let is_leftover = leftovers(fs, target, maker)?.is_some();
    let file = if is_leftover { fs.open(&path, Access::ReadWrite) } else { fs.create_new(&path) };
    let file = match file {
        // Another has ended or begun since.
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::AlreadyExists
            ) =>
        {
            return Err(maker.is_under_way(target));
        }
        file => file.map_err(|e| Error::io("open", &path, e))?,
    };
    if !file.try_lock().map_err(|e| Error::io("lock", &path, e))? {
        return Err(maker.is_under_way(target));
    }
    let mark = Mark { path, file };
    // As it is now: what was seen before may have been another's that has ended since.
    let left = match leftovers(fs, target, maker) {
        Ok(left) => left.unwrap_or_default(),
        Err(error) => {
            if !is_leftover {
                mark.remove(fs)?;
            }
            return Err(error);
        }
    };
    for path in left {
        fs.remove(&path).map_err(|e| Error::io("remove", &path, e))?;
    }
    // Before anything that would be unknown without it.
    mark.file.write_all_at(TEXT, 0).map_err(|e| Error::io("write", &mark.path, e))?;
    mark.file.sync_data().map_err(|e| Error::io("sync", &mark.path, e))?;
    for folder in [target.join("seg"), log_dir(target), target.to_owned()] {
        match fs.sync_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            synced => synced.map_err(|e| Error::io("sync", &folder, e))?,
        }
    }
    Ok(mark)
}

/// What an attempt left in a directory that did not end, but the mark; `None` where there is nothing.
fn leftovers(fs: &dyn FileSystem, target: &Path, maker: Maker) -> Result<Option<Vec<PathBuf>>> {
    let list = |path: &Path| match fs.list(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names.map_err(|e| Error::io("list", path, e)),
    };
    let names = list(target)?;
    if !names.iter().any(|name| name == maker.mark()) {
        super::check_empty(fs, target)?;
        return Ok(None);
    }
    let refuse = |found: String| Err(Error::NotAStore { path: target.to_owned(), found });
    let is_alone = names.len() == 1;
    if maker == Maker::Backup && names.iter().any(|name| Manifest::generation_of(name).is_some()) {
        return refuse("a store".to_owned());
    }
    if maker == Maker::Repair && !is_alone && !is_written(fs, &target.join(maker.mark()))? {
        // A stranger's, or of an attempt that came when another had ended.
        return refuse(format!("a file {} that no repair wrote", maker.mark()));
    }
    let mut left = Vec::new();
    for name in names {
        match name.as_str() {
            "seg" | "wal" => {}
            _ if name == maker.mark() => {}
            _ if maker.leaves(&name) => left.push(target.join(name)),
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
    Ok(Some(left))
}

/// Whether a mark says what marks do.
fn is_written(fs: &dyn FileSystem, mark: &Path) -> Result<bool> {
    let mut bytes = [0; TEXT.len()];
    let read = fs.open(mark, Access::Read).and_then(|file| file.read_at(&mut bytes, 0));
    Ok(read.map_err(|e| Error::io("read", mark, e))? == TEXT.len() && bytes == TEXT)
}
