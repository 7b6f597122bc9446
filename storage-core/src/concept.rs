//! Concepts: the nodes of the knowledge, as callers see them.

use crate::options::{StoreConfig, VectorStorage};
use crate::scope::Window;
use crate::{Error, MAX_ID_BYTES, Result};

/// Free attributes: a JSON object.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// A concept with all that is known of it.
///
/// Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Concept {
    /// The stable public id: 1 to 1,024 bytes of UTF-8.
    pub id: String,
    /// The text that is searched.
    pub content: String,
    /// The embedding, of the store's dimension.
    pub vector: Option<Vec<f32>>,
    /// When the concept was first put; `None` in a put: keep, or now.
    pub created: Option<f64>,
    /// When it was last accessed; `None`: never.
    pub last_accessed: Option<f64>,
    /// How often it was accessed.
    pub access_count: u64,
    /// How well it is remembered, `>= 0`; 1 at first.
    pub strength: f32,
    /// How sure it is, 0 to 1.
    pub confidence: f32,
    /// Where it was learned.
    pub source: Option<String>,
    /// What it is filed under.
    pub category: Option<String>,
    /// From when on what it says holds; `None`: since ever. See [`crate::Snapshot::valid_at`].
    pub valid_from: Option<f64>,
    /// Up to when, exclusive, what it says holds; `None`: for ever.
    pub valid_to: Option<f64>,
    /// When it expires: from then on no read finds it, and it is deleted soon; `None`: never.
    pub expires: Option<f64>,
    /// Anything else.
    pub attributes: Attributes,
}

impl Concept {
    /// A concept with an id and a content, all else at its default.
    #[must_use]
    pub fn new(id: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            content: content.into(),
            vector: None,
            created: None,
            last_accessed: None,
            access_count: 0,
            strength: 1.0,
            confidence: 1.0,
            source: None,
            category: None,
            valid_from: None,
            valid_to: None,
            expires: None,
            attributes: Attributes::new(),
        }
    }

    /// The same concept with a vector.
    #[must_use]
    pub fn with_vector(mut self, vector: Vec<f32>) -> Self {
        self.vector = Some(vector);
        self
    }

    pub(crate) fn validate(&self, config: &StoreConfig) -> Result<()> {
        validate_id(&self.id)?;
        if let Some(vector) = &self.vector {
            validate_stored(&self.id, vector, config)?;
        }
        check_range("strength", self.strength, f32::MAX)?;
        check_range("confidence", self.confidence, 1.0)?;
        check_time("created", self.created)?;
        check_time("last_accessed", self.last_accessed)?;
        self.window().validate()
    }

    /// When it holds, and until when it is kept.
    pub(crate) fn window(&self) -> Window {
        Window::new(self.valid_from, self.valid_to, self.expires)
    }
}

/// A change to some fields of a concept; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConceptPatch {
    /// The text.
    pub content: Option<String>,
    /// The vector; `Some(None)` removes it.
    pub vector: Option<Option<Vec<f32>>>,
    /// How well it is remembered.
    pub strength: Option<f32>,
    /// How sure it is.
    pub confidence: Option<f32>,
    /// Where it was learned; `Some(None)` removes it.
    pub source: Option<Option<String>>,
    /// What it is filed under; `Some(None)` removes it.
    pub category: Option<Option<String>>,
    /// From when on it holds; `Some(None)`: since ever.
    pub valid_from: Option<Option<f64>>,
    /// Up to when it holds; `Some(None)`: for ever.
    pub valid_to: Option<Option<f64>>,
    /// When it expires; `Some(None)`: never.
    pub expires: Option<Option<f64>>,
    /// The attributes, replaced as a whole.
    pub attributes: Option<Attributes>,
}

impl ConceptPatch {
    pub(crate) fn apply(self, concept: &mut Concept) {
        fn set<T>(field: &mut T, change: Option<T>) {
            if let Some(value) = change {
                *field = value;
            }
        }
        set(&mut concept.content, self.content);
        set(&mut concept.vector, self.vector);
        set(&mut concept.strength, self.strength);
        set(&mut concept.confidence, self.confidence);
        set(&mut concept.source, self.source);
        set(&mut concept.category, self.category);
        set(&mut concept.valid_from, self.valid_from);
        set(&mut concept.valid_to, self.valid_to);
        set(&mut concept.expires, self.expires);
        set(&mut concept.attributes, self.attributes);
    }
}

pub(crate) fn validate_id(id: &str) -> Result<()> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(Error::InvalidId { len: id.len() });
    }
    Ok(())
}

/// Checks that a vector fits a store, as it stores them.
fn validate_stored(id: &str, vector: &[f32], config: &StoreConfig) -> Result<()> {
    let check = match config.vector_storage {
        VectorStorage::F32 => vector_kernel::validate,
        VectorStorage::F16 => vector_kernel::validate_f16,
    };
    check(vector, config.vector_dimension)
        .map_err(|source| Error::InvalidVector { id: id.to_owned(), source })
}

pub(crate) fn validate_vector(id: &str, vector: &[f32], dim: usize) -> Result<()> {
    vector_kernel::validate(vector, dim)
        .map_err(|source| Error::InvalidVector { id: id.to_owned(), source })
}

pub(crate) fn check_range(name: &'static str, value: f32, max: f32) -> Result<()> {
    if (0.0..=max).contains(&value) {
        return Ok(());
    }
    let expected =
        if max < f32::MAX { format!("0.0 to {max:.1}") } else { "finite, >= 0".to_owned() };
    Err(Error::InvalidArgument { name, expected, found: value.to_string() })
}

pub(crate) fn check_time(name: &'static str, value: Option<f64>) -> Result<()> {
    match value {
        Some(time) if !time.is_finite() => Err(Error::InvalidArgument {
            name,
            expected: "a finite number of seconds since the epoch".to_owned(),
            found: time.to_string(),
        }),
        _ => Ok(()),
    }
}
