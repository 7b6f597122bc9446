//! A file system in memory that loses, spoils and refuses what a real one may.
//!
//! Invariant: after [`SimulatedFileSystem::crash`] there is what was synced, unchanged; everything
//! else is there, there in part, or not, as the seed has it. Two crashes of one state with one seed
//! are equal.

mod fate;
mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::fate::Fate;
pub use self::fate::{Outcome, Unsynced};
use self::node::Node;
use super::{Access, ByteView, File, FileSystem, PageHandle};

/// A simulated machine's file system. A clone is the same file system, as another process sees it.
///
/// What it is stricter in than most systems: a name, of a directory too, is lost with power until the
/// directory above it is synced, each such change by itself; a file's length, and each 512-byte
/// sector of what was written to it since its last sync, is kept, dropped, torn or garbage; a sync
/// that fails leaves bytes that no later sync writes. What it grants: a rename is whole or lost, and
/// bytes that were synced stay when others of their sector are lost. Files are below 4 GiB; paths are
/// taken from one root, whether absolute or not.
///
/// ```
/// use std::path::Path;
/// use storage_core::fs::{FileSystem, SimulatedFileSystem};
///
/// let fs = SimulatedFileSystem::new();
/// let file = fs.create_new(Path::new("a"))?;
/// file.write_all_at(b"kept", 0)?;
/// file.sync_data()?;
/// fs.sync_dir(Path::new(""))?;
/// file.write_all_at(b"perhaps", 4)?;
/// let rebooted = fs.crash(1);
/// assert!(rebooted.view(Path::new("a"))?.starts_with(b"kept"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct SimulatedFileSystem(Arc<Mutex<World>>);

/// A failure to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// It strikes the first operation that it can strike among those of this number and above; see
    /// [`SimulatedFileSystem::operations`].
    pub operation: u64,
    /// What goes wrong.
    pub kind: FaultKind,
    /// Whether it strikes all later operations too, rather than one.
    pub for_good: bool,
}

/// What goes wrong in an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Any operation fails with EIO and has no effect; a sync loses what it was to write.
    Io,
    /// An operation that needs space fails with ENOSPC and has no effect.
    NoSpace,
    /// A write stops half-way with ENOSPC.
    ShortWrite,
    /// A write takes effect, and fails with EIO all the same.
    LateIo,
    /// A sync of a file reports success and does nothing.
    LostSync,
    /// A sync of a directory reports success and does nothing.
    LostDirectorySync,
}

#[derive(Debug, Default)]
struct World {
    files: BTreeMap<PathBuf, Arc<Node>>,
    directories: BTreeSet<PathBuf>,
    durable_files: BTreeMap<PathBuf, Arc<Node>>,
    durable_directories: BTreeSet<PathBuf>,
    /// Changes of names since the last sync of their directory, oldest first.
    pending: Vec<Change>,
    operations: u64,
    faults: Vec<Fault>,
    handles: u64,
    /// From which operation on copies are kept, and how many more.
    recording: (u64, usize),
    recorded: Vec<Moment>,
    /// Where the last operation left off, if it wrote nothing but zeros.
    zeros_until: Option<(Arc<Node>, u64)>,
}

/// The file system as it was before one operation.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The operation that had not yet begun.
    pub operation: u64,
    /// A copy to be crashed: no lock, fault or shared page went with it.
    pub fs: SimulatedFileSystem,
}

#[derive(Debug, Clone)]
enum Change {
    CreateDirectory(PathBuf),
    Create(PathBuf, Arc<Node>),
    Rename(PathBuf, PathBuf, Arc<Node>),
    Remove(PathBuf),
}

impl Change {
    fn directory(&self) -> &Path {
        let (Self::CreateDirectory(path)
        | Self::Create(path, _)
        | Self::Rename(path, ..)
        | Self::Remove(path)) = self;
        path.parent().unwrap_or(Path::new(""))
    }

