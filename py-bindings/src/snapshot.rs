//! `Snapshot`: a `Reader` of one state of a store.
//!
//! Invariant: what it answers never changes, until it is closed; the store may be closed before it.

use pyo3::prelude::*;

use crate::arguments::{Arg, Time, name};
use crate::reader::Reader;

/// One state of a store, to be read at leisure: later commits do not show in it.
///
/// Files that only it still needs are kept until it is closed, or is no longer referred to.
#[pyclass(extends = Reader, frozen, module = "sutra_storage")]
pub(crate) struct Snapshot;

impl Snapshot {
    pub(crate) fn new(py: Python<'_>, reader: Reader) -> PyResult<Py<Self>> {
        Py::new(py, PyClassInitializer::from(reader).add_subclass(Self))
    }
}

#[pymethods]
impl Snapshot {
    /// Return the same state, restricted to what holds at a time.
    ///
    /// A concept or association holds while `valid_from <= time < valid_to`, an association only while
    /// both its concepts do. Reads without this find what holds at any time.
    ///
    /// Args:
    ///     time: Seconds since the Unix epoch, or an aware datetime.
    fn valid_at(slf: &Bound<'_, Self>, time: Arg<Time, name::time>) -> PyResult<Py<Self>> {
        let reader = slf.as_super().get();
        let snapshot = reader.read(slf.py(), |snapshot| snapshot.valid_at(time.0))?;
        Self::new(slf.py(), reader.fixed(snapshot))
    }

    /// Let go of the state; a second call does nothing.
    fn close(slf: &Bound<'_, Self>) {
        slf.as_super().get().release();
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (kind, error, trace, /))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        trace: &Bound<'_, PyAny>,
    ) -> bool {
        let _ = (kind, error, trace);
        Self::close(slf);
        false
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        match slf.getattr("epoch") {
            Ok(epoch) => format!("<Snapshot of epoch {epoch}>"),
            Err(_) => "<Snapshot, closed>".to_owned(),
        }
    }
}
