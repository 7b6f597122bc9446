//! Approximate search of a store by the indexes beside its segments: how much is found, under filters, deletions and
//! changes; reopened, in other handles; damaged, erased, cut short.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage_core::fs::{Fault, FaultKind, FileSystem, SimulatedFileSystem};
use storage_core::{
    AuditQuery, Concept, ConceptHit, ConfigRequest, DEFAULT_RECALL, Error, Filter, GraphStore,
    HybridQuery, Metric, OpenOptions, TextQuery, VectorQuery,
};

const DIM: usize = 16;
/// A few more than the fewest that get an index.
const COUNT: usize = 5000;

/// Vectors around centres, the same ones for the same numbers.
fn vector(at: usize) -> Vec<f32> {
    let mut random = common::Random(at as u64 + 1);
    let mut centre = common::Random(1_000_000 + at as u64 % 40);
    let component = |random: &mut common::Random| (random.below(2001) as f32 - 1000.0) / 1000.0;
    (0..DIM).map(|_| component(&mut centre) + 0.4 * component(&mut random)).collect()
}

fn concept(at: usize) -> Concept {
    let category = if at.is_multiple_of(3) { "third" } else { "other" };
    Concept {
        category: Some(category.to_owned()),
        ..Concept::new(format!("c{at}"), format!("number {at}")).with_vector(vector(at))
    }
}

fn options() -> OpenOptions {
    let config = ConfigRequest { vector_dimension: Some(DIM), ..ConfigRequest::default() };
    OpenOptions { config, background: false, ..OpenOptions::default() }
}

fn filled(path: &Path) -> GraphStore {
    let store = GraphStore::open(path, options()).unwrap();
    store.put_concepts((0..COUNT).map(concept).collect()).unwrap();
    store.compact().unwrap();
    store
}

fn near(store: &GraphStore, query: &[f32], recall: f32, filter: &Filter) -> Vec<ConceptHit> {
    let query = VectorQuery { recall, filter: filter.clone(), ..VectorQuery::new(query, 10) };
    store.snapshot().unwrap().search_near(&query).unwrap().pop().unwrap()
}

/// How much of what an exact search finds an approximate one does.
fn recall(store: &GraphStore, filter: &Filter) -> f64 {
    let (mut found, mut wanted) = (0, 0);
    for at in 0..60 {
        let query = vector(COUNT * 2 + at);
        let best = near(store, &query, 1.0, filter);
        let hits = near(store, &query, 0.95, filter);
        assert_eq!(hits.len(), best.len(), "as many as there are");
        assert!(
            hits.iter().all(|hit| best.contains(hit) || hit.score <= best[best.len() - 1].score)
        );
        found += hits.iter().filter(|hit| best.contains(hit)).count();
        wanted += best.len();
    }
    found as f64 / wanted as f64
}

fn index_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("seg")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_string_lossy().contains(".ann")).collect()
}

