//! Any text as a query, and as a content: what a text says is found by what it says.

use std::sync::LazyLock;

use storage_core::{Concept, ConceptHit, Filter, GraphStore, StoreConfig, TextQuery, WordOperator};
use text_index::{Analyzer, MAX_TERM_BYTES};

use crate::sound::WORDS;

/// How many concepts the stores hold.
const CONCEPTS: usize = 24;
/// The concept whose content is the query.
const ECHO: &str = "echo";

/// A store in memory for each analyzer.
static STORES: LazyLock<[GraphStore; 2]> = LazyLock::new(|| ["english", "simple"].map(store));

fn store(analyzer: &str) -> GraphStore {
    let config = StoreConfig {
        vector_dimension: 1,
        analyzer: analyzer.to_owned(),
        ..StoreConfig::default()
    };
    let store = GraphStore::in_memory(config).expect("sound options");
    let concept = |at: usize| {
        let words = [WORDS[at % 6], WORDS[at / 6], "and it's the c++ of naïve café 東京"];
        let mut concept = Concept::new(format!("c{at}"), words[..=at % 3].join(" "));
        concept.category = at.is_multiple_of(2).then(|| "even".to_owned());
        concept
    };
    store.put_concepts((0..CONCEPTS).map(concept).collect()).expect("concepts are put");
    store
}

/// Texts in several scripts, with what is no word in between; the first byte chooses the options.
#[must_use]
pub fn query_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "river stones",
        "it's the winter's garden, isn't it?",
        "c++ (rock \"silver",
        "naïve café Straße ﬁ İstanbul",
        "東京 привет 𝒳 👩‍🚀 a\u{301}",
        "running runner ran relational conditional",
    ];
    let options = [0_u8, 1, 7, 0x4e, 0xff, 0x31];
    texts.iter().zip(options).map(|(text, byte)| [&[byte], text.as_bytes()].concat()).collect()
}

/// Searches for the text behind the first byte, which chooses the options.
///
/// # Panics
///
/// When something is found.
pub fn query(bytes: &[u8]) {
    let Some((&options, text)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let analyzer = if options & 1 == 0 { Analyzer::english() } else { Analyzer::simple() };
    let terms = analyzer.terms(&text);
    for term in &terms {
        assert!(!term.is_empty() && term.len() <= MAX_TERM_BYTES, "{term:?}");
    }
    assert_eq!(terms, analyzer.terms(&text), "one text has one analysis");

    let store = &STORES[usize::from(options & 1)];
    let limit = if options & 2 == 0 { 1000 } else { 3 };
    let mut query = TextQuery::new(&text, limit);
    query.k1 = f32::from(options >> 4) / 4.0;
    query.b = f32::from(options >> 6) / 3.0;
    if options & 4 != 0 {
        query.filter = Filter { category: Some("even".to_owned()), ..Filter::default() };
    }
    let snapshot = store.snapshot().expect("a store has a state");
    let any = snapshot.search_words(&query);
    query.operator = WordOperator::And;
    let every = snapshot.search_words(&query);
    check(&any, limit);
    check(&every, limit);
    if limit > CONCEPTS {
        let (any, every) = (any.expect("sound options"), every.expect("sound options"));
        for hit in &every {
            assert!(any.contains(hit), "what holds every word holds any: {hit:?} of {any:?}");
        }
    }
    if options & 8 != 0 {
        echo(store, &text, !terms.is_empty());
    }
}

fn check(hits: &storage_core::Result<Vec<ConceptHit>>, limit: usize) {
    let hits = hits.as_ref().expect("options within their range");
    assert!(hits.len() <= limit);
    assert!(hits.iter().all(|hit| hit.score.is_finite() && hit.score >= 0.0), "{hits:?}");
    assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score), "{hits:?}");
}

/// A concept whose content is the query is found by it, with every word.
fn echo(store: &GraphStore, text: &str, has_terms: bool) {
    store.put_concept(Concept::new(ECHO, text)).expect("any text is a content");
    let every = TextQuery { operator: WordOperator::And, ..TextQuery::new(text, 1000) };
    let snapshot = store.snapshot().expect("a store has a state");
    let hits = snapshot.search_words(&every).expect("a query of the default options");
    assert_eq!(hits.iter().any(|hit| hit.id == ECHO), has_terms, "{text:?}: {hits:?}");
    let content = store.concept(ECHO).expect("it can be read").expect("it is there").content;
    assert_eq!(content, text);
    assert!(store.delete_concept(ECHO).expect("it can be deleted"));
}
