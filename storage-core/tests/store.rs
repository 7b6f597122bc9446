//! The store's everyday behaviour: fresh, reopened, flushed, compacted, in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;

use storage_core::fs::SimulatedFileSystem;
use storage_core::{
    Association, Concept, ConceptPatch, ConfigRequest, Direction, Error, Filter, GraphStore,
    Metric, OpenOptions, PathQuery, Retention, StoreConfig, TextQuery, VectorStorage, WordOperator,
};

fn options(dim: usize) -> OpenOptions {
    let config = StoreConfig { vector_dimension: dim, ..StoreConfig::default() };
    OpenOptions { config: config.into(), background: false, ..OpenOptions::default() }
}

fn unit(dim: usize, at: usize) -> Vec<f32> {
    (0..dim).map(|i| if i == at { 1.0 } else { 0.0 }).collect()
}

fn ids(hits: &[storage_core::ConceptHit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.id.as_str()).collect()
}

/// Runs a check on a store as it is, reopened, flushed and reopened, compacted, and in memory.
fn in_every_form(fill: impl Fn(&GraphStore), check: impl Fn(&GraphStore)) {
    let memory = GraphStore::in_memory(options(4).config).unwrap();
    fill(&memory);
    check(&memory);

    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    fill(&store);
    check(&store);
    store.close().unwrap();
    drop(store);
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    check(&store);
    store.flush().unwrap();
    check(&store);
    drop(store);
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    check(&store);
    store.compact().unwrap();
    check(&store);
    assert!(store.verify().unwrap().is_sound());
    drop(store);
    check(&GraphStore::open(dir.path(), options(4)).unwrap());
    let read_only = OpenOptions { read_only: true, ..options(4) };
    check(&GraphStore::open(dir.path(), read_only).unwrap());
}

#[test]
fn concepts_come_back_whole_and_vectors_bit_exact() {
    let mut concept = Concept::new("héllo \u{1f41f} \0", "a fish that says hello");
    concept.vector = Some(vec![0.1, -0.0, f32::MIN_POSITIVE / 2.0, 3.0e38]);
    concept.created = Some(123.25);
    concept.last_accessed = Some(130.0);
    concept.access_count = 3;
    concept.strength = 2.5;
    concept.confidence = 0.75;
    concept.source = Some("a book".into());
    concept.category = Some("animals".into());
    concept.attributes.insert("legs".into(), serde_json::json!([0, null, {"x": 1.5}]));
    in_every_form(
        |store| {
            store.put_concept(concept.clone()).unwrap();
        },
        |store| {
            assert_eq!(store.concept(&concept.id).unwrap().as_ref(), Some(&concept));
            let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            let vector = store.vector(&concept.id).unwrap().unwrap();
            assert_eq!(bits(&vector), bits(concept.vector.as_ref().unwrap()));
            assert_eq!(store.concept("hello").unwrap(), None);
        },
    );
}

#[test]
fn updates_replace_and_deletes_cascade() {
    in_every_form(
        |store| {
            for (at, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
                let concept = Concept::new(id, format!("word{id} common"));
                store.put_concept(concept.with_vector(unit(4, at))).unwrap();
            }
            for (source, target) in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "b"), ("a", "a")] {
                store.put_association(Association::new(source, target)).unwrap();
            }
            store.put_association(Association::new("a", "b").with_type("causal")).unwrap();
            // Putting one again doubles nothing.
            store.put_association(Association::new("a", "b").with_type("causal")).unwrap();
            let patch = ConceptPatch { content: Some("newword".into()), ..ConceptPatch::default() };
            store.update_concept("c", patch).unwrap();
            assert!(store.delete_concept("d").unwrap());
            assert!(!store.delete_concept("d").unwrap());
        },
        |store| {
            let stats = store.stats().unwrap();
            assert_eq!((stats.total_concepts, stats.total_vectors, stats.total_edges), (3, 3, 5));
            assert_eq!(store.neighbors("a", Direction::Out).unwrap(), ["a", "b"]);
            assert_eq!(store.neighbors("b", Direction::In).unwrap(), ["a"]);
            assert_eq!(store.neighbors("a", Direction::Both).unwrap(), ["a", "b", "c"]);
            let found = store.associations("a", Direction::Both, None).unwrap();
            assert_eq!(found.len(), 4);
            assert_eq!(ids(&store.search_text("common", 10).unwrap()), ["a", "b"]);
            assert_eq!(ids(&store.search_text("newword", 10).unwrap()), ["c"]);
            assert!(store.search_text("wordc wordd", 10).unwrap().is_empty());
            let hits = store.search_vector(&unit(4, 2), 1, &Filter::default()).unwrap();
            assert_eq!((ids(&hits), hits[0].score), (vec!["c"], 1.0));
            let hits = store.search_vector(&unit(4, 3), 10, &Filter::default()).unwrap();
            assert_eq!(ids(&hits), ["a", "b", "c"]);
        },
    );
}

#[test]
fn range_is_half_open_and_ordered_by_time() {
    in_every_form(
        |store| {
            for (id, time) in [("late", 30.0), ("early", -10.5), ("mid", 20.0), ("mid2", 20.0)] {
                let mut concept = Concept::new(id, "");
                concept.created = Some(time);
                store.put_concept(concept).unwrap();
            }
        },
        |store| {
            let all = store.concepts_in_range(f64::NEG_INFINITY, f64::INFINITY).unwrap();
            assert_eq!(all, ["early", "mid", "mid2", "late"]);
            assert_eq!(store.concepts_in_range(20.0, 30.0).unwrap(), ["mid", "mid2"]);
            assert!(store.concepts_in_range(30.0, 20.0).unwrap().is_empty());
            assert!(store.concepts_in_range(f64::NAN, 1.0).is_err());
            assert_eq!(store.snapshot().unwrap().concept_ids(None, 2).unwrap(), ["late", "early"]);
            let rest = store.snapshot().unwrap().concept_ids(Some("early"), 9).unwrap();
            assert_eq!(rest, ["mid", "mid2"]);
        },
    );
}

