//! Writes as callers ask for them, and their resolution to operations on numbers.
//!
//! Resolution happens under the write lock, against the newest state, and decides everything: which
//! numbers and types are new, what a patch makes of the concept it meets, what is missing. Invariant:
//! it fails as a whole or yields one payload.

use std::collections::HashMap;

use crate::association::validate_type;
use crate::concept::{check_range, validate_id};
use crate::ends::Ends;
use crate::operation::{EdgeKey, Operation, PutAssociation, PutConcept, begin_payload};
use crate::options::StoreConfig;
use crate::record::{self, Touch};
use crate::segment::encode_vector;
use crate::state::{MAX_TYPES, Place, State};
use crate::{Association, Concept, ConceptPatch, Error, Result};

/// One write of a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// Puts a whole concept, in place of any of the same id.
    Put(Concept),
    /// Changes some fields.
    Patch {
        id: String,
        patch: Box<ConceptPatch>,
        /// Whether a missing concept is made, bare but for the patch.
        create: bool,
    },
    /// Deletes a concept and its associations; a missing one is passed over.
    Delete(String),
    /// Puts an association, in place of any of the same key.
    PutAssociation {
        association: Association,
        /// Whether missing ends are made, bare.
        create_missing: bool,
    },
    /// Deletes an association; a missing one is passed over.
    DeleteAssociation { source_id: String, target_id: String, association_type: String },
    /// Counts an access.
    Access { id: String, strength: Option<f32> },
}

impl Write {
    /// Everything that can be refused without looking at the store.
    pub(crate) fn validate(&self, config: &StoreConfig) -> Result<()> {
        match self {
            Self::Put(concept) => concept.validate(config),
            Self::Patch { id, patch, .. } => {
                let mut concept = Concept::new(id.as_str(), "");
                ConceptPatch::clone(patch).apply(&mut concept);
                concept.validate(config)
            }
            Self::Delete(id) => validate_id(id),
            Self::PutAssociation { association, .. } => association.validate(),
            Self::DeleteAssociation { source_id, target_id, association_type } => {
                validate_id(source_id)?;
                validate_id(target_id)?;
                validate_type(association_type)
            }
            Self::Access { id, strength } => {
                validate_id(id)?;
                strength.map_or(Ok(()), |s| check_range("strength", s, f32::MAX))
            }
        }
    }
}

/// An operation before it is encoded; owns what a later write of the same transaction may change.
enum Pending {
    Put {
        number: u32,
        concept: Concept,
        created: f64,
    },
    /// A put that a later write of the transaction took back or replaced.
    Dropped,
    Delete {
        number: u32,
    },
    PutAssociation {
        key: EdgeKey,
        association: Association,
        created: f64,
    },
    DeleteAssociation(EdgeKey),
    Touch(Touch),
}

/// Where an id leads within the transaction.
#[derive(Clone, Copy)]
enum Known {
    /// Deleted by this transaction, or never there.
    Absent,
    /// In the state the transaction starts from.
    Stored { place: Place, number: u32 },
    /// Put by this transaction, as the operation at `at`.
    Put { number: u32, at: usize },
}

/// Where and when writes are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    pub(crate) namespace: &'a str,
    /// Seconds since the Unix epoch.
    pub(crate) now: f64,
    /// What has expired by then is not there any more.
    pub(crate) expired_by: f64,
}

impl<'a> Occasion<'a> {
    pub(crate) fn new(namespace: &'a str, now: f64) -> Self {
        Self { namespace, now, expired_by: now }
    }

    /// One at which whatever is copied is there, expired or not.
    pub(crate) fn of_copy(namespace: &'a str, now: f64) -> Self {
        Self { namespace, now, expired_by: f64::NEG_INFINITY }
    }
}

/// Resolves writes against a state, as the payload of a frame; `None` when nothing is to change.
pub(crate) fn resolve(
    state: &State,
    occasion: Occasion<'_>,
    writes: Vec<Write>,
) -> Result<Option<Vec<u8>>> {
    let Occasion { namespace, now, expired_by } = occasion;
    let commit_time = now.max(state.commit_time + 1e-6);
    let mut resolver = Resolver {
        state,
        namespace,
        now: commit_time,
        expired_by,
        known: HashMap::with_capacity(writes.len()),
        new_types: HashMap::new(),
        pending: Vec::with_capacity(writes.len()),
        new_edges: HashMap::new(),
        ends: Ends::default(),
        accessed: HashMap::new(),
        next_number: state.next_number,
    };
    for write in writes {
        resolver.resolve(write)?;
    }
    Ok(resolver.finish())
}

struct Resolver<'a> {
    state: &'a State,
    namespace: &'a str,
    now: f64,
    expired_by: f64,
    known: HashMap<String, Known>,
    /// The numbers of the types that this transaction is the first to use.
    new_types: HashMap<String, u32>,
    pending: Vec<Pending>,
    /// When associations put by this transaction were created.
    new_edges: HashMap<EdgeKey, Option<f64>>,
    ends: Ends,
    /// The pending access entry of a stored concept.
    accessed: HashMap<u32, usize>,
    next_number: u32,
}

