//! What texts are read to mean.

use super::*;
use proptest::prelude::*;

/// "subject relation object", with a "not" where denied.
fn facts(text: &str) -> Vec<String> {
    let fact = |r: &Relation| {
        let not = if r.negated { "not " } else { "" };
        format!("{} | {not}{} | {}", r.subject, r.relation, r.object)
    };
    extract(text).relations.iter().map(fact).collect()
}

fn names(text: &str) -> Vec<String> {
    extract(text).entities.into_iter().map(|entity| entity.name).collect()
}

#[test]
fn wordings_of_one_thing_share_a_name() {
    assert_eq!(
        facts("A dog is a mammal. Mammals are animals. The DOGS are mammals."),
        ["dog | is_a | mammal", "mammal | is_a | animal", "dog | is_a | mammal",]
    );
    assert_eq!(names("Dogs bark."), ["dog", "bark"]);
}

#[test]
fn each_kind_of_relation_is_found() {
    use RelationKind::{Causal, Compositional, Hierarchical, Semantic, Temporal};
    for (text, expected, kind) in [
        (
            "High blood pressure causes cardiovascular disease.",
            "high blood pressure | causes | cardiovascular disease",
            Causal,
        ),
        ("Deforestation leads to soil erosion.", "deforestation | leads_to | soil erosion", Causal),
        ("Friction results in heat.", "friction | results_in | heat", Causal),
        ("Malaria is caused by a parasite.", "parasite | causes | malaria", Causal),
        ("The flood was due to heavy rain.", "heavy rain | causes | flood", Causal),
        ("Smoking is a major cause of cancer.", "smoking | causes | cancer", Causal),
        ("The heart is part of the body.", "heart | part_of | body", Compositional),
        ("A wheel is a part of a car.", "wheel | part_of | car", Compositional),
        ("Water consists of hydrogen.", "water | consists_of | hydrogen", Compositional),
        ("The heart has four chambers.", "heart | has | chamber", Compositional),
        ("Cells contain a nucleus.", "cell | contains | nucleus", Compositional),
        ("Bread is made from flour.", "bread | made_of | flour", Compositional),
        ("Spring comes before summer.", "spring | before | summer", Temporal),
        ("Autumn follows summer.", "summer | before | autumn", Temporal),
        ("Lightning is followed by thunder.", "lightning | before | thunder", Temporal),
        ("Carpenters use hammers.", "carpenter | uses | hammer", Semantic),
        ("Paris is in France.", "paris | located_in | france", Semantic),
        ("Hamlet was written by Shakespeare.", "shakespeare | writes | hamlet", Semantic),
        ("The sky is blue.", "sky | is | blue", Semantic),
        ("A violin is a kind of instrument.", "violin | is_a | instrument", Hierarchical),
        ("Paris is the capital of France.", "paris | is_a | capital of france", Hierarchical),
        ("James is a doctor.", "james | is_a | doctor", Hierarchical),
        ("Physics is a science.", "physics | is_a | science", Hierarchical),
    ] {
        let found = extract(text).relations;
        assert_eq!(facts(text), [expected], "{text}");
        assert_eq!(found[0].kind, kind, "{text}");
    }
}

#[test]
fn denials_are_marked() {
    assert_eq!(facts("No animal is a plant."), ["animal | not is_a | plant"]);
    assert_eq!(facts("A whale is not a fish."), ["whale | not is_a | fish"]);
    assert_eq!(facts("Whales aren't fish."), ["whale | not is | fish"]);
    assert_eq!(facts("Vaccines do not cause autism."), ["vaccine | not causes | autism"]);
    assert_eq!(facts("Birds never have teeth."), ["bird | not has | tooth"]);
}

#[test]
fn conversion_says_what_becomes_what() {
    assert_eq!(
        facts("Photosynthesis converts sunlight into chemical energy in plants."),
        [
            "photosynthesis | converts | sunlight",
            "photosynthesis | produces | chemical energy",
            "sunlight | becomes | chemical energy",
            "photosynthesis | occurs_in | plant",
        ]
    );
}

