//! What the store runs on: std's, and arc-swap for what readers look at without waiting.

use std::io;
use std::time::Duration;

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
pub(crate) use std::thread::{JoinHandle, current, sleep};
pub(crate) use std::time::Instant;

/// A value that is replaced as a whole, and read without waiting.
pub(crate) use arc_swap::ArcSwap as Published;
/// As [`Published`], where there may be none.
pub(crate) use arc_swap::ArcSwapOption as PublishedOption;

/// Gives the lock up until it is notified, or for a while; it may also return for no reason.
pub(crate) fn wait_timeout<'a, T>(
    condvar: &Condvar,
    _: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    timeout: Duration,
) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner).0
}

/// Starts a thread that has a name.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run)
}

/// Where a checker may let another thread go on; the processor needs no leave.
pub(crate) fn scheduling_point() {}
