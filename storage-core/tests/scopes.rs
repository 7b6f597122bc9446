//! Who sees what: namespaces are like stores of their own, what has expired is as if it was deleted, and
//! a snapshot valid at a time is like a store of what holds then. The oracle is the model in plain maps,
//! which every index is compared with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::timed::{self, Timed};
use common::{DIM, Model, ModelConcept, Random, options, run_both, variable};
use storage_core::{
    AsOf, Association, Concept, ConceptPatch, Direction, Error, GraphStore, OpenOptions, Retention,
};

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn seeds() -> std::ops::Range<u64> {
    0..variable("SUTRA_SCOPE_SEEDS").unwrap_or(12)
}

// ---- namespaces ------------------------------------------------------------------------------------

/// Drives several namespaces of one store, whose ids are the same, each with a model of its own.
fn namespaces_agree(seed: u64, options: &OpenOptions) {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(seed);
    let mut models = vec![Model::default(); 3];
    for round in 0..4 {
        let store = GraphStore::open(dir.path(), options.clone()).unwrap();
        let other = GraphStore::open(dir.path(), options.clone()).unwrap();
        let (ann, bob) = (store.namespace("ann").unwrap(), other.namespace("bob").unwrap());
        let handles = [&store, &ann, &bob];
        for step in 0..60 {
            let at = random.below(3) as usize;
            run_both(handles[at], &mut models[at], &mut random);
            if step % 10 == 0 {
                for (handle, model) in handles.iter().zip(&models) {
                    model.check(handle);
                }
            }
        }
        for (handle, model) in handles.iter().zip(&models) {
            model.check(handle);
            model.check_snapshot(&handle.snapshot().unwrap());
        }
        models[1].check(&other.namespace("ann").unwrap());
        let named =
            |at: usize, name: &str| (!models[at].concepts.is_empty()).then(|| name.to_owned());
        let expected: Vec<String> = named(1, "ann").into_iter().chain(named(2, "bob")).collect();
        assert_eq!(store.namespaces().unwrap(), expected);
        if round % 2 == 0 {
            std::mem::forget((ann, bob, other, store)); // As by a crash.
        }
    }
    let store = GraphStore::open(dir.path(), options.clone()).unwrap();
    assert!(store.verify().unwrap().is_sound());
}

#[test]
fn namespaces_are_like_stores_of_their_own() {
    for seed in seeds() {
        namespaces_agree(seed, &options());
    }
}

#[test]
fn namespaces_are_like_stores_of_their_own_while_flushes_and_compactions_run() {
    for seed in seeds() {
        let background = OpenOptions { background: true, flush_bytes: 4096, ..options() };
        namespaces_agree(seed, &background);
    }
}

#[test]
fn a_namespace_ends_without_a_trace_in_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    let user = store.namespace("user").unwrap();
    for handle in [&store, &user] {
        handle.put_concepts(vec![Concept::new("a", "river"), Concept::new("b", "stone")]).unwrap();
        handle.put_association(Association::new("a", "b")).unwrap();
    }
    assert_eq!(store.stats().unwrap().total_concepts, 2);
    assert_eq!(store.stats().unwrap().namespaces, 1);
    assert_eq!(store.delete_namespace("user").unwrap(), 2);
    assert_eq!(store.delete_namespace("user").unwrap(), 0);
    assert!(store.namespaces().unwrap().is_empty());
    assert!(!user.contains("a").unwrap());
    assert_eq!(user.stats().unwrap().total_edges, 0);
    assert_eq!(store.neighbors("a", Direction::Out).unwrap(), ["b"]);
    // It may begin anew.
    user.put_concept(Concept::new("a", "garden")).unwrap();
    assert_eq!(user.search_text("river", 5).unwrap(), []);
    assert_eq!(user.search_text("garden", 5).unwrap()[0].id, "a");
}

#[test]
fn associations_stay_within_a_namespace() {
    let store = GraphStore::in_memory(options().config).unwrap();
    let user = store.namespace("user").unwrap();
    store.put_concept(Concept::new("a", "river")).unwrap();
    user.put_concept(Concept::new("b", "stone")).unwrap();
    let across = user.put_association(Association::new("a", "b"));
    assert!(matches!(across, Err(Error::ConceptNotFound { id, .. }) if id == "a"));
}

