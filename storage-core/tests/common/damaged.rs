//! A small store of every kind of file, to be damaged: what it answers when it is sound, and what may come of
//! it when it is not.
//!
//! Invariant: an answer is that of the sound store, or a typed error, or that of the state before some
//! transactions at the log's end whose loss is reported; [`Sound::check`] panics at any other.

#![allow(dead_code, reason = "each test file uses its own share of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage_core::fs::{FileSystem, SimulatedFileSystem};
use storage_core::{
    AsOf, Association, Concept, Direction, Error, Filter, GraphStore, OpenOptions, PathQuery,
    Retention, Snapshot,
};

use super::{DIM, Model, Random, WORDS, options};

pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What a store answers to a fixed list of questions; a question may fail.
pub(crate) type Answers = Vec<Result<String, Error>>;

/// A store with several segments, tombstones, two manifests and a log that is not empty.
pub(crate) struct Sound {
    pub(crate) files: Files,
    /// The answers at each epoch that damage at the log's end may lead back to.
    answers: BTreeMap<u64, Vec<String>>,
    pub(crate) newest: u64,
}

pub(crate) fn open(files: &Files, options: OpenOptions) -> Result<GraphStore, Error> {
    let fs = SimulatedFileSystem::new();
    for (path, bytes) in files {
        fs.set_bytes(path, bytes.clone());
    }
    GraphStore::open_with(Arc::new(fs), Path::new("store"), options)
}

pub(crate) fn id(at: u64) -> String {
    format!("c{at}")
}

fn question(answers: &mut Answers, answer: Result<impl std::fmt::Debug, Error>) {
    answers.push(answer.map(|answer| format!("{answer:?}")));
}

/// Asks everything that can be asked of a store as it is now; of what only some readers see, all at once.
pub(crate) fn ask(store: &GraphStore) -> Result<Answers, Error> {
    let snapshot = store.snapshot()?;
    let mut answers = ask_snapshot(&snapshot);
    let at_once = |snapshot: Result<Snapshot, Error>| {
        snapshot
            .and_then(|snapshot| ask_snapshot(&snapshot).into_iter().collect::<Result<Vec<_>, _>>())
    };
    let user = store.namespace("user")?;
    question(&mut answers, store.namespaces());
    question(&mut answers, at_once(snapshot.valid_at(500.0)));
    question(&mut answers, at_once(user.snapshot()));
    question(&mut answers, at_once(user.snapshot().and_then(|user| user.valid_at(500.0))));
    Ok(answers)
}

/// As [`ask`], and of two moments of the past.
fn ask_past_too(store: &GraphStore) -> Result<Answers, Error> {
    let mut answers = ask(store)?;
    for epoch in [5, 20] {
        let then = store.snapshot_as_of(AsOf::Epoch(epoch));
        question(&mut answers, then.and_then(|then| Model::read_snapshot(&then)));
    }
    Ok(answers)
}

/// Asks everything that can be asked: each row, each index, alone and together.
fn ask_snapshot(snapshot: &Snapshot) -> Answers {
    let mut answers = Vec::new();
    let all = &mut answers;
    let counts = (snapshot.concept_count(), snapshot.association_count(), snapshot.vector_count());
    question(all, Ok::<_, Error>(counts));
    question(all, snapshot.concept_ids(None, usize::MAX));
    for at in 0..60 {
        let id = id(at);
        question(all, snapshot.contains(&id));
        question(all, snapshot.concept(&id));
        question(all, snapshot.vector(&id));
        question(all, snapshot.neighbors(&id, Direction::Both));
        question(all, snapshot.associations(&id, Direction::Out, None));
        question(all, snapshot.similarity(&id, "c1"));
    }
    for word in WORDS {
        question(all, snapshot.search_text(word, 100));
    }
    question(all, snapshot.search_text("river stone garden", 5));
    let filter = Filter { category: Some("some".into()), ..Filter::default() };
    let query = vec![0.5; DIM];
    question(all, snapshot.search_vector(&query, 100, &Filter::default()));
    question(all, snapshot.search_vector(&query, 100, &filter));
    question(all, snapshot.concepts_in_range(100.0, 700.0));
    question(all, snapshot.find_paths(&["c1", "c2"], &["c30"], &PathQuery::default()));
    answers
}

fn concept(random: &mut Random, at: u64) -> Concept {
    let words = (0..24).map(|_| WORDS[random.below(12) as usize]).collect::<Vec<_>>().join(" ");
    let mut concept = Concept::new(id(at), words);
    concept.vector = (random.below(5) > 0).then(|| random.vector());
    concept.created = Some(random.below(1000) as f64);
    concept.category = at.is_multiple_of(3).then(|| "some".to_owned());
    concept.attributes.insert("at".into(), at.into());
    concept.valid_to = at.is_multiple_of(4).then_some(1000.0 - at as f64 * 15.0);
    concept.expires = at.is_multiple_of(7).then_some(1e12);
    concept
}

