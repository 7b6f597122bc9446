//! Crash-safe embedded store of concepts, associations, vectors and words: the facade
//! [`GraphStore`].
//!
//! A transaction is one checksummed frame of a write-ahead log; logs are folded into immutable,
//! memory-mapped segments; a manifest names the segments. Every read sees one state, and the bytes of
//! a file are compared with their checksums before they are used. `docs/file-format.md` describes
//! every byte.
//!
//! Layers, top to bottom: `store` (handles, commits, flush and compaction), `state` (what is alive at
//! one epoch, and the searches over it), `segment` (immutable rows and their indexes), `history`
//! (versions that ended), `wal` and `manifest` (what makes them durable), `fs` (the only door to files).

mod association;
mod codec;
mod concept;
mod control;
mod ends;
mod error;
pub mod fs;
mod history;
mod interrupt;
mod manifest;
mod mend;
mod operation;
mod options;
mod record;
mod scope;
mod segment;
mod state;
mod store;
mod sync;
mod tombstones;
mod wal;

pub use association::{Association, Direction};
pub use concept::{Attributes, Concept, ConceptPatch};
pub use error::{Error, Result};
pub use graph_index::LayeredGraph;
pub use interrupt::interruptible;
pub use options::{ConfigRequest, Durability, OpenOptions, Retention, StoreConfig, VectorStorage};
pub use segment::IndexAudit;
pub use state::{
    AuditQuery, ConceptHit, Condition, Filter, FoundPath, FoundPaths, HybridHit, HybridQuery, Leg,
    PathQuery, PathStep, TextQuery, VectorQuery, WordOperator,
};
pub use store::{
    AsOf, ExportReport, GraphStore, ImportReport, Loss, RepairReport, Snapshot, StoreStats, Tally,
    Ticket, Transaction, VerifyReport,
};
pub use vector_kernel::Metric;
pub use vector_kernel::ann::{Audit, DEFAULT_RECALL};

/// The longest concept id, and the longest association type, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 1024;

#[cfg(target_endian = "big")]
compile_error!("the file format is little-endian, and is read in place: big-endian targets can't");