#[test]
fn a_handle_on_a_namespace_closes_nothing_but_goes_with_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    let user = store.namespace("user").unwrap();
    user.put_concept(Concept::new("a", "river")).unwrap();
    user.close().unwrap();
    drop(user);
    let user = store.namespace("user").unwrap();
    assert!(user.contains("a").unwrap());
    store.close().unwrap();
    assert!(matches!(user.contains("a"), Err(Error::Closed)));
    user.close().unwrap();
}

#[test]
fn namespaces_without_a_name_or_with_one_too_long_are_refused() {
    let store = GraphStore::in_memory(options().config).unwrap();
    for name in [String::new(), "n".repeat(1025)] {
        assert!(matches!(store.namespace(&name), Err(Error::InvalidArgument { .. })));
        assert!(matches!(store.delete_namespace(&name), Err(Error::InvalidArgument { .. })));
    }
    store.namespace(&"n".repeat(1024)).unwrap().put_concept(Concept::new("a", "")).unwrap();
}

#[test]
fn transactions_of_namespaces_do_not_conflict_and_undo_keeps_to_its_own() {
    let options = OpenOptions { retention: Some(Retention::Forever), ..options() };
    let store = GraphStore::in_memory_with(options).unwrap();
    let user = store.namespace("user").unwrap();
    store.put_concept(Concept::new("a", "river")).unwrap();
    user.put_concept(Concept::new("a", "stone")).unwrap();
    let mut transaction = user.transaction().unwrap();
    assert_eq!(transaction.concept("a").unwrap().unwrap().content, "stone");
    assert!(!transaction.contains("b").unwrap());
    store.put_concepts(vec![Concept::new("a", "cloud"), Concept::new("b", "bridge")]).unwrap();
    transaction.put_concept(Concept::new("b", "winter")).unwrap();
    transaction.commit().unwrap();
    assert_eq!(store.concept("b").unwrap().unwrap().content, "bridge");
    let other = store.namespace("other").unwrap();
    assert!(matches!(other.undo(None), Err(Error::NotLast { asked: None, last: 4 })));
    user.undo(Some(4)).unwrap();
    assert!(!user.contains("b").unwrap());
    assert_eq!(store.concept("b").unwrap().unwrap().content, "bridge");
    // The store's own handle takes back whatever was last.
    store.undo(None).unwrap();
    assert_eq!(user.concept("b").unwrap().unwrap().content, "winter");
    user.put_association(Association::new("a", "b")).unwrap();
    assert!(matches!(other.undo(None), Err(Error::NotLast { .. })));
    user.undo(None).unwrap();
    assert!(user.neighbors("a", Direction::Out).unwrap().is_empty());
}

/// What only deleted what had expired does not stand between a user and the last thing done.
#[test]
fn undo_passes_over_sweeps_and_brings_nothing_back_that_has_expired() {
    let dir = tempfile::tempdir().unwrap();
    for at_end in ["fresh", "flushed", "compacted", "reopened"] {
        let path = dir.path().join(at_end);
        let options = OpenOptions { retention: Some(Retention::Forever), ..options() };
        let mut store = GraphStore::open(&path, options.clone()).unwrap();
        let brief = |id: &str| {
            let mut concept = Concept::new(id, "river");
            concept.expires = Some(now() + 0.3);
            concept
        };
        store.put_concepts(vec![Concept::new("a", "first"), brief("gone")]).unwrap();
        store.put_association(Association::new("a", "gone")).unwrap();
        let last = store
            .put_concepts(vec![
                Concept::new("a", "second"),
                Concept::new("gone", "stone"),
                brief("new"),
            ])
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(400));
        assert_eq!(store.delete_expired().unwrap(), 1);
        assert_eq!(store.snapshot().unwrap().epoch(), last + 1);
        match at_end {
            "flushed" => store.flush().unwrap(),
            "compacted" => store.compact().unwrap(),
            "reopened" => {
                store.close().unwrap();
                store = GraphStore::open(&path, options).unwrap();
            }
            _ => {}
        }
        assert!(matches!(
            store.undo(Some(last + 1)),
            Err(Error::NotLast { asked: Some(_), last: found }) if found == last
        ));
        let undone = store.undo(Some(last)).unwrap();
        assert_eq!(undone, last + 2);
        assert_eq!(store.concept("a").unwrap().unwrap().content, "first");
        // It was there before, and would have expired since.
        assert!(!store.contains("gone").unwrap() && !store.contains("new").unwrap());
        assert!(store.neighbors("a", Direction::Out).unwrap().is_empty());
        store.undo(Some(undone)).unwrap();
        assert_eq!(store.concept("a").unwrap().unwrap().content, "second");
        assert_eq!(store.concept("gone").unwrap().unwrap().content, "stone");
        assert!(store.verify().unwrap().is_sound());
    }
}

