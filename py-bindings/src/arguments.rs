//! Single arguments: texts, counts, times, directions and lists of texts, each refused with a message
//! that names it.
//!
//! Invariant: nothing is guessed. A `bool` is no number, a lone surrogate is no text, a time without a
//! zone is no time. What an argument's own code raises (`__index__`, `__float__`, `__iter__`) passes
//! through unchanged.

use std::marker::PhantomData;
use std::ops::Deref;
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt, PyIterator, PyString, PyType};
use storage_core::{Direction, Retention};

use crate::errors::{invalid, is_callers, wrong_type};

/// An argument that is named in its refusal, by a type of [`name`]; else it is what it holds.
#[derive(Clone, Copy)]
pub(crate) struct Arg<T, N> {
    value: T,
    name: PhantomData<N>,
}

impl<T, N> Arg<T, N> {
    pub(crate) const fn of(value: T) -> Self {
        Self { value, name: PhantomData }
    }
}

impl<T, N> Deref for Arg<T, N> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'a, 'py, T: Read<'a, 'py>, N: Name> FromPyObject<'a, 'py> for Arg<T, N> {
    type Error = PyErr;

    #[inline]
    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        T::read(given, N::NAME).map(Self::of)
    }
}

/// What can be read from an object; `name` is the argument's, or of its place in one.
pub(crate) trait Read<'a, 'py>: Sized {
    fn read(given: Borrowed<'a, 'py, PyAny>, name: &str) -> PyResult<Self>;
}

/// The name of an argument, known while it is read.
pub(crate) trait Name {
    const NAME: &'static str;
}

pub(crate) mod name {
    //! The names of arguments, as types.
    #![expect(non_camel_case_types, reason = "each is spelt as its argument")]

    use super::Name;

    macro_rules! names {
        ($($name:ident $shown:literal),* $(,)?) => {$(
            #[derive(Clone, Copy)]
            pub(crate) enum $name {}
            impl Name for $name {
                const NAME: &'static str = $shown;
            }
        )*};
    }

    names! {
        a "a",
        after "after",
        analyzer "analyzer",
        b "b",
        category "category",
        concept_id "concept_id",
        confidence "confidence",
        content "content",
        created "created",
        created_from "created_from",
        created_to "created_to",
        direction "direction",
        durability "durability",
        end "end",
        expires "expires",
        id "id",
        k1 "k1",
        kind "type",
        last_accessed "last_accessed",
        last_used "last_used",
        metric "metric",
        min_confidence "min_confidence",
        namespace "name",
        operator "operator",
        recall "recall",
        retention "retention",
        source "source",
        source_id "source_id",
        start "start",
        strength "strength",
        target_id "target_id",
        text "text",
        time "time",
        valid_at "valid_at",
        valid_from "valid_from",
        valid_to "valid_to",
        vector_storage "vector_storage",
        weight "weight",
    }
}

/// A `str` argument, read in place.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl<'a, 'py> Read<'a, 'py> for Text<'a> {
    #[inline]
    fn read(given: Borrowed<'a, 'py, PyAny>, name: &str) -> PyResult<Self> {
        match given.extract::<&'a str>() {
            Ok(text) => Ok(Self(text)),
            Err(_) => Err(refuse_text(&given, name)),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Text<'a> {
    type Error = PyErr;

    #[inline]
    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Self::read(given, VALUE)
    }
}

/// What a value is called by those who do not know; they name its place themselves.
const VALUE: &str = "the value";

fn refuse_text(given: &Bound<'_, PyAny>, name: &str) -> PyErr {
    if given.is_instance_of::<PyString>() {
        let shown = given.repr().map_or_else(|_| "a str".to_owned(), |repr| repr.to_string());
        let shown: String = shown.chars().take(60).collect();
        return invalid(
            given.py(),
            &format!(
                "{name} {shown} holds a lone surrogate, which UTF-8 can't express; replace it"
            ),
        );
    }
    wrong_type(name, "str", given)
}

