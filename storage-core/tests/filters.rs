//! Filters: every search finds, among the concepts that pass, what it finds among all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::rc::Rc;

use common::{Random, WORDS, options};
use serde_json::json;
use storage_core::{
    Concept, Condition, ConfigRequest, Error, Filter, GraphStore, TextQuery, interruptible,
};

fn concepts(random: &mut Random) -> Vec<Concept> {
    let concept = |at: u64, random: &mut Random| {
        let word = WORDS[random.below(12) as usize];
        let mut concept = Concept::new(format!("c{at}"), word).with_vector(random.vector());
        concept.created = Some(random.below(100) as f64);
        concept.category = (random.below(2) == 0).then(|| "some".to_owned());
        concept.source = (random.below(2) == 0).then(|| "book".to_owned());
        concept.valid_to = (random.below(2) == 0).then(|| random.below(100) as f64);
        let year = 2000 + random.below(30);
        let tags: Vec<u64> = (0..random.below(4)).map(|_| random.below(5)).collect();
        let attributes = json!({"year": year, "tags": tags, "at": {"n": random.below(3)}});
        concept.attributes.clone_from(attributes.as_object().unwrap());
        concept
    };
    (0..200).map(|at| concept(at, random)).collect()
}

fn random_filter(random: &mut Random) -> Filter {
    let one_in_three = |random: &mut Random| random.below(3) == 0;
    let conditions = [
        json!({"year": {"$gte": 2000 + random.below(30)}}),
        json!({"tags": {"$contains": random.below(5)}}),
        json!({"$or": [{"at.n": random.below(3)}, {"year": {"$lt": 2010}}]}),
        json!({"missing": {"$exists": true}}),
    ];
    let condition = &conditions[random.below(4) as usize];
    Filter {
        category: one_in_three(random).then(|| "some".to_owned()),
        source: one_in_three(random).then(|| "book".to_owned()),
        created_from: one_in_three(random).then(|| random.below(100) as f64),
        created_to: one_in_three(random).then(|| random.below(100) as f64),
        valid_at: one_in_three(random).then(|| random.below(100) as f64),
        ids: one_in_three(random).then(|| (0..100).map(|at| format!("c{}", at * 3)).collect()),
        attributes: (random.below(2) == 0).then(|| Condition::from_json(condition).unwrap()),
    }
}

fn passes(filter: &Filter, concept: &Concept) -> bool {
    let created = concept.created.unwrap();
    let holds = |time: f64| concept.valid_to.is_none_or(|to| time < to);
    filter.category.as_ref().is_none_or(|wanted| concept.category.as_ref() == Some(wanted))
        && filter.source.as_ref().is_none_or(|wanted| concept.source.as_ref() == Some(wanted))
        && filter.created_from.is_none_or(|from| from <= created)
        && filter.created_to.is_none_or(|to| created < to)
        && filter.valid_at.is_none_or(holds)
        && filter.ids.as_ref().is_none_or(|ids| ids.contains(&concept.id))
        && filter.attributes.as_ref().is_none_or(|c| c.holds(&concept.attributes))
}

#[test]
fn every_search_finds_what_passes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    let store = GraphStore::open(dir.path(), options()).unwrap();
    let all = concepts(&mut random);
    store.put_concepts(all[..120].to_vec()).unwrap();
    store.flush().unwrap();
    store.put_concepts(all[120..].to_vec()).unwrap();
    let snapshot = store.snapshot().unwrap();
    for _ in 0..300 {
        let filter = random_filter(&mut random);
        let passing = all.iter().filter(|concept| passes(&filter, concept));
        let expected: Vec<&str> = passing.clone().map(|concept| concept.id.as_str()).collect();
        assert_eq!(snapshot.concept_ids_by(&filter, None, 1000).unwrap(), expected);
        if let Some(&first) = expected.first() {
            let rest = snapshot.concept_ids_by(&filter, Some(first), 3).unwrap();
            assert_eq!(rest, expected[1..].iter().take(3).copied().collect::<Vec<_>>());
        }
        let found = snapshot.search_vector(&all[0].vector.clone().unwrap(), 1000, &filter).unwrap();
        let ids: BTreeSet<&str> = found.iter().map(|hit| hit.id.as_str()).collect();
        assert_eq!(ids, expected.iter().copied().collect());
        let query = TextQuery { filter: filter.clone(), ..TextQuery::new("river", 1000) };
        let found = snapshot.search_words(&query).unwrap();
        let ids: BTreeSet<&str> = found.iter().map(|hit| hit.id.as_str()).collect();
        let with_word = passing.filter(|concept| concept.content == "river");
        assert_eq!(ids, with_word.map(|concept| concept.id.as_str()).collect());
        // A filter changes which are found, not how they are scored.
        let everything = snapshot.search_text("river", 1000).unwrap();
        assert!(found.iter().all(|hit| everything.contains(hit)));
    }
}

#[test]
fn times_that_are_nan_are_refused() {
    let config = ConfigRequest { vector_dimension: Some(2), ..ConfigRequest::default() };
    let store = GraphStore::in_memory(config).unwrap();
    let filter = Filter { valid_at: Some(f64::NAN), ..Filter::default() };
    let refused = store.search_vector(&[1.0, 0.0], 3, &filter);
    assert!(matches!(refused, Err(Error::InvalidArgument { name: "valid_at", .. })));
    let refused = store.snapshot().unwrap().concept_ids_by(&filter, None, 1);
    assert!(matches!(refused, Err(Error::InvalidArgument { name: "valid_at", .. })));
}

/// A few long records take as long as many short ones, whichever rows they are.
#[test]
fn a_filter_that_looks_at_few_long_records_is_stopped() {
    let store = GraphStore::in_memory(options().config).unwrap();
    let list: Vec<String> = (0..4000).map(|at| format!("{at:08}")).collect();
    let attributes = json!({"list": list});
    let concepts = (0..1000).map(|at| {
        let mut concept = Concept::new(format!("c{at}"), "");
        concept.attributes.clone_from(attributes.as_object().unwrap());
        concept
    });
    store.put_concepts(concepts.collect()).unwrap();
    let filter = Filter {
        ids: Some((1..1000).map(|at| format!("c{at}")).collect()),
        attributes: Some(Condition::from_json(&json!({"list": "none"})).unwrap()),
        ..Filter::default()
    };
    let snapshot = store.snapshot().unwrap();
    // 44 MB of JSON are not read within 20 ms.
    let stopped =
        interruptible(Rc::new(|| true), || snapshot.concept_ids_by(&filter, None, usize::MAX));
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert!(snapshot.concept_ids_by(&filter, None, usize::MAX).unwrap().is_empty());
}
