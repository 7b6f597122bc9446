//! All of a store in plain maps, field by field, and what its indexes answer.

use std::collections::BTreeMap;

use storage_core::{Association, Concept, Direction, Filter, Snapshot};

use super::{DIM, WORDS};

/// The key of an association.
pub(crate) type Key = (String, String, String);

/// All that a store holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Held {
    pub(crate) concepts: BTreeMap<String, Concept>,
    pub(crate) edges: BTreeMap<Key, Association>,
}

impl Held {
    pub(crate) fn read(snapshot: &Snapshot) -> Self {
        let mut held = Self::default();
        for id in snapshot.concept_ids(None, usize::MAX).expect("a sound store reads") {
            for edge in
                snapshot.associations(&id, Direction::Out, None).expect("a sound store reads")
            {
                let key = (id.clone(), edge.target_id.clone(), edge.association_type.clone());
                held.edges.insert(key, edge);
            }
            held.concepts.insert(
                id.clone(),
                snapshot
                    .concept(&id)
                    .expect("a sound store reads")
                    .expect("a listed concept is there"),
            );
        }
        held
    }
}

/// What indexes answer, with scores.
pub(crate) fn answers(snapshot: &Snapshot) -> Vec<String> {
    let mut all = vec![
        format!("{:?}", snapshot.concept_ids(None, usize::MAX).expect("a sound store reads")),
        format!("{:?}", snapshot.association_types()),
        format!("{:?}", snapshot.concepts_in_range(0.0, 500.0).expect("a sound store reads")),
    ];
    for word in WORDS {
        all.push(format!("{:?}", snapshot.search_text(word, 1000).expect("a sound store reads")));
    }
    let query = vec![0.5; DIM];
    let hits =
        snapshot.search_vector(&query, 1000, &Filter::default()).expect("a sound store reads");
    all.push(format!("{hits:?}"));
    all
}
