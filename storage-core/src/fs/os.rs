//! The platform's file system.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::map::{FileMap, PAGE_BYTES, PAGE_WORDS, SharedPage};
use super::{Access, ByteView, File, FileSystem, PageHandle};

const COUNTER_BYTES: usize = PAGE_WORDS * size_of::<u64>();
/// What a shared page holds behind its counters.
static ZEROS: [u8; PAGE_BYTES - COUNTER_BYTES] = [0; PAGE_BYTES - COUNTER_BYTES];

/// The file system of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFileSystem;

impl FileSystem for OsFileSystem {
    fn network_kind(&self, path: &Path) -> io::Result<Option<&'static str>> {
        super::network::kind(path)
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| {
            // It is not there yet: what is above it may be, and links among that. What is not will be made as
            // it is written, so that ".." leads back out of it.
            let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            whole.components().fold(PathBuf::new(), |mut place, component| {
                match component {
                    Component::ParentDir => drop(place.pop()),
                    _ => place.push(component),
                }
                place.canonicalize().unwrap_or(place)
            })
        })
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(OsFile::new(file, path)))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let write = access == Access::ReadWrite;
        check_regular(path)?;
        let file = fs::OpenOptions::new().read(true).write(write).open(path)?;
        Ok(Box::new(OsFile::new(file, path)))
    }

    fn view(&self, path: &Path) -> io::Result<ByteView> {
        check_regular(path)?;
        Ok(ByteView::from_map(FileMap::open(&fs::File::open(path)?)?))
    }

    fn shared_page(&self, path: &Path) -> io::Result<PageHandle> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let file = OsFile::new(file, path);
        // Whatever was there, a missing file, one that a crash left short or with holes: these zeros give
        // it its length, and every block of it a place on the disk. Where there is no room, this is an
        // error; a store through the map would be a signal. They lie behind the counters, which others
        // may be changing; a block of the smallest size that there is, 512 bytes, holds some of them.
        file.write_all_at(&ZEROS, COUNTER_BYTES as u64)?;
        Ok(PageHandle(Arc::new(SharedPage::map(&file.file)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // Windows has no handle to sync a directory by; its renames are journalled.
        if cfg!(windows) { Ok(()) } else { fs::File::open(path)?.sync_all() }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            // The store writes ASCII names only; a name that is not Unicode is a stranger's.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// Refuses what is no file, before it is opened: to open a pipe is to wait for whoever writes to it.
fn check_regular(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
}

#[derive(Debug)]
struct OsFile {
    file: fs::File,
    /// By which it was opened.
    path: PathBuf,
}

impl OsFile {
    fn new(file: fs::File, path: &Path) -> Self {
        Self { file, path: path.to_owned() }
    }
}

impl File for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match positioned_read(&self.file, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, offset);
        #[cfg(windows)]
        {
            let mut written = 0;
            while written < bytes.len() {
                let count = std::os::windows::fs::FileExt::seek_write(
                    &self.file,
                    &bytes[written..],
                    offset + written as u64,
                )?;
                written += count;
            }
            Ok(())
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        // On Apple's systems this is F_FULLFSYNC, the only call there that reaches the medium.
        self.file.sync_data()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) if !is_at(&self.file, &self.path)? => {
                self.file.unlock()?;
                Err(io::Error::other(
                    "the lock file was removed, or the store's directory moved or exchanged, while the store \
                     was open; close every handle on it and open it anew",
                ))
            }
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }
}

/// Whether a path still leads to an open file. If not, those who come lock another file, and what this
/// process would write by paths would go to another store.
#[cfg(unix)]
fn is_at(file: &fs::File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let there = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        there => there?,
    };
    let own = file.metadata()?;
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

/// An open file can't be removed there, nor the directories above it be renamed.
#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "as on other platforms")]
fn is_at(_: &fs::File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(unix)]
fn positioned_read(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn positioned_read(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    /// Opens the page at `path`; checks that it is whole, and that its blocks are on the disk.
    fn page(path: &Path) -> PageHandle {
        let page = OsFileSystem.shared_page(path).expect("a page in a directory with room");
        let file = fs::metadata(path).expect("the page has a file");
        assert_eq!(file.len(), PAGE_BYTES as u64);
        #[cfg(target_os = "linux")]
        assert!(std::os::linux::fs::MetadataExt::st_blocks(&file) * 512 >= file.len(), "a hole");
        page
    }

    #[test]
    fn a_shared_page_has_no_hole_whatever_a_crash_left_of_its_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("CONTROL");
        for len in [None, Some(0), Some(20), Some(100), Some(PAGE_BYTES as u64)] {
            if let Some(len) = len {
                let file = fs::File::create(&path).expect("a new file");
                file.set_len(len).expect("a hole of any length");
            }
            assert_eq!(page(&path).0.word(0).load(Ordering::SeqCst), 0);
            fs::remove_file(&path).expect("it was made just now");
        }
    }

    #[test]
    fn opening_a_shared_page_changes_no_counter_that_others_see() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("CONTROL");
        let first = page(&path);
        let counted = |page: &PageHandle| -> Vec<u64> {
            (0..PAGE_WORDS).map(|at| page.0.word(at).load(Ordering::SeqCst)).collect()
        };
        (0..PAGE_WORDS).for_each(|at| first.0.word(at).store(7 + at as u64, Ordering::SeqCst));
        let second = page(&path);
        assert_eq!(counted(&second), counted(&first));
        first.0.word(3).fetch_add(100, Ordering::SeqCst);
        assert_eq!(second.0.word(3).load(Ordering::SeqCst), 110);
    }

    #[test]
    fn a_shared_page_that_lost_its_end_keeps_its_counters() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("CONTROL");
        fs::write(&path, 5_u64.to_le_bytes()).expect("a short file");
        assert_eq!(page(&path).0.word(0).load(Ordering::SeqCst), 5);
    }
}
