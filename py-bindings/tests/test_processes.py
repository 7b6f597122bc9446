"""Several processes on one store: beside each other, after a fork, and after SIGKILL."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import traceback
from typing import TYPE_CHECKING

import numpy as np
import pytest

import sutra_storage
from sutra_storage import GraphStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIM = 8
BATCH = 20


def _start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - its own interpreter and script
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output


def _rest(process: subprocess.Popen[str]) -> str:
    """Read on with the reader that read so far (another would miss what it has read ahead)."""
    assert process.stdin is not None
    assert process.stdout is not None
    rest = process.stdout.read()
    process.wait(timeout=60)
    process.stdout.close()
    process.stdin.close()
    return rest


def test_another_process_reads_what_was_written(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "s", DIM) as store:
        store.put_concept("a", "first words", np.arange(DIM))
        store.add_association("a", "b", create_missing=True)
        script = """
            import json, sys, sutra_storage
            with sutra_storage.GraphStore(sys.argv[1], int(sys.argv[2])) as store:
                vector = store.get_vector("a").tolist()
                print(json.dumps([list(store), vector, store.get_neighbors("a")]))
        """
        found = json.loads(_finish(_start(script, tmp_path / "s", DIM)))
    assert found == [["a", "b"], list(range(DIM)), ["b"]]


def test_living_handles_see_each_others_commits(tmp_path: Path) -> None:
    script = """
        import sys, sutra_storage
        with sutra_storage.GraphStore(sys.argv[1], 2) as store:
            for line in sys.stdin:
                concept_id = line.strip()
                print(concept_id in store, flush=True)
                store.put_concept("answer to " + concept_id, "an answer")
                print("done", flush=True)
    """
    with GraphStore(tmp_path / "s", 2) as store:
        process = _start(script, tmp_path / "s")
        assert process.stdin is not None
        assert process.stdout is not None
        for at in range(20):
            store.put_concept(f"q{at}")
            if at % 5 == 2:
                store.flush()
            process.stdin.write(f"q{at}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "True\n"
            assert process.stdout.readline() == "done\n"
            assert f"answer to q{at}" in store
            assert len(store.search_text("answer", 100)) == at + 1
        _finish(process)
        assert len(store) == 40


def test_writers_of_several_processes_lose_nothing(tmp_path: Path) -> None:
    GraphStore(tmp_path / "s", 2).close()
    script = """
        import sys, sutra_storage
        with sutra_storage.GraphStore(sys.argv[1], 2, timeout=60) as store:
            for at in range(40):
                store.put_concept(f"{sys.argv[2]}-{at}", "word")
                store.put_concepts([f"{sys.argv[2]}-{at}-{k}" for k in range(5)])
                while True:
                    try:
                        with store.transaction() as transaction:
                            count = transaction.get_concept("counter")
                            number = 0 if count is None else int(count.content)
                            transaction.put_concept("counter", str(number + 1))
                        break
                    except sutra_storage.ConflictError:
                        pass
    """
    processes = [_start(script, tmp_path / "s", name) for name in ("x", "y", "z")]
    for process in processes:
        _finish(process)
    with GraphStore(tmp_path / "s", 2) as store:
        assert len(store) == 3 * 40 * 6 + 1
        counter = store.get_concept("counter")
        assert counter is not None
        assert counter.content == "120"
        assert store.verify().is_sound


def test_an_exclusive_handle_shuts_other_processes_out(tmp_path: Path) -> None:
    script = """
        import sys, sutra_storage
        store = sutra_storage.GraphStore(sys.argv[1], 2, exclusive=True)
        print("open", flush=True)
        sys.stdin.readline()
        store.close()
        print("closed", flush=True)
        sys.stdin.readline()
    """
    process = _start(script, tmp_path / "s")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    with GraphStore(tmp_path / "s", 2, timeout=0.05) as store:
        with pytest.raises(sutra_storage.StoreLockedError) as caught:
            store.put_concept("a")
        assert caught.value.pid == process.pid
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "closed\n"
        store.put_concept("a")
    _finish(process)


def _in_a_fork(child: Callable[[], None]) -> None:
    """Run a function in a fork of this process; fails if it raises."""
    pid = os.fork()
    if pid == 0:
        try:
            child()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    if ended[0] == 0:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(ended[1]) == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_handle_from_before_a_fork_is_refused(tmp_path: Path) -> None:
    store = GraphStore(tmp_path / "s", 2)
    store.put_concept("parent")
    transaction = store.transaction()

    def child() -> None:
        for call in (
            lambda: store.get_vector("parent"),
            lambda: store.put_concept("child"),
            store.save,
            store.transaction,
            transaction.commit,
        ):
            with pytest.raises(sutra_storage.ForkedError, match="by fork") as caught:
                call()
            assert caught.value.opened_by == os.getppid()
        assert "unusable" in repr(store)
        store.close()
        with GraphStore(tmp_path / "s", 2) as own:
            own.put_concept("child")
            assert list(own) == ["parent", "child"]

    _in_a_fork(child)
    assert list(store) == ["parent", "child"]
    store.put_concept("parent again")
    store.close()
    with GraphStore(tmp_path / "s", 2) as again:
        assert list(again) == ["parent", "child", "parent again"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_searches_that_share_threads_work_in_a_fork(tmp_path: Path) -> None:
    vectors = np.random.default_rng(7).standard_normal((20_000, 64), dtype=np.float32)
    with GraphStore(tmp_path / "s", 64) as store:
        store.put_concepts([str(number) for number in range(len(vectors))], "", vectors)
        before = store.search_vectors(vectors[:40], 5)
        snapshot = store.snapshot()

    def child() -> None:
        with GraphStore(tmp_path / "s") as own:
            assert own.search_vectors(vectors[:40], 5) == before
            assert own.search_vector(vectors[0], 5) == before[0]
            assert own.search_hybrid("words", vectors[0], 5)[0].id == "0"
        assert snapshot.search_vector(vectors[0], 5) == before[0]

    _in_a_fork(child)


def test_a_store_stays_where_it_was_opened_when_the_process_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "b")
    with GraphStore("store", 2) as other:
        other.put_concept("of b")
    monkeypatch.chdir(tmp_path / "a")
    with GraphStore("store", 2) as store:
        store.put_concept("of a")
        monkeypatch.chdir(tmp_path / "b")
        store.flush()
        store.put_concept("of a, too")
        store.compact()
        assert store.path == "store"
    for folder, ids in (("a", ["of a", "of a, too"]), ("b", ["of b"])):
        with GraphStore(tmp_path / folder / "store", 2) as again:
            assert list(again) == ids
            assert again.verify().is_sound


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_that_ends_keeps_the_parents_lock(tmp_path: Path) -> None:
    store = GraphStore(tmp_path / "s", 2, exclusive=True)
    _in_a_fork(store.close)
    with (
        GraphStore(tmp_path / "s", 2, timeout=0) as other,
        pytest.raises(sutra_storage.StoreLockedError),
    ):
        other.put_concept("a")
    store.put_concept("b")
    store.close()


def test_a_lease_that_is_not_given_names_its_holder(tmp_path: Path) -> None:
    script = """
        import fcntl, sys, sutra_storage
        with sutra_storage.GraphStore(sys.argv[1], 2) as store:
            store.put_concept("theirs")
            store.flush()
        # What a child that it forked in a flush would keep.
        lease = open(sys.argv[1] + "/LEASE", "rb")
        fcntl.flock(lease, fcntl.LOCK_EX)
        print("held", flush=True)
        sys.stdin.readline()
    """
    process = _start(script, tmp_path / "s")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with GraphStore(tmp_path / "s", 2, timeout=0.05) as store:
        store.put_concept("mine")
        for call in (store.flush, store.compact, lambda: store.backup(tmp_path / "b")):
            with pytest.raises(sutra_storage.StoreLockedError) as caught:
                call()
            assert (caught.value.pid, caught.value.errno) == (process.pid, errno.ETIMEDOUT)
        process.communicate("\n", timeout=60)
        store.flush()


WRITER = """
    import sys
    import numpy as np
    import sutra_storage

    path, seed, durability = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    batch, dim = int(sys.argv[4]), int(sys.argv[5])
    rng = np.random.default_rng(seed)
    store = sutra_storage.GraphStore(path, dim, timeout=30)
    start = store.stats()["total_concepts"] // batch
    for number in range(start, 100_000):
        ids = [f"c{number}-{at}" for at in range(batch)]
        vectors = np.full((batch, dim), float(number + 1), dtype=np.float32)
        with store.transaction(durability=durability) as transaction:
            transaction.put_concepts(ids, f"batch{number} of words", vectors)
            transaction.add_associations(ids[:-1], ids[1:], types=f"t{number % 3}")
        print(number, flush=True)
        if rng.random() < 0.05:
            store.flush()
        if rng.random() < 0.02:
            store.compact()
