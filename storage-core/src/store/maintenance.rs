//! What runs behind the commits: syncs that are due, flushes, compaction.
//!
//! A flush moves the log's tail into a segment; compaction merges segments. Both publish a manifest
//! that changes how the state is kept, not what it is, and both hold the lease, so one process at a
//! time does either. Invariant: only rows that were dead at the manifest's own LSN are left out, so a
//! deletion that power loss takes back takes nothing with it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::disk::{Disk, Position, header, segment_path};
use super::{Shared, Writer};
use crate::manifest::{Manifest, SegmentEntry, replace_leftover};
use crate::segment::{Identity, MergeInput, MergeTarget, merge};
use crate::state::{Part, State};
use crate::tombstones::Tombstones;
use crate::wal::{self, Log};
use crate::{Error, Result};

/// Adjacent segments of a size class that are merged into one.
const COMPACTION_FAN_IN: usize = 4;
/// A tail of this many times the flush size holds up further commits.
const BACKPRESSURE_FACTOR: u64 = 4;
/// At closing, a tail smaller than this is left to be replayed.
const SMALL_TAIL_BYTES: u64 = 256 << 10;
/// How long commits wait for room before they go on all the same.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What the background thread is to do, and whether it is there.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    signals: Arc<Signals>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Signals {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wanted {
    running: bool,
    stop: bool,
    flush: bool,
    tail_bytes: u64,
    limit_bytes: u64,
    sync_due: Option<Instant>,
    last_sync: Option<Instant>,
    /// Why the last flush or compaction failed; cleared by one that succeeds.
    last_error: Option<String>,
}

impl Signals {
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maintenance {
    /// Starts the thread; it ends when the handle is closed.
    pub(super) fn start(shared: &Arc<Shared>) {
        let signals = Arc::clone(&shared.maintenance.signals);
        signals.lock().running = true;
        let weak = Arc::downgrade(shared);
        let thread = std::thread::Builder::new()
            .name("sutra-maintenance".to_owned())
            .spawn(move || run(&signals, &weak));
        match thread {
            Ok(thread) => {
                let mut slot =
                    shared.maintenance.thread.lock().unwrap_or_else(PoisonError::into_inner);
                *slot = Some(thread);
            }
            // Without a thread the commits do its work themselves.
            Err(_) => shared.maintenance.signals.lock().running = false,
        }
    }

    pub(super) fn stop(&self) {
        self.signals.lock().stop = true;
        self.signals.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic in it was a bug; what it did not finish, the next opening does.
            thread.join().ok();
        }
    }

    /// Notes how long the log's tail is.
    pub(super) fn note_tail(&self, tail_bytes: u64, flush_bytes: u64) {
        let mut wanted = self.signals.lock();
        wanted.tail_bytes = tail_bytes;
        wanted.limit_bytes = flush_bytes.saturating_mul(BACKPRESSURE_FACTOR);
        if tail_bytes > flush_bytes && !wanted.flush {
            wanted.flush = true;
            self.signals.changed.notify_all();
        }
    }

    /// Sees to it that what is committed is synced within an interval.
    pub(super) fn sync_within(&self, interval: Duration) {
        let mut wanted = self.signals.lock();
        if wanted.sync_due.is_none() {
            wanted.sync_due = Some(Instant::now() + interval);
            self.signals.changed.notify_all();
        }
    }

    /// Holds a writer up while the tail is far too long; without a thread, does the work here.
    pub(super) fn wait_for_room(&self, shared: &Shared) {
        let mut wanted = self.signals.lock();
        if !wanted.running {
            let due = wanted.sync_due.is_some_and(|due| due <= Instant::now());
            let flush = std::mem::take(&mut wanted.flush);
            drop(wanted);
            if due {
                shared.background_sync();
            }
            if flush {
                shared.background_maintain();
            }
            return;
        }
        let deadline = Instant::now() + LONGEST_WAIT;
        while wanted.running
            && wanted.last_error.is_none()
            && wanted.tail_bytes > wanted.limit_bytes
            && Instant::now() < deadline
        {
            let pause = Duration::from_millis(100);
            let (guard, _) = self
                .signals
                .changed
                .wait_timeout(wanted, pause)
                .unwrap_or_else(PoisonError::into_inner);
            wanted = guard;
        }
    }

