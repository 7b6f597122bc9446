//! Which concepts a search looks at.

use roaring::RoaringBitmap;

use super::condition::Condition;
use super::{Part, State};
use crate::codec::Decode;
use crate::concept::check_time;
use crate::segment::Of;
use crate::{Result, interrupt, record};

/// Records that are looked at before the call is asked again whether it is to stop.
const ROWS_AT_ONCE: usize = 64;

/// Restricts a search to some concepts; the default lets all pass. All given conditions must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Only concepts of this category.
    pub category: Option<String>,
    /// Only concepts of this source.
    pub source: Option<String>,
    /// Only concepts created at or after this time.
    pub created_from: Option<f64>,
    /// Only concepts created before this time.
    pub created_to: Option<f64>,
    /// Only concepts that hold at this time; see [`crate::Snapshot::valid_at`].
    pub valid_at: Option<f64>,
    /// Only these concepts; ids that don't exist are passed over.
    pub ids: Option<Vec<String>>,
    /// Only concepts for whose attributes this holds.
    pub attributes: Option<Condition>,
}

impl Filter {
    /// Refuses a time that is NaN, which no concept could be before or after.
    pub(super) fn validate(&self) -> Result<()> {
        for (name, time) in [
            ("created_from", self.created_from),
            ("created_to", self.created_to),
            ("valid_at", self.valid_at),
        ] {
            check_time(name, time.filter(|time| time.is_nan()))?;
        }
        Ok(())
    }

    /// Whether all concepts pass.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it asks for what only a concept's record tells.
    fn reads_records(&self) -> bool {
        self.category.is_some() || self.source.is_some() || self.attributes.is_some()
    }

    /// Whether a record passes.
    fn passes(&self, bytes: &[u8]) -> Decode<bool> {
        if let Some(wanted) = &self.category
            && record::category(bytes)? != Some(wanted)
        {
            return Ok(false);
        }
        if let Some(wanted) = &self.source
            && record::source(bytes)? != Some(wanted)
        {
            return Ok(false);
        }
        match &self.attributes {
            Some(condition) => Ok(condition.holds(&record::concept_attributes(bytes)?)),
            None => Ok(true),
        }
    }
}

impl State {
    /// The live rows of each part that pass a filter; `None` when all do.
    pub(super) fn allowed_rows(&self, filter: &Filter) -> Result<Option<Vec<RoaringBitmap>>> {
        if filter.is_empty() {
            return Ok(None);
        }
        let mut allowed: Vec<RoaringBitmap> = match &filter.ids {
            None => self.parts.iter().map(Part::live_row_ordinals).collect(),
            Some(ids) => {
                let mut named = vec![RoaringBitmap::new(); self.parts.len()];
                for place in ids.iter().filter_map(|id| self.find(id).transpose()) {
                    let place = place?;
                    named[place.part].insert(place.row);
                }
                named
            }
        };
        for (part, rows) in self.parts.iter().zip(&mut allowed) {
            restrict(part, filter, rows)?;
        }
        Ok(Some(allowed))
    }

    /// The numbers of live concepts that pass a filter, ascending, at most `limit` from `from` on.
    pub(crate) fn numbers_passing(
        &self,
        filter: &Filter,
        from: u32,
        limit: usize,
    ) -> Result<Vec<u32>> {
        filter.validate()?;
        let Some(allowed) = self.allowed_rows(filter)? else {
            return self.numbers_from(from, limit);
        };
        let mut found = Vec::new();
        for (part, rows) in self.parts.iter().zip(allowed) {
            let numbers = part.segment.numbers()?;
            let later = rows.iter().map(|row| numbers[row as usize]).filter(|&n| n >= from);
            found.extend(later.take(limit));
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }
}

/// Leaves of some rows of a part those that meet all conditions but the one on ids.
fn restrict(part: &Part, filter: &Filter, rows: &mut RoaringBitmap) -> Result<()> {
    let segment = &part.segment;
    if filter.created_from.is_some() || filter.created_to.is_some() {
        let created = segment.created()?;
        let within = created_within(filter);
        *rows = rows.iter().filter(|&row| within(created[row as usize])).collect();
    }
    if let Some(time) = filter.valid_at {
        for entry in segment.windows(Of::Rows)?.filter(|entry| !entry.window.holds_at(time)) {
            rows.remove(entry.ordinal);
        }
    }
    if filter.reads_records() {
        let mut passing = RoaringBitmap::new();
        // By how many were looked at, not by their number: few may be left, or long ones.
        for (looked_at, row) in rows.iter().enumerate() {
            if looked_at.is_multiple_of(ROWS_AT_ONCE) {
                interrupt::check()?;
            }
            if filter.passes(segment.record(row)?).map_err(|e| segment.bad_record(&e))? {
                passing.insert(row);
            }
        }
        *rows = passing;
    }
    Ok(())
}

fn created_within(filter: &Filter) -> impl Fn(f64) -> bool {
    let from = filter.created_from.unwrap_or(f64::NEG_INFINITY);
    let to = filter.created_to.unwrap_or(f64::INFINITY);
    move |time| from <= time && (time < to || to == f64::INFINITY)
}
