"""From texts to what they state, and into the store."""

from sutra_core.learning.extraction import AssociationExtractor, Reading, Statement
from sutra_core.learning.writer import KnowledgeWriter, Lesson

__all__ = ["AssociationExtractor", "KnowledgeWriter", "Lesson", "Reading", "Statement"]
