//! Rows for a reader that checks bytes before their first use, and not all of them at once.
//!
//! Invariant: beyond the header, which [`GraphView::parse`] reads, no byte is read here before the
//! caller's check has passed it.

use std::cmp::Ordering;
use std::ops::Range;

use crate::format::{HEADER_BYTES, RECORD_BYTES, column_bytes, directory_bytes};
use crate::rows::{Row, Side};
use crate::view::GraphView;

impl<'a> GraphView<'a> {
    /// [`GraphView::parse`] reads this many bytes from the start of a graph, and no others.
    pub const PARSED_BYTES: usize = HEADER_BYTES as usize;

    /// The id of the edge with that key, as [`GraphView::find`]; calls `check` with every range of the
    /// graph's bytes before it reads there.
    ///
    /// # Errors
    ///
    /// The first that `check` returns.
    ///
    /// # Complexity
    ///
    /// One range for the offsets and one for the row; where the nodes are listed, one for each step of
    /// a binary search more.
    pub fn find_checked<E>(
        &self,
        source: u32,
        target: u32,
        type_id: u32,
        check: impl FnMut(Range<usize>) -> Result<(), E>,
    ) -> Result<Option<u32>, E> {
        Ok(self.row_checked(source, Side::Out, check)?.edge_to(target, type_id))
    }

    /// The edges that leave a node, or enter it, as (id, node at the other end); calls `check` as
    /// [`GraphView::find_checked`] does.
    ///
    /// # Errors
    ///
    /// The first that `check` returns.
    pub fn edges_checked<E>(
        &self,
        node: u32,
        side: Side,
        check: impl FnMut(Range<usize>) -> Result<(), E>,
    ) -> Result<Vec<(u32, u32)>, E> {
        let edge_count = self.edge_count();
        let row = self.row_checked(node, side, check)?;
        let edges = row.map(|hop| (hop.edge, hop.neighbor));
        Ok(edges.filter(|&(edge, _)| edge < edge_count).collect())
    }

    fn row_checked<E>(
        &self,
        node: u32,
        side: Side,
        mut check: impl FnMut(Range<usize>) -> Result<(), E>,
    ) -> Result<Row<'a>, E> {
        let directory = self.side(side);
        let places = self.places(side);
        let mut check = |place: u64, range: Range<usize>, width: u64| {
            let start = (place + range.start as u64 * width) as usize;
            check(start..start + range.len() * width as usize)
        };
        let row = match directory.nodes {
            None => directory.row_of(node),
            Some(nodes) => {
                let (mut low, mut high) = (0, nodes.len());
                loop {
                    if low == high {
                        break None;
                    }
                    let middle = low + (high - low) / 2;
                    check(places.nodes, middle..middle + 1, 4)?;
                    match nodes[middle].get().cmp(&node) {
                        Ordering::Less => low = middle + 1,
                        Ordering::Greater => high = middle,
                        Ordering::Equal => break Some(middle),
                    }
                }
            }
        };
        let row = row.filter(|&row| row < directory.offsets.len() - 1);
        if let Some(row) = row {
            check(places.offsets, row..row + 2, 4)?;
            let range =
                directory.offsets[row].get() as usize..directory.offsets[row + 1].get() as usize;
            if range.start <= range.end && range.end <= directory.records.len() {
                check(places.records, range, RECORD_BYTES)?;
            }
        }
        Ok(directory.row_at(row, side))
    }

    /// Where the sections of a side begin.
    fn places(&self, side: Side) -> Places {
        let records = u64::from(self.edge_count()) * RECORD_BYTES;
        let outgoing = self.side(Side::Out);
        let rows = |side: Side| self.side(side).offsets.len() as u64 - 1;
        let directories = HEADER_BYTES + 2 * records;
        let offsets = match side {
            Side::Out => directories,
            Side::In => directories + directory_bytes(rows(Side::Out), outgoing.nodes.is_some()),
        };
        Places {
            records: HEADER_BYTES + if side == Side::Out { 0 } else { records },
            offsets,
            nodes: offsets + column_bytes(rows(side) + 1),
        }
    }
}

struct Places {
    records: u64,
    offsets: u64,
    nodes: u64,
}
