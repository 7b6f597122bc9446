"""The demonstration passes on good data, and fails on bad."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sutra_core.demo import __main__ as demo
from sutra_core.demo.progress import Progress
from sutra_core.demo.wordnet import DataError, WordNet
from sutra_core.reasoning import ReasoningEngine

SLICE = Path(__file__).resolve().parents[3] / "examples" / "wordnet-slice"


def test_the_demonstration_passes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert demo.main([str(SLICE), "--store", str(tmp_path / "store")]) == 0
    shown = capfd.readouterr().out
    assert "All checks passed." in shown
    assert "dog is a kind of" in shown
    assert "a batch is 200 concepts with vectors and 200 associations" in shown
    told = (
        r"writer \d: (\d+) batches acknowledged .* 0 lost, 0 in part; batch (\d+), then in flight"
    )
    found = re.findall(told, shown)
    assert len(found) == 3
    assert all(int(flying) == int(acknowledged) + 1 for acknowledged, flying in found)
    with ReasoningEngine(tmp_path / "store") as engine:
        assert engine.ask("Is a dog an animal?").primary_answer == "Yes"


def write(folder: Path, concepts: list[object], associations: str = "") -> Path:
    lines = [concept if isinstance(concept, str) else json.dumps(concept) for concept in concepts]
    (folder / "concepts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "associations.tsv").write_text(associations, encoding="utf-8")
    return folder


def test_a_folder_without_answers_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path, [{"id": "x", "words": ["thing"], "gloss": "anything"}])
    assert demo.main([str(folder)]) == 1
    assert "FAILED: Is a dog an animal?" in capfd.readouterr().err


def test_a_missing_folder_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert demo.main([str(tmp_path / "none")]) == 1
    assert "concepts.jsonl" in capfd.readouterr().err


def test_rows_that_repeat_are_passed_over(tmp_path: Path) -> None:
    rows = "a\tb\thypernym\na\tb\thypernym\nb\ta\thyponym\n"
    concepts: list[object] = [
        {"id": key, "words": [key], "gloss": f"the {key}"} for key in ("a", "b")
    ]
    data = WordNet.read(write(tmp_path, concepts, rows))
    assert [concept.content for concept in data.concepts] == ["a: the a", "b: the b"]
    assert [a.relation for a in data.associations] == ["hypernym", "hyponym"]


@pytest.mark.parametrize(
    ("concepts", "associations", "place"),
    [
        (["{"], "", "concepts.jsonl:1"),
        ([{"id": "a"}], "", "concepts.jsonl:1"),
        ([{"id": "a", "words": ["a"], "gloss": ""}, "null"], "", "concepts.jsonl:2"),
        ([], "a\tb", "associations.tsv:1"),
    ],
)
def test_a_bad_line_is_named(
    tmp_path: Path, concepts: list[object], associations: str, place: str
) -> None:
    with pytest.raises(DataError, match=place):
        WordNet.read(write(tmp_path, concepts, associations))


def test_an_interrupt_ends_cleanly(tmp_path: Path) -> None:
    # A job in the background inherits that it ignores interrupts: the program must not, here.
    program = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('sutra_core.demo', run_name='__main__')"
    )
    command = [sys.executable, "-u", "-c", program, str(SLICE), "--store", str(tmp_path / "s")]
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        # The second line tells of the first records stored.
        for _ in range(2):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors


class Terminal(io.StringIO):
    """A stream that says it is watched."""

    def isatty(self) -> bool:
        """Return that it is."""
        return True


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere() -> None:
    plain, watched = io.StringIO(), Terminal()
    for stream in (plain, watched):
        with Progress("stored", 1_000, stream) as progress:
            for done in range(0, 1_001, 10):
                progress(done)
    assert plain.getvalue().count("\n") == 10
    assert "1,000 of 1,000" in plain.getvalue()
    assert "\r" in watched.getvalue()
    assert "#" * 40 in watched.getvalue()
