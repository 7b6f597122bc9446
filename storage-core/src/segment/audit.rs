//! What a fresh index finds: a few of the segment's own vectors are searched for by it and exactly.
//!
//! Invariant: the figures follow from the segment and its index, so whoever audits it finds the same.

use roaring::RoaringBitmap;
use vector_kernel::ann::{Audit, DEFAULT_RECALL};
use vector_kernel::{Metric, QueryError, Selection};

use super::Segment;
use crate::Result;

/// Queries of an audit: more would keep the thread from the next index, fewer say little.
const QUERIES: usize = 64;
/// Hits that each is asked for.
const HITS: usize = 10;
/// The part of the vectors that a filter is to leave.
const FILTERED: u32 = 4;

/// What an audit found of a segment's index when that was fresh.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IndexAudit {
    /// The segment's file.
    pub segment: String,
    /// When it was audited, seconds since the Unix epoch.
    pub time: f64,
    /// How many hits each search was asked for.
    pub k: usize,
    /// The recall that the searches aimed for.
    pub target: f32,
    /// What they found among all of the segment's vectors.
    pub all: Audit,
    /// The same under a filter: among a quarter of them, those put first.
    pub filtered: Audit,
}

impl Segment {
    /// Audits the index, at a time, on this thread alone, and keeps what it found beside the index; returns whether
    /// there is an audit now, and not where it was not to go on.
    pub(crate) fn audit_ann(
        &self,
        metric: Metric,
        time: f64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let Some(ann) = self.ann() else { return Ok(false) };
        let Some(view) = ann.view(self.flat_index(metric)?) else { return Ok(false) };
        let first = RoaringBitmap::from_sorted_iter(0..self.vectors() / FILTERED);
        let first = first.expect("ordinals ascend");
        // Not the sample that the index was calibrated on: another seed.
        let audit = |selection| {
            view.audit_sample_while(QUERIES, self.id(), HITS, DEFAULT_RECALL, selection, go_on)
        };
        let audits = audit(Selection::All)
            .and_then(|all| Ok(all.zip(audit(Selection::Only(&first))?)))
            .map_err(|source: QueryError| self.vector_error("", source))?;
        let Some((all, filtered)) = audits else { return Ok(false) };
        let segment = self.path().file_name().unwrap_or_default().display().to_string();
        ann.keep_audit(IndexAudit {
            segment,
            time,
            k: HITS,
            target: DEFAULT_RECALL,
            all,
            filtered,
        });
        Ok(true)
    }
}
