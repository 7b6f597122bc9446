"""Long calls end when a key is pressed or a deadline has passed, and leave nothing half done."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sutra_storage import Deadline, DeadlineError, Filter, GraphStore, NotAStoreError


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[GraphStore]:
    """A store whose write lock another handle keeps."""
    with (
        GraphStore(tmp_path / "s", 2),
        GraphStore(tmp_path / "s", exclusive=True),
        GraphStore(tmp_path / "s", timeout=60) as waiting,
    ):
        yield waiting


@pytest.fixture(scope="module")
def tangled() -> GraphStore:
    """A store in which every concept leads to every other."""
    store = GraphStore(":memory:", 2)
    ids = [f"c{at}" for at in range(200)]
    store.put_concepts(ids)
    pairs = [(a, b) for a in ids for b in ids if a != b]
    store.add_associations([a for a, _ in pairs], [b for _, b in pairs], confidences=0.9)
    return store


def press_ctrl_c_soon() -> None:
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_ctrl_c_ends_the_wait_for_a_lock(locked: GraphStore) -> None:
    # Who was started in the background may have been told to ignore the key.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        press_ctrl_c_soon()
        with pytest.raises(KeyboardInterrupt):
            locked.put_concept("a", "river")
    finally:
        signal.signal(signal.SIGINT, before)
    assert "a" not in locked


def test_a_signal_whose_handler_returns_ends_nothing(tmp_path: Path) -> None:
    with (
        GraphStore(tmp_path / "s", 2, exclusive=True),
        GraphStore(tmp_path / "s", timeout=0.6) as waiting,
    ):
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            press_ctrl_c_soon()
            with pytest.raises(TimeoutError, match="locked"):
                waiting.put_concept("a", "river")
        finally:
            signal.signal(signal.SIGINT, before)


def test_a_deadline_ends_the_wait_for_a_lock(locked: GraphStore) -> None:
    with Deadline(0.1), pytest.raises(DeadlineError) as raised:
        locked.put_concept("a", "river")
    assert raised.value.retryable
    assert isinstance(raised.value, TimeoutError)
    assert "a" not in locked


def test_paths_end_at_a_deadline(tangled: GraphStore) -> None:
    with Deadline(0.1), pytest.raises(DeadlineError):
        tangled.find_paths("c0", "c1", k=100_000, max_depth=64, max_visited=2**32 - 1)
    assert tangled.find_paths("c0", "c1", k=1)


def test_deadlines_are_the_threads_own_and_end_with_their_block(locked: GraphStore) -> None:
    done = []

    def other() -> None:
        done.append("c" in locked)

    with Deadline(60):
        with Deadline(0):
            time.sleep(0.05)
            with pytest.raises(DeadlineError):
                locked.put_concept("a", "river")
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        assert "a" not in locked
    assert done == [False]
    with Deadline(0.05), Deadline(60), pytest.raises(DeadlineError):
        locked.put_concept("a", "river")


@pytest.mark.parametrize(
    "care",
    [
        lambda store, _: store.compact(),
        lambda store, _: store.verify(),
        lambda store, path: store.backup(path / "copy"),
        lambda store, _: store.erase("c1"),
        lambda store, _: store.search_vectors(np.ones((4000, 64)), k=3),
        lambda store, _: store.concept_ids(filter=Filter(attributes={"a": {"$gt": 3}})),
    ],
)
def test_care_may_be_stopped_anywhere(
    care: Callable[[GraphStore, Path], object], tmp_path: Path
) -> None:
    with GraphStore(tmp_path / "s", 64) as store:
        ids = [f"c{at}" for at in range(4000)]
        for _ in range(2):
            store.put_concepts(ids, "river stone", np.ones((4000, 64)), attributes={"a": 1})
            store.flush()
        for seconds in (0.0, 0.02, 0.05):
            try:
                with Deadline(seconds):
                    care(store, tmp_path)
            except DeadlineError:
                pass
            except NotAStoreError:  # A copy that was begun, or is there, is not empty.
                assert (tmp_path / "copy").exists()
        assert store.verify().is_sound
        store.compact()
        assert len(store) >= 3999
    with GraphStore(tmp_path / "s", 64) as store:
        assert len(store) >= 3999


def test_a_store_closes_to_its_end_after_a_deadline(tmp_path: Path) -> None:
    with Deadline(0), GraphStore(tmp_path / "s", 2) as store:
        time.sleep(0.05)
        store.put_concept("a", "river")
        time.sleep(0.05)
    with GraphStore(tmp_path / "s") as store:
        assert "a" in store
