"""What the engine learns and answers."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sutra_core.errors import EmbedderMismatchError, TextError
from sutra_core.graph import Association, AssociationType, Concept
from sutra_core.graph.ids import EMBEDDER_ID, text_id
from sutra_core.graph.shown import digits
from sutra_core.hybrid import HybridAI
from sutra_core.learning import AssociationExtractor, Lesson
from sutra_core.learning.evidence import evidence_of
from sutra_core.learning.writer import MAX_TEXT_CHARS
from sutra_core.nlp import StaticEmbedder
from sutra_core.reasoning import ReasoningEngine
from sutra_core.reasoning.result import UNKNOWN
from sutra_storage import SutraError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from sutra_core.reasoning.engine import Item

    Learn = Callable[..., ReasoningEngine]

DOGS = ("A dog is a mammal.", "Mammals are animals.")
CHAIN = (
    "Deforestation leads to soil erosion.",
    "Soil erosion causes landslides.",
    "Landslides result in deaths.",
)


def statements(engine: ReasoningEngine, name: str) -> list[Association]:
    return [
        association
        for association in engine.storage.get_associations(f"name:{name}", "out")
        if association.relation not in {"names", "mentions"}
    ]


# --- Answers -------------------------------------------------------------------------------------


def test_a_text_in_other_words_answers(learned: Learn) -> None:
    text = "Photosynthesis converts sunlight into chemical energy in plants."
    engine = learned(text, *DOGS, *CHAIN)
    answer = engine.ask("How do plants make energy?")
    assert answer.primary_answer == text
    assert 0.0 < answer.confidence < 1.0
    assert answer.proof["evidence"][0]["id"] == text_id(text)


def test_a_text_that_answers_is_quoted_with_its_source(learned: Learn) -> None:
    text = "Leaves are green. Photosynthesis converts sunlight into chemical energy in plants."
    engine = learned((text, "botany.txt"), "A poodle is a fine dog to have around the house.")
    shown = engine.explain("How do plants make energy?")
    quoted = '"Photosynthesis converts sunlight into chemical energy in plants." [botany.txt]'
    assert shown.splitlines()[1:] == ["  as a text says", f"    {quoted}"]
    for question in ("What is a poodle?", "Who has a poodle around the house?"):
        assert "text:" not in engine.explain(question)


def test_other_answers_are_listed_with_their_confidence(learned: Learn) -> None:
    engine = learned(*(f"Smoking causes {what}." for what in ("cancer", "asthma")))
    shown = engine.explain("What does smoking cause?").splitlines()
    assert shown[-2] == "  1 other answer possible"
    other = engine.ask("What does smoking cause?").alternative_answers[0]
    assert shown[-1] == f"    {other.text} (confidence {other.confidence:.2f})"
    engine.learn_batch(f"Smoking causes {what}." for what in ("cough", "fatigue", "wrinkles"))
    shown = engine.explain("What does smoking cause?").splitlines()
    assert shown[-5] == "  4 other answers possible"
    assert shown[-1] == "    and 1 more"


def test_what_the_engine_returns_shows_itself_in_short(learned: Learn) -> None:
    engine = learned(*DOGS, "A dog is a " + "very " * 100 + "faithful companion.")
    answer = engine.ask("Is a dog an animal?")
    path = answer.supporting_paths[0]
    hits = engine.search_concepts("mammals")
    thing = engine.ask("What is a dog?")
    shown = [answer, path, thing, *path.associations, *hits, *hits[0].legs.values()]
    shown += [*thing.alternative_answers, engine.get_concept(hits[0].id)]
    for value in shown:
        assert len(repr(value)) < 250, repr(value)
        assert not re.search(r"\d\.\d{7}", repr(value)), repr(value)
    assert repr(answer) == "ConsensusResult('Yes', confidence=0.81, supporting_paths=1)"
    assert repr(path) == (
        "ReasoningPath('dog is a kind of mammal, which is a kind of animal', confidence=0.81)"
    )
    assert repr(path.associations[0]) == (
        "Association('name:dog' -is_a-> 'name:mammal', confidence=0.9)"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float(np.float32(0.9)), "0.9"),
        (1.0, "1.0"),
        (0.123456, "0.1235"),
        (12345.678, "12345.7"),
        (0.99999, "0.99999"),
    ],
)
def test_numbers_are_shown_as_people_write_them(value: float, shown: str) -> None:
    assert digits(value) == shown


def test_kinds_of_kinds_are_kinds(learned: Learn) -> None:
    engine = learned(*DOGS)
    answer = engine.ask("Is a dog an animal?")
    assert answer.primary_answer == "Yes"
    assert answer.supporting_paths[0].hops == 2
    assert answer.supporting_paths[0].labels == ("dog", "mammal", "animal")
    assert "A dog is a mammal." in answer.explanation
    assert engine.ask("Are dogs animals?").primary_answer == "Yes"


def test_what_does_not_follow_is_unknown(learned: Learn) -> None:
    engine = learned(*DOGS, "An oak is a plant.")
    for question in ("Is a dog a plant?", "Is an animal a dog?", "Is a mammal a dog?"):
        answer = engine.ask(question)
        assert (answer.primary_answer, answer.confidence) == (UNKNOWN, 0.0), question
        assert answer.abstained
        assert answer.supporting_paths == ()


def test_a_denial_of_the_kind_denies_all_under_it(learned: Learn) -> None:
    engine = learned(*DOGS, "An oak is a plant.", "No animal is a plant.")
    for question in ("Is a dog a plant?", "Is an animal a plant?", "Is a dog an oak?"):
        answer = engine.ask(question)
        assert answer.primary_answer == "No", question
        assert answer.confidence > 0.5
    assert engine.ask("Is a dog an animal?").primary_answer == "Yes"


def test_a_cause_is_learned(learned: Learn) -> None:
    engine = learned("High blood pressure causes cardiovascular disease.")
    found = statements(engine, "high blood pressure")
    assert [(a.type, a.target_id) for a in found] == [
        (AssociationType.CAUSAL, "name:cardiovascular disease")
    ]
    answer = engine.ask("What does high blood pressure cause?")
    assert answer.primary_answer == "cardiovascular disease"
    assert engine.ask("What causes cardiovascular disease?").primary_answer == (
        "high blood pressure"
    )


def test_confidence_falls_along_a_chain(learned: Learn) -> None:
    engine = learned(*CHAIN)
    answer = engine.ask("Does deforestation cause deaths?")
    path = answer.supporting_paths[0]
    assert answer.primary_answer == "Yes"
    assert path.hops == 3
    assert 0.5 < answer.confidence <= min(a.confidence for a in path.associations)
    assert math.isclose(path.confidence, math.prod(a.confidence for a in path.associations))
    assert engine.ask("Do deaths cause deforestation?").abstained


def test_a_contradiction_is_reported_with_both_sources(learned: Learn) -> None:
    engine = learned(("A whale is a fish.", "old.txt"), ("A whale is not a fish.", "new.txt"))
    answer = engine.ask("Is a whale a fish?")
    assert answer.abstained
    assert "old.txt" in answer.explanation
    assert "new.txt" in answer.explanation
    assert answer.contradicting_paths


def test_the_better_supported_side_of_a_contradiction_wins(learned: Learn) -> None:
    engine = learned(
        ("A whale is a fish.", "old.txt"),
        ("A whale is not a fish.", "new.txt"),
        ("The whale is not a fish.", "another.txt"),
    )
    answer = engine.ask("Is a whale a fish?")
    assert answer.primary_answer == "No"
    assert answer.confidence < 0.5
    assert "although" in answer.explanation


def test_inverse_relations_answer_each_other(learned: Learn) -> None:
    engine = learned("A car has an engine.", "A piston is part of an engine.")
    for question in (
        "Is an engine part of a car?",
        "Does a car have an engine?",
        "Is a piston a part of an engine?",
        "Does an engine have a piston?",
    ):
        assert engine.ask(question).primary_answer == "Yes", question


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        ("Bread is made of flour.", "What is bread made of?", "flour"),
        ("Shakespeare wrote Hamlet.", "Who wrote Hamlet?", "shakespeare"),
        ("Shakespeare wrote Hamlet.", "What did Shakespeare write?", "hamlet"),
        ("Paris is in France.", "Where is Paris?", "france"),
        ("Friction causes heat.", "What causes heat?", "friction"),
        ("A violin is an instrument.", "What is a violin?", "A violin is an instrument."),
        (
            "Paris is the capital of France.",
            "What is the capital of France?",
            "Paris is the capital of France.",
        ),
    ],
)
def test_the_thing_asked_for(learned: Learn, text: str, question: str, expected: str) -> None:
    engine = learned(text, *DOGS)
    assert engine.ask(question).primary_answer == expected


def test_all_things_asked_for_are_given(learned: Learn) -> None:
    engine = learned("Smoking causes cancer.", "Smoking causes bad breath.", "Rain causes floods.")
    answer = engine.ask("What does smoking cause?")
    found = {answer.primary_answer, *(a.text for a in answer.alternative_answers)}
    assert found == {"cancer", "bad breath"}


def test_connections_go_either_way(learned: Learn) -> None:
    engine = learned("A wheel is part of a car.", "A car has an engine.")
    answer = engine.ask("How are a wheel and an engine connected?")
    assert answer.supporting_paths[0].labels == ("wheel", "car", "engine")
    assert answer.primary_answer == "Wheel is part of car, which has engine."
    assert engine.ask("How are a wheel and a dog connected?").abstained


def test_denials_connect_nothing(learned: Learn) -> None:
    engine = learned("No animal is a plant.")
    assert engine.ask("How are an animal and a plant connected?").abstained


@pytest.mark.parametrize(
    "question",
    [
        "What is a florbnitz?",
        "Is a florbnitz an animal?",
        "How are a florbnitz and a dog connected?",
        "What causes florbnitz?",
        "How do florbnitzes sing?",
        "What is the capital of Atlantis?",
        "the",
        "?!",
    ],
)
def test_what_is_unknown_is_not_answered(learned: Learn, question: str) -> None:
    answer = learned(*DOGS).ask(question)
    assert (answer.primary_answer, answer.confidence) == (UNKNOWN, 0.0)
    assert answer.alternative_answers == ()
    assert answer.explanation.startswith(UNKNOWN)


def test_an_empty_store_knows_nothing(engine: ReasoningEngine) -> None:
    assert engine.ask("Is a dog an animal?").abstained
    assert engine.search_concepts("dog") == []


def test_limits_hold(learned: Learn) -> None:
    engine = learned(*CHAIN)
    assert engine.reason("Does deforestation cause deaths?", max_hops=2).abstained
    with pytest.raises(ValueError, match="at least 1"):
        engine.reason("Does deforestation cause deaths?", max_hops=0)


# --- Explanations and proofs ---------------------------------------------------------------------


def test_a_proof_is_json_and_names_what_it_rests_on(learned: Learn) -> None:
    engine = learned(*((text, "zoology.txt") for text in DOGS))
    answer = engine.ask("Is a dog an animal?")
    proof = json.loads(json.dumps(answer.proof))
    assert proof == answer.proof
    assert proof["answer"] == "Yes"
    assert proof["confidence"] == answer.confidence
    assert proof["epoch"] == engine.storage.epoch
    assert {text["id"] for text in proof["evidence"]} == {text_id(text) for text in DOGS}
    steps = proof["supporting"][0]["steps"]
    assert [step["relation"] for step in steps] == ["is_a", "is_a"]
    for step, text in zip(steps, DOGS, strict=True):
        evidence = step["evidence"][0]
        concept = engine.get_concept(evidence["concept"])
        assert concept is not None
        start, end = evidence["span"]
        assert concept.content[start:end] == text


def test_an_explanation_names_path_sentence_and_source(learned: Learn) -> None:
    engine = learned(*((text, "zoology.txt") for text in DOGS))
    told = engine.explain("Is a dog an animal?")
    assert "dog is a kind of mammal, which is a kind of animal" in told
    assert '"A dog is a mammal." [zoology.txt]' in told


def test_spans_point_into_a_text_of_several_sentences(learned: Learn) -> None:
    text = "Überall blühen Blumen — 猫. Rain causes floods. Floods cause damage."
    engine = learned(text)
    evidence = evidence_of(statements(engine, "flood")[0].attributes)[0]
    start, end = evidence["span"]
    assert text[start:end] == "Floods cause damage."


# --- Learning ------------------------------------------------------------------------------------


def test_learning_again_strengthens_and_doubles_nothing(engine: ReasoningEngine) -> None:
    first = engine.learn(DOGS[0], source="a.txt")
    before = engine.stats()
    association = statements(engine, "dog")[0]
    vector = engine.storage.get_embedding(first)
    assert engine.learn("  A dog\nis a mammal. ", source="a.txt") == first
    after = engine.stats()
    for count in ("total_concepts", "total_edges", "total_vectors"):
        assert before[count] == after[count]
    again = statements(engine, "dog")[0]
    assert again.weight > association.weight
    assert again.confidence == association.confidence
    assert again.attributes == association.attributes
    concept = engine.get_concept(first)
    assert concept is not None
    assert (concept.access_count, concept.strength > 1.0) == (1, True)
    kept = engine.storage.get_embedding(first)
    assert vector is not None
    assert kept is not None
    assert kept.tobytes() == vector.tobytes()


@pytest.mark.parametrize("sources", [("a.txt", None), (None, "a.txt"), (None, "a.txt", None)])
def test_no_source_is_not_another_source(
    engine: ReasoningEngine, sources: tuple[str | None, ...]
) -> None:
    with ReasoningEngine(":memory:") as once:
        once.learn(DOGS[0], source="a.txt")
        expected = once.explain("Is a dog a mammal?")
        confidence = statements(once, "dog")[0].confidence
    ids = {engine.learn(DOGS[0], source=source) for source in sources}
    (association,) = statements(engine, "dog")
    assert association.confidence == confidence
    assert association.source == "a.txt"
    assert [e["source"] for e in evidence_of(association.attributes)] == ["a.txt"]
    assert engine.explain("Is a dog a mammal?") == expected
    concept = engine.get_concept(ids.pop())
    assert concept is not None
    assert (ids, concept.source) == (set(), "a.txt")
    engine.learn_batch([DOGS[0], (DOGS[0], None)])
    assert engine.explain("Is a dog a mammal?") == expected


def test_another_source_makes_it_surer(engine: ReasoningEngine) -> None:
    first = engine.learn(DOGS[0], source="b.txt")
    before = statements(engine, "dog")[0].confidence
    assert engine.learn(DOGS[0], source="a.txt") == first
    association = statements(engine, "dog")[0]
    assert association.confidence > before
    assert {e["source"] for e in evidence_of(association.attributes)} == {"a.txt", "b.txt"}
    concept = engine.get_concept(first)
    assert concept is not None
    assert (concept.source, concept.attributes["sources"]) == ("a.txt", ["a.txt", "b.txt"])


def test_a_batch_gives_ids_in_order_and_learns_repeats_once(engine: ReasoningEngine) -> None:
    done: list[int] = []
    items: list[Item] = [*DOGS, (DOGS[0], "zoology.txt"), Lesson("Cats purr.", category="pets")]
    ids = engine.learn_batch(items, progress=done.append)
    assert ids == [text_id(DOGS[0]), text_id(DOGS[1]), text_id(DOGS[0]), text_id("Cats purr.")]
    assert done == [4]
    found = engine.get_concept(ids[3])
    assert found is not None
    assert found.category == "pets"
    assert len(statements(engine, "dog")) == 1


def test_a_batch_of_many_is_several_transactions(engine: ReasoningEngine) -> None:
    done: list[int] = []
    texts = [f"Item {at} is a thing." for at in range(2_500)]
    ids = engine.learn_batch(iter(texts), progress=done.append)
    assert done == [1_000, 2_000, 2_500]
    assert len(set(ids)) == 2_500
    assert engine.stats()["total_vectors"] == 2_500


def test_a_batch_with_a_bad_text_keeps_what_came_before_its_transaction(
    engine: ReasoningEngine,
) -> None:
    texts = [f"Item {at} is a thing." for at in range(1_000)]
    with pytest.raises(TextError):
        engine.learn_batch([*texts, "A last thing.", ""])
    assert engine.stats()["total_vectors"] == 1_000
    assert engine.get_concept(text_id("A last thing.")) is None


def test_a_chosen_id_is_kept(engine: ReasoningEngine) -> None:
    assert engine.learn("Dogs bark.", concept_id="bark") == "bark"
    assert engine.learn("Dogs bark.", concept_id="bark") == "bark"
    with pytest.raises(ValueError, match="another text"):
        engine.learn("Cats purr.", concept_id="bark")
    with pytest.raises(TextError, match="reserved"):
        engine.learn("Cats purr.", concept_id="sutra:embedder")


@pytest.mark.parametrize("text", ["", "   \n\t", "\ud800 half", "x" * (MAX_TEXT_CHARS + 1)])
def test_an_unfit_text_raises_and_stores_nothing(engine: ReasoningEngine, text: str) -> None:
    with pytest.raises(TextError):
        engine.learn(text)
    with pytest.raises(TextError):
        engine.ask(text)
    with pytest.raises(TextError):
        engine.search_concepts(text)
    assert engine.stats()["total_concepts"] == 0


def test_a_text_is_a_str(engine: ReasoningEngine) -> None:
    with pytest.raises(TypeError, match="bytes"):
        engine.learn(b"bytes")  # type: ignore[arg-type]


def test_what_is_no_text_is_named(engine: ReasoningEngine) -> None:
    for name in ("source", "category", "concept_id"):
        for value in (5, b"x", ["a"]):
            with pytest.raises(TypeError, match=f"{name} must be str or None"):
                engine.learn(DOGS[0], **{name: value})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="items must be a sequence"):
        engine.learn_batch("abc")
    with pytest.raises(TypeError, match="an item must be"):
        engine.learn_batch([5])  # type: ignore[list-item]
    assert engine.stats()["total_concepts"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "\x00\x01\x02",
        "'; DROP TABLE concepts; --",
        "!!!???",
        "\U0001f415" * 500,
        "is a " * 5_000,
        "a, b, c and d cause e, f, g and h. " * 50,
        "<script>alert(1)</script> is a tag.",
        "\u202eright to left is a direction.\u202c",
        "x" * 50_000,
    ],
)
def test_hostile_texts_are_learned_or_refused_but_bounded(
    engine: ReasoningEngine, text: str
) -> None:
    concept_id = engine.learn(text)
    found = engine.get_concept(concept_id)
    assert found is not None
    assert found.content == text
    assert engine.stats()["total_edges"] <= 1.5 * len(text.split()) + 50


@pytest.mark.parametrize(
    "unit", ["a, b, c and d cause e, f, g, h, i and ", "cats cause dogs ", "is a dog has a cat "]
)
def test_a_hundred_words_give_under_150_associations(engine: ReasoningEngine, unit: str) -> None:
    words = (unit * 100).split()[:100]
    engine.learn(" ".join(words))
    assert engine.stats()["total_edges"] < 150


def test_an_extractor_reads_bounded_names() -> None:
    reading = AssociationExtractor().read("A " + "very" * 400 + " is a dog. A cat is a pet.")
    assert all(len(name) <= 512 for name in reading.names)
    assert [s.subject for s in reading.statements] == ["cat"]


# --- Given concepts ------------------------------------------------------------------------------


def animals(engine: ReasoningEngine) -> None:
    concepts = [
        Concept("n1", "dog, hound: a pet", attributes={"words": ["dog", "hound"]}),
        Concept("n2", "frank, dog: a sausage", attributes={"words": ["frank", "dog"]}),
        Concept("n3", "animal: it lives", attributes={"words": ["animal"]}),
    ]
    links = [
        Association.of("n1", "hypernym", "n3", confidence=0.9),
        Association.of("n3", "hyponym", "n1", confidence=0.9),
    ]
    assert engine.add_concepts(concepts, links) == 5


def test_given_concepts_are_found_by_every_name(engine: ReasoningEngine) -> None:
    animals(engine)
    answer = engine.ask("Is a hound an animal?")
    assert answer.primary_answer == "Yes"
    assert answer.confidence == pytest.approx(0.9)
    assert answer.supporting_paths[0].labels == ("hound (dog)", "animal")
    assert engine.ask("Is a sausage an animal?").abstained


def test_the_sense_of_which_most_is_known_comes_first(engine: ReasoningEngine) -> None:
    animals(engine)
    answer = engine.ask("What is a dog?")
    assert answer.primary_answer == "dog, hound: a pet"
    assert [a.text for a in answer.alternative_answers] == ["frank, dog: a sausage"]
    assert answer.confidence + answer.alternative_answers[0].confidence == pytest.approx(1.0)


def test_concepts_put_without_names_are_found_by_their_words(engine: ReasoningEngine) -> None:
    engine.storage.add_concept(
        Concept("x", "beagle: a small hound", attributes={"words": ["beagle"]})
    )
    assert engine.ask("What is a beagle?").primary_answer == "beagle: a small hound"


def test_an_association_by_hand_is_used(engine: ReasoningEngine) -> None:
    animals(engine)
    engine.storage.add_concept(Concept("n4", "thing", attributes={"words": ["thing"]}))
    association = engine.add_association(
        "n3", "n4", "hierarchical", relation="is_a", confidence=0.5, source="me"
    )
    assert association.type is AssociationType.HIERARCHICAL
    answer = engine.ask("Is a dog a thing?")
    assert answer.confidence == pytest.approx(0.45)
    assert "me" in answer.explanation
    with pytest.raises(SutraError):
        engine.add_association("n3", "missing")
    with pytest.raises(ValueError, match="AssociationType"):
        engine.add_association("n3", "n4", "no kind")


def test_reserved_ids_are_refused(engine: ReasoningEngine) -> None:
    with pytest.raises(TextError, match="reserved"):
        engine.add_concepts([Concept("name:dog", "dog")])
    assert engine.stats()["total_concepts"] == 0


# --- Search --------------------------------------------------------------------------------------


def test_hits_name_their_legs_and_find_texts_only(learned: Learn) -> None:
    engine = learned("Dogs bark at night.", "Wolves howl at the moon.", "Invoices are due.")
    hits = engine.search_concepts("a barking dog", limit=2)
    assert hits[0].content == "Dogs bark at night."
    assert hits[0].legs["words"].rank == 1
    assert set(hits[0].legs) == {"words", "vector"}
    assert all(hit.id.startswith("text:") for hit in engine.search_concepts("dog", limit=50))


def test_without_an_embedder_words_search(tmp_path: Path) -> None:
    with ReasoningEngine(tmp_path / "store", embedder="none") as engine:
        engine.learn("Dogs bark at night.")
        hits = engine.search_concepts("bark")
        assert set(hits[0].legs) == {"words"}
        assert engine.stats()["total_vectors"] == 0
        assert engine.get_concept(EMBEDDER_ID) is None


# --- The embedder --------------------------------------------------------------------------------


class Toy:
    """An embedder of two equal components."""

    def __init__(self, model_id: str, shape: int = 2) -> None:
        """Name the model, and say how many components it really returns."""
        self.model_id, self.dim, self._shape = model_id, 2, shape

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """Return a row for each text."""
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the row that a document would get."""
        return np.full(self._shape, 1.0 + len(text), dtype=np.float32)