#[test]
fn an_index_finds_most_of_what_a_scan_does_through_changes_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    assert_eq!(store.stats().unwrap().indexed_vectors, 0);
    let third = Filter { category: Some("third".to_owned()), ..Filter::default() };
    assert!(recall(&store, &third) > 0.999, "without an index all is scanned");
    let other = GraphStore::open(dir.path(), options()).unwrap();

    assert_eq!(store.index_vectors().unwrap(), 1);
    assert_eq!(store.index_vectors().unwrap(), 0, "there is one");
    let stats = store.stats().unwrap();
    assert_eq!((stats.indexed_vectors, stats.unindexed_vectors), (COUNT as u64, 0));
    let size = std::fs::metadata(&index_files(dir.path())[0]).unwrap().len();
    assert_eq!(stats.vector_index_bytes, size);
    for filter in [Filter::default(), third.clone()] {
        assert!(recall(&store, &filter) > 0.93);
    }
    // A handle that was open before sees it within a second or so.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while other.stats().unwrap().indexed_vectors == 0 {
        assert!(std::time::Instant::now() < deadline, "it never does");
        std::thread::sleep(std::time::Duration::from_millis(100));
        other.snapshot().unwrap();
    }
    drop(other);

    // What is put later is found at once, and what is deleted no more.
    store.put_concepts((COUNT..COUNT + 300).map(concept).collect()).unwrap();
    for at in (0..COUNT).step_by(2) {
        store.delete_concept(&format!("c{at}")).unwrap();
    }
    assert_eq!(
        near(&store, &vector(COUNT + 7), 0.9, &Filter::default())[0].id,
        format!("c{}", COUNT + 7)
    );
    assert!(near(&store, &vector(10), 0.9, &Filter::default()).iter().all(|hit| hit.id != "c10"));
    assert!(recall(&store, &Filter::default()) > 0.93);
    store.close().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    assert!(store.stats().unwrap().indexed_vectors > 0, "it is there at once");
    assert!(recall(&store, &third) > 0.93);
    assert!(store.verify().unwrap().is_sound());

    // The segment goes, and its index with it.
    store.put_concepts((0..COUNT).map(concept).collect()).unwrap();
    store.compact().unwrap();
    assert_eq!(index_files(dir.path()), Vec::<PathBuf>::new());
    assert_eq!(store.index_vectors().unwrap(), 1);
    assert!(recall(&store, &third) > 0.93);
}

/// A store with an index, vectors that are not in it, and dead ones that are.
fn changed(path: &Path) -> GraphStore {
    let store = filled(path);
    store.index_vectors().unwrap();
    store.put_concepts((COUNT..COUNT + 300).map(concept).collect()).unwrap();
    for at in (0..COUNT).step_by(5) {
        store.delete_concept(&format!("c{at}")).unwrap();
    }
    store
}

#[test]
fn who_asks_for_the_indexes_waits_for_another_that_is_building_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    // Another has the lock of those who build, and ends without an index.
    let path = dir.path().join("INDEXING");
    let lock =
        std::fs::File::options().write(true).create(true).truncate(false).open(path).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let build = scope.spawn(|| store.index_vectors().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(!build.is_finished(), "it waits");
        drop(lock);
        assert_eq!(build.join().unwrap(), 1);
    });
    assert_eq!(store.stats().unwrap().indexed_vectors, COUNT as u64);
}

#[test]
fn after_many_deletions_and_insertions_as_much_is_found_as_by_a_fresh_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    store.index_vectors().unwrap();
    // Half of them are deleted, whichever, and others put, as many as half of all.
    let mut random = common::Random(7);
    let (deleted, kept): (Vec<usize>, Vec<usize>) = (0..COUNT).partition(|_| random.below(2) == 0);
    for at in deleted {
        store.delete_concept(&format!("c{at}")).unwrap();
    }
    let put: Vec<usize> = (3 * COUNT..3 * COUNT + COUNT / 2).collect();
    store.put_concepts(put.iter().copied().map(concept).collect()).unwrap();

    let fresh_dir = tempfile::tempdir().unwrap();
    let fresh = GraphStore::open(fresh_dir.path(), options()).unwrap();
    fresh.put_concepts(kept.into_iter().chain(put).map(concept).collect()).unwrap();
    fresh.compact().unwrap();
    fresh.index_vectors().unwrap();

    let queries: Vec<f32> = (0..400).flat_map(|at| vector(COUNT * 2 + at)).collect();
    let third = Filter { category: Some("third".to_owned()), ..Filter::default() };
    let found = |store: &GraphStore, filter: &Filter| {
        let vectors = Some(&queries[..]);
        let filter = filter.clone();
        let audit = AuditQuery { vectors, recall: 0.95, filter, ..AuditQuery::default() };
        store.audit_vectors(&audit).unwrap().recall
    };
    let compare = |when: &str| {
        for filter in [&Filter::default(), &third] {
            let (now, anew) = (found(&store, filter), found(&fresh, filter));
            assert!(now >= anew - 0.005, "{when}: {now} of the best, {anew} by a fresh index");
        }
    };
    compare("as they came");
    store.flush().unwrap();
    store.index_vectors().unwrap();
    compare("flushed");
    let before = store.stats().unwrap();
    store.compact().unwrap();
    store.index_vectors().unwrap();
    compare("compacted");
    let after = store.stats().unwrap();
    assert_eq!((after.indexed_vectors, after.unindexed_vectors), (after.total_vectors, 0));
    assert!(after.segment_bytes < before.segment_bytes, "space is given back");
}

