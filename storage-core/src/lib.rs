//! Crash-safe embedded store of concepts, associations, vectors and words: the facade GraphStore.
