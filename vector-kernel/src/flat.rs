//! The exact index: a view that lays a dimension and a metric over borrowed rows.
//!
//! Invariant: the score of a query and a row is the same bits from every method, for every
//! selection, batch, thread count and instruction set.

use half::slice::HalfFloatSliceExt as _;
use rayon::prelude::*;

use crate::{
    Hit, IndexError, Metric, Query, QueryError, Rows, Selection, TopK,
    kernels::{Isa, float::Pick},
    norm::{finite, inverse_norm_of},
    rows::Encoding,
    scan::{Collect, scan},
    scorer::{BLOCK, BinaryScorer, ByteScorer, FloatScorer, GROUP, Scorer},
    threads,
};

/// The largest dimension of an index. Sums over it stay exact in the integers used for them.
pub const MAX_DIM: usize = 65_536;

/// Exact search over borrowed rows; a view that can be copied freely.
///
/// ```
/// use vector_kernel::{FlatIndex, Metric, Rows, Selection};
///
/// let rows = [1.0, 0.0, 0.6, 0.8, -1.0, 0.0];
/// let index = FlatIndex::new(Rows::F32(&rows), 2, Metric::Cosine)?;
/// let hits = index.search(&[2.0, 0.0], 2, Selection::All)?;
/// assert_eq!(hits.iter().map(|hit| hit.ordinal).collect::<Vec<_>>(), [0, 1]);
/// assert_eq!(hits[0].score, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FlatIndex<'a> {
    rows: Rows<'a>,
    dim: usize,
    len: u32,
    metric: Metric,
    inverse_norms: Option<&'a [f32]>,
    isa: Isa,
}

