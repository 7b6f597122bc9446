//! The files of a store: finding its newest state, following its log, recovering its tail.
//!
//! Invariant: state = segments(manifest) + replay(log, lsn > manifest.lsn). Nothing here changes a file
//! except under the write lock, and no file is changed after its name was published, but the log.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::control::Control;
use crate::fs::{Access, File, FileSystem};
use crate::manifest::Manifest;
use crate::options::{OpenOptions, StoreConfig};
use crate::segment::Segment;
use crate::state::{Frame, Part, State, TypeTable};
use crate::tombstones::Tombstones;
use crate::wal::{self, End, Log, LogHeader};
use crate::{Error, Result};

/// Payload bytes that are gathered before they are applied together.
const REPLAY_BYTES: usize = 8 << 20;
/// How often an opening starts over because files went while it looked for them.
const OPEN_ATTEMPTS: u32 = 20;

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
    /// `LOCK`, whose OS lock is the write lock; `None` when read-only.
    lock: Option<Box<dyn File>>,
    /// `LEASE`, whose OS lock is that of flush and compaction.
    lease: Option<Box<dyn File>>,
    /// The lease among this handle's threads: to the OS lock they are all one.
    leased: Mutex<()>,
    /// Open segments by id, so that a new manifest maps only what is new in it.
    segments: DashMap<u64, Weak<Segment>>,
}

/// A handle's own position in the files.
#[derive(Debug)]
pub(super) struct Position {
    pub(super) manifest: Manifest,
    /// The manifest's segments, with what was dead at its LSN.
    pub(super) base: Vec<Part>,
    pub(super) log: Log,
    /// What a recovery discarded from the end of the log: bytes that were never acknowledged.
    pub(super) discarded_bytes: u64,
}

/// Holds the write lock; gives it back when dropped.
#[derive(Debug)]
pub(super) struct WriteLock<'a>(&'a dyn File);

impl Drop for WriteLock<'_> {
    fn drop(&mut self) {
        // When the system can't release it, the lock goes with the handle; until then others get a
        // typed error that names this process.
        self.0.unlock().ok();
    }
}

