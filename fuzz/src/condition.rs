//! Any JSON as a condition on attributes: refused, or a filter that lets through what it holds for.

use std::sync::LazyLock;

use serde_json::{Value, json};
use storage_core::{Attributes, Concept, Condition, Filter, GraphStore, StoreConfig};

/// Attributes of the store's concepts: every kind of value, nested, missing, and names with dots.
static ATTRIBUTES: LazyLock<Vec<Attributes>> = LazyLock::new(|| {
    let all = json!([
        {},
        {"a": null, "b": true},
        {"a": 1, "b": "river", "c": [1, "river", null]},
        {"a": 1.0, "b": "rivers", "c": []},
        {"a": -0.5, "b": "", "c": {"d": 1, "e": {"f": "stone"}}},
        {"a": 18_446_744_073_709_551_615_u64, "a.b": 2, "c": {"d": [3]}},
        {"a": 9_007_199_254_740_993_i64, "b": "\u{10ffff}", "": 0},
        {"a": 1e300, "$a": 1, "b": [[1], {"a": 1}]}
    ]);
    let all = all.as_array().expect("a list").iter();
    all.map(|one| one.as_object().expect("objects").clone()).collect()
});

/// A concept with each of the attributes.
static STORE: LazyLock<GraphStore> = LazyLock::new(|| {
    let config = StoreConfig { vector_dimension: 1, ..StoreConfig::default() };
    let store = GraphStore::in_memory(config).expect("sound options");
    let concept = |(at, attributes): (usize, &Attributes)| {
        let mut concept = Concept::new(at.to_string(), "river").with_vector(vec![1.0]);
        concept.attributes.clone_from(attributes);
        concept
    };
    let concepts = ATTRIBUTES.iter().enumerate().map(concept).collect();
    store.put_concepts(concepts).expect("concepts are put");
    store
});

/// Conditions with each operator.
///
/// # Panics
///
/// When one is refused.
#[must_use]
pub fn condition_seeds() -> Vec<Vec<u8>> {
    let conditions = [
        r#"{"a": 1, "b": {"$ne": "river"}}"#,
        r#"{"a": {"$gt": -1, "$lte": 1e300}, "c.d": {"$exists": true}}"#,
        r#"{"$or": [{"a": {"$in": [1, null]}}, {"$not": {"b": {"$prefix": "riv"}}}]}"#,
        r#"{"$and": [{"c": {"$contains": "river"}}, {"a\\.b": {"$nin": [2]}}]}"#,
        r#"{"b": {"$contains": "ver", "$gte": "a", "$lt": "z", "$eq": "river"}}"#,
    ];
    for condition in conditions {
        let value: Value = serde_json::from_str(condition).expect("it is JSON");
        Condition::from_json(&value).expect("it is a condition");
    }
    conditions.map(|condition| condition.as_bytes().to_vec()).into()
}

/// Makes a condition of these bytes, if they are JSON, and filters by it.
///
/// # Panics
///
/// When something is found.
pub fn filter(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let condition = match Condition::from_json(&value) {
        Ok(condition) => condition,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let held: Vec<bool> = ATTRIBUTES.iter().map(|one| condition.holds(one)).collect();
    // Nested once too deep, it may be refused.
    if let Ok(opposite) = Condition::from_json(&json!({"$not": value})) {
        assert!(ATTRIBUTES.iter().zip(&held).all(|(one, held)| opposite.holds(one) != *held));
    }
    if let Ok(both) = Condition::from_json(&json!({"$and": [value, value]})) {
        assert!(ATTRIBUTES.iter().zip(&held).all(|(one, held)| both.holds(one) == *held));
    }
    let filter = Filter { attributes: Some(condition), ..Filter::default() };
    let found = STORE.search_vector(&[1.0], 100, &filter).expect("a sound query");
    for (at, held) in held.into_iter().enumerate() {
        let is_found = found.iter().any(|hit| hit.id == at.to_string());
        assert_eq!(is_found, held, "{value} and {:?}", ATTRIBUTES[at]);
    }
}
