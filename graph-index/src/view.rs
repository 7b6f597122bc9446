//! Reading an encoded graph in place.
//!
//! Invariant: parsing looks at the header only, and every accessor stays within the bytes whatever
//! they hold. Wrong bytes give missing or wrong edges, never a panic and never more edges in all than
//! the header counts; finding out is the job of checksums outside and of [`GraphView::check`].

use std::iter::FusedIterator;

use zerocopy::FromBytes;

use crate::edge::{Edge, EdgeKey};
use crate::format::{
    FormatError, HEADER_BYTES, Header, IN_LISTED, MAGIC, OUT_LISTED, RECORD_BYTES, VERSION,
    directory_bytes,
};
use crate::rows::{Row, RowHop, Rows, Side, SideView, records, take};

/// An encoded graph, read in place.
#[derive(Debug, Clone, Copy)]
pub struct GraphView<'a> {
    node_count: u32,
    node_bound: u32,
    outgoing: SideView<'a>,
    incoming: SideView<'a>,
}

/// An edge of one view: its id and its fields.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgeRef {
    /// Position in the order of `(source, target, type_id)`.
    pub id: u32,
    /// The node the edge leaves.
    pub source: u32,
    /// The node the edge enters.
    pub target: u32,
    /// The interned type.
    pub type_id: u32,
    /// How strong the association is.
    pub weight: f32,
    /// How far the association is believed.
    pub confidence: f32,
}

impl EdgeRef {
    /// `(source, target, type_id)`.
    #[must_use]
    pub const fn key(&self) -> EdgeKey {
        (self.source, self.target, self.type_id)
    }

    /// The edge without its id.
    #[must_use]
    pub const fn edge(&self) -> Edge {
        Edge {
            source: self.source,
            target: self.target,
            type_id: self.type_id,
            weight: self.weight,
            confidence: self.confidence,
        }
    }
}

