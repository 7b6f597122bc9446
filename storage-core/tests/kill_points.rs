//! Death at named points: a process is killed right before, half-way through or right after each kind of
//! operation on each kind of file, as it makes a store, writes to it, flushes and compacts it, recovers what an
//! earlier death left torn, or builds indexes of its vectors. The oracle is in the parent: what was acknowledged is there whole, what
//! was in flight whole or not at all, and nothing else.
//!
//! `SUTRA_POINT_COUNT` says how often each point is died at, `SUTRA_POINT_SEED` which time is the first.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use common::child::{TestChild, orders, say};
use common::deadly::{Deadly, Moment};
use common::{Model, Random, Step, indexed, options, run, variable};
use storage_core::{AsOf, Durability, GraphStore, OpenOptions, Retention};

/// Steps of a life that no one ends, after those that lead up to it.
const STEPS: u64 = 80;
/// How often each point is died at, where the environment says nothing else.
const TIMES: u64 = 3;
/// How often a point is tried for until it counts as one that can't be reached.
const TRIES: u64 = 12;

/// What a process is doing when it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum During {
    /// Making the store.
    Creation,
    /// Opening a store whose log ends torn.
    Recovery,
    /// Transactions, flushes and compactions.
    Work,
    /// Building indexes of vectors.
    Indexing,
}

const CREATION: &[&str] = &[
    "store directory created",
    "parent directory synced",
    "write lock created",
    "lease created",
    "CONTROL written",
    "write lock taken",
    "log directory created",
    "segment directory created",
    "store directory synced",
    "log created",
    "log header written",
    "log synced",
    "log directory synced",
    "manifest created",
    "manifest written",
    "manifest synced",
    "manifest renamed",
    "write lock released",
];
const RECOVERY: &[&str] = &[
    "CONTROL written",
    "write lock taken",
    "log created",
    "log header written",
    "log synced",
    "log directory synced",
    "log zeros written",
    "log frame written",
    "log marker written",
    "log seal written",
    "write lock released",
];
const WORK: &[&str] = &[
    "write lock taken",
    "write lock released",
    "lease taken",
    "lease released",
    "log zeros written",
    "log frame written",
    "log marker written",
    "log seal written",
    "log synced",
    "log created",
    "log header written",
    "log directory synced",
    "segment created",
    "segment written",
    "segment synced",
    "tombstones created",
    "tombstones written",
    "tombstones synced",
    "history file created",
    "history file written",
    "history file synced",
    "segment directory synced",
    "manifest created",
    "manifest written",
    "manifest synced",
    "manifest renamed",
    "store directory synced",
    "manifest removed",
    "log removed",
    "segment removed",
    "tombstones removed",
    "history file removed",
];

const INDEXING: &[&str] = &[
    "build lock created",
    "build lock taken",
    "lease taken",
    "index created",
    "index written",
    "index synced",
    "index renamed",
    "segment directory synced",
    "index removed",
];

/// A point, and when about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    during: During,
    name: &'static str,
    moment: Moment,
}

impl Point {
    fn all() -> Vec<Self> {
        let names = [
            (During::Creation, CREATION),
            (During::Recovery, RECOVERY),
            (During::Work, WORK),
            (During::Indexing, INDEXING),
        ];
        let mut all = Vec::new();
        for (during, names) in names {
            for &name in names {
                let is_write = name.ends_with(" written") && name != "CONTROL written";
                let moments = Moment::ALL.into_iter();
                let moments = moments.filter(|&moment| is_write || moment != Moment::HalfWay);
                all.extend(moments.map(|moment| Self { during, name, moment }));
            }
        }
        all
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?}: {} {}", self.during, self.moment.name(), self.name)
    }
}

/// How a process opens the store, and what it does with it, the same for child and parent.
fn life(seed: u64) -> (OpenOptions, impl Iterator<Item = Step>) {
    let mut random = Random(seed);
    let mut options = options();
    // Without a background thread every death is where the seed says. With one it is, too, but what the
    // writer has done by then differs.
    options.background = random.below(4) == 0;
    options.flush_bytes = 1 << (9 + random.below(4));
    options.retention = Some(Retention::Forever);
    options.durability = if random.below(4) == 0 { Durability::Sync } else { Durability::Buffered };
    (options, (0..STEPS).map(move |_| Step::random(&mut random)))
}

/// Tells the parent, and waits for it to kill.
fn die() -> ! {
    say("dies");
    loop {
        std::thread::park();
    }
}

