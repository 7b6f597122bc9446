//! SIMD vector distances, exact and filtered top-k search over borrowed rows.