#[test]
fn an_audit_counts_what_searches_find_of_the_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let store = changed(dir.path());
    let queries: Vec<f32> = (0..60).flat_map(|at| vector(COUNT * 2 + at)).collect();
    let third = Filter { category: Some("third".to_owned()), ..Filter::default() };
    for filter in [Filter::default(), third] {
        let given = AuditQuery {
            vectors: Some(&queries),
            recall: 0.95,
            filter: filter.clone(),
            ..AuditQuery::default()
        };
        let audit = store.audit_vectors(&given).unwrap();
        assert!((f64::from(audit.recall) - recall(&store, &filter)).abs() < 1e-6, "{audit:?}");
        assert!(audit.queries == 60 && audit.worst <= audit.recall && audit.error < 0.05);
        let exact = store.audit_vectors(&AuditQuery { recall: 1.0, ..given }).unwrap();
        assert_eq!((exact.recall, exact.error, exact.worst), (1.0, 0.0, 1.0));
    }

    // Of all vectors that are stored, none finds itself.
    let audit = AuditQuery { sample: COUNT, recall: 0.8, ..AuditQuery::default() };
    let snapshot = store.snapshot().unwrap();
    let all = snapshot.audit_vectors(&audit).unwrap();
    let alive = (0..COUNT + 300).filter(|at| *at >= COUNT || at % 5 != 0);
    let (mut found, mut wanted) = (0, 0);
    for at in alive.clone() {
        let query = vector(at);
        let nearest = |recall| {
            let query = VectorQuery { recall, ..VectorQuery::new(&query, 11) };
            let mut hits = snapshot.search_near(&query).unwrap().pop().unwrap();
            hits.retain(|hit| hit.id != format!("c{at}"));
            hits.truncate(10);
            hits
        };
        let (best, hits) = (nearest(1.0), nearest(0.8));
        found += hits.iter().filter(|hit| best.contains(hit)).count();
        wanted += best.len();
    }
    assert_eq!(all.queries, alive.count());
    assert!((f64::from(all.recall) - found as f64 / wanted as f64).abs() < 1e-6, "{all:?}");
    assert!(all.recall < 1.0, "there is something to count: {all:?}");

    let some = |seed| store.audit_vectors(&AuditQuery { sample: 50, seed, ..audit.clone() });
    assert_eq!(some(1).unwrap(), some(1).unwrap());
    assert_eq!(some(1).unwrap().queries, 50);
}

#[test]
fn an_audit_is_of_what_its_handle_sees_and_refuses_what_a_search_does() {
    let dir = tempfile::tempdir().unwrap();
    let store = changed(dir.path());
    let own = store.namespace("own").unwrap();
    let all = AuditQuery { sample: usize::MAX, ..AuditQuery::default() };
    assert_eq!(own.audit_vectors(&all).unwrap().queries, 0, "nothing to sample");
    own.put_concepts((0..30).map(concept).collect()).unwrap();
    let audit = own.audit_vectors(&all).unwrap();
    assert_eq!((audit.queries, audit.recall), (30, 1.0), "of the namespace's alone: {audit:?}");
    let none = Filter { category: Some("no such".to_owned()), ..Filter::default() };
    let audit = store.audit_vectors(&AuditQuery { filter: none, ..all.clone() }).unwrap();
    assert_eq!((audit.queries, audit.recall), (0, 1.0), "nothing to find");

    let memory = GraphStore::in_memory(options().config).unwrap();
    for recall in [0.0, f32::NAN] {
        for vectors in [None, Some(&[][..]), Some(&[1.0; DIM][..])] {
            let query = AuditQuery { recall, vectors, ..AuditQuery::default() };
            let refused = memory.audit_vectors(&query);
            assert!(matches!(refused, Err(Error::InvalidArgument { name: "recall", .. })));
        }
    }
    for vectors in [&[1.0; DIM + 1][..], &[f32::NAN; DIM]] {
        let query = AuditQuery { vectors: Some(vectors), ..AuditQuery::default() };
        assert!(matches!(memory.audit_vectors(&query), Err(Error::InvalidVector { .. })));
    }
    let nothing = AuditQuery { vectors: Some(&[]), ..AuditQuery::default() };
    assert_eq!(memory.audit_vectors(&nothing).unwrap().queries, 0);
}

