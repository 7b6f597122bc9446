//! The bytes of one simulated file: as the programs see them, and as the medium has them.
//!
//! Invariant: `durable` differs from `bytes` only within `dirty` and `doomed`, and in length.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::fate::{Fate, Outcome};
use crate::fs::{PageHandle, SharedPage};
use crate::sync::{AtomicU64, Ordering};

/// What a medium writes at once.
const SECTOR_BYTES: u64 = 512;

/// A file, by whatever name or none.
#[derive(Debug, Default)]
pub(super) struct Node {
    content: Mutex<Content>,
    page: OnceLock<PageHandle>,
    /// Goes up whenever the lock changes hands.
    handovers: AtomicU64,
}

/// The bytes are shared between the copies of a file until one of them is written to.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub(super) bytes: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
    /// Written since the last sync.
    dirty: Ranges,
    /// Written before a sync that failed: a system may since take these bytes for clean.
    doomed: Ranges,
    /// The handle that holds the lock.
    pub(super) locked_by: Option<u64>,
}

impl Node {
    /// A file whose bytes are all durable.
    pub(super) fn durable(bytes: Arc<Vec<u8>>) -> Self {
        let content = Content { durable: Arc::clone(&bytes), bytes, ..Content::default() };
        Self { content: Mutex::new(content), ..Self::default() }
    }

    /// The same bytes, synced and not; no lock and no page goes with them.
    pub(super) fn copy(&self) -> Self {
        let content = Content { locked_by: None, ..self.content().clone() };
        Self { content: Mutex::new(content), ..Self::default() }
    }

    pub(super) fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets who has the lock see all that those before had written: a lock of the operating system's does
    /// that, and a checker of interleavings has to be told.
    pub(super) fn order_memory(&self) {
        self.handovers.fetch_add(1, Ordering::AcqRel);
    }

    /// The page of counters: one for all who open the file, until the next crash.
    pub(super) fn page(&self) -> PageHandle {
        self.page.get_or_init(|| PageHandle(SharedPage::private().into())).clone()
    }
}

impl Content {
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(bytes.len() as u64).filter(|&end| end < 1 << 32);
        let end = end.ok_or(io::ErrorKind::FileTooLarge)?;
        let old = Arc::make_mut(&mut self.bytes);
        if old.len() < end as usize {
            old.resize(end as usize, 0);
        }
        old[offset as usize..end as usize].copy_from_slice(bytes);
        self.dirty.insert(offset..end);
        Ok(())
    }

    pub(super) fn sync(&mut self) {
        if self.durable.len() == self.bytes.len() && self.dirty.0.is_empty() {
            return;
        }
        let durable = Arc::make_mut(&mut self.durable);
        durable.resize(self.bytes.len(), 0);
        for range in self.dirty.take() {
            let at = range.start as usize..range.end as usize;
            durable[at.clone()].copy_from_slice(&self.bytes[at]);
            self.doomed.remove(range);
        }
    }

    /// What a failed sync does: no later one will write these bytes.
    pub(super) fn fail_sync(&mut self) {
        for range in self.dirty.take() {
            self.doomed.insert(range);
        }
    }

    /// The bytes by which the file has grown since its length was last synced.
    pub(super) fn growth(&self) -> u64 {
        (self.bytes.len() - self.durable.len()) as u64
    }

    /// What was written of each sector and not synced, in order; a sector may have several parts.
    pub(super) fn unsynced_sectors(&self) -> Vec<Range<usize>> {
        let mut unsynced = self.dirty.clone();
        for range in self.doomed.iter() {
            unsynced.insert(range);
        }
        let mut sectors = Vec::new();
        for range in unsynced.iter() {
            let mut start = range.start;
            while start < range.end {
                let end = ((start / SECTOR_BYTES + 1) * SECTOR_BYTES).min(range.end);
                sectors.push(start as usize..end as usize);
                start = end;
            }
        }
        sectors
    }

    /// Whether zeros were written where the medium has zeros, or nothing.
    pub(super) fn is_blank(&self, sector: &Range<usize>) -> bool {
        let len = self.durable.len();
        let old = &self.durable[sector.start.min(len)..sector.end.min(len)];
        old.iter().chain(&self.bytes[sector.clone()]).all(|&byte| byte == 0)
    }

    /// The bytes that the medium has after power loss.
    ///
    /// Fate is asked for the length if the file has grown, then for each unsynced sector, whether or
    /// not the length leaves any of it.
    pub(super) fn after_crash(&self, fate: &mut Fate) -> Arc<Vec<u8>> {
        let (grown, sectors) = (self.growth(), self.unsynced_sectors());
        if grown == 0 && sectors.is_empty() {
            return Arc::clone(&self.durable);
        }
        let mut image = Vec::with_capacity(self.bytes.len());
        image.extend_from_slice(&self.durable);
        // The length may reach the medium before the bytes do, or after.
        if grown > 0 {
            let kept = match fate.outcome() {
                Outcome::Kept => grown,
                Outcome::Dropped => 0,
                Outcome::Torn | Outcome::Garbage => fate.below(grown + 1),
            };
            image.resize(image.len() + kept as usize, 0);
        }
        for sector in sectors {
            let outcome = fate.outcome();
            let at = sector.start..sector.end.min(image.len());
            if !at.is_empty() {
                write_sector(&mut image[at.clone()], &self.bytes[at], outcome, fate);
            }
        }
        Arc::new(image)
    }
}