#[test]
fn accesses_are_counted_and_survive() {
    in_every_form(
        |store| {
            store.put_concept(Concept::new("a", "text")).unwrap();
            store.access("a", None).unwrap();
            store.access("a", Some(1.5)).unwrap();
            let mut again = Concept::new("b", "");
            again.access_count = 9;
            store.put_concept(Concept::new("b", "")).unwrap();
            store.access("b", None).unwrap();
            store.put_concept(again).unwrap();
            assert!(matches!(store.access("c", None), Err(Error::ConceptNotFound { .. })));
        },
        |store| {
            let a = store.concept("a").unwrap().unwrap();
            assert_eq!((a.access_count, a.strength), (2, 1.5));
            assert!(a.last_accessed.is_some());
            let b = store.concept("b").unwrap().unwrap();
            assert_eq!((b.access_count, b.last_accessed), (9, None));
        },
    );
}

#[test]
fn an_access_survives_a_compaction_of_its_segment_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    for at in 0..200 {
        store.put_concept(Concept::new(format!("c{at}"), "some words to fill it")).unwrap();
    }
    store.flush().unwrap();
    for _ in 0..6 {
        // Each flush leaves a segment that holds an access entry and nothing else.
        store.access("c7", None).unwrap();
        store.flush().unwrap();
    }
    store.compact().unwrap();
    store.access("c7", None).unwrap();
    store.flush().unwrap();
    store.compact().unwrap();
    assert_eq!(store.concept("c7").unwrap().unwrap().access_count, 7);
}

#[test]
fn paths_multiply_confidences_and_name_their_associations() {
    in_every_form(
        |store| {
            for id in ["dog", "mammal", "animal", "pet"] {
                store.put_concept(Concept::new(id, id)).unwrap();
            }
            for (source, target, confidence) in [
                ("dog", "mammal", 0.9),
                ("mammal", "animal", 0.8),
                ("dog", "pet", 0.5),
                ("pet", "animal", 0.5),
                // Held impossible: no path follows it, though it is at least as sure as 0.
                ("dog", "animal", 0.0),
            ] {
                let mut association = Association::new(source, target).with_type("is a");
                association.confidence = confidence;
                association.source = Some(format!("{source}.txt"));
                store.put_association(association).unwrap();
            }
        },
        |store| {
            let found = store.find_paths(&["dog"], &["animal"], &PathQuery::default()).unwrap();
            assert!(found.is_complete);
            let found = found.paths;
            assert_eq!(found.len(), 2);
            assert_eq!(found[0].concept_ids, ["dog", "mammal", "animal"]);
            assert!((found[0].confidence - 0.72).abs() < 1e-6);
            assert_eq!(found[0].steps[1].association.source.as_deref(), Some("mammal.txt"));
            assert!(found[0].steps.iter().all(|step| step.forward));
            assert_eq!(found[1].concept_ids, ["dog", "pet", "animal"]);
            assert_eq!(
                store.neighbors("dog", Direction::Out).unwrap(),
                ["mammal", "animal", "pet"]
            );
            let none =
                store.find_paths(&["animal"], &["dog"], &PathQuery::default()).unwrap().paths;
            assert!(none.is_empty());
            let back = PathQuery { direction: Direction::Both, k: 1, ..PathQuery::default() };
            let back = store.find_paths(&["animal"], &["dog"], &back).unwrap().paths;
            let hasty = PathQuery { max_visited: 1, ..PathQuery::default() };
            assert!(!store.find_paths(&["dog"], &["animal"], &hasty).unwrap().is_complete);
            let deep = PathQuery { max_depth: 65, ..PathQuery::default() };
            let refused = store.find_paths(&["dog"], &["animal"], &deep).unwrap_err();
            assert!(refused.to_string().contains("max_depth"), "{refused}");
            assert!(!back[0].steps[0].forward);
        },
    );
}

#[test]
fn filters_restrict_both_searches() {
    in_every_form(
        |store| {
            for at in 0..40 {
                let mut concept = Concept::new(format!("c{at}"), "same words");
                concept.vector = (at % 3 != 0).then(|| vec![1.0, at as f32, 0.0, 0.0]);
                concept.category = Some(if at % 2 == 0 { "even" } else { "odd" }.into());
                concept.created = Some(f64::from(at));
                store.put_concept(concept).unwrap();
            }
            store.delete_concept("c4").unwrap();
        },
        |store| {
            let filter = Filter {
                category: Some("even".into()),
                created_to: Some(10.0),
                ..Filter::default()
            };
            let mut query = TextQuery::new("words", 100);
            query.filter = filter.clone();
            let snapshot = store.snapshot().unwrap();
            assert_eq!(ids(&snapshot.search_words(&query).unwrap()), ["c0", "c2", "c6", "c8"]);
            let hits = snapshot.search_vector(&unit(4, 0), 100, &filter).unwrap();
            assert_eq!(ids(&hits), ["c2", "c8"]);
            let named = Filter { ids: Some(vec!["c5".into(), "no".into()]), ..Filter::default() };
            let hits = snapshot.search_vector(&unit(4, 0), 9, &named).unwrap();
            assert_eq!(ids(&hits), ["c5"]);
            let hybrid = snapshot
                .search_hybrid(Some(&TextQuery::new("words", 1)), Some(&unit(4, 1)), 3, &filter)
                .unwrap();
            assert_eq!(hybrid[0].id, "c2");
            assert!(hybrid[0].words.is_some() && hybrid[0].vector.is_some());
            query.operator = WordOperator::And;
            query.text = "words absent";
            assert!(snapshot.search_words(&query).unwrap().is_empty());
        },
    );
}

