//! The files of a store: making it, reading its newest manifest.
//!
//! Invariant: state = segments(manifest) + replay(log, lsn > manifest.lsn). Nothing here changes a file
//! except under the write lock, and no file is changed after its name was published, but the log.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;

use super::indexing::BUILD_LOCK;
use super::locks::Locks;
use super::unfinished::Maker;
use crate::control::Control;
use crate::fs::{Access, FileSystem};
use crate::history::{Era, History, HistoryFile};
use crate::manifest::{HistoryEntry, Manifest};
use crate::options::{OpenOptions, StoreConfig};
use crate::segment::Segment;
use crate::state::{Part, State, TypeTable};
use crate::sync;
use crate::tombstones::Tombstones;
use crate::wal::{self, End, Log, LogHeader};
use crate::{Error, Result};

/// How often an opening starts over because files are missing that the newest manifest needs.
const OPEN_ATTEMPTS: u32 = 20;
/// What it waits longer each time.
const OPEN_PAUSE: Duration = Duration::from_millis(1);

/// Where a store lives.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) fs: Arc<dyn FileSystem>,
    pub(super) dir: PathBuf,
    pub(super) access: Access,
    pub(super) control: Control,
    /// Poisonings of the store when this handle opened it.
    pub(super) poisonings: u64,
    pub(super) timeout: Duration,
    /// `None` when read-only.
    pub(super) locks: Option<Locks>,
    /// Open segments by id, so that a new manifest maps only what is new in it.
    segments: DashMap<u64, Weak<Segment>>,
}

/// A handle's own position in the files.
#[derive(Debug)]
pub(super) struct Position {
    pub(super) manifest: Manifest,
    /// The newest generation that was there when this one was read or published: one that can't be read may be
    /// newer than the manifest.
    pub(super) newest: u64,
    /// The manifest's segments, with what was dead at its LSN.
    pub(super) base: Vec<Part>,
    pub(super) log: Log,
    /// Bytes of the logs before it that the manifest needs: a flush ended them that did not succeed, or goes on.
    pub(super) older_bytes: u64,
    /// What a recovery discarded from the end of the log: bytes that were never acknowledged.
    pub(super) discarded_bytes: u64,
    /// Whether an error left the log elsewhere than the state that is shown: then both start over from
    /// the manifest.
    pub(super) adrift: bool,
}

impl Position {
    /// Goes on in the log that comes after the current one.
    pub(super) fn go_on_in(&mut self, log: Log) {
        // A log that recovery made holds all that the manifest needs, once more.
        let is_copy = log.header().start_lsn <= self.manifest.lsn.saturating_add(1);
        self.older_bytes = if is_copy { 0 } else { self.tail_bytes() };
        self.log = log;
    }

    /// Bytes of the logs that the manifest needs: what a flush takes in, and opening replays.
    pub(super) fn tail_bytes(&self) -> u64 {
        self.older_bytes + self.log.bytes()
    }
}

pub(super) fn segment_path(dir: &Path, id: u64) -> PathBuf {
    dir.join("seg").join(format!("{id:020}.seg"))
}

