//! Applies transactions to a state: the one path from a log payload to what readers see.
//!
//! A commit applies its own payload, an opening or a catch-up those that it finds in the log, so
//! that what was seen before a crash and after it can't differ.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::part::Ending;
use super::{MAX_TYPES, Part, State};
use crate::codec::DecodeError;
use crate::ends::Ends;
use crate::history::{Commit, Version};
use crate::operation::{EdgeKey, Operation, Payload, PutAssociation, PutConcept};
use crate::record::Touch;
use crate::segment::{Identity, NewEdge, NewPart, NewRow, build_on_heap};
use crate::{Error, Result};

/// A transaction as the log has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) lsn: u64,
    pub(crate) payload: &'a [u8],
}

/// What the applied transactions add, before it becomes a part.
#[derive(Default)]
struct Added<'a> {
    rows: BTreeMap<u32, NewRow<'a>>,
    edges: BTreeMap<EdgeKey, NewEdge<'a>>,
    ends: Ends,
    touches: BTreeMap<u32, Touch>,
}

impl State {
    /// The state after these transactions, which follow the last one in it without a gap.
    ///
    /// `log` names where they come from, for errors.
    pub(crate) fn apply(&self, frames: &[Frame<'_>], log: &Path) -> Result<Self> {
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
            return Ok(self.clone());
        };
        let mut next = self.clone();
        let mut added = Added::default();
        // Numbers from here on are new: no older part can hold anything of theirs.
        let fresh = self.next_number;
        for frame in frames {
            if frame.lsn != next.epoch + 1 {
                let expected = format!("transaction {}", next.epoch + 1);
                return Err(Error::corrupt(log, 0, expected, frame.lsn.to_string()));
            }
            next.apply_frame(frame, fresh, &mut added).map_err(|e| e.at(log, frame.lsn))?;
            next.epoch = frame.lsn;
        }
        if added.rows.is_empty() && added.edges.is_empty() && added.touches.is_empty() {
            return Ok(next);
        }
        let part = NewPart {
            rows: added.rows.into_iter().collect(),
            edges: added.edges.into_iter().collect(),
            touches: added.touches.into_values().collect(),
        };
        let identity =
            Identity { store: self.store, id: 0, first_lsn: first.lsn, last_lsn: last.lsn };
        let segment = build_on_heap(&part, &identity, &self.config, self.analyzer, self.hasher)?;
        next.is_scoped |= segment.is_scoped();
        next.parts.push(Part::new(Arc::new(segment)));
        Ok(next)
    }