impl<'a> GraphView<'a> {
    /// Reads the header of `bytes` and checks that the sections it describes fill them exactly.
    ///
    /// Any alignment will do; sections begin at multiples of eight, records at multiples of sixteen,
    /// so bytes aligned to a cache line keep each record within one.
    ///
    /// # Errors
    ///
    /// [`FormatError`], any variant but `Interior`.
    ///
    /// # Complexity
    ///
    /// `O(1)`; nothing is allocated.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let too_short = FormatError::TooShort { found: bytes.len() };
        let (header, body) = Header::ref_from_prefix(bytes).map_err(|_| too_short)?;
        if header.magic != MAGIC {
            return Err(FormatError::Magic { found: header.magic });
        }
        if header.version.get() != VERSION {
            return Err(FormatError::Version { found: header.version.get() });
        }
        let flags = header.flags.get();
        if flags & !(OUT_LISTED | IN_LISTED) != 0 {
            return Err(FormatError::Header { field: "flags", found: u64::from(flags) });
        }
        for (field, found) in
            [("reserved", u64::from(header.reserved.get())), ("padding", header.padding.get())]
        {
            if found != 0 {
                return Err(FormatError::Header { field, found });
            }
        }
        let edge_count = u64::from(header.edge_count.get());
        let (out_listed, in_listed) = (flags & OUT_LISTED != 0, flags & IN_LISTED != 0);
        let (out_rows, in_rows) = (header.out_rows.get(), header.in_rows.get());
        let records_bytes = RECORD_BYTES * edge_count;
        let expected = HEADER_BYTES
            + 2 * records_bytes
            + directory_bytes(u64::from(out_rows), out_listed)
            + directory_bytes(u64::from(in_rows), in_listed);
        if expected != bytes.len() as u64 || expected != header.length.get() {
            return Err(FormatError::Length { expected, found: bytes.len() });
        }
        for (field, first, rows) in [
            ("out_first", header.out_first.get(), out_rows),
            ("in_first", header.in_first.get(), in_rows),
        ] {
            if first.checked_add(rows).is_none() {
                return Err(FormatError::Header { field, found: u64::from(first) });
            }
        }
        let mut rest = body;
        let out_records = records(take(&mut rest, records_bytes));
        let in_records = records(take(&mut rest, records_bytes));
        let outgoing =
            SideView::take(&mut rest, out_records, header.out_first.get(), out_rows, out_listed);
        let incoming =
            SideView::take(&mut rest, in_records, header.in_first.get(), in_rows, in_listed);
        Ok(Self {
            node_count: header.node_count.get(),
            node_bound: header.node_bound.get(),
            outgoing,
            incoming,
        })
    }

    /// Number of edges; their ids are `0..edge_count`.
    #[must_use]
    pub const fn edge_count(&self) -> u32 {
        self.outgoing.records.len() as u32
    }

    /// Number of nodes with at least one edge here, as the header says.
    #[must_use]
    pub const fn node_count(&self) -> u32 {
        self.node_count
    }

    /// One more than the largest node number with an edge here, as the header says; 0 without edges.
    #[must_use]
    pub const fn node_bound(&self) -> u32 {
        self.node_bound
    }

    /// The edges that leave `node`, by `(target, type_id)`: ascending edge ids.
    #[must_use]
    pub fn out_edges(&self, node: u32) -> RowEdges<'a> {
        RowEdges { view: *self, node, row: self.row(node, Side::Out) }
    }

    /// The edges that enter `node`, by `(source, type_id)`: ascending edge ids too.
    #[must_use]
    pub fn in_edges(&self, node: u32) -> RowEdges<'a> {
        RowEdges { view: *self, node, row: self.row(node, Side::In) }
    }

    /// The edge with that id.
    ///
    /// # Complexity
    ///
    /// A binary search for the source, over the rows.
    #[must_use]
    pub fn edge(&self, edge_id: u32) -> Option<EdgeRef> {
        let record = self.outgoing.records.get(edge_id as usize)?;
        let ends_after = self.outgoing.offsets.partition_point(|offset| offset.get() <= edge_id);
        let source = self.outgoing.node_at(ends_after.checked_sub(1)?)?;
        let hop = RowHop::new(record, edge_id);
        Some(hop.outgoing_edge(source, record))
    }

    /// The id of the edge with that key.
    #[must_use]
    pub fn find(&self, source: u32, target: u32, type_id: u32) -> Option<u32> {
        self.row(source, Side::Out).edge_to(target, type_id)
    }

    /// All edges, by id.
    #[must_use]
    pub fn edges(&self) -> ViewEdges<'a> {
        let mut rows = self.outgoing.rows(Side::Out);
        let row = rows.next();
        ViewEdges { rows, row, view: *self }
    }

    pub(crate) const fn side(&self, side: Side) -> &SideView<'a> {
        match side {
            Side::Out => &self.outgoing,
            Side::In => &self.incoming,
        }
    }

    /// The hops of one node on one side.
    pub(crate) fn row(&self, node: u32, side: Side) -> Row<'a> {
        self.side(side).row(node, side)
    }

    /// Every non-empty row of one side; together they hold each record at most once.
    pub(crate) fn rows(&self, side: Side) -> Rows<'a> {
        self.side(side).rows(side)
    }

    /// Completes a hop of `node`'s row to an edge; `None` where the edge id points nowhere.
    pub(crate) fn complete(&self, node: u32, side: Side, hop: RowHop) -> Option<EdgeRef> {
        let record = self.outgoing.records.get(hop.edge as usize)?;
        Some(match side {
            Side::Out => hop.outgoing_edge(node, record),
            Side::In => EdgeRef {
                id: hop.edge,
                source: hop.neighbor,
                target: node,
                type_id: hop.type_id,
                weight: f32::from_bits(record.last.get()),
                confidence: hop.confidence,
            },
        })
    }
}

/// Edges of one row; see [`GraphView::out_edges`] and [`GraphView::in_edges`].
#[derive(Debug, Clone)]
pub struct RowEdges<'a> {
    view: GraphView<'a>,
    node: u32,
    row: Row<'a>,
}

impl Iterator for RowEdges<'_> {
    type Item = EdgeRef;

    fn next(&mut self) -> Option<EdgeRef> {
        let (view, node, side) = (self.view, self.node, self.row.side);
        self.row.find_map(|hop| view.complete(node, side, hop))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An in-side record of wrong bytes may name no edge, so the row's length is only a bound.
        (0, Some(self.row.len()))
    }
}

impl FusedIterator for RowEdges<'_> {}

/// All edges of a view, by id; see [`GraphView::edges`].
#[derive(Debug, Clone)]
pub struct ViewEdges<'a> {
    view: GraphView<'a>,
    rows: Rows<'a>,
    row: Option<(u32, Row<'a>)>,
}

impl Iterator for ViewEdges<'_> {
    type Item = EdgeRef;

    fn next(&mut self) -> Option<EdgeRef> {
        loop {
            let (node, row) = self.row.as_mut()?;
            if let Some(hop) = row.next() {
                return self.view.complete(*node, Side::Out, hop);
            }
            self.row = self.rows.next();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.view.edge_count() as usize))
    }
}

impl FusedIterator for ViewEdges<'_> {}
