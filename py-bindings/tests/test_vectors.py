"""Vectors in: any order, stride, byte order and number type is read right, or refused."""

from __future__ import annotations

import array
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sutra_storage import GraphStore, InvalidVectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

DIM = 5
ROWS = 4


@pytest.fixture
def store() -> Iterator[GraphStore]:
    """A store in memory of five dimensions."""
    with GraphStore(":memory:", DIM) as store:
        yield store


def _matrix() -> NDArray[np.float64]:
    return np.arange(ROWS * DIM, dtype=np.float64).reshape(ROWS, DIM) / 8 - 1


def _unaligned(matrix: NDArray[Any]) -> NDArray[Any]:
    bytes_ = b"x" + np.ascontiguousarray(matrix, np.float32).tobytes()
    return np.frombuffer(bytes_, np.float32, offset=1).reshape(matrix.shape)


def _in_a_field(matrix: NDArray[Any]) -> NDArray[Any]:
    packed = np.zeros(matrix.shape, dtype=[("pad", "u1"), ("value", "<f4")])
    packed["value"] = matrix
    found: NDArray[Any] = packed["value"]
    return found


def _wide(matrix: NDArray[Any]) -> NDArray[Any]:
    wide = np.full((ROWS * 2, DIM * 3), 99.0, np.float32)
    wide[::2, 1::3] = matrix
    return wide[::2, 1::3]


ORDERS: dict[str, Callable[[Any], Any]] = {
    "c_order": lambda m: m.astype(np.float32),
    "fortran": lambda m: np.asfortranarray(m, np.float32),
    "transposed": lambda m: np.ascontiguousarray(m.T.astype(np.float32)).T,
    "strided": _wide,
    "reversed": lambda m: m.astype(np.float32)[::-1, ::-1][::-1, ::-1],
    "negative": lambda m: np.ascontiguousarray(m[::-1].astype(np.float32))[::-1],
    "float64": lambda m: m,
    "float64_fortran": np.asfortranarray,
    "float16": lambda m: m.astype(np.float16),
    "longdouble": lambda m: m.astype(np.longdouble),
    "big_endian": lambda m: m.astype(">f4"),
    "big_endian_f8": lambda m: m.astype(">f8"),
    "unaligned": _unaligned,
    "field": _in_a_field,
    "readonly": lambda m: np.frombuffer(m.astype(np.float32).tobytes(), np.float32).reshape(
        m.shape
    ),
    "list": lambda m: m.tolist(),
    "tuples": lambda m: tuple(tuple(row) for row in m.tolist()),
    "list_of_rows": lambda m: list(m.astype(np.float32)),
    "numpy_scalars": lambda m: [[np.float32(x) for x in row] for row in m],
    "array_array": lambda m: [array.array("d", row) for row in m.tolist()],
    "memoryview": lambda m: memoryview(m.astype(np.float32)),
}


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_and_type_is_read_right(store: GraphStore, order: str) -> None:
    expected = _matrix().astype(np.float32)
    given_ = ORDERS[order](_matrix())
    ids = list("abcd")
    store.put_concepts(ids, vectors=given_)
    found, mask = store.get_vectors(ids)
    assert mask.all()
    np.testing.assert_array_equal(found, expected)
    store.add_vectors(ids, given_)
    np.testing.assert_array_equal(store.get_vectors(ids)[0], expected)
    # A memoryview of two dimensions can't be iterated over.
    rows = list(np.asarray(given_) if isinstance(given_, memoryview) else given_)
    for name, row in zip(ids, rows, strict=True):
        store.add_vector(name + "1", row)
    np.testing.assert_array_equal(store.get_vectors([name + "1" for name in ids])[0], expected)
    best = [hits[0].id for hits in store.search_vectors(given_, 1, filter={"ids": ids})]
    by_one = [store.search_vector(row, 1, filter={"ids": ids})[0].id for row in rows]
    assert best == by_one


@pytest.mark.parametrize("kind", ["i1", "i4", "u8", "i8"])
def test_integers_are_numbers(store: GraphStore, kind: str) -> None:
    store.add_vector("a", np.array([1, 2, 3, 4, 120], kind))
    store.add_vector("b", [1, 2, 3, 4, 120])
    for name in "ab":
        found = store.get_vector(name)
        assert found is not None
        assert found.tolist() == [1.0, 2.0, 3.0, 4.0, 120.0]


