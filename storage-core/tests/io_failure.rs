//! Every single I/O operation of a workload by two handles fails in turn, once or for good: the caller
//! hears of it by a typed error, both handles agree, nothing acknowledged is lost, no transaction is
//! there in part, and a store whose sync failed takes no writes until it is opened anew.
//!
//! `SUTRA_IO_SEED` and `SUTRA_IO_COUNT` choose the workloads, `SUTRA_IO_ALL=1` tries every failure at
//! every operation rather than one, `SUTRA_IO_STEP=n` only every n-th operation.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Model, Random, Step, options, run};
use storage_core::fs::{Fault, FaultKind, FileSystem, SimulatedFileSystem};
use storage_core::{AsOf, Durability, Error, GraphStore, OpenOptions, Retention};

/// Steps of a workload, counted with the reopenings.
const STEPS: usize = 100;

/// What fails, and whether it goes on failing. A write that takes effect and fails all the same is the
/// hardest: what it wrote may come to light later.
const FAULTS: [(FaultKind, bool); 8] = [
    (FaultKind::Io, false),
    (FaultKind::Io, true),
    (FaultKind::NoSpace, false),
    (FaultKind::NoSpace, true),
    (FaultKind::ShortWrite, false),
    (FaultKind::ShortWrite, true),
    (FaultKind::LateIo, false),
    (FaultKind::LateIo, true),
];

/// Handles that are open at a time, as if in two processes.
const HANDLES: usize = 2;

/// One thing that a handle does.
#[derive(Debug, Clone)]
enum Action {
    Run(Step),
    /// Close, and open again.
    Reopen,
    /// Leave the handle as a dying process would, and open again.
    Abandon,
}

fn workload(seed: u64) -> (OpenOptions, Vec<(usize, Action)>) {
    let mut random = Random(seed);
    let mut options = options();
    options.flush_bytes = 1 << (9 + random.below(5));
    // Half of the workloads keep the past, which writes files of its own.
    options.retention = seed.is_multiple_of(2).then_some(Retention::Forever);
    options.durability = match random.below(2) {
        0 => Durability::Sync,
        _ => Durability::Buffered,
    };
    let actions = (0..STEPS)
        .map(|_| {
            let handle = random.below(HANDLES as u64) as usize;
            let action = match random.below(25) {
                0 => Action::Reopen,
                1 => Action::Abandon,
                _ => Action::Run(Step::random(&mut random)),
            };
            (handle, action)
        })
        .collect();
    (options, actions)
}

fn open(fs: &SimulatedFileSystem, options: &OpenOptions) -> storage_core::Result<GraphStore> {
    let fs: Arc<dyn FileSystem> = Arc::new(fs.clone());
    GraphStore::open_with(fs, Path::new("store"), options.clone())
}

/// What the store may hold after each step so far; a failed step may have taken effect or not.
struct Oracle {
    possible: Vec<Vec<Model>>,
    /// The first entry of `possible` that power loss may leave.
    durable: usize,
}

impl Oracle {
    fn new() -> Self {
        Self { possible: vec![vec![Model::default()]], durable: 0 }
    }

    fn now(&self) -> &[Model] {
        self.possible.last().expect("there is always a first state")
    }

    /// Notes the state that a living handle shows, which rules the others out.
    fn saw(&mut self, found: Model, context: &str) {
        assert!(self.now().contains(&found), "{context}: what is read was never written");
        *self.possible.last_mut().expect("there is always a first state") = vec![found];
    }

    /// Adds what a step may have led to; returns whether the store may accept it, and refuse it.
    fn step(&mut self, step: &Step, outcome: &storage_core::Result<()>, context: &str) {
        let mut next: Vec<Model> = Vec::new();
        for before in self.now() {
            let mut after = before.clone();
            let acceptable = after.apply(step);
            match outcome {
                Ok(()) if acceptable => next.push(after),
                Ok(()) => {}
                Err(error) if is_refusal(error) => {
                    if !acceptable {
                        next.push(before.clone());
                    }
                }
                Err(_) => {
                    next.push(before.clone());
                    if acceptable && after != *before {
                        next.push(after);
                    }
                }
            }
        }
        assert!(!next.is_empty(), "{context}: {outcome:?} fits none of the possible states");
        next.dedup();
        self.possible.push(next);
    }

