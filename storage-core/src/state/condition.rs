//! Conditions on a concept's attributes, as JSON says them.
//!
//! The syntax is that of document databases and most vector stores, a small part of it: an object from
//! attribute to value or operators, and `$and`, `$or`, `$not`. Invariant: what is not understood is refused,
//! never passed over.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use crate::concept::Attributes;
use crate::{Error, Result};

/// Conditions may be nested so deep.
const MAX_DEPTH: usize = 32;

/// A condition on a concept's attributes, made of JSON.
///
/// | written | holds for concepts |
/// |---|---|
/// | `{"year": 2020}` | whose attribute `year` is 2020 |
/// | `{"year": {"$gt": 2019, "$lte": 2024}}` | for which all operators hold |
/// | `{"a": 1, "b": 2}`, `{"$and": […]}` | for which all conditions hold |
/// | `{"$or": […]}`, `{"$not": {…}}` | for which one holds; for which it does not |
///
/// Operators: `$eq`, `$ne`, `$gt`, `$gte`, `$lt`, `$lte`, `$in`, `$nin` (a list), `$exists` (true or
/// false), `$contains` (an array has the element, or a text the text in it), `$prefix` (a text begins so).
///
/// `a.b` is the attribute `b` of the object `a`; a dot that is part of a name is written `\.`. A missing
/// attribute reads as null in all but `$exists`. Numbers are compared by value (1 is 1.0), texts by their
/// code points; `$gt` and its like hold for two numbers or two texts only. What is said of a value holds
/// for an array, too, if it holds for one of its elements; `$ne` and `$nin` say the opposite of `$eq` and
/// `$in`.
///
/// ```
/// use serde_json::json;
/// use storage_core::Condition;
///
/// let condition = Condition::from_json(&json!({"year": {"$gte": 2020}, "tags": {"$contains": "new"}}))?;
/// let attributes = json!({"year": 2024, "tags": ["new", "red"]});
/// assert!(condition.holds(attributes.as_object().expect("an object")));
/// # Ok::<(), storage_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Attribute { path: Vec<String>, test: Test },
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Equal(Value),
    NotEqual(Value),
    Ordered { value: Value, orders: &'static [Ordering] },
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Exists(bool),
    Contains(Value),
    Prefix(String),
}

impl Condition {
    /// The condition that a JSON object says.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] names what is not understood.
    pub fn from_json(condition: &Value) -> Result<Self> {
        parse(condition, 0).map(Self)
    }

    /// Whether it holds for some attributes.
    #[must_use]
    pub fn holds(&self, attributes: &Attributes) -> bool {
        self.0.holds(attributes)
    }
}

fn refuse<T>(expected: &str, found: impl Into<String>) -> Result<T> {
    let (expected, found) = (expected.to_owned(), found.into());
    Err(Error::InvalidArgument { name: "attributes", expected, found })
}

fn parse(condition: &Value, depth: usize) -> Result<Node> {
    let Value::Object(fields) = condition else {
        return refuse("an object of conditions", condition.to_string());
    };
    if depth > MAX_DEPTH {
        return refuse(&format!("nested at most {MAX_DEPTH} deep"), "deeper");
    }
    let mut all = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match name.as_str() {
            "$and" => all.push(Node::All(parse_list(name, value, depth)?)),
            "$or" => all.push(Node::Any(parse_list(name, value, depth)?)),
            "$not" => all.push(Node::Not(Box::new(parse(value, depth + 1)?))),
            _ if name.starts_with('$') => {
                return refuse("$and, $or, $not, or an attribute's name", name);
            }
            _ => parse_attribute(name, value, &mut all)?,
        }
    }
    Ok(if all.len() == 1 { all.remove(0) } else { Node::All(all) })
}

fn parse_list(name: &str, value: &Value, depth: usize) -> Result<Vec<Node>> {
    match value {
        Value::Array(list) if !list.is_empty() => {
            list.iter().map(|condition| parse(condition, depth + 1)).collect()
        }
        _ => refuse(&format!("a list of conditions for {name}"), value.to_string()),
    }
}

fn parse_attribute(name: &str, value: &Value, all: &mut Vec<Node>) -> Result<()> {
    let path = split_path(name)?;
    let operators = match value {
        Value::Object(fields) if fields.keys().any(|key| key.starts_with('$')) => fields,
        _ => {
            all.push(Node::Attribute { path, test: Test::Equal(value.clone()) });
            return Ok(());
        }
    };
    for (operator, value) in operators {
        let test = parse_test(operator, value)?;
        all.push(Node::Attribute { path: path.clone(), test });
    }
    Ok(())
}

