"""Hostile arguments: each raises an error that says what to do, and harms nothing."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sutra_storage
from sutra_storage import GraphStore, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

VECTOR = [1.0, 0.0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GraphStore]:
    """A store on files with one concept; it must be as it was after the test."""
    with GraphStore(tmp_path / "s", 2) as store:
        store.put_concept("safe", "and sound", VECTOR)
        epoch = store.epoch
        yield store
        assert store.epoch == epoch
        assert list(store) == ["safe"]
        assert store.verify().is_sound


BY_ID: dict[str, Callable[[GraphStore, Any], object]] = {
    "add_vector": lambda s, x: s.add_vector(x, VECTOR),
    "get_vector": lambda s, x: s.get_vector(x),
    "get_vectors": lambda s, x: s.get_vectors([x]),
    "put_concept": lambda s, x: s.put_concept(x),
    "put_concepts": lambda s, x: s.put_concepts(["fine", x]),
    "get_concept": lambda s, x: s.get_concept(x),
    "get_concepts": lambda s, x: s.get_concepts([x]),
    "update_concept": lambda s, x: s.update_concept(x, content="c"),
    "delete": lambda s, x: s.delete(x),
    "delete_many": lambda s, x: s.delete_many([x]),
    "erase": lambda s, x: s.erase(x),
    "access": lambda s, x: s.access(x),
    "contains": lambda s, x: s.contains(x),
    "in": lambda s, x: x in s,
    "add_association": lambda s, x: s.add_association("safe", x, create_missing=True),
    "add_associations": lambda s, x: s.add_associations([x], ["safe"], create_missing=True),
    "get_neighbors": lambda s, x: s.get_neighbors(x),
    "get_associations": lambda s, x: s.get_associations(x),
    "get_association": lambda s, x: s.get_association(x, "safe"),
    "delete_association": lambda s, x: s.delete_association("safe", x),
    "distance": lambda s, x: s.distance(x, "safe"),
}

BAD_IDS = {
    "empty": "",
    "too_long": "x" * 2048,
    "too_long_in_bytes": "ä" * 513,
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("call", BY_ID)
@pytest.mark.parametrize("name", BAD_IDS)
def test_an_unfit_id_is_refused(store: GraphStore, call: str, name: str) -> None:
    message = "surrogate" if name == "surrogate" else "1 to 1024 bytes"
    with pytest.raises(InvalidArgumentError, match=message):
        BY_ID[call](store, BAD_IDS[name])


@pytest.mark.parametrize("call", BY_ID)
@pytest.mark.parametrize("value", [5, None, b"bytes", 1.5, ["a"], object()])
def test_what_is_no_text_is_no_id(store: GraphStore, call: str, value: object) -> None:
    with pytest.raises(TypeError, match="must be str, not"):
        BY_ID[call](store, value)


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256))
def test_any_text_is_an_id(concept_id: str) -> None:
    with GraphStore(":memory:", 2) as store:
        store.put_concept(concept_id, "x", VECTOR)
        store.add_association(concept_id, concept_id, type=concept_id)
        assert list(store) == [concept_id]
        assert store.get_neighbors(concept_id) == [concept_id]
        assert store.search_vector(VECTOR)[0].id == concept_id
        found = store.get_association(concept_id, concept_id, concept_id)
        assert found is not None
        assert found.type == concept_id
        assert concept_id + "x" not in store


def test_ids_that_tools_trip_over(tmp_path: Path) -> None:
    ids = [
        "a\0b",
        "\0",
        "../../etc/passwd",
        "'; --",
        "%s{}",
        "\n",
        " ",
        "e\u0301",
        "\u00e9",
        "🦀" * 256,
    ]
    with GraphStore(tmp_path / "s", 2) as store:
        store.put_concepts(ids)
        store.flush()
    with GraphStore(tmp_path / "s", 2) as store:
        assert list(store) == ids
        assert all(concept_id in store for concept_id in ids)


COUNTS: dict[str, Callable[[GraphStore, Any], object]] = {
    "search_vector": lambda s, x: s.search_vector(VECTOR, x),
    "search_vectors": lambda s, x: s.search_vectors([VECTOR], x),
    "search_text": lambda s, x: s.search_text("sound", x),
    "search_text_scored": lambda s, x: s.search_text_scored("sound", limit=x),
    "search_hybrid": lambda s, x: s.search_hybrid("sound", VECTOR, x),
    "audit_vectors": lambda s, x: s.audit_vectors(k=x),
    "sample": lambda s, x: s.audit_vectors(sample=x),
    "seed": lambda s, x: s.audit_vectors(seed=x),
    "paths": lambda s, x: s.find_paths("safe", "safe", k=x),
    "max_depth": lambda s, x: s.find_paths("safe", "safe", max_depth=x),
    "max_visited": lambda s, x: s.find_paths("safe", "safe", max_visited=x),
    "access_count": lambda s, x: s.put_concept("new", access_count=x),
}


@pytest.mark.parametrize("call", sorted(COUNTS.keys() - {"access_count", "seed"}))
@pytest.mark.parametrize(
    "count",
    [-1, -(10**40), 2**32, 10**30, 10**5000],
    ids=lambda count: f"{count.bit_length()}_bits",
)
def test_a_count_out_of_range_is_refused(store: GraphStore, call: str, count: int) -> None:
    with pytest.raises(InvalidArgumentError, match="whole number from 0"):
        COUNTS[call](store, count)


@pytest.mark.parametrize("count", [-1, 2**64, 10**5000], ids=["negative", "65_bits", "huge"])
def test_an_access_count_has_64_bits(store: GraphStore, count: int) -> None:
    with pytest.raises(InvalidArgumentError, match="access_count must be a whole number from 0"):
        store.put_concept("new", access_count=count)
    with pytest.raises(InvalidArgumentError, match=r"access_counts\[0\]: "):
        store.put_concepts(["new"], access_counts=[count])
    for most in (2**32, 2**63 - 1, 2**64 - 1):
        with GraphStore(":memory:", 2) as other:
            other.put_concept("a", access_count=most)
            other.put_concepts(["b"], access_counts=[most])
            other.access("a")
            counts = [found.access_count for found in other.get_concepts(["a", "b"]) if found]
            assert counts == [min(most + 1, 2**64 - 1), most]


class Raising:
    """An argument whose own code raises, however it is asked for a value."""

    def __init__(self, error: BaseException) -> None:
        """Raise this error."""
        self.error = error

    def _raise(self, *_: object, **__: object) -> Any:
        raise self.error

    __index__ = __float__ = __iter__ = __array__ = _raise


RUN: dict[str, Callable[[GraphStore, Any], object]] = {
    **COUNTS,
    "strength": lambda s, x: s.put_concept("new", strength=x),
    "created": lambda s, x: s.put_concept("new", created=x),
    "access_counts": lambda s, x: s.put_concepts(["new"], access_counts=[x]),
    "strengths": lambda s, x: s.put_concepts(["new"], strengths=[x]),
    "times": lambda s, x: s.put_concepts(["new"], created=[x]),
    "patch": lambda s, x: s.update_concept("safe", confidence=x),
    "component": lambda s, x: s.add_vector("new", [x, 1.0]),
    "vector": lambda s, x: s.add_vector("new", x),
    "ids": lambda s, x: s.put_concepts(x),
    "contents": lambda s, x: s.put_concepts(["new"], x),
    "filter": lambda s, x: s.search_text("sound", filter={"created_from": x}),
}


@pytest.mark.parametrize("call", RUN)
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), TypeError("mine"), OverflowError("mine"), RuntimeError("mine")]
)
def test_what_an_argument_raises_is_the_callers(
    store: GraphStore, call: str, error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught:
        RUN[call](store, Raising(error))
    assert caught.value is error


NAMED: dict[str, tuple[Callable[[GraphStore], object], str]] = {
    "concept_id": (lambda s: s.get_concept(5), "concept_id must be str"),  # type: ignore[arg-type]
    "content": (lambda s: s.put_concept("new", 5), "content must be str"),  # type: ignore[arg-type]
    "type": (lambda s: s.get_association("a", "b", 5), "type must be str"),  # type: ignore[arg-type]
    "k": (lambda s: s.search_vector(VECTOR, "5"), "k must be an int"),  # type: ignore[arg-type]
    "weight": (
        lambda s: s.add_association("a", "b", weight="x"),  # type: ignore[arg-type]
        "weight must be a number",
    ),
    "created": (
        lambda s: s.put_concept("new", created="now"),  # type: ignore[arg-type]
        "created must be seconds",
    ),
    "category": (lambda s: s.search_text("x", filter={"category": 5}), "category must be str"),
    "query": (lambda s: s.search_text(["a", 5]), r"query\[1\] must be str"),  # type: ignore[list-item]
    "sources": (
        lambda s: s.put_concepts(["new"], sources=[5]),  # type: ignore[list-item]
        r"sources\[0\]: ",
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_wrong_type_is_told_with_the_arguments_name(store: GraphStore, name: str) -> None:
    call, message = NAMED[name]
    with pytest.raises(TypeError, match=message):
        call(store)


@pytest.mark.parametrize("call", COUNTS)
@pytest.mark.parametrize("count", [True, 1.0, "1", None, [1], Decimal(1)])
def test_what_is_no_count_is_refused(store: GraphStore, call: str, count: object) -> None:
    with pytest.raises(TypeError, match="must be an int"):
        COUNTS[call](store, count)


@pytest.mark.parametrize("call", [name for name in COUNTS if name.startswith("search")])
def test_a_huge_count_finds_what_there_is(store: GraphStore, call: str) -> None:
    assert COUNTS[call](store, 2**32 - 1)
    assert COUNTS[call](store, np.int64(5))


class Boaster(list[Any]):
    """A list that says it has any number of items, and yields its own."""

    def __init__(self, items: Iterable[Any], length: int) -> None:
        """Hold the items, and say that there are `length`."""
        super().__init__(items)
        self.length = length

    def __len__(self) -> int:
        """Return what it was told to."""
        return self.length


SIZED: dict[str, Callable[[GraphStore, Callable[[list[Any]], Any]], object]] = {
    "put_concepts": lambda s, of: s.put_concepts(of(["", "safe"])),
    "delete_many": lambda s, of: s.delete_many(of([""])),
    "add_vectors": lambda s, of: s.add_vectors(["", "safe"], of([VECTOR, VECTOR])),
    "vectors": lambda s, of: s.put_concepts(["", "safe"], vectors=of([VECTOR, None])),
    "contents": lambda s, of: s.put_concepts(["", "safe"], of(["c", "d"])),
    "attributes": lambda s, of: s.put_concept("", attributes={"x": of([1, 2])}),
    "source_ids": lambda s, of: s.add_associations(of([""]), of(["safe"])),
    "types": lambda s, of: s.add_associations([""], ["safe"], types=of(["t"])),
}


@pytest.mark.parametrize("length", [0, 1, 2**40, 2**62])
@pytest.mark.parametrize("call", SIZED)
def test_only_what_is_yielded_counts(store: GraphStore, call: str, length: int) -> None:
    # The empty id is refused by the store, which sees it only once all arguments were read.
    with pytest.raises(InvalidArgumentError, match="1 to 1024 bytes"):
        SIZED[call](store, lambda items: Boaster(items, length))


@pytest.mark.parametrize("length", [0, 2**40, 2**62])
def test_only_what_is_yielded_is_looked_for(store: GraphStore, length: int) -> None:
    def boasting(*items: object) -> Boaster:
        return Boaster(items, length)

    assert [len(hits) for hits in store.search_vectors(boasting(VECTOR, VECTOR))] == [1, 1]
    found, mask = store.get_vectors(boasting("safe", "other"))
    assert (found.tolist(), mask.tolist()) == ([VECTOR, [0, 0]], [True, False])
    assert store.search_text(boasting("safe", "sound")) == ["safe"]
    assert store.search_text("sound", filter={"ids": boasting("safe")}) == ["safe"]


class Shrinking:
    """A row that takes the rows after it out of their list as it is read."""

    def __init__(self, rows: list[Any]) -> None:
        """Stand in these rows."""
        self.rows = rows

    def __array__(self, *_: object, **__: object) -> NDArray[np.float64]:
        """Return a vector, once the rows after it are gone."""
        del self.rows[1:]
        return np.array(VECTOR)


def test_rows_that_go_while_they_are_read_are_missed(store: GraphStore) -> None:
    rows: list[Any] = []
    rows += [Shrinking(rows), VECTOR]
    with pytest.raises(InvalidArgumentError, match="1 rows for 2 ids"):
        store.add_vectors(["a", "b"], rows)


ENDLESS: dict[str, Callable[[GraphStore, Any], object]] = {
    "contents": lambda s, x: s.put_concepts(["a", "b"], x),
    "sources": lambda s, x: s.put_concepts(["a", "b"], sources=x),
    "types": lambda s, x: s.add_associations(["safe"], ["safe"], types=x),
}


@pytest.mark.parametrize("call", ENDLESS)
def test_a_column_without_an_end_is_refused(store: GraphStore, call: str) -> None:
    with pytest.raises(InvalidArgumentError, match="has more than"):
        ENDLESS[call](store, itertools.repeat("x"))


def _view(*shape: int) -> NDArray[np.float64]:
    """An array of any shape in eight bytes."""
    return np.broadcast_to(np.float64(1.0), shape)


SHAPES: dict[str, tuple[Callable[[GraphStore], object], str]] = {
    "vector": (lambda s: s.add_vector("a", _view(2**58)), "at most 65535"),
    "query": (lambda s: s.search_vector(_view(2**58)), "at most 65535"),
    "row": (lambda s: s.add_vectors(["a"], [_view(2**58)]), "at most 65535"),
    "rows": (lambda s: s.add_vectors(["a"], _view(2**57, 2)), "rows for 1 ids"),
    "columns": (lambda s: s.add_vectors(["a"], _view(1, 2**58)), "dimension 2, found"),
    "columns_in_transaction": (
        lambda s: s.transaction().put_concepts(["a"], vectors=_view(1, 2**58)),
        "dimension 2, found",
    ),
    "no_columns": (lambda s: s.search_vectors(np.empty((2**50, 0))), "dimension 2, found 0"),
    "queries": (lambda s: s.search_vectors(_view(2, 2**57)), "dimension 2, found"),
    "column": (lambda s: s.put_concepts(["a"], strengths=_view(2**58)), "items for 1 rows"),
    "nested": (lambda s: s.put_concepts(["a"], strengths=_view(1, 2**58)), "shape"),
    "text": (lambda s: s.put_concepts(["a", "b"], np.array("xy")), "shape"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_looked_at_before_it_is_copied(store: GraphStore, name: str) -> None:
    call, message = SHAPES[name]
    with pytest.raises(InvalidArgumentError, match=message):
        call(store)


NO_ROOM = """
import resource
import numpy as np
import sutra_storage
from sutra_core.nlp import StaticEmbedder