/// Holds the lease of flush and compaction; gives it back when dropped, to other processes first.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    _processes: WriteLock<'a>,
    _threads: MutexGuard<'a, ()>,
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
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if !options.create || options.read_only {
                    return Err(Error::NotFound { path: dir.to_owned() });
                }
                create_directory(&*fs, dir)?;
                Vec::new()
            }
            Err(error) => return Err(Error::io("list", dir, error)),
        };
        let exists = names.iter().any(|name| Manifest::generation_of(name).is_some());
        if !exists {
            check_unused(dir, &names)?;
            if !options.create || options.read_only {
                return Err(Error::NotFound { path: dir.to_owned() });
            }
        }
        let mut disk = Self::attach(fs, dir, options)?;
        if !exists {
            disk.create(&options.config)?;
        }
        disk.poisonings = disk.control.poisonings();
        let (mut position, mut state) = disk.load()?;
        state.config.check_same(&options.config)?;
        if options.config.use_compression != state.config.use_compression {
            let mut config = StoreConfig::clone(&state.config);
            config.use_compression = options.config.use_compression;
            state.config = Arc::new(config);
        }
        if disk.access == Access::ReadWrite {
            state = disk.settle(&mut position, state)?;
        } else {
            let (followed, end) = disk.follow(&mut position, state)?;
            state = followed;
            // Left in place: a writer will discard it, or is just about to finish it.
            if let End::Torn { discarded_bytes, .. } = end {
                position.discarded_bytes = discarded_bytes;
            }
        }
        Ok((disk, position, state))
    }

    fn attach(fs: Arc<dyn FileSystem>, dir: &Path, options: &OpenOptions) -> Result<Self> {
        let (mut lock, mut lease) = (None, None);
        let control = if options.read_only {
            Control::private()
        } else {
            lock = Some(open_or_create(&*fs, &dir.join("LOCK"))?);
            lease = Some(open_or_create(&*fs, &dir.join("LEASE"))?);
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
            lock,
            lease,
            leased: Mutex::new(()),
            segments: DashMap::new(),
        })
    }

    /// Makes an empty store: its manifest comes last, so a crash leaves none or all of it.
    fn create(&self, config: &StoreConfig) -> Result<()> {
        config.validate()?;
        let _lock = self.write_lock()?;
        if !Manifest::list(&*self.fs, &self.dir)?.is_empty() {
            return Ok(()); // Another process was first.
        }
        for name in ["wal", "seg"] {
            let path = self.dir.join(name);
            self.fs.create_dir_all(&path).map_err(|e| Error::io("create", &path, e))?;
        }
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
            config: config.clone(),
            segments: Vec::new(),
        };
        manifest.publish(&*self.fs, &self.dir)?;
        self.control.set_newest_lsn(0);
        self.control.set_generation(1);
        Ok(())
    }

    /// Removes what a creation that a crash cut short may have left: an empty first log, nothing else.
    /// Anything more is a store that lost its manifest, and not to be touched.
    fn remove_interrupted_creation(&self) -> Result<()> {
        let lost = |found: String| {
            Err(Error::corrupt(&self.dir, 0, "a manifest beside the store's other files", found))
        };
        let seg = self.dir.join("seg");
        if let Some(name) = self.fs.list(&seg).map_err(|e| Error::io("list", &seg, e))?.first() {
            return lost(format!("seg/{name} and no manifest"));
        }
        for number in wal::list_logs(&*self.fs, &self.dir)? {
            let path = wal::log_path(&self.dir, number);
            let file = self.fs.open(&path, Access::Read);
            let len = file.and_then(|file| file.len()).map_err(|e| Error::io("read", &path, e))?;
            if number != 1 || len > wal::EMPTY_LOG_BYTES {
                return lost(format!("wal/{number} of {len} bytes and no manifest"));
            }
            self.fs.remove(&path).map_err(|e| Error::io("remove", &path, e))?;
        }
        Ok(())
    }

    // ---- locks -----------------------------------------------------------------------------------

    /// Takes the write lock, waiting for at most the timeout.
    pub(super) fn write_lock(&self) -> Result<WriteLock<'_>> {
        let read_only = || Error::ReadOnly { path: self.dir.clone() };
        let file = self.lock.as_deref().ok_or_else(read_only)?;
        let path = self.dir.join("LOCK");
        let mut deadline = None;
        let mut pause = Duration::from_micros(20);
        while !file.try_lock().map_err(|e| Error::io("lock", &path, e))? {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.timeout);
            if Instant::now() >= deadline {
                let pid = self.control.writer_pid();
                return Err(Error::Locked { path: self.dir.clone(), pid });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
        self.control.set_writer_pid(std::process::id());
        Ok(WriteLock(file))
    }

    /// Takes the write lock if no one has it.
    pub(super) fn try_write_lock(&self) -> Option<WriteLock<'_>> {
        let file = self.lock.as_deref()?;
        file.try_lock().is_ok_and(|taken| taken).then_some(WriteLock(file))
    }

    /// Gives back a write lock that was kept beyond its guard.
    pub(super) fn release_write_lock(&self) {
        if let Some(file) = self.lock.as_deref() {
            drop(WriteLock(file));
        }
    }

    /// Takes the lease of flush and compaction, unless another thread or process has it.
    pub(super) fn try_lease(&self) -> Result<Option<Lease<'_>>> {
        let Some(file) = self.lease.as_deref() else { return Ok(None) };
        let threads = match self.leased.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        let path = self.dir.join("LEASE");
        let taken = file.try_lock().map_err(|e| Error::io("lock", &path, e))?;
        Ok(taken.then(|| Lease { _processes: WriteLock(file), _threads: threads }))
    }

    // ---- reading ---------------------------------------------------------------------------------

    /// Reads the newest manifest and replays the log behind it.
    pub(super) fn load(&self) -> Result<(Position, State)> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_load() {
                // A flush elsewhere published a newer manifest and removed what this one names.
                Err(Error::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound && attempt < OPEN_ATTEMPTS => {
                }
                outcome => return outcome,
            }
        }
    }

    fn try_load(&self) -> Result<(Position, State)> {
        let generations = Manifest::list(&*self.fs, &self.dir)?;
        let mut first_error = None;
        for generation in generations {
            // An older manifest serves as well as the newest where the log from it on is whole; if it
            // is not, what is wrong with the newest is the better thing to tell.
            match self.load_generation(generation) {
                Ok(loaded) => return Ok(loaded),
                Err(error @ Error::Io { .. }) => return Err(first_error.unwrap_or(error)),
                Err(error) => first_error = Some(first_error.unwrap_or(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| Error::NotFound { path: self.dir.clone() }))
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
                    Part::with_dead(segment, &dead.rows, dead.edges)?
                }
            };
            state.parts.push(part);
        }
        let log = self.open_log(manifest.log, store)?.ok_or_else(|| {
            let path = wal::log_path(&self.dir, manifest.log);
            Error::corrupt(&path, 0, "a log's header", "none")
        })?;
        let base = state.parts.clone();
        let mut position = Position { manifest, base, log, discarded_bytes: 0 };
        let state = self.follow_chain(&mut position, state)?;
        Ok((position, state))
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
        self.remember(&segment);
        Ok(segment)
    }

    /// Keeps a segment findable while it is in use.
    pub(super) fn remember(&self, segment: &Arc<Segment>) {
        self.segments.retain(|_, weak| weak.strong_count() > 0);
        self.segments.insert(segment.id(), Arc::downgrade(segment));
    }

    fn open_log(&self, number: u64, store: [u8; 16]) -> Result<Option<Log>> {
        Log::open(&*self.fs, &self.dir, number, store, self.access)
    }

    /// Applies what the log has beyond a state; stops at its end, clean or torn.
    pub(super) fn follow(&self, position: &mut Position, mut state: State) -> Result<(State, End)> {
        loop {
            let (next, end) = replay(&mut position.log, state)?;
            state = next;
            let End::Sealed { next } = end else { return Ok((state, end)) };
            position.log = self.open_log(next, state.store)?.ok_or_else(|| {
                let path = wal::log_path(&self.dir, next);
                Error::corrupt(&path, 0, "the log that the seal before names", "no header")
            })?;
        }
    }

    /// Follows the log, and beyond its end the logs that a crash left without a seal before them.
    fn follow_chain(&self, position: &mut Position, mut state: State) -> Result<State> {
        loop {
            let (next, _) = self.follow(position, state)?;
            state = next;
            match self.next_whole_log(position, &state)? {
                NextLog::None => return Ok(state),
                NextLog::Found(log) => position.log = *log,
                NextLog::Gap { number, start_lsn } => {
                    // A writer may have gone on and rotated since this log was read.
                    let epoch = state.epoch;
                    let (next, _) = self.follow(position, state)?;
                    state = next;
                    if state.epoch == epoch {
                        let path = position.log.path();
                        let expected = format!(
                            "transactions up to {}, where log {number} goes on",
                            start_lsn - 1
                        );
                        return Err(Error::corrupt(
                            path,
                            position.log.bytes(),
                            expected,
                            format!("none after {epoch}"),
                        ));
                    }
                }
            }
        }
    }

    /// The next newer log that is whole: it goes on from what the state has, or repeats it.
    fn next_whole_log(&self, position: &Position, state: &State) -> Result<NextLog> {
        let current = position.log.header().number;
        for number in wal::list_logs(&*self.fs, &self.dir)? {
            if number <= current {
                continue;
            }
            let Some(mut log) = self.open_log(number, state.store)? else { continue };
            log.follow(u64::MAX, &mut |_| Ok(()))?;
            let start_lsn = log.header().start_lsn;
            if !log.is_whole() {
                continue; // A recovery that a second crash cut short: the older log still counts.
            }
            if start_lsn > state.epoch + 1 {
                return Ok(NextLog::Gap { number, start_lsn });
            }
            if log.newest_lsn() >= state.epoch
                && let Some(log) = self.open_log(number, state.store)?
            {
                return Ok(NextLog::Found(Box::new(log)));
            }
        }
        Ok(NextLog::None)
    }

    // ---- recovery --------------------------------------------------------------------------------

    /// At opening: if the log's end is torn and no living writer is at it, starts a new log.
    ///
    /// After a failed sync the log's bytes may be in the system's memory and not on the medium, marked
    /// as written: they are written anew, to a new log.
    fn settle(&self, position: &mut Position, state: State) -> Result<State> {
        if self.control.mended() != self.poisonings {
            let _lock = self.write_lock()?;
            let state = self.catch_up_locked(position, state)?;
            if self.control.mended() != self.poisonings {
                self.recover(position, &state)?;
                self.control.set_mended(self.poisonings);
            }
            return Ok(state);
        }
        let (state, end) = self.follow(position, state)?;
        if end == End::Clean {
            let lsn = self.control.newest_lsn();
            let stale =
                lsn != state.epoch || self.control.generation() != position.manifest.generation;
            // Whoever holds the lock puts the page right; if no one gets it now, a commit does.
            if let Some(_lock) = stale.then(|| self.try_write_lock()).flatten() {
                let state = self.catch_up_locked(position, state)?;
                self.control.set_newest_lsn(state.epoch);
                self.control.set_generation(position.manifest.generation);
                return Ok(state);
            }
            return Ok(state);
        }
        let _lock = self.write_lock()?;
        self.catch_up_locked(position, state)
    }

    /// Brings a state up to the end of the log, under the write lock; a torn end is recovered.
    pub(super) fn catch_up_locked(&self, position: &mut Position, state: State) -> Result<State> {
        let (state, end) = self.follow(position, state)?;
        match end {
            End::Clean => Ok(state),
            End::Torn { discarded_bytes, .. } => {
                self.recover(position, &state)?;
                position.discarded_bytes += discarded_bytes;
                Ok(state)
            }
            End::Sealed { .. } => unreachable!("following goes on past a seal"),
        }
    }

    /// Starts a new log with the transactions since the manifest, and seals the torn one before it.
    pub(super) fn recover(&self, position: &mut Position, state: &State) -> Result<()> {
        // The manifest on disk may be newer than this handle's; its log may not be needed any more.
        let generation = Manifest::list(&*self.fs, &self.dir)?.first().copied();
        let manifest = match generation {
            Some(newest) if newest != position.manifest.generation => {
                Manifest::read(&*self.fs, &self.dir, newest)?
            }
            _ => position.manifest.clone(),
        };
        let start_lsn = manifest.lsn + 1;
        let logs = wal::list_logs(&*self.fs, &self.dir)?;
        let number = logs.last().copied().unwrap_or(0).max(position.log.header().number) + 1;
        let header = header(state.store, number, start_lsn, state.epoch.max(manifest.lsn));
        let mut fresh = Log::create(&*self.fs, &self.dir, header)?;
        let mut source = Some(manifest.log);
        while fresh.newest_lsn() < state.epoch {
            let before = fresh.newest_lsn();
            let Some(number) = source else {
                let expected = format!("transactions up to {} in the logs", state.epoch);
                return Err(Error::corrupt(&self.dir, 0, expected, format!("up to {before}")));
            };
            source = logs.iter().copied().find(|&other| other > number);
            if let Some(mut log) = self.open_log(number, state.store)? {
                let end = log.follow(before, &mut |frame| {
                    if frame.lsn == fresh.newest_lsn() + 1 && frame.lsn <= state.epoch {
                        fresh.append(frame.lsn, frame.payload)?;
                    }
                    Ok(())
                })?;
                if let End::Sealed { next } = end {
                    source = Some(next);
                }
            }
        }
        self.note_sync(fresh.group().sync(fresh.newest_lsn()).map(|_| ()))?;
        // The copies were durable before, or are now: damage to them must not pass for a torn tail.
        fresh.mark_synced()?;
        position.log.seal(number)?;
        position.log = fresh;
        Ok(())
    }

    /// Spreads the word of a failed sync to all handles on the store.
    pub(super) fn note_sync(&self, outcome: Result<()>) -> Result<()> {
        if matches!(outcome, Err(Error::Poisoned { .. }))
            && self.control.poisonings() == self.poisonings
        {
            self.control.poison();
        }
        outcome
    }

    pub(super) fn check_not_poisoned(&self) -> Result<()> {
        if self.control.poisonings() == self.poisonings {
            return Ok(());
        }
        let reason = "a handle on it, here or in another process, met the failure".to_owned();
        Err(Error::Poisoned { path: self.dir.clone(), reason })
    }

    // ---- cleaning --------------------------------------------------------------------------------

    /// Removes files that neither the newest manifest nor the one before needs.
    ///
    /// The caller holds the lease. What can't be removed now is removed after a later flush.
    pub(super) fn remove_unneeded(&self, newest: &Manifest, previous: Option<&Manifest>) {
        let kept: Vec<&Manifest> = previous.into_iter().chain([newest]).collect();
        let oldest_log = kept.iter().map(|m| m.log).min().unwrap_or(0);
        let keeps_segment = |id: u64| kept.iter().any(|m| m.segments.iter().any(|s| s.id == id));
        let keeps_tombstones = |id: u64, lsn: u64| {
            kept.iter().any(|m| m.segments.iter().any(|s| s.id == id && s.tombstones == Some(lsn)))
        };
        let mut unneeded = Vec::new();
        for number in wal::list_logs(&*self.fs, &self.dir).unwrap_or_default() {
            if number < oldest_log {
                unneeded.push(wal::log_path(&self.dir, number));
            }
        }
        let seg = self.dir.join("seg");
        for name in self.fs.list(&seg).unwrap_or_default() {
            let needed = match parse_segment_name(&name) {
                Some(SegmentName::Segment(id)) => keeps_segment(id) || id >= newest.next_segment,
                Some(SegmentName::Tombstones(id, lsn)) => keeps_tombstones(id, lsn),
                None => true,
            };
            if !needed {
                unneeded.push(seg.join(name));
            }
        }
        for generation in Manifest::list(&*self.fs, &self.dir).unwrap_or_default() {
            if generation < newest.generation && kept.iter().all(|m| m.generation != generation) {
                unneeded.push(Manifest::path(&self.dir, generation));
            }
        }
        for path in unneeded {
            // A file that can't go now (an open map on some systems) goes after a later flush.
            self.fs.remove(&path).ok();
        }
    }

    /// Reads every log that the manifests need; a tail that is just torn is no damage.
    pub(super) fn verify_logs(&self, store: &[u8; 16], report: &mut super::VerifyReport) {
        for number in wal::list_logs(&*self.fs, &self.dir).unwrap_or_default() {
            report.files += 1;
            let read =
                Log::open(&*self.fs, &self.dir, number, *store, Access::Read).and_then(|log| {
                    log.map_or(Ok(0), |mut log| log.follow(0, &mut |_| Ok(())).map(|_| log.bytes()))
                });
            match read {
                Ok(bytes) => report.bytes += bytes,
                Err(error) => report.damage.push(error),
            }
        }
    }

    /// Fails when a file is left that only earlier generations need.
    pub(super) fn check_removed(&self, newest: &Manifest) -> Result<()> {
        let older_log = |number: &u64| *number < newest.log;
        let log = wal::list_logs(&*self.fs, &self.dir)?.into_iter().find(older_log);
        let manifest = Manifest::list(&*self.fs, &self.dir)?.pop();
        let manifest = manifest.filter(|generation| *generation < newest.generation);
        let left = log
            .map(|number| wal::log_path(&self.dir, number))
            .or(manifest.map(|generation| Manifest::path(&self.dir, generation)));
        if let Some(path) = left {
            let source = std::io::Error::other("it is still there; close other handles, retry");
            return Err(Error::Io { action: "remove", path, source });
        }
        let sync = |path: &Path| self.fs.sync_dir(path).map_err(|e| Error::io("sync", path, e));
        sync(&self.dir)?;
        sync(&self.dir.join("seg"))?;
        sync(&wal::log_dir(&self.dir))
    }
}

