"""The generator of perturbed copies keeps what it promises, and the sizes are what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from peers import dataset

if TYPE_CHECKING:
    from pathlib import Path

ROWS = dataset.normalised(np.random.default_rng(1).standard_normal((200, 48)))


def test_a_fold_is_the_sum() -> None:
    numbers = np.random.default_rng(2).standard_normal((10, 37))
    assert dataset.folded(numbers) == pytest.approx(numbers.sum(axis=1), abs=1e-12)


def test_copies_have_length_one_and_the_cosines_that_were_drawn() -> None:
    copies = dataset.perturbed(ROWS, 1_000, stream=1)
    assert np.linalg.norm(copies, axis=1) == pytest.approx(1, abs=1e-6)
    cosines = np.einsum("ij,ij->i", copies, ROWS[np.arange(1_000) % len(ROWS)])
    drawn = np.random.default_rng([7, 1, 0]).uniform(0.6, 0.95, size=1_000)
    assert cosines == pytest.approx(drawn, abs=1e-5)


def test_copies_do_not_depend_on_the_block() -> None:
    whole = dataset.perturbed(ROWS, 500, stream=1)
    assert np.array_equal(whole, dataset.perturbed(ROWS, 500, stream=1, block=64))


def test_copies_are_the_same_bytes_everywhere() -> None:
    rows = np.eye(24, dtype=np.float32)
    copies = dataset.perturbed(rows, 100, stream=1)
    assert dataset.digest(copies) == (
        "05861cd82fbf789e9617096250e0d9745afb365244db5d9fe9ef5236beb599e8"
    )


def test_streams_differ() -> None:
    first = dataset.perturbed(ROWS, 10, stream=1)
    assert not np.array_equal(first, dataset.perturbed(ROWS, 10, stream=2))


def test_queries_are_held_out_of_the_base(tmp_path: Path) -> None:
    rows = np.random.default_rng(3).standard_normal((12_100, 8)).astype(np.float16)
    np.save(tmp_path / "vectors_f16.npy", rows)
    read = dataset.read(tmp_path, 10_000)
    held_out = np.random.default_rng(7).permutation(12_100)[:2_000]
    unit = dataset.normalised(rows)
    assert np.array_equal(read.queries["held out"], unit[held_out])
    assert np.array_equal(read.base, np.delete(unit, held_out, axis=0)[:10_000])
    assert read.notes["base_rows"] == 10_000
    assert dataset.read(tmp_path, 100_000).notes["base_rows"] == 10_100
