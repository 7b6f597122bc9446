//! `StoredAssociation`: an association as it was read.
//!
//! Invariant: it is a value. It never changes, equal ones compare equal, and it can be pickled.

use std::hash::{DefaultHasher, Hash, Hasher};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use storage_core::Association;

use crate::arguments::{Arg, Expiry, Number, Text, Time, name};
use crate::attributes::{attributes_of, to_dict};
use crate::hits::digits;

/// An association as it was read from a store. Times are seconds since the Unix epoch.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct StoredAssociation(Association);

impl From<Association> for StoredAssociation {
    fn from(association: Association) -> Self {
        Self(association)
    }
}

/// An association, of arguments.
#[expect(clippy::too_many_arguments, reason = "an association has that many fields")]
pub(crate) fn association_of(
    source_id: Arg<Text<'_>, name::source_id>,
    target_id: Arg<Text<'_>, name::target_id>,
    association_type: Arg<Text<'_>, name::kind>,
    weight: Arg<Number, name::weight>,
    confidence: Arg<Number, name::confidence>,
    source: Option<Arg<Text<'_>, name::source>>,
    attributes: Option<&Bound<'_, PyAny>>,
    created: Option<Arg<Time, name::created>>,
    last_used: Option<Arg<Time, name::last_used>>,
    valid_from: Option<Arg<Time, name::valid_from>>,
    valid_to: Option<Arg<Time, name::valid_to>>,
    expires: Option<Arg<Expiry, name::expires>>,
) -> PyResult<Association> {
    Ok(Association {
        weight: weight.0,
        confidence: confidence.0,
        created: created.map(|time| time.0),
        last_used: last_used.map(|time| time.0),
        source: source.map(|text| text.0.to_owned()),
        attributes: attributes.map(attributes_of).transpose()?.unwrap_or_default(),
        valid_from: valid_from.map(|time| time.0),
        valid_to: valid_to.map(|time| time.0),
        expires: expires.map(|time| time.0),
        ..Association::new(source_id.0, target_id.0).with_type(association_type.0)
    })
}

#[pymethods]
impl StoredAssociation {
    /// Makes an association as `get_associations` would return it; it is in no store.
    #[new]
    #[pyo3(signature = (source_id, target_id, r#type=Arg::of(Text("semantic")), *,
        weight=Arg::of(Number(1.0)), confidence=Arg::of(Number(1.0)), source=None, attributes=None,
        created=None, last_used=None, valid_from=None, valid_to=None, expires=None))]
    #[pyo3(
        text_signature = "(source_id, target_id, type='semantic', *, weight=1.0, confidence=1.0, \
        source=None, attributes=None, created=None, last_used=None, valid_from=None, \
        valid_to=None, expires=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "an association has that many fields")]
    fn new(
        source_id: Arg<Text<'_>, name::source_id>,
        target_id: Arg<Text<'_>, name::target_id>,
        r#type: Arg<Text<'_>, name::kind>,
        weight: Arg<Number, name::weight>,
        confidence: Arg<Number, name::confidence>,
        source: Option<Arg<Text<'_>, name::source>>,
        attributes: Option<&Bound<'_, PyAny>>,
        created: Option<Arg<Time, name::created>>,
        last_used: Option<Arg<Time, name::last_used>>,
        valid_from: Option<Arg<Time, name::valid_from>>,
        valid_to: Option<Arg<Time, name::valid_to>>,
        expires: Option<Arg<Expiry, name::expires>>,
    ) -> PyResult<Self> {
        association_of(
            source_id, target_id, r#type, weight, confidence, source, attributes, created,
            last_used, valid_from, valid_to, expires,
        )
        .map(Self)
    }

    /// The concept it starts at.
    #[getter]
    fn source_id(&self) -> &str {
        &self.0.source_id
    }

    /// The concept it points to.
    #[getter]
    fn target_id(&self) -> &str {
        &self.0.target_id
    }

    /// Its type.
    #[getter]
    fn r#type(&self) -> &str {
        &self.0.association_type
    }

    /// How strong it is, 0.0 or more.
    #[getter]
    fn weight(&self) -> f32 {
        self.0.weight
    }

    /// How sure it is, 0.0 to 1.0.
    #[getter]
    fn confidence(&self) -> f32 {
        self.0.confidence
    }

    /// When it was first put.
    #[getter]
    fn created(&self) -> f64 {
        self.0.created.unwrap_or(0.0)
    }

    /// When it was last used; None: never.
    #[getter]
    fn last_used(&self) -> Option<f64> {
        self.0.last_used
    }

    /// Where it was learned.
    #[getter]
    fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    /// From when on it holds; None: since ever.
    #[getter]
    fn valid_from(&self) -> Option<f64> {
        self.0.valid_from
    }

    /// Up to when, exclusive, it holds; None: for ever.
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
        (&self.0.source_id, &self.0.target_id, &self.0.association_type).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let text = |text: &str| -> PyResult<String> {
            Ok(text.into_pyobject(py)?.repr()?.to_str()?.to_owned())
        };
        let source = match &self.0.source {
            Some(source) => format!(", source={}", text(source)?),
            None => String::new(),
        };
        Ok(format!(
            "StoredAssociation({}, {}, type={}, weight={}, confidence={}{source})",
            text(&self.0.source_id)?,
            text(&self.0.target_id)?,
            text(&self.0.association_type)?,
            digits(self.0.weight),
            digits(self.0.confidence),
        ))
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let fields = PyDict::new(py);
        fields.set_item("type", &self.0.association_type)?;
        fields.set_item("weight", self.0.weight)?;
        fields.set_item("confidence", self.0.confidence)?;
        fields.set_item("created", self.0.created)?;
        fields.set_item("last_used", self.0.last_used)?;
        fields.set_item("source", &self.0.source)?;
        fields.set_item("attributes", self.attributes(py)?)?;
        fields.set_item("valid_from", self.0.valid_from)?;
        fields.set_item("valid_to", self.0.valid_to)?;
        fields.set_item("expires", self.0.expires)?;
        Ok((PyTuple::new(py, [&self.0.source_id, &self.0.target_id])?, fields))
    }
}
