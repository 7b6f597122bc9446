//! `GraphStore`: opening, writing, and caring for a store.
//!
//! Invariant: a write is whole: its arguments are converted before the store sees any of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use storage_core::{AsOf, ConfigRequest, Durability, Metric, OpenOptions, VectorStorage};

use crate::arguments::{
    Arg, Count, Expiry, Kept, Number, Text, Time, duration, name, one_of, seconds_of, texts,
};
use crate::association::association_of;
use crate::columns::{AssociationColumns, ConceptColumns};
use crate::concept::{concept_of, patch_of};
use crate::errors::{Moment, invalid, to_python};
use crate::exchange::ImportReport;
use crate::interrupt::{detached, stoppable};
use crate::reader::Reader;
use crate::report::{VerifyReport, stats_dict};
use crate::snapshot::Snapshot;
use crate::transaction::Transaction;
use crate::vectors::{Owner, vector, vectors_of};

/// A store of concepts and associations, found by id, vector, words and time.
///
/// Any number of handles, in any number of threads and processes, may be open on one store. Reads
/// see the newest committed state and never wait for a writer.
///
/// Args:
///     path: The store's directory; ":memory:" keeps it in memory.
///     vector_dimension: Components of every vector, 1 to 65,535. None, as for the other options that
///         are fixed when a store is made (metric, vector_storage, analyzer): as the store has it; of a
///         new store, 384.
///     create: Make the store when there is none.
///     read_only: Never write.
///     exclusive: Keep the write lock as long as it is open, which shuts other writers out.
///     timeout: Seconds to wait for the write lock.
///     durability: What a single call outside a transaction promises when it returns. "sync": it
///         survives power loss; "interval": it survives the death of the process, and power loss
///         once the interval has passed; "buffered": it survives the death of the process, and
///         power loss after a later save.
///         Batches, transactions, `save()` and leaving `with` are "sync".
///     interval_ms: Milliseconds of the interval.
///     metric: "cosine" (the default of a new store), "dot" or "euclidean".
///     vector_storage: "f32" (the default; vectors come back bit-exact) or "f16" (half the bytes).
///     use_compression: Whether contents of 256 bytes and more are compressed (LZ4) where that
///         saves an eighth, from now on. Attributes, sources and categories are stored as they are.
///         None: as the store has it; of a new store, True.
///     analyzer: Of the word index: "english" (the default) or "simple".
///     retention: Seconds, or a timedelta, for which states of the past can be read: 0 keeps nothing,
///         `math.inf` everything. It is the store's: a change holds for all handles from then on.
///         None: as the store has it, which is 0 at first.
///     allow_network: Whether it may be written to on a network file system; then one machine alone may
///         have it open.
#[pyclass(extends = Reader, frozen, module = "sutra_storage")]
pub(crate) struct GraphStore {
    store: Arc<storage_core::GraphStore>,
    /// Of a handle on a namespace: the store's own, which closes it when it goes.
    own: Option<Arc<storage_core::GraphStore>>,
    /// As it was given, for `repr`.
    path: String,
    interval: Duration,
}

impl GraphStore {
    /// A handle on what was opened.
    pub(crate) fn of_opened(
        opened: storage_core::GraphStore,
        path: String,
    ) -> PyClassInitializer<Self> {
        let store = Arc::new(opened);
        let reader = Reader::newest(Arc::clone(&store));
        // It takes no writes, so there is no interval.
        let interval = Duration::from_millis(50);
        PyClassInitializer::from(reader).add_subclass(Self { store, own: None, path, interval })
    }

    /// Runs something without the GIL.
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&storage_core::GraphStore) -> storage_core::Result<T> + Send,
    ) -> PyResult<T> {
        detached(py, || run(&self.store))
    }
}

fn durability_of(py: Python<'_>, name: &str, interval: Duration) -> PyResult<Durability> {
    one_of(
        py,
        "durability",
        name,
        &[
            ("sync", Durability::Sync),
            ("interval", Durability::Interval(interval)),
            ("buffered", Durability::Buffered),
        ],
    )
}

