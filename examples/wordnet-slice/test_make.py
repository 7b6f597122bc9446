"""The rule of the slice, on a small graph: what is chosen, and what comes with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import make

if TYPE_CHECKING:
    from pathlib import Path

CONCEPTS = {
    "n1": ("entity", "all"),
    "n2": ("animal", "a living entity"),
    "n3": ("dog", "an animal that barks"),
    "n4": ("dogfish", "a fish"),
    "n5": ("tail", "the end of a dog"),
}
ASSOCIATIONS = [
    ("n1", "n2", "hyponym"),
    ("n2", "n1", "hypernym"),
    ("n2", "n3", "hyponym"),
    ("n2", "n4", "hyponym"),
    ("n3", "n2", "hypernym"),
    ("n3", "n2", "hypernym"),
    ("n3", "n5", "part_meronym"),
    ("n4", "n2", "hypernym"),
]


def graph(folder: Path) -> make.Graph:
    concepts = (
        json.dumps({"id": id_, "words": [word], "gloss": gloss})
        for id_, (word, gloss) in CONCEPTS.items()
    )
    (folder / "concepts.jsonl").write_text("\n".join(concepts) + "\n", encoding="utf-8")
    rows = ("\t".join(row) for row in ASSOCIATIONS)
    (folder / "associations.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return make.Graph.read(folder)


def test_repeated_rows_are_read_once(tmp_path: Path) -> None:
    assert graph(tmp_path).associations.count(("n3", "n2", "hypernym")) == 1


def test_the_closure_follows_the_named_kinds_only(tmp_path: Path) -> None:
    assert graph(tmp_path).closure({"n3"}, make.UP) == {"n3", "n2", "n1"}
    assert graph(tmp_path).closure({"n2"}, make.DOWN) == {"n2", "n3", "n4"}


def test_the_best_known_is_what_glosses_mention(tmp_path: Path) -> None:
    assert graph(tmp_path).best({"n3", "n4"}, 1) == {"n3"}


def test_equals_rank_by_id(tmp_path: Path) -> None:
    assert graph(tmp_path).best({"n5", "n4"}, 0) == set()
    one = make.Graph(first_word={"b": "x", "a": "x", "c": "x"})
    assert one.best({"c", "b", "a"}, 2) == {"a", "b"}


def test_rendering_keeps_only_associations_with_both_ends(tmp_path: Path) -> None:
    files = make.render(graph(tmp_path), {"n1", "n2", "n3"})
    assert files["associations.tsv"] == (
        "n1\tn2\thyponym\nn2\tn1\thypernym\nn2\tn3\thyponym\nn3\tn2\thypernym\n"
    )
    assert [json.loads(line)["id"] for line in files["concepts.jsonl"].splitlines()] == [
        "n1",
        "n2",
        "n3",
    ]
