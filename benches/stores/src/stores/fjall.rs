//! fjall: one keyspace, each batch synced with all metadata.

use std::path::Path;

use anyhow::Result;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Put, Session, Store};
use crate::work::Record;

pub(super) struct Fjall {
    database: Database,
    concepts: Keyspace,
}

impl Fjall {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let database = Database::builder(folder).open()?;
        let concepts = database.keyspace("concepts", KeyspaceCreateOptions::default)?;
        Ok(Self { database, concepts })
    }
}

impl Store for Fjall {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(FjallSession(self)))
    }

    fn backlog_bytes(&self) -> Option<u64> {
        self.database.journal_disk_space().ok()
    }

    fn compact(&mut self) -> Result<()> {
        self.concepts.rotate_memtable_and_wait()?;
        Ok(self.concepts.major_compact()?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}

struct FjallSession<'a>(&'a Fjall);

impl Session for FjallSession<'_> {
    fn put(&mut self, records: Vec<Put>) -> Result<()> {
        let mut batch = self.0.database.batch().durability(Some(PersistMode::SyncAll));
        for Put { record, .. } in &records {
            batch.insert(&self.0.concepts, record.id.as_str(), record.encode());
        }
        Ok(batch.commit()?)
    }

    fn get(&mut self, id: &str) -> Result<Option<Record>> {
        self.0.concepts.get(id)?.map(|value| Record::decode(id, &value)).transpose()
    }

    fn count(&mut self) -> Result<u64> {
        Ok(self.0.concepts.len()? as u64)
    }
}
