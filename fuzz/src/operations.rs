//! A workload that the bytes choose, on a store and on a model in plain maps: both say the same, also
//! after the store was closed, or its process died, and it was opened again.
//!
//! The model, and what a step may be, are those of storage-core's own tests.

#[path = "../../storage-core/tests/common/mod.rs"]
mod common;

use common::{Model, Random, Step};
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
    let (mut store, mut model) = (open(&fs), Model::default());
    for chosen in bytes.chunks_exact(2).take(MOST_STEPS) {
        match chosen[0] {
            0..8 => {
                store.close().expect("a sound store closes");
                store = open(&fs);
                model.check(&store);
            }
            8..16 => {
                // The process dies: what is in the files is all there is.
                fs = sound::file_system(&sound::files(&fs));
                store = open(&fs);
                model.check(&store);
            }
            16..20 => assert!(store.verify().expect("it can be verified").is_sound()),
            _ => {
                let seed = u64::from(u16::from_le_bytes([chosen[0], chosen[1]]));
                let step = Step::random(&mut Random(seed));
                let accepted = model.clone().apply(&step);
                let outcome = common::run(&store, &step);
                assert_eq!(outcome.is_ok(), accepted, "{step:?}: {outcome:?}");
                if accepted {
                    model.apply(&step);
                }
            }
        }
    }
    model.check(&store);
}

fn open(fs: &SimulatedFileSystem) -> GraphStore {
    let options = OpenOptions { durability: Durability::Sync, ..common::options() };
    sound::open(fs, options).expect("a sound store opens")
}
