//! Every interleaving of a few threads at a store, by loom: `cargo xtask loom`.
//!
//! Invariant of all: a reader sees the state after some transaction, whole, and never an older one than it, or
//! the thread that told it, saw before; what nobody reads any more is given back.

use std::path::Path;
use std::sync::Arc;

use loom::thread;

use super::GraphStore;
use crate::fs::{FileSystem, SimulatedFileSystem};
use crate::options::{Durability, OpenOptions, StoreConfig};
use crate::sync::{AtomicU64, Ordering, spawn};
use crate::{Concept, Direction, Snapshot};

/// Preemptions of one execution: with three, all but contrived faults are known to show.
const PREEMPTIONS: usize = 3;
/// Operations on what threads share, of one execution.
const BRANCHES: usize = 100_000;

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.max_branches = BRANCHES;
    let model = Arc::new(model);
    builder.check(move || {
        // The checker's own thread has too small a stack for a store.
        let model = Arc::clone(&model);
        spawn("model", move || model()).expect("a model has threads").join().expect("it holds");
    });
}

fn options() -> OpenOptions {
    let config = StoreConfig { vector_dimension: 2, ..StoreConfig::default() };
    OpenOptions {
        config: config.into(),
        background: false,
        durability: Durability::Buffered,
        ..OpenOptions::default()
    }
}

fn open(fs: &SimulatedFileSystem) -> GraphStore {
    GraphStore::open_with(Arc::new(fs.clone()), Path::new("store"), options()).expect("it opens")
}

fn concept(at: u64) -> Concept {
    Concept::new(at.to_string(), "river").with_vector(vec![1.0, at as f32])
}

/// Each transaction puts one concept: all indexes have to tell of as many as the epoch says.
fn check_whole(snapshot: &Snapshot) {
    let epoch = snapshot.epoch();
    assert_eq!(snapshot.concept_count(), epoch);
    assert_eq!(snapshot.vector_count(), epoch);
    assert_eq!(snapshot.search_text("river", 9).expect("words").len() as u64, epoch);
    for at in 1..=epoch {
        assert!(snapshot.contains(&at.to_string()).expect("ids"), "{at} of {epoch}");
    }
}

/// Reads twice, the second time no older state than the first, or than was acknowledged before.
fn read_twice(store: &GraphStore, acknowledged: &AtomicU64) {
    let mut newest = 0;
    for _ in 0..2 {
        let least = acknowledged.load(Ordering::Acquire).max(newest);
        let snapshot = store.snapshot().expect("it is open");
        newest = snapshot.epoch();
        assert!(newest >= least, "read {newest} after {least}");
        check_whole(&snapshot);
    }
}

/// A thread that puts concepts, and another that reads through another handle or the same.
fn publish(writing: Arc<GraphStore>, reading: Arc<GraphStore>) {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writer = {
        let acknowledged = Arc::clone(&acknowledged);
        spawn("writer", move || {
            for at in 1..=2 {
                let epoch = writing.put_concept(concept(at)).expect("it is put");
                assert_eq!(epoch, at);
                acknowledged.store(epoch, Ordering::Release);
            }
        })
    };
    read_twice(&reading, &acknowledged);
    writer.expect("a model has threads").join().expect("it only puts");
    let snapshot = reading.snapshot().expect("it is open");
    assert_eq!(snapshot.epoch(), 2);
    check_whole(&snapshot);
}

#[test]
fn readers_of_a_store_in_memory_see_whole_transactions() {
    check(|| {
        let store = Arc::new(GraphStore::in_memory_with(options()).expect("it is made"));
        publish(Arc::clone(&store), store);
    });
}

#[test]
fn readers_of_a_handle_see_whole_transactions() {
    check(|| {
        let store = Arc::new(open(&SimulatedFileSystem::new()));
        publish(Arc::clone(&store), store);
    });
}

#[test]
fn readers_of_another_handle_see_whole_transactions() {
    check(|| {
        let fs = SimulatedFileSystem::new();
        publish(Arc::new(open(&fs)), Arc::new(open(&fs)));
    });
}

/// The segments' files.
fn segments(fs: &SimulatedFileSystem) -> usize {
    let names = fs.list(Path::new("store/seg")).expect("it is there");
    names.iter().filter(|name| name.ends_with(".seg")).count()
}

#[test]
fn segments_that_a_compaction_replaces_stay_for_their_readers_and_then_go() {
    check(|| {
        let fs = SimulatedFileSystem::new();
        let store = Arc::new(open(&fs));
        for at in 1..=2 {
            store.put_concept(concept(at)).expect("it is put");
            store.flush().expect("it is flushed");
        }
        let compacting = Arc::clone(&store);
        let compaction = spawn("compaction", move || compacting.compact().expect("it compacts"));
        let snapshot = store.snapshot().expect("it is open");
        thread::yield_now();
        check_whole(&snapshot);
        drop(snapshot);
        let snapshot = store.snapshot().expect("it is open");
        compaction.expect("a model has threads").join().expect("it compacts");
        // Whichever files it reads, they are gone or not; its memory is there.
        check_whole(&snapshot);
        assert_eq!(snapshot.neighbors("1", Direction::Out).expect("edges").len(), 0);
        drop(snapshot);

        let disk = store.shared.disk.as_ref().expect("it has files");
        assert_eq!(segments(&fs), 1, "what was replaced has no file");
        assert_eq!(disk.open_segments(), 1, "what was replaced takes no memory");
    });
}

#[test]
fn writers_of_two_handles_each_see_what_the_other_committed() {
    check(|| {
        let fs = SimulatedFileSystem::new();
        let (first, second) = (open(&fs), open(&fs));
        let other = spawn("other", move || {
            let epoch = first.put_concept(concept(1)).expect("it is put");
            assert!(first.snapshot().expect("it is open").epoch() >= epoch);
        });
        let epoch = second.put_concept(concept(2)).expect("it is put");
        let snapshot = second.snapshot().expect("it is open");
        assert!(snapshot.epoch() >= epoch);
        assert_eq!(snapshot.concept_count(), snapshot.epoch());
        other.expect("a model has threads").join().expect("it only puts");
        check_whole(&second.snapshot().expect("it is open"));
    });
}
