//! Keeping the past on disk, changing how long, and reading it.
//!
//! Invariant: a history file is complete before a manifest names it, and holds only what ended at or
//! before that manifest's LSN; what ended later follows from the log.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::Shared;
use super::commit::now;
use super::disk::Disk;
use super::flush::publish;
use crate::history::{Commit, Era, History, HistoryFile, HistoryWriter, LeftOut, Subject, Version};
use crate::manifest::{HistoryEntry, Manifest};
use crate::operation::Operation;
use crate::options::Retention;
use crate::state::State;
use crate::{Error, Result, record};

/// Adjacent files of a size class that are merged into one.
const FAN_IN: usize = 4;
/// Bytes of a file of the smallest class.
const SMALLEST_BYTES: u64 = 1 << 20;

/// A moment in a store's past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AsOf {
    /// Right after the transaction with this number.
    Epoch(u64),
    /// At this time, seconds since the Unix epoch: after the last transaction committed by then.
    Time(f64),
}

/// What an erasure leaves out of the past: a concept, or all of a namespace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forget<'a> {
    pub(super) namespace: &'a str,
    /// `None`: all of the namespace.
    pub(super) id: Option<&'a str>,
}

/// What is left out of the past: all versions of some concepts, and what hangs on them.
#[derive(Debug, Default)]
struct Forgotten(BTreeSet<u32>);

impl Forgotten {
    /// Learns a number that what is to be forgotten has had.
    fn learn(&mut self, version: &Version, forget: Forget<'_>) -> Result<()> {
        if let Operation::PutConcept(put) = version.sound_operation()?
            && forget.id.is_none_or(|id| put.id == id)
            && namespace_of(put.record)? == forget.namespace
        {
            self.0.insert(put.number);
        }
        Ok(())
    }

    fn holds(&self, version: &Version) -> Result<bool> {
        Ok(!self.0.is_empty()
            && match version.subject()? {
                Subject::Concept(number) | Subject::Access(number) => self.0.contains(&number),
                Subject::Association(key) => {
                    self.0.contains(&key.source) || self.0.contains(&key.target)
                }
            })
    }
}

fn namespace_of(record: &[u8]) -> Result<&str> {
    record::scope(record).map(|scope| scope.namespace).map_err(|e| {
        Error::corrupt(Path::new("(history)"), e.offset as u64, e.expected, "other bytes")
    })
}

impl Disk {
    /// Writes what a merge left out and the memory's history to a new file, with the newest files where
    /// these are many of a size, and enters it into the manifest; returns all its files.
    pub(super) fn write_history(
        &self,
        state: &State,
        left_out: LeftOut<'_>,
        manifest: &mut Manifest,
        forget: Option<Forget<'_>>,
    ) -> Result<Vec<Arc<HistoryFile>>> {
        let history = &state.history;
        if !history.is_kept() {
            manifest.history.clear();
            return Ok(Vec::new());
        }
        let floor = manifest.history_start.lsn;
        let mut files: Vec<Arc<HistoryFile>> = history
            .files
            .iter()
            .filter(|file| {
                let outline = file.outline();
                outline.newest_death > floor || outline.end_commit() > floor + 1
            })
            .cloned()
            .collect();
        let absorbed = files.split_off(files.len() - absorb(&files, forget.is_some()));

        // What ended after the manifest's LSN stays in memory, and follows from the log.
        let is_flushed = |lsn: u64| floor < lsn && lsn <= manifest.lsn;
        let each_version =
            |take: &mut dyn FnMut(Version) -> Result<()>| {
                for file in &absorbed {
                    file.for_each_version(|version| {
                        if version.death > floor { take(version) } else { Ok(()) }
                    })?;
                }
                left_out.for_each_version(floor, take)?;
                let ended = history.versions.iter().filter(|version| is_flushed(version.death));
                ended.cloned().try_for_each(take)
            };
        let mut forgotten = Forgotten::default();
        if let Some(forget) = forget {
            each_version(&mut |version| forgotten.learn(&version, forget))?;
        }

        let id = manifest.next_segment;
        let mut writer = LazyWriter { disk: self, store: state.store, id, writer: None };
        let (first, times) = commit_times(state, &absorbed, &is_flushed)?;
        if !times.is_empty() {
            writer.get()?.commits(first, &times)?;
        }
        each_version(&mut |version| {
            if forgotten.holds(&version)? { Ok(()) } else { writer.get()?.version(&version) }
        })?;
        if let Some(writer) = writer.writer {
            manifest.next_segment += 1;
            writer.finish()?;
            files.push(Arc::new(HistoryFile::open(&*self.fs, &self.dir, &state.store, id)?));
        }
        manifest.history = files
            .iter()
            .map(|file| HistoryEntry { id: file.outline().id, bytes: file.byte_len() as u64 })
            .collect();
        Ok(files)
    }
}

/// A writer that makes its file when there is something to write.
struct LazyWriter<'a> {
    disk: &'a Disk,
    store: [u8; 16],
    id: u64,
    writer: Option<HistoryWriter>,
}

impl LazyWriter<'_> {
    fn get(&mut self) -> Result<&mut HistoryWriter> {
        let Self { disk, store, id, writer } = self;
        if writer.is_none() {
            *writer = Some(HistoryWriter::create(&*disk.fs, &disk.dir, *store, *id)?);
        }
        Ok(writer.as_mut().expect("it was made just now"))
    }
}

