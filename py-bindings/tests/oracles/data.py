"""A data set: what there is to store, and the queries that are asked of the store.

Invariant: the same folder makes the same data and queries, whatever ran before.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from sutra_core.nlp.embedder import StaticEmbedder
from sutra_storage import analyze

from .content import Content, associate, confidences

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from conftest import Knowledge
    from numpy.typing import NDArray

    import sutra_storage

SEED: Final = 7
QUERIES: Final = 2000
"""Queries of words, of each kind."""
HELD_OUT: Final = 500
"""Concepts that are stored without their vector, which is a query instead."""
LARGE: Final = 50_000
"""Of a data set of more concepts, fewer pairs and vector queries are looked at: `Data.thin`."""


@dataclass
class Data:
    """A data set, with the queries that are asked of it.

    Attributes:
        knowledge: Concepts and associations.
        vectors: One row a concept.
        any_of: Queries of three words.
        all_of: Queries of two.
        thin: One in so many pairs of concepts is looked at, and one in so many vector queries asked
            in each state: every one both before and after the change.
    """

    knowledge: Knowledge
    vectors: NDArray[np.float32]
    any_of: list[str]
    all_of: list[str]
    thin: int

    @classmethod
    def of(cls, knowledge: Knowledge, folder: Path | None) -> Data:
        """Read vectors and queries from a folder; make what it lacks."""
        found = folder / "vectors_f16.npy" if folder else None
        if found and found.is_file():
            vectors = np.load(found).astype(np.float32)
        else:
            # Not random ones: real ones lie close, so that a ranking has much to tell apart.
            vectors = StaticEmbedder().embed_documents(knowledge.texts)
        rng = np.random.default_rng(SEED)
        # A cosine must not depend on lengths. Powers of two keep the digits.
        vectors *= np.exp2(rng.integers(-1, 2, (len(vectors), 1))).astype(np.float32)
        found = folder / "text_queries.json" if folder else None
        if found and found.is_file():
            queries = json.loads(found.read_text(encoding="utf-8"))
            any_of, all_of = (
                [" ".join(query["words"]) for query in queries[kind]] for kind in ("or", "and")
            )
        else:
            any_of, all_of = (_queries(rng, knowledge.texts, size) for size in (3, 2))
        thin = 2 if len(vectors) > LARGE else 1
        return cls(knowledge, vectors, any_of, all_of, thin)

    @cached_property
    def held_out(self) -> NDArray[np.intp]:
        """The concepts whose vectors are queries."""
        rng = np.random.default_rng(SEED)
        return rng.permutation(len(self.knowledge.ids))[:HELD_OUT]

    @property
    def vector_queries(self) -> NDArray[np.float32]:
        """The vectors that were held out."""
        return self.vectors[self.held_out]

    def write(self, store: sutra_storage.GraphStore) -> Content:
        """Store all of it."""
        ids, keys = list(self.knowledge.ids), self.knowledge.associations
        has_vector = np.ones(len(ids), bool)
        has_vector[self.held_out] = False
        vectors = np.where(has_vector[:, None], self.vectors, np.float32(0))
        sure = confidences(np.random.default_rng(SEED), keys)
        # Rows of the full data set repeat: the last one holds.
        edges = dict(zip(keys, sure, strict=True))
        categories = [concept_id[0] for concept_id in ids]
        content = Content(ids, self.knowledge.texts, vectors, has_vector, categories, edges)
        content.put(store, range(len(ids)))
        associate(store, keys, sure)
        return content


def _queries(rng: np.random.Generator, texts: Sequence[str], size: int) -> list[str]:
    """Draw words of one gloss a query, as those of the full data set are drawn."""
    found: list[str] = []
    while len(found) < QUERIES:
        gloss = texts[int(rng.integers(len(texts)))].partition(": ")[2].lower()
        words = sorted({word for word in re.findall(r"[a-z]{3,}", gloss) if analyze(word)})
        if len(words) >= size:
            found.append(" ".join(rng.choice(words, size, replace=False)))
    return found
