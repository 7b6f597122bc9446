//! The store itself: the facade [`GraphStore`], commits, and what runs behind them.

mod access;
mod backup;
mod cleaning;
mod commit;
mod compaction;
mod disk;
mod exchange;
mod expiry;
mod flush;
mod history;
mod indexing;
mod locks;
mod maintenance;
#[cfg(all(modelled, test))]
mod models;
mod namespaces;
mod recovery;
mod repair;
mod snapshot;
mod stats;
mod ticket;
mod transaction;
mod undo;
mod unfinished;
mod untrusted;
mod write;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::fs::{FileSystem, OsFileSystem};
use crate::manifest::Manifest;
use crate::options::{ConfigRequest, Durability, OpenOptions, Retention, StoreConfig};
use crate::scope::DEFAULT_NAMESPACE;
use crate::state::State;
use crate::sync::{self, AtomicBool, Mutex, MutexGuard, Ordering, Published};
use crate::{Error, Result, interrupt};
use commit::Changes;
use disk::{Disk, Position};
pub use exchange::{ExportReport, ImportReport};
pub use history::AsOf;
use maintenance::Maintenance;
use namespaces::Reader;
pub use repair::{Loss, RepairReport, Tally};
pub use snapshot::Snapshot;
pub use stats::{StoreStats, VerifyReport};
pub use ticket::Ticket;
pub use transaction::Transaction;

/// An embedded store of concepts and associations, found by id, vector, words and time.
///
/// A handle may be shared between threads, and any number of handles, in any number of processes, may
/// be open on one store. Reads see the newest committed state and never wait for a writer; a
/// [`Snapshot`] keeps one state.
///
/// # Errors
///
/// What sections on errors refer to; each call tells what else it may fail with.
///
/// - *As for all calls*: [`Error::Closed`] after [`GraphStore::close`]; [`Error::Forked`] in a process that got the
///   handle by a fork. A store on disk may have to follow what other handles committed, which can fail with
///   [`Error::Corrupt`] (also where another store was put in the place of this one), [`Error::Version`],
///   [`Error::Feature`], [`Error::Io`], and [`Error::NotFound`] where the store was removed.
/// - *As for all reads*: as for all calls; [`Error::InvalidId`] for what can be no id; [`Error::Corrupt`] when the
///   bytes read fail their checksum.
/// - *As for all writes*: as for all calls; [`Error::ReadOnly`]; [`Error::Locked`] when another writer keeps the
///   lock for longer than the timeout; [`Error::Interrupted`] while waiting for it; [`Error::Poisoned`];
///   [`Error::Io`] and [`Error::Corrupt`]; [`Error::TransactionTooLarge`]; [`Error::Full`] when it needs a new
///   concept number or association type and none is left; [`Error::InvalidId`], [`Error::InvalidVector`] and
///   [`Error::InvalidArgument`] for what is out of its range, before anything is touched.
/// - *As for all upkeep*: as for all calls; [`Error::ReadOnly`]; [`Error::Locked`] when another flush or compaction,
///   or a writer, takes longer than the timeout; [`Error::Interrupted`]; [`Error::Poisoned`]; [`Error::Io`] and
///   [`Error::Corrupt`].
///
/// # Examples
///
/// ```
/// use storage_core::{Association, Concept, ConfigRequest, Direction, GraphStore, OpenOptions};
///
/// let dir = tempfile::tempdir()?;
/// let config = ConfigRequest { vector_dimension: Some(3), ..ConfigRequest::default() };
/// let options = OpenOptions { config, ..OpenOptions::default() };
/// let store = GraphStore::open(dir.path(), options)?;
/// store.put_concepts(vec![
///     Concept::new("dog", "a domesticated carnivorous mammal").with_vector(vec![1.0, 0.2, 0.0]),
///     Concept::new("mammal", "an animal that nourishes its young with milk"),
/// ])?;
/// store.put_association(Association::new("dog", "mammal").with_type("hypernym"))?;
/// store.close()?;
///
/// let store = GraphStore::open(dir.path(), OpenOptions::default())?;
/// assert_eq!(store.neighbors("dog", Direction::Out)?, ["mammal"]);
/// assert_eq!(store.search_text("milk for young animals", 1)?[0].id, "mammal");
/// assert_eq!(store.vector("dog")?, Some(vec![1.0, 0.2, 0.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GraphStore {
    shared: Arc<Shared>,
    reader: Reader,
    /// Whether the store is closed with this handle: not with one on a namespace.
    is_owner: bool,
}

