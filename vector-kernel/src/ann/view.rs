//! The bytes of an index, laid over the rows that it was built from.

use rayon::prelude::*;

use super::filter::Filter;
use super::layout::{Header, Places, SLOT_BYTES, u32_at};
use super::scan::Lists;
use super::search::Search;
use super::{AnnError, TARGETS, exact};
use crate::flat::check_finite;
use crate::kernels::Isa;
use crate::kernels::codes::BLOCK_CODES;
use crate::{FlatIndex, Hit, Query, QueryError, Selection, threads};

/// Where fewer than one in so many rows are selected, all of them are compared.
const FEW: u64 = 50;
/// As many rows are compared in the time of a search by codes.
const FEW_ROWS: u64 = 1000;

/// Where fewer than so many times the hits that are wanted are selected, bounds leave little out.
const FEW_BY_HIT: u64 = 20;

/// How much a search does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effort {
    /// Lists whose blocks' centres are compared.
    pub(super) lists: u32,
    /// Blocks that are looked at, at most.
    pub(super) blocks: u32,
    /// How much of a block's radius counts for it when the best blocks are chosen.
    pub(super) radius_weight: f32,
    /// How far a vector may be found from its block's centre in the direction of the query, in radii of the block: a
    /// finite number.
    pub(super) reach: f32,
    /// How much worse than what was found first a vector may seem by its projection's code, and is still compared by
    /// the second, in standard deviations; and half as much by that, to be compared exactly.
    pub(super) slack: f32,
}

/// The recall from which on a search is exact.
pub(super) const EXACT: f32 = 1.0;

/// A reach that leaves no block out.
pub(super) const ANY_REACH: f32 = 1e9;

impl Effort {
    /// Looks at everything.
    pub(super) const ALL: Self = Self {
        lists: u32::MAX,
        blocks: u32::MAX,
        radius_weight: 0.2,
        reach: ANY_REACH,
        slack: 16.0,
    };

    /// So many times the lists and blocks.
    pub(super) fn times(self, factor: f32) -> Self {
        let times = |count: u32| (count as f32 * factor) as u32;
        Self { lists: times(self.lists), blocks: times(self.blocks), ..self }
    }

    /// What `k` hits take: they are calibrated for ten.
    fn for_k(self, k: usize) -> Self {
        self.times((k as f32 / 10.0).max(1.0).sqrt())
    }
}

/// What a search did: for explanations, and to compare efforts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Work {
    /// Lists whose blocks' centres were compared.
    pub lists: usize,
    /// Blocks of up to 32 vectors that were scanned.
    pub blocks: usize,
    /// Vectors that were compared by their second codes.
    pub coded: usize,
    /// Vectors that were compared exactly.
    pub exact: usize,
    /// Whether no other vector can be as good as the hits: each was compared, or its second code said that it can't.
    pub is_exact: bool,
}

/// An index over its bytes, and the rows that it was built from; a view that is cheap to clone.
#[derive(Debug, Clone)]
pub struct AnnView<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) rows: FlatIndex<'a>,
    pub(super) header: Header,
    pub(super) places: Places,
    pub(super) isa: Isa,
}

/// What the bytes of an index say of themselves, checked once: with it a view is laid over them at no cost.
///
/// ```
/// # use vector_kernel::ann::{AnnBuilder, AnnOutline};
/// # use vector_kernel::{FlatIndex, Metric, Rows, Selection};
/// let rows = [1.0, 0.0, 0.6, 0.8, -1.0, 0.0];
/// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine)?;
/// let bytes = AnnBuilder::new(index)?.build()?;
/// let outline = AnnOutline::parse(&bytes)?;
/// let hits = outline.view(&bytes, index)?.search(&[2.0, 0.0], 1, 0.9, Selection::All)?;
/// assert_eq!(hits[0].ordinal, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AnnOutline {
    header: Header,
    places: Places,
}