#[test]
fn stats_tell_what_an_audit_found_of_an_index_when_it_was_fresh() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    assert_eq!(store.stats().unwrap().index_audits, []);
    let audited = || {
        store.index_vectors().unwrap();
        let mut audits = store.stats().unwrap().index_audits;
        assert_eq!(audits.len(), 1);
        audits.pop().unwrap()
    };
    let first = audited();
    let segment = index_files(dir.path())[0].with_extension("seg");
    assert_eq!(Path::new(&first.segment), segment.file_name().unwrap());
    assert_eq!(
        (first.k, first.target, first.all.queries, first.filtered.queries),
        (10, DEFAULT_RECALL, 64, 64)
    );
    for found in [first.all, first.filtered] {
        assert!(found.recall > 0.9 && found.worst <= found.recall && found.error < 0.05);
    }
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() - first.time;
    assert!((0.0..600.0).contains(&since), "{since} s ago");
    assert_eq!(audited(), first, "it is not made again");

    let other = GraphStore::open(dir.path(), options()).unwrap();
    assert_eq!(other.stats().unwrap().indexed_vectors, COUNT as u64);
    assert_eq!(other.stats().unwrap().index_audits, [], "whoever built it knows");
    // The same segment has the same index, of which the same is found.
    std::fs::remove_file(&index_files(dir.path())[0]).unwrap();
    let again = GraphStore::open(dir.path(), options()).unwrap();
    again.index_vectors().unwrap();
    let found = again.stats().unwrap().index_audits.pop().unwrap();
    assert_eq!((found.all, found.filtered), (first.all, first.filtered));

    store.compact().unwrap();
    store.put_concept(concept(COUNT)).unwrap();
    store.compact().unwrap();
    assert_eq!(store.stats().unwrap().index_audits, [], "it goes with its segment");
}

#[test]
fn a_hybrid_search_goes_by_the_index_where_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let store = changed(dir.path());
    let snapshot = store.snapshot().unwrap();
    let text = TextQuery::new("number 77", 5);
    let third = Filter { category: Some("third".to_owned()), ..Filter::default() };
    let (mut found, mut wanted) = (0, 0);
    for at in 0..20 {
        let query = vector(COUNT * 2 + at);
        for filter in [Filter::default(), third.clone()] {
            let fused = |recall| {
                let vector = Some(&query[..]);
                let query = HybridQuery {
                    recall,
                    filter: filter.clone(),
                    ..HybridQuery::new(Some(&text), vector, 10)
                };
                snapshot.search_fused(&query).unwrap()
            };
            let exact = fused(1.0);
            let hybrid = snapshot.search_hybrid(Some(&text), Some(&query), 10, &filter).unwrap();
            assert_eq!(exact, hybrid);
            // Its leg is what a search by vector alone finds.
            let near = VectorQuery {
                recall: 0.8,
                filter: filter.clone(),
                ..VectorQuery::new(&query, 1000)
            };
            let near = snapshot.search_near(&near).unwrap().pop().unwrap();
            for hit in fused(0.8) {
                let at = near.iter().position(|near| near.id == hit.id);
                let leg = hit.vector.map(|leg| (leg.rank as usize - 1, leg.score));
                assert_eq!(leg, at.map(|at| (at, near[at].score)), "{}", hit.id);
            }
            let hits = fused(0.95);
            found += hits.iter().filter(|hit| exact.iter().any(|best| best.id == hit.id)).count();
            wanted += exact.len();
        }
    }
    assert!(found as f64 > 0.9 * wanted as f64, "{found} of {wanted}");
    for (text, vector) in [(Some(&text), None), (None, Some(&[1.0; DIM][..]))] {
        for recall in [0.0, -1.0, f32::NAN] {
            let query = HybridQuery { recall, ..HybridQuery::new(text, vector, 3) };
            let refused = snapshot.search_fused(&query);
            assert!(matches!(refused, Err(Error::InvalidArgument { name: "recall", .. })));
        }
    }
}

