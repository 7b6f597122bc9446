//! Four writing and four reading processes on one store, killed at random and started again, while
//! flushes and compactions run all the time. The oracle is in the parent: what a writer acknowledged is
//! there, whole and in order; each reader's states are whole and never go back.
//!
//! `SUTRA_PROCESSES_SEED` and `SUTRA_PROCESSES_COUNT` choose the rounds. A seed fixes who is killed and
//! after how many reports, not how the processes meet: a replay is another try.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use common::child::{Process, TestChild, orders, say};
use common::ledger::{self, WRITERS};
use common::{Random, options, variable};
use storage_core::{Durability, GraphStore, OpenOptions, Snapshot};

const READERS: u64 = 4;
/// How often someone is killed in a round.
const KILLS: u64 = 24;
/// Reports between two kills, at most.
const CALM: u64 = 200;
/// A process that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// The file that tells all processes to end.
const STOP: &str = "stop";

// ---- the children ------------------------------------------------------------------------------------

/// What a child is told.
struct Orders {
    folder: PathBuf,
    member: u64,
    seed: u64,
    /// What it must find at least, in transactions.
    epoch: u64,
}

impl Orders {
    fn read() -> Option<Self> {
        let orders = orders()?;
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // First of all: it may be killed before it has ended.
            say("failed");
            print(panic);
        }));
        let mut fields = orders.splitn(4, ' ');
        let mut number = || fields.next().unwrap().parse().unwrap();
        let (member, seed, epoch) = (number(), number(), number());
        Some(Self { folder: fields.next().unwrap().into(), member, seed, epoch })
    }

    fn open(&self, read_only: bool, random: &mut Random) -> GraphStore {
        let options = OpenOptions {
            read_only,
            background: true,
            flush_bytes: 1 << (11 + random.below(5)),
            // Whoever waits longer than the parent's patience hangs.
            timeout: PATIENCE * 4,
            ..options()
        };
        GraphStore::open(self.folder.join("store"), options).unwrap()
    }

    fn go_on(&self) -> bool {
        !self.folder.join(STOP).exists()
    }
}

/// A writing child: says what it finds, then each transaction's number once that is acknowledged.
#[test]
fn writer() {
    let Some(orders) = Orders::read() else { return };
    let mut random = Random(orders.seed);
    while orders.go_on() {
        let store = orders.open(false, &mut random);
        let found = ledger::check(&store.snapshot().unwrap()).unwrap()[orders.member as usize];
        say(&format!("found {found}"));
        for at in found..found + 100 + random.below(200) {
            if !orders.go_on() {
                break;
            }
            let durability = match random.below(2) {
                0 => Durability::Sync,
                _ => Durability::Interval(Duration::from_millis(random.below(20))),
            };
            let (lsn, conflicts) = ledger::commit(&store, orders.member, at, durability).unwrap();
            say(&format!("done {at} {lsn} {conflicts}"));
            match random.below(60) {
                0 => store.compact().unwrap(),
                1 => store.flush().unwrap(),
                2 => store.save().unwrap(),
                _ => {}
            }
        }
        store.close().unwrap();
    }
    say("end");
}

/// A reading child: says the epoch of each state that it found whole.
#[test]
fn reader() {
    let Some(orders) = Orders::read() else { return };
    let mut random = Random(orders.seed);
    let mut newest = orders.epoch;
    while orders.go_on() {
        let store = orders.open(orders.member.is_multiple_of(2), &mut random);
        let mut kept: VecDeque<(Snapshot, Vec<u64>)> = VecDeque::new();
        for _ in 0..20 + random.below(100) {
            if !orders.go_on() {
                break;
            }
            let state = store.snapshot().unwrap();
            assert!(state.epoch() >= newest, "{} after {newest}", state.epoch());
            newest = state.epoch();
            let heads = ledger::check(&state).unwrap();
            say(&format!("saw {newest}"));
            kept.push_back((state, heads));
            // By then its files are gone.
            if kept.len() > 10 {
                let (old, heads) = kept.pop_front().unwrap();
                assert_eq!(ledger::check(&old).unwrap(), heads);
            }
        }
        store.close().unwrap();
    }
    say("end");
}

// ---- the parent --------------------------------------------------------------------------------------

/// What happened: a member of this life said something, or ended.
struct Event {
    member: usize,
    life: u64,
    said: Option<String>,
}

