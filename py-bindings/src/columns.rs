//! Columns of a batch: an argument that is one value for all rows, or a sequence with a value for each.
//!
//! Invariant: a sequence has as many items as there are rows, or it is refused by name, before more of
//! it is read than there are rows.

use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use storage_core::{Association, Attributes, Concept};

use crate::arguments::{Count, Expiry, Number, Text, Time, iterate};
use crate::attributes::attributes_of;
use crate::errors::{invalid, is_callers};
use crate::vectors::vectors_of;

/// What an argument gives each row.
enum Column<T> {
    Absent,
    Same(T),
    Each(std::vec::IntoIter<Option<T>>),
}

impl<T: Clone> Column<T> {
    /// Reads an argument: `single` tells whether it is one value, `read` reads a value.
    fn read(
        name: &str,
        given: Option<&Bound<'_, PyAny>>,
        rows: usize,
        single: impl Fn(&Bound<'_, PyAny>) -> bool,
        read: impl Fn(&Bound<'_, PyAny>) -> PyResult<T>,
    ) -> PyResult<Self> {
        let Some(given) = given else { return Ok(Self::Absent) };
        let py = given.py();
        let named = |at: Option<usize>, item: &Bound<'_, PyAny>| {
            read(item).map_err(|error| {
                if is_callers(py, &error) {
                    return error;
                }
                let at = at.map_or_else(String::new, |at| format!("[{at}]"));
                let message = format!("{name}{at}: {}", error.value(py));
                if error.is_instance_of::<PyTypeError>(py) {
                    PyTypeError::new_err(message)
                } else {
                    invalid(py, &message)
                }
            })
        };
        if single(given) {
            return named(None, given).map(Self::Same);
        }
        let wrong_count =
            |found: &str| invalid(py, &format!("{name} has {found} items for {rows} rows"));
        // Numbers out of numpy's arrays are read faster once they are Python's own. A view of a few
        // bytes may have any shape, so that is looked at first.
        let list;
        let given = if let Ok(array) = given.cast::<PyUntypedArray>() {
            match array.shape() {
                [found] if *found == rows => {}
                [found] => return Err(wrong_count(&found.to_string())),
                shape => {
                    let why = format!("{name} has shape {shape:?}, where ({rows},) is expected");
                    return Err(invalid(py, &why));
                }
            }
            list = given.call_method0("tolist")?;
            &list
        } else {
            given
        };
        let items = iterate(given, name, "a value or a sequence")?;
        let mut each = Vec::with_capacity(rows);
        for item in items {
            let item = item?;
            if each.len() == rows {
                return Err(wrong_count(&format!("more than {rows}")));
            }
            each.push(if item.is_none() { None } else { Some(named(Some(each.len()), &item)?) });
        }
        if each.len() < rows {
            return Err(wrong_count(&each.len().to_string()));
        }
        Ok(Self::Each(each.into_iter()))
    }

    fn next(&mut self) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Same(value) => Some(value.clone()),
            Self::Each(values) => values.next().flatten(),
        }
    }
}

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

fn texts(name: &str, given: Given<'_, '_>, rows: usize) -> PyResult<Column<String>> {
    let read = |item: &Bound<'_, PyAny>| Ok(item.extract::<Text<'_>>()?.0.to_owned());
    Column::read(name, given, rows, is_text, read)
}

fn is_text(given: &Bound<'_, PyAny>) -> bool {
    given.is_instance_of::<PyString>()
}

fn is_dict(given: &Bound<'_, PyAny>) -> bool {
    given.is_instance_of::<PyDict>()
}

fn is_scalar(given: &Bound<'_, PyAny>) -> bool {
    given.try_iter().is_err()
}

fn numbers(name: &str, given: Given<'_, '_>, rows: usize) -> PyResult<Column<f32>> {
    Column::read(name, given, rows, is_scalar, |item| Ok(item.extract::<Number>()?.0))
}

fn times(name: &str, given: Given<'_, '_>, rows: usize) -> PyResult<Column<f64>> {
    Column::read(name, given, rows, is_scalar, |item| Ok(item.extract::<Time>()?.0))
}

fn expiries(name: &str, given: Given<'_, '_>, rows: usize) -> PyResult<Column<f64>> {
    Column::read(name, given, rows, is_scalar, |item| Ok(item.extract::<Expiry>()?.0))
}

fn counts(name: &str, given: Given<'_, '_>, rows: usize) -> PyResult<Column<u64>> {
    let read =
        |item: &Bound<'_, PyAny>| item.extract::<Count<'_, '_>>()?.get_u64(item.py(), "a count");
    Column::read(name, given, rows, is_scalar, read)
}

fn attributes(name: &str, given: Given<'_, '_>, rows: usize) -> PyResult<Column<Attributes>> {
    Column::read(name, given, rows, is_dict, attributes_of)
}

