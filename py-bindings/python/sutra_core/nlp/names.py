"""Names of things in normal form: what makes "the Dogs" and "a dog" one name.

Invariant: the same function names what a text says, what a concept is called, and what a question
asks for, so equal things meet in equal names.
"""

from __future__ import annotations

from typing import Final

from sutra_storage import _native

_ARTICLES: Final = frozenset({"a", "an", "the"})

MAX_NAME_BYTES: Final = 512
"""A longer phrase is no name."""


def canonical_name(phrase: str) -> str | None:
    """Return the normal form of the name of a thing: lower case, singular, without articles.

    Returns:
        The name; None for a phrase without a word, or of more than `MAX_NAME_BYTES`.

    Example:
        >>> from sutra_core.nlp.names import canonical_name
        >>> canonical_name("The Dogs"), canonical_name("Canis  familiaris"), canonical_name("!?")
        ('dog', 'canis familiaris', None)
    """
    if len(phrase.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        return None
    words = phrase.split()
    while len(words) > 1 and words[0].lower() in _ARTICLES:
        del words[0]
    plain = " ".join(words)
    if not any(character.isalnum() for character in plain):
        return None
    entities = _native.extract(plain).entities
    # What the extractor takes for one noun phrase from end to end has the name that it would give
    # to the phrase inside a text. Other names (verbs, whole clauses) are kept as they are.
    if len(entities) == 1 and entities[0].span == (0, len(plain)):
        return entities[0].name
    return plain.lower()