def test_a_store_refuses_another_embedder(tmp_path: Path) -> None:
    with ReasoningEngine(tmp_path / "store", embedder=Toy("one")) as engine:
        engine.learn("Dogs bark.")
    with pytest.raises(EmbedderMismatchError, match=r"'one'.*'two'"):
        ReasoningEngine(tmp_path / "store", embedder=Toy("two"))
    with ReasoningEngine(tmp_path / "store", embedder=Toy("one")) as engine:
        assert engine.search_concepts("dogs")
    with ReasoningEngine(tmp_path / "store", embedder="none", vector_dimension=2) as engine:
        assert engine.search_concepts("bark")


def test_the_first_to_write_claims_the_store(tmp_path: Path) -> None:
    with (
        ReasoningEngine(tmp_path / "store", embedder=Toy("one")) as one,
        ReasoningEngine(tmp_path / "store", embedder=Toy("two")) as two,
    ):
        one.learn("Dogs bark.")
        with pytest.raises(EmbedderMismatchError):
            two.learn("Cats purr.")
        assert two.get_concept(text_id("Cats purr.")) is None


def test_an_embedder_that_lies_about_its_shape_is_refused(tmp_path: Path) -> None:
    with ReasoningEngine(tmp_path / "store", embedder=Toy("liar", shape=3)) as engine:
        with pytest.raises(ValueError, match="shape"):
            engine.learn("Dogs bark.")
        assert engine.stats()["total_concepts"] == 0