impl Sound {
    pub(crate) fn new() -> Self {
        let fs = SimulatedFileSystem::new();
        let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
        let keeping = OpenOptions { retention: Some(Retention::Forever), ..options() };
        let store = GraphStore::open_with(shared, Path::new("store"), keeping).unwrap();
        let mut random = Random(7);
        for round in 0..4 {
            let range = round * 12..(round + 1) * 12;
            store.put_concepts(range.map(|at| concept(&mut random, at)).collect()).unwrap();
            let count = (round + 1) * 12;
            let ends = (0..90).map(|_| (random.below(count), random.below(count)));
            let associations =
                ends.map(|(a, b)| Association::new(id(a), id(b)).with_type("leads to")).collect();
            store.put_associations(associations, true).unwrap();
            let mut brief = Association::new(id(round), id(round + 1));
            brief.valid_from = Some(200.0 * round as f64);
            store.put_association(brief).unwrap();
            let user = store.namespace("user").unwrap();
            user.put_concepts((0..6).map(|at| concept(&mut random, at)).collect()).unwrap();
            user.put_association(Association::new(id(1), id(2))).unwrap();
            store.access(&id(round), Some(0.5)).unwrap();
            store.delete_concepts(vec![id(round * 12 + 3)]).unwrap();
            store.flush().unwrap();
        }
        let mut answers = BTreeMap::new();
        let mut newest = 0;
        for at in 0..6 {
            let snapshot = store.snapshot().unwrap();
            newest = snapshot.epoch();
            let now =
                ask_past_too(&store).unwrap().into_iter().map(|answer| answer.unwrap()).collect();
            answers.insert(newest, now);
            if at < 5 {
                store.put_concept(concept(&mut random, 48 + at)).unwrap();
            }
        }
        assert!(store.stats().unwrap().segments >= 3);
        std::mem::forget(store); // As after a crash: its end is not marked as durable.
        let mut files: Files = fs
            .paths()
            .into_iter()
            .map(|path| (path.clone(), fs.view(&path).unwrap().to_vec()))
            .collect();
        for (path, bytes) in &mut files {
            if path.extension().is_some_and(|extension| extension == "log") {
                // Zeros that were written ahead say nothing; a few will do.
                let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                bytes.truncate(used.next_multiple_of(8) + 64);
            }
        }
        let of_kind =
            |end: &str| files.keys().filter(|p| p.to_string_lossy().ends_with(end)).count();
        assert!(of_kind(".seg") >= 4 && of_kind(".del") >= 2 && of_kind(".log") >= 2);
        assert!(of_kind(".his") >= 2);
        let sound = Self { files, answers, newest };
        assert_eq!(sound.check(&sound.files, "nothing"), Seen::Sound);
        sound
    }

    /// Opens a damaged store and asks everything; panics at a wrong answer, tells what was noticed.
    pub(crate) fn check(&self, files: &Files, what: &str) -> Seen {
        let read_only = OpenOptions { read_only: true, ..options() };
        let first = self.check_one(files, options(), what);
        let second = self.check_one(files, read_only, what);
        assert_eq!(first, second, "{what}: readers and writers see the same");
        first
    }

    fn check_one(&self, files: &Files, options: OpenOptions, what: &str) -> Seen {
        let store = match open(files, options) {
            Ok(store) => store,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return Seen::Refused;
            }
        };
        let snapshot = match store.snapshot() {
            Ok(snapshot) => snapshot,
            Err(Error::Corrupt { .. }) => {
                // Without the column that tells who sees what, nothing is shown.
                assert!(!store.verify().unwrap().damage.is_empty(), "{what}");
                return Seen::Damaged;
            }
            Err(error) => panic!("{what}: {error}"),
        };
        let epoch = snapshot.epoch();
        let Some(expected) = self.answers.get(&epoch) else {
            panic!("{what}: the store went back to epoch {epoch}");
        };
        let discarded = store.stats().unwrap().discarded_bytes;
        let mut failed = 0;
        for (at, answer) in ask_past_too(&store).unwrap().into_iter().enumerate() {
            match answer {
                Ok(answer) => assert_eq!(answer, expected[at], "{what}: question {at}"),
                Err(
                    Error::Corrupt { .. }
                    | Error::Io { .. }
                    | Error::Version { .. }
                    | Error::Feature { .. },
                ) => {
                    failed += 1;
                }
                Err(error) => panic!("{what}: question {at}: {error}"),
            }
        }
        let damage = store.verify().unwrap().damage;
        assert!(failed == 0 || !damage.is_empty(), "{what}: verify() sees what reading sees");
        if epoch < self.newest || discarded > 0 {
            Seen::Discarded { epoch, reported: discarded > 0 }
        } else if damage.is_empty() {
            Seen::Sound
        } else {
            Seen::Damaged
        }
    }

    /// The store with one file changed.
    pub(crate) fn with(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Files {
        let mut files = self.files.clone();
        change(files.get_mut(path).unwrap());
        files
    }

    pub(crate) fn newest_log(&self) -> &Path {
        self.files.keys().rfind(|path| is_log(path)).unwrap()
    }
}

/// What came of opening a damaged store, asking it everything, and verifying it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing was noticed; every answer was right.
    Sound,
    /// It opened; verification tells of the damage, and what was answered was right.
    Damaged,
    /// The end of the log was discarded.
    Discarded { epoch: u64, reported: bool },
    /// Opening failed with a typed error.
    Refused,
}

pub(crate) fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// Whether a file has no checksums, since nothing depends on its bytes.
pub(crate) fn is_unchecked(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    matches!(&*name, "LOCK" | "LEASE" | "CONTROL")
}
