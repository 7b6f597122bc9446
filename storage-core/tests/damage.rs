//! Damaged files: flipped bytes, also behind checksums that were put right again; truncation, files
//! deleted, emptied, zeroed, swapped, with garbage behind them. Whatever is read is what it was before, or
//! a typed error, or the state before a transaction at the log's end whose loss is reported; never a wrong
//! answer (but of crafted bytes) or a panic.
//!
//! On Unix each test runs in a process whose memory is limited, so that an allocation by a wild
//! length ends it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::crafted::{Crafted, GRAPH, TEXT, within_limits};
use common::{DIM, Random, WORDS, options};
use storage_core::fs::{FileSystem, SimulatedFileSystem};
use storage_core::{
    Association, Concept, Direction, Error, Filter, GraphStore, OpenOptions, PathQuery, Snapshot,
};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What a store answers to a fixed list of questions; a question may fail.
type Answers = Vec<Result<String, Error>>;

/// A store with several segments, tombstones, two manifests and a log that is not empty.
struct Sound {
    files: Files,
    /// The answers at each epoch that damage at the log's end may lead back to.
    answers: BTreeMap<u64, Vec<String>>,
    newest: u64,
}

fn open(files: &Files, options: OpenOptions) -> Result<GraphStore, Error> {
    let fs = SimulatedFileSystem::new();
    for (path, bytes) in files {
        fs.set_bytes(path, bytes.clone());
    }
    GraphStore::open_with(Arc::new(fs), Path::new("store"), options)
}

fn id(at: u64) -> String {
    format!("c{at}")
}

fn question(answers: &mut Answers, answer: Result<impl std::fmt::Debug, Error>) {
    answers.push(answer.map(|answer| format!("{answer:?}")));
}

