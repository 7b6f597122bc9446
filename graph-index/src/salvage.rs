//! Edges out of bytes of which some are known to be wrong.
//!
//! Invariant: an edge is named only when its record, and what says where it starts, lie in bytes that are
//! said to be right.

use std::ops::Range;

use crate::format::{HEADER_BYTES, RECORD_BYTES, column_bytes, directory_bytes};
use crate::rows::Side;
use crate::view::{EdgeRef, GraphView};

/// Where the sections of one side begin.
struct Places {
    records: u64,
    offsets: u64,
    nodes: u64,
}

impl GraphView<'_> {
    /// The edges that can be told from the right bytes of a damaged graph, by id; `is_right` says of a
    /// range of the graph's bytes whether all in it are right. The header's must be.
    ///
    /// An edge is in the out-side's records, and its source in the out-side's directory and in the
    /// in-side's records: one of these two is enough.
    ///
    /// # Complexity
    ///
    /// `O(e)`, with a question for each record and each row.
    pub fn right_edges(&self, is_right: impl Fn(Range<usize>) -> bool) -> Vec<EdgeRef> {
        let right = |place: u64, at: usize, width: u64| {
            let start = (place + at as u64 * width) as usize;
            is_right(start..start + width as usize)
        };
        let mut sources: Vec<Option<u32>> = vec![None; self.edge_count() as usize];
        for side in [Side::Out, Side::In] {
            let directory = self.side(side);
            let places = self.section_places(side);
            for row in 0..directory.offsets.len() - 1 {
                let known = right(places.offsets, row, 4)
                    && right(places.offsets, row + 1, 4)
                    && (directory.nodes.is_none() || right(places.nodes, row, 4));
                let Some(node) = directory.node_at(row).filter(|_| known) else { continue };
                let range = directory.offsets[row].get() as usize
                    ..directory.offsets[row + 1].get() as usize;
                let Some(records) = directory.records.get(range.clone()) else { continue };
                for (at, record) in range.zip(records) {
                    match side {
                        Side::Out => sources[at] = Some(node),
                        Side::In if right(places.records, at, RECORD_BYTES) => {
                            if let Some(source) = sources.get_mut(record.last.get() as usize) {
                                source.get_or_insert(record.neighbor.get());
                            }
                        }
                        Side::In => {}
                    }
                }
            }
        }
        let outgoing = self.side(Side::Out);
        let places = self.section_places(Side::Out);
        let edge = |(at, source): (usize, Option<u32>)| {
            let source = source.filter(|_| right(places.records, at, RECORD_BYTES))?;
            let record = &outgoing.records[at];
            Some(EdgeRef {
                id: at as u32,
                source,
                target: record.neighbor.get(),
                type_id: record.type_id.get(),
                weight: f32::from_bits(record.last.get()),
                confidence: record.confidence.get(),
            })
        };
        sources.into_iter().enumerate().filter_map(edge).collect()
    }

    fn section_places(&self, side: Side) -> Places {
        let records = u64::from(self.edge_count()) * RECORD_BYTES;
        let rows = |side: Side| self.side(side).offsets.len() as u64 - 1;
        let directories = HEADER_BYTES + 2 * records;
        let outgoing = directory_bytes(rows(Side::Out), self.side(Side::Out).nodes.is_some());
        let (records, offsets) = match side {
            Side::Out => (HEADER_BYTES, directories),
            Side::In => (HEADER_BYTES + records, directories + outgoing),
        };
        Places { records, offsets, nodes: offsets + column_bytes(rows(side) + 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Edge, GraphBuilder};

    /// Edges between few nodes, so that rows are long, or between nodes far apart, which are listed.
    fn graph(step: u32) -> Vec<u8> {
        let mut builder = GraphBuilder::new();
        for at in 0..200_u32 {
            let (source, target) = (at % 17 * step, at % 13 * step + 1);
            let (weight, confidence) = (at as f32, 0.5);
            builder.push(Edge { source, target, type_id: at, weight, confidence });
        }
        builder.finish().expect("valid edges")
    }

    #[test]
    fn all_edges_are_told_from_right_bytes_and_those_told_from_damaged_ones_are_true() {
        for step in [1, 1000] {
            let bytes = graph(step);
            let view = GraphView::parse(&bytes).expect("sound bytes");
            let all: Vec<EdgeRef> = view.edges().collect();
            assert_eq!(view.right_edges(|_| true), all);
            let told = |damaged: Range<usize>| {
                let mut wrong = bytes.clone();
                wrong[damaged.clone()].fill(0xff);
                let wrong = GraphView::parse(&wrong).expect("its header is right");
                let is_right =
                    |range: Range<usize>| range.end <= damaged.start || range.start >= damaged.end;
                let found = wrong.right_edges(is_right);
                assert!(found.iter().all(|edge| all.contains(edge)), "{damaged:?}");
                all.len() - found.len()
            };
            let place = |side| view.section_places(side);
            let incoming = place(Side::In);
            let out_records = place(Side::Out).records as usize..incoming.records as usize;
            let in_records = out_records.end..place(Side::Out).offsets as usize;
            // What one side's directory or the in-side's records lack, the other says.
            assert_eq!(told(in_records.clone()), 0);
            assert_eq!(told(in_records.end..incoming.offsets as usize), 0);
            assert_eq!(told(incoming.offsets as usize..bytes.len()), 0);
            for start in out_records.step_by(256) {
                assert_eq!(
                    told(start..(start + 256).min(in_records.start)),
                    16.min((in_records.start - start) / 16)
                );
            }
            for start in (64..bytes.len() - 100).step_by(7) {
                told(start..start + 100);
            }
        }
    }
}