impl fmt::Debug for GraphStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.load();
        out.debug_struct("GraphStore")
            .field("path", &self.shared.path())
            .field("epoch", &state.epoch)
            .field("concepts", &state.concept_count())
            .field("closed", &self.shared.closed.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// What the handle and its background thread share.
#[derive(Debug)]
struct Shared {
    options: OpenOptions,
    /// The newest state that this handle knows of.
    state: Published<State>,
    /// `None` for a store in memory.
    disk: Option<Disk>,
    writer: Mutex<Writer>,
    maintenance: Maintenance,
    closed: AtomicBool,
    opened_by: u32,
    /// When it was looked for indexes, seconds since the Unix epoch.
    looked_at: std::sync::atomic::AtomicU64,
}

/// What only one thread of the handle may use at a time; no one waits for a lock or a sync with it.
#[derive(Debug)]
struct Writer {
    /// `None` for a store in memory.
    position: Option<Position>,
    changes: Changes,
    /// Parts that begin at or before this LSN are being flushed.
    pinned: u64,
}

impl GraphStore {
    /// Opens the store in a directory, or makes one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a path or options out of their range, before anything is touched;
    /// [`Error::NotFound`] where none is to be made; [`Error::NotAStore`] for a directory that holds anything else;
    /// [`Error::Unfinished`] for what a repair or a backup left that did not end; [`Error::NetworkFileSystem`];
    /// [`Error::OptionMismatch`]; [`Error::Corrupt`], [`Error::Version`], [`Error::Feature`], [`Error::Io`].
    ///
    /// To make the store, to recover it after a crash, to keep its lock (`exclusive`) or to change its retention:
    /// [`Error::Locked`], [`Error::Interrupted`], and [`Error::Poisoned`] when a sync fails.
    /// [`Error::UntrustedTooLarge`] with `untrusted` alone.
    pub fn open(path: impl AsRef<Path>, options: OpenOptions) -> Result<Self> {
        let path = path.as_ref();
        check_path(path)?;
        Self::open_with(Arc::new(OsFileSystem), &OsFileSystem.resolve(path), options)
    }

    /// Opens a store on another file system than the platform's.
    ///
    /// # Errors
    /// As [`GraphStore::open`].
    pub fn open_with(fs: Arc<dyn FileSystem>, path: &Path, options: OpenOptions) -> Result<Self> {
        if options.exclusive && (options.read_only || options.untrusted) {
            return Err(Error::InvalidArgument {
                name: "exclusive",
                expected: "false for a read-only store".to_owned(),
                found: "true".to_owned(),
            });
        }
        check_path(path)?;
        options.config.of_new().validate()?;
        unfinished::check_finished(&*fs, path)?;
        if options.untrusted {
            return Self::open_heap(fs, path, options);
        }
        Self::open_unfinished(fs, path, options)
    }

    /// Opens a store that may bear the mark of one that is not finished.
    fn open_unfinished(fs: Arc<dyn FileSystem>, path: &Path, options: OpenOptions) -> Result<Self> {
        let (disk, position, mut state) = Disk::open(fs, path, &options)?;
        state.changed.clear(); // No transaction of this handle has read anything yet.
        let writer = Writer::new(Some(position), state.epoch);
        if options.exclusive {
            disk.keep_write_lock()?;
        }
        let stored = state.history.retention;
        let asked = options.retention.unwrap_or(stored);
        if options.read_only && asked != stored {
            let (stored, given) = (format!("{stored:?}"), format!("{asked:?}"));
            return Err(Error::OptionMismatch { name: "retention", stored, given });
        }
        let store = Self::start(Some(disk), writer, state, options);
        if asked != stored {
            store.shared.set_retention(asked)?;
        }
        Ok(store)
    }

    /// Makes a store in memory: all of a store but files.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for options out of their range.
    pub fn in_memory(config: impl Into<ConfigRequest>) -> Result<Self> {
        Self::in_memory_with(OpenOptions { config: config.into(), ..OpenOptions::default() })
    }

    /// As [`GraphStore::in_memory`], with all options that mean anything without files.
    ///
    /// # Errors
    /// As there.
    pub fn in_memory_with(options: OpenOptions) -> Result<Self> {
        let mut state = State::empty(disk::random_bytes(), Arc::new(options.config.of_new()))?;
        state.history.retention = options.retention.unwrap_or_default();
        let options = OpenOptions { background: false, ..options };
        Ok(Self::start(None, Writer::new(None, 0), state, options))
    }

    fn start(disk: Option<Disk>, writer: Writer, mut state: State, options: OpenOptions) -> Self {
        state.note_scopes();
        let background = disk.is_some() && options.background && !options.read_only;
        let shared = Arc::new(Shared {
            options,
            state: Published::from_pointee(state),
            disk,
            writer: Mutex::new(writer),
            maintenance: Maintenance::default(),
            closed: AtomicBool::new(false),
            opened_by: std::process::id(),
            looked_at: std::sync::atomic::AtomicU64::new(0),
        });
        if background {
            Maintenance::start(&shared);
        }
        shared.watch_expiry(&shared.state.load());
        Self { shared, reader: Reader::of(DEFAULT_NAMESPACE), is_owner: true }
    }

    /// Makes everything committed so far survive power loss; on return it does.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when a sync fails, or has failed; as for [all calls](GraphStore#errors).
    pub fn save(&self) -> Result<()> {
        self.shared.check_usable()?;
        self.shared.save()
    }

    /// Writes what is in the log's tail to a segment, so that opening need not replay it.
    ///
    /// Happens by itself in the background, too.
    ///
    /// # Errors
    /// As for all [upkeep](GraphStore#errors).
    pub fn flush(&self) -> Result<()> {
        self.shared.check_usable()?;
        self.shared.flush_now()
    }

    /// Deletes what has expired, and rewrites all segments as one, without what is dead.
    ///
    /// # Errors
    /// As for all [writes and upkeep](GraphStore#errors); some of the steps may have been taken.
    pub fn compact(&self) -> Result<()> {
        self.shared.check_usable()?;
        // What is flushed is durable.
        self.shared.delete_expired(Durability::Buffered)?;
        self.shared.compact_now()
    }

    /// Builds the indexes for approximate search that are missing, on half of the cores; returns how many. Waits for
    /// those that the background or another process is building.
    ///
    /// It happens by itself in the background. Segments of fewer than 4,096 vectors have none, nor do stores in memory
    /// or for the Euclidean metric: their vectors are scanned.
    /// Each that was built is audited at once, on one thread: [`crate::StoreStats::index_audits`].
    ///
    /// # Errors
    /// As for all [upkeep](GraphStore#errors).
    ///
    /// # Complexity
    /// About 120 µs a vector of 384 components, of one core's time; memory for the index, 300 bytes a vector.
    pub fn index_vectors(&self) -> Result<u64> {
        self.shared.check_usable()?;
        if let (true, Some(disk)) = (self.shared.options.read_only, &self.shared.disk) {
            return Err(Error::ReadOnly { path: disk.dir.clone() });
        }
        self.shared.index_all()
    }

    /// Makes a backup in a new or empty directory, while reads and writes go on; returns the number of
    /// the last transaction in it.
    ///
    /// The backup is a store of its own, durable on return: open it as any other. All of it was compared with
    /// its checksums. One that was cut short is no store, and the next to the same directory takes its place.
    ///
    /// # Errors
    /// [`Error::NotAStore`] when the directory has anything else in it, or another process makes a backup there;
    /// [`Error::InvalidArgument`] for a store in memory, and for a path that is empty or has a NUL, or that leads into
    /// this store's directory or another's, links followed;
    /// [`Error::Corrupt`] when the store is damaged, and then there is no backup; as for all
    /// [upkeep](GraphStore#errors).
    pub fn backup(&self, target: impl AsRef<Path>) -> Result<u64> {
        self.shared.check_usable()?;
        self.shared.backup(target.as_ref())
    }

    /// Saves and closes; a second call does nothing. A handle on a namespace only saves.
    ///
    /// # Errors
    /// What [`GraphStore::save`] can fail with; the handle is closed all the same.
    pub fn close(&self) -> Result<()> {
        if self.is_owner {
            return self.shared.close();
        }
        if self.shared.is_closed() { Ok(()) } else { self.save() }
    }

    /// The state as of now, to be read at leisure.
    ///
    /// # Errors
    /// As for [all calls](GraphStore#errors).
    pub fn snapshot(&self) -> Result<Snapshot> {
        let state = self.shared.newest_state()?;
        self.shared.look_for_indexes(&state);
        Ok(Snapshot::new(self.reader.see(&state)?))
    }

    /// The store as it was at a moment of the past that the retention keeps: vectors, words, associations
    /// and all the rest of one state, words scored with the statistics of that state.
    ///
    /// It shows what had not expired by then: by the commit of the epoch, the newest one too, or by the time. So
    /// a moment reads the same before and after the deletion of what has expired since. The state as of now,
    /// [`GraphStore::snapshot`], shows nothing that has expired.
    ///
    /// # Errors
    /// [`Error::BeyondRetention`] for a moment that is not kept; [`Error::InvalidArgument`] for an epoch
    /// that is yet to come, and for a time that is NaN; [`Error::Corrupt`] when what is read of the past fails its
    /// checksum; as for [all calls](GraphStore#errors).
    ///
    /// # Complexity
    /// Linear in what was written since, and in what history files hold from before: read several things
    /// from one snapshot.
    pub fn snapshot_as_of(&self, moment: AsOf) -> Result<Snapshot> {
        let whole = self.shared.state_as_of(moment)?;
        let then = match moment {
            AsOf::Time(time) => time,
            AsOf::Epoch(_) => whole.commit_time,
        };
        Ok(Snapshot::new(self.reader.see_past(&whole, then)?))
    }

    /// Deletes all that has expired, whatever its namespace, to give its space back; returns how many
    /// concepts and associations that were.
    ///
    /// Reads pass over what has expired at once. A store with a background thread deletes it by itself about
    /// a second later, one without with the next write.
    ///
    /// # Errors
    /// As for [all writes](GraphStore#errors); some may have been deleted.
    pub fn delete_expired(&self) -> Result<u64> {
        self.shared.check_usable()?;
        self.shared.delete_expired(self.shared.options.durability)
    }

    /// How long the past is kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.shared.state.load().history.retention
    }

    /// Keeps the past for another time from now on, in this handle and all others.
    ///
    /// # Errors
    /// As for all [upkeep](GraphStore#errors).
    pub fn set_retention(&self, retention: Retention) -> Result<()> {
        self.shared.check_usable()?;
        self.shared.set_retention(retention)
    }

    /// Takes the last transaction back by another one, which survives power loss once this returns;
    /// returns that one's number. Taking this one back restores what it took back.
    ///
    /// With an `expected` number it is taken back only if that is still the last. Transactions that only
    /// delete what has expired, as the background does, are passed over, and nothing that has expired comes
    /// back. A handle on a namespace takes back only what was done in it; the store's own, whatever was last.
    ///
    /// # Errors
    /// [`Error::NotLast`] when another transaction is the last, or it was in another namespace;
    /// [`Error::BeyondRetention`] when the store does not keep what was before; as for
    /// [all writes](GraphStore#errors).
    pub fn undo(&self, expected: Option<u64>) -> Result<u64> {
        self.shared.check_usable()?;
        self.shared.undo(self.namespace_name(), expected)
    }

    /// Begins a transaction; see [`Transaction`].
    ///
    /// # Errors
    /// As [`GraphStore::snapshot`].
    pub fn transaction(&self) -> Result<Transaction<'_>> {
        Ok(Transaction::new(self, self.snapshot()?))
    }

    /// The options that are fixed for this store.
    #[must_use]
    pub fn config(&self) -> StoreConfig {
        StoreConfig::clone(&self.shared.state.load().config)
    }

    /// The store's directory; `None` in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.shared.path()
    }
}