#[test]
fn the_past_of_a_namespace_is_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { retention: Some(Retention::Forever), ..options() };
    for seed in seeds() {
        let path = dir.path().join(seed.to_string());
        let store = GraphStore::open(&path, options.clone()).unwrap();
        let user = store.namespace("user").unwrap();
        let (mut models, mut random) = ([Model::default(), Model::default()], Random(seed));
        let mut past = Vec::new();
        for _ in 0..40 {
            let at = random.below(2) as usize;
            run_both([&store, &user][at], &mut models[at], &mut random);
            past.push((store.snapshot().unwrap().epoch(), models.clone()));
        }
        for (epoch, models) in past {
            for (handle, model) in [&store, &user].into_iter().zip(&models) {
                model.check_snapshot(&handle.snapshot_as_of(AsOf::Epoch(epoch)).unwrap());
            }
        }
    }
}

/// Whether any file of a directory holds some bytes.
fn files_hold(dir: &std::path::Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return files_hold(&path, bytes);
        }
        std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn an_erased_namespace_is_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { retention: Some(Retention::Forever), ..options() };
    let store = GraphStore::open(dir.path(), options).unwrap();
    let user = store.namespace("user-4711").unwrap();
    let secret = Concept::new("secret-id", "zanzibar").with_vector(vec![0.123_456; DIM]);
    for handle in [&store, &user] {
        handle.put_concepts(vec![secret.clone(), Concept::new("b", "stone")]).unwrap();
        handle.put_association(Association::new("secret-id", "b")).unwrap();
        handle.flush().unwrap();
    }
    user.put_concept(Concept::new("secret-id", "honolulu")).unwrap();
    user.delete_concept("b").unwrap();
    store.flush().unwrap();
    assert!(files_hold(dir.path(), b"user-4711") && files_hold(dir.path(), b"honolulu"));
    drop(user);
    assert_eq!(store.erase_namespace("user-4711").unwrap(), 1);
    assert!(!files_hold(dir.path(), b"user-4711"));
    assert!(!files_hold(dir.path(), b"honolulu"));
    // The other's concept of the same id stays, and so does its past.
    assert_eq!(store.concept("secret-id").unwrap().unwrap().content, "zanzibar");
    assert!(store.erase("secret-id").unwrap());
    assert!(!files_hold(dir.path(), b"zanzibar"));
}

#[test]
fn erasing_an_id_leaves_the_past_of_the_same_id_in_another_namespace() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { retention: Some(Retention::Forever), ..options() };
    let store = GraphStore::open(dir.path(), options).unwrap();
    let user = store.namespace("user").unwrap();
    let epoch = user.put_concept(Concept::new("a", "river")).unwrap();
    user.put_concept(Concept::new("a", "stone")).unwrap();
    store.put_concept(Concept::new("a", "zanzibar")).unwrap();
    store.erase("a").unwrap();
    let then = user.snapshot_as_of(AsOf::Epoch(epoch)).unwrap();
    assert_eq!(then.concept("a").unwrap().unwrap().content, "river");
}

// ---- validity and expiry ---------------------------------------------------------------------------

fn check_times(store: &GraphStore, timed: &Timed) {
    timed.model.check(store);
    let snapshot = store.snapshot().unwrap();
    for time in [-1e18, 0.0, 10.0, 25.5, 49.0, 50.0, 75.0, 99.0, 1e18] {
        timed.at(time).check_snapshot(&snapshot.valid_at(time).unwrap());
    }
}