    pub(super) fn last_error(&self) -> Option<String> {
        self.signals.lock().last_error.clone()
    }
}

fn run(signals: &Signals, shared: &Weak<Shared>) {
    loop {
        let (sync, flush) = {
            let mut wanted = signals.lock();
            loop {
                if wanted.stop {
                    wanted.running = false;
                    signals.changed.notify_all();
                    return;
                }
                let now = Instant::now();
                let sync = wanted.sync_due.is_some_and(|due| due <= now);
                if sync || wanted.flush {
                    break (sync, std::mem::take(&mut wanted.flush));
                }
                let pause = wanted.sync_due.map_or(Duration::from_hours(1), |due| due - now);
                let waited = signals.changed.wait_timeout(wanted, pause);
                wanted = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        };
        let Some(shared) = shared.upgrade() else { return };
        if sync {
            shared.background_sync();
        }
        if flush {
            shared.background_maintain();
        }
    }
}

impl Shared {
    fn background_sync(&self) {
        {
            let mut wanted = self.maintenance.signals.lock();
            wanted.sync_due = None;
            wanted.last_sync = Some(Instant::now());
        }
        // A failed sync has poisoned the store: every later write says so.
        if let Err(error) = self.sync_newest() {
            self.maintenance.signals.lock().last_error = Some(error.to_string());
        }
    }

    fn background_maintain(&self) {
        let outcome = self.maintain();
        let mut wanted = self.maintenance.signals.lock();
        wanted.last_error = outcome.err().map(|error| error.to_string());
        drop(wanted);
        self.maintenance.signals.changed.notify_all();
    }

    /// Flushes, and compacts while there is something to compact; leaves it to the lease's holder.
    fn maintain(&self) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let Some(_lease) = disk.try_lease()? else { return Ok(()) };
        self.flush_leased(disk)?;
        while !self.is_closed() {
            let Some(run) = self.choose_compaction() else { break };
            self.compact_leased(disk, run)?;
        }
        Ok(())
    }

    pub(super) fn flush_now(&self) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let _lease = self.lease(disk)?;
        self.flush_leased(disk)
    }

    pub(super) fn compact_now(&self) -> Result<()> {
        let Some(disk) = &self.disk else { return self.compact_memory() };
        let _lease = self.lease(disk)?;
        self.flush_leased(disk)?;
        let (count, dead) = {
            let writer = self.writer();
            let base = &position(&writer).base;
            let dead = base.iter().any(|p| !p.dead_rows.is_empty() || !p.dead_edges.is_empty());
            (base.len(), dead)
        };
        if count > 1 || dead {
            self.compact_leased(disk, 0..count)?;
        }
        Ok(())
    }

    /// Compacts and drops the previous generation, so that no file holds what was deleted.
    pub(super) fn purge_now(&self) -> Result<()> {
        self.compact_now()?;
        let Some(disk) = &self.disk else { return Ok(()) };
        let _lease = self.lease(disk)?;
        let manifest = self.manifest();
        disk.remove_unneeded(&manifest, None);
        disk.check_removed(&manifest)
    }

    /// The manifest that this handle goes by.
    pub(super) fn manifest(&self) -> Manifest {
        position(&self.writer()).manifest.clone()
    }

    fn compact_memory(&self) -> Result<()> {
        let writer = self.writer();
        let mut state = State::clone(&self.state.load());
        state.merge_all()?;
        self.show(state);
        drop(writer);
        Ok(())
    }

    pub(super) fn lease<'a>(&self, disk: &'a Disk) -> Result<super::disk::Lease<'a>> {
        if self.options.read_only {
            return Err(Error::ReadOnly { path: disk.dir.clone() });
        }
        let deadline = Instant::now() + disk.timeout;
        loop {
            if let Some(lease) = disk.try_lease()? {
                return Ok(lease);
            }
            if Instant::now() >= deadline {
                let pid = disk.control.writer_pid();
                return Err(Error::Locked { path: disk.dir.clone(), pid });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    // ---- flush -------------------------------------------------------------------------------------

    pub(super) fn flush_leased(&self, disk: &Disk) -> Result<()> {
        let Some(begun) = self.begin_flush(disk)? else { return Ok(()) };
        let outcome = self.finish_flush(disk, &begun);
        let mut writer = self.writer();
        writer.pinned = 0;
        let bytes = position(&writer).log.bytes();
        drop(writer);
        self.maintenance.note_tail(bytes, self.options.flush_bytes);
        outcome
    }

    /// Ends the current log at the newest transaction; what is in it is then to be flushed.
    fn begin_flush(&self, disk: &Disk) -> Result<Option<Begun>> {
        let mut writer = self.writer();
        disk.check_not_poisoned()?;
        let lock = if writer.keeps_lock { None } else { Some(disk.write_lock()?) };
        self.adopt_newest(disk, &mut writer)?;
        self.catch_up_as_writer(disk, &mut writer)?;
        let state = self.state.load_full();
        let position = writer.position.as_mut().expect("a store on disk has a position");
        if position.manifest.lsn == state.epoch {
            return Ok(None);
        }
        let logs = wal::list_logs(&*disk.fs, &disk.dir)?;
        let number = logs.last().copied().unwrap_or(0).max(position.log.header().number) + 1;
        let header = header(state.store, number, state.epoch + 1, state.epoch);
        let fresh = Log::create(&*disk.fs, &disk.dir, header)?;
        disk.note_sync(position.log.seal(number))?;
        position.log = fresh;
        let begun = Begun {
            files: position.base.len(),
            base: position.base.clone(),
            previous: position.manifest.clone(),
            log: number,
            state: Arc::clone(&state),
        };
        writer.pinned = state.epoch;
        drop(lock);
        Ok(Some(begun))
    }

    fn finish_flush(&self, disk: &Disk, begun: &Begun) -> Result<()> {
        let state = &begun.state;
        let mut manifest = begun.previous.clone();
        manifest.generation += 1;
        manifest.lsn = state.epoch;
        manifest.commit_time = state.commit_time;
        manifest.log = begun.log;
        manifest.next_number = state.next_number;
        manifest.types = state.types.names().map(ToString::to_string).collect();
        manifest.config = (*state.config).clone();

        let memory = &state.parts[begun.files..];
        let merged = match memory {
            [] => None,
            parts => Some(write_segment(disk, state, parts, &mut manifest)?),
        };
        let mut base = Vec::with_capacity(begun.files + 1);
        for (at, part) in state.parts[..begun.files].iter().enumerate() {
            let before = &begun.base[at];
            if part.dead_rows.len() != before.dead_rows.len()
                || part.dead_edges.len() != before.dead_edges.len()
            {
                let dead = Tombstones {
                    rows: (*part.dead_rows).clone(),
                    edges: (*part.dead_edges).clone(),
                };
                let id = part.segment.id();
                dead.write(&*disk.fs, &disk.dir, &state.store, id, manifest.lsn)?;
                manifest.segments[at].tombstones = Some(manifest.lsn);
            }
            base.push(part.clone());
        }
        base.extend(merged.clone().map(Part::new));
        publish(disk, &manifest)?;

        let mut writer = self.writer();
        let current = self.state.load_full();
        let replaced = begun.files..state.parts.len();
        let replacement = merged.map(Part::new);
        self.replace(disk, &mut writer, &current, &state.parts, replaced, replacement, &manifest)?;
        let position = writer.position.as_mut().expect("a store on disk has a position");
        if position.manifest.generation == manifest.generation {
            position.base = base;
        }
        drop(writer);
        disk.remove_unneeded(&manifest, Some(&begun.previous));
        Ok(())
    }

    /// Puts a merged part in the place of those it was made of, and what died since dead in it.
    #[expect(clippy::too_many_arguments, reason = "the two ends of one swap, named one by one")]
    fn replace(
        &self,
        disk: &Disk,
        writer: &mut Writer,
        current: &State,
        before: &[Part],
        range: std::ops::Range<usize>,
        replacement: Option<Part>,
        manifest: &Manifest,
    ) -> Result<()> {
        let same = current.parts.len() >= range.end
            && before[..range.end]
                .iter()
                .zip(&current.parts)
                .all(|(a, b)| Arc::ptr_eq(&a.segment, &b.segment));
        let next = if same {
            let mut next = State::clone(current);
            let mut replacement = replacement;
            if let Some(part) = &mut replacement {
                for at in range.clone() {
                    carry_deaths(&before[at], &current.parts[at], part)?;
                }
            }
            next.parts.splice(range, replacement);
            let position = writer.position.as_mut().expect("a store on disk has a position");
            position.manifest = manifest.clone();
            next
        } else {
            // This handle started over from a manifest in between.
            let (position, next) = disk.load()?;
            writer.position = Some(position);
            next
        };
        self.show(next);
        disk.control.set_generation(manifest.generation);
        Ok(())
    }

    /// Starts over from a manifest that another process published.
    fn adopt_newest(&self, disk: &Disk, writer: &mut Writer) -> Result<()> {
        let newest = Manifest::list(&*disk.fs, &disk.dir)?.first().copied();
        if newest.is_none_or(|newest| newest <= position(writer).manifest.generation) {
            return Ok(());
        }
        let (position, state) = disk.load()?;
        writer.changes = super::commit::Changes::from_epoch(state.epoch);
        writer.position = Some(position);
        self.show(state);
        Ok(())
    }

    /// Like [`Self::adopt_newest`], for a reader whose memory holds what others have flushed.
    pub(super) fn adopt_if_flushed(&self, disk: &Disk, writer: &mut Writer) -> Result<()> {
        let behind = disk.control.generation() > position(writer).manifest.generation;
        if behind && writer.pinned == 0 { self.adopt_newest(disk, writer) } else { Ok(()) }
    }

    // ---- compaction ----------------------------------------------------------------------------------

    /// The segments that are worth merging now: the newest few of a size, or one that is mostly dead.
    fn choose_compaction(&self) -> Option<std::ops::Range<usize>> {
        let writer = self.writer();
        let base = &position(&writer).base;
        let smallest = self.options.flush_bytes.max(1);
        let class = |part: &Part| {
            let mut class = 0;
            let mut bytes = smallest.saturating_mul(2);
            while part.segment.byte_len() as u64 > bytes {
                bytes = bytes.saturating_mul(COMPACTION_FAN_IN as u64);
                class += 1;
            }
            class
        };
        let top = base.iter().map(class).max()?;
        for limit in 0..=top {
            let count = base.iter().rev().take_while(|part| class(part) <= limit).count();
            if count >= COMPACTION_FAN_IN {
                return Some(base.len() - count..base.len());
            }
        }
        let mostly_dead = |part: &Part| {
            let all = u64::from(part.segment.rows()) + u64::from(part.segment.edges());
            (part.dead_rows.len() + part.dead_edges.len()) * 3 > all
        };
        base.iter().position(mostly_dead).map(|at| at..at + 1)
    }

    fn compact_leased(&self, disk: &Disk, run: std::ops::Range<usize>) -> Result<()> {
        let (base, previous, state) = {
            let writer = self.writer();
            let position = position(&writer);
            (position.base.clone(), position.manifest.clone(), self.state.load_full())
        };
        let mut manifest = previous.clone();
        manifest.generation += 1;
        let inputs = &base[run.clone()];
        let live = inputs.iter().any(Part::has_live);
        let merged = if live {
            let mut entries = manifest.segments.split_off(run.start);
            let after = entries.split_off(run.len());
            let merged = write_segment(disk, &state, inputs, &mut manifest)?;
            manifest.segments.extend(after);
            Some(merged)
        } else {
            manifest.segments.drain(run.clone());
            None
        };
        publish(disk, &manifest)?;

        let mut writer = self.writer();
        let current = self.state.load_full();
        let replacement = merged.clone().map(Part::new);
        self.replace(
            disk,
            &mut writer,
            &current,
            &base,
            run.clone(),
            replacement.clone(),
            &manifest,
        )?;
        let position = writer.position.as_mut().expect("a store on disk has a position");
        if position.manifest.generation == manifest.generation {
            position.base.splice(run, replacement);
        }
        drop(writer);
        disk.remove_unneeded(&manifest, Some(&previous));
        Ok(())
    }

    // ---- closing -------------------------------------------------------------------------------------

    pub(super) fn save_at_close(&self, disk: &Disk) -> Result<()> {
        disk.check_not_poisoned()?;
        let tail = position(&self.writer()).log.bytes();
        if tail > SMALL_TAIL_BYTES
            && let Some(_lease) = disk.try_lease()?
        {
            self.flush_leased(disk)?;
        }
        self.sync_newest()
    }
}

/// A flush between its two steps.
struct Begun {
    /// Parts of the state that are in files.
    files: usize,
    /// Those parts with what was dead at the previous manifest's LSN.
    base: Vec<Part>,
    previous: Manifest,
    /// The log that goes on after the flushed one.
    log: u64,
    state: Arc<State>,
}

fn position(writer: &Writer) -> &Position {
    writer.position.as_ref().expect("a store on disk has a position")
}

/// Merges parts into a new segment file and enters it into a manifest.
fn write_segment(
    disk: &Disk,
    state: &State,
    parts: &[Part],
    manifest: &mut Manifest,
) -> Result<Arc<crate::segment::Segment>> {
    let id = manifest.next_segment;
    manifest.next_segment += 1;
    let path = segment_path(&disk.dir, id);
    replace_leftover(&*disk.fs, &path)?;
    let inputs: Vec<MergeInput<'_>> = parts
        .iter()
        .map(|part| MergeInput {
            segment: &part.segment,
            dead_rows: &part.dead_rows,
            dead_edges: &part.dead_edges,
        })
        .collect();
    let lsns = || parts.iter().map(|part| part.segment.identity());
    let identity = Identity {
        store: state.store,
        id,
        first_lsn: lsns().map(|i| i.first_lsn).min().unwrap_or(0),
        last_lsn: lsns().map(|i| i.last_lsn).max().unwrap_or(0),
    };
    let target = MergeTarget::File { fs: &*disk.fs, path };
    let segment = Arc::new(merge(&inputs, &target, &identity, &state.config, state.hasher)?);
    disk.remember(&segment);
    let bytes = segment.byte_len() as u64;
    manifest.segments.push(SegmentEntry { id, tombstones: None, bytes });
    Ok(segment)
}

/// Syncs the names of new segments, then publishes the manifest and reads it back.
fn publish(disk: &Disk, manifest: &Manifest) -> Result<()> {
    let seg = disk.dir.join("seg");
    disk.fs.sync_dir(&seg).map_err(|e| Error::io("sync", &seg, e))?;
    manifest.publish(&*disk.fs, &disk.dir)?;
    let read = Manifest::read(&*disk.fs, &disk.dir, manifest.generation)?;
    if &read != manifest {
        let path = Manifest::path(&disk.dir, manifest.generation);
        return Err(Error::corrupt(&path, 0, "the manifest that was written", "another"));
    }
    Ok(())
}

/// Marks dead in `merged` what died in a part after the merge had read it.
fn carry_deaths(then: &Part, now: &Part, merged: &mut Part) -> Result<()> {
    if now.dead_rows.len() > then.dead_rows.len() {
        let numbers = now.segment.numbers()?;
        for row in &*now.dead_rows - &*then.dead_rows {
            if let Some(row) = merged.segment.row_of(numbers[row as usize])? {
                merged.kill_row(row)?;
            }
        }
    }
    if now.dead_edges.len() > then.dead_edges.len()
        && let Some(graph) = now.segment.graph()?
    {
        for edge in &*now.dead_edges - &*then.dead_edges {
            let found = graph.edge(edge).map(|edge| crate::operation::EdgeKey {
                source: edge.source,
                target: edge.target,
                type_id: edge.type_id,
            });
            let found = found.map(|key| merged.segment.find_edge(key)).transpose()?.flatten();
            if let Some(edge) = found {
                merged.kill_edge(edge);
            }
        }
    }
    Ok(())
}
