//! What a store holds at one epoch: an immutable list of parts, oldest first.
//!
//! A commit makes a new [`State`] that shares all but its own part with the one before; readers keep
//! whichever they started with. Invariant: a concept number is live in one part at most, and so is
//! the key of an association; whatever replaces or deletes one marks the older dead in the same step.

mod apply;
mod as_of;
mod audit;
mod condition;
mod filter;
mod graph;
mod lookup;
mod part;
mod search;
mod tidy;
mod types;
mod view;

use std::sync::Arc;

use text_index::Analyzer;

pub(crate) use apply::Frame;
pub use audit::AuditQuery;
pub use condition::Condition;
pub use filter::Filter;
pub use graph::{FoundPath, FoundPaths, PathQuery, PathStep};
pub(crate) use lookup::Place;
pub(crate) use part::{Ending, Part};
pub use search::{ConceptHit, HybridHit, HybridQuery, Leg, TextQuery, VectorQuery, WordOperator};
pub(crate) use types::{MAX_TYPES, TypeTable};
use view::Views;
pub(crate) use view::{Seen, View};

use crate::history::History;
use crate::options::StoreConfig;
use crate::scope::DEFAULT_NAMESPACE;
use crate::segment::IdHasher;
use crate::{Error, Result};

/// The store at one epoch.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) store: [u8; 16],
    pub(crate) config: Arc<StoreConfig>,
    pub(crate) analyzer: Analyzer,
    pub(crate) hasher: IdHasher,
    /// The LSN of the last transaction in it; 0 before the first.
    pub(crate) epoch: u64,
    /// When that transaction was committed, seconds since the Unix epoch.
    pub(crate) commit_time: f64,
    /// The number that the next new concept gets.
    pub(crate) next_number: u32,
    pub(crate) types: Arc<TypeTable>,
    /// Oldest first: those in files, then those in memory.
    pub(crate) parts: Vec<Part>,
    /// By transaction, the concepts that those applied last changed: what a transaction that read one of
    /// them conflicts with. Whoever shows the state to readers takes it.
    pub(crate) changed: Vec<(u64, Vec<u32>)>,
    pub(crate) history: History,
    /// Whether this is how the store once was: then parts may hold what came later.
    pub(crate) past: bool,
    /// The namespace whose ids are found; see [`View`].
    pub(crate) namespace: Arc<str>,
    /// Whether some rows or edges are not everyone's, always: then readers see a [`View`] of it.
    pub(crate) is_scoped: bool,
    /// This state as readers see it.
    views: Views,
}

impl State {
    /// A store with nothing in it.
    pub(crate) fn empty(store: [u8; 16], config: Arc<StoreConfig>) -> Result<Self> {
        config.validate()?;
        let analyzer =
            Analyzer::by_name(&config.analyzer).ok_or_else(|| Error::InvalidArgument {
                name: "analyzer",
                expected: "the name of an analyzer of this version".to_owned(),
                found: config.analyzer.clone(),
            })?;
        Ok(Self {
            store,
            config,
            analyzer,
            hasher: IdHasher::new(&store),
            epoch: 0,
            commit_time: 0.0,
            next_number: 0,
            types: Arc::default(),
            parts: Vec::new(),
            changed: Vec::new(),
            history: History::default(),
            past: false,
            namespace: Arc::from(DEFAULT_NAMESPACE),
            is_scoped: false,
            views: Views::default(),
        })
    }

    pub(crate) fn concept_count(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.live_rows())).sum()
    }

    pub(crate) fn vector_count(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.live_vectors())).sum()
    }

    pub(crate) fn edge_count(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.live_edges())).sum()
    }

    /// The parts that are in memory only, after those in files.
    pub(crate) fn memory_parts(&self) -> &[Part] {
        let files = self.parts.iter().take_while(|part| part.segment.is_file()).count();
        &self.parts[files..]
    }
}
