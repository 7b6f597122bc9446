//! What exports and imports report.
//!
//! Invariant: each figure has the name that it has in `storage_core`.

use pyo3::prelude::*;

/// What an export holds.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct ExportReport(storage_core::ExportReport);

impl From<storage_core::ExportReport> for ExportReport {
    fn from(report: storage_core::ExportReport) -> Self {
        Self(report)
    }
}

#[pymethods]
impl ExportReport {
    /// Concepts.
    #[getter]
    fn concepts(&self) -> u64 {
        self.0.concepts
    }

    /// Associations.
    #[getter]
    fn associations(&self) -> u64 {
        self.0.associations
    }

    /// Bytes of all lines.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// The number of the last transaction in it.
    #[getter]
    fn epoch(&self) -> u64 {
        self.0.epoch
    }

    fn __repr__(&self) -> String {
        let storage_core::ExportReport { concepts, associations, bytes, .. } = self.0;
        format!("<ExportReport: {concepts} concepts, {associations} associations, {bytes} bytes>")
    }
}

/// What an import did.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct ImportReport(storage_core::ImportReport);

impl From<storage_core::ImportReport> for ImportReport {
    fn from(report: storage_core::ImportReport) -> Self {
        Self(report)
    }
}

#[pymethods]
impl ImportReport {
    /// Concepts that were put.
    #[getter]
    fn concepts(&self) -> u64 {
        self.0.concepts
    }

    /// Associations that were put.
    #[getter]
    fn associations(&self) -> u64 {
        self.0.associations
    }

    /// Transactions in which they were.
    #[getter]
    fn transactions(&self) -> u64 {
        self.0.transactions
    }

    /// The number of the last of them, or of the store's last before.
    #[getter]
    fn epoch(&self) -> u64 {
        self.0.epoch
    }

    fn __repr__(&self) -> String {
        let storage_core::ImportReport { concepts, associations, transactions, .. } = self.0;
        format!(
            "<ImportReport: {concepts} concepts, {associations} associations, {transactions} \
             transactions>"
        )
    }
}