/// Refuses a place within, or around, a store's own directory, and one within any other store's.
fn check_apart(fs: &dyn FileSystem, name: &'static str, place: &Path, own: &Path) -> Result<()> {
    if place.starts_with(own) || own.starts_with(place) {
        return Err(not_apart(name, place, own));
    }
    check_outside(fs, name, place)
}

/// Refuses a place within a store's directory, whose names are the store's alone.
fn check_outside(fs: &dyn FileSystem, name: &'static str, place: &Path) -> Result<()> {
    let is_store = |dir: &&Path| Manifest::list(fs, dir).is_ok_and(|found| !found.is_empty());
    match place.ancestors().skip(1).find(is_store) {
        Some(store) => Err(not_apart(name, place, store)),
        None => Ok(()),
    }
}

fn not_apart(name: &'static str, place: &Path, store: &Path) -> Error {
    Error::InvalidArgument {
        name,
        expected: format!("apart from the directory of the store {}", store.display()),
        found: place.display().to_string(),
    }
}

/// Refuses what names no directory: joined with a file's name, an empty path is the current directory's.
fn check_path(path: &Path) -> Result<()> {
    let refuse = |expected: &str, found| {
        Err(Error::InvalidArgument { name: "path", expected: expected.to_owned(), found })
    };
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() {
        return refuse("a directory's (the current one is \".\")", "empty".to_owned());
    }
    if bytes.contains(&0) {
        return refuse(
            "free of NUL characters",
            format!("{}", path.display()).escape_debug().to_string(),
        );
    }
    Ok(())
}