#[test]
fn a_transaction_is_all_or_nothing_and_reads_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    store.put_concept(Concept::new("a", "first")).unwrap();
    let mut transaction = store.transaction().unwrap();
    transaction.put_concept(Concept::new("b", "second")).unwrap();
    transaction.put_association(Association::new("a", "b"), false).unwrap();
    transaction.put_vector("a", unit(4, 1)).unwrap();
    assert_eq!(transaction.vector("a").unwrap(), Some(unit(4, 1)));
    assert_eq!(transaction.concept("a").unwrap().unwrap().content, "first");
    assert_eq!(transaction.associations("a", Direction::Out).unwrap().len(), 1);
    assert!(!store.contains("b").unwrap());
    assert_eq!(store.vector("a").unwrap(), None);
    transaction.commit().unwrap();
    assert!(store.contains("b").unwrap());
    assert_eq!(store.neighbors("a", Direction::Out).unwrap(), ["b"]);

    let mut dropped = store.transaction().unwrap();
    dropped.delete_concept("a").unwrap();
    assert!(!dropped.contains("a").unwrap());
    assert!(dropped.associations("b", Direction::In).unwrap().is_empty());
    drop(dropped);
    assert!(store.contains("a").unwrap());

    // One missing end takes the whole transaction with it.
    let epoch = store.snapshot().unwrap().epoch();
    let mut failing = store.transaction().unwrap();
    failing.put_concept(Concept::new("c", "third")).unwrap();
    failing.put_association(Association::new("c", "nowhere"), false).unwrap();
    let error = failing.commit().unwrap_err();
    assert!(
        matches!(&error, Error::ConceptNotFound { id, is_end: true } if id == "nowhere"),
        "{error}"
    );
    assert!(!store.contains("c").unwrap());
    assert_eq!(store.snapshot().unwrap().epoch(), epoch);
}

#[test]
fn a_batch_that_is_refused_adds_nothing_to_its_transaction() {
    let store = GraphStore::in_memory(options(4).config).unwrap();
    let mut transaction = store.transaction().unwrap();
    transaction.put_concept(Concept::new("kept", "")).unwrap();
    let unfit = vec![Concept::new("a", ""), Concept::new("", "")];
    assert!(matches!(transaction.put_concepts(unfit), Err(Error::InvalidId { .. })));
    let unfit = vec![Association::new("kept", "b"), Association::new("kept", "c").with_type("")];
    assert!(transaction.put_associations(unfit, true).is_err());
    for id in ["a", "b", "c"] {
        assert!(!transaction.contains(id).unwrap(), "{id}");
    }
    assert!(transaction.associations("kept", Direction::Both).unwrap().is_empty());
    transaction.put_concepts(vec![Concept::new("d", ""), Concept::new("e", "")]).unwrap();
    let fit = vec![Association::new("d", "e"), Association::new("e", "f")];
    transaction.put_associations(fit, true).unwrap();
    transaction.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.concept_ids(None, 9).unwrap(), ["kept", "d", "e", "f"]);
    assert_eq!(snapshot.neighbors("e", Direction::Both).unwrap(), ["d", "f"]);
}

#[test]
fn a_transaction_conflicts_with_what_it_read() {
    let store = GraphStore::in_memory(options(4).config).unwrap();
    store.put_concept(Concept::new("a", "first")).unwrap();
    let mut reader = store.transaction().unwrap();
    assert!(reader.contains("a").unwrap());
    assert!(!reader.contains("later").unwrap());
    reader.put_concept(Concept::new("z", "")).unwrap();
    store.put_concept(Concept::new("unrelated", "")).unwrap();
    reader.commit().unwrap();

    let mut reader = store.transaction().unwrap();
    reader.concept("a").unwrap();
    reader.put_concept(Concept::new("y", "")).unwrap();
    store.put_concept(Concept::new("a", "changed")).unwrap();
    let error = reader.commit().unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }) && error.is_retryable(), "{error}");
    assert!(!store.contains("y").unwrap());

    let mut reader = store.transaction().unwrap();
    assert!(!reader.contains("later").unwrap());
    reader.put_concept(Concept::new("x", "")).unwrap();
    store.put_concept(Concept::new("later", "")).unwrap();
    assert!(matches!(reader.commit(), Err(Error::Conflict { .. })));
}

#[test]
fn a_snapshot_never_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    for at in 0..30 {
        store
            .put_concept(Concept::new(format!("c{at}"), "word").with_vector(unit(4, at % 4)))
            .unwrap();
    }
    store.put_association(Association::new("c0", "c1")).unwrap();
    let snapshot = store.snapshot().unwrap();
    let words = snapshot.search_text("word", 100).unwrap();
    for at in 0..30 {
        store.delete_concept(&format!("c{at}")).unwrap();
    }
    store.flush().unwrap();
    store.compact().unwrap();
    assert_eq!(store.stats().unwrap().total_concepts, 0);
    assert_eq!(snapshot.search_text("word", 100).unwrap(), words);
    assert_eq!(snapshot.neighbors("c0", Direction::Out).unwrap(), ["c1"]);
    assert_eq!(snapshot.concept_count(), 30);
    assert_eq!(snapshot.vector("c2").unwrap(), Some(unit(4, 2)));
}