def test_what_is_no_embedder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no embedder"):
        ReasoningEngine(tmp_path / "store", embedder=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="minilm"):
        ReasoningEngine(tmp_path / "store", embedder="minilm")  # type: ignore[arg-type]


def test_the_store_remembers_its_model(engine: ReasoningEngine) -> None:
    engine.learn("Dogs bark.")
    record = engine.get_concept(EMBEDDER_ID)
    assert record is not None
    embedder = StaticEmbedder()
    assert record.attributes == {"model_id": embedder.model_id, "dim": embedder.dim}


# --- The three calls -----------------------------------------------------------------------------


def test_hybrid_ai_learns_searches_and_asks(tmp_path: Path) -> None:
    with HybridAI(tmp_path / "store") as ai:
        concept_id = ai.learn(DOGS[0], "zoology.txt", "animals")
        ai.learn(DOGS[1])
        ai.save()
        assert ai.semantic_search("dog", 1)[0].id == concept_id
        assert ai.ask("Is a dog an animal?").primary_answer == "Yes"
    ai.close()


def test_a_closed_engine_raises(tmp_path: Path) -> None:
    engine = ReasoningEngine(tmp_path / "store")
    engine.close()
    engine.close()
    assert "store" in repr(engine)
    with pytest.raises(SutraError):
        engine.learn("Dogs bark.")


