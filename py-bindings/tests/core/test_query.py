"""Questions are read as the statements that they ask about."""

from __future__ import annotations

import pytest

from sutra_core.nlp import canonical_name
from sutra_core.reasoning.query import MAX_WORDS, QueryProcessor, QuestionKind, keywords_of

PROCESSOR = QueryProcessor()


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is a dog an animal?", ("dog", "is_a", "animal")),
        ("Are dogs mammals?", ("dog", "is_a", "mammal")),
        ("is the DOG an Animal", ("dog", "is_a", "animal")),
        ("Is high blood pressure a disease?", ("high blood pressure", "is_a", "disease")),
        ("Is an engine a part of a car?", ("engine", "part_of", "car")),
        ("Does smoking cause cancer?", ("smoking", "causes", "cancer")),
        ("Do dogs chase cats?", ("dog", "chases", "cat")),
        ("Did Shakespeare write Hamlet?", ("shakespeare", "writes", "hamlet")),
        ("Does a car have wheels?", ("car", "has", "wheel")),
        ("Can stress lead to insomnia?", ("stress", "leads_to", "insomnia")),
    ],
)
def test_yes_no_questions(question: str, expected: tuple[str, str, str]) -> None:
    found = PROCESSOR.analyze(question)
    assert found.kind is QuestionKind.YES_NO
    first = found.readings[0]
    assert (first.subject, first.relation, first.object) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What causes malaria?", (None, "causes", "malaria")),
        ("What does smoking cause?", ("smoking", "causes", None)),
        ("What is bread made of?", ("bread", "made_of", None)),
        ("What is a wheel a part of?", ("wheel", "part_of", None)),
        ("Who wrote Hamlet?", (None, "writes", "hamlet")),
        ("What did Shakespeare write?", ("shakespeare", "writes", None)),
        ("Where is Paris?", ("paris", "located_in", None)),
        ("What is the cause of malaria?", (None, "causes", "malaria")),
        ("Why do landslides happen?", (None, "causes", "landslide")),
    ],
)
def test_questions_for_one_end(question: str, expected: tuple[str | None, str, str | None]) -> None:
    found = PROCESSOR.analyze(question)
    assert found.kind is QuestionKind.THING
    readings = [(r.subject, r.relation, r.object) for r in found.readings]
    assert expected in readings


@pytest.mark.parametrize(
    "question",
    [
        "How are a wheel and a car connected?",
        "How is a wheel related to a car?",
        "How does a wheel relate to a car?",
        "What is the connection between a wheel and a car?",
        "What connects the wheel and the car?",
        "how are wheels and cars linked to each other",
    ],
)
def test_connections(question: str) -> None:
    found = PROCESSOR.analyze(question)
    assert found.kind is QuestionKind.CONNECTION
    assert (found.readings[0].subject, found.readings[0].object) == ("wheel", "car")


@pytest.mark.parametrize(
    "question",
    ["What is a beagle?", "Define beagle", "What does beagle mean?", "Tell me about the beagle."],
)
def test_definitions(question: str) -> None:
    found = PROCESSOR.analyze(question)
    assert found.kind is QuestionKind.DEFINITION
    assert found.readings[0].subject == "beagle"


def test_a_name_with_and_in_it_has_a_reading_for_each_division() -> None:
    found = PROCESSOR.analyze("How are salt and pepper and rock and roll connected?")
    pairs = {(r.subject, r.object) for r in found.readings}
    assert ("salt and pepper", "rock and roll") in pairs


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "???!!",
        "is",
        "Is?",
        "what",
        "how",
        "Is is is is?",
        "a " * 500,
        "Is " + "a dog " * 300 + "?",
        "\x00\x01\x02",
        "' OR 1=1 --",
        "猫は動物ですか",
        "(" * 80,
        "what is " + "x" * 5_000,
        "\U0001f415 \u202e reversed",
    ],
)
def test_any_text_has_an_analysis(text: str) -> None:
    found = PROCESSOR.analyze(text)
    assert found.kind in QuestionKind
    assert PROCESSOR.analyze(text) == found


def test_a_long_question_is_searched_for() -> None:
    assert PROCESSOR.analyze("Is a dog " * MAX_WORDS).kind is QuestionKind.SEARCH


def test_a_reading_passes_over_no_word() -> None:
    found = PROCESSOR.analyze("Is a pandanus a carob tree?")
    assert {reading.object for reading in found.readings} == {"carob tree"}


def test_keywords_leave_out_the_grammar() -> None:
    assert keywords_of("How do the plants make energy, and make it?") == (
        "plants",
        "make",
        "energy",
    )


def test_equal_things_have_equal_names() -> None:
    assert canonical_name("The Dogs") == canonical_name("a dog") == "dog"
    assert canonical_name("  Canis   familiaris ") == "canis familiaris"
    assert canonical_name("kill") == "kill"
    assert canonical_name("the") == "the"
    for nothing in ("", " ", "?!", "x" * 600):
        assert canonical_name(nothing) is None
