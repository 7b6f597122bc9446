//! Taking the last transaction back, by a transaction that puts what was there before.
//!
//! Invariant: afterwards every read gives what it gave before the transaction, but for the epoch, for what
//! has expired since, and for names of association types, which stay.

use super::Shared;
use super::commit::now;
use crate::operation::{EdgeKey, Operation, begin_payload};
use crate::options::Durability;
use crate::scope::DEFAULT_NAMESPACE;
use crate::state::{Place, State};
use crate::{Error, Result};

impl Shared {
    pub(super) fn undo(&self, namespace: &str, expected: Option<u64>) -> Result<u64> {
        let undo = |state: &State| undo_payload(state, namespace, expected, now());
        self.commit_made(None, Durability::Sync, undo)
    }
}

fn undo_payload(
    state: &State,
    namespace: &str,
    expected: Option<u64>,
    now: f64,
) -> Result<Option<Vec<u8>>> {
    // Nobody asked for the sweeps since, and what they deleted is not there either way.
    let last = state.last_write()?;
    if expected.is_some_and(|expected| expected != last) {
        return Err(Error::NotLast { asked: expected, last });
    }
    if last == 0 {
        return Ok(None);
    }
    let before = Before { state: state.as_of(last - 1)?, now };
    let changed = state.changed(last..=state.epoch)?;
    if namespace != DEFAULT_NAMESPACE {
        let ends = changed.keys.iter().flat_map(|key| [key.source, key.target]);
        for number in changed.numbers.iter().copied().chain(ends) {
            for state in [&before.state, state] {
                if let Some(place) = state.find_number(number)?
                    && state.segment(place).namespace_of(place.row)? != namespace
                {
                    return Err(Error::NotLast { asked: None, last });
                }
            }
        }
    }
    let mut payload = begin_payload(now.max(state.commit_time + 1e-6));
    let start = payload.len();
    // A deletion comes first: it takes associations along that others may put back.
    for &number in &changed.numbers {
        if before.concept(number)?.is_none() && state.find_number(number)?.is_some() {
            Operation::DeleteConcept { number }.encode(&mut payload);
        }
    }
    for &number in &changed.numbers {
        let Some(place) = before.concept(number)? else { continue };
        let put = before.state.segment(place).put_of_row(place.row)?;
        Operation::PutConcept(put).encode(&mut payload);
        if let Some(touch) = before.state.touch(place)? {
            Operation::Touch(touch).encode(&mut payload);
        }
    }
    for &key in &changed.keys {
        match before.association(key)? {
            Some((part, edge)) => {
                let put = before.state.parts[part].segment.put_of_edge(edge)?;
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

/// The state to go back to, without what has expired since.
struct Before {
    state: State,
    now: f64,
}

impl Before {
    fn concept(&self, number: u32) -> Result<Option<Place>> {
        let Some(place) = self.state.find_number(number)? else { return Ok(None) };
        let window = self.state.segment(place).row_window(place.row)?;
        Ok((!window.is_expired(self.now)).then_some(place))
    }

    /// An association that was there, whose ends will be.
    fn association(&self, key: EdgeKey) -> Result<Option<(usize, u32)>> {
        let Some(association) = self.state.association_by_key(key)? else { return Ok(None) };
        let ends = [self.concept(key.source)?, self.concept(key.target)?];
        if association.window().is_expired(self.now) || ends.iter().any(Option::is_none) {
            return Ok(None);
        }
        self.state.find_association(key)
    }
}
