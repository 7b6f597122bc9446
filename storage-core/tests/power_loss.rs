//! Power loss at any operation: what was acknowledged as durable is there after reopening, nothing is
//! there in part, and the state is that after some prefix of the transactions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{Model, Random, Step, options, run};
use storage_core::fs::{Fault, FaultKind, FileSystem, SimulatedFileSystem};
use storage_core::{Concept, Durability, GraphStore, OpenOptions};

fn open(fs: &SimulatedFileSystem, options: &OpenOptions) -> storage_core::Result<GraphStore> {
    let fs: Arc<dyn FileSystem> = Arc::new(fs.clone());
    GraphStore::open_with(fs, Path::new("store"), options.clone())
}

/// States after each transaction so far; the first `durable` are sure to survive.
struct Oracle {
    states: Vec<Model>,
    durable: usize,
}

impl Oracle {
    fn newest(&self) -> &Model {
        self.states.last().expect("there is always a first state")
    }

    /// Which state a reopened store is in.
    fn find(&self, found: &Model) -> Option<usize> {
        (self.durable..self.states.len()).rev().find(|&at| &self.states[at] == found)
    }
}

fn one_seed(seed: u64) {
    let mut random = Random(seed);
    let mut options = options();
    options.flush_bytes = 1 << (10 + random.below(6));
    options.durability = Durability::Buffered;
    let mut fs = SimulatedFileSystem::new();
    let mut oracle = Oracle { states: vec![Model::default()], durable: 0 };
    for life in 0..3 {
        let store = open(&fs, &options).unwrap_or_else(|e| panic!("seed {seed}, life {life}: {e}"));
        let found = Model::read(&store).expect("a recovered store reads");
        let at = oracle.find(&found).unwrap_or_else(|| {
            panic!(
                "seed {seed}, life {life}: not a state between {} and {}",
                oracle.durable,
                oracle.states.len() - 1
            )
        });
        oracle.states.truncate(at + 1);
        found.check(&store);
        for _ in 0..10 + random.below(40) {
            let step = Step::random(&mut random);
            let mut next = oracle.newest().clone();
            let accepted = next.apply(&step);
            let outcome = run(&store, &step);
            assert_eq!(outcome.is_ok(), accepted, "seed {seed}: {step:?}: {outcome:?}");
            if accepted {
                oracle.states.push(next);
            }
            // Batches, transactions, flushes and saves are durable on return; single calls are not.
            let durable = !matches!(
                step,
                Step::Patch(..) | Step::Delete(_) | Step::Dissociate(..) | Step::Access(_)
            );
            if durable && accepted {
                oracle.durable = oracle.states.len() - 1;
            }
            let live = Model::read(&store).expect("a living store reads");
            assert_eq!(&live, oracle.newest(), "seed {seed}, life {life}, after {step:?}");
            if random.below(12) == 0 {
                // Look at what a power loss right here would leave, and go on living.
                let image = fs.crash(random.next());
                let reopened = open(&image, &options)
                    .unwrap_or_else(|e| panic!("seed {seed}, life {life}, image: {e}"));
                let found = Model::read(&reopened).expect("a recovered store reads");
                assert!(oracle.find(&found).is_some(), "seed {seed}, life {life}: lost something");
                // A second crash, during or right after the recovery.
                let again = open(&image.crash(random.next()), &options)
                    .unwrap_or_else(|e| panic!("seed {seed}, life {life}, second crash: {e}"));
                let second = Model::read(&again).expect("a twice recovered store reads");
                assert!(oracle.find(&second).is_some(), "seed {seed}, life {life}: second crash");
            }
        }
        // The old handle goes on in a world that is no more; what it saves there counts for nothing.
        let after = fs.crash(random.next());
        drop(store);
        fs = after;
    }
}

/// Stops a flush at each of its operations, by a fault that stays, and cuts the power there.
#[test]
fn a_flush_that_power_loss_cuts_short_loses_nothing_durable() {
    let mut options = options();
    options.durability = Durability::Buffered;
    for operation in 0..40 {
        for seed in 0..10 {
            let fs = SimulatedFileSystem::new();
            let store = open(&fs, &options).unwrap();
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
            let reopened = open(&image, &options)
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

#[test]
fn what_was_durable_survives_power_loss() {
    let env = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = env("SUTRA_CRASH_SEED").unwrap_or(1);
    for seed in first..first + env("SUTRA_CRASH_COUNT").unwrap_or(300) {
        one_seed(seed);
    }
}
