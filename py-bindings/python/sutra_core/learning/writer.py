"""Writing what was learned: texts, the names in them, and what they state, in one transaction.

Invariants: all of a call is stored, or nothing; the same text learned again doubles nothing; the
confidence of a statement depends on the set of texts that state it, not on their order.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sutra_core.errors import EmbedderMismatchError, TextError
from sutra_core.graph.concepts import Association, Concept
from sutra_core.graph.ids import (
    EMBEDDER_ID,
    META_CATEGORY,
    NAME_CATEGORY,
    is_reserved,
    name_id,
    text_id,
)
from sutra_core.graph.relations import MENTIONS, NAMES
from sutra_core.learning.evidence import EVIDENCE, Evidence, confidence_of, evidence_of, merged
from sutra_core.learning.extraction import EXTRACTOR_ID, AssociationExtractor, Statement
from sutra_core.nlp.embedder import Embedder, embed_in_batches
from sutra_core.nlp.names import canonical_name
from sutra_storage import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sutra_core.storage.rust_adapter import AdapterTransaction, Durability, RustStorageAdapter

MAX_TEXT_CHARS: Final = 100_000
"""A longer text is refused: split it, so that evidence can name a part."""

_TRIES: Final = 10
"""How often a transaction is run before its conflict is the caller's."""

_MENTION_CONFIDENCE: Final = 0.5
"""A mention says that two things meet, not how."""

_SOURCES: Final = "sources"
"""Attribute of a text: all the sources that it was learned from, sorted."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A text to learn.

    Attributes:
        text: Plain English, 1 to `MAX_TEXT_CHARS` characters.
        source: Where it comes from.
        category: What it is filed under.
        concept_id: The id of its concept; None: by its content.
        id: The id of its concept, given or not.

    Raises:
        TextError: If the text is empty, too long, or has half a surrogate pair; if the id is
            reserved.
        TypeError: If a field is no str.
    """

    text: str
    source: str | None = None
    category: str | None = None
    concept_id: str | None = None
    id: str = field(init=False)

    def __post_init__(self) -> None:
        """Refuse what can't be learned, and find the id."""
        check_text(self.text)
        for name in ("source", "category", "concept_id"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name} must be str or None, not {type(value).__name__}")
        if self.concept_id is not None and is_reserved(self.concept_id):
            raise TextError(f"the id {self.concept_id!r} is reserved; choose another prefix")
        found = text_id(self.text) if self.concept_id is None else self.concept_id
        object.__setattr__(self, "id", found)


@dataclass(slots=True)
class _Plan:
    """What a transaction is to write, gathered before anything is written."""

    texts: dict[str, Concept] = field(default_factory=dict)
    new_texts: dict[str, str] = field(default_factory=dict)
    new_names: dict[str, Concept] = field(default_factory=dict)
    known_names: set[str] = field(default_factory=set)
    associations: dict[tuple[str, str, str], Association] = field(default_factory=dict)


