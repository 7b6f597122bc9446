//! What the log of a damaged store says: the last word on each concept and association.
//!
//! Invariant: operations are applied in the order of their transactions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::ends::Ends;
use crate::operation::{EdgeKey, Operation, PutAssociation, PutConcept};
use crate::record::Touch;

/// What transactions after the segments did, the last word on each concept and association.
#[derive(Debug, Default)]
pub(super) struct Overlay<'a> {
    pub(super) concepts: BTreeMap<u32, PutConcept<'a>>,
    pub(super) edges: BTreeMap<EdgeKey, Option<PutAssociation<'a>>>,
    ends: Ends,
    pub(super) touches: BTreeMap<u32, Touch>,
    /// Every concept that was deleted, though it may have been put again: what the segments have of it, and
    /// of associations at it, is dead.
    pub(super) killed: BTreeSet<u32>,
    /// Every number and every id that was put, though it may have been deleted again.
    pub(super) put: (BTreeSet<u32>, HashSet<&'a str>),
}

impl<'a> Overlay<'a> {
    pub(super) fn apply(&mut self, operation: Operation<'a>) {
        match operation {
            Operation::PutConcept(put) => {
                self.touches.remove(&put.number);
                self.put.0.insert(put.number);
                self.put.1.insert(put.id);
                self.concepts.insert(put.number, put);
            }
            Operation::DeleteConcept { number } => {
                self.touches.remove(&number);
                self.concepts.remove(&number);
                self.killed.insert(number);
                for key in self.ends.take(number, self.edges.keys().copied()) {
                    self.edges.insert(key, None);
                }
            }
            Operation::PutAssociation(put) => {
                self.ends.add(put.key);
                self.edges.insert(put.key, Some(put));
            }
            Operation::DeleteAssociation(key) => {
                self.edges.insert(key, None);
            }
            Operation::Touch(touch) => {
                self.touches.insert(touch.number, touch);
            }
            Operation::DefineType { .. } => {}
        }
    }
}
