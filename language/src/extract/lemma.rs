//! Singular nouns and third-person verbs, by rule and by lists of exceptions.
//!
//! Invariant: both functions are idempotent on what they return for the words of their tests, never
//! return an empty word, and touch only ASCII endings.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Plurals that no rule gives.
const IRREGULAR: &[(&str, &str)] = &[
    ("men", "man"),
    ("women", "woman"),
    ("children", "child"),
    ("people", "person"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("geese", "goose"),
    ("mice", "mouse"),
    ("lice", "louse"),
    ("oxen", "ox"),
    ("wolves", "wolf"),
    ("knives", "knife"),
    ("leaves", "leaf"),
    ("lives", "life"),
    ("wives", "wife"),
    ("shelves", "shelf"),
    ("halves", "half"),
    ("calves", "calf"),
    ("loaves", "loaf"),
    ("thieves", "thief"),
    ("elves", "elf"),
    ("hooves", "hoof"),
    ("scarves", "scarf"),
    ("selves", "self"),
    ("analyses", "analysis"),
    ("theses", "thesis"),
    ("hypotheses", "hypothesis"),
    ("syntheses", "synthesis"),
    ("diagnoses", "diagnosis"),
    ("prognoses", "prognosis"),
    ("crises", "crisis"),
    ("oases", "oasis"),
    ("parentheses", "parenthesis"),
    ("metamorphoses", "metamorphosis"),
    ("axes", "axis"),
    ("bacteria", "bacterium"),
    ("fungi", "fungus"),
    ("nuclei", "nucleus"),
    ("cacti", "cactus"),
    ("stimuli", "stimulus"),
    ("alumni", "alumnus"),
    ("larvae", "larva"),
    ("algae", "alga"),
    ("antennae", "antenna"),
    ("vertebrae", "vertebra"),
    ("phenomena", "phenomenon"),
    ("criteria", "criterion"),
    ("mitochondria", "mitochondrion"),
    ("vertices", "vertex"),
    ("matrices", "matrix"),
    ("indices", "index"),
    ("appendices", "appendix"),
    ("quizzes", "quiz"),
    ("movies", "movie"),
    ("cookies", "cookie"),
    ("zombies", "zombie"),
    ("calories", "calorie"),
    ("prairies", "prairie"),
    ("genies", "genie"),
    ("menus", "menu"),
    ("gnus", "gnu"),
    ("emus", "emu"),
    ("taxis", "taxi"),
    ("skis", "ski"),
    ("shoes", "shoe"),
    ("toes", "toe"),
    ("canoes", "canoe"),
    ("foes", "foe"),
    ("does", "doe"),
    ("gases", "gas"),
    ("buses", "bus"),
    ("lenses", "lens"),
    ("aliases", "alias"),
    ("atlases", "atlas"),
    ("canvases", "canvas"),
    ("biases", "bias"),
    ("irises", "iris"),
    ("caches", "cache"),
    ("headaches", "headache"),
    ("aches", "ache"),
    ("avalanches", "avalanche"),
    ("niches", "niche"),
    ("mustaches", "mustache"),
    ("excuses", "excuse"),
    ("abuses", "abuse"),
    ("fuses", "fuse"),
    ("muses", "muse"),
    ("recluses", "recluse"),
];

/// Words in -s that are singular, or have one form.
const INVARIANT: &[&str] = &[
    "species",
    "series",
    "means",
    "news",
    "lens",
    "gas",
    "bus",
    "plus",
    "atlas",
    "canvas",
    "bias",
    "alias",
    "pancreas",
    "christmas",
    "chaos",
    "cosmos",
    "ethos",
    "pathos",
    "asbestos",
    "rhinoceros",
    "diabetes",
    "rabies",
    "herpes",
    "measles",
    "mumps",
    "scissors",
    "trousers",
    "pants",
    "texas",
    "kansas",
    "arkansas",
    "dallas",
    "thomas",
    "lucas",
    "douglas",
    "james",
    "charles",
    "hercules",
    "athens",
    "brussels",
    "wales",
    "mars",
    "venus",
    "andes",
    "alps",
    "himalayas",
    "netherlands",
    "philippines",
    "maldives",
    "bahamas",
    "aristoteles",
    "socrates",
    "always",
    "perhaps",
    "thus",
    "yes",
    "whereas",
    "us",
    "las",
    "los",
    "mercedes",
    "moses",
    "jones",
    "williams",
    "feces",
    "caries",
    "biceps",
    "triceps",
    "forceps",
    "thermos",
    "tetanus",
    "corps",
    "sms",
    "dns",
];

static SINGULARS: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| IRREGULAR.iter().copied().collect());
static INVARIANTS: LazyLock<HashSet<&str>> = LazyLock::new(|| INVARIANT.iter().copied().collect());

/// The singular of a lower-case noun; a singular noun is returned as it is.
pub(super) fn singular(noun: &str) -> String {
    if let Some(&singular) = SINGULARS.get(noun) {
        return singular.to_owned();
    }
    // "policewomen", "grandchildren", "firemen"; not "specimen" or "abdomen".
    for (plural, singular) in [("women", "woman"), ("children", "child")] {
        if let Some(stem) = noun.strip_suffix(plural) {
            return format!("{stem}{singular}");
        }
    }
    let is_plural = noun.len() > 3
        && noun.ends_with('s')
        && !["ss", "us", "is", "ics"].iter().any(|ending| noun.ends_with(ending))
        && !INVARIANTS.contains(noun);
    if !is_plural {
        return noun.to_owned();
    }
    if let Some(stem) = noun.strip_suffix("ies") {
        // "ties", "pies"
        return if stem.len() > 1 { format!("{stem}y") } else { format!("{stem}ie") };
    }
    let takes_es = ["sses", "xes", "zzes", "ches", "shes", "oes"].iter().any(|e| noun.ends_with(e))
        // "viruses", "campuses"; not "causes", "houses", "uses"
        || (noun.ends_with("uses")
            && noun.len() > 5
            && !noun.ends_with("auses")
            && !noun.ends_with("ouses"));
    let cut = if takes_es { 2 } else { 1 };
    noun[..noun.len() - cut].to_owned()
}

