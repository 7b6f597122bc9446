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
