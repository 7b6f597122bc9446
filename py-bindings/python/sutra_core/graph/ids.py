"""Which ids the application gives: of texts, of names, of its own records.

Invariant: an id is a function of what it names, so the same thing has the same id in every store,
on every machine, in every order of learning. Names and own records have no content and no vector:
no search finds them, only who knows their id.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final

EMBEDDER_ID: Final = "sutra:embedder"
"""The record that names the model of the store's vectors."""

META_CATEGORY: Final = "sutra:meta"
NAME_CATEGORY: Final = "sutra:name"

_RESERVED: Final = ("sutra:", "name:")


def text_id(text: str) -> str:
    """Return the id of a text: by its words, whatever the white space and the Unicode form."""
    normal = " ".join(unicodedata.normalize("NFC", text).split())
    return "text:" + hashlib.sha256(normal.encode("utf-8")).hexdigest()[:32]


def name_id(name: str) -> str:
    """Return the id of the concept that stands for a name in normal form."""
    return "name:" + name


def is_reserved(concept_id: str) -> bool:
    """Whether an id is the application's to give."""
    return concept_id.startswith(_RESERVED)