#[test]
fn bad_arguments_are_refused_and_change_nothing() {
    let store = GraphStore::in_memory(options(4).config).unwrap();
    let epoch = store.snapshot().unwrap().epoch();
    let long = "x".repeat(1025);
    for id in ["", long.as_str()] {
        assert!(matches!(store.put_concept(Concept::new(id, "")), Err(Error::InvalidId { .. })));
    }
    store.put_concept(Concept::new("x".repeat(1024), "")).unwrap();
    for vector in [vec![], vec![1.0; 3], vec![f32::NAN; 4], vec![f32::INFINITY; 4]] {
        let error = store.put_vector("v", vector).unwrap_err();
        assert!(matches!(error, Error::InvalidVector { .. }), "{error}");
    }
    let mut concept = Concept::new("a", "");
    concept.confidence = 1.5;
    assert!(matches!(store.put_concept(concept), Err(Error::InvalidArgument { .. })));
    let mut concept = Concept::new("a", "");
    concept.created = Some(f64::NAN);
    assert!(matches!(store.put_concept(concept), Err(Error::InvalidArgument { .. })));
    let error = store.put_association(Association::new("a", "b")).unwrap_err();
    assert!(matches!(error, Error::ConceptNotFound { .. }));
    let empty = Association::new("a", "b").with_type("");
    assert!(store.put_association_creating_ends(empty).is_err());
    assert!(store.search_vector(&[1.0; 5], 3, &Filter::default()).is_err());
    let never = Filter { created_to: Some(f64::NAN), ..Filter::default() };
    assert!(store.search_vector(&[1.0; 4], 3, &never).is_err());
    let never = TextQuery { filter: never, ..TextQuery::new("", 0) };
    assert!(store.snapshot().unwrap().search_words(&never).is_err());
    let error = store.update_concept("a", ConceptPatch::default()).unwrap_err();
    assert!(!error.to_string().contains("create_missing"), "{error}");
    assert_eq!(store.snapshot().unwrap().epoch(), epoch + 1);
    store.put_association_creating_ends(Association::new("a", "b")).unwrap();
    assert_eq!(store.neighbors("a", Direction::Out).unwrap(), ["b"]);
}

#[test]
fn what_names_no_store_is_refused_before_anything_is_touched() {
    let names = |dir: &str| {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
    };
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path().join("store"), options(4)).unwrap();
    store.put_concept(Concept::new("a", "")).unwrap();
    let before = names(".");
    for path in ["", "a\0b"] {
        for read_only in [false, true] {
            let options = OpenOptions { read_only, ..options(4) };
            let error = GraphStore::open(path, options).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument { name: "path", .. }), "{error}");
        }
        let error = store.backup(path).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { name: "path", .. }), "{error}");
    }
    assert_eq!(names("."), before);

    let path = dir.path().join("deep/other");
    let german = ConfigRequest { analyzer: Some("german".to_owned()), ..ConfigRequest::default() };
    for config in [options(0).config, options(65_536).config, german] {
        let options = OpenOptions { config, ..OpenOptions::default() };
        let error = GraphStore::open(&path, options).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        assert!(!dir.path().join("deep").exists());
    }
    let read_only = OpenOptions { read_only: true, ..options(4) };
    let error = GraphStore::open(&path, read_only).unwrap_err();
    assert!(matches!(error, Error::NotFound { read_only: true, .. }), "{error}");
    assert!(error.to_string().contains("open it for writing once"), "{error}");
}

#[test]
fn an_opening_that_asks_for_nothing_takes_the_store_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let made = StoreConfig {
        vector_dimension: 3,
        metric: Metric::Dot,
        vector_storage: VectorStorage::F16,
        analyzer: "simple".to_owned(),
        use_compression: false,
    };
    let options = OpenOptions { config: made.clone().into(), ..OpenOptions::default() };
    GraphStore::open(dir.path(), options).unwrap().close().unwrap();
    let store = GraphStore::open(dir.path(), OpenOptions::default()).unwrap();
    assert_eq!(store.config(), made);
    store.put_concept(Concept::new("a", "").with_vector(vec![1.0, 2.0, 3.0])).unwrap();
    let mut transaction = store.transaction().unwrap();
    transaction.put_concept(Concept::new("b", "").with_vector(vec![1.0, 2.0, 3.0])).unwrap();
    let wrong = transaction.put_concept(Concept::new("c", "").with_vector(vec![0.0; 384]));
    assert!(matches!(wrong, Err(Error::InvalidVector { .. })));
    transaction.commit().unwrap();
    drop(store);
    for config in [
        ConfigRequest { vector_dimension: Some(384), ..ConfigRequest::default() },
        ConfigRequest { metric: Some(Metric::Cosine), ..ConfigRequest::default() },
        ConfigRequest { vector_storage: Some(VectorStorage::F32), ..ConfigRequest::default() },
        ConfigRequest { analyzer: Some("english".to_owned()), ..ConfigRequest::default() },
    ] {
        let options = OpenOptions { config, ..OpenOptions::default() };
        let refused = GraphStore::open(dir.path(), options);
        assert!(matches!(refused, Err(Error::OptionMismatch { .. })));
    }
    let memory = GraphStore::in_memory(ConfigRequest::default()).unwrap();
    assert_eq!(memory.config(), StoreConfig::default());
}

