//! Sutra, as it comes: every index on.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use storage_core::{Concept, ConfigRequest, Durability, GraphStore, OpenOptions, VectorStorage};

use super::{Put, Session, Store};
use crate::work::{Record, Work};

pub(super) struct Sutra(GraphStore);

fn options(vectors: bool) -> OpenOptions {
    let storage = if vectors { VectorStorage::F16 } else { VectorStorage::F32 };
    OpenOptions {
        config: ConfigRequest { vector_storage: Some(storage), ..ConfigRequest::default() },
        durability: Durability::Sync,
        ..OpenOptions::default()
    }
}

impl Sutra {
    pub(super) fn open(folder: &Path, vectors: bool) -> Result<Self> {
        Ok(Self(GraphStore::open(folder, options(vectors))?))
    }
}

impl Store for Sutra {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(SutraSession(&self.0)))
    }

    fn backlog_bytes(&self) -> Option<u64> {
        self.0.stats().ok().map(|stats| stats.log_bytes)
    }

    fn compact(&mut self) -> Result<()> {
        Ok(self.0.compact()?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.0.close()?)
    }
}

struct SutraSession<'a>(&'a GraphStore);

fn concept(put: Put) -> Concept {
    let Put { record, vector } = put;
    let mut concept = Concept::new(record.id, record.content);
    concept.created = Some(record.created);
    concept.strength = record.strength;
    concept.confidence = record.confidence;
    concept.source = Some(record.source);
    concept.category = Some(record.category);
    concept.attributes.insert("rank".to_owned(), record.rank.into());
    concept.vector = vector;
    concept
}

impl Session for SutraSession<'_> {
    fn put(&mut self, mut records: Vec<Put>) -> Result<()> {
        if records.len() == 1 {
            self.0.put_concept(concept(records.remove(0)))?;
        } else {
            self.0.put_concepts(records.into_iter().map(concept).collect())?;
        }
        Ok(())
    }

    fn get(&mut self, id: &str) -> Result<Option<Record>> {
        let Some(concept) = self.0.snapshot()?.concept_without_vector(id)? else {
            return Ok(None);
        };
        let rank = concept.attributes.get("rank").and_then(Value::as_u64);
        Ok(Some(Record {
            id: concept.id,
            content: concept.content,
            created: concept.created.context("a concept has its time")?,
            strength: concept.strength,
            confidence: concept.confidence,
            source: concept.source.context("it was put with a source")?,
            category: concept.category.context("it was put with a category")?,
            rank: rank.context("it was put with a rank")?,
        }))
    }

    fn count(&mut self) -> Result<u64> {
        Ok(self.0.snapshot()?.concept_count())
    }
}

/// Runs of each kind of handle, one after the other.
const RUNS: usize = 15;
/// Commits of a run: few enough that neither run flushes.
const COMMITS: u64 = 4000;

/// What the lock that processes share costs a lone writer, in microseconds a transaction.
///
/// # Errors
///
/// What the store fails with.
pub(crate) fn lock_cost(folder: &Path, work: &Work) -> Result<Value> {
    let mut micros = [Vec::new(), Vec::new()];
    for run in 0..RUNS * 2 {
        // Each first as often as the other.
        let exclusive = (run + run / 2).is_multiple_of(2);
        let path = folder.join(format!("lock-{run}"));
        let options = OpenOptions {
            exclusive,
            background: false,
            durability: Durability::Buffered,
            ..options(false)
        };
        let store = GraphStore::open(&path, options)?;
        let puts: Vec<Concept> =
            (0..COMMITS).map(|at| concept(Put { record: work.record(at), vector: None })).collect();
        let mut took = Duration::ZERO;
        for put in puts {
            let started = Instant::now();
            store.put_concept(put)?;
            took += started.elapsed();
        }
        micros[usize::from(exclusive)].push(took.as_secs_f64() * 1e6 / COMMITS as f64);
        store.close()?;
        std::fs::remove_dir_all(&path)?;
    }
    let [shared, exclusive] = micros.map(crate::report::median);
    Ok(json!({
        "commits_a_run": COMMITS,
        "runs_each": RUNS,
        "durability": "buffered",
        "shared_us": shared,
        "exclusive_us": exclusive,
        "lock_us": shared - exclusive,
    }))
}
