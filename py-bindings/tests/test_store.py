"""The everyday calls of a store: as it was written, reopened, flushed, compacted, and in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sutra_storage

if TYPE_CHECKING:
    from collections.abc import Callable

    Again = Callable[[sutra_storage.GraphStore], sutra_storage.GraphStore]


def _as_written(store: sutra_storage.GraphStore) -> sutra_storage.GraphStore:
    return store


def _reopened(store: sutra_storage.GraphStore) -> sutra_storage.GraphStore:
    store.close()
    return sutra_storage.GraphStore(store.path, store.vector_dimension, create=False)


def _flushed(store: sutra_storage.GraphStore) -> sutra_storage.GraphStore:
    store.flush()
    return _reopened(store)


def _compacted(store: sutra_storage.GraphStore) -> sutra_storage.GraphStore:
    store.flush()
    store.compact()
    return store


@pytest.fixture(params=[_as_written, _reopened, _flushed, _compacted])
def again(request: pytest.FixtureRequest) -> Again:
    """Looks at a store anew, in one of the states that it can be in."""
    found: Again = request.param
    return found


def _open(path: Path, dim: int = 3, **options: Any) -> sutra_storage.GraphStore:
    return sutra_storage.GraphStore(path, dim, **options)


def test_the_calls_of_the_readme_keep_working(tmp_path: Path) -> None:
    embedding = np.linspace(-1.0, 1.0, 384)
    with sutra_storage.GraphStore(str(tmp_path / "data"), vector_dimension=384) as store:
        store.add_vector("plant", embedding)
        store.add_vector("sun", embedding[::-1])
        store.put_concept("leaf", "photosynthesis turns light into energy")
        store.add_association("sun", "plant")
        store.add_association("sun", "leaf", type="feeds", weight=2.0, confidence=0.5)
        store.save()
    store.close()
    with sutra_storage.GraphStore(str(tmp_path / "data")) as store:
        found = store.get_vector("plant")
        assert found is not None
        np.testing.assert_array_equal(found, embedding.astype(np.float32))
        assert store.get_neighbors("sun") == ["plant", "leaf"]
        assert store.search_text("photosynthesis energy") == ["leaf"]
        assert store.search_text(["photosynthesis", "absent"], limit=10) == ["leaf"]
        stats = store.stats()
        assert (stats["total_vectors"], stats["total_concepts"], stats["total_edges"]) == (2, 3, 2)
        assert store.get_vector("nobody") is None
        assert store.get_vector("leaf") is None
        assert store.get_neighbors("nobody") == []


def test_a_concept_comes_back_whole(tmp_path: Path, again: Again) -> None:
    attributes = {"n": [1, 2.5, None, True], "deep": {"text": "größe"}, "big": 2**63}
    store = _open(tmp_path / "s")
    store.put_concept(
        "a",
        "the content",
        [0.1, 0.2, 0.3],
        created=12.5,
        last_accessed=13.25,
        access_count=4,
        strength=0.5,
        confidence=0.25,
        source="book",
        category="kind",
        attributes=attributes,
    )
    store = again(store)
    found = store.get_concept("a")
    assert found is not None
    assert (found.id, found.content, found.created, found.last_accessed) == (
        "a",
        "the content",
        12.5,
        13.25,
    )
    assert (found.access_count, found.strength, found.confidence) == (4, 0.5, 0.25)
    assert (found.source, found.category, found.attributes) == ("book", "kind", attributes)
    assert found.vector is not None
    np.testing.assert_array_equal(found.vector, np.array([0.1, 0.2, 0.3], np.float32))
    without = store.get_concept("a", vector=False)
    assert without is not None
    assert without.vector is None
    assert store.get_concept("b") is None
    store.close()


def test_vectors_come_back_bit_by_bit(tmp_path: Path, again: Again) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((300, 17)).astype(np.float32)
    matrix[0] = 0.0
    matrix[1, 0] = -0.0
    matrix[1, 1] = np.finfo(np.float32).tiny / 2
    matrix[1, 2] = np.finfo(np.float32).max
    ids = [f"v{at}" for at in range(len(matrix))]
    store = _open(tmp_path / "s", 17)
    store.add_vectors(ids, matrix)
    store = again(store)
    found, mask = store.get_vectors([*ids, "nobody"])
    assert (found.shape, found.dtype.name, mask.dtype.name) == ((301, 17), "float32", "bool")
    assert mask.tolist() == [True] * 300 + [False]
    np.testing.assert_array_equal(found[:300].view(np.uint32), matrix.view(np.uint32))
    assert not found[300].any()
    store.close()


def test_a_returned_vector_is_the_callers_own(tmp_path: Path) -> None:
    with _open(tmp_path / "s") as store:
        store.add_vector("a", [1, 2, 3])
        first = store.get_vector("a")
        assert first is not None
        assert first.flags.owndata
        assert first.flags.writeable
        first[:] = 9
        second = store.get_vector("a")
        assert second is not None
        assert second.tolist() == [1.0, 2.0, 3.0]


def test_updates_deletes_and_patches(tmp_path: Path, again: Again) -> None:
    store = _open(tmp_path / "s")
    store.put_concepts(["a", "b", "c"], ["apple", "banana", "cherry"], np.eye(3), sources="old")
    store.add_associations(["a", "b"], ["b", "c"])
    store.put_concept("a", "apricot")
    store.update_concept("b", content="blueberry", source=None, category="fruit", strength=2.0)
    assert store.delete("c")
    assert not store.delete("c")
    store = again(store)
    assert store.search_text("apple banana cherry") == []
    assert store.search_text("apricot blueberry") == ["a", "b"]
    assert store.get_vector("a") is None
    found = store.get_concept("b", vector=True)
    assert found is not None
    assert (found.source, found.category, found.strength) == (None, "fruit", 2.0)
    assert found.vector is not None
    assert store.get_neighbors("a") == ["b"]
    assert store.get_neighbors("b") == []
    assert list(store) == ["a", "b"]
    assert store.stats()["total_edges"] == 1
    store.close()


def test_delete_many_and_erase_leave_nothing(tmp_path: Path) -> None:
    word = "xylophonist"

    def files_with_it() -> list[Path]:
        files = [file for file in (tmp_path / "s").rglob("*") if file.is_file()]
        return [file for file in files if word.encode() in file.read_bytes()]

    with _open(tmp_path / "s", use_compression=False) as store:
        store.put_concepts(["a", "b", "c", word], f"a {word}")
        store.flush()
        assert files_with_it()
        store.delete_many(["a", "b", "nobody"])
        assert store.erase("c")
        assert store.erase(word)
        assert not store.erase(word)
        assert len(store) == 0
        assert files_with_it() == []


def test_associations_have_types_fields_and_two_directions(tmp_path: Path, again: Again) -> None:
    store = _open(tmp_path / "s")
    store.put_concepts(["a", "b", "c"])
    store.add_association("a", "b", type="causal", weight=0.5, confidence=0.75, source="s")
    store.add_association("a", "b")
    store.add_association("a", "b", created=1.5, last_used=2.5, attributes={"k": [1]})
    store.add_associations(
        ["c", "b"], ["a", "a"], types=["causal", "part"], weights=[2, 3.0], confidences=0.5
    )
    store = again(store)
    assert store.get_neighbors("a") == ["b"]
    assert store.get_neighbors("a", direction="in") == ["b", "c"]
    assert store.get_neighbors("a", direction="both", types="causal") == ["b", "c"]
    assert store.get_neighbors("a", direction="both", types=[]) == []
    assert store.get_neighbors("a", types=["unheard of"]) == []
    out = {(x.target_id, x.type): x for x in store.get_associations("a")}
    assert set(out) == {("b", "semantic"), ("b", "causal")}
    plain = out["b", "semantic"]
    assert (plain.created, plain.last_used, plain.attributes) == (1.5, 2.5, {"k": [1]})
    causal = store.get_association("a", "b", "causal")
    assert causal == out["b", "causal"]
    assert causal is not None
    assert (causal.weight, causal.confidence, causal.source) == (0.5, 0.75, "s")
    assert {x.source_id for x in store.get_associations("a", direction="in")} == {"b", "c"}
    assert store.get_associations("a", types=["part"]) == []
    assert store.stats()["total_edges"] == 4
    assert sorted(store.association_types()) == ["causal", "part", "semantic"]
    assert store.delete_association("a", "b", "causal")
    assert not store.delete_association("a", "b", "causal")
    assert store.get_association("a", "b", "causal") is None
    store.close()


def test_an_association_needs_both_its_concepts(tmp_path: Path) -> None:
    with _open(tmp_path / "s") as store:
        store.put_concept("a")
        with pytest.raises(sutra_storage.ConceptNotFoundError, match='"b"') as caught:
            store.add_association("a", "b")
        assert caught.value.concept_id == "b"
        assert store.stats()["total_edges"] == 0
        store.add_association("a", "b", create_missing=True)
        found = store.get_concept("b")
        assert found is not None
        assert found.content == ""
        with pytest.raises(sutra_storage.ConceptNotFoundError):
            store.add_associations(["a", "a"], ["b", "c"], types="t")
        assert store.stats()["total_edges"] == 1


def test_adding_again_doubles_nothing(tmp_path: Path, again: Again) -> None:
    store = _open(tmp_path / "s")
    for _ in range(3):
        store.put_concepts(["a", "b"], "the same words", np.ones((2, 3)), created=5)
        store.add_association("a", "b", weight=3.0)
    store = again(store)
    stats = store.stats()
    assert (stats["total_vectors"], stats["total_concepts"], stats["total_edges"]) == (2, 2, 1)
    assert len(store.search_text("words")) == 2
    assert len(store.search_vector([1, 1, 1])) == 2
    store.close()


def test_time_ranges_are_half_open_and_ordered(tmp_path: Path, again: Again) -> None:
    store = _open(tmp_path / "s")
    noon = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
    store.put_concept("noon", created=noon)
    store.put_concept("later", created=noon.timestamp() + 1)
    store.put_concept("before", created=noon.timestamp() - 0.000001)
    store.put_concept("old", created=-1e9)
    store = again(store)
    assert store.get_concepts_in_range(noon, noon + timedelta(seconds=1)) == ["noon"]
    assert store.get_concepts_in_range(int(noon.timestamp()), noon.timestamp() + 2) == [
        "noon",
        "later",
    ]
    assert store.get_concepts_in_range(float("-inf"), float("inf")) == [
        "old",
        "before",
        "noon",
        "later",
    ]
    assert store.get_concepts_in_range(2.0, 1.0) == []
    # The same moment in another zone is the same moment.
    east = noon.astimezone(timezone(timedelta(hours=9)))
    assert store.get_concepts_in_range(east, east + timedelta(microseconds=1)) == ["noon"]
    with pytest.raises(sutra_storage.InvalidArgumentError, match="time zone"):
        store.get_concepts_in_range(noon.replace(tzinfo=None), noon)
    with pytest.raises(sutra_storage.InvalidArgumentError, match="start"):
        store.get_concepts_in_range(float("nan"), 1)
    store.close()


def test_words_are_or_ed_or_and_ed(tmp_path: Path, again: Again) -> None:
    store = _open(tmp_path / "s")
    store.put_concepts(
        ["1", "2", "3"],
        ["red apples", "green apples and pears", "yellow pears"],
        categories="fruit",
    )
    store.update_concept("3", category="tree")
    store = again(store)
    assert set(store.search_text("apple pear")) == {"1", "2", "3"}
    assert store.search_text("apple pear", operator="and") == ["2"]
    assert store.search_text("apple pear", 1) == ["2"]
    assert store.search_text("apple pear", 0) == []
    assert store.search_text("") == []
    assert store.search_text([]) == []
    assert store.search_text("(pear OR \"' AND *") != []
    hits = store.search_text_scored("pear", k1=0.0, b=0.0)
    assert hits[0].score == hits[1].score
    assert store.search_text("pear", filter={"category": "tree"}) == ["3"]
    assert store.search_text("pear", filter=sutra_storage.Filter(ids=["2", "nobody"])) == ["2"]
    store.close()


def test_a_vector_search_is_exact_and_filtered(tmp_path: Path, again: Again) -> None:
    store = _open(tmp_path / "s", 2)
    store.put_concepts(
        ["n", "e", "s", "w", "none"],
        None,
        [[0, 1], [1, 0], (0, -1), np.array([-1, 0]), None],
        categories=["a", "b", "a", "b", "a"],
        created=[1, 2, 3, 4, 5],
        sources=["x", None, None, "x", "x"],
    )
    store = again(store)
    hits = store.search_vector([1, 0.1], 3)
    assert [hit.id for hit in hits] == ["e", "n", "s"]
    concept_id, score = hits[0]
    assert (concept_id, round(score, 4)) == ("e", 0.995)
    for filter_, expected in (
        ({"category": "a"}, ["n", "s"]),
        ({"source": "x"}, ["n", "w"]),
        ({"created_from": 2, "created_to": 4}, ["e", "s"]),
        ({"ids": ["w", "s"], "category": "b"}, ["w"]),
        ({"category": "no such"}, []),
    ):
        hits = store.search_vector([1, 0.1], filter=filter_)
        assert [hit.id for hit in hits] == expected, filter_
    batches = store.search_vectors(np.array([[1, 0.1], [0, -5]]), 1)
    assert [[hit.id for hit in hits] for hits in batches] == [["e"], ["s"]]
    assert store.search_vectors(np.empty((0, 2))) == []
    assert store.distance("n", "s") == 2.0
    assert store.distance("n", "none") is None
    store.close()


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_distance_is_smaller_for_nearer(metric: Any) -> None:
    with sutra_storage.GraphStore(":memory:", 2, metric=metric) as store:
        store.add_vectors(["a", "b", "c"], np.array([[1, 0], [0.5, 0.5], [-1, 0]]))
        near, far = store.distance("a", "b"), store.distance("a", "c")
        assert near is not None
        assert far is not None
        assert near < far
        expected = {"cosine": 1 - 0.5**0.5, "dot": -0.5, "euclidean": 0.5**0.5}[metric]
        assert near == pytest.approx(expected)
        assert store.metric == metric


def test_hybrid_search_names_each_legs_rank_and_score(tmp_path: Path, again: Again) -> None:
    store = _open(tmp_path / "s", 2)
    store.put_concepts(
        ["both", "words", "vector"],
        ["green tea", "green tea", "coffee"],
        [[1, 0], None, [0.9, 0.1]],
    )
    store = again(store)
    hits = store.search_hybrid("tea", [1, 0], 10)
    assert hits[0].id == "both"
    assert {hit.id for hit in hits} == {"both", "words", "vector"}
    by_id = {hit.id: hit for hit in hits}
    words, vector = by_id["both"].words, by_id["both"].vector
    assert words is not None
    assert vector is not None
    assert (words.rank, vector.rank) == (1, 1)
    assert vector.score == pytest.approx(1.0)
    assert by_id["words"].vector is None
    assert by_id["vector"].words is None
    assert by_id["both"].score == pytest.approx(2 / 61)
    assert [hit.id for hit in store.search_hybrid(vector=[0, 1], k=1)] == ["vector"]
    assert [hit.id for hit in store.search_hybrid("coffee")] == ["vector"]
    with pytest.raises(sutra_storage.InvalidArgumentError, match="text, a vector or both"):
        store.search_hybrid()
    store.close()


def test_paths_name_their_steps_and_directions(tmp_path: Path, again: Again) -> None:
    store = _open(tmp_path / "s")
    store.add_associations(
        ["a", "b", "d", "a"],
        ["b", "c", "c", "c"],
        types=["t", "t", "t", "u"],
        confidences=[0.5, 0.5, 1, 0.1],
        create_missing=True,
    )
    store = again(store)
    best, direct = store.find_paths("a", "c")
    assert best.concept_ids == ["a", "b", "c"]
    assert [step.type for step in best.associations] == ["t", "t"]
    assert (best.forward, best.confidence, len(best)) == ([True, True], 0.25, 2)
    assert (direct.concept_ids, direct.associations[0].type) == (["a", "c"], "u")
    assert repr(best) == "Path('a' -t-> 'b' -t-> 'c', confidence=0.25)"
    (back,) = store.find_paths(["b"], ["d"], direction="both", k=1)
    assert (back.concept_ids, back.forward) == (["b", "c", "d"], [True, False])
    assert store.find_paths("a", "c", types="u", k=9)[0].concept_ids == ["a", "c"]
    assert store.find_paths("a", "c", min_confidence=0.2, max_depth=1) == []
    # What is held impossible explains nothing.
    store.add_association("c", "a", type="t", confidence=0.0)
    assert store.get_neighbors("c", types="t") == ["a"]
    assert store.find_paths("c", "a", min_confidence=0.0) == []
    assert store.find_paths("a", "nobody") == []
    assert store.find_paths("c", "a") == []
    assert store.find_paths("c", "a", direction="in")[0].concept_ids == ["c", "b", "a"]
    store.close()


def test_iteration_sees_one_state_and_any_number(tmp_path: Path) -> None:
    ids = [f"c{at:05}" for at in range(3000)]
    with _open(tmp_path / "s") as store:
        store.put_concepts(ids)
        iterator = iter(store)
        assert next(iterator) == "c00000"
        store.delete_many(ids[:1500])
        store.put_concept("new")
        assert list(iterator) == ids[1:]
        assert list(store) == [*ids[1500:], "new"]
        assert len(store) == 1501
        assert store
        assert "new" in store
        assert "c00000" not in store
        assert store.contains("new")
        found = store.get_concepts(["new", "c00000"])
        assert found[0] is not None
        assert found[1] is None


def test_an_empty_store_is_true(tmp_path: Path) -> None:
    with _open(tmp_path / "s") as store:
        assert bool(store)
        assert len(store) == 0
        assert list(store) == []
        assert store.search_text("anything") == []
        assert store.search_vector([1, 2, 3]) == []


def test_access_counts_and_strengthens(tmp_path: Path, again: Again) -> None:
    store = _open(tmp_path / "s")
    store.put_concept("a", "words stay", [1, 2, 3])
    store.access("a")
    store.access("a", 1.5)
    store = again(store)
    found = store.get_concept("a", vector=True)
    assert found is not None
    assert (found.access_count, found.strength, found.content) == (2, 1.5, "words stay")
    assert found.last_accessed is not None
    assert found.vector is not None
    with pytest.raises(sutra_storage.ConceptNotFoundError):
        store.access("nobody")
    # Reading counts nothing.
    store.get_concept("a")
    after = store.get_concept("a")
    assert after is not None
    assert after.access_count == 2
    store.close()


def test_a_snapshot_never_changes(tmp_path: Path) -> None:
    with _open(tmp_path / "s") as store:
        store.put_concepts(["a", "b"], "words", np.ones((2, 3)))
        store.add_association("a", "b")
        snapshot = store.snapshot()
        store.delete("b")
        store.put_concept("c", "words")
        store.flush()
        store.compact()
        assert list(snapshot) == ["a", "b"]
        assert snapshot.search_text("words") == ["a", "b"]
        assert snapshot.get_neighbors("a") == ["b"]
        assert len(snapshot.search_vector([1, 1, 1])) == 2
        assert store.get_neighbors("a") == []
        assert snapshot.epoch < store.epoch
    # It outlives the store, until it is closed itself.
    with snapshot:
        assert len(snapshot) == 2
    with pytest.raises(sutra_storage.StoreClosedError, match="snapshot"):
        len(snapshot)
    snapshot.close()


def test_leaving_with_saves_and_closes_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="mine"), _open(tmp_path / "s") as store:
        store.put_concept("a")
        raise RuntimeError("mine")
    with pytest.raises(sutra_storage.StoreClosedError):
        store.get_vector("a")
    store.close()
    with _open(tmp_path / "s") as store:
        assert list(store) == ["a"]


def test_a_store_in_memory_is_a_store() -> None:
    with sutra_storage.GraphStore(":memory:", 2) as store:
        store.put_concepts(["a", "b"], ["x", "y"], np.eye(2))
        store.add_association("a", "b")
        store.save()
        assert store.search_text("x") == ["a"]
        assert store.verify().is_sound
    assert not Path(":memory:").exists()


def test_options_are_kept_and_compared(tmp_path: Path) -> None:
    _open(tmp_path / "s", 3, metric="dot", vector_storage="f16", analyzer="simple").close()
    for options in ({"metric": "cosine"}, {"vector_storage": "f32"}, {"analyzer": "english"}):
        given = {"metric": "dot", "vector_storage": "f16", "analyzer": "simple", **options}
        with pytest.raises(sutra_storage.OptionMismatchError) as caught:
            _open(tmp_path / "s", 3, **given)
        assert caught.value.option == next(iter(options))
    with pytest.raises(sutra_storage.OptionMismatchError, match="vector_dimension=3"):
        _open(tmp_path / "s", 4, metric="dot", vector_storage="f16", analyzer="simple")
    store = sutra_storage.GraphStore(tmp_path / "s")
    assert (store.vector_dimension, store.metric) == (3, "dot")
    store.add_vector("a", [1.0, 0.1, 2.0])
    store.put_concept("b", "The running dogs")
    found = store.get_vector("a")
    assert found is not None
    assert found.tolist() == np.array([1.0, 0.1, 2.0], np.float16).astype(np.float32).tolist()
    assert store.search_text("the") == ["b"]
    store.close()


def test_a_new_store_has_the_defaults(tmp_path: Path) -> None:
    for path in (":memory:", tmp_path / "s"):
        with sutra_storage.GraphStore(path) as store:
            assert (store.vector_dimension, store.metric) == (384, "cosine")


def test_reading_only_writes_nothing(tmp_path: Path) -> None:
    with _open(tmp_path / "s") as store:
        store.put_concept("a", "words")
    before = sorted((f, f.stat().st_mtime_ns) for f in (tmp_path / "s").rglob("*"))
    with _open(tmp_path / "s", read_only=True) as store:
        assert store.search_text("words") == ["a"]
        with pytest.raises(sutra_storage.ReadOnlyError):
            store.put_concept("b")
    assert sorted((f, f.stat().st_mtime_ns) for f in (tmp_path / "s").rglob("*")) == before


def test_verify_names_every_damaged_place(tmp_path: Path) -> None:
    with _open(tmp_path / "s") as store:
        store.put_concepts([f"c{at}" for at in range(500)], "some words", np.ones((500, 3)))
        store.flush()
        report = store.verify()
        assert report.is_sound
        assert report.files >= 2
        assert report.bytes > 0
        assert report.damage == []
        segment = next((tmp_path / "s" / "seg").glob("*.seg"))
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 0x10
        segment.write_bytes(content)
        report = store.verify()
        assert not report.is_sound
        assert isinstance(report.damage[0], sutra_storage.CorruptionError)
        assert report.damage[0].path == str(segment)


def test_a_backup_is_a_store_of_its_own(tmp_path: Path) -> None:
    with sutra_storage.GraphStore(tmp_path / "s", 2) as store:
        store.put_concepts(["a", "b"], ["first words", "more words"])
        store.add_association("a", "b")
        assert store.backup(tmp_path / "backup") == store.epoch
        store.delete("a")
        with pytest.raises(sutra_storage.NotAStoreError):
            store.backup(tmp_path / "backup")
    with sutra_storage.GraphStore(tmp_path / "backup", 2) as backup:
        assert backup.verify().is_sound
        assert backup.get_neighbors("a") == ["b"]
        assert backup.search_text("words") == ["a", "b"]
    with (
        sutra_storage.GraphStore(":memory:", 2) as memory,
        pytest.raises(sutra_storage.InvalidArgumentError),
    ):
        memory.backup(tmp_path / "another")


def test_copies_into_a_stores_directory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "s", target_is_directory=True)
    with sutra_storage.GraphStore(tmp_path / "s", 2) as store:
        store.put_concept("a", "words")
        monkeypatch.chdir(tmp_path / "s")
        before = sorted(tmp_path.rglob("*"))
        apart = "path must be apart from the directory of the store"
        own, link = tmp_path / "s", tmp_path / "link"
        for place in (own, own / "new", link / "new", Path("new")):
            with pytest.raises(sutra_storage.InvalidArgumentError, match=apart):
                store.backup(place)
        for place in (own / "new.jsonl", link / "seg" / "new", Path("new")):
            with pytest.raises(sutra_storage.InvalidArgumentError, match=apart):
                store.export_jsonl(place)
        assert sorted(tmp_path.rglob("*")) == before
        store.backup("../beside")


def test_a_search_for_paths_says_that_it_gave_up() -> None:
    with sutra_storage.GraphStore(":memory:", 2) as store:
        store.put_concepts(["a", "b", "c"])
        store.add_associations(["a", "b"], ["b", "c"])
        assert len(store.find_paths("a", "c")) == 1
        assert store.find_paths("a", "c", max_depth=1) == []
        assert store.find_paths("a", "nobody") == []
        with pytest.warns(RuntimeWarning, match="raise max_visited"):
            store.find_paths("a", "c", max_visited=1)
        with pytest.raises(sutra_storage.InvalidArgumentError, match="max_depth"):
            store.find_paths("a", "c", max_depth=65)


def test_the_type_of_an_association_stands_third_everywhere() -> None:
    with sutra_storage.GraphStore(":memory:", 2) as store:
        store.put_concepts(["a", "b"])
        store.add_association("a", "b", "likes")
        with store.transaction() as tx:
            tx.add_association("a", "b", "knows")
        assert store.get_association("a", "b") is None
        found = store.get_association("a", "b", "likes")
        assert found is not None
        assert found == sutra_storage.StoredAssociation("a", "b", "likes", created=found.created)
        assert {a.type for a in store.get_associations("a") if a.target_id == "b"} == {
            "likes",
            "knows",
        }
        assert store.delete_association("a", "b", "likes")


def test_a_filter_names_the_conditions_that_it_knows() -> None:
    with sutra_storage.GraphStore(":memory:", 2) as store:
        known = "category, source, created_from, created_to, valid_at, ids, attributes"
        unknowns: list[Any] = [{"colour": "red"}, {1: "red"}]
        for unknown in unknowns:
            with pytest.raises(TypeError, match=f"it has {known}"):
                store.search_text("x", filter=unknown)


def test_of_an_id_twice_in_a_batch_the_last_row_wins() -> None:
    with sutra_storage.GraphStore(":memory:", 2) as store:
        store.put_concepts(["a", "b", "a"], ["first", "other", "last"])
        found = store.get_concept("a")
        assert found is not None
        assert (len(store), found.content) == (2, "last")


def test_scores_are_shown_to_four_digits() -> None:
    assert repr(sutra_storage.Hit("a", 0.97014250)) == "Hit(id='a', score=0.9701)"
    leg = sutra_storage.Leg(1, 12345.678)
    assert repr(leg) == "Leg(rank=1, score=12345.7)"
    hit = sutra_storage.HybridHit("a", 0.0327868, leg)
    assert "score=0.03279, words=Leg(" in repr(hit)
    association = sutra_storage.StoredAssociation("a", "b", confidence=0.123456)
    assert "weight=1.0, confidence=0.1235)" in repr(association)
    assert association.confidence == float(np.float32(0.123456))
