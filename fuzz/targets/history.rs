//! The bytes of a history file.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(|| fuzz::file_seeds(fuzz::Part::History)),
    |bytes: &[u8]| fuzz::open_damaged(fuzz::Part::History, bytes)
);
