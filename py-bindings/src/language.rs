//! What turns text into knowledge, for the application layer: the static embedder and the extractor.
//!
//! Invariant: positions are those of Python, counted in characters: `text[start:end]` is the span.

use std::path::PathBuf;

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

use crate::arguments::{Arg, Text, name, one_of, texts};
use crate::errors::invalid;
use crate::vectors::zeros;

/// Embeds texts by a table of token vectors: no network, and the same answer everywhere.
#[pyclass(frozen, module = "sutra_storage._native")]
pub(crate) struct StaticEmbedder(language::StaticEmbedder);

#[pymethods]
impl StaticEmbedder {
    /// Reads a model file, such as the one that `sutra_core` carries.
    #[new]
    #[expect(clippy::needless_pass_by_value, reason = "an argument is made for the call")]
    fn new(py: Python<'_>, model_path: PathBuf) -> PyResult<Self> {
        let model = py.detach(|| {
            let bytes = std::fs::read(&model_path)?;
            Ok::<_, std::io::Error>(language::StaticEmbedder::from_bytes(bytes))
        })?;
        let refuse = |error| invalid(py, &format!("{}: {error}", model_path.display()));
        model.map(Self).map_err(refuse)
    }

    /// The name of the model's recipe: vectors of two models with one name may be compared.
    #[getter]
    fn model_id(&self) -> &str {
        self.0.model_id()
    }

    /// Number of components of each vector.
    #[getter]
    fn dim(&self) -> usize {
        self.0.dim()
    }

    /// Return the texts' vectors, (len(texts), dim) of float32, each of length 1.
    ///
    /// A text without a known word gets zeros, which are similar to nothing.
    fn embed_documents<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let texts = self::texts("texts", texts)?;
        let mut vectors = zeros(texts.len(), self.0.dim())?;
        py.detach(|| self.0.embed_batch_into(&texts, &mut vectors));
        PyArray1::from_vec(py, vectors).reshape([texts.len(), self.0.dim()])
    }

    /// Return the text's vector, (dim,) of float32: the one that a document would get.
    fn embed_query<'py>(
        &self,
        py: Python<'py>,
        text: Arg<Text<'_>, name::text>,
    ) -> Bound<'py, PyArray1<f32>> {
        let vector = py.detach(|| {
            let mut vector = vec![0.0; self.0.dim()];
            self.0.embed(text.0, &mut vector);
            vector
        });
        PyArray1::from_slice(py, &vector)
    }

    fn __repr__(&self) -> String {
        format!("StaticEmbedder(model_id={:?}, dim={})", self.0.model_id(), self.0.dim())
    }
}

/// First character, and one past the last.
type CharSpan = (usize, usize);

/// One mention of a thing.
#[pyclass(frozen, module = "sutra_storage._native")]
pub(crate) struct Entity {
    /// The noun phrase in normal form: lower case, singular, without articles.
    #[pyo3(get)]
    name: String,
    /// Where it is mentioned.
    #[pyo3(get)]
    span: CharSpan,
}

#[pymethods]
impl Entity {
    fn __repr__(&self) -> String {
        format!("Entity(name={:?}, span={:?})", self.name, self.span)
    }
}

/// A statement of the text.
#[pyclass(frozen, module = "sutra_storage._native")]
#[expect(clippy::struct_field_names, reason = "a relation's middle part is its relation")]
pub(crate) struct Relation {
    /// Name of the first entity.
    #[pyo3(get)]
    subject: String,
    /// Name of the relation, such as "is_a", "causes" or "part_of".
    #[pyo3(get)]
    relation: String,
    /// Name of the second entity.
    #[pyo3(get)]
    object: String,
    /// One of "semantic", "causal", "temporal", "hierarchical" and "compositional".
    #[pyo3(get)]
    kind: &'static str,
    /// Whether the text denies it.
    #[pyo3(get)]
    negated: bool,
    /// How surely the text says so, over 0.0 to 1.0.
    #[pyo3(get)]
    confidence: f32,
    /// The span of the sentence that says so.
    #[pyo3(get)]
    sentence: CharSpan,
}