/// What comes after the end of a log that has no seal.
enum NextLog {
    None,
    Found(Box<Log>),
    /// A newer log, but not from here on.
    Gap {
        number: u64,
        start_lsn: u64,
    },
}

enum SegmentName {
    Segment(u64),
    Tombstones(u64, u64),
}

fn parse_segment_name(name: &str) -> Option<SegmentName> {
    if let Some(id) = name.strip_suffix(".seg") {
        return id.parse().ok().map(SegmentName::Segment);
    }
    let (id, lsn) = name.strip_suffix(".del")?.split_once('.')?;
    Some(SegmentName::Tombstones(id.parse().ok()?, lsn.parse().ok()?))
}

/// Applies what one log has beyond a state.
fn replay(log: &mut Log, mut state: State) -> Result<(State, End)> {
    let path = log.path().to_owned();
    let mut gathered: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut bytes = 0;
    let apply = |state: &State, gathered: &mut Vec<(u64, Vec<u8>)>| {
        let frames: Vec<Frame<'_>> =
            gathered.iter().map(|(lsn, payload)| Frame { lsn: *lsn, payload }).collect();
        let mut next = state.apply(&frames, &path)?;
        next.tidy(0)?;
        gathered.clear();
        Ok::<_, Error>(next)
    };
    let from = state.epoch;
    let end = log.follow(from, &mut |frame| {
        gathered.push((frame.lsn, frame.payload.to_vec()));
        bytes += frame.payload.len();
        if bytes >= REPLAY_BYTES {
            state = apply(&state, &mut gathered)?;
            bytes = 0;
        }
        Ok(())
    })?;
    if !gathered.is_empty() {
        state = apply(&state, &mut gathered)?;
    }
    Ok((state, end))
}

