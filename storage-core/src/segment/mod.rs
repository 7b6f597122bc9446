//! Immutable parts of a store: rows of concepts and edges, with every index over them.
//!
//! A [`Segment`] is the one representation of data at rest and in memory: a committed transaction is
//! a small one on the heap, a flush or compaction writes a large one to a file. Invariant: no byte of
//! a file is used before its checksum was compared.

mod ann;
mod audit;
mod build;
mod check;
mod format;
mod id_table;
mod merge;
mod remake;
mod salvage;
mod scopes;
mod writer;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

use graph_index::{GraphView, Side};
use half::f16;
use roaring::RoaringBitmap;
use text_index::TextView;
use vector_kernel::{FlatIndex, Metric, QueryError, Rows};
use zerocopy::{FromBytes, Immutable, KnownLayout};

pub(crate) use ann::{AnnFile, path_of as ann_path_of};
pub use audit::IndexAudit;
pub(crate) use build::{NewEdge, NewPart, NewRow, build_on_heap};
pub(crate) use check::Limits;
pub(crate) use format::{Counts, Identity};
pub(crate) use id_table::{IdHasher, are_spread};
pub(crate) use merge::{Beneath, MergeInput, MergeTarget, merge};
pub(crate) use salvage::{SalvagedSegment, VectorRows};
pub(crate) use scopes::Of;

use crate::fs::{ByteView, FileSystem};
use crate::operation::{EdgeKey, PutAssociation, PutConcept};
use crate::options::{StoreConfig, VectorStorage};
use crate::record::Touch;
use crate::{Error, Result, interrupt};
use format::{BLOCK_BYTES, Blocks, Kind, Outline, Section};
pub(crate) use format::{read_u32, read_u64};
use scopes::{Expiries, NamespaceIndex};

/// One immutable part of a store.
pub(crate) struct Segment {
    path: PathBuf,
    bytes: ByteView,
    identity: Identity,
    counts: Counts,
    sections: [Section; Kind::ALL.len()],
    /// `None` for a part on the heap, whose bytes never left memory.
    verification: Option<Verification>,
    dim: usize,
    metric: Metric,
    storage: VectorStorage,
    analyzer: &'static str,
    /// Indexes whose bytes are damaged, made anew.
    remade: [OnceLock<ByteView>; Kind::ALL.len()],
    /// Whether there are any of these.
    is_broken: AtomicBool,
    /// Whether it was tried to write it anew for the sake of these.
    mending_tried: AtomicBool,
    /// Made at their first use.
    expiries: OnceLock<Expiries>,
    namespaces: OnceLock<NamespaceIndex>,
    /// The index for approximate search, once there is one.
    ann: RwLock<Option<Arc<AnnFile>>>,
}

/// Which blocks of a file were compared with their checksums.
#[derive(Debug)]
struct Verification {
    checksums: Range<usize>,
    /// A bit a block, in the order of the checksums.
    seen: Box<[AtomicU64]>,
    whole: [AtomicBool; Kind::ALL.len()],
}

impl fmt::Debug for Segment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Segment")
            .field("id", &self.identity.id)
            .field("lsn", &(self.identity.first_lsn..=self.identity.last_lsn))
            .field("counts", &self.counts)
            .field("mapped", &self.bytes.is_mapped())
            .finish_non_exhaustive()
    }
}

