//! A text: as a query, and as a content that queries must find.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(fuzz::query_seeds),
    |bytes: &[u8]| fuzz::query(bytes)
);
