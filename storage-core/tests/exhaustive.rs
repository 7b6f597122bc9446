//! Small workloads, every moment at which the power may fail, and every single thing that it may take:
//! each sector, length and name that was not synced is lost, torn or garbage while all else is kept, and
//! kept, torn or garbage while all else is lost. Whatever is left opens, to a state between the last that
//! was acknowledged as durable and the last that was submitted, by all four indexes. Of each few images
//! one loses power again, at every moment of its recovery.
//!
//! `SUTRA_EXHAUSTIVE_LONG=1` takes all workloads of three steps rather than of two, every sector of the
//! zeros written ahead (with the chosen workloads; else those at both ends stand for the others), and pairs of things: a million in all, sampled by `SUTRA_EXHAUSTIVE_SEED`. `SUTRA_CRASH_SEED` and
//! `SUTRA_CRASH_COUNT` are the first workload, by its number, and how many.

mod common;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use common::bounded::{
    CHOSEN, Tally, Trial, deviations, pair_count, pairs, random_pair, record, single_fates,
    with_durability, workloads,
};
use common::power::Sound;
use common::{Random, variable};
use storage_core::Durability;
use storage_core::fs::{Moment, Outcome};

/// The most operations that a workload may take, reads not counted.
const MAX_OPERATIONS: usize = 40;
/// The workloads run in so many tests.
const SHARES: usize = 4;
/// How many pairs of losses are tried at most, over all workloads.
const PAIRS: f64 = 1e6;

/// How a workload may open its store: the generated ones of a short run only in the way that loses more.
fn ways(at: usize, long: bool) -> &'static [Durability] {
    let both = long || at < CHOSEN.len();
    if both { &[Durability::Buffered, Durability::Sync] } else { &[Durability::Buffered] }
}

/// Which part of all pairs of losses is tried, so that they are not more than [`PAIRS`].
fn pairs_tried(workloads: &[String]) -> f64 {
    let mut all = 0;
    // Any fair sample of them tells how many there are.
    let sample = workloads.len().div_ceil(200);
    for (at, workload) in workloads.iter().enumerate().step_by(sample) {
        for &durability in ways(at, true) {
            let recording = record(workload, &with_durability(durability), &Sound);
            for moment in &recording.moments {
                all += pair_count(&deviations(&moment.fs.unsynced(), false));
            }
        }
    }
    (PAIRS / (all as f64 * sample as f64)).min(1.0)
}

fn run_share(share: usize) {
    let long = variable("SUTRA_EXHAUSTIVE_LONG") == Some(1);
    let seed = variable("SUTRA_EXHAUSTIVE_SEED").unwrap_or(1);
    let first = variable("SUTRA_CRASH_SEED").unwrap_or(0);
    let end = variable("SUTRA_CRASH_COUNT").map_or(u64::MAX, |count| first + count);
    let all = workloads(long);
    let part = if long { pairs_tried(&all) } else { 0.0 };
    let (mut tally, mut ran, mut too_long, mut longest) = (Tally::default(), 0_u64, 0, 0);
    for (at, workload) in all.iter().enumerate() {
        if at % SHARES != share || !(first..end).contains(&(at as u64)) {
            continue;
        }
        for &durability in ways(at, long) {
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
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let mut random = Random(seed ^ at as u64);
                for moment in &recording.moments {
                    trial.tally.moments += 1;
                    let things = moment.fs.unsynced();
                    let every_blank = long && at < CHOSEN.len();
                    for fate in single_fates(&deviations(&things, every_blank)) {
                        trial.one(moment, &fate);
                    }
                    if long {
                        try_pairs(
                            &mut trial,
                            moment,
                            &deviations(&things, false),
                            part,
                            &mut random,
                        );
                    }
                }
            }));
            if let Err(panic) = outcome {
                let long = if long { " --long" } else { "" };
                eprintln!("replay with: cargo xtask crash --only exhaustive --seed {at}{long}");
                resume_unwind(panic);
            }
        }
    }
    eprintln!(
        "result: share {share}: {ran} workloads of at most {longest} operations ({too_long} longer \
         ones left out), {} moments, {} fates, {} different images, {} recoveries cut short",
        tally.moments, tally.fates, tally.images, tally.recoveries
    );
}

/// Tries a part of all pairs of losses at a moment, or all of them.
fn try_pairs(
    trial: &mut Trial<'_>,
    moment: &Moment,
    deviations: &[(usize, Vec<Outcome>)],
    part: f64,
    random: &mut Random,
) {
    let count = pair_count(deviations);
    if count == 0 {
        return;
    }
    if part >= 1.0 {
        for fate in pairs(deviations) {
            trial.one(moment, &fate);
        }
        return;
    }
    // The fraction that is left decides by chance.
    let wanted = count as f64 * part + random.below(1000) as f64 / 1000.0;
    for _ in 0..wanted as u64 {
        trial.one(moment, &random_pair(deviations, random));
    }
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
