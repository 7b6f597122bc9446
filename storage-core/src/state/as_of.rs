//! The store as it was: the same parts with other rows dead, and what history adds.
//!
//! All reads and searches then work as on any state, with the words' statistics of that moment. Invariant:
//! as for every state, a concept number is live in one part at most, and so is an association's key.

use std::collections::BTreeMap;
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

    /// The concepts and associations that the newest transaction put, changed or deleted.
    pub(crate) fn last_changed(&self) -> Result<(Vec<u32>, Vec<EdgeKey>)> {
        let epoch = self.epoch;
        let (mut numbers, mut keys) = (Vec::new(), Vec::new());
        for part in &self.parts {
            let segment = &part.segment;
            let mut ended = part.deaths.iter().take_while(|deaths| deaths.lsn >= epoch).peekable();
            if segment.identity().last_lsn < epoch && ended.peek().is_none() {
                continue;
            }
            let born = |births: &[u64]| -> Vec<u32> {
                (0..).zip(births).filter(|&(_, &birth)| birth == epoch).map(|(at, _)| at).collect()
            };
            let mut rows = born(segment.births()?);
            let mut edges = born(segment.edge_births()?);
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
            let touches = segment.touches()?.iter().map(Touch::decode);
            numbers.extend(touches.filter(|touch| touch.lsn == epoch).map(|touch| touch.number));
        }
        self.history.for_each_version(
            |version| version.death == epoch,
            |file| file.newest_death >= epoch,
            |version| {
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
        Ok((numbers, keys))
    }
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
