//! Repair of damaged stores: what lies outside the damaged block or frame is saved, nothing is invented,
//! the damaged store is not touched, and the new one opens and verifies.
//!
//! Which loss is allowed is worked out here from the bytes themselves, not from what the report says. By
//! default some hundred flipped bits, seeded; with `SUTRA_REPAIR_EVERY=1` a bit of every byte, with 2 of
//! every second one (by `cargo test`: it takes longer than nextest allows a test).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::crafted::Crafted;
use common::held::{Held, Key, answers};
use common::{DIM, Model, Random, WORDS, options, run_both, variable};
use storage_core::fs::{FileSystem, SimulatedFileSystem};
use storage_core::{
    Association, Concept, Error, GraphStore, Loss, OpenOptions, RepairReport, Retention,
    StoreConfig, VectorStorage,
};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A store that was left as by a crash, and all that it held after each transaction.
struct Sound {
    files: Files,
    epochs: Vec<Held>,
    answers: Vec<String>,
}

fn concept(random: &mut Random, at: u64) -> Concept {
    let words = (0..18).map(|_| WORDS[random.below(12) as usize]).collect::<Vec<_>>().join(" ");
    let mut concept = Concept::new(format!("c{at}"), words);
    concept.vector = (random.below(5) > 0).then(|| random.vector());
    concept.created = Some(random.below(1000) as f64 / 3.0);
    concept.confidence = random.below(100) as f32 / 99.0;
    concept.source = (random.below(3) == 0).then(|| format!("book {at}"));
    concept.attributes.insert("at".into(), at.into());
    concept
}

impl Sound {
    fn new() -> Self {
        let fs = SimulatedFileSystem::new();
        let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
        let config =
            StoreConfig { vector_dimension: DIM, use_compression: false, ..StoreConfig::default() };
        let options = OpenOptions { config: config.into(), ..options() };
        let store = GraphStore::open_with(shared, Path::new("store"), options).unwrap();
        let mut random = Random(11);
        let mut epochs = vec![Held::default()];
        let mut note = || {
            let snapshot = store.snapshot().unwrap();
            assert_eq!(snapshot.epoch(), epochs.len() as u64, "one transaction at a time");
            epochs.push(Held::read(&snapshot));
        };
        let edge = |random: &mut Random, count: u64| {
            let id = |random: &mut Random| format!("c{}", random.below(count));
            let mut edge = Association::new(id(random), id(random));
            ["is", "has"][random.below(2) as usize].clone_into(&mut edge.association_type);
            edge.weight = random.below(9) as f32;
            edge.confidence = random.below(100) as f32 / 99.0;
            edge.created = Some(random.below(1000) as f64);
            edge
        };
        let mut count = 0;
        for new in [220, 40, 40] {
            store
                .put_concepts((count..count + new).map(|at| concept(&mut random, at)).collect())
                .unwrap();
            note();
            count += new;
            let edges = (0..2 * new).map(|_| edge(&mut random, count)).collect();
            store.put_associations(edges, true).unwrap();
            note();
            for _ in 0..3 {
                store.access(&format!("c{}", random.below(count)), Some(0.5)).unwrap();
                note();
            }
            store
                .delete_concepts((0..5).map(|_| format!("c{}", random.below(count))).collect())
                .unwrap();
            note();
            store.flush().unwrap();
        }
        for at in 0..6 {
            match at % 3 {
                0 => store.put_concept(concept(&mut random, at * 7)).map(drop).unwrap(),
                1 => store.put_associations(vec![edge(&mut random, 40)], true).map(drop).unwrap(),
                _ => store.access("c9", None).map(drop).unwrap(),
            }
            note();
        }
        store.save().unwrap();
        let answers = answers(&store.snapshot().unwrap());
        std::mem::forget(store);
        let mut files: Files = fs
            .paths()
            .into_iter()
            .map(|path| (path.clone(), fs.view(&path).unwrap().to_vec()))
            .collect();
        for (path, bytes) in &mut files {
            if is(path, "log") {
                let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                bytes.truncate(used.next_multiple_of(8) + 64);
            }
        }
        Self { files, epochs, answers }
    }

    fn newest(&self) -> &Held {
        self.epochs.last().unwrap()
    }

    /// The concepts and associations that the transactions of some numbers changed.
    fn changed_by(&self, lsns: impl IntoIterator<Item = u64>) -> Allowed {
        let mut allowed = Allowed::default();
        for lsn in lsns {
            let (before, after) = (&self.epochs[lsn as usize - 1], &self.epochs[lsn as usize]);
            for id in before.concepts.keys().chain(after.concepts.keys()) {
                if before.concepts.get(id) != after.concepts.get(id) {
                    allowed.concepts.insert(id.clone());
                }
            }
            for key in before.edges.keys().chain(after.edges.keys()) {
                if before.edges.get(key) != after.edges.get(key) {
                    allowed.edges.insert(key.clone());
                }
            }
        }
        allowed.revived = true;
        allowed
    }