impl AnnOutline {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`AnnError::Version`], and [`AnnError::Damaged`] where the bytes are no index or name what is not in them.
    /// What the codes say is not checked, and can't be: whoever keeps the bytes has to see to it that they stay as
    /// they are.
    ///
    /// # Complexity
    ///
    /// A look at a byte for each 32 vectors; nothing is copied.
    pub fn parse(bytes: &[u8]) -> Result<Self, AnnError> {
        let header = Header::decode(bytes)?;
        let places = Places::of(&header);
        let lists = Lists::new(bytes, &places);
        for list in 0..header.lists as usize {
            let (first, count) = lists.blocks(list);
            let end = first.checked_add(count);
            if !(1..=BLOCK_CODES as u32).contains(&count)
                || end.is_none_or(|end| end > header.blocks)
            {
                return Err(AnnError::Damaged { what: "a list's blocks are not there" });
            }
            if lists.counts(list).iter().any(|&count| usize::from(count) > BLOCK_CODES) {
                return Err(AnnError::Damaged { what: "a block's vectors are not there" });
            }
        }
        Ok(Self { header, places })
    }

    /// Whether this version of the library reads an index, by its first bytes alone.
    ///
    /// # Errors
    ///
    /// [`AnnError::Version`]; [`AnnError::Damaged`] where no index begins so.
    pub fn check_version(bytes: &[u8]) -> Result<(), AnnError> {
        Header::check_version(bytes)
    }

    /// Lays a view over the bytes that it was read from, and the rows that they were built from.
    ///
    /// Given other bytes, of the same length, a search may panic; it never reads outside them.
    ///
    /// # Errors
    ///
    /// [`AnnError::Damaged`] where the bytes have another length, and [`AnnError::OtherRows`] where the rows have
    /// another number, dimension or metric.
    pub fn view<'a>(&self, bytes: &'a [u8], rows: FlatIndex<'a>) -> Result<AnnView<'a>, AnnError> {
        let Self { header, places } = self;
        if bytes.len() != places.end {
            return Err(AnnError::Damaged { what: "the length is not what the header says" });
        }
        if rows.len() != header.len as usize
            || rows.dim() != header.shape.dim
            || rows.metric() != header.metric
        {
            return Err(AnnError::OtherRows {
                expected: (header.len as usize, header.shape.dim, header.metric),
                found: (rows.len(), rows.dim(), rows.metric()),
            });
        }
        Ok(AnnView { bytes, rows, header: *header, places: places.clone(), isa: Isa::detect() })
    }
}

impl<'a> AnnView<'a> {
    /// Lays a view over the bytes of an index, and the rows that it was built from.
    ///
    /// No bytes make a search read outside them or panic. Where the same bytes are searched again and again,
    /// [`AnnOutline`] saves reading what they say of themselves.
    ///
    /// # Errors
    ///
    /// As [`AnnOutline::parse`] and [`AnnOutline::view`].
    ///
    /// # Complexity
    ///
    /// As [`AnnOutline::parse`].
    pub fn new(bytes: &'a [u8], rows: FlatIndex<'a>) -> Result<Self, AnnError> {
        AnnOutline::parse(bytes)?.view(bytes, rows)
    }

