//! Power loss at any operation: what was acknowledged as durable is there after reopening, nothing is
//! there in part, and the state is that after some prefix of the transactions.
//!
//! `SUTRA_CRASH_SEED` and `SUTRA_CRASH_COUNT` choose the seeds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::power::{Sound, open, run_share};
use common::{Model, options};
use storage_core::fs::{Fault, FaultKind, Outcome, SimulatedFileSystem};
use storage_core::{Concept, Durability, GraphStore, OpenOptions};

/// Seeds, where the environment names no other count.
const SEEDS: u64 = 2000;

/// Stops a flush at each of its operations, by a fault that stays, and cuts the power there.
#[test]
fn a_flush_that_power_loss_cuts_short_loses_nothing_durable() {
    let mut options = options();
    options.durability = Durability::Buffered;
    for operation in 0..40 {
        for seed in 0..10 {
            let fs = SimulatedFileSystem::new();
            let store = open(&Sound, &fs, &options).unwrap();
            store.put_concept(Concept::new("c0", "kept")).unwrap();
            store.flush().unwrap();
            store.put_concept(Concept::new("c1", "kept")).unwrap();
            store.save().unwrap();
            for at in 2..6 {
                store.put_concept(Concept::new(format!("c{at}"), "perhaps")).unwrap();
            }
            store.delete_concept("c0").unwrap();
            fs.inject(Fault {
                operation: fs.operations() + operation,
                kind: FaultKind::Io,
                for_good: true,
            });
            let flushed = store.flush();
            fs.clear_faults();
            let image = fs.crash(seed);
            let reopened = open(&Sound, &image, &options)
                .unwrap_or_else(|e| panic!("operation {operation}, seed {seed}: {e}"));
            let found = Model::read(&reopened).unwrap();
            let put = found.concepts.len() - usize::from(found.concepts.contains_key("c0"));
            assert!(found.concepts.contains_key("c1"), "operation {operation}, seed {seed}");
            assert!((0..put).all(|at| found.concepts.contains_key(&format!("c{}", at + 1))));
            if !found.concepts.contains_key("c0") {
                assert_eq!(put, 5, "the deletion came last");
            }
            if flushed.is_ok() {
                assert_eq!((put, found.concepts.len()), (5, 5), "a flush is durable on return");
            }
        }
    }
}

/// What another process committed is durable once anyone has saved, whether or not they had read it.
#[test]
fn saving_and_closing_make_the_commits_of_other_handles_durable() {
    let options = OpenOptions { durability: Durability::Buffered, ..options() };
    let ways: [fn(&GraphStore) -> storage_core::Result<()>; 2] =
        [GraphStore::save, GraphStore::close];
    for save in ways {
        let fs = SimulatedFileSystem::new();
        let one = open(&Sound, &fs, &options).unwrap();
        let other = open(&Sound, &fs, &options).unwrap();
        one.put_concept(Concept::new("c0", "kept")).unwrap();
        save(&other).unwrap();
        let image = fs.crash_with(Outcome::Dropped, &[], 0);
        assert!(open(&Sound, &image, &options).unwrap().contains("c0").unwrap());
    }
}

// Shares, so that a runner that gives each test a process uses several cores.
#[test]
fn what_was_durable_survives_power_loss_0() {
    run_share(0, 4, SEEDS);
}

#[test]
fn what_was_durable_survives_power_loss_1() {
    run_share(1, 4, SEEDS);
}

#[test]
fn what_was_durable_survives_power_loss_2() {
    run_share(2, 4, SEEDS);
}

#[test]
fn what_was_durable_survives_power_loss_3() {
    run_share(3, 4, SEEDS);
}
