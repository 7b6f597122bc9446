//! `Reader`: everything that can be asked of a store, of its newest state or of a snapshot.
//!
//! Invariant: each call reads one state, with the GIL released; what it returns is the caller's own.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use storage_core::{
    AuditQuery, DEFAULT_RECALL, GraphStore, HybridQuery, Metric, PathQuery, Snapshot, TextQuery,
    VectorQuery, WordOperator,
};

use crate::arguments::{
    Arg, Count, Number, Text, Time, direction, name, one_of, text_or_texts, texts, types,
};
use crate::association::StoredAssociation;
use crate::concept::StoredConcept;
use crate::errors::{Kind, OrRaise, invalid, invalid_vector, raise};
use crate::exchange::ExportReport;
use crate::filter::FilterArgument;
use crate::hits::{Hit, HybridHit};
use crate::interrupt::detached;
use crate::path::Path;
use crate::report::audit_dict;
use crate::vectors::{Owner, matrix, to_array, vector, zeros};

/// The reading half of a store.
///
/// A `GraphStore` reads its newest state, a `Snapshot` always the same.
#[pyclass(subclass, frozen, module = "sutra_storage")]
pub(crate) struct Reader {
    source: Source,
    dim: usize,
    metric: Metric,
}

enum Source {
    /// Whatever is newest at each call.
    Newest(Arc<GraphStore>),
    /// One state, until it is let go.
    Fixed(RwLock<Option<Snapshot>>),
}

/// Rows of vectors, and which of them are there.
type MatrixAndMask<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<bool>>);

impl Reader {
    pub(crate) fn newest(store: Arc<GraphStore>) -> Self {
        let config = store.config();
        let (dim, metric) = (config.vector_dimension, config.metric);
        Self { source: Source::Newest(store), dim, metric }
    }

    pub(crate) fn fixed(&self, snapshot: Snapshot) -> Self {
        let source = Source::Fixed(RwLock::new(Some(snapshot)));
        Self { source, dim: self.dim, metric: self.metric }
    }

    /// Lets go of a snapshot's state.
    pub(crate) fn release(&self) {
        if let Source::Fixed(snapshot) = &self.source {
            *snapshot.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Runs a read without the GIL.
    #[inline]
    pub(crate) fn read<T: Send>(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&Snapshot) -> storage_core::Result<T> + Send,
    ) -> PyResult<T> {
        match &self.source {
            Source::Newest(store) => detached(py, || read(&store.snapshot()?)),
            Source::Fixed(snapshot) => {
                let snapshot = snapshot.read().unwrap_or_else(PoisonError::into_inner).clone();
                let Some(snapshot) = snapshot else {
                    return Err(raise(py, Kind::StoreClosed, "the snapshot is closed"));
                };
                detached(py, || read(&snapshot))
            }
        }
    }

    /// Names the query whose vector the store refused.
    fn name_query(&self, py: Python<'_>, error: PyErr, queries: &[f32]) -> PyErr {
        let bad = queries.iter().position(|value| !value.is_finite());
        let Some((row, index)) = bad.map(|at| (at / self.dim, at % self.dim)) else { return error };
        let value = queries[row * self.dim + index];
        let message = format!("queries[{row}]: component {index} is {value}, not a finite number");
        invalid_vector(py, None, &message)
    }
}

fn operator(py: Python<'_>, given: &str) -> PyResult<WordOperator> {
    one_of(py, "operator", given, &[("or", WordOperator::Or), ("and", WordOperator::And)])
}

/// The words of a query: a text, or a list of words.
fn words(query: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(text_or_texts("query", query)?.join(" "))
}

fn into_hits(found: Vec<storage_core::ConceptHit>) -> Vec<Hit> {
    found.into_iter().map(Hit::from).collect()
}

#[pymethods]
impl Reader {
    /// Export all concepts and associations to a file, one JSON object a line, without loss.
    ///
    /// The file gets its name, in place of one that has it, when it is whole and durable.
    /// `GraphStore.import_jsonl` reads it; docs/export-format.md describes the lines. The store's own
    /// handle exports all namespaces, a snapshot and a handle on a namespace what they see.
    ///
    /// Args:
    ///     path: The file, outside of any store's directory.
    ///
    /// Raises:
    ///     InvalidArgumentError: The path is no file's, or leads into a store's directory, links
    ///         followed.
    #[expect(clippy::needless_pass_by_value, reason = "an argument is made for the call")]
    fn export_jsonl(&self, py: Python<'_>, path: PathBuf) -> PyResult<ExportReport> {
        let report = match &self.source {
            Source::Newest(store) => detached(py, || store.export_jsonl(&path)),
            Source::Fixed(_) => self.read(py, |snapshot| snapshot.export_jsonl(&path)),
        };
        report.map(ExportReport::from)
    }

