"""Export and import: a store comes back the same, and what is no export is refused by line."""

import json
from pathlib import Path

import numpy as np
import pytest

import sutra_storage


@pytest.fixture
def store() -> sutra_storage.GraphStore:
    """Return a store in memory with a few fields that are hard to carry over."""
    store = sutra_storage.GraphStore(":memory:", vector_dimension=3)
    store.put_concept(
        "dog",
        'a "mammal"\n\u2028',
        [-0.0, 1e-45, 0.1],
        created=0.1,
        access_count=2**64 - 1,
        strength=0.3,
        attributes={"legs": 4, "nested": [None, 1e-7, {"": "é"}]},
    )
    store.put_concept("mammal")
    store.add_association("dog", "mammal", type="is a", confidence=0.9, attributes={"a": 1})
    store.access("mammal")
    return store


def test_a_store_comes_back_the_same(store: sutra_storage.GraphStore, tmp_path: Path) -> None:
    """All fields, and vectors to the bit, also from a snapshot."""
    path = tmp_path / "store.jsonl"
    with store.snapshot() as snapshot:
        store.put_concept("later")
        exported = snapshot.export_jsonl(path)
    assert (exported.concepts, exported.associations) == (2, 1)
    assert exported.bytes == path.stat().st_size
    assert repr(exported).startswith("<ExportReport: 2 concepts, 1 associations, ")
    assert [next(iter(json.loads(line))) for line in path.read_text("utf-8").split("\n")[:-1]] == [
        "header",
        "concept",
        "concept",
        "association",
        "end",
    ]
    other = sutra_storage.GraphStore(":memory:", vector_dimension=3)
    imported = other.import_jsonl(str(path))
    assert (imported.concepts, imported.associations, imported.transactions) == (2, 1, 1)
    assert imported.epoch == other.epoch
    assert repr(imported) == "<ImportReport: 2 concepts, 1 associations, 1 transactions>"
    assert list(other) == ["dog", "mammal"]
    for concept_id in other:
        assert other.get_concept(concept_id) == store.get_concept(concept_id)
    before, after = store.get_vector("dog"), other.get_vector("dog")
    assert before is not None
    assert after is not None
    assert np.array_equal(before.view(np.uint32), after.view(np.uint32))
    assert other.get_associations("dog") == store.get_associations("dog")


def test_what_is_no_export_is_refused_by_line(
    store: sutra_storage.GraphStore, tmp_path: Path
) -> None:
    """The error has the line, and nothing of a file that is cut or changed goes in."""
    path = tmp_path / "store.jsonl"
    store.export_jsonl(path)
    lines = path.read_text("utf-8").split("\n")
    other = sutra_storage.GraphStore(":memory:", vector_dimension=3)
    for text, line in [
        ("\n".join(lines[:-2]), 5),
        ("\n".join(lines).replace("mammal", "reptile", 1), 5),
        ("", 1),
        ("not an export\n", 1),
    ]:
        path.write_text(text, "utf-8", newline="\n")
        with pytest.raises(sutra_storage.InvalidExportError) as caught:
            other.import_jsonl(path)
        assert caught.value.line == line
        assert caught.value.path == str(path)
        assert caught.value.expected
        assert caught.value.found
        assert isinstance(caught.value, ValueError)
        assert len(other) == 0
    wide = sutra_storage.GraphStore(":memory:", vector_dimension=4)
    path.write_text("\n".join(lines), "utf-8", newline="\n")
    with pytest.raises(sutra_storage.InvalidExportError, match="4 components"):
        wide.import_jsonl(path)


def test_files_that_can_not_be_read_or_written(
    store: sutra_storage.GraphStore, tmp_path: Path
) -> None:
    """System errors are system errors, and leave nothing behind."""
    with pytest.raises(sutra_storage.StoreIOError):
        store.export_jsonl(tmp_path / "none" / "file")
    with pytest.raises(OSError, match="could not"):
        store.import_jsonl(tmp_path / "none")
    with pytest.raises(sutra_storage.InvalidArgumentError):
        store.export_jsonl("")
    assert list(tmp_path.iterdir()) == []
