//! A file system that reads each file whole to the heap, once, and writes nothing.
//!
//! For stores that came from elsewhere. Invariant: a file and a directory are what they were when they
//! were first looked at, so what was verified is what is used; all files together have at most a given
//! number of bytes.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Access, ByteView, File, FileSystem, PageHandle};

/// Another file system, read to the heap.
#[derive(Debug)]
pub(crate) struct HeapFileSystem {
    inner: Arc<dyn FileSystem>,
    max_bytes: u64,
    read: Mutex<Held>,
}

/// What was read so far.
#[derive(Debug, Default)]
struct Held {
    files: HashMap<PathBuf, ByteView>,
    directories: HashMap<PathBuf, Vec<String>>,
    bytes: u64,
    refused: Option<Refused>,
}

/// A file that was one too many.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) path: PathBuf,
    /// Bytes that were read before, and its own.
    pub(crate) bytes: u64,
}

impl HeapFileSystem {
    pub(crate) fn new(inner: Arc<dyn FileSystem>, max_bytes: u64) -> Self {
        Self { inner, max_bytes, read: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all files that were read.
    pub(crate) fn bytes(&self) -> u64 {
        self.held().bytes
    }

    /// The file that would have exceeded the limit, if one did.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.held().refused.clone()
    }

    fn bytes_of(&self, path: &Path) -> io::Result<ByteView> {
        let mut held = self.held();
        if let Some(bytes) = held.files.get(path) {
            return Ok(bytes.clone());
        }
        let file = self.inner.open(path, Access::Read)?;
        let len = file.len()?;
        let bytes = held.bytes.saturating_add(len);
        if bytes > self.max_bytes {
            held.refused = Some(Refused { path: path.to_owned(), bytes });
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more bytes than allowed"));
        }
        let mut words = vec![0_u64; (len as usize).div_ceil(8)];
        let buffer = &mut zerocopy::IntoBytes::as_mut_bytes(words.as_mut_slice())[..len as usize];
        let filled = file.read_at(buffer, 0)?;
        let view = ByteView::from_words(words, filled);
        held.bytes = bytes;
        held.files.insert(path.to_owned(), view.clone());
        Ok(view)
    }
}

fn read_only<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "an untrusted store is only read"))
}

impl FileSystem for HeapFileSystem {
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn create_new(&self, _: &Path) -> io::Result<Box<dyn File>> {
        read_only()
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        match access {
            Access::Read => Ok(Box::new(HeapFile(self.bytes_of(path)?))),
            Access::ReadWrite => read_only(),
        }
    }

    fn view(&self, path: &Path) -> io::Result<ByteView> {
        // An index that leads away from what is similar is no damage that anyone could find.
        if path.extension().is_some_and(|extension| extension == "ann") {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.bytes_of(path)
    }

    fn shared_page(&self, _: &Path) -> io::Result<PageHandle> {
        read_only()
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut held = self.held();
        if let Some(names) = held.directories.get(path) {
            return Ok(names.clone());
        }
        let names = self.inner.list(path)?;
        held.directories.insert(path.to_owned(), names.clone());
        Ok(names)
    }
}

#[derive(Debug)]
struct HeapFile(ByteView);

impl File for HeapFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let found = &self.0[start..];
        let len = found.len().min(buffer.len());
        buffer[..len].copy_from_slice(&found[..len]);
        Ok(len)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        read_only()
    }

    fn sync_data(&self) -> io::Result<()> {
        read_only()
    }

    fn try_lock(&self) -> io::Result<bool> {
        read_only()
    }

    fn unlock(&self) -> io::Result<()> {
        read_only()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::SimulatedFileSystem;

    #[test]
    fn files_stay_as_they_were_first_read() {
        let under = SimulatedFileSystem::new();
        let path = Path::new("store/file");
        under.set_bytes(path, vec![1, 2, 3]);
        let heap = HeapFileSystem::new(Arc::new(under.clone()), 5);
        assert_eq!(&*heap.view(path).expect("within the limit"), [1, 2, 3]);
        under.set_bytes(path, vec![4; 100]);
        let file = heap.open(path, Access::Read).expect("it was read before");
        let mut buffer = [0; 5];
        assert_eq!(file.read_at(&mut buffer, 1).expect("on the heap"), 2);
        assert_eq!(buffer, [2, 3, 0, 0, 0]);
        assert_eq!(file.read_at(&mut buffer, 9).expect("beyond the end"), 0);
        assert_eq!(heap.bytes(), 3);
    }

    #[test]
    fn one_byte_too_many_is_refused_and_named() {
        let under = SimulatedFileSystem::new();
        under.set_bytes(Path::new("store/a"), vec![0; 3]);
        under.set_bytes(Path::new("store/b"), vec![0; 3]);
        let heap = HeapFileSystem::new(Arc::new(under), 5);
        heap.view(Path::new("store/a")).expect("within the limit");
        assert!(heap.refused().is_none());
        assert!(heap.view(Path::new("store/b")).is_err());
        let refused = heap.refused().expect("it was refused");
        assert_eq!((refused.path.as_path(), refused.bytes), (Path::new("store/b"), 6));
    }
}
