//! CONTROL: one page of counters that all processes on a store share, so that "is there anything
//! new?" is a memory read.
//!
//! Invariant: advisory only. Any value may be missing, stale or wild; the truth is in the log and the
//! manifest, and whoever takes the write lock puts the page right.

use crate::fs::{PageHandle, SharedPage};
use crate::sync::Ordering;

const NEWEST_LSN: usize = 0;
const GENERATION: usize = 1;
const WRITER_PID: usize = 2;
const POISONINGS: usize = 3;
const MENDED: usize = 4;
const LEASE_PID: usize = 5;

/// The shared counters of a store.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    page: PageHandle,
    /// Whether other processes see what is written here.
    shared: bool,
}

impl Control {
    pub(crate) fn shared(page: PageHandle) -> Self {
        Self { page, shared: true }
    }

    /// For a store that can't be written: nothing tells of news, so each read asks the log.
    pub(crate) fn private() -> Self {
        Self { page: PageHandle(std::sync::Arc::new(SharedPage::private())), shared: false }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    fn get(&self, word: usize) -> u64 {
        self.page.0.word(word).load(Ordering::Acquire)
    }

    fn set(&self, word: usize, value: u64) {
        self.page.0.word(word).store(value, Ordering::Release);
    }

    /// The newest transaction in the log.
    pub(crate) fn newest_lsn(&self) -> u64 {
        self.get(NEWEST_LSN)
    }

    pub(crate) fn set_newest_lsn(&self, lsn: u64) {
        self.set(NEWEST_LSN, lsn);
    }

    /// The generation of the newest manifest.
    pub(crate) fn generation(&self) -> u64 {
        self.get(GENERATION)
    }

    pub(crate) fn set_generation(&self, generation: u64) {
        self.set(GENERATION, generation);
    }

    /// The process that last took the write lock.
    pub(crate) fn writer_pid(&self) -> u32 {
        self.get(WRITER_PID) as u32
    }

    pub(crate) fn set_writer_pid(&self, pid: u32) {
        self.set(WRITER_PID, u64::from(pid));
    }

    /// The process that last took the lease of flush and compaction.
    pub(crate) fn lease_pid(&self) -> u32 {
        self.get(LEASE_PID) as u32
    }

    pub(crate) fn set_lease_pid(&self, pid: u32) {
        self.set(LEASE_PID, u64::from(pid));
    }

    /// How often a sync has failed; a handle refuses writes once this differs from when it opened.
    pub(crate) fn poisonings(&self) -> u64 {
        self.get(POISONINGS)
    }

    /// How many of the poisonings are behind the store: what they left in doubt was written anew.
    pub(crate) fn mended(&self) -> u64 {
        self.get(MENDED)
    }

    pub(crate) fn set_mended(&self, poisonings: u64) {
        self.set(MENDED, poisonings);
    }

    pub(crate) fn poison(&self) {
        self.page.0.word(POISONINGS).fetch_add(1, Ordering::AcqRel);
    }
}