#[test]
fn opening_checks_options_and_foreign_directories() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/store");
    let missing = OpenOptions { create: false, ..options(4) };
    assert!(matches!(GraphStore::open(&path, missing.clone()), Err(Error::NotFound { .. })));
    drop(GraphStore::open(&path, options(4)).unwrap());
    drop(GraphStore::open(&path, missing).unwrap());
    let error = GraphStore::open(&path, options(5)).unwrap_err();
    assert!(matches!(error, Error::OptionMismatch { name: "vector_dimension", .. }), "{error}");
    let foreign = dir.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("letter.txt"), "dear store").unwrap();
    assert!(matches!(GraphStore::open(&foreign, options(4)), Err(Error::NotAStore { .. })));
    assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1, "nothing was added");

    // A store that lost its manifests is damaged, not empty.
    let store = GraphStore::open(&path, options(4)).unwrap();
    store.put_concept(Concept::new("a", "")).unwrap();
    drop(store);
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("MANIFEST") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert!(matches!(GraphStore::open(&path, options(4)), Err(Error::Corrupt { .. })));
}

#[test]
fn a_closed_store_refuses_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    store.close().unwrap();
    store.close().unwrap();
    assert!(matches!(store.contains("a"), Err(Error::Closed)));
    assert!(matches!(store.put_concept(Concept::new("a", "")), Err(Error::Closed)));
    let store =
        GraphStore::open(dir.path(), OpenOptions { read_only: true, ..options(4) }).unwrap();
    assert!(matches!(store.put_concept(Concept::new("a", "")), Err(Error::ReadOnly { .. })));
    assert!(matches!(store.flush(), Err(Error::ReadOnly { .. })));
    store.save().unwrap();
}

#[test]
fn two_handles_see_each_other_and_number_alike() {
    let dir = tempfile::tempdir().unwrap();
    let one = GraphStore::open(dir.path(), options(4)).unwrap();
    let two = GraphStore::open(dir.path(), options(4)).unwrap();
    let reader =
        GraphStore::open(dir.path(), OpenOptions { read_only: true, ..options(4) }).unwrap();
    for round in 0..20 {
        one.put_concept(Concept::new(format!("one{round}"), "left")).unwrap();
        two.put_concept(Concept::new(format!("two{round}"), "right")).unwrap();
        assert!(one.contains(&format!("two{round}")).unwrap());
        assert!(two.contains(&format!("one{round}")).unwrap());
        assert!(reader.contains(&format!("two{round}")).unwrap());
        if round % 7 == 3 {
            one.flush().unwrap();
        }
        if round % 7 == 5 {
            two.compact().unwrap();
        }
    }
    let all = |store: &GraphStore| store.snapshot().unwrap().concept_ids(None, 100).unwrap();
    assert_eq!(all(&one), all(&two));
    assert_eq!(all(&one), all(&reader));
    assert_eq!(all(&one).iter().collect::<BTreeSet<_>>().len(), 40);
    drop((one, two, reader));
    let again = GraphStore::open(dir.path(), options(4)).unwrap();
    assert_eq!(all(&again).len(), 40);
}

#[test]
fn exclusive_keeps_others_from_writing_and_names_itself() {
    let dir = tempfile::tempdir().unwrap();
    let exclusive = OpenOptions { exclusive: true, ..options(4) };
    let one = GraphStore::open(dir.path(), exclusive).unwrap();
    one.put_concept(Concept::new("a", "")).unwrap();
    let impatient = OpenOptions { timeout: std::time::Duration::from_millis(20), ..options(4) };
    let two = GraphStore::open(dir.path(), impatient.clone()).unwrap();
    assert!(two.contains("a").unwrap());
    let error = two.put_concept(Concept::new("b", "")).unwrap_err();
    assert!(matches!(error, Error::Locked { pid, .. } if pid == std::process::id()), "{error}");
    one.put_concept(Concept::new("c", "")).unwrap();
    one.close().unwrap();
    two.put_concept(Concept::new("b", "")).unwrap();
    assert_eq!(two.snapshot().unwrap().concept_ids(None, 9).unwrap(), ["a", "c", "b"]);
}

#[test]
fn a_damaged_store_gives_no_backup() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = GraphStore::open(&path, options(4)).unwrap();
    store.put_concept(Concept::new("a", "words of it")).unwrap();
    store.close().unwrap();
    let store = GraphStore::open(&path, options(4)).unwrap();
    store.flush().unwrap();
    let segment = std::fs::read_dir(path.join("seg")).unwrap().next().unwrap().unwrap().path();
    store.backup(dir.path().join("sound")).unwrap();
    drop(store);
    let mut bytes = std::fs::read(&segment).unwrap();
    let text = b"words of it";
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let store = GraphStore::open(&path, options(4)).unwrap();
    assert_eq!(store.verify().unwrap().damage.len(), 1);
    let backup = store.backup(dir.path().join("damaged"));
    assert!(matches!(backup, Err(Error::Corrupt { .. })), "{backup:?}");
    assert!(!dir.path().join("damaged").exists());
}

#[test]
fn files_that_are_gone_are_damage_and_no_reason_to_make_a_new_store() {
    let dir = tempfile::tempdir().unwrap();
    for gone in ["manifest", "seg", "wal"] {
        let path = dir.path().join(gone);
        let store = GraphStore::open(&path, options(4)).unwrap();
        store.put_concept(Concept::new("a", "words of it")).unwrap();
        store.flush().unwrap();
        store.close().unwrap();
        let folder = if gone == "manifest" { path.clone() } else { path.join(gone) };
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            if gone != "manifest" || file.to_string_lossy().contains("MANIFEST-") {
                std::fs::remove_file(file).unwrap();
            }
        }
        for opened in [
            options(4),
            OpenOptions { create: false, ..options(4) },
            OpenOptions { read_only: true, ..options(4) },
        ] {
            let error = GraphStore::open(&path, opened).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{gone}: {error}");
        }
    }
}

