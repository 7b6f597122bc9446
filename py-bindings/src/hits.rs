//! What searches return: `Hit`, `HybridHit` and its `Leg`s.
//!
//! Invariant: each is a value with the fields of a tuple, in one order: it unpacks, compares equal by
//! its fields, hashes and can be pickled.

use std::hash::{DefaultHasher, Hash, Hasher};

use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyTuple};
use storage_core::ConceptHit;

fn show(py: Python<'_>, text: &str) -> PyResult<String> {
    Ok(text.into_pyobject(py)?.repr()?.to_str()?.to_owned())
}

/// A score or confidence as a `repr` shows it: to four digits, but never as 1 what is less.
pub(crate) fn digits(value: f32) -> String {
    let rounded = if value.abs() < 1000.0 {
        format!("{value:.3e}").parse().unwrap_or(value)
    } else {
        (f64::from(value) * 10.0).round() as f32 / 10.0
    };
    let is_hidden = rounded.abs() >= 1.0 && value.abs() < 1.0;
    format!("{:?}", if is_hidden { value } else { rounded })
}

/// A concept that a search found: `id, score = hit`. A larger score is better.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct Hit {
    /// The concept.
    #[pyo3(get)]
    id: String,
    /// Words: BM25. Vectors: cosine in [-1, 1], dot product, or negated Euclidean distance.
    #[pyo3(get)]
    score: f32,
}

impl From<ConceptHit> for Hit {
    fn from(hit: ConceptHit) -> Self {
        Self { id: hit.id, score: hit.score }
    }
}

#[pymethods]
impl Hit {
    #[new]
    fn new(id: String, score: f32) -> Self {
        Self { id, score }
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("id", "score")
    }

    fn __getnewargs__(&self) -> (&str, f32) {
        (&self.id, self.score)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.__getnewargs__().into_pyobject(py)?.try_iter()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            let other = other.get();
            self.id == other.id && self.score.to_bits() == other.score.to_bits()
        })
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.id, self.score.to_bits()).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Hit(id={}, score={})", show(py, &self.id)?, digits(self.score)))
    }
}

/// A concept's place in one leg of a hybrid search: `rank, score = leg`. Rank 1 is the best.
#[pyclass(frozen, module = "sutra_storage")]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Leg {
    /// 1 for the best.
    #[pyo3(get)]
    rank: u32,
    /// The leg's own score.
    #[pyo3(get)]
    score: f32,
}

impl From<storage_core::Leg> for Leg {
    fn from(leg: storage_core::Leg) -> Self {
        Self { rank: leg.rank, score: leg.score }
    }
}

#[pymethods]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "Python's protocols pass the object")]
impl Leg {
    #[new]
    fn new(rank: u32, score: f32) -> Self {
        Self { rank, score }
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("rank", "score")
    }

    fn __getnewargs__(&self) -> (u32, f32) {
        (self.rank, self.score)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.__getnewargs__().into_pyobject(py)?.try_iter()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self == other.get())
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.rank, self.score.to_bits()).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("Leg(rank={}, score={})", self.rank, digits(self.score))
    }
}

/// A concept that a hybrid search found, with what each leg said of it.
///
/// It unpacks into id, score, words and vector; the last two are None where a leg did not find it.
#[pyclass(frozen, module = "sutra_storage")]
pub(crate) struct HybridHit {
    /// The concept.
    #[pyo3(get)]
    id: String,
    /// The fused score; larger is better.
    #[pyo3(get)]
    score: f32,
    words: Option<Leg>,
    vector: Option<Leg>,
}

impl From<storage_core::HybridHit> for HybridHit {
    fn from(hit: storage_core::HybridHit) -> Self {
        let (words, vector) = (hit.words.map(Leg::from), hit.vector.map(Leg::from));
        Self { id: hit.id, score: hit.score, words, vector }
    }
}

#[pymethods]
impl HybridHit {
    #[new]
    #[pyo3(signature = (id, score, words=None, vector=None))]
    fn new(
        id: String,
        score: f32,
        words: Option<PyRef<'_, Leg>>,
        vector: Option<PyRef<'_, Leg>>,
    ) -> Self {
        Self { id, score, words: words.map(|leg| *leg), vector: vector.map(|leg| *leg) }
    }

    /// Its place in the word search.
    #[getter]
    fn words(&self) -> Option<Leg> {
        self.words
    }

    /// Its place in the vector search.
    #[getter]
    fn vector(&self) -> Option<Leg> {
        self.vector
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str, &'static str, &'static str) {
        ("id", "score", "words", "vector")
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        (&self.id, self.score, self.words, self.vector).into_pyobject(py)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.__getnewargs__(py)?.try_iter()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            let other = other.get();
            self.id == other.id
                && self.score.to_bits() == other.score.to_bits()
                && (self.words, self.vector) == (other.words, other.vector)
        })
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.id, self.score.to_bits()).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let leg = |leg: Option<Leg>| leg.map_or_else(|| "None".to_owned(), |leg| leg.__repr__());
        Ok(format!(
            "HybridHit(id={}, score={}, words={}, vector={})",
            show(py, &self.id)?,
            digits(self.score),
            leg(self.words),
            leg(self.vector)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn a_score_is_shown_to_four_digits_and_one_only_for_one() {
        for (value, shown) in [
            (0.9, "0.9"),
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-1.0, "-1.0"),
            (0.970_142_5, "0.9701"),
            (12.345_678, "12.35"),
            (12_345.678, "12345.7"),
            (0.000_123_456, "0.0001235"),
            (0.999_99, "0.99999"),
            (f32::INFINITY, "inf"),
        ] {
            assert_eq!(digits(value), shown);
        }
    }
}
