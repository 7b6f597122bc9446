//! `Transaction`: several writes, all or none.
//!
//! Invariant: nothing is written before it commits; it ends once, by a commit or by being dropped, and
//! refuses every call after that.

use std::sync::{Arc, Mutex, PoisonError};

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use self_cell::self_cell;
use storage_core::{Durability, GraphStore};

use crate::arguments::{Arg, Count, Expiry, Number, Text, Time, direction, name, texts, types};
use crate::association::{StoredAssociation, association_of};
use crate::columns::{AssociationColumns, ConceptColumns};
use crate::concept::{StoredConcept, concept_of, patch_of};
use crate::errors::{Kind, OrRaise, raise};
use crate::interrupt::{detached, stoppable};
use crate::vectors::{Owner, to_array, vector};

/// `None` once it has ended.
type Slot<'a> = Option<storage_core::Transaction<'a>>;

self_cell! {
    /// A transaction beside the store that it borrows from.
    struct Pending {
        owner: Arc<GraphStore>,
        #[covariant]
        dependent: Slot,
    }
}

/// Several writes that become visible, and durable, together.
///
/// It reads the state that it began with, and its own writes. Used with `with`, it commits at the
/// end of the block, or leaves nothing behind when the block raises. If something that it read by
/// id was changed meanwhile, committing raises `ConflictError`: run it again.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct Transaction {
    pending: Mutex<Pending>,
    durability: Durability,
    dim: usize,
}

impl Transaction {
    pub(crate) fn begin(
        py: Python<'_>,
        store: &Arc<GraphStore>,
        durability: Durability,
    ) -> PyResult<Self> {
        let dim = store.config().vector_dimension;
        let store = Arc::clone(store);
        let begin = || Pending::try_new(store, |store| store.transaction().map(Some));
        let pending = Mutex::new(py.detach(begin).or_raise(py)?);
        Ok(Self { pending, durability, dim })
    }

    /// Runs an operation of the transaction without the GIL.
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&mut storage_core::Transaction<'_>) -> storage_core::Result<T> + Send,
    ) -> PyResult<T> {
        let done = stoppable(py, || {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.with_dependent_mut(|_, slot| slot.as_mut().map(run))
        })?;
        done.ok_or_else(|| ended(py))?.or_raise(py)
    }

    /// Ends it: returns whether it was still open, and what ending it gave.
    fn end<T: Send>(
        &self,
        py: Python<'_>,
        end: impl FnOnce(storage_core::Transaction<'_>) -> T + Send,
    ) -> PyResult<Option<T>> {
        stoppable(py, || {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.with_dependent_mut(|_, slot| slot.take().map(end))
        })
    }
}

fn ended(py: Python<'_>) -> PyErr {
    raise(py, Kind::StoreClosed, "the transaction has ended; begin a new one")
}

/// A transaction that is committed, but perhaps not yet durable; `commit_async()` makes it.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct Ticket(storage_core::Ticket);

#[pymethods]
impl Ticket {
    /// The transaction's number.
    #[getter]
    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    /// Whether the transaction is known to survive power loss.
    #[getter]
    fn is_durable(&self) -> bool {
        self.0.is_durable()
    }

    /// Return once the transaction survives power loss, with its number.
    ///
    /// Raises:
    ///     PoisonedError: A sync has failed; it may or may not be there when the store is opened again.
    fn wait(&self, py: Python<'_>) -> PyResult<u64> {
        detached(py, || self.0.wait())
    }

    fn __repr__(&self) -> String {
        let state = if self.0.is_durable() { "durable" } else { "not yet durable" };
        format!("<Ticket of epoch {}, {state}>", self.0.epoch())
    }
}

#[pymethods]
impl Transaction {
    // ---- reading -----------------------------------------------------------------------------------

    /// Return a concept as the transaction would leave it.
    #[pyo3(signature = (concept_id, *, vector=true))]
    fn get_concept(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        vector: bool,
    ) -> PyResult<Option<StoredConcept>> {
        let found = self.run(py, |transaction| transaction.concept(concept_id.0))?;
        Ok(found.map(|mut concept| {
            concept.vector = concept.vector.filter(|_| vector);
            StoredConcept::from(concept)
        }))
    }

