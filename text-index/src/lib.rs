//! Word index: analysis, dictionary, posting lists and exact BM25 top-k over bytes.