    fn durable_from_now(&mut self) {
        self.durable = self.possible.len() - 1;
    }

    fn may_survive(&self, found: &Model) -> bool {
        self.possible[self.durable..].iter().any(|states| states.contains(found))
    }
}

/// Whether an error says that the step itself was unfit, as it would without any failure.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::ConceptNotFound { .. } | Error::Conflict { .. })
}

/// Only what the fault explains: not damage, not a missing store, not a lock.
fn check_kind(error: &Error, context: &str) {
    assert!(
        matches!(error, Error::Io { .. } | Error::Poisoned { .. }),
        "{context}: not an I/O error, but {error:?}"
    );
}

/// Whether a step is durable on return, whatever the store's own durability.
fn is_durable(step: &Step, options: &OpenOptions) -> bool {
    options.durability == Durability::Sync
        || !matches!(
            step,
            Step::Patch(..) | Step::Delete(_) | Step::Dissociate(..) | Step::Access(_)
        )
}

/// Runs a workload with a fault; returns how many operations the file system has seen.
fn run_with(seed: u64, fault: Option<Fault>) -> u64 {
    let (options, actions) = workload(seed);
    let context = format!("workload {seed}, {fault:?}");
    let fs = SimulatedFileSystem::new();
    if let Some(fault) = fault {
        fs.inject(fault);
    }
    let mut oracle = Oracle::new();
    let mut stores: [Option<GraphStore>; HANDLES] = Default::default();
    // Closing would save, which the dead do not: they are kept until the end.
    let mut abandoned = Vec::new();
    let mut poisoned = [false; HANDLES];
    let opened = (0..HANDLES).map(|handle| (handle, Action::Reopen));
    for (at, (handle, action)) in opened.chain(actions).enumerate() {
        let context = format!("{context}, action {at} of handle {handle}");
        let store = &mut stores[handle];
        match &action {
            Action::Run(step) => {
                let Some(store) = store else { continue };
                let outcome = run(store, step);
                if let Err(error) = &outcome
                    && !is_refusal(error)
                {
                    check_kind(error, &context);
                }
                let before = oracle.now().to_vec();
                oracle.step(step, &outcome, &context);
                if poisoned[handle] && outcome.is_ok() {
                    let changed = oracle.now().iter().any(|after| !before.contains(after));
                    assert!(!changed, "{context}: a poisoned store took a write: {step:?}");
                }
                note_poisoning(&outcome, handle, &mut poisoned);
                match Model::read(store) {
                    Ok(found) => oracle.saw(found, &context),
                    Err(error) => check_kind(&error, &context),
                }
                // With nothing to write, a poisoned store succeeds, and makes nothing durable.
                if outcome.is_ok() && is_durable(step, &options) && !poisoned[handle] {
                    oracle.durable_from_now();
                }
            }
            Action::Reopen | Action::Abandon => {
                if let Some(store) = store.take() {
                    if matches!(action, Action::Abandon) {
                        abandoned.push(store);
                    } else {
                        let closed = store.close();
                        note_poisoning(&closed, handle, &mut poisoned);
                        match closed {
                            Ok(()) => oracle.durable_from_now(),
                            Err(error) => check_kind(&error, &context),
                        }
                    }
                }
                match open(&fs, &options) {
                    Ok(opened) => {
                        poisoned[handle] = false;
                        match Model::read(&opened) {
                            Ok(found) => oracle.saw(found, &context),
                            Err(error) => check_kind(&error, &context),
                        }
                        *store = Some(opened);
                    }
                    Err(error) => check_kind(&error, &context),
                }
            }
        }
    }
    let operations = fs.operations();
    // The fault is over. Without power loss all that was shown is there; with it, what was durable.
    let image = fs.crash(seed ^ operations);
    drop(stores);
    fs.clear_faults();
    let reopened = open(&fs, &options).unwrap_or_else(|e| panic!("{context}, reopened: {e}"));
    let found = Model::read(&reopened).unwrap_or_else(|e| panic!("{context}, reopened: {e}"));
    assert!(oracle.now().contains(&found), "{context}: reopened to another state");
    found.check(&reopened);
    let report = reopened.verify().unwrap();
    assert!(report.is_sound(), "{context}: {:?}", report.damage);
    if reopened.retention() == Retention::Forever {
        let newest = reopened.snapshot().unwrap().epoch();
        for epoch in [newest / 3, newest / 2, newest.saturating_sub(1)] {
            let then = reopened.snapshot_as_of(AsOf::Epoch(epoch));
            let then = then.unwrap_or_else(|e| panic!("{context}, epoch {epoch}: {e}"));
            let found = Model::read_snapshot(&then).unwrap();
            found.check_snapshot(&then);
        }
    }

    let reopened = open(&image, &options).unwrap_or_else(|e| panic!("{context}, power loss: {e}"));
    let found = Model::read(&reopened).unwrap_or_else(|e| panic!("{context}, power loss: {e}"));
    assert!(oracle.may_survive(&found), "{context}: power loss took something durable");
    found.check(&reopened);
    operations
}