    /// Return a concept's vector as the transaction would leave it.
    fn get_vector<'py>(
        &self,
        py: Python<'py>,
        concept_id: Arg<Text<'_>, name::concept_id>,
    ) -> PyResult<Option<Bound<'py, PyArray1<f32>>>> {
        let found = self.run(py, |transaction| transaction.vector(concept_id.0))?;
        Ok(found.map(|vector| to_array(py, &vector)))
    }

    /// Whether there would be a concept with this id.
    fn contains(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
    ) -> PyResult<bool> {
        self.run(py, |transaction| transaction.contains(concept_id.0))
    }

    fn __contains__(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
    ) -> PyResult<bool> {
        self.contains(py, concept_id)
    }

    /// Return the associations at a concept as the transaction would leave them.
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
        let mut found =
            self.run(py, |transaction| transaction.associations(concept_id.0, direction))?;
        if let Some(types) = types {
            found.retain(|association| types.contains(&association.association_type));
        }
        Ok(found.into_iter().map(StoredAssociation::from).collect())
    }

    /// Return the association of a key as the transaction would leave it, or None.
    #[pyo3(signature = (source_id, target_id, r#type=Arg::of(Text("semantic"))))]
    #[pyo3(text_signature = "($self, source_id, target_id, type='semantic')")]
    fn get_association(
        &self,
        py: Python<'_>,
        source_id: Arg<Text<'_>, name::source_id>,
        target_id: Arg<Text<'_>, name::target_id>,
        r#type: Arg<Text<'_>, name::kind>,
    ) -> PyResult<Option<StoredAssociation>> {
        let found = self
            .run(py, |transaction| transaction.association(source_id.0, target_id.0, r#type.0))?;
        Ok(found.map(StoredAssociation::from))
    }

    // ---- writing -----------------------------------------------------------------------------------

    /// Put a concept, in place of any of its id; see `GraphStore.put_concept`.
    #[pyo3(signature = (concept_id, content=Arg::of(Text("")), vector=None, *, created=None,
        last_accessed=None, access_count=Count::of(0), strength=Arg::of(Number(1.0)),
        confidence=Arg::of(Number(1.0)), source=None, category=None, attributes=None,
        valid_from=None, valid_to=None, expires=None))]
    #[pyo3(text_signature = "($self, concept_id, content='', vector=None, *, created=None, \
        last_accessed=None, access_count=0, strength=1.0, confidence=1.0, source=None, \
        category=None, attributes=None, valid_from=None, valid_to=None, expires=None)")]
    #[expect(clippy::too_many_arguments, reason = "a concept has that many fields")]
    fn put_concept(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        content: Arg<Text<'_>, name::content>,
        vector: Option<&Bound<'_, PyAny>>,
        created: Option<Arg<Time, name::created>>,
        last_accessed: Option<Arg<Time, name::last_accessed>>,
        access_count: Count<'_, '_>,
        strength: Arg<Number, name::strength>,
        confidence: Arg<Number, name::confidence>,
        source: Option<Arg<Text<'_>, name::source>>,
        category: Option<Arg<Text<'_>, name::category>>,
        attributes: Option<&Bound<'_, PyAny>>,
        valid_from: Option<Arg<Time, name::valid_from>>,
        valid_to: Option<Arg<Time, name::valid_to>>,
        expires: Option<Arg<Expiry, name::expires>>,
    ) -> PyResult<()> {
        let concept = concept_of(
            py,
            *concept_id,
            content,
            vector,
            created,
            last_accessed,
            access_count,
            strength,
            confidence,
            source,
            category,
            attributes,
            valid_from,
            valid_to,
            expires,
        )?;
        self.run(py, |transaction| transaction.put_concept(concept))
    }

    /// Put several concepts; see `GraphStore.put_concepts`.
    #[pyo3(signature = (ids, contents=None, vectors=None, *, created=None, last_accessed=None,
        access_counts=None, strengths=None, confidences=None, sources=None, categories=None,
        attributes=None, valid_from=None, valid_to=None, expires=None))]
    #[expect(clippy::too_many_arguments, reason = "a concept has that many fields")]
    fn put_concepts(
        &self,
        py: Python<'_>,
        ids: &Bound<'_, PyAny>,
        contents: Option<&Bound<'_, PyAny>>,
        vectors: Option<&Bound<'_, PyAny>>,
        created: Option<&Bound<'_, PyAny>>,
        last_accessed: Option<&Bound<'_, PyAny>>,
        access_counts: Option<&Bound<'_, PyAny>>,
        strengths: Option<&Bound<'_, PyAny>>,
        confidences: Option<&Bound<'_, PyAny>>,
        sources: Option<&Bound<'_, PyAny>>,
        categories: Option<&Bound<'_, PyAny>>,
        attributes: Option<&Bound<'_, PyAny>>,
        valid_from: Option<&Bound<'_, PyAny>>,
        valid_to: Option<&Bound<'_, PyAny>>,
        expires: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let columns = ConceptColumns {
            contents,
            vectors,
            created,
            last_accessed,
            access_counts,
            strengths,
            confidences,
            sources,
            categories,
            attributes,
            valid_from,
            valid_to,
            expires,
        };
        let concepts = columns.concepts(texts("ids", ids)?, self.dim)?;
        self.run(py, |transaction| transaction.put_concepts(concepts))
    }

    /// Set a concept's vector; makes a bare concept when there is none.
    fn add_vector(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        embedding: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let vector = vector(embedding, Owner::Concept(concept_id.0))?;
        self.run(py, |transaction| transaction.put_vector(concept_id.0, vector))
    }

    /// Change some fields of a concept; see `GraphStore.update_concept`.
    #[pyo3(signature = (concept_id, **fields))]
    fn update_concept(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let patch = patch_of(concept_id.0, fields)?;
        self.run(py, |transaction| transaction.update_concept(concept_id.0, patch))
    }

    /// Delete a concept with its associations; return whether it was there.
    fn delete(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
    ) -> PyResult<bool> {
        self.run(py, |transaction| transaction.delete_concept(concept_id.0))
    }

    /// Put an association, in place of any of its key; see `GraphStore.add_association`.
    #[pyo3(signature = (source_id, target_id, r#type=Arg::of(Text("semantic")), *,
        weight=Arg::of(Number(1.0)), confidence=Arg::of(Number(1.0)), source=None, attributes=None,
        created=None, last_used=None, create_missing=false, valid_from=None, valid_to=None,
        expires=None))]
    #[pyo3(text_signature = "($self, source_id, target_id, type='semantic', *, weight=1.0, \
        confidence=1.0, source=None, attributes=None, created=None, last_used=None, \
        create_missing=False, valid_from=None, valid_to=None, expires=None)")]
    #[expect(clippy::too_many_arguments, reason = "an association has that many fields")]
    fn add_association(
        &self,
        py: Python<'_>,
        source_id: Arg<Text<'_>, name::source_id>,
        target_id: Arg<Text<'_>, name::target_id>,
        r#type: Arg<Text<'_>, name::kind>,
        weight: Arg<Number, name::weight>,
        confidence: Arg<Number, name::confidence>,
        source: Option<Arg<Text<'_>, name::source>>,
        attributes: Option<&Bound<'_, PyAny>>,
        created: Option<Arg<Time, name::created>>,
        last_used: Option<Arg<Time, name::last_used>>,
        create_missing: bool,
        valid_from: Option<Arg<Time, name::valid_from>>,
        valid_to: Option<Arg<Time, name::valid_to>>,
        expires: Option<Arg<Expiry, name::expires>>,
    ) -> PyResult<()> {
        let association = association_of(
            source_id, target_id, r#type, weight, confidence, source, attributes, created,
            last_used, valid_from, valid_to, expires,
        )?;
        self.run(py, |transaction| transaction.put_association(association, create_missing))
    }

    /// Put several associations; see `GraphStore.add_associations`.
    #[pyo3(signature = (source_ids, target_ids, *, types=None, weights=None, confidences=None,
        sources=None, attributes=None, created=None, last_used=None, create_missing=false,
        valid_from=None, valid_to=None, expires=None))]
    #[expect(clippy::too_many_arguments, reason = "an association has that many fields")]
    fn add_associations(
        &self,
        py: Python<'_>,
        source_ids: &Bound<'_, PyAny>,
        target_ids: &Bound<'_, PyAny>,
        types: Option<&Bound<'_, PyAny>>,
        weights: Option<&Bound<'_, PyAny>>,
        confidences: Option<&Bound<'_, PyAny>>,
        sources: Option<&Bound<'_, PyAny>>,
        attributes: Option<&Bound<'_, PyAny>>,
        created: Option<&Bound<'_, PyAny>>,
        last_used: Option<&Bound<'_, PyAny>>,
        create_missing: bool,
        valid_from: Option<&Bound<'_, PyAny>>,
        valid_to: Option<&Bound<'_, PyAny>>,
        expires: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let columns = AssociationColumns {
            types,
            weights,
            confidences,
            sources,
            attributes,
            created,
            last_used,
            valid_from,
            valid_to,
            expires,
        };
        let (sources, targets) =
            (texts("source_ids", source_ids)?, texts("target_ids", target_ids)?);
        let associations = columns.associations(py, sources, targets)?;
        self.run(py, |transaction| transaction.put_associations(associations, create_missing))
    }

    /// Delete an association; one that isn't there is passed over.
    #[pyo3(signature = (source_id, target_id, r#type=Arg::of(Text("semantic"))))]
    #[pyo3(text_signature = "($self, source_id, target_id, type='semantic')")]
    fn delete_association(
        &self,
        py: Python<'_>,
        source_id: Arg<Text<'_>, name::source_id>,
        target_id: Arg<Text<'_>, name::target_id>,
        r#type: Arg<Text<'_>, name::kind>,
    ) -> PyResult<()> {
        self.run(py, |transaction| {
            transaction.delete_association(source_id.0, target_id.0, r#type.0)
        })
    }

    // ---- ending ------------------------------------------------------------------------------------

    /// Commit all writes, with the transaction's durability; return the transaction's number.
    fn commit(&self, py: Python<'_>) -> PyResult<u64> {
        let durability = self.durability;
        self.end(py, |transaction| transaction.commit_with(durability))?
            .ok_or_else(|| ended(py))?
            .or_raise(py)
    }

    /// Commit all writes, and return before they are durable, with a ticket that tells when.
    ///
    /// They are visible and in the log on return, so they survive the death of the process; the sync
    /// that makes them survive power loss begins in the background, and one serves many transactions.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is that of one lifetime, a closure's is any"
    )]
    fn commit_async(&self, py: Python<'_>) -> PyResult<Ticket> {
        let ticket = self.end(py, |transaction| transaction.commit_async())?;
        ticket.ok_or_else(|| ended(py))?.or_raise(py).map(Ticket)
    }

    /// Drop all writes; does nothing once it has ended.
    fn rollback(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py, |transaction| drop(transaction)).map(|_| ())
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (kind, error, trace, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: Option<&Bound<'_, PyAny>>,
        error: Option<&Bound<'_, PyAny>>,
        trace: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let _ = (error, trace);
        let durability = self.durability;
        if kind.is_some() {
            self.rollback(py)?;
        } else if let Some(committed) =
            self.end(py, |transaction| transaction.commit_with(durability))?
        {
            // A block that committed or rolled back by itself leaves nothing to do here.
            committed.or_raise(py)?;
        }
        Ok(false)
    }

    fn __repr__(&self) -> &'static str {
        // Another thread that is at work with it has it open.
        let Ok(pending) = self.pending.try_lock() else { return "<Transaction, open>" };
        if pending.borrow_dependent().is_some() {
            "<Transaction, open>"
        } else {
            "<Transaction, ended>"
        }
    }
}