class KnowledgeWriter:
    """Writes texts and given concepts to a store."""

    def __init__(
        self,
        storage: RustStorageAdapter,
        embedder: Embedder | None,
        extractor: AssociationExtractor | None = None,
    ) -> None:
        """Write to `storage`; without an embedder no vectors are made.

        Raises:
            EmbedderMismatchError: If the store holds another embedder's vectors.
        """
        self._storage = storage
        self._embedder = embedder
        self._extractor = extractor or AssociationExtractor()
        record = storage.get_concept(EMBEDDER_ID)
        self._claimed = record is not None
        if record is not None:
            self._check_embedder(record)

    def learn(self, lessons: Sequence[Lesson], durability: Durability) -> list[str]:
        """Learn texts in one transaction.

        Returns:
            The ids of the texts' concepts, in order.

        Raises:
            ValueError: If an id is given whose concept has another content.
        """
        self._until_unchallenged(lambda: self._learn(lessons, durability))
        return [lesson.id for lesson in lessons]

    def _learn(self, lessons: Sequence[Lesson], durability: Durability) -> None:
        with self._storage.transaction(durability) as tx:
            self._claim(tx)
            plan = _Plan()
            for lesson in lessons:
                self._plan_text(tx, plan, lesson)
            vectors = self._vectors(list(plan.new_texts.values()))
            rows = dict(zip(plan.new_texts, range(len(plan.new_texts)), strict=True))
            for concept in plan.texts.values():
                if concept.id in rows:
                    tx.put_concept(concept, None if vectors is None else vectors[rows[concept.id]])
                else:
                    tx.put_concept(concept, tx.get_vector(concept.id))
            self._put_names_and_associations(tx, plan)

    def add(
        self,
        concepts: Sequence[Concept],
        associations: Sequence[Association],
        durability: Durability,
    ) -> None:
        """Store given concepts, findable by their words, and associations, in one transaction.

        A concept or association of the same key is replaced.

        Args:
            concepts: Their contents are embedded.
            associations: Both ends must be in the store or among the concepts.
            durability: What the call promises when it returns.
        """
        self._until_unchallenged(lambda: self._add(concepts, associations, durability))

    def _add(
        self,
        concepts: Sequence[Concept],
        associations: Sequence[Association],
        durability: Durability,
    ) -> None:
        with self._storage.transaction(durability) as tx:
            self._claim(tx)
            plan = _Plan()
            vectors = self._vectors([concept.content for concept in concepts])
            for row, concept in enumerate(concepts):
                if is_reserved(concept.id):
                    raise TextError(f"the id {concept.id!r} is reserved; choose another prefix")
                tx.put_concept(concept, None if vectors is None else vectors[row])
                for word in concept.words:
                    name = canonical_name(word)
                    if name is not None:
                        own = self._plan_name(tx, plan, name)
                        association = Association.of(own, NAMES, concept.id)
                        plan.associations[own, NAMES, concept.id] = association
            self._put_names_and_associations(tx, plan)
            for association in associations:
                tx.put_association(association)

    def _until_unchallenged(self, write: Callable[[], None]) -> None:
        """Run a transaction again where another writer changed what it had read.

        Each failure means that another writer got through; after the first few, this one waits a
        little longer each time, so that a crowd of writers can't hold it up for ever.
        """
        for tried in range(_TRIES - 1):
            try:
                return write()
            except ConflictError:
                time.sleep(min(0.001 * tried * (1 + os.getpid() % 7), 0.05))
        return write()

    # --- Planning --------------------------------------------------------------------------------

    def _plan_text(self, tx: AdapterTransaction, plan: _Plan, lesson: Lesson) -> None:
        concept = plan.texts.get(lesson.id) or tx.get_concept(lesson.id)
        if concept is None:
            concept = Concept(
                lesson.id, lesson.text, source=lesson.source, category=lesson.category
            )
            plan.new_texts[lesson.id] = lesson.text
        elif concept.content != lesson.text and text_id(concept.content) != text_id(lesson.text):
            raise ValueError(
                f"concept {lesson.id!r} holds another text; choose another id, or delete it first"
            )
        else:
            concept.access()
            concept.category = concept.category or lesson.category
        if lesson.source is not None:
            known = concept.attributes.get(_SOURCES, [])
            concept.attributes[_SOURCES] = sorted({*known, lesson.source})
            concept.source = concept.attributes[_SOURCES][0]
        plan.texts[lesson.id] = concept

        # Evidence points into the text that is stored, whose white space may differ.
        reading = self._extractor.read(concept.content)
        for name in reading.names:
            own = self._plan_name(tx, plan, name)
            key = (lesson.id, MENTIONS, own)
            if lesson.id in plan.new_texts and key not in plan.associations:
                plan.associations[key] = Association.of(
                    lesson.id, MENTIONS, own, confidence=_MENTION_CONFIDENCE, source=lesson.source
                )
        for statement in reading.statements:
            self._plan_statement(tx, plan, lesson, statement)

    def _plan_name(self, tx: AdapterTransaction, plan: _Plan, name: str) -> str:
        own = name_id(name)
        if own not in plan.known_names:
            plan.known_names.add(own)
            if not tx.has_concept(own):
                # Without content, so that searches find texts rather than words.
                plan.new_names[own] = Concept(
                    own, "", category=NAME_CATEGORY, attributes={"words": [name]}
                )
        return own

    def _plan_statement(
        self, tx: AdapterTransaction, plan: _Plan, lesson: Lesson, statement: Statement
    ) -> None:
        source_id, target_id = name_id(statement.subject), name_id(statement.object)
        planned = Association(
            source_id, target_id, statement.type, statement.relation, statement.negated
        )
        key = (source_id, planned.store_type, target_id)
        found = plan.associations.get(key)
        if found is None and not {source_id, target_id} & plan.new_names.keys():
            found = tx.get_association(source_id, target_id, planned.store_type)
        if found is not None:
            found.strengthen()
        association = found or planned
        evidence = Evidence(
            concept=lesson.id,
            span=list(statement.span),
            source=lesson.source,
            confidence=statement.confidence,
            extractor=EXTRACTOR_ID,
        )
        gathered = merged(evidence_of(association.attributes), [evidence])
        association.attributes[EVIDENCE] = gathered
        association.confidence = confidence_of(gathered)
        sources = sorted({item["source"] for item in gathered if item["source"] is not None})
        association.source = sources[0] if sources else None
        plan.associations[key] = association

    def _put_names_and_associations(self, tx: AdapterTransaction, plan: _Plan) -> None:
        for concept in plan.new_names.values():
            tx.put_concept(concept, None)
        for association in plan.associations.values():
            tx.put_association(association)

    # --- Vectors ---------------------------------------------------------------------------------

    def _vectors(self, texts: list[str]) -> NDArray[np.float32] | None:
        if self._embedder is None or not texts:
            return None
        return embed_in_batches(self._embedder, texts)

    def _claim(self, tx: AdapterTransaction) -> None:
        """Record, with the first vectors, which model they are of."""
        if self._claimed or self._embedder is None:
            return
        record = tx.get_concept(EMBEDDER_ID)
        if record is None:
            attributes = {"model_id": self._embedder.model_id, "dim": self._embedder.dim}
            tx.put_concept(
                Concept(EMBEDDER_ID, "", category=META_CATEGORY, attributes=attributes), None
            )
        else:
            self._check_embedder(record)

    def _check_embedder(self, record: Concept) -> None:
        if self._embedder is None:
            return
        model_id, dim = record.attributes.get("model_id"), record.attributes.get("dim")
        if (model_id, dim) != (self._embedder.model_id, self._embedder.dim):
            raise EmbedderMismatchError(
                f"the store's vectors are of {model_id!r} ({dim} components), the embedder is"
                f" {self._embedder.model_id!r} ({self._embedder.dim}); open the store with its own"
                ' embedder, or with embedder="none" to search by words and associations only'
            )


def check_text(text: str) -> None:
    """Refuse a text that can't be learned or asked.

    Raises:
        TextError: If it is empty, too long, or has half a surrogate pair.
        TypeError: If it is no str.
    """
    if not isinstance(text, str):
        raise TypeError(f"a text is a str, not {type(text).__name__}")
    if not text.strip():
        raise TextError("the text is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise TextError(
            f"the text has {len(text):,} characters, the limit is {MAX_TEXT_CHARS:,}; split it"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TextError(f"the text is not Unicode: {error}") from error