#[test]
fn a_snapshot_valid_at_a_time_is_like_a_store_of_what_holds_then() {
    for seed in seeds() {
        let dir = tempfile::tempdir().unwrap();
        let options = OpenOptions { retention: Some(Retention::Forever), ..options() };
        let (mut timed, mut random) = (Timed::default(), Random(seed));
        let mut past = Vec::new();
        for round in 0..3 {
            let store = GraphStore::open(dir.path(), options.clone()).unwrap();
            let user = store.namespace("user").unwrap();
            let handle = if seed % 2 == 0 { &store } else { &user };
            check_times(handle, &timed);
            for at in 0..60 {
                timed::step(handle, &mut timed, &mut random);
                if at % 12 == 0 {
                    check_times(handle, &timed);
                    past.push((handle.snapshot().unwrap().epoch(), timed.clone()));
                }
            }
            check_times(handle, &timed);
            for (epoch, timed) in &past {
                let then = handle.snapshot_as_of(AsOf::Epoch(*epoch)).unwrap();
                timed.model.check_snapshot(&then);
                timed.at(60.0).check_snapshot(&then.valid_at(60.0).unwrap());
            }
            if round == 1 {
                std::mem::forget((user, store)); // As by a crash.
            }
        }
        let store = GraphStore::open(dir.path(), options).unwrap();
        assert!(store.verify().unwrap().is_sound());
    }
}

#[test]
fn windows_and_expiry_come_back_with_the_concept_and_the_association() {
    let dir = tempfile::tempdir().unwrap();
    let mut concept = Concept::new("a", "river");
    (concept.valid_from, concept.valid_to, concept.expires) = (Some(-5.5), Some(9e9), Some(8e9));
    let mut association = Association::new("a", "a");
    (association.valid_from, association.expires) = (Some(3.0), Some(7e9));
    let store = GraphStore::open(dir.path(), options()).unwrap();
    store.put_concept(concept.clone()).unwrap();
    store.put_association(association).unwrap();
    store.close().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    let read = store.concept("a").unwrap().unwrap();
    assert_eq!((read.valid_from, read.valid_to, read.expires), (Some(-5.5), Some(9e9), Some(8e9)));
    let read = &store.associations("a", Direction::Out, None).unwrap()[0];
    assert_eq!((read.valid_from, read.valid_to, read.expires), (Some(3.0), None, Some(7e9)));
    // A patch takes them away again.
    let patch = ConceptPatch { expires: Some(None), valid_to: Some(None), ..Default::default() };
    store.update_concept("a", patch).unwrap();
    let read = store.concept("a").unwrap().unwrap();
    assert_eq!((read.valid_from, read.valid_to, read.expires), (Some(-5.5), None, None));
}

#[test]
fn windows_that_no_time_is_in_are_refused() {
    let store = GraphStore::in_memory(options().config).unwrap();
    let mut concept = Concept::new("a", "river");
    (concept.valid_from, concept.valid_to) = (Some(2.0), Some(2.0));
    assert!(matches!(store.put_concept(concept.clone()), Err(Error::InvalidArgument { .. })));
    concept.valid_to = None;
    store.put_concept(concept).unwrap();
    // Only with what is stored does this patch make none.
    let patch = ConceptPatch { valid_to: Some(Some(1.0)), ..ConceptPatch::default() };
    let refused = store.update_concept("a", patch);
    assert!(matches!(refused, Err(Error::InvalidArgument { name: "valid_to", .. })));
    let nan = store.snapshot().unwrap().valid_at(f64::NAN);
    assert!(matches!(nan, Err(Error::InvalidArgument { .. })));
}

