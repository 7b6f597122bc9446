"""Concepts and associations refuse nonsense, and grow with use."""

from __future__ import annotations

import pytest

from sutra_core.graph import Association, AssociationType, Concept, family_of, kind_of
from sutra_core.graph.concepts import MAX_STRENGTH
from sutra_core.graph.ids import is_reserved, name_id, text_id
from sutra_core.graph.relations import FAMILIES, phrase_of


def test_access_counts_and_strengthens_towards_a_limit() -> None:
    concept = Concept("a", "first")
    concept.access(now=5.0)
    assert (concept.access_count, concept.last_accessed) == (1, 5.0)
    assert concept.strength > 1.0
    for _ in range(10_000):
        concept.access()
    assert concept.strength <= MAX_STRENGTH
    assert concept.last_accessed is not None
    assert concept.last_accessed > 5.0


def test_strengthen_counts_use() -> None:
    association = Association("a", "b")
    association.strengthen(now=7.0)
    assert association.weight > 1.0
    assert association.last_used == 7.0


def test_strength_above_the_limit_is_not_lowered() -> None:
    concept = Concept("a", "first", strength=50.0)
    concept.access()
    assert concept.strength == 50.0


@pytest.mark.parametrize(
    "fields",
    [
        {"confidence": 1.5},
        {"confidence": -0.1},
        {"confidence": float("nan")},
        {"strength": -1.0},
        {"strength": float("inf")},
        {"access_count": -1},
    ],
)
def test_numbers_out_of_range_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        Concept("a", "first", **fields)  # type: ignore[arg-type]


def test_empty_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Concept("", "first")
    with pytest.raises(ValueError, match="target_id"):
        Association("a", "")


def test_an_association_is_named_by_its_kind_unless_told() -> None:
    assert Association("a", "b").relation == "semantic"
    assert Association("a", "b", AssociationType.CAUSAL).relation == "causal"
    assert Association.of("a", "hypernym", "b").type is AssociationType.HIERARCHICAL


def test_the_mark_of_denial_is_no_relation() -> None:
    with pytest.raises(ValueError, match="negated"):
        Association("a", "b", relation="!is_a")
    with pytest.raises(ValueError, match="AssociationType"):
        Association("a", "b", "no kind")  # type: ignore[arg-type]


def test_a_label_is_the_first_word_else_the_content_else_the_id() -> None:
    assert Concept("i", "content", attributes={"words": ["first", "second"]}).label == "first"
    assert Concept("i", "content").label == "content"
    assert Concept("i", "").label == "i"
    assert Concept("i", "", attributes={"words": [1, "x"]}).words == ("x",)


def test_every_name_is_in_one_family_on_one_side() -> None:
    names = [name for family in FAMILIES for name in (*family.forward, *family.inverse)]
    assert len(names) == len(set(names))
    assert all(family.name in family.forward for family in FAMILIES)


def test_an_unknown_relation_is_its_own_family() -> None:
    family = family_of("chases")
    assert (family.forward, family.inverse, family.transitive) == (("chases",), (), False)
    assert kind_of("chases") is AssociationType.SEMANTIC
    assert kind_of("prevents") is AssociationType.CAUSAL
    assert phrase_of("runs_after") == "runs after"


def test_a_text_has_one_id_whatever_its_white_space_and_unicode_form() -> None:
    assert text_id("a  cafe\u0301\n") == text_id("a caf\xe9")
    assert text_id("a cafe") != text_id("a caf\xe9")
    assert is_reserved(name_id("dog"))
    assert not is_reserved(text_id("dog"))
