//! A version that is no more: what it was, and the transactions that began and ended it.

use crate::codec::{Decode, Reader, put_bytes, put_varint};
use crate::operation::{EdgeKey, Operation, decode_operation};
use crate::record::Touch;
use crate::segment::Segment;
use crate::state::Part;
use crate::{Error, Result};

/// A version of a concept, an association or an access entry that was visible at `birth <= epoch < death`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) birth: u64,
    pub(crate) death: u64,
    /// The operation that would bring it back.
    operation: Box<[u8]>,
}

/// What a version is a version of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Concept(u32),
    Association(EdgeKey),
    Access(u32),
}

impl Version {
    pub(crate) fn new(birth: u64, death: u64, operation: &Operation<'_>) -> Self {
        let mut bytes = Vec::new();
        operation.encode(&mut bytes);
        Self { birth, death, operation: bytes.into() }
    }

    pub(crate) fn was_visible_at(&self, epoch: u64) -> bool {
        self.birth <= epoch && epoch < self.death
    }

    /// The operation that would bring it back; an access entry has its birth as LSN.
    pub(crate) fn operation(&self) -> Decode<Operation<'_>> {
        let mut reader = Reader::new(&self.operation);
        let operation = decode_operation(&mut reader)?;
        if !reader.is_at_end() {
            return Err(reader.error("the end of a version"));
        }
        match operation {
            Operation::Touch(touch) => Ok(Operation::Touch(Touch { lsn: self.birth, ..touch })),
            Operation::PutConcept(_) | Operation::PutAssociation(_) => Ok(operation),
            _ => Err(reader.error("a concept, an association or an access entry")),
        }
    }

    pub(crate) fn subject(&self) -> Result<Subject> {
        Ok(match self.sound_operation()? {
            Operation::PutConcept(put) => Subject::Concept(put.number),
            Operation::PutAssociation(put) => Subject::Association(put.key),
            Operation::Touch(touch) => Subject::Access(touch.number),
            _ => unreachable!("no other operation is decoded as a version"),
        })
    }

    /// The operation of a version that was decoded whole before, or made here.
    pub(crate) fn sound_operation(&self) -> Result<Operation<'_>> {
        self.operation().map_err(|e| {
            Error::corrupt("(history)".as_ref(), e.offset as u64, e.expected, "other bytes")
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.birth);
        put_varint(out, self.death.saturating_sub(self.birth));
        put_bytes(out, &self.operation);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Decode<Self> {
        let birth = reader.varint()?;
        let lived = reader.varint()?;
        let death = birth.checked_add(lived).ok_or_else(|| reader.error("a time of death"))?;
        let version = Self { birth, death, operation: reader.bytes()?.into() };
        version.operation()?;
        Ok(version)
    }
}

/// A merge of parts, seen by what it leaves out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeftOut<'a> {
    pub(crate) parts: &'a [Part],
    /// What the merge made; `None` when nothing was left.
    pub(crate) merged: Option<&'a Segment>,
    /// The epoch of the state which the parts are of.
    pub(crate) epoch: u64,
}

impl LeftOut<'_> {
    /// The versions that the merge left out and that died after `floor`.
    pub(crate) fn for_each_version(
        &self,
        floor: u64,
        take: &mut dyn FnMut(Version) -> Result<()>,
    ) -> Result<()> {
        for part in self.parts {
            dead_versions(part, floor, take)?;
        }
        lost_touches(self, floor, take)
    }
}

/// The versions in a part that died after `floor`.
fn dead_versions(
    part: &Part,
    floor: u64,
    take: &mut dyn FnMut(Version) -> Result<()>,
) -> Result<()> {
    let segment = &part.segment;
    let mut end = |births: &[u64], index: u32, lsn: u64, put: &Operation<'_>| {
        match births.get(index as usize) {
            // What one transaction put and took back was never seen.
            Some(&birth) if birth < lsn => take(Version::new(birth, lsn, put)),
            _ => Ok(()),
        }
    };
    for deaths in part.deaths.iter().take_while(|deaths| deaths.lsn > floor) {
        for &row in &deaths.rows {
            let put = Operation::PutConcept(segment.put_of_row(row)?);
            end(segment.births()?, row, deaths.lsn, &put)?;
        }
        for &edge in &deaths.edges {
            let put = Operation::PutAssociation(segment.put_of_edge(edge)?);
            end(segment.edge_births()?, edge, deaths.lsn, &put)?;
        }
    }
    Ok(())
}

/// Access entries that a merge left out: all of a concept but the newest, and those of rows that died.
///
/// Each lasts until the next one that the merge sees, or the merge itself: who reads the past takes the
/// newest that is not older than the concept's version, so an end that comes too late does no harm.
fn lost_touches(
    left_out: &LeftOut<'_>,
    floor: u64,
    take: &mut dyn FnMut(Version) -> Result<()>,
) -> Result<()> {
    let mut entries = Vec::new();
    for part in left_out.parts {
        entries.extend(part.segment.touches()?.iter().map(Touch::decode));
    }
    entries.sort_unstable_by_key(|touch| (touch.number, touch.lsn));
    for (at, touch) in entries.iter().enumerate() {
        let next = entries.get(at + 1).filter(|next| next.number == touch.number);
        let death = match (next, left_out.merged) {
            (Some(next), _) => next.lsn,
            (None, Some(merged)) if merged.touch(touch.number)?.is_some() => continue,
            (None, _) => left_out.epoch,
        };
        if touch.lsn < death && death > floor {
            take(Version::new(touch.lsn, death, &Operation::Touch(*touch)))?;
        }
    }
    Ok(())
}
