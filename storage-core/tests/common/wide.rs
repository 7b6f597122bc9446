//! Power loss of a store that is used in all its breadth: two handles that take turns, namespaces, windows
//! and expiry, and a past that is kept.
//!
//! The oracle is stricter than that of `power`: a store that opens again says at which transaction it is,
//! one between the last durable one and the last, and holds in each namespace what the model held after
//! just that one, now and at each epoch before. Two handles on one simulated disk are what two processes
//! are, lock, page of counters and all, but take turns: threads of their own would make a seed mean
//! another workload each time, so flushes and compactions are steps, as the background would do them. Sweeps
//! of what expired come by the clock all the same: a replay may have another at another step.

use std::ops::RangeInclusive;
use std::time::Duration;

use storage_core::fs::SimulatedFileSystem;
use storage_core::{AsOf, Durability, GraphStore, OpenOptions, Retention};

use super::power::{Sound, is_always_durable, open};
use super::timed::{self, Promise, Timed};
use super::{Model, Random, Step, options, run};

/// How many ways the power fails at one moment.
const IMAGES: u64 = 8;
/// Other namespaces than the default one.
const NAMES: [&str; 2] = ["ann", "bob"];
/// What the store holds, by namespace, the default one first.
type World = [Timed; 3];

/// A handle, on each namespace.
struct Handle([GraphStore; 3]);

impl Handle {
    fn open(disk: &SimulatedFileSystem, options: &OpenOptions) -> storage_core::Result<Self> {
        let store = open(&Sound, disk, options)?;
        let [ann, bob] = NAMES.map(|name| store.namespace(name));
        Ok(Self([store, ann?, bob?]))
    }

    fn epoch(&self) -> u64 {
        self.0[0].snapshot().expect("a sound store has a state").epoch()
    }
}

/// The states of a store by epoch, and when each was submitted and acknowledged.
struct Journal {
    states: Vec<World>,
    /// By state: the file system's operation that came first in writing it.
    submitted: Vec<u64>,
    /// An epoch, and the operation before which it was acknowledged as durable; both ascending.
    durable: Vec<(u64, u64)>,
}

impl Journal {
    /// A store that is known to have these states, the last of them durable.
    fn starting_with(states: Vec<World>) -> Self {
        let epoch = states.len() as u64 - 1;
        Self { submitted: vec![0; states.len()], durable: vec![(epoch, 0)], states }
    }

    fn newest(&self) -> &World {
        self.states.last().expect("there is always a first state")
    }

    /// The epochs that power loss right before an operation may lead back to.
    fn window(&self, operation: u64) -> RangeInclusive<u64> {
        let durable =
            self.durable.iter().rev().find(|(_, acknowledged)| *acknowledged <= operation);
        let (first, _) = durable.expect("the first state is durable from the start");
        let last = self.submitted.iter().rposition(|&first| first < operation).unwrap_or(0);
        *first..=(last as u64).max(*first)
    }

    /// Runs a random step of a handle, in some namespace.
    fn step(
        &mut self,
        handle: &Handle,
        disk: &SimulatedFileSystem,
        options: &OpenOptions,
        random: &mut Random,
        context: &dyn Fn() -> String,
    ) {
        // Not always: what a handle does has to be right whether it has looked before or not.
        if random.below(3) == 0 {
            let newest = self.states.len() as u64 - 1;
            assert_eq!(handle.epoch(), newest, "{}: sees what others wrote", context());
        }
        let mut next = self.newest().clone();
        let at = random.below(3) as usize;
        let (store, model) = (&handle.0[at], &mut next[at]);
        let first = disk.operations();
        let promise = match random.below(60) {
            0 => {
                handle.0[0].delete_namespace(NAMES[0]).expect("a sound store takes it");
                next[1] = Timed::default();
                Promise::Durable
            }
            1..=20 => timed::step(store, model, random),
            _ => {
                let step = Step::random(random);
                let outcome = run(store, &step);
                let accepted = model.apply(&step);
                assert_eq!(outcome.is_ok(), accepted, "{}: {step:?}: {outcome:?}", context());
                if accepted && is_always_durable(&step) {
                    Promise::Durable
                } else {
                    Promise::AsOpened
                }
            }
        };
        // A sweep of what expired is a transaction of its own, which changes nothing that is seen; a write
        // is followed by one when it is due, a second after the handle learnt of what expired.
        let before = self.states.len() as u64 - 1;
        let epoch = handle.epoch();
        assert!((before..=before + 2).contains(&epoch), "{}: {before}, {epoch}", context());
        for _ in before..epoch {
            self.states.push(next.clone());
            self.submitted.push(first);
        }
        let is_durable = match promise {
            Promise::Durable => true,
            Promise::AsOpened => epoch > before && options.durability == Durability::Sync,
        };
        if is_durable {
            self.durable.push((epoch.min(before + 1), disk.operations()));
        }
        if random.below(16) == 0 {
            for (store, timed) in handle.0.iter().zip(&next) {
                let live = Model::read(store).expect("a living store reads");
                assert_eq!(live, timed.model, "{}", context());
            }
        }
    }

