//! The store's everyday calls: single writes and batches, and reads of the newest state.

use super::history::Forget;
use super::write::Write;
use super::{GraphStore, StoreStats, VerifyReport};
use crate::options::Durability;
use crate::state::{AuditQuery, ConceptHit, Filter, FoundPaths, HybridHit, PathQuery, TextQuery};
use crate::{Association, Audit, Concept, ConceptPatch, Direction, Result};

impl GraphStore {
    fn single(&self, write: Write) -> Result<u64> {
        let durability = self.shared.options.durability;
        self.shared.commit(self.namespace_name(), vec![write], None, durability)
    }

    fn batch(&self, writes: Vec<Write>) -> Result<u64> {
        self.shared.commit(self.namespace_name(), writes, None, Durability::Sync)
    }

    // ---- writing -----------------------------------------------------------------------------------

    /// Puts a concept, in place of any of the same id; returns the transaction's number.
    ///
    /// # Errors
    /// As for [all writes](GraphStore#errors).
    pub fn put_concept(&self, concept: Concept) -> Result<u64> {
        self.single(Write::Put(concept))
    }

    /// Puts concepts in one transaction that survives power loss once this returns.
    ///
    /// # Errors
    /// As for [all writes](GraphStore#errors), then none is put.
    pub fn put_concepts(&self, concepts: Vec<Concept>) -> Result<u64> {
        self.batch(concepts.into_iter().map(Write::Put).collect())
    }

    /// Sets a concept's vector; makes a bare concept when there is none.
    ///
    /// # Errors
    /// As for [all writes](GraphStore#errors).
    pub fn put_vector(&self, id: &str, vector: Vec<f32>) -> Result<u64> {
        let patch = ConceptPatch { vector: Some(Some(vector)), ..ConceptPatch::default() };
        self.single(Write::Patch { id: id.to_owned(), patch: Box::new(patch), create: true })
    }

    /// Sets concepts' vectors in one durable transaction.
    ///
    /// # Errors
    /// As [`GraphStore::put_concepts`].
    pub fn put_vectors(&self, vectors: Vec<(String, Vec<f32>)>) -> Result<u64> {
        let write = |(id, vector)| {
            let patch = ConceptPatch { vector: Some(Some(vector)), ..ConceptPatch::default() };
            Write::Patch { id, patch: Box::new(patch), create: true }
        };
        self.batch(vectors.into_iter().map(write).collect())
    }

    /// Changes some fields of a concept that is there.
    ///
    /// # Errors
    /// [`crate::Error::ConceptNotFound`]; as for [all writes](GraphStore#errors).
    pub fn update_concept(&self, id: &str, patch: ConceptPatch) -> Result<u64> {
        self.single(Write::Patch { id: id.to_owned(), patch: Box::new(patch), create: false })
    }

    /// Deletes a concept with its vector, words and associations; returns whether it was there.
    ///
    /// # Errors
    /// As for [all writes](GraphStore#errors).
    pub fn delete_concept(&self, id: &str) -> Result<bool> {
        let there = self.contains(id)?;
        if there {
            self.single(Write::Delete(id.to_owned()))?;
        }
        Ok(there)
    }

    /// Deletes concepts in one durable transaction; those that aren't there are passed over.
    ///
    /// # Errors
    /// As for [all writes](GraphStore#errors).
    pub fn delete_concepts(&self, ids: Vec<String>) -> Result<u64> {
        self.batch(ids.into_iter().map(Write::Delete).collect())
    }

    /// Deletes a concept and rewrites the store's files, so that none of them holds anything of it.
    ///
    /// The past is rewritten, too: whatever the retention, no earlier state has the concept any more.
    /// Takes as long as a compaction. Backups made before keep theirs, and so does memory that an open
    /// [`crate::Snapshot`] of another handle or process needs. Returns whether it was there.
    ///
    /// # Errors
    /// As for all [writes and upkeep](GraphStore#errors); [`crate::Error::Io`] when an old file can't be removed. Then
    /// the concept may be deleted already, and still be in files: erase it again.
    pub fn erase(&self, id: &str) -> Result<bool> {
        let there = self.contains(id)?;
        // What expired is not there, and has to go all the same.
        self.batch(vec![Write::Delete(id.to_owned())])?;
        // What was deleted before is still in the files.
        self.shared.purge_now(Forget { namespace: self.namespace_name(), id: Some(id) })?;
        Ok(there)
    }

    /// Puts an association, in place of any of the same source, target and type.
    ///
    /// # Errors
    /// [`crate::Error::ConceptNotFound`] names a missing end; as for [all writes](GraphStore#errors).
    pub fn put_association(&self, association: Association) -> Result<u64> {
        self.single(Write::PutAssociation { association, create_missing: false })
    }

