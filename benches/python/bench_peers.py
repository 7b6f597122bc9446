"""Measures vector search by the libraries that a user would pick instead, at their best settings.

`bench_peers.py --vectors --size 10000|100000|1000000 [--only NAME] [--out FILE]` gives each peer
the same rows and queries in a process of its own that may use one thread, sweeps its search
parameters, and writes all figures as JSON, a table (FILE with .md) and a plot (FILE with .svg).
With `--filters` each searches among selected rows, and there is no plot.

Invariant: a peer that can't be measured, because its wheel is missing or it crashes, is named in
the JSON and the table with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from peers import dataset, filtered, measure, recall, registry, report, selections

ROOT: Final = Path(__file__).resolve().parents[2]
THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
    "LANCE_CPU_THREADS",
)
PEER_LIMIT_S: Final = 4 * 3600
CHOICES_OF_OTHERS: Final = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""They would choose numpy's kernels, and are left out of a peer's environment."""
DATA_FOLDERS: Final = ("data/wordnet", "../shared/data/wordnet")


SELECTIONS: Final = "selections.npz"
SELECTED_THRESHOLDS: Final = "selected-thresholds.npz"
FILTERED_QUERIES: Final = "held out"
"""The set that is asked under filters, at a million rows, too."""


def measure_here(name: str, folder: Path, output: Path, *, filters: bool) -> None:
    """Measure a peer in this process; the parent has set its environment."""
    result: dict[str, Any]
    try:
        result = measure_filtered(name, folder) if filters else measure_all_rows(name, folder)
    except ImportError as error:
        result = {"skipped": f"not installed: {error}"}
    except Exception as error:  # noqa: BLE001  # a library may raise anything; the others go on
        traceback.print_exc()
        result = {"skipped": f"{type(error).__name__}: {error}"}
    output.write_text(json.dumps(result), encoding="utf-8")


def measure_all_rows(name: str, folder: Path) -> dict[str, Any]:
    """Measure a peer's searches among all rows, over each set of queries."""
    peer = registry.make(name)
    base = np.load(folder / "base.npy")
    sets = {}
    for file in sorted(folder.glob("queries-*.npy")):
        threshold = np.load(file.with_name(file.name.replace("queries-", "thresholds-")))
        sets[file.stem.removeprefix("queries-")] = (np.load(file), threshold)
    return measure.measured(peer, base, sets)


def measure_filtered(name: str, folder: Path) -> dict[str, Any]:
    """Measure a peer's searches among the rows of each selection."""
    peer = registry.make_filtering(name)
    base = np.load(folder / "base.npy")
    queries = np.load(folder / f"queries-{FILTERED_QUERIES}.npy")
    with np.load(folder / SELECTIONS) as rows, np.load(folder / SELECTED_THRESHOLDS) as thresholds:
        among = {each: filtered.Target(rows[each], thresholds[each]) for each in rows.files}
    return filtered.measured(peer, base, queries, among)


def measured_apart(
    name: str, folder: Path, program: Path | None, *, filters: bool
) -> dict[str, Any]:
    """Measure a peer in a process of its own; `program` measures what is no class here."""
    is_program = not filters and registry.PEERS[name].is_program
    if is_program and program is None:
        return {"skipped": "no --program was given; cargo xtask bench builds it"}
    output = folder / "result.json"
    output.unlink(missing_ok=True)
    environment = {key: value for key, value in os.environ.items() if key not in CHOICES_OF_OTHERS}
    environment |= dict.fromkeys(THREAD_VARIABLES, "1")
    command = [sys.executable, __file__, "--vectors", "--peer", name]
    command += ["--folder", str(folder), "--out", str(output)]
    command += ["--filters"] if filters else []
    if is_program:
        command = [str(program), str(folder), str(output)]
    started = datetime.now(UTC)
    log = folder / "log.txt"
    result: dict[str, Any]
    try:
        with log.open("w", encoding="utf-8") as said:
            # Stores on disk are made in its working directory, beside the results.
            done = subprocess.run(
                command,
                check=False,
                env=environment,
                cwd=folder,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=PEER_LIMIT_S,
            )
    except subprocess.TimeoutExpired:
        result = {"skipped": f"took more than {PEER_LIMIT_S // 3600} hours"}
    else:
        if done.returncode == 0 and output.exists():
            result = json.loads(output.read_text(encoding="utf-8"))
        else:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            result = {"skipped": ending(done.returncode, lines[-1] if lines else "")}
    if "skipped" in result:
        print(log.read_text(encoding="utf-8", errors="replace"))
    for rest in folder.glob("*-*/"):
        shutil.rmtree(rest)
    return result | {"date": started.isoformat(timespec="seconds")}


def ending(status: int, last_line: str) -> str:
    """Return why a process ended that left no result."""
    if status < 0:
        return f"crashed on this processor: {signal.Signals(-status).name}"
    return f"ended with status {status}: {last_line}"


