//! The rows of one side of an encoded graph: finding a node's row, and walking it.
//!
//! Invariant: an offset is a claim, never trusted: a row that it puts outside the records is empty,
//! and a pass over all rows visits each record at most once.

use std::slice;

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use crate::format::{Record, column_bytes};
use crate::view::EdgeRef;

/// Which end of its edges a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Edges that leave the node.
    Out,
    /// Edges that enter the node.
    In,
}

/// One side: its records, and the directory that finds a node's row among them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SideView<'a> {
    pub(crate) records: &'a [Record],
    /// Row `r` is `records[offsets[r]..offsets[r + 1]]`; there is always one offset.
    pub(crate) offsets: &'a [U32],
    /// The node of each row, ascending; `None` where row `r` belongs to `first + r`.
    pub(crate) nodes: Option<&'a [U32]>,
    first: u32,
}

impl<'a> SideView<'a> {
    pub(crate) fn take(
        rest: &mut &'a [u8],
        records: &'a [Record],
        first: u32,
        rows: u32,
        listed: bool,
    ) -> Self {
        let rows = rows as usize;
        let offsets = numbers(take(rest, column_bytes(rows as u64 + 1)), rows + 1);
        let nodes = listed.then(|| numbers(take(rest, column_bytes(rows as u64)), rows));
        Self { records, offsets, nodes, first }
    }

    pub(crate) fn node_at(&self, row: usize) -> Option<u32> {
        match self.nodes {
            Some(nodes) => nodes.get(row).map(|node| node.get()),
            // `first + rows` fits, as `parse` has checked.
            None => (row + 1 < self.offsets.len()).then(|| self.first + row as u32),
        }
    }

    /// The row of a node; where nodes are not listed, any number from 0.
    pub(crate) fn row_of(&self, node: u32) -> Option<usize> {
        match self.nodes {
            Some(nodes) => nodes.binary_search_by_key(&node, |listed| listed.get()).ok(),
            None => node.checked_sub(self.first).map(|row| row as usize),
        }
    }

    pub(crate) fn row(&self, node: u32, side: Side) -> Row<'a> {
        self.row_at(self.row_of(node), side)
    }

    /// A row by its position; an empty one where there is none.
    pub(crate) fn row_at(&self, row: Option<usize>, side: Side) -> Row<'a> {
        let found = row.and_then(|row| {
            let start = self.offsets.get(row)?.get();
            let end = self.offsets.get(row.checked_add(1)?)?.get();
            Some((start, self.records.get(start as usize..end as usize)?))
        });
        let (start, records) = found.unwrap_or((0, &[]));
        Row { records: records.iter(), next_id: start, side }
    }

    pub(crate) fn rows(&self, side: Side) -> Rows<'a> {
        Rows { directory: *self, side, next_row: 0, next_record: 0 }
    }
}

/// One step along an edge, as a row holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowHop {
    pub(crate) neighbor: u32,
    pub(crate) type_id: u32,
    pub(crate) confidence: f32,
    pub(crate) edge: u32,
}

impl RowHop {
    pub(crate) fn new(record: &Record, edge: u32) -> Self {
        Self {
            neighbor: record.neighbor.get(),
            type_id: record.type_id.get(),
            confidence: record.confidence.get(),
            edge,
        }
    }

    pub(crate) fn outgoing_edge(self, source: u32, record: &Record) -> EdgeRef {
        EdgeRef {
            id: self.edge,
            source,
            target: self.neighbor,
            type_id: self.type_id,
            weight: f32::from_bits(record.last.get()),
            confidence: self.confidence,
        }
    }
}

/// The hops of one row, by `(neighbor, type_id)`.
#[derive(Debug, Clone)]
pub(crate) struct Row<'a> {
    pub(crate) records: slice::Iter<'a, Record>,
    /// Edge id of the next record, on the out-side.
    pub(crate) next_id: u32,
    pub(crate) side: Side,
}

impl Iterator for Row<'_> {
    type Item = RowHop;

    #[inline]
    fn next(&mut self) -> Option<RowHop> {
        let record = self.records.next()?;
        Some(match self.side {
            Side::Out => {
                let hop = RowHop::new(record, self.next_id);
                self.next_id += 1;
                hop
            }
            Side::In => RowHop::new(record, record.last.get()),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl ExactSizeIterator for Row<'_> {}

impl Row<'_> {
    /// The id of the row's edge to `target`, of a row on the out-side.
    pub(crate) fn edge_to(&self, target: u32, type_id: u32) -> Option<u32> {
        let key = |record: &Record| (record.neighbor.get(), record.type_id.get());
        let position =
            self.records.as_slice().binary_search_by_key(&(target, type_id), key).ok()?;
        Some(self.next_id + position as u32)
    }
}

/// The non-empty rows of one side with their nodes, each beginning no earlier than the last ended:
/// overlapping rows, which only wrong bytes have, are cut, so that a pass over all stays linear.
#[derive(Debug, Clone)]
pub(crate) struct Rows<'a> {
    directory: SideView<'a>,
    side: Side,
    next_row: usize,
    next_record: usize,
}

impl<'a> Iterator for Rows<'a> {
    type Item = (u32, Row<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = self.next_row;
            let node = self.directory.node_at(row)?;
            let end = self.directory.offsets.get(row + 1)?.get() as usize;
            let start = (self.directory.offsets[row].get() as usize).max(self.next_record);
            self.next_row += 1;
            let Some(records) = self.directory.records.get(start..end) else { continue };
            if records.is_empty() {
                continue;
            }
            self.next_record = end;
            let row = Row { records: records.iter(), next_id: start as u32, side: self.side };
            return Some((node, row));
        }
    }
}

/// The next `bytes` of `rest`, whose length the caller has checked.
pub(crate) fn take<'a>(rest: &mut &'a [u8], bytes: u64) -> &'a [u8] {
    let (head, tail) = rest.split_at(bytes as usize);
    *rest = tail;
    head
}

pub(crate) fn records(bytes: &[u8]) -> &[Record] {
    <[Record]>::ref_from_bytes(bytes).expect("a whole number of records, of alignment one")
}

fn numbers(bytes: &[u8], count: usize) -> &[U32] {
    let column = <[U32]>::ref_from_bytes(bytes).expect("a whole number of words, of alignment one");
    &column[..count]
}
