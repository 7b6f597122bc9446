//! The Python modules of Sutra.
