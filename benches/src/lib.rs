//! Benchmarks of Sutra's crates.
