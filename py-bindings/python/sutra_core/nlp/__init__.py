"""Embedders, and the normal form of names."""

from sutra_core.nlp.embedder import Embedder, StaticEmbedder, choose_embedder
from sutra_core.nlp.names import canonical_name

__all__ = ["Embedder", "StaticEmbedder", "canonical_name", "choose_embedder"]