    /// The concepts and associations whose newest versions were put by transactions of a range.
    fn put_in(&self, lsns: std::ops::RangeInclusive<u64>) -> Allowed {
        let mut allowed = Allowed::default();
        let plain = |held: &Held, id: &String| {
            held.concepts.get(id).map(|concept| Concept {
                strength: 0.0,
                last_accessed: None,
                access_count: 0,
                ..concept.clone()
            })
        };
        for lsn in lsns {
            let (before, after) = (&self.epochs[lsn as usize - 1], &self.epochs[lsn as usize]);
            allowed.concepts.extend(
                after.concepts.keys().filter(|id| plain(before, id) != plain(after, id)).cloned(),
            );
            let changed = |key: &&Key| before.edges.get(*key) != after.edges.get(*key);
            allowed.edges.extend(after.edges.keys().filter(changed).cloned());
        }
        allowed
    }
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// What may be missing, or as it once was.
#[derive(Debug, Clone, Default)]
struct Allowed {
    concepts: BTreeSet<String>,
    /// Concepts that may have lost their vector, and nothing else.
    vectors: BTreeSet<String>,
    edges: BTreeSet<Key>,
    /// Concepts may have been accessed less.
    accesses: bool,
    /// Concepts may be said to have been created another time.
    created: bool,
    /// What had been deleted may be there.
    revived: bool,
}

fn bits(vector: Option<&Vec<f32>>) -> Option<Vec<u32>> {
    vector.map(|vector| vector.iter().map(|x| x.to_bits()).collect())
}

impl Allowed {
    /// Whether a concept is what it may be.
    fn is_version(&self, found: &Concept, sound: &Sound, what: &str) {
        let id = &found.id;
        let same = |version: &Concept| {
            let mut version = version.clone();
            if self.accesses || self.concepts.contains(id) {
                version.access_count = found.access_count;
                version.last_accessed = found.last_accessed;
                version.strength = found.strength;
            }
            if self.created {
                version.created = found.created;
            }
            if found.vector.is_none() && self.vectors.contains(id) {
                version.vector = None;
            }
            version == *found && bits(version.vector.as_ref()) == bits(found.vector.as_ref())
        };
        let newest = sound.newest().concepts.get(id);
        let earlier = || sound.epochs.iter().filter_map(|held| held.concepts.get(id)).any(same);
        let right = newest.is_some_and(same)
            || (earlier() && (self.concepts.contains(id) || (newest.is_none() && self.revived)));
        assert!(right, "{what}: {found:?}, not {newest:?}");
    }

