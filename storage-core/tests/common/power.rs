//! A store on a simulated machine whose power fails, and the oracle: a store that opens again holds
//! what it held after one of the transactions between the last that was acknowledged as durable and the
//! last that was submitted, and all four indexes say so.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use storage_core::fs::{FileSystem, SimulatedFileSystem};
use storage_core::{Durability, GraphStore, OpenOptions};

use super::{Model, Random, Step, options, run, wide};

/// One seed of so many is of the workloads of `wide`, which take ten times as long. Prime to the shares.
const WIDE: u64 = 15;
/// How many ways the power fails at one moment.
const IMAGES: u64 = 8;

/// The machine: sound, or one that misbehaves, to see whether the oracle notices.
pub(crate) trait Machine {
    /// The file system as a program sees it.
    fn boot(&self, disk: &SimulatedFileSystem) -> Arc<dyn FileSystem> {
        Arc::new(disk.clone())
    }

    /// What else happens to the disk while the power is off.
    fn while_off(&self, _disk: &SimulatedFileSystem) {}
}

/// A machine that does as it says.
#[derive(Debug)]
pub(crate) struct Sound;

impl Machine for Sound {}

pub(crate) fn open(
    machine: &dyn Machine,
    disk: &SimulatedFileSystem,
    options: &OpenOptions,
) -> storage_core::Result<GraphStore> {
    GraphStore::open_with(machine.boot(disk), Path::new("store"), options.clone())
}

/// Whether a step is durable on return, whatever the store's own durability.
pub(crate) fn is_always_durable(step: &Step) -> bool {
    !matches!(step, Step::Patch(..) | Step::Delete(_) | Step::Dissociate(..) | Step::Access(_))
}

/// Whether a step that was taken is durable on return.
fn is_durable(step: &Step, options: &OpenOptions) -> bool {
    options.durability == Durability::Sync || is_always_durable(step)
}

/// The states of a store after each transaction, and when each was submitted and acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    states: Vec<Model>,
    /// By state: the file system's operation that came first in writing it.
    submitted: Vec<u64>,
    /// A state, and the operation before which it was acknowledged as durable; both ascending.
    durable: Vec<(usize, u64)>,
}

impl Journal {
    /// A store that is known to hold this, and to have it durable.
    pub(crate) fn starting_with(state: Model) -> Self {
        Self { states: vec![state], submitted: vec![0], durable: vec![(0, 0)] }
    }

    pub(crate) fn newest(&self) -> &Model {
        self.states.last().expect("there is always a first state")
    }

    pub(crate) fn state(&self, at: usize) -> &Model {
        &self.states[at]
    }

    /// Runs a step on a store and checks that it is taken or refused as it must be.
    pub(crate) fn run(
        &mut self,
        store: &GraphStore,
        step: &Step,
        disk: &SimulatedFileSystem,
        options: &OpenOptions,
    ) {
        let mut next = self.newest().clone();
        let accepted = next.apply(step);
        let first = disk.operations();
        let outcome = run(store, step);
        assert_eq!(outcome.is_ok(), accepted, "{step:?}: {outcome:?}");
        if accepted {
            self.states.push(next);
            self.submitted.push(first);
            if is_durable(step, options) {
                self.note_durable(disk);
            }
        }
    }

    /// Notes that the newest state has just been acknowledged as durable.
    pub(crate) fn note_durable(&mut self, disk: &SimulatedFileSystem) {
        self.durable.push((self.states.len() - 1, disk.operations()));
    }

    /// The states that power loss right before an operation may leave.
    pub(crate) fn window(&self, operation: u64) -> Range<usize> {
        let durable =
            self.durable.iter().rev().find(|(_, acknowledged)| *acknowledged <= operation);
        let (first, _) = durable.expect("the first state is durable from the start");
        let end = self.submitted.iter().rposition(|&first| first < operation);
        // A step that had nothing to do may be acknowledged before its first operation.
        *first..end.map_or(1, |end| end.max(*first) + 1)
    }

    /// Opens what power loss left, and returns the store and the state that it is in.
    pub(crate) fn reopen(
        &self,
        machine: &dyn Machine,
        image: &SimulatedFileSystem,
        options: &OpenOptions,
        window: &Range<usize>,
        context: &dyn Fn() -> String,
    ) -> (GraphStore, usize) {
        let store = open(machine, image, options)
            .unwrap_or_else(|error| panic!("{}: does not open: {error}", context()));
        let found = Model::read(&store)
            .unwrap_or_else(|error| panic!("{}: does not read: {error}", context()));
        let at = window.clone().rev().find(|&at| self.states[at] == found).unwrap_or_else(|| {
            let elsewhere = self.states.iter().position(|state| *state == found);
            panic!("{}: in none of the states {window:?}, but {elsewhere:?}", context())
        });
        found.check(&store);
        (store, at)
    }
}