    fn describe(&self) -> String {
        match self {
            Self::CreateDirectory(path) => format!("mkdir {}", path.display()),
            Self::Create(path, _) => format!("create {}", path.display()),
            Self::Rename(from, to, _) => format!("rename {} to {}", from.display(), to.display()),
            Self::Remove(path) => format!("remove {}", path.display()),
        }
    }

    fn apply(self, files: &mut BTreeMap<PathBuf, Arc<Node>>, directories: &mut BTreeSet<PathBuf>) {
        match self {
            Self::CreateDirectory(path) => {
                directories.insert(path);
            }
            Self::Create(path, node) => {
                files.insert(path, node);
            }
            Self::Rename(from, to, node) => {
                files.remove(&from);
                files.insert(to, node);
            }
            Self::Remove(path) => {
                files.remove(&path);
            }
        }
    }
}

impl SimulatedFileSystem {
    /// An empty file system, with a root directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is there when the power comes back, had it failed at this moment.
    ///
    /// This file system goes on as if nothing had happened, so one state can be crashed many times.
    /// No lock, fault or shared page survives.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        self.world().crash(&mut Fate::seeded(seed))
    }

    /// As [`SimulatedFileSystem::crash`], with one outcome for all that is unsynced but some things,
    /// named by their place in [`SimulatedFileSystem::unsynced`]. The seed says where a torn thing is
    /// cut and what garbage is there.
    #[must_use]
    pub fn crash_with(&self, most: Outcome, but: &[(usize, Outcome)], seed: u64) -> Self {
        self.world().crash(&mut Fate::listed(most, but, seed))
    }

    /// Everything that power loss may take by itself.
    #[must_use]
    pub fn unsynced(&self) -> Vec<Unsynced> {
        let world = self.world();
        let mut found: Vec<Unsynced> =
            world.pending.iter().map(|change| Unsynced::Name(change.describe())).collect();
        for (path, node) in world.nodes() {
            let content = node.content();
            if content.growth() > 0 {
                found.push(Unsynced::Length(path.clone()));
            }
            for sector in content.unsynced_sectors() {
                let blank = content.is_blank(&sector);
                found.push(Unsynced::Sector { path: path.clone(), offset: sector.start, blank });
            }
        }
        found
    }

    /// Keeps a copy before each of so many operations that may change something, from one of this number
    /// on: a copy for each moment at which the power may fail. Zeros that are written one after another
    /// to the same file count as one operation: torn and shorter lengths stand for a loss between them.
    pub fn record(&self, from: u64, count: usize) {
        let mut world = self.world();
        world.recording = (from, count);
        world.recorded.clear();
    }

    /// Takes the copies that were kept so far.
    #[must_use]
    pub fn recorded(&self) -> Vec<Moment> {
        std::mem::take(&mut self.world().recorded)
    }

    /// The file system as it is now.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.world().copy()
    }

    /// A number that is equal for equal names and bytes, synced or not.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let world = self.world();
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        for (path, node) in &world.files {
            let content = node.content();
            for part in [path.as_os_str().as_encoded_bytes(), &content.bytes] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        for path in &world.directories {
            hasher.update(path.as_os_str().as_encoded_bytes());
            hasher.update(&[0]);
        }
        hasher.digest()
    }

    /// The number of operations tried so far, on the file system and on its files; they are numbered
    /// from 0. Locks are not counted.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    /// Lets something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.world().faults.push(fault);
    }

    /// Lets nothing go wrong any more.
    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// The paths of all files, sorted.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.world().files.keys().cloned().collect()
    }

    /// Puts durable bytes in the place of a file, to damage it or make it; handles that are open keep
    /// the old file. This is no operation, and its directories appear with it.
    ///
    /// # Panics
    /// When the path has a `..`.
    pub fn set_bytes(&self, path: &Path, bytes: Vec<u8>) {
        let path = normal(path).expect("a path without ..");
        let mut world = self.world();
        for above in path.ancestors().skip(1).filter(|above| !is_root(above)) {
            world.directories.insert(above.to_owned());
            world.durable_directories.insert(above.to_owned());
        }
        let node = Arc::new(Node::durable(Arc::new(bytes)));
        world.files.insert(path.clone(), Arc::clone(&node));
        world.durable_files.insert(path, node);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        crate::sync::scheduling_point();
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_node(&self, world: &mut World, node: Arc<Node>, access: Access) -> Box<dyn File> {
        world.handles += 1;
        Box::new(SimulatedFile { fs: self.clone(), node, access, handle: world.handles })
    }
}

