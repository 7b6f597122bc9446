//! Writes what a plan names to a new store.
//!
//! Concepts go in by number and associations by key, so that everything that depends on the order of first
//! puts is as it was. Invariant: the directory bears a mark until all is in it and durable; a store with the
//! mark does not open.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::plan::{Edge, Plan, Row};
use super::report::{Loss, RepairReport, Tally};
use super::sources::Sources;
use crate::fs::FileSystem;
use crate::operation::{EdgeKey, Operation, PutConcept, begin_payload};
use crate::options::{Durability, OpenOptions, StoreConfig};
use crate::record;
use crate::segment::decode_vector;
use crate::store::GraphStore;
use crate::store::commit::now;
use crate::store::unfinished::{self, Maker};
use crate::store::write::Write;
use crate::{Association, Concept, Error, Result};

/// Writes that are committed together, at most.
const BATCH_WRITES: usize = 4096;
/// Bytes of contents and vectors that are.
const BATCH_BYTES: usize = 8 << 20;

/// Makes the store; tells the report what is in it and what could not be.
pub(super) fn rebuild(
    fs: &Arc<dyn FileSystem>,
    target: &Path,
    sources: &Sources,
    mut plan: Plan<'_>,
    report: &mut RepairReport,
) -> Result<()> {
    let mark = unfinished::claim(&**fs, target, Maker::Repair)?;
    let options = OpenOptions {
        config: plan.outline.config.clone().into(),
        retention: Some(plan.outline.retention),
        background: false,
        ..OpenOptions::default()
    };
    let store = GraphStore::open_unfinished(Arc::clone(fs), target, options)?;
    let mut writer = Writer {
        store: &store,
        namespace: String::new(),
        writes: Vec::new(),
        bytes: 0,
        unflushed: 0,
    };
    writer.define_types(&plan.types)?;
    let ids = copy_concepts(&mut writer, sources, &mut plan)?;
    copy_associations(&mut writer, sources, &mut plan, &ids)?;
    writer.commit()?;
    let state = store.shared.newest_state()?;
    report.saved = Tally {
        concepts: state.concept_count(),
        vectors: state.vector_count(),
        associations: state.edge_count(),
    };
    drop(state);
    store.flush()?;
    store.close()?;

    mark.remove(&**fs)?;
    fs.sync_dir(target).map_err(|e| Error::io("sync", target, e))?;
    report.generation = plan.outline.generation;
    report.epoch = plan.epoch;
    plan.losses.tell(report);
    Ok(())
}

/// Gathers writes to transactions of bounded size.
struct Writer<'a> {
    store: &'a GraphStore,
    /// Where the writes are made.
    namespace: String,
    writes: Vec<Write>,
    bytes: usize,
    unflushed: usize,
}

impl Writer<'_> {
    fn write(&mut self, namespace: &str, write: Write, bytes: usize) -> Result<()> {
        if namespace != self.namespace {
            self.commit()?;
            namespace.clone_into(&mut self.namespace);
        }
        self.writes.push(write);
        self.bytes += bytes;
        if self.writes.len() >= BATCH_WRITES || self.bytes >= BATCH_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        if self.writes.is_empty() {
            return Ok(());
        }
        let writes = std::mem::take(&mut self.writes);
        self.store.shared.commit_copies(&self.namespace, writes)?;
        self.unflushed += std::mem::take(&mut self.bytes);
        if self.unflushed as u64 >= self.store.shared.options.flush_bytes {
            self.store.flush()?;
            self.unflushed = 0;
        }
        Ok(())
    }

    /// Gives the types the numbers that they had.
    fn define_types(&self, types: &[String]) -> Result<()> {
        self.store.shared.commit_made(None, Durability::Buffered, |_| {
            let mut payload = begin_payload(now());
            for (type_id, name) in types.iter().enumerate() {
                Operation::DefineType { type_id: type_id as u32, name }.encode(&mut payload);
            }
            Ok((!types.is_empty()).then_some(payload))
        })?;
        Ok(())
    }
}

/// The namespace and the id of a concept.
type Name = (Arc<str>, Arc<str>);

