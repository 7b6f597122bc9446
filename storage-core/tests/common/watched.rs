//! The system's files, and a test that looks in at a chosen moment.

#![allow(dead_code, reason = "each test file uses its own share of what is common")]

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use storage_core::fs::{Access, ByteView, File, FileSystem, OsFileSystem, PageHandle};

type Hook = Box<dyn FnOnce() + Send>;

/// The system's file system, which calls a test once, right after the next renaming.
#[derive(Default)]
pub(crate) struct WatchedFileSystem {
    renamed: Mutex<Option<Hook>>,
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

    /// Calls `hook` after the next renaming: a manifest was published, and no one was told yet.
    pub(crate) fn after_renaming(&self, hook: impl FnOnce() + Send + 'static) {
        *self.renamed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }
}

impl FileSystem for WatchedFileSystem {
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
        let hook = self.renamed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(hook) = hook {
            hook();
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsFileSystem.list(path)
    }
}