impl<'a> FlatIndex<'a> {
    /// An index of `rows`, each of `dim` components.
    ///
    /// # Errors
    ///
    /// When `dim` is 0 or above [`MAX_DIM`], when `rows` isn't a whole number of rows, or when it
    /// holds more than `u32::MAX` of them.
    pub fn new(rows: Rows<'a>, dim: usize, metric: Metric) -> Result<Self, IndexError> {
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(IndexError::Dimension { dim });
        }
        let width = rows.encoding().elements_per_row(dim);
        if !rows.elements().is_multiple_of(width) {
            return Err(IndexError::PartialRow { row: width, found: rows.elements() });
        }
        let count = rows.elements() / width;
        let len = u32::try_from(count).map_err(|_| IndexError::TooManyRows { rows: count })?;
        Ok(Self { rows, dim, len, metric, inverse_norms: None, isa: Isa::detect() })
    }

    /// Takes the rows' inverse norms, as [`inverse_norm`](crate::inverse_norm) gives them, from
    /// `inverse_norms` instead of computing them in each scan. Only the cosine needs them, and
    /// binary rows ignore them.
    ///
    /// # Errors
    ///
    /// When there isn't one for each row.
    pub fn with_inverse_norms(self, inverse_norms: &'a [f32]) -> Result<Self, IndexError> {
        if inverse_norms.len() != self.len() {
            return Err(IndexError::InverseNorms {
                expected: self.len(),
                found: inverse_norms.len(),
            });
        }
        Ok(Self { inverse_norms: Some(inverse_norms), ..self })
    }

    /// Computes on `isa` instead of the fastest instruction set, for tests and measurements; the
    /// results are the same bits. Integer rows take no notice.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// Rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Components of a row.
    #[must_use]
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// How rows are compared.
    #[must_use]
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// Returns the `k` selected rows most similar to `query`, best first; equal scores sort by
    /// ordinal. Fewer, if fewer are selected.
    ///
    /// Scans that are large enough to gain by it run on the current rayon pool.
    ///
    /// # Errors
    ///
    /// When the query has another encoding or dimension than the index, or isn't finite; and
    /// [`QueryError::RowNotFinite`] when a selected row isn't, as then the rows are damaged.
    ///
    /// # Complexity
    ///
    /// One pass over the selected rows.
    pub fn search<'q>(
        &self,
        query: impl Into<Query<'q>>,
        k: usize,
        selection: Selection<'_>,
    ) -> Result<Vec<Hit>, QueryError> {
        let query = query.into();
        self.check_one(query)?;
        let tops = self.with_scorer(query, Scan { index: self, k, selection })?;
        Ok(tops.into_iter().next().map(TopK::into_hits).unwrap_or_default())
    }

    /// Answers several queries, given back to back, as [`FlatIndex::search`] answers each.
    ///
    /// Each block of rows is read once for 32 queries, which makes a batch several times faster.
    ///
    /// # Errors
    ///
    /// As [`FlatIndex::search`], and when `queries` isn't a whole number of queries.
    pub fn search_batch<'q>(
        &self,
        queries: impl Into<Query<'q>>,
        k: usize,
        selection: Selection<'_>,
    ) -> Result<Vec<Vec<Hit>>, QueryError> {
        let queries = queries.into();
        let count = self.check_all(queries)?;
        let width = self.query_width(queries);
        let groups: Vec<Query<'_>> = match queries {
            Query::F32(all) => all.chunks(GROUP * width).map(Query::F32).collect(),
            Query::I8(all) => all.chunks(GROUP * width).map(Query::I8).collect(),
            Query::Binary(all) => all.chunks(GROUP * width).map(Query::Binary).collect(),
        };
        let answer = |group| self.with_scorer(group, Scan { index: self, k, selection });
        let answers: Vec<Result<Vec<TopK>, QueryError>> = if threads::are_here() {
            groups.into_par_iter().map(answer).collect()
        } else {
            groups.into_iter().map(answer).collect()
        };
        let mut hits = Vec::with_capacity(count);
        for answer in answers {
            hits.extend(answer?.into_iter().map(TopK::into_hits));
        }
        Ok(hits)
    }

    /// Returns the score of one row, the same bits as in a search.
    ///
    /// # Errors
    ///
    /// As [`FlatIndex::search`], and when there is no row `ordinal`.
    pub fn score<'q>(&self, query: impl Into<Query<'q>>, ordinal: u32) -> Result<f32, QueryError> {
        let query = query.into();
        self.check_one(query)?;
        if ordinal >= self.len {
            return Err(QueryError::Ordinal { ordinal, len: self.len() });
        }
        self.with_scorer(query, Single { ordinal })
    }

    /// The rows.
    pub(crate) const fn rows(&self) -> Rows<'a> {
        self.rows
    }

    /// Whether rows are floats, of 32 or 16 bits.
    pub(crate) const fn has_float_rows(&self) -> bool {
        matches!(self.rows, Rows::F32(_) | Rows::F16(_))
    }

    /// The lowest ordinal of a row of floats that isn't finite.
    pub(crate) fn first_not_finite(&self) -> Option<u32> {
        let at = match self.rows {
            Rows::F32(rows) => rows.iter().position(|x| !x.is_finite()),
            Rows::F16(rows) => rows.iter().position(|x| !x.is_finite()),
            Rows::I8(_) | Rows::Binary(_) => None,
        };
        at.map(|at| (at / self.dim) as u32)
    }

    /// Writes a row of floats as the metric compares it: for the cosine, at length 1.
    ///
    /// # Panics
    ///
    /// When there is no such row, or rows are no floats.
    pub(crate) fn unit_row(&self, ordinal: u32, out: &mut [f32]) {
        let range = ordinal as usize * self.dim..(ordinal as usize + 1) * self.dim;
        match self.rows {
            Rows::F32(rows) => out.copy_from_slice(&rows[range]),
            Rows::F16(rows) => rows[range].convert_to_f32_slice(out),
            Rows::I8(_) | Rows::Binary(_) => panic!("rows of floats"),
        }
        self.scale_to_unit(out);
    }

    /// A query of floats as the metric compares it: for the cosine, at length 1.
    pub(crate) fn as_compared(&self, query: &[f32]) -> Vec<f32> {
        let mut query = query.to_vec();
        self.scale_to_unit(&mut query);
        query
    }

    fn scale_to_unit(&self, vector: &mut [f32]) {
        if self.metric == Metric::Cosine {
            let inverse = inverse_norm_of(self.isa, vector);
            for x in vector {
                *x *= inverse;
            }
        }
    }

    /// Refuses a query of floats that can't be asked.
    pub(crate) fn check_query(&self, query: &[f32]) -> Result<(), QueryError> {
        self.check_one(Query::F32(query))
    }

    /// Offers the rows of these ordinals, with the scores that a search gives them.
    pub(crate) fn score_each(
        &self,
        query: &[f32],
        ordinals: &[u32],
        top: &mut TopK,
    ) -> Result<(), QueryError> {
        let offer = |ordinal, score| {
            top.push(score, ordinal);
        };
        self.score_list(Query::F32(query), ordinals, offer)
    }

    fn check_encoding(&self, query: Query<'_>) -> Result<(), QueryError> {
        match (self.rows.encoding(), query.encoding()) {
            (Encoding::F32 | Encoding::F16, Encoding::F32)
            | (Encoding::I8, Encoding::I8)
            | (Encoding::Binary, Encoding::Binary) => Ok(()),
            (rows, query) => Err(QueryError::Encoding { rows, query }),
        }
    }

    pub(crate) fn check_one(&self, query: Query<'_>) -> Result<(), QueryError> {
        self.check_encoding(query)?;
        let expected = self.query_width(query);
        let found = elements(query);
        if found != expected {
            // In components, though a binary query comes in bytes.
            let components = if let Query::Binary(_) = query { found * 8 } else { found };
            return Err(QueryError::Dimension { expected: self.dim, found: components });
        }
        check_finite(query)
    }

    /// Refuses queries that can't be asked; says how many they are.
    pub(crate) fn check_all(&self, queries: Query<'_>) -> Result<usize, QueryError> {
        self.check_encoding(queries)?;
        let width = self.query_width(queries);
        let found = elements(queries);
        if !found.is_multiple_of(width) {
            return Err(QueryError::PartialQuery { query: width, found });
        }
        check_finite(queries)?;
        Ok(found / width)
    }

    /// Offers the scores of the selected rows to collections that `new` makes, merged into one.
    pub(crate) fn scan<S: Scorer, C: Collect>(
        &self,
        scorer: &S,
        selection: Selection<'_>,
        new: impl Fn() -> C + Sync,
    ) -> Result<C, QueryError> {
        scan(scorer, self.len, self.rows.encoding().row_bytes(self.dim), selection, new)
    }

    fn query_width(&self, query: Query<'_>) -> usize {
        query.encoding().elements_per_row(self.dim)
    }

    /// Runs `task` with the scorer for `queries`, which have been checked.
    pub(crate) fn with_scorer<T: Task>(&self, queries: Query<'_>, task: T) -> T::Output {
        let Self { isa, metric, dim, inverse_norms, .. } = *self;
        match (self.rows, queries) {
            (Rows::F32(rows), Query::F32(queries)) => {
                task.run(&FloatScorer::new(isa, metric, rows, dim, inverse_norms, queries))
            }
            (Rows::F16(rows), Query::F32(queries)) => {
                task.run(&FloatScorer::new(isa, metric, rows, dim, inverse_norms, queries))
            }
            (Rows::I8(rows), Query::I8(queries)) => {
                task.run(&ByteScorer::new(metric, rows, dim, inverse_norms, queries))
            }
            (Rows::Binary(rows), Query::Binary(queries)) => {
                task.run(&BinaryScorer::new(metric, rows, dim, queries))
            }
            _ => unreachable!("check_encoding lets no other pair through"),
        }
    }
}

