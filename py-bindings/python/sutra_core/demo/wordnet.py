"""WordNet as a folder holds it: `concepts.jsonl` and `associations.tsv`.

Invariant: a row that repeats one before it is passed over; a line that can't be read is an error
that names file and line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sutra_core.graph.concepts import Association, Concept

if TYPE_CHECKING:
    from pathlib import Path

SOURCE: Final = "WordNet 3.0"

CONFIDENCE: Final = 0.99
"""A statement that lexicographers made is believed, not certain."""


class DataError(Exception):
    """The folder does not hold what it should."""


@dataclass(frozen=True, slots=True)
class WordNet:
    """What was read.

    Attributes:
        concepts: With content "words: gloss", and the attribute "words".
        associations: Each once, its relation as WordNet names it.
    """

    concepts: list[Concept]
    associations: list[Association]

    @classmethod
    def read(cls, folder: Path) -> WordNet:
        """Read a folder.

        Raises:
            DataError: If a file is missing, or a line is not what it should be.
        """
        return cls(_concepts(folder / "concepts.jsonl"), _associations(folder / "associations.tsv"))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror}") from error


def _concepts(path: Path) -> list[Concept]:
    concepts = []
    for number, line in enumerate(_lines(path), 1):
        try:
            row = json.loads(line)
            words, gloss, key = row["words"], row["gloss"], row["id"]
            content = f"{', '.join(words)}: {gloss}"
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}:{number}: expected id, words and gloss: {error}") from error
        concepts.append(
            Concept(
                key,
                content,
                source=SOURCE,
                category="wordnet",
                confidence=CONFIDENCE,
                attributes={"words": words},
            )
        )
    return concepts


def _associations(path: Path) -> list[Association]:
    associations = []
    # A dictionary keeps the order and drops what repeats.
    for number, line in enumerate(dict.fromkeys(_lines(path)), 1):
        fields = line.split("\t")
        if len(fields) != 3:  # noqa: PLR2004  # source, target, type
            raise DataError(f"{path}:{number}: expected source, target and type, found {line!r}")
        source, target, relation = fields
        associations.append(
            Association.of(source, relation, target, confidence=CONFIDENCE, source=SOURCE)
        )
    return associations
