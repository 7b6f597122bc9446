//! Any JSON as a filter by attributes.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(fuzz::condition_seeds),
    |bytes: &[u8]| fuzz::filter(bytes)
);