/// The child: works until its point is reached, and says after each step how it went.
#[test]
fn worker() {
    let Some(orders) = orders() else { return };
    let orders: Vec<&str> = orders.splitn(5, '|').collect();
    let [seed, point, early, nth, path] = orders[..] else { panic!("five orders") };
    let point = Point::all()[point.parse::<usize>().unwrap()];
    let (early, nth): (usize, u64) = (early.parse().unwrap(), nth.parse().unwrap());
    let fs = Deadly::new(Path::new(path), die);
    if point.during != During::Work {
        fs.arm(point.name, point.moment, nth);
    }
    if point.during == During::Indexing {
        // The background waits a second before it builds.
        let by_itself = Random(seed.parse().unwrap()).below(4) == 0;
        indexed::live(Arc::new(fs.clone()), Path::new(path), by_itself);
        fs.disarm();
        say("end");
        std::process::exit(0);
    }
    let (options, steps) = life(seed.parse().unwrap());
    let store = GraphStore::open_with(Arc::new(fs.clone()), Path::new(path), options).unwrap();
    say("open");
    if point.during == During::Work {
        for (at, step) in steps.enumerate() {
            if at == early {
                fs.arm(point.name, point.moment, nth);
            }
            match run(&store, &step) {
                Ok(()) => say("done"),
                Err(error) => say(&format!("refused: {error}")),
            }
        }
    }
    fs.disarm();
    say("end");
    std::process::exit(0);
}

/// Has a process work on the store until it dies; returns the states that this may have left, or the
/// one that it did leave by ending without having reached its point.
fn one_life(path: &Path, seed: u64, point: Point, before: &Model) -> Result<[Model; 2], Model> {
    let number = Point::all().iter().position(|&other| other == point).unwrap();
    let mut random = Random(!seed);
    // Of the rare ones the first, of those that each step passes a later one.
    let is_frequent = ["write lock", "log frame", "log synced"];
    let is_frequent = is_frequent.iter().any(|start| point.name.starts_with(start));
    let (early, nth) = match point.during {
        During::Work if is_frequent => (random.below(20), 1 + random.below(20)),
        During::Work => (random.below(STEPS / 2), 1 + random.below(2)),
        _ => (0, 1 + random.below(2)),
    };
    let orders = format!("{seed}|{number}|{early}|{nth}|{}", path.display());
    let mut child = TestChild::start("worker", &orders);
    let (mut model, mut died) = (before.clone(), false);
    let (_, mut steps) = life(seed);
    while let Some(line) = child.next_line() {
        match line.as_str() {
            "open" => {}
            "end" => return Err(model),
            "dies" => {
                died = true;
                child.kill();
            }
            said => {
                let step = steps.next().unwrap();
                let accepted = model.apply(&step);
                assert_eq!(said == "done", accepted, "{step:?}: {said}");
            }
        }
    }
    assert!(died, "the child ended by itself");
    let mut in_flight = model.clone();
    if let Some(step) = steps.next().filter(|_| point.during == During::Work) {
        in_flight.apply(&step);
    }
    Ok([model, in_flight])
}

/// Opens what a death left and compares it with what it may be; returns what it is, and the handle: it stays open
/// until all is checked, as a living process's would, since closing writes.
fn check(path: &Path, allowed: &[Model], read_only: bool) -> (Model, GraphStore) {
    let options = OpenOptions { read_only, retention: None, ..options() };
    let fs = Arc::new(Deadly::new(path, die));
    let store =
        GraphStore::open_with(fs, path, options).unwrap_or_else(|error| panic!("opening: {error}"));
    let found = Model::read(&store).unwrap();
    assert!(
        allowed.contains(&found),
        "not what was acknowledged, with or without what was in flight"
    );
    found.check(&store);
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{:?}", report.damage);
    let epoch = store.snapshot().unwrap().epoch();
    for past in [epoch / 3, epoch.saturating_sub(1)] {
        // A store that the reader had to make keeps nothing, and has nothing.
        if let Ok(then) = store.snapshot_as_of(AsOf::Epoch(past)) {
            Model::read_snapshot(&then).unwrap().check_snapshot(&then);
        }
    }
    (found, store)
}

/// Dies at a point of a life in which indexes are built and go; returns the point if it was reached.
fn one_death_at_indexes(seed: u64, point: Point) -> Option<Point> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut random = Random(seed);
    let mut vectors = indexed::make(&path);
    let number = Point::all().iter().position(|&other| other == point).unwrap();
    let orders = format!("{seed}|{number}|0|{}|{}", 1 + random.below(2), path.display());
    let mut child = TestChild::start("worker", &orders);
    let (mut tasks, mut died) = (indexed::LIFE.into_iter(), false);
    while let Some(line) = child.next_line() {
        match line.as_str() {
            "done" => tasks.next().unwrap().apply(&mut vectors),
            "end" => break,
            "dies" => {
                died = true;
                child.kill();
            }
            said => panic!("{said}"),
        }
    }
    let mut in_flight = vectors.clone();
    if let Some(task) = tasks.next() {
        assert!(died, "the child ended by itself");
        task.apply(&mut in_flight);
    }
    let (found, first) = indexed::check(&path, &[vectors, in_flight]);
    // A second opening changes nothing.
    let (_, second) = indexed::check(&path, &[found]);
    drop((first, second));
    died.then_some(point)
}

