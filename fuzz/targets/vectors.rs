//! The bytes of an index for approximate vector search.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(fuzz::vector_seeds),
    |bytes: &[u8]| fuzz::search_vectors(bytes)
);