/// Writes the unsynced bytes of one sector onto the medium, as far as their fate has it.
fn write_sector(medium: &mut [u8], written: &[u8], outcome: Outcome, fate: &mut Fate) {
    match outcome {
        Outcome::Kept => medium.copy_from_slice(written),
        Outcome::Dropped => {}
        Outcome::Torn => {
            let cut = fate.below(written.len() as u64 + 1) as usize;
            if fate.below(2) == 0 {
                medium[..cut].copy_from_slice(&written[..cut]);
            } else {
                medium[cut..].copy_from_slice(&written[cut..]);
            }
        }
        Outcome::Garbage => medium.fill_with(|| fate.below(256) as u8),
    }
}

/// A set of byte offsets, as disjoint ranges that don't touch: start to end.
#[derive(Debug, Clone, Default)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn insert(&mut self, mut range: Range<u64>) {
        while let Some((&start, &end)) = self.0.range(..=range.end).next_back()
            && end >= range.start
        {
            self.0.remove(&start);
            range = start.min(range.start)..end.max(range.end);
        }
        self.0.insert(range.start, range.end);
    }

    fn remove(&mut self, range: Range<u64>) {
        while let Some((&start, &end)) = self.0.range(..range.end).next_back()
            && end > range.start
        {
            self.0.remove(&start);
            if start < range.start {
                self.0.insert(start, range.start);
            }
            if end > range.end {
                self.0.insert(range.end, end);
            }
        }
    }

    fn take(&mut self) -> impl Iterator<Item = Range<u64>> + use<> {
        std::mem::take(&mut self.0).into_iter().map(|(start, end)| start..end)
    }

    fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().map(|(&start, &end)| start..end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ranges_equal_a_set_of_offsets() {
        let mut fate = Fate::seeded(7);
        for _ in 0..200 {
            let (mut ranges, mut offsets) = (Ranges::default(), BTreeSet::new());
            for _ in 0..20 {
                let start = fate.below(40);
                let range = start..start + 1 + fate.below(10);
                if fate.below(3) == 0 {
                    ranges.remove(range.clone());
                    offsets.retain(|offset| !range.contains(offset));
                } else {
                    ranges.insert(range.clone());
                    offsets.extend(range);
                }
            }
            assert!(ranges.iter().flatten().eq(offsets));
        }
    }
}