    fn check(&self, found: &Held, sound: &Sound, what: &str) {
        for concept in found.concepts.values() {
            self.is_version(concept, sound, what);
        }
        for id in sound.newest().concepts.keys() {
            let saved = found.concepts.contains_key(id) || self.concepts.contains(id);
            assert!(saved, "{what}: concept {id} is lost");
        }
        for (key, edge) in &found.edges {
            let newest = sound.newest().edges.get(key);
            let earlier = || sound.epochs.iter().any(|held| held.edges.get(key) == Some(edge));
            let right = newest == Some(edge)
                || (earlier() && (self.edges.contains(key) || (newest.is_none() && self.revived)));
            assert!(right, "{what}: {edge:?}, not {newest:?}");
        }
        for key in sound.newest().edges.keys() {
            let saved = found.edges.contains_key(key)
                || self.edges.contains(key)
                || self.concepts.contains(&key.0)
                || self.concepts.contains(&key.1);
            assert!(saved, "{what}: association {key:?} is lost");
        }
    }
}

/// Repairs files; checks what holds whatever the damage is.
fn repair(files: &Files, what: &str) -> Result<(RepairReport, Held, Vec<String>), Error> {
    let fs = SimulatedFileSystem::new();
    for (path, bytes) in files {
        fs.set_bytes(path, bytes.clone());
    }
    let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
    let target = Path::new("repaired");
    let outcome = GraphStore::repair_with(&shared, Path::new("store"), target);
    let after: Files = fs
        .paths()
        .into_iter()
        .filter(|path| path.starts_with("store"))
        .map(|path| (path.clone(), fs.view(&path).unwrap().to_vec()))
        .collect();
    assert!(after == *files, "{what}: the damaged store was changed");
    let report = outcome?;
    // Power loss right after the repair takes nothing away.
    for fs in [fs.clone(), fs.crash(7)] {
        let store = GraphStore::open_with(Arc::new(fs), target, OpenOptions::default())
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let verified = store.verify().unwrap();
        assert!(verified.is_sound(), "{what}: {:?}", verified.damage);
        assert_eq!(store.stats().unwrap().discarded_bytes, 0);
        let snapshot = store.snapshot().unwrap();
        let counts =
            (snapshot.concept_count(), snapshot.vector_count(), snapshot.association_count());
        let saved = report.saved;
        assert_eq!(counts, (saved.concepts, saved.vectors, saved.associations), "{what}");
    }
    let store = GraphStore::open_with(shared, target, OpenOptions::default()).unwrap();
    let snapshot = store.snapshot().unwrap();
    Ok((report, Held::read(&snapshot), answers(&snapshot)))
}

#[test]
fn an_undamaged_store_is_repaired_to_its_equal() {
    let sound = Sound::new();
    let (report, held, answers) = repair(&sound.files, "nothing").unwrap();
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    assert!(report.is_whole() && report.losses.is_empty(), "{:?}", report.losses);
    assert_eq!(report.epoch as usize, sound.epochs.len() - 1);
    Allowed::default().check(&held, &sound, "nothing");
    assert_eq!(answers, sound.answers);
}

#[test]
fn random_workloads_are_repaired_to_their_equals() {
    for seed in 0..24 {
        let fs = SimulatedFileSystem::new();
        let shared: Arc<dyn FileSystem> = Arc::new(fs);
        let vector_storage = [VectorStorage::F32, VectorStorage::F16][seed as usize % 2];
        let config =
            StoreConfig { vector_dimension: DIM, vector_storage, ..StoreConfig::default() };
        let retention = (seed % 3 == 0).then_some(Retention::Forever);
        let options = OpenOptions { config: config.into(), retention, ..options() };
        let store = GraphStore::open_with(shared.clone(), Path::new("store"), options).unwrap();
        let (mut model, mut random) = (Model::default(), Random(seed));
        for _ in 0..80 {
            run_both(&store, &mut model, &mut random);
        }
        let before = (Held::read(&store.snapshot().unwrap()), answers(&store.snapshot().unwrap()));
        drop(store);
        let (damaged, target) = (Path::new("store"), Path::new("repaired"));
        let report = GraphStore::repair_with(&shared, damaged, target).unwrap();
        assert!(report.damage.is_empty() && report.is_whole(), "{seed}: {report:?}");
        let kept = report.losses.contains(&Loss::Past);
        assert_eq!(kept, retention.is_some(), "the past is told of where it was kept");
        let store = GraphStore::open_with(shared, target, OpenOptions::default()).unwrap();
        let after = (Held::read(&store.snapshot().unwrap()), answers(&store.snapshot().unwrap()));
        assert_eq!(before, after, "{seed}");
        assert_eq!(store.retention(), retention.unwrap_or_default());
    }
}

const BLOCK: usize = 16 << 10;

/// What a damaged block of a segment may cost: the rows, vectors or edges that lie in it.
fn in_block(sound: &Sound, path: &Path, at: usize) -> Allowed {
    let segment = Crafted(sound.files[path].clone());
    let Some(kind) = (1..=18).find(|&kind| {
        segment.entries().any(|entry| segment.number(entry, 4) == kind as usize)
            && segment.section(kind).contains(&at)
    }) else {
        return Allowed::default(); // Header, tail, table, checksums: mended; gaps: not read.
    };
    let section = segment.section(kind);
    let first = section.start + (at - section.start) / BLOCK * BLOCK;
    let block = first - section.start..(first + BLOCK).min(section.end) - section.start;
    let rows = segment.number(segment.tail(), 4);
    let vectors = segment.number(segment.tail() + 8, 4);
    let edges = segment.number(segment.tail() + 4, 4);
    let touches =
        |range: std::ops::Range<usize>| range.start < block.end && range.end > block.start;
    let fixed = |width: usize, at: usize| touches(at * width..(at + 1) * width);
    // Entry `at` starts where offset `at` says, and ends where the next one does.
    let offsets = |kind: u32, at: usize| {
        let place = segment.section(kind).start + at * 8;
        segment.number(place, 8)..segment.number(place + 8, 8)
    };
    let id_of = |row: usize| {
        let range = offsets(5, row);
        let ids = segment.section(6).start;
        String::from_utf8(segment.0[ids + range.start..ids + range.end].to_vec()).unwrap()
    };
    let row_of_vector = |ordinal: usize| {
        if vectors == rows {
            ordinal
        } else {
            segment.number(segment.section(10).start + ordinal * 4, 4)
        }
    };
    let ids = |is_in: &dyn Fn(usize) -> bool, count: usize| -> BTreeSet<String> {
        (0..count).filter(|&row| is_in(row)).map(id_of).collect()
    };
    let mut allowed = Allowed::default();
    match kind {
        1 => {
            // Concepts whose numbers are lost keep all but what hangs on these.
            let unnumbered = ids(&|row| fixed(4, row), rows);
            let at = |key: &&Key| unnumbered.contains(&key.0) || unnumbered.contains(&key.1);
            allowed.edges = sound.newest().edges.keys().filter(at).cloned().collect();
            allowed.accesses = true;
        }
        3 => allowed.created = true,
        5 | 8 => allowed.concepts = ids(&|row| touches(row * 8..row * 8 + 16), rows),
        6 => allowed.concepts = ids(&|row| touches(offsets(5, row)), rows),
        9 => allowed.concepts = ids(&|row| touches(offsets(8, row)), rows),
        10 => {
            allowed.vectors =
                (0..vectors).filter(|&v| fixed(4, v)).map(row_of_vector).map(id_of).collect();
        }
        11 => {
            let of = (0..vectors).filter(|&vector| fixed(DIM * 4, vector));
            allowed.vectors = of.map(row_of_vector).map(id_of).collect();
        }
        // The header, or the records of the out-side; a directory's loss the in-side makes up for.
        14 if !touches(0..64 + edges * 16) => {}
        14 | 16 | 17 => allowed.edges = sound.newest().edges.keys().cloned().collect(),
        18 => allowed.accesses = true,
        _ => {} // Births, and what is derived: order by time, table of ids, norms, words.
    }
    allowed
}

/// The frames of a log: LSN, kind, and where header and payload are.
fn frames(bytes: &[u8]) -> Vec<(u64, u8, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let log = Crafted(bytes.to_vec());
    let mut found = Vec::new();
    let mut at = 72;
    while at + 32 <= bytes.len() && bytes[at..at + 32].iter().any(|&byte| byte != 0) {
        let payload = at + 32..at + 32 + log.number(at, 4);
        found.push((log.number(at + 8, 8) as u64, bytes[at + 24], at..at + 32, payload.clone()));
        at = payload.end.next_multiple_of(8);
    }
    found
}

fn allowed_by_flip(sound: &Sound, path: &Path, at: usize) -> Allowed {
    if is(path, "seg") {
        return in_block(sound, path, at);
    }
    if is(path, "log") {
        let hit =
            frames(&sound.files[path]).into_iter().find(|(.., payload)| payload.contains(&at));
        if let Some((lsn, 1, ..)) = hit {
            return sound.changed_by([lsn]);
        }
    }
    Allowed::default() // Headers, manifests and tombstones are mended, and locks and counters not read.
}

#[test]
fn one_flipped_bit_costs_what_lies_in_its_block_or_frame_at_most() {
    let sound = Sound::new();
    let mut random = Random(5);
    let every = variable("SUTRA_REPAIR_EVERY");
    let total: usize = sound.files.values().map(Vec::len).sum();
    println!("{total} bytes in {} files", sound.files.len());
    let (mut flips, mut whole) = (0, 0);
    for (path, bytes) in &sound.files {
        // Of each file some places, of its beginning and its end more.
        let odds = |at: usize| match at.min(bytes.len() - at) {
            0..96 => 6,
            _ => 1 + bytes.len() as u64 / 24,
        };
        for at in 0..bytes.len() {
            let chosen = match every {
                Some(step) => (at as u64).is_multiple_of(step.max(1)),
                None => random.below(odds(at)) == 0,
            };
            if !chosen {
                continue;
            }
            let bit = 1 << random.below(8);
            let mut files = sound.files.clone();
            files.get_mut(path).unwrap()[at] ^= bit;
            let what = format!("{}, byte {at} flipped by {bit}", path.display());
            let (report, held, _) = repair(&files, &what).unwrap();
            let allowed = allowed_by_flip(&sound, path, at);
            allowed.check(&held, &sound, &what);
            let noticed = !report.damage.is_empty();
            assert!(noticed || report.is_whole(), "{what}: lost without damage");
            if held == *sound.newest() {
                whole += 1;
            } else {
                assert!(!report.is_whole(), "{what}: a loss that is not told");
            }
            flips += 1;
        }
    }
    println!("{flips} flips, of which {whole} cost nothing");
    assert!(flips > 300 && whole * 4 > flips, "{flips} flips, {whole} whole");
}

#[test]
fn a_file_gone_cut_or_zeroed_costs_what_only_it_held_at_most() {
    let sound = Sound::new();
    let mut random = Random(9);
    for (path, bytes) in &sound.files {
        let mut changes: Vec<(String, Option<Vec<u8>>)> = vec![
            ("gone".into(), None),
            ("empty".into(), Some(Vec::new())),
            ("zeroed".into(), Some(vec![0; bytes.len()])),
        ];
        for _ in 0..8 {
            let len = random.below(bytes.len().max(1) as u64) as usize;
            changes.push((format!("cut to {len}"), Some(bytes[..len].to_vec())));
            let mut zeros = bytes.clone();
            zeros[len..].iter_mut().take(512).for_each(|byte| *byte = 0);
            changes.push((format!("512 zeros at {len}"), Some(zeros)));
        }
        for (change, left) in changes {
            let what = format!("{} {change}", path.display());
            let mut files = sound.files.clone();
            match left.clone() {
                Some(left) => files.insert(path.clone(), left),
                None => files.remove(path),
            };
            let (_, held, _) = repair(&files, &what).unwrap();
            let allowed = if is(path, "seg") {
                let segment = Crafted(bytes.clone());
                let lsn = |at: usize| segment.number(at, 8) as u64;
                let mut allowed = sound.put_in(lsn(40)..=lsn(48));
                allowed.vectors = allowed.concepts.clone();
                allowed.accesses = true;
                allowed.created = true;
                allowed
            } else if is(path, "del") {
                Allowed { revived: true, ..Allowed::default() }
            } else if is(path, "log") {
                let left = left.unwrap_or_default();
                let same =
                    |range: std::ops::Range<usize>| left.get(range.clone()) == Some(&bytes[range]);
                let header = same(0..72);
                let lost = frames(bytes).into_iter().filter(|(_, kind, frame, payload)| {
                    let sound = header && same(frame.clone()) && same(payload.clone());
                    *kind == 1 && !sound
                });
                sound.changed_by(lost.map(|(lsn, ..)| lsn))
            } else {
                Allowed::default()
            };
            allowed.check(&held, &sound, &what);
        }
    }
}

#[test]
fn a_damaged_derived_index_loses_nothing() {
    let sound = Sound::new();
    for (path, bytes) in sound.files.iter().filter(|(path, _)| is(path, "seg")) {
        let segment = Crafted(bytes.clone());
        // Births, order by time, table of ids, norms, words, births of edges: all wrong at once.
        let mut files = sound.files.clone();
        for kind in [2, 4, 7, 12, 13, 15] {
            let section = segment.section(kind);
            files.get_mut(path).unwrap()[section].fill(0xa5);
        }
        let (report, held, answers) = repair(&files, "derived").unwrap();
        assert!(report.damage.len() >= 6 && report.is_whole(), "{report:?}");
        assert_eq!(held, *sound.newest());
        assert_eq!(answers, sound.answers);
    }
}

/// The files of a store with the concepts "c0" to "c9" in a segment, and what else is done to it; the newest
/// manifest alone, and the concepts' numbers damaged.
fn with_damaged_numbers(change: impl FnOnce(&GraphStore)) -> Files {
    let fs = SimulatedFileSystem::new();
    let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
    let store = GraphStore::open_with(shared, Path::new("store"), options()).unwrap();
    let id = |at: u64| format!("c{at}");
    store.put_concepts((0..10).map(|at| Concept::new(id(at), "river")).collect()).unwrap();
    let edges = (0..9).map(|at| Association::new(id(at), id(at + 1)));
    store.put_associations(edges.collect(), false).unwrap();
    store.compact().unwrap();
    change(&store);
    store.close().unwrap();
    let view = |path: &PathBuf| (path.clone(), fs.view(path).unwrap().to_vec());
    let mut files: Files = fs.paths().iter().map(view).collect();
    let manifests: Vec<PathBuf> =
        files.keys().filter(|path| path.to_string_lossy().contains("MANIFEST")).cloned().collect();
    manifests[..manifests.len() - 1].iter().for_each(|path| drop(files.remove(path)));
    let segment = files.iter_mut().rfind(|(path, _)| is(path, "seg")).unwrap().1;
    let numbers = Crafted(segment.clone()).section(1);
    segment[numbers.start] ^= 4;
    files
}

#[test]
fn damaged_numbers_are_worked_out_or_cost_what_hangs_on_them() {
    let (report, held, _) = repair(&with_damaged_numbers(|_| ()), "dense").unwrap();
    assert!(report.damage.len() == 1 && report.is_whole(), "{report:?}");
    assert_eq!((held.concepts.len(), held.edges.len()), (10, 9));

    let with_gap = |store: &GraphStore| {
        store.delete_concept("c3").unwrap();
        store.compact().unwrap();
    };
    let (report, held, _) = repair(&with_damaged_numbers(with_gap), "gap").unwrap();
    let numbers = report.losses.iter().filter(|loss| matches!(loss, Loss::Number { .. }));
    assert_eq!((numbers.count(), held.concepts.len(), held.edges.len()), (9, 9, 0));

    // Which concept the log deletes can't be told any more: none may come back.
    let with_delete = |store: &GraphStore| {
        with_gap(store);
        store.put_concept(Concept::new("c1", "stone")).unwrap();
        store.delete_concept("c5").unwrap();
    };
    let (report, held, _) = repair(&with_damaged_numbers(with_delete), "delete").unwrap();
    assert_eq!(held.concepts.keys().collect::<Vec<_>>(), ["c1"]);
    assert_eq!(held.concepts["c1"].content, "stone");
    assert_eq!(report.lost.concepts, 8);
}

#[test]
fn without_any_manifest_the_files_tell_all_but_names() {
    let sound = Sound::new();
    let is_manifest = |path: &Path| path.to_string_lossy().contains("MANIFEST");
    let mut files = sound.files.clone();
    files.retain(|path, _| !is_manifest(path));
    let (report, held, _) = repair(&files, "no manifest").unwrap();
    assert_eq!(report.generation, None);
    assert_eq!(held.concepts, sound.newest().concepts);
    assert_eq!(held.edges.len(), sound.newest().edges.len());
    assert!(report.losses.contains(&Loss::TypeNames { count: 2 }), "{:?}", report.losses);
    let assumed = Loss::Options { names: vec!["metric", "analyzer"] };
    assert!(report.losses.contains(&assumed), "{:?}", report.losses);
}

#[test]
fn wild_damage_is_survived_and_invents_nothing() {
    let sound = Sound::new();
    for seed in 0..150 {
        let mut random = Random(seed);
        let mut files = sound.files.clone();
        for _ in 0..=random.below(6) {
            let at = random.below(files.len() as u64) as usize;
            let bytes = files.values_mut().nth(at).unwrap();
            let start = random.below(bytes.len().max(1) as u64) as usize;
            let len = (1 << random.below(14)).min(bytes.len() - start);
            bytes[start..start + len].iter_mut().for_each(|byte| *byte = random.next() as u8);
        }
        let everything = Allowed {
            concepts: sound.epochs.iter().flat_map(|held| held.concepts.keys().cloned()).collect(),
            vectors: sound.epochs.iter().flat_map(|held| held.concepts.keys().cloned()).collect(),
            edges: sound.epochs.iter().flat_map(|held| held.edges.keys().cloned()).collect(),
            accesses: true,
            created: true,
            revived: true,
        };
        let what = format!("seed {seed}");
        let (_, mut held, _) = repair(&files, &what).unwrap();
        // Without any manifest, types have no names.
        held.edges.retain(|key, _| !key.2.starts_with("unknown type"));
        everything.check(&held, &sound, &what);
    }
}

#[test]
fn what_is_no_damaged_store_or_no_place_for_a_new_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    match GraphStore::repair(at("none"), at("new")) {
        Err(error @ Error::NotFound { .. }) => {
            let place = dir.path().canonicalize().unwrap().join("none");
            let told = format!("there is no store at {}; check the path", place.display());
            assert!(error.to_string().starts_with(&told), "{error}");
        }
        outcome => panic!("{outcome:?}"),
    }
    std::fs::create_dir(at("empty")).unwrap();
    assert!(matches!(GraphStore::repair(at("empty"), at("new")), Err(Error::NotFound { .. })));
    assert!(!at("new").exists());

