//! Which associations of a growing set are at each concept.
//!
//! Invariant: whoever deletes concepts one by one looks at each association a bounded number of times.

use std::collections::HashMap;

use crate::operation::EdgeKey;

/// The keys of a set by their ends. Made when a concept is deleted for the first time: most sets are
/// only added to.
#[derive(Debug, Default)]
pub(crate) struct Ends(Option<HashMap<u32, Vec<EdgeKey>>>);

impl Ends {
    /// Notes a key that was added to the set.
    pub(crate) fn add(&mut self, key: EdgeKey) {
        if let Some(known) = &mut self.0 {
            add(known, key);
        }
    }

    /// Takes out the keys at a concept, some of which may have left the set, or be there twice; `all` are
    /// those of the set.
    pub(crate) fn take(
        &mut self,
        number: u32,
        all: impl IntoIterator<Item = EdgeKey>,
    ) -> Vec<EdgeKey> {
        let known = self.0.get_or_insert_with(|| {
            let mut known = HashMap::new();
            all.into_iter().for_each(|key| add(&mut known, key));
            known
        });
        known.remove(&number).unwrap_or_default()
    }
}

fn add(known: &mut HashMap<u32, Vec<EdgeKey>>, key: EdgeKey) {
    known.entry(key.source).or_default().push(key);
    if key.target != key.source {
        known.entry(key.target).or_default().push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(source: u32, target: u32) -> EdgeKey {
        EdgeKey { source, target, type_id: 0 }
    }

    #[test]
    fn keys_are_found_by_both_ends_whenever_they_came() {
        let mut ends = Ends::default();
        let all = [key(1, 2), key(2, 3), key(3, 3)];
        for key in all {
            ends.add(key);
        }
        assert_eq!(ends.take(2, all), [key(1, 2), key(2, 3)]);
        assert_eq!(ends.take(2, []), []);
        ends.add(key(4, 2));
        assert_eq!(ends.take(2, []), [key(4, 2)]);
        assert_eq!(ends.take(3, []), [key(2, 3), key(3, 3)]);
    }
}