/// Copies the concepts by number; returns their names by number.
fn copy_concepts(
    writer: &mut Writer<'_>,
    sources: &Sources,
    plan: &mut Plan<'_>,
) -> Result<BTreeMap<u32, Name>> {
    let config = plan.outline.config.clone();
    let mut ids: BTreeMap<u32, Name> = BTreeMap::new();
    // Where deletions are lost, an id may have been given anew: then the later number has it.
    let mut numbers: HashMap<Name, u32> = HashMap::new();
    let may_revive = plan.losses.may_revive();
    let rows = std::mem::take(&mut plan.rows);
    let mut rows = rows.iter().peekable();
    let mut puts = std::mem::take(&mut plan.overlay.concepts).into_iter().peekable();
    loop {
        let row_is_next = match (rows.peek(), puts.peek()) {
            (None, None) => break,
            (Some(row), Some((number, _))) => row.number < *number,
            (row, _) => row.is_some(),
        };
        let (number, concept) = if row_is_next {
            let Some(row) = rows.next() else { break };
            (row.number, stored_concept(sources, plan, row, &config))
        } else {
            let Some((number, put)) = puts.next() else { break };
            (number, logged_concept(&put, &config))
        };
        let path = || writer.store.path().unwrap_or(Path::new("")).to_owned();
        let Some((mut concept, namespace)) = concept else {
            let lost = Loss::Concept { path: path(), row: 0, number: Some(number), id: None };
            plan.losses.push(lost);
            continue;
        };
        if let Some(touch) = plan.overlay.touches.get(&number) {
            touch.apply(&mut concept);
        }
        if concept.vector.is_some() && concept.validate(&config).is_err() {
            plan.losses.push(Loss::Vector { id: concept.id.clone() });
            concept.vector = None;
        }
        if concept.validate(&config).is_err() {
            let id = Some(concept.id);
            plan.losses.push(Loss::Concept { path: path(), row: 0, number: Some(number), id });
            continue;
        }
        let name: Name = (namespace.as_str().into(), concept.id.as_str().into());
        if may_revive && let Some(earlier) = numbers.insert(name.clone(), number) {
            ids.remove(&earlier);
        }
        ids.insert(number, name);
        let vector = concept.vector.as_ref().map_or(0, |vector| vector.len() * 4);
        let bytes = concept.content.len() + vector + 256;
        writer.write(&namespace, Write::Put(concept), bytes)?;
    }
    writer.commit()?;
    Ok(ids)
}

fn stored_concept(
    sources: &Sources,
    plan: &Plan<'_>,
    row: &Row,
    config: &StoreConfig,
) -> Option<(Concept, String)> {
    let segment = sources.segments.get(&row.segment)?;
    let created = segment.created(row.ordinal);
    let id = segment.concept_id(row.ordinal)?;
    let record = segment.record(row.ordinal)?;
    let mut concept = record::decode_concept(&id, created.unwrap_or(0.0), &record).ok()?;
    concept.created = created;
    if let Some((at, touch)) = plan.touches.get(&row.number)
        && *at >= row.at
    {
        touch.apply(&mut concept);
    }
    let vector = row.vector.and_then(|ordinal| segment.vector(ordinal)).unwrap_or_default();
    let namespace = record::scope(&record).ok()?.namespace.to_owned();
    Some((with_vector(concept, &vector, config), namespace))
}

/// A concept as the log has it, and its namespace.
fn logged_concept(put: &PutConcept<'_>, config: &StoreConfig) -> Option<(Concept, String)> {
    let concept = record::decode_concept(put.id, put.created, put.record).ok()?;
    let namespace = record::scope(put.record).ok()?.namespace.to_owned();
    Some((with_vector(concept, put.vector, config), namespace))
}

fn with_vector(mut concept: Concept, stored: &[u8], config: &StoreConfig) -> Concept {
    if !stored.is_empty() {
        concept.vector = Some(decode_vector(stored, config.vector_storage));
    }
    concept
}

/// Copies the associations whose ends were copied.
fn copy_associations(
    writer: &mut Writer<'_>,
    sources: &Sources,
    plan: &mut Plan<'_>,
    ids: &BTreeMap<u32, Name>,
) -> Result<()> {
    let mut associations: BTreeMap<EdgeKey, Option<Association>> = BTreeMap::new();
    for (&key, edge) in &plan.edges {
        let Edge { segment, edge } = *edge;
        let record = sources.segments.get(&segment).and_then(|s| s.edge_record(edge.id));
        let made = association(plan, ids, key, (edge.weight, edge.confidence), record.as_deref());
        associations.insert(key, made);
    }
    for (&key, put) in &plan.overlay.edges {
        if let Some(put) = put {
            let made = association(plan, ids, key, (put.weight, put.confidence), Some(put.record));
            associations.insert(key, made);
        }
    }
    for (key, association) in associations {
        let Some(association) = association else {
            let name =
                |number| ids.get(&number).map_or_else(|| number.to_string(), |n| n.1.to_string());
            plan.losses.push(Loss::Association {
                source: name(key.source),
                target: name(key.target),
                association_type: plan.types[key.type_id as usize].clone(),
            });
            continue;
        };
        let (namespace, _) = &ids[&key.source];
        let write = Write::PutAssociation { association, create_missing: false };
        writer.write(namespace, write, 256)?;
    }
    Ok(())
}

fn association(
    plan: &Plan<'_>,
    ids: &BTreeMap<u32, Name>,
    key: EdgeKey,
    (weight, confidence): (f32, f32),
    record: Option<&[u8]>,
) -> Option<Association> {
    let (source, target) = (ids.get(&key.source)?, ids.get(&key.target)?);
    if source.0 != target.0 {
        return None; // None such is ever put.
    }
    let mut made = Association::new(&*source.1, &*target.1);
    made.association_type.clone_from(&plan.types[key.type_id as usize]);
    made.weight = weight;
    made.confidence = confidence;
    record::decode_association(record?, &mut made).ok()?;
    made.validate().ok()?;
    Some(made)
}