#[test]
fn what_expires_is_gone_from_every_read_and_then_from_the_store() {
    let store = GraphStore::in_memory(options().config).unwrap();
    let mut concept = Concept::new("brief", "river").with_vector(vec![1.0; DIM]);
    let soon = now() + 0.2;
    concept.expires = Some(soon);
    store.put_concepts(vec![concept, Concept::new("lasting", "river")]).unwrap();
    store.put_association(Association::new("lasting", "brief")).unwrap();
    let before = store.snapshot().unwrap();
    while now() < soon {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let lasting = ModelConcept { content: "river".into(), ..ModelConcept::default() };
    let model = Model { concepts: [("lasting".to_owned(), lasting)].into(), ..Model::default() };
    model.check(&store);
    // It never changes, so it shows what it showed.
    assert_eq!(before.concept_count(), 2);
    assert_eq!(store.delete_expired().unwrap(), 1);
    assert_eq!(store.delete_expired().unwrap(), 0);
    assert_eq!(store.stats().unwrap().dead_rows, 2);
    model.check(&store);
}

#[test]
fn a_moment_shows_what_had_not_expired_by_then_before_and_after_it_is_swept() {
    let keeping = OpenOptions { retention: Some(Retention::Forever), ..options() };
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), keeping).unwrap();
    let soon = now() + 0.3;
    let brief = |id: &str| Concept { expires: Some(soon), ..Concept::new(id, "river") };
    let mut stale = brief("stale");
    stale.expires = Some(1.0);
    let ann = store.namespace("ann").unwrap();
    ann.put_concept(brief("hers")).unwrap();
    let epoch =
        store.put_concepts(vec![brief("brief"), stale, Concept::new("lasting", "river")]).unwrap();
    let committed = now();
    assert!(committed < soon, "the machine is too slow");
    let ids = |store: &GraphStore, moment| {
        store.snapshot_as_of(moment).unwrap().concept_ids(None, 9).unwrap()
    };
    assert_eq!(store.namespaces().unwrap(), ["ann"]);
    while now() < soon {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for swept in [false, true] {
        if swept {
            assert_eq!(store.delete_expired().unwrap(), 3);
            store.compact().unwrap();
        }
        assert_eq!(store.snapshot().unwrap().concept_ids(None, 9).unwrap(), ["lasting"]);
        assert_eq!(ids(&store, AsOf::Time(now())), ["lasting"]);
        assert_eq!(ids(&store, AsOf::Epoch(epoch)), ["brief", "lasting"], "swept: {swept}");
        assert_eq!(ids(&store, AsOf::Time(committed)), ["brief", "lasting"], "swept: {swept}");
        assert_eq!(ids(&ann, AsOf::Epoch(epoch)), ["hers"]);
        assert!(store.namespaces().unwrap().is_empty());
        assert_eq!(store.stats().unwrap().namespaces, 0);
        let mut lines = Vec::new();
        store.write_jsonl(&mut lines).unwrap();
        assert!(!String::from_utf8(lines).unwrap().contains("ann"));
    }
}

#[test]
fn the_background_gives_the_space_of_what_expired_back() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { background: true, ..options() };
    let store = GraphStore::open(dir.path(), options).unwrap();
    let concepts = (0..100).map(|at| {
        let mut concept = Concept::new(format!("c{at}"), "river");
        concept.expires = Some(now() + f64::from(at) / 1000.0);
        concept
    });
    let epoch = store.put_concepts(concepts.collect()).unwrap();
    // Nothing but the sweep commits.
    let swept = (0..3000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        store.snapshot().unwrap().epoch() > epoch && store.delete_expired().unwrap() == 0
    });
    assert!(swept && store.stats().unwrap().dead_rows == 100);
}

#[test]
fn an_id_whose_concept_expired_is_free_and_erasable() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    let expired = |text: &str| {
        let mut concept = Concept::new("a", text);
        concept.expires = Some(1.0);
        concept.access_count = 7;
        concept
    };
    store.put_concept(expired("zanzibar")).unwrap();
    assert!(matches!(store.access("a", None), Err(Error::ConceptNotFound { .. })));
    let mut transaction = store.transaction().unwrap();
    assert!(!transaction.contains("a").unwrap());
    store.put_concept(Concept::new("other", "")).unwrap();
    transaction.put_concept(Concept::new("a", "river")).unwrap();
    transaction.commit().unwrap();
    let read = store.concept("a").unwrap().unwrap();
    assert_eq!((read.content.as_str(), read.access_count), ("river", 0));
    store.put_concept(expired("zanzibar")).unwrap();
    store.flush().unwrap();
    assert!(files_hold(dir.path(), b"zanzibar"));
    assert!(!store.erase("a").unwrap());
    assert!(!files_hold(dir.path(), b"zanzibar"));
}
