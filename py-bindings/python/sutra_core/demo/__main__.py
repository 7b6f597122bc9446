"""`python -m sutra_core.demo FOLDER`: learn WordNet, ask, kill a writer, ask again.

Invariant: the exit code is 0 only if every check passed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sutra_core.demo import crash
from sutra_core.demo.progress import Progress
from sutra_core.demo.wordnet import DataError, WordNet
from sutra_core.reasoning.engine import ReasoningEngine
from sutra_storage import SutraError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from sutra_core.reasoning.result import ConsensusResult

TEXTS: Final = (
    ("Photosynthesis converts sunlight into chemical energy in plants.", "botany.txt"),
    ("High blood pressure causes cardiovascular disease.", "medicine.txt"),
    ("Cardiovascular disease leads to heart failure.", "medicine.txt"),
)

# Each question with what its answer must be like.
QUESTIONS: Final[tuple[tuple[str, Callable[[ConsensusResult], bool]], ...]] = (
    ("Is a dog an animal?", lambda answer: answer.primary_answer == "Yes"),
    ("How are a wheel and a car connected?", lambda answer: len(answer.supporting_paths) > 0),
    ("What is a beagle?", lambda answer: "hound" in answer.primary_answer),
    (
        "Does high blood pressure cause heart failure?",
        lambda answer: answer.primary_answer == "Yes" and answer.supporting_paths[0].hops > 1,
    ),
    ("How do plants make energy?", lambda answer: "sunlight" in answer.primary_answer),
    ("Is a dog a plant?", lambda answer: answer.abstained),
    ("What is a florbnitz?", lambda answer: answer.abstained),
)

RUNS: Final = 3
"""Writers that are killed."""

_INTERRUPTED: Final = 130


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; return the process's exit code."""
    options = _options(arguments)
    try:
        if options.store is not None:
            return _demonstrate(options.folder, options.store)
        with tempfile.TemporaryDirectory(prefix="sutra-demo-") as folder:
            return _demonstrate(options.folder, Path(folder) / "store")
    except (DataError, SutraError, crash.WriterError) as error:
        _say(f"demo: {error}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say("\ndemo: interrupted", sys.stderr)
        return _INTERRUPTED


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sutra_core.demo",
        description="Learns WordNet, answers questions, kills a writer, and asks again.",
    )
    parser.add_argument("folder", type=Path, help="where concepts.jsonl and associations.tsv are")
    parser.add_argument(
        "--store", type=Path, help="where to put the store, and leave it; else it is temporary"
    )
    return parser.parse_args(arguments)


def _demonstrate(folder: Path, store: Path) -> int:
    failures: list[str] = []
    with ReasoningEngine(store) as engine:
        _learn(engine, folder)
        _say("\nAsking")
        before = _ask(engine, failures)
    _kill(store, failures)
    _say("\nAsking again")
    started = time.perf_counter()
    with ReasoningEngine(store) as engine:
        _say(f"  reopened in {(time.perf_counter() - started) * 1e3:.0f} ms")
        after = [engine.ask(question) for question, _ in QUESTIONS]
    changed = [
        question
        for (question, _), one, other in zip(QUESTIONS, before, after, strict=True)
        if (one.primary_answer, one.confidence, one.explanation)
        != (other.primary_answer, other.confidence, other.explanation)
    ]
    failures += [f"another answer after the crash: {question}" for question in changed]
    if not changed:
        _say(f"  the same {len(after)} answers, with the same paths and confidences")
    for failure in failures:
        _say(f"FAILED: {failure}", sys.stderr)
    if not failures:
        _say("\nAll checks passed.")
    return 1 if failures else 0


def _learn(engine: ReasoningEngine, folder: Path) -> None:
    data = WordNet.read(folder)
    total = len(data.concepts) + len(data.associations)
    _say(
        f"Learning {len(data.concepts):,} concepts and {len(data.associations):,} associations"
        f" of {data.concepts[0].source}"
    )
    with Progress("stored", total, sys.stdout) as progress:
        engine.add_concepts(data.concepts, data.associations, progress=progress)
        seconds = progress.seconds
    stats = engine.stats()
    _say(
        f"  durable, embedded and searchable after {seconds:.1f} s:"
        f" {stats['total_concepts']:,} concepts (names too), {stats['total_edges']:,} associations"
    )
    _say(f"Learning {len(TEXTS)} sentences of plain text")
    engine.learn_batch(TEXTS)


def _ask(engine: ReasoningEngine, failures: list[str]) -> list[ConsensusResult]:
    answers = []
    for question, is_right in QUESTIONS:
        started = time.perf_counter()
        answer = engine.ask(question)
        milliseconds = (time.perf_counter() - started) * 1e3
        _say(f"\n  {question}   ({milliseconds:.1f} ms)")
        for line in answer.explanation.splitlines():
            _say(f"    {line}")
        if not is_right(answer):
            failures.append(f"{question} {answer.primary_answer}")
        answers.append(answer)
    return answers


def _kill(store: Path, failures: list[str]) -> None:
    _say(
        f"\nKilling writers with SIGKILL in mid-load; a batch is {crash.BATCH} concepts with"
        f" vectors and {crash.BATCH} associations, in one transaction"
    )
    for run in range(RUNS):
        acknowledged = crash.kill_a_writer(store, run, acknowledged=3 + 2 * run)
        with ReasoningEngine(store) as engine:
            remains = crash.look(engine.storage, run, acknowledged)
        _say(
            f"  writer {run + 1}: {acknowledged} batches acknowledged when it was killed;"
            f" after reopening {len(remains.lost)} lost, {len(remains.torn)} in part;"
            f" batch {acknowledged + 1}, then in flight, is {remains.in_flight}"
        )
        failures += [f"acknowledged batch {batch + 1} is lost" for batch in remains.lost]
        failures += [f"batch {batch + 1} is there in part" for batch in remains.torn]


def _say(line: str, stream: TextIO | None = None) -> None:
    print(line, file=stream or sys.stdout, flush=True)  # it is what a demonstration does


if __name__ == "__main__":
    sys.exit(main())