#[test]
fn the_best_of_a_hybrid_search_are_the_same_however_many_are_asked_for() {
    let store = GraphStore::in_memory(options(4).config).unwrap();
    let concepts = (0..400_usize).map(|at| {
        let words = "river ".repeat(at % 7) + &"stone ".repeat(at % 11);
        let vector = vec![1.0, at as f32, (at % 13) as f32, 2.0];
        Concept::new(format!("c{at}"), words).with_vector(vector)
    });
    store.put_concepts(concepts.collect()).unwrap();
    let search = |k| {
        let query = TextQuery::new("river stone", 1);
        let snapshot = store.snapshot().unwrap();
        snapshot.search_hybrid(Some(&query), Some(&[1.0, 9.0, 5.0, 0.0]), k, &Filter::default())
    };
    let all = search(400).unwrap();
    for k in [1, 3, 10, 200] {
        assert_eq!(search(k).unwrap(), all[..k]);
    }
}

#[test]
fn a_backup_is_a_store_with_the_state_of_its_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path().join("store"), options(4)).unwrap();
    for at in 0..60 {
        let concept = Concept::new(format!("c{at}"), format!("word number {at}"));
        store.put_concept(concept.with_vector(unit(4, at % 4))).unwrap();
        if at % 20 == 10 {
            store.flush().unwrap();
            store.delete_concept(&format!("c{}", at - 5)).unwrap();
        }
    }
    store.put_association(Association::new("c1", "c2")).unwrap();
    let epoch = store.backup(dir.path().join("new/backup")).unwrap();
    assert_eq!(epoch, store.snapshot().unwrap().epoch());
    let words = store.search_text("number", 100).unwrap();
    store.delete_concept("c1").unwrap();
    store.put_concept(Concept::new("later", "number")).unwrap();

    let error = store.backup(dir.path().join("new/backup")).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
    let backup = GraphStore::open(dir.path().join("new/backup"), options(4)).unwrap();
    assert!(backup.verify().unwrap().is_sound());
    assert_eq!(backup.search_text("number", 100).unwrap(), words);
    assert_eq!(backup.neighbors("c1", Direction::Out).unwrap(), ["c2"]);
    assert!(!backup.contains("later").unwrap() && !backup.contains("c5").unwrap());
    backup.put_concept(Concept::new("its own", "way")).unwrap();
    assert!(!store.contains("its own").unwrap());
    let memory = GraphStore::in_memory(options(4).config).unwrap();
    assert!(memory.backup(dir.path().join("m")).is_err());
}

/// What is there before any operation of a backup is what a process leaves that is killed there.
#[test]
fn a_backup_takes_the_place_of_one_that_was_cut_short_at_any_operation() {
    let (root, target) = (std::path::Path::new("store"), std::path::Path::new("backups/one"));
    let fs = SimulatedFileSystem::new();
    let open = |fs: &SimulatedFileSystem, dir: &std::path::Path| {
        let options =
            OpenOptions { background: false, retention: Some(Retention::Forever), ..options(4) };
        GraphStore::open_with(Arc::new(fs.clone()), dir, options).unwrap()
    };
    let store = open(&fs, root);
    for id in ["a", "b", "c"] {
        store.put_concept(Concept::new(id, "river")).unwrap();
        store.flush().unwrap();
        store.delete_concept("a").unwrap();
    }
    let from = fs.operations();
    fs.record(from, usize::MAX);
    let epoch = store.backup(target).unwrap();
    let moments = fs.recorded();
    assert!(moments.len() > 20, "{}", moments.len());
    let mut replaced = 0;
    for (at, moment) in moments.into_iter().enumerate() {
        // Killed; or the power fails, and keeps what it likes of what was not synced.
        for cut in [moment.fs.clone(), moment.fs.crash(at as u64)] {
            let has = |name: &str| cut.paths().iter().any(|p| p.to_string_lossy().contains(name));
            let is_whole = has("one/MANIFEST-");
            replaced += u64::from(has("one/UNFINISHED-BACKUP") && !is_whole);
            let store = open(&cut, root);
            let after = match store.backup(target) {
                Ok(_) => {
                    assert!(!is_whole, "{at}");
                    // The power may fail once more.
                    vec![cut.crash(at as u64), cut.clone()]
                }
                Err(Error::NotAStore { found, .. }) => {
                    assert!(is_whole && found == "a store", "{at}: {found}");
                    vec![cut.clone()]
                }
                Err(error) => panic!("{at}: {error}"),
            };
            for fs in after {
                let backup = open(&fs, target);
                assert!(backup.verify().unwrap().is_sound());
                assert_eq!(backup.snapshot().unwrap().epoch(), epoch, "{at}");
                assert_eq!(backup.snapshot().unwrap().concept_ids(None, 9).unwrap(), ["b", "c"]);
            }
        }
    }
    assert!(replaced > 20, "{replaced}");
    assert!(!fs.paths().iter().any(|path| path.ends_with("UNFINISHED-BACKUP")));
}

