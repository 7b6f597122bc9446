//! Text to knowledge: WordPiece, the static embedder, sentences and relations.
