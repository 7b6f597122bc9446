//! The bytes of a word index.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(fuzz::text_seeds),
    |bytes: &[u8]| fuzz::read_text(bytes)
);