    /// As [`GraphStore::put_association`]; missing ends are made, bare.
    ///
    /// # Errors
    /// As for [all writes](GraphStore#errors).
    pub fn put_association_creating_ends(&self, association: Association) -> Result<u64> {
        self.single(Write::PutAssociation { association, create_missing: true })
    }

    /// Puts associations in one durable transaction.
    ///
    /// # Errors
    /// As [`GraphStore::put_association`], then none is put.
    pub fn put_associations(
        &self,
        associations: Vec<Association>,
        create_missing: bool,
    ) -> Result<u64> {
        let write = |association| Write::PutAssociation { association, create_missing };
        self.batch(associations.into_iter().map(write).collect())
    }

    /// Deletes an association; returns whether it was there.
    ///
    /// # Errors
    /// As for [all writes](GraphStore#errors).
    pub fn delete_association(
        &self,
        source_id: &str,
        target_id: &str,
        association_type: &str,
    ) -> Result<bool> {
        let there = self.snapshot()?.association(source_id, target_id, association_type)?.is_some();
        if there {
            self.single(Write::DeleteAssociation {
                source_id: source_id.to_owned(),
                target_id: target_id.to_owned(),
                association_type: association_type.to_owned(),
            })?;
        }
        Ok(there)
    }

    /// Counts an access to a concept, and sets its strength if one is given.
    ///
    /// # Errors
    /// [`crate::Error::ConceptNotFound`]; as for [all writes](GraphStore#errors).
    pub fn access(&self, id: &str, strength: Option<f32>) -> Result<u64> {
        self.single(Write::Access { id: id.to_owned(), strength })
    }

    // ---- reading the newest state --------------------------------------------------------------------

    /// As [`crate::Snapshot::contains`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn contains(&self, id: &str) -> Result<bool> {
        self.snapshot()?.contains(id)
    }

    /// As [`crate::Snapshot::concept`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn concept(&self, id: &str) -> Result<Option<Concept>> {
        self.snapshot()?.concept(id)
    }

    /// As [`crate::Snapshot::vector`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn vector(&self, id: &str) -> Result<Option<Vec<f32>>> {
        self.snapshot()?.vector(id)
    }

    /// As [`crate::Snapshot::neighbors`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn neighbors(&self, id: &str, direction: Direction) -> Result<Vec<String>> {
        self.snapshot()?.neighbors(id, direction)
    }

    /// As [`crate::Snapshot::associations`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn associations(
        &self,
        id: &str,
        direction: Direction,
        types: Option<&[String]>,
    ) -> Result<Vec<Association>> {
        self.snapshot()?.associations(id, direction, types)
    }

    /// As [`crate::Snapshot::concepts_in_range`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn concepts_in_range(&self, start: f64, end: f64) -> Result<Vec<String>> {
        self.snapshot()?.concepts_in_range(start, end)
    }

    /// As [`crate::Snapshot::search_text`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn search_text(&self, text: &str, limit: usize) -> Result<Vec<ConceptHit>> {
        self.snapshot()?.search_text(text, limit)
    }

    /// As [`crate::Snapshot::search_vector`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn search_vector(
        &self,
        query: &[f32],
        k: usize,
        filter: &Filter,
    ) -> Result<Vec<ConceptHit>> {
        self.snapshot()?.search_vector(query, k, filter)
    }

    /// As [`crate::Snapshot::search_hybrid`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn search_hybrid(
        &self,
        text: Option<&TextQuery<'_>>,
        vector: Option<&[f32]>,
        k: usize,
        filter: &Filter,
    ) -> Result<Vec<HybridHit>> {
        self.snapshot()?.search_hybrid(text, vector, k, filter)
    }

    /// As [`crate::Snapshot::audit_vectors`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn audit_vectors(&self, query: &AuditQuery<'_>) -> Result<Audit> {
        self.snapshot()?.audit_vectors(query)
    }

    /// As [`crate::Snapshot::find_paths`], of the newest state.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn find_paths(
        &self,
        sources: &[&str],
        targets: &[&str],
        query: &PathQuery,
    ) -> Result<FoundPaths> {
        self.snapshot()?.find_paths(sources, targets, query)
    }

    /// What the store holds and how it is doing.
    ///
    /// # Errors
    /// As for [all reads](GraphStore#errors).
    pub fn stats(&self) -> Result<StoreStats> {
        self.shared.stats(&self.snapshot()?)
    }

    /// Reads every file whole, compares all checksums, and checks that records decode and that rows and
    /// indexes of the newest state agree.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`]; [`crate::Error::Io`] when the directory can't be listed; as for
    /// [all calls](GraphStore#errors). Damage is no error here but in the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.shared.verify()
    }
}