/// Refuses a directory that has anything in it, where a new store is to be.
fn check_empty(fs: &dyn FileSystem, target: &Path) -> Result<()> {
    match fs.list(target) {
        Ok(names) => match names.first() {
            Some(first) => {
                let is_store = names.iter().any(|name| Manifest::generation_of(name).is_some());
                let found = if is_store { "a store" } else { first }.to_owned();
                Err(Error::NotAStore { path: target.to_owned(), found })
            }
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("list", target, error)),
    }
}

impl Drop for GraphStore {
    fn drop(&mut self) {
        // Dropping can't report; whoever wants to know calls close() first.
        if self.is_owner {
            self.shared.close().ok();
        }
    }
}

impl Writer {
    fn new(position: Option<Position>, epoch: u64) -> Self {
        Self { position, changes: Changes::from_epoch(epoch), pinned: 0 }
    }

    fn position(&self) -> &Position {
        self.position.as_ref().expect("a store on disk has a position")
    }

    fn position_mut(&mut self) -> &mut Position {
        self.position.as_mut().expect("a store on disk has a position")
    }
}

impl Shared {
    fn path(&self) -> Option<&Path> {
        self.disk.as_ref().map(|disk| disk.dir.as_path())
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic while it was held is a bug; the log tells what was committed all the same.
        sync::lock(&self.writer)
    }

    fn check_usable(&self) -> Result<()> {
        self.check_process()?;
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        Ok(())
    }

    /// The newest committed state, other processes' commits included.
    fn newest_state(&self) -> Result<Arc<State>> {
        self.check_usable()?;
        let state = self.state.load_full();
        let Some(disk) = &self.disk else { return Ok(state) };
        if disk.control.is_shared() && disk.control.newest_lsn() <= state.epoch {
            return Ok(state);
        }
        self.catch_up(disk)
    }

    fn close(&self) -> Result<()> {
        if self.opened_by != std::process::id() {
            return Ok(()); // The parent's handle is the parent's to close.
        }
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.maintenance.stop();
        let Some(disk) = &self.disk else { return Ok(()) };
        let save = || interrupt::to_its_end(|| self.save_at_close(disk));
        let saved = if self.options.read_only { Ok(()) } else { save() };
        disk.release_kept_lock();
        saved
    }
}