fn parse_test(operator: &str, value: &Value) -> Result<Test> {
    let ordered = |orders| match value {
        Value::Number(_) | Value::String(_) => Ok(Test::Ordered { value: value.clone(), orders }),
        _ => refuse(&format!("a number or a text for {operator}"), value.to_string()),
    };
    let list = || match value {
        Value::Array(list) => Ok(list.clone()),
        _ => refuse(&format!("a list for {operator}"), value.to_string()),
    };
    Ok(match operator {
        "$eq" => Test::Equal(value.clone()),
        "$ne" => Test::NotEqual(value.clone()),
        "$gt" => ordered(&[Ordering::Greater])?,
        "$gte" => ordered(&[Ordering::Greater, Ordering::Equal])?,
        "$lt" => ordered(&[Ordering::Less])?,
        "$lte" => ordered(&[Ordering::Less, Ordering::Equal])?,
        "$in" => Test::In(list()?),
        "$nin" => Test::NotIn(list()?),
        "$contains" => Test::Contains(value.clone()),
        "$exists" => match value {
            Value::Bool(exists) => Test::Exists(*exists),
            _ => return refuse("true or false for $exists", value.to_string()),
        },
        "$prefix" => match value {
            Value::String(prefix) => Test::Prefix(prefix.clone()),
            _ => return refuse("a text for $prefix", value.to_string()),
        },
        _ => {
            return refuse(
                "one of $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $contains, $prefix \
                 ($and, $or and $not go around an attribute's name)",
                operator,
            );
        }
    })
}

/// The names along a path, between dots that no backslash precedes.
fn split_path(name: &str) -> Result<Vec<String>> {
    let mut path = vec![String::new()];
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        let part = path.last_mut().expect("it has one part at least");
        match character {
            '.' => path.push(String::new()),
            '\\' => match characters.next() {
                Some(escaped @ ('.' | '\\')) => part.push(escaped),
                _ => return refuse("a dot or a backslash after a backslash", name),
            },
            _ => part.push(character),
        }
    }
    if path.iter().any(String::is_empty) {
        return refuse("a name before and after each dot", format!("{name:?}"));
    }
    Ok(path)
}

impl Node {
    fn holds(&self, attributes: &Map<String, Value>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(attributes)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(attributes)),
            Self::Not(node) => !node.holds(attributes),
            Self::Attribute { path, test } => test.holds(look_up(path, attributes)),
        }
    }
}

fn look_up<'a>(path: &[String], attributes: &'a Map<String, Value>) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(attributes.get(first)?, |value, name| value.as_object()?.get(name))
}