pub(super) fn header(store: [u8; 16], number: u64, start_lsn: u64, cut_lsn: u64) -> LogHeader {
    let salt = u64::from_le_bytes(random_bytes()[..8].try_into().expect("eight of sixteen bytes"));
    LogHeader { store_uuid: store, number, salt, start_lsn, cut_lsn }
}

/// Creates a directory with its parents, and makes the names of all that are new survive power loss.
pub(super) fn create_directory(fs: &dyn FileSystem, dir: &Path) -> Result<()> {
    let missing: Vec<&Path> = dir
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && fs.list(path).is_err())
        .collect();
    fs.create_dir_all(dir).map_err(|e| Error::io("create", dir, e))?;
    for path in missing.into_iter().rev() {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        fs.sync_dir(parent).map_err(|e| Error::io("sync", parent, e))?;
    }
    Ok(())
}

fn open_or_create(fs: &dyn FileSystem, path: &Path) -> Result<Box<dyn File>> {
    loop {
        match fs.open(path, Access::ReadWrite) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            outcome => return outcome.map_err(|e| Error::io("open", path, e)),
        }
        match fs.create_new(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            outcome => return outcome.map_err(|e| Error::io("create", path, e)),
        }
    }
}

/// A directory without a manifest may hold an interrupted creation, and nothing else.
fn check_unused(dir: &Path, names: &[String]) -> Result<()> {
    let ours = |name: &str| {
        matches!(name, "LOCK" | "LEASE" | "CONTROL" | "wal" | "seg")
            || name
                .strip_prefix("manifest-")
                .is_some_and(|rest| rest.strip_suffix(".tmp").is_some())
    };
    match names.iter().find(|name| !ours(name)) {
        Some(found) => Err(Error::NotAStore { path: dir.to_owned(), found: found.clone() }),
        None => Ok(()),
    }
}
