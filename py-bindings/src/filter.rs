//! `Filter`: which concepts a search looks at.
//!
//! Invariant: an unknown condition is refused, never passed over.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use storage_core::Filter as StoreFilter;

use crate::arguments::{Arg, Text, Time, name, text_or_texts};
use crate::errors::wrong_type;

/// The names of the conditions.
const CONDITIONS: [&str; 5] = ["category", "source", "created_from", "created_to", "ids"];

/// Restricts a search to the concepts that meet all given conditions.
#[pyclass(frozen, module = "sutra_storage")]
#[derive(PartialEq)]
pub(crate) struct Filter(StoreFilter);

#[pymethods]
impl Filter {
    /// Args:
    ///     category: Only concepts of this category.
    ///     source: Only concepts of this source.
    ///     created_from: Only concepts created at or after this time.
    ///     created_to: Only concepts created before this time.
    ///     ids: Only these concepts; ids that don't exist are passed over.
    #[new]
    #[pyo3(signature = (*, category=None, source=None, created_from=None, created_to=None, ids=None))]
    fn new(
        category: Option<Arg<Text<'_>, name::category>>,
        source: Option<Arg<Text<'_>, name::source>>,
        created_from: Option<Arg<Time, name::created_from>>,
        created_to: Option<Arg<Time, name::created_to>>,
        ids: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self(StoreFilter {
            category: category.map(|text| text.0.to_owned()),
            source: source.map(|text| text.0.to_owned()),
            created_from: created_from.map(|time| time.0),
            created_to: created_to.map(|time| time.0),
            ids: ids.map(|ids| text_or_texts("ids", ids)).transpose()?,
        }))
    }

    /// Only concepts of this category.
    #[getter]
    fn category(&self) -> Option<&str> {
        self.0.category.as_deref()
    }

    /// Only concepts of this source.
    #[getter]
    fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    /// Only concepts created at or after this time.
    #[getter]
    fn created_from(&self) -> Option<f64> {
        self.0.created_from
    }

    /// Only concepts created before this time.
    #[getter]
    fn created_to(&self) -> Option<f64> {
        self.0.created_to
    }

    /// Only these concepts.
    #[getter]
    fn ids(&self) -> Option<Vec<&str>> {
        self.0.ids.as_ref().map(|ids| ids.iter().map(String::as_str).collect())
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
        for (name, value) in
            [("created_from", self.created_from()), ("created_to", self.created_to())]
        {
            if let Some(value) = value {
                shown.push(format!("{name}={value:?}"));
            }
        }
        if let Some(ids) = &self.0.ids {
            shown.push(format!("ids=<{} ids>", ids.len()));
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
            return Ok(Self(filter.get().0.clone()));
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
        Ok(Self(filter.get().0.clone()))
    }
}