#[test]
fn lists_chains_and_inserted_clauses_are_taken_apart() {
    assert_eq!(facts("Dogs and cats are mammals."), ["dog | is_a | mammal", "cat | is_a | mammal"]);
    assert_eq!(
        facts("Stress causes headaches and leads to insomnia."),
        ["stress | causes | headache", "stress | leads_to | insomnia",]
    );
    assert_eq!(
        facts("A whale, which is a mammal, has lungs."),
        ["whale | is_a | mammal", "whale | has | lung",]
    );
    assert_eq!(
        facts("Rain causes floods, and floods cause damage."),
        ["rain | causes | flood", "flood | causes | damage",]
    );
    assert_eq!(
        facts("Plants use sunlight to make food."),
        ["plant | uses | sunlight", "plant | makes | food",]
    );
    assert_eq!(
        facts("In winter, bears eat fruits such as apples and berries."),
        ["bear | eats | fruit", "apple | is_a | fruit", "berry | is_a | fruit",]
    );
}

#[test]
fn pronouns_stand_for_the_subject_before() {
    let found = extract("The dolphin is a mammal. It has lungs.").relations;
    assert_eq!((found[1].subject.as_str(), found[1].object.as_str()), ("dolphin", "lung"));
    assert!(found[1].confidence < found[0].confidence);
}

#[test]
fn possibility_and_guesses_lower_the_confidence() {
    let confidence = |text: &str| extract(text).relations[0].confidence;
    assert!(confidence("Stress may cause insomnia.") < confidence("Stress causes insomnia."));
    assert_eq!(facts("Shepherds guard sheep."), ["shepherd | guards | sheep"]);
    assert!(confidence("Shepherds guard sheep.") < confidence("Shepherds own sheep."));
}

#[test]
fn questions_assert_nothing() {
    let found = extract("Is a dog a mammal?");
    assert!(found.relations.is_empty());
    let names: Vec<_> = found.entities.iter().map(|entity| entity.name.as_str()).collect();
    assert!(names.contains(&"mammal"), "{names:?}");
}

#[test]
fn a_hundred_words_give_under_150_relations() {
    let lists = "a, b, c and d cause e, f, g, h, i, j and k and ".repeat(8);
    let verbs = "cats cause dogs ".repeat(33);
    for text in [lists, verbs, "is a dog has a cat ".repeat(17)] {
        let text: String = text.split_whitespace().take(100).collect::<Vec<_>>().join(" ");
        assert!(extract(&text).relations.len() < 150, "{text}");
    }
}

#[test]
fn a_megabyte_of_anything_is_bounded() {
    for unit in [
        "a",
        "a ",
        "is ",
        "A dog is a mammal. ",
        ", ",
        "\u{301}",
        "and of ",
        "\u{4e2d}",
        "x's-",
        "Dr. ",
        "a\n",
    ] {
        let text = unit.repeat(1_000_000 / unit.len());
        let words = text.split([' ', '\n', '\'', '-']).count();
        let found = extract(&text);
        assert!(found.relations.len() <= words, "{unit:?}");
        assert!(found.entities.len() <= text.chars().count(), "{unit:?}");
        assert!(found.entities.iter().all(|entity| entity.name.len() < 1024), "{unit:?}");
    }
}

/// Texts of words that the rules know, in any order: they reach further than random characters.
fn grammar_soup() -> impl Strategy<Value = String> {
    let words = "a the no it they which that and or but , . ; ? - ' is are was not n't has have may \
        can causes lead to leads part of kind before after by into in such as made converts dogs \
        Mammals heart United States 4 1969 uses developed written bark quickly because one U.S. \u{e9}t\u{e9}";
    let words: Vec<&'static str> = words.split_whitespace().collect();
    prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.join(" "))
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let found = extract(text);
    for span in found.sentences.iter().map(|s| s.span).chain(found.entities.iter().map(|e| e.span))
    {
        prop_assert!(!span.of(text).is_empty());
    }
    for relation in &found.relations {
        prop_assert!(relation.confidence > 0.0 && relation.confidence <= 1.0);
        prop_assert!(!relation.subject.is_empty() && !relation.object.is_empty());
        prop_assert!(relation.subject != relation.object);
        prop_assert!(found.sentences.iter().any(|s| s.span == relation.sentence));
    }
    prop_assert_eq!(extract(text), found);
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn any_order_of_known_words_is_answered(text in grammar_soup()) {
        check(&text)?;
    }
}
