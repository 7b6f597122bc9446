//! Deleting what has expired: reads pass it over at once, this gives its space back.
//!
//! A sweep is a transaction like any other, so every handle sees the same, and the log tells it.
//! Invariant: it deletes nothing that any read still finds.

use super::Shared;
use super::commit::now;
use crate::Result;
use crate::operation::{EdgeKey, Operation, begin_payload};
use crate::options::Durability;
use crate::segment::Of;
use crate::state::State;

/// Deletions in one transaction of a sweep, so that none holds writers up for long.
const LARGEST_SWEEP: usize = 10_000;

impl Shared {
    /// Deletes all that has expired; returns how many concepts and associations that were.
    pub(super) fn delete_expired(&self, durability: Durability) -> Result<u64> {
        let mut deleted = 0;
        loop {
            let mut count = 0;
            self.commit_made(None, durability, |state| {
                let (payload, deletions) = sweep(state, now())?;
                count = deletions;
                Ok(payload)
            })?;
            deleted += count as u64;
            if count < LARGEST_SWEEP {
                return Ok(deleted);
            }
        }
    }

    /// Deletes what has expired, in the background.
    pub(super) fn background_sweep(&self) {
        self.maintenance.note_swept(now());
        // What a crash takes back is still expired, and deleted again. Where this fails, reads pass it over
        // all the same, and the next sweep tries again.
        if let Err(error) = self.delete_expired(Durability::Buffered) {
            self.maintenance.note_error(&error);
        }
    }

    /// Sees to it that what expires next is deleted soon after.
    pub(super) fn watch_expiry(&self, state: &State) {
        if state.is_scoped && !self.options.read_only {
            // A column that can't be read is for readers to report.
            let next = |swept| state.next_expiry(swept).unwrap_or(f64::INFINITY);
            self.maintenance.sweep_after(next, now());
        }
    }
}

/// The deletion of some of what has expired, and of how many concepts and associations it is.
fn sweep(state: &State, now: f64) -> Result<(Option<Vec<u8>>, usize)> {
    let mut payload = begin_payload(now.max(state.commit_time + 1e-6));
    let mut count = 0;
    for part in state.parts.iter().filter(|part| part.segment.is_scoped()) {
        let expiries = part.segment.expiries()?;
        let numbers = part.segment.numbers()?;
        for row in expiries.expired(Of::Rows, now).filter(|&row| part.is_row_live(row)) {
            if count < LARGEST_SWEEP {
                Operation::DeleteConcept { number: numbers[row as usize] }.encode(&mut payload);
                count += 1;
            }
        }
        let Some(graph) = part.segment.graph()? else { continue };
        let edges = expiries.expired(Of::Edges, now);
        for edge in edges.filter(|&edge| !part.dead_edges.contains(edge)) {
            if count < LARGEST_SWEEP
                && let Some(found) = graph.edge(edge)
            {
                Operation::DeleteAssociation(EdgeKey::from(found)).encode(&mut payload);
                count += 1;
            }
        }
    }
    Ok(((count > 0).then_some(payload), count))
}
