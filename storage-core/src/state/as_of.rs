//! The store as it was: the same parts with other rows dead, and what history adds.
//!
//! All reads and searches then work as on any state, with the words' statistics of that moment. Invariant:
//! as for every state, a concept number is live in one part at most, and so is an association's key.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::{Part, State};
use crate::history::{Subject, Version};
use crate::operation::{EdgeKey, Operation};
use crate::record::Touch;
use crate::segment::{Identity, NewEdge, NewPart, NewRow, Segment, build_on_heap};
use crate::{Error, Result};

impl State {
    /// The state after transaction `epoch`, which is kept.
    ///
    /// # Complexity
    /// Linear in the rows and edges of the parts that changed since, and in what history holds from
    /// before.
    pub(crate) fn as_of(&self, epoch: u64) -> Result<Self> {
        if epoch == self.epoch {
            return Ok(self.clone());
        }
        if epoch > self.epoch {
            return Err(Error::InvalidArgument {
                name: "as_of",
                expected: format!("an epoch up to {}, the newest", self.epoch),
                found: epoch.to_string(),
            });
        }
        self.check_kept(epoch)?;
        let mut then = self.clone();
        then.past = true;
        then.epoch = epoch;
        then.changed = Vec::new();
        then.commit_time = self.history.commit_time(epoch)?;
        then.parts = Vec::with_capacity(self.parts.len() + 1);
        for part in &self.parts {
            then.parts.extend(part_as_of(part, epoch)?);
        }
        let versions = self.versions_at(epoch)?;
        if !versions.is_empty() {
            let segment = then.revive(&versions)?;
            then.parts.push(Part::new(Arc::new(segment)));
        }
        then.note_scopes();
        Ok(then)
    }

    /// The oldest epoch that can be read.
    pub(crate) fn oldest_epoch(&self) -> u64 {
        if self.history.is_kept() { self.history.start.lsn } else { self.epoch }
    }

    /// Fails for an epoch whose versions may be gone.
    pub(crate) fn check_kept(&self, epoch: u64) -> Result<()> {
        let kept = self.history.is_kept();
        let oldest = self.oldest_epoch();
        if epoch < oldest {
            return Err(Error::BeyondRetention { asked: epoch, oldest, kept });
        }
        Ok(())
    }

    /// The versions of history that were visible at an epoch.
    fn versions_at(&self, epoch: u64) -> Result<Vec<Version>> {
        let mut versions = Vec::new();
        self.history.for_each_version(
            |version| version.was_visible_at(epoch),
            |file| file.oldest_birth <= epoch && epoch < file.newest_death,
            |version| {
                versions.push(version);
                Ok(())
            },
        )?;
        Ok(versions)
    }

    /// A part of versions that are visible at one epoch.
    fn revive(&self, versions: &[Version]) -> Result<Segment> {
        let mut rows = BTreeMap::new();
        let mut edges = BTreeMap::new();
        let mut touches: BTreeMap<u32, Touch> = BTreeMap::new();
        let (mut first_lsn, mut last_lsn) = (u64::MAX, 0);
        for version in versions {
            let birth = version.birth;
            (first_lsn, last_lsn) = (first_lsn.min(birth), last_lsn.max(birth));
            match version.sound_operation()? {
                Operation::PutConcept(put) => {
                    rows.insert(put.number, NewRow::put(birth, &put));
                }
                Operation::PutAssociation(put) => {
                    edges.insert(put.key, NewEdge::put(birth, &put));
                }
                Operation::Touch(touch) => {
                    let newest = touches.entry(touch.number).or_insert(touch);
                    if newest.lsn < touch.lsn {
                        *newest = touch;
                    }
                }
                _ => unreachable!("no other operation is decoded as a version"),
            }
        }
        let part = NewPart {
            rows: rows.into_iter().collect(),
            edges: edges.into_iter().collect(),
            touches: touches.into_values().collect(),
        };
        let identity = Identity { store: self.store, id: 0, first_lsn, last_lsn };
        build_on_heap(&part, &identity, &self.config, self.analyzer, self.hasher)
    }

    /// The newest transaction but for sweeps, which only delete what had expired.
    ///
    /// Where the past is not kept that far, what can't be told apart counts as no sweep.
    pub(crate) fn last_write(&self) -> Result<u64> {
        let mut epoch = self.epoch;
        while epoch > self.oldest_epoch() && self.is_sweep(epoch)? {
            epoch -= 1;
        }
        Ok(epoch)
    }

