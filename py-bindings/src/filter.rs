//! `Filter`: which concepts a search looks at.
//!
//! Invariant: an unknown condition is refused, never passed over.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use serde_json::Value;
use storage_core::{Attributes, Condition, Filter as StoreFilter};

use crate::arguments::{Arg, Text, Time, name, text_or_texts};
use crate::attributes::{attributes_of, to_dict};
use crate::errors::{OrRaise, wrong_type};

/// The names of the conditions.
const CONDITIONS: [&str; 7] =
    ["category", "source", "created_from", "created_to", "valid_at", "ids", "attributes"];

/// Restricts a search to the concepts that meet all given conditions.
#[pyclass(frozen, module = "sutra_storage")]
#[derive(PartialEq)]
pub(crate) struct Filter {
    filter: StoreFilter,
    /// The condition as it was given.
    attributes: Option<Attributes>,
}

#[pymethods]
impl Filter {
    /// Args:
    ///     category: Only concepts of this category.
    ///     source: Only concepts of this source.
    ///     created_from: Only concepts created at or after this time.
    ///     created_to: Only concepts created before this time.
    ///     valid_at: Only concepts that hold at this time; see `Snapshot.valid_at`.
    ///     ids: Only these concepts; ids that don't exist are passed over.
    ///     attributes: Only concepts for whose attributes all of this holds: a dict from an attribute to
    ///         its value, or to a dict of operators: "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in",
    ///         "$nin" (a list), "$exists" (True, False), "$contains" (an element of a list, or a part of
    ///         a text), "$prefix" (of a text); and "$and", "$or" (lists of such dicts), "$not" (one).
    ///         "a.b" is the attribute b of the object a, "a\\.b" the attribute of that name. A missing
    ///         attribute reads as None in all but "$exists".
    #[new]
    #[pyo3(signature = (*, category=None, source=None, created_from=None, created_to=None,
        valid_at=None, ids=None, attributes=None))]
    #[expect(clippy::too_many_arguments, reason = "a filter has that many conditions")]
    fn new(
        py: Python<'_>,
        category: Option<Arg<Text<'_>, name::category>>,
        source: Option<Arg<Text<'_>, name::source>>,
        created_from: Option<Arg<Time, name::created_from>>,
        created_to: Option<Arg<Time, name::created_to>>,
        valid_at: Option<Arg<Time, name::valid_at>>,
        ids: Option<&Bound<'_, PyAny>>,
        attributes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let attributes = attributes.map(attributes_of).transpose()?;
        let condition = attributes.clone().map(|json| Condition::from_json(&Value::Object(json)));
        let filter = StoreFilter {
            category: category.map(|text| text.0.to_owned()),
            source: source.map(|text| text.0.to_owned()),
            created_from: created_from.map(|time| time.0),
            created_to: created_to.map(|time| time.0),
            valid_at: valid_at.map(|time| time.0),
            ids: ids.map(|ids| text_or_texts("ids", ids)).transpose()?,
            attributes: condition.transpose().or_raise(py)?,
        };
        Ok(Self { filter, attributes })
    }

    /// Only concepts of this category.
    #[getter]
    fn category(&self) -> Option<&str> {
        self.filter.category.as_deref()
    }

    /// Only concepts of this source.
    #[getter]
    fn source(&self) -> Option<&str> {
        self.filter.source.as_deref()
    }

    /// Only concepts created at or after this time.
    #[getter]
    fn created_from(&self) -> Option<f64> {
        self.filter.created_from
    }

    /// Only concepts created before this time.
    #[getter]
    fn created_to(&self) -> Option<f64> {
        self.filter.created_to
    }

    /// Only concepts that hold at this time.
    #[getter]
    fn valid_at(&self) -> Option<f64> {
        self.filter.valid_at
    }

    /// Only concepts for whose attributes this holds, a new dict each time.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.attributes.as_ref().map(|attributes| to_dict(py, attributes)).transpose()
    }

    /// Only these concepts.
    #[getter]
    fn ids(&self) -> Option<Vec<&str>> {
        self.filter.ids.as_ref().map(|ids| ids.iter().map(String::as_str).collect())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self == other.get())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut shown = Vec::new();
        for (name, value) in [("category", self.category()), ("source", self.source())] {
            if let Some(value) = value {
                shown.push(format!("{name}={}", value.into_pyobject(py)?.repr()?));
            }
        }
        for (name, value) in [
            ("created_from", self.created_from()),
            ("created_to", self.created_to()),
            ("valid_at", self.valid_at()),
        ] {
            if let Some(value) = value {
                shown.push(format!("{name}={value:?}"));
            }
        }
        if let Some(ids) = &self.filter.ids {
            shown.push(format!("ids=<{} ids>", ids.len()));
        }
        if let Some(attributes) = self.attributes(py)? {
            shown.push(format!("attributes={}", attributes.repr()?));
        }
        Ok(format!("Filter({})", shown.join(", ")))
    }
}

/// A `filter` argument: a `Filter`, or a dict of its arguments.
pub(crate) struct FilterArgument(pub(crate) StoreFilter);

impl<'a, 'py> FromPyObject<'a, 'py> for FilterArgument {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(filter) = given.cast::<Filter>() {
            return Ok(Self(filter.get().filter.clone()));
        }
        let Ok(conditions) = given.cast::<PyDict>() else {
            return Err(wrong_type("a filter", "a Filter or a dict", &given));
        };
        for key in conditions.keys() {
            let known = key.extract::<&str>().is_ok_and(|key| CONDITIONS.contains(&key));
            if !known {
                return Err(PyTypeError::new_err(format!(
                    "a filter has no condition {}; it has {}",
                    key.repr()?,
                    CONDITIONS.join(", ")
                )));
            }
        }
        let class = PyType::new::<Filter>(given.py());
        let filter = class.call((), Some(&conditions))?.cast_into::<Filter>()?;
        Ok(Self(filter.get().filter.clone()))
    }
}
