//! redb: one table, each commit durable at once, which is its default.

use std::path::Path;

use anyhow::Result;
use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _, TableDefinition};

use super::{Put, Session, Store};
use crate::work::Record;

const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("concepts");

pub(super) struct Redb {
    database: Database,
    quick_repair: bool,
}

impl Redb {
    pub(super) fn open(folder: &Path, quick_repair: bool) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join("store.redb");
        Ok(Self { database: Database::create(path)?, quick_repair })
    }
}

impl Store for Redb {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(RedbSession(self)))
    }

    fn compact(&mut self) -> Result<()> {
        while self.database.compact()? {}
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.database.close()?)
    }
}

struct RedbSession<'a>(&'a Redb);

impl Session for RedbSession<'_> {
    fn put(&mut self, records: Vec<Put>) -> Result<()> {
        let mut transaction = self.0.database.begin_write()?;
        transaction.set_quick_repair(self.0.quick_repair);
        {
            let mut table = transaction.open_table(TABLE)?;
            for Put { record, .. } in &records {
                table.insert(record.id.as_str(), record.encode().as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn get(&mut self, id: &str) -> Result<Option<Record>> {
        let table = self.0.database.begin_read()?.open_table(TABLE)?;
        table.get(id)?.map(|value| Record::decode(id, value.value())).transpose()
    }

    fn count(&mut self) -> Result<u64> {
        Ok(self.0.database.begin_read()?.open_table(TABLE)?.len()?)
    }
}