    /// Opens what power loss left, compares it with the state that it is at, and some of the past, or all
    /// of it; returns the handle and its epoch.
    fn reopen(
        &self,
        disk: &SimulatedFileSystem,
        options: &OpenOptions,
        window: &RangeInclusive<u64>,
        past: u64,
        random: &mut Random,
        context: &dyn Fn() -> String,
    ) -> (Handle, u64) {
        let handle = Handle::open(disk, options)
            .unwrap_or_else(|error| panic!("{}: does not open: {error}", context()));
        let epoch = handle.epoch();
        assert!(window.contains(&epoch), "{}: at {epoch}, not in {window:?}", context());
        let world = &self.states[epoch as usize];
        let is_there = |at: usize| !world[at].model.concepts.is_empty();
        let found = handle.0[0].namespaces().expect("a sound store lists them");
        for (at, name) in (1..).zip(NAMES) {
            // What expired may still be there, unseen, and its namespace with it.
            assert!(!is_there(at) || found.iter().any(|found| found == name), "{}", context());
        }
        for (store, timed) in handle.0.iter().zip(world) {
            let found = Model::read(store)
                .unwrap_or_else(|error| panic!("{}: does not read: {error}", context()));
            assert_eq!(found, timed.model, "{}: not what epoch {epoch} was", context());
            let snapshot = store.snapshot().expect("a sound store has a state");
            timed.model.check_snapshot(&snapshot);
            let then = random.below(100) as f64;
            let valid = snapshot.valid_at(then).expect("any time will do");
            timed.at(then).check_snapshot(&valid);
        }
        if options.retention.is_some_and(|retention| retention != Retention::None) {
            for at in 0..past.min(epoch) {
                let then = if past >= epoch { at } else { random.below(epoch) };
                self.check_past(&handle, then, context);
            }
        }
        (handle, epoch)
    }

    /// Compares the state of an earlier epoch in each namespace.
    fn check_past(&self, handle: &Handle, epoch: u64, context: &dyn Fn() -> String) {
        for (store, timed) in handle.0.iter().zip(&self.states[epoch as usize]) {
            let then = store
                .snapshot_as_of(AsOf::Epoch(epoch))
                .unwrap_or_else(|error| panic!("{}: as of {epoch}: {error}", context()));
            let found = Model::read_snapshot(&then)
                .unwrap_or_else(|error| panic!("{}: as of {epoch}: {error}", context()));
            assert_eq!(found, timed.model, "{}: as of {epoch}", context());
            if epoch.is_multiple_of(16) {
                timed.model.check_snapshot(&then);
            }
        }
    }
}

/// One random workload of 50 to 300 steps with several losses of power, each in 8 ways, at any operation,
/// recovery included. Returns how many disks were opened and compared.
pub(crate) fn one_seed(seed: u64) -> u64 {
    let mut random = Random(seed);
    let mut options = options();
    options.flush_bytes = 1 << (10 + random.below(6));
    options.durability = if random.below(4) == 0 { Durability::Sync } else { Durability::Buffered };
    options.retention = match random.below(4) {
        0 => Some(Retention::None),
        // Long ago enough.
        1 => Some(Retention::For(Duration::from_secs(1 << 30))),
        _ => Some(Retention::Forever),
    };
    let handles = 1 + random.below(2);
    options.exclusive = handles == 1 && random.below(2) == 0;
    let mut steps = 50 + random.below(251);
    let mut disk = SimulatedFileSystem::new();
    let mut journal = Journal::starting_with(vec![World::default()]);
    let mut window = 0..=0;
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
        // Once a life, all of the past.
        let (first, epoch) =
            journal.reopen(&disk, &options, &window, u64::MAX, &mut random, &context);
        journal.states.truncate(epoch as usize + 1);
        journal = Journal::starting_with(journal.states);
        let mut open = vec![first];
        let mut left_behind = Vec::new();
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
            let at = random.below(handles) as usize;
            if at < open.len() && handles > 1 && random.below(30) == 0 {
                // Another process takes its place: it closed, or it died.
                let gone = open.swap_remove(at);
                if random.below(2) == 0 {
                    gone.0[0].close().expect("a sound store closes");
                    journal.durable.push((journal.states.len() as u64 - 1, disk.operations()));
                }
                left_behind.push(gone);
            }
            if at >= open.len() {
                open.push(Handle::open(&disk, &options).expect("a second handle opens"));
            }
            let handle = &open[at.min(open.len() - 1)];
            journal.step(handle, &disk, &options, &mut random, &context);
        };
        // The old handles go on in a world that is no more; what they save there counts for nothing.
        drop((open, left_behind));
        window = journal.window(moment.operation);
        for image_number in 0..IMAGES {
            let fate = random.next();
            let image = moment.fs.crash(fate);
            if image_number == 0 {
                // The machine goes on from here; it is checked as it boots.
                disk = image;
                continue;
            }
            // A second loss of power, during the recovery or right after it.
            let second = image_number % 2 == 1;
            if second {
                let at = random.below(40);
                image.record(at, 1);
            }
            opened += 1 + u64::from(second);
            let context = || {
                let operation = moment.operation;
                format!("seed {seed}, life {life}, operation {operation}, image {image_number}")
            };
            let (reopened, at) =
                journal.reopen(&image, &options, &window, 1, &mut random, &context);
            if second {
                let moment = image.recorded().pop().unwrap_or_else(|| image.moment());
                let again = moment.fs.crash(random.next());
                let context = || format!("{}, then at {}", context(), moment.operation);
                // What the first opening showed was on the medium: it can't go.
                journal.reopen(&again, &options, &(at..=at), 1, &mut random, &context);
            }
            drop(reopened);
        }
    }
    opened
}
