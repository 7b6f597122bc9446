"""The engine: learns from plain text, answers from what it learned, says how it knows.

Invariant: all it knows is in the store, so two engines over one store give the same answers, unless
they are asked to search by indexes that may be built or not.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

from sutra_core.graph.concepts import Association, AssociationType, Concept
from sutra_core.learning.writer import KnowledgeWriter, Lesson, check_text
from sutra_core.nlp.embedder import Embedder, choose_embedder
from sutra_core.reasoning.answering import Answerer
from sutra_core.reasoning.consensus import MultiPathAggregator
from sutra_core.reasoning.paths import MAX_HOPS
from sutra_core.reasoning.query import QueryProcessor
from sutra_core.reasoning.search import HybridSearch
from sutra_core.storage.rust_adapter import RustStorageAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from sutra_core.reasoning.result import ConsensusResult, SearchHit
    from sutra_core.storage.reader import KnowledgeReader
    from sutra_core.storage.rust_adapter import Durability

    Item = str | tuple[str, str | None] | tuple[str, str | None, str | None] | Lesson
    """A text to learn: alone, with its source, with source and category, or as a lesson."""

    Progress = Callable[[int], None]
    """Told how many items are stored for good, after each transaction."""

BATCH: Final = 1_000
"""Items of one transaction of a batch."""

_T = TypeVar("_T")


class ReasoningEngine:
    """Learns, answers and explains, over one store.

    Example:
        >>> from sutra_core.reasoning.engine import ReasoningEngine
        >>> with ReasoningEngine(":memory:", embedder="none") as engine:
        ...     _ = engine.learn("A dog is a mammal.", source="zoology.txt")
        ...     _ = engine.learn("Mammals are animals.")
        ...     answer = engine.ask("Is a dog an animal?")
        >>> answer.primary_answer, answer.supporting_paths[0].hops
        ('Yes', 2)
    """

    def __init__(
        self,
        storage_path: str | Path = "./knowledge",
        *,
        embedder: Embedder | Literal["none"] | None = None,
        durability: Durability = "interval",
        recall: float = 1.0,
        **options: Any,
    ) -> None:
        """Open the knowledge in a directory, or begin it.

        Args:
            storage_path: The store's directory; ":memory:" keeps all in memory.
            embedder: What turns texts into vectors; None: the package's own, which needs no
                network; "none": no vectors, so that searches go by words.
            durability: What `learn` and `add_association` promise when they return: "sync" survives
                power loss, "interval" the death of the process (and power loss a moment later),
                "buffered" that too (and power loss after `save`). Batches are "sync".
            recall: How many of the vectors nearest to a query searches are to find, as a share, on
                average. At 1.0 each answer follows from what is known. Less is faster where much
                is known, but answers that come from a search may then depend on whether the
                background has built the store's indexes yet.
            **options: Further options of `sutra_storage.GraphStore`.

        Raises:
            ValueError: If `recall` is not above 0.
            ModelNotFoundError: If the package's own embedder has no model file.
            EmbedderMismatchError: If the store holds another embedder's vectors.
            SutraError: If the store can't be opened.
        """
        if not recall > 0.0:
            raise ValueError(f"recall must be a share above 0, and 1 for all, not {recall}")
        chosen = choose_embedder(embedder)
        if chosen is not None:
            options.setdefault("vector_dimension", chosen.dim)
        self._storage = RustStorageAdapter(storage_path, durability=durability, **options)
        self._durability: Durability = durability
        try:
            self._writer = KnowledgeWriter(self._storage, chosen)
        except BaseException:
            self._storage.close()
            raise
        self._queries = QueryProcessor()
        self._embedder = chosen
        self._recall = recall

    @property
    def storage(self) -> RustStorageAdapter:
        """The store."""
        return self._storage

    # --- Learning --------------------------------------------------------------------------------

    def learn(
        self,
        text: str,
        source: str | None = None,
        category: str | None = None,
        concept_id: str | None = None,
    ) -> str:
        """Learn a text: itself, what it mentions and what it states, in one transaction.

        Learning the same text again strengthens what it states, and doubles nothing.

        Args:
            text: Plain English, 1 to 100,000 characters.
            source: Where it comes from; sources that agree make a statement surer. Without one,
                what is known of the text's sources stays as it is; one that comes later is filled
                in.
            category: What it is filed under.
            concept_id: The id of its concept; None: by its content, so that the same text has the
                same id everywhere.

        Returns:
            The id of its concept.

        Raises:
            TextError: If the text is empty, too long, or not Unicode.
            TypeError: If an argument is no str.
            ValueError: If `concept_id` holds another text.
            SutraError: If the store refuses; then nothing of the text is stored.
        """
        lesson = Lesson(text, source, category, concept_id)
        return self._writer.learn([lesson], self._durability)[0]

    def learn_batch(self, items: Iterable[Item], *, progress: Progress | None = None) -> list[str]:
        """Learn texts, a thousand a transaction; each transaction survives power loss.

        Args:
            items: Texts, tuples of text, source and category, or lessons. They are read as needed.
            progress: Called after each transaction with the number of items stored so far.

        Returns:
            The ids of their concepts, in order.

        Raises:
            TextError: If a text is empty, too long, or not Unicode; what came before its
                transaction is stored.
            TypeError: If an item is none of these, likewise; if `items` is one text.
            SutraError: If the store refuses, likewise.
        """
        if isinstance(items, str):
            raise TypeError("items must be a sequence of texts, not str; learn() takes one text")
        ids: list[str] = []
        for batch in _batches(items, BATCH):
            ids += self._writer.learn([_lesson(item) for item in batch], "sync")
            if progress is not None:
                progress(len(ids))
        return ids

    def add_concepts(
        self,
        concepts: Iterable[Concept],
        associations: Iterable[Association] = (),
        *,
        progress: Progress | None = None,
    ) -> int:
        """Store given concepts, then associations: knowledge that needs no reading.

        The concepts are found by their attribute "words", their names. Each thousand is a
        transaction that survives power loss.

        Args:
            concepts: They replace those of the same id.
            associations: They replace those of the same key.
            progress: Called after each transaction with the number of records stored so far.

        Returns:
            How many records were stored.
        """
        stored = 0
        for concept_batch in _batches(concepts, BATCH):
            self._writer.add(concept_batch, (), "sync")
            stored += len(concept_batch)
            if progress is not None:
                progress(stored)
        for association_batch in _batches(associations, BATCH * 10):
            self._writer.add((), association_batch, "sync")
            stored += len(association_batch)
            if progress is not None:
                progress(stored)
        return stored

    def add_association(
        self,
        source_id: str,
        target_id: str,
        type: AssociationType | str = AssociationType.SEMANTIC,  # noqa: A002  # the domain's word
        *,
        relation: str = "",
        confidence: float = 1.0,
        weight: float = 1.0,
        source: str | None = None,
    ) -> Association:
        """State by hand that two concepts are associated; stating it again replaces it.

        Args:
            source_id: The concept it starts at, which must exist.
            target_id: The concept it points to, likewise.
            type: Its kind.
            relation: Its free name, as "is_a"; "": the kind's own.
            confidence: How sure it is, 0 to 1.
            weight: How strong it is, not negative.
            source: Who says so.

        Returns:
            The association.

        Raises:
            SutraError: If one of the concepts is missing.
            ValueError: If a number is out of its range, or the type is none of the five.
        """
        association = Association(
            source_id,
            target_id,
            AssociationType(type),
            relation,
            weight=weight,
            confidence=confidence,
            source=source,
        )
        self._storage.add_association(association)
        return association

    # --- Answering -------------------------------------------------------------------------------

    def ask(self, question: str) -> ConsensusResult:
        """Answer a question from what was learned, or abstain with confidence 0.

        Raises:
            TextError: If the question is empty, too long, or not Unicode.
        """
        return self.reason(question)

    def reason(
        self, query: str, *, max_hops: int = MAX_HOPS, max_paths: int = 5
    ) -> ConsensusResult:
        """Answer a question within limits.

        Args:
            query: The question.
            max_hops: At most this many associations in a chain, at least 1.
            max_paths: At most this many chains for and against, at least 1.

        Raises:
            TextError: If the question is empty, too long, or not Unicode.
            ValueError: If a limit is below 1.
        """
        check_text(query)
        if max_hops < 1 or max_paths < 1:
            raise ValueError("max_hops and max_paths must be at least 1")
        question = self._queries.analyze(query)
        # One state from the first look-up to the proof, whatever is learned meanwhile.
        with self._storage.snapshot() as view:
            answerer = Answerer(view, self._search(view), MultiPathAggregator())
            return answerer.answer(question, max_hops=max_hops, max_paths=max_paths)

    def explain(self, question: str) -> str:
        """Return why a question is answered as it is, for a reader: paths, sentences, sources."""
        return self.ask(question).explanation

    def search_concepts(self, query: str, limit: int = 10) -> list[SearchHit]:
        """Return the concepts whose texts fit best, by words and vectors, best first.

        Raises:
            TextError: If the query is empty, too long, or not Unicode.
        """
        check_text(query)
        with self._storage.snapshot() as view:
            return self._search(view).search(query, limit)

    def _search(self, view: KnowledgeReader) -> HybridSearch:
        return HybridSearch(view, self._embedder, recall=self._recall)

    # --- The store -------------------------------------------------------------------------------

    def get_concept(self, concept_id: str) -> Concept | None:
        """Return a concept; None if there is none of this id."""
        return self._storage.get_concept(concept_id)

    def stats(self) -> dict[str, Any]:
        """Return what the store holds, and how it is doing."""
        return self._storage.stats()

    def save(self) -> None:
        """Make all that was learned survive power loss; on return it does."""
        self._storage.save()

    def close(self) -> None:
        """Save and close; a second call does nothing."""
        self._storage.close()

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Name the store."""
        return f"ReasoningEngine({self._storage.path!r})"


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _lesson(item: Item) -> Lesson:
    if isinstance(item, Lesson):
        return item
    if isinstance(item, str):
        return Lesson(item)
    if not isinstance(item, (tuple, list)):
        raise TypeError(f"an item must be a str, a tuple or a Lesson, not {type(item).__name__}")
    return Lesson(*item)
