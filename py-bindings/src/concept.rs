//! `StoredConcept`: a concept as it was read, and the changes that `update_concept` takes.
//!
//! Invariant: it is a value. It never changes, equal ones compare equal, and it can be pickled.

use std::hash::{DefaultHasher, Hash, Hasher};

use numpy::PyArray1;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use storage_core::{Concept, ConceptPatch};

use crate::arguments::{Arg, Count, Expiry, Number, Read, Text, Time, name};
use crate::attributes::{attributes_of, to_dict};
use crate::errors::wrong_type;
use crate::vectors::{Owner, to_array, vector};

/// A concept as it was read from a store. Times are seconds since the Unix epoch.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct StoredConcept(Concept);

impl From<Concept> for StoredConcept {
    fn from(concept: Concept) -> Self {
        Self(concept)
    }
}

/// A concept, of arguments.
#[expect(clippy::too_many_arguments, reason = "a concept has that many fields")]
pub(crate) fn concept_of(
    py: Python<'_>,
    concept_id: Text<'_>,
    content: Arg<Text<'_>, name::content>,
    embedding: Option<&Bound<'_, PyAny>>,
    created: Option<Arg<Time, name::created>>,
    last_accessed: Option<Arg<Time, name::last_accessed>>,
    access_count: Count<'_, '_>,
    strength: Arg<Number, name::strength>,
    confidence: Arg<Number, name::confidence>,
    source: Option<Arg<Text<'_>, name::source>>,
    category: Option<Arg<Text<'_>, name::category>>,
    attributes: Option<&Bound<'_, PyAny>>,
    valid_from: Option<Arg<Time, name::valid_from>>,
    valid_to: Option<Arg<Time, name::valid_to>>,
    expires: Option<Arg<Expiry, name::expires>>,
) -> PyResult<Concept> {
    let owner = Owner::Concept(concept_id.0);
    Ok(Concept {
        vector: embedding.map(|given| vector(given, owner)).transpose()?,
        created: created.map(|time| time.0),
        last_accessed: last_accessed.map(|time| time.0),
        access_count: access_count.get_u64(py, "access_count")?,
        strength: strength.0,
        confidence: confidence.0,
        source: source.map(|text| text.0.to_owned()),
        category: category.map(|text| text.0.to_owned()),
        attributes: attributes.map(attributes_of).transpose()?.unwrap_or_default(),
        valid_from: valid_from.map(|time| time.0),
        valid_to: valid_to.map(|time| time.0),
        expires: expires.map(|time| time.0),
        ..Concept::new(concept_id.0, content.0)
    })
}

/// The changes that keyword arguments name.
pub(crate) fn patch_of(
    concept_id: &str,
    fields: Option<&Bound<'_, PyDict>>,
) -> PyResult<ConceptPatch> {
    let mut patch = ConceptPatch::default();
    for (name, value) in fields.into_iter().flatten() {
        let name = name.extract::<String>()?;
        let value = &value;
        let kept = |value: &Bound<'_, PyAny>| -> PyResult<Option<String>> {
            if value.is_none() {
                return Ok(None);
            }
            if !value.is_instance_of::<PyString>() {
                return Err(wrong_type(&name, "str or None", value));
            }
            Ok(Some(Text::read(value.as_borrowed(), &name)?.0.to_owned()))
        };
        let time = |value: &Bound<'_, PyAny>| -> PyResult<Option<Option<f64>>> {
            let given = (!value.is_none()).then(|| value.as_borrowed());
            Ok(Some(given.map(|given| Time::read(given, &name)).transpose()?.map(|time| time.0)))
        };
        let number = |value: &Bound<'_, PyAny>| -> PyResult<Option<f32>> {
            Number::read(value.as_borrowed(), &name).map(|number| Some(number.0))
        };
        match name.as_str() {
            "content" => {
                let Text(text) = Text::read(value.as_borrowed(), &name)?;
                patch.content = Some(text.to_owned());
            }
            "vector" if value.is_none() => patch.vector = Some(None),
            "vector" => patch.vector = Some(Some(vector(value, Owner::Concept(concept_id))?)),
            "strength" => patch.strength = number(value)?,
            "confidence" => patch.confidence = number(value)?,
            "source" => patch.source = Some(kept(value)?),
            "category" => patch.category = Some(kept(value)?),
            "valid_from" => patch.valid_from = time(value)?,
            "valid_to" => patch.valid_to = time(value)?,
            "expires" if value.is_none() => patch.expires = Some(None),
            "expires" => {
                patch.expires = Some(Some(Expiry::read(value.as_borrowed(), &name)?.0));
            }
            "attributes" => patch.attributes = Some(attributes_of(value)?),
            _ => {
                return Err(PyTypeError::new_err(format!(
                    "update_concept() got an unexpected field {name:?}; it changes content, vector, \
                     strength, confidence, source, category, valid_from, valid_to, expires and \
                     attributes"
                )));
            }
        }
    }
    Ok(patch)
}

