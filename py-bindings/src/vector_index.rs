//! `VectorIndex`: the search of `vector-kernel` over vectors of the caller's, without a store.
//!
//! Invariant: the index owns a copy of the rows that it was made of. An array of Python's may be written to
//! at any time, and searches run without the GIL.

use half::f16;
use half::slice::HalfFloatSliceExt;
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use self_cell::self_cell;
use vector_kernel::ann::{AnnBuilder, AnnError, AnnView, DEFAULT_RECALL, Work};
use vector_kernel::{FlatIndex, Hit, Metric, QueryError, Rows, Selection, inverse_norm};

use crate::aligned::Aligned;
use crate::arguments::{Arg, Count, Number, Text, name, one_of};
use crate::errors::{Kind, invalid, invalid_vector, raise, raise_version};
use crate::report::audit_dict;
use crate::selection::Selected;
use crate::vectors::{IndexRows, Owner, filled, index_rows, matrix, vector};

/// What stands in the place of a hit where there are fewer than were asked for.
const NO_ORDINAL: u32 = u32::MAX;
/// More threads than any machine has, and fewer than would harm one.
const MAX_THREADS: usize = 1024;

const METRICS: [(&str, Metric); 3] =
    [("cosine", Metric::Cosine), ("dot", Metric::Dot), ("euclidean", Metric::Euclidean)];

/// Everything that an index is laid over.
struct Owned {
    rows: IndexRows,
    dim: usize,
    metric: Metric,
    /// Of the rows, for the cosine; otherwise empty.
    inverse_norms: Vec<f32>,
    /// Of the approximate index; none where there is only the exact search.
    bytes: Option<Aligned<u8>>,
}

enum Search<'a> {
    Exact(FlatIndex<'a>),
    Approximate(Box<AnnView<'a>>),
}

self_cell! {
    struct Index {
        owner: Owned,
        #[covariant]
        dependent: Search,
    }
}

/// How an index comes by its bytes.
enum Origin {
    Exact,
    Built { seed: u64 },
    Bytes(Aligned<u8>),
}

/// Why there is no index; which rows and what of an argument is said where Python is at hand.
enum Refusal {
    NotFinite(usize),
    Ann(AnnError),
    /// Of the rows' shape.
    Shape(String),
    NoMemory {
        bytes: usize,
    },
}

impl Refusal {
    fn raise(self, py: Python<'_>) -> PyErr {
        match self {
            Self::NotFinite(row) => {
                let why = format!("vectors[{row}] holds a component that is not finite");
                invalid_vector(py, None, &why)
            }
            Self::Shape(why) => invalid_vector(py, None, &format!("vectors: {why}")),
            Self::Ann(error) => refuse_index(py, &error),
            Self::NoMemory { bytes } => {
                PyMemoryError::new_err(format!("no memory for an index of {bytes} bytes"))
            }
        }
    }
}

impl From<AnnError> for Refusal {
    fn from(error: AnnError) -> Self {
        Self::Ann(error)
    }
}

impl Owned {
    fn flat(&self) -> Result<FlatIndex<'_>, Refusal> {
        let rows = match &self.rows {
            IndexRows::Single(rows) => Rows::F32(rows),
            IndexRows::Half(rows) => Rows::F16(rows),
        };
        let shape = |error: vector_kernel::IndexError| Refusal::Shape(error.to_string());
        let flat = FlatIndex::new(rows, self.dim, self.metric).map_err(shape)?;
        if self.inverse_norms.is_empty() {
            return Ok(flat);
        }
        flat.with_inverse_norms(&self.inverse_norms).map_err(shape)
    }

    fn search(&self) -> Result<Search<'_>, Refusal> {
        let flat = self.flat()?;
        match &self.bytes {
            Some(bytes) => Ok(Search::Approximate(Box::new(AnnView::new(bytes, flat)?))),
            None => Ok(Search::Exact(flat)),
        }
    }
}

/// Makes an index; it takes long, so without the GIL.
fn make(rows: IndexRows, dim: usize, metric: Metric, origin: Origin) -> Result<Index, Refusal> {
    let not_finite = match &rows {
        IndexRows::Single(rows) => rows.iter().position(|x| !x.is_finite()),
        IndexRows::Half(rows) => rows.iter().position(|x| !x.is_finite()),
    };
    if let Some(at) = not_finite {
        return Err(Refusal::NotFinite(at / dim));
    }
    let inverse_norms =
        if metric == Metric::Cosine { inverse_norms(&rows, dim) } else { Vec::new() };
    let mut owned = Owned { rows, dim, metric, inverse_norms, bytes: None };
    owned.bytes = match origin {
        Origin::Exact => None,
        Origin::Built { seed } => {
            Some(aligned(&AnnBuilder::new(owned.flat()?)?.seed(seed).build()?)?)
        }
        Origin::Bytes(bytes) => Some(bytes),
    };
    Index::try_new(owned, Owned::search)
}