/// Something to be done with a scorer of any kind.
pub(crate) trait Task {
    type Output;
    fn run<S: Scorer>(self, scorer: &S) -> Self::Output;
}

struct Scan<'a> {
    index: &'a FlatIndex<'a>,
    k: usize,
    selection: Selection<'a>,
}

impl Task for Scan<'_> {
    type Output = Result<Vec<TopK>, QueryError>;

    fn run<S: Scorer>(self, scorer: &S) -> Self::Output {
        let Self { index, k, selection } = self;
        let tops = || vec![TopK::new(k); scorer.queries()];
        if k == 0 {
            return Ok(tops());
        }
        index.scan(scorer, selection, tops)
    }
}

struct Single {
    ordinal: u32,
}

impl Task for Single {
    type Output = Result<f32, QueryError>;

    fn run<S: Scorer>(self, scorer: &S) -> Self::Output {
        let mut block = [[0.0; BLOCK]];
        scorer
            .score(Pick::List(&[self.ordinal]), &mut block)
            .map_err(|ordinal| QueryError::RowNotFinite { ordinal })?;
        Ok(block[0][0])
    }
}

fn elements(query: Query<'_>) -> usize {
    match query {
        Query::F32(values) => values.len(),
        Query::I8(values) => values.len(),
        Query::Binary(bytes) => bytes.len(),
    }
}

pub(crate) fn check_finite(query: Query<'_>) -> Result<(), QueryError> {
    match query {
        Query::F32(values) => finite(values),
        Query::I8(_) | Query::Binary(_) => Ok(()),
    }
}