/// Asks everything that can be asked of a store as it is now; of what only some readers see, all at once.
fn ask(store: &GraphStore) -> Result<Answers, Error> {
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
    let words = (0..3).map(|_| WORDS[random.below(12) as usize]).collect::<Vec<_>>().join(" ");
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
    fn new() -> Self {
        let fs = SimulatedFileSystem::new();
        let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
        let store = GraphStore::open_with(shared, Path::new("store"), options()).unwrap();
        let mut random = Random(7);
        for round in 0..4 {
            let range = round * 12..(round + 1) * 12;
            store.put_concepts(range.map(|at| concept(&mut random, at)).collect()).unwrap();
            let count = (round + 1) * 12;
            let ends = (0..40).map(|_| (random.below(count), random.below(count)));
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
            let now = ask(&store).unwrap().into_iter().map(|answer| answer.unwrap()).collect();
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
        let sound = Self { files, answers, newest };
        assert_eq!(sound.check(&sound.files, "nothing"), Seen::Sound);
        sound
    }

    /// Opens a damaged store and asks everything; panics at a wrong answer, tells what was noticed.
    fn check(&self, files: &Files, what: &str) -> Seen {
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
        for (at, answer) in ask(&store).unwrap().into_iter().enumerate() {
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
    fn with(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Files {
        let mut files = self.files.clone();
        change(files.get_mut(path).unwrap());
        files
    }

    fn newest_log(&self) -> &Path {
        self.files.keys().rfind(|path| is_log(path)).unwrap()
    }
}

/// What came of opening a damaged store, asking it everything, and verifying it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nothing was noticed; every answer was right.
    Sound,
    /// It opened; verification tells of the damage, and what was answered was right.
    Damaged,
    /// The end of the log was discarded.
    Discarded { epoch: u64, reported: bool },
    /// Opening failed with a typed error.
    Refused,
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// Whether a file has no checksums, since nothing depends on its bytes.
fn is_unchecked(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    matches!(&*name, "LOCK" | "LEASE" | "CONTROL")
}

/// Bytes of a segment that no checksum covers, since nothing depends on them: reserved bytes of the
/// header, gaps between sections.
fn is_gap(path: &Path, bytes: &[u8], at: usize) -> bool {
    path.extension().is_some_and(|extension| extension == "seg") && bytes[at] == 0
}

/// Bytes of the seal that ends an older log, or of the marker before it: 40 and 32 bytes, behind the
/// last transaction, and all that follows. Neither need be durable, so a damaged one is like one that power loss took: the
/// next log is found without it.
fn is_seal(path: &Path, bytes: &[u8], at: usize) -> bool {
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    is_log(path) && at + 72 >= used
}

#[test]
fn a_flipped_byte_is_noticed_wherever_it_is() {
    within_limits("a_flipped_byte_is_noticed_wherever_it_is", || {
        let sound = Sound::new();
        let mut random = Random(1);
        for (path, bytes) in &sound.files {
            for at in 0..bytes.len() {
                let is_edge = at < 72 || at + 72 >= bytes.len();
                if !is_edge && random.below(20) > 0 {
                    continue;
                }
                let bit = 1 << random.below(8);
                let files = sound.with(path, |bytes| bytes[at] ^= bit);
                let what = format!("{} with byte {at} flipped by {bit}", path.display());
                match sound.check(&files, &what) {
                    Seen::Refused | Seen::Damaged => {}
                    Seen::Discarded { reported, .. } => {
                        assert!(
                            reported && is_log(path),
                            "{what}: {:?}",
                            sound.check(&files, &what)
                        );
                    }
                    Seen::Sound => {
                        let passed_over = is_unchecked(path)
                            || is_gap(path, bytes, at)
                            || (path != sound.newest_log() && is_seal(path, bytes, at));
                        assert!(passed_over, "{what}: unnoticed");
                    }
                }
            }
        }
    });
}

#[test]
fn a_truncated_file_is_noticed_at_every_length() {
    within_limits("a_truncated_file_is_noticed_at_every_length", || {
        let sound = Sound::new();
        let mut random = Random(2);
        for (path, bytes) in &sound.files {
            if is_unchecked(path) {
                continue;
            }
            for len in 0..bytes.len() {
                let is_edge = len < 80 || len + 80 >= bytes.len();
                if !is_edge && random.below(20) > 0 {
                    continue;
                }
                let files = sound.with(path, |bytes| bytes.truncate(len));
                let what = format!("{} cut to {len} bytes", path.display());
                match sound.check(&files, &what) {
                    Seen::Refused | Seen::Damaged => {}
                    // A cut between two frames leaves a log that ends well, only sooner.
                    Seen::Discarded { .. } => assert_eq!(path, sound.newest_log(), "{what}"),
                    // Of a log, only zeros at the end were cut; or an older one lost its seal.
                    Seen::Sound => assert!(is_log(path), "{what}: unnoticed"),
                }
            }
        }
    });
}

#[test]
fn files_that_are_gone_emptied_or_exchanged_give_no_wrong_answers() {
    within_limits("files_that_are_gone_emptied_or_exchanged_give_no_wrong_answers", || {
        let sound = Sound::new();
        for path in sound.files.keys() {
            let mut gone = sound.files.clone();
            gone.remove(path);
            sound.check(&gone, &format!("without {}", path.display()));
            let empty = sound.with(path, Vec::clear);
            sound.check(&empty, &format!("{} emptied", path.display()));
            let zeros = sound.with(path, |bytes| bytes.fill(0));
            sound.check(&zeros, &format!("{} zeroed", path.display()));
            for other in sound.files.keys().filter(|other| *other > path) {
                let mut files = sound.files.clone();
                let (a, b) = (files[path].clone(), files[other].clone());
                files.insert(path.clone(), b);
                files.insert(other.clone(), a);
                sound.check(&files, &format!("{} and {} swapped", path.display(), other.display()));
                let copy = sound.with(path, |bytes| bytes.clone_from(&sound.files[other]));
                let what = format!("{} in place of {}", other.display(), path.display());
                sound.check(&copy, &what);
            }
        }
    });
}

#[test]
fn garbage_behind_a_file_is_noticed_or_passed_over() {
    within_limits("garbage_behind_a_file_is_noticed_or_passed_over", || {
        let sound = Sound::new();
        let mut random = Random(3);
        for path in sound.files.keys() {
            for len in [1, 8, 64, 4096] {
                let garbage: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
                let files = sound.with(path, |bytes| bytes.extend_from_slice(&garbage));
                let what = format!("{} with {len} bytes of garbage behind", path.display());
                let seen = sound.check(&files, &what);
                if let Seen::Discarded { epoch, reported } = seen {
                    assert!(epoch == sound.newest && reported && is_log(path), "{what}: {seen:?}");
                }
            }
        }
    });
}

/// The files without the older manifests, which would serve in place of the newest.
fn newest_generation(files: &Files) -> Files {
    let is_manifest = |path: &Path| path.to_string_lossy().contains("MANIFEST-");
    let newest = files.keys().rfind(|path| is_manifest(path));
    let mut kept = files.clone();
    kept.retain(|path, _| !is_manifest(path) || Some(path) == newest);
    kept
}

/// Opens a store with a crafted file in it, reads all there is, and rewrites it: any answer will do, and
/// any error, but no panic.
fn survives(sound: &Sound, path: &Path, crafted: Crafted) -> Result<Answers, Error> {
    let mut files = newest_generation(&sound.files);
    files.insert(path.to_owned(), crafted.seal());
    let store = open(&files, options())?;
    let answers = ask(&store)?;
    store.verify()?;
    store.compact()?;
    ask(&store)?;
    Ok(answers)
}

impl Sound {
    /// A segment of the newest manifest: the largest.
    fn segment(&self) -> (&Path, Crafted) {
        let is_needed = |path: &Path| {
            let mut files = newest_generation(&self.files);
            files.remove(path);
            path.extension() == Some("seg".as_ref()) && open(&files, options()).is_err()
        };
        let segments = self.files.iter().filter(|(path, _)| is_needed(path));
        let (path, bytes) = segments.max_by_key(|(_, bytes)| bytes.len()).unwrap();
        (path, Crafted(bytes.clone()))
    }
}

#[test]
fn a_changed_byte_behind_checksums_that_match_is_no_panic() {
    within_limits("a_changed_byte_behind_checksums_that_match_is_no_panic", || {
        let sound = Sound::new();
        let (path, good) = sound.segment();
        assert!(
            survives(&sound, path, good.clone()).is_ok_and(|all| all.iter().all(Result::is_ok))
        );
        let table = good.number(good.tail() + 24, 8);
        let (text, graph) = (good.section(TEXT).start, good.section(GRAPH).start);
        let outline = (0..64).chain(table..good.0.len());
        let headers = (text..text + 128).chain(graph..graph + 64);
        let mut random = Random(4);
        let anywhere: Vec<usize> =
            (0..1000).map(|_| 64 + random.below(table as u64 - 64) as usize).collect();
        for at in outline.chain(headers).chain(anywhere) {
            let byte = good.0[at];
            let others = [byte.wrapping_add(1), byte.wrapping_sub(1), byte ^ 0x80, 0xff, 0];
            for other in others.into_iter().filter(|&other| other != byte) {
                let mut crafted = good.clone();
                crafted.0[at] = other;
                let outcome = survives(&sound, path, crafted);
                if let Err(error) = outcome {
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    });
}

#[test]
fn counts_that_disagree_behind_checksums_that_match_are_damage() {
    within_limits("counts_that_disagree_behind_checksums_that_match_are_damage", || {
        let sound = Sound::new();
        let (path, good) = sound.segment();
        let damaged = |crafted: Crafted, what: &str| match survives(&sound, path, crafted) {
            Err(Error::Corrupt { .. }) => {}
            Err(error) => panic!("{what}: {error}"),
            Ok(answers) => {
                let of = |answer: &Result<_, _>| matches!(answer, Err(Error::Corrupt { .. }));
                assert!(answers.iter().any(of), "{what}: unnoticed");
            }
        };
        let tail = good.tail();

        // An outline with no checksum at all, and one that gives a section those of another.
        let mut crafted = good.clone();
        let table = good.number(tail + 24, 8) as u64;
        crafted.set(tail + 16, &table.to_le_bytes());
        damaged(crafted, "no checksums");
        let mut crafted = good.clone();
        crafted.set(good.entry(GRAPH) + 24, &0_u64.to_le_bytes());
        damaged(crafted, "shared checksums");

        // One edge fewer by every count but the graph's; one row fewer by every count but the words'.
        let mut crafted = good.clone();
        crafted.set(tail + 4, &(good.number(tail + 4, 4) as u32 - 1).to_le_bytes());
        for kind in [15, 16] {
            crafted.shorten(kind, 8);
        }
        damaged(crafted, "an edge beyond the last");
        let mut crafted = good.clone();
        crafted.set(tail, &(good.number(tail, 4) as u32 - 1).to_le_bytes());
        for kind in [2, 3, 5, 8] {
            crafted.shorten(kind, 8);
        }
        for kind in [1, 4] {
            crafted.shorten(kind, 4);
        }
        damaged(crafted, "a document beyond the last");

        // A vector that holds infinity.
        let mut crafted = good.clone();
        crafted.set(good.section(11).start, &f32::INFINITY.to_le_bytes());
        damaged(crafted, "an infinite component");
    });
}

/// A store of one large segment, and a log that deletes a concept and an association of it.
fn with_deletes_in_the_tail() -> Files {
    let fs = SimulatedFileSystem::new();
    let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
    let store = GraphStore::open_with(shared, Path::new("store"), options()).unwrap();
    let content =
        |at: u64| format!("{} w{} w{}", WORDS[(at % 12) as usize], at * 7919, at * 104_729);
    store.put_concepts((0..4000).map(|at| Concept::new(id(at), content(at))).collect()).unwrap();
    let associations = (0..4000).map(|at| Association::new(id(at), id((at + 1) % 4000))).collect();
    store.put_associations(associations, false).unwrap();
    store.flush().unwrap();
    store.delete_concept(&id(0)).unwrap();
    store.delete_association(&id(2), &id(3), "semantic").unwrap();
    std::mem::forget(store); // As after a crash.
    let files = fs.paths().into_iter().map(|path| (path.clone(), fs.view(&path).unwrap().to_vec()));
    newest_generation(&files.collect())
}

#[test]
fn opening_with_deletes_in_the_tail_reads_the_blocks_they_touch_and_checks_them() {
    let files = with_deletes_in_the_tail();
    let is_segment = |path: &&PathBuf| path.extension() == Some("seg".as_ref());
    let path = files.keys().find(is_segment).unwrap();
    let segment = Crafted(files[path].clone());
    let (text, graph) = (segment.section(TEXT), segment.section(GRAPH));
    let flipped = |at: usize| {
        let mut files = files.clone();
        files.get_mut(path).unwrap()[at] ^= 1;
        open(&files, options())
    };
    // What a deletion needs: the length of a text, the row of an association, in blocks at the start.
    assert!(matches!(flipped(graph.start + 64), Err(Error::Corrupt { .. })));
    let counts = |store: &GraphStore| {
        let stats = store.stats().unwrap();
        (stats.total_concepts, stats.total_edges, stats.dead_rows)
    };
    let sound = open(&files, options()).unwrap();
    assert_eq!(counts(&sound), (3999, 3997, 1 + 3)); // The row, and its edges and one more.

    let corrupt = |outcome: bool| assert!(outcome, "damage that was read must be told");
    // The words are made anew: at once where a length is damaged, and once they are read elsewhere.
    for (at, noticed) in [(text.start + 130, true), (text.end - 1, false)] {
        let store = flipped(at).unwrap();
        assert_eq!(!store.stats().unwrap().set_aside.is_empty(), noticed);
        assert_eq!(counts(&store), counts(&sound));
        assert_eq!(store.search_text("river", 5).unwrap(), sound.search_text("river", 5).unwrap());
        assert!(!store.stats().unwrap().set_aside.is_empty());
    }
    let store = flipped(graph.start + 64 + 16 * 1500).unwrap();
    assert_eq!(counts(&store), counts(&sound));
    corrupt(matches!(store.neighbors(&id(1500), Direction::Out), Err(Error::Corrupt { .. })));
}
