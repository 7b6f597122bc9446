//! What a store tells of itself: the dicts of `stats()` and of audits, and `VerifyReport`.
//!
//! Invariant: each figure has the name that it has in `storage_core`.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use storage_core::{Audit, StoreStats};

use crate::errors::{Moment, to_python};

/// The figures of a store, by name.
pub(crate) fn stats_dict<'py>(py: Python<'py>, stats: &StoreStats) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in [
        ("total_vectors", stats.total_vectors),
        ("total_concepts", stats.total_concepts),
        ("total_edges", stats.total_edges),
        ("namespaces", stats.namespaces),
        ("epoch", stats.epoch),
        ("association_types", stats.association_types),
        ("segments", stats.segments),
        ("memory_parts", stats.memory_parts),
        ("segment_bytes", stats.segment_bytes),
        ("memory_bytes", stats.memory_bytes),
        ("log_bytes", stats.log_bytes),
        ("dead_rows", stats.dead_rows),
        ("discarded_bytes", stats.discarded_bytes),
        ("generation", stats.generation),
        ("oldest_epoch", stats.oldest_epoch),
        ("history_files", stats.history_files),
        ("history_bytes", stats.history_bytes),
        ("indexed_vectors", stats.indexed_vectors),
        ("unindexed_vectors", stats.unindexed_vectors),
        ("vector_index_bytes", stats.vector_index_bytes),
    ] {
        dict.set_item(name, value)?;
    }
    dict.set_item("last_commit", stats.last_commit)?;
    let audits = stats.index_audits.iter().map(|index| {
        let dict = PyDict::new(py);
        dict.set_item("segment", &index.segment)?;
        dict.set_item("time", index.time)?;
        dict.set_item("k", index.k)?;
        dict.set_item("target", index.target)?;
        dict.set_item("all", audit_dict(py, index.all)?)?;
        dict.set_item("filtered", audit_dict(py, index.filtered)?)?;
        Ok(dict)
    });
    dict.set_item("index_audits", audits.collect::<PyResult<Vec<_>>>()?)?;
    dict.set_item("set_aside", &stats.set_aside)?;
    dict.set_item("maintenance_error", &stats.maintenance_error)?;
    Ok(dict)
}

/// What an audit of searches found, by name.
pub(crate) fn audit_dict(py: Python<'_>, audit: Audit) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("queries", audit.queries)?;
    dict.set_item("recall", audit.recall)?;
    dict.set_item("error", audit.error)?;
    dict.set_item("worst", audit.worst)?;
    Ok(dict)
}

/// What `verify()` found: every file was read whole and compared with its checksums.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct VerifyReport {
    /// Files that were read.
    #[pyo3(get)]
    files: u64,
    /// Bytes that were compared with checksums.
    #[pyo3(get)]
    bytes: u64,
    /// Every damaged place, as the error that reading it would raise; at most 10,000 of them.
    #[pyo3(get)]
    damage: Vec<Py<PyAny>>,
    /// Damaged places beyond those that are listed.
    #[pyo3(get)]
    unlisted_damage: u64,
    /// Whether nothing is damaged.
    #[pyo3(get)]
    is_sound: bool,
}

impl VerifyReport {
    pub(crate) fn new(py: Python<'_>, report: &storage_core::VerifyReport) -> Self {
        let damage = report.damage.iter();
        let damage = damage
            .map(|error| to_python(py, error, Moment::Verifying).into_value(py).into_any())
            .collect();
        Self {
            files: report.files,
            bytes: report.bytes,
            damage,
            unlisted_damage: report.unlisted_damage,
            is_sound: report.is_sound(),
        }
    }
}

#[pymethods]
impl VerifyReport {
    fn __repr__(&self) -> String {
        let Self { files, bytes, damage, unlisted_damage, .. } = self;
        let places = damage.len() as u64 + unlisted_damage;
        format!("<VerifyReport: {files} files, {bytes} bytes, {places} damaged places>")
    }
}
