//! Repair: a new store of what is still readable in a damaged one.
//!
//! Invariant: nothing in the damaged store's directory is written, and nothing is in the new store that was
//! not in the damaged one.

mod outline;
mod overlay;
mod plan;
mod rebuild;
mod report;
mod sources;

use std::path::Path;
use std::sync::Arc;

use super::GraphStore;
use super::unfinished::{self, Maker};
use crate::fs::{Access, FileSystem, OsFileSystem};
use crate::{Error, Result};
use plan::Plan;
pub use report::{Loss, RepairReport, Tally};
use sources::Sources;

impl GraphStore {
    /// Writes everything that is still readable in a damaged store to a new one, in a new or empty directory, or in
    /// place of a repair that did not end; says what is lost.
    ///
    /// Each concept, vector, association and transaction stands by itself: what is damaged is left out, what
    /// lies beside it is saved. Indexes are made anew, so damage in them loses nothing; so does damage that
    /// the previous generation of files, with its log, makes up for. The damaged store is only read, and may
    /// be on a medium that can't be written. The new one is durable on return, and a store of its own: it has
    /// the options of the damaged one, but its transactions are numbered anew, and it keeps the past from
    /// here on.
    ///
    /// ```
    /// use storage_core::{Concept, GraphStore, OpenOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let (damaged, repaired) = (dir.path().join("damaged"), dir.path().join("repaired"));
    /// let store = GraphStore::open(&damaged, OpenOptions::default())?;
    /// store.put_concept(Concept::new("dog", "a domesticated mammal"))?;
    /// store.close()?;
    ///
    /// let report = GraphStore::repair(&damaged, &repaired)?;
    /// assert!(report.damage.is_empty() && report.is_whole());
    /// assert_eq!(report.saved.concepts, 1);
    /// assert!(GraphStore::open(&repaired, OpenOptions::default())?.contains("dog")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when nothing of a store is there; [`Error::Locked`] while another process writes
    /// to it, as far as its locks and its files tell; [`Error::NotAStore`] when the target has anything in it but
    /// what a repair left that did not end, or another process repairs to it; [`Error::Unfinished`] when the damaged
    /// store is itself what a repair or a backup left; [`Error::Version`], [`Error::Feature`]; [`Error::InvalidArgument`] for a path that
    /// is empty, for one inside the other or a target inside another store, links followed; [`Error::Io`] when the
    /// new store can't be written, [`Error::Poisoned`] when a sync of it fails;
    /// [`Error::Full`], [`Error::TransactionTooLarge`] and [`Error::Corrupt`] where bytes that passed all checks make
    /// what no store can hold; [`Error::Interrupted`]. After an error the target holds nothing that opens, and the
    /// next repair to it takes its place.
    ///
    /// # Complexity
    /// Reads every file once and what is saved twice more. Memory: the logs, and some dozens of bytes for
    /// each concept, id and association.
    pub fn repair(damaged: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<RepairReport> {
        let (damaged, target) = (damaged.as_ref(), target.as_ref());
        super::check_path(damaged)?;
        super::check_path(target)?;
        let fs: Arc<dyn FileSystem> = Arc::new(OsFileSystem);
        Self::repair_with(&fs, damaged, target)
    }

    /// Repairs a store on another file system than the platform's.
    ///
    /// # Errors
    /// As [`GraphStore::repair`].
    pub fn repair_with(
        fs: &Arc<dyn FileSystem>,
        damaged: &Path,
        target: &Path,
    ) -> Result<RepairReport> {
        super::check_path(damaged)?;
        super::check_path(target)?;
        // A link may lead from one into the other.
        let (damaged, target) = (&*fs.resolve(damaged), &*fs.resolve(target));
        super::check_apart(&**fs, "target", target, damaged)?;
        unfinished::check_target(&**fs, target, Maker::Repair)?;
        unfinished::check_finished(&**fs, damaged)?;
        check_no_writer(&**fs, damaged)?;
        let before = Appearance::of(&**fs, damaged)?;
        let mut report = RepairReport::default();
        let sources = Sources::read(&**fs, damaged, &mut report)?;
        let plan = Plan::best(&sources);
        if Appearance::of(&**fs, damaged)? != before {
            return Err(Error::Locked {
                path: damaged.to_owned(),
                pid: writer_pid(&**fs, damaged),
            });
        }
        rebuild::rebuild(fs, target, &sources, plan, &mut report)?;
        Ok(report)
    }
}

/// Fails while another process holds a lock of the store.
///
/// A writer holds `LOCK` for a commit only, unless it is exclusive: that it is free says little, and what is
/// read is looked at for changes besides.
fn check_no_writer(fs: &dyn FileSystem, dir: &Path) -> Result<()> {
    for name in ["LOCK", "LEASE"] {
        // Where there is no such file, or none can be locked, no one who writes has done so.
        let Ok(file) = fs.open(&dir.join(name), Access::Read) else { continue };
        match file.try_lock() {
            // Where that fails, the lock goes with the file right here.
            Ok(true) => file.unlock().unwrap_or_default(),
            Ok(false) => {
                let pid = writer_pid(fs, dir);
                return Err(Error::Locked { path: dir.to_owned(), pid });
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// The process that last took the write lock, as CONTROL has it; 0 where it can't be told.
fn writer_pid(fs: &dyn FileSystem, dir: &Path) -> u32 {
    let mut word = [0; 8];
    let read = fs.open(&dir.join("CONTROL"), Access::Read).and_then(|f| f.read_at(&mut word, 16));
    if read.is_ok_and(|read| read == word.len()) { u64::from_le_bytes(word) as u32 } else { 0 }
}

/// What changes when someone writes to a store: names, lengths, and the counters that are shared.
#[derive(Debug, PartialEq, Eq)]
struct Appearance {
    files: Vec<(String, u64)>,
    counters: Vec<u8>,
}

impl Appearance {
    fn of(fs: &dyn FileSystem, dir: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for folder in ["", "seg", "wal"] {
            let path = if folder.is_empty() { dir.to_owned() } else { dir.join(folder) };
            let names = match fs.list(&path) {
                Ok(names) => names,
                Err(error)
                    if error.kind() == std::io::ErrorKind::NotFound && !folder.is_empty() =>
                {
                    continue;
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::NotFound { path: dir.to_owned(), read_only: true });
                }
                Err(error) => return Err(Error::io("list", &path, error)),
            };
            for name in names {
                let len = fs.open(&path.join(&name), Access::Read).and_then(|file| file.len());
                files.push((format!("{folder}/{name}"), len.unwrap_or(0)));
            }
        }
        files.sort_unstable();
        let mut counters = vec![0; 64];
        let read =
            fs.open(&dir.join("CONTROL"), Access::Read).and_then(|f| f.read_at(&mut counters, 0));
        counters.truncate(read.unwrap_or(0));
        Ok(Self { files, counters })
    }
}
