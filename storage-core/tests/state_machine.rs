//! A state machine against plain maps: two handles on a store, or one on a store in memory, write, flush,
//! compact, take snapshots, reopen, read and undo the past, and make backups, in random order; whatever is
//! read is exactly what brute force over the model of that moment gives.
//!
//! Proptest shortens a sequence that fails. `SUTRA_MACHINE_SEED` and `SUTRA_MACHINE_COUNT` choose the
//! sequences, `SUTRA_MACHINE_STEPS` their length.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Model, Random, Step, options, run, variable};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use storage_core::fs::{FileSystem, OsFileSystem, SimulatedFileSystem};
use storage_core::{AsOf, Error, GraphStore, OpenOptions, Retention, Snapshot};

/// Sequences, where the environment names no other count.
const SEQUENCES: u64 = 256;
/// Steps of a sequence on average, where the environment says nothing else.
const STEPS: u64 = 100;
/// The sequences run in so many tests.
const SHARES: u64 = 2;
/// Snapshots that are kept at a time.
const HELD: usize = 4;

/// Where a store lives.
#[derive(Debug)]
enum Medium {
    Memory,
    Simulated(SimulatedFileSystem),
    /// With what compacts in the background.
    Disk(tempfile::TempDir),
}

impl Medium {
    fn random(random: &mut Random) -> Self {
        match random.below(8) {
            0 => Self::Memory,
            1 => Self::Disk(tempfile::tempdir().unwrap()),
            _ => Self::Simulated(SimulatedFileSystem::new()),
        }
    }

    fn root(&self) -> PathBuf {
        match self {
            Self::Disk(folder) => folder.path().to_owned(),
            _ => PathBuf::new(),
        }
    }

    fn open(&self, name: &Path, options: &OpenOptions) -> GraphStore {
        let fs: Arc<dyn FileSystem> = match self {
            Self::Memory => return GraphStore::in_memory_with(options.clone()).unwrap(),
            Self::Simulated(fs) => Arc::new(fs.clone()),
            Self::Disk(_) => Arc::new(OsFileSystem),
        };
        GraphStore::open_with(fs, &self.root().join(name), options.clone()).unwrap()
    }
}

/// A store under test, and what it has to hold.
struct Machine {
    medium: Medium,
    options: OpenOptions,
    handles: Vec<GraphStore>,
    /// Handles that stay open to the end, as those of a process that hangs.
    left: Vec<GraphStore>,
    /// What the store held after each transaction.
    states: Vec<Model>,
    held: Vec<(Snapshot, Model)>,
    backups: u64,
}

impl Machine {
    fn new(random: &mut Random) -> Self {
        let medium = Medium::random(random);
        let options = OpenOptions {
            retention: (random.below(2) == 0).then_some(Retention::Forever),
            background: matches!(medium, Medium::Disk(_)),
            flush_bytes: 4096,
            ..options()
        };
        let mut handles = vec![medium.open(Path::new("store"), &options)];
        if !matches!(medium, Medium::Memory) {
            handles.push(medium.open(Path::new("store"), &options));
        }
        let states = vec![Model::default()];
        Self { medium, options, handles, left: Vec::new(), states, held: Vec::new(), backups: 0 }
    }

    fn newest(&self) -> &Model {
        self.states.last().expect("there is a state before the first transaction")
    }