fn aligned(bytes: &[u8]) -> Result<Aligned<u8>, Refusal> {
    let no_memory = |_| Refusal::NoMemory { bytes: bytes.len() };
    let mut copy = Aligned::with_room(bytes.len()).map_err(no_memory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

fn inverse_norms(rows: &IndexRows, dim: usize) -> Vec<f32> {
    match rows {
        IndexRows::Single(rows) => rows.chunks_exact(dim).map(inverse_norm).collect(),
        IndexRows::Half(rows) => {
            let mut row = vec![0.0; dim];
            let norm = |half: &[f16]| {
                half.convert_to_f32_slice(&mut row);
                inverse_norm(&row)
            };
            rows.chunks_exact(dim).map(norm).collect()
        }
    }
}

/// An index over vectors, without a store: finds the rows most similar to a query, by ordinal.
///
/// It keeps a copy of the vectors, 4 bytes a component (2 of float16), so that no one can change
/// them under a search; `nbytes` says what an approximate index adds. Building takes some 60 µs of
/// one core a vector of 384 components, on all cores, and can't be interrupted. An index never
/// changes, and any number of threads may search it at once.
///
/// Args:
///     vectors: A matrix (n, dim). float32 and float16 are kept as they are, other numbers become
///         float32.
///     metric: "cosine", "dot", or "euclidean" (the negated distance), which is exact only.
///     seed: Of the random numbers that building draws: the same index for the same seed.
///     approximate: Whether searches may aim for less than all of the best; with False nothing is
///         built, and each search compares all rows.
///
/// Raises:
///     InvalidVectorError: `vectors` is no matrix of finite numbers.
///     InvalidArgumentError: There is no such metric, or no approximate search by it.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct VectorIndex(Index);

type Found<'py> = (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<f32>>);
type FoundOfEach<'py> = (Bound<'py, PyArray2<u32>>, Bound<'py, PyArray2<f32>>);

#[pymethods]
impl VectorIndex {
    #[new]
    #[pyo3(signature = (vectors, metric=Arg::of(Text("cosine")), *, seed=Count::of(0), approximate=true))]
    #[pyo3(text_signature = "(vectors, metric='cosine', *, seed=0, approximate=True)")]
    fn new(
        py: Python<'_>,
        vectors: &Bound<'_, PyAny>,
        metric: Arg<Text<'_>, name::metric>,
        seed: Count<'_, '_>,
        approximate: bool,
    ) -> PyResult<Self> {
        let metric = one_of(py, "metric", metric.0, &METRICS)?;
        let seed = seed.get_u64(py, "seed")?;
        let origin = if approximate { Origin::Built { seed } } else { Origin::Exact };
        Self::of(py, vectors, metric, origin)
    }

    /// Lay an index that `to_bytes` gave over the vectors that it was built of.
    ///
    /// Args:
    ///     data: What `to_bytes` returned; it is copied.
    ///     vectors: As for building, the same rows in the same order. Their number and dimension
    ///         are checked; with other rows the index finds what is not the best.
    ///     metric: The one that it was built for.
    ///
    /// Raises:
    ///     CorruptionError: The bytes are no index, or not all of one.
    ///     FormatVersionError: Another version of the library built it.
    ///     InvalidArgumentError: It was built of other vectors, or for another metric.
    #[staticmethod]
    #[pyo3(signature = (data, vectors, metric=Arg::of(Text("cosine"))))]
    #[pyo3(text_signature = "(data, vectors, metric='cosine')")]
    fn from_bytes(
        py: Python<'_>,
        data: &Bound<'_, PyBytes>,
        vectors: &Bound<'_, PyAny>,
        metric: Arg<Text<'_>, name::metric>,
    ) -> PyResult<Self> {
        let metric = one_of(py, "metric", metric.0, &METRICS)?;
        let data = aligned(data.as_bytes()).map_err(|refusal| refusal.raise(py))?;
        Self::of(py, vectors, metric, Origin::Bytes(data))
    }

    /// Return the index without its vectors, for `from_bytes`; these are for the caller to keep.
    ///
    /// Raises:
    ///     InvalidArgumentError: It was made with `approximate=False`, so there is nothing to keep.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        match &self.0.borrow_owner().bytes {
            Some(bytes) => Ok(PyBytes::new(py, bytes)),
            None => Err(invalid(
                py,
                "an index made with approximate=False has no bytes; make it of its vectors again",
            )),
        }
    }

    /// Return the ordinals and scores of the `k` rows most similar to a query, best first.
    ///
    /// Equal scores are in the order of rows. There are fewer where fewer rows are selected.
    ///
    /// Args:
    ///     query: A vector of the index's dimension.
    ///     k: At most this many.
    ///     recall: What share of the best `k` to aim for, above 0 and up to 1: met on average on a
    ///         sample of the index's own vectors, and no bound. Others find somewhat less; of
    ///         the best ten, the default found at least 0.95 on all data that it was tried on. The
    ///         search is exact at 1, and where few rows are selected.
    ///     only: Ordinals of the rows to look at, or a mask with a bool for each row.
    ///     exclude: Ordinals of rows to leave out, or a mask; both may be given.
    #[pyo3(signature = (query, k=Count::of(10), *, recall=Arg::of(Number(DEFAULT_RECALL)),
        only=None, exclude=None))]
    #[pyo3(text_signature = "($self, query, k=10, *, recall=0.98, only=None, exclude=None)")]
    fn search<'py>(
        &self,
        py: Python<'py>,
        query: &Bound<'py, PyAny>,
        k: Count<'_, '_>,
        recall: Arg<Number, name::recall>,
        only: Option<&Bound<'py, PyAny>>,
        exclude: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Found<'py>> {
        let (hits, _) = self.hits(py, query, k, *recall, only, exclude)?;
        let ordinals = hits.iter().map(|hit| hit.ordinal).collect::<Vec<_>>();
        let scores = hits.iter().map(|hit| hit.score).collect::<Vec<_>>();
        Ok((PyArray1::from_slice(py, &ordinals), PyArray1::from_slice(py, &scores)))
    }

    /// Return what `search` would for each row of a matrix (n, dim), as two matrices (n, k).
    ///
    /// Where a query has fewer than `k` hits, its row ends with ordinals 2**32 - 1 and scores -inf.
    ///
    /// Args:
    ///     queries: A vector of the index's dimension a row.
    ///     k: As many for each.
    ///     recall: As for `search`.
    ///     only: As for `search`, for all queries.
    ///     exclude: As for `search`, for all queries.
    ///     threads: How many to search with; None for as many as there are cores.
    #[pyo3(signature = (queries, k=Count::of(10), *, recall=Arg::of(Number(DEFAULT_RECALL)), only=None,
        exclude=None, threads=None))]
    #[pyo3(text_signature = "($self, queries, k=10, *, recall=0.98, only=None, exclude=None, \
                             threads=None)")]
    #[expect(clippy::too_many_arguments, reason = "each is one of Python's, most by keyword")]
    fn search_batch<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        k: Count<'_, '_>,
        recall: Arg<Number, name::recall>,
        only: Option<&Bound<'py, PyAny>>,
        exclude: Option<&Bound<'py, PyAny>>,
        threads: Option<Count<'_, '_>>,
    ) -> PyResult<FoundOfEach<'py>> {
        let dim = self.0.borrow_owner().dim;
        let (queries, count) = matrix(queries, dim, "queries")?;
        let k = k.get(py, "k")?;
        let recall = share(py, *recall)?;
        let selected = Selected::read(only, exclude, self.__len__())?;
        let threads = threads.map(|threads| threads.get(py, "threads")).transpose()?;
        if let Some(threads @ (0 | MAX_THREADS..)) = threads {
            let message = format!("threads must be from 1 to {MAX_THREADS}, not {threads}");
            return Err(invalid(py, &message));
        }
        let mut ordinals = filled(count, k, NO_ORDINAL)?;
        let mut scores = filled(count, k, f32::NEG_INFINITY)?;
        let found = py.detach(|| {
            let answer = || self.answers(&queries, k, recall, selected.get());
            let hits = match threads {
                Some(threads) => {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                    pool.map_err(|error| Failure::Threads(error.to_string()))?.install(answer)
                }
                None => answer(),
            };
            let rows = ordinals.chunks_exact_mut(k.max(1)).zip(scores.chunks_exact_mut(k.max(1)));
            for (hits, (ordinals, scores)) in hits.map_err(Failure::Query)?.iter().zip(rows) {
                for (hit, (ordinal, score)) in hits.iter().zip(ordinals.iter_mut().zip(scores)) {
                    (*ordinal, *score) = (hit.ordinal, hit.score);
                }
            }
            Ok(())
        });
        found.map_err(|failure| match failure {
            Failure::Query(QueryError::NotFinite { index, value }) => {
                let why = format!(
                    "queries[{}]: component {} is {value}, not a finite number",
                    index / dim,
                    index % dim
                );
                invalid_vector(py, None, &why)
            }
            Failure::Query(error) => refuse_query(py, &error),
            Failure::Threads(error) => {
                invalid(py, &format!("threads can't be started: {error}; pass fewer"))
            }
        })?;
        let shape = [count, k];
        Ok((
            PyArray1::from_vec(py, ordinals).reshape(shape)?,
            PyArray1::from_vec(py, scores).reshape(shape)?,
        ))
    }

    /// Return what a search does, for the same arguments: how many lists and blocks it looks at.
    ///
    /// Returns:
    ///     "lists" whose blocks' centres are compared, "blocks" of up to 32 rows that are scanned,
    ///     "coded" rows that are compared by the codes of all components, "exact" rows that are
    ///     compared by their components, and "is_exact": whether no other row can be as good as
    ///     the hits: each is compared, or the bounds of its code rule it out.
    #[pyo3(signature = (query, k=Count::of(10), *, recall=Arg::of(Number(DEFAULT_RECALL)),
        only=None, exclude=None))]
    #[pyo3(text_signature = "($self, query, k=10, *, recall=0.98, only=None, exclude=None)")]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        query: &Bound<'py, PyAny>,
        k: Count<'_, '_>,
        recall: Arg<Number, name::recall>,
        only: Option<&Bound<'py, PyAny>>,
        exclude: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (_, work) = self.hits(py, query, k, *recall, only, exclude)?;
        let explained = PyDict::new(py);
        explained.set_item("lists", work.lists)?;
        explained.set_item("blocks", work.blocks)?;
        explained.set_item("coded", work.coded)?;
        explained.set_item("exact", work.exact)?;
        explained.set_item("is_exact", work.is_exact)?;
        Ok(explained)
    }

    /// Measure what share of the best `k` searches find, on queries answered exactly, too.
    ///
    /// Args:
    ///     queries: A vector of the index's dimension a row; None for some of the index's own rows,
    ///         none of which finds itself. Real queries most often find somewhat less than these.
    ///     sample: How many of its own rows.
    ///     k: As for `search`.
    ///     recall: As for `search`.
    ///     only: As for `search`.
    ///     exclude: As for `search`.
    ///     seed: Of the choice of rows.
    ///
    /// Returns:
    ///     "queries" that there was something to find for, "recall", the mean of the shares found,
    ///     1 where there are none, its standard "error", and "worst", the least of the shares.
    #[pyo3(signature = (queries=None, *, sample=Count::of(256), k=Count::of(10),
        recall=Arg::of(Number(DEFAULT_RECALL)), only=None, exclude=None, seed=Count::of(0)))]
    #[pyo3(text_signature = "($self, queries=None, *, sample=256, k=10, recall=0.98, only=None, \
                             exclude=None, seed=0)")]
    #[expect(clippy::too_many_arguments, reason = "each is one of Python's, most by keyword")]
    fn audit<'py>(
        &self,
        py: Python<'py>,
        queries: Option<&Bound<'py, PyAny>>,
        sample: Count<'_, '_>,
        k: Count<'_, '_>,
        recall: Arg<Number, name::recall>,
        only: Option<&Bound<'py, PyAny>>,
        exclude: Option<&Bound<'py, PyAny>>,
        seed: Count<'_, '_>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let Search::Approximate(view) = self.0.borrow_dependent() else {
            let message = "the index is exact and has nothing to audit; make it with \
                           approximate=True";
            return Err(invalid(py, message));
        };
        let dim = self.0.borrow_owner().dim;
        let queries = queries.map(|queries| matrix(queries, dim, "queries")).transpose()?;
        let sample = sample.get(py, "sample")?;
        let k = k.get(py, "k")?;
        let recall = share(py, *recall)?;
        let selected = Selected::read(only, exclude, self.__len__())?;
        let seed = seed.get_u64(py, "seed")?;
        let audit = py.detach(|| match &queries {
            Some((queries, _)) => view.audit(queries, k, recall, selected.get()),
            None => view.audit_sample(sample, seed, k, recall, selected.get()),
        });
        audit_dict(py, audit.map_err(|error| refuse_query(py, &error))?)
    }

    fn __len__(&self) -> usize {
        match self.0.borrow_dependent() {
            Search::Exact(flat) => flat.len(),
            Search::Approximate(view) => view.len(),
        }
    }

    /// Number of components of each vector.
    #[getter]
    fn dimension(&self) -> usize {
        self.0.borrow_owner().dim
    }

    /// How vectors are compared: "cosine", "dot" or "euclidean".
    #[getter]
    fn metric(&self) -> &'static str {
        self.0.borrow_owner().metric.as_str()
    }

    /// Whether searches may aim for less than all of the best.
    #[getter]
    fn approximate(&self) -> bool {
        self.0.borrow_owner().bytes.is_some()
    }

    /// Bytes that the index takes beside its copy of the vectors.
    #[getter]
    fn nbytes(&self) -> usize {
        let Owned { inverse_norms, bytes, .. } = self.0.borrow_owner();
        size_of_val(inverse_norms.as_slice()) + bytes.as_ref().map_or(0, |bytes| bytes.len())
    }

    fn __repr__(&self) -> String {
        let kind = if self.approximate() { "approximate" } else { "exact" };
        format!(
            "<VectorIndex of {} vectors of dimension {}, {}, {kind}>",
            self.__len__(),
            self.dimension(),
            self.metric()
        )
    }
}

