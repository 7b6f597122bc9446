//! Commits acknowledged later: visible at once, durable once the ticket says so, whatever order they are
//! waited for in.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Random, options};
use storage_core::fs::{FileSystem, Outcome, SimulatedFileSystem};
use storage_core::{Concept, Durability, Error, GraphStore, OpenOptions, Ticket};

fn put(store: &GraphStore, at: u64) -> Ticket {
    let mut transaction = store.transaction().unwrap();
    transaction.put_concept(Concept::new(format!("c{at}"), "river")).unwrap();
    transaction.commit_async().unwrap()
}

fn open(fs: &SimulatedFileSystem, options: OpenOptions) -> GraphStore {
    let shared: Arc<dyn FileSystem> = Arc::new(fs.clone());
    GraphStore::open_with(shared, Path::new("store"), options).unwrap()
}

#[test]
fn what_a_ticket_was_waited_for_survives_power_loss_and_so_does_all_before() {
    for seed in 0..20 {
        let (fs, mut random) = (SimulatedFileSystem::new(), Random(seed));
        let store = open(&fs, options());
        let tickets: Vec<Ticket> = (0..10).map(|at| put(&store, at)).collect();
        assert_eq!(store.snapshot().unwrap().concept_count(), 10, "visible at once");
        assert!(tickets.iter().all(|ticket| !ticket.is_durable()));
        let at = random.below(10) as usize;
        let epoch = tickets[at].wait().unwrap();
        assert_eq!(epoch, tickets[at].epoch());
        assert!(tickets[..=at].iter().all(Ticket::is_durable));
        let crashed = open(&fs.crash(seed), options());
        let count = crashed.snapshot().unwrap().concept_count();
        assert!(count > at as u64, "{count} of at least {}", at + 1);
        let expected: Vec<String> = (0..count).map(|at| format!("c{at}")).collect();
        assert_eq!(crashed.snapshot().unwrap().concept_ids(None, 100).unwrap(), expected);
    }
}

#[test]
fn an_interval_is_kept_without_a_background_that_would_sync() {
    let fs = SimulatedFileSystem::new();
    let durability = Durability::Interval(Duration::from_hours(1));
    let store = open(&fs, OpenOptions { durability, ..options() });
    store.put_concept(Concept::new("c", "river")).unwrap();
    let crashed = open(&fs.crash_with(Outcome::Dropped, &[], 0), options());
    assert_eq!(crashed.snapshot().unwrap().concept_count(), 1);
}

#[test]
fn tickets_can_be_waited_for_in_any_order_by_any_thread_and_after_closing() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    let tickets: Vec<Ticket> = (0..40).map(|at| put(&store, at)).collect();
    std::thread::scope(|scope| {
        for ticket in tickets.iter().rev() {
            scope.spawn(|| ticket.wait().unwrap());
        }
    });
    let last = put(&store, 99);
    // A flush begins another log; the ticket is of the one before.
    store.flush().unwrap();
    assert_eq!(last.wait().unwrap(), last.epoch());
    let last = put(&store, 100);
    store.close().unwrap();
    drop(store);
    assert!(last.is_durable());
    assert_eq!(last.wait().unwrap(), last.epoch());
    let store = GraphStore::open(dir.path(), options()).unwrap();
    assert_eq!(store.snapshot().unwrap().concept_count(), 42);
}

#[test]
fn the_background_makes_them_durable_without_anyone_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let background = OpenOptions { background: true, ..options() };
    let store = GraphStore::open(dir.path(), background).unwrap();
    let ticket = put(&store, 0);
    let durable = (0..3000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        ticket.is_durable()
    });
    assert!(durable);
}

#[test]
fn a_store_in_memory_gives_tickets_that_wait_for_nothing() {
    let store = GraphStore::in_memory(options().config).unwrap();
    let ticket = put(&store, 0);
    assert!(ticket.is_durable());
    assert_eq!(ticket.wait().unwrap(), 1);
}

#[test]
fn a_conflict_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    let mut transaction = store.transaction().unwrap();
    assert!(!transaction.contains("a").unwrap());
    store.put_concept(Concept::new("a", "")).unwrap();
    transaction.put_concept(Concept::new("b", "")).unwrap();
    assert!(matches!(transaction.commit_async(), Err(Error::Conflict { .. })));
    assert!(!store.contains("b").unwrap());
}
