"""Explainable knowledge memory: learns from plain text, answers, and says how it knows.

    from sutra_core import ReasoningEngine

    with ReasoningEngine("./knowledge") as engine:
        engine.learn("A dog is a mammal.", source="zoology.txt")
        engine.learn("Mammals are animals.")
        print(engine.explain("Is a dog an animal?"))

Layers, bottom to top: `graph` (what is known), `storage` (where it lies), `nlp` and `learning` (how
text becomes knowledge), `reasoning` (how knowledge becomes answers). Invariant: all knowledge is in
the store, none in Python.
"""

from sutra_core.graph import Association, AssociationType, Concept
from sutra_core.hybrid import HybridAI
from sutra_core.reasoning import ConsensusResult, QueryProcessor, ReasoningEngine
from sutra_core.storage import RustStorageAdapter
from sutra_storage import __version__

__all__ = [
    "Association",
    "AssociationType",
    "Concept",
    "ConsensusResult",
    "HybridAI",
    "QueryProcessor",
    "ReasoningEngine",
    "RustStorageAdapter",
    "__version__",
]