@settings(max_examples=200, deadline=None)
@given(
    matrix=hnp.arrays(
        st.sampled_from(["<f4", ">f4", "<f8", "<f2", "<i2"]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
        elements=st.integers(-100, 100),
    ),
    flip=st.tuples(st.sampled_from([1, -1]), st.sampled_from([1, -1])),
    fortran=st.booleans(),
)
def test_any_layout_is_what_numpy_says_it_is(
    matrix: NDArray[Any],
    flip: tuple[int, int],
    fortran: bool,  # noqa: FBT001
) -> None:
    laid_out = np.asarray(matrix, order="F" if fortran else "C")[:: flip[0], :: flip[1]]
    ids = [str(at) for at in range(len(laid_out))]
    with GraphStore(":memory:", laid_out.shape[1]) as store:
        store.add_vectors(ids, laid_out)
        np.testing.assert_array_equal(store.get_vectors(ids)[0], laid_out.astype(np.float32))


REFUSED: dict[str, tuple[Any, str]] = {
    "complex": (np.ones(DIM, complex), "array.real"),
    "objects": (np.array([1, None, 2, 3, 4], object), "astype"),
    "strings": (np.array(["1"] * DIM), "numpy.asarray"),
    "bytes": (b"12345", "dtype"),
    "text": ("12345", "dtype"),
    "booleans": (np.ones(DIM, bool), "astype"),
    "times": (np.zeros(DIM, "M8[s]"), "dtype"),
    "masked": (np.ma.masked_array(np.ones(DIM), [True, False, False, False, False]), "filled"),
    "two_dimensions": (np.ones((1, DIM)), r"\[1, 5\]"),
    "no_dimension": (np.float32(1.0), r"\[\]"),
    "number": (1.0, r"\[\]"),
    "nothing": (None, "dtype"),
    "generator": ((x for x in range(DIM)), "dtype"),
    "dict": ({1: 2}, "dtype"),
    "nested_list": ([[1], [2], [3], [4], [5]], "component 0 is of type list"),
    "list_with_text": ([1, "2", 3, 4, 5], "component 1 is of type str"),
    "list_with_bool": ([1, 2, True, 4, 5], "component 2 is of type bool"),
    "list_with_none": ([1, 2, 3, None, 5], "component 3 is of type NoneType"),
    "list_with_complex": ([1, 2, 3, 4, 5j], "component 4 is of type complex"),
    "short": (np.ones(DIM - 1), "dimension 5, found 4"),
    "long": ([1.0] * (DIM + 1), "dimension 5, found 6"),
    "empty": ([], "dimension 5, found 0"),
    "nan": (np.array([0, 0, np.nan, 0, 0]), "component 2 is NaN"),
    "infinite": ([0, 0, 0, float("-inf"), 0], "component 3 is -inf"),
    "beyond_f32": (np.array([1e300, 0, 0, 0, 0]), "component 0 is inf"),
    "beyond_float": ([0, 10**400, 0, 0, 0], "component 1 is inf"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_vector_is_refused_by_name(store: GraphStore, name: str) -> None:
    value, message = REFUSED[name]
    with pytest.raises(InvalidVectorError, match=message) as caught:
        store.add_vector("the id", value)
    assert caught.value.concept_id == "the id"
    assert '"the id"' in str(caught.value)
    if name != "generator":
        with pytest.raises(InvalidVectorError, match=message):
            store.search_vector(value)
    assert len(store) == 0


def test_bad_matrices_are_refused_as_a_whole(store: GraphStore) -> None:
    good = np.ones((2, DIM))
    bad = good.copy()
    bad[1, 3] = np.nan
    with pytest.raises(InvalidVectorError, match=r'"b".*component 3 is NaN') as caught:
        store.put_concepts(["a", "b"], vectors=bad)
    assert caught.value.concept_id == "b"
    for matrix, message in (
        (np.ones((3, DIM)), "3 rows for 2 ids"),
        (np.ones((2, DIM + 1)), "dimension 5, found 6"),
        (np.ones(DIM), "two dimensions"),
        (np.ones((1, 2, DIM)), "two dimensions"),
        ([np.ones(DIM)], "1 rows for 2 ids"),
        ([[1.0] * DIM, [1.0]], "dimension 5, found 1"),
        ([[1.0] * DIM, None], r"matrix\[1\] is None"),
    ):
        with pytest.raises(ValueError, match=message):
            store.add_vectors(["a", "b"], matrix)  # type: ignore[arg-type]
    with pytest.raises(InvalidVectorError, match=r"queries\[1\]: component 3 is NaN"):
        store.search_vectors(bad)
    with pytest.raises(InvalidVectorError, match="dimension 5, found 6"):
        store.search_vectors(np.ones((2, DIM + 1)))
    with pytest.raises(InvalidVectorError, match="dimension 5, found 2"):
        store.search_vectors([[1, 2]])
    assert len(store) == 0


def test_the_callers_array_is_left_alone(store: GraphStore) -> None:
    matrix = np.asfortranarray(_matrix())
    before = matrix.copy()
    store.put_concepts(list("abcd"), vectors=matrix)
    matrix[:] = 7.0
    np.testing.assert_array_equal(store.get_vectors(list("abcd"))[0], before.astype(np.float32))