/// Why a batch has no answer.
enum Failure {
    Query(QueryError),
    Threads(String),
}

impl VectorIndex {
    fn of(
        py: Python<'_>,
        vectors: &Bound<'_, PyAny>,
        metric: Metric,
        origin: Origin,
    ) -> PyResult<Self> {
        let (rows, dim) = index_rows(vectors, "vectors")?;
        py.detach(|| make(rows, dim, metric, origin)).map(Self).map_err(|refusal| refusal.raise(py))
    }

    /// The hits of one query, and what was done for them.
    #[inline]
    fn hits<'py>(
        &self,
        py: Python<'py>,
        query: &Bound<'py, PyAny>,
        k: Count<'_, '_>,
        recall: Number,
        only: Option<&Bound<'py, PyAny>>,
        exclude: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Vec<Hit>, Work)> {
        let query = vector(query, Owner::Query)?;
        let k = k.get(py, "k")?;
        let recall = share(py, recall)?;
        let selected = Selected::read(only, exclude, self.__len__())?;
        let mut work = Work::default();
        let hits = py.detach(|| match self.0.borrow_dependent() {
            Search::Exact(flat) => {
                work.exact = selected.count(flat.len()) as usize;
                work.is_exact = true;
                flat.search(&query, k, selected.get())
            }
            Search::Approximate(view) => {
                view.search_counting(&query, k, recall, selected.get(), &mut work)
            }
        });
        Ok((hits.map_err(|error| refuse_query(py, &error))?, work))
    }

    fn answers(
        &self,
        queries: &[f32],
        k: usize,
        recall: f32,
        selection: Selection<'_>,
    ) -> Result<Vec<Vec<Hit>>, QueryError> {
        match self.0.borrow_dependent() {
            Search::Exact(flat) => flat.search_batch(queries, k, selection),
            Search::Approximate(view) => view.search_batch(queries, k, recall, selection),
        }
    }
}

fn share(py: Python<'_>, Number(recall): Number) -> PyResult<f32> {
    if recall > 0.0 && recall <= 1.0 {
        return Ok(recall);
    }
    Err(invalid(py, &format!("recall must be above 0 and at most 1, not {recall}")))
}

fn refuse_index(py: Python<'_>, error: &AnnError) -> PyErr {
    match error {
        AnnError::Unsupported { what } => {
            let message =
                format!("there is no approximate search for {what}; pass approximate=False");
            invalid(py, &message)
        }
        AnnError::Damaged { .. } => raise(py, Kind::Corruption, &error.to_string()),
        AnnError::Version { found, supported } => {
            raise_version(py, &error.to_string(), *found, *supported)
        }
        _ => invalid(py, &error.to_string()),
    }
}

fn refuse_query(py: Python<'_>, error: &QueryError) -> PyErr {
    match error {
        QueryError::Ordinal { .. } | QueryError::RowNotFinite { .. } => {
            let message = format!("the index is damaged: {error}; build it anew");
            raise(py, Kind::Corruption, &message)
        }
        _ => invalid_vector(py, None, &format!("query vector: {error}")),
    }
}