embedder = StaticEmbedder()
wide = sutra_storage.GraphStore(":memory:", 65_535)
narrow = sutra_storage.GraphStore(":memory:", 2)
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
try:
    {call}
except MemoryError:
    print("MemoryError")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS binds on Linux only")
@pytest.mark.parametrize(
    "call",
    [
        "wide.get_vectors(['a'] * 2**16)",
        "embedder.embed_documents(['a'] * 2**23)",
        "narrow.search_vectors(np.broadcast_to(np.float32(1), (2**31, 2)))",
        "narrow.search_vectors(np.zeros((2**29, 2), np.float32))",
    ],
)
def test_what_finds_no_room_is_a_memory_error(call: str) -> None:
    ran = subprocess.run(  # noqa: S603 - this Python, on the text above
        [sys.executable, "-P", "-c", NO_ROOM.format(call=call)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "MemoryError\n"), ran.stderr


UNFIT: dict[str, Callable[[GraphStore], object]] = {
    "direction": lambda s: s.get_neighbors("safe", direction="up"),  # type: ignore[arg-type]
    "operator": lambda s: s.search_text("x", operator="not"),  # type: ignore[arg-type]
    "durability": lambda s: s.transaction(durability="never"),  # type: ignore[arg-type]
    "k1": lambda s: s.search_text_scored("sound", k1=-1.0),
    "b": lambda s: s.search_text_scored("sound", b=1.5),
    "k1_nan": lambda s: s.search_text_scored("sound", k1=math.nan),
    "strength": lambda s: s.put_concept("new", strength=-1.0),
    "strength_inf": lambda s: s.put_concept("new", strength=1e300),
    "strength_huge": lambda s: s.put_concept("new", strength=10**400),
    "confidence": lambda s: s.put_concept("new", confidence=1.01),
    "confidence_nan": lambda s: s.add_association("safe", "safe", confidence=math.nan),
    "weight": lambda s: s.add_association("safe", "safe", weight=-0.5),
    "weights": lambda s: s.add_associations(["safe"], ["safe"], weights=[math.inf]),
    "created": lambda s: s.put_concept("new", created=math.inf),
    "created_huge": lambda s: s.put_concept("new", created=10**400),
    "created_from_nan": lambda s: s.search_text("sound", filter={"created_from": math.nan}),
    "created_to_nan": lambda s: s.search_vector(VECTOR, filter={"created_to": math.nan}),
    "min_confidence": lambda s: s.find_paths("safe", "safe", min_confidence=2.0),
    "type_empty": lambda s: s.add_association("safe", "safe", type=""),
    "type_long": lambda s: s.add_association("safe", "safe", type="t" * 1025),
    "type_surrogate": lambda s: s.add_association("safe", "safe", type="\udfff"),
    "content_surrogate": lambda s: s.put_concept("new", "text \ud83d"),
    "source_surrogate": lambda s: s.put_concept("new", source="\ud83d"),
    "query_surrogate": lambda s: s.search_text("\ud83d"),
    "short_column": lambda s: s.put_concepts(["a", "b"], ["one"]),
    "long_column": lambda s: s.put_concepts(["a"], sources=["one", "two"]),
    "uneven_ends": lambda s: s.add_associations(["safe"], ["safe", "safe"]),
    "attribute_nan": lambda s: s.put_concept("new", attributes={"x": [math.nan]}),
    "attribute_inf": lambda s: s.put_concept("new", attributes={"x": math.inf}),
    "attribute_int": lambda s: s.put_concept("new", attributes={"x": 2**64}),
    "attribute_text": lambda s: s.put_concept("new", attributes={"x": "\ud800"}),
    "attribute_key": lambda s: s.put_concept("new", attributes={"\ud800": 1}),
    "attribute_depth": lambda s: s.put_concept("new", attributes=_nested(5000)),
    "analyzer": lambda _: sutra_storage.analyze("x", "klingon"),  # type: ignore[arg-type]
}


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"x": value}
    return value


