//! What checkers have no counterpart of: a clock, and values that are replaced as a whole.

use std::cell::Cell;
use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::time::Duration;

use super::platform::yield_now;
use super::{Mutex, MutexGuard, lock};

thread_local! {
    // An execution's threads all run on the one that checks it, and executions are checked side by side.
    static TICKS: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A moment of a clock that goes on when it is looked at, or waited for: an execution's times depend on
/// its interleaving alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        pass(Duration::from_millis(1));
        Self(TICKS.get())
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::now() - self
    }

    pub(crate) fn checked_add(self, time: Duration) -> Option<Self> {
        self.0.checked_add(time).map(Self)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Lets time pass.
fn pass(time: Duration) {
    TICKS.set(TICKS.get().saturating_add(time));
}

/// Lets others have their turns, and some of the time pass: not so much that the end of the wait comes before
/// these.
pub(crate) fn sleep(time: Duration) {
    pass(time / 4);
    yield_now();
}

/// Gives a lock up for a moment.
pub(super) fn give_up<'a, T>(
    mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    time: Duration,
) -> MutexGuard<'a, T> {
    drop(guard);
    sleep(time);
    lock(mutex)
}

/// Stands for arc-swap's: a lock that is held for no longer than one look.
pub(crate) struct Published<T>(Mutex<Arc<T>>);

impl<T> Published<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self(Mutex::new(Arc::new(value)))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        self.load_full()
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        Arc::clone(&lock(&self.0))
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        // What was there is dropped without the lock: dropping it may need others.
        let before = std::mem::replace(&mut *lock(&self.0), value);
        drop(before);
    }
}

impl<T> fmt::Debug for Published<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Published").finish_non_exhaustive()
    }
}

/// As [`Published`], where there may be none.
pub(crate) struct PublishedOption<T>(Mutex<Option<Arc<T>>>);

impl<T> PublishedOption<T> {
    pub(crate) fn empty() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn load_full(&self) -> Option<Arc<T>> {
        lock(&self.0).clone()
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        let before = std::mem::replace(&mut *lock(&self.0), value);
        drop(before);
    }
}

impl<T> fmt::Debug for PublishedOption<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PublishedOption").finish_non_exhaustive()
    }
}
