//! `open_untrusted`: a store that came from elsewhere.
//!
//! Invariant: there is no handle before all of the store was verified.

use std::path::PathBuf;

use pyo3::prelude::*;
use storage_core::OpenOptions;

use crate::arguments::Count;
use crate::errors::{Moment, to_python};
use crate::store::GraphStore;

/// Open a store that came from elsewhere, and trust none of its bytes.
///
/// It is opened for reading only, as it is at this moment, and does not follow later commits. Every file is
/// read to memory, none is mapped, and all of it is verified before this returns: checksums, and what they
/// can't tell, whether records decode and every index says of each row what the row says. Whatever the
/// bytes are, they are opened or refused by an exception.
///
/// Args:
///     path: The store's directory.
///     max_bytes: Bytes that its files may have together, with what their contents unpack to.
///
/// Raises:
///     UntrustedTooLargeError: It has more than `max_bytes`.
///     CorruptionError: Bytes are not what a store writes.
///     StoreNotFoundError: There is no store at the path.
#[pyfunction]
#[pyo3(signature = (path, *, max_bytes=Count::of(4 << 30)))]
#[pyo3(text_signature = "(path, *, max_bytes=4294967296)")]
#[expect(clippy::needless_pass_by_value, reason = "an argument is made for the call")]
pub(crate) fn open_untrusted(
    py: Python<'_>,
    path: PathBuf,
    max_bytes: Count<'_, '_>,
) -> PyResult<Py<GraphStore>> {
    let max_untrusted_bytes = max_bytes.get_u64(py, "max_bytes")?;
    let options = OpenOptions { max_untrusted_bytes, ..OpenOptions::default() };
    let opened = py.detach(|| storage_core::GraphStore::open_untrusted(&path, options));
    let opened = opened.map_err(|error| to_python(py, &error, Moment::Opening))?;
    Py::new(py, GraphStore::of_opened(opened, path.display().to_string()))
}