/// A whole number that is not negative, such as `k`; which argument it is, is known only later.
pub(crate) struct Count<'a, 'py>(Counted<'a, 'py>);

enum Counted<'a, 'py> {
    Number(u64),
    /// An int that is negative, or beyond 64 bits.
    OutOfRange(Borrowed<'a, 'py, PyAny>),
    NoInt(Borrowed<'a, 'py, PyAny>),
}

/// More results than any store has.
const MAX_COUNT: u64 = u32::MAX as u64;

impl Count<'_, '_> {
    pub(crate) const fn of(value: u64) -> Self {
        Self(Counted::Number(value))
    }

    /// The number, of results and the like; `name` is the argument's.
    pub(crate) fn get(self, py: Python<'_>, name: &str) -> PyResult<usize> {
        self.at_most(py, name, MAX_COUNT).map(|count| count as usize)
    }

    /// The number, of any 64 bits.
    pub(crate) fn get_u64(self, py: Python<'_>, name: &str) -> PyResult<u64> {
        self.at_most(py, name, u64::MAX)
    }

    fn at_most(self, py: Python<'_>, name: &str, max: u64) -> PyResult<u64> {
        let found = match self.0 {
            Counted::Number(value) if value <= max => return Ok(value),
            Counted::Number(value) => value.to_string(),
            // Python itself refuses to write out an int of thousands of digits.
            Counted::OutOfRange(given) => {
                given.str().map_or_else(|_| "a huge one".to_owned(), |text| text.to_string())
            }
            Counted::NoInt(given) => return Err(wrong_type(name, "an int", &given)),
        };
        let found: String = found.chars().take(40).collect();
        Err(invalid(py, &format!("{name} must be a whole number from 0 to {max}, not {found}")))
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Count<'a, 'py> {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if given.is_instance_of::<PyBool>() {
            return Ok(Self(Counted::NoInt(given)));
        }
        match given.extract::<u64>() {
            Ok(value) => Ok(Self(Counted::Number(value))),
            Err(error) if is_callers(given.py(), &error) => Err(error),
            Err(error) if error.is_instance_of::<PyTypeError>(given.py()) => {
                Ok(Self(Counted::NoInt(given)))
            }
            Err(_) => Ok(Self(Counted::OutOfRange(given))),
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

impl<'py> FromPyObject<'_, 'py> for Time {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Self::read(given, "a time")
    }
}

impl<'a, 'py> Read<'a, 'py> for Time {
    fn read(given: Borrowed<'a, 'py, PyAny>, name: &str) -> PyResult<Self> {
        if let Ok(seconds) = given.cast_exact::<PyFloat>() {
            return seconds.extract().map(Self);
        }
        let py = given.py();
        if given.is_instance(datetime_class(py)?)? {
            if given.call_method0("utcoffset")?.is_none() {
                return Err(invalid(
                    py,
                    &format!(
                        "{name} {} has no time zone, so it names no point in time; of a local time \
                         value.astimezone() makes one, and datetime.now(timezone.utc) is one",
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
            Err(error) if is_callers(py, &error) => Err(error),
            Err(error) if !error.is_instance_of::<PyTypeError>(py) => {
                Err(invalid(py, &format!("{name} is out of the range of a float of seconds")))
            }
            _ => Err(wrong_type(name, "seconds since the Unix epoch or an aware datetime", &given)),
        }
    }
}

/// When something expires: a point in time, or a `timedelta` from now.
#[derive(Clone, Copy)]
pub(crate) struct Expiry(pub(crate) f64);

impl<'py> FromPyObject<'_, 'py> for Expiry {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Self::read(given, VALUE)
    }
}

impl<'a, 'py> Read<'a, 'py> for Expiry {
    fn read(given: Borrowed<'a, 'py, PyAny>, name: &str) -> PyResult<Self> {
        if given.is_instance(timedelta_class(given.py())?)? {
            let seconds = given.call_method0("total_seconds")?.extract::<f64>()?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            return Ok(Self(now.map_or(0.0, |now| now.as_secs_f64()) + seconds));
        }
        let Time(seconds) = Time::read(given, name)?;
        if seconds < LEAST_EXPIRY {
            return Err(invalid(
                given.py(),
                &format!(
                    "{name} is a moment, in seconds since 1970, and {seconds} is long past; for a time \
                     from now on give a datetime.timedelta"
                ),
            ));
        }
        Ok(Self(seconds))
    }
}

/// What expired before this moment, the second 10^9 of the Unix epoch (in 2001), was meant as a duration.
const LEAST_EXPIRY: f64 = 1e9;

/// A number such as a weight.
#[derive(Clone, Copy)]
pub(crate) struct Number(pub(crate) f32);

impl<'py> FromPyObject<'_, 'py> for Number {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Self::read(given, VALUE)
    }
}

impl<'a, 'py> Read<'a, 'py> for Number {
    fn read(given: Borrowed<'a, 'py, PyAny>, name: &str) -> PyResult<Self> {
        let py = given.py();
        if given.is_instance_of::<PyBool>() {
            return Err(wrong_type(name, "a number", &given));
        }
        match given.extract::<f64>() {
            // What no f32 holds becomes infinite, and is refused where its name is known.
            Ok(value) => Ok(Self(value as f32)),
            Err(error) if is_callers(py, &error) => Err(error),
            Err(_) if given.is_instance_of::<PyInt>() => Ok(Self(f32::INFINITY)),
            Err(error) if error.is_instance_of::<PyTypeError>(py) => {
                Err(wrong_type(name, "a number", &given))
            }
            Err(error) => Err(error),
        }
    }
}

fn timedelta_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "datetime", "timedelta")
}