/// One of the processes, through all its lives.
struct Member {
    name: String,
    process: Process,
    life: u64,
    /// Whether it was killed, or said that it had ended.
    may_end: bool,
    has_ended: bool,
    heard: Instant,
    said: String,
    /// Transactions that it has acknowledged, for a writer.
    acknowledged: u64,
    /// The newest state that it has seen.
    epoch: u64,
}

/// All of the processes, and what is known of the store.
struct Team {
    folder: PathBuf,
    random: Random,
    members: Vec<Member>,
    events: (Sender<Event>, Receiver<Event>),
    /// Acknowledged transactions by their numbers: whose, and which.
    log: BTreeMap<u64, (usize, u64)>,
    conflicts: u64,
    states: u64,
    /// The longest that anyone said nothing.
    silence: Duration,
}

impl Team {
    fn new(folder: &Path, seed: u64) -> Self {
        let mut team = Self {
            folder: folder.to_owned(),
            random: Random(seed),
            members: Vec::new(),
            events: channel(),
            log: BTreeMap::new(),
            conflicts: 0,
            states: 0,
            silence: Duration::ZERO,
        };
        for member in 0..WRITERS + READERS {
            let name = match member.checked_sub(WRITERS) {
                None => format!("writer {member}"),
                Some(reader) => format!("reader {reader}"),
            };
            let process = team.start(member as usize, &name, 0);
            team.members.push(Member {
                name,
                process,
                life: 0,
                may_end: false,
                has_ended: false,
                heard: Instant::now(),
                said: "nothing".to_owned(),
                acknowledged: 0,
                epoch: 0,
            });
        }
        team
    }

    /// Starts a member, and a thread that listens to it.
    fn start(&mut self, member: usize, name: &str, life: u64) -> Process {
        let (role, number) = name.split_once(' ').unwrap();
        let epoch = self.log.last_key_value().map_or(0, |(lsn, _)| *lsn);
        let orders = format!("{number} {} {epoch} {}", self.random.next(), self.folder.display());
        let (process, mut report) = TestChild::start(role, &orders).split();
        let events = self.events.0.clone();
        std::thread::spawn(move || {
            loop {
                let said = report.next_line();
                let ended = said.is_none();
                // Once the round has failed, no one is there to hear.
                if events.send(Event { member, life, said }).is_err() || ended {
                    return;
                }
            }
        });
        process
    }

    /// Kills some members at once, and starts them again when all that they said has been heard.
    fn kill(&mut self, victims: &[usize]) {
        for &victim in victims {
            self.members[victim].process.kill();
            self.members[victim].may_end = true;
        }
        for &victim in victims {
            while !self.members[victim].has_ended {
                self.listen();
            }
            let (name, life) = (self.members[victim].name.clone(), self.members[victim].life + 1);
            let process = self.start(victim, &name, life);
            let member = &mut self.members[victim];
            (member.process, member.life) = (process, life);
            (member.may_end, member.has_ended) = (false, false);
            member.heard = Instant::now();
        }
    }

    /// Waits for the next event, and checks it against all that is known.
    fn listen(&mut self) {
        match self.events.1.recv_timeout(PATIENCE / 10) {
            Ok(event) => self.hear(event),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("the team has a sender, too"),
        }
        let silent = |m: &Member| !m.has_ended && m.heard.elapsed() > PATIENCE;
        if let Some(member) = self.members.iter().find(|member| silent(member)) {
            panic!("{} says nothing any more\n{}", member.name, self.who_waits());
        }
    }

    fn hear(&mut self, event: Event) {
        let member = &mut self.members[event.member];
        assert_eq!(event.life, member.life, "a member's former life was heard to its end");
        self.silence = self.silence.max(member.heard.elapsed());
        member.heard = Instant::now();
        let Some(said) = event.said else {
            assert!(member.may_end, "{} ended: {}", member.name, member.process.outcome());
            member.has_ended = true;
            return;
        };
        let mut words = said.split(' ');
        let word = words.next().unwrap();
        let mut number = || words.next().unwrap().parse::<u64>().unwrap();
        match word {
            "found" => {
                let (found, known) = (number(), member.acknowledged);
                assert!(
                    found == known || found == known + 1,
                    "{} finds {found} of its transactions; {known} were acknowledged",
                    member.name
                );
                member.acknowledged = found;
            }
            "done" => {
                let (at, lsn) = (number(), number());
                assert_eq!(at, member.acknowledged, "{} goes on where it was", member.name);
                member.acknowledged += 1;
                assert!(lsn > member.epoch, "{}: {lsn} after {}", member.name, member.epoch);
                member.epoch = lsn;
                let other = self.log.insert(lsn, (event.member, at));
                assert_eq!(other, None, "{}: {lsn} was given before", member.name);
                self.conflicts += number();
            }
            "saw" => {
                let epoch = number();
                assert!(epoch >= member.epoch, "{}: {epoch} after {}", member.name, member.epoch);
                member.epoch = epoch;
                self.states += 1;
            }
            "end" => member.may_end = true,
            "failed" => {
                // What it prints tells more.
                member.process.outcome();
                panic!("{} failed", member.name);
            }
            other => panic!("{} says {other:?}", member.name),
        }
        self.members[event.member].said = said;
    }