impl Resolver<'_> {
    fn find(&mut self, id: &str) -> Result<Known> {
        if let Some(&known) = self.known.get(id) {
            return Ok(known);
        }
        let known = match self.state.find_in(self.namespace, id)? {
            None => Known::Absent,
            Some(place) => {
                let number = self.state.number(place)?;
                if self.state.segment(place).row_window(place.row)?.is_expired(self.expired_by) {
                    // No read finds it: it goes before anything takes its place.
                    self.pending.push(Pending::Delete { number });
                    Known::Absent
                } else {
                    Known::Stored { place, number }
                }
            }
        };
        // Associations name the same concepts again and again.
        self.known.insert(id.to_owned(), known);
        Ok(known)
    }

    fn number(&mut self, id: &str) -> Result<Option<u32>> {
        Ok(match self.find(id)? {
            Known::Absent => None,
            Known::Stored { number, .. } | Known::Put { number, .. } => Some(number),
        })
    }

    fn new_number(&mut self) -> Result<u32> {
        let number = self.next_number;
        // The largest number stays free, so that "one more" is always a number too.
        if number == u32::MAX {
            return Err(Error::Full { what: "4,294,967,295 concepts were put" });
        }
        self.next_number += 1;
        Ok(number)
    }

    fn resolve(&mut self, write: Write) -> Result<()> {
        match write {
            Write::Put(concept) => self.put(concept),
            Write::Patch { id, patch, create } => self.patch(id, *patch, create),
            Write::Delete(id) => self.delete(id),
            Write::PutAssociation { association, create_missing } => {
                self.put_association(association, create_missing)
            }
            Write::DeleteAssociation { source_id, target_id, association_type } => {
                self.delete_association(&source_id, &target_id, &association_type)
            }
            Write::Access { id, strength } => self.access(&id, strength),
        }
    }

    fn put(&mut self, concept: Concept) -> Result<()> {
        let (number, created) = match self.find(&concept.id)? {
            Known::Absent => (self.new_number()?, None),
            Known::Stored { place, number } => {
                (number, Some(self.state.segment(place).created()?[place.row as usize]))
            }
            Known::Put { number, at } => {
                let created = match std::mem::replace(&mut self.pending[at], Pending::Dropped) {
                    Pending::Put { created, .. } => Some(created),
                    _ => None,
                };
                (number, created)
            }
        };
        let created = concept.created.or(created).unwrap_or(self.now);
        let at = self.pending.len();
        self.known.insert(concept.id.clone(), Known::Put { number, at });
        self.pending.push(Pending::Put { number, concept, created });
        Ok(())
    }

    fn patch(&mut self, id: String, patch: ConceptPatch, create: bool) -> Result<()> {
        match self.find(&id)? {
            Known::Absent if create => {
                let mut concept = Concept::new(id, "");
                patch.apply(&mut concept);
                self.put(concept)
            }
            Known::Absent => Err(Error::ConceptNotFound { id, is_end: false }),
            Known::Stored { place, .. } => {
                let mut concept = self.state.concept_with_vector(place)?;
                patch.apply(&mut concept);
                concept.window().validate()?;
                self.put(concept)
            }
            Known::Put { at, .. } => {
                if let Pending::Put { concept, .. } = &mut self.pending[at] {
                    patch.apply(concept);
                    concept.window().validate()?;
                }
                Ok(())
            }
        }
    }

    fn delete(&mut self, id: String) -> Result<()> {
        if let Some(number) = self.number(&id)? {
            if let Some(Known::Put { at, .. }) = self.known.get(&id).copied() {
                self.pending[at] = Pending::Dropped;
            }
            self.pending.push(Pending::Delete { number });
            for key in self.ends.take(number, self.new_edges.keys().copied()) {
                self.new_edges.remove(&key);
            }
            self.known.insert(id, Known::Absent);
        }
        Ok(())
    }

    fn end(&mut self, id: &str, create_missing: bool) -> Result<u32> {
        match self.number(id)? {
            Some(number) => Ok(number),
            None if create_missing => {
                self.put(Concept::new(id, ""))?;
                Ok(self.number(id)?.expect("it was put just now"))
            }
            None => Err(Error::ConceptNotFound { id: id.to_owned(), is_end: true }),
        }
    }

    fn type_id(&self, name: &str) -> Option<u32> {
        self.state.types.number(name).or_else(|| self.new_types.get(name).copied())
    }

    fn new_type(&mut self, name: &str) -> Result<u32> {
        let number = self.state.types.len() + self.new_types.len();
        if number >= MAX_TYPES {
            return Err(Error::Full { what: "65,536 types of associations were used" });
        }
        self.new_types.insert(name.to_owned(), number as u32);
        Ok(number as u32)
    }

    fn put_association(&mut self, association: Association, create_missing: bool) -> Result<()> {
        let source = self.end(&association.source_id, create_missing)?;
        let target = self.end(&association.target_id, create_missing)?;
        let type_id = match self.type_id(&association.association_type) {
            Some(known) => known,
            None => self.new_type(&association.association_type)?,
        };
        let key = EdgeKey { source, target, type_id };
        let created = match association.created {
            Some(created) => created,
            None => self.association_created(key)?.unwrap_or(self.now),
        };
        self.ends.add(key);
        self.new_edges.insert(key, Some(created));
        self.pending.push(Pending::PutAssociation { key, association, created });
        Ok(())
    }

    /// When the association of a key was created, if there is one.
    fn association_created(&self, key: EdgeKey) -> Result<Option<f64>> {
        if let Some(created) = self.new_edges.get(&key) {
            return Ok(*created);
        }
        let fresh = self.state.next_number;
        if key.source >= fresh || key.target >= fresh {
            return Ok(None);
        }
        let stored = self.state.association_by_key(key)?;
        let live = stored.filter(|stored| !stored.window().is_expired(self.expired_by));
        Ok(live.and_then(|association| association.created))
    }

    fn delete_association(&mut self, source: &str, target: &str, name: &str) -> Result<()> {
        let (Some(source), Some(target), Some(type_id)) =
            (self.number(source)?, self.number(target)?, self.type_id(name))
        else {
            return Ok(());
        };
        let key = EdgeKey { source, target, type_id };
        let there = match self.new_edges.get(&key) {
            Some(created) => created.is_some(),
            None => self.state.find_association(key)?.is_some(),
        };
        if there {
            self.ends.add(key);
            self.new_edges.insert(key, None);
            self.pending.push(Pending::DeleteAssociation(key));
        }
        Ok(())
    }

    fn access(&mut self, id: &str, strength: Option<f32>) -> Result<()> {
        let now = self.now;
        match self.find(id)? {
            Known::Absent => Err(Error::ConceptNotFound { id: id.to_owned(), is_end: false }),
            Known::Put { at, .. } => {
                if let Pending::Put { concept, .. } = &mut self.pending[at] {
                    concept.access_count = concept.access_count.saturating_add(1);
                    concept.last_accessed = Some(now);
                    concept.strength = strength.unwrap_or(concept.strength);
                }
                Ok(())
            }
            Known::Stored { place, number } => {
                if let Some(&at) = self.accessed.get(&number)
                    && let Pending::Touch(touch) = &mut self.pending[at]
                {
                    touch.access_count = touch.access_count.saturating_add(1);
                    touch.strength = strength.unwrap_or(touch.strength);
                    return Ok(());
                }
                let concept = self.state.concept(place)?;
                self.accessed.insert(number, self.pending.len());
                self.pending.push(Pending::Touch(Touch {
                    number,
                    strength: strength.unwrap_or(concept.strength),
                    access_count: concept.access_count.saturating_add(1),
                    last_accessed: now,
                    lsn: 0,
                }));
                Ok(())
            }
        }
    }

    fn finish(self) -> Option<Vec<u8>> {
        let Self { state, namespace, now, new_types, pending, .. } = self;
        let mut payload = begin_payload(now);
        let start = payload.len();
        let mut new_types: Vec<(u32, &str)> =
            new_types.iter().map(|(name, &type_id)| (type_id, name.as_str())).collect();
        new_types.sort_unstable();
        for (type_id, name) in new_types {
            Operation::DefineType { type_id, name }.encode(&mut payload);
        }
        let mut vector = Vec::new();
        for pending in &pending {
            match pending {
                Pending::Dropped => {}
                Pending::Put { number, concept, created } => {
                    vector.clear();
                    if let Some(components) = &concept.vector {
                        encode_vector(components, state.config.vector_storage, &mut vector);
                    }
                    Operation::PutConcept(PutConcept {
                        number: *number,
                        id: &concept.id,
                        created: *created,
                        record: &record::encode_concept(
                            concept,
                            namespace,
                            state.config.use_compression,
                        ),
                        vector: &vector,
                    })
                    .encode(&mut payload);
                }
                Pending::Delete { number } => {
                    Operation::DeleteConcept { number: *number }.encode(&mut payload);
                }
                Pending::PutAssociation { key, association, created } => {
                    Operation::PutAssociation(PutAssociation {
                        key: *key,
                        weight: association.weight,
                        confidence: association.confidence,
                        record: &record::encode_association(association, namespace, *created),
                    })
                    .encode(&mut payload);
                }
                Pending::DeleteAssociation(key) => {
                    Operation::DeleteAssociation(*key).encode(&mut payload);
                }
                Pending::Touch(touch) => {
                    Operation::Touch(*touch).encode(&mut payload);
                }
            }
        }
        (payload.len() > start).then_some(payload)
    }
}