impl Test {
    fn holds(&self, found: Option<&Value>) -> bool {
        let value = found.unwrap_or(&Value::Null);
        match self {
            Self::Equal(wanted) => matches(value, wanted),
            Self::NotEqual(wanted) => !matches(value, wanted),
            Self::Ordered { value: bound, orders } => any_of(value, |value| {
                compare(value, bound).is_some_and(|order| orders.contains(&order))
            }),
            Self::In(list) => list.iter().any(|wanted| matches(value, wanted)),
            Self::NotIn(list) => !list.iter().any(|wanted| matches(value, wanted)),
            Self::Exists(exists) => found.is_some() == *exists,
            Self::Contains(wanted) => match (value, wanted) {
                (Value::Array(elements), _) => elements.iter().any(|own| equal(own, wanted)),
                (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                _ => false,
            },
            Self::Prefix(prefix) => {
                matches!(value, Value::String(text) if text.starts_with(prefix))
            }
        }
    }
}

/// Whether something holds for a value or, if it is an array, for one of its elements.
fn any_of(value: &Value, holds: impl Fn(&Value) -> bool) -> bool {
    holds(value) || matches!(value, Value::Array(elements) if elements.iter().any(holds))
}

/// Whether a value, or one of its elements, is the one that is wanted.
fn matches(value: &Value, wanted: &Value) -> bool {
    any_of(value, |value| equal(value, wanted))
}

/// Whether two values are equal, numbers by their value.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => compare_to_float(a, b.as_f64()?),
        (None, Some(b)) => compare_to_float(b, a.as_f64()?).map(Ordering::reverse),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// An integer of at most 64 bits against a float, without rounding.
fn compare_to_float(integer: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // The cast is exact up to 2^127, and saturates beyond, where every integer is on one side.
    let whole = float.floor();
    Some(integer.cmp(&(whole as i128)).then(if whole < float {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn holds(condition: &Value, attributes: &Value) -> bool {
        let condition = Condition::from_json(condition).expect("a condition");
        condition.holds(attributes.as_object().expect("an object"))
    }

    #[test]
    fn each_operator_holds_as_documented() {
        let cat = json!({
            "name": "cat", "legs": 4, "weight": 3.5, "tags": ["pet", 7], "wild": false,
            "nothing": null, "where": {"city": "Oslo", "a.b": 1}, "back\\slash": 2
        });
        for condition in [
            json!({}),
            json!({"name": "cat"}),
            json!({"legs": 4.0, "wild": false}),
            json!({"legs": {"$gt": 3, "$lt": 4.5}}),
            json!({"legs": {"$gte": 4, "$lte": 4}}),
            json!({"weight": {"$gt": 3, "$lt": 4}}),
            json!({"name": {"$gt": "ca", "$lt": "cb"}}),
            json!({"name": {"$in": ["dog", "cat"]}, "legs": {"$nin": [2, 6]}}),
            json!({"name": {"$ne": "dog"}, "missing": {"$ne": 1, "$nin": [1]}}),
            json!({"missing": null, "nothing": null, "also": {"$in": [null]}}),
            json!({"missing": {"$exists": false}, "nothing": {"$exists": true}}),
            json!({"tags": {"$contains": "pet"}}),
            json!({"tags": {"$contains": 7.0}, "name": {"$contains": "a"}}),
            json!({"tags": ["pet", 7], "name": {"$prefix": "ca"}}),
            json!({"where.city": "Oslo", "where.a\\.b": 1, "back\\\\slash": 2}),
            json!({"where": {"city": "Oslo", "a.b": 1.0}}),
            json!({"tags": "pet", "legs": {"$ne": [4]}}),
            json!({"tags": {"$in": ["wild", 7]}}),
            json!({"tags": {"$gt": 6, "$lt": "pets"}}),
            json!({"$or": [{"legs": 2}, {"name": "cat"}]}),
            json!({"$and": [{"legs": 4}, {"$not": {"name": "dog"}}], "wild": false}),
        ] {
            assert!(holds(&condition, &cat), "{condition}");
            assert!(!holds(&json!({"$not": condition}), &cat), "{condition}");
        }
        for condition in [
            json!({"legs": "4"}),
            json!({"legs": {"$gt": "3"}}),
            json!({"wild": 0}),
            json!({"nothing": {"$lt": 1}}),
            json!({"missing": {"$gte": 0}}),
            json!({"name.first": {"$exists": true}}),
            json!({"tags": {"$contains": "et"}}),
            json!({"tags": {"$ne": "pet"}}),
            json!({"tags": {"$nin": ["wild", 7.0]}}),
            json!({"tags": {"$gt": 7}}),
            json!({"legs": [4]}),
            json!({"legs": {"$contains": 4}}),
            json!({"where": {"city": "Oslo"}}),
        ] {
            assert!(!holds(&condition, &cat), "{condition}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let mut deep = json!({"a": 1});
        for _ in 0..100 {
            deep = json!({"$not": deep});
        }
        for (condition, named) in [
            (json!([1]), "object"),
            (json!({"a": {"$regex": "x"}}), "$regex"),
            (json!({"a": {"$gt": 1, "plain": 2}}), "plain"),
            (json!({"$nor": [{"a": 1}]}), "$nor"),
            (json!({"$or": []}), "$or"),
            (json!({"$or": {"a": 1}}), "$or"),
            (json!({"$and": [1]}), "object"),
            (json!({"a": {"$in": 1}}), "$in"),
            (json!({"a": {"$gt": [1]}}), "$gt"),
            (json!({"a": {"$exists": 1}}), "$exists"),
            (json!({"a": {"$prefix": 1}}), "$prefix"),
            (json!({"": 1}), "name"),
            (json!({"a..b": 1}), "dot"),
            (json!({"a\\b": 1}), "backslash"),
            (deep, "deep"),
        ] {
            let error = Condition::from_json(&condition).expect_err("not understood").to_string();
            assert!(error.contains(named), "{condition}: {error}");
        }
    }

    #[test]
    fn large_integers_and_floats_are_compared_without_rounding() {
        let big = 9_007_199_254_740_993_u64; // 2^53 + 1: no float is equal to it.
        assert!(holds(&json!({"n": {"$gt": 9_007_199_254_740_992.0}}), &json!({"n": big})));
        assert!(!holds(&json!({"n": 9_007_199_254_740_992.0}), &json!({"n": big})));
        assert!(holds(&json!({"n": {"$lt": 1e300}}), &json!({"n": u64::MAX})));
        assert!(holds(&json!({"n": {"$gt": -1e300}}), &json!({"n": i64::MIN})));
        assert!(holds(&json!({"n": {"$lt": u64::MAX}}), &json!({"n": -1.5})));
    }

    proptest! {
        #[test]
        fn integers_and_floats_are_ordered_as_their_difference(a: i32, b in -3e9_f64..3e9) {
            let order = compare_to_float(i128::from(a), b);
            prop_assert_eq!(order, (f64::from(a) - b).partial_cmp(&0.0));
        }
    }
}