    /// Who is silent, and what the system knows of the locks and of what each thread waits for.
    fn who_waits(&self) -> String {
        let mut report = String::new();
        let read = |path: String| std::fs::read_to_string(path).unwrap_or_default();
        for member in &self.members {
            let (pid, silent) = (member.process.id(), member.heard.elapsed().as_secs());
            writeln!(report, "{} ({pid}): {:?} {silent} s ago", member.name, member.said).unwrap();
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
            for task in tasks.flatten() {
                let of = |name: &str| read(format!("{}/{name}", task.path().display()));
                let (name, place) = (of("comm"), of("wchan"));
                writeln!(report, "  {} in {place}, {}", name.trim(), of("syscall").trim()).unwrap();
            }
            let locks = read("/proc/locks".to_owned());
            let own = |line: &&str| line.split_whitespace().any(|word| word == pid.to_string());
            for line in locks.lines().filter(own) {
                writeln!(report, "  {line}").unwrap();
            }
        }
        report
    }

    fn kill_some(&mut self) {
        let count = self.members.len() as u64;
        let victims = match self.random.below(8) {
            0 => (0..self.members.len()).collect(),
            1 => vec![
                self.random.below(WRITERS) as usize,
                (WRITERS + self.random.below(READERS)) as usize,
            ],
            _ => vec![self.random.below(count) as usize],
        };
        self.kill(&victims);
    }

    /// Lets all come to their end by themselves.
    fn stop(&mut self) {
        std::fs::write(self.folder.join(STOP), "").unwrap();
        while self.members.iter().any(|member| !member.has_ended) {
            self.listen();
        }
        for member in &mut self.members {
            let outcome = member.process.outcome();
            assert!(outcome.success(), "{}: {outcome}", member.name);
        }
    }
}

fn one_round(seed: u64) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    // A reader that may not write makes no store.
    GraphStore::open(&path, options()).unwrap().close().unwrap();
    let started = Instant::now();
    let mut team = Team::new(dir.path(), seed);
    for _ in 0..KILLS {
        for _ in 0..team.random.below(CALM) {
            team.listen();
        }
        std::thread::sleep(Duration::from_micros(team.random.below(3000)));
        team.kill_some();
    }
    for _ in 0..CALM {
        team.listen();
    }
    team.stop();

    let store = GraphStore::open(&path, options()).unwrap();
    let acknowledged: Vec<u64> =
        team.members[..WRITERS as usize].iter().map(|member| member.acknowledged).collect();
    for _ in 0..2 {
        let report = store.verify().unwrap();
        assert!(report.is_sound(), "{:?}", report.damage);
        let state = store.snapshot().unwrap();
        assert_eq!(ledger::check(&state).unwrap(), acknowledged, "all that was acknowledged");
        ledger::check_entries(&state).unwrap();
        store.compact().unwrap();
    }
    let epoch = store.snapshot().unwrap().epoch();
    assert!(team.log.last_key_value().is_some_and(|(lsn, _)| *lsn <= epoch));
    format!(
        "{epoch} transactions, {} conflicts, {} states read, {} generations, in {} s; silent for {} ms \
         at most",
        team.conflicts,
        team.states,
        store.stats().unwrap().generation,
        started.elapsed().as_secs(),
        team.silence.as_millis()
    )
}

#[test]
fn writers_and_readers_that_are_killed_at_random_agree_on_every_state() {
    if orders().is_some() {
        return;
    }
    let first = variable("SUTRA_PROCESSES_SEED").unwrap_or(1);
    let seeds = first..first + variable("SUTRA_PROCESSES_COUNT").unwrap_or(12);
    for seed in seeds.clone() {
        match std::panic::catch_unwind(|| one_round(seed)) {
            Ok(said) => eprintln!("seed {seed}: {said}"),
            Err(panic) => {
                eprintln!("replay with: cargo xtask crash --only processes --seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    eprintln!(
        "result: {} rounds, each with {KILLS} kills among {WRITERS} writers and {READERS} readers",
        seeds.count()
    );
}
