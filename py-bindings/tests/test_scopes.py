"""Namespaces, expiry, windows of validity, and filters, as Python sees them."""

import copy
import math
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sutra_storage
from sutra_storage import (
    ConflictError,
    Filter,
    GraphStore,
    InvalidArgumentError,
    NotLastError,
    StoreClosedError,
)

if TYPE_CHECKING:
    from sutra_storage._native import _FilterArguments


@pytest.fixture
def store(tmp_path: Path) -> GraphStore:
    return GraphStore(tmp_path / "store", vector_dimension=2)


def test_namespaces_have_ids_searches_and_counts_of_their_own(
    store: GraphStore, tmp_path: Path
) -> None:
    ann, bob = store.namespace("ann"), store.namespace("bob")
    store.put_concept("a", "a river", [1.0, 0.0])
    ann.put_concepts(["a", "b"], ["a stone", "a cloud"], [[0.0, 1.0], [1.0, 1.0]])
    ann.add_association("a", "b")
    with ann.transaction() as tx:
        tx.put_concept("c", "a winter")
    assert (len(store), len(ann), len(bob)) == (1, 3, 0)
    assert (store.namespace_name, ann.namespace_name) == ("", "ann")
    assert store.namespaces() == ["ann"]
    assert ann.search_text("river stone") == ["a"]
    assert [hit.id for hit in ann.search_vector([1.0, 0.0], k=5)] == ["b", "a"]
    assert ann.get_neighbors("a") == ["b"]
    assert store.get_neighbors("a") == []
    assert store.stats()["namespaces"] == 1
    assert ann.stats()["total_concepts"] == 3
    assert "namespace='ann'" in repr(ann)
    store.close()
    with pytest.raises(StoreClosedError):
        len(ann)
    again = GraphStore(tmp_path / "store")
    assert list(again.namespace("ann")) == ["a", "b", "c"]
    assert again.delete_namespace("ann") == 3
    assert again.erase_namespace("ann") == 0
    assert again.namespaces() == []
    for path in (tmp_path / "store").rglob("*"):
        assert not path.is_file() or b"winter" not in path.read_bytes()


def test_leaving_with_on_a_namespace_leaves_the_store_open(store: GraphStore) -> None:
    with store.namespace("ann") as ann:
        ann.put_concept("a", "river")
    assert "a" in store.namespace("ann")
    store.put_concept("a", "stone")
    assert store.search_text("stone") == ["a"]


def test_a_namespace_keeps_its_store_open(tmp_path: Path) -> None:
    ann = GraphStore(tmp_path / "s", 2).namespace("ann").namespace("ann's")
    ann.put_concept("likes", "milk")
    assert list(ann) == ["likes"]


def test_an_expiry_that_was_meant_as_a_duration_is_refused(store: GraphStore) -> None:
    with pytest.raises(InvalidArgumentError, match="timedelta"):
        store.put_concept("a", expires=3600)
    with pytest.raises(InvalidArgumentError, match=r"expires\[1\].*timedelta"):
        store.put_concepts(["a", "b"], expires=[timedelta(hours=1), 60.0])
    with pytest.raises(InvalidArgumentError, match="astimezone"):
        store.put_concept("a", expires=datetime(2100, 1, 1))  # noqa: DTZ001 - what is refused
    assert len(store) == 0


def test_a_namespace_undoes_its_own_and_passes_over_sweeps(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "kept", vector_dimension=2, retention=math.inf) as store:
        ann, bob = store.namespace("ann"), store.namespace("bob")
        ann.put_concept("brief", expires=timedelta(seconds=0.2))
        last = ann.put_concept("note", "a mistake")
        time.sleep(0.3)
        store.delete_expired()
        with pytest.raises(NotLastError, match="another namespace") as raised:
            bob.undo()
        assert raised.value.last == last
        assert isinstance(raised.value, ConflictError)
        assert not raised.value.retryable
        with pytest.raises(NotLastError, match="not the last"):
            ann.undo(last + 1)
        ann.undo(last)
        assert list(ann) == []


def test_what_expires_is_found_by_nothing(store: GraphStore) -> None:
    store.put_concept("brief", "a river", [1.0, 0.0], expires=timedelta(seconds=0.3))
    store.put_concepts(["old", "late"], "a river", expires=[1e9, timedelta(days=1)])
    store.put_concept("lasting", "a river", expires=datetime(2100, 1, 1, tzinfo=UTC))
    store.add_association("lasting", "late", expires=timedelta(seconds=0.3))
    expires = store.get_associations("lasting")[0].expires  # After the concept put before it.
    assert expires is not None
    while time.time() < expires:
        time.sleep(0.01)
    assert list(store) == ["late", "lasting"]
    assert store.search_text("river") == ["late", "lasting"]
    assert store.search_vector([1.0, 0.0]) == []
    assert store.get_associations("lasting") == []
    assert store.get_concept("brief") is None
    store.delete_expired()
    assert store.delete_expired() == 0
    store.update_concept("late", expires=None)
    late = store.get_concept("late")
    assert late is not None
    assert late.expires is None


