"""Measures one peer in a process of its own: build, memory, and each setting's recall and rate.

Invariant: what is timed is what is checked: the recall is that of a timed pass's answers. Passes
take turns over the settings, so that a busy minute does not meet one of them alone.
"""

from __future__ import annotations

import gc
import os
import re
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from peers import recall

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from peers.peer import Ids, Matrix, Peer

    Search = Callable[[Peer, Matrix], Ids]

TOP: Final = 10
ROUNDS: Final = 3
WARM_UP: Final = 100
PASS_S: Final = 20.0
"""A pass that would take longer is over fewer queries."""
FEWEST: Final = 200
MORE_THAN_ONE: Final = 1.1
"""CPU time to wall time from here on says that more than one thread was at work."""


@dataclass(slots=True)
class Passes:
    """What passes over the queries gave in one mode, single calls or one batch.

    Attributes:
        queries: How many a pass asked.
        recall: What share of the ten best was found.
        wall_s: How long each pass took.
        cpu_s: How long the process computed in each, all threads together.
    """

    queries: int
    recall: float = 0.0
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Return what is published."""
        wall, cpu = statistics.median(self.wall_s), statistics.median(self.cpu_s)
        return {
            "queries": self.queries,
            "recall": self.recall,
            "qps_cpu": self.queries / cpu,
            "qps_wall": self.queries / wall,
            "cpu_to_wall": cpu / wall,
            "more_than_one_thread": cpu / wall > MORE_THAN_ONE,
            "cpu_s": self.cpu_s,
            "wall_s": self.wall_s,
        }


def memory_kb(name: str) -> int | None:
    """Return a figure of this process's memory; None where Linux does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    found = re.search(rf"^{name}:\s+(\d+)", status.read_text(), re.MULTILINE)
    return int(found[1]) if found else None


def _one_by_one(peer: Peer, queries: Matrix) -> Ids:
    found = np.full((len(queries), TOP), -1, dtype=np.int64)
    for at, query in enumerate(queries):
        ids = peer.search_one(query, TOP)
        found[at, : len(ids)] = ids
    return found


def _at_once(peer: Peer, queries: Matrix) -> Ids:
    return peer.search_batch(queries, TOP)


MODES: Final[dict[str, Search]] = {"single": _one_by_one, "batch": _at_once}


def timed(search: Search, peer: Peer, queries: Matrix) -> tuple[Ids, float, float]:
    """Return answers, the wall time and the CPU time; Python's collector is kept out."""
    gc.collect()
    gc.disable()
    wall, cpu = time.perf_counter(), time.process_time()
    found = search(peer, queries)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    gc.enable()
    return found, wall, cpu


def sweep(
    peer: Peer, base: Matrix, queries: Matrix, threshold: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Return each setting with its recall and rate, by single calls and as one batch."""
    settings = peer.settings()
    passes = [{mode: Passes(len(queries)) for mode in MODES} for _ in settings]
    for turn in range(ROUNDS):
        for setting, modes in zip(settings, passes, strict=True):
            peer.use(setting)
            for mode, search in MODES.items():
                measured = modes[mode]
                _, wall, _ = timed(search, peer, queries[:WARM_UP])
                if turn == 0 and wall / WARM_UP * len(queries) > PASS_S:
                    measured.queries = max(FEWEST, int(PASS_S / wall * WARM_UP))
                asked = queries[: measured.queries]
                found, wall, cpu = timed(search, peer, asked)
                if turn == 0:
                    measured.recall = recall.recall(base, asked, threshold, found, TOP)
                measured.wall_s.append(wall)
                measured.cpu_s.append(cpu)
    return [
        {"setting": setting} | {mode: measured.record() for mode, measured in modes.items()}
        for setting, modes in zip(settings, passes, strict=True)
    ]


def built(peer: Peer, base: Matrix) -> dict[str, Any]:
    """Build a peer's index over the base; return what it took and what it takes."""
    before = memory_kb("RssAnon")
    wall, cpu = time.perf_counter(), time.process_time()
    peer.build(base, threads=1)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    gc.collect()
    after = memory_kb("RssAnon")
    footprint = peer.footprint()
    result: dict[str, Any] = {
        "version": peer.version(),
        "method": peer.method,
        "build": {"wall_s": wall, "cpu_s": cpu, "more_than_one_thread": cpu / wall > MORE_THAN_ONE},
        "bytes_per_vector": {"index": footprint.index, "rows_beside": footprint.rows},
    }
    if before is not None and after is not None:
        added = (after - before) * 1024 / len(base)
        result["bytes_per_vector"]["anonymous_memory_added"] = added
    return result


def measured(
    peer: Peer, base: Matrix, sets: dict[str, tuple[Matrix, NDArray[np.float64]]]
) -> dict[str, Any]:
    """Build a peer's index over the base and sweep it over each set of queries."""
    load = os.getloadavg()[0]
    result = built(peer, base)
    result["sets"] = {
        name: sweep(peer, base, queries, threshold) for name, (queries, threshold) in sets.items()
    }
    result["peak_memory_mb"] = (memory_kb("VmHWM") or 0) / 1e3 or None
    result["load_average_1_min"] = {"before": load, "after": os.getloadavg()[0]}
    return result
