//! The Python modules of Sutra: `sutra_storage._native`.
//!
//! The bindings convert, release the GIL around I/O and search, and decide nothing: what a call means
//! is said in `storage-core`, `vector-kernel` and `language`. Invariants: no state is kept here beside handles; no call
//! holds the GIL while it waits for a lock, a file or a search; memory of the caller's is read with the
//! GIL held only; whatever comes in, the answer is a value or an exception.

#![expect(clippy::doc_markdown, reason = "these docstrings are read in Python, as plain text")]

mod aligned;
mod arguments;
mod association;
mod attributes;
mod columns;
mod concept;
mod errors;
mod exchange;
mod filter;
mod hits;
mod interrupt;
mod language;
mod path;
mod reader;
mod repair;
mod report;
mod selection;
mod snapshot;
mod store;
mod transaction;
mod untrusted;
mod vector_index;
mod vectors;

/// The native half of `sutra_storage`; import that instead.
#[pyo3::pymodule(name = "_native")]
mod native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::association::StoredAssociation;
    #[pymodule_export]
    use crate::concept::StoredConcept;
    #[pymodule_export]
    use crate::exchange::{ExportReport, ImportReport};
    #[pymodule_export]
    use crate::filter::Filter;
    #[pymodule_export]
    use crate::hits::{Hit, HybridHit, Leg};
    #[pymodule_export]
    use crate::interrupt::Deadline;
    #[pymodule_export]
    use crate::language::{Entity, Extraction, Relation, StaticEmbedder, analyze, extract};
    #[pymodule_export]
    use crate::path::Path;
    #[pymodule_export]
    use crate::reader::{ConceptIds, Reader};
    #[pymodule_export]
    use crate::repair::{Loss, RepairReport, repair};
    #[pymodule_export]
    use crate::report::VerifyReport;
    #[pymodule_export]
    use crate::snapshot::Snapshot;
    #[pymodule_export]
    use crate::store::GraphStore;
    #[pymodule_export]
    use crate::transaction::{Ticket, Transaction};
    #[pymodule_export]
    use crate::untrusted::open_untrusted;
    #[pymodule_export]
    use crate::vector_index::VectorIndex;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::errors::register(module)
    }
}