@pytest.mark.parametrize("name", UNFIT)
def test_an_unfit_value_is_refused(store: GraphStore, name: str) -> None:
    with pytest.raises(InvalidArgumentError):
        UNFIT[name](store)


WRONG: dict[str, Callable[[GraphStore], object]] = {
    "content": lambda s: s.put_concept("new", 5),  # type: ignore[arg-type]
    "ids_text": lambda s: s.put_concepts("abc"),
    "ids_number": lambda s: s.put_concepts(5),  # type: ignore[arg-type]
    "contents_item": lambda s: s.put_concepts(["new"], [5]),  # type: ignore[list-item]
    "contents": lambda s: s.put_concepts(["new"], 5),  # type: ignore[arg-type]
    "weights": lambda s: s.add_associations(["safe"], ["safe"], weights="2"),  # type: ignore[arg-type]
    "weight": lambda s: s.add_association("safe", "safe", weight="2"),  # type: ignore[arg-type]
    "weight_bool": lambda s: s.add_association("safe", "safe", weight=True),
    "created": lambda s: s.put_concept("new", created="now"),  # type: ignore[arg-type]
    "created_bool": lambda s: s.put_concept("new", created=True),
    "query": lambda s: s.search_text(5),  # type: ignore[arg-type]
    "query_item": lambda s: s.search_text(["a", 5]),  # type: ignore[list-item]
    "filter": lambda s: s.search_text("x", filter="category"),  # type: ignore[arg-type]
    "filter_key": lambda s: s.search_text("x", filter={"catgory": "x"}),
    "filter_value": lambda s: s.search_text("x", filter={"category": 5}),
    "filter_key_type": lambda s: s.search_text("x", filter={5: 5}),  # type: ignore[dict-item]
    "attributes": lambda s: s.put_concept("new", attributes=[1]),  # type: ignore[arg-type]
    "attribute_set": lambda s: s.put_concept("new", attributes={"x": {1}}),
    "attribute_bytes": lambda s: s.put_concept("new", attributes={"x": b"1"}),
    "attribute_key": lambda s: s.put_concept("new", attributes={1: 1}),  # type: ignore[dict-item]
    "patch_field": lambda s: s.update_concept("safe", contents="x"),  # type: ignore[call-arg]
    "patch_content": lambda s: s.update_concept("safe", content=None),  # type: ignore[arg-type]
    "patch_source": lambda s: s.update_concept("safe", source=5),  # type: ignore[arg-type]
    "patch_strength": lambda s: s.update_concept("safe", strength="5"),  # type: ignore[arg-type]
    "unknown_keyword": lambda s: s.put_concept("new", colour="red"),  # type: ignore[call-arg]
    "too_many": lambda s: s.get_vector("safe", "safe"),  # type: ignore[call-arg]
    "texts": lambda _: sutra_storage.analyze(5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_type_is_a_type_error(store: GraphStore, name: str) -> None:
    with pytest.raises(TypeError):
        WRONG[name](store)


def test_an_error_in_the_callers_own_code_passes_through(store: GraphStore) -> None:
    class Angry:
        def __iter__(self) -> Iterator[str]:
            yield "a"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.put_concepts(Angry())


def test_attributes_that_hold_themselves_are_refused(store: GraphStore) -> None:
    endless: dict[str, Any] = {}
    endless["self"] = [endless]
    with pytest.raises(InvalidArgumentError, match="100 levels"):
        store.put_concept("new", attributes=endless)


def test_attributes_come_back_equal(tmp_path: Path) -> None:
    attributes: dict[str, Any] = {
        "floats": [0.1, 1e-323, 1.7976931348623157e308, -0.0, 3.141592653589793, 2**53 + 0.0],
        "odd": [4.35, 0.1 + 0.2, 5e-324, 1.0000000000000002, 123456789.12345679, 8.41e21],
        "ints": [-(2**63), 2**63 - 1, 2**64 - 1, 0],
        "nested": _nested(90),
        "texts": ["", "\0", "🦀", '"\\'],
        "": None,
        "truth": [True, False],
    }
    with GraphStore(tmp_path / "s", 2) as store:
        store.put_concept("a", attributes={**attributes, "tuple": (1, (2,))})
        store.add_association("a", "a", attributes=attributes)
        store.flush()
    with GraphStore(tmp_path / "s", 2) as store:
        found = store.get_concept("a")
        assert found is not None
        assert found.attributes == {**attributes, "tuple": [1, [2]]}
        assert type(found.attributes["floats"][5]) is float
        assert type(found.attributes["truth"][0]) is bool
        assert store.get_associations("a")[0].attributes == attributes


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"vector_dimension": 0}, InvalidArgumentError),
        ({"vector_dimension": 65_536}, InvalidArgumentError),
        ({"vector_dimension": -1}, InvalidArgumentError),
        ({"vector_dimension": "3"}, TypeError),
        ({"vector_dimension": True}, TypeError),
        ({"metric": "hamming"}, InvalidArgumentError),
        ({"vector_storage": "f64"}, InvalidArgumentError),
        ({"analyzer": "klingon"}, InvalidArgumentError),
        ({"durability": "maybe"}, InvalidArgumentError),
        ({"interval_ms": -1}, InvalidArgumentError),
        ({"timeout": math.nan}, InvalidArgumentError),
        ({"timeout": -1}, InvalidArgumentError),
        ({"retention": -5}, InvalidArgumentError),
        ({"retention": math.nan}, InvalidArgumentError),
        ({"retention": "5"}, TypeError),
        ({"retention": True}, TypeError),
        ({"exclusive": True, "read_only": True}, InvalidArgumentError),
        ({"create": "yes"}, TypeError),
        ({"unknown": 1}, TypeError),
    ],
)
def test_unfit_options_are_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        GraphStore(tmp_path / "s", **options)
    assert list(tmp_path.iterdir()) == []
    # Nothing stands in the way of the right ones.
    with GraphStore(tmp_path / "s") as store:
        assert len(store) == 0