/// One random workload of 50 to 300 steps with several losses of power, each in 8 ways, at any
/// operation: of opening and recovery, too. Returns how many disks were opened and compared.
pub(crate) fn one_seed(seed: u64, machine: &dyn Machine) -> u64 {
    let mut random = Random(seed);
    let mut options = options();
    options.flush_bytes = 1 << (10 + random.below(6));
    options.durability = if random.below(4) == 0 { Durability::Sync } else { Durability::Buffered };
    options.exclusive = random.below(4) == 0;
    let mut steps = 50 + random.below(251);
    let mut disk = SimulatedFileSystem::new();
    let mut journal = Journal::starting_with(Model::default());
    let mut window = 0..1;
    let (mut life, mut opened) = (0, 0);
    while steps > 0 {
        life += 1;
        opened += 1;
        // After so many steps the power fails within a few operations; after none, in opening.
        let mut left = random.below(120).min(steps);
        let fail_soon = |disk: &SimulatedFileSystem, random: &mut Random| {
            let at = disk.operations() + random.below(60);
            disk.record(at, 1);
        };
        if left == 0 {
            fail_soon(&disk, &mut random);
        }
        let context = || format!("seed {seed}, life {life}");
        let (store, at) = journal.reopen(machine, &disk, &options, &window, &context);
        journal = Journal::starting_with(journal.states.swap_remove(at));
        let moment = loop {
            if let Some(moment) = disk.recorded().pop() {
                break moment;
            }
            if steps == 0 {
                break disk.moment();
            }
            steps -= 1;
            if left > 0 {
                left -= 1;
                if left == 0 {
                    fail_soon(&disk, &mut random);
                }
            }
            let step = Step::random(&mut random);
            journal.run(&store, &step, &disk, &options);
            if random.below(16) == 0 {
                let live = Model::read(&store).expect("a living store reads");
                assert_eq!(&live, journal.newest(), "seed {seed}, life {life}, after {step:?}");
            }
        };
        // The old handle goes on in a world that is no more; what it saves there counts for nothing.
        drop(store);
        window = journal.window(moment.operation);
        for image_number in 0..IMAGES {
            let fate = random.next();
            let image = moment.fs.crash(fate);
            machine.while_off(&image);
            let context = || {
                let operation = moment.operation;
                format!("seed {seed}, life {life}, operation {operation}, image {image_number}")
            };
            if image_number == 0 {
                // The machine goes on from here; it is checked as it boots.
                disk = moment.fs.crash(fate);
                machine.while_off(&disk);
                continue;
            }
            // A second loss of power, during the recovery or right after it.
            let second = image_number % 2 == 1;
            if second {
                let at = random.below(40);
                image.record(at, 1);
            }
            opened += 1 + u64::from(second);
            let (reopened, at) = journal.reopen(machine, &image, &options, &window, &context);
            if second {
                let moment = image.recorded().pop().unwrap_or_else(|| image.moment());
                let again = moment.fs.crash(random.next());
                machine.while_off(&again);
                let context = || format!("{}, then at {}", context(), moment.operation);
                // What the first opening showed was on the medium: it can't go.
                let window = at..at + 1;
                journal.reopen(machine, &again, &options, &window, &context);
            }
            drop(reopened);
        }
    }
    opened
}

/// Runs the seeds of one of several shares, and says how to replay one that fails.
pub(crate) fn run_share(share: u64, shares: u64, default_count: u64) {
    let first = super::variable("SUTRA_CRASH_SEED").unwrap_or(1);
    let count = super::variable("SUTRA_CRASH_COUNT").unwrap_or(default_count);
    let (mut seeds, mut opened) = (0, 0);
    for seed in (first..first + count).filter(|seed| seed % shares == share) {
        let run = || {
            if seed.is_multiple_of(WIDE) { wide::one_seed(seed) } else { one_seed(seed, &Sound) }
        };
        match std::panic::catch_unwind(run) {
            Ok(disks) => opened += disks,
            Err(panic) => {
                eprintln!("replay with: cargo xtask crash --only power-loss --seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
        seeds += 1;
    }
    eprintln!("result: share {share}: {seeds} seeds, {opened} disks opened after power loss");
}
