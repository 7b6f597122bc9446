//! Of what a damaged store consists: as a manifest says, or as the files do.
//!
//! Invariant: without a manifest no two segments stand for the same transactions.

use super::sources::Sources;
use crate::manifest::{Manifest, SegmentEntry};
use crate::operation::{Operation, Payload};
use crate::options::{Retention, StoreConfig, VectorStorage};

/// One way to read a store: what a manifest says, or what is gone by where there is none.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    pub(super) generation: Option<u64>,
    /// Transactions up to this one are in the segments.
    pub(super) lsn: u64,
    /// The log that goes on from there; `None` where nothing says so.
    pub(super) log: Option<u64>,
    /// No concept in the segments has a number from here on.
    pub(super) next_number: u32,
    pub(super) types: Vec<String>,
    pub(super) config: StoreConfig,
    /// Options that no file told.
    pub(super) assumed: Vec<&'static str>,
    /// Oldest first.
    pub(super) segments: Vec<SegmentEntry>,
    pub(super) retention: Retention,
    pub(super) keeps_past: bool,
}

impl From<&Manifest> for Outline {
    fn from(manifest: &Manifest) -> Self {
        Self {
            generation: Some(manifest.generation),
            lsn: manifest.lsn,
            log: Some(manifest.log),
            next_number: manifest.next_number,
            types: manifest.types.clone(),
            config: manifest.config.clone(),
            assumed: Vec::new(),
            segments: manifest.segments.clone(),
            retention: manifest.retention,
            keeps_past: manifest.retention != Retention::None || !manifest.history.is_empty(),
        }
    }
}

impl Outline {
    /// What the segments say of themselves: a newer one replaces those whose transactions it covers.
    pub(super) fn of_files(sources: &Sources) -> Self {
        let mut chosen: Vec<(u64, u64, SegmentEntry)> = Vec::new();
        for (&id, segment) in sources.segments.iter().rev() {
            let Some(identity) = segment.identity() else { continue };
            let (first, last) = (identity.first_lsn, identity.last_lsn);
            if chosen.iter().all(|&(from, to, _)| last < from || to < first) {
                let dead = sources.tombstones.range((id, 0)..=(id, u64::MAX)).next_back();
                let tombstones = dead.map(|(&(_, lsn), _)| lsn);
                let entry = SegmentEntry { id, tombstones, bytes: segment.byte_len() };
                chosen.push((first, last, entry));
            }
        }
        chosen.sort_unstable_by_key(|&(first, ..)| first);
        let (config, assumed) = config_of_files(sources);
        Self {
            generation: None,
            lsn: chosen.iter().map(|&(_, last, _)| last).max().unwrap_or(0),
            log: None,
            next_number: u32::MAX,
            types: Vec::new(),
            config,
            assumed,
            segments: chosen.into_iter().map(|(.., entry)| entry).collect(),
            retention: Retention::None,
            keeps_past: sources.has_history,
        }
    }
}

/// What vectors tell of the options; the rest is taken to be the defaults.
fn config_of_files(sources: &Sources) -> (StoreConfig, Vec<&'static str>) {
    let mut config = StoreConfig::default();
    let mut assumed = vec!["metric", "analyzer"];
    let told = sources
        .segments
        .values()
        .find_map(|segment| Some((segment.vector_bytes()?, segment.vector_storage()?)));
    let logged = || {
        sources.transactions.values().find_map(|payload| {
            let mut operations = Payload::parse(payload).ok()?;
            while let Ok(Some(operation)) = operations.next_operation() {
                if let Operation::PutConcept(put) = operation
                    && !put.vector.is_empty()
                {
                    return Some(put.vector.len());
                }
            }
            None
        })
    };
    if let Some((bytes, storage)) = told {
        config.vector_storage = storage;
        config.vector_dimension = bytes / storage.component_bytes();
    } else if let Some(bytes) = logged() {
        config.vector_dimension = bytes / VectorStorage::F32.component_bytes();
        assumed.push("vector_storage");
    } else {
        assumed.extend(["vector_dimension", "vector_storage"]);
    }
    (config, assumed)
}