    fn is_sweep(&self, epoch: u64) -> Result<bool> {
        let Changed { numbers, keys, has_put } = self.changed(epoch..=epoch)?;
        if has_put {
            return Ok(false);
        }
        let before = self.as_of(epoch - 1)?;
        let then = self.history.commit_time(epoch)?;
        for &number in &numbers {
            if let Some(place) = before.find_number(number)?
                && !before.segment(place).row_window(place.row)?.is_expired(then)
            {
                return Ok(false);
            }
        }
        for &key in &keys {
            let went_along = [key.source, key.target].iter().any(|end| numbers.contains(end));
            if !went_along
                && let Some(association) = before.association_by_key(key)?
                && !association.window().is_expired(then)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The concepts and associations that some transactions put, changed or deleted.
    pub(crate) fn changed(&self, epochs: RangeInclusive<u64>) -> Result<Changed> {
        let (mut numbers, mut keys) = (Vec::new(), Vec::new());
        let mut has_put = false;
        for part in &self.parts {
            let segment = &part.segment;
            let identity = segment.identity();
            let later = part.deaths.iter().take_while(|deaths| deaths.lsn >= *epochs.start());
            let mut ended = later.filter(|deaths| epochs.contains(&deaths.lsn)).peekable();
            if identity.last_lsn < *epochs.start() && ended.peek().is_none() {
                continue;
            }
            let born = |births: &[u64]| -> Vec<u32> {
                let born = (0..).zip(births).filter(|(_, birth)| epochs.contains(birth));
                born.map(|(at, _)| at).collect()
            };
            let mut rows = born(segment.births()?);
            let mut edges = born(segment.edge_births()?);
            has_put |= !rows.is_empty() || !edges.is_empty();
            for deaths in ended {
                rows.extend(&deaths.rows);
                edges.extend(&deaths.edges);
            }
            let column = segment.numbers()?;
            numbers.extend(rows.into_iter().map(|row| column[row as usize]));
            if let Some(graph) = segment.graph()? {
                let found = edges.into_iter().filter_map(|edge| graph.edge(edge));
                keys.extend(found.map(EdgeKey::from));
            }
            for touch in segment.touches()?.iter().map(Touch::decode) {
                if epochs.contains(&touch.lsn) {
                    numbers.push(touch.number);
                    has_put = true;
                }
            }
        }
        self.history.for_each_version(
            |version| epochs.contains(&version.birth) || epochs.contains(&version.death),
            |file| file.newest_death >= *epochs.start() && file.oldest_birth <= *epochs.end(),
            |version| {
                has_put |= epochs.contains(&version.birth);
                match version.subject()? {
                    Subject::Concept(number) | Subject::Access(number) => numbers.push(number),
                    Subject::Association(key) => keys.push(key),
                }
                Ok(())
            },
        )?;
        numbers.sort_unstable();
        numbers.dedup();
        keys.sort_unstable();
        keys.dedup();
        Ok(Changed { numbers, keys, has_put })
    }
}

/// What transactions changed.
pub(crate) struct Changed {
    /// Of concepts, each once, in order.
    pub(crate) numbers: Vec<u32>,
    /// Of associations, each once, in order.
    pub(crate) keys: Vec<EdgeKey>,
    /// Whether they did more than delete.
    has_put: bool,
}

/// What of a part was visible at an epoch; `None` when nothing was there yet.
fn part_as_of(part: &Part, epoch: u64) -> Result<Option<Part>> {
    let segment = &part.segment;
    let identity = segment.identity();
    if identity.first_lsn > epoch {
        return Ok(None);
    }
    let mut later = part.deaths.iter().take_while(|deaths| deaths.lsn > epoch).peekable();
    let all_born = identity.last_lsn <= epoch;
    if all_born && later.peek().is_none() {
        return Ok(Some(part.clone()));
    }
    let mut rows = (*part.dead_rows).clone();
    let mut edges = (*part.dead_edges).clone();
    for deaths in later {
        for &row in &deaths.rows {
            rows.remove(row);
        }
        for &edge in &deaths.edges {
            edges.remove(edge);
        }
    }
    if !all_born {
        rows |= unborn(segment.births()?, epoch);
        edges |= unborn(segment.edge_births()?, epoch);
    }
    Part::with_dead(Arc::clone(segment), &rows, edges).map(Some)
}

fn unborn(births: &[u64], epoch: u64) -> RoaringBitmap {
    (0..).zip(births).filter(|&(_, &birth)| birth > epoch).map(|(at, _)| at).collect()
}
