//! Flush: the log's tail becomes a segment, and a manifest says so.
//!
//! Invariant: only rows that were dead at the manifest's own LSN are left out of a segment, so a deletion
//! that power loss takes back takes nothing with it; what died since is carried over in memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::commit::now;
use super::disk::{Disk, Position, header, segment_path};
use super::{Shared, Writer};
use crate::history::{HistoryFile, LeftOut, Subject};
use crate::manifest::{Manifest, SegmentEntry, replace_leftover};
use crate::operation::EdgeKey;
use crate::segment::{Beneath, Identity, MergeInput, MergeTarget, Segment, merge};
use crate::state::{Ending, Part, State};
use crate::tombstones::Tombstones;
use crate::wal::{self, Log};
use crate::{Error, Result};

/// At closing, a tail smaller than this is left to be replayed.
const SMALL_TAIL_BYTES: u64 = 64 << 10;

impl Shared {
    pub(super) fn flush_now(&self) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let _lease = disk.lease()?;
        self.flush_leased(disk)
    }

    pub(super) fn flush_leased(&self, disk: &Disk) -> Result<()> {
        // Where there is nothing to flush, others may have flushed what this handle took for its tail.
        let outcome = match self.begin_flush(disk)? {
            Some(begun) => self.finish_flush(disk, &begun),
            None => Ok(()),
        };
        let mut writer = self.writer();
        writer.pinned = 0;
        let bytes = writer.position().tail_bytes();
        drop(writer);
        self.maintenance.note_tail(bytes, self.options.flush_bytes);
        outcome
    }

    /// Ends the current log at the newest transaction; what is in it is then to be flushed.
    fn begin_flush(&self, disk: &Disk) -> Result<Option<Begun>> {
        // As long as this is held the log does not grow.
        let _lock = disk.write_lock()?;
        disk.check_not_poisoned()?;
        let (state, group, number) = {
            let mut writer = self.writer();
            self.adopt_newest(disk, &mut writer)?;
            self.catch_up_as_writer(disk, &mut writer)?;
            let state = self.state.load_full();
            let position = writer.position();
            if position.manifest.lsn == state.epoch {
                return Ok(None);
            }
            let number = position.log.header().number;
            if position.log.newest_lsn() < position.log.header().start_lsn {
                // A flush that failed has ended the log before already, and synced it.
                return Ok(Some(Begun::new(&mut writer, number, state)));
            }
            (state, Arc::clone(position.log.group()), number)
        };
        let logs = wal::list_logs(&*disk.fs, &disk.dir)?;
        let number = logs.last().copied().unwrap_or(0).max(number) + 1;
        let header = header(state.store, number, state.epoch + 1, state.epoch);
        // The next log begins where this one ends, so all of this one has to be durable before the next
        // one is: else power loss could leave a gap between them.
        disk.note_sync(group.sync(state.epoch).map(|_| ()))?;
        disk.check_not_poisoned()?;
        let fresh = Log::create(&*disk.fs, &disk.dir, header)?;

        let mut writer = self.writer();
        // A thread that reads may have started over from the manifest meanwhile.
        self.catch_up_as_writer(disk, &mut writer)?;
        let position = writer.position_mut();
        disk.note_sync(position.log.seal(number))?;
        position.go_on_in(fresh);
        Ok(Some(Begun::new(&mut writer, number, self.state.load_full())))
    }

    fn finish_flush(&self, disk: &Disk, begun: &Begun) -> Result<()> {
        let state = &begun.state;
        let mut manifest = begun.previous.clone();
        manifest.generation = disk.next_generation(&begun.previous)?;
        manifest.lsn = state.epoch;
        manifest.commit_time = state.commit_time;
        manifest.log = begun.log;
        manifest.next_number = state.next_number;
        manifest.types = state.types.names().map(ToString::to_string).collect();
        manifest.config = (*state.config).clone();

        manifest.retention = state.history.retention;
        manifest.history_start = state.history.floor(now(), state.epoch)?;

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
                let dead = Tombstones::of(part, manifest.history_start.lsn);
                let id = part.segment.id();
                dead.write(&*disk.fs, &disk.dir, &state.store, id, manifest.lsn)?;
                manifest.segments[at].tombstones = Some(manifest.lsn);
            }
            base.push(part.clone());
        }
        base.extend(merged.clone().map(Part::new));
        let left_out = LeftOut { parts: memory, merged: merged.as_deref(), epoch: state.epoch };
        let history = disk.write_history(state, left_out, &mut manifest, None)?;
        publish(disk, &manifest)?;

        let mut writer = self.writer();
        let current = self.state.load_full();
        let replaced = begun.files..state.parts.len();
        let replacement = merged.map(Part::new);
        let new =
            Replacement { range: replaced, part: replacement, manifest: &manifest, base, history };
        self.replace(disk, &mut writer, &current, &state.parts, new)?;
        drop(writer);
        disk.remove_unneeded(&manifest, Some(&begun.previous));
        Ok(())
    }

    /// Puts a merged part in the place of those it was made of, and what died since dead in it.
    pub(super) fn replace(
        &self,
        disk: &Disk,
        writer: &mut Writer,
        current: &State,
        before: &[Part],
        new: Replacement<'_>,
    ) -> Result<()> {
        let Replacement { range, mut part, manifest, base, history } = new;
        let same = current.parts.len() >= range.end
            && before[..range.end]
                .iter()
                .zip(&current.parts)
                .all(|(a, b)| Arc::ptr_eq(&a.segment, &b.segment));
        let next = if same {
            let mut next = State::clone(current);
            if let Some(part) = &mut part {
                carry_deaths(&before[range.clone()], &current.parts[range.clone()], part)?;
            }
            next.parts.splice(range, part);
            next.history = current.history.flushed(manifest.lsn, history, manifest.history_start);
            let position = writer.position_mut();
            position.manifest = manifest.clone();
            position.newest = manifest.generation;
            position.base = base;
            // What recovery may have copied to another log since, is in that one.
            position.older_bytes = 0;
            next
        } else {
            // This handle started over from a manifest in between, perhaps from this very one.
            let (position, next) = disk.load(&current.store)?;
            writer.position = Some(position);
            next
        };
        self.show(writer, next);
        self.maintenance.index_soon();
        disk.control.set_generation(manifest.generation);
        Ok(())
    }

    /// Starts over from a manifest that another process published.
    pub(super) fn adopt_newest(&self, disk: &Disk, writer: &mut Writer) -> Result<()> {
        let newest = Manifest::list(&*disk.fs, &disk.dir)?.first().copied();
        if newest.is_none_or(|newest| newest <= writer.position().newest) {
            return Ok(());
        }
        let (position, state) = disk.load(&self.state.load().store)?;
        writer.position = Some(position);
        self.show(writer, state);
        self.maintenance.index_soon();
        Ok(())
    }

    /// Like [`Self::adopt_newest`], for a reader whose memory holds what others have flushed.
    ///
    /// CONTROL tells of that, or to one that may not write it, a log that ended.
    pub(super) fn adopt_if_flushed(
        &self,
        disk: &Disk,
        writer: &mut Writer,
        log_ended: bool,
    ) -> Result<()> {
        let behind = if disk.control.is_shared() {
            disk.control.generation() > writer.position().newest
        } else {
            log_ended
        };
        if behind && writer.pinned == 0 { self.adopt_newest(disk, writer) } else { Ok(()) }
    }

    /// The manifest that this handle goes by.
    pub(super) fn manifest(&self) -> Manifest {
        self.writer().position().manifest.clone()
    }

    pub(super) fn save_at_close(&self, disk: &Disk) -> Result<()> {
        disk.check_not_poisoned()?;
        let tail = self.writer().position().tail_bytes();
        let flush = || match disk.try_lease()? {
            Some(_lease) => self.flush_leased(disk),
            None => Ok(()),
        };
        if tail > SMALL_TAIL_BYTES {
            // It spares the next opening some work. Where it fails, nothing is lost: the log has it all.
            flush().ok();
        }
        self.save()
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

impl Begun {
    fn new(writer: &mut Writer, log: u64, state: Arc<State>) -> Self {
        writer.pinned = state.epoch;
        let Position { base, manifest, .. } = writer.position();
        Self { files: base.len(), base: base.clone(), previous: manifest.clone(), log, state }
    }
}

/// Merges parts into a new segment file and enters it into a manifest.
pub(super) fn write_segment(
    disk: &Disk,
    state: &State,
    parts: &[Part],
    manifest: &mut Manifest,
) -> Result<Arc<Segment>> {
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
    let target = MergeTarget::File { fs: &*disk.fs, path: path.clone() };
    let oldest =
        state.parts.first().is_none_or(|part| Arc::ptr_eq(&part.segment, &parts[0].segment));
    let beneath = if oldest { Beneath::Nothing } else { Beneath::OlderParts };
    let merged = merge(&inputs, beneath, &target, &identity, &state.config, state.hasher);
    if merged.is_err() {
        // The disk is full, perhaps: commits need the room more than half a segment does.
        disk.fs.remove(&path).ok();
    }
    let segment = Arc::new(merged?);
    disk.remember(&segment);
    let bytes = segment.byte_len() as u64;
    manifest.segments.push(SegmentEntry { id, tombstones: None, bytes });
    Ok(segment)
}

/// Syncs the names of new segments, then publishes the manifest and reads it back.
pub(super) fn publish(disk: &Disk, manifest: &Manifest) -> Result<()> {
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

/// What takes the place of some parts.
pub(super) struct Replacement<'a> {
    pub(super) range: std::ops::Range<usize>,
    pub(super) part: Option<Part>,
    pub(super) manifest: &'a Manifest,
    /// The manifest's segments, with what was dead at its LSN.
    pub(super) base: Vec<Part>,
    pub(super) history: Vec<Arc<HistoryFile>>,
}

/// Marks dead in `merged` what died in the parts after the merge had read them.
fn carry_deaths(then: &[Part], now: &[Part], merged: &mut Part) -> Result<()> {
    let mut ended: Vec<(u64, Subject)> = Vec::new();
    for (then, now) in then.iter().zip(now) {
        let rows = &*now.dead_rows - &*then.dead_rows;
        let edges = &*now.dead_edges - &*then.dead_edges;
        // Since when, where that is kept.
        let (mut row_ends, mut edge_ends) = (HashMap::new(), HashMap::new());
        for deaths in now.deaths.iter() {
            if row_ends.len() as u64 == rows.len() && edge_ends.len() as u64 == edges.len() {
                break;
            }
            let of = |ordinal: &u32| (*ordinal, deaths.lsn);
            row_ends.extend(deaths.rows.iter().filter(|row| rows.contains(**row)).map(of));
            edge_ends.extend(deaths.edges.iter().filter(|edge| edges.contains(**edge)).map(of));
        }
        if !rows.is_empty() {
            let numbers = now.segment.numbers()?;
            ended.extend(rows.iter().map(|row| {
                let lsn = row_ends.get(&row).copied().unwrap_or(0);
                (lsn, Subject::Concept(numbers[row as usize]))
            }));
        }
        if !edges.is_empty()
            && let Some(graph) = now.segment.graph()?
        {
            for edge in edges.iter().filter_map(|edge| graph.edge(edge)) {
                let lsn = edge_ends.get(&edge.id).copied().unwrap_or(0);
                ended.push((lsn, Subject::Association(EdgeKey::from(edge))));
            }
        }
    }
    ended.sort_unstable();
    for (lsn, subject) in ended {
        let by = Ending { lsn, is_kept: lsn > 0 };
        match subject {
            Subject::Concept(number) => {
                if let Some(row) = merged.segment.row_of(number)? {
                    merged.end_row(row, by)?;
                }
            }
            Subject::Association(key) => {
                if let Some(edge) = merged.segment.find_edge(key)? {
                    merged.end_edge(edge, by);
                }
            }
            Subject::Access(_) => unreachable!("access entries are replaced, not ended"),
        }
    }
    Ok(())
}
