//! Following the log to its end, and mending an end that a crash left torn.
//!
//! Invariant: what was once shown to be durable is either applied or reported as damage; only bytes that
//! no one acknowledged are discarded, and they are counted.

use super::disk::{Disk, Position, header};
use crate::manifest::Manifest;
use crate::state::{Frame, State};
use crate::wal::{self, End, Log};
use crate::{Error, Result};

/// Payload bytes that are gathered before they are applied together.
const REPLAY_BYTES: usize = 8 << 20;

impl Disk {
    /// Applies what the log has beyond a state; stops at its end, clean or torn.
    pub(super) fn follow(&self, position: &mut Position, mut state: State) -> Result<(State, End)> {
        loop {
            let (next, end) = replay(&mut position.log, state)?;
            state = next;
            let End::Sealed { next } = end else { return Ok((state, end)) };
            let log = self.open_log(next, state.store)?.ok_or_else(|| {
                let path = wal::log_path(&self.dir, next);
                Error::corrupt(&path, 0, "the log that the seal before names", "no header")
            })?;
            position.go_on_in(log);
        }
    }

    /// Follows the log, and beyond its end the logs that a crash left without a seal before them.
    pub(super) fn follow_chain(&self, position: &mut Position, mut state: State) -> Result<State> {
        loop {
            let (next, _) = self.follow(position, state)?;
            state = next;
            match self.next_whole_log(position, &state)? {
                NextLog::None => return Ok(state),
                NextLog::Found(log) => position.go_on_in(*log),
                NextLog::Gap { number, start_lsn } => {
                    // A writer may have gone on and rotated since this log was read.
                    let epoch = state.epoch;
                    let (next, _) = self.follow(position, state)?;
                    state = next;
                    if state.epoch == epoch {
                        let path = position.log.path();
                        let expected = format!(
                            "transactions up to {}, where log {number} goes on",
                            start_lsn - 1
                        );
                        return Err(Error::corrupt(
                            path,
                            position.log.bytes(),
                            expected,
                            format!("none after {epoch}"),
                        ));
                    }
                }
            }
        }
    }

    /// The next newer log that is whole and has transactions that the state has not.
    ///
    /// One that has no more is what a rotation or recovery left that failed or was cut short before its
    /// seal: handles that are open go on in the older log, so this one must, too.
    fn next_whole_log(&self, position: &Position, state: &State) -> Result<NextLog> {
        let current = position.log.header().number;
        for number in wal::list_logs(&*self.fs, &self.dir)? {
            if number <= current {
                continue;
            }
            let Some(log) = self.whole_log(number, state.store)? else { continue };
            let start_lsn = log.header().start_lsn;
            if start_lsn > state.epoch + 1 {
                return Ok(NextLog::Gap { number, start_lsn });
            }
            if log.newest_lsn() > state.epoch
                && let Some(log) = self.open_log(number, state.store)?
            {
                return Ok(NextLog::Found(Box::new(log)));
            }
        }
        Ok(NextLog::None)
    }

    /// A log, followed to its end; `None` where there is none, or a recovery that a second crash cut short:
    /// then the older logs still count, and what it copied was given up since, perhaps.
    fn whole_log(&self, number: u64, store: [u8; 16]) -> Result<Option<Log>> {
        let Some(mut log) = self.open_log(number, store)? else { return Ok(None) };
        log.follow(u64::MAX, &mut |_| Ok(()))?;
        Ok(log.is_whole().then_some(log))
    }

    /// At opening: if the log's end is torn and no living writer is at it, starts a new log.
    ///
    /// Waits for no one, unless a sync failed before.
    ///
    /// After a failed sync the log's bytes may be in the system's memory and not on the medium, marked
    /// as written: they are written anew, to a new log.
    pub(super) fn settle(&self, position: &mut Position, state: State) -> Result<State> {
        if self.control.mended() != self.poisonings {
            let _lock = self.write_lock()?;
            let state = self.catch_up_locked(position, state)?;
            if self.control.mended() != self.poisonings {
                self.recover(position, &state)?;
                self.control.set_mended(self.poisonings);
            }
            return Ok(state);
        }
        let (state, end) = self.follow(position, state)?;
        let is_current = |state: &State, generation: u64| {
            self.control.newest_lsn() == state.epoch && self.control.generation() == generation
        };
        if end == End::Clean && is_current(&state, position.newest) {
            return Ok(state);
        }
        // Whoever holds the lock puts the page right; if no one gets it now, a commit does. A torn end
        // that a living writer holds is what it is just writing; if it dies, the next commit mends it.
        let Some(_lock) = self.try_write_lock() else { return Ok(state) };
        let state = self.catch_up_locked(position, state)?;
        self.control.set_newest_lsn(state.epoch);
        let newest = Manifest::list(&*self.fs, &self.dir)?.first().copied();
        if newest == Some(position.newest) {
            self.control.set_generation(position.newest);
        }
        Ok(state)
    }

