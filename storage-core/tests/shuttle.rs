//! Threads of a store in random interleavings, at every lock, atomic and file operation of it: shuttle runs the
//! store's own code, with its background threads, on a simulated file system. `cargo xtask crash --only
//! shuttle`.
//!
//! Invariant of all: what is read is the state after some transaction, whole, by all indexes, and never older
//! than what was acknowledged or read before; what is acknowledged as durable survives power loss at any
//! moment; nobody waits for ever.
//! `SUTRA_SHUTTLE_SEED` and `SUTRA_SHUTTLE_COUNT` choose the rounds, of [`SCHEDULES`] each.

#![cfg(modelled)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Random, accepted_steps, options, run, variable};
use shuttle::rand::RngCore as _;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::{Config, MaxSteps, Runner, thread};
use storage_core::fs::SimulatedFileSystem;
use storage_core::{Concept, Durability, GraphStore, OpenOptions};

/// Rounds, where the environment names no other count.
const ROUNDS: u64 = 8;
/// Schedules of a round.
const SCHEDULES: usize = 10;
/// Of the rounds that rank threads: so often the ranks change (Burckhardt et al., "A randomized scheduler with
/// probabilistic guarantees of finding bugs", ASPLOS 2010).
const RANK_CHANGES: usize = 3;

const STEPS: usize = 12;
const READS: usize = 5;
const COMPACTIONS: usize = 3;
const COMMITS: u64 = 4;

