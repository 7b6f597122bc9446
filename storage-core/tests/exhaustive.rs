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

use common::power::{Journal, Machine, Sound, open};
use common::{DIM, Model, Random, Step, options, variable};
use storage_core::fs::{Moment, Outcome, SimulatedFileSystem, Unsynced};
use storage_core::{Association, Concept, ConceptPatch, Durability, OpenOptions};

/// The most operations that a workload may take, reads not counted.
const MAX_OPERATIONS: usize = 40;
/// The workloads run in so many tests.
const SHARES: usize = 4;
/// Of so many images, one loses power again in its recovery.
const RECOVERIES_EVERY: u64 = 25;

/// A workload as letters, one a step (see [`step`]); those before `|` are over and durable when the
/// recording starts. Nothing before it: the store is made in the recording.
const CHOSEN: [&str; 22] = [
    "|", "|p", "|t", "p|p", "p|tdk", "pq|a", "pqa|xd", "pqa|m", "pqa|tsd", "p|f", "pqa|f",
    "pqf|df", "pqaf|xdf", "pqa|tkf", "pqf|tf", "pfqfa|c", "pqafd|c", "pqaf|tr", "pq|arp",
    "pfqf|pr", "p|r", "pqa|dfr",
];

/// Every sequence of two of these steps follows the first of the beginnings; in the long run, every
/// sequence of three each of them.
const ALPHABET: &str = "ptdakxmsfcr";
const BEGINNINGS: [&str; 3] = ["pqaf", "pq", "pfqafd"];

fn concept(id: &str, words: &str, shift: usize) -> Concept {
    let vector = (0..DIM).map(|at| (at * 3 + shift) as f32 % 7.0 - 3.0).collect();
    Concept::new(id, words).with_vector(vector)
}

/// What a letter stands for, at its place among the others; `r` (reopening) is no step.
fn step(letter: char, place: usize) -> Step {
    let words = |at: usize| common::WORDS[at % common::WORDS.len()].to_owned();
    match letter {
        'p' => Step::Put(vec![concept("a", &words(place), place)]),
        'q' => Step::Put(vec![
            concept("b", &format!("{} {}", words(place), words(place + 3)), place),
            Concept::new("c", words(place + 1)),
        ]),
        't' => Step::Patch(
            "a".into(),
            Box::new(ConceptPatch { content: Some(words(place + 5)), ..ConceptPatch::default() }),
        ),
        'd' => Step::Delete("b".into()),
        'k' => Step::Access("a".into()),
        'a' => Step::Associate(vec![
            Association::new("a", "b"),
            Association { weight: place as f32, ..Association::new("c", "a") },
        ]),
        'x' => {
            let of = Association::new("a", "b");
            Step::Dissociate(of.source_id, of.target_id, of.association_type)
        }
        'm' => Step::Mixed(vec![step('q', place + 2), step('a', place + 2), step('d', place)]),
        's' => Step::Save,
        'f' => Step::Flush,
        'c' => Step::Compact,
        other => panic!("no step is called {other}"),
    }
}

/// A workload that was run, with the disk at each of its moments.
struct Recording {
    journal: Journal,
    moments: Vec<Moment>,
}

fn record(workload: &str, options: &OpenOptions, machine: &dyn Machine) -> Recording {
    let (before, during) = workload.split_once('|').expect("a bar parts what is recorded");
    let mut disk = SimulatedFileSystem::new();
    let mut journal = Journal::starting_with(Model::default());
    let mut place = 0;
    if !before.is_empty() {
        let store = open(&Sound, &disk, options).expect("a sound disk");
        for letter in before.chars() {
            place += 1;
            journal.run(&store, &step(letter, place), &disk, options);
        }
        store.close().expect("a sound disk");
        disk = disk.crash_with(Outcome::Kept, &[], 0);
        journal = Journal::starting_with(journal.newest().clone());
    }
    disk.record(0, usize::MAX);
    let mut store = open(machine, &disk, options).expect("a sound disk");
    for letter in during.chars() {
        place += 1;
        if letter == 'r' {
            store.close().expect("a sound disk");
            journal.note_durable(&disk);
            store = open(machine, &disk, options).expect("a sound disk");
        } else {
            journal.run(&store, &step(letter, place), &disk, options);
        }
    }
    let mut moments = disk.recorded();
    moments.push(disk.moment());
    drop(store);
    Recording { journal, moments }
}

/// How the things that are unsynced at a moment may deviate; those that change nothing are left out.
fn deviations(things: &[Unsynced], all: bool) -> Vec<(usize, Vec<Outcome>)> {
    let is_blank = |at: usize| matches!(things.get(at), Some(Unsynced::Sector { blank: true, .. }));
    let mut found = Vec::new();
    for (at, thing) in things.iter().enumerate() {
        let outcomes: &[Outcome] = match thing {
            Unsynced::Name(_) => &[Outcome::Kept, Outcome::Dropped],
            Unsynced::Length(_) => &[Outcome::Kept, Outcome::Dropped, Outcome::Torn],
            // Zeros over zeros: only garbage makes a difference. Sectors amid such ones are all alike.
            Unsynced::Sector { blank: true, .. } => {
                let inner = is_blank(at.wrapping_sub(1)) && is_blank(at + 1);
                if inner && !all && at % 512 != 0 { &[] } else { &[Outcome::Garbage] }
            }
            Unsynced::Sector { .. } => {
                &[Outcome::Kept, Outcome::Dropped, Outcome::Torn, Outcome::Garbage]
            }
        };
        if !outcomes.is_empty() {
            found.push((at, outcomes.to_vec()));
        }
    }
    found
}