#[test]
fn a_backup_has_the_index_and_an_untrusted_store_is_scanned() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(&dir.path().join("store"));
    store.index_vectors().unwrap();
    let copy = dir.path().join("copy");
    store.backup(&copy).unwrap();
    assert_eq!(index_files(&copy).len(), 1);
    let store = GraphStore::open(&copy, options()).unwrap();
    assert_eq!(store.stats().unwrap().indexed_vectors, COUNT as u64);
    drop(store);
    let store = GraphStore::open_untrusted(&copy, options()).unwrap();
    assert_eq!(store.stats().unwrap().indexed_vectors, 0);
    assert!(recall(&store, &Filter::default()) > 0.999);
    let refused = GraphStore::open(&copy, OpenOptions { read_only: true, ..options() }).unwrap();
    assert!(matches!(refused.index_vectors(), Err(Error::ReadOnly { .. })));
}

#[test]
fn a_damaged_index_is_set_aside_found_and_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    store.index_vectors().unwrap();
    drop(store);
    let path = index_files(dir.path()).pop().unwrap();
    let sound = std::fs::read(&path).unwrap();
    let ends = (0..70).chain(sound.len() - 8..sound.len());
    for at in ends.chain((70..sound.len() - 8).step_by(sound.len() / 40)) {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&path, &damaged).unwrap();
        let store = GraphStore::open(dir.path(), options()).unwrap();
        let query = vector(3);
        let hits = near(&store, &query, 0.9, &Filter::default());
        assert_eq!(hits, near(&store, &query, 1.0, &Filter::default()), "scanned, flip at {at}");
        assert_eq!(store.stats().unwrap().set_aside.len(), 1, "flip at {at}");
        let report = store.verify().unwrap();
        let named = |error: &Error| {
            matches!(error, Error::Corrupt { path: found, .. } | Error::Version { path: found, .. }
                if *found == path)
        };
        assert!(report.damage.len() == 1 && named(&report.damage[0]), "flip at {at}: {report:?}");
    }
    for len in [0, 1, 63, 64, 65, sound.len() / 2, sound.len() - 1] {
        std::fs::write(&path, &sound[..len]).unwrap();
        let store = GraphStore::open(dir.path(), options()).unwrap();
        near(&store, &vector(3), 0.9, &Filter::default());
        assert!(!store.verify().unwrap().is_sound(), "cut at {len}");
    }
    let store = GraphStore::open(dir.path(), options()).unwrap();
    near(&store, &vector(3), 0.9, &Filter::default());
    assert_eq!(store.index_vectors().unwrap(), 1);
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(store.stats().unwrap().set_aside, Vec::<String>::new());
    assert!(std::fs::read(&path).unwrap() == sound, "the same as before");
}