impl Segment {
    /// Opens a segment file: reads its outline, none of its rows.
    pub(crate) fn open(
        fs: &dyn FileSystem,
        path: &Path,
        store: &[u8; 16],
        config: &StoreConfig,
    ) -> Result<Self> {
        let bytes = fs.view(path).map_err(|e| Error::io("open", path, e))?;
        let outline = format::parse(path, &bytes, Blocks::Checked)?;
        let checksums = outline.checksums.clone();
        let mut segment = Self::new(path, bytes, outline, config)?;
        if &segment.identity.store != store {
            let found = format!("{:02x?}", segment.identity.store);
            return Err(Error::corrupt(path, 16, format!("store {store:02x?}"), found));
        }
        let blocks = checksums.len() / 4;
        segment.verification = Some(Verification {
            checksums,
            seen: (0..blocks.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            whole: Default::default(),
        });
        Ok(segment)
    }

    /// A part whose bytes were built in this process.
    pub(crate) fn from_heap(bytes: ByteView, config: &StoreConfig) -> Result<Self> {
        let path = Path::new("(memory)");
        let outline = format::parse(path, &bytes, Blocks::Bare)?;
        Self::new(path, bytes, outline, config)
    }

    fn new(path: &Path, bytes: ByteView, outline: Outline, config: &StoreConfig) -> Result<Self> {
        let segment = Self {
            path: path.to_owned(),
            bytes,
            identity: outline.identity,
            counts: outline.counts,
            sections: outline.sections,
            verification: None,
            dim: config.vector_dimension,
            metric: config.metric,
            storage: config.vector_storage,
            analyzer: analyzer_name(config),
            remade: Default::default(),
            is_broken: AtomicBool::new(false),
            mending_tried: AtomicBool::new(false),
            expiries: OnceLock::new(),
            namespaces: OnceLock::new(),
            ann: RwLock::default(),
        };
        segment.check_lengths()?;
        Ok(segment)
    }

    /// Every column has as many entries as the counts say, so that later reads need no length checks.
    fn check_lengths(&self) -> Result<()> {
        let (rows, edges) = (self.counts.rows as usize, self.counts.edges as usize);
        let vectors = self.counts.vectors as usize;
        let row_bytes = self.dim * self.storage.component_bytes();
        let some = |count: usize, bytes: usize| if count == 0 { 0 } else { bytes };
        let expected = [
            (Kind::Numbers, rows * 4),
            (Kind::Births, rows * 8),
            (Kind::Created, rows * 8),
            (Kind::CreatedOrder, rows * 4),
            (Kind::IdOffsets, some(rows, (rows + 1) * 8)),
            (Kind::RecordOffsets, some(rows, (rows + 1) * 8)),
            (Kind::VectorRows, if vectors == rows { 0 } else { vectors * 4 }),
            (Kind::Vectors, vectors.saturating_mul(row_bytes)),
            (Kind::InverseNorms, vectors * 4),
            (Kind::EdgeBirths, edges * 8),
            (Kind::EdgeRecordOffsets, some(edges, (edges + 1) * 8)),
            (Kind::RowNamespaces, some(self.sections[Kind::RowNamespaces.index()].len(), rows * 4)),
            (
                Kind::EdgeNamespaces,
                some(self.sections[Kind::EdgeNamespaces.index()].len(), edges * 4),
            ),
        ];
        for (kind, len) in expected {
            let section = &self.sections[kind.index()];
            if section.len() != len {
                let offset = section.range.start as u64;
                let expected = format!("{len} bytes of {}", kind.name());
                let found = format!("{} bytes", section.len());
                return Err(Error::corrupt(&self.path, offset, expected, found));
            }
        }
        Ok(())
    }

    pub(crate) fn id(&self) -> u64 {
        self.identity.id
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_file(&self) -> bool {
        self.verification.is_some()
    }

    pub(crate) fn rows(&self) -> u32 {
        self.counts.rows
    }

    pub(crate) fn edges(&self) -> u32 {
        self.counts.edges
    }

    pub(crate) fn vectors(&self) -> u32 {
        self.counts.vectors
    }

    fn vectors_len(&self) -> usize {
        self.sections[Kind::Vectors.index()].len()
    }

    fn corrupt(&self, kind: Kind, expected: &str, found: impl Into<String>) -> Error {
        let offset = self.sections[kind.index()].range.start as u64;
        Error::corrupt(&self.path, offset, format!("{expected} in section {}", kind.name()), found)
    }

    // ---- checked access to bytes -------------------------------------------------------------

    /// Part of a section; of what was made in its place where it is damaged.
    fn bytes_at(&self, kind: Kind, range: Range<usize>) -> Result<&[u8]> {
        let made = match self.remade(kind) {
            Some(made) => made,
            None => match self.stored_bytes_at(kind, range.clone()) {
                Ok(bytes) => return Ok(bytes),
                Err(damage) => self.remake(kind, damage)?,
            },
        };
        made.get(range.clone()).ok_or_else(|| {
            let found = format!("bytes {range:?} of {}", made.len());
            self.corrupt(kind, "offsets within the section", found)
        })
    }

    /// Part of a section as it is in the file, its blocks verified at their first touch.
    fn stored_bytes_at(&self, kind: Kind, range: Range<usize>) -> Result<&[u8]> {
        let section = &self.sections[kind.index()];
        if range.start > range.end || range.end > section.len() {
            let found = format!("bytes {range:?} of {}", section.len());
            return Err(self.corrupt(kind, "offsets within the section", found));
        }
        if let Some(verification) = &self.verification
            && !verification.whole[kind.index()].load(Ordering::Acquire)
        {
            self.verify(verification, kind, &range)?;
        }
        let start = section.range.start;
        Ok(&self.bytes[start + range.start..start + range.end])
    }

    /// A whole section.
    fn section(&self, kind: Kind) -> Result<&[u8]> {
        if let Some(made) = self.remade(kind) {
            return Ok(made);
        }
        let len = self.sections[kind.index()].len();
        let bytes = match self.stored_bytes_at(kind, 0..len) {
            Ok(bytes) => bytes,
            Err(damage) => return self.remake(kind, damage).map(|made| &**made),
        };
        if let Some(verification) = &self.verification {
            verification.whole[kind.index()].store(true, Ordering::Release);
        }
        Ok(bytes)
    }

    /// A section whose first `parsed` bytes were compared with their checksums: whoever reads others
    /// compares them first.
    fn outline_of(&self, kind: Kind, parsed: usize) -> Result<&[u8]> {
        let section = &self.sections[kind.index()];
        self.bytes_at(kind, 0..parsed.min(section.len()))?;
        if let Some(made) = self.remade(kind) {
            return Ok(made);
        }
        Ok(&self.bytes[section.range.clone()])
    }

    fn column<T: FromBytes + Immutable + KnownLayout>(&self, kind: Kind) -> Result<&[T]> {
        let bytes = self.section(kind)?;
        <[T]>::ref_from_bytes(bytes)
            .map_err(|_| self.corrupt(kind, "an aligned column", format!("{} bytes", bytes.len())))
    }

    fn verify(&self, verification: &Verification, kind: Kind, range: &Range<usize>) -> Result<()> {
        let section = &self.sections[kind.index()];
        for block in range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES) {
            let index = section.first_checksum + block;
            let (word, bit) = (&verification.seen[index / 64], 1_u64 << (index % 64));
            if word.load(Ordering::Acquire) & bit != 0 {
                continue;
            }
            self.compare_block(verification, section, kind, block)?;
            word.fetch_or(bit, Ordering::Release);
        }
        Ok(())
    }

    fn compare_block(
        &self,
        verification: &Verification,
        section: &Section,
        kind: Kind,
        block: usize,
    ) -> Result<()> {
        let start = section.range.start + block * BLOCK_BYTES;
        let end = (start + BLOCK_BYTES).min(section.range.end);
        let found = crc32c::crc32c(&self.bytes[start..end]);
        let at = verification.checksums.start + (section.first_checksum + block) * 4;
        let expected = read_u32(&self.bytes, at);
        if found == expected {
            return Ok(());
        }
        Err(Error::corrupt(
            &self.path,
            start as u64,
            format!("checksum {expected:08x} over a block of section {}", kind.name()),
            format!("{found:08x}"),
        ))
    }

    /// Compares every block with its checksum, seen before or not; yields all that differ.
    pub(crate) fn verify_all(&self) -> impl Iterator<Item = Error> {
        self.verification.iter().flat_map(move |verification| {
            Kind::ALL
                .into_iter()
                .flat_map(|kind| {
                    let blocks = self.sections[kind.index()].len().div_ceil(BLOCK_BYTES);
                    (0..blocks).map(move |block| (kind, block))
                })
                // Its caller asks as well.
                .take_while(|_| !interrupt::is_wanted())
                .filter_map(move |(kind, block)| {
                    let section = &self.sections[kind.index()];
                    self.compare_block(verification, section, kind, block).err()
                })
        })
    }

    // ---- rows ----------------------------------------------------------------------------------

    /// Concept numbers by row, ascending.
    pub(crate) fn numbers(&self) -> Result<&[u32]> {
        self.column(Kind::Numbers)
    }

    /// The row of a concept number.
    pub(crate) fn row_of(&self, number: u32) -> Result<Option<u32>> {
        let numbers = self.numbers()?;
        let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else {
            return Ok(None);
        };
        if number < first || number > last {
            return Ok(None);
        }
        // Numbers are given out in sequence, so the row is mostly just the distance to the first.
        let guess = (number - first) as usize;
        if numbers.get(guess) == Some(&number) {
            return Ok(Some(guess as u32));
        }
        let within = &numbers[..guess.min(numbers.len())];
        Ok(within.binary_search(&number).ok().map(|row| row as u32))
    }

    pub(crate) fn births(&self) -> Result<&[u64]> {
        self.column(Kind::Births)
    }

    pub(crate) fn created(&self) -> Result<&[f64]> {
        self.column(Kind::Created)
    }

    /// Rows by (creation time, row).
    pub(crate) fn created_order(&self) -> Result<&[u32]> {
        self.column(Kind::CreatedOrder)
    }

    /// The bytes of variable-length entry `index` of a section.
    fn entry(&self, offsets: Kind, bytes: Kind, index: u32) -> Result<&[u8]> {
        let offsets: &[u64] = self.column(offsets)?;
        let index = index as usize;
        let (Some(&start), Some(&end)) = (offsets.get(index), offsets.get(index + 1)) else {
            return Err(self.corrupt(bytes, "an entry", format!("none at {index}")));
        };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        self.bytes_at(bytes, start..end)
    }

    /// The id of a row.
    pub(crate) fn concept_id(&self, row: u32) -> Result<&str> {
        let bytes = self.entry(Kind::IdOffsets, Kind::Ids, row)?;
        std::str::from_utf8(bytes).map_err(|e| self.corrupt(Kind::Ids, "UTF-8", e.to_string()))
    }

    /// The record of a row.
    pub(crate) fn record(&self, row: u32) -> Result<&[u8]> {
        self.entry(Kind::RecordOffsets, Kind::Records, row)
    }

    /// The operation that would put a row's version again.
    pub(crate) fn put_of_row(&self, row: u32) -> Result<PutConcept<'_>> {
        let missing = || self.corrupt(Kind::Numbers, "a row", format!("none at {row}"));
        Ok(PutConcept {
            number: self.numbers()?.get(row as usize).copied().ok_or_else(missing)?,
            id: self.concept_id(row)?,
            created: self.created()?.get(row as usize).copied().ok_or_else(missing)?,
            record: self.record(row)?,
            vector: self.vector_bytes(row)?,
        })
    }

