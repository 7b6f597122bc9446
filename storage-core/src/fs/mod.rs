//! The file system as the store sees it: the one seam through which every byte is read or written.
//!
//! The store never touches `std::fs` elsewhere, so that a simulated file system can lose, tear and
//! refuse exactly what a real one may. Invariant: nothing here retries or hides an I/O error.

mod byte_view;
mod heap;
mod map;
mod network;
mod os;
mod simulated;
mod tolerant;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

pub use byte_view::ByteView;
pub(crate) use heap::HeapFileSystem;
pub(crate) use map::SharedPage;
pub use os::OsFileSystem;
pub use simulated::{Fault, FaultKind, Moment, Outcome, SimulatedFileSystem, Unsynced};
pub(crate) use tolerant::TolerantFile;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// For reading only; works on a read-only file system.
    Read,
    /// For reading and writing.
    ReadWrite,
}

/// The operations on directories and names that the store relies on.
///
/// A rename replaces its target atomically. A created, renamed or removed name is durable only after
/// [`FileSystem::sync_dir`] of its directory; written bytes only after [`File::sync_data`].
pub trait FileSystem: Debug + Send + Sync + 'static {
    /// Creates a directory and its parents; succeeds when it is there.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Creates a file for reading and writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when the name is taken; any I/O error of the platform.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Opens a file that exists.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it does not exist; any I/O error of the platform.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>>;

    /// The whole of a write-once file, as bytes that stay readable after the name is removed.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    fn view(&self, path: &Path) -> io::Result<ByteView>;

    /// One page of counters that all processes share; what is missing of its file is made, as zeros.
    ///
    /// Storing a counter later needs no space.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    #[doc(hidden)]
    fn shared_page(&self, path: &Path) -> io::Result<PageHandle>;

    /// Renames a file within one directory tree, replacing the target.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it does not exist; any I/O error of the platform.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The names of the files in a directory, in no particular order.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when the directory does not exist; any I/O error of the platform.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// The same place, whatever becomes of the process's current directory and of symbolic links: places are compared
    /// by it. A file system that knows neither has nothing to do.
    fn resolve(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    /// The kind of network file system that a directory is on, if it is known to be on one.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    fn network_kind(&self, path: &Path) -> io::Result<Option<&'static str>> {
        let _ = path;
        Ok(None)
    }
}

/// One open file.
pub trait File: Debug + Send + Sync {
    /// The file's length in bytes.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads at `offset` until `buffer` is full or the file ends; returns the number of bytes read.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`, growing the file where needed.
    ///
    /// # Errors
    /// Any I/O error of the platform; then any part of the bytes may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file's bytes, and the length needed to read them, survive power loss.
    ///
    /// # Errors
    /// Any I/O error of the platform; what was written since the last success may then be lost, and
    /// a retry that succeeds proves nothing.
    fn sync_data(&self) -> io::Result<()>;

    /// Takes the file's exclusive advisory lock if no other open file holds it.
    ///
    /// The lock goes with [`File::unlock`], or with the last open handle, of which a fork makes another.
    ///
    /// # Errors
    /// Any I/O error of the platform, and one where the file's name was removed meanwhile: others would
    /// lock another file.
    fn try_lock(&self) -> io::Result<bool>;

    /// Releases the lock.
    ///
    /// # Errors
    /// Any I/O error of the platform.
    fn unlock(&self) -> io::Result<()>;
}

/// An opened page of shared counters: opaque outside the crate, so that its atomics stay an inner matter.
#[derive(Debug, Clone)]
pub struct PageHandle(pub(crate) std::sync::Arc<SharedPage>);
