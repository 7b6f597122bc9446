//! Compaction: several segments become one, without what is dead in them.
//!
//! Invariant: the manifest that names the new segment has the LSN of the one before; compaction changes
//! how the state is kept, not what it is.

use super::Shared;
use super::commit::now;
use super::disk::Disk;
use super::flush::{Replacement, publish, write_segment};
use super::history::Forget;
use crate::history::LeftOut;
use crate::manifest::Manifest;
use crate::state::{Part, State};
use crate::{Error, Result};

/// Adjacent segments of a size class that are merged into one.
const FAN_IN: usize = 4;
/// A segment is written again when more than one in so many of its rows and edges is dead.
const DEAD_SHARE: u64 = 5;
/// The previous generation goes when what it alone needs is more than one in so many bytes of the newest.
const PREVIOUS_SHARE: u64 = 8;

/// Whether enough of a segment is dead to write it again.
fn is_wasteful(part: &Part) -> bool {
    let all = u64::from(part.segment.rows()) + u64::from(part.segment.edges());
    (part.dead_rows.len() + part.dead_edges.len()) * DEAD_SHARE > all
}

impl Shared {
    pub(super) fn compact_now(&self) -> Result<()> {
        let Some(disk) = &self.disk else { return self.compact_memory(None) };
        let _lease = disk.lease()?;
        self.compact_all(disk, None)
    }

    fn compact_all(&self, disk: &Disk, forget: Option<Forget<'_>>) -> Result<()> {
        self.flush_leased(disk)?;
        let (count, dead, broken, past) = {
            let writer = self.writer();
            let base = &writer.position().base;
            let dead = base.iter().any(|p| !p.dead_rows.is_empty() || !p.dead_edges.is_empty());
            let broken = base.iter().any(|part| part.segment.is_broken());
            (base.len(), dead, broken, !writer.position().manifest.history.is_empty())
        };
        if count > 1 || dead || broken || (past && forget.is_some()) {
            self.compact_leased(disk, 0..count, forget)?;
        }
        self.drop_previous(disk)
    }

    /// Whether segments hold much that died since the last flush.
    pub(super) fn has_waste(&self) -> bool {
        self.state.load().parts.iter().any(|part| part.segment.is_file() && is_wasteful(part))
    }

    /// Removes the previous generation where it takes much room of its own.
    ///
    /// It is there for a newest one that can't be read: that one's new segments are read back before.
    pub(super) fn drop_previous(&self, disk: &Disk) -> Result<()> {
        let (newest, base) = {
            let writer = self.writer();
            (writer.position().manifest.clone(), writer.position().base.clone())
        };
        let bytes: u64 = newest.segments.iter().map(|segment| segment.bytes).sum();
        for generation in Manifest::list(&*disk.fs, &disk.dir)? {
            if generation >= newest.generation {
                continue;
            }
            let has = |manifest: &Manifest, id| manifest.segments.iter().any(|s| s.id == id);
            let previous = match Manifest::read(&*disk.fs, &disk.dir, generation) {
                Ok(previous) => Some(previous),
                // One that can't be read is there for nothing.
                Err(Error::Corrupt { .. }) => None,
                Err(error) => return Err(error),
            };
            if let Some(previous) = &previous {
                let own = previous.segments.iter().filter(|segment| !has(&newest, segment.id));
                if own.map(|segment| segment.bytes).sum::<u64>() * PREVIOUS_SHARE <= bytes {
                    continue;
                }
            }
            let was_there = |id| previous.as_ref().is_some_and(|previous| has(previous, id));
            let new = base.iter().filter(|part| !was_there(part.segment.id()));
            if let Some(error) = new.flat_map(|part| part.segment.verify_all()).next() {
                return Err(error);
            }
            // Who published the newest may have died before its name was durable.
            disk.sync_names()?;
            disk.remove_unneeded(&newest, None);
            return Ok(());
        }
        Ok(())
    }

    /// Compacts without any version of a concept and drops the previous generation, so that no file
    /// holds anything of it.
    pub(super) fn purge_now(&self, forget: Forget<'_>) -> Result<()> {
        let Some(disk) = &self.disk else { return self.compact_memory(Some(forget)) };
        // One lease for all: a flush elsewhere in between would publish what this does not know of.
        let _lease = disk.lease()?;
        self.compact_all(disk, Some(forget))?;
        let manifest = self.manifest();
        disk.remove_unneeded(&manifest, None);
        disk.check_removed(&manifest)
    }

    /// The segments that are worth merging now: the newest few of a size, or one of which much is dead or an
    /// index broken.
    pub(super) fn choose_compaction(&self) -> Option<std::ops::Range<usize>> {
        let writer = self.writer();
        let base = &writer.position().base;
        let smallest = self.options.flush_bytes.max(1);
        let class = |part: &Part| {
            let mut class = 0;
            let mut bytes = smallest.saturating_mul(2);
            while part.segment.byte_len() as u64 > bytes {
                bytes = bytes.saturating_mul(FAN_IN as u64);
                class += 1;
            }
            class
        };
        let top = base.iter().map(class).max()?;
        for limit in 0..=top {
            let run = || base.iter().rev().take_while(|part| class(part) <= limit);
            // The smaller ones among them come along; they are no reason to write the others again.
            if run().filter(|part| class(part) == limit).count() >= FAN_IN {
                return Some(base.len() - run().count()..base.len());
            }
        }
        let chosen = base.iter().position(is_wasteful).or_else(|| {
            // Written anew, its indexes are sound again; what can't be is not tried for ever.
            base.iter().position(|part| part.segment.is_broken() && part.segment.try_mending())
        });
        chosen.map(|at| at..at + 1)
    }

    /// Sees to it that a segment with a broken index is written anew.
    pub(super) fn mend_soon(&self, state: &State) {
        if !self.options.read_only && state.parts.iter().any(|part| part.segment.wants_mending()) {
            self.maintenance.want();
        }
    }

    /// Merges a run of segments; leaves out of the past what is to be forgotten.
    pub(super) fn compact_leased(
        &self,
        disk: &Disk,
        run: std::ops::Range<usize>,
        forget: Option<Forget<'_>>,
    ) -> Result<()> {
        let (base, previous, state) = {
            let writer = self.writer();
            let position = writer.position();
            (position.base.clone(), position.manifest.clone(), self.state.load_full())
        };
        let mut manifest = previous.clone();
        manifest.generation = disk.next_generation(&previous)?;
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
        let floor = state.history.floor(now(), state.epoch)?;
        if floor.lsn <= manifest.lsn {
            manifest.history_start = floor;
        }
        let left_out = LeftOut { parts: inputs, merged: merged.as_deref(), epoch: previous.lsn };
        let history = disk.write_history(&state, left_out, &mut manifest, forget)?;
        publish(disk, &manifest)?;

        let mut writer = self.writer();
        let current = self.state.load_full();
        let part = merged.map(Part::new);
        let mut merged_base = base.clone();
        merged_base.splice(run.clone(), part.clone());
        let new = Replacement { range: run, part, manifest: &manifest, base: merged_base, history };
        self.replace(disk, &mut writer, &current, &base, new)?;
        drop(writer);
        disk.remove_unneeded(&manifest, Some(&previous));
        Ok(())
    }

    fn compact_memory(&self, forget: Option<Forget<'_>>) -> Result<()> {
        let mut writer = self.writer();
        let mut state = State::clone(&self.state.load());
        state.merge_all()?;
        state.prune_history(now(), forget)?;
        self.show(&mut writer, state);
        Ok(())
    }
}
