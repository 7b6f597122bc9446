//! Concepts by id, by number and by time.

use super::State;
use crate::record::Touch;
use crate::segment::Segment;
use crate::{Concept, Error, Result, record};

/// Where a live version of a concept is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) part: usize,
    pub(crate) row: u32,
}

impl State {
    pub(crate) fn segment(&self, place: Place) -> &Segment {
        &self.parts[place.part].segment
    }

    /// The concept with an id in the namespace that is seen.
    pub(crate) fn find(&self, id: &str) -> Result<Option<Place>> {
        self.find_in(&self.namespace, id)
    }

    /// The concept with an id in a namespace, unless it has expired.
    pub(crate) fn find_unexpired(
        &self,
        namespace: &str,
        id: &str,
        now: f64,
    ) -> Result<Option<Place>> {
        let Some(place) = self.find_in(namespace, id)? else { return Ok(None) };
        let window = self.segment(place).row_window(place.row)?;
        Ok((!window.is_expired(now)).then_some(place))
    }

    /// The concept with an id in a namespace.
    pub(crate) fn find_in(&self, namespace: &str, id: &str) -> Result<Option<Place>> {
        let hash = self.hasher.hash(namespace, id);
        for (at, part) in self.parts.iter().enumerate().rev() {
            if let Some(row) = part.segment.find_id(hash, namespace, id)?
                && part.is_row_live(row)
            {
                return Ok(Some(Place { part: at, row }));
            }
        }
        Ok(None)
    }

    /// The concept with a number.
    pub(crate) fn find_number(&self, number: u32) -> Result<Option<Place>> {
        for (at, part) in self.parts.iter().enumerate().rev() {
            if let Some(row) = part.live_row_of(number)? {
                return Ok(Some(Place { part: at, row }));
            }
        }
        Ok(None)
    }

    pub(crate) fn number(&self, place: Place) -> Result<u32> {
        Ok(self.segment(place).numbers()?[place.row as usize])
    }

    /// The number of the concept with an id.
    pub(crate) fn number_of(&self, id: &str) -> Result<Option<u32>> {
        self.find(id)?.map(|place| self.number(place)).transpose()
    }

    /// The id of a live concept number.
    pub(crate) fn id_of(&self, number: u32) -> Result<Option<&str>> {
        self.find_number(number)?.map(|p| self.segment(p).concept_id(p.row)).transpose()
    }

    /// The ids of numbers that an index named; those that died are an inconsistency.
    pub(crate) fn ids_of(&self, numbers: impl IntoIterator<Item = u32>) -> Result<Vec<String>> {
        numbers
            .into_iter()
            .map(|number| match self.id_of(number)? {
                Some(id) => Ok(id.to_owned()),
                None => Err(self.dangling(number)),
            })
            .collect()
    }

    pub(crate) fn dangling(&self, number: u32) -> Error {
        let path = self.parts.first().map_or("".as_ref(), |part| part.segment.path());
        Error::corrupt(path, 0, format!("a live concept with number {number}"), "none")
    }

    /// All of a concept but its vector.
    pub(crate) fn concept(&self, place: Place) -> Result<Concept> {
        let segment = self.segment(place);
        let created = segment.created()?[place.row as usize];
        let id = segment.concept_id(place.row)?;
        let mut concept = record::decode_concept(id, created, segment.record(place.row)?)
            .map_err(|e| segment.bad_record(&e))?;
        if let Some(touch) = self.touch(place)? {
            touch.apply(&mut concept);
        }
        Ok(concept)
    }

    /// The newest access to a concept since the version at a place was put.
    pub(crate) fn touch(&self, place: Place) -> Result<Option<Touch>> {
        let number = self.number(place)?;
        if !self.past {
            for part in self.parts[place.part..].iter().rev() {
                if let Some(touch) = part.segment.touch(number)? {
                    return Ok(Some(touch));
                }
            }
            return Ok(None);
        }
        // Parts hold later entries, too, and those of history lie in no order with them.
        let birth = self.segment(place).births()?[place.row as usize];
        let mut newest = None;
        for part in &self.parts {
            newest = part
                .segment
                .touch(number)?
                .filter(|touch| (birth..=self.epoch).contains(&touch.lsn))
                .into_iter()
                .chain(newest)
                .max_by_key(|touch: &Touch| touch.lsn);
        }
        Ok(newest)
    }

    /// All of a concept.
    pub(crate) fn concept_with_vector(&self, place: Place) -> Result<Concept> {
        let mut concept = self.concept(place)?;
        concept.vector = self.segment(place).vector(place.row)?;
        Ok(concept)
    }

    /// The numbers of concepts created in `start <= t < end`, by (time, number).
    pub(crate) fn created_between(&self, start: f64, end: f64) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        for part in &self.parts {
            let (created, order) = (part.segment.created()?, part.segment.created_order()?);
            let numbers = part.segment.numbers()?;
            let time = |row: &u32| created.get(*row as usize).copied().unwrap_or(f64::NAN);
            let from = order.partition_point(|row| time(row) < start);
            let to = order.partition_point(|row| time(row) < end);
            for &row in order.get(from..to).unwrap_or(&[]) {
                if part.is_row_live(row) && (row as usize) < numbers.len() {
                    found.push((time(&row), numbers[row as usize]));
                }
            }
        }
        found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        Ok(found.into_iter().map(|(_, number)| number).collect())
    }

    /// The numbers of all live concepts from `from` on, ascending, at most `limit`.
    pub(crate) fn numbers_from(&self, from: u32, limit: usize) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        for part in &self.parts {
            let numbers = part.segment.numbers()?;
            let start = numbers.partition_point(|&number| number < from);
            let live = (start as u32..numbers.len() as u32).filter(|&row| part.is_row_live(row));
            found.extend(live.take(limit).map(|row| numbers[row as usize]));
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }
}