#[test]
fn a_backup_removes_nothing_that_another_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path().join("store"), options(4)).unwrap();
    store.put_concept(Concept::new("a", "river")).unwrap();
    let target = dir.path().join("backup");
    for folder in ["seg", "wal"] {
        std::fs::create_dir_all(target.join(folder)).unwrap();
    }
    let segment = target.join("seg/00000000000000000001.seg");
    std::fs::write(&segment, "half of it").unwrap();
    let refuses = |what: &str| {
        let error = store.backup(&target).unwrap_err();
        assert!(matches!(error, Error::NotAStore { .. }), "{what}: {error}");
        assert!(segment.exists(), "{what}");
    };
    refuses("no mark");
    let mark = target.join("UNFINISHED-BACKUP");
    std::fs::write(&mark, "").unwrap();
    for stranger in ["thesis.txt", "seg/notes", "wal/notes", "MANIFEST-00000000000000000001"] {
        std::fs::write(target.join(stranger), "years of work").unwrap();
        refuses(stranger);
        std::fs::remove_file(target.join(stranger)).unwrap();
    }
    let opened = GraphStore::open(&target, options(4));
    assert!(matches!(opened, Err(Error::Unfinished { maker: "backup", .. })), "{opened:?}");
    let other = std::fs::File::options().write(true).open(&mark).unwrap();
    other.lock().unwrap();
    refuses("another that is under way");
    drop(other);
    store.backup(&target).unwrap();
    assert!(!mark.exists());
    assert!(GraphStore::open(&target, options(4)).unwrap().contains("a").unwrap());
}

/// A copy among the store's own files would be taken for some of them, or go with them.
#[cfg(unix)]
#[test]
fn a_backup_or_an_export_into_a_store_is_refused_however_it_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let open = |name: &str| {
        let store = GraphStore::open(at(name), options(4)).unwrap();
        store.put_concept(Concept::new("a", "river")).unwrap();
        store.flush().unwrap();
        store
    };
    let (store, other) = (open("outer/store"), open("other"));
    let files = || {
        let mut all = Vec::new();
        for folder in
            ["", "outer/store", "outer/store/seg", "outer/store/wal", "other", "other/seg"]
        {
            all.extend(std::fs::read_dir(at(folder)).unwrap().map(|entry| entry.unwrap().path()));
        }
        all.sort();
        all
    };
    let control = std::fs::read(at("outer/store/CONTROL")).unwrap();
    std::os::unix::fs::symlink(at("outer/store"), at("link")).unwrap();
    std::os::unix::fs::symlink(at("outer/store/seg"), at("folder")).unwrap();
    std::os::unix::fs::symlink(at("outer/store/CONTROL"), at("file")).unwrap();
    let before = files();
    for place in [
        "outer/store/new",
        "outer/store/not/yet/new",
        "outer/store/seg/new",
        "outer/../outer/store/new",
        "outer/new/../store/wal/../new",
        "link/new",
        "folder/new",
        "folder/not/yet/new",
        "other/new",
        "other/seg/new",
    ] {
        let refused = [
            store.backup(at(place)).map(drop),
            store.export_jsonl(at(place)).map(drop),
            store.snapshot().unwrap().export_jsonl(at(place)).map(drop),
        ];
        for outcome in refused {
            let Err(error @ Error::InvalidArgument { name: "path", .. }) = outcome else {
                panic!("{place}: {outcome:?}");
            };
            let told = error.to_string();
            assert!(told.contains("path must be apart from the directory of the store"), "{told}");
        }
        assert_eq!(files(), before, "{place}");
    }
    for own in ["outer/store", "link", "outer/store/seg", "folder", "outer/store/../store"] {
        let outcome = store.backup(at(own));
        let is_refused = matches!(outcome, Err(Error::InvalidArgument { name: "path", .. }));
        assert!(is_refused, "{own}: {outcome:?}");
    }
    let exported = store.export_jsonl(at("file"));
    assert!(matches!(exported, Err(Error::InvalidArgument { name: "path", .. })), "{exported:?}");
    assert_eq!(std::fs::read(at("outer/store/CONTROL")).unwrap(), control);
    assert_eq!(files(), before);
    assert!(store.verify().unwrap().is_sound() && other.verify().unwrap().is_sound());
    // Beside it is as good a place as any.
    store.backup(at("outer/new")).unwrap();
    store.export_jsonl(at("outer/new.jsonl")).unwrap();
}

/// The files of a store that hold one of these byte strings.
fn files_with(dir: &std::path::Path, needles: &[&[u8]]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for folder in [dir.to_owned(), dir.join("wal"), dir.join("seg")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let holds = |needle: &&[u8]| bytes.windows(needle.len()).any(|w| w == *needle);
                if needles.iter().any(holds) {
                    found.push(path);
                }
            }
        }
    }
    found
}

#[test]
fn erased_content_is_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    for at in 0..50 {
        let mut concept = Concept::new(format!("c{at}"), format!("plain text {at}"));
        concept.vector = Some(unit(4, at % 4));
        store.put_concept(concept).unwrap();
    }
    let secret = Concept::new("secretid", "xyzzyquux classified").with_vector(vec![0.123_456_7; 4]);
    let needles: [&[u8]; 4] =
        [b"secretid", b"xyzzyquux", b"classifi", &0.123_456_7_f32.to_le_bytes()];
    // Erased while it is there, after it was deleted, and after it was accessed in a part of its own.
    for round in 0..3 {
        store.put_concept(secret.clone()).unwrap();
        store.put_association(Association::new("secretid", "c1")).unwrap();
        store.flush().unwrap();
        assert!(!files_with(dir.path(), &needles).is_empty());
        match round {
            1 => assert!(store.delete_concept("secretid").unwrap()),
            2 => {
                store.access("secretid", Some(0.765_432_1)).unwrap();
                store.flush().unwrap();
            }
            _ => {}
        }
        assert_eq!(store.erase("secretid").unwrap(), round != 1);
        let left = files_with(dir.path(), &needles);
        assert!(left.is_empty(), "round {round}: {left:?}");
        let strength = 0.765_432_1_f32.to_le_bytes();
        assert!(files_with(dir.path(), &[&strength]).is_empty(), "an access entry is left");
        assert!(store.verify().unwrap().is_sound());
    }
    assert_eq!(store.stats().unwrap().total_concepts, 50);
    assert_eq!(store.search_text("plain", 100).unwrap().len(), 50);
}