/// A way in which a moment's power loss turns out.
#[derive(Debug, Clone)]
struct Fate {
    most: Outcome,
    but: Vec<(usize, Outcome)>,
    seed: u64,
}

/// All or nothing kept, but one thing.
fn single_fates(deviations: &[(usize, Vec<Outcome>)]) -> Vec<Fate> {
    let mut fates = Vec::new();
    for most in [Outcome::Kept, Outcome::Dropped] {
        fates.push(Fate { most, but: Vec::new(), seed: 0 });
        for (thing, outcomes) in deviations {
            for &outcome in outcomes.iter().filter(|&&outcome| outcome != most) {
                // Two places to tear at.
                for seed in 0..if outcome == Outcome::Torn { 2 } else { 1 } {
                    fates.push(Fate { most, but: vec![(*thing, outcome)], seed });
                }
            }
        }
    }
    fates
}

/// How many fates [`pairs`] has.
fn pair_count(deviations: &[(usize, Vec<Outcome>)]) -> u64 {
    let outcomes = || deviations.iter().map(|(_, outcomes)| outcomes.len() as u64);
    let all: u64 = outcomes().sum();
    // Each two outcomes of two things, for each of two that most things have.
    all * all - outcomes().map(|count| count * count).sum::<u64>()
}

/// All or nothing kept, but two things.
fn pairs(deviations: &[(usize, Vec<Outcome>)]) -> Vec<Fate> {
    let mut fates = Vec::new();
    for (at, (first, firsts)) in deviations.iter().enumerate() {
        for (second, seconds) in &deviations[at + 1..] {
            for &one in firsts {
                for &other in seconds {
                    for most in [Outcome::Kept, Outcome::Dropped] {
                        let but = vec![(*first, one), (*second, other)];
                        fates.push(Fate { most, but, seed: fates.len() as u64 });
                    }
                }
            }
        }
    }
    fates
}

/// One of [`pairs`].
fn random_pair(deviations: &[(usize, Vec<Outcome>)], random: &mut Random) -> Fate {
    let count = deviations.len() as u64;
    let first = random.below(count);
    let second = (first + 1 + random.below(count - 1)) % count;
    let most = [Outcome::Kept, Outcome::Dropped][random.below(2) as usize];
    let but = [first, second].map(|at| {
        let (thing, outcomes) = &deviations[at as usize];
        (*thing, outcomes[random.below(outcomes.len() as u64) as usize])
    });
    Fate { most, but: but.to_vec(), seed: random.next() }
}

/// What has been tried.
#[derive(Debug, Default)]
struct Tally {
    moments: u64,
    fates: u64,
    images: u64,
    recoveries: u64,
}

/// Tries the fates of all moments of a workload that was recorded.
struct Trial<'a> {
    workload: &'a str,
    options: &'a OpenOptions,
    machine: &'a dyn Machine,
    recording: &'a Recording,
    seen: HashSet<(u64, usize, usize)>,
    tally: &'a mut Tally,
}

impl Trial<'_> {
    fn one(&mut self, moment: &Moment, fate: &Fate) {
        self.tally.fates += 1;
        let image = moment.fs.crash_with(fate.most, &fate.but, fate.seed);
        self.machine.while_off(&image);
        let journal = &self.recording.journal;
        let window = journal.window(moment.operation);
        // Many fates come to the same bytes.
        if !self.seen.insert((image.fingerprint(), window.start, window.end)) {
            return;
        }
        self.tally.images += 1;
        let context = || {
            let unsynced = moment.fs.unsynced();
            let but: Vec<String> = fate
                .but
                .iter()
                .map(|(thing, outcome)| format!("{:?}: {outcome:?}", unsynced[*thing]))
                .collect();
            format!(
                "workload {:?}, operation {}: {:?} but {but:?}, seed {}",
                self.workload, moment.operation, fate.most, fate.seed
            )
        };
        let again = self.tally.images.is_multiple_of(RECOVERIES_EVERY);
        if again {
            image.record(0, usize::MAX);
        }
        let (store, at) = journal.reopen(self.machine, &image, self.options, &window, &context);
        if !again {
            return;
        }
        self.tally.recoveries += 1;
        // It also takes what is written next.
        let mut after = Journal::starting_with(journal.state(at).clone());
        after.run(&store, &step('q', 9), &image, self.options);
        let mut moments = image.recorded();
        moments.push(image.moment());
        drop(store);
        let mut random = Random(self.tally.images);
        for moment in &moments {
            let fates = single_fates(&deviations(&moment.fs.unsynced(), false));
            for fate in [&fates[0], &fates[random.below(fates.len() as u64) as usize]] {
                let second = moment.fs.crash_with(fate.most, &fate.but, fate.seed);
                self.machine.while_off(&second);
                let context =
                    || format!("{}, then operation {}: {fate:?}", context(), moment.operation);
                let window = after.window(moment.operation);
                after.reopen(self.machine, &second, self.options, &window, &context);
            }
        }
    }
}

/// The chosen workloads, then every sequence of steps after a beginning.
fn workloads(long: bool) -> Vec<String> {
    let mut found: Vec<String> = CHOSEN.map(str::to_owned).to_vec();
    let (beginnings, len) = if long { (&BEGINNINGS[..], 3) } else { (&BEGINNINGS[..1], 2) };
    for beginning in beginnings {
        let mut sequences = vec![String::new()];
        for _ in 0..len {
            let longer = |sequence: &String| {
                let sequence = sequence.clone();
                ALPHABET.chars().map(move |letter| format!("{sequence}{letter}"))
            };
            sequences = sequences.iter().flat_map(longer).collect();
        }
        found.extend(sequences.iter().map(|sequence| format!("{beginning}|{sequence}")));
    }
    found
}

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
            let options = OpenOptions { durability, ..options() };
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
