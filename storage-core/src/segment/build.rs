//! Writes the columns and indexes of a segment, from a transaction's rows or from a merge's.
//!
//! Both sources speak through [`RowSource`] and [`EdgeSource`]; each column is one pass over them.
//! Invariant: rows come in order of concept number, edges in order of key, each once.

use graph_index::{Edge, GraphBuilder};
use text_index::{Analyzer, TextBuilder};

use super::format::{Counts, Identity, Kind};
use super::id_table::{self, IdHasher};
use super::scopes::write_scopes;
use super::writer::SegmentWriter;
use super::{Segment, decode_vector};
use crate::codec::DecodeError;
use crate::operation::{EdgeKey, PutAssociation, PutConcept};
use crate::options::StoreConfig;
use crate::record::{self, Touch};
use crate::{Error, Result};

/// Rows to write, in order of concept number.
pub(super) trait RowSource {
    fn len(&self) -> usize;
    fn number(&self, row: usize) -> Result<u32>;
    fn birth(&self, row: usize) -> Result<u64>;
    fn created(&self, row: usize) -> Result<f64>;
    fn id(&self, row: usize) -> Result<&str>;
    fn record(&self, row: usize) -> Result<&[u8]>;
    /// The stored components; empty for none.
    fn vector(&self, row: usize) -> Result<&[u8]>;
    fn inverse_norm(&self, row: usize) -> Result<f32>;
}

/// Edges to write, in order of key.
pub(super) trait EdgeSource {
    fn len(&self) -> usize;
    fn edge(&self, index: usize) -> Result<Edge>;
    fn birth(&self, index: usize) -> Result<u64>;
    fn record(&self, index: usize) -> Result<&[u8]>;
}

/// A new version of a concept.
#[derive(Debug, Clone)]
pub(crate) struct NewRow<'a> {
    pub(crate) birth: u64,
    pub(crate) created: f64,
    pub(crate) id: &'a str,
    pub(crate) record: &'a [u8],
    pub(crate) vector: &'a [u8],
}

impl<'a> NewRow<'a> {
    /// The version that a transaction put.
    pub(crate) fn put(birth: u64, put: &PutConcept<'a>) -> Self {
        let PutConcept { id, created, record, vector, .. } = *put;
        Self { birth, created, id, record, vector }
    }
}

/// A new version of an association.
#[derive(Debug, Clone)]
pub(crate) struct NewEdge<'a> {
    pub(crate) birth: u64,
    pub(crate) weight: f32,
    pub(crate) confidence: f32,
    pub(crate) record: &'a [u8],
}

impl<'a> NewEdge<'a> {
    /// The version that a transaction put.
    pub(crate) fn put(birth: u64, put: &PutAssociation<'a>) -> Self {
        let PutAssociation { weight, confidence, record, .. } = *put;
        Self { birth, weight, confidence, record }
    }
}

/// What one transaction, or a replayed log, adds: sorted by number and by key.
#[derive(Debug)]
pub(crate) struct NewPart<'a> {
    pub(crate) rows: Vec<(u32, NewRow<'a>)>,
    pub(crate) edges: Vec<(EdgeKey, NewEdge<'a>)>,
    pub(crate) touches: Vec<Touch>,
}

impl NewPart<'_> {
    fn byte_estimate(&self) -> usize {
        let rows: usize =
            self.rows.iter().map(|(_, r)| r.vector.len() + 2 * r.record.len() + 96).sum();
        2048 + rows + self.edges.iter().map(|(_, e)| e.record.len() + 64).sum::<usize>()
    }
}

/// Builds a part on the heap.
pub(crate) fn build_on_heap(
    part: &NewPart<'_>,
    identity: &Identity,
    config: &StoreConfig,
    analyzer: Analyzer,
    hasher: IdHasher,
) -> Result<Segment> {
    let mut text = TextBuilder::new();
    for (row, (_, new)) in part.rows.iter().enumerate() {
        let content = record::content(new.record).map_err(bad_record)?;
        if !content.is_empty() {
            text.add(row as u32, &content, &analyzer).map_err(text_failure)?;
        }
    }
    let text = text.finish(part.rows.len() as u32).map_err(text_failure)?;
    let rows = NewRows { rows: &part.rows, config };
    let mut writer = SegmentWriter::to_heap(identity, part.byte_estimate());
    let counts = write_rows(&mut writer, &rows, &text, hasher, config)?;
    let new_edges = NewEdges(&part.edges);
    let edges = write_edges(&mut writer, &new_edges)?;
    write_touches(&mut writer, &part.touches)?;
    write_scopes(&mut writer, &rows, &new_edges)?;
    let bytes = writer.finish(Counts { edges, ..counts })?;
    Segment::from_heap(bytes.expect("a heap writer returns its bytes"), config)
}