def prepared(data: Path, size: int, folder: Path, *, filters: bool = False) -> dict[str, Any]:
    """Write rows, queries and exact answers where the children read them; return the notes."""
    read = dataset.read(data, size)
    np.save(folder / "base.npy", read.base)
    if filters:
        queries = read.queries[FILTERED_QUERIES]
        np.save(folder / f"queries-{FILTERED_QUERIES}.npy", queries)
        chosen = selections.drawn(read.base, measure.TOP)
        targets = filtered.targets(read.base, queries, chosen)
        np.savez(folder / SELECTIONS, allow_pickle=False, **chosen)
        answers = {name: target.threshold for name, target in targets.items()}
        np.savez(folder / SELECTED_THRESHOLDS, allow_pickle=False, **answers)
        return read.notes | {"selections": selections.notes(chosen)}
    for name, queries in read.queries.items():
        np.save(folder / f"queries-{name}.npy", queries)
        threshold = recall.thresholds(read.base, queries, measure.TOP)
        np.save(folder / f"thresholds-{name}.npy", threshold)
    return read.notes


def machine() -> dict[str, Any]:
    """Return what the figures depend on, without naming the machine."""
    known: dict[str, str] = {}
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
        known = dict(re.findall(r"^(.+?)\s*:\s*(.+)$", lines, re.MULTILINE))
    return {
        "cpu": known.get("model name", platform.processor()),
        "cache": known.get("cache size"),
        "flags": sorted(known.get("flags", "").split()),
        "cores": len(os.sched_getaffinity(0)),
        "os": f"{platform.system()} {platform.release().split('-')[0]}",
        "load_average_1_min": os.getloadavg()[0],
    }


def commit() -> str:
    """Return the checkout's commit, marked where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    with contextlib.suppress(OSError):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
        return done.stdout.strip() or "unknown"
    return "unknown"


def kept(output: Path, notes: dict[str, Any]) -> dict[str, Any]:
    """Return the peers that a file already has over the same data."""
    if not output.exists():
        return {}
    before: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    if before["data"] != notes:
        raise SystemExit(f"{output.name} is of other data; name another file, or leave --keep out")
    peers: dict[str, Any] = before["peers"]
    return peers


def run(arguments: argparse.Namespace) -> None:
    """Prepare the data, measure each peer, and write the results as they come."""
    filters: bool = arguments.filters
    stem = "peers-filters" if filters else "peers-vectors"
    output: Path = arguments.out or ROOT / f"benches/out/{stem}-{arguments.size}.json"
    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    names = registry.chosen(arguments.only, registry.FILTERING if filters else registry.PEERS)
    results: dict[str, Any] = {
        "command": " ".join(["bench_peers.py", *report.without_paths(sys.argv[1:])]),
        "machine": machine(),
        "python": platform.python_version(),
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "k": measure.TOP,
        "threads": 1,
        "rounds": measure.ROUNDS,
        "size": arguments.size,
    }
    with tempfile.TemporaryDirectory(dir=output.parent, prefix="peers-") as name:
        folder = Path(name)
        results["data"] = prepared(arguments.data, arguments.size, folder, filters=filters)
        notes = results["data"]
        print(f"{notes['base_rows']:,} rows of {notes['dimension']}, sha256 {notes['base_sha256']}")
        results["peers"] = kept(output, notes) if arguments.keep else {}
        for peer in names:
            print(f"{peer}: load average {os.getloadavg()[0]:.1f}", flush=True)
            found = measured_apart(peer, folder, arguments.program, filters=filters)
            results["peers"][peer] = found
            reason = results["peers"][peer].get("skipped")
            print(f"{peer}: skipped: {reason}" if reason else f"{peer}: measured", flush=True)
            rated = report.with_fastest(results) if filters else report.with_rates(results)
            text = json.dumps(rated, indent=1, ensure_ascii=False)
            output.write_text(text + "\n", encoding="utf-8")
    table = report.filters_table(results) if filters else report.table(results)
    output.with_suffix(".md").write_text(table, encoding="utf-8")
    print(table)
    if not filters:
        report.plot(results, output.with_suffix(".svg"))


def main() -> None:
    """Run all of it, or measure the one peer that a fresh process is for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", action="store_true", required=True, help="vector search")
    parser.add_argument("--filters", action="store_true", help="among selected rows")
    parser.add_argument("--size", type=int, choices=dataset.SIZES, default=dataset.MIDDLE)
    parser.add_argument("--data", type=Path, help="folder of the data set")
    parser.add_argument("--only", action="append", default=[], help="a peer or a family of them")
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    parser.add_argument("--program", type=Path, help="measures the vector-kernel crate from Rust")
    parser.add_argument("--keep", action="store_true", help="keep what FILE has of other peers")
    parser.add_argument("--list", action="store_true", help="name the peers and stop")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.program is not None:
        arguments.program = arguments.program.absolute()
    if arguments.list:
        print("\n".join(registry.FILTERING if arguments.filters else registry.PEERS))
        return
    if arguments.peer:
        folder, output = arguments.folder, arguments.out
        measure_here(arguments.peer, folder, output, filters=arguments.filters)
        return
    if arguments.data is None:
        folders = [ROOT / folder for folder in DATA_FOLDERS]
        arguments.data = next((each for each in folders if each.is_dir()), folders[0])
    if not (arguments.data / "vectors_f16.npy").is_file():
        parser.error(f"{arguments.data.name} holds no vectors_f16.npy; cargo xtask data makes it")
    try:
        run(arguments)
    except KeyError as error:
        parser.error(error.args[0])


if __name__ == "__main__":
    main()
