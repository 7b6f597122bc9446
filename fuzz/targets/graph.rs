//! The bytes of a graph.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::write_seeds(fuzz::graph_seeds),
    |bytes: &[u8]| fuzz::read_graph(bytes)
);