/// The kinds of operations, as faults tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Name,
    /// `continues`: zeros after zeros of the operation before.
    Write {
        continues: bool,
    },
    Sync,
    SyncDirectory,
}

impl FaultKind {
    fn strikes(self, operation: Operation) -> bool {
        match self {
            Self::Io => true,
            Self::NoSpace => !matches!(operation, Operation::Read),
            Self::ShortWrite | Self::LateIo => matches!(operation, Operation::Write { .. }),
            Self::LostSync => operation == Operation::Sync,
            Self::LostDirectorySync => operation == Operation::SyncDirectory,
        }
    }

    fn error(self) -> io::Error {
        match self {
            Self::Io | Self::LateIo => io::Error::other("injected input/output error"),
            _ => io::Error::new(io::ErrorKind::StorageFull, "injected: no space left on device"),
        }
    }
}

impl World {
    fn crash(&self, fate: &mut Fate) -> SimulatedFileSystem {
        let mut files = self.durable_files.clone();
        let mut directories = self.durable_directories.clone();
        for change in &self.pending {
            if matches!(fate.outcome(), Outcome::Kept | Outcome::Torn) {
                change.clone().apply(&mut files, &mut directories);
            }
        }
        // What is in a directory goes with it.
        let is_there = |path: &Path| {
            path.ancestors().skip(1).all(|above| is_root(above) || directories.contains(above))
        };
        files.retain(|path, _| is_there(path));
        let kept: BTreeSet<PathBuf> =
            directories.iter().filter(|path| is_there(path)).cloned().collect();
        let images: Vec<(Arc<Node>, Arc<Node>)> = self
            .nodes()
            .into_iter()
            .map(|(_, node)| {
                let image = node.content().after_crash(fate);
                (node, Arc::new(Node::durable(image)))
            })
            .collect();
        replace_nodes(files.values_mut(), &images);
        SimulatedFileSystem(Arc::new(Mutex::new(Self {
            durable_files: files.clone(),
            files,
            durable_directories: kept.clone(),
            directories: kept,
            ..Self::default()
        })))
    }

    /// All files that may be there after a crash, each once, with one of its paths.
    fn nodes(&self) -> Vec<(PathBuf, Arc<Node>)> {
        let pending = self.pending.iter().filter_map(|change| match change {
            Change::Create(path, node) | Change::Rename(_, path, node) => Some((path, node)),
            Change::CreateDirectory(_) | Change::Remove(_) => None,
        });
        let mut found: Vec<(PathBuf, Arc<Node>)> = Vec::new();
        for (path, node) in self.durable_files.iter().chain(pending) {
            if !found.iter().any(|(_, known)| Arc::ptr_eq(known, node)) {
                found.push((path.clone(), Arc::clone(node)));
            }
        }
        found
    }

    fn copy(&self) -> Moment {
        let copies: Vec<(Arc<Node>, Arc<Node>)> = self
            .nodes()
            .into_iter()
            .map(|(_, node)| {
                let copy = Arc::new(node.copy());
                (node, copy)
            })
            .collect();
        let mut world = Self {
            files: self.files.clone(),
            directories: self.directories.clone(),
            durable_files: self.durable_files.clone(),
            durable_directories: self.durable_directories.clone(),
            pending: self.pending.clone(),
            operations: self.operations,
            ..Self::default()
        };
        let pending = world.pending.iter_mut().filter_map(|change| match change {
            Change::Create(_, node) | Change::Rename(_, _, node) => Some(node),
            Change::CreateDirectory(_) | Change::Remove(_) => None,
        });
        let files = world.files.values_mut().chain(world.durable_files.values_mut());
        replace_nodes(files.chain(pending), &copies);
        let fs = SimulatedFileSystem(Arc::new(Mutex::new(world)));
        Moment { operation: self.operations, fs }
    }

