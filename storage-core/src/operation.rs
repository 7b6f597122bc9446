//! What a transaction does, as the log keeps it: operations on numbers, resolved and ordered.
//!
//! A payload is the commit time (f64), then operations, each a kind byte and its operands. Ids and
//! types appear where they are first given a number. Replaying a payload needs no look-up by id, so
//! that it has one outcome only.

use graph_index::EdgeRef;

use crate::codec::{Decode, Reader, put_bytes, put_varint};
use crate::record::Touch;

/// One resolved operation, borrowing its bytes from the payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation<'a> {
    /// Puts a concept under its number, new or kept; replaces what was there.
    PutConcept(PutConcept<'a>),
    /// Deletes a concept and all associations at it.
    DeleteConcept {
        /// The concept.
        number: u32,
    },
    /// Gives an association type its number.
    DefineType {
        /// The number, one above the last.
        type_id: u32,
        /// The type.
        name: &'a str,
    },
    /// Puts an association; replaces the one of the same key.
    PutAssociation(PutAssociation<'a>),
    /// Deletes an association.
    DeleteAssociation(EdgeKey),
    /// Sets how often and when a concept was accessed.
    Touch(Touch),
}

/// The operands of [`Operation::PutConcept`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PutConcept<'a> {
    pub(crate) number: u32,
    pub(crate) id: &'a str,
    pub(crate) created: f64,
    pub(crate) record: &'a [u8],
    /// The vector's components in the store's storage format; empty: none.
    pub(crate) vector: &'a [u8],
}

/// The operands of [`Operation::PutAssociation`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PutAssociation<'a> {
    pub(crate) key: EdgeKey,
    pub(crate) weight: f32,
    pub(crate) confidence: f32,
    pub(crate) record: &'a [u8],
}

/// What identifies an association within a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EdgeKey {
    pub(crate) source: u32,
    pub(crate) target: u32,
    pub(crate) type_id: u32,
}

impl From<EdgeRef> for EdgeKey {
    fn from(edge: EdgeRef) -> Self {
        Self { source: edge.source, target: edge.target, type_id: edge.type_id }
    }
}

mod kind {
    pub(super) const PUT_CONCEPT: u8 = 1;
    pub(super) const DELETE_CONCEPT: u8 = 2;
    pub(super) const DEFINE_TYPE: u8 = 3;
    pub(super) const PUT_ASSOCIATION: u8 = 4;
    pub(super) const DELETE_ASSOCIATION: u8 = 5;
    pub(super) const TOUCH: u8 = 6;
}

/// Starts a payload.
pub(crate) fn begin_payload(commit_time: f64) -> Vec<u8> {
    commit_time.to_le_bytes().to_vec()
}

impl Operation<'_> {
    /// Appends the operation to a payload.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::PutConcept(put) => {
                out.push(kind::PUT_CONCEPT);
                put_varint(out, u64::from(put.number));
                put_bytes(out, put.id.as_bytes());
                out.extend_from_slice(&put.created.to_le_bytes());
                put_bytes(out, put.record);
                put_bytes(out, put.vector);
            }
            Self::DeleteConcept { number } => {
                out.push(kind::DELETE_CONCEPT);
                put_varint(out, u64::from(*number));
            }
            Self::DefineType { type_id, name } => {
                out.push(kind::DEFINE_TYPE);
                put_varint(out, u64::from(*type_id));
                put_bytes(out, name.as_bytes());
            }
            Self::PutAssociation(put) => {
                out.push(kind::PUT_ASSOCIATION);
                put_key(out, put.key);
                out.extend_from_slice(&put.weight.to_le_bytes());
                out.extend_from_slice(&put.confidence.to_le_bytes());
                put_bytes(out, put.record);
            }
            Self::DeleteAssociation(key) => {
                out.push(kind::DELETE_ASSOCIATION);
                put_key(out, *key);
            }
            Self::Touch(touch) => {
                out.push(kind::TOUCH);
                touch.encode_logged(out);
            }
        }
    }
}

fn put_key(out: &mut Vec<u8>, key: EdgeKey) {
    put_varint(out, u64::from(key.source));
    put_varint(out, u64::from(key.target));
    put_varint(out, u64::from(key.type_id));
}

fn take_key(reader: &mut Reader<'_>) -> Decode<EdgeKey> {
    Ok(EdgeKey { source: reader.u32()?, target: reader.u32()?, type_id: reader.u32()? })
}

/// A decoded payload: its commit time, and its operations one by one.
#[derive(Debug)]
pub(crate) struct Payload<'a> {
    pub(crate) commit_time: f64,
    reader: Reader<'a>,
}

impl<'a> Payload<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Decode<Self> {
        let mut reader = Reader::new(bytes);
        let commit_time = reader.f64()?;
        Ok(Self { commit_time, reader })
    }

    /// The next operation, or `None` at the end.
    pub(crate) fn next_operation(&mut self) -> Decode<Option<Operation<'a>>> {
        let reader = &mut self.reader;
        if reader.is_at_end() {
            return Ok(None);
        }
        decode_operation(reader).map(Some)
    }
}

/// Decodes one operation.
pub(crate) fn decode_operation<'a>(reader: &mut Reader<'a>) -> Decode<Operation<'a>> {
    Ok(match reader.u8()? {
        kind::PUT_CONCEPT => Operation::PutConcept(PutConcept {
            number: reader.u32()?,
            id: reader.str()?,
            created: reader.f64()?,
            record: reader.bytes()?,
            vector: reader.bytes()?,
        }),
        kind::DELETE_CONCEPT => Operation::DeleteConcept { number: reader.u32()? },
        kind::DEFINE_TYPE => Operation::DefineType { type_id: reader.u32()?, name: reader.str()? },
        kind::PUT_ASSOCIATION => Operation::PutAssociation(PutAssociation {
            key: take_key(reader)?,
            weight: reader.f32()?,
            confidence: reader.f32()?,
            record: reader.bytes()?,
        }),
        kind::DELETE_ASSOCIATION => Operation::DeleteAssociation(take_key(reader)?),
        kind::TOUCH => Operation::Touch(Touch::decode_logged(reader)?),
        _ => return Err(reader.error("a known operation")),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn operations_come_back_in_order() {
        let key = EdgeKey { source: 1, target: 300, type_id: 2 };
        let operations = [
            Operation::DefineType { type_id: 2, name: "is a" },
            Operation::PutConcept(PutConcept {
                number: 1,
                id: "dog",
                created: 1.5,
                record: b"r",
                vector: &[1, 2, 3, 4],
            }),
            Operation::PutAssociation(PutAssociation {
                key,
                weight: 0.5,
                confidence: 0.25,
                record: b"",
            }),
            Operation::DeleteAssociation(key),
            Operation::Touch(Touch {
                number: 1,
                lsn: 0,
                strength: 1.0,
                access_count: 3,
                last_accessed: 4.0,
            }),
            Operation::DeleteConcept { number: 1 },
        ];
        let mut bytes = begin_payload(7.0);
        for operation in &operations {
            operation.encode(&mut bytes);
        }
        let mut payload = Payload::parse(&bytes).unwrap();
        assert_eq!(payload.commit_time.to_bits(), 7.0_f64.to_bits());
        for operation in &operations {
            assert_eq!(payload.next_operation().unwrap().as_ref(), Some(operation));
        }
        assert_eq!(payload.next_operation(), Ok(None));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(mut payload) = Payload::parse(&bytes) {
                while let Ok(Some(_)) = payload.next_operation() {}
            }
        }
    }
}
