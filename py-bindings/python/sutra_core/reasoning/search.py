"""Search by words and vectors together. Invariant: each hit names its place in each leg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutra_core.reasoning.result import Leg, SearchHit

if TYPE_CHECKING:
    from sutra_core.nlp.embedder import Embedder
    from sutra_core.storage.reader import KnowledgeReader


class HybridSearch:
    """Searches the texts of a store."""

    def __init__(
        self, storage: KnowledgeReader, embedder: Embedder | None, *, recall: float = 1.0
    ) -> None:
        """Search `storage`; without an embedder by words only.

        Args:
            storage: What is searched.
            embedder: What turns queries into vectors, or None.
            recall: How many of the nearest vectors are to be found, as a share, on average: 1.0
                for all of them; less, to search by the store's indexes.
        """
        self._storage = storage
        self._embedder = embedder
        self._recall = recall

    def search(self, query: str, limit: int = 10) -> list[SearchHit]:
        """Return at most `limit` concepts, best first."""
        vector = None if self._embedder is None else self._embedder.embed_query(query)
        hits = []
        for hit in self._storage.search_hybrid(query, vector, limit, recall=self._recall):
            concept = self._storage.get_concept(hit.id)
            legs = {
                name: Leg(leg.rank, leg.score)
                for name, leg in (("words", hit.words), ("vector", hit.vector))
                if leg is not None
            }
            content = "" if concept is None else concept.content
            hits.append(SearchHit(hit.id, hit.score, content, legs))
        # Equal scores are in order of insertion in the store; here of id.
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))
