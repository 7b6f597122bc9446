//! What the benchmarks of Sutra's crates share: the data they run on, and how much of it.
//!
//! The benchmarks themselves are in `benches/`, one file a crate; `python/` measures the whole store.
//! `cargo bench -p benches` measures; `cargo test -p benches --benches` runs each once on little input,
//! which checks its answers.
//!
//! Invariant: the data is the repository's slice of WordNet, or comes from a seed; it is the same in
//! every run.

mod random;
mod wordnet;

pub use random::Random;
pub use wordnet::WordNet;

/// Whether criterion measures in this process; otherwise it runs each benchmark once, as a test.
#[must_use]
pub fn is_measuring() -> bool {
    let mut arguments = std::env::args();
    let (mut bench, mut test) = (false, false);
    for argument in arguments.by_ref() {
        bench |= argument == "--bench";
        test |= argument == "--test";
    }
    bench && !test
}

/// `full` when measuring, `tiny` as a test.
#[must_use]
pub fn size(full: usize, tiny: usize) -> usize {
    if is_measuring() { full } else { tiny }
}