#[pymethods]
impl Relation {
    fn __repr__(&self) -> String {
        let Self { subject, relation, object, kind, .. } = self;
        let not = if self.negated { ", negated" } else { "" };
        format!("Relation({subject:?}, {relation:?}, {object:?}, {kind}{not})")
    }
}

/// What `extract` found, each list in the order of the text.
#[pyclass(frozen, module = "sutra_storage._native")]
pub(crate) struct Extraction {
    /// The spans of the sentences.
    #[pyo3(get)]
    sentences: Vec<CharSpan>,
    /// Each mention of an entity, those outside relations too.
    #[pyo3(get)]
    entities: Vec<Py<Entity>>,
    /// The statements.
    #[pyo3(get)]
    relations: Vec<Py<Relation>>,
}

#[pymethods]
impl Extraction {
    fn __repr__(&self) -> String {
        format!(
            "<Extraction: {} sentences, {} entities, {} relations>",
            self.sentences.len(),
            self.entities.len(),
            self.relations.len()
        )
    }
}

fn kind_name(kind: language::RelationKind) -> &'static str {
    match kind {
        language::RelationKind::Semantic => "semantic",
        language::RelationKind::Causal => "causal",
        language::RelationKind::Temporal => "temporal",
        language::RelationKind::Hierarchical => "hierarchical",
        language::RelationKind::Compositional => "compositional",
    }
}

/// Turns byte positions into character positions.
struct Characters(Option<Vec<u32>>);

impl Characters {
    fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self(None);
        }
        let mut count = 0;
        let mut before: Vec<u32> = Vec::with_capacity(text.len() + 1);
        for byte in text.bytes() {
            before.push(count);
            // A character ends where the next byte is not a continuation of it.
            count += u32::from(byte & 0xC0 != 0x80);
        }
        before.push(count);
        // At a character's first byte, `before` counts the characters that precede it.
        Self(Some(before))
    }

    fn span(&self, span: language::Span) -> CharSpan {
        match &self.0 {
            None => (span.start, span.end),
            Some(before) => (before[span.start] as usize, before[span.end] as usize),
        }
    }
}

/// Find the sentences, entities and typed relations of an English text, by rules.
#[pyfunction]
pub(crate) fn extract(py: Python<'_>, text: Arg<Text<'_>, name::text>) -> PyResult<Extraction> {
    let (found, at) = py.detach(|| (language::extract(text.0), Characters::of(text.0)));
    let entities = found
        .entities
        .into_iter()
        .map(|entity| Py::new(py, Entity { span: at.span(entity.span), name: entity.name }));
    let relations = found.relations.into_iter().map(|relation| {
        Py::new(
            py,
            Relation {
                subject: relation.subject,
                relation: relation.relation,
                object: relation.object,
                kind: kind_name(relation.kind),
                negated: relation.negated,
                confidence: relation.confidence,
                sentence: at.span(relation.sentence),
            },
        )
    });
    Ok(Extraction {
        sentences: found.sentences.iter().map(|sentence| at.span(sentence.span)).collect(),
        entities: entities.collect::<PyResult<_>>()?,
        relations: relations.collect::<PyResult<_>>()?,
    })
}

/// Return the terms that the word index makes of a text, in its order.
///
/// Args:
///     text: Any text.
///     analyzer: "english" (stop words and stemming) or "simple".
#[pyfunction]
#[pyo3(signature = (text, analyzer=Arg::of(Text("english"))))]
#[pyo3(text_signature = "(text, analyzer='english')")]
pub(crate) fn analyze(
    py: Python<'_>,
    text: Arg<Text<'_>, name::text>,
    analyzer: Arg<Text<'_>, name::analyzer>,
) -> PyResult<Vec<String>> {
    let analyzer = one_of(
        py,
        "analyzer",
        analyzer.0,
        &[("english", text_index::Analyzer::english()), ("simple", text_index::Analyzer::simple())],
    )?;
    Ok(py.detach(|| analyzer.terms(text.0)))
}
