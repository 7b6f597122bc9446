"""What the tests share: real knowledge to load, and the option `--data`.

Tests read the slice of WordNet that the repository carries. Those of the oracles run on a whole
data set too: that of `pytest --data FOLDER`, else the one that `cargo xtask bench` would take.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import sutra_storage


_ROOT = Path(__file__).resolve().parents[2]
_SLICE = _ROOT / "examples" / "wordnet-slice"
# As in xtask/src/workspace.rs: beside the checkout, or made by `cargo xtask data`.
_FULL = (_ROOT.parent / "shared" / "data" / "wordnet", _ROOT / "data" / "wordnet")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--data`."""
    parser.addoption("--data", type=Path, default=None, help="folder of the full WordNet data set")


@dataclass
class Knowledge:
    """Concepts with texts, and typed associations between them."""

    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    associations: list[tuple[str, str, str]] = field(default_factory=list)


def read_knowledge(folder: Path) -> Knowledge:
    """Read a folder with concepts.jsonl and associations.tsv."""
    found = Knowledge()
    with (folder / "concepts.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            concept = json.loads(line)
            found.ids.append(concept["id"])
            found.texts.append(", ".join(concept["words"]) + ": " + concept["gloss"])
    with (folder / "associations.tsv").open(encoding="utf-8") as lines:
        for line in lines:
            source, target, kind = line.rstrip("\n").split("\t")
            found.associations.append((source, target, kind))
    return found


@pytest.fixture(scope="session")
def wordnet() -> Knowledge:
    """The slice of WordNet in the repository."""
    return read_knowledge(_SLICE)


@pytest.fixture(scope="session")
def full_folder(request: pytest.FixtureRequest) -> Path:
    """The folder of the full data set; where there is none, the test is skipped."""
    given = request.config.getoption("--data")
    if isinstance(given, Path):
        return given
    found = next((folder for folder in _FULL if (folder / "concepts.jsonl").is_file()), None)
    if found is None:
        pytest.skip("no full WordNet: make it with `cargo xtask data`, or give --data FOLDER")
    return found


@pytest.fixture(scope="session")
def put() -> Callable[[sutra_storage.GraphStore, Knowledge], None]:
    """Return a function that stores knowledge in batches, without vectors."""

    def put(store: sutra_storage.GraphStore, knowledge: Knowledge, batch: int = 1000) -> None:
        for at in range(0, len(knowledge.ids), batch):
            store.put_concepts(knowledge.ids[at : at + batch], knowledge.texts[at : at + batch])
        for at in range(0, len(knowledge.associations), batch):
            part = knowledge.associations[at : at + batch]
            store.add_associations(
                [source for source, _, _ in part],
                [target for _, target, _ in part],
                types=[kind for _, _, kind in part],
            )

    return put


@pytest.fixture(scope="session")
def full(full_folder: Path) -> Knowledge:
    """The full data set."""
    return read_knowledge(full_folder)
