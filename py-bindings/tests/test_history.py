"""The past through Python: as-of snapshots, undo, erasure, retention.

Invariant: what each epoch held is noted as it is written, and compared after reopening as well.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

import sutra_storage
from sutra_storage import (
    BeyondRetentionError,
    ConflictError,
    GraphStore,
    InvalidArgumentError,
    OptionMismatchError,
    SutraError,
)

if TYPE_CHECKING:
    from pathlib import Path


def _keeping(path: Path | str) -> GraphStore:
    return GraphStore(path, vector_dimension=2, retention=math.inf)


def test_vectors_words_and_associations_of_one_moment(tmp_path: Path) -> None:
    with _keeping(tmp_path) as store:
        store.put_concept("dog", "barks loudly", [1.0, 0.0])
        store.put_concept("wolf", "howls loudly", [0.0, 1.0])
        then = store.add_association("dog", "wolf", type="descends_from")
        store.put_concept("dog", "sleeps", [0.0, 1.0])
        store.delete("wolf")
        assert store.search_text("loudly") == []
        store.compact()
    with _keeping(tmp_path) as store, store.snapshot(epoch=then) as past:
        assert past.epoch == then
        assert past.search_text("loudly") == ["dog", "wolf"]
        assert past.get_neighbors("dog") == ["wolf"]
        assert [path.concept_ids for path in past.find_paths("dog", "wolf")] == [["dog", "wolf"]]
        np.testing.assert_array_equal(past.get_vector("dog"), np.array([1, 0], np.float32))
        assert past.search_vector([0.0, 1.0], k=1)[0].id == "wolf"
        assert store.get_neighbors("dog") == []


def test_a_moment_by_time(tmp_path: Path) -> None:
    with _keeping(tmp_path) as store:
        store.put_concept("a", "first")
        between = time.time()
        time.sleep(0.01)
        store.put_concept("a", "second")
        aware = dt.datetime.fromtimestamp(between, tz=dt.UTC)
        for moment in (between, aware):
            concept = store.snapshot(time=moment).get_concept("a")
            assert concept is not None
            assert concept.content == "first"
        assert store.snapshot(time=math.inf).epoch == store.stats()["epoch"]
        with pytest.raises(InvalidArgumentError, match="not both"):
            store.snapshot(time=between, epoch=1)
        with pytest.raises(InvalidArgumentError, match="up to 2"):
            store.snapshot(epoch=3)
        with pytest.raises(InvalidArgumentError):
            store.snapshot(time=math.nan)


def test_the_last_transaction_is_taken_back_and_restored() -> None:
    with _keeping(":memory:") as store:
        store.put_concept("a", "first")
        last = store.put_concept("a", "second", attributes={"n": 1})
        undone = store.undo(last)
        assert undone == last + 1
        assert (concept := store.get_concept("a"))
        assert concept.content == "first"
        with pytest.raises(ConflictError):
            store.undo(last)
        store.undo()
        assert (concept := store.get_concept("a"))
        assert (concept.content, concept.attributes) == ("second", {"n": 1})


def test_what_is_not_kept_is_a_typed_error(tmp_path: Path) -> None:
    with GraphStore(tmp_path) as store:
        assert store.retention == 0
        store.put_concept("a")
        store.put_concept("b")
        with pytest.raises(BeyondRetentionError, match="retention") as raised:
            store.snapshot(epoch=1)
        assert (raised.value.asked, raised.value.oldest) == (1, 2)
        assert isinstance(raised.value, SutraError | LookupError)
        assert not raised.value.retryable
        with pytest.raises(BeyondRetentionError):
            store.undo()
        store.set_retention(dt.timedelta(hours=1))
        assert store.retention == 3600
        store.put_concept("c")
        assert list(store.snapshot(epoch=2)) == ["a", "b"]
    with GraphStore(tmp_path) as store:
        assert store.retention == 3600
        assert store.stats()["oldest_epoch"] == 2
    with pytest.raises(OptionMismatchError):
        GraphStore(tmp_path, read_only=True, retention=1)
    with GraphStore(tmp_path, retention=0) as store, pytest.raises(BeyondRetentionError):
        store.snapshot(epoch=2)


def test_an_erased_concept_is_in_no_earlier_state(tmp_path: Path) -> None:
    with _keeping(tmp_path) as store:
        store.put_concept("stays", "plain")
        then = store.put_concept("secret", "zebracorn")
        store.put_concept("secret", "zebracorn again")
        store.erase("secret")
        past = store.snapshot(epoch=then)
        assert past.get_concept("secret") is None
        assert past.get_concept("stays") is not None
    assert not any(
        b"zebracorn" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    )


def test_history_is_told_in_stats_and_verified(tmp_path: Path) -> None:
    with _keeping(tmp_path) as store:
        for n in range(3):
            store.put_concept("a", str(n))
        store.flush()
        stats = store.stats()
        assert (stats["history_files"], stats["oldest_epoch"]) == (1, 0)
        assert stats["history_bytes"] > 0
        assert store.verify().is_sound
        assert sutra_storage.__version__