/// A random number that no other store or log has: from the clock, the address space and the process.
pub(super) fn random_bytes() -> [u8; 16] {
    use std::hash::{BuildHasher, Hasher};
    let mut out = [0; 16];
    for half in out.chunks_exact_mut(8) {
        // Each RandomState is keyed by the operating system's random source.
        let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        hasher.write_u128(since.as_nanos());
        half.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    out
}

impl Disk {
    /// Opens or creates the store in a directory; returns where it is, and its newest state.
    pub(super) fn open(
        fs: Arc<dyn FileSystem>,
        dir: &Path,
        options: &OpenOptions,
    ) -> Result<(Self, Position, State)> {
        let names = match fs.list(dir) {
            Ok(names) => {
                check_local(&*fs, dir, options)?;
                names
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if !options.create || options.read_only {
                    return Err(not_found(dir, options));
                }
                check_local(&*fs, dir, options)?;
                fs.create_dir_all(dir).map_err(|e| Error::io("create", dir, e))?;
                Vec::new()
            }
            Err(error) => return Err(Error::io("list", dir, error)),
        };
        let exists = names.iter().any(|name| Manifest::generation_of(name).is_some());
        if !exists {
            check_unused(dir, &names)?;
            if !options.create || options.read_only {
                interrupted_creation(&*fs, dir)?;
                return Err(not_found(dir, options));
            }
        }
        let mut disk = Self::attach(fs, dir, options)?;
        if !exists {
            disk.create(options)?;
        }
        disk.poisonings = disk.control.poisonings();
        let (position, state) = disk.while_files_go(|| disk.try_open(options))?;
        Ok((disk, position, state))
    }

    /// Loads the newest state, and brings it to the end of the log.
    fn try_open(&self, options: &OpenOptions) -> Result<(Position, State)> {
        let (mut position, mut state) = self.try_load()?;
        state.config = Arc::new(options.config.of_stored(&state.config)?);
        if self.access == Access::ReadWrite {
            if self.control.generation() != position.newest {
                // The page names a generation once its name is durable; a creation may have failed
                // between the two.
                self.sync_names()?;
            }
            state = self.settle(&mut position, state)?;
        } else {
            let (followed, end) = self.follow(&mut position, state)?;
            state = followed;
            // Left in place: a writer will discard it, or is just about to finish it.
            if let End::Torn { discarded_bytes, .. } = end {
                position.discarded_bytes = discarded_bytes;
            }
        }
        Ok((position, state))
    }

    fn attach(fs: Arc<dyn FileSystem>, dir: &Path, options: &OpenOptions) -> Result<Self> {
        let mut locks = None;
        let control = if options.read_only {
            Control::private()
        } else {
            locks = Some(Locks::open(&*fs, dir)?);
            let path = dir.join("CONTROL");
            let page = fs.shared_page(&path).map_err(|e| Error::io("map", &path, e))?;
            Control::shared(page)
        };
        let access = if options.read_only { Access::Read } else { Access::ReadWrite };
        Ok(Self {
            fs,
            dir: dir.to_owned(),
            access,
            control,
            poisonings: 0,
            timeout: options.timeout,
            locks,
            segments: DashMap::new(),
        })
    }

    /// Makes an empty store: its manifest comes last, so a crash leaves none or all of it.
    fn create(&self, options: &OpenOptions) -> Result<()> {
        let _lock = self.write_lock()?;
        if !Manifest::list(&*self.fs, &self.dir)?.is_empty() {
            return Ok(()); // Another process was first.
        }
        for name in ["wal", "seg"] {
            let path = self.dir.join(name);
            self.fs.create_dir_all(&path).map_err(|e| Error::io("create", &path, e))?;
        }
        // Else power loss could keep the manifest's name and not theirs.
        self.sync_names()?;
        sync_names_above(&*self.fs, &self.dir)?;
        self.remove_interrupted_creation()?;
        let store = random_bytes();
        Log::create(&*self.fs, &self.dir, header(store, 1, 1, 0))?;
        let manifest = Manifest {
            store: format!("{:032x}", u128::from_be_bytes(store)),
            generation: 1,
            lsn: 0,
            commit_time: 0.0,
            log: 1,
            next_number: 0,
            next_segment: 1,
            types: Vec::new(),
            config: options.config.of_new(),
            segments: Vec::new(),
            retention: options.retention.unwrap_or_default(),
            history_start: Era::default(),
            history: Vec::new(),
        };
        manifest.publish(&*self.fs, &self.dir)?;
        self.control.set_newest_lsn(0);
        self.control.set_generation(1);
        Ok(())
    }

    /// Removes what a creation that a crash cut short may have left.
    fn remove_interrupted_creation(&self) -> Result<()> {
        for path in interrupted_creation(&*self.fs, &self.dir)? {
            self.fs.remove(&path).map_err(|e| Error::io("remove", &path, e))?;
        }
        Ok(())
    }

    /// Makes the names in the store's directory survive power loss.
    pub(super) fn sync_names(&self) -> Result<()> {
        self.fs.sync_dir(&self.dir).map_err(|e| Error::io("sync", &self.dir, e))
    }

    // ---- reading ---------------------------------------------------------------------------------

    /// Reads the newest manifest of a store and replays the log behind it.
    pub(super) fn load(&self, store: &[u8; 16]) -> Result<(Position, State)> {
        let (position, state) = self.while_files_go(|| self.try_load())?;
        if state.store != *store {
            // The directory was exchanged while the store was open.
            let uuid = |store: &[u8; 16]| format!("store {:032x}", u128::from_be_bytes(*store));
            return Err(Error::corrupt(&self.dir, 0, uuid(store), uuid(&state.store)));
        }
        Ok((position, state))
    }

    /// Starts over as long as files go that were just named: flushes elsewhere publish newer manifests and
    /// remove what this one's names.
    ///
    /// Where no newer manifest comes, a file is indeed missing: that is tried a few times only, and then damage.
    fn while_files_go<T>(&self, load: impl Fn() -> Result<T>) -> Result<T> {
        let mut attempt = 0;
        loop {
            let newest = Manifest::list(&*self.fs, &self.dir)?.first().copied();
            match load() {
                Err(Error::Io { source, path, .. }) if source.kind() == ErrorKind::NotFound => {
                    if attempt + 1 == OPEN_ATTEMPTS {
                        return Err(Error::corrupt(
                            &path,
                            0,
                            "a file that the manifest names",
                            "none",
                        ));
                    }
                    sync::sleep(OPEN_PAUSE * attempt);
                    if Manifest::list(&*self.fs, &self.dir)?.first().copied() == newest {
                        attempt += 1;
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// As [`Self::load`]; who holds the write lock gets to a clean end of the log.
    pub(super) fn load_as(&self, store: &[u8; 16], locked: bool) -> Result<(Position, State)> {
        let (mut position, mut state) = self.load(store)?;
        if locked {
            state = self.catch_up_locked(&mut position, state)?;
        }
        Ok((position, state))
    }

    fn try_load(&self) -> Result<(Position, State)> {
        let generations = Manifest::list(&*self.fs, &self.dir)?;
        let newest = generations.first().copied();
        let mut first_error = None;
        for generation in generations {
            // An older manifest serves as well as the newest where the log from it on is whole; if it
            // is not, what is wrong with the newest is the better thing to tell.
            match self.load_generation(generation) {
                Ok((mut position, state)) => {
                    if first_error.is_some() {
                        // Segments that only the newest one names are still open elsewhere, perhaps.
                        let next = self.highest_segment()?.map_or(0, |id| id + 1);
                        position.manifest.next_segment = position.manifest.next_segment.max(next);
                    }
                    position.newest = position.newest.max(newest.unwrap_or(0));
                    return Ok((position, state));
                }
                Err(error @ Error::Io { .. }) => return Err(first_error.unwrap_or(error)),
                // What a later version made of the store is not to be lost by what an earlier one goes on from.
                Err(error) if error.is_of_another_version() => return Err(error),
                Err(error) => first_error = Some(first_error.unwrap_or(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| Error::NotFound {
            path: self.dir.clone(),
            read_only: self.access == Access::Read,
        }))
    }

    fn load_generation(&self, generation: u64) -> Result<(Position, State)> {
        let path = Manifest::path(&self.dir, generation);
        let manifest = Manifest::read(&*self.fs, &self.dir, generation)?;
        let store = manifest.store_uuid(&path)?;
        let mut state = State::empty(store, Arc::new(manifest.config.clone()))?;
        state.epoch = manifest.lsn;
        state.commit_time = manifest.commit_time;
        state.next_number = manifest.next_number;
        state.types = Arc::new(TypeTable::from_names(manifest.types.iter().cloned()));
        for entry in &manifest.segments {
            let segment = self.segment(entry.id, &store, &manifest.config)?;
            if segment.id() != entry.id || segment.byte_len() as u64 != entry.bytes {
                let expected = format!("segment {} of {} bytes", entry.id, entry.bytes);
                let found = format!("segment {} of {} bytes", segment.id(), segment.byte_len());
                return Err(Error::corrupt(segment.path(), 32, expected, found));
            }
            let part = match entry.tombstones {
                None => Part::new(segment),
                Some(lsn) => {
                    let dead = Tombstones::read(&*self.fs, &self.dir, &store, entry.id, lsn)?;
                    Part::with_tombstones(segment, dead)?
                }
            };
            state.parts.push(part);
        }
        state.history = self.open_history(&manifest, &store)?;
        let log = self.open_log(manifest.log, store)?.ok_or_else(|| {
            let path = wal::log_path(&self.dir, manifest.log);
            Error::corrupt(&path, 0, "a log's header", "none")
        })?;
        let base = state.parts.clone();
        let newest = manifest.generation;
        let mut position = Position {
            manifest,
            newest,
            base,
            log,
            older_bytes: 0,
            discarded_bytes: 0,
            adrift: false,
        };
        let state = self.follow_chain(&mut position, state)?;
        let reached = position.log.newest_lsn();
        if reached < state.epoch {
            // The log that a manifest names goes on from where it is: bytes that pass their checksums may lie.
            let expected = format!("transactions up to {}, which the manifest has", state.epoch);
            let path = position.log.path();
            return Err(Error::corrupt(
                path,
                position.log.bytes(),
                expected,
                format!("up to {reached}"),
            ));
        }
        Ok((position, state))
    }

    fn open_history(&self, manifest: &Manifest, store: &[u8; 16]) -> Result<History> {
        let mut files = Vec::with_capacity(manifest.history.len());
        for entry in &manifest.history {
            files.push(Arc::new(self.history_file(entry, store)?));
        }
        let (retention, start) = (manifest.retention, manifest.history_start);
        Ok(History { retention, start, files, ..History::default() })
    }

    /// Opens a history file that a manifest names.
    pub(super) fn history_file(
        &self,
        entry: &HistoryEntry,
        store: &[u8; 16],
    ) -> Result<HistoryFile> {
        let file = HistoryFile::open(&*self.fs, &self.dir, store, entry.id)?;
        if file.byte_len() as u64 != entry.bytes {
            let expected = format!("a file of {} bytes", entry.bytes);
            let found = format!("{} bytes", file.byte_len());
            return Err(Error::corrupt(file.path(), 80, expected, found));
        }
        Ok(file)
    }

    /// The number of the manifest to publish after one: no name that was there is used again, since others may
    /// go by what it stood for.
    pub(super) fn next_generation(&self, after: &Manifest) -> Result<u64> {
        let newest = Manifest::list(&*self.fs, &self.dir)?.first().copied().unwrap_or(0);
        Ok(newest.max(after.generation) + 1)
    }

    fn highest_segment(&self) -> Result<Option<u64>> {
        let path = self.dir.join("seg");
        let names = self.fs.list(&path).map_err(|e| Error::io("list", &path, e))?;
        Ok(names.iter().filter_map(|name| name.split_once('.')?.0.parse().ok()).max())
    }

    pub(super) fn segment(
        &self,
        id: u64,
        store: &[u8; 16],
        config: &StoreConfig,
    ) -> Result<Arc<Segment>> {
        if let Some(open) = self.segments.get(&id).and_then(|weak| weak.upgrade()) {
            return Ok(open);
        }
        let path = segment_path(&self.dir, id);
        let segment = Arc::new(Segment::open(&*self.fs, &path, store, config)?);
        self.look_for_ann(&segment);
        self.remember(&segment);
        Ok(segment)
    }

    /// Takes a segment's index for approximate search, if there is one: without it, vectors are scanned.
    pub(super) fn look_for_ann(&self, segment: &Segment) {
        if segment.wants_ann() {
            // What can't be opened now, the next look finds.
            segment.look_for_ann(&*self.fs).ok();
        }
    }

    /// Keeps a segment findable while it is in use.
    pub(super) fn remember(&self, segment: &Arc<Segment>) {
        self.segments.retain(|_, weak| weak.strong_count() > 0);
        self.segments.insert(segment.id(), Arc::downgrade(segment));
    }

    /// How many segments are in memory, for whomever.
    #[cfg(all(modelled, test))]
    pub(super) fn open_segments(&self) -> usize {
        self.segments.iter().filter(|weak| weak.strong_count() > 0).count()
    }

    pub(super) fn open_log(&self, number: u64, store: [u8; 16]) -> Result<Option<Log>> {
        Log::open(&*self.fs, &self.dir, number, store, self.access)
    }
}

pub(super) fn header(store: [u8; 16], number: u64, start_lsn: u64, cut_lsn: u64) -> LogHeader {
    let salt = u64::from_le_bytes(random_bytes()[..8].try_into().expect("eight of sixteen bytes"));
    LogHeader { store_uuid: store, number, salt, start_lsn, cut_lsn }
}

/// Makes the names of a directory, and of all that it is in, survive power loss: whoever made any of them may have died
/// before it did so.
pub(super) fn sync_names_above(fs: &dyn FileSystem, dir: &Path) -> Result<()> {
    let mut parents = dir.ancestors().filter_map(Path::parent);
    parents.try_for_each(|parent| sync_names_in(fs, parent))
}

fn sync_names_in(fs: &dyn FileSystem, parent: &Path) -> Result<()> {
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    match fs.sync_dir(parent) {
        // Whoever made a directory where this user may not read, or nothing can be written or synced, has to see to
        // its name.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::InvalidInput
                    | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        outcome => outcome.map_err(|e| Error::io("sync", parent, e)),
    }
}

/// Refuses to write where several machines may: what keeps writers apart works on one only.
fn check_local(fs: &dyn FileSystem, dir: &Path, options: &OpenOptions) -> Result<()> {
    if options.read_only || options.allow_network {
        return Ok(());
    }
    let here = Path::new(".");
    let mut places = dir.ancestors().map(|at| if at.as_os_str().is_empty() { here } else { at });
    // Of a directory that is to be made, the one that it will be in tells.
    let kind = places.find_map(|place| fs.network_kind(place).ok());
    match kind.flatten() {
        Some(kind) => Err(Error::NetworkFileSystem { path: dir.to_owned(), kind }),
        None => Ok(()),
    }
}

fn not_found(dir: &Path, options: &OpenOptions) -> Error {
    Error::NotFound { path: dir.to_owned(), read_only: options.read_only }
}

/// What a creation that a crash cut short may have left: an empty first log, nothing else.
///
/// Anything more is a store that lost its manifest, and not to be touched.
fn interrupted_creation(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<PathBuf>> {
    let lost = |found: String| {
        Err(Error::corrupt(dir, 0, "a manifest beside the store's other files", found))
    };
    let list = |path: &Path| match fs.list(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        names => names.map_err(|e| Error::io("list", path, e)),
    };
    if let Some(name) = list(&dir.join("seg"))?.first() {
        return lost(format!("seg/{name} and no manifest"));
    }
    if list(&wal::log_dir(dir))?.is_empty() {
        return Ok(Vec::new());
    }
    let mut empty = Vec::new();
    for number in wal::list_logs(fs, dir)? {
        let path = wal::log_path(dir, number);
        let file = fs.open(&path, Access::Read);
        let len = file.and_then(|file| file.len()).map_err(|e| Error::io("read", &path, e))?;
        if number != 1 || len > wal::EMPTY_LOG_BYTES {
            return lost(format!("wal/{number} of {len} bytes and no manifest"));
        }
        empty.push(path);
    }
    Ok(empty)
}

/// A directory without a manifest may hold an interrupted creation, and nothing else.
fn check_unused(dir: &Path, names: &[String]) -> Result<()> {
    let ours = |name: &str| {
        matches!(name, "LOCK" | "LEASE" | "CONTROL" | BUILD_LOCK | "wal" | "seg")
            || name == Maker::Repair.mark()
            || name
                .strip_prefix("manifest-")
                .is_some_and(|rest| rest.strip_suffix(".tmp").is_some())
    };
    match names.iter().find(|name| !ours(name)) {
        Some(found) => Err(Error::NotAStore { path: dir.to_owned(), found: found.clone() }),
        None => Ok(()),
    }
}

#[cfg(all(test, not(modelled)))]
mod tests {
    use super::*;
    use crate::fs::SimulatedFileSystem;
    use crate::{Concept, GraphStore};

    #[test]
    fn a_manifest_ahead_of_its_log_is_damage_and_the_one_before_serves() {
        let fs = SimulatedFileSystem::new();
        let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
        let dir = Path::new("store");
        let open = |read_only| {
            let options = OpenOptions { read_only, background: false, ..OpenOptions::default() };
            GraphStore::open_with(Arc::clone(&shared), dir, options)
        };
        let store = open(false).expect("made");
        store.put_concept(Concept::new("a", "b")).expect("written");
        drop(store);
        let mut manifest = Manifest::read(&fs, dir, 1).expect("sound");
        (manifest.generation, manifest.lsn) = (2, 7);
        manifest.publish(&fs, dir).expect("published");
        let store = open(false).expect("the one before serves");
        store.put_concept(Concept::new("c", "d")).expect("goes on from the log's end");
        drop(store);
        fs.remove(&Manifest::path(dir, 1)).expect("removed");
        for read_only in [false, true] {
            let refused = open(read_only).map(|_| ());
            assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
        }
    }
}
