//! The bytes of a tombstone file.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(|| fuzz::file_seeds(fuzz::Part::Tombstones)),
    |bytes: &[u8]| fuzz::open_damaged(fuzz::Part::Tombstones, bytes)
);
