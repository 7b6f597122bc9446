"""Searches by words against bm25s, and against intersections of sets.

Invariant: every query is asked in every state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ranking import TOP

if TYPE_CHECKING:
    from .case import Case


def test_any_of_some_words_finds_what_bm25s_finds(case: Case) -> None:
    store, oracles = case.storage.store, case.oracles
    for query, ranking in zip(oracles.data.any_of, oracles.words.any_of, strict=True):
        hits = store.search_text_scored(query, TOP)
        case.check_ranking(ranking, hits, query)


def test_all_of_some_words_finds_what_an_intersection_holds(case: Case) -> None:
    store, oracles = case.storage.store, case.oracles
    for query, ranking in zip(oracles.data.all_of, oracles.words.all_of, strict=True):
        hits = store.search_text_scored(query, TOP, operator="and")
        case.check_ranking(ranking, hits, query)