#[test]
fn vectors_that_sixteen_bits_do_not_hold_are_refused() {
    let mut options = options(2);
    options.config.vector_storage = Some(VectorStorage::F16);
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options.clone()).unwrap();
    let refused = |outcome: Result<(), Error>| match outcome {
        Err(error @ Error::InvalidVector { .. }) => assert!(error.to_string().contains("65504")),
        other => panic!("expected a refusal, got {other:?}"),
    };
    let largest = Concept::new("largest", "").with_vector(vec![65_519.0, -65_504.0]);
    store.put_concept(largest).unwrap();
    for large in [65_520.0, -70_000.0, f32::MAX] {
        refused(store.put_concept(Concept::new("b", "").with_vector(vec![1.0, large])).map(drop));
        let vector = Some(Some(vec![large, 0.0]));
        let patch = ConceptPatch { vector, ..ConceptPatch::default() };
        refused(store.update_concept("largest", patch).map(drop));
        let mut transaction = store.transaction().unwrap();
        refused(transaction.put_concept(Concept::new("c", "").with_vector(vec![large, 0.0])));
    }
    for _ in 0..2 {
        assert_eq!(store.vector("largest").unwrap(), Some(vec![65_504.0, -65_504.0]));
        // A query is not stored.
        let hits = store.search_vector(&[70_000.0, 0.0], 5, &Filter::default()).unwrap();
        assert_eq!(ids(&hits), ["largest"]);
        store.flush().unwrap();
    }
}

#[test]
fn a_store_has_at_most_65_536_types_and_refuses_more_before_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    store.put_concepts(vec![Concept::new("a", ""), Concept::new("b", "")]).unwrap();
    let of_type = |at: usize| Association::new("a", "b").with_type(format!("type {at}"));
    let full = |outcome: Result<(), Error>| assert!(matches!(outcome, Err(Error::Full { .. })));
    let epoch = store.stats().unwrap().epoch;
    full(store.put_associations((0..65_537).map(of_type).collect(), false).map(drop));
    let stats = store.stats().unwrap();
    assert_eq!((stats.epoch, stats.association_types, stats.total_edges), (epoch, 0, 0));
    store.put_associations((0..65_536).map(of_type).collect(), false).unwrap();
    store.close().unwrap();
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    full(store.put_association(of_type(65_536)).map(drop));
    store.put_association(of_type(65_535)).unwrap();
    assert_eq!(store.stats().unwrap().total_edges, 65_536);
}

#[test]
fn single_commits_leave_a_large_part_in_memory_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options(4)).unwrap();
    store
        .put_concepts((0..500).map(|at| Concept::new(format!("c{at}"), "some words")).collect())
        .unwrap();
    for count in 1..=7 {
        store.put_concept(Concept::new(format!("single {count}"), "words")).unwrap();
        assert_eq!(store.stats().unwrap().memory_parts, 1 + count);
    }
    // These are many enough to become one, without the large one.
    store.put_concept(Concept::new("single 8", "words")).unwrap();
    assert_eq!(store.stats().unwrap().memory_parts, 2);
}

/// Bytes of all files of a store.
fn disk_bytes(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        outcome => outcome.map_or(0, |metadata| metadata.len()),
    };
    entries.map(bytes).sum()
}

#[test]
fn deletions_give_their_room_back_without_being_asked() {
    let concept = |at: u32| {
        let words = (0..60).map(|word| format!("word{}", (at * 61 + word * 17) % 5000));
        Concept::new(format!("c{at}"), words.collect::<Vec<_>>().join(" "))
    };
    let batches = |numbers: Vec<u32>| -> Vec<Vec<Concept>> {
        numbers.chunks(1000).map(|batch| batch.iter().map(|&at| concept(at)).collect()).collect()
    };
    let kept = |at: &u32| at.is_multiple_of(10);
    let (dir, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let least = GraphStore::open(fresh.path(), options(4)).unwrap();
    for batch in batches((0..30_000).filter(kept).collect()) {
        least.put_concepts(batch).unwrap();
    }
    least.compact().unwrap();
    let live = disk_bytes(fresh.path());

    let background = OpenOptions { background: true, ..options(4) };
    let store = GraphStore::open(dir.path(), background).unwrap();
    for batch in batches((0..30_000).collect()) {
        store.put_concepts(batch).unwrap();
    }
    store.flush().unwrap();
    assert!(disk_bytes(dir.path()) > 5 * live);
    let ids = (0..30_000_u32).filter(|at| !kept(at)).map(|at| format!("c{at}"));
    store.delete_concepts(ids.collect()).unwrap();
    let patience = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while disk_bytes(dir.path()) * 10 > live * 13 {
        assert!(std::time::Instant::now() < patience, "{} of {live}", disk_bytes(dir.path()));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(store.snapshot().unwrap().concept_count(), 3000);
    assert_eq!(store.stats().unwrap().maintenance_error, None);
    assert!(store.verify().unwrap().is_sound());
}
