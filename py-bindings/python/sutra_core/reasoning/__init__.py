"""Questions, paths, consensus, and the engine."""

from sutra_core.reasoning.consensus import MultiPathAggregator
from sutra_core.reasoning.engine import ReasoningEngine
from sutra_core.reasoning.paths import PathFinder, ReasoningPath
from sutra_core.reasoning.query import QueryProcessor, Question, QuestionKind
from sutra_core.reasoning.result import Answer, ConsensusResult, SearchHit

__all__ = [
    "Answer",
    "ConsensusResult",
    "MultiPathAggregator",
    "PathFinder",
    "QueryProcessor",
    "Question",
    "QuestionKind",
    "ReasoningEngine",
    "ReasoningPath",
    "SearchHit",
]
