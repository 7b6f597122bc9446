"""A writer that is killed, and the look at what it left.

The writer says "batch n" on its standard output once batch n is stored; whoever reads that knows
that it was acknowledged. Invariant of the check: an acknowledged batch is there whole, and any
other is there whole or not at all.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sutra_core.graph.concepts import Association, Concept
from sutra_core.nlp.embedder import StaticEmbedder
from sutra_core.storage.rust_adapter import RustStorageAdapter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BATCH: Final = 200
"""Concepts of a batch; it has as many associations."""

_START_TIMEOUT_S: Final = 60


class WriterError(Exception):
    """The writer ended by itself."""


def batch_of(run: int, number: int) -> tuple[list[Concept], list[Association]]:
    """Return what batch `number` of a run holds: notes, each leading to the next in a ring."""
    ids = [f"note:{run}:{number}:{at}" for at in range(BATCH)]
    concepts = [
        Concept(key, f"Note {at} of batch {number} in run {run}.", source="demo", category="note")
        for at, key in enumerate(ids)
    ]
    ring = zip(ids, [*ids[1:], ids[0]], strict=True)
    associations = [Association.of(one, "before", other, source="demo") for one, other in ring]
    return concepts, associations


def write(store: str, run: int) -> None:
    """Store batch after batch and say so, until killed."""
    embedder = StaticEmbedder()
    with RustStorageAdapter(store, embedder.dim) as storage:
        for number in itertools.count():
            concepts, associations = batch_of(run, number)
            vectors = embedder.embed_documents([concept.content for concept in concepts])
            with storage.transaction("sync") as tx:
                for concept, vector in zip(concepts, vectors, strict=True):
                    tx.put_concept(concept, vector)
                for association in associations:
                    tx.put_association(association)
            print(f"batch {number}", flush=True)  # noqa: T201  # what the parent reads


def kill_a_writer(store: Path, run: int, acknowledged: int) -> int:
    """Start a writer, kill it by SIGKILL in mid-load, and return how many batches it acknowledged.

    Args:
        store: The store's directory.
        run: Distinguishes the batches of several writers.
        acknowledged: The kill comes once so many batches were acknowledged.

    Raises:
        WriterError: If the writer ended before.
    """
    command = [sys.executable, "-P", "-m", "sutra_core.demo.crash", str(store), str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603  # our own
        assert writer.stdout is not None  # noqa: S101  # it was asked for
        count = 0
        try:
            for line in writer.stdout:
                count += line.startswith("batch ")
                if count == acknowledged:
                    break
            if writer.poll() is not None or count < acknowledged:
                raise WriterError(f"the writer ended by itself after {count} batches")
        finally:
            writer.kill()
        # What it said before it died was acknowledged too.
        count += sum(line.startswith("batch ") for line in writer.stdout)
    return count


@dataclass(frozen=True, slots=True)
class Remains:
    """What a killed writer left.

    Attributes:
        whole: How many batches are there whole.
        lost: Acknowledged batches that are not whole.
        torn: Other batches that are there in part.
        in_flight: What became of the batch after the last acknowledged one: "there whole", "absent"
            or "there in part".
    """

    whole: int
    lost: tuple[int, ...]
    torn: tuple[int, ...]
    in_flight: str


def look(storage: RustStorageAdapter, run: int, acknowledged: int) -> Remains:
    """Compare what is in the store with what the batches held."""
    whole, lost, torn = 0, [], []
    in_flight = "absent"
    # One more may have been stored and not yet acknowledged; and one beyond, to be sure.
    for number in range(acknowledged + 2):
        concepts, associations = batch_of(run, number)
        right = sum(_is_stored(storage, concept) for concept in concepts)
        right += sum(_has(storage, association) for association in associations)
        present = right or any(storage.has_concept(concept.id) for concept in concepts)
        if right == len(concepts) + len(associations):
            whole += 1
            if number == acknowledged:
                in_flight = "there whole"
        elif number < acknowledged:
            lost.append(number)
        elif present:
            torn.append(number)
            in_flight = "there in part"
    return Remains(whole, tuple(lost), tuple(torn), in_flight)


def _is_stored(storage: RustStorageAdapter, expected: Concept) -> bool:
    found = storage.get_concept(expected.id)
    same = found is not None and found.content == expected.content
    return same and storage.get_embedding(expected.id) is not None


def _has(storage: RustStorageAdapter, expected: Association) -> bool:
    found = storage.get_association(expected.source_id, expected.target_id, expected.relation)
    return found is not None and found.source == expected.source


def main(arguments: Sequence[str]) -> None:
    """Write to the store that the arguments name."""
    store, run = arguments
    write(store, int(run))


if __name__ == "__main__":
    main(sys.argv[1:])