    fn apply_frame<'a>(
        &mut self,
        frame: &Frame<'a>,
        fresh: u32,
        added: &mut Added<'a>,
    ) -> Result<(), Failure> {
        let mut payload = Payload::parse(frame.payload)?;
        self.commit_time = payload.commit_time;
        let by = Ending { lsn: frame.lsn, is_kept: self.history.is_kept() };
        if by.is_kept {
            self.history.commits.push(Commit { lsn: frame.lsn, time: payload.commit_time });
        }
        let mut changed = Vec::new();
        while let Some(operation) = payload.next_operation()? {
            match operation {
                Operation::PutConcept(put) => {
                    let vector_len =
                        self.config.vector_dimension * self.config.vector_storage.component_bytes();
                    if !put.vector.is_empty() && put.vector.len() != vector_len {
                        return Err(Failure::Rule("vectors of the store's dimension"));
                    }
                    changed.push(put.number);
                    if put.number < fresh {
                        self.end_concept(put.number, by)?;
                    }
                    self.next_number = self.next_number.max(put.number.saturating_add(1));
                    if let Some(touch) = added.touches.remove(&put.number) {
                        self.keep_touch(&touch, by);
                    }
                    let row = NewRow::put(frame.lsn, &put);
                    if let Some(old) = added.rows.insert(put.number, row) {
                        self.keep_row(put.number, &old, by);
                    }
                }
                Operation::DeleteConcept { number } => {
                    self.delete_concept(number, fresh, by, added, &mut changed)?;
                }
                Operation::DefineType { type_id, name } => {
                    if type_id as usize != self.types.len() {
                        return Err(Failure::Rule("types numbered in sequence"));
                    }
                    if self.types.len() == MAX_TYPES {
                        return Err(Failure::Rule("at most 65,536 types"));
                    }
                    Arc::make_mut(&mut self.types).push(name);
                }
                Operation::PutAssociation(put) => {
                    if put.key.type_id as usize >= self.types.len() {
                        return Err(Failure::Rule("an association of a defined type"));
                    }
                    changed.extend([put.key.source, put.key.target]);
                    self.end_association(put.key, fresh, by)?;
                    let edge = NewEdge::put(frame.lsn, &put);
                    added.ends.add(put.key);
                    if let Some(old) = added.edges.insert(put.key, edge) {
                        self.keep_edge(put.key, &old, by);
                    }
                }
                Operation::DeleteAssociation(key) => {
                    changed.extend([key.source, key.target]);
                    self.end_association(key, fresh, by)?;
                    if let Some(old) = added.edges.remove(&key) {
                        self.keep_edge(key, &old, by);
                    }
                }
                Operation::Touch(touch) => {
                    changed.push(touch.number);
                    let touch = Touch { lsn: frame.lsn, ..touch };
                    if let Some(old) = added.touches.insert(touch.number, touch) {
                        self.keep_touch(&old, by);
                    }
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        self.changed.push((frame.lsn, changed));
        Ok(())
    }

    fn delete_concept(
        &mut self,
        number: u32,
        fresh: u32,
        by: Ending,
        added: &mut Added<'_>,
        changed: &mut Vec<u32>,
    ) -> Result<()> {
        changed.push(number);
        if number < fresh {
            self.end_concept(number, by)?;
            for part in &mut self.parts {
                part.end_edges_at(number, by, changed)?;
            }
        }
        if let Some(old) = added.rows.remove(&number) {
            self.keep_row(number, &old, by);
        }
        if let Some(touch) = added.touches.remove(&number) {
            self.keep_touch(&touch, by);
        }
        for key in added.ends.take(number, added.edges.keys().copied()) {
            if let Some(edge) = added.edges.remove(&key) {
                changed.extend([key.source, key.target]);
                self.keep_edge(key, &edge, by);
            }
        }
        Ok(())
    }

    fn end_concept(&mut self, number: u32, by: Ending) -> Result<()> {
        for part in self.parts.iter_mut().rev() {
            if let Some(row) = part.live_row_of(number)? {
                return part.end_row(row, by);
            }
        }
        Ok(())
    }

    fn end_association(&mut self, key: EdgeKey, fresh: u32, by: Ending) -> Result<()> {
        if key.source >= fresh || key.target >= fresh {
            return Ok(());
        }
        for part in self.parts.iter_mut().rev() {
            let found = part.segment.find_edge(key)?;
            if let Some(edge) = found.filter(|&edge| !part.dead_edges.contains(edge)) {
                part.end_edge(edge, by);
                return Ok(());
            }
        }
        Ok(())
    }

    // ---- versions that began and ended among the transactions that are applied together ------------

    fn keep_row(&mut self, number: u32, row: &NewRow<'_>, by: Ending) {
        let put = Operation::PutConcept(PutConcept {
            number,
            id: row.id,
            created: row.created,
            record: row.record,
            vector: row.vector,
        });
        self.keep_ended(row.birth, &put, by);
    }

    fn keep_edge(&mut self, key: EdgeKey, edge: &NewEdge<'_>, by: Ending) {
        let put = Operation::PutAssociation(PutAssociation {
            key,
            weight: edge.weight,
            confidence: edge.confidence,
            record: edge.record,
        });
        self.keep_ended(edge.birth, &put, by);
    }

    fn keep_touch(&mut self, touch: &Touch, by: Ending) {
        self.keep_ended(touch.lsn, &Operation::Touch(*touch), by);
    }

    fn keep_ended(&mut self, birth: u64, operation: &Operation<'_>, by: Ending) {
        // What one transaction put and took back was never seen.
        if by.is_kept && birth < by.lsn {
            self.history.keep(Version::new(birth, by.lsn, operation));
        }
    }
}

/// Why a frame could not be applied, before it is known which log it came from.
enum Failure {
    Decode(DecodeError),
    Rule(&'static str),
    Other(Error),
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Failure {
    fn at(self, log: &Path, lsn: u64) -> Error {
        let within = |expected: &str, offset: usize| {
            Error::corrupt(
                log,
                offset as u64,
                expected,
                format!("other bytes in transaction {lsn}, counted from its start"),
            )
        };
        match self {
            Self::Decode(error) => within(error.expected, error.offset),
            Self::Rule(expected) => within(expected, 0),
            Self::Other(error) => error,
        }
    }
}
