//! Stopping long calls: a deadline, or a key that was pressed.
//!
//! What can take long asks here every now and then whether it is to go on. Invariant: a call that is
//! stopped leaves nothing behind but what any failed call may; no commit is stopped once its frame is
//! written.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// How long a call goes on at most before it asks again.
const PAUSE: Duration = Duration::from_millis(20);

/// Tells whether the calls of a thread are to stop.
type Stop = Rc<dyn Fn() -> bool>;

thread_local! {
    static STOP: RefCell<Option<Stop>> = const { RefCell::new(None) };
    static NEXT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs something whose calls of a store, by this thread, stop once `stop` says so.
///
/// It is asked every 20 ms or so by what can take long: searches, paths, verifying, compacting, backups,
/// erasing, waiting for a lock. A call that is stopped fails with [`Error::Interrupted`]; a write that is,
/// has changed nothing. One within another takes its place.
///
/// ```
/// use std::rc::Rc;
/// use std::time::{Duration, Instant};
///
/// use storage_core::{GraphStore, StoreConfig, interruptible};
///
/// let store = GraphStore::in_memory(StoreConfig::default())?;
/// let deadline = Instant::now() + Duration::from_secs(2);
/// let hits = interruptible(Rc::new(move || Instant::now() > deadline), || {
///     store.search_text("words", 10)
/// })?;
/// assert!(hits.is_empty());
/// # Ok::<(), storage_core::Error>(())
/// ```
pub fn interruptible<T>(stop: Rc<dyn Fn() -> bool>, run: impl FnOnce() -> T) -> T {
    /// Puts the one around it back, also when `run` panics.
    struct Restore(Option<Stop>);
    impl Drop for Restore {
        fn drop(&mut self) {
            STOP.set(self.0.take());
        }
    }
    NEXT.set(None);
    let _restore = Restore(STOP.replace(Some(stop)));
    run()
}

/// Runs what has to be done to its end.
pub(crate) fn to_its_end<T>(run: impl FnOnce() -> T) -> T {
    interruptible(Rc::new(|| false), run)
}

/// Fails when the calls of this thread are to stop.
pub(crate) fn check() -> Result<()> {
    if is_wanted() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Whether the calls of this thread are to stop; asks at most every [`PAUSE`].
pub(crate) fn is_wanted() -> bool {
    let Some(stop) = STOP.with_borrow(Option::clone) else { return false };
    let now = Instant::now();
    match NEXT.get() {
        // What a call does in its first moments is not worth asking for.
        None => NEXT.set(Some(now + PAUSE)),
        Some(next) if now >= next => {
            if stop() {
                return true;
            }
            NEXT.set(Some(Instant::now() + PAUSE));
        }
        Some(_) => {}
    }
    false
}

/// As [`check`], but asks at once: for what was stopped a moment ago.
pub(crate) fn check_now() -> Result<()> {
    let stop = STOP.with_borrow(Option::clone);
    if stop.is_some_and(|stop| stop()) { Err(Error::Interrupted) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_until_stopped() -> bool {
        (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            check().is_err()
        })
    }

    #[test]
    fn calls_stop_when_they_are_told_to_and_only_within() {
        assert!(check().is_ok());
        assert!(interruptible(Rc::new(|| true), wait_until_stopped));
        assert!(check().is_ok());
        interruptible(Rc::new(|| true), || {
            assert!(!interruptible(Rc::new(|| false), || {
                std::thread::sleep(PAUSE * 2);
                check().is_err()
            }));
            assert!(wait_until_stopped());
        });
    }
}
