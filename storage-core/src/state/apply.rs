//! Applies transactions to a state: the one path from a log payload to what readers see.
//!
//! A commit applies its own payload, an opening or a catch-up those that it finds in the log, so
//! that what was seen before a crash and after it can't differ.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{MAX_TYPES, Part, State};
use crate::codec::DecodeError;
use crate::operation::{EdgeKey, Operation, Payload};
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
                        self.kill_concept(put.number)?;
                    }
                    self.next_number = self.next_number.max(put.number.saturating_add(1));
                    added.touches.remove(&put.number);
                    let row = NewRow {
                        birth: frame.lsn,
                        created: put.created,
                        id: put.id,
                        record: put.record,
                        vector: put.vector,
                    };
                    added.rows.insert(put.number, row);
                }
                Operation::DeleteConcept { number } => {
                    changed.push(number);
                    if number < fresh {
                        self.kill_concept(number)?;
                        for part in &mut self.parts {
                            part.kill_edges_at(number, &mut changed)?;
                        }
                    }
                    let lost = added.edges.keys();
                    let lost = lost.filter(|key| key.source == number || key.target == number);
                    changed.extend(lost.flat_map(|key| [key.source, key.target]));
                    added.rows.remove(&number);
                    added.touches.remove(&number);
                    added.edges.retain(|key, _| key.source != number && key.target != number);
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
                    self.kill_association(put.key, fresh)?;
                    let edge = NewEdge {
                        birth: frame.lsn,
                        weight: put.weight,
                        confidence: put.confidence,
                        record: put.record,
                    };
                    added.edges.insert(put.key, edge);
                }
                Operation::DeleteAssociation(key) => {
                    changed.extend([key.source, key.target]);
                    self.kill_association(key, fresh)?;
                    added.edges.remove(&key);
                }
                Operation::Touch(touch) => {
                    changed.push(touch.number);
                    added.touches.insert(touch.number, touch);
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        self.changed.push((frame.lsn, changed));
        Ok(())
    }

    fn kill_concept(&mut self, number: u32) -> Result<()> {
        for part in self.parts.iter_mut().rev() {
            if let Some(row) = part.live_row_of(number)? {
                return part.kill_row(row);
            }
        }
        Ok(())
    }

    fn kill_association(&mut self, key: EdgeKey, fresh: u32) -> Result<()> {
        if key.source >= fresh || key.target >= fresh {
            return Ok(());
        }
        for part in self.parts.iter_mut().rev() {
            let found = part.segment.find_edge(key)?;
            if let Some(edge) = found.filter(|&edge| !part.dead_edges.contains(edge)) {
                part.kill_edge(edge);
                return Ok(());
            }
        }
        Ok(())
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