    fn epoch(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    /// One step, which its number says all of, whatever was before.
    fn step(&mut self, number: u64) {
        let mut random = Random(number);
        let store = random.below(self.handles.len() as u64) as usize;
        match random.below(20) {
            0 => self.hold(store),
            1 => self.check_held(&mut random),
            2 => self.reopen(store, &mut random),
            3 => self.check_past(store, &mut random),
            4 => self.back_up(store),
            5 => self.undo(store),
            6 => self.check(store),
            _ => self.write(store, &Step::random(&mut random)),
        }
    }

    fn write(&mut self, store: usize, step: &Step) {
        let store = &self.handles[store];
        let mut next = self.newest().clone();
        let accepted = next.apply(step);
        let outcome = run(store, step);
        assert_eq!(outcome.is_ok(), accepted, "{step:?}: {outcome:?}");
        let epoch = store.snapshot().unwrap().epoch();
        if epoch == self.epoch() + 1 {
            assert!(accepted, "{step:?} was refused, and changed something");
            self.states.push(next);
        }
        assert_eq!(epoch, self.epoch(), "{step:?}");
    }

    fn check(&self, store: usize) {
        self.newest().check(&self.handles[store]);
        assert!(self.handles[store].verify().unwrap().is_sound());
    }

    /// Takes a snapshot, to be looked at again when much has changed.
    fn hold(&mut self, store: usize) {
        if self.held.len() < HELD {
            let snapshot = self.handles[store].snapshot().unwrap();
            assert_eq!(snapshot.epoch(), self.epoch());
            self.held.push((snapshot, self.newest().clone()));
        }
    }

    fn check_held(&mut self, random: &mut Random) {
        if !self.held.is_empty() {
            let at = random.below(self.held.len() as u64) as usize;
            let (snapshot, model) = self.held.swap_remove(at);
            model.check_snapshot(&snapshot);
        }
    }

    /// Closes a handle, or leaves it, and opens another.
    fn reopen(&mut self, store: usize, random: &mut Random) {
        if matches!(self.medium, Medium::Memory) {
            return;
        }
        let closed = self.handles.remove(store);
        match random.below(4) {
            0 => drop(closed),
            1 => self.left.push(closed),
            _ => closed.close().unwrap(),
        }
        self.handles.push(self.medium.open(Path::new("store"), &self.options));
        self.check(self.handles.len() - 1);
    }

    fn check_past(&self, store: usize, random: &mut Random) {
        let epoch = random.below(self.epoch() + 1);
        match self.handles[store].snapshot_as_of(AsOf::Epoch(epoch)) {
            Ok(past) => self.states[epoch as usize].check_snapshot(&past),
            Err(Error::BeyondRetention { .. }) if self.options.retention.is_none() => {}
            Err(error) => panic!("as of {epoch}: {error}"),
        }
    }

    fn back_up(&mut self, store: usize) {
        if matches!(self.medium, Medium::Memory) {
            return;
        }
        self.backups += 1;
        let name = PathBuf::from(format!("backup {}", self.backups));
        let epoch = self.handles[store].backup(self.medium.root().join(&name)).unwrap();
        assert_eq!(epoch, self.epoch());
        let backup = self.medium.open(&name, &OpenOptions { background: false, ..options() });
        self.newest().check(&backup);
        assert!(backup.verify().unwrap().is_sound());
    }

    fn undo(&mut self, store: usize) {
        let epoch = self.epoch();
        match self.handles[store].undo(Some(epoch)) {
            Ok(undone) => {
                let before = self.states[epoch.saturating_sub(1) as usize].clone();
                if undone > epoch {
                    assert_eq!(undone, epoch + 1);
                    self.states.push(before);
                } else {
                    assert_eq!(&before, self.newest(), "a transaction that changed nothing");
                }
                self.check(store);
            }
            Err(Error::BeyondRetention { .. }) if self.options.retention.is_none() => {}
            Err(error) => panic!("undoing {epoch}: {error}"),
        }
    }

    /// Looks at everything once more.
    fn end(mut self) {
        for store in 0..self.handles.len() {
            self.check(store);
        }
        self.handles.clear();
        for (snapshot, model) in &self.held {
            model.check_snapshot(snapshot);
        }
        if !matches!(self.medium, Medium::Memory) {
            self.newest().check(&self.medium.open(Path::new("store"), &self.options));
        }
    }
}

/// Runs a share of the sequences; one that fails is shortened, and told with its seed.
fn run_share(share: u64) {
    let first = variable("SUTRA_MACHINE_SEED").unwrap_or(1);
    let count = variable("SUTRA_MACHINE_COUNT").unwrap_or(SEQUENCES);
    let steps = variable("SUTRA_MACHINE_STEPS").unwrap_or(STEPS) as usize;
    let mut sequences = 0;
    for seed in (first..first + count).filter(|seed| seed % SHARES == share) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = ProptestConfig {
            cases: 1,
            failure_persistence: None,
            max_shrink_iters: 5000,
            ..Default::default()
        };
        let sequence = (any::<u64>(), vec(any::<u64>(), 0..=2 * steps));
        let outcome = TestRunner::new_with_rng(config, rng).run(&sequence, |(start, steps)| {
            let mut machine = Machine::new(&mut Random(start));
            for number in steps {
                machine.step(number);
            }
            machine.end();
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("replay with: cargo xtask crash --only state-machine --seed {seed}\n{error}");
        }
        sequences += 1;
    }
    eprintln!("result: share {share}: {sequences} sequences of {steps} steps");
}

#[test]
fn every_read_is_what_the_model_says_0() {
    run_share(0);
}

#[test]
fn every_read_is_what_the_model_says_1() {
    run_share(1);
}
