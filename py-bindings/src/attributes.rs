//! Attributes: Python's dicts to JSON objects and back.
//!
//! Invariant: what is accepted comes back equal, but for tuples, which come back as lists. What JSON
//! would change in silence is refused: keys that are not `str`, NaN and infinity, ints beyond 64 bits.
//! No code of the caller's runs meanwhile (a list's own `__iter__` is passed over, as by `json`), so
//! that nothing changes under the reading.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};
use storage_core::Attributes;

use crate::arguments::Text;
use crate::errors::{invalid, wrong_type};

/// Levels of lists and objects inside each other; JSON readers commonly stop at 128.
const MAX_DEPTH: usize = 100;

/// The attributes that a dict holds.
pub(crate) fn attributes_of(given: &Bound<'_, PyAny>) -> PyResult<Attributes> {
    match given.cast::<PyDict>() {
        Ok(dict) => object(dict, "attributes", 0),
        Err(_) => Err(wrong_type("attributes", "a dict", given)),
    }
}

fn object(dict: &Bound<'_, PyDict>, place: &str, depth: usize) -> PyResult<Map<String, Value>> {
    if depth >= MAX_DEPTH {
        return Err(invalid(dict.py(), "attributes are nested more than 100 levels deep"));
    }
    let mut object = Map::new();
    for (key, value) in dict {
        if !key.is_instance_of::<PyString>() {
            return Err(wrong_type(&format!("a key of {place}"), "str", &key));
        }
        let Text(key) = key.extract()?;
        object.insert(key.to_owned(), json(&value, &format!("{place}[{key:?}]"), depth + 1)?);
    }
    Ok(object)
}

fn array<'py>(
    py: Python<'py>,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    place: &str,
    depth: usize,
) -> PyResult<Value> {
    if depth >= MAX_DEPTH {
        return Err(invalid(py, "attributes are nested more than 100 levels deep"));
    }
    let mut array = Vec::new();
    for (at, item) in items.enumerate() {
        array.push(json(&item, &format!("{place}[{at}]"), depth + 1)?);
    }
    Ok(Value::Array(array))
}

fn json(given: &Bound<'_, PyAny>, place: &str, depth: usize) -> PyResult<Value> {
    let py = given.py();
    if given.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = given.cast::<PyBool>() {
        return Ok(Value::Bool(truth.is_true()));
    }
    if given.is_instance_of::<PyString>() {
        let Text(text) = given.extract()?;
        return Ok(Value::String(text.to_owned()));
    }
    if given.is_instance_of::<PyInt>() {
        let number = given.extract::<i64>().map(Number::from);
        return number
            .or_else(|_| given.extract::<u64>().map(Number::from))
            .map(Value::Number)
            .map_err(|_| {
                invalid(py, &format!("{place} is an int beyond 64 bits; store it as a str"))
            });
    }
    if let Ok(number) = given.cast::<PyFloat>() {
        let value: f64 = number.extract()?;
        return Number::from_f64(value).map(Value::Number).ok_or_else(|| {
            invalid(py, &format!("{place} is {value}, which JSON can't hold; store None or a str"))
        });
    }
    if let Ok(dict) = given.cast::<PyDict>() {
        return object(dict, place, depth).map(Value::Object);
    }
    if let Ok(list) = given.cast::<PyList>() {
        return array(py, list.iter(), place, depth);
    }
    if let Ok(tuple) = given.cast::<PyTuple>() {
        return array(py, tuple.iter(), place, depth);
    }
    Err(wrong_type(place, "None, a bool, int, float, str, list, tuple or dict", given))
}

/// A new dict of the attributes.
pub(crate) fn to_dict<'py>(
    py: Python<'py>,
    attributes: &Attributes,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in attributes {
        dict.set_item(key, to_object(py, value)?)?;
    }
    Ok(dict)
}

fn to_object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Number(number) => {
            if let Some(whole) = number.as_i64() {
                whole.into_pyobject(py)?.into_any()
            } else if let Some(whole) = number.as_u64() {
                whole.into_pyobject(py)?.into_any()
            } else {
                PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any()
            }
        }
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_object(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(object) => to_dict(py, object)?.into_any(),
    })
}