struct NewRows<'a> {
    rows: &'a [(u32, NewRow<'a>)],
    config: &'a StoreConfig,
}

impl RowSource for NewRows<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn number(&self, row: usize) -> Result<u32> {
        Ok(self.rows[row].0)
    }

    fn birth(&self, row: usize) -> Result<u64> {
        Ok(self.rows[row].1.birth)
    }

    fn created(&self, row: usize) -> Result<f64> {
        Ok(self.rows[row].1.created)
    }

    fn id(&self, row: usize) -> Result<&str> {
        Ok(self.rows[row].1.id)
    }

    fn record(&self, row: usize) -> Result<&[u8]> {
        Ok(self.rows[row].1.record)
    }

    fn vector(&self, row: usize) -> Result<&[u8]> {
        Ok(self.rows[row].1.vector)
    }

    fn inverse_norm(&self, row: usize) -> Result<f32> {
        let vector = decode_vector(self.rows[row].1.vector, self.config.vector_storage);
        Ok(vector_kernel::inverse_norm(&vector))
    }
}

struct NewEdges<'a>(&'a [(EdgeKey, NewEdge<'a>)]);

impl EdgeSource for NewEdges<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn edge(&self, index: usize) -> Result<Edge> {
        let (key, new) = &self.0[index];
        Ok(Edge {
            source: key.source,
            target: key.target,
            type_id: key.type_id,
            weight: new.weight,
            confidence: new.confidence,
        })
    }

    fn birth(&self, index: usize) -> Result<u64> {
        Ok(self.0[index].1.birth)
    }

    fn record(&self, index: usize) -> Result<&[u8]> {
        Ok(self.0[index].1.record)
    }
}

/// Writes all sections that belong to rows; returns the counts, edges not counted.
pub(super) fn write_rows(
    out: &mut SegmentWriter,
    rows: &impl RowSource,
    text: &[u8],
    hasher: IdHasher,
    config: &StoreConfig,
) -> Result<Counts> {
    let len = rows.len();
    if len == 0 {
        return Ok(Counts::default());
    }
    column(out, Kind::Numbers, len, |row| Ok(rows.number(row)?.to_le_bytes()))?;
    column(out, Kind::Births, len, |row| Ok(rows.birth(row)?.to_le_bytes()))?;
    column(out, Kind::Created, len, |row| Ok(rows.created(row)?.to_le_bytes()))?;
    let mut order = (0..len)
        .map(|row| Ok((rows.created(row)?, row as u32)))
        .collect::<Result<Vec<(f64, u32)>>>()?;
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    column(out, Kind::CreatedOrder, len, |at| Ok(order[at].1.to_le_bytes()))?;
    drop(order);

    offsets(out, Kind::IdOffsets, len, |row| Ok(rows.id(row)?.len()))?;
    out.begin(Kind::Ids)?;
    let mut hashes = Vec::with_capacity(len);
    for row in 0..len {
        let id = rows.id(row)?;
        let scope = record::scope(rows.record(row)?).map_err(bad_record)?;
        hashes.push(hasher.hash(scope.namespace, id));
        out.write(id.as_bytes())?;
    }
    out.end();
    let table = id_table::build(&hashes);
    drop(hashes);
    out.section(Kind::IdTable, zerocopy::IntoBytes::as_bytes(table.as_slice()))?;
    drop(table);

    offsets(out, Kind::RecordOffsets, len, |row| Ok(rows.record(row)?.len()))?;
    out.begin(Kind::Records)?;
    for row in 0..len {
        out.write(rows.record(row)?)?;
    }
    out.end();

    let vectors = write_vectors(out, rows, config)?;
    out.section(Kind::Text, text)?;
    Ok(Counts { rows: len as u32, edges: 0, vectors })
}

fn write_vectors(
    out: &mut SegmentWriter,
    rows: &impl RowSource,
    config: &StoreConfig,
) -> Result<u32> {
    let mut with_vector = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        if !rows.vector(row)?.is_empty() {
            with_vector.push(row as u32);
        }
    }
    let count = with_vector.len();
    if count == 0 {
        return Ok(0);
    }
    if count < rows.len() {
        column(out, Kind::VectorRows, count, |at| Ok(with_vector[at].to_le_bytes()))?;
    }
    let row_bytes = config.vector_dimension * config.vector_storage.component_bytes();
    out.begin(Kind::Vectors)?;
    for &row in &with_vector {
        let vector = rows.vector(row as usize)?;
        assert_eq!(vector.len(), row_bytes, "vectors are checked before they are logged");
        out.write(vector)?;
    }
    out.end();
    column(out, Kind::InverseNorms, count, |at| {
        Ok(rows.inverse_norm(with_vector[at] as usize)?.to_le_bytes())
    })?;
    Ok(count as u32)
}