    // ---- concepts ----------------------------------------------------------------------------------

    /// The number of the last transaction that is read; 0 before the first.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        self.read(py, |snapshot| Ok(snapshot.epoch()))
    }

    /// Return a concept's vector, a new array of shape (dim,), float32; None if it has none.
    fn get_vector<'py>(
        &self,
        py: Python<'py>,
        concept_id: Arg<Text<'_>, name::concept_id>,
    ) -> PyResult<Option<Bound<'py, PyArray1<f32>>>> {
        let found = self.read(py, |snapshot| snapshot.vector(concept_id.0))?;
        Ok(found.map(|vector| to_array(py, &vector)))
    }

    /// Return the vectors of several concepts, and which of them have one.
    ///
    /// Returns:
    ///     A matrix (len(ids), dim) of float32, with zeros where there is no vector, and a mask
    ///     (len(ids),) of bool.
    fn get_vectors<'py>(
        &self,
        py: Python<'py>,
        ids: &Bound<'py, PyAny>,
    ) -> PyResult<MatrixAndMask<'py>> {
        let ids = texts("ids", ids)?;
        let dim = self.dim;
        let rows = ids.len();
        let mut matrix = zeros(rows, dim)?;
        let (matrix, found) = self.read(py, |snapshot| {
            let mut found = vec![false; ids.len()];
            for ((id, row), found) in ids.iter().zip(matrix.chunks_exact_mut(dim)).zip(&mut found) {
                if let Some(vector) = snapshot.vector(id)? {
                    row.copy_from_slice(&vector);
                    *found = true;
                }
            }
            Ok((matrix, found))
        })?;
        let matrix = PyArray1::from_vec(py, matrix).reshape([rows, dim])?;
        Ok((matrix, PyArray1::from_vec(py, found)))
    }

    /// Return a concept, or None; without its vector, faster, with `vector=False`.
    #[pyo3(signature = (concept_id, *, vector=true))]
    fn get_concept(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        vector: bool,
    ) -> PyResult<Option<StoredConcept>> {
        let found = self.read(py, |snapshot| {
            if vector {
                snapshot.concept(concept_id.0)
            } else {
                snapshot.concept_without_vector(concept_id.0)
            }
        })?;
        Ok(found.map(StoredConcept::from))
    }

    /// Return several concepts of one state, None for each that isn't there.
    #[pyo3(signature = (ids, *, vector=true))]
    fn get_concepts(
        &self,
        py: Python<'_>,
        ids: &Bound<'_, PyAny>,
        vector: bool,
    ) -> PyResult<Vec<Option<StoredConcept>>> {
        let ids = texts("ids", ids)?;
        let found = self.read(py, |snapshot| {
            let one = |id: &String| {
                if vector { snapshot.concept(id) } else { snapshot.concept_without_vector(id) }
            };
            ids.iter().map(one).collect::<storage_core::Result<Vec<_>>>()
        })?;
        Ok(found.into_iter().map(|concept| concept.map(StoredConcept::from)).collect())
    }

    /// Whether there is a concept with this id.
    fn contains(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
    ) -> PyResult<bool> {
        self.read(py, |snapshot| snapshot.contains(concept_id.0))
    }

    fn __contains__(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
    ) -> PyResult<bool> {
        self.contains(py, concept_id)
    }

    /// How many concepts there are.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.read(py, |snapshot| Ok(snapshot.concept_count() as usize))
    }

    /// True, also without any concept.
    #[expect(clippy::unused_self, reason = "Python calls it with the object")]
    fn __bool__(&self) -> bool {
        true
    }

    /// Iterate over the ids of one state, in order of first put.
    fn __iter__(&self, py: Python<'_>) -> PyResult<ConceptIds> {
        let snapshot = self.read(py, |snapshot| Ok(snapshot.clone()))?;
        Ok(ConceptIds {
            page: RwLock::new(Page { snapshot, ids: Vec::new().into_iter(), last: None }),
        })
    }

    /// Return the ids of concepts, in order of first put.
    ///
    /// Args:
    ///     filter: A `Filter`, or a dict of its arguments; None: all.
    ///     after: Only those behind this one, which must be there; None: from the first on.
    ///     limit: At most so many; None: all.
    #[pyo3(signature = (*, filter=None, after=None, limit=None))]
    fn concept_ids(
        &self,
        py: Python<'_>,
        filter: Option<FilterArgument>,
        after: Option<Arg<Text<'_>, name::after>>,
        limit: Option<Count<'_, '_>>,
    ) -> PyResult<Vec<String>> {
        let filter = filter.map(|filter| filter.0).unwrap_or_default();
        let limit = limit.map_or(Ok(usize::MAX), |limit| limit.get(py, "limit"))?;
        let after = after.map(|id| id.0);
        self.read(py, |snapshot| snapshot.concept_ids_by(&filter, after, limit))
    }

    /// Return the ids of the concepts created in `start <= t < end`, by time.
    ///
    /// Times are seconds since the Unix epoch, or aware datetimes.
    fn get_concepts_in_range(
        &self,
        py: Python<'_>,
        start: Arg<Time, name::start>,
        end: Arg<Time, name::end>,
    ) -> PyResult<Vec<String>> {
        self.read(py, |snapshot| snapshot.concepts_in_range(start.0, end.0))
    }

    // ---- associations ------------------------------------------------------------------------------

    /// Return the distinct concepts that associations lead to, in order of first put.
    ///
    /// Args:
    ///     concept_id: The concept; none of this id has no neighbours.
    ///     direction: "out", "in" or "both".
    ///     types: Only along associations of this type, or of these.
    #[pyo3(signature = (concept_id, *, direction=Arg::of(Text("out")), types=None))]
    #[pyo3(text_signature = "($self, concept_id, *, direction='out', types=None)")]
    fn get_neighbors(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        direction: Arg<Text<'_>, name::direction>,
        types: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<String>> {
        let direction = self::direction(py, direction.0)?;
        let types = self::types(types)?;
        self.read(py, |snapshot| snapshot.neighbors_by(concept_id.0, direction, types.as_deref()))
    }

    /// Return the associations at a concept, by source, target and type in order of first put.
    ///
    /// Args:
    ///     concept_id: The concept; none of this id has no associations.
    ///     direction: "out", "in" or "both".
    ///     types: Only associations of this type, or of these.
    #[pyo3(signature = (concept_id, *, direction=Arg::of(Text("out")), types=None))]
    #[pyo3(text_signature = "($self, concept_id, *, direction='out', types=None)")]
    fn get_associations(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        direction: Arg<Text<'_>, name::direction>,
        types: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<StoredAssociation>> {
        let direction = self::direction(py, direction.0)?;
        let types = self::types(types)?;
        let found = self.read(py, |snapshot| {
            snapshot.associations(concept_id.0, direction, types.as_deref())
        })?;
        Ok(found.into_iter().map(StoredAssociation::from).collect())
    }

    /// Return the association of a source, target and type, or None.
    ///
    /// The three are its key: without `type` the one of type "semantic" is looked up, and no other.
    /// `get_associations(source_id)` returns those of every type.
    #[pyo3(signature = (source_id, target_id, r#type=Arg::of(Text("semantic"))))]
    #[pyo3(text_signature = "($self, source_id, target_id, type='semantic')")]
    fn get_association(
        &self,
        py: Python<'_>,
        source_id: Arg<Text<'_>, name::source_id>,
        target_id: Arg<Text<'_>, name::target_id>,
        r#type: Arg<Text<'_>, name::kind>,
    ) -> PyResult<Option<StoredAssociation>> {
        let found =
            self.read(py, |snapshot| snapshot.association(source_id.0, target_id.0, r#type.0))?;
        Ok(found.map(StoredAssociation::from))
    }

    /// Return the types that associations have had, in order of first use.
    fn association_types(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.read(py, |snapshot| Ok(snapshot.association_types()))
    }

    /// Return the best paths from any of some concepts to any of others, best first.
    ///
    /// A path's confidence is the product of its associations'; of equals the shorter is better. A
    /// path has at least one association and visits no concept twice. Without any, the list is empty.
    ///
    /// Args:
    ///     sources: One id or several; those that don't exist are passed over, so that an unknown id
    ///         has no paths.
    ///     targets: Likewise.
    ///     k: At most this many paths.
    ///     max_depth: At most this many associations in a path, 0 to 64; longer ones are not found.
    ///     direction: "out", "in" or "both": how a path runs along associations.
    ///     types: Only associations of this type, or of these.
    ///     min_confidence: Only associations of at least this confidence. One of confidence 0.0 is
    ///         never followed: it is held impossible, and explains nothing.
    ///     max_visited: Associations looked at before the search gives up, with a `RuntimeWarning`:
    ///         what it returns then are paths, but there may be better or further ones.
    #[pyo3(signature = (sources, targets, *, k=Count::of(5), max_depth=Count::of(6),
        direction=Arg::of(Text("out")), types=None, min_confidence=Arg::of(Number(0.0)),
        max_visited=Count::of(1_000_000)))]
    #[pyo3(text_signature = "($self, sources, targets, *, k=5, max_depth=6, direction='out', \
        types=None, min_confidence=0.0, max_visited=1000000)")]
    #[expect(clippy::too_many_arguments, reason = "each is an option of the search")]
    fn find_paths(
        &self,
        py: Python<'_>,
        sources: &Bound<'_, PyAny>,
        targets: &Bound<'_, PyAny>,
        k: Count<'_, '_>,
        max_depth: Count<'_, '_>,
        direction: Arg<Text<'_>, name::direction>,
        types: Option<&Bound<'_, PyAny>>,
        min_confidence: Arg<Number, name::min_confidence>,
        max_visited: Count<'_, '_>,
    ) -> PyResult<Vec<Path>> {
        let sources = text_or_texts("sources", sources)?;
        let targets = text_or_texts("targets", targets)?;
        let query = PathQuery {
            k: k.get(py, "k")?,
            max_depth: max_depth.get(py, "max_depth")? as u32,
            direction: self::direction(py, direction.0)?,
            types: self::types(types)?,
            min_confidence: min_confidence.0,
            max_visited: max_visited.get(py, "max_visited")? as u64,
        };
        let found = self.read(py, |snapshot| {
            let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            snapshot.find_paths(&sources, &targets, &query)
        })?;
        if !found.is_complete {
            let most = query.max_visited;
            let message = format!(
                "find_paths gave up after max_visited={most} associations: there may be better or \
                 further paths; raise max_visited, or lower max_depth"
            );
            let message = CString::new(message).expect("the text has no NUL");
            PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &message, 1)?;
        }
        found.paths.into_iter().map(|path| Path::new(py, path)).collect()
    }

    // ---- search ------------------------------------------------------------------------------------

    /// Return the ids of the best concepts for some words, best first.
    ///
    /// Args:
    ///     query: Free text, or a list of words; no character has a meaning of its own.
    ///     limit: At most this many.
    ///     operator: "or": any of the words; "and": all of them.
    ///     filter: A `Filter`, or a dict of its arguments.
    #[pyo3(signature = (query, limit=Count::of(10), *, operator=Arg::of(Text("or")), filter=None))]
    #[pyo3(text_signature = "($self, query, limit=10, *, operator='or', filter=None)")]
    fn search_text(
        &self,
        py: Python<'_>,
        query: &Bound<'_, PyAny>,
        limit: Count<'_, '_>,
        operator: Arg<Text<'_>, name::operator>,
        filter: Option<FilterArgument>,
    ) -> PyResult<Vec<String>> {
        let text = words(query)?;
        let mut query = TextQuery::new(&text, limit.get(py, "limit")?);
        query.operator = self::operator(py, operator.0)?;
        query.filter = filter.map(|filter| filter.0).unwrap_or_default();
        let found = self.read(py, |snapshot| snapshot.search_words(&query))?;
        Ok(found.into_iter().map(|hit| hit.id).collect())
    }

    /// Return the best concepts for some words with their BM25 scores, best first.
    ///
    /// Args:
    ///     query: Free text, or a list of words.
    ///     limit: At most this many.
    ///     operator: "or": any of the words; "and": all of them.
    ///     k1: Term saturation, 0.0 or more.
    ///     b: Length normalisation, 0.0 to 1.0.
    ///     filter: A `Filter`, or a dict of its arguments.
    #[pyo3(signature = (query, limit=Count::of(10), *, operator=Arg::of(Text("or")),
        k1=Arg::of(Number(1.2)), b=Arg::of(Number(0.75)), filter=None))]
    #[pyo3(
        text_signature = "($self, query, limit=10, *, operator='or', k1=1.2, b=0.75, filter=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is an option of the search")]
    fn search_text_scored(
        &self,
        py: Python<'_>,
        query: &Bound<'_, PyAny>,
        limit: Count<'_, '_>,
        operator: Arg<Text<'_>, name::operator>,
        k1: Arg<Number, name::k1>,
        b: Arg<Number, name::b>,
        filter: Option<FilterArgument>,
    ) -> PyResult<Vec<Hit>> {
        let text = words(query)?;
        let query = TextQuery {
            text: &text,
            limit: limit.get(py, "limit")?,
            operator: self::operator(py, operator.0)?,
            k1: k1.0,
            b: b.0,
            filter: filter.map(|filter| filter.0).unwrap_or_default(),
        };
        self.read(py, |snapshot| snapshot.search_words(&query)).map(into_hits)
    }

    /// Return the concepts whose vectors are nearest to a query's, best first.
    ///
    /// Scores are larger for nearer: cosine in [-1, 1], dot product, or negated Euclidean distance.
    ///
    /// Args:
    ///     query: A vector of the store's dimension.
    ///     k: At most this many.
    ///     filter: A `Filter`, or a dict of its arguments.
    ///     recall: How many of the nearest are to be found, as a share, on average: 1.0 for all of
    ///         them; less, to search by the indexes that the background builds.
    #[pyo3(signature = (query, k=Count::of(10), *, filter=None, recall=Arg::of(Number(1.0))))]
    #[pyo3(text_signature = "($self, query, k=10, *, filter=None, recall=1.0)")]
    fn search_vector(
        &self,
        py: Python<'_>,
        query: &Bound<'_, PyAny>,
        k: Count<'_, '_>,
        filter: Option<FilterArgument>,
        recall: Arg<Number, name::recall>,
    ) -> PyResult<Vec<Hit>> {
        let vector = vector(query, Owner::Query)?;
        let query = VectorQuery {
            vectors: &vector,
            k: k.get(py, "k")?,
            recall: recall.0,
            filter: filter.map(|filter| filter.0).unwrap_or_default(),
        };
        let found = self.read(py, |snapshot| snapshot.search_near(&query))?;
        Ok(into_hits(found.into_iter().next().unwrap_or_default()))
    }

    /// Return what `search_vector` would for each row of a matrix (n, dim), in one go.
    #[pyo3(signature = (queries, k=Count::of(10), *, filter=None, recall=Arg::of(Number(1.0))))]
    #[pyo3(text_signature = "($self, queries, k=10, *, filter=None, recall=1.0)")]
    fn search_vectors(
        &self,
        py: Python<'_>,
        queries: &Bound<'_, PyAny>,
        k: Count<'_, '_>,
        filter: Option<FilterArgument>,
        recall: Arg<Number, name::recall>,
    ) -> PyResult<Vec<Vec<Hit>>> {
        let (vectors, rows) = matrix(queries, self.dim, "queries")?;
        let query = VectorQuery {
            vectors: &vectors,
            k: k.get(py, "k")?,
            recall: recall.0,
            filter: filter.map(|filter| filter.0).unwrap_or_default(),
        };
        let found = self.read(py, |snapshot| {
            if rows == 0 {
                return Ok(Vec::new());
            }
            snapshot.search_near(&query)
        });
        let found = found.map_err(|error| self.name_query(py, error, &vectors))?;
        Ok(found.into_iter().map(into_hits).collect())
    }

    /// Return the best concepts for words and a vector together, fused by reciprocal rank.
    ///
    /// Args:
    ///     text: Free text, a list of words, or None.
    ///     vector: A vector of the store's dimension, or None; one of the two is needed.
    ///     k: At most this many.
    ///     filter: A `Filter`, or a dict of its arguments.
    ///     recall: As for `search_vector`, of what is nearest to the vector, 1,000 concepts or `k`.
    #[pyo3(signature = (text=None, vector=None, k=Count::of(10), *, filter=None,
        recall=Arg::of(Number(1.0))))]
    #[pyo3(text_signature = "($self, text=None, vector=None, k=10, *, filter=None, recall=1.0)")]
    fn search_hybrid(
        &self,
        py: Python<'_>,
        text: Option<&Bound<'_, PyAny>>,
        vector: Option<&Bound<'_, PyAny>>,
        k: Count<'_, '_>,
        filter: Option<FilterArgument>,
        recall: Arg<Number, name::recall>,
    ) -> PyResult<Vec<HybridHit>> {
        if text.is_none() && vector.is_none() {
            return Err(invalid(py, "search_hybrid needs a text, a vector or both"));
        }
        let text = text.map(words).transpose()?;
        let vector = vector.map(|given| self::vector(given, Owner::Query)).transpose()?;
        let k = k.get(py, "k")?;
        let words = text.as_deref().map(|text| TextQuery::new(text, k));
        let query = HybridQuery {
            recall: recall.0,
            filter: filter.map(|filter| filter.0).unwrap_or_default(),
            ..HybridQuery::new(words.as_ref(), vector.as_deref(), k)
        };
        let found = self.read(py, |snapshot| snapshot.search_fused(&query))?;
        Ok(found.into_iter().map(HybridHit::from).collect())
    }

    /// Measure what share of the nearest `search_vector` finds, on queries answered exactly too.
    ///
    /// It tells of the indexes of now, and of the vectors that have none yet, which are scanned. A
    /// hit counts where its score is no less than that of the last of the `k` nearest.
    ///
    /// Args:
    ///     queries: A vector of the store's dimension a row; None for some of the stored vectors,
    ///         none of which finds itself. Real queries most often find somewhat less than these.
    ///     sample: How many of the stored vectors, at most.
    ///     k: As for `search_vector`.
    ///     recall: As for `search_vector`: what the searches aim for.
    ///     filter: As for `search_vector`; stored vectors are sampled whether it holds or not.
    ///     seed: Of the choice of vectors.
    ///
    /// Returns:
    ///     "queries" that there was something to find for, "recall", the mean of the shares found,
    ///     1 where there are none, its standard "error", and "worst", the least of the shares.
    #[pyo3(signature = (queries=None, *, sample=Count::of(256), k=Count::of(10),
        recall=Arg::of(Number(DEFAULT_RECALL)), filter=None, seed=Count::of(0)))]
    #[pyo3(
        text_signature = "($self, queries=None, *, sample=256, k=10, recall=0.98, filter=None, \
                             seed=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is one of Python's, most by keyword")]
    fn audit_vectors<'py>(
        &self,
        py: Python<'py>,
        queries: Option<&Bound<'py, PyAny>>,
        sample: Count<'_, '_>,
        k: Count<'_, '_>,
        recall: Arg<Number, name::recall>,
        filter: Option<FilterArgument>,
        seed: Count<'_, '_>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let queries = queries.map(|queries| matrix(queries, self.dim, "queries")).transpose()?;
        let vectors = queries.as_ref().map(|(queries, _)| &queries[..]);
        let query = AuditQuery {
            vectors,
            sample: sample.get(py, "sample")?,
            seed: seed.get_u64(py, "seed")?,
            k: k.get(py, "k")?,
            recall: recall.0,
            filter: filter.map(|filter| filter.0).unwrap_or_default(),
        };
        let audit = self.read(py, |snapshot| snapshot.audit_vectors(&query));
        let audit =
            audit.map_err(|error| self.name_query(py, error, vectors.unwrap_or_default()))?;
        audit_dict(py, audit)
    }

    /// Return how far apart two concepts' vectors are; None when either has none.
    ///
    /// Smaller is nearer: 1 - cosine (0.0 to 2.0), the negated dot product, or the Euclidean
    /// distance, by the store's metric.
    fn distance(
        &self,
        py: Python<'_>,
        a: Arg<Text<'_>, name::a>,
        b: Arg<Text<'_>, name::b>,
    ) -> PyResult<Option<f32>> {
        let similarity = self.read(py, |snapshot| snapshot.similarity(a.0, b.0))?;
        Ok(similarity.map(|score| match self.metric {
            Metric::Cosine => 1.0 - score,
            // Their scores are negated distances already, or are to be negated to be one.
            _ => 0.0 - score,
        }))
    }
}

/// An iterator over the ids of one state.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct ConceptIds {
    page: RwLock<Page>,
}

struct Page {
    snapshot: Snapshot,
    ids: std::vec::IntoIter<String>,
    last: Option<String>,
}

/// Ids fetched at a time: few enough to hold, enough to hide what a fetch costs.
const PAGE: usize = 1024;

#[pymethods]
impl ConceptIds {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<String>> {
        py.detach(|| {
            let mut page = self.page.write().unwrap_or_else(PoisonError::into_inner);
            if page.ids.len() == 0 {
                let ids = page.snapshot.concept_ids(page.last.as_deref(), PAGE)?;
                if let Some(last) = ids.last() {
                    page.last = Some(last.clone());
                }
                page.ids = ids.into_iter();
            }
            Ok(page.ids.next())
        })
        .or_raise(py)
    }
}
