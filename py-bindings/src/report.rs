//! What a store tells of itself: the dict of `stats()`, and `VerifyReport`.
//!
//! Invariant: each figure has the name that it has in `storage_core`.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use storage_core::StoreStats;

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
    ] {
        dict.set_item(name, value)?;
    }
    dict.set_item("last_commit", stats.last_commit)?;
    dict.set_item("set_aside", &stats.set_aside)?;
    dict.set_item("maintenance_error", &stats.maintenance_error)?;
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
    /// Every damaged place, as the error that reading it would raise.
    #[pyo3(get)]
    damage: Vec<Py<PyAny>>,
}

impl VerifyReport {
    pub(crate) fn new(py: Python<'_>, report: &storage_core::VerifyReport) -> Self {
        let damage = report.damage.iter();
        let damage = damage
            .map(|error| to_python(py, error, Moment::Verifying).into_value(py).into_any())
            .collect();
        Self { files: report.files, bytes: report.bytes, damage }
    }
}

#[pymethods]
impl VerifyReport {
    /// Whether nothing is damaged.
    #[getter]
    fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }

    fn __repr__(&self) -> String {
        let Self { files, bytes, damage } = self;
        format!("<VerifyReport: {files} files, {bytes} bytes, {} damaged places>", damage.len())
    }
}