/// How long the past is kept: seconds or a `timedelta`, 0 for not at all, infinity for ever.
#[derive(Clone, Copy)]
pub(crate) struct Kept(pub(crate) Retention);

impl<'py> FromPyObject<'_, 'py> for Kept {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Self::read(given, "retention")
    }
}

impl<'a, 'py> Read<'a, 'py> for Kept {
    fn read(given: Borrowed<'a, 'py, PyAny>, name: &str) -> PyResult<Self> {
        let py = given.py();
        let seconds = if given.is_instance(timedelta_class(py)?)? {
            given.call_method0("total_seconds")?.extract::<f64>()
        } else if given.is_instance_of::<PyBool>() {
            return Err(wrong_type(name, "seconds or a timedelta", &given));
        } else {
            given.extract::<f64>()
        };
        match seconds {
            Ok(f64::INFINITY) => Ok(Self(Retention::Forever)),
            Ok(0.0) => Ok(Self(Retention::None)),
            Ok(seconds) => duration(py, name, seconds, 1.0).map(Retention::For).map(Self),
            Err(error) if error.is_instance_of::<PyTypeError>(py) && !is_callers(py, &error) => {
                Err(wrong_type(name, "seconds or a timedelta", &given))
            }
            Err(error) => Err(error),
        }
    }
}

/// As it was given: seconds.
pub(crate) fn seconds_of(retention: Retention) -> f64 {
    match retention {
        Retention::None => 0.0,
        Retention::For(kept) => kept.as_secs_f64(),
        Retention::Forever => f64::INFINITY,
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
    let items = iterate(given, name, "a sequence of str")?;
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

/// The items of an argument; what its own `__iter__` raises is the caller's.
pub(crate) fn iterate<'py>(
    given: &Bound<'py, PyAny>,
    name: &str,
    expected: &str,
) -> PyResult<Bound<'py, PyIterator>> {
    given.try_iter().map_err(|error| {
        if is_callers(given.py(), &error) { error } else { wrong_type(name, expected, given) }
    })
}

/// One `str`, or an iterable of them.
pub(crate) fn text_or_texts(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if given.is_instance_of::<PyString>() {
        let Text(text) = Text::read(given.as_borrowed(), name)?;
        return Ok(vec![text.to_owned()]);
    }
    texts(name, given)
}

/// The names of association types, if any were given.
pub(crate) fn types(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Vec<String>>> {
    given.map(|given| text_or_texts("types", given)).transpose()
}
