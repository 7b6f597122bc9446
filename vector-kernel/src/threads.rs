//! Whether rayon's threads can be called.
//!
//! Invariant: no call waits for a thread that a fork left behind in the parent.

use std::sync::atomic::{AtomicU32, Ordering};

/// The process that first asked; 0 before.
static FIRST: AtomicU32 = AtomicU32::new(0);

/// Whether work can be shared among threads: a forked child has the pool of its parent, and none of the
/// threads in it.
pub(crate) fn are_here() -> bool {
    let own = std::process::id();
    let first = FIRST.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed);
    first.unwrap_or_else(|first| if first == own { 0 } else { first }) == 0
}

/// Runs work on so many threads of its own, or on the current pool where `count` is `None` and it can be called.
pub(crate) fn install<R: Send>(count: Option<usize>, work: impl FnOnce() -> R + Send) -> R {
    if count.is_none() && are_here() {
        return work();
    }
    // As many as there are cores, where that is left open.
    match rayon::ThreadPoolBuilder::new().num_threads(count.unwrap_or(0)).build() {
        Ok(pool) => pool.install(work),
        // No thread can be started: then this one does it all.
        Err(_) => work(),
    }
}