    let store = GraphStore::open(at("store"), options()).unwrap();
    store.put_concept(Concept::new("a", "river")).unwrap();
    store.close().unwrap();
    let inside = GraphStore::repair(at("store"), at("store").join("new"));
    assert!(matches!(inside, Err(Error::InvalidArgument { name: "target", .. })));
    std::fs::create_dir(at("full")).unwrap();
    std::fs::write(at("full").join("file"), "text").unwrap();
    assert!(matches!(GraphStore::repair(at("store"), at("full")), Err(Error::NotAStore { .. })));

    let exclusive = OpenOptions { exclusive: true, ..options() };
    let writer = GraphStore::open(at("store"), exclusive).unwrap();
    match GraphStore::repair(at("store"), at("new")) {
        Err(Error::Locked { pid, .. }) => assert_eq!(pid, std::process::id()),
        outcome => panic!("{outcome:?}"),
    }
    writer.close().unwrap();
    assert_eq!(GraphStore::repair(at("store"), at("new")).unwrap().saved.concepts, 1);
}

/// A link may lead from the target into the damaged store, or from that into the target.
#[cfg(unix)]
#[test]
fn a_target_within_the_store_is_refused_however_it_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let store = GraphStore::open(at("outer/store"), options()).unwrap();
    store.put_concept(Concept::new("a", "river")).unwrap();
    store.close().unwrap();
    let files = || {
        let mut names: Vec<_> = std::fs::read_dir(at("outer/store")).unwrap().collect();
        names.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
        names.into_iter().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    let before = files();
    std::os::unix::fs::symlink(at("outer/store"), at("link")).unwrap();
    std::os::unix::fs::symlink(at("outer"), at("folder")).unwrap();
    for (damaged, target) in [
        ("outer/store", "link/new"),
        ("outer/store", "link/not/yet/new"),
        ("outer/store", "folder/store/new"),
        ("outer/store", "link/wal/../new"),
        ("outer/store", "new/../link/new"),
        ("outer/store", "folder"),
        ("link", "outer/store/new"),
        ("link", "folder/store"),
        ("folder/store", "outer"),
    ] {
        let outcome = GraphStore::repair(at(damaged), at(target));
        let is_refused = matches!(outcome, Err(Error::InvalidArgument { name: "target", .. }));
        assert!(is_refused, "{damaged} to {target}: {outcome:?}");
        assert_eq!(files(), before, "{damaged} to {target}");
    }
    assert!(!at("new").exists());
    assert_eq!(GraphStore::repair(at("link"), at("folder/new")).unwrap().saved.concepts, 1);
    assert!(at("outer/new").is_dir());
}

