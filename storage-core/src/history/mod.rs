//! What the store was: versions that ended, for as long as the retention asks, and when transactions
//! were committed.
//!
//! A version is dead in a part first, with the transaction that ended it; the merge that leaves it out
//! moves it here, to memory or to a file. Invariant: at every epoch from `start` on, the versions visible
//! then are those in the parts and here with `birth <= epoch < death`, and no others.

mod file;
mod stack;
mod version;

use std::sync::Arc;

pub(crate) use file::{HistoryFile, HistoryWriter, Outline, path};
pub(crate) use stack::Stack;
pub(crate) use version::{LeftOut, Subject, Version};

use crate::options::Retention;
use crate::{Error, Result};

/// Which rows and edges of a part one transaction ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deaths {
    pub(crate) lsn: u64,
    pub(crate) rows: Vec<u32>,
    pub(crate) edges: Vec<u32>,
}

impl Stack<Deaths> {
    /// The deaths that a transaction is the cause of, to be added to.
    pub(crate) fn of(&mut self, lsn: u64) -> &mut Deaths {
        // Who shares the newest entry must not see it change: a second one of the same LSN does as well.
        if self.top_mut().is_none_or(|deaths| deaths.lsn != lsn) {
            self.push(Deaths { lsn, ..Deaths::default() });
        }
        self.top_mut().expect("it was pushed just now, or no one shares it")
    }
}

/// A transaction and when it was committed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Commit {
    pub(crate) lsn: u64,
    pub(crate) time: f64,
}

/// Where the past is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) retention: Retention,
    /// The oldest epoch that can be read, and when it was committed.
    pub(crate) start: Era,
    /// Oldest first.
    pub(crate) files: Vec<Arc<HistoryFile>>,
    /// Versions that ended after the last flush, and are in no part any more; newest death first.
    pub(crate) versions: Stack<Version>,
    /// Transactions since the last flush.
    pub(crate) commits: Stack<Commit>,
}

/// The beginning of what can be read.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Era {
    pub(crate) lsn: u64,
    pub(crate) time: f64,
}

impl Default for Era {
    fn default() -> Self {
        Self { lsn: 0, time: 0.0 }
    }
}

impl History {
    /// Whether versions that end are kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.retention != Retention::None
    }

    /// Keeps a version that is in no part.
    pub(crate) fn keep(&mut self, version: Version) {
        if self.is_kept() {
            self.versions.push(version);
        }
    }

    /// When a transaction from the start on was committed.
    pub(crate) fn commit_time(&self, lsn: u64) -> Result<f64> {
        let recent = self.commits.iter().take_while(|commit| commit.lsn >= lsn);
        match recent.last().filter(|commit| commit.lsn == lsn) {
            Some(commit) => Ok(commit.time),
            None => self.flushed_time(lsn),
        }
    }

    /// When a transaction was committed that is the start, or in the files.
    fn flushed_time(&self, lsn: u64) -> Result<f64> {
        if lsn == self.start.lsn {
            return Ok(self.start.time);
        }
        for file in self.files.iter().rev() {
            if let Some(time) = file.commit_time(lsn)? {
                return Ok(time);
            }
        }
        let path = self.files.last().map_or("".as_ref(), |file| file.path());
        let expected = format!("the time of transaction {lsn}");
        Err(Error::corrupt(path, 40, expected, "none in any file"))
    }

    /// The last transaction committed at or before a time, between the start and `newest`.
    pub(crate) fn epoch_at(&self, time: f64, newest: u64) -> Result<u64> {
        if let Some(commit) = self.commits.iter().find(|commit| commit.time <= time) {
            return Ok(commit.lsn);
        }
        let flushed = self.commits.iter().last().map_or(newest, |commit| commit.lsn - 1);
        // Times grow with LSNs: the answer is in between.
        let (mut low, mut high) = (self.start.lsn, flushed.max(self.start.lsn));
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.flushed_time(middle)? > time {
                high = middle - 1;
            } else {
                low = middle;
            }
        }
        Ok(low)
    }

    /// The oldest epoch that the retention wants to be readable, given the time; the start where it keeps
    /// nothing, since that stands for nothing then.
    pub(crate) fn floor(&self, now: f64, newest: u64) -> Result<Era> {
        let Retention::For(kept) = self.retention else { return Ok(self.start) };
        let time = now - kept.as_secs_f64();
        if time < self.start.time {
            return Ok(self.start);
        }
        let lsn = self.epoch_at(time, newest)?;
        Ok(Era { lsn, time: self.commit_time(lsn)? })
    }

    /// The same history once all up to a transaction is in these files.
    pub(crate) fn flushed(&self, lsn: u64, files: Vec<Arc<HistoryFile>>, start: Era) -> Self {
        Self {
            retention: self.retention,
            start,
            files,
            versions: self.versions.take_while(|version| version.death > lsn),
            commits: self.commits.take_while(|commit| commit.lsn > lsn),
        }
    }

    /// Bytes of its files.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.byte_len() as u64).sum()
    }

    /// The wanted of the versions that are in no part, from memory and from the files that might hold any.
    pub(crate) fn for_each_version(
        &self,
        wanted: impl Fn(&Version) -> bool,
        might: impl Fn(&Outline) -> bool,
        mut take: impl FnMut(Version) -> Result<()>,
    ) -> Result<()> {
        for version in self.versions.iter().filter(|version| wanted(version)) {
            take(version.clone())?;
        }
        for file in self.files.iter().filter(|file| might(file.outline())) {
            file.for_each_version(|version| if wanted(&version) { take(version) } else { Ok(()) })?;
        }
        Ok(())
    }
}
