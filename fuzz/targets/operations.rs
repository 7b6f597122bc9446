//! A workload, beside a model in plain maps.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(fuzz::operation_seeds),
    |bytes: &[u8]| fuzz::operate(bytes)
);