/// On a medium that can't be written, as far as permissions make one.
#[cfg(unix)]
#[test]
fn a_store_that_can_not_be_written_is_repaired() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let (damaged, target) = (dir.path().join("store"), dir.path().join("new"));
    let store = GraphStore::open(&damaged, options()).unwrap();
    store.put_concept(Concept::new("a", "river").with_vector(vec![-0.0; DIM])).unwrap();
    store.close().unwrap();
    let set = |mode: u32, folder_mode: u32| {
        for folder in [damaged.clone(), damaged.join("seg"), damaged.join("wal")] {
            std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
                }
            }
            std::fs::set_permissions(&folder, PermissionsExt::from_mode(folder_mode)).unwrap();
        }
    };
    set(0o400, 0o500);
    let report = GraphStore::repair(&damaged, &target);
    set(0o600, 0o700);
    assert!(report.unwrap().is_whole());
    let vector = GraphStore::open(&target, OpenOptions::default()).unwrap().vector("a").unwrap();
    assert_eq!(bits(vector.as_ref()), bits(Some(&vec![-0.0; DIM])));
}

#[test]
fn a_repair_that_does_not_end_leaves_nothing_that_opens() {
    use storage_core::fs::{Fault, FaultKind};

    let sound = Sound::new();
    for nth in 0..5000 {
        let fs = SimulatedFileSystem::new();
        for (path, bytes) in &sound.files {
            fs.set_bytes(path, bytes.clone());
        }
        let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
        let operation = fs.operations() + nth * 3;
        fs.inject(Fault { operation, kind: FaultKind::Io, for_good: true });
        let target = Path::new("repaired");
        let outcome = GraphStore::repair_with(&shared, Path::new("store"), target);
        fs.clear_faults();
        if outcome.is_ok() {
            assert!(nth > 5, "repair has steps that can fail");
            return;
        }
        let opened = GraphStore::open_with(
            shared,
            target,
            OpenOptions { create: false, ..OpenOptions::default() },
        );
        // All is there where only the last sync of a name failed.
        if let Ok(store) = opened {
            assert!(store.verify().unwrap().is_sound(), "failure {nth}");
            let concepts = store.snapshot().unwrap().concept_count();
            assert_eq!(
                concepts,
                sound.epochs.last().unwrap().concepts.len() as u64,
                "failure {nth}"
            );
        }
    }
    panic!("repair never ended");
}

