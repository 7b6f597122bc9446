//! Shuttle's: random interleavings of whole stores. `cargo xtask crash --only shuttle`.

use std::io;
use std::time::Duration;

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use shuttle::thread::{JoinHandle, current, yield_now};
pub(crate) use std::sync::{PoisonError, TryLockError};

use super::modelled;
pub(crate) use super::modelled::{Instant, Published, PublishedOption, sleep};

/// Gives the lock up: until it is notified, or for a moment in which some of the time passes.
pub(crate) fn wait_timeout<'a, T>(
    condvar: &Condvar,
    mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    timeout: Duration,
) -> MutexGuard<'a, T> {
    if timeout >= super::FOR_EVER {
        return condvar.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
    modelled::give_up(mutex, guard, timeout)
}

pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    shuttle::thread::Builder::new().name(name.to_owned()).spawn(run)
}

/// Another thread may go on here.
pub(crate) fn scheduling_point() {
    // No yielding: a checker that gives threads ranks would take the rank away for that.
    AtomicBool::new(false).load(Ordering::Relaxed);
}
