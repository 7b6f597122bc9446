//! Transactions of several operations: all of them or none, on one state.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::commit::Reads;
use super::write::Write;
use super::{GraphStore, Snapshot, Ticket};
use crate::association::validate_type;
use crate::concept::validate_id;
use crate::options::Durability;
use crate::{Association, Concept, ConceptPatch, Direction, Result};

/// Several writes that become visible, and durable, together.
///
/// It reads the state that it began with and its own writes; nothing is written, and no lock is held,
/// before [`Transaction::commit`]. Dropped without it, it leaves nothing behind. If something that it
/// read by id has been changed by then, committing fails with [`crate::Error::Conflict`].
///
/// ```
/// use storage_core::{Association, Concept, GraphStore, StoreConfig};
///
/// let store = GraphStore::in_memory(StoreConfig::default())?;
/// let mut transaction = store.transaction()?;
/// transaction.put_concept(Concept::new("a", "first"))?;
/// transaction.put_concept(Concept::new("b", "second"))?;
/// transaction.put_association(Association::new("a", "b"), false)?;
/// assert!(!store.contains("a")?);
/// transaction.commit()?;
/// assert!(store.contains("a")?);
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Transaction<'a> {
    store: &'a GraphStore,
    base: Snapshot,
    writes: Vec<Write>,
    reads: Reads,
    concepts: HashMap<String, Option<Concept>>,
    /// Those of `concepts` that were made from what the store had, which no one has looked at yet: a
    /// write alone relies on nothing.
    unread: HashSet<String>,
    edges: BTreeMap<(String, String, String), Option<Association>>,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(store: &'a GraphStore, base: Snapshot) -> Self {
        let reads = Reads { epoch: base.epoch(), concepts: Vec::new() };
        Self {
            store,
            base,
            writes: Vec::new(),
            reads,
            concepts: HashMap::new(),
            unread: HashSet::new(),
            edges: BTreeMap::new(),
        }
    }

    fn validate(&self, write: &Write) -> Result<()> {
        write.validate(&self.base.state().config)
    }

    fn write(&mut self, write: Write) -> Result<()> {
        self.validate(&write)?;
        self.writes.push(write);
        Ok(())
    }

    fn note_read(&mut self, id: &str) -> Result<()> {
        validate_id(id)?;
        let number = self.base.state().number_of(id)?;
        self.reads.concepts.push((id.to_owned(), number));
        Ok(())
    }

    // ---- reading -----------------------------------------------------------------------------------

    /// The concept with this id, as this transaction would leave it.
    ///
    /// # Errors
    /// As [`Snapshot::concept`].
    pub fn concept(&mut self, id: &str) -> Result<Option<Concept>> {
        if self.unread.remove(id) {
            self.note_read(id)?;
        }
        if let Some(own) = self.concepts.get(id) {
            return Ok(own.clone());
        }
        self.note_read(id)?;
        self.base.concept(id)
    }

    /// Whether there is such a concept, as this transaction would leave it.
    ///
    /// # Errors
    /// As [`Snapshot::contains`].
    pub fn contains(&mut self, id: &str) -> Result<bool> {
        if let Some(own) = self.concepts.get(id) {
            return Ok(own.is_some());
        }
        self.note_read(id)?;
        self.base.contains(id)
    }

    /// The vector of a concept, as this transaction would leave it.
    ///
    /// # Errors
    /// As [`Snapshot::vector`].
    pub fn vector(&mut self, id: &str) -> Result<Option<Vec<f32>>> {
        Ok(self.concept(id)?.and_then(|concept| concept.vector))
    }

    /// The associations at a concept, as this transaction would leave them, by (source, target, type).
    ///
    /// # Errors
    /// As [`Snapshot::associations`].
    pub fn associations(&mut self, id: &str, direction: Direction) -> Result<Vec<Association>> {
        self.note_read(id)?;
        let key = |a: &Association| {
            (a.source_id.clone(), a.target_id.clone(), a.association_type.clone())
        };
        let mut found: BTreeMap<_, Association> = BTreeMap::new();
        // A concept that this transaction deleted, or put anew, has lost what it had.
        let lost = |id: &str| matches!(self.concepts.get(id), Some(None));
        for association in self.base.associations(id, direction, None)? {
            if !lost(&association.source_id) && !lost(&association.target_id) {
                found.insert(key(&association), association);
            }
        }
        for (key, own) in &self.edges {
            let at_id = match direction {
                Direction::Out => key.0 == id,
                Direction::In => key.1 == id,
                Direction::Both => key.0 == id || key.1 == id,
            };
            match own {
                Some(association) if at_id => {
                    found.insert(key.clone(), association.clone());
                }
                Some(_) => {}
                None => {
                    found.remove(key);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// The association with a key, as this transaction would leave it.
    ///
    /// # Errors
    /// As [`Snapshot::association`].
    ///
    /// # Complexity
    /// Independent of how many associations the source has.
    pub fn association(
        &mut self,
        source_id: &str,
        target_id: &str,
        association_type: &str,
    ) -> Result<Option<Association>> {
        let key = (source_id.to_owned(), target_id.to_owned(), association_type.to_owned());
        // Those that went with a concept which this transaction deleted are among its own.
        if let Some(own) = self.edges.get(&key) {
            return Ok(own.clone());
        }
        // A concept's deletion, which takes the association along, counts as a change of itself only.
        self.note_read(source_id)?;
        self.note_read(target_id)?;
        self.base.association(source_id, target_id, association_type)
    }

    // ---- writing -----------------------------------------------------------------------------------

    /// Puts a concept, in place of any of the same id.
    ///
    /// # Errors
    /// [`crate::Error::InvalidId`], [`crate::Error::InvalidVector`] and [`crate::Error::InvalidArgument`] for what
    /// is out of its range; [`crate::Error::Corrupt`] when what it changes can't be read. What else a write can fail
    /// with is told by the commit.
    pub fn put_concept(&mut self, concept: Concept) -> Result<()> {
        self.put_concepts(vec![concept])
    }

    /// Puts concepts, each in place of any of the same id.
    ///
    /// # Errors
    /// As [`Transaction::put_concept`], then none is put.
    pub fn put_concepts(&mut self, concepts: Vec<Concept>) -> Result<()> {
        let writes: Vec<Write> = concepts.iter().cloned().map(Write::Put).collect();
        writes.iter().try_for_each(|write| self.validate(write))?;
        self.writes.extend(writes);
        for concept in concepts {
            self.unread.remove(&concept.id);
            self.concepts.insert(concept.id.clone(), Some(concept));
        }
        Ok(())
    }

    /// Sets a concept's vector; makes a bare concept when there is none.
    ///
    /// # Errors
    /// As [`Transaction::put_concept`].
    pub fn put_vector(&mut self, id: &str, vector: Vec<f32>) -> Result<()> {
        let patch = ConceptPatch { vector: Some(Some(vector)), ..ConceptPatch::default() };
        self.patch(id, patch, true)
    }

    /// Changes some fields of a concept that is there.
    ///
    /// # Errors
    /// [`crate::Error::ConceptNotFound`]; as [`Transaction::put_concept`].
    pub fn update_concept(&mut self, id: &str, patch: ConceptPatch) -> Result<()> {
        if !self.contains(id)? {
            return Err(crate::Error::ConceptNotFound { id: id.to_owned(), is_end: false });
        }
        self.patch(id, patch, false)
    }

    fn patch(&mut self, id: &str, patch: ConceptPatch, create: bool) -> Result<()> {
        let write = Write::Patch { id: id.to_owned(), patch: Box::new(patch.clone()), create };
        self.validate(&write)?;
        let before = if let Some(own) = self.concepts.get(id) {
            own.clone()
        } else {
            let stored = self.base.concept(id)?;
            self.unread.insert(id.to_owned());
            stored
        };
        self.writes.push(write);
        let mut concept = before.unwrap_or_else(|| Concept::new(id, ""));
        patch.apply(&mut concept);
        self.concepts.insert(id.to_owned(), Some(concept));
        Ok(())
    }

    /// Deletes a concept with its associations; returns whether it was there.
    ///
    /// # Errors
    /// As [`Transaction::contains`].
    pub fn delete_concept(&mut self, id: &str) -> Result<bool> {
        let there = self.contains(id)?;
        if there {
            let lost = self.associations(id, Direction::Both)?;
            self.write(Write::Delete(id.to_owned()))?;
            for association in lost {
                let Association { source_id, target_id, association_type, .. } = association;
                self.edges.insert((source_id, target_id, association_type), None);
            }
            self.concepts.insert(id.to_owned(), None);
        }
        Ok(there)
    }

    /// Puts an association; missing ends are made bare if asked for, else committing fails.
    ///
    /// # Errors
    /// As [`Transaction::put_concept`].
    pub fn put_association(
        &mut self,
        association: Association,
        create_missing: bool,
    ) -> Result<()> {
        self.put_associations(vec![association], create_missing)
    }

    /// Puts associations, each in place of any of the same key; for missing ends see
    /// [`Transaction::put_association`].
    ///
    /// # Errors
    /// As [`Transaction::put_concept`], then none is put.
    pub fn put_associations(
        &mut self,
        associations: Vec<Association>,
        create_missing: bool,
    ) -> Result<()> {
        let write = |association| Write::PutAssociation { association, create_missing };
        let writes: Vec<Write> = associations.iter().cloned().map(write).collect();
        writes.iter().try_for_each(|write| self.validate(write))?;
        let mut missing = Vec::new();
        if create_missing {
            for id in associations.iter().flat_map(|a| [&a.source_id, &a.target_id]) {
                let known = match self.concepts.get(id) {
                    Some(own) => own.is_some(),
                    None => self.base.contains(id)?,
                };
                if !known {
                    missing.push(id.clone());
                }
            }
        }
        // From here on nothing fails.
        self.writes.extend(writes);
        for id in missing {
            self.unread.insert(id.clone());
            self.concepts.insert(id.clone(), Some(Concept::new(id, "")));
        }
        for association in associations {
            let key = (
                association.source_id.clone(),
                association.target_id.clone(),
                association.association_type.clone(),
            );
            self.edges.insert(key, Some(association));
        }
        Ok(())
    }

    /// Deletes an association; one that isn't there is passed over.
    ///
    /// # Errors
    /// As [`Transaction::put_concept`].
    pub fn delete_association(
        &mut self,
        source_id: &str,
        target_id: &str,
        association_type: &str,
    ) -> Result<()> {
        validate_type(association_type)?;
        let key = (source_id.to_owned(), target_id.to_owned(), association_type.to_owned());
        self.write(Write::DeleteAssociation {
            source_id: key.0.clone(),
            target_id: key.1.clone(),
            association_type: key.2.clone(),
        })?;
        self.edges.insert(key, None);
        Ok(())
    }

    /// Commits all writes, to survive power loss; returns the transaction's number.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when something read by id has changed: run the transaction again.
    /// [`crate::Error::ConceptNotFound`] for an association with a missing end, or a concept that was to be updated
    /// and is gone. As for [all writes](GraphStore#errors). After any of them nothing of the transaction is
    /// there, unless it is [`crate::Error::Poisoned`] or [`crate::Error::Io`]: then it may be there when the store
    /// is opened again.
    pub fn commit(self) -> Result<u64> {
        self.commit_with(Durability::Sync)
    }

    /// Commits all writes, and returns before they are durable: with a ticket that tells when they are.
    ///
    /// They are visible and in the log on return, and so survive the death of the process; a sync that
    /// makes them survive power loss begins at once in the background (without one, with [`Ticket::wait`] or
    /// whatever else makes the store durable), and one sync serves many transactions. So one thread can have many durable
    /// transactions under way.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub fn commit_async(self) -> Result<Ticket> {
        let namespace = self.store.namespace_name();
        self.store.shared.commit_async(namespace, self.writes, &self.reads)
    }

    /// Commits with another durability.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub fn commit_with(self, durability: Durability) -> Result<u64> {
        let namespace = self.store.namespace_name();
        self.store.shared.commit(namespace, self.writes, Some(&self.reads), durability)
    }
}
