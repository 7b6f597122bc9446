//! Bytes that were changed by someone who puts the checksums right again: any answer will do, and any error,
//! but no panic, and no allocation by a wild length. And damage to blocks that an opening need not read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::crafted::{Crafted, GRAPH, TEXT, within_limits};
use common::damaged::{Answers, Files, Sound, ask, id, open};
use common::{Random, WORDS, options};
use storage_core::fs::{FileSystem, SimulatedFileSystem};
use storage_core::{Association, Concept, Direction, Error, Filter, GraphStore, OpenOptions};

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

#[test]
fn behind_the_largest_number_there_is_no_concept() {
    const NUMBERS: u32 = 1;
    let fs = SimulatedFileSystem::new();
    let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
    let store = GraphStore::open_with(shared, Path::new("store"), options()).unwrap();
    store.put_concepts((0..3).map(|at| Concept::new(id(at), "river")).collect()).unwrap();
    store.flush().unwrap();
    store.close().unwrap();
    let files = fs.paths().into_iter().map(|path| (path.clone(), fs.view(&path).unwrap().to_vec()));
    let mut files = newest_generation(&files.collect());
    let is_segment = |path: &PathBuf| path.extension() == Some("seg".as_ref());
    let path = files.keys().find(|path| is_segment(path)).unwrap().clone();
    let mut crafted = Crafted(files[&path].clone());
    let numbers = crafted.section(NUMBERS);
    crafted.set(numbers.end - 4, &u32::MAX.to_le_bytes());
    files.insert(path, crafted.seal());

    let store = open(&files, options()).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.concept_ids(Some(&id(1)), 9).unwrap(), [id(2)]);
    assert!(snapshot.concept_ids(Some(&id(2)), 9).unwrap().is_empty());
    let filter = Filter { category: Some("some".to_owned()), ..Filter::default() };
    assert!(snapshot.concept_ids_by(&filter, Some(&id(2)), 9).unwrap().is_empty());
    let untrusted = OpenOptions { untrusted: true, ..options() };
    assert!(matches!(open(&files, untrusted), Err(Error::Corrupt { .. })));
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
