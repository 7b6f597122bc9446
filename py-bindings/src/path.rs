//! `Path`: a chain of associations between two concepts.
//!
//! Invariant: a path of n + 1 concepts has n associations and n directions, in its order.

use pyo3::prelude::*;
use storage_core::FoundPath;

use crate::association::StoredAssociation;
use crate::hits::digits;

/// A path between two concepts.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct Path {
    concept_ids: Vec<String>,
    associations: Vec<Py<StoredAssociation>>,
    forward: Vec<bool>,
    /// The product of the associations' confidences, 0.0 to 1.0.
    #[pyo3(get)]
    confidence: f32,
}

impl Path {
    pub(crate) fn new(py: Python<'_>, found: FoundPath) -> PyResult<Self> {
        let forward = found.steps.iter().map(|step| step.forward).collect();
        let associations = found
            .steps
            .into_iter()
            .map(|step| Py::new(py, StoredAssociation::from(step.association)))
            .collect::<PyResult<_>>()?;
        let (concept_ids, confidence) = (found.concept_ids, found.confidence);
        Ok(Self { concept_ids, associations, forward, confidence })
    }
}

#[pymethods]
impl Path {
    /// The concepts on it, first to last.
    #[getter]
    fn concept_ids(&self) -> Vec<&str> {
        self.concept_ids.iter().map(String::as_str).collect()
    }

    /// The associations between them, in the same order.
    #[getter]
    fn associations<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, StoredAssociation>> {
        self.associations.iter().map(|association| association.bind(py).clone()).collect()
    }

    /// For each association, whether the path follows it from source to target.
    #[getter]
    fn forward(&self) -> Vec<bool> {
        self.forward.clone()
    }

    /// How many associations it has.
    fn __len__(&self) -> usize {
        self.associations.len()
    }

    /// True: a path of no associations, from a concept to itself, is one.
    #[expect(clippy::unused_self, reason = "Python calls it with the object")]
    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut shown = String::from("Path(");
        for (at, id) in self.concept_ids.iter().enumerate() {
            if let Some(before) = at.checked_sub(1) {
                let kind = self.associations[before].bind(py).getattr("type")?;
                let arrow = if self.forward[before] {
                    format!(" -{kind}-> ")
                } else {
                    format!(" <-{kind}- ")
                };
                shown += &arrow;
            }
            shown += id.into_pyobject(py)?.repr()?.to_str()?;
        }
        Ok(format!("{shown}, confidence={})", digits(self.confidence)))
    }
}
