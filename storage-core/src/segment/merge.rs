//! Makes one segment of several: the one routine behind flush, compaction and the tidying of memory.
//!
//! Dead rows and edges are left out, all indexes are merged without analysing any text again.
//! Invariant: a live concept number, and a live edge key, occurs in at most one input.

use std::collections::BTreeMap;
use std::path::PathBuf;

use graph_index::Edge;
use roaring::RoaringBitmap;

use super::Segment;
use super::build::{EdgeSource, RowSource, write_edges, write_rows, write_touches};
use super::format::{Counts, Identity};
use super::id_table::IdHasher;
use super::scopes::write_scopes;
use super::writer::SegmentWriter;
use crate::fs::FileSystem;
use crate::operation::EdgeKey;
use crate::options::StoreConfig;
use crate::record::Touch;
use crate::{Error, Result};

/// One input of a merge, oldest first: a part, and what of it is dead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MergeInput<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) dead_rows: &'a RoaringBitmap,
    pub(crate) dead_edges: &'a RoaringBitmap,
}

/// Where a merged segment goes.
pub(crate) enum MergeTarget<'a> {
    /// To the heap.
    Heap,
    /// To a new file.
    File { fs: &'a dyn FileSystem, path: PathBuf },
}

/// What lies beneath the parts that are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beneath {
    /// Nothing: they begin with the store's oldest part.
    Nothing,
    /// Older parts, with rows that access entries here may belong to.
    OlderParts,
}

/// Merges parts into one segment.
pub(crate) fn merge(
    inputs: &[MergeInput<'_>],
    beneath: Beneath,
    target: &MergeTarget<'_>,
    identity: &Identity,
    config: &StoreConfig,
    hasher: IdHasher,
) -> Result<Segment> {
    let rows = MergedRows::new(inputs)?;
    let text = rows.merge_text()?;
    let edges = MergedEdges::new(inputs)?;
    let touches = merge_touches(inputs, beneath, &rows)?;

    let (mut writer, path) = match target {
        MergeTarget::Heap => {
            let bytes = inputs.iter().map(|input| input.segment.byte_len()).sum();
            (SegmentWriter::to_heap(identity, bytes), None)
        }
        MergeTarget::File { fs, path } => {
            (SegmentWriter::to_file(*fs, path, identity)?, Some((*fs, path)))
        }
    };
    let counts = write_rows(&mut writer, &rows, &text, hasher, config)?;
    drop(text);
    let edge_count = write_edges(&mut writer, &edges)?;
    write_touches(&mut writer, &touches)?;
    write_scopes(&mut writer, &rows, &edges)?;
    let heap = writer.finish(Counts { edges: edge_count, ..counts })?;
    match (heap, path) {
        (Some(bytes), _) => Segment::from_heap(bytes, config),
        (None, Some((fs, path))) => Segment::open(fs, path, &identity.store, config),
        (None, None) => unreachable!("only a file writer returns no bytes"),
    }
}

struct MergedRows<'a> {
    inputs: &'a [MergeInput<'a>],
    /// (number, input, row), by number.
    order: Vec<(u32, u32, u32)>,
    births: Vec<&'a [u64]>,
    created: Vec<&'a [f64]>,
}

impl<'a> MergedRows<'a> {
    fn new(inputs: &'a [MergeInput<'a>]) -> Result<Self> {
        let mut order = Vec::new();
        let (mut births, mut created) = (Vec::new(), Vec::new());
        for (at, input) in inputs.iter().enumerate() {
            let numbers = input.segment.numbers()?;
            order.extend(
                numbers
                    .iter()
                    .zip(0_u32..)
                    .filter(|&(_, row)| !input.dead_rows.contains(row))
                    .map(|(&number, row)| (number, at as u32, row)),
            );
            births.push(input.segment.births()?);
            created.push(input.segment.created()?);
        }
        order.sort_unstable();
        if let Some(pair) = order.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let path = inputs[pair[1].1 as usize].segment.path();
            let found = format!("number {} in two parts", pair[0].0);
            return Err(Error::corrupt(path, 0, "one live row a concept", found));
        }
        Ok(Self { inputs, order, births, created })
    }

    fn at(&self, row: usize) -> (&'a Segment, u32) {
        let (_, input, old) = self.order[row];
        (self.inputs[input as usize].segment, old)
    }

    fn merge_text(&self) -> Result<Vec<u8>> {
        if self.order.is_empty() {
            return Ok(Vec::new());
        }
        let mut maps: Vec<Vec<u32>> =
            self.inputs.iter().map(|input| vec![u32::MAX; input.segment.rows() as usize]).collect();
        for (new, &(_, input, old)) in self.order.iter().enumerate() {
            maps[input as usize][old as usize] = new as u32;
        }
        let mut parts = Vec::with_capacity(self.inputs.len());
        for (input, map) in self.inputs.iter().zip(&maps) {
            if let Some(view) = input.segment.text()? {
                parts.push((view, map.as_slice()));
            }
        }
        text_index::merge(&parts, self.order.len() as u32).map_err(|e| {
            let path = self.inputs[0].segment.path();
            Error::corrupt(path, 0, "word indexes that merge", e.to_string())
        })
    }
}

