"""Confidence: never rises along a path, adds up over independent ones, counts a statement once."""

from __future__ import annotations

import itertools
import random

import pytest

from sutra_core.graph import Association
from sutra_core.graph.path import ReasoningPath
from sutra_core.learning.evidence import MAX_EVIDENCE, Evidence, confidence_of, merged
from sutra_core.reasoning.consensus import MAX_PATHS, MultiPathAggregator

AGGREGATOR = MultiPathAggregator()


def path(*steps: tuple[str, str, str, float]) -> ReasoningPath:
    associations = tuple(
        Association.of(source, relation, target, confidence=confidence)
        for source, relation, target, confidence in steps
    )
    ids = (steps[0][0], *(step[2] for step in steps))
    return ReasoningPath(ids, associations, (True,) * len(steps), ids)


def truth(paths: list[ReasoningPath]) -> float:
    """Return the probability that a path holds, by trying every world."""
    facts: dict[tuple[str, str, str], float] = {}
    for one in paths:
        facts.update(one.facts())
    total = 0.0
    for world in itertools.product([False, True], repeat=len(facts)):
        holds = dict(zip(facts, world, strict=True))
        if any(all(holds[fact] for fact in one.facts()) for one in paths):
            probability = 1.0
            for fact, is_true in holds.items():
                probability *= facts[fact] if is_true else 1.0 - facts[fact]
            total += probability
    return total


def test_nothing_is_no_confidence() -> None:
    assert AGGREGATOR.confidence([]) == 0.0


def test_a_chain_is_no_surer_than_each_of_its_links() -> None:
    chain = path(("a", "leads_to", "b", 0.9), ("b", "causes", "c", 0.8))
    assert chain.confidence == pytest.approx(0.72)
    assert AGGREGATOR.confidence([chain]) == pytest.approx(0.72)


def test_independent_paths_add_up() -> None:
    paths = [path(("a", "is_a", "b", 0.5)), path(("a", "part_of", "b", 0.5))]
    assert AGGREGATOR.confidence(paths) == pytest.approx(0.75)


def test_a_shared_statement_counts_once() -> None:
    shared = ("a", "is_a", "b", 0.5)
    paths = [
        path(shared, ("b", "is_a", "c", 1.0), ("c", "is_a", "z", 1.0)),
        path(shared, ("b", "is_a", "d", 1.0), ("d", "is_a", "z", 1.0)),
    ]
    assert AGGREGATOR.confidence(paths) == pytest.approx(0.5)


def test_two_names_of_one_statement_count_once() -> None:
    backwards = Association.of("b", "hyponym", "a", confidence=0.5)
    other = ReasoningPath(("a", "b"), (backwards,), (False,), ("a", "b"))
    paths = [path(("a", "hypernym", "b", 0.5)), path(("a", "is_a", "b", 0.5)), other]
    assert AGGREGATOR.confidence(paths) == pytest.approx(0.5)
    assert len(AGGREGATOR.rank(paths)) == 1


def test_consensus_is_the_probability_that_a_path_holds() -> None:
    rng = random.Random(11)
    for _ in range(60):
        paths = []
        for _ in range(rng.randint(1, 4)):
            nodes = rng.sample("abcde", rng.randint(2, 4))
            steps = [
                (one, "is_a", other, round(0.2 + 0.1 * ((ord(one) * 7 + ord(other)) % 8), 1))
                for one, other in itertools.pairwise(nodes)
            ]
            paths.append(path(*steps))
        found = AGGREGATOR.confidence(paths)
        assert found == pytest.approx(truth(paths))
        assert max(one.confidence for one in paths) <= found + 1e-12
        assert found <= 1.0


def test_more_paths_than_are_counted_stay_in_range() -> None:
    paths = [path(("a", f"r{at}", "b", 0.9)) for at in range(MAX_PATHS * 3)]
    assert 0.99 < AGGREGATOR.confidence(paths) <= 1.0


def test_ranking_does_not_depend_on_the_order_given() -> None:
    paths = [
        path(("a", "is_a", "b", 0.5)),
        path(("a", "is_a", "c", 0.5)),
        path(("a", "is_a", "x", 1.0), ("x", "is_a", "c", 0.5)),
        path(("a", "is_a", "d", 0.9)),
    ]
    expected = AGGREGATOR.rank(paths)
    for order in itertools.permutations(paths):
        assert AGGREGATOR.rank(order) == expected
    assert [one.concept_ids[-1] for one in expected] == ["d", "b", "c", "c"]


def test_a_path_is_told_in_words() -> None:
    chain = path(("dog", "is_a", "mammal", 1.0), ("mammal", "is_a", "animal", 1.0))
    assert chain.describe() == "dog is a kind of mammal, which is a kind of animal"
    part = Association.of("car", "has", "wheel")
    spoke = Association.of("spoke", "part_of", "wheel")
    ids = ("car", "wheel", "spoke")
    mixed = ReasoningPath(ids, (part, spoke), (True, False), ids)
    assert mixed.describe() == "car has wheel, and spoke is part of wheel"
    denial = Association.of("whale", "is_a", "fish", negated=True)
    ends = ("whale", "fish")
    assert ReasoningPath(ends, (denial,), (True,), ends).describe() == (
        "whale is not a kind of fish"
    )
    assert ReasoningPath(("a",), (), (), ("a",)).describe() == "a"
    called = mixed.called("automobile", "spoke")
    assert called.labels == ("automobile (car)", "wheel", "spoke")


def evidence(concept: str, source: str | None, confidence: float) -> Evidence:
    return Evidence(
        concept=concept, span=[0, 5], source=source, confidence=confidence, extractor="rules-1"
    )


def test_sources_that_agree_make_a_statement_surer() -> None:
    one, other = evidence("t1", "a.txt", 0.5), evidence("t2", "b.txt", 0.5)
    assert confidence_of([one]) == 0.5
    assert confidence_of([one, other]) == 0.75
    assert confidence_of([]) == 0.0


def test_a_source_that_repeats_itself_does_not() -> None:
    one, other = evidence("t1", "a.txt", 0.5), evidence("t2", "a.txt", 0.4)
    assert confidence_of([one, other]) == 0.5
    nameless = [evidence("t1", None, 0.5), evidence("t2", None, 0.5)]
    assert confidence_of(nameless) == 0.5


def test_evidence_is_a_set_of_bounded_size() -> None:
    many = [evidence(f"t{at}", f"s{at}", 0.1 + at / 1000) for at in range(MAX_EVIDENCE * 2)]
    shuffled = random.Random(5).sample(many, len(many))
    assert merged(many, many[:3]) == merged([], shuffled)
    assert len(merged(many, [])) == MAX_EVIDENCE
    assert merged(many, [])[0]["confidence"] == max(e["confidence"] for e in many)
