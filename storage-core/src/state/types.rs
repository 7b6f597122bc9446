//! The association types of a store: each name has a number, given at its first use, never reused.
//!
//! A state shares its table with the states before it. Invariant: each layer is larger than the next
//! younger one, so that there are few, and a name is copied a few times in all, however the types come.

use std::collections::HashMap;
use std::sync::Arc;

/// Types that a store can have: they are a vocabulary, which every manifest and every open handle holds
/// whole.
pub(crate) const MAX_TYPES: usize = 65_536;

/// Names by number and numbers by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct TypeTable {
    /// Oldest first.
    layers: Vec<Arc<Layer>>,
}

/// Types with consecutive numbers.
#[derive(Debug, Clone, Default)]
struct Layer {
    first: usize,
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Layer {
    fn end(&self) -> usize {
        self.first + self.names.len()
    }

    fn push(&mut self, name: Arc<str>) {
        self.numbers.insert(Arc::clone(&name), self.end() as u32);
        self.names.push(name);
    }
}

impl TypeTable {
    pub(crate) fn from_names(names: impl IntoIterator<Item = String>) -> Self {
        let mut table = Self::default();
        for name in names {
            table.push(&name);
        }
        table
    }

    /// Gives a name the next number; no other table changes with it.
    pub(crate) fn push(&mut self, name: &str) -> u32 {
        let number = self.len();
        // A layer that no other table has is free to grow.
        if let Some(own) = self.layers.last_mut().and_then(Arc::get_mut) {
            own.push(name.into());
        } else {
            let mut own = Layer { first: number, ..Layer::default() };
            own.push(name.into());
            self.layers.push(Arc::new(own));
        }
        while let [.., older, newer] = &self.layers[..]
            && older.names.len() <= newer.names.len()
        {
            let mut merged = Layer::clone(older);
            newer.names.iter().for_each(|name| merged.push(Arc::clone(name)));
            self.layers.truncate(self.layers.len() - 2);
            self.layers.push(Arc::new(merged));
        }
        number as u32
    }

    pub(crate) fn len(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.end())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.layers.iter().find_map(|layer| layer.numbers.get(name).copied())
    }

    /// The name of a number; `None` only for a number from damaged bytes.
    pub(crate) fn name(&self, number: u32) -> Option<&Arc<str>> {
        let number = number as usize;
        let layer = &self.layers[self.layers.partition_point(|layer| layer.end() <= number)..];
        layer.first().and_then(|layer| layer.names.get(number - layer.first))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.layers.iter().flat_map(|layer| &layer.names)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(table: &TypeTable, names: &[String]) {
        assert_eq!(table.len(), names.len());
        assert!(table.names().map(|name| &**name).eq(names.iter().map(String::as_str)));
        for (number, name) in names.iter().enumerate() {
            assert_eq!(table.number(name), Some(number as u32));
            assert_eq!(table.name(number as u32).map(|name| &**name), Some(name.as_str()));
        }
        assert_eq!(table.name(names.len() as u32), None);
        assert_eq!(table.number("never pushed"), None);
    }

    proptest! {
        /// Each step clones a table made before, and pushes some names to the clone.
        #[test]
        fn tables_that_share_layers_are_like_lists_of_their_own(
            steps in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..40), 1..30),
        ) {
            let mut tables = vec![(TypeTable::default(), Vec::new())];
            for (step, (from, count)) in steps.into_iter().enumerate() {
                let (mut table, mut names) = from.get(&tables).clone();
                for at in 0..count {
                    let name = format!("{step} {at}");
                    prop_assert_eq!(table.push(&name) as usize, names.len());
                    names.push(name);
                }
                tables.push((table, names));
            }
            for (table, names) in &tables {
                check(table, names);
            }
        }
    }

    #[test]
    fn types_that_come_one_at_a_time_make_few_layers() {
        let mut table = TypeTable::default();
        let mut before = table.clone();
        for at in 0..5000 {
            before = table.clone();
            table.push(&format!("{at}"));
            assert!(table.layers.len() <= 13, "{} layers of {at} types", table.layers.len());
        }
        assert_eq!(before.len(), 4999);
        // All but the young layers are those of the table before.
        let shared = table.layers.iter().filter(|layer| Arc::strong_count(layer) > 1);
        assert!(shared.map(|layer| layer.names.len()).sum::<usize>() > 4000);
    }
}
