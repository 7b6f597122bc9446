//! The stores, behind what the measurement needs of them.
//!
//! Invariant: when [`Session::put`] returns, the records survive power loss, in every store.

mod fjall;
mod redb;
mod sqlite;
mod sutra;

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;

use crate::work::Record;

pub(crate) use sutra::lock_cost;

/// A store in one of its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Indexes of ids, words and time
    Sutra,
    /// The same, with vectors of 384 components as 16-bit floats
    SutraVectors,
    /// SQLite with an FTS5 index of the words and an index of the time
    SqliteFts,
    /// SQLite with the ids' index alone
    SqliteRaw,
    /// redb as it comes
    Redb,
    /// redb with quick repair, which its documentation names for fast opening after a crash
    RedbQuick,
    /// fjall as it comes
    Fjall,
}

impl Kind {
    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("no store is hidden").get_name().to_owned()
    }

    /// What it does, for the reader of the results.
    pub(crate) fn settings(self) -> &'static str {
        match self {
            Self::Sutra => "sync commits; indexes of ids, words (English) and time",
            Self::SutraVectors => "as sutra, with vectors of 384 components stored as f16",
            Self::SqliteFts => {
                "WAL, synchronous=FULL, 64 MiB cache; FTS5 (porter unicode61, external content), \
                 index of time"
            }
            Self::SqliteRaw => "WAL, synchronous=FULL, 64 MiB cache; index of ids alone",
            Self::Redb => "Durability::Immediate; one table",
            Self::RedbQuick => "Durability::Immediate, quick repair; one table",
            Self::Fjall => "PersistMode::SyncAll a batch; one keyspace",
        }
    }

    pub(crate) fn has_vectors(self) -> bool {
        self == Self::SutraVectors
    }

    /// Opens the store in a folder, or makes it there.
    ///
    /// # Errors
    ///
    /// What the store fails with.
    pub(crate) fn open(self, folder: &Path) -> Result<Box<dyn Store>> {
        Ok(match self {
            Self::Sutra => Box::new(sutra::Sutra::open(folder, false)?),
            Self::SutraVectors => Box::new(sutra::Sutra::open(folder, true)?),
            Self::SqliteFts => Box::new(sqlite::Sqlite::open(folder, true)?),
            Self::SqliteRaw => Box::new(sqlite::Sqlite::open(folder, false)?),
            Self::Redb => Box::new(redb::Redb::open(folder, false)?),
            Self::RedbQuick => Box::new(redb::Redb::open(folder, true)?),
            Self::Fjall => Box::new(fjall::Fjall::open(folder)?),
        })
    }
}

/// A store that is open.
pub(crate) trait Store: Send + Sync {
    /// What one thread works with.
    ///
    /// # Errors
    ///
    /// What the store fails with.
    fn session(&self) -> Result<Box<dyn Session + '_>>;

    /// Bytes that are in the log and in no other file yet, where the store tells.
    fn backlog_bytes(&self) -> Option<u64> {
        None
    }

    /// Makes the files as small as the store can.
    ///
    /// # Errors
    ///
    /// What the store fails with.
    fn compact(&mut self) -> Result<()>;

    /// Closes, and says what failed.
    ///
    /// # Errors
    ///
    /// What the store fails with.
    fn close(self: Box<Self>) -> Result<()>;
}

/// A record on its way in, with its vector where the store takes one.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub(crate) record: Record,
    pub(crate) vector: Option<Vec<f32>>,
}

/// What one thread does with a store.
pub(crate) trait Session {
    /// Puts new records in one transaction; they survive power loss on return.
    ///
    /// # Errors
    ///
    /// What the store fails with.
    fn put(&mut self, records: Vec<Put>) -> Result<()>;

    /// The record of an id.
    ///
    /// # Errors
    ///
    /// What the store fails with.
    fn get(&mut self, id: &str) -> Result<Option<Record>>;

    /// How many records there are.
    ///
    /// # Errors
    ///
    /// What the store fails with.
    fn count(&mut self) -> Result<u64>;
}
