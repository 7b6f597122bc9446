//! The locks, condition variables and atomics of all code whose interleavings are model-checked.
//!
//! Such code takes them from here and never from `std::sync`, so that a model checker's versions can
//! be put in their place. Invariant: a lock is never found poisoned, because no holder panics.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose holders never leave its content half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
