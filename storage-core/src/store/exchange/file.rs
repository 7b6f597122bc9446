//! The files that exports are written to and imports are read from, as streams.
//!
//! Invariant: what has an export's name is a whole export; until it is, its bytes have another name.

use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

use crate::fs::{Access, File, FileSystem};
use crate::store::disk::random_bytes;
use crate::{Error, Result};

/// Bytes that are read or written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// What a file's name ends in, behind its own and a number, until it is whole.
const UNFINISHED: &str = ".unfinished";
/// Digits of that number.
const NUMBER_DIGITS: usize = 32;
/// Attempts to make a file that no one takes for a leftover before its lock is held.
const ATTEMPTS: u32 = 10;

/// A file that gets its name once it is whole. Until then its lock tells it from what was left by a process
/// that died.
pub(super) struct NewFile<'a> {
    fs: &'a dyn FileSystem,
    path: &'a Path,
    temporary: PathBuf,
    file: Box<dyn File>,
    buffer: Vec<u8>,
    written: u64,
}

impl<'a> NewFile<'a> {
    pub(super) fn create(fs: &'a dyn FileSystem, path: &'a Path) -> Result<Self> {
        let Some(name) = path.file_name() else {
            return Err(Error::InvalidArgument {
                name: "path",
                expected: "a file's".to_owned(),
                found: path.display().to_string(),
            });
        };
        remove_leftovers(fs, path);
        let mut attempts = ATTEMPTS;
        loop {
            let mut temporary = name.to_owned();
            let number = u128::from_le_bytes(random_bytes());
            temporary.push(format!(".{number:0NUMBER_DIGITS$x}{UNFINISHED}"));
            let temporary = path.with_file_name(temporary);
            let file = fs.create_new(&temporary).map_err(|e| Error::io("create", &temporary, e))?;
            // Another export to the path may have come in between. Where nothing can be locked, it removes
            // nothing either.
            let is_taken = match file.try_lock() {
                Ok(locked) => !locked,
                Err(_) => fs.open(&temporary, Access::Read).is_err(),
            };
            attempts -= 1;
            if !is_taken || attempts == 0 {
                return Ok(Self { fs, path, temporary, file, buffer: Vec::new(), written: 0 });
            }
        }
    }

    /// Gives the file its name, in place of one that has it; once this returns, it survives power loss.
    pub(super) fn finish(mut self) -> Result<()> {
        let finished = self.name();
        if finished.is_err() {
            self.discard();
        }
        finished
    }

    fn name(&mut self) -> Result<()> {
        let Self { fs, path, temporary, .. } = self;
        let (fs, path, temporary) = (*fs, *path, temporary.clone());
        self.flush().map_err(|e| Error::io("write", &temporary, e))?;
        self.file.sync_data().map_err(|e| Error::io("sync", &temporary, e))?;
        fs.rename(&temporary, path).map_err(|e| Error::io("rename", &temporary, e))?;
        let parent = parent(path);
        fs.sync_dir(parent).map_err(|e| Error::io("sync", parent, e))
    }

    /// Removes what was written; that it failed matters more than that this may fail, too.
    pub(super) fn discard(self) {
        self.fs.remove(&self.temporary).ok();
    }
}

/// Removes what exports to a path left that ended before they were whole: what has such a name and is locked by
/// no one.
///
/// That a folder can't be listed, or something in it not be removed, keeps no one from writing beside it.
fn remove_leftovers(fs: &dyn FileSystem, path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    for found in fs.list(parent(path)).unwrap_or_default() {
        let number = found
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('.').and_then(|rest| rest.strip_suffix(UNFINISHED)));
        let is_ours = number.is_some_and(|number| {
            number.len() == NUMBER_DIGITS && number.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if is_ours {
            let left = path.with_file_name(found);
            let Ok(file) = fs.open(&left, Access::ReadWrite) else { continue };
            if file.try_lock().is_ok_and(|is_free| is_free) {
                // With its lock held: who just made it finds out by that.
                fs.remove(&left).ok();
            }
        }
    }
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

impl Write for NewFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// A file, read front to back.
pub(super) struct OldFile {
    file: Box<dyn File>,
    buffer: Vec<u8>,
    used: usize,
    at: u64,
}

impl OldFile {
    pub(super) fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self> {
        let file = fs.open(path, Access::Read).map_err(|e| Error::io("open", path, e))?;
        Ok(Self { file, buffer: Vec::new(), used: 0, at: 0 })
    }
}

impl Read for OldFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(out)?;
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for OldFile {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.buffer.len() {
            self.buffer.resize(BUFFER_BYTES, 0);
            let filled = self.file.read_at(&mut self.buffer, self.at);
            self.buffer.truncate(*filled.as_ref().unwrap_or(&0));
            self.used = 0;
            self.at += filled? as u64;
        }
        Ok(&self.buffer[self.used..])
    }

    fn consume(&mut self, len: usize) {
        self.used = (self.used + len).min(self.buffer.len());
    }
}
