//! The locks, condition variables, atomics and clock of all code whose interleavings are model-checked.
//!
//! Such code takes them from here and never from `std::sync`, so that `--cfg loom` puts the model
//! checker's in their place: what is modelled is the code that runs. Invariant: a lock is never found
//! poisoned, because no holder panics.

use std::time::Duration;

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::sync::PoisonError;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::time::Instant;

#[cfg(loom)]
pub(crate) use modelled::Instant;

/// Locks a mutex whose holders never leave its content half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the lock up until it is notified, or for a while; it may also return for no reason.
#[cfg(not(loom))]
pub(crate) fn wait_timeout<'a, T>(
    condvar: &Condvar,
    _: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    timeout: Duration,
) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner).0
}

/// Gives the lock up for a moment: a model has no time in which to wait.
#[cfg(loom)]
pub(crate) fn wait_timeout<'a, T>(
    _: &Condvar,
    mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    _: Duration,
) -> MutexGuard<'a, T> {
    drop(guard);
    loom::thread::yield_now();
    lock(mutex)
}

#[cfg(loom)]
mod modelled {
    //! A clock that looking at it moves on: an execution's times depend on its interleaving alone.

    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        // A model's threads all run on the one that checks it, and models are checked side by side.
        static TICKS: Cell<u64> = const { Cell::new(0) };
    }

    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Instant(u64);

    impl Instant {
        pub(crate) fn now() -> Self {
            TICKS.set(TICKS.get() + 1);
            Self(TICKS.get())
        }

        pub(crate) fn elapsed(self) -> Duration {
            Duration::from_millis(Self::now().0 - self.0)
        }
    }
}