/// What is there before any operation of a repair is what a process leaves that is killed there.
#[test]
fn a_repair_takes_the_place_of_one_that_was_cut_short_at_any_operation() {
    let (damaged, target) = (Path::new("store"), Path::new("new/repaired"));
    let fs = SimulatedFileSystem::new();
    let open = |fs: &SimulatedFileSystem, dir: &Path, create: bool| {
        GraphStore::open_with(Arc::new(fs.clone()), dir, OpenOptions { create, ..options() })
    };
    let store = open(&fs, damaged, true).unwrap();
    for id in ["a", "b", "c"] {
        store.put_concept(Concept::new(id, "river")).unwrap();
        store.flush().unwrap();
        store.delete_concept("a").unwrap();
    }
    store.close().unwrap();
    let repair = |fs: &SimulatedFileSystem| {
        let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
        GraphStore::repair_with(&shared, damaged, target)
    };
    fs.record(fs.operations(), usize::MAX);
    assert!(repair(&fs).unwrap().is_whole());
    let moments = fs.recorded();
    assert!(moments.len() > 40, "{}", moments.len());
    let (mut replaced, mut refused) = (0, 0);
    for (at, moment) in moments.into_iter().enumerate() {
        // Killed; or the power fails, and keeps what it likes of what was not synced.
        for cut in [moment.fs.clone(), moment.fs.crash(at as u64)] {
            let is_marked = cut.paths().iter().any(|path| path.ends_with("repaired/UNFINISHED"));
            if is_marked {
                let opened = open(&cut, target, false).map(drop);
                assert!(matches!(opened, Err(Error::Unfinished { maker: "repair", .. })), "{at}");
                let shared: Arc<dyn FileSystem> = Arc::new(cut.clone());
                let of_it = GraphStore::repair_with(&shared, target, Path::new("other"));
                assert!(matches!(of_it, Err(Error::Unfinished { .. })), "{at}: {of_it:?}");
            }
            // Of the damaged store the power may have taken a marker at the log's end.
            let after = match repair(&cut) {
                Ok(report) => {
                    assert_eq!((report.saved.concepts, report.lost.concepts), (2, 0), "{at}");
                    replaced += u64::from(is_marked);
                    // It may fail once more.
                    vec![cut.crash(at as u64), cut.clone()]
                }
                Err(Error::NotAStore { found, .. }) => {
                    assert!(!is_marked && found == "a store", "{at}: {found}");
                    refused += 1;
                    vec![cut.clone()]
                }
                Err(error) => panic!("{at}: {error}"),
            };
            assert!(!cut.paths().iter().any(|path| path.ends_with("UNFINISHED")), "{at}");
            for fs in after {
                let repaired = open(&fs, target, false).unwrap();
                assert!(repaired.verify().unwrap().is_sound(), "{at}");
                let snapshot = repaired.snapshot().unwrap();
                assert_eq!(snapshot.concept_ids(None, 9).unwrap(), ["b", "c"], "{at}");
            }
        }
    }
    assert!(replaced > 40 && refused > 0, "{replaced} replaced, {refused} whole");
}

