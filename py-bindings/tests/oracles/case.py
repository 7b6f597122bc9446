"""A store in one of the states that it goes through, and what it is to answer there.

Invariant: the states come in the order of `STATES`, of one store in one folder.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from sutra_core.storage import RustStorageAdapter

from .change import change
from .graph import Graph
from .vectors import Vectors
from .words import Words

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from sutra_storage import Hit

    from .content import Content
    from .data import Data
    from .ranking import Ranking

STATES: Final = ("written", "reopened", "changed", "compacted")


class Oracles(NamedTuple):
    """The answers to all queries, from what a store should hold."""

    data: Data
    content: Content
    words: Words
    vectors: Vectors
    graph: Graph

    @classmethod
    def of(cls, data: Data, content: Content) -> Oracles:
        """Return oracles that have computed nothing yet."""
        return cls(
            data, content, Words(data, content), Vectors(data, content), Graph(data, content)
        )


class Case(NamedTuple):
    """A store in one of the states, and what it is to answer."""

    state: str
    storage: RustStorageAdapter
    oracles: Oracles

    def check_ranking(
        self, ranking: Ranking, hits: Iterable[Hit | tuple[str, float]], query: object
    ) -> None:
        """Compare hits with a ranking."""
        place = self.oracles.content.place
        ranking.check([(place[concept_id], score) for concept_id, score in hits], query)


def cases(data: Data, where: Path) -> Generator[Case]:
    """Take a store through its states; then begin again with another, for tests out of order."""
    for turn in count():
        folder = where / f"store{turn}"
        with RustStorageAdapter(folder) as storage:
            before = Oracles.of(data, data.write(storage.store))
            yield Case("written", storage, before)
        with RustStorageAdapter(folder) as storage:
            yield Case("reopened", storage, before)
            after = Oracles.of(data, change(storage.store, before.content))
            yield Case("changed", storage, after)
            storage.store.compact()
            yield Case("compacted", storage, after)