def test_snapshots_show_what_holds_at_a_time(store: GraphStore) -> None:
    store.put_concepts(["obama", "trump", "usa"], "president")
    start, end = datetime(2009, 1, 20, tzinfo=UTC), datetime(2017, 1, 20, tzinfo=UTC)
    store.add_association("obama", "usa", type="leads", valid_from=start, valid_to=end)
    store.add_associations(["trump"], ["usa"], types="leads", valid_from=end)
    day = datetime(2012, 6, 1, tzinfo=UTC)
    with store.snapshot(valid_at=day) as then, store.snapshot() as whole:
        assert then.get_neighbors("usa", direction="in") == ["obama"]
        assert whole.valid_at(end).get_neighbors("usa", direction="in") == ["trump"]
        assert whole.get_neighbors("usa", direction="in") == ["obama", "trump"]
        assert [p.concept_ids for p in then.find_paths("obama", "usa")] == [["obama", "usa"]]
        assert then.find_paths("trump", "usa") == []
        found = then.get_associations("obama")[0]
        assert (found.valid_from, found.valid_to) == (start.timestamp(), end.timestamp())
        assert copy.copy(found) == found
    store.update_concept("obama", valid_to=1.0)
    obama = store.get_concept("obama")
    assert obama is not None
    assert (obama.valid_from, obama.valid_to) == (None, 1.0)
    assert copy.copy(obama) == obama
    with pytest.raises(InvalidArgumentError, match="valid_to"):
        store.put_concept("x", valid_from=2, valid_to=2)


def test_attributes_filter_every_search(store: GraphStore) -> None:
    for at in range(10):
        store.put_concept(
            f"c{at}",
            "river",
            [1.0, at],
            attributes={"year": 2000 + at, "tags": ["even" if at % 2 == 0 else "odd"]},
            valid_to=at + 1,
        )
    even: _FilterArguments = {"attributes": {"year": {"$gte": 2004}, "tags": {"$contains": "even"}}}
    assert store.search_text("river", filter=even) == ["c4", "c6", "c8"]
    assert sorted(hit.id for hit in store.search_vector([1, 0], filter=even)) == ["c4", "c6", "c8"]
    assert store.concept_ids(filter=even, after="c4", limit=1) == ["c6"]
    assert store.concept_ids(limit=2) == ["c0", "c1"]
    either = Filter(attributes={"$or": [{"year": 2001}, {"year": {"$in": [2003]}}]}, valid_at=2)
    assert store.concept_ids(filter=either) == ["c3"]
    assert either.attributes == {"$or": [{"year": 2001}, {"year": {"$in": [2003]}}]}
    assert repr(either) == (
        "Filter(valid_at=2.0, attributes={'$or': [{'year': 2001}, {'year': {'$in': [2003]}}]})"
    )
    assert either == Filter(attributes=either.attributes, valid_at=2.0)


@pytest.mark.parametrize(
    ("condition", "named"),
    [({"a": {"$near": 1}}, r"\$near"), ({"$or": 1}, r"\$or"), ({"a..b": 1}, "dot")],
)
def test_conditions_that_are_not_understood_are_refused(
    condition: dict[str, object], named: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=named):
        Filter(attributes=condition)


def test_names_that_are_no_namespace_are_refused(store: GraphStore) -> None:
    for name in ["", "n" * 1025]:
        with pytest.raises(InvalidArgumentError, match="namespace"):
            store.namespace(name)
    with pytest.raises(TypeError, match="name"):
        store.namespace(1)  # type: ignore[arg-type]
    assert sutra_storage.GraphStore(":memory:").namespaces() == []


def test_an_export_has_all_namespaces_and_of_a_namespace_its_own(
    store: GraphStore, tmp_path: Path
) -> None:
    store.put_concept("a", "river", valid_to=5.0)
    store.namespace("ann").put_concept("a", "stone")
    store.export_jsonl(tmp_path / "all.jsonl")
    store.namespace("ann").export_jsonl(tmp_path / "ann.jsonl")
    other = GraphStore(":memory:", 2)
    other.import_jsonl(tmp_path / "all.jsonl")
    assert other.namespaces() == ["ann"]
    assert other.namespace("ann").get_concept("a") == store.namespace("ann").get_concept("a")
    assert other.get_concept("a") == store.get_concept("a")
    carol = other.namespace("carol")
    carol.import_jsonl(tmp_path / "ann.jsonl")
    assert carol.get_concept("a") == store.namespace("ann").get_concept("a")
    with pytest.raises(sutra_storage.InvalidExportError, match="namespace"):
        carol.import_jsonl(tmp_path / "all.jsonl")