/// The arguments of a batch of concepts.
pub(crate) struct ConceptColumns<'a, 'py> {
    pub(crate) contents: Given<'a, 'py>,
    pub(crate) vectors: Given<'a, 'py>,
    pub(crate) created: Given<'a, 'py>,
    pub(crate) last_accessed: Given<'a, 'py>,
    pub(crate) access_counts: Given<'a, 'py>,
    pub(crate) strengths: Given<'a, 'py>,
    pub(crate) confidences: Given<'a, 'py>,
    pub(crate) sources: Given<'a, 'py>,
    pub(crate) categories: Given<'a, 'py>,
    pub(crate) attributes: Given<'a, 'py>,
    pub(crate) valid_from: Given<'a, 'py>,
    pub(crate) valid_to: Given<'a, 'py>,
    pub(crate) expires: Given<'a, 'py>,
}

impl ConceptColumns<'_, '_> {
    /// The concepts that the columns make, for a store of vectors of `dim` components.
    pub(crate) fn concepts(&self, ids: Vec<String>, dim: usize) -> PyResult<Vec<Concept>> {
        let rows = ids.len();
        let mut contents = texts("contents", self.contents, rows)?;
        let mut created = times("created", self.created, rows)?;
        let mut last_accessed = times("last_accessed", self.last_accessed, rows)?;
        let mut access_counts = counts("access_counts", self.access_counts, rows)?;
        let mut strengths = numbers("strengths", self.strengths, rows)?;
        let mut confidences = numbers("confidences", self.confidences, rows)?;
        let mut sources = texts("sources", self.sources, rows)?;
        let mut categories = texts("categories", self.categories, rows)?;
        let mut attributes = attributes("attributes", self.attributes, rows)?;
        let mut valid_from = times("valid_from", self.valid_from, rows)?;
        let mut valid_to = times("valid_to", self.valid_to, rows)?;
        let mut expires = expiries("expires", self.expires, rows)?;
        let vectors =
            self.vectors.map(|given| vectors_of(given, &ids, dim, "vectors")).transpose()?;
        let mut vectors = vectors.map_or(Column::Absent, |v| Column::Each(v.into_iter()));
        let concept = |id: String| Concept {
            vector: vectors.next(),
            created: created.next(),
            last_accessed: last_accessed.next(),
            access_count: access_counts.next().unwrap_or(0),
            strength: strengths.next().unwrap_or(1.0),
            confidence: confidences.next().unwrap_or(1.0),
            source: sources.next(),
            category: categories.next(),
            attributes: attributes.next().unwrap_or_default(),
            valid_from: valid_from.next(),
            valid_to: valid_to.next(),
            expires: expires.next(),
            ..Concept::new(id, contents.next().unwrap_or_default())
        };
        Ok(ids.into_iter().map(concept).collect())
    }
}

/// The arguments of a batch of associations.
pub(crate) struct AssociationColumns<'a, 'py> {
    pub(crate) types: Given<'a, 'py>,
    pub(crate) weights: Given<'a, 'py>,
    pub(crate) confidences: Given<'a, 'py>,
    pub(crate) sources: Given<'a, 'py>,
    pub(crate) attributes: Given<'a, 'py>,
    pub(crate) created: Given<'a, 'py>,
    pub(crate) last_used: Given<'a, 'py>,
    pub(crate) valid_from: Given<'a, 'py>,
    pub(crate) valid_to: Given<'a, 'py>,
    pub(crate) expires: Given<'a, 'py>,
}

impl AssociationColumns<'_, '_> {
    /// The associations that the columns make.
    pub(crate) fn associations(
        &self,
        py: Python<'_>,
        source_ids: Vec<String>,
        target_ids: Vec<String>,
    ) -> PyResult<Vec<Association>> {
        let rows = source_ids.len();
        if target_ids.len() != rows {
            let found = target_ids.len();
            return Err(invalid(
                py,
                &format!("target_ids has {found} items for {rows} source_ids"),
            ));
        }
        let mut types = texts("types", self.types, rows)?;
        let mut weights = numbers("weights", self.weights, rows)?;
        let mut confidences = numbers("confidences", self.confidences, rows)?;
        let mut sources = texts("sources", self.sources, rows)?;
        let mut attributes = attributes("attributes", self.attributes, rows)?;
        let mut created = times("created", self.created, rows)?;
        let mut last_used = times("last_used", self.last_used, rows)?;
        let mut valid_from = times("valid_from", self.valid_from, rows)?;
        let mut valid_to = times("valid_to", self.valid_to, rows)?;
        let mut expires = expiries("expires", self.expires, rows)?;
        let association = |(source, target): (String, String)| Association {
            association_type: types.next().unwrap_or_else(|| Association::DEFAULT_TYPE.to_owned()),
            weight: weights.next().unwrap_or(1.0),
            confidence: confidences.next().unwrap_or(1.0),
            created: created.next(),
            last_used: last_used.next(),
            source: sources.next(),
            attributes: attributes.next().unwrap_or_default(),
            valid_from: valid_from.next(),
            valid_to: valid_to.next(),
            expires: expires.next(),
            ..Association::new(source, target)
        };
        Ok(source_ids.into_iter().zip(target_ids).map(association).collect())
    }
}
