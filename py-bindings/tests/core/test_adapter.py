"""The adapter keeps concepts and associations whole, and finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sutra_core.graph import Association, AssociationType, Concept
from sutra_core.storage import RustStorageAdapter
from sutra_storage import SutraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIM = 8


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[RustStorageAdapter]:
    with RustStorageAdapter(tmp_path / "store", DIM) as storage:
        yield storage


def axis(at: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    vector = np.zeros(DIM, dtype=np.float32)
    vector[at] = 1.0
    return vector


def whole_concept(concept_id: str = "dog") -> Concept:
    return Concept(
        concept_id,
        "a dog is a loyal animal",
        created=1_000.5,
        access_count=3,
        strength=2.5,
        last_accessed=2_000.25,
        source="zoology.txt",
        category="animals",
        confidence=0.75,
        attributes={"words": ["dog", "hound"], "legs": 4, "nested": {"a": [1, None, True]}},
    )


def test_a_concept_comes_back_whole(storage: RustStorageAdapter) -> None:
    storage.add_concept(whole_concept(), axis(0))
    assert storage.get_concept("dog") == whole_concept()


def test_a_concept_is_whole_after_reopening(tmp_path: Path) -> None:
    with RustStorageAdapter(tmp_path / "store", DIM) as storage:
        storage.add_concept(whole_concept(), axis(0))
    with RustStorageAdapter(tmp_path / "store", DIM) as storage:
        assert storage.get_concept("dog") == whole_concept()
        vector = storage.get_embedding("dog")
        assert vector is not None
        assert vector.tobytes() == axis(0).tobytes()


def test_an_unknown_concept_is_none(storage: RustStorageAdapter) -> None:
    assert storage.get_concept("nothing") is None
    assert storage.get_embedding("nothing") is None
    assert not storage.has_concept("nothing")


def test_a_concept_needs_no_vector(storage: RustStorageAdapter) -> None:
    storage.add_concept(Concept("word", "only words"))
    assert storage.has_concept("word")
    assert storage.get_embedding("word") is None


def test_adding_a_concept_again_replaces_it(storage: RustStorageAdapter) -> None:
    storage.add_concept(whole_concept(), axis(0))
    storage.add_concept(Concept("dog", "another content"), axis(1))
    found = storage.get_concept("dog")
    assert found is not None
    assert found.content == "another content"
    assert storage.stats()["total_concepts"] == 1
    assert storage.search_by_text("loyal") == []


def test_a_deleted_concept_is_gone_with_its_associations(storage: RustStorageAdapter) -> None:
    storage.add_concept(Concept("a", "first"), axis(0))
    storage.add_concept(Concept("b", "second"), axis(1))
    storage.add_association(Association("a", "b"))
    assert storage.delete_concept("b")
    assert not storage.delete_concept("b")
    assert not storage.has_concept("b")
    assert storage.get_neighbors("a") == []
    assert storage.stats()["total_edges"] == 0
    assert [key for key, _ in storage.search_by_embedding(axis(1), 5)] == ["a"]


def test_a_vector_of_another_dimension_is_refused(storage: RustStorageAdapter) -> None:
    with pytest.raises(SutraError):
        storage.add_concept(Concept("a", "first"), np.zeros(DIM + 1, dtype=np.float32))
    assert not storage.has_concept("a")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_vector_that_is_not_finite_is_refused(storage: RustStorageAdapter, bad: float) -> None:
    vector = axis(0)
    vector[3] = bad
    with pytest.raises(SutraError):
        storage.add_concept(Concept("a", "first"), vector)
    with pytest.raises(SutraError):
        storage.search_by_embedding(vector, 1)


def test_a_list_of_floats_is_a_vector(storage: RustStorageAdapter) -> None:
    storage.add_concept(Concept("a", "first"), [1.0, *[0.0] * (DIM - 1)])
    [(found, score)] = storage.search_by_embedding([2.0, *[0.0] * (DIM - 1)], 1)
    assert found == "a"
    assert score == pytest.approx(1.0)


def ends(storage: RustStorageAdapter) -> None:
    for concept_id in ("a", "b", "c"):
        storage.add_concept(Concept(concept_id, f"concept {concept_id}"))


def test_an_association_comes_back_whole(storage: RustStorageAdapter) -> None:
    ends(storage)
    association = Association(
        "a",
        "b",
        AssociationType.CAUSAL,
        "leads_to",
        weight=2.5,
        confidence=0.5,
        created=10.5,
        last_used=20.25,
        source="book",
        attributes={"evidence": [], "page": 7},
    )
    storage.add_association(association)
    assert storage.get_association("a", "b", "leads_to") == association
    assert storage.get_associations("a", "out") == [association]


@pytest.mark.parametrize("kind", list(AssociationType))
@pytest.mark.parametrize("relation", ["", "is_a", "hypernym", "chases", "before", "été"])
def test_kind_and_relation_come_back(
    storage: RustStorageAdapter, kind: AssociationType, relation: str
) -> None:
    ends(storage)
    storage.add_association(Association("a", "b", kind, relation))
    found = storage.get_associations("a", "out")[0]
    assert (found.type, found.relation) == (kind, relation or kind.value)
    assert found.attributes == {}


def test_a_statement_and_its_denial_are_both_kept(storage: RustStorageAdapter) -> None:
    ends(storage)
    storage.add_association(Association.of("a", "is_a", "b", confidence=0.5))
    storage.add_association(Association.of("a", "is_a", "b", negated=True, confidence=0.25))
    stated = storage.get_association("a", "b", "is_a")
    denied = storage.get_association("a", "b", "is_a", negated=True)
    assert stated is not None
    assert denied is not None
    assert (stated.negated, stated.confidence) == (False, 0.5)
    assert (denied.negated, denied.confidence, denied.relation) == (True, 0.25, "is_a")


def test_several_relations_join_one_pair(storage: RustStorageAdapter) -> None:
    ends(storage)
    for relation in ("is_a", "chases", "before"):
        storage.add_association(Association.of("a", relation, "b"))
    assert {a.relation for a in storage.get_associations("a", "out")} == {
        "is_a",
        "chases",
        "before",
    }
    assert storage.get_neighbors("a") == ["b"]


def test_adding_an_association_again_doubles_nothing(storage: RustStorageAdapter) -> None:
    ends(storage)
    storage.add_association(Association("a", "b", weight=1.0))
    storage.add_association(Association("a", "b", weight=3.0))
    assert storage.stats()["total_edges"] == 1
    found = storage.get_association("a", "b", "semantic")
    assert found is not None
    assert found.weight == 3.0


def test_an_association_needs_both_its_concepts(storage: RustStorageAdapter) -> None:
    storage.add_concept(Concept("a", "first"))
    with pytest.raises(SutraError, match="missing"):
        storage.add_association(Association("a", "missing"))
    assert storage.get_neighbors("a") == []


def test_an_unknown_association_is_none(storage: RustStorageAdapter) -> None:
    ends(storage)
    assert storage.get_association("a", "b", "is_a") is None
    assert storage.get_associations("nothing") == []


def test_neighbors_follow_directions_and_relations(storage: RustStorageAdapter) -> None:
    ends(storage)
    storage.add_association(Association.of("a", "is_a", "b"))
    storage.add_association(Association.of("c", "chases", "a"))
    assert storage.get_neighbors("a") == ["b"]
    assert storage.get_neighbors("a", "in") == ["c"]
    assert sorted(storage.get_neighbors("a", "both")) == ["b", "c"]
    assert storage.get_neighbors("a", "both", relations=["chases"]) == ["c"]
    assert storage.degree("a") == 2


def test_associations_are_in_order_of_confidence(storage: RustStorageAdapter) -> None:
    ends(storage)
    storage.add_association(Association.of("a", "is_a", "c", confidence=0.5))
    storage.add_association(Association.of("a", "is_a", "b", confidence=0.5))
    storage.add_association(Association.of("a", "chases", "c", confidence=0.75))
    found = [(a.relation, a.target_id) for a in storage.get_associations("a", "out")]
    assert found == [("chases", "c"), ("is_a", "b"), ("is_a", "c")]


def test_words_find_concepts(storage: RustStorageAdapter) -> None:
    storage.add_concept(Concept("plant", "Photosynthesis stores energy"))
    storage.add_concept(Concept("dog", "Dogs chase cats"))
    hits = storage.search_by_text("the energy of photosynthesis", 5)
    assert [concept for concept, _ in hits] == ["plant"]
    assert hits[0][1] > 0.0
    assert storage.contains_word("dog", "cat")
    assert not storage.contains_word("dog", "energy")


def test_vectors_find_concepts_as_numpy_does(storage: RustStorageAdapter) -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(50, DIM)).astype(np.float32)
    for at, row in enumerate(rows):
        storage.add_concept(Concept(f"c{at}", "concept"), row)
    query = rng.normal(size=DIM).astype(np.float32)
    cosines = rows @ query / (np.linalg.norm(rows, axis=1) * np.linalg.norm(query))
    best = np.argsort(-cosines)[:5]
    hits = storage.search_by_embedding(query, 5)
    assert [concept for concept, _ in hits] == [f"c{at}" for at in best]
    assert [score for _, score in hits] == pytest.approx(cosines[best], abs=1e-5)


def test_hybrid_hits_name_their_legs(storage: RustStorageAdapter) -> None:
    storage.add_concept(Concept("both", "a red apple"), axis(0))
    storage.add_concept(Concept("words", "another red thing"))
    storage.add_concept(Concept("vector", "unlike"), axis(0))
    hits = {hit.id: hit for hit in storage.search_hybrid("red", axis(0), 5)}
    assert hits["both"].words is not None
    assert hits["both"].vector is not None
    assert hits["words"].vector is None
    assert hits["vector"].words is None


def test_reachable_follows_chains_to_a_limit(storage: RustStorageAdapter) -> None:
    ends(storage)
    storage.add_association(Association.of("a", "is_a", "b"))
    storage.add_association(Association.of("b", "is_a", "c"))
    storage.add_association(Association.of("c", "is_a", "a"))
    assert storage.reachable(["a"], ["is_a"], limit=10) == ["a", "b", "c"]
    assert storage.reachable(["a"], ["is_a"], limit=2) == ["a", "b"]
    assert storage.reachable(["a"], ["chases"], limit=10) == ["a"]


def test_paths_name_their_steps(storage: RustStorageAdapter) -> None:
    ends(storage)
    storage.add_association(Association.of("a", "is_a", "b", confidence=0.5))
    storage.add_association(Association.of("c", "has", "b", confidence=0.5))
    paths = storage.find_paths(
        ["a"], ["c"], k=3, max_depth=3, direction="both", types=["is_a", "has"]
    )
    assert [path.concept_ids for path in paths] == [("a", "b", "c")]
    assert paths[0].forward == (True, False)
    assert paths[0].confidence == 0.25


def test_statement_types_leave_out_denials_and_mentions(storage: RustStorageAdapter) -> None:
    ends(storage)
    storage.add_association(Association.of("a", "is_a", "b"))
    storage.add_association(Association.of("a", "is_a", "b", negated=True))
    storage.add_association(Association.of("a", "mentions", "b"))
    storage.add_association(Association.of("a", "names", "b"))
    assert storage.statement_types() == ["is_a"]


def test_a_transaction_is_stored_whole(storage: RustStorageAdapter) -> None:
    with storage.transaction() as tx:
        tx.put_concept(Concept("a", "first"), axis(0))
        tx.put_concept(Concept("b", "second"), None)
        tx.put_association(Association("a", "b"))
        assert tx.has_concept("a")
        assert not storage.has_concept("a")
    assert storage.get_neighbors("a") == ["b"]


def test_a_transaction_that_raises_stores_nothing(storage: RustStorageAdapter) -> None:
    def fail() -> None:
        with storage.transaction() as tx:
            tx.put_concept(Concept("a", "first"), axis(0))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert not storage.has_concept("a")
    assert storage.stats()["total_concepts"] == 0


@pytest.mark.parametrize("concept_id", ["a b", "été", "猫", "x" * 1024, "\x00", "'; DROP"])
def test_any_id_is_an_id(storage: RustStorageAdapter, concept_id: str) -> None:
    storage.add_concept(Concept(concept_id, "content"))
    assert storage.get_concept(concept_id) is not None


@pytest.mark.parametrize("concept_id", ["x" * 1025, "\ud800"])
def test_an_unfit_id_raises(storage: RustStorageAdapter, concept_id: str) -> None:
    with pytest.raises((SutraError, ValueError)):
        storage.add_concept(Concept(concept_id, "content"))


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    storage = RustStorageAdapter(tmp_path / "store", DIM)
    storage.close()
    storage.close()
    with pytest.raises(SutraError):
        storage.has_concept("a")


def test_save_and_repr(storage: RustStorageAdapter) -> None:
    storage.add_concept(Concept("a", "first"))
    storage.save()
    assert "store" in repr(storage)
    assert storage.epoch >= 1
