//! A workload that the bytes choose, on three namespaces of a store and on a model of each in plain maps:
//! all say the same, also after the store was closed, or its process died, and it was opened again. Some of
//! what is put holds for a time only, or has expired.
//!
//! The model, and what a step may be, are those of storage-core's own tests.

#[path = "../../storage-core/tests/common/mod.rs"]
mod common;

use common::timed::{self, Timed};
use common::{Random, Step};
use storage_core::fs::SimulatedFileSystem;
use storage_core::{Durability, GraphStore, OpenOptions};

use crate::sound;

/// Two bytes are a step; more of them teach nothing new.
const MOST_STEPS: usize = 40;

/// Workloads of growing length, from a generator.
#[must_use]
pub fn operation_seeds() -> Vec<Vec<u8>> {
    let mut random = Random(1);
    let mut bytes = |count: usize| (0..count).map(|_| random.below(256) as u8).collect();
    [2, 20, 80].into_iter().map(&mut bytes).collect()
}

/// Runs the workload that the bytes choose.
///
/// # Panics
///
/// When the store is not what the model is.
pub fn operate(bytes: &[u8]) {
    let mut fs = SimulatedFileSystem::new();
    let (mut store, mut models) = (open(&fs), <[Timed; 3]>::default());
    for chosen in bytes.chunks_exact(2).take(MOST_STEPS) {
        match chosen[0] {
            0..8 => {
                store.close().expect("a sound store closes");
                store = open(&fs);
                check(&store, &models);
            }
            8..16 => {
                // The process dies: what is in the files is all there is.
                fs = sound::file_system(&sound::files(&fs));
                store = open(&fs);
                check(&store, &models);
            }
            16..20 => assert!(store.verify().expect("it can be verified").is_sound()),
            _ => {
                let seed = u64::from(u16::from_le_bytes([chosen[0], chosen[1]]));
                let mut random = Random(seed);
                let at = random.below(3) as usize;
                let store = &namespaces(&store)[at];
                if random.below(3) == 0 {
                    timed::step(store, &mut models[at], &mut random);
                    continue;
                }
                let step = Step::random(&mut random);
                let accepted = models[at].apply(&step);
                let outcome = common::run(store, &step);
                assert_eq!(outcome.is_ok(), accepted, "{step:?}: {outcome:?}");
            }
        }
    }
    check(&store, &models);
}

/// A handle on each namespace of which there is a model.
fn namespaces(store: &GraphStore) -> [GraphStore; 3] {
    ["one", "two", "three"].map(|name| store.namespace(name).expect("a name"))
}

fn check(store: &GraphStore, models: &[Timed; 3]) {
    for (store, timed) in namespaces(store).iter().zip(models) {
        timed.model.check(store);
        let then = store.snapshot().and_then(|now| now.valid_at(40.0));
        timed.at(40.0).check_snapshot(&then.expect("a sound store has a state"));
    }
}

fn open(fs: &SimulatedFileSystem) -> GraphStore {
    let options = OpenOptions { durability: Durability::Sync, ..common::options() };
    sound::open(fs, options).expect("a sound store opens")
}
