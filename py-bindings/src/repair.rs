//! `repair`, and what it reports.
//!
//! Invariant: a report is data; it refers to no store.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::errors::{Moment, to_python};

/// Write everything that is still readable in a damaged store to a new one; say what is lost.
///
/// The damaged store is only read. Each concept, vector, association and transaction stands by itself: what
/// is damaged is left out, what lies beside it is saved. Indexes are made anew, so damage in them loses
/// nothing. The new store is durable on return. Close the damaged one everywhere first. What a repair left that
/// was cut short does not open, and the next to the same target takes its place.
///
/// Args:
///     damaged: The damaged store's directory.
///     target: A new or empty directory, or what a repair left that was cut short.
///
/// Raises:
///     StoreNotFoundError: Nothing of a store is there.
///     StoreLockedError: Another process writes to it.
///     NotAStoreError: The target has anything else in it, or another process repairs to it; or the
///         damaged store is itself what a repair or a backup left that was cut short.
///     FormatVersionError: Another version of the library wrote the damaged store.
///     InvalidArgumentError: One path leads into the other, or the target into another store.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "an argument is made for the call")]
pub(crate) fn repair(py: Python<'_>, damaged: PathBuf, target: PathBuf) -> PyResult<RepairReport> {
    let report = py.detach(|| storage_core::GraphStore::repair(&damaged, &target));
    let report = report.map_err(|error| to_python(py, &error, Moment::Opening))?;
    RepairReport::new(py, &report)
}

/// What a repair found, saved and lost.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct RepairReport {
    /// Files of the damaged store that were read.
    #[pyo3(get)]
    files: u64,
    /// Their bytes.
    #[pyo3(get)]
    bytes: u64,
    /// Every damaged place, as the error that reading it would raise; at most 10,000 of them.
    #[pyo3(get)]
    damage: Vec<Py<PyAny>>,
    /// Damaged places beyond those that are listed.
    #[pyo3(get)]
    unlisted_damage: u64,
    /// The generation of the manifest that was gone by; None where no manifest could be read.
    #[pyo3(get)]
    generation: Option<u64>,
    /// The damaged store's last transaction that is in the repaired one.
    #[pyo3(get)]
    epoch: u64,
    /// Concepts in the repaired store.
    #[pyo3(get)]
    concepts_saved: u64,
    /// Vectors in it.
    #[pyo3(get)]
    vectors_saved: u64,
    /// Associations in it.
    #[pyo3(get)]
    associations_saved: u64,
    /// Concepts that are known to be lost.
    #[pyo3(get)]
    concepts_lost: u64,
    /// Vectors that are known to be lost.
    #[pyo3(get)]
    vectors_lost: u64,
    /// Associations that are known to be lost.
    #[pyo3(get)]
    associations_lost: u64,
    /// What was lost, each named as far as it could be; at most 10,000 of them.
    #[pyo3(get)]
    losses: Vec<Py<Loss>>,
    /// Losses beyond those that are named.
    #[pyo3(get)]
    unnamed_losses: u64,
    /// Whether everything of the damaged store's newest state was saved.
    #[pyo3(get)]
    is_whole: bool,
}

impl RepairReport {
    fn new(py: Python<'_>, report: &storage_core::RepairReport) -> PyResult<Self> {
        let damage = report.damage.iter();
        let damage = damage
            .map(|error| to_python(py, error, Moment::Verifying).into_value(py).into_any())
            .collect();
        let losses: PyResult<Vec<Py<Loss>>> =
            report.losses.iter().map(|loss| Py::new(py, Loss::from(loss))).collect();
        Ok(Self {
            files: report.files,
            bytes: report.bytes,
            damage,
            unlisted_damage: report.unlisted_damage,
            generation: report.generation,
            epoch: report.epoch,
            concepts_saved: report.saved.concepts,
            vectors_saved: report.saved.vectors,
            associations_saved: report.saved.associations,
            concepts_lost: report.lost.concepts,
            vectors_lost: report.lost.vectors,
            associations_lost: report.lost.associations,
            losses: losses?,
            unnamed_losses: report.unnamed_losses,
            is_whole: report.is_whole(),
        })
    }
}

#[pymethods]
impl RepairReport {
    fn __repr__(&self) -> String {
        format!(
            "<RepairReport: {} damaged places, {} concepts saved, {} losses>",
            self.damage.len() as u64 + self.unlisted_damage,
            self.concepts_saved,
            self.losses.len() as u64 + self.unnamed_losses
        )
    }
}

/// Something that a repair could not save; `str()` says what in words.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct Loss {
    /// What it is, in one word.
    ///
    /// "concept", "number", "vector", "vectors", "created", "association", "associations",
    /// "accesses", "transactions", "log_end", "log", "segment", "deletions", "type_names",
    /// "options" or "past".
    #[pyo3(get)]
    kind: &'static str,
    /// The file that it was lost from, if it was one.
    #[pyo3(get)]
    path: Option<String>,
    /// The concept that it is or was a part of, if its id is known.
    #[pyo3(get)]
    concept_id: Option<String>,
    text: String,
}

impl From<&storage_core::Loss> for Loss {
    fn from(loss: &storage_core::Loss) -> Self {
        Self {
            kind: loss.kind(),
            path: loss.path().map(|path| path.display().to_string()),
            concept_id: loss.concept_id().map(str::to_owned),
            text: loss.to_string(),
        }
    }
}

#[pymethods]
impl Loss {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<Loss: {}>", self.text)
    }
}
