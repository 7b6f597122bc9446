//! Threads that take turns at every operation on a simulated file system, in an order that a seed chooses.
//!
//! Each thread stands for a process: it has a handle of its own, and shares with the others nothing but the
//! files, their locks and the page of counters. Invariant: of the threads that entered, one runs at a time,
//! and gives its turn up only at an operation or by its end.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use storage_core::fs::{Access, ByteView, File, FileSystem, PageHandle, SimulatedFileSystem};

use super::Random;

thread_local! {
    static THREAD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Schedule {
    turns: Mutex<Turns>,
    passed: Condvar,
}

#[derive(Debug)]
struct Turns {
    random: Random,
    /// Whether each thread has not yet ended.
    alive: Vec<bool>,
    /// Whether each thread found a lock taken that no one has given back since.
    blocked: Vec<bool>,
    turn: usize,
    passing: Passing,
    passes: u64,
}

/// When a turn passes on before its thread has ended.
#[derive(Debug)]
enum Passing {
    /// At one operation in so many.
    OneIn(u64),
    /// After so many operations, once.
    Once(u64),
    Never,
}

impl Turns {
    fn passes_on(&mut self) -> bool {
        match &mut self.passing {
            Passing::OneIn(stretch) => self.random.below(*stretch) == 0,
            Passing::Once(0) => {
                self.passing = Passing::Never;
                true
            }
            Passing::Once(left) => {
                *left -= 1;
                false
            }
            Passing::Never => false,
        }
    }

    /// Gives the turn to any other thread that waits for no lock, if there is one.
    fn pass_from(&mut self, thread: usize) {
        let can_run = |other: usize| self.alive[other] && !self.blocked[other] && other != thread;
        let others: Vec<usize> = (0..self.alive.len()).filter(|&other| can_run(other)).collect();
        if others.is_empty() {
            return;
        }
        self.turn = others[self.random.below(others.len() as u64) as usize];
        self.passes += 1;
    }
}

impl Schedule {
    /// Turns in a random order.
    pub(crate) fn random(seed: u64, threads: usize) -> Arc<Self> {
        let mut random = Random(seed);
        let turn = random.below(threads as u64) as usize;
        let stretch = [1, 4, 16, 64, 256][random.below(5) as usize];
        Self::start(random, threads, turn, Passing::OneIn(stretch))
    }

    /// Of two threads the second runs, from its start to its end, once the first has done so many operations.
    pub(crate) fn overtaking(operations: u64) -> Arc<Self> {
        Self::start(Random(0), 2, 0, Passing::Once(operations))
    }

    fn start(random: Random, threads: usize, turn: usize, passing: Passing) -> Arc<Self> {
        let (alive, blocked) = (vec![true; threads], vec![false; threads]);
        let turns = Turns { random, alive, blocked, turn, passing, passes: 0 };
        Arc::new(Self { turns: Mutex::new(turns), passed: Condvar::new() })
    }

    /// Whether the first thread did not end before its turn passed on.
    pub(crate) fn was_overtaken(&self) -> bool {
        matches!(self.turns().passing, Passing::Never)
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a thread's work, from its first turn on.
    pub(crate) fn enter<T>(&self, thread: usize, work: impl FnOnce() -> T) -> T {
        /// Ends a thread, by a panic too.
        struct Entered<'a>(&'a Schedule, usize);
        impl Drop for Entered<'_> {
            fn drop(&mut self) {
                THREAD.set(None);
                let mut turns = self.0.turns();
                turns.alive[self.1] = false;
                turns.blocked.fill(false);
                turns.pass_from(self.1);
                self.0.passed.notify_all();
            }
        }
        let _entered = Entered(self, thread);
        self.wait(self.turns(), thread);
        THREAD.set(Some(thread));
        work()
    }

    fn wait(&self, mut turns: MutexGuard<'_, Turns>, thread: usize) {
        while turns.turn != thread {
            turns = self.passed.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// An operation of the thread that calls, which may give its turn up before it.
    fn operation(&self) {
        let Some(thread) = THREAD.get() else { return };
        let mut turns = self.turns();
        if turns.passes_on() {
            turns.pass_from(thread);
            self.passed.notify_all();
            self.wait(turns, thread);
        }
    }

    /// The thread that calls found a lock taken: it has no turn until one is given back, while others can
    /// run. Else it would sleep its time away, and with it everyone's.
    fn lock_was_taken(&self) {
        let Some(thread) = THREAD.get() else { return };
        let mut turns = self.turns();
        turns.blocked[thread] = true;
        turns.pass_from(thread);
        if turns.turn == thread {
            turns.blocked.fill(false);
            turns.pass_from(thread);
        }
        self.passed.notify_all();
        self.wait(turns, thread);
    }

    fn lock_was_given_back(&self) {
        self.turns().blocked.fill(false);
    }

    /// How often the turn has passed on.
    pub(crate) fn passes(&self) -> u64 {
        self.turns().passes
    }
}

/// The file system as the threads of a schedule see it.
#[derive(Debug, Clone)]
pub(crate) struct Scheduled {
    pub(crate) disk: SimulatedFileSystem,
    pub(crate) schedule: Arc<Schedule>,
}

impl Scheduled {
    fn disk(&self) -> &SimulatedFileSystem {
        self.schedule.operation();
        &self.disk
    }

    fn file(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(ScheduledFile { file, schedule: Arc::clone(&self.schedule) })
    }
}

impl FileSystem for Scheduled {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk().create_dir_all(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(self.file(self.disk().create_new(path)?))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        Ok(self.file(self.disk().open(path, access)?))
    }

    fn view(&self, path: &Path) -> io::Result<ByteView> {
        self.disk().view(path)
    }

    fn shared_page(&self, path: &Path) -> io::Result<PageHandle> {
        self.disk().shared_page(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk().remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk().sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk().list(path)
    }
}

#[derive(Debug)]
struct ScheduledFile {
    file: Box<dyn File>,
    schedule: Arc<Schedule>,
}

impl File for ScheduledFile {
    fn len(&self) -> io::Result<u64> {
        self.schedule.operation();
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.schedule.operation();
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // In two halves: others may see a frame that is being written.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.schedule.operation();
        self.file.write_all_at(first, offset)?;
        self.schedule.operation();
        self.file.write_all_at(second, offset + first.len() as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.schedule.operation();
        self.file.sync_data()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.schedule.operation();
        let taken = self.file.try_lock()?;
        if !taken {
            self.schedule.lock_was_taken();
        }
        Ok(taken)
    }

    fn unlock(&self) -> io::Result<()> {
        self.schedule.operation();
        self.file.unlock()?;
        self.schedule.lock_was_given_back();
        Ok(())
    }
}

impl Drop for ScheduledFile {
    fn drop(&mut self) {
        self.schedule.lock_was_given_back(); // With its last handle a lock goes as well.
    }
}
