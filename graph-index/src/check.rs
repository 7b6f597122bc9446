//! The full check of an encoded graph against every rule of its format.
//!
//! Invariant: a graph that passes answers exactly as the edges it was built from.

use roaring::RoaringBitmap;

use crate::edge::RESERVED_NODE;
use crate::format::FormatError;
use crate::rows::{Side, SideView};
use crate::view::GraphView;

/// The names `FORMAT.md` gives to one side's sections.
struct Names {
    records: &'static str,
    offsets: &'static str,
    nodes: &'static str,
}

const OUT: Names = Names { records: "out_records", offsets: "out_offsets", nodes: "out_nodes" };
const IN: Names = Names { records: "in_records", offsets: "in_offsets", nodes: "in_nodes" };

const fn wrong(section: &'static str, position: usize, what: &'static str) -> FormatError {
    FormatError::Interior { section, position, what }
}

impl GraphView<'_> {
    /// Reads everything and checks it against every rule of the format.
    ///
    /// For verification and repair; ordinary reads don't need it.
    ///
    /// # Errors
    ///
    /// [`FormatError::Interior`] or [`FormatError::Header`] for the first rule found broken.
    ///
    /// # Complexity
    ///
    /// `O(e)`, with a look-up for each edge.
    pub fn check(&self) -> Result<(), FormatError> {
        check_directory(self.side(Side::Out), &OUT)?;
        check_directory(self.side(Side::In), &IN)?;
        self.check_out_records()?;
        self.check_in_records()?;

        let mut nodes = RoaringBitmap::new();
        for side in [Side::Out, Side::In] {
            nodes.extend(self.rows(side).map(|(node, _)| node));
        }
        if u64::from(self.node_count()) != nodes.len() {
            let found = u64::from(self.node_count());
            return Err(FormatError::Header { field: "node_count", found });
        }
        if self.node_bound() != nodes.max().map_or(0, |largest| largest + 1) {
            let found = u64::from(self.node_bound());
            return Err(FormatError::Header { field: "node_bound", found });
        }
        Ok(())
    }

    fn check_out_records(&self) -> Result<(), FormatError> {
        for (source, row) in self.rows(Side::Out) {
            let mut previous = None;
            for (hop, record) in row.clone().zip(row.records.as_slice()) {
                let position = hop.edge as usize;
                let at = |what| Err(wrong(OUT.records, position, what));
                if source == RESERVED_NODE || hop.neighbor == RESERVED_NODE {
                    return at("the reserved node number");
                }
                if previous.replace((hop.neighbor, hop.type_id))
                    >= Some((hop.neighbor, hop.type_id))
                {
                    return at("not above the record before by (target, type)");
                }
                if !(0.0..=1.0).contains(&hop.confidence) {
                    return at("confidence outside 0..=1");
                }
                if !f32::from_bits(record.last.get()).is_finite() {
                    return at("weight not finite");
                }
            }
        }
        Ok(())
    }

    /// Strictly ascending keys, each naming an out-record of the same edge, and as many of them: so the
    /// in-side is a permutation of the out-side.
    fn check_in_records(&self) -> Result<(), FormatError> {
        for (target, row) in self.rows(Side::In) {
            let mut previous = None;
            let first = row.next_id as usize;
            for (position, hop) in (first..).zip(row) {
                let at = |what| Err(wrong(IN.records, position, what));
                if previous.replace((hop.neighbor, hop.type_id))
                    >= Some((hop.neighbor, hop.type_id))
                {
                    return at("not above the record before by (source, type)");
                }
                if self.find(hop.neighbor, target, hop.type_id) != Some(hop.edge) {
                    return at("its edge id names another edge");
                }
                let edge = self.complete(target, Side::In, hop);
                let other = self.side(Side::Out).records.get(hop.edge as usize);
                let same = other.is_some_and(|record| {
                    record.confidence.get().to_bits() == hop.confidence.to_bits()
                });
                if edge.is_none() || !same {
                    return at("its confidence differs from the out-side's");
                }
            }
        }
        Ok(())
    }
}

fn check_directory(side: &SideView<'_>, names: &Names) -> Result<(), FormatError> {
    let rows = side.offsets.len() - 1;
    if side.offsets[0].get() != 0 {
        return Err(wrong(names.offsets, 0, "not zero"));
    }
    if let Some(row) = (0..rows).find(|&row| side.offsets[row] > side.offsets[row + 1]) {
        return Err(wrong(names.offsets, row + 1, "below the offset before"));
    }
    if side.offsets[rows].get() as usize != side.records.len() {
        return Err(wrong(names.offsets, rows, "not the number of edges"));
    }
    let is_empty = |row: usize| side.offsets[row] == side.offsets[row + 1];
    match side.nodes {
        Some(nodes) => {
            if let Some(row) = (1..rows).find(|&row| nodes[row - 1] >= nodes[row]) {
                return Err(wrong(names.nodes, row, "not above the node before"));
            }
            if let Some(row) = (0..rows).find(|&row| is_empty(row)) {
                return Err(wrong(names.offsets, row, "an empty row in a list"));
            }
        }
        None if rows > 0 => {
            if let Some(row) = [0, rows - 1].into_iter().find(|&row| is_empty(row)) {
                return Err(wrong(names.offsets, row, "an empty row at the end of a range"));
            }
        }
        None => {}
    }
    Ok(())
}
