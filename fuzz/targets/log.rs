//! The bytes of the newest log.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(|| fuzz::file_seeds(fuzz::Part::Log)),
    |bytes: &[u8]| fuzz::open_damaged(fuzz::Part::Log, bytes)
);
