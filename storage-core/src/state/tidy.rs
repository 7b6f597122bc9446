//! Keeps the parts in memory few: merges small ones into larger ones as they come.
//!
//! Sizes grow by a factor of eight a class, so a row is rewritten a handful of times before a flush
//! writes it to a file, and a read looks into some dozens of parts at most.

use std::sync::Arc;

use super::{Part, State};
use crate::Result;
use crate::history::LeftOut;
use crate::segment::{Beneath, Identity, MergeInput, MergeTarget, merge};

/// Parts of one size class that are merged into one of the next.
const FAN_IN: usize = 8;
/// Bytes of a part of the smallest class.
const SMALLEST_BYTES: usize = 8 << 10;
/// A part of this size is left for the flush.
const LARGEST_BYTES: usize = 4 << 20;

fn class(part: &Part) -> u32 {
    let mut class = 0;
    let mut bytes = SMALLEST_BYTES;
    while part.segment.byte_len() > bytes {
        bytes *= FAN_IN;
        class += 1;
    }
    class
}

impl State {
    /// Merges the newest parts in memory where there are many of a size; parts that begin at or
    /// before `pinned` are being flushed and stay as they are.
    pub(crate) fn tidy(&mut self, pinned: u64) -> Result<()> {
        loop {
            let loose = self
                .parts
                .iter()
                .rev()
                .take_while(|part| {
                    !part.segment.is_file()
                        && part.segment.identity().first_lsn > pinned
                        && part.segment.byte_len() <= LARGEST_BYTES
                })
                .count();
            let tail = &self.parts[self.parts.len() - loose..];
            let top = tail.iter().map(class).max().unwrap_or(0);
            let crowd = (0..=top).find_map(|limit| {
                let run = || tail.iter().rev().take_while(|part| class(part) <= limit);
                // The smaller ones among them come along; they are no reason to write the others again.
                let crowded = run().filter(|part| class(part) == limit).count() >= FAN_IN;
                crowded.then(|| run().count())
            });
            let Some(count) = crowd else { return Ok(()) };
            self.merge_newest(count)?;
        }
    }

    /// Merges all parts in memory into one, without what is dead.
    pub(crate) fn merge_all(&mut self) -> Result<()> {
        match self.memory_parts().len() {
            0 => Ok(()),
            count => self.merge_newest(count),
        }
    }

    fn merge_newest(&mut self, count: usize) -> Result<()> {
        let at = self.parts.len() - count;
        let beneath = if at == 0 { Beneath::Nothing } else { Beneath::OlderParts };
        let merged = merge_on_heap(self, &self.parts[at..], beneath)?;
        if self.history.is_kept() {
            let left_out = LeftOut {
                parts: &self.parts[at..],
                merged: Some(&merged.segment),
                epoch: self.epoch,
            };
            let history = &mut self.history;
            left_out.for_each_version(history.start.lsn, &mut |version| {
                history.keep(version);
                Ok(())
            })?;
        }
        self.parts.truncate(at);
        self.parts.push(merged);
        Ok(())
    }
}

fn merge_on_heap(state: &State, parts: &[Part], beneath: Beneath) -> Result<Part> {
    let inputs: Vec<MergeInput<'_>> = parts
        .iter()
        .map(|part| MergeInput {
            segment: &part.segment,
            dead_rows: &part.dead_rows,
            dead_edges: &part.dead_edges,
        })
        .collect();
    let first = parts.first().expect("only a crowd of parts is merged").segment.identity();
    let last = parts.last().expect("only a crowd of parts is merged").segment.identity();
    let identity =
        Identity { store: state.store, id: 0, first_lsn: first.first_lsn, last_lsn: last.last_lsn };
    let segment =
        merge(&inputs, beneath, &MergeTarget::Heap, &identity, &state.config, state.hasher)?;
    Ok(Part::new(Arc::new(segment)))
}
