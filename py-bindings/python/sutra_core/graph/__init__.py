"""Concepts, associations, and what relation names mean."""

from sutra_core.graph.concepts import Association, Concept
from sutra_core.graph.relations import AssociationType, RelationFamily, family_of, kind_of

__all__ = ["Association", "AssociationType", "Concept", "RelationFamily", "family_of", "kind_of"]
