//! Single arguments: texts, counts, times, directions and lists of texts, each refused with a message
//! that names it.
//!
//! Invariant: nothing is guessed. A `bool` is no number, a lone surrogate is no text, a time without a
//! zone is no time.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString, PyType};
use storage_core::Direction;

use crate::errors::{invalid, wrong_type};

/// A `str` argument, read in place.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl<'a, 'py> FromPyObject<'a, 'py> for Text<'a> {
    type Error = PyErr;

    #[inline]
    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match given.extract::<&'a str>() {
            Ok(text) => Ok(Self(text)),
            Err(_) => Err(refuse_text(&given)),
        }
    }
}

fn refuse_text(given: &Bound<'_, PyAny>) -> PyErr {
    if given.is_instance_of::<PyString>() {
        let shown = given.repr().map_or_else(|_| "a str".to_owned(), |repr| repr.to_string());
        let shown: String = shown.chars().take(60).collect();
        return invalid(
            given.py(),
            &format!("{shown} holds a lone surrogate, which UTF-8 can't express; replace it"),
        );
    }
    wrong_type("the value", "str", given)
}

/// A whole number that is not negative, such as `k`; which argument it is, is known only later.
pub(crate) struct Count(Result<usize, String>);

/// More results than any store has.
const MAX_COUNT: u64 = u32::MAX as u64;

impl Count {
    pub(crate) const fn of(value: usize) -> Self {
        Self(Ok(value))
    }

    /// The number; `name` is the argument's.
    pub(crate) fn get(self, py: Python<'_>, name: &str) -> PyResult<usize> {
        self.0.map_err(|found| {
            let range = format!("{name} must be a whole number from 0 to {MAX_COUNT}, not {found}");
            invalid(py, &range)
        })
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Count {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if given.is_instance_of::<PyBool>() {
            return Err(wrong_type("the value", "an int", &given));
        }
        match given.extract::<u64>() {
            Ok(value) if value <= MAX_COUNT => Ok(Self(Ok(value as usize))),
            Err(error) if error.is_instance_of::<PyTypeError>(given.py()) => {
                Err(wrong_type("the value", "an int", &given))
            }
            _ => {
                // Python itself refuses to write out an int of thousands of digits.
                let shown = given.str().map_or_else(|_| "a huge one".to_owned(), |s| s.to_string());
                Ok(Self(Err(shown.chars().take(40).collect())))
            }
        }
    }
}

/// A point in time: seconds since the Unix epoch, or an aware `datetime`.
#[derive(Clone, Copy)]
pub(crate) struct Time(pub(crate) f64);

fn datetime_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "datetime", "datetime")
}

impl<'a, 'py> FromPyObject<'a, 'py> for Time {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(seconds) = given.cast_exact::<PyFloat>() {
            return seconds.extract().map(Self);
        }
        let py = given.py();
        if given.is_instance(datetime_class(py)?)? {
            if given.call_method0("utcoffset")?.is_none() {
                return Err(invalid(
                    py,
                    &format!(
                        "{} has no time zone, so it names no point in time; add one, such as \
                         value.replace(tzinfo=datetime.timezone.utc)",
                        given.repr()?
                    ),
                ));
            }
            // An aware datetime's timestamp does not depend on the machine's time zone.
            return given.call_method0("timestamp")?.extract().map(Self);
        }
        let number = given.extract::<f64>();
        match number {
            Ok(seconds) if !given.is_instance_of::<PyBool>() => Ok(Self(seconds)),
            Err(error) if !error.is_instance_of::<PyTypeError>(py) => {
                Err(invalid(py, "a time is out of the range of a float of seconds"))
            }
            _ => Err(wrong_type(
                "a time",
                "seconds since the Unix epoch or an aware datetime",
                &given,
            )),
        }
    }
}

/// A number such as a weight.
#[derive(Clone, Copy)]
pub(crate) struct Number(pub(crate) f32);

impl<'a, 'py> FromPyObject<'a, 'py> for Number {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let py = given.py();
        if given.is_instance_of::<PyBool>() {
            return Err(wrong_type("the value", "a number", &given));
        }
        match given.extract::<f64>() {
            // What no f32 holds becomes infinite, and is refused where its name is known.
            Ok(value) => Ok(Self(value as f32)),
            Err(_) if given.is_instance_of::<PyInt>() => Ok(Self(f32::INFINITY)),
            Err(error) if error.is_instance_of::<PyTypeError>(py) => {
                Err(wrong_type("the value", "a number", &given))
            }
            Err(error) => Err(error),
        }
    }
}

/// A count of seconds or milliseconds to wait.
pub(crate) fn duration(
    py: Python<'_>,
    name: &str,
    value: f64,
    unit_seconds: f64,
) -> PyResult<std::time::Duration> {
    /// Longer than any process runs, and within what clocks can add.
    const MAX_SECONDS: f64 = 1e9;
    let seconds = value * unit_seconds;
    if seconds.is_nan() || seconds < 0.0 {
        return Err(invalid(py, &format!("{name} must not be negative, but it is {value}")));
    }
    Ok(std::time::Duration::from_secs_f64(seconds.min(MAX_SECONDS)))
}

/// One of a few names.
pub(crate) fn one_of<T: Copy>(
    py: Python<'_>,
    name: &str,
    given: &str,
    choices: &[(&str, T)],
) -> PyResult<T> {
    choices.iter().find(|(choice, _)| *choice == given).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<String> = choices.iter().map(|(choice, _)| format!("{choice:?}")).collect();
        invalid(py, &format!("{name} must be {}, not {given:?}", known.join(" or ")))
    })
}

/// Along which direction of the associations.
pub(crate) fn direction(py: Python<'_>, given: &str) -> PyResult<Direction> {
    match given {
        "out" => Ok(Direction::Out),
        _ => one_of(
            py,
            "direction",
            given,
            &[("out", Direction::Out), ("in", Direction::In), ("both", Direction::Both)],
        ),
    }
}

/// An iterable of `str`; a bare `str`, which would be read letter by letter, is refused.
///
/// What it says of its own length is not asked for: only what it yields counts.
pub(crate) fn texts(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if given.is_instance_of::<PyString>() {
        return Err(wrong_type(name, "a sequence of str", given));
    }
    let items = given.try_iter().map_err(|_| wrong_type(name, "a sequence of str", given))?;
    let mut found = Vec::new();
    for item in items {
        let item = item?;
        match item.extract::<Text<'_>>() {
            Ok(Text(text)) => found.push(text.to_owned()),
            Err(error) if error.is_instance_of::<PyTypeError>(given.py()) => {
                return Err(wrong_type(&format!("{name}[{}]", found.len()), "str", &item));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// One `str`, or an iterable of them.
pub(crate) fn text_or_texts(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if given.is_instance_of::<PyString>() {
        let Text(text) = given.extract()?;
        return Ok(vec![text.to_owned()]);
    }
    texts(name, given)
}

/// The names of association types, if any were given.
pub(crate) fn types(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Vec<String>>> {
    given.map(|given| text_or_texts("types", given)).transpose()
}
