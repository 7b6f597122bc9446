//! Export and import: a store as lines of JSON, without loss.
//!
//! `docs/export-format.md` describes every field. Invariants: a state that was exported and imported into an
//! empty store is the same state, bit by bit; export and import hold a bounded number of lines at a time.

mod export;
mod file;
mod import;
mod line;

pub use export::ExportReport;
pub use import::ImportReport;
