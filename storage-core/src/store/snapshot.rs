//! Reading: everything that can be asked of one state of a store.

use std::sync::Arc;

use crate::concept::{check_time, validate_id};
use crate::operation::EdgeKey;
use crate::state::{
    AuditQuery, ConceptHit, Filter, FoundPaths, HybridHit, HybridQuery, PathQuery, State,
    TextQuery, VectorQuery,
};
use crate::{Association, Audit, Concept, Direction, Error, Result};

/// One state of a store: it never changes, whatever is committed after it was taken.
///
/// It costs a reference; what it alone still needs is kept from being freed. It can be read after its handle was
/// closed, and in a process that got it by a fork: no read of it fails with [`Error::Closed`], [`Error::Forked`] or
/// [`Error::Locked`].
#[derive(Debug, Clone)]
pub struct Snapshot {
    state: Arc<State>,
}

impl Snapshot {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// The number of the last transaction in it; 0 before the first.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.state.epoch
    }

    /// How many concepts there are.
    #[must_use]
    pub fn concept_count(&self) -> u64 {
        self.state.concept_count()
    }

    /// How many distinct associations there are.
    #[must_use]
    pub fn association_count(&self) -> u64 {
        self.state.edge_count()
    }

    /// How many concepts have vectors.
    #[must_use]
    pub fn vector_count(&self) -> u64 {
        self.state.vector_count()
    }

    /// The same state, restricted to the concepts and associations that hold at a time: those whose window
    /// `valid_from <= time < valid_to` it is in. An association holds only while both its concepts do.
    ///
    /// Without this, reads find what holds at any time. Times are seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a time that is NaN; [`Error::Corrupt`].
    ///
    /// # Complexity
    /// Linear in the number of windows: read several things from one snapshot.
    pub fn valid_at(&self, time: f64) -> Result<Self> {
        if time.is_nan() {
            check_time("valid_at", Some(time))?;
        }
        self.state.valid_at(time).map(Self::new)
    }

    // ---- concepts ----------------------------------------------------------------------------------

    /// Whether there is a concept with this id.
    ///
    /// # Errors
    /// [`Error::InvalidId`] for what can be no id; [`Error::Corrupt`] when the bytes read fail their checksum.
    pub fn contains(&self, id: &str) -> Result<bool> {
        validate_id(id)?;
        Ok(self.state.find(id)?.is_some())
    }

    /// The whole concept with this id, vector included.
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn concept(&self, id: &str) -> Result<Option<Concept>> {
        validate_id(id)?;
        self.state.find(id)?.map(|place| self.state.concept_with_vector(place)).transpose()
    }

    /// The concept with this id, without its vector.
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn concept_without_vector(&self, id: &str) -> Result<Option<Concept>> {
        validate_id(id)?;
        self.state.find(id)?.map(|place| self.state.concept(place)).transpose()
    }

    /// The vector of the concept with this id; `None` when there is no such concept, or no vector.
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn vector(&self, id: &str) -> Result<Option<Vec<f32>>> {
        validate_id(id)?;
        let Some(place) = self.state.find(id)? else { return Ok(None) };
        self.state.segment(place).vector(place.row)
    }

    /// The ids of the concepts created in `start <= t < end`, in order of time, then of first put.
    ///
    /// Times are seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when a time is NaN; [`Error::Corrupt`].
    pub fn concepts_in_range(&self, start: f64, end: f64) -> Result<Vec<String>> {
        for (name, time) in [("start", start), ("end", end)] {
            if time.is_nan() {
                check_time(name, Some(time))?;
            }
        }
        if start >= end {
            return Ok(Vec::new());
        }
        self.state.ids_of(self.state.created_between(start, end)?)
    }

    /// Up to `limit` concept ids in order of first put, after the id `after` (`None`: from the first).
    ///
    /// # Errors
    /// [`Error::ConceptNotFound`] when there is no concept `after`; [`Error::Corrupt`].
    pub fn concept_ids(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let Some(from) = self.number_after(after)? else { return Ok(Vec::new()) };
        self.state.ids_of(self.state.numbers_from(from, limit)?)
    }

    /// The number behind that of a concept; the first without one, `None` behind the largest.
    fn number_after(&self, after: Option<&str>) -> Result<Option<u32>> {
        let Some(id) = after else { return Ok(Some(0)) };
        match self.state.number_of(id)? {
            // The largest number is never given out, but damaged bytes may name it.
            Some(number) => Ok(number.checked_add(1)),
            None => Err(Error::ConceptNotFound { id: id.to_owned(), is_end: false }),
        }
    }

    /// As [`Snapshot::concept_ids`], of the concepts that pass a filter.
    ///
    /// # Errors
    /// As there; [`Error::InvalidArgument`] for a filter's time that is NaN; [`Error::Interrupted`].
    pub fn concept_ids_by(
        &self,
        filter: &Filter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let Some(from) = self.number_after(after)? else { return Ok(Vec::new()) };
        self.state.ids_of(self.state.numbers_passing(filter, from, limit)?)
    }

    // ---- associations ------------------------------------------------------------------------------

    fn number(&self, id: &str) -> Result<Option<u32>> {
        validate_id(id)?;
        self.state.number_of(id)
    }

    /// The distinct concepts that associations lead to, in order of first put; empty when there is no
    /// such concept.
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn neighbors(&self, id: &str, direction: Direction) -> Result<Vec<String>> {
        self.neighbors_by(id, direction, None)
    }

    /// As [`Snapshot::neighbors`], along associations of some types only.
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn neighbors_by(
        &self,
        id: &str,
        direction: Direction,
        types: Option<&[String]>,
    ) -> Result<Vec<String>> {
        let Some(number) = self.number(id)? else { return Ok(Vec::new()) };
        let types = types.map(|names| self.state.type_numbers(names));
        self.state.ids_of(self.state.neighbors(number, direction, types.as_deref())?)
    }

    /// The associations at a concept, by (source, target, type) in order of first put.
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn associations(
        &self,
        id: &str,
        direction: Direction,
        types: Option<&[String]>,
    ) -> Result<Vec<Association>> {
        let Some(number) = self.number(id)? else { return Ok(Vec::new()) };
        let types = types.map(|names| self.state.type_numbers(names));
        let mut edges = self.state.edges_at(number, direction)?;
        edges.retain(|(_, e)| types.as_ref().is_none_or(|types| types.contains(&e.type_id)));
        edges.sort_unstable_by_key(|(_, e)| (e.source, e.target, e.type_id));
        edges.into_iter().map(|(part, edge)| self.state.association(part, edge)).collect()
    }

    /// The association with a key.
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn association(
        &self,
        source_id: &str,
        target_id: &str,
        association_type: &str,
    ) -> Result<Option<Association>> {
        let (Some(source), Some(target), Some(type_id)) = (
            self.number(source_id)?,
            self.number(target_id)?,
            self.state.types.number(association_type),
        ) else {
            return Ok(None);
        };
        self.state.association_by_key(EdgeKey { source, target, type_id })
    }

    /// The types that associations have had, in order of first use.
    #[must_use]
    pub fn association_types(&self) -> Vec<String> {
        self.state.types.names().map(ToString::to_string).collect()
    }

    /// The best paths from any of some concepts to any of others, best first.
    ///
    /// A path's confidence is the product of its associations'; equal ones sort by length, then by
    /// concept. An association of confidence 0 is on no path. Ids that don't exist are passed over.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for options out of their range; [`Error::Corrupt`]; [`Error::Interrupted`].
    pub fn find_paths(
        &self,
        sources: &[&str],
        targets: &[&str],
        query: &PathQuery,
    ) -> Result<FoundPaths> {
        self.state.find_paths(sources, targets, query)
    }

    /// The associations as a graph that petgraph's algorithms run on; nodes are concept numbers.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn graph(&self) -> Result<graph_index::LayeredGraph<'_>> {
        self.state.layered_graph()
    }

    /// The id of a concept number of [`Snapshot::graph`].
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn id_of_number(&self, number: u32) -> Result<Option<&str>> {
        self.state.id_of(number)
    }

    /// The number of a concept in [`Snapshot::graph`].
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn number_of_id(&self, id: &str) -> Result<Option<u32>> {
        self.number(id)
    }

    // ---- search ------------------------------------------------------------------------------------

    /// The `limit` best concepts for some words, OR-ed, by BM25, best first.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Interrupted`].
    pub fn search_text(&self, text: &str, limit: usize) -> Result<Vec<ConceptHit>> {
        self.search_words(&TextQuery::new(text, limit))
    }

    /// As [`Snapshot::search_text`], with all options.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for `k1` or `b` out of their range, or a filter's time that is NaN;
    /// [`Error::Corrupt`]; [`Error::Interrupted`].
    pub fn search_words(&self, query: &TextQuery<'_>) -> Result<Vec<ConceptHit>> {
        self.state.named(&self.state.search_text(query)?)
    }

    /// The `k` concepts whose vectors are nearest to the query's, exactly, best first.
    ///
    /// # Errors
    /// [`Error::InvalidVector`] for another dimension, or a component that is not finite;
    /// [`Error::InvalidArgument`] for a filter's time that is NaN; [`Error::Corrupt`]; [`Error::Interrupted`].
    pub fn search_vector(
        &self,
        query: &[f32],
        k: usize,
        filter: &Filter,
    ) -> Result<Vec<ConceptHit>> {
        let query = VectorQuery { filter: filter.clone(), ..VectorQuery::new(query, k) };
        Ok(self.search_near(&query)?.pop().unwrap_or_default())
    }

    /// The nearest concepts of each of one or several queries, best first, exactly or with a recall that is aimed for.
    ///
    /// # Errors
    /// As [`Snapshot::search_vector`]; [`Error::InvalidArgument`] for a recall that is not above 0.
    pub fn search_near(&self, query: &VectorQuery<'_>) -> Result<Vec<Vec<ConceptHit>>> {
        let found = self.state.search_vectors(query)?;
        found.iter().map(|hits| self.state.named(hits)).collect()
    }

    /// One search for each of several queries, which follow one another in a slice.
    ///
    /// # Errors
    /// As [`Snapshot::search_vector`].
    pub fn search_vectors(
        &self,
        queries: &[f32],
        k: usize,
        filter: &Filter,
    ) -> Result<Vec<Vec<ConceptHit>>> {
        self.search_near(&VectorQuery { filter: filter.clone(), ..VectorQuery::new(queries, k) })
    }

    /// Words and vectors together, fused by reciprocal rank; either may be left out.
    ///
    /// # Errors
    /// As [`Snapshot::search_words`] and [`Snapshot::search_vector`].
    pub fn search_hybrid(
        &self,
        text: Option<&TextQuery<'_>>,
        vector: Option<&[f32]>,
        k: usize,
        filter: &Filter,
    ) -> Result<Vec<HybridHit>> {
        let query = HybridQuery { filter: filter.clone(), ..HybridQuery::new(text, vector, k) };
        self.search_fused(&query)
    }

    /// As [`Snapshot::search_hybrid`], the vector's part exactly or with a recall that is aimed for.
    ///
    /// # Errors
    /// As there; [`Error::InvalidArgument`] for a recall that is not above 0.
    pub fn search_fused(&self, query: &HybridQuery<'_>) -> Result<Vec<HybridHit>> {
        self.state.search_hybrid(query)
    }

    /// Measures what share of the nearest searches with a recall below 1 find: by the indexes of segments, and of what
    /// has none, less what is deleted.
    ///
    /// Each query is answered exactly, too. A hit counts where its score is no less than that of the last of the best.
    /// The same state, with the same indexes, gives the same figures.
    ///
    /// # Errors
    /// As [`Snapshot::search_near`].
    ///
    /// # Complexity
    /// An exact search for each query; a look at the number of each concept, to sample them.
    pub fn audit_vectors(&self, query: &AuditQuery<'_>) -> Result<Audit> {
        self.state.audit_vectors(query)
    }

    /// How alike two concepts' vectors are, by the store's metric: larger is nearer; `None` when
    /// either has none.
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn similarity(&self, a: &str, b: &str) -> Result<Option<f32>> {
        let (Some(a), Some(place)) = (self.vector(a)?, self.state.find(b)?) else {
            return Ok(None);
        };
        let segment = self.state.segment(place);
        let Some(ordinal) = segment.vector_ordinal(place.row)?.filter(|_| segment.vectors() > 0)
        else {
            return Ok(None);
        };
        segment
            .flat_index(self.state.config.metric)?
            .score(&a, ordinal)
            .map(Some)
            .map_err(|source| segment.vector_error(b, source))
    }
}