/// An index's file that says another version, behind checksums that are right: that of the file at byte 8, or that of
/// the index in it, which begins at byte 64.
fn with_version(sound: &[u8], at: usize, version: u32) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    bytes[at..at + 4].copy_from_slice(&version.to_le_bytes());
    let blocks = (bytes.len() - 64).div_ceil((1 << 20) + 4);
    let end = bytes.len() - 4 * blocks;
    let checksums: Vec<u8> = bytes[64..end]
        .chunks(1 << 20)
        .flat_map(|block| crc32c::crc32c(block).to_le_bytes())
        .collect();
    bytes[end..].copy_from_slice(&checksums);
    bytes[48..52].copy_from_slice(&crc32c::crc32c(&checksums).to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn an_index_of_another_version_is_set_aside_and_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    let store = filled(&root);
    store.index_vectors().unwrap();
    drop(store);
    let path = index_files(&root).pop().unwrap();
    let sound = std::fs::read(&path).unwrap();
    let word = |at: usize| u32::from_le_bytes(sound[at..at + 4].try_into().unwrap());
    assert!(with_version(&sound, 8, word(8)) == sound, "the checksums are those of the file");
    for at in [8, 72] {
        for version in [word(at) - 1, word(at) + 1] {
            let what = format!("version {version} at byte {at}");
            std::fs::write(&path, with_version(&sound, at, version)).unwrap();
            for read_only in [true, false] {
                let options = OpenOptions { read_only, ..options() };
                let store = GraphStore::open(&root, options).unwrap();
                // Known before anything is searched.
                let stats = store.stats().unwrap();
                assert_eq!((stats.indexed_vectors, stats.unindexed_vectors), (0, COUNT as u64));
                assert_eq!(stats.set_aside.len(), 1, "{what}: {:?}", stats.set_aside);
                assert!(stats.set_aside[0].ends_with("vector index"), "{:?}", stats.set_aside);
                let (query, filter) = (vector(3), Filter::default());
                assert_eq!(near(&store, &query, 0.9, &filter), near(&store, &query, 1.0, &filter));
                assert!(store.verify().unwrap().is_sound(), "{what}: it is not damaged");
            }
            let store = GraphStore::open(&root, options()).unwrap();
            let copy = dir.path().join(format!("copy {at} {version}"));
            store.backup(&copy).unwrap();
            assert_eq!(index_files(&copy), Vec::<PathBuf>::new(), "{what}");
            assert_eq!(store.index_vectors().unwrap(), 1, "{what}");
            assert_eq!(store.stats().unwrap().set_aside, Vec::<String>::new(), "{what}");
            assert!(std::fs::read(&path).unwrap() == sound, "{what}: the same as before");
        }
    }
    // The background does so by itself, without a search.
    std::fs::write(&path, with_version(&sound, 72, word(72) - 1)).unwrap();
    let store = GraphStore::open(&root, OpenOptions { background: true, ..options() }).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(2);
    while store.stats().unwrap().indexed_vectors == 0 {
        assert!(std::time::Instant::now() < deadline, "no index is built");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(std::fs::read(&path).unwrap() == sound);
}

#[test]
fn nothing_of_what_is_erased_stays_in_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    store.index_vectors().unwrap();
    // What a build left that a crash cut short.
    let leftover = index_files(dir.path())[0].with_extension("ann.tmp");
    std::fs::write(&leftover, b"codes").unwrap();
    assert!(store.erase("c5").unwrap());
    assert_eq!(index_files(dir.path()), Vec::<PathBuf>::new());
    assert_eq!(store.index_vectors().unwrap(), 1);
    assert!(recall(&store, &Filter::default()) > 0.93);
}

#[test]
fn what_has_no_index_is_scanned_and_a_recall_of_nothing_refused() {
    let memory = GraphStore::in_memory(options().config).unwrap();
    memory.put_concepts((0..COUNT).map(concept).collect()).unwrap();
    assert_eq!(memory.index_vectors().unwrap(), 0);
    assert!(recall(&memory, &Filter::default()) > 0.999);
    for recall in [0.0, -1.0, f32::NAN] {
        let query = vector(0);
        let query = VectorQuery { recall, ..VectorQuery::new(&query, 3) };
        let refused = memory.snapshot().unwrap().search_near(&query);
        assert!(matches!(refused, Err(Error::InvalidArgument { name: "recall", .. })));
    }
    let dir = tempfile::tempdir().unwrap();
    let config = ConfigRequest { metric: Some(Metric::Euclidean), ..options().config };
    let store = GraphStore::open(dir.path(), OpenOptions { config, ..options() }).unwrap();
    store.put_concepts((0..COUNT).map(concept).collect()).unwrap();
    store.flush().unwrap();
    assert_eq!(store.index_vectors().unwrap(), 0);
    assert!(recall(&store, &Filter::default()) > 0.999);
}