/// How many of the newest files go into the new one.
fn absorb(files: &[Arc<HistoryFile>], all: bool) -> usize {
    if all {
        return files.len();
    }
    let class = |file: &HistoryFile| {
        let (mut class, mut bytes) = (0, SMALLEST_BYTES);
        while file.byte_len() as u64 > bytes {
            bytes = bytes.saturating_mul(FAN_IN as u64);
            class += 1;
        }
        class
    };
    let top = files.iter().map(|file| class(file)).max().unwrap_or(0);
    (0..=top)
        .map(|limit| files.iter().rev().take_while(|file| class(file) <= limit).count())
        .find(|&count| count + 1 >= FAN_IN)
        .unwrap_or(0)
}

/// When the transactions of some files, and those since, were committed: the first's LSN, and all times.
fn commit_times(
    state: &State,
    absorbed: &[Arc<HistoryFile>],
    is_flushed: &impl Fn(u64) -> bool,
) -> Result<(u64, Vec<f64>)> {
    let mut times = Vec::new();
    let mut first = None;
    let mut add = |commit: Commit| {
        if is_flushed(commit.lsn) {
            first.get_or_insert(commit.lsn);
            times.push(commit.time);
        }
    };
    for file in absorbed {
        file.for_each_commit(&mut add)?;
    }
    let recent: Vec<Commit> = state.history.commits.iter().copied().collect();
    recent.into_iter().rev().for_each(add);
    Ok((first.unwrap_or(0), times))
}

impl State {
    /// Drops of the history in memory what the retention does not ask for, and what is to be forgotten.
    pub(super) fn prune_history(&mut self, now: f64, forget: Option<Forget<'_>>) -> Result<()> {
        if !self.history.is_kept() {
            return Ok(());
        }
        let floor = self.history.floor(now, self.epoch)?;
        let mut forgotten = Forgotten::default();
        if let Some(forget) = forget {
            self.history
                .versions
                .iter()
                .try_for_each(|version| forgotten.learn(version, forget))?;
        }
        let history = &mut self.history;
        let mut kept = Vec::new();
        for version in history.versions.iter().filter(|version| version.death > floor.lsn) {
            if !forgotten.holds(version)? {
                kept.push(version.clone());
            }
        }
        history.versions = kept.into_iter().rev().collect();
        history.commits = history.commits.take_while(|commit| commit.lsn > floor.lsn);
        history.start = floor;
        Ok(())
    }
}

impl Shared {
    /// Keeps the past for another time from now on.
    pub(super) fn set_retention(&self, retention: Retention) -> Result<()> {
        let Some(disk) = &self.disk else {
            let mut writer = self.writer();
            let mut state = State::clone(&self.state.load());
            if state.history.retention == Retention::None || retention == Retention::None {
                let start = Era { lsn: state.epoch, time: state.commit_time };
                state.history = History { start, ..History::default() };
            }
            state.history.retention = retention;
            self.show(&mut writer, state);
            return Ok(());
        };
        let _lease = disk.lease()?;
        self.flush_leased(disk)?;
        let previous = self.manifest();
        if previous.retention == retention {
            return Ok(());
        }
        let mut manifest = previous.clone();
        manifest.generation = disk.next_generation(&previous)?;
        manifest.retention = retention;
        if previous.retention == Retention::None {
            manifest.history_start = Era { lsn: manifest.lsn, time: manifest.commit_time };
        }
        if retention == Retention::None {
            manifest.history.clear();
        }
        publish(disk, &manifest)?;
        disk.control.set_generation(manifest.generation);
        // What was committed after the flush is read anew, and kept by the new rule.
        let mut writer = self.writer();
        self.adopt_newest(disk, &mut writer)?;
        drop(writer);
        disk.remove_unneeded(&manifest, Some(&previous));
        Ok(())
    }

    /// The state at a moment of the past.
    pub(super) fn state_as_of(&self, moment: AsOf) -> Result<Arc<State>> {
        let state = self.newest_state()?;
        let epoch = match moment {
            AsOf::Epoch(epoch) => epoch,
            AsOf::Time(time) if time.is_nan() => {
                return Err(Error::InvalidArgument {
                    name: "as_of",
                    expected: "a time in seconds since the epoch".to_owned(),
                    found: "NaN".to_owned(),
                });
            }
            AsOf::Time(time) if time >= state.commit_time => state.epoch,
            AsOf::Time(time) => {
                let start = state.history.start;
                if !state.history.is_kept() || time < start.time {
                    state.check_kept(start.lsn.saturating_sub(1))?;
                }
                state.history.epoch_at(time, state.epoch)?
            }
        };
        if epoch == state.epoch { Ok(state) } else { state.as_of(epoch).map(Arc::new) }
    }

    /// Drops what the retention does not ask for from time to time, where no flush does.
    pub(super) fn prune_in_memory(&self, state: &mut State) -> Result<()> {
        const EVERY: u64 = 1024;
        if self.disk.is_none() && state.epoch.is_multiple_of(EVERY) {
            state.prune_history(now(), None)?;
        }
        Ok(())
    }
}