/// Runs a test in many schedules: of every other round at random, of the others by threads' ranks.
fn check(name: &str, test: fn()) {
    let first = variable("SUTRA_SHUTTLE_SEED").unwrap_or(1);
    let count = variable("SUTRA_SHUTTLE_COUNT").unwrap_or(ROUNDS);
    for seed in first..first + count {
        let mut config = Config::new();
        config.stack_size = 1 << 20;
        config.max_steps = MaxSteps::FailAfter(20_000_000);
        let round = || match seed % 2 {
            0 => {
                let scheduler = PctScheduler::new_from_seed(seed, RANK_CHANGES, SCHEDULES);
                Runner::new(scheduler, config).run(test)
            }
            _ => Runner::new(RandomScheduler::new_from_seed(seed, SCHEDULES), config).run(test),
        };
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(round)) {
            eprintln!("replay with: cargo xtask crash --only shuttle --seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
    eprintln!("result: {name}: {} schedules", count * SCHEDULES as u64);
}

fn random() -> Random {
    Random(shuttle::rand::thread_rng().next_u64())
}

/// Options of a store whose threads flush and compact all the time.
fn busy(random: &mut Random) -> OpenOptions {
    OpenOptions {
        background: random.below(2) == 0,
        flush_bytes: 2048,
        durability: match random.below(3) {
            0 => Durability::Sync,
            1 => Durability::Interval(Duration::from_millis(20)),
            _ => Durability::Buffered,
        },
        // The clock goes on while others have their turns.
        timeout: Duration::from_secs(1 << 30),
        ..options()
    }
}

fn open(fs: &SimulatedFileSystem, options: &OpenOptions) -> GraphStore {
    GraphStore::open_with(Arc::new(fs.clone()), Path::new("store"), options.clone())
        .unwrap_or_else(|error| panic!("opening: {error}"))
}

/// A writer, two readers and one who compacts: threads of one handle, or of two.
fn a_writer_two_readers_and_a_compaction() {
    let mut random = random();
    let (steps, states) = accepted_steps(&mut random, STEPS);
    let states = Arc::new(states);
    let fs = SimulatedFileSystem::new();
    let store = Arc::new(open(&fs, &busy(&mut random)));
    let other = match random.below(2) {
        0 => Arc::clone(&store),
        _ => Arc::new(open(&fs, &busy(&mut random))),
    };
    let acknowledged = Arc::new(AtomicU64::new(0));

    let mut threads = Vec::new();
    {
        let (store, states) = (Arc::clone(&store), Arc::clone(&states));
        let acknowledged = Arc::clone(&acknowledged);
        threads.push(thread::spawn(move || {
            let mut epoch = 0;
            for step in &steps {
                run(&store, step).unwrap_or_else(|error| panic!("{step:?}: {error}"));
                epoch = store.snapshot().unwrap().epoch().max(epoch);
                acknowledged.store(epoch, Ordering::SeqCst);
            }
            assert_eq!(epoch as usize + 1, states.len(), "each transaction has a number");
        }));
    }
    for reader in [&store, &other] {
        let (reader, states) = (Arc::clone(reader), Arc::clone(&states));
        let acknowledged = Arc::clone(&acknowledged);
        let fs = fs.clone();
        threads.push(thread::spawn(move || {
            let mut newest = 0;
            for _ in 0..READS {
                let least = acknowledged.load(Ordering::SeqCst).max(newest);
                let snapshot = reader.snapshot().unwrap();
                newest = snapshot.epoch();
                assert!(newest >= least, "read {newest} after {least} was acknowledged or read");
                states[newest as usize].check_snapshot(&snapshot);
                // What one process reads is in the log for all others to find, whatever their memory.
                let other = open(&fs, &OpenOptions { read_only: true, ..options() });
                let found = other.snapshot().unwrap();
                assert!(found.epoch() >= newest, "{newest} was read, {} is there", found.epoch());
                states[found.epoch() as usize].check_snapshot(&found);
            }
        }));
    }
    {
        let other = Arc::clone(&other);
        threads.push(thread::spawn(move || {
            for at in 0..COMPACTIONS {
                let outcome = if at % 2 == 0 { other.flush() } else { other.compact() };
                outcome.unwrap_or_else(|error| panic!("compaction: {error}"));
            }
        }));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    other.close().unwrap();
    store.close().unwrap();
    let store = open(&fs, &options());
    states.last().unwrap().check(&store);
    assert!(store.verify().unwrap().is_sound());
}

/// Three threads commit durably, of one handle or two; the power fails at a moment that no one foresees.
fn a_group_of_writers_and_a_power_failure() {
    const WRITERS: usize = 3;
    let mut random = random();
    let fs = SimulatedFileSystem::new();
    let first = Arc::new(open(&fs, &busy(&mut random)));
    let second = match random.below(2) {
        0 => Arc::clone(&first),
        _ => Arc::new(open(&fs, &busy(&mut random))),
    };
    let acknowledged = Arc::new([const { AtomicU64::new(0) }; WRITERS]);
    let mut threads = Vec::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(if writer == 0 { &second } else { &first });
        let acknowledged = Arc::clone(&acknowledged);
        threads.push(thread::spawn(move || {
            for at in 0..COMMITS {
                let concept = Concept::new(format!("{writer} {at}"), "river");
                if writer == 2 {
                    let mut transaction = store.transaction().unwrap();
                    transaction.put_concept(concept).unwrap();
                    transaction.commit_async().unwrap().wait().unwrap();
                } else {
                    store.put_concepts(vec![concept]).unwrap();
                }
                acknowledged[writer].store(at + 1, Ordering::SeqCst);
            }
        }));
    }
    let failing = {
        let (fs, acknowledged) = (fs.clone(), Arc::clone(&acknowledged));
        let (pauses, seed) = (random.below(200), random.next());
        thread::spawn(move || {
            for _ in 0..pauses {
                thread::yield_now();
            }
            let least: Vec<u64> =
                acknowledged.iter().map(|count| count.load(Ordering::SeqCst)).collect();
            (least, fs.crash(seed))
        })
    };
    for thread in threads {
        thread.join().unwrap();
    }
    let (least, crashed) = failing.join().unwrap();
    let all = vec![COMMITS; WRITERS];
    first.close().unwrap();
    second.close().unwrap();
    for (least, fs) in [(&least, &crashed), (&all, &fs), (&all, &fs.crash(random.next()))] {
        let store = open(fs, &options());
        let snapshot = store.snapshot().unwrap();
        let mut found = 0;
        for (writer, least) in least.iter().enumerate() {
            let is_there = |at: &u64| snapshot.contains(&format!("{writer} {at}")).unwrap();
            let count = (0..COMMITS).filter(is_there).count() as u64;
            assert!((0..count).all(|at| is_there(&at)), "{writer}: a later one, not an earlier");
            assert!(count >= *least, "{writer}: {count} of {least} that were acknowledged");
            found += count;
        }
        assert_eq!(snapshot.epoch(), found, "each transaction puts one");
        assert_eq!(snapshot.search_text("river", 100).unwrap().len() as u64, found);
    }
}

#[test]
fn writer_readers_and_compaction() {
    check("writer_readers_and_compaction", a_writer_two_readers_and_a_compaction);
}

#[test]
fn writers_and_power_failure() {
    check("writers_and_power_failure", a_group_of_writers_and_a_power_failure);
}
