//! The locks, condition variables, atomics, threads and clock of all code whose interleavings are checked.
//!
//! Such code (`store/`, the views of `state/`, the log's group commit, CONTROL's page of counters) takes them from
//! here rather than from `std`, so that `--cfg modelled` puts a checker's in their place: loom's in unit tests,
//! shuttle's in all others. What is checked is the code that runs. Invariant: a lock is never found poisoned,
//! because no holder panics.
//!
//! What stays std's, or a crate's, and no checker sees, since no thread waits by it for another: the bits that say
//! which blocks of a segment were compared, and what was made anew in place of damaged ones (`segment/`: done
//! twice, it is the same); the map of open segments (dashmap: entries are weak, and one that was lost is opened
//! anew); reference counts; the wall clock, and the clock of [`crate::interruptible`], which is the calling
//! thread's own; and the locks within the file systems.

#[cfg(all(modelled, test))]
mod loom;
#[cfg(modelled)]
mod modelled;
#[cfg(not(modelled))]
mod native;
#[cfg(all(modelled, not(test)))]
mod shuttle;

#[cfg(all(modelled, test))]
use self::loom as platform;
#[cfg(not(modelled))]
use self::native as platform;
#[cfg(all(modelled, not(test)))]
use self::shuttle as platform;

use std::time::Duration;

pub(crate) use platform::*;

/// As good as for ever: who waits so long is called, or has nothing to do.
pub(crate) const FOR_EVER: Duration = Duration::from_hours(1);

/// Locks a mutex whose holders never leave its content half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`], if no one has it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