    /// Whether a write of zeros goes on where the operation before it ended.
    fn continues_zeros(&mut self, node: &Arc<Node>, bytes: &[u8], offset: u64) -> bool {
        let is_zero = |part: &[u8]| part.iter().fold(0, |all, byte| all | byte) == 0;
        let blank = bytes.chunks(128).all(is_zero);
        let before = self.zeros_until.take();
        self.zeros_until = blank.then(|| (Arc::clone(node), offset + bytes.len() as u64));
        blank && before.is_some_and(|(file, end)| Arc::ptr_eq(&file, node) && end == offset)
    }

    /// Counts an operation, and returns what goes wrong in it.
    fn operate(&mut self, operation: Operation) -> Option<FaultKind> {
        if !matches!(operation, Operation::Read | Operation::Write { .. }) {
            self.zeros_until = None;
        }
        let passed_over =
            matches!(operation, Operation::Read | Operation::Write { continues: true });
        let (from, left) = self.recording;
        if !passed_over && left > 0 && self.operations >= from {
            self.recording.1 -= 1;
            let moment = self.copy();
            self.recorded.push(moment);
        }
        let number = self.operations;
        self.operations += 1;
        let index = self
            .faults
            .iter()
            .position(|fault| fault.operation <= number && fault.kind.strikes(operation))?;
        let fault = self.faults[index];
        if !fault.for_good {
            self.faults.remove(index);
        }
        Some(fault.kind)
    }

    /// Counts an operation that can only succeed or fail.
    fn try_operate(&mut self, operation: Operation) -> io::Result<()> {
        self.operate(operation).map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn change(&mut self, change: Change) {
        self.pending.push(change.clone());
        change.apply(&mut self.files, &mut self.directories);
    }

    fn find(&self, path: &Path) -> io::Result<Arc<Node>> {
        self.files.get(path).cloned().ok_or_else(|| not_found(path))
    }

    fn check_directory(&self, path: &Path) -> io::Result<()> {
        let found = is_root(path) || self.directories.contains(path);
        if found { Ok(()) } else { Err(not_found(path)) }
    }

    fn check_parent(&self, path: &Path) -> io::Result<()> {
        self.check_directory(path.parent().ok_or(io::ErrorKind::IsADirectory)?)
    }
}

impl FileSystem for SimulatedFileSystem {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let path = normal(path)?;
        let mut world = self.world();
        world.try_operate(Operation::Name)?;
        let mut chain: Vec<&Path> = path.ancestors().filter(|path| !is_root(path)).collect();
        chain.reverse();
        for directory in chain {
            if world.files.contains_key(directory) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            if !world.directories.contains(directory) {
                world.change(Change::CreateDirectory(directory.to_owned()));
            }
        }
        Ok(())
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let path = normal(path)?;
        let mut world = self.world();
        world.try_operate(Operation::Name)?;
        world.check_parent(&path)?;
        if world.files.contains_key(&path) || world.directories.contains(&path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = Arc::<Node>::default();
        world.change(Change::Create(path, Arc::clone(&node)));
        Ok(self.open_node(&mut world, node, Access::ReadWrite))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let path = normal(path)?;
        let mut world = self.world();
        world.try_operate(Operation::Read)?;
        let node = world.find(&path)?;
        Ok(self.open_node(&mut world, node, access))
    }

    fn view(&self, path: &Path) -> io::Result<ByteView> {
        let path = normal(path)?;
        let mut world = self.world();
        world.try_operate(Operation::Read)?;
        let node = world.find(&path)?;
        Ok(ByteView::from_bytes(&node.content().bytes))
    }

