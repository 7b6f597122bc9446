"""What was acknowledged survives the death of the process by SIGKILL."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sutra_core.demo import crash
from sutra_core.graph.ids import text_id
from sutra_core.reasoning import ReasoningEngine
from sutra_core.storage import RustStorageAdapter

if TYPE_CHECKING:
    from pathlib import Path

LEARN = """
import sys
from sutra_core.reasoning import ReasoningEngine
engine = ReasoningEngine(sys.argv[1])
for number in range(1_000_000):
    if sys.argv[2] == "batch":
        engine.learn_batch([(f"Thing {number} of {at} is a device.", "s") for at in range(40)])
    else:
        engine.learn(f"Thing {number} of 0 is a device.", source="s")
    print(number, flush=True)
"""


def learn_until_killed(store: Path, how: str, acknowledged: int) -> int:
    """Return the number of calls that the killed process saw return."""
    command = [sys.executable, "-c", LEARN, str(store), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603
        assert writer.stdout is not None
        count = 0
        for _ in writer.stdout:
            count += 1
            if count == acknowledged:
                writer.kill()
                break
        count += sum(1 for _ in writer.stdout)
    assert writer.returncode == -9
    return count


@pytest.mark.parametrize("acknowledged", [1, 3, 10])
@pytest.mark.parametrize(("how", "size"), [("batch", 40), ("single", 1)])
def test_every_acknowledged_text_is_there_whole(
    tmp_path: Path, how: str, size: int, acknowledged: int
) -> None:
    count = learn_until_killed(tmp_path / "store", how, acknowledged)
    with ReasoningEngine(tmp_path / "store") as engine:
        for number in range(count + 2):
            texts = [f"Thing {number} of {at} is a device." for at in range(size)]
            there = [engine.get_concept(text_id(text)) is not None for text in texts]
            vectors = [engine.storage.get_embedding(text_id(t)) is not None for t in texts]
            facts = [
                engine.storage.get_association(
                    f"name:thing {number} of {at}", "name:device", "is_a"
                )
                is not None
                for at in range(size)
            ]
            parts = [*there, *vectors, *facts]
            assert all(parts) if number < count else len(set(parts)) == 1, number
        engine.learn("A last text is a text.")
        assert engine.ask("Is a last text a text?").primary_answer == "Yes"


def test_a_killed_writer_leaves_whole_batches(tmp_path: Path) -> None:
    store = tmp_path / "store"
    acknowledged = crash.kill_a_writer(store, 0, 3)
    assert acknowledged >= 3
    with RustStorageAdapter(store) as storage:
        remains = crash.look(storage, 0, acknowledged)
        assert remains.whole >= acknowledged
        assert (remains.lost, remains.torn) == ((), ())


def test_the_look_sees_what_is_missing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with RustStorageAdapter(store, 1) as storage:
        for number in range(3):
            concepts, associations = crash.batch_of(0, number)
            with storage.transaction() as tx:
                for concept in concepts:
                    tx.put_concept(concept, [1.0])
                for association in associations:
                    tx.put_association(association)
        assert crash.look(storage, 0, 3).whole == 3
        storage.delete_concept("note:0:1:7")
        storage.delete_concept("note:0:2:0")
        remains = crash.look(storage, 0, 2)
        assert (remains.whole, remains.lost, remains.torn) == (1, (1,), (2,))


def test_a_writer_that_cannot_start_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a store")
    with pytest.raises(crash.WriterError, match="0 batches"):
        crash.kill_a_writer(blocked, 0, 3)
