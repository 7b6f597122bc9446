//! Bounded workloads: every moment at which the power may fail in one, and what it may take there.

use std::collections::HashSet;

use super::power::{Journal, Machine, Sound, open};
use super::{DIM, Model, Random, Step, WORDS, options};
use storage_core::fs::{Moment, Outcome, SimulatedFileSystem, Unsynced};
use storage_core::{Association, Concept, ConceptPatch, Durability, OpenOptions};

/// Of so many images, one loses power again in its recovery.
const RECOVERIES_EVERY: u64 = 25;

/// A workload as letters, one a step (see [`step`]); those before `|` are over and durable when the
/// recording starts. Nothing before it: the store is made in the recording.
pub(crate) const CHOSEN: [&str; 22] = [
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
    let words = |at: usize| WORDS[at % WORDS.len()].to_owned();
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

/// How a workload opens its store.
pub(crate) fn with_durability(durability: Durability) -> OpenOptions {
    OpenOptions { durability, ..options() }
}

/// A workload that was run, with the disk at each of its moments.
pub(crate) struct Recording {
    pub(crate) journal: Journal,
    pub(crate) moments: Vec<Moment>,
}

pub(crate) fn record(workload: &str, options: &OpenOptions, machine: &dyn Machine) -> Recording {
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
pub(crate) fn deviations(things: &[Unsynced], all: bool) -> Vec<(usize, Vec<Outcome>)> {
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
pub(crate) struct Fate {
    most: Outcome,
    but: Vec<(usize, Outcome)>,
    seed: u64,
}

/// All or nothing kept, but one thing.
pub(crate) fn single_fates(deviations: &[(usize, Vec<Outcome>)]) -> Vec<Fate> {
    let mut fates = Vec::new();
    for most in [Outcome::Kept, Outcome::Dropped] {
        fates.push(Fate { most, but: Vec::new(), seed: 0 });
        for (thing, outcomes) in deviations {
            for &outcome in outcomes.iter().filter(|&&outcome| outcome != most) {
                // Four ways to tear it.
                for seed in 0..if outcome == Outcome::Torn { 4 } else { 1 } {
                    fates.push(Fate { most, but: vec![(*thing, outcome)], seed });
                }
            }
        }
    }
    fates
}

/// How many fates [`pairs`] has.
pub(crate) fn pair_count(deviations: &[(usize, Vec<Outcome>)]) -> u64 {
    let outcomes = || deviations.iter().map(|(_, outcomes)| outcomes.len() as u64);
    let all: u64 = outcomes().sum();
    // Each two outcomes of two things, for each of two that most things have.
    all * all - outcomes().map(|count| count * count).sum::<u64>()
}

/// All or nothing kept, but two things.
pub(crate) fn pairs(deviations: &[(usize, Vec<Outcome>)]) -> Vec<Fate> {
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
pub(crate) fn random_pair(deviations: &[(usize, Vec<Outcome>)], random: &mut Random) -> Fate {
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
pub(crate) struct Tally {
    pub(crate) moments: u64,
    pub(crate) fates: u64,
    pub(crate) images: u64,
    pub(crate) recoveries: u64,
}

/// Tries the fates of all moments of a workload that was recorded.
pub(crate) struct Trial<'a> {
    pub(crate) workload: &'a str,
    pub(crate) options: &'a OpenOptions,
    pub(crate) machine: &'a dyn Machine,
    pub(crate) recording: &'a Recording,
    pub(crate) seen: HashSet<(u64, usize, usize)>,
    pub(crate) tally: &'a mut Tally,
}

impl Trial<'_> {
    /// Lets the power fail in one way, unless another came to the same bytes.
    pub(crate) fn one(&mut self, moment: &Moment, fate: &Fate) {
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
pub(crate) fn workloads(long: bool) -> Vec<String> {
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
    // In an order in which the first so many are a fair sample.
    let mut random = Random(0);
    for at in (CHOSEN.len() + 1..found.len()).rev() {
        let other = CHOSEN.len() as u64 + random.below((at + 1 - CHOSEN.len()) as u64);
        found.swap(at, other as usize);
    }
    found
}
