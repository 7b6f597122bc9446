//! Loom's: every interleaving of a small model, with what the memory model allows. `cargo xtask loom`.

use std::io;
use std::time::Duration;

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use loom::thread::{JoinHandle, current, yield_now};
pub(crate) use std::sync::{PoisonError, TryLockError};

use super::modelled;
pub(crate) use super::modelled::{Instant, Published, PublishedOption, sleep};

/// What a thread that opens a store needs; loom's own are small.
const STACK_WORDS: usize = 1 << 16;

/// Gives the lock up for a moment: a model has no time in which to wait.
pub(crate) fn wait_timeout<'a, T>(
    _: &Condvar,
    mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    timeout: Duration,
) -> MutexGuard<'a, T> {
    modelled::give_up(mutex, guard, timeout)
}

pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    loom::thread::Builder::new().name(name.to_owned()).stack_size(STACK_WORDS).spawn(run)
}

/// None more: that other threads see a file between two of its operations is for shuttle.
pub(crate) fn scheduling_point() {}