    /// Brings a state up to the end of the log, under the write lock; a torn end is recovered.
    pub(super) fn catch_up_locked(&self, position: &mut Position, state: State) -> Result<State> {
        let (state, end) = self.follow(position, state)?;
        match end {
            End::Clean => Ok(state),
            End::Torn { discarded_bytes, .. } => {
                self.recover(position, &state)?;
                position.discarded_bytes += discarded_bytes;
                Ok(state)
            }
            End::Sealed { .. } => unreachable!("following goes on past a seal"),
        }
    }

    /// Starts a new log with the transactions since the manifest, and seals the torn one before it.
    pub(super) fn recover(&self, position: &mut Position, state: &State) -> Result<()> {
        // The manifest on disk may be newer than this handle's, whose log may not be needed any more; or it
        // is damaged, and opening fell back from it.
        let generations = Manifest::list(&*self.fs, &self.dir)?;
        let newest = generations.first().map(|&at| Manifest::read(&*self.fs, &self.dir, at));
        let manifest = match newest {
            Some(Err(Error::Corrupt { .. })) | None => position.manifest.clone(),
            Some(newest) => newest?,
        };
        let start_lsn = manifest.lsn + 1;
        let logs = wal::list_logs(&*self.fs, &self.dir)?;
        let number = logs.last().copied().unwrap_or(0).max(position.log.header().number) + 1;
        let header = header(state.store, number, start_lsn, state.epoch.max(manifest.lsn));
        let mut fresh = Log::create(&*self.fs, &self.dir, header)?;
        let mut source = Some(manifest.log);
        while fresh.newest_lsn() < state.epoch {
            let before = fresh.newest_lsn();
            let Some(number) = source else {
                let expected = format!("transactions up to {} in the logs", state.epoch);
                return Err(Error::corrupt(&self.dir, 0, expected, format!("up to {before}")));
            };
            source = logs.iter().copied().find(|&other| other > number);
            if self.whole_log(number, state.store)?.is_some()
                && let Some(mut log) = self.open_log(number, state.store)?
            {
                let end = log.follow(before, &mut |frame| {
                    if frame.lsn == fresh.newest_lsn() + 1 && frame.lsn <= state.epoch {
                        fresh.append(frame.lsn, frame.payload)?;
                    }
                    Ok(())
                })?;
                if let End::Sealed { next } = end {
                    source = Some(next);
                }
            }
        }
        self.note_sync(fresh.group().sync(fresh.newest_lsn()).map(|_| ()))?;
        // The copies were durable before, or are now: damage to them must not pass for a torn tail.
        fresh.mark_synced()?;
        self.note_sync(position.log.seal(number))?;
        position.go_on_in(fresh);
        Ok(())
    }

    /// Spreads the word of a failed sync to all handles on the store.
    pub(super) fn note_sync(&self, outcome: Result<()>) -> Result<()> {
        if matches!(outcome, Err(Error::Poisoned { .. }))
            && self.control.poisonings() == self.poisonings
        {
            self.control.poison();
        }
        outcome
    }

    pub(super) fn check_not_poisoned(&self) -> Result<()> {
        if self.control.poisonings() == self.poisonings {
            return Ok(());
        }
        let reason = "a handle on it, here or in another process, met the failure".to_owned();
        Err(Error::Poisoned { path: self.dir.clone(), reason })
    }
}

/// What comes after the end of a log that has no seal.
enum NextLog {
    None,
    Found(Box<Log>),
    /// A newer log, but not from here on.
    Gap {
        number: u64,
        start_lsn: u64,
    },
}

/// Applies what one log has beyond a state.
fn replay(log: &mut Log, mut state: State) -> Result<(State, End)> {
    let path = log.path().to_owned();
    let mut gathered: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut bytes = 0;
    let apply = |state: &State, gathered: &mut Vec<(u64, Vec<u8>)>| {
        let frames: Vec<Frame<'_>> =
            gathered.iter().map(|(lsn, payload)| Frame { lsn: *lsn, payload }).collect();
        let mut next = state.apply(&frames, &path)?;
        next.tidy(0)?;
        gathered.clear();
        Ok::<_, Error>(next)
    };
    let from = state.epoch;
    let end = log.follow(from, &mut |frame| {
        gathered.push((frame.lsn, frame.payload.to_vec()));
        bytes += frame.payload.len();
        if bytes >= REPLAY_BYTES {
            state = apply(&state, &mut gathered)?;
            bytes = 0;
        }
        Ok(())
    })?;
    if !gathered.is_empty() {
        state = apply(&state, &mut gathered)?;
    }
    Ok((state, end))
}
