"""One class for three calls: learn, search, ask. Invariant: it adds nothing to the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sutra_core.reasoning.engine import ReasoningEngine

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from sutra_core.reasoning.result import ConsensusResult, SearchHit


class HybridAI:
    """Semantic search and reasoning over one store.

    Example:
        >>> from sutra_core.hybrid import HybridAI
        >>> with HybridAI(":memory:", embedder="none") as ai:
        ...     _ = ai.learn("High blood pressure causes cardiovascular disease.")
        ...     ai.ask("What does high blood pressure cause?").primary_answer
        'cardiovascular disease'
    """

    def __init__(self, storage_path: str | Path = "./knowledge", **options: Any) -> None:
        """Open the knowledge in a directory; the options are those of `ReasoningEngine`."""
        self.engine = ReasoningEngine(storage_path, **options)

    def learn(self, text: str, source: str | None = None, category: str | None = None) -> str:
        """Learn a text; return its concept's id. Raises as `ReasoningEngine.learn`."""
        return self.engine.learn(text, source, category)

    def semantic_search(self, query: str, top_k: int = 10) -> list[SearchHit]:
        """Return the concepts that fit best. Raises as `ReasoningEngine.search_concepts`."""
        return self.engine.search_concepts(query, top_k)

    def ask(self, question: str) -> ConsensusResult:
        """Answer a question, or abstain. Raises as `ReasoningEngine.ask`."""
        return self.engine.ask(question)

    def save(self) -> None:
        """Make all that was learned survive power loss; on return it does."""
        self.engine.save()

    def close(self) -> None:
        """Save and close; a second call does nothing."""
        self.engine.close()

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
