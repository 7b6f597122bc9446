//! Typed, weighted association graphs as bytes, readable through petgraph's visit traits.