    fn shared_page(&self, path: &Path) -> io::Result<PageHandle> {
        let path = normal(path)?;
        let mut world = self.world();
        world.try_operate(Operation::Name)?;
        world.check_parent(&path)?;
        if let Ok(node) = world.find(&path) {
            return Ok(node.page());
        }
        let node = Arc::<Node>::default();
        world.change(Change::Create(path, Arc::clone(&node)));
        Ok(node.page())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (normal(from)?, normal(to)?);
        let mut world = self.world();
        world.try_operate(Operation::Name)?;
        if from.parent() != to.parent() {
            // Which of two directories makes such a rename durable is no system's promise.
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        let node = world.find(&from)?;
        world.change(Change::Rename(from, to, node));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = normal(path)?;
        let mut world = self.world();
        world.try_operate(Operation::Name)?;
        world.find(&path)?;
        world.change(Change::Remove(path));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let path = normal(path)?;
        let mut guard = self.world();
        let world = &mut *guard;
        match world.operate(Operation::SyncDirectory) {
            Some(FaultKind::LostDirectorySync) => return Ok(()),
            Some(fault) => return Err(fault.error()),
            None => {}
        }
        world.check_directory(&path)?;
        let (here, elsewhere): (Vec<Change>, Vec<Change>) =
            world.pending.drain(..).partition(|change| change.directory() == path);
        world.pending = elsewhere;
        for change in here {
            change.apply(&mut world.durable_files, &mut world.durable_directories);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let path = normal(path)?;
        let mut world = self.world();
        world.try_operate(Operation::Read)?;
        world.check_directory(&path)?;
        let names = world.files.keys().chain(&world.directories);
        Ok(names
            .filter(|name| name.parent() == Some(&path))
            .filter_map(|name| name.file_name()?.to_str().map(str::to_owned))
            .collect())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    fs: SimulatedFileSystem,
    node: Arc<Node>,
    access: Access,
    handle: u64,
}

impl SimulatedFile {
    fn release(&self) {
        if self.node.content().locked_by == Some(self.handle) {
            self.node.order_memory();
            self.node.content().locked_by = None;
        }
    }
}

impl File for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        self.fs.world().try_operate(Operation::Read)?;
        Ok(self.node.content().bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.fs.world().try_operate(Operation::Read)?;
        let content = self.node.content();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.bytes.len());
        let bytes = &content.bytes[start..];
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.access == Access::Read {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut world = self.fs.world();
        let continues = world.continues_zeros(&self.node, bytes, offset);
        let fault = world.operate(Operation::Write { continues });
        drop(world);
        let written = match fault {
            None | Some(FaultKind::LateIo) => bytes,
            Some(FaultKind::ShortWrite) => &bytes[..bytes.len() / 2],
            Some(_) => &[],
        };
        self.node.content().write(written, offset)?;
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let fault = self.fs.world().operate(Operation::Sync);
        let mut content = self.node.content();
        match fault {
            None => content.sync(),
            Some(FaultKind::LostSync) => {}
            Some(fault) => {
                content.fail_sync();
                return Err(fault.error());
            }
        }
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        crate::sync::scheduling_point();
        let holder = *self.node.content().locked_by.get_or_insert(self.handle);
        if holder != self.handle {
            return Ok(false);
        }
        self.node.order_memory();
        Ok(true)
    }

    fn unlock(&self) -> io::Result<()> {
        self.release();
        Ok(())
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        self.release();
    }
}

/// Puts other files in the place of those that they were made of.
fn replace_nodes<'a>(
    nodes: impl Iterator<Item = &'a mut Arc<Node>>,
    others: &[(Arc<Node>, Arc<Node>)],
) {
    for node in nodes {
        // A file that is in no list has no way to be there after a crash.
        if let Some((_, other)) = others.iter().find(|(old, _)| Arc::ptr_eq(old, node)) {
            *node = Arc::clone(other);
        }
    }
}

fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))
}

/// The path from the root, by names alone.
fn normal(path: &Path) -> io::Result<PathBuf> {
    let mut names = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::ParentDir => return Err(io::ErrorKind::InvalidInput.into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
