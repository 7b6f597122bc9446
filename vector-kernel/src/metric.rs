//! The three measures of similarity, as a value that can be stored by name.
//!
//! Invariant: under each metric a larger score is a better match.

use std::{fmt, str::FromStr};

/// How two vectors are compared; under each a larger score is better.
///
/// ```
/// use vector_kernel::Metric;
///
/// assert_eq!("cosine".parse(), Ok(Metric::Cosine));
/// assert_eq!(Metric::Euclidean.as_str(), "euclidean");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Cosine of the angle, in `[-1, 1]`; 0 when either vector is zero.
    #[default]
    Cosine,
    /// Inner product.
    Dot,
    /// Euclidean distance, negated: 0 for equal vectors, below 0 for all others.
    Euclidean,
}

impl Metric {
    /// The name by which [`FromStr`] knows this metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::Dot => "dot",
            Self::Euclidean => "euclidean",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A metric's name that is none of `cosine`, `dot` and `euclidean`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown metric {name:?}, expected cosine, dot or euclidean")]
pub struct UnknownMetric {
    /// The name given.
    pub name: String,
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Self, UnknownMetric> {
        [Self::Cosine, Self::Dot, Self::Euclidean]
            .into_iter()
            .find(|metric| metric.as_str() == name)
            .ok_or_else(|| UnknownMetric { name: name.to_owned() })
    }
}