#[cfg(all(test, not(modelled)))]
mod tests {
    use crate::{Concept, ConfigRequest, GraphStore, OpenOptions};

    #[test]
    fn a_seed_samples_the_same_vectors_however_they_are_cut_into_parts() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = ConfigRequest { vector_dimension: Some(1), ..ConfigRequest::default() };
        let options = OpenOptions { config, background: false, ..OpenOptions::default() };
        let store = GraphStore::open(dir.path(), options).expect("it opens");
        let put = |ids: std::ops::Range<u32>| {
            let concept =
                |at| Concept::new(format!("c{at}"), "").with_vector(vec![1.0 + at as f32]);
            store.put_concepts(ids.map(concept).collect()).expect("it is put");
        };
        for from in [0, 200, 400] {
            put(from..from + 200);
            store.flush().expect("it is flushed");
        }
        put(100..300);
        store.put_concept(Concept::new("bare", "no vector")).expect("it is put");
        store.delete_concept("c500").expect("it is deleted");
        let sample = |count, seed| -> Vec<u32> {
            let snapshot = store.snapshot().expect("it is open");
            let sample = snapshot.state().sample_vectors(count, seed).expect("it is sound");
            sample.into_iter().map(|(number, _)| number).collect()
        };
        let samples = [sample(50, 0), sample(50, 1), sample(1000, 0)];
        assert_eq!(samples.each_ref().map(Vec::len), [50, 50, 599]);
        assert_eq!(samples[0], samples[2][..50], "the least of all");
        assert_ne!(samples[0], samples[1]);
        assert!(sample(0, 0).is_empty());
        store.compact().expect("it is compacted");
        assert_eq!([sample(50, 0), sample(50, 1), sample(1000, 0)], samples);
    }
}