impl RowSource for MergedRows<'_> {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn number(&self, row: usize) -> Result<u32> {
        Ok(self.order[row].0)
    }

    fn birth(&self, row: usize) -> Result<u64> {
        let (_, input, old) = self.order[row];
        Ok(self.births[input as usize][old as usize])
    }

    fn created(&self, row: usize) -> Result<f64> {
        let (_, input, old) = self.order[row];
        Ok(self.created[input as usize][old as usize])
    }

    fn id(&self, row: usize) -> Result<&str> {
        let (segment, old) = self.at(row);
        segment.concept_id(old)
    }

    fn record(&self, row: usize) -> Result<&[u8]> {
        let (segment, old) = self.at(row);
        segment.record(old)
    }

    fn vector(&self, row: usize) -> Result<&[u8]> {
        let (segment, old) = self.at(row);
        segment.vector_bytes(old)
    }

    fn inverse_norm(&self, row: usize) -> Result<f32> {
        let (segment, old) = self.at(row);
        let ordinal = segment.vector_ordinal(old)?;
        let ordinal = ordinal.expect("inverse norms are asked for rows with vectors only");
        Ok(segment.inverse_norms()?[ordinal as usize])
    }
}

struct MergedEdges<'a> {
    inputs: &'a [MergeInput<'a>],
    /// (key, input, edge), by key.
    order: Vec<(EdgeKey, u32, u32)>,
}

impl<'a> MergedEdges<'a> {
    fn new(inputs: &'a [MergeInput<'a>]) -> Result<Self> {
        let mut order = Vec::new();
        for (at, input) in inputs.iter().enumerate() {
            let Some(graph) = input.segment.graph()? else { continue };
            for edge in graph.edges().filter(|edge| !input.dead_edges.contains(edge.id)) {
                order.push((EdgeKey::from(edge), at as u32, edge.id));
            }
        }
        order.sort_unstable();
        Ok(Self { inputs, order })
    }
}

impl EdgeSource for MergedEdges<'_> {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn edge(&self, index: usize) -> Result<Edge> {
        let (key, input, edge) = self.order[index];
        let segment = self.inputs[input as usize].segment;
        let found = segment.graph()?.and_then(|graph| graph.edge(edge));
        let found = found.ok_or_else(|| {
            Error::corrupt(segment.path(), 0, "the same edge at each read", "none")
        })?;
        Ok(Edge {
            source: key.source,
            target: key.target,
            type_id: key.type_id,
            weight: found.weight,
            confidence: found.confidence,
        })
    }

    fn birth(&self, index: usize) -> Result<u64> {
        let (_, input, edge) = self.order[index];
        Ok(self.inputs[input as usize].segment.edge_births()?[edge as usize])
    }

    fn record(&self, index: usize) -> Result<&[u8]> {
        let (_, input, edge) = self.order[index];
        self.inputs[input as usize].segment.edge_record(edge)
    }
}

/// The newest access entry of each concept, unless a later input holds a newer version of the row, or no
/// row is left that it could belong to.
fn merge_touches(
    inputs: &[MergeInput<'_>],
    beneath: Beneath,
    rows: &MergedRows<'_>,
) -> Result<Vec<Touch>> {
    let mut newest: BTreeMap<u32, (usize, Touch)> = BTreeMap::new();
    for (at, input) in inputs.iter().enumerate() {
        for entry in input.segment.touches()? {
            let touch = Touch::decode(entry);
            newest.insert(touch.number, (at, touch));
        }
    }
    newest.retain(|&number, &mut (at, _)| {
        let found = rows.order.binary_search_by_key(&number, |&(n, _, _)| n);
        match found {
            Ok(row) => rows.order[row].1 as usize <= at,
            Err(_) => beneath == Beneath::OlderParts,
        }
    });
    Ok(newest.into_values().map(|(_, touch)| touch).collect())
}
