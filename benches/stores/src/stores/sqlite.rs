//! SQLite in WAL mode, each commit synced; with the indexes that Sutra has, or without.
//!
//! A session is a connection of its own, as SQLite's documentation asks for threads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{Put, Session, Store};
use crate::work::Record;

pub(super) struct Sqlite {
    path: PathBuf,
    has_words: bool,
    /// Keeps the database open between sessions.
    connection: std::sync::Mutex<Connection>,
}

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS concepts (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, content TEXT NOT NULL,
        created REAL NOT NULL, strength REAL NOT NULL, confidence REAL NOT NULL,
        source TEXT NOT NULL, category TEXT NOT NULL, attributes TEXT NOT NULL
    ) STRICT";

const WORDS: &str = "
    CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
        content, content='concepts', content_rowid='number', tokenize='porter unicode61');
    CREATE INDEX IF NOT EXISTS times ON concepts(created)";

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_mins(1))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -64 * 1024)?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(connection)
}

impl Sqlite {
    pub(super) fn open(folder: &Path, has_words: bool) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join("store.sqlite");
        let is_new = !path.exists();
        let connection = connect(&path)?;
        if is_new {
            connection.execute_batch(TABLE)?;
            if has_words {
                connection.execute_batch(WORDS)?;
            }
        } else {
            // The file itself is read at the first statement.
            connection
                .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        }
        Ok(Self { path, has_words, connection: std::sync::Mutex::new(connection) })
    }
}

impl Store for Sqlite {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(SqliteSession { connection: connect(&self.path)?, has_words: self.has_words }))
    }

    fn compact(&mut self) -> Result<()> {
        let connection = self.connection.get_mut().expect("no holder panics");
        if self.has_words {
            connection.execute("INSERT INTO words(words) VALUES('optimize')", [])?;
        }
        connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        let connection = self.connection.into_inner().expect("no holder panics");
        connection.close().map_err(|(_, error)| error.into())
    }
}

struct SqliteSession {
    connection: Connection,
    has_words: bool,
}

impl Session for SqliteSession {
    fn put(&mut self, records: Vec<Put>) -> Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO concepts(id, content, created, strength, confidence, source, \
                 category, attributes) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            let mut index = self
                .has_words
                .then(|| {
                    transaction.prepare_cached("INSERT INTO words(rowid, content) VALUES(?, ?)")
                })
                .transpose()?;
            for Put { record, .. } in &records {
                let number = insert.insert(params![
                    record.id,
                    record.content,
                    record.created,
                    f64::from(record.strength),
                    f64::from(record.confidence),
                    record.source,
                    record.category,
                    format!("{{\"rank\":{}}}", record.rank),
                ])?;
                if let Some(index) = &mut index {
                    index.execute(params![number, record.content])?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    fn get(&mut self, id: &str) -> Result<Option<Record>> {
        let mut select = self.connection.prepare_cached(
            "SELECT content, created, strength, confidence, source, category, attributes \
             FROM concepts WHERE id = ?",
        )?;
        let row = select.query_row([id], |row| {
            let attributes: String = row.get(6)?;
            let record = Record {
                id: id.to_owned(),
                content: row.get(0)?,
                created: row.get(1)?,
                strength: row.get::<_, f64>(2)? as f32,
                confidence: row.get::<_, f64>(3)? as f32,
                source: row.get(4)?,
                category: row.get(5)?,
                rank: 0,
            };
            Ok((record, attributes))
        });
        let Some((mut record, attributes)) = row.optional()? else { return Ok(None) };
        let attributes: serde_json::Value = serde_json::from_str(&attributes)?;
        record.rank = attributes["rank"].as_u64().unwrap_or(u64::MAX);
        Ok(Some(record))
    }

    fn count(&mut self) -> Result<u64> {
        let count: i64 =
            self.connection.query_row("SELECT count(*) FROM concepts", [], |row| row.get(0))?;
        Ok(count as u64)
    }
}
