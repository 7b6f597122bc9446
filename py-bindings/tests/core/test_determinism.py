"""The same store and question give the same answer, whatever the process, hash seed or order."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from sutra_core.reasoning import ReasoningEngine

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [
    ("A dog is a mammal.", "b.txt"),
    ("A dog is a mammal.", "a.txt"),
    ("Mammals are animals.", "a.txt"),
    ("A dog is a pet. Pets are animals.", "c.txt"),
    ("Dogs and cats are pets.", "b.txt"),
    ("Smoking causes cancer.", "a.txt"),
    ("Smoking leads to bad breath.", "b.txt"),
    ("Smoking does not cause cancer.", "c.txt"),
    ("Photosynthesis converts sunlight into chemical energy in plants.", None),
]
QUESTIONS = [
    "Is a dog an animal?",
    "What is a dog?",
    "What does smoking cause?",
    "Does smoking cause cancer?",
    "How are a dog and a cat connected?",
    "How do plants make energy?",
    "Is a dog a plant?",
]


def answers(engine: ReasoningEngine) -> list[Any]:
    found = [engine.ask(question) for question in QUESTIONS]
    return [
        [a.primary_answer, a.confidence, a.explanation, [x.text for x in a.alternative_answers]]
        for a in found
    ]


def test_answers_survive_two_reopenings(tmp_path: Path) -> None:
    with ReasoningEngine(tmp_path / "store") as engine:
        engine.learn_batch(TEXTS)
        expected = answers(engine)
    assert expected[0][0] == "Yes"
    for _ in range(2):
        with ReasoningEngine(tmp_path / "store") as engine:
            assert answers(engine) == expected


def test_proofs_are_the_same_after_reopening(tmp_path: Path) -> None:
    with ReasoningEngine(tmp_path / "store") as engine:
        engine.learn_batch(TEXTS)
        expected = [engine.ask(question).proof for question in QUESTIONS]
    with ReasoningEngine(tmp_path / "store") as engine:
        assert [engine.ask(question).proof for question in QUESTIONS] == expected


def test_answers_do_not_depend_on_the_order_of_the_sources(tmp_path: Path) -> None:
    orders = [TEXTS, TEXTS[::-1], TEXTS[4:] + TEXTS[:4], sorted(TEXTS, key=str)]
    found = []
    for number, order in enumerate(orders):
        with ReasoningEngine(tmp_path / str(number)) as engine:
            engine.learn_batch(order)
            found.append(answers(engine))
    assert all(one == other for one, other in itertools.pairwise(found))


def test_answers_do_not_depend_on_batches(tmp_path: Path) -> None:
    with (
        ReasoningEngine(tmp_path / "one") as one,
        ReasoningEngine(tmp_path / "batch") as batch,
    ):
        for text, source in TEXTS:
            one.learn(text, source)
        batch.learn_batch(TEXTS)
        assert answers(one) == answers(batch)


ASK = """
import json, sys
from sutra_core.reasoning import ReasoningEngine
store, texts, questions = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
with ReasoningEngine(store) as engine:
    ids = engine.learn_batch([tuple(text) for text in texts])
    found = [engine.ask(question) for question in questions]
    hits = [[hit.id, hit.score] for hit in engine.search_concepts("dogs and pets")]
print(json.dumps([ids, [[a.primary_answer, a.confidence, a.explanation] for a in found], hits]))
"""


def test_answers_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    outputs = set()
    for seed in ("0", "1", "17", "4294967295"):
        command = [sys.executable, "-c", ASK, str(tmp_path / seed)]
        command += [json.dumps(TEXTS), json.dumps(QUESTIONS)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, env=environment, capture_output=True, check=True)  # noqa: S603
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert json.loads(outputs.pop())[1][0][0] == "Yes"
