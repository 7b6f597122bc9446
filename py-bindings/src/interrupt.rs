//! Long calls that end when a key is pressed or a deadline has passed.
//!
//! Invariant: what made a call stop is what it raises, once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;

use crate::arguments::duration;
use crate::errors::{Kind, OrRaise, raise};

thread_local! {
    /// What the signal handler of the process raised, or that the deadline has passed.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    static STOP: Rc<dyn Fn() -> bool> = Rc::new(is_to_stop);
}

/// Runs a call of a store without the GIL; it ends early when a signal is handled by raising, as
/// Ctrl-C is, or when the thread's deadline has passed.
#[inline]
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    run: impl FnOnce() -> storage_core::Result<T> + Send,
) -> PyResult<T> {
    stoppable(py, run)?.or_raise(py)
}

/// As [`detached`], for whatever the call returns.
#[inline]
pub(crate) fn stoppable<T: Send>(py: Python<'_>, run: impl FnOnce() -> T + Send) -> PyResult<T> {
    let outcome = py.detach(|| storage_core::interruptible(STOP.with(Rc::clone), run));
    match RAISED.take() {
        Some(error) => Err(error),
        None => Ok(outcome),
    }
}

fn is_to_stop() -> bool {
    if RAISED.with_borrow(Option::is_some) {
        return true;
    }
    let raised = Python::attach(|py| {
        if DEADLINE.get().is_some_and(|deadline| deadline <= Instant::now()) {
            return Some(raise(py, Kind::Deadline, "the deadline has passed; nothing is lost"));
        }
        py.check_signals().err()
    });
    let stop = raised.is_some();
    RAISED.set(raised);
    stop
}

/// A time by which the calls of a store in a `with` block are to end, in the thread of it.
///
/// What can take long (searches, paths, verifying, compacting, backups, erasing, waiting for a lock)
/// looks at it every 20 ms or so, and raises `DeadlineError` once it has passed; a write that raises it
/// has changed nothing. Within another, the earlier counts.
///
/// Args:
///     seconds: From the block's beginning, 0 or more.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct Deadline {
    after: std::time::Duration,
    /// Those around the blocks that it is at work in.
    outer: Mutex<Vec<Option<Instant>>>,
}

#[pymethods]
impl Deadline {
    #[new]
    fn new(py: Python<'_>, seconds: f64) -> PyResult<Self> {
        let after = duration(py, "seconds", seconds, 1.0)?;
        Ok(Self { after, outer: Mutex::default() })
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        let own = slf.get();
        let outer = DEADLINE.get();
        own.outer.lock().unwrap_or_else(PoisonError::into_inner).push(outer);
        let until = Instant::now() + own.after;
        DEADLINE.set(Some(outer.map_or(until, |outer| outer.min(until))));
        slf
    }

    #[pyo3(signature = (kind, error, trace, /))]
    fn __exit__(
        &self,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        trace: &Bound<'_, PyAny>,
    ) -> bool {
        let _ = (kind, error, trace);
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner).pop();
        DEADLINE.set(outer.flatten());
        false
    }
}
