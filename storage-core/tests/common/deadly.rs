//! A file system on which a process dies at a named point: right before an operation, half-way through a
//! write, or right after it.
//!
//! Syncs are named like the rest, but not waited for: what a process wrote survives its death without them.
//! Invariant: operations are named by what they do to which file of a store, so that a name means the same
//! whatever the store does around it; which are counted begins with [`Deadly::arm`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use storage_core::fs::{Access, ByteView, File, FileSystem, OsFileSystem, PageHandle};

/// When a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    Before,
    /// With the first half of a write in the file.
    HalfWay,
    After,
}

impl Moment {
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::HalfWay, Self::After];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::HalfWay => "half-way through",
            Self::After => "after",
        }
    }
}

/// What a process dies of.
#[derive(Debug, Clone)]
struct Death {
    /// As in "log frame written".
    point: String,
    moment: Moment,
}

/// The platform's file system, until the point is reached.
#[derive(Debug, Clone)]
pub(crate) struct Deadly {
    death: Arc<Mutex<Option<Death>>>,
    /// How often the point is yet to be passed.
    left: Arc<AtomicU64>,
    store: PathBuf,
    die: fn() -> !,
}

impl Deadly {
    /// A file system on which nothing happens yet; `die` is called once the time has come.
    pub(crate) fn new(store: &Path, die: fn() -> !) -> Self {
        let (death, left) = (Arc::default(), Arc::default());
        Self { death, left, store: store.to_owned(), die }
    }

    /// From now on, the `nth` of the operations of this name is the last.
    pub(crate) fn arm(&self, point: &str, moment: Moment, nth: u64) {
        self.left.store(nth, Ordering::SeqCst);
        let death = Death { point: point.to_owned(), moment };
        *self.death.lock().unwrap_or_else(PoisonError::into_inner) = Some(death);
    }

    pub(crate) fn disarm(&self) {
        *self.death.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The moment at which an operation of this name is to be the last, if it is.
    fn last(&self, subject: &str, verb: &str) -> Option<Moment> {
        let death = self.death.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let is_named = death
            .point
            .strip_prefix(subject)
            .is_some_and(|rest| rest.strip_prefix(' ') == Some(verb));
        (is_named && self.left.fetch_sub(1, Ordering::SeqCst) == 1).then_some(death.moment)
    }

    fn run<T>(
        &self,
        subject: &str,
        verb: &str,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let last = self.last(subject, verb);
        if last == Some(Moment::Before) {
            (self.die)();
        }
        let outcome = operation();
        if last.is_some() {
            (self.die)();
        }
        outcome
    }

    /// What a path of the store is.
    fn subject(&self, path: &Path) -> &'static str {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path == self.store {
            return "store directory";
        }
        match &*name {
            "LOCK" => "write lock",
            "LEASE" => "lease",
            "CONTROL" => "CONTROL",
            "INDEXING" => "build lock",
            "wal" => "log directory",
            "seg" => "segment directory",
            name if name.contains(".ann") => "index",
            name if name.starts_with("MANIFEST-") || name.starts_with("manifest-") => "manifest",
            _ => match path.extension().and_then(|extension| extension.to_str()) {
                Some("log") => "log",
                Some("seg") => "segment",
                Some("del") => "tombstones",
                Some("his") => "history file",
                _ => "parent directory",
            },
        }
    }

    fn file(&self, path: &Path, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(DeadlyFile { fs: self.clone(), file, subject: self.subject(path) })
    }
}

impl FileSystem for Deadly {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.run(self.subject(path), "created", || OsFileSystem.create_dir_all(path))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = self.run(self.subject(path), "created", || OsFileSystem.create_new(path))?;
        Ok(self.file(path, file))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        Ok(self.file(path, OsFileSystem.open(path, access)?))
    }

    fn view(&self, path: &Path) -> io::Result<ByteView> {
        OsFileSystem.view(path)
    }

    fn shared_page(&self, path: &Path) -> io::Result<PageHandle> {
        self.run(self.subject(path), "written", || OsFileSystem.shared_page(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(self.subject(to), "renamed", || OsFileSystem.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if !path.exists() {
            return OsFileSystem.remove(path); // Nothing is done: only asked for what may be left over.
        }
        self.run(self.subject(path), "removed", || OsFileSystem.remove(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.run(self.subject(path), "synced", || OsFileSystem.list(path).map(|_| ()))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsFileSystem.list(path)
    }
}

#[derive(Debug)]
struct DeadlyFile {
    fs: Deadly,
    file: Box<dyn File>,
    subject: &'static str,
}

/// What is written to a log there.
fn part_of_log(bytes: &[u8], offset: u64) -> &'static str {
    match bytes.get(24) {
        _ if offset == 0 => "log header",
        _ if bytes.iter().all(|&byte| byte == 0) => "log zeros",
        Some(2) => "log marker",
        Some(3) => "log seal",
        _ => "log frame",
    }
}

impl File for DeadlyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let subject = if self.subject == "log" { part_of_log(bytes, offset) } else { self.subject };
        match self.fs.last(subject, "written") {
            Some(Moment::Before) => (self.fs.die)(),
            Some(moment) => {
                let half = moment == Moment::HalfWay;
                let end = if half { bytes.len() / 2 } else { bytes.len() };
                self.file.write_all_at(&bytes[..end], offset)?;
                (self.fs.die)()
            }
            None => self.file.write_all_at(bytes, offset),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fs.run(self.subject, "synced", || Ok(()))
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.fs.run(self.subject, "taken", || self.file.try_lock())
    }

    fn unlock(&self) -> io::Result<()> {
        self.fs.run(self.subject, "released", || self.file.unlock())
    }
}
