//! A writer, two readers and a compaction, each as in a process of its own, which take turns at every
//! operation on files in an order that a seed chooses: each state that is read is that after some
//! transaction, whole, by all indexes; none is older than what was acknowledged before, or read before; no
//! call fails, openings while files come and go included.
//!
//! The turns are at files alone: what threads of one handle share in memory is for `cargo xtask loom`.
//! `SUTRA_TURNS_SEED` and `SUTRA_TURNS_COUNT` choose the schedules.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::scheduled::{Schedule, Scheduled};
use common::{Model, Random, accepted_steps, options, run, variable};
use storage_core::fs::SimulatedFileSystem;
use storage_core::{AsOf, Concept, Durability, GraphStore, OpenOptions, Retention};

/// Schedules, where the environment names no other count.
const SCHEDULES: u64 = 300;
/// What the writer does.
const STEPS: usize = 24;
const READS: usize = 12;
const COMPACTIONS: usize = 8;

fn open(fs: &Scheduled, options: &OpenOptions) -> GraphStore {
    GraphStore::open_with(Arc::new(fs.clone()), Path::new("store"), options.clone())
        .unwrap_or_else(|error| panic!("opening: {error}"))
}

fn read(fs: &Scheduled, states: &[Model], acknowledged: &AtomicU64, mut random: Random) {
    let read_only = random.below(2) == 0;
    let options = OpenOptions { read_only, ..options() };
    let mut store = open(fs, &options);
    let mut newest = 0;
    for _ in 0..READS {
        if random.below(4) == 0 {
            store = open(fs, &options);
        }
        let least = acknowledged.load(Ordering::SeqCst).max(newest);
        let snapshot = store.snapshot().unwrap();
        newest = snapshot.epoch();
        assert!(newest >= least, "read {newest} after {least} was acknowledged or read");
        states[newest as usize].check_snapshot(&snapshot);
        let then = random.below(newest + 1);
        let past = store.snapshot_as_of(AsOf::Epoch(then)).unwrap();
        assert_eq!(Model::read_snapshot(&past).unwrap(), states[then as usize], "as of {then}");
    }
}

/// Runs one schedule; returns how often the turn passed on.
fn one_schedule(seed: u64) -> u64 {
    let mut random = Random(seed);
    let (steps, states) = accepted_steps(&mut random, STEPS);
    let schedule = Schedule::random(random.next(), 4);
    let fs = Scheduled { disk: SimulatedFileSystem::new(), schedule: Arc::clone(&schedule) };
    let keeping = OpenOptions {
        retention: Some(Retention::Forever),
        durability: if seed.is_multiple_of(2) { Durability::Sync } else { Durability::Buffered },
        // The clock goes on while others have their turns.
        timeout: Duration::from_mins(1),
        ..options()
    };
    drop(open(&fs, &keeping));
    let acknowledged = AtomicU64::new(0);
    let randoms = [random.next(), random.next(), random.next()].map(Random);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            schedule.enter(0, || {
                let store = open(&fs, &keeping);
                let mut epoch = 0;
                for step in &steps {
                    run(&store, step).unwrap_or_else(|error| panic!("{step:?}: {error}"));
                    epoch = store.snapshot().unwrap().epoch().max(epoch);
                    acknowledged.store(epoch, Ordering::SeqCst);
                }
                assert_eq!(epoch as usize + 1, states.len(), "each transaction has a number");
            });
        });
        scope.spawn(|| {
            schedule.enter(1, || {
                let mut random = randoms[0].clone();
                let store = open(&fs, &keeping);
                for _ in 0..COMPACTIONS {
                    let outcome =
                        if random.below(3) == 0 { store.flush() } else { store.compact() };
                    outcome.unwrap_or_else(|error| panic!("compaction: {error}"));
                }
            });
        });
        for (thread, random) in [(2, &randoms[1]), (3, &randoms[2])] {
            let (fs, states, acknowledged, schedule) = (&fs, &states, &acknowledged, &schedule);
            scope.spawn(move || {
                schedule.enter(thread, || read(fs, states, acknowledged, random.clone()));
            });
        }
    });
    let store = open(&fs, &options());
    states.last().unwrap().check(&store);
    assert!(store.verify().unwrap().is_sound());
    schedule.passes()
}

/// Opens a store while another process, right before one of the opening's operations, writes and flushes
/// until nothing is left of the files that the opening began with.
#[test]
fn an_opening_may_be_overtaken_at_any_operation() {
    let concept = |at: u64| Concept::new(format!("c{at}"), "river");
    for read_only in [false, true] {
        let mut operations = 0;
        loop {
            let schedule = Schedule::overtaking(operations);
            let fs = Scheduled { disk: SimulatedFileSystem::new(), schedule };
            let other = open(&fs, &options());
            other.put_concept(concept(0)).unwrap();
            other.flush().unwrap();
            other.put_concept(concept(1)).unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    fs.schedule.enter(0, || {
                        let store = open(&fs, &OpenOptions { read_only, ..options() });
                        assert!(store.contains("c1").unwrap(), "{operations}");
                    });
                });
                scope.spawn(|| {
                    fs.schedule.enter(1, || {
                        for at in 2..5 {
                            other.put_concept(concept(at)).unwrap();
                            other.flush().unwrap();
                        }
                    });
                });
            });
            if !fs.schedule.was_overtaken() {
                break;
            }
            operations += 1;
        }
        assert!(operations > 10, "an opening takes more operations than {operations}");
    }
}

#[test]
fn processes_may_take_turns_at_any_operation() {
    let first = variable("SUTRA_TURNS_SEED").unwrap_or(1);
    let count = variable("SUTRA_TURNS_COUNT").unwrap_or(SCHEDULES);
    let mut passes = 0;
    for seed in first..first + count {
        match std::panic::catch_unwind(|| one_schedule(seed)) {
            Ok(passed) => passes += passed,
            Err(panic) => {
                eprintln!("replay with: cargo xtask crash --only interleavings --seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    eprintln!("result: {count} schedules, the turn passed on {passes} times");
}