def test_two_names_of_one_concept_are_one_thing(engine: ReasoningEngine) -> None:
    animals(engine)
    answer = engine.ask("Is a hound a dog?")
    assert (answer.primary_answer, answer.confidence) == ("Yes", 1.0)
    assert answer.supporting_paths[0].hops == 0
    assert "hound and dog are one concept" in answer.explanation


def test_a_denial_of_the_inverse_is_a_denial(learned: Learn) -> None:
    engine = learned("A car is part of a fleet.", "A wheel is not part of a fleet.")
    assert engine.ask("Is a wheel part of a fleet?").primary_answer == "No"
    assert engine.ask("Does a fleet have a wheel?").primary_answer == "No"


def test_a_long_name_states_nothing(learned: Learn) -> None:
    engine = learned(f"A {'very' * 200} is a dog.")
    assert engine.stats()["total_edges"] == 1
    assert (
        len(AssociationExtractor().read("A " + ", a ".join(f"w{n}" for n in range(99))).names) == 32
    )


LEARN = """
import sys
from sutra_core.reasoning import ReasoningEngine
with ReasoningEngine(sys.argv[1], embedder="none") as engine:
    for number in range(40):
        engine.learn(f"Writer{sys.argv[2]} of {number} is a device.", source=sys.argv[2])
        engine.learn("A device is a thing.", source=sys.argv[2])
"""


def test_processes_that_learn_at_once_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LEARN, str(tmp_path / "store")]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(3)]  # noqa: S603
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    with ReasoningEngine(tmp_path / "store", embedder="none") as engine:
        for writer in range(3):
            for number in range(40):
                text = f"Writer{writer} of {number} is a device."
                assert engine.get_concept(text_id(text)) is not None
                assert statements(engine, f"writer{writer} of {number}")
        association = statements(engine, "device")[0]
        assert {e["source"] for e in evidence_of(association.attributes)} == {"0", "1", "2"}