#[pymethods]
impl StoredConcept {
    /// Makes a concept as `get_concept` would return it; it is in no store.
    #[new]
    #[pyo3(signature = (id, content=Arg::of(Text("")), vector=None, *, created=None,
        last_accessed=None, access_count=Count::of(0), strength=Arg::of(Number(1.0)),
        confidence=Arg::of(Number(1.0)), source=None, category=None, attributes=None,
        valid_from=None, valid_to=None, expires=None))]
    #[pyo3(text_signature = "(id, content='', vector=None, *, created=None, last_accessed=None, \
        access_count=0, strength=1.0, confidence=1.0, source=None, category=None, \
        attributes=None, valid_from=None, valid_to=None, expires=None)")]
    #[expect(clippy::too_many_arguments, reason = "a concept has that many fields")]
    fn new(
        py: Python<'_>,
        id: Arg<Text<'_>, name::id>,
        content: Arg<Text<'_>, name::content>,
        vector: Option<&Bound<'_, PyAny>>,
        created: Option<Arg<Time, name::created>>,
        last_accessed: Option<Arg<Time, name::last_accessed>>,
        access_count: Count<'_, '_>,
        strength: Arg<Number, name::strength>,
        confidence: Arg<Number, name::confidence>,
        source: Option<Arg<Text<'_>, name::source>>,
        category: Option<Arg<Text<'_>, name::category>>,
        attributes: Option<&Bound<'_, PyAny>>,
        valid_from: Option<Arg<Time, name::valid_from>>,
        valid_to: Option<Arg<Time, name::valid_to>>,
        expires: Option<Arg<Expiry, name::expires>>,
    ) -> PyResult<Self> {
        concept_of(
            py,
            *id,
            content,
            vector,
            created,
            last_accessed,
            access_count,
            strength,
            confidence,
            source,
            category,
            attributes,
            valid_from,
            valid_to,
            expires,
        )
        .map(Self)
    }

    /// The stable public id.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// The text that is searched.
    #[getter]
    fn content(&self) -> &str {
        &self.0.content
    }

    /// The vector, a new array each time; None when it has none or was read without.
    #[getter]
    fn vector<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f32>>> {
        self.0.vector.as_ref().map(|vector| to_array(py, vector))
    }

    /// When it was first put.
    #[getter]
    fn created(&self) -> f64 {
        self.0.created.unwrap_or(0.0)
    }

    /// When it was last accessed; None: never.
    #[getter]
    fn last_accessed(&self) -> Option<f64> {
        self.0.last_accessed
    }

    /// How often it was accessed.
    #[getter]
    fn access_count(&self) -> u64 {
        self.0.access_count
    }

    /// How well it is remembered, 0.0 or more.
    #[getter]
    fn strength(&self) -> f32 {
        self.0.strength
    }

    /// How sure it is, 0.0 to 1.0.
    #[getter]
    fn confidence(&self) -> f32 {
        self.0.confidence
    }

    /// Where it was learned.
    #[getter]
    fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    /// What it is filed under.
    #[getter]
    fn category(&self) -> Option<&str> {
        self.0.category.as_deref()
    }

    /// From when on what it says holds; None: since ever.
    #[getter]
    fn valid_from(&self) -> Option<f64> {
        self.0.valid_from
    }

    /// Up to when, exclusive, what it says holds; None: for ever.
    #[getter]
    fn valid_to(&self) -> Option<f64> {
        self.0.valid_to
    }

    /// When it expires; None: never.
    #[getter]
    fn expires(&self) -> Option<f64> {
        self.0.expires
    }

    /// Anything else, a new dict each time.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        to_dict(py, &self.0.attributes)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.0 == other.get().0)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.id.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let text = |text: &str| -> PyResult<String> {
            Ok(text.into_pyobject(py)?.repr()?.to_str()?.to_owned())
        };
        let mut content: String = self.0.content.chars().take(60).collect();
        if content.len() < self.0.content.len() {
            content.push('…');
        }
        let mut shown = vec![text(&self.0.id)?, text(&content)?];
        for (name, value) in [("source", &self.0.source), ("category", &self.0.category)] {
            if let Some(value) = value {
                shown.push(format!("{name}={}", text(value)?));
            }
        }
        if let Some(vector) = &self.0.vector {
            shown.push(format!("vector=<{} components>", vector.len()));
        }
        Ok(format!("StoredConcept({})", shown.join(", ")))
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let fields = PyDict::new(py);
        fields.set_item("vector", self.vector(py))?;
        fields.set_item("created", self.0.created)?;
        fields.set_item("last_accessed", self.0.last_accessed)?;
        fields.set_item("access_count", self.0.access_count)?;
        fields.set_item("strength", self.0.strength)?;
        fields.set_item("confidence", self.0.confidence)?;
        fields.set_item("source", &self.0.source)?;
        fields.set_item("category", &self.0.category)?;
        fields.set_item("attributes", self.attributes(py)?)?;
        fields.set_item("valid_from", self.0.valid_from)?;
        fields.set_item("valid_to", self.0.valid_to)?;
        fields.set_item("expires", self.0.expires)?;
        Ok((PyTuple::new(py, [&self.0.id, &self.0.content])?, fields))
    }
}
