//! The bytes of the manifest.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(|| fuzz::file_seeds(fuzz::Part::Manifest)),
    |bytes: &[u8]| fuzz::open_damaged(fuzz::Part::Manifest, bytes)
);