"""


def _check_whole_batches(store: GraphStore, acknowledged: int) -> int:
    """Check that all batches are there whole up to one; return how many."""
    count, rest = divmod(len(store), BATCH)
    assert rest == 0, "a batch is there in part"
    assert acknowledged <= count <= acknowledged + 1, "an acknowledged batch is lost"
    ids = [f"c{number}-{at}" for number in range(count) for at in range(BATCH)]
    assert list(store) == ids
    matrix, mask = store.get_vectors(ids)
    assert mask.all()
    expected = np.repeat(np.arange(1, count + 1, dtype=np.float32), BATCH)
    np.testing.assert_array_equal(matrix, np.repeat(expected[:, None], DIM, axis=1))
    assert store.stats()["total_edges"] == count * (BATCH - 1)
    for number in range(count):
        found = store.search_text(f"batch{number}", BATCH + 1)
        assert sorted(found) == sorted(ids[number * BATCH : (number + 1) * BATCH])
        assert store.get_neighbors(f"c{number}-0", types=f"t{number % 3}") == [f"c{number}-1"]
    return count


@pytest.mark.parametrize("durability", ["sync", "interval"])
@pytest.mark.parametrize("seed", range(8))
def test_acknowledged_batches_survive_sigkill_whole(
    tmp_path: Path, seed: int, durability: str
) -> None:
    rng = random.Random(seed)
    acknowledged = 0
    for _ in range(3):
        process = _start(WRITER, tmp_path / "s", rng.randrange(2**31), durability, BATCH, DIM)
        assert process.stdout is not None
        stop_at = acknowledged + rng.randrange(1, 60)
        for line in process.stdout:
            acknowledged = int(line) + 1
            if acknowledged >= stop_at:
                break
        process.send_signal(signal.SIGKILL)
        # What it managed to acknowledge before the signal arrived counts too.
        rest = _rest(process)
        acknowledged = max([acknowledged, *(int(line) + 1 for line in rest.split())])
        assert process.returncode == -signal.SIGKILL
        with GraphStore(tmp_path / "s", DIM) as store:
            acknowledged = _check_whole_batches(store, acknowledged)
            assert store.verify().is_sound


def test_a_reader_lives_on_when_the_writer_is_killed(tmp_path: Path) -> None:
    process = _start(WRITER, tmp_path / "s", 3, "interval", BATCH, DIM)
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    with GraphStore(tmp_path / "s", DIM, read_only=True) as reader:
        for line in process.stdout:
            acknowledged = int(line) + 1
            assert f"c{acknowledged - 1}-0" in reader
            if acknowledged == 30:
                break
        process.send_signal(signal.SIGKILL)
        rest = _rest(process)
        acknowledged = max([acknowledged, *(int(line) + 1 for line in rest.split())])
        _check_whole_batches(reader, acknowledged)
        # Another takes over beside it.
        with GraphStore(tmp_path / "s", DIM) as writer:
            writer.put_concept("after")
            assert "after" in reader