/// Dies at a point, after another death that leaves the log torn, and in recovery sometimes before one
/// more; returns the points that were died at.
fn one_death(seed: u64, point: Point) -> Vec<Point> {
    if point.during == During::Indexing {
        return one_death_at_indexes(seed, point).into_iter().collect();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("above").join("store");
    let mut random = Random(seed);
    let mut model = Model::default();
    let mut reached = Vec::new();
    let mut living = Vec::new();
    if point.during != During::Creation {
        // What the store was through before.
        let (during, name, moment) = (During::Work, "log frame written", Moment::HalfWay);
        let torn = Point { during, name, moment };
        match one_life(&path, random.next(), torn, &model) {
            Ok(allowed) if point.during == During::Recovery || random.below(2) == 0 => {
                // Half of a transaction is none.
                model = allowed[0].clone();
                reached.push(torn);
            }
            Ok(allowed) => {
                let (found, store) = check(&path, &allowed[..1], false);
                model = found;
                living.push(store);
                reached.push(torn);
            }
            Err(_) if point.during == During::Recovery => return reached,
            Err(left) => model = left,
        }
    }
    let mut allowed = match one_life(&path, random.next(), point, &model) {
        Ok(allowed) => {
            reached.push(point);
            allowed
        }
        Err(left) => [left.clone(), left],
    };
    if point.during == During::Recovery && random.below(2) == 0 {
        // The next one recovers as well, and dies at it.
        let mut all = Point::all();
        all.retain(|other| other.during == During::Recovery);
        let again = all[random.below(all.len() as u64) as usize];
        if one_life(&path, random.next(), again, &allowed[0]).is_ok() {
            reached.push(again);
        }
    }
    let read_only = random.below(3) == 0 && has_manifest(&path);
    let (found, store) = check(&path, &allowed, read_only);
    living.push(store);
    // A second opening changes nothing.
    allowed = [found.clone(), found];
    let (_, store) = check(&path, &allowed, false);
    living.push(store);
    drop(living);
    reached
}

/// Whether a store was made before the process died.
fn has_manifest(path: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(path) else { return false };
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(|entry| name(entry.unwrap())).any(|name| name.starts_with("MANIFEST-"))
}

/// Tries until the point is reached; returns all that were.
fn at_last(time: u64, point: Point) -> Vec<Point> {
    let mut reached = Vec::new();
    for attempt in 0..TRIES {
        reached.extend(one_death(time * TRIES + attempt, point));
        if reached.contains(&point) {
            return reached;
        }
    }
    panic!("never reached in {TRIES} tries");
}

/// Dies at every point of a share, and counts how often at each.
fn run_share(share: usize, shares: usize) {
    if orders().is_some() {
        return;
    }
    let first = variable("SUTRA_POINT_SEED").unwrap_or(1);
    let times = variable("SUTRA_POINT_COUNT").unwrap_or(TIMES);
    let points: Vec<Point> = Point::all().into_iter().skip(share).step_by(shares).collect();
    let mut deaths = BTreeMap::<Point, u64>::new();
    for (time, &point) in
        (first..first + times).flat_map(|time| points.iter().map(move |p| (time, p)))
    {
        match std::panic::catch_unwind(|| at_last(time, point)) {
            Ok(reached) => {
                for point in reached {
                    *deaths.entry(point).or_default() += 1;
                }
            }
            Err(panic) => {
                eprintln!("at {point}");
                eprintln!("replay with: cargo xtask crash --only kill-points --seed {time}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    for point in &points {
        let count = deaths.get(point).copied().unwrap_or(0);
        assert!(count >= times, "{point}: {count} deaths, not {times}");
        eprintln!("result: {point}: {count} deaths");
    }
    let all = deaths.values().sum::<u64>();
    eprintln!(
        "result: share {share}: {all} deaths, at least {times} at each of {} points",
        points.len()
    );
}

// Shares, so that a runner that gives each test a process uses several cores.
#[test]
fn a_process_may_die_at_every_named_point_0() {
    run_share(0, 2);
}

#[test]
fn a_process_may_die_at_every_named_point_1() {
    run_share(1, 2);
}