def test_infinite_waits_are_long_waits(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "s", timeout=math.inf, interval_ms=1e18) as store:
        store.put_concept("a")


def test_paths_that_are_no_paths(tmp_path: Path) -> None:
    for path in (5, None, b"bytes", ["x"]):
        with pytest.raises(TypeError):
            GraphStore(path)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="NUL"):
        GraphStore(str(tmp_path / "nul\0byte"))
    file = tmp_path / "file"
    file.write_text("not a store")
    with pytest.raises(sutra_storage.SutraError):
        GraphStore(file)
    assert file.read_text() == "not a store"
    with pytest.raises(sutra_storage.NotAStoreError):
        GraphStore(tmp_path)
    assert sorted(tmp_path.iterdir()) == [file]


def test_an_empty_path_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    with GraphStore(tmp_path / "s", 2) as store:
        store.put_concept("a")
        monkeypatch.chdir(tmp_path / "empty")
        calls: list[Callable[[], object]] = [
            lambda: GraphStore("", 2),
            lambda: GraphStore("", 2, read_only=True),
            lambda: store.backup(""),
        ]
        for call in calls:
            with pytest.raises(InvalidArgumentError, match="path must be"):
                call()
    assert list((tmp_path / "empty").iterdir()) == []


def test_garbage_in_the_files_is_a_typed_error(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "s", 2) as store:
        store.put_concepts([f"c{at}" for at in range(50)], "words", np.ones((50, 2)))
        store.flush()
    rng = np.random.default_rng(5)
    files = [file for file in (tmp_path / "s").rglob("*") if file.is_file() and file.name != "LOCK"]
    sound = {file: file.read_bytes() for file in files}
    outcomes = set()
    for _ in range(150):
        file = files[rng.integers(len(files))]
        bytes_ = bytearray(sound[file])
        if not bytes_:
            continue
        if rng.random() < 0.5:
            bytes_[rng.integers(len(bytes_))] ^= 1 << int(rng.integers(8))
        else:
            del bytes_[rng.integers(len(bytes_)) :]
        file.write_bytes(bytes_)
        try:
            with GraphStore(tmp_path / "s", 2, read_only=True) as store:
                found = [store.get_vector(concept_id) for concept_id in store]
                hits = store.search_text("words", 100)
                assert [len(found), len(hits)] == [50, 50]
                assert all(vector is not None and vector.tolist() == [1, 1] for vector in found)
            outcomes.add("right")
        except sutra_storage.SutraError as error:
            outcomes.add(type(error).__name__)
        finally:
            for each in files:
                each.write_bytes(sound[each])
    assert "right" in outcomes
    assert "CorruptionError" in outcomes
