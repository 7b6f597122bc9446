"""Proofs: what an answer rests on, in JSON, so that another can check it against the store.

Invariant: a proof is a function of question, answer and store; it names each text by id and hash,
and each association by its key and confidence.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from sutra_core.learning.evidence import Evidence, evidence_of
from sutra_storage import _native, analyze

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sutra_core.graph.concepts import Association, Concept
    from sutra_core.graph.path import ReasoningPath
    from sutra_core.reasoning.query import Question
    from sutra_core.storage.reader import KnowledgeReader

PROOF_VERSION: Final = 1

MAX_SENTENCES: Final = 3
"""Sentences named for each association; the record holds the others."""


def proof_of(
    storage: KnowledgeReader,
    question: Question,
    answer: tuple[str, float],
    rule: str,
    *,
    supporting: Sequence[ReasoningPath] = (),
    contradicting: Sequence[ReasoningPath] = (),
    texts: Sequence[Concept] = (),
) -> dict[str, Any]:
    """Return the proof of an answer.

    Args:
        storage: What it was found in.
        question: What was asked.
        answer: The answer and its confidence.
        rule: How the answer follows from the evidence.
        supporting: The paths that speak for it.
        contradicting: The paths that speak against it.
        texts: The texts that are the answer.

    Returns:
        ``version``, ``epoch``, ``question``, ``kind``, ``rule``, ``answer``, ``confidence``,
        ``supporting``, ``contradicting`` (each a list of paths: ``concepts``, ``confidence`` and
        ``steps``) and ``evidence`` (each text with ``id``, ``sha256`` of its content, ``source``).
    """
    texts_by_id = {text.id: text for text in texts}
    for path in (*supporting, *contradicting):
        for association in path.associations:
            for evidence in evidence_of(association.attributes)[:MAX_SENTENCES]:
                text = storage.get_concept(evidence["concept"])
                if text is not None:
                    texts_by_id[text.id] = text
    return {
        "version": PROOF_VERSION,
        "epoch": storage.epoch,
        "question": question.text,
        "kind": question.kind.value,
        "rule": rule,
        "answer": answer[0],
        "confidence": answer[1],
        "supporting": [_path(path) for path in supporting],
        "contradicting": [_path(path) for path in contradicting],
        "evidence": [_text(texts_by_id[key]) for key in sorted(texts_by_id)],
    }


def sentences_of(
    storage: KnowledgeReader, associations: Iterable[Association]
) -> list[tuple[str, str | None]]:
    """Return the sentences that state associations, each once, with their sources."""
    found: dict[tuple[str, str | None], None] = {}
    for association in associations:
        for evidence in evidence_of(association.attributes)[:MAX_SENTENCES]:
            sentence = _sentence(storage, evidence)
            if sentence is not None:
                found[sentence, evidence["source"]] = None
    return list(found)


def telling_sentence(text: Concept, question: Question) -> str:
    """Return the sentence of a text with the most of a question's words; of equals the first."""
    wanted = set(analyze(" ".join(question.keywords)))
    spans = _native.extract(text.content).sentences or [(0, len(text.content))]
    sentences = [text.content[start:end] for start, end in spans]
    return max(sentences, key=lambda sentence: len(wanted & set(analyze(sentence))))


def _sentence(storage: KnowledgeReader, evidence: Evidence) -> str | None:
    text = storage.get_concept(evidence["concept"])
    if text is None:
        return None
    start, end = evidence["span"]
    return text.content[start:end]


def _path(path: ReasoningPath) -> dict[str, Any]:
    return {
        "concepts": list(path.concept_ids),
        "confidence": path.confidence,
        "steps": [
            {
                "source": association.source_id,
                "relation": association.relation,
                "negated": association.negated,
                "target": association.target_id,
                "forward": forward,
                "confidence": association.confidence,
                "learned_from": association.source,
                "evidence": [
                    {"concept": evidence["concept"], "span": list(evidence["span"])}
                    for evidence in evidence_of(association.attributes)[:MAX_SENTENCES]
                ],
            }
            for association, forward in zip(path.associations, path.forward, strict=True)
        ],
    }


def _text(concept: Concept) -> dict[str, Any]:
    content = concept.content.encode("utf-8")
    return {
        "id": concept.id,
        "sha256": hashlib.sha256(content).hexdigest(),
        "source": concept.source,
    }
