//! The bytes of a segment.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(|| fuzz::file_seeds(fuzz::Part::Segment)),
    |bytes: &[u8]| fuzz::open_damaged(fuzz::Part::Segment, bytes)
);
