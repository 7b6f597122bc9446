//! A file system in memory that loses, spoils and refuses what a real one may.
//!
//! Invariant: after [`SimulatedFileSystem::crash`] there is what was synced, unchanged; everything
//! else is there, there in part, or not, as the seed has it. Two crashes of one state with one seed
//! are equal.

mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::node::{Node, Outcome};
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
        let world = self.world();
        let mut fate = Fate::new(seed);
        let mut files = world.durable_files.clone();
        let mut directories = world.durable_directories.clone();
        for change in &world.pending {
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
        let files: BTreeMap<PathBuf, Arc<Node>> = files
            .into_iter()
            .map(|(path, node)| {
                let image = node.content().after_crash(&mut fate);
                (path, Arc::new(Node::durable(image)))
            })
            .collect();
        Self(Arc::new(Mutex::new(World {
            durable_files: files.clone(),
            files,
            durable_directories: kept.clone(),
            directories: kept,
            ..World::default()
        })))
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
        let node = Arc::new(Node::durable(bytes));
        world.files.insert(path.clone(), Arc::clone(&node));
        world.durable_files.insert(path, node);
    }

    fn world(&self) -> MutexGuard<'_, World> {
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
    Write,
    Sync,
    SyncDirectory,
}

impl FaultKind {
    fn strikes(self, operation: Operation) -> bool {
        match self {
            Self::Io => true,
            Self::NoSpace => !matches!(operation, Operation::Read),
            Self::ShortWrite | Self::LateIo => operation == Operation::Write,
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
    /// Counts an operation, and returns what goes wrong in it.
    fn operate(&mut self, operation: Operation) -> Option<FaultKind> {
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
        let mut content = self.node.content();
        if content.locked_by == Some(self.handle) {
            content.locked_by = None;
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
        let fault = self.fs.world().operate(Operation::Write);
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
        let mut content = self.node.content();
        let holder = *content.locked_by.get_or_insert(self.handle);
        Ok(holder == self.handle)
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

/// What a seed has in store: the outcome of everything that was not synced.
#[derive(Debug)]
struct Fate {
    state: u64,
    /// Of 8, how many times each outcome comes: seeds differ in kind, not only in detail.
    weights: [u64; 4],
}

impl Fate {
    fn new(seed: u64) -> Self {
        let mut fate = Self { state: seed, weights: [2, 2, 2, 2] };
        fate.weights = match fate.below(6) {
            0 => [8, 0, 0, 0],
            1 => [0, 8, 0, 0],
            2 => [7, 1, 0, 0],
            3 => [5, 1, 1, 1],
            4 => [1, 7, 0, 0],
            _ => [2, 2, 2, 2],
        };
        fate
    }

    fn outcome(&mut self) -> Outcome {
        let mut drawn = self.below(8);
        let outcomes = [Outcome::Kept, Outcome::Dropped, Outcome::Torn, Outcome::Garbage];
        for (outcome, weight) in outcomes.into_iter().zip(self.weights) {
            if drawn < weight {
                return outcome;
            }
            drawn -= weight;
        }
        unreachable!("the weights add up to 8")
    }

    /// A number below `bound`, by `SplitMix64`; `bound` is small enough for its bias not to matter.
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
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
