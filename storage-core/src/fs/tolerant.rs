//! A file that is read as far as the medium delivers it: what it does not deliver reads as zeros.
//!
//! For the repair of a store, where checksums tell the zeros from what was written. Invariant: nothing is
//! written, and no failure is passed over silently.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Access, File, FileSystem};
use crate::Error;

/// What is read at once where a larger read failed.
const PIECE_BYTES: usize = 4096;

/// A file of a damaged store.
#[derive(Debug)]
pub(crate) struct TolerantFile {
    file: Box<dyn File>,
    path: PathBuf,
    len: u64,
    /// The first failure since someone asked.
    failed: Mutex<Option<io::Error>>,
}

impl TolerantFile {
    pub(crate) fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self, Error> {
        let file = fs.open(path, Access::Read).map_err(|e| Error::io("open", path, e))?;
        let len = file.len().map_err(|e| Error::io("read", path, e))?;
        Ok(Self { file, path: path.to_owned(), len, failed: Mutex::default() })
    }

    pub(crate) fn byte_len(&self) -> u64 {
        self.len
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of a range, as many of them as the file has.
    pub(crate) fn bytes(&self, offset: u64, len: usize) -> Vec<u8> {
        let len = len.min(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX));
        let mut bytes = vec![0; len];
        let filled = self.read_at(&mut bytes, offset).unwrap_or(0);
        bytes.truncate(filled);
        bytes
    }

    /// What the medium failed to deliver so far, if anything.
    pub(crate) fn failure(&self) -> Option<Error> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.take().map(|error| Error::io("read", &self.path, error))
    }

    fn note(&self, error: io::Error) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
    }
}

impl File for TolerantFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if let Ok(filled) = self.file.read_at(buffer, offset) {
            return Ok(filled);
        }
        let mut filled = 0;
        for piece in buffer.chunks_mut(PIECE_BYTES) {
            let at = offset + filled as u64;
            let here = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
            let piece_len = piece.len().min(here);
            if piece_len == 0 {
                break;
            }
            if let Err(error) = self.file.read_at(&mut piece[..piece_len], at) {
                piece.fill(0);
                self.note(error);
            }
            filled += piece_len;
        }
        Ok(filled)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }
}