/// Writes all sections that belong to edges; returns their count.
pub(super) fn write_edges(out: &mut SegmentWriter, edges: &impl EdgeSource) -> Result<u32> {
    let len = edges.len();
    if len == 0 {
        return Ok(0);
    }
    let mut graph = GraphBuilder::with_capacity(len);
    for index in 0..len {
        graph.push(edges.edge(index)?);
    }
    let graph = graph.finish().map_err(|e| Error::InvalidArgument {
        name: "association",
        expected: "a valid edge".to_owned(),
        found: e.to_string(),
    })?;
    out.section(Kind::Graph, &graph)?;
    drop(graph);
    column(out, Kind::EdgeBirths, len, |index| Ok(edges.birth(index)?.to_le_bytes()))?;
    offsets(out, Kind::EdgeRecordOffsets, len, |index| Ok(edges.record(index)?.len()))?;
    out.begin(Kind::EdgeRecords)?;
    for index in 0..len {
        out.write(edges.record(index)?)?;
    }
    out.end();
    Ok(len as u32)
}

/// Writes access entries, sorted by number.
pub(super) fn write_touches(out: &mut SegmentWriter, touches: &[Touch]) -> Result<()> {
    let mut bytes = Vec::with_capacity(touches.len() * Touch::BYTES);
    for touch in touches {
        touch.encode(&mut bytes);
    }
    out.section(Kind::Touches, &bytes)
}

/// Writes a column of fixed-size entries, gathered into writes of some kilobytes.
fn column<const N: usize>(
    out: &mut SegmentWriter,
    kind: Kind,
    len: usize,
    entry: impl Fn(usize) -> Result<[u8; N]>,
) -> Result<()> {
    out.begin(kind)?;
    let mut buffer = Vec::with_capacity((len * N).min(8192 + N));
    for index in 0..len {
        buffer.extend_from_slice(&entry(index)?);
        if buffer.len() >= 8192 {
            out.write(&buffer)?;
            buffer.clear();
        }
    }
    out.write(&buffer)?;
    out.end();
    Ok(())
}

/// Writes where each variable-length entry starts, and where the last ends.
fn offsets(
    out: &mut SegmentWriter,
    kind: Kind,
    len: usize,
    entry_len: impl Fn(usize) -> Result<usize>,
) -> Result<()> {
    let mut end = 0_u64;
    let mut ends = Vec::with_capacity(len + 1);
    ends.push(0_u64);
    for index in 0..len {
        end += entry_len(index)? as u64;
        ends.push(end);
    }
    out.section(kind, zerocopy::IntoBytes::as_bytes(ends.as_slice()))
}

/// A record that can't be read, wherever it came from.
#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err wants")]
pub(super) fn bad_record(error: DecodeError) -> Error {
    Error::Corrupt {
        path: "(record)".into(),
        offset: error.offset as u64,
        expected: error.expected.to_owned(),
        found: "other bytes".to_owned(),
    }
}

pub(super) fn text_failure(error: text_index::BuildError) -> Error {
    Error::InvalidArgument {
        name: "content",
        expected: "indexable text".to_owned(),
        found: error.to_string(),
    }
}
