//! Random workloads against a model in plain maps: after every few steps, and after every reopening,
//! all four indexes give exactly what brute force over the model gives.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Model, Random, options, run_both};
use proptest::prelude::*;
use storage_core::GraphStore;

/// Drives a store and a model through the same steps.
fn drive(store: &GraphStore, model: &mut Model, random: &mut Random, steps: usize) {
    for _ in 0..steps {
        run_both(store, model, random);
    }
}

fn memory_agrees(seed: u64) {
    let store = GraphStore::in_memory(options().config).unwrap();
    let (mut model, mut random) = (Model::default(), Random(seed));
    for _ in 0..4 {
        drive(&store, &mut model, &mut random, 25);
        model.check(&store);
    }
}

fn disk_agrees(seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (mut model, mut random) = (Model::default(), Random(seed));
    for _ in 0..6 {
        let store = GraphStore::open(dir.path(), options()).unwrap();
        model.check(&store);
        drive(&store, &mut model, &mut random, 20);
        model.check(&store);
        // Every other time the handle is just forgotten, as by a crash.
        if random.below(2) == 0 {
            store.close().unwrap();
        } else {
            std::mem::forget(store);
        }
    }
    let store = GraphStore::open(dir.path(), options()).unwrap();
    model.check(&store);
    assert!(store.verify().unwrap().is_sound());
}

fn background_agrees(seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (mut model, mut random) = (Model::default(), Random(seed));
    let mut options = options();
    options.background = true;
    options.flush_bytes = 4096;
    for _ in 0..3 {
        let store = GraphStore::open(dir.path(), options.clone()).unwrap();
        model.check(&store);
        drive(&store, &mut model, &mut random, 60);
        model.check(&store);
        store.close().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_store_in_memory_agrees_with_the_model(seed: u64) {
        memory_agrees(seed);
    }

    #[test]
    fn a_store_on_disk_agrees_with_the_model_through_reopenings(seed: u64) {
        disk_agrees(seed);
    }

    #[test]
    fn flushes_and_compactions_in_the_background_change_nothing(seed: u64) {
        background_agrees(seed);
    }
}
