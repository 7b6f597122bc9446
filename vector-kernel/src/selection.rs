//! Which rows a search may return, as runs of consecutive ordinals.
//!
//! Invariant: runs come in ascending order, are disjoint and not empty, and stay inside the range
//! asked for, whatever ordinals the bitmap holds.

use std::ops::Range;

use roaring::RoaringBitmap;

/// The ordinals that a search considers. Ordinals beyond the index are ignored.
#[derive(Clone, Copy, Debug, Default)]
pub enum Selection<'a> {
    /// Every row.
    #[default]
    All,
    /// The rows in the bitmap.
    Only(&'a RoaringBitmap),
    /// The rows not in the bitmap (tombstones, say).
    Except(&'a RoaringBitmap),
}

impl Selection<'_> {
    /// How many of the ordinals below `len` are selected.
    pub(crate) fn count(&self, len: u32) -> u64 {
        match self {
            Self::All => u64::from(len),
            Self::Only(bitmap) => bitmap.range_cardinality(..len),
            Self::Except(bitmap) => u64::from(len) - bitmap.range_cardinality(..len),
        }
    }

    /// Whether an ordinal, which is in the index, is selected.
    pub(crate) fn contains(&self, ordinal: u32) -> bool {
        match self {
            Self::All => true,
            Self::Only(bitmap) => bitmap.contains(ordinal),
            Self::Except(bitmap) => !bitmap.contains(ordinal),
        }
    }

    /// Calls `visit` with each run of selected ordinals within `range`.
    pub(crate) fn for_each_run(&self, range: Range<u32>, mut visit: impl FnMut(Range<u32>)) {
        if range.is_empty() {
            return;
        }
        let bitmap = match self {
            Self::All => return visit(range),
            Self::Only(bitmap) | Self::Except(bitmap) => bitmap,
        };
        let mut present = bitmap.range(range.clone());
        let runs = std::iter::from_fn(|| present.next_range())
            .map(|run| *run.start()..run.end().saturating_add(1).min(range.end))
            .take_while(|run| !run.is_empty());
        if matches!(self, Self::Only(_)) {
            return runs.for_each(visit);
        }
        let mut start = range.start;
        for run in runs {
            if start < run.start {
                visit(start..run.start);
            }
            start = run.end;
        }
        if start < range.end {
            visit(start..range.end);
        }
    }
}