/// Whether a lower-case word has the look of a plural noun.
pub(super) fn is_plural(noun: &str) -> bool {
    singular(noun) != noun || matches!(noun, "species" | "series")
}

/// Puts a verb's base form into the third person: "chase" to "chases".
pub(super) fn third_person(base: &str) -> String {
    let consonant_y = base.ends_with('y')
        && !["ay", "ey", "oy", "uy"].iter().any(|ending| base.ends_with(ending));
    if consonant_y {
        return format!("{}ies", &base[..base.len() - 1]);
    }
    let takes_es = ["s", "x", "z", "ch", "sh", "o"].iter().any(|ending| base.ends_with(ending));
    format!("{base}{}", if takes_es { "es" } else { "s" })
}

/// The third person of a regular past form, "developed" to "develops"; `None` for any other word.
pub(super) fn third_person_of_past(word: &str) -> Option<String> {
    let stem = word.strip_suffix("ed")?;
    if stem.len() < 2 || !stem.is_ascii() || !stem.contains(['a', 'e', 'i', 'o', 'u', 'y']) {
        return None;
    }
    if let Some(stem) = stem.strip_suffix('i') {
        return Some(third_person(&format!("{stem}y")));
    }
    let bytes = stem.as_bytes();
    let (before, last) = (bytes[bytes.len() - 2], bytes[bytes.len() - 1]);
    if before == last && !matches!(last, b'l' | b's' | b'z' | b'f' | b'e') {
        // "planned", "stopped"
        return Some(third_person(&stem[..stem.len() - 1]));
    }
    let after_one_vowel = |ending: &str| {
        stem.strip_suffix(ending).is_some_and(|head| !head.ends_with(['a', 'e', 'i', 'o', 'u']))
    };
    // "created", "associated", "required", "changed"; not "heated", "floated", "repaired"
    let by_ending =
        ["creat", "iat", "uat", "quir", "hang", "rang"].iter().any(|ending| stem.ends_with(ending));
    let drops_e = matches!(last, b'c' | b'v' | b'u' | b'z' | b'g') && !stem.ends_with("ng")
        || last == b's' && before != b's'
        || last == b'l' && matches!(before, b'b' | b't' | b'd' | b'p' | b'g' | b'k')
        || stem.len() > 3
            && ["at", "ir", "ur", "in", "ut", "id", "ot", "as", "os", "is", "ar", "od", "ak", "ap"]
                .iter()
                .any(|ending| after_one_vowel(ending))
        || by_ending;
    Some(third_person(&if drops_e { format!("{stem}e") } else { stem.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plurals_meet_their_singulars() {
        for (plural, expected) in [
            ("dogs", "dog"),
            ("mammals", "mammal"),
            ("boxes", "box"),
            ("churches", "church"),
            ("classes", "class"),
            ("viruses", "virus"),
            ("causes", "cause"),
            ("houses", "house"),
            ("diseases", "disease"),
            ("cities", "city"),
            ("ties", "tie"),
            ("heroes", "hero"),
            ("shoes", "shoe"),
            ("wolves", "wolf"),
            ("valves", "valve"),
            ("women", "woman"),
            ("policewomen", "policewoman"),
            ("grandchildren", "grandchild"),
            ("mice", "mouse"),
            ("analyses", "analysis"),
            ("bacteria", "bacterium"),
            ("photos", "photo"),
            ("pizzas", "pizza"),
            ("horses", "horse"),
            ("species", "species"),
            ("gas", "gas"),
            ("physics", "physics"),
            ("glass", "glass"),
            ("basis", "basis"),
            ("virus", "virus"),
            ("specimen", "specimen"),
            ("bus", "bus"),
            ("sea", "sea"),
            ("sizes", "size"),
        ] {
            assert_eq!(singular(plural), expected);
            assert_eq!(singular(expected), expected, "a singular stays");
        }
    }

    #[test]
    fn verbs_reach_the_third_person_from_base_and_past() {
        for (base, expected) in [
            ("chase", "chases"),
            ("carry", "carries"),
            ("play", "plays"),
            ("catch", "catches"),
            ("go", "goes"),
            ("pass", "passes"),
        ] {
            assert_eq!(third_person(base), expected);
        }
        for (past, expected) in [
            ("developed", "develops"),
            ("created", "creates"),
            ("discovered", "discovers"),
            ("carried", "carries"),
            ("planned", "plans"),
            ("reduced", "reduces"),
            ("solved", "solves"),
            ("required", "requires"),
            ("defined", "defines"),
            ("explained", "explains"),
            ("used", "uses"),
            ("passed", "passes"),
            ("invented", "invents"),
            ("visited", "visits"),
            ("killed", "kills"),
            ("changed", "changes"),
            ("associated", "associates"),
            ("heated", "heats"),
            ("provided", "provides"),
            ("enabled", "enables"),
        ] {
            assert_eq!(third_person_of_past(past).as_deref(), Some(expected), "{past}");
        }
        assert_eq!(third_person_of_past("red"), None);
        assert_eq!(third_person_of_past("dog"), None);
    }

    proptest! {
        #[test]
        fn any_word_is_answered(word in "\\PC{1,12}") {
            prop_assert!(!singular(&word).is_empty());
            prop_assert!(!third_person(&word).is_empty());
            let _ = third_person_of_past(&format!("{word}ed"));
        }
    }
}
