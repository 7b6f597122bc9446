"""The rules that make a chain of associations an argument.

Invariant: what is found is a path of the store, cut by our order and not by that of insertion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from sutra_core.graph.concepts import type_in_store
from sutra_core.graph.path import ReasoningPath
from sutra_core.graph.relations import IS, IS_A, RelationFamily, family_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sutra_core.graph.concepts import Association
    from sutra_core.storage.reader import KnowledgeReader

__all__ = ["PathFinder", "ReasoningPath"]

MAX_HOPS: Final = 20
"""As deep as the chains of kinds in WordNet."""

_BREADTH: Final = 16
"""Paths asked of the store before the rules choose: ties are cut by our order, not by insertion."""


class PathFinder:
    """Finds the best paths in the store.

    The store searches; the rules here say which relations may be chained.
    """

    def __init__(self, storage: KnowledgeReader) -> None:
        """Search `storage`."""
        self._storage = storage

    def connecting(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        *,
        k: int = 3,
        max_hops: int = 6,
    ) -> list[ReasoningPath]:
        """Return the best paths from any of the sources to any of the targets, along any statement.

        Denials don't connect, nor do mentions and names.

        Args:
            sources: Concept ids; those that don't exist are passed over.
            targets: Concept ids likewise.
            k: At most this many paths.
            max_hops: At most this many associations in a path.
        """
        relations = self._storage.statement_types()
        return self._find(sources, targets, relations, "both", max_hops, _is_any)[:k]

    def supporting(
        self,
        sources: Sequence[str],
        relation: str,
        targets: Sequence[str],
        *,
        k: int = 5,
        max_hops: int = MAX_HOPS,
    ) -> list[ReasoningPath]:
        """Return the best arguments that a source stands in a relation to a target.

        The rule: a thing is what its kinds are (``is_a* relation is_a*``), and a transitive
        relation may be repeated. Names that state the relation from target to source are followed
        backwards.

        Args:
            sources: Concept ids.
            relation: A relation's name, of either side of its family.
            targets: Concept ids.
            k: At most this many paths.
            max_hops: At most this many associations in a path.
        """
        family = family_of(relation)
        if relation in family.inverse:
            sources, targets = targets, sources
        found = self._argued(sources, targets, family, family.forward, max_hops)
        if family is IS_A:
            # What bears both names is what it is.
            found += [
                ReasoningPath((same,), (), (), (self._storage.label(same),))
                for same in sources
                if same in targets
            ]
        if family in {IS_A, IS}:
            # "Whales are fish" says "is" where "a whale is a fish" says "is_a".
            other = IS if family is IS_A else IS_A
            found += self._argued(sources, targets, other, other.forward, max_hops)
        elif family.inverse:
            found += self._argued(targets, sources, family, family.inverse, max_hops)
        return sorted(found, key=lambda path: path.order())[:k]

    def denying(
        self,
        sources: Sequence[str],
        relation: str,
        targets: Sequence[str],
        *,
        k: int = 5,
        max_hops: int = MAX_HOPS,
    ) -> list[ReasoningPath]:
        """Return the best arguments that a source does not stand in a relation to a target.

        The rule: what is denied of a kind is denied of all under it, on both sides: from "no animal
        is a plant" it follows that a dog is no oak.
        """
        family = family_of(relation)
        if relation in family.inverse:
            sources, targets, relation = targets, sources, family.name
        above = self._storage.reachable(targets, IS_A.forward, limit=256)
        denied = (*IS_A.forward, *IS.forward) if family in {IS_A, IS} else family.forward
        denials = tuple(type_in_store(name, negated=True) for name in denied)

        def is_argument(path: ReasoningPath) -> bool:
            *kinds, last = path.associations
            return last.negated and all(_states(association, IS_A) for association in kinds)

        names = (*IS_A.forward, *denials)
        found = self._find(sources, above, names, "out", max_hops, is_argument)
        return found[:k]

    def _argued(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        family: RelationFamily,
        names: tuple[str, ...],
        max_hops: int,
    ) -> list[ReasoningPath]:
        def is_argument(path: ReasoningPath) -> bool:
            shape = "".join("r" if a.relation in names else "k" for a in path.associations)
            middle = shape.strip("k")
            if family is IS:
                # What a blue thing is, the sky need not be.
                return shape.endswith("r") and middle == "r"
            return middle != "" and "k" not in middle and (family.transitive or middle == "r")

        allowed = tuple(dict.fromkeys((*IS_A.forward, *names)))
        return self._find(sources, targets, allowed, "out", max_hops, is_argument)

    def _find(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        types: Sequence[str],
        direction: Literal["out", "in", "both"],
        max_hops: int,
        rule: Callable[[ReasoningPath], bool],
    ) -> list[ReasoningPath]:
        if not sources or not targets or not types:
            return []
        found = self._storage.find_paths(
            sources, targets, k=_BREADTH, max_depth=max_hops, direction=direction, types=types
        )
        paths = [path for path in found if rule(path)]
        return sorted(paths, key=lambda path: path.order())


def _states(association: Association, family: RelationFamily) -> bool:
    return not association.negated and association.relation in family.forward


def _is_any(_path: ReasoningPath) -> bool:
    return True
