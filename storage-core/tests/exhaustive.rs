//! Small workloads, every moment at which the power may fail, and every single thing that it may take:
//! each sector, length and name that was not synced is lost, torn or garbage while all else is kept, and
//! kept, torn or garbage while all else is lost. Whatever is left opens, to a state between the last that
//! was acknowledged as durable and the last that was submitted, by all four indexes. Of each few images
//! one loses power again, at every moment of its recovery.
//!
//! `SUTRA_EXHAUSTIVE_LONG=1` takes all workloads of three steps rather than of two, every blank sector,
//! and pairs of things (sampled by `SUTRA_EXHAUSTIVE_SEED` if above `SUTRA_EXHAUSTIVE_PAIRS`
//! a share, by default 250,000). `SUTRA_EXHAUSTIVE_ONLY` runs the one workload of that place.

mod common;

use std::collections::HashSet;

use common::bounded::{
    CHOSEN, Tally, Trial, deviations, pair_count, pairs, random_pair, record, single_fates,
    with_durability, workloads,
};
use common::power::Sound;
use common::{Random, variable};
use storage_core::Durability;

/// The most operations that a workload may take, reads not counted.
const MAX_OPERATIONS: usize = 40;
/// The workloads run in so many tests.
const SHARES: usize = 4;

fn run_share(share: usize) {
    let long = variable("SUTRA_EXHAUSTIVE_LONG") == Some(1);
    let seed = variable("SUTRA_EXHAUSTIVE_SEED").unwrap_or(1);
    let limit = variable("SUTRA_EXHAUSTIVE_PAIRS").unwrap_or(1_000_000 / SHARES as u64);
    let only = variable("SUTRA_EXHAUSTIVE_ONLY");
    let all = workloads(long);
    let (mut tally, mut ran, mut too_long, mut longest) = (Tally::default(), 0_u64, 0, 0);
    let mine = all.len().div_ceil(SHARES) as u64;
    for (at, workload) in all.iter().enumerate() {
        if at % SHARES != share || only.is_some_and(|only| only != at as u64) {
            continue;
        }
        for durability in [Durability::Buffered, Durability::Sync] {
            if at >= CHOSEN.len() && !long && durability == Durability::Sync {
                continue; // It loses less.
            }
            let options = with_durability(durability);
            let recording = record(workload, &options, &Sound);
            let operations = recording.moments.len() - 1;
            if operations > MAX_OPERATIONS {
                assert!(at >= CHOSEN.len(), "{workload}: {operations} operations");
                too_long += 1;
                continue;
            }
            longest = longest.max(operations);
            ran += 1;
            let mut trial = Trial {
                workload,
                options: &options,
                machine: &Sound,
                recording: &recording,
                seen: HashSet::new(),
                tally: &mut tally,
            };
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut random = Random(seed ^ at as u64);
                for moment in &recording.moments {
                    trial.tally.moments += 1;
                    let deviations = deviations(&moment.fs.unsynced(), long);
                    for fate in single_fates(&deviations) {
                        trial.one(moment, &fate);
                    }
                    if long && deviations.len() > 1 {
                        // An equal part of the limit for each moment; all pairs where they are fewer.
                        let part = limit / (2 * mine * recording.moments.len() as u64);
                        if pair_count(&deviations) <= part {
                            for fate in pairs(&deviations) {
                                trial.one(moment, &fate);
                            }
                        } else {
                            for _ in 0..part.max(1) {
                                trial.one(moment, &random_pair(&deviations, &mut random));
                            }
                        }
                    }
                }
            }));
            if let Err(panic) = outcome {
                eprintln!(
                    "replay with: cargo xtask crash --only exhaustive --seed {seed} --workload {at}{}",
                    if long { " --long" } else { "" }
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    eprintln!(
        "share {share}: {ran} workloads of at most {longest} operations ({too_long} longer ones left \
         out), {} moments, {} fates, {} different images, {} recoveries cut short",
        tally.moments, tally.fates, tally.images, tally.recoveries
    );
}

// Shares, so that a runner that gives each test a process uses several cores.
#[test]
fn every_loss_at_every_moment_leaves_a_state_that_was_0() {
    run_share(0);
}

#[test]
fn every_loss_at_every_moment_leaves_a_state_that_was_1() {
    run_share(1);
}

#[test]
fn every_loss_at_every_moment_leaves_a_state_that_was_2() {
    run_share(2);
}

#[test]
fn every_loss_at_every_moment_leaves_a_state_that_was_3() {
    run_share(3);
}
