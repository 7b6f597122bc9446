"""Measures the store through Python: load, open, reads and exact search, against the targets.

`bench_store.py --data FOLDER --output FILE` loads a folder of `concepts.jsonl`, `associations.tsv`
and, where they are there, `vectors_f16.npy` and `text_queries.json` into a new store beside FILE,
closes it, opens it in fresh processes and reads. It prints a table and writes all figures as JSON.

Invariant: what is timed is also checked; an answer that differs from the data's ends the run.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

import sutra_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SEED: Final = 7
DIMENSION: Final = 384
BATCH: Final = 1000
OPENINGS: Final = 5
TAIL_ROWS: Final = 8_000
TAIL_DELETIONS: Final = 100
READS: Final = 20_000
SEARCHES: Final = 200
TOP: Final = 10
TOLERANCE: Final = 1e-5
CACHED_BYTES: Final = 100_000_000
"""Fewer may lie in a processor's cache, and reading them says nothing of memory."""

Matrix = NDArray[np.float32]
Argument = TypeVar("Argument")


class WrongAnswerError(Exception):
    """The store gave another answer than the data."""


def expect(holds: object, what: str) -> None:
    """End the run unless something holds."""
    if not holds:
        raise WrongAnswerError(what)


@dataclass(frozen=True, slots=True)
class Data:
    """A data set.

    Attributes:
        ids: The concepts' ids.
        contents: Their texts.
        vectors: One row a concept, float32.
        associations: Source, target and type, as in the file: some rows repeat.
        queries: Word queries.
        notes: Where vectors and queries come from.
    """

    ids: list[str]
    contents: list[str]
    vectors: Matrix
    associations: list[tuple[str, str, str]]
    queries: list[str]
    notes: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Data:
        """Read a folder."""
        ids, contents, glosses = [], [], []
        with (folder / "concepts.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                concept = json.loads(line)
                ids.append(concept["id"])
                glosses.append(concept["gloss"])
                contents.append(", ".join(concept["words"]) + ": " + concept["gloss"])
        associations = []
        with (folder / "associations.tsv").open(encoding="utf-8") as lines:
            for line in lines:
                source, target, kind = line.rstrip("\n").split("\t")
                associations.append((source, target, kind))
        notes: dict[str, str] = {}
        vectors = _vectors(folder / "vectors_f16.npy", len(ids), notes)
        queries = _queries(folder / "text_queries.json", glosses, notes)
        return cls(ids, contents, vectors, associations, queries, notes)

    def neighbors(self) -> dict[str, list[str]]:
        """Return the distinct targets of each concept, in the order of the file of concepts."""
        position = {concept_id: at for at, concept_id in enumerate(self.ids)}
        targets: dict[str, set[str]] = {}
        for source, target, _ in self.associations:
            targets.setdefault(source, set()).add(target)
        return {source: sorted(ends, key=position.__getitem__) for source, ends in targets.items()}


def _vectors(path: Path, count: int, notes: dict[str, str]) -> Matrix:
    if path.is_file():
        notes["vectors"] = "the data set's embeddings, float16 widened to float32"
        return np.ascontiguousarray(np.load(path), dtype=np.float32)
    notes["vectors"] = f"no embeddings in the data set: random unit vectors of seed {SEED}"
    rows = np.random.default_rng(SEED).standard_normal((count, DIMENSION), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _queries(path: Path, glosses: list[str], notes: dict[str, str]) -> list[str]:
    if path.is_file():
        queries = json.loads(path.read_text(encoding="utf-8"))["or"]
        notes["queries"] = f"the data set's {len(queries)} queries of three words, OR-ed"
        return [" ".join(query["words"]) for query in queries]
    notes["queries"] = f"none in the data set: three words of 2,000 glosses, seed {SEED}, OR-ed"
    rng = np.random.default_rng(SEED)
    found: list[str] = []
    for at in rng.integers(len(glosses), size=2000):
        words = sorted(set(re.findall(r"[a-z]{4,}", glosses[at])))
        if words:
            found.append(" ".join(rng.permutation(words)[:3]))
    return found


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Keep Python's collector out of what is timed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def anonymous_kb() -> int | None:
    """Return this process's anonymous resident memory in kB; None where Linux does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    found = re.search(r"^RssAnon:\s+(\d+)", status.read_text(), re.MULTILINE)
    return int(found[1]) if found else None


# ---- writing -----------------------------------------------------------------------------------


def load(data: Data, store_path: Path) -> dict[str, Any]:
    """Load everything in durable batches, check that it can be found, and close."""
    spans = [slice(at, at + BATCH) for at in range(0, len(data.ids), BATCH)]
    concepts = [(data.ids[s], data.contents[s], data.vectors[s]) for s in spans]
    edges = [
        [list(column) for column in zip(*data.associations[at : at + BATCH], strict=True)]
        for at in range(0, len(data.associations), BATCH)
    ]
    # A batch is durable when the call returns, whatever the store's default for single calls.
    store = sutra_storage.GraphStore(store_path, DIMENSION, durability="sync")
    with without_garbage_collection():
        start = time.perf_counter()
        for ids, contents, vectors in concepts:
            store.put_concepts(ids, contents, vectors)
        concepts_done = time.perf_counter()
        for sources, targets, kinds in edges:
            store.add_associations(sources, targets, types=kinds)
        done = time.perf_counter()
    check_everything_is_found(store, data)
    stats = store.stats()
    start_of_close = time.perf_counter()
    store.close()
    closed = time.perf_counter()
    count = len(data.ids)
    return {
        "concepts": count,
        "association_rows": len(data.associations),
        "associations": stats["total_edges"],
        "batch": BATCH,
        "concepts_s": concepts_done - start,
        "associations_s": done - concepts_done,
        "concepts_per_s": count / (concepts_done - start),
        "concepts_with_associations_per_s": count / (done - start),
        "association_rows_per_s": len(data.associations) / (done - concepts_done),
        "close_ms": (closed - start_of_close) * 1e3,
        "stats_before_close": dict(stats),
    }


def check_everything_is_found(store: sutra_storage.GraphStore, data: Data) -> None:
    """Look for the last concept in each index, the moment the load is done."""
    last, content, vector = data.ids[-1], data.contents[-1], data.vectors[-1]
    stats = store.stats()
    expect(stats["total_concepts"] == len(data.ids), "each concept is there")
    expect(stats["total_vectors"] == len(data.ids), "each vector is there")
    expect(stats["total_edges"] == len(set(data.associations)), "each association is there once")
    expect(last in store.search_text(content, 10), "words find the last concept")
    expect(store.search_vector(vector, 1)[0].score > 1 - TOLERANCE, "vectors find the last concept")
    source, target, _ = data.associations[-1]
    expect(target in store.get_neighbors(source), "the last association is there")


# ---- reading, in processes of their own ----------------------------------------------------------


def opening(store_path: Path) -> tuple[sutra_storage.GraphStore, dict[str, Any]]:
    """Open the store; return it with what that took."""
    imported = anonymous_kb()
    start = time.perf_counter()
    store = sutra_storage.GraphStore(store_path, DIMENSION)
    took = time.perf_counter() - start
    opened = anonymous_kb()
    added = opened - imported if opened is not None and imported is not None else None
    return store, {
        "open_ms": took * 1e3,
        "anonymous_kb_after_import": imported,
        "anonymous_kb_after_open": opened,
        "anonymous_kb_added_by_open": added,
    }


def die_with_a_tail(data_folder: Path, store_path: Path) -> NoReturn:
    """Put and delete concepts, durable and not yet flushed, and die by SIGKILL."""
    data = Data.read(data_folder)
    store = sutra_storage.GraphStore(store_path, DIMENSION)
    rows = min(TAIL_ROWS, len(data.ids))
    for start in range(0, rows, BATCH):
        batch = slice(start, min(start + BATCH, rows))
        store.put_concepts(data.ids[batch], data.contents[batch], data.vectors[batch])
    store.delete_many(data.ids[:TAIL_DELETIONS])
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def open_after_death(data_folder: Path, store_path: Path) -> NoReturn:
    """Time the opening after a death, check what is there, and end with the log as it was found."""
    store, figures = opening(store_path)
    stats = store.stats()
    data = Data.read(data_folder)
    expect(stats["total_concepts"] == len(data.ids) - TAIL_DELETIONS, "every commit survived")
    expect(data.ids[0] not in store, "a deletion survived")
    print(json.dumps(figures | {"log_bytes": stats["log_bytes"]}), flush=True)
    os._exit(0)  # Closing would flush the tail that the next one is to meet.


def latencies(
    call: Callable[[Argument], object], arguments: Sequence[Argument]
) -> dict[str, float]:
    """Time a call for each argument; microseconds."""
    clock = time.perf_counter_ns
    took = []
    with without_garbage_collection():
        for argument in arguments:
            start = clock()
            call(argument)
            took.append(clock() - start)
    ordered = sorted(took)
    return {
        "median_us": statistics.median(ordered) / 1e3,
        "p99_us": ordered[len(ordered) * 99 // 100] / 1e3,
        "calls": len(ordered),
    }


def read(data_folder: Path, store_path: Path) -> dict[str, Any]:
    """Open, then time reads and searches; the memory after each is in the answer."""
    store, figures = opening(store_path)
    data = Data.read(data_folder)
    rng = np.random.default_rng(SEED)
    ids = [data.ids[at] for at in rng.integers(len(data.ids), size=READS)]
    calls: list[tuple[str, Callable[[str], object], list[str]]] = [
        ("get_vector", store.get_vector, ids),
        ("get_neighbors", store.get_neighbors, ids),
        ("get_concept", store.get_concept, ids),
        ("search_text", store.search_text, data.queries),
    ]
    for name, call, arguments in calls:
        # The first reading of a block of a file compares it with its checksum.
        first = latencies(call, arguments)
        figures[name] = {"first_touch": first, "warm": latencies(call, arguments)}
    check_reads(store, data)
    figures["exact_search"] = exact_search(store, data, rng)
    store.close()
    return figures


def check_reads(store: sutra_storage.GraphStore, data: Data) -> None:
    """Compare every hundredth concept with the data."""
    neighbors = data.neighbors()
    for at in range(0, len(data.ids), 100):
        concept_id = data.ids[at]
        vector = store.get_vector(concept_id)
        expect(vector is not None and np.array_equal(vector, data.vectors[at]), "the vector")
        found = store.get_neighbors(concept_id)
        expect(found == neighbors.get(concept_id, []), f"the neighbours of {concept_id}")
        concept = store.get_concept(concept_id)
        expect(concept is not None and concept.content == data.contents[at], "the content")


def exact_search(
    store: sutra_storage.GraphStore, data: Data, rng: np.random.Generator
) -> dict[str, Any]:
    """Time exact searches, each beside a plain reading of as many bytes.

    The medians of such pairs are what to compare: where the machine is shared, its bandwidth comes
    in bursts, and a single search may meet one that no reading met.
    """
    queries = data.vectors[rng.integers(len(data.ids), size=SEARCHES)]
    start = time.perf_counter()
    store.search_vector(queries[0], TOP)
    first = time.perf_counter() - start
    norms = np.linalg.norm(data.vectors, axis=1)
    for query in queries[:5]:
        cosines = data.vectors @ query / (norms * np.linalg.norm(query))
        best = np.sort(cosines)[::-1][:TOP]
        scores = [hit.score for hit in store.search_vector(query, TOP)]
        expect(np.allclose(scores, best, rtol=0, atol=TOLERANCE), "the best cosines")
    cores = len(os.sched_getaffinity(0))
    searches, readings = [], []
    with ThreadPoolExecutor(cores) as pool, without_garbage_collection():
        parts = np.array_split(data.vectors.reshape(-1), cores)
        for query in queries:
            # A vector's product with itself reads its bytes once, as fast as BLAS can; a thread a
            # core, since one can't use all of the bandwidth.
            start = time.perf_counter()
            list(pool.map(lambda part: np.dot(part, part), parts))
            middle = time.perf_counter()
            store.search_vector(query, TOP)
            readings.append(middle - start)
            searches.append(time.perf_counter() - middle)
    return {
        "bytes": data.vectors.nbytes,
        "searches": SEARCHES,
        "first_ms": first * 1e3,
        "best_ms": min(searches) * 1e3,
        "median_ms": statistics.median(searches) * 1e3,
        "reading_best_ms": min(readings) * 1e3,
        "reading_median_ms": statistics.median(readings) * 1e3,
    }


# ---- the run -------------------------------------------------------------------------------------


def fresh_process(phase: str, data: Path, store: Path) -> dict[str, Any]:
    """Run a phase in a process of its own."""
    command = [sys.executable, __file__, "--phase", phase]
    command += ["--data", str(data), "--store", str(store)]
    # The threads that read against the search are this script's own, not BLAS's.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, env=environment)
    if phase == "die":
        expect(done.returncode == -signal.SIGKILL, "the writer was killed")
        return {}
    done.check_returncode()
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def rust_reading_ms(byte_count: int) -> float | None:
    """Return the best time of a plain reading in Rust, where cargo is there to build it."""
    if shutil.which("cargo") is None:
        return None
    rows = byte_count // (4 * DIMENSION)
    example = ["cargo", "run", "--quiet", "--release", "--package", "vector-kernel"]
    arguments = ["--example", "scan_bandwidth", "--", str(rows), str(DIMENSION), "10"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([*example, *arguments], cwd=root, capture_output=True, check=False)
    table = done.stdout.decode(errors="replace")
    # Threads, name, best of pieces in ms, GB/s, ratio, best whole scan in ms, ratio.
    whole = re.findall(
        r"^\s*\d+\s+plain read\s+[\d.]+\s+[\d.]+\s+[\d.]+\s+([\d.]+)", table, re.MULTILINE
    )
    return min(map(float, whole)) if whole else None


def disk_bytes(folder: Path) -> dict[str, int]:
    """Return the bytes of the store's files, by kind."""
    sizes: dict[str, int] = {"total": 0}
    for file in folder.rglob("*"):
        if file.is_file():
            kind = file.suffix.lstrip(".") or re.split(r"[-.]", file.name)[0]
            size = file.stat().st_size
            sizes[kind] = sizes.get(kind, 0) + size
            sizes["total"] += size
    return sizes


def machine() -> dict[str, Any]:
    """Return what the figures depend on, without naming the machine."""
    model = None
    with contextlib.suppress(OSError):
        found = re.search(
            r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
        )
        model = found[1] if found else None
    return {
        "cpu": model or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "os": f"{platform.system()} {platform.release().split('-')[0]}",
        "load_average_1_min": os.getloadavg()[0],
    }


def commit() -> str:
    """Return the checkout's commit, marked where files differ from it."""
    root = Path(__file__).resolve().parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    with contextlib.suppress(OSError):
        done = subprocess.run(command, cwd=root, capture_output=True, check=False, text=True)
        return done.stdout.strip() or "unknown"
    return "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to be.

    Attributes:
        what: Its name.
        value: What was measured; None where it could not be.
        unit: Its unit.
        bound: What it is compared with.
        at_least: Whether it is to be no smaller, rather than smaller.
        floor: What it can't be below: a value that is shows that the measurement went wrong.
    """

    what: str
    value: float | None
    unit: str
    bound: float
    at_least: bool = False
    floor: float = 0.0

    @property
    def met(self) -> bool | None:
        """Whether it is; None where it could not be measured, or not rightly."""
        if self.value is None or self.value < self.floor:
            return None
        return self.value >= self.bound if self.at_least else self.value < self.bound

    def row(self) -> str:
        """Return a line of the table."""
        sign = "≥" if self.at_least else "<"
        measured = "not measured" if self.value is None else f"{self.value:,.2f} {self.unit}"
        verdict = {True: "met", False: "not met", None: "unknown"}[self.met]
        return f"| {self.what} | {measured} | {sign} {self.bound:,g} {self.unit} | {verdict} |"


def targets(results: dict[str, Any]) -> list[Target]:
    """Compare the figures with the targets."""
    loaded, reads = results["load"], results["read"]
    openings = results["openings"]
    search = reads["exact_search"]
    memory = [o["anonymous_kb_after_open"] for o in openings]
    anonymous = max(memory) / 1e3 if all(kb is not None for kb in memory) else None
    added = [o["anonymous_kb_added_by_open"] for o in openings]
    extra = max(added) / 1e3 if all(kb is not None for kb in added) else None

    def warm(name: str) -> float:
        return float(reads[name]["warm"]["median_us"])

    with_edges = loaded["concepts_with_associations_per_s"]
    open_ms = statistics.median(o["open_ms"] for o in openings)
    killed_ms = statistics.median(o["open_ms"] for o in results["openings_after_kill"])
    in_memory = search["bytes"] > CACHED_BYTES
    ratio = search["median_ms"] / search["reading_median_ms"] if in_memory else None
    best = search["best_ms"] / search["limit_ms"] if in_memory else None
    return [
        Target(
            "load, concepts alone", loaded["concepts_per_s"], "concepts/s", 20_000, at_least=True
        ),
        Target("load, concepts and associations", with_edges, "concepts/s", 20_000, at_least=True),
        Target("open, median of fresh processes", open_ms, "ms", 50),
        Target("open after kill -9, with a log's tail", killed_ms, "ms", 150),
        Target("anonymous memory after opening, whole process", anonymous, "MB", 60),
        Target("anonymous memory that opening added", extra, "MB", 60),
        Target("get_vector, median", warm("get_vector"), "µs", 5),
        Target("get_neighbors, median", warm("get_neighbors"), "µs", 5),
        Target("search_text, median", warm("search_text"), "µs", 200),
        Target("exact search to plain reading, medians of pairs", ratio, "x", 1.3),
        Target("exact search to plain reading, best of each", best, "x", 1.3, floor=1.0),
    ]


def report(results: dict[str, Any]) -> str:
    """Return the tables, in Markdown."""
    lines = ["| what | measured | target | |", "|---|---:|---:|---|"]
    lines += [target.row() for target in targets(results)]
    reads = results["read"]
    lines += ["", "| read | warm median µs | warm p99 µs | first touch median µs | p99 µs |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for name in ("get_vector", "get_neighbors", "get_concept", "search_text"):
        warm, first = reads[name]["warm"], reads[name]["first_touch"]
        figures = [warm["median_us"], warm["p99_us"], first["median_us"], first["p99_us"]]
        lines.append(f"| {name} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")
    loaded, search = results["load"], reads["exact_search"]
    rates = (
        f"load: {loaded['concepts']:,} concepts in {loaded['concepts_s']:.2f} s, "
        f"{loaded['association_rows']:,} association rows in {loaded['associations_s']:.2f} s, "
        f"closed in {loaded['close_ms']:.0f} ms; disk: {results['disk']['total'] / 1e6:.1f} MB"
    )
    searched = (
        f"exact top-{TOP} over {search['bytes'] / 1e6:.0f} MB: best {search['best_ms']:.2f} ms, "
        f"median {search['median_ms']:.2f} ms, first {search['first_ms']:.1f} ms; reading as many "
        f"bytes: best {search['limit_ms']:.2f} ms, median {search['reading_median_ms']:.2f} ms"
    )
    tail = min(o["log_bytes"] for o in results["openings_after_kill"])
    killed = (
        f"open after kill -9: {tail / 1e6:.1f} MB of log replayed, {TAIL_ROWS:,} concepts put and "
        f"{TAIL_DELETIONS} deleted"
    )
    return "\n".join([*lines, "", rates, "", searched, "", killed])


def run(data_folder: Path, output: Path) -> None:
    """Load, open, read and report."""
    machine_before = machine()
    data = Data.read(data_folder)
    output.parent.mkdir(parents=True, exist_ok=True)
    # Beside the results, not in the folder for temporary files: that may be memory, where a sync is
    # free.
    with tempfile.TemporaryDirectory(dir=output.parent, prefix="store-") as folder:
        store = Path(folder) / "store"
        loaded = load(data, store)
        disk = disk_bytes(store)
        openings = [fresh_process("open", data_folder, store) for _ in range(OPENINGS)]
        reads = fresh_process("read", data_folder, store)
        fresh_process("die", data_folder, store)
        after_death = [fresh_process("survive", data_folder, store) for _ in range(OPENINGS)]
    search = reads["exact_search"]
    rust = rust_reading_ms(search["bytes"])
    search["rust_reading_best_ms"] = rust
    search["limit_ms"] = min(search["reading_best_ms"], rust or search["reading_best_ms"])
    results: dict[str, Any] = {
        "work": (
            f"{len(data.ids):,} concepts with text and {DIMENSION}-d vectors and "
            f"{len(data.associations):,} association rows, in batches of {BATCH:,}, each durable "
            f"(sync) before the next; then {OPENINGS} openings and one reader, each a fresh process"
        ),
        "data": data.notes,
        "seed": SEED,
        "versions": {
            "sutra_storage": sutra_storage.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "machine": machine_before,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "load": loaded,
        "disk": disk,
        "openings": openings,
        "openings_after_kill": after_death,
        "read": reads,
    }
    results["targets"] = [asdict(t) | {"met": t.met} for t in targets(results)]
    output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{results['work']}\n{data.notes['vectors']}; {data.notes['queries']}\n")
    print(report(results))


def main() -> None:
    """Run all of it, or the one phase that a fresh process is for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--output", type=Path, help="where the JSON goes")
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--phase", choices=["open", "read", "die", "survive"], help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    if arguments.phase == "open":
        store, figures = opening(arguments.store)
        print(json.dumps(figures))
        store.close()
    elif arguments.phase == "read":
        print(json.dumps(read(arguments.data, arguments.store)))
    elif arguments.phase == "die":
        die_with_a_tail(arguments.data, arguments.store)
    elif arguments.phase == "survive":
        open_after_death(arguments.data, arguments.store)
    elif arguments.output is None:
        parser.error("--output is needed")
    else:
        run(arguments.data, arguments.output)


if __name__ == "__main__":
    main()