/// Notes which handles take no writes from now on: all that are open when a sync fails.
fn note_poisoning(
    outcome: &storage_core::Result<()>,
    handle: usize,
    poisoned: &mut [bool; HANDLES],
) {
    if let Err(Error::Poisoned { reason, .. }) = outcome {
        if reason.starts_with("a handle on it") {
            // It failed elsewhere, perhaps before others were opened.
            poisoned[handle] = true;
        } else if !poisoned[handle] {
            *poisoned = [true; HANDLES];
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Lets every `step`-th operation of a workload fail.
fn fail_each(seed: u64, step: u64) {
    let operations = run_with(seed, None);
    // Each operation fails in one way, or with SUTRA_IO_ALL=1 in every one.
    let all = variable("SUTRA_IO_ALL") == Some(1);
    let ways = |operation| {
        FAULTS
            .into_iter()
            .enumerate()
            .filter(move |(way, _)| all || *way as u64 == (operation + seed) % FAULTS.len() as u64)
    };
    let faults: Vec<Fault> = (0..operations)
        .step_by(variable("SUTRA_IO_STEP").unwrap_or(step).max(1) as usize)
        .flat_map(|operation| {
            ways(operation).map(move |(_, (kind, for_good))| Fault { operation, kind, for_good })
        })
        .collect();
    let failed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for share in faults.chunks(faults.len().div_ceil(2)) {
            let failed = &failed;
            scope.spawn(move || {
                for &fault in share {
                    let outcome = std::panic::catch_unwind(|| run_with(seed, Some(fault)));
                    failed.fetch_add(u64::from(outcome.is_err()), Ordering::Relaxed);
                }
            });
        }
    });
    let failed = failed.load(Ordering::Relaxed);
    let faults = faults.len();
    assert_eq!(
        failed, 0,
        "of {faults} faults; replay with: cargo xtask crash --only io --seed {seed}"
    );
    eprintln!("result: workload {seed}: {operations} operations, {faults} failures");
}

#[test]
fn every_operation_may_fail_and_nothing_acknowledged_is_lost() {
    let first = variable("SUTRA_IO_SEED").unwrap_or(1);
    for seed in first..first + variable("SUTRA_IO_COUNT").unwrap_or(1) {
        fail_each(seed, 1);
    }
}

#[test]
fn every_third_operation_may_fail_where_the_past_is_kept() {
    if variable("SUTRA_IO_SEED").or(variable("SUTRA_IO_COUNT")).is_none() {
        fail_each(2, 3);
    }
}