    /// The operation that would put an edge's version again.
    pub(crate) fn put_of_edge(&self, edge: u32) -> Result<PutAssociation<'_>> {
        let found = self.graph()?.and_then(|graph| graph.edge(edge));
        let found =
            found.ok_or_else(|| self.corrupt(Kind::Graph, "an edge", format!("none at {edge}")))?;
        Ok(PutAssociation {
            key: EdgeKey::from(found),
            weight: found.weight,
            confidence: found.confidence,
            record: self.edge_record(edge)?,
        })
    }

    /// Turns a record's decoding error into one that names this file.
    pub(crate) fn bad_record(&self, error: &crate::codec::DecodeError) -> Error {
        self.corrupt(Kind::Records, error.expected, format!("other bytes at {}", error.offset))
    }

    /// The row with an id in a namespace, given the hash of both.
    pub(crate) fn find_id(&self, hash: u64, namespace: &str, id: &str) -> Result<Option<u32>> {
        if self.counts.rows == 0 {
            return Ok(None);
        }
        let table: &[u64] = self.column(Kind::IdTable)?;
        let mut candidates = id_table::probe(table, hash);
        while let Some(row) = candidates.next_row() {
            if row < self.counts.rows
                && self.concept_id(row)? == id
                && self.namespace_of(row)? == namespace
            {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    // ---- vectors -------------------------------------------------------------------------------

    /// The rows that have vectors, ascending; `None` when all have.
    pub(crate) fn vector_rows(&self) -> Result<Option<&[u32]>> {
        if self.counts.vectors == self.counts.rows {
            return Ok(None);
        }
        self.column(Kind::VectorRows).map(Some)
    }

    /// The ordinal of a row's vector among the vectors.
    pub(crate) fn vector_ordinal(&self, row: u32) -> Result<Option<u32>> {
        Ok(match self.vector_rows()? {
            None => Some(row),
            Some(rows) => rows.binary_search(&row).ok().map(|ordinal| ordinal as u32),
        })
    }

    /// The row of the vector with an ordinal.
    pub(crate) fn row_of_vector(&self, ordinal: u32) -> Result<u32> {
        match self.vector_rows()? {
            None => Ok(ordinal),
            Some(rows) => rows.get(ordinal as usize).copied().ok_or_else(|| {
                self.corrupt(Kind::VectorRows, "a row", format!("none at {ordinal}"))
            }),
        }
    }

    /// The stored components of a row's vector; empty when it has none.
    pub(crate) fn vector_bytes(&self, row: u32) -> Result<&[u8]> {
        let Some(ordinal) = self.vector_ordinal(row)? else { return Ok(&[]) };
        let len = self.dim * self.storage.component_bytes();
        let start = ordinal as usize * len;
        self.bytes_at(Kind::Vectors, start..start + len)
    }

    /// A row's vector as 32-bit floats.
    pub(crate) fn vector(&self, row: u32) -> Result<Option<Vec<f32>>> {
        let bytes = self.vector_bytes(row)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let vector = decode_vector(bytes, self.storage);
        if vector.iter().all(|component| component.is_finite()) {
            return Ok(Some(vector));
        }
        Err(self.bad_vector(self.vector_ordinal(row)?.unwrap_or(row)))
    }

    /// Why a comparison with vectors of this part failed: for a query, or by a vector that is damaged.
    pub(crate) fn vector_error(&self, id: &str, source: QueryError) -> Error {
        match source {
            // None such is let in, so these are not the bytes that were written.
            QueryError::RowNotFinite { ordinal } => self.bad_vector(ordinal),
            source => Error::InvalidVector { id: id.to_owned(), source },
        }
    }

    fn bad_vector(&self, ordinal: u32) -> Error {
        let row_bytes = self.dim * self.storage.component_bytes();
        let start = self.sections[Kind::Vectors.index()].range.start;
        let offset = start as u64 + u64::from(ordinal) * row_bytes as u64;
        let found = "a component that is none";
        Error::corrupt(&self.path, offset, "a vector of finite numbers", found)
    }

    pub(crate) fn inverse_norms(&self) -> Result<&[f32]> {
        self.column(Kind::InverseNorms)
    }

    /// All vectors, to be searched.
    pub(crate) fn flat_index(&self, metric: Metric) -> Result<FlatIndex<'_>> {
        let norms = self.inverse_norms()?;
        let rows = match self.storage {
            VectorStorage::F32 => Rows::F32(self.column::<f32>(Kind::Vectors)?),
            VectorStorage::F16 => Rows::F16(self.column::<f16>(Kind::Vectors)?),
        };
        FlatIndex::new(rows, self.dim, metric)
            .and_then(|index| index.with_inverse_norms(norms))
            .map_err(|e| self.corrupt(Kind::Vectors, "searchable vectors", e.to_string()))
    }

    // ---- words and edges -----------------------------------------------------------------------

    /// The word index; `None` when the part has no rows.
    pub(crate) fn text(&self) -> Result<Option<TextView<'_>>> {
        if self.counts.rows == 0 {
            return Ok(None);
        }
        self.section(Kind::Text)?;
        self.text_outline()
    }

    /// The word index, of which no more was compared with its checksums than the header.
    fn text_outline(&self) -> Result<Option<TextView<'_>>> {
        if self.counts.rows == 0 {
            return Ok(None);
        }
        let text = TextView::parse(self.outline_of(Kind::Text, TextView::PARSED_BYTES)?)
            .map_err(|e| self.corrupt(Kind::Text, "a word index", e.to_string()))?;
        if text.doc_count() != self.counts.rows {
            let expected = format!("{} documents", self.counts.rows);
            return Err(self.corrupt(Kind::Text, &expected, text.doc_count().to_string()));
        }
        Ok(Some(text))
    }

    /// Words in all rows.
    pub(crate) fn word_count(&self) -> Result<u64> {
        Ok(self.text_outline()?.map_or(0, |text| text.total_length()))
    }

    /// Words in a row.
    pub(crate) fn words_in(&self, row: u32) -> Result<u32> {
        let Some(text) = self.text_outline()? else { return Ok(0) };
        self.bytes_at(Kind::Text, text.doc_length_place(row))?;
        // It may have been found damaged just now.
        let text =
            if self.remade(Kind::Text).is_some() { self.text_outline()? } else { Some(text) };
        Ok(text.map_or(0, |text| text.doc_length(row)))
    }

    /// The associations; `None` when the part has none.
    pub(crate) fn graph(&self) -> Result<Option<GraphView<'_>>> {
        if self.counts.edges == 0 {
            return Ok(None);
        }
        self.section(Kind::Graph)?;
        self.graph_outline()
    }

    /// The associations, of which no more was compared with its checksums than the header.
    fn graph_outline(&self) -> Result<Option<GraphView<'_>>> {
        if self.counts.edges == 0 {
            return Ok(None);
        }
        let graph = GraphView::parse(self.outline_of(Kind::Graph, GraphView::PARSED_BYTES)?)
            .map_err(|e| self.corrupt(Kind::Graph, "a graph", e.to_string()))?;
        if graph.edge_count() != self.counts.edges {
            let expected = format!("{} edges", self.counts.edges);
            return Err(self.corrupt(Kind::Graph, &expected, graph.edge_count().to_string()));
        }
        Ok(Some(graph))
    }

    pub(crate) fn edge_births(&self) -> Result<&[u64]> {
        self.column(Kind::EdgeBirths)
    }

    pub(crate) fn edge_record(&self, edge: u32) -> Result<&[u8]> {
        self.entry(Kind::EdgeRecordOffsets, Kind::EdgeRecords, edge)
    }

    /// The edge with a key.
    pub(crate) fn find_edge(&self, key: EdgeKey) -> Result<Option<u32>> {
        let Some(graph) = self.graph_outline()? else { return Ok(None) };
        let check = |range| self.bytes_at(Kind::Graph, range).map(drop);
        graph.find_checked(key.source, key.target, key.type_id, check)
    }

    /// The edges at a concept, each with the concept at its other end; a loop comes twice.
    pub(crate) fn edges_at(&self, number: u32) -> Result<Vec<(u32, u32)>> {
        let Some(graph) = self.graph_outline()? else { return Ok(Vec::new()) };
        let check = |range| self.bytes_at(Kind::Graph, range).map(drop);
        let mut edges = graph.edges_checked(number, Side::Out, check)?;
        edges.extend(graph.edges_checked(number, Side::In, check)?);
        Ok(edges)
    }

    /// Whether there are access entries.
    pub(crate) fn has_touches(&self) -> bool {
        self.sections[Kind::Touches.index()].len() > 0
    }

    /// The newest access entry of a concept in this part.
    pub(crate) fn touch(&self, number: u32) -> Result<Option<Touch>> {
        if !self.has_touches() {
            return Ok(None);
        }
        let entries = self.touches()?;
        let found = entries.binary_search_by_key(&number, |entry| Touch::decode(entry).number);
        Ok(found.ok().map(|at| Touch::decode(&entries[at])))
    }

    /// All access entries by concept number.
    pub(crate) fn touches(&self) -> Result<&[[u8; Touch::BYTES]]> {
        self.column(Kind::Touches)
    }
}

