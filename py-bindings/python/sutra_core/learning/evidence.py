"""Evidence: what states an association, and how sure that makes it.

An association's attribute "evidence" lists what states it: which text, which sentence of it, from
which source, how surely. Invariant: confidence is a function of the set of evidence, so neither the
order of learning nor learning again changes it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

EVIDENCE: Final = "evidence"
"""The attribute."""

MAX_EVIDENCE: Final = 64
"""Of more than these the surest are kept, so that a record stays small."""


class Evidence(TypedDict):
    """One sentence that states an association.

    Attributes:
        concept: Id of the text's concept.
        span: Start and end of the sentence in the text.
        source: Where the text came from, or None.
        confidence: How surely the sentence says so, in (0, 1].
        extractor: Which rules read it.
    """

    concept: str
    span: list[int]
    source: str | None
    confidence: float
    extractor: str


def evidence_of(attributes: dict[str, Any]) -> list[Evidence]:
    """Return the evidence among an association's attributes; none when it was stated by hand."""
    found: list[Evidence] = attributes.get(EVIDENCE, [])
    return found


def merged(old: Iterable[Evidence], new: Iterable[Evidence]) -> list[Evidence]:
    """Return the union of evidence, the surest first, `MAX_EVIDENCE` at most.

    No source is not another source: a sentence of which one is known is not listed without it too.
    """
    distinct = {_key(evidence): evidence for evidence in (*old, *new)}
    sourced = {_key(evidence)[:3] for evidence in distinct.values() if evidence["source"]}
    kept = [e for e in distinct.values() if e["source"] or _key(e)[:3] not in sourced]
    ranked = sorted(kept, key=lambda e: (-e["confidence"], _key(e)))
    return ranked[:MAX_EVIDENCE]


def confidence_of(evidence: Iterable[Evidence]) -> float:
    """Return how sure evidence makes a statement, 0 to 1.

    Sources err independently, so they add up (noisy-or); what one source repeats does not.
    """
    by_source: defaultdict[str, float] = defaultdict(float)
    for item in evidence:
        # Texts of unknown source are taken for one source: nothing says that they are independent.
        source = item["source"] or ""
        by_source[source] = max(by_source[source], item["confidence"])
    doubt = 1.0
    for _, confidence in sorted(by_source.items()):
        doubt *= 1.0 - confidence
    return 1.0 - doubt


def _key(evidence: Evidence) -> tuple[str, int, int, str]:
    start, end = evidence["span"]
    return evidence["concept"], start, end, evidence["source"] or ""