#[pymethods]
impl GraphStore {
    #[new]
    #[pyo3(signature = (path, vector_dimension=None, *, create=true, read_only=false,
        exclusive=false, timeout=5.0, durability=Arg::of(Text("interval")), interval_ms=50.0,
        metric=None, vector_storage=None, use_compression=None, analyzer=None, retention=None,
        allow_network=false))]
    #[pyo3(text_signature = "(path, vector_dimension=None, *, create=True, read_only=False, \
        exclusive=False, timeout=5.0, durability='interval', interval_ms=50, metric=None, \
        vector_storage=None, use_compression=None, analyzer=None, retention=None, \
        allow_network=False)")]
    #[expect(clippy::too_many_arguments, reason = "a store has that many options")]
    #[expect(clippy::fn_params_excessive_bools, reason = "each is one option, given by keyword")]
    #[expect(clippy::needless_pass_by_value, reason = "an argument is made for the call")]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        vector_dimension: Option<Count<'_, '_>>,
        create: bool,
        read_only: bool,
        exclusive: bool,
        timeout: f64,
        durability: Arg<Text<'_>, name::durability>,
        interval_ms: f64,
        metric: Option<Arg<Text<'_>, name::metric>>,
        vector_storage: Option<Arg<Text<'_>, name::vector_storage>>,
        use_compression: Option<bool>,
        analyzer: Option<Arg<Text<'_>, name::analyzer>>,
        retention: Option<Arg<Kept, name::retention>>,
        allow_network: bool,
    ) -> PyResult<PyClassInitializer<Self>> {
        let interval = duration(py, "interval_ms", interval_ms, 1e-3)?;
        let metrics =
            [("cosine", Metric::Cosine), ("dot", Metric::Dot), ("euclidean", Metric::Euclidean)];
        let storages = [("f32", VectorStorage::F32), ("f16", VectorStorage::F16)];
        let config = ConfigRequest {
            vector_dimension: vector_dimension
                .map(|given| given.get(py, "vector_dimension"))
                .transpose()?,
            metric: metric.map(|given| one_of(py, "metric", given.0, &metrics)).transpose()?,
            vector_storage: vector_storage
                .map(|given| one_of(py, "vector_storage", given.0, &storages))
                .transpose()?,
            analyzer: analyzer.map(|given| given.0.to_owned()),
            use_compression,
        };
        let options = OpenOptions {
            config,
            create,
            read_only,
            exclusive,
            allow_network,
            timeout: duration(py, "timeout", timeout, 1.0)?,
            durability: durability_of(py, durability.0, interval)?,
            retention: retention.map(|kept| kept.0),
            ..OpenOptions::default()
        };
        let opened = stoppable(py, || {
            if path.as_os_str() == ":memory:" {
                storage_core::GraphStore::in_memory_with(options)
            } else {
                storage_core::GraphStore::open(&path, options)
            }
        })?;
        let opened = opened.map_err(|error| to_python(py, &error, Moment::Opening));
        let store = Arc::new(opened?);
        let reader = Reader::newest(Arc::clone(&store));
        let path = path.display().to_string();
        Ok(PyClassInitializer::from(reader).add_subclass(Self { store, own: None, path, interval }))
    }

    // ---- concepts ----------------------------------------------------------------------------------

    /// Set a concept's vector; makes a bare concept when there is none of this id.
    ///
    /// Args:
    ///     concept_id: 1 to 1,024 bytes of UTF-8.
    ///     embedding: A vector of the store's dimension, all components finite.
    ///
    /// Returns:
    ///     The number of the transaction.
    fn add_vector(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        embedding: &Bound<'_, PyAny>,
    ) -> PyResult<u64> {
        let vector = vector(embedding, Owner::Concept(concept_id.0))?;
        self.run(py, |store| store.put_vector(concept_id.0, vector))
    }

    /// Set several concepts' vectors in one durable transaction; return its number.
    ///
    /// Args:
    ///     ids: The concepts; missing ones are made, bare.
    ///     matrix: (len(ids), dim), or a sequence of vectors.
    fn add_vectors(
        &self,
        py: Python<'_>,
        ids: &Bound<'_, PyAny>,
        matrix: &Bound<'_, PyAny>,
    ) -> PyResult<u64> {
        let ids = texts("ids", ids)?;
        let rows = vectors_of(matrix, &ids, self.vector_dimension(), "matrix")?;
        let mut vectors = Vec::with_capacity(ids.len());
        for (at, (id, row)) in ids.into_iter().zip(rows).enumerate() {
            let Some(row) = row else {
                return Err(invalid(py, &format!("matrix[{at}] is None; leave its id out")));
            };
            vectors.push((id, row));
        }
        self.run(py, |store| store.put_vectors(vectors))
    }

    /// Put a concept, in place of any of its id; return the number of the transaction.
    ///
    /// Args:
    ///     concept_id: 1 to 1,024 bytes of UTF-8.
    ///     content: The text that is searched.
    ///     vector: A vector of the store's dimension, or None.
    ///     created: Seconds since the epoch, or an aware datetime. None: as it was, or now.
    ///     last_accessed: Likewise; None: never.
    ///     access_count: How often it was accessed.
    ///     strength: How well it is remembered, 0.0 or more.
    ///     confidence: How sure it is, 0.0 to 1.0.
    ///     source: Where it was learned.
    ///     category: What it is filed under.
    ///     attributes: A dict of what JSON can hold.
    ///     valid_from: From when on what it says holds: seconds since the epoch, or an aware datetime.
    ///         None: since ever. See `Snapshot.valid_at`.
    ///     valid_to: Likewise, up to when, exclusive; None: for ever.
    ///     expires: When no read finds it any more, and it is deleted: seconds since the epoch, an
    ///         aware datetime, or a timedelta from now. None: never.
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
    ) -> PyResult<u64> {
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
        self.run(py, |store| store.put_concept(concept))
    }

    /// Put several concepts in one durable transaction; return its number.
    ///
    /// Each argument but `ids` is one value for all, or a sequence with a value (or None) for each.
    /// Where an id stands more than once, its last row wins, as if they were put one after another.
    ///
    /// Args:
    ///     ids: The concepts.
    ///     contents: Their texts.
    ///     vectors: (len(ids), dim), or a sequence of vectors and None.
    ///     created: As in `put_concept`, like all that follow.
    ///     last_accessed: Times.
    ///     access_counts: Counts.
    ///     strengths: Numbers.
    ///     confidences: Numbers.
    ///     sources: Texts.
    ///     categories: Texts.
    ///     attributes: Dicts.
    ///     valid_from: Times.
    ///     valid_to: Times.
    ///     expires: Times, or timedeltas from now.
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
    ) -> PyResult<u64> {
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
        let concepts = columns.concepts(texts("ids", ids)?, self.vector_dimension())?;
        self.run(py, |store| store.put_concepts(concepts))
    }

    /// Change some fields of a concept; return the number of the transaction.
    ///
    /// Args:
    ///     concept_id: The concept, which must be there.
    ///     **fields: Any of content, vector, strength, confidence, source, category, valid_from,
    ///         valid_to, expires, attributes; None removes a vector, source, category or time.
    #[pyo3(signature = (concept_id, **fields))]
    fn update_concept(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<u64> {
        let patch = patch_of(concept_id.0, fields)?;
        self.run(py, |store| store.update_concept(concept_id.0, patch))
    }

    /// Delete a concept with its vector, words and associations; return whether it was there.
    fn delete(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
    ) -> PyResult<bool> {
        self.run(py, |store| store.delete_concept(concept_id.0))
    }

    /// Delete several concepts in one durable transaction; return its number.
    ///
    /// Those that aren't there are passed over.
    fn delete_many(&self, py: Python<'_>, ids: &Bound<'_, PyAny>) -> PyResult<u64> {
        let ids = texts("ids", ids)?;
        self.run(py, |store| store.delete_concepts(ids))
    }

    /// Delete a concept, and rewrite the files so that none holds anything of it.
    ///
    /// No earlier state has it any more, either. Takes as long as a compaction. Returns whether it was
    /// there.
    fn erase(&self, py: Python<'_>, concept_id: Arg<Text<'_>, name::concept_id>) -> PyResult<bool> {
        self.run(py, |store| store.erase(concept_id.0))
    }

    /// Count an access to a concept; return the number of the transaction.
    ///
    /// Args:
    ///     concept_id: The concept, which must be there.
    ///     strength: How well it is remembered from now on; None: as before.
    #[pyo3(signature = (concept_id, strength=None))]
    fn access(
        &self,
        py: Python<'_>,
        concept_id: Arg<Text<'_>, name::concept_id>,
        strength: Option<Arg<Number, name::strength>>,
    ) -> PyResult<u64> {
        self.run(py, |store| store.access(concept_id.0, strength.map(|number| number.0)))
    }

    // ---- associations ------------------------------------------------------------------------------

    /// Put an association, in place of any of its source, target and type.
    ///
    /// Args:
    ///     source_id: The concept it starts at.
    ///     target_id: The concept it points to.
    ///     type: Any text of 1 to 1,024 bytes.
    ///     weight: How strong it is, 0.0 or more.
    ///     confidence: How sure it is, 0.0 to 1.0.
    ///     source: Where it was learned.
    ///     attributes: A dict of what JSON can hold.
    ///     created: Seconds since the epoch, or an aware datetime. None: as it was, or now.
    ///     last_used: Likewise; None: never.
    ///     create_missing: Make missing concepts, bare, instead of raising.
    ///     valid_from: As in `put_concept`, like all that follow.
    ///     valid_to: Up to when it holds.
    ///     expires: When it expires.
    ///
    /// Returns:
    ///     The number of the transaction.
    ///
    /// Raises:
    ///     ConceptNotFoundError: It names the missing concept.
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
    ) -> PyResult<u64> {
        let association = association_of(
            source_id, target_id, r#type, weight, confidence, source, attributes, created,
            last_used, valid_from, valid_to, expires,
        )?;
        self.run(py, |store| {
            if create_missing {
                store.put_association_creating_ends(association)
            } else {
                store.put_association(association)
            }
        })
    }

    /// Put several associations in one durable transaction; return its number.
    ///
    /// Each keyword argument is one value for all, or a sequence with a value (or None) for each.
    /// Where a key stands more than once, its last row wins, as if they were put one after another.
    ///
    /// Args:
    ///     source_ids: The concepts they start at.
    ///     target_ids: The concepts they point to.
    ///     types: As in `add_association`, like all that follow.
    ///     weights: Numbers.
    ///     confidences: Numbers.
    ///     sources: Where they were learned.
    ///     attributes: Dicts.
    ///     created: Times.
    ///     last_used: Times.
    ///     create_missing: Make missing concepts, bare, instead of raising.
    ///     valid_from: Times.
    ///     valid_to: Times.
    ///     expires: Times, or timedeltas from now.
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
    ) -> PyResult<u64> {
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
        self.run(py, |store| store.put_associations(associations, create_missing))
    }

    /// Delete the association of a source, target and type; return whether it was there.
    ///
    /// Those of the other types between the two stay; `type` is "semantic" unless given.
    #[pyo3(signature = (source_id, target_id, r#type=Arg::of(Text("semantic"))))]
    #[pyo3(text_signature = "($self, source_id, target_id, type='semantic')")]
    fn delete_association(
        &self,
        py: Python<'_>,
        source_id: Arg<Text<'_>, name::source_id>,
        target_id: Arg<Text<'_>, name::target_id>,
        r#type: Arg<Text<'_>, name::kind>,
    ) -> PyResult<bool> {
        self.run(py, |store| store.delete_association(source_id.0, target_id.0, r#type.0))
    }

    // ---- the store ---------------------------------------------------------------------------------

    /// Begin a transaction; with `with`, it commits at the end of the block.
    ///
    /// Args:
    ///     durability: What its commit promises: "sync", "interval" or "buffered".
    #[pyo3(signature = (*, durability=Arg::of(Text("sync"))))]
    #[pyo3(text_signature = "($self, *, durability='sync')")]
    fn transaction(
        &self,
        py: Python<'_>,
        durability: Arg<Text<'_>, name::durability>,
    ) -> PyResult<Transaction> {
        Transaction::begin(py, &self.store, durability_of(py, durability.0, self.interval)?)
    }

    /// Take a snapshot: the state as of now, or of a moment that the retention keeps.
    ///
    /// Making one of the past takes time in proportion to what was written since: read several things
    /// from one.
    ///
    /// A moment that is asked for shows what had not expired by then: by the commit of the epoch,
    /// the newest one too, or by the time. The state as of now shows nothing that has expired.
    ///
    /// Args:
    ///     epoch: Right after the transaction of this number.
    ///     time: After the last transaction committed by then: seconds since the Unix epoch, or an
    ///         aware datetime.
    ///     valid_at: Only what holds at this time, wherever the moment is; see `Snapshot.valid_at`.
    ///
    /// Raises:
    ///     BeyondRetentionError: The store does not keep that moment.
    #[pyo3(signature = (*, epoch=None, time=None, valid_at=None))]
    fn snapshot(
        slf: &Bound<'_, Self>,
        epoch: Option<Count<'_, '_>>,
        time: Option<Arg<Time, name::time>>,
        valid_at: Option<Arg<Time, name::valid_at>>,
    ) -> PyResult<Py<Snapshot>> {
        let py = slf.py();
        let epoch = epoch.map(|epoch| epoch.get_u64(py, "epoch")).transpose()?;
        let moment = match (epoch, time) {
            (None, None) => None,
            (Some(epoch), None) => Some(AsOf::Epoch(epoch)),
            (None, Some(time)) => Some(AsOf::Time(time.0)),
            (Some(_), Some(_)) => {
                return Err(invalid(py, "give epoch or time, not both"));
            }
        };
        let snapshot = slf.get().run(py, |store| {
            let snapshot = match moment {
                None => store.snapshot()?,
                Some(moment) => store.snapshot_as_of(moment)?,
            };
            valid_at.map_or(Ok(snapshot.clone()), |time| snapshot.valid_at(time.0))
        })?;
        Snapshot::new(py, slf.as_super().get().fixed(snapshot))
    }

    /// Take the last transaction back by another, durable one; return that one's number.
    ///
    /// Needs a retention that keeps the state before. Taking the new transaction back restores what
    /// it took back. Deletions of what had expired are passed over, and nothing that has expired
    /// comes back. A handle on a namespace takes back only what was done in it.
    ///
    /// Args:
    ///     expected: Only if this is still the last transaction's number.
    ///
    /// Raises:
    ///     NotLastError: Another transaction is the last, or it was made in another namespace.
    ///     BeyondRetentionError: The store does not keep what was before.
    #[pyo3(signature = (expected=None))]
    fn undo(&self, py: Python<'_>, expected: Option<Count<'_, '_>>) -> PyResult<u64> {
        let expected = expected.map(|number| number.get_u64(py, "expected")).transpose()?;
        self.run(py, |store| store.undo(expected))
    }

    /// Seconds for which states of the past can be read; `math.inf`: all since it was set.
    #[getter]
    fn retention(&self) -> f64 {
        seconds_of(self.store.retention())
    }

    /// Keep the past for another time from now on, in all handles.
    ///
    /// Args:
    ///     retention: Seconds, or a timedelta; 0 keeps nothing, `math.inf` everything from now on.
    fn set_retention(&self, py: Python<'_>, retention: Arg<Kept, name::retention>) -> PyResult<()> {
        self.run(py, |store| store.set_retention(retention.0))
    }

    // ---- namespaces --------------------------------------------------------------------------------

    /// Return a handle on a namespace: a store within the store, for a user or a session, say.
    ///
    /// Its reads, searches and writes concern what is in it alone, under ids of its own, with word
    /// statistics of its own. It begins empty, and needs not be made. The store's own handle is on the
    /// default namespace, which has no name. Closing it closes nothing else; with the store it is closed,
    /// too. Snapshots of the past, `undo`, retention and maintenance are the whole store's, and so are the
    /// names of association types.
    ///
    /// Args:
    ///     name: 1 to 1,024 bytes of UTF-8.
    fn namespace(
        &self,
        py: Python<'_>,
        name: Arg<Text<'_>, name::namespace>,
    ) -> PyResult<Py<Self>> {
        let store = Arc::new(self.run(py, |store| store.namespace(name.0))?);
        let reader = Reader::newest(Arc::clone(&store));
        let Self { path, interval, .. } = self;
        let own = self.own.as_ref().unwrap_or(&self.store);
        let handle =
            Self { store, own: Some(Arc::clone(own)), path: path.clone(), interval: *interval };
        Py::new(py, PyClassInitializer::from(reader).add_subclass(handle))
    }

    /// The namespace that this handle is on; "" for the default one.
    #[getter]
    fn namespace_name(&self) -> &str {
        self.store.namespace_name()
    }

    /// Return the names of namespaces that have concepts, sorted, without the default one.
    ///
    /// One whose concepts have all expired is not among them.
    fn namespaces(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.run(py, storage_core::GraphStore::namespaces)
    }

    /// Delete all concepts of a namespace durably, at once; return how many there were.
    fn delete_namespace(
        &self,
        py: Python<'_>,
        name: Arg<Text<'_>, name::namespace>,
    ) -> PyResult<u64> {
        self.run(py, |store| store.delete_namespace(name.0))
    }

    /// Delete a namespace, and rewrite the files so that none holds anything of it.
    ///
    /// Its name and its past included, as `erase` does it of a concept. Returns how many concepts
    /// were in it.
    fn erase_namespace(
        &self,
        py: Python<'_>,
        name: Arg<Text<'_>, name::namespace>,
    ) -> PyResult<u64> {
        self.run(py, |store| store.erase_namespace(name.0))
    }

    // ---- care --------------------------------------------------------------------------------------

    /// Delete all that has expired, to give its space back; return how much that was.
    ///
    /// Reads pass over it from the moment that it expires, and the background deletes it soon after.
    ///
    /// Returns:
    ///     How many concepts and associations were deleted.
    fn delete_expired(&self, py: Python<'_>) -> PyResult<u64> {
        self.run(py, storage_core::GraphStore::delete_expired)
    }

    /// Return what the store holds and how it is doing, by name.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        stats_dict(py, &self.run(py, storage_core::GraphStore::stats)?)
    }

    /// Make all that was committed survive power loss; on return it does.
    fn save(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, storage_core::GraphStore::save)
    }

    /// Write the log's tail to a segment; happens by itself in the background, too.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, storage_core::GraphStore::flush)
    }

    /// Delete what has expired, and rewrite all segments as one, without what is dead.
    fn compact(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, storage_core::GraphStore::compact)
    }

    /// Build the indexes for approximate search that are missing; return how many were built.
    ///
    /// Happens by itself in the background, too, for segments of 4,096 vectors and more; what that
    /// or another process is building is waited for. It takes about 120 microseconds a vector of
    /// 384 components, on half of the cores; Ctrl-C stops it.
    fn index_vectors(&self, py: Python<'_>) -> PyResult<u64> {
        self.run(py, storage_core::GraphStore::index_vectors)
    }

    /// Read every file whole, compare all checksums, and report what is damaged.
    fn verify(&self, py: Python<'_>) -> PyResult<VerifyReport> {
        let report = self.run(py, storage_core::GraphStore::verify)?;
        Ok(VerifyReport::new(py, &report))
    }

    /// Make a backup in a new or empty directory while reads and writes go on; return its epoch.
    ///
    /// The backup is a store of its own, durable on return: open it as any other. All of it was
    /// compared with its checksums. One that was cut short is no store, and the next to the same
    /// path takes its place.
    ///
    /// Args:
    ///     path: A new or empty directory, or what a backup left that was cut short.
    ///
    /// Raises:
    ///     CorruptionError: the store is damaged; there is no backup.
    ///     NotAStoreError: the directory has anything else in it, or a backup is being made there.
    ///     InvalidArgumentError: the store is in memory; the path is empty or has a NUL, or leads
    ///         into this store's directory or another's, links followed.
    #[expect(clippy::needless_pass_by_value, reason = "an argument is made for the call")]
    fn backup(&self, py: Python<'_>, path: PathBuf) -> PyResult<u64> {
        self.run(py, |store| store.backup(&path))
    }

    /// Import the export in a file, as `export_jsonl` writes it.
    ///
    /// Puts its concepts and associations, each in place of any of the same id or key; what the store has
    /// besides stays. Whether the file is whole is known before anything is put. It goes in by
    /// transactions of bounded size, all durable on return; when a line is refused, those before stay, and
    /// to import the file again puts the same once more.
    ///
    /// Args:
    ///     path: The file. Its vectors must have the store's dimension.
    ///
    /// Raises:
    ///     InvalidExportError: A line is not what an export has there; `line` says which.
    #[expect(clippy::needless_pass_by_value, reason = "an argument is made for the call")]
    fn import_jsonl(&self, py: Python<'_>, path: PathBuf) -> PyResult<ImportReport> {
        self.run(py, |store| store.import_jsonl(&path)).map(ImportReport::from)
    }

    /// Save and close; a second call does nothing. A handle on a namespace only saves.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, storage_core::GraphStore::close)
    }

    /// The store's directory, as it was given.
    #[getter]
    fn path(&self) -> &str {
        &self.path
    }

    /// Components of every vector.
    #[getter]
    fn vector_dimension(&self) -> usize {
        self.store.config().vector_dimension
    }

    /// How vectors are compared: "cosine", "dot" or "euclidean".
    #[getter]
    fn metric(&self) -> &'static str {
        self.store.config().metric.as_str()
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (kind, error, trace, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        trace: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let _ = (kind, error, trace);
        // What the block committed is kept, whether it raised or not.
        self.close(py)?;
        Ok(false)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let dim = self.store.config().vector_dimension;
        let path = self.path.as_str().into_pyobject(py)?.repr()?;
        let state = match py.detach(|| self.store.snapshot()) {
            Ok(snapshot) => format!("concepts={}", snapshot.concept_count()),
            Err(storage_core::Error::Closed) => "closed".to_owned(),
            Err(_) => "unusable".to_owned(),
        };
        let namespace = match self.store.namespace_name() {
            "" => String::new(),
            name => format!(", namespace={}", name.into_pyobject(py)?.repr()?),
        };
        Ok(format!("<GraphStore {path}{namespace}, vector_dimension={dim}, {state}>"))
    }
}