/// All ordinals of so many rows, edges or vectors.
pub(crate) fn all_ordinals(len: u32) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    all.insert_range(0..len);
    all
}

/// The name of a store's analyzer, which is known.
fn analyzer_name(config: &StoreConfig) -> &'static str {
    text_index::Analyzer::by_name(&config.analyzer).map_or("", |analyzer| analyzer.name())
}

/// The components of a stored vector as 32-bit floats.
pub(crate) fn decode_vector(bytes: &[u8], storage: VectorStorage) -> Vec<f32> {
    match storage {
        VectorStorage::F32 => bytes
            .chunks_exact(4)
            .map(|c| f32::from_le_bytes(c.try_into().expect("chunks of four")))
            .collect(),
        VectorStorage::F16 => bytes
            .chunks_exact(2)
            .map(|c| f16::from_le_bytes(c.try_into().expect("chunks of two")).to_f32())
            .collect(),
    }
}

/// Appends a vector's components as they are stored.
pub(crate) fn encode_vector(vector: &[f32], storage: VectorStorage, out: &mut Vec<u8>) {
    match storage {
        VectorStorage::F32 => out.extend(vector.iter().flat_map(|x| x.to_le_bytes())),
        VectorStorage::F16 => {
            out.extend(vector.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()));
        }
    }
}