#[test]
fn a_background_thread_builds_it_and_closing_waits_for_no_build() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    let open =
        || GraphStore::open(dir.path(), OpenOptions { background: true, ..options() }).unwrap();
    let store = open();
    let wait_for_index = || {
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(2);
        while store.stats().unwrap().indexed_vectors == 0 {
            assert!(std::time::Instant::now() < deadline, "no index is built");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    wait_for_index();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(2);
    while store.stats().unwrap().index_audits.is_empty() {
        assert!(std::time::Instant::now() < deadline, "it is not audited");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Of a segment that a call made, too.
    store.delete_concept("c1").unwrap();
    store.compact().unwrap();
    assert_eq!(store.stats().unwrap().indexed_vectors, 0);
    wait_for_index();
    assert!(recall(&store, &Filter::default()) > 0.93);
    store.close().unwrap();
    std::fs::remove_file(&index_files(dir.path())[0]).unwrap();
    let store = open();
    // About when it begins.
    std::thread::sleep(std::time::Duration::from_millis(1050));
    store.close().unwrap();
}

#[test]
fn a_build_that_power_loss_cuts_short_leaves_a_sound_store() {
    let fs = SimulatedFileSystem::new();
    let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
    let dir = Path::new("store");
    let store = GraphStore::open_with(Arc::clone(&shared), dir, options()).unwrap();
    store.put_concepts((0..4200).map(concept).collect()).unwrap();
    store.flush().unwrap();
    fs.record(fs.operations(), 100);
    assert_eq!(store.index_vectors().unwrap(), 1);
    let mut moments = fs.recorded();
    assert!(moments.len() > 6, "{} operations", moments.len());
    moments.push(fs.moment());
    let query = vector(9);
    let expected = near(&store, &query, 1.0, &Filter::default());
    drop(store);
    for (at, moment) in moments.iter().enumerate() {
        for seed in 0..2 {
            let disk: Arc<dyn FileSystem> = Arc::new(moment.fs.crash(seed));
            let store = GraphStore::open_with(disk, dir, options()).unwrap();
            assert_eq!(near(&store, &query, 1.0, &Filter::default()), expected);
            assert!(near(&store, &query, 0.999, &Filter::default()).contains(&expected[0]));
            assert!(store.verify().unwrap().is_sound(), "lost at {at}, seed {seed}");
            if at % 4 == 0 {
                store.index_vectors().unwrap();
                assert_eq!(store.stats().unwrap().indexed_vectors, 4200);
            }
        }
    }
}

#[test]
fn a_build_that_fails_says_so_and_can_be_tried_again() {
    let fs = SimulatedFileSystem::new();
    let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
    let dir = Path::new("store");
    let store = GraphStore::open_with(shared, dir, options()).unwrap();
    store.put_concepts((0..4200).map(concept).collect()).unwrap();
    store.flush().unwrap();
    let mut failures = 0;
    loop {
        let operation = fs.operations() + failures;
        fs.inject(Fault { operation, kind: FaultKind::NoSpace, for_good: false });
        match store.index_vectors() {
            // Where only its name was not made durable, it is there already.
            Ok(_) => break,
            Err(error) => assert!(matches!(error, Error::Io { .. }), "{error:?}"),
        }
        fs.clear_faults();
        let left = fs.paths().iter().any(|path| path.to_string_lossy().contains(".ann.tmp"));
        assert!(!left || failures > 6, "half an index stays after failure {failures}");
        failures += 1;
        store.put_concept(Concept::new("still", "writable")).unwrap();
    }
    fs.clear_faults();
    assert!(failures > 5, "{failures} operations failed");
    assert_eq!(store.stats().unwrap().indexed_vectors, 4200);
}
