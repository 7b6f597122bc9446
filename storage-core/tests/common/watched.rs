//! The system's files, and a test that looks in at a chosen moment.

#![allow(dead_code, reason = "each test file uses its own share of what is common")]

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use storage_core::fs::{Access, ByteView, File, FileSystem, OsFileSystem, PageHandle};

type Hook = Box<dyn FnOnce() + Send>;

/// The system's file system, which calls a test once, right after a chosen operation.
#[derive(Default)]
pub(crate) struct WatchedFileSystem {
    hook: Mutex<Option<(Operation, Hook)>>,
    /// What kind of network it says to be.
    network: Option<&'static str>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A manifest gets its name.
    Rename,
    /// The names of the logs are read.
    ListLogs,
}

impl fmt::Debug for WatchedFileSystem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("WatchedFileSystem")
    }
}

impl WatchedFileSystem {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// A file system of a network.
    pub(crate) fn of_network(kind: &'static str) -> Arc<Self> {
        Arc::new(Self { network: Some(kind), ..Self::default() })
    }

    /// Calls `hook` once, after the next operation of that kind.
    pub(crate) fn after(&self, operation: Operation, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((operation, Box::new(hook)));
    }

    fn done(&self, operation: Operation) {
        let mut waiting = self.hook.lock().unwrap_or_else(PoisonError::into_inner);
        let hook = waiting.take_if(|(awaited, _)| *awaited == operation);
        drop(waiting);
        if let Some((_, hook)) = hook {
            hook();
        }
    }
}

impl FileSystem for WatchedFileSystem {
    fn network_kind(&self, _path: &Path) -> io::Result<Option<&'static str>> {
        Ok(self.network)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.create_dir_all(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>> {
        OsFileSystem.create_new(path)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        OsFileSystem.open(path, access)
    }

    fn view(&self, path: &Path) -> io::Result<ByteView> {
        OsFileSystem.view(path)
    }

    fn shared_page(&self, path: &Path) -> io::Result<PageHandle> {
        OsFileSystem.shared_page(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsFileSystem.rename(from, to)?;
        self.done(Operation::Rename);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = OsFileSystem.list(path);
        if path.ends_with("wal") {
            self.done(Operation::ListLogs);
        }
        names
    }
}