    /// Computes on `isa` instead of the fastest instruction set, for tests and measurements; the results are the
    /// same bits.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, rows: self.rows.with_isa(isa), ..self }
    }

    /// Rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.header.len as usize
    }

    /// Whether there are no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.header.len == 0
    }

    /// Bytes of the index, all of it.
    #[must_use]
    pub const fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn lists(&self) -> Lists<'a> {
        Lists::new(self.bytes, &self.places)
    }

    /// The row whose code is in a slot.
    pub(super) fn ordinal(&self, slot: usize) -> u32 {
        u32_at(self.bytes, self.places.slots.start + slot * SLOT_BYTES)
    }

    /// Returns `k` selected rows that are among the most similar to `query`, best first; equal scores sort by ordinal.
    /// Fewer, if fewer are selected.
    ///
    /// `recall` says how many of the best `k` are to be found, as a share of 1 on average: a target that was
    /// met on a sample of the index's own vectors, and no bound. From 1 on, and where few rows are selected, the
    /// search is exact: it returns what [`FlatIndex::search`] does, and compares only rows whose codes, with a bound of
    /// what they are off by, don't rule them out.
    ///
    /// # Errors
    ///
    /// As [`FlatIndex::search`]; and [`QueryError::Ordinal`] where the index's bytes name a row that is not there.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        recall: f32,
        selection: Selection<'_>,
    ) -> Result<Vec<Hit>, QueryError> {
        self.search_counting(query, k, recall, selection, &mut Work::default())
    }

    /// As [`AnnView::search`], and adds to `work` what was done.
    ///
    /// # Errors
    ///
    /// As [`AnnView::search`].
    pub fn search_counting(
        &self,
        query: &[f32],
        k: usize,
        recall: f32,
        selection: Selection<'_>,
        work: &mut Work,
    ) -> Result<Vec<Hit>, QueryError> {
        let selected = self.selected(selection);
        let Some(effort) = self.effort(k, recall, selected) else {
            return self.search_exactly(query, k, selection, selected, work);
        };
        let filter = Filter::of(selection, self.header.len, selected);
        let hits = self.search_with(query, k, effort, &filter, work)?;
        if hits.len() < k && (hits.len() as u64) < selected {
            return self.search_exactly(query, k, selection, selected, work);
        }
        Ok(hits)
    }

    /// As [`FlatIndex::search`]; where many rows are selected, those that can't be among the best are left out.
    fn search_exactly(
        &self,
        query: &[f32],
        k: usize,
        selection: Selection<'_>,
        selected: u64,
        work: &mut Work,
    ) -> Result<Vec<Hit>, QueryError> {
        self.rows.check_query(query)?;
        work.is_exact = true;
        if k > 0
            && selected > FEW_ROWS.max(FEW_BY_HIT * k as u64)
            && let Some(hits) = exact::search(self, query, k, selection, work)?
        {
            return Ok(hits);
        }
        work.exact += selected as usize;
        self.rows.search(query, k, selection)
    }

    /// The vectors' mean.
    pub(super) fn mean(&self) -> impl Iterator<Item = f32> {
        let (words, _) = self.bytes[self.places.mean.clone()].as_chunks::<4>();
        words.iter().map(|word| f32::from_le_bytes(*word))
    }

    /// Answers several queries, given back to back, as [`AnnView::search`] answers each, on the current rayon pool.
    ///
    /// # Errors
    ///
    /// As [`AnnView::search`], and [`QueryError::PartialQuery`] when `queries` isn't a whole number of queries.
    pub fn search_batch(
        &self,
        queries: &[f32],
        k: usize,
        recall: f32,
        selection: Selection<'_>,
    ) -> Result<Vec<Vec<Hit>>, QueryError> {
        if self.effort(k, recall, self.selected(selection)).is_none() {
            return self.rows.search_batch(queries, k, selection);
        }
        let dim = self.rows.dim();
        if !queries.len().is_multiple_of(dim) {
            return Err(QueryError::PartialQuery { query: dim, found: queries.len() });
        }
        check_finite(Query::F32(queries))?;
        let answer = |query| self.search(query, k, recall, selection);
        if threads::are_here() {
            queries.par_chunks_exact(dim).map(answer).collect()
        } else {
            queries.chunks_exact(dim).map(answer).collect()
        }
    }

    fn selected(&self, selection: Selection<'_>) -> u64 {
        match selection {
            Selection::All => u64::from(self.header.len),
            _ => selection.count(self.header.len),
        }
    }

    /// What a search among so many selected rows takes; none where it is to be exact.
    fn effort(&self, k: usize, recall: f32, selected: u64) -> Option<Effort> {
        let at = TARGETS.iter().position(|&target| target >= recall)?;
        let few =
            selected < u64::from(self.header.len) / FEW || selected <= FEW_ROWS.max(4 * k as u64);
        (!few).then(|| self.header.efforts[at].for_k(k))
    }

    pub(super) fn search_with(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        filter: &Filter<'_>,
        work: &mut Work,
    ) -> Result<Vec<Hit>, QueryError> {
        self.rows.check_query(query)?;
        if k == 0 || self.header.len == 0 {
            return Ok(Vec::new());
        }
        Search::new(self, query, effort, filter).hits(query, k, work)
    }
}
