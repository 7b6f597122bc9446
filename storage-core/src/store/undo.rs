//! Taking the last transaction back, by a transaction that puts what was there before.
//!
//! Invariant: afterwards every read gives what it gave before the transaction, but for the epoch and for
//! names of association types, which stay.

use super::Shared;
use super::commit::now;
use crate::operation::{Operation, begin_payload};
use crate::options::Durability;
use crate::state::State;
use crate::{Error, Result};

impl Shared {
    pub(super) fn undo(&self, expected: Option<u64>) -> Result<u64> {
        self.commit_made(None, Durability::Sync, |state| undo_payload(state, expected))
    }
}

fn undo_payload(state: &State, expected: Option<u64>) -> Result<Option<Vec<u8>>> {
    let epoch = state.epoch;
    if expected.is_some_and(|expected| expected != epoch) {
        let what = format!("the store, whose last transaction is {epoch},");
        return Err(Error::Conflict { what });
    }
    if epoch == 0 {
        return Ok(None);
    }
    let before = state.as_of(epoch - 1)?;
    let (numbers, keys) = state.last_changed()?;
    let mut payload = begin_payload(now().max(state.commit_time + 1e-6));
    let start = payload.len();
    // A deletion comes first: it takes associations along that others may put back.
    for &number in &numbers {
        if before.find_number(number)?.is_none() && state.find_number(number)?.is_some() {
            Operation::DeleteConcept { number }.encode(&mut payload);
        }
    }
    for &number in &numbers {
        let Some(place) = before.find_number(number)? else { continue };
        let put = before.segment(place).put_of_row(place.row)?;
        Operation::PutConcept(put).encode(&mut payload);
        if let Some(touch) = before.touch(place)? {
            Operation::Touch(touch).encode(&mut payload);
        }
    }
    for &key in &keys {
        match before.find_association(key)? {
            Some((part, edge)) => {
                let put = before.parts[part].segment.put_of_edge(edge)?;
                Operation::PutAssociation(put).encode(&mut payload);
            }
            None if state.find_association(key)?.is_some() => {
                Operation::DeleteAssociation(key).encode(&mut payload);
            }
            None => {}
        }
    }
    Ok((payload.len() > start).then_some(payload))
}