#[test]
fn a_repair_removes_nothing_that_another_left() {
    let dir = tempfile::tempdir().unwrap();
    let (damaged, target) = (dir.path().join("store"), dir.path().join("repaired"));
    for path in [&damaged, &target] {
        let store = GraphStore::open(path, options()).unwrap();
        store.put_concept(Concept::new("a", "river")).unwrap();
        store.close().unwrap();
    }
    let files = |path: &Path| {
        let mut names: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        names
    };
    let refuses = |what: &str| {
        let before = files(&target);
        let error = GraphStore::repair(&damaged, &target).unwrap_err();
        assert!(matches!(error, Error::NotAStore { .. }), "{what}: {error}");
        assert_eq!(files(&target), before, "{what}");
    };
    refuses("a store");
    let mark = target.join("UNFINISHED");
    for words in ["", "my notes on what is unfinished"] {
        std::fs::write(&mark, words).unwrap();
        refuses("a store beside a file of the mark's name");
    }
    // As a repair left it.
    std::fs::remove_dir_all(&target).unwrap();
    let fs = Arc::new(common::deadly::Deadly::new(&target, || panic!("cut short")));
    fs.arm("segment synced", common::deadly::Moment::After, 1);
    let shared: Arc<dyn FileSystem> = Arc::<common::deadly::Deadly>::clone(&fs);
    let cut = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        GraphStore::repair_with(&shared, &damaged, &target).map(drop)
    }));
    fs.disarm();
    assert!(cut.is_err(), "{cut:?}");
    assert!(mark.exists() && files(&target).len() > 5, "{:?}", files(&target));
    for stranger in ["thesis.txt", "seg/notes", "wal/notes", "UNFINISHED-BACKUP"] {
        std::fs::write(target.join(stranger), "years of work").unwrap();
        refuses(stranger);
        std::fs::remove_file(target.join(stranger)).unwrap();
    }
    let opened = GraphStore::open(&target, options()).unwrap_err();
    let told = opened.to_string();
    assert!(told.contains("make the repair to the same directory again"), "{told}");
    let other = std::fs::File::options().write(true).open(&mark).unwrap();
    other.lock().unwrap();
    refuses("another that is under way");
    drop(other);
    assert!(GraphStore::repair(&damaged, &target).unwrap().is_whole());
    assert!(!mark.exists());
    assert!(GraphStore::open(&target, options()).unwrap().contains("a").unwrap());
    // Beside another store's files there is no place for one.
    let within = GraphStore::repair(&damaged, target.join("seg/new"));
    assert!(matches!(within, Err(Error::InvalidArgument { name: "target", .. })), "{within:?}");
    assert!(!target.join("seg/new").exists());
}
