//! Associations: the typed, weighted edges between concepts, as callers see them.

use crate::concept::{Attributes, check_range, check_time, validate_id};
use crate::scope::Window;
use crate::{Error, MAX_ID_BYTES, Result};

/// A typed, weighted edge between two concepts; its key is (source, target, type).
///
/// Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Association {
    /// The concept it starts at.
    pub source_id: String,
    /// The concept it points to.
    pub target_id: String,
    /// Its type: 1 to 1,024 bytes of UTF-8, `"semantic"` by default.
    pub association_type: String,
    /// How strong it is, finite and not negative.
    pub weight: f32,
    /// How sure it is, 0 to 1.
    pub confidence: f32,
    /// When it was first put; `None` in a put: keep, or now.
    pub created: Option<f64>,
    /// When it was last used; `None`: never.
    pub last_used: Option<f64>,
    /// Where it was learned.
    pub source: Option<String>,
    /// From when on it holds; `None`: since ever. See [`crate::Snapshot::valid_at`].
    pub valid_from: Option<f64>,
    /// Up to when, exclusive, it holds; `None`: for ever.
    pub valid_to: Option<f64>,
    /// When it expires: from then on no read finds it, and it is deleted soon; `None`: never.
    pub expires: Option<f64>,
    /// Anything else.
    pub attributes: Attributes,
}

impl Association {
    /// The type that an association has when none is given.
    pub const DEFAULT_TYPE: &'static str = "semantic";

    /// An association of the default type, with weight and confidence 1.
    #[must_use]
    pub fn new(source_id: impl Into<String>, target_id: impl Into<String>) -> Self {
        Self {
            source_id: source_id.into(),
            target_id: target_id.into(),
            association_type: Self::DEFAULT_TYPE.to_owned(),
            weight: 1.0,
            confidence: 1.0,
            created: None,
            last_used: None,
            source: None,
            valid_from: None,
            valid_to: None,
            expires: None,
            attributes: Attributes::new(),
        }
    }

    /// The same association with another type.
    #[must_use]
    pub fn with_type(mut self, association_type: impl Into<String>) -> Self {
        self.association_type = association_type.into();
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        validate_id(&self.source_id)?;
        validate_id(&self.target_id)?;
        validate_type(&self.association_type)?;
        check_range("weight", self.weight, f32::MAX)?;
        check_range("confidence", self.confidence, 1.0)?;
        check_time("created", self.created)?;
        check_time("last_used", self.last_used)?;
        self.window().validate()
    }

    /// When it holds, and until when it is kept.
    pub(crate) fn window(&self) -> Window {
        Window::new(self.valid_from, self.valid_to, self.expires)
    }
}

pub(crate) fn validate_type(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_ID_BYTES {
        return Err(Error::InvalidArgument {
            name: "type",
            expected: format!("1 to {MAX_ID_BYTES} bytes of UTF-8"),
            found: format!("{} bytes", name.len()),
        });
    }
    Ok(())
}

/// Which end of its associations a concept is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Associations that start at the concept.
    #[default]
    Out,
    /// Associations that point to the concept.
    In,
    /// Either.
    Both,
}
