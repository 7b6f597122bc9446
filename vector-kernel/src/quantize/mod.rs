//! Codes of vectors in few bits, to be used without an index: what is stored is for the caller to say.
//!
//! A code is a scale, in 4 bytes, and one number of 1, 2, 4, 8 or 16 bits a component. Those of up to 8
//! bits are evenly spaced around zero; those of 16 are floats. The scale is the vector's own: of some
//! steps between the numbers the one is taken whose numbers lie closest to the vector's direction.
//!
//! | bits | bytes at 384 components | mean squared error by the squared length |
//! |---|---|---|
//! | 1 | 52 | 0.363 |
//! | 2 | 100 | 0.119 |
//! | 4 | 196 | 0.0115 |
//! | 8 | 388 | below 0.0001 |
//! | 16 | 772 | below 0.0000001 |
//!
//! The errors are those of normally distributed components (J. Max, "Quantizing for Minimum
//! Distortion", 1960). Other vectors get about the same by a random rotation
//! ([`Quantizer::with_rotation`]), after which no component is much larger than others.
//!
//! ```
//! use vector_kernel::Metric;
//! use vector_kernel::quantize::{Bits, Quantizer};
//!
//! let quantizer = Quantizer::new(4, Bits::Eight)?.with_rotation(7);
//! let code = quantizer.encode(&[0.1, -0.4, 0.2, 0.8])?;
//! assert_eq!(code.len(), quantizer.code_bytes());
//!
//! let query = quantizer.query(&[0.0, -0.5, 0.2, 0.9])?;
//! let estimate = query.score(Metric::Dot, &code)?;
//! assert!((estimate - 0.96).abs() < 0.01);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariant: a code is a function of vector, bits and seed alone, the same on every machine, and so is
//! an estimate; no bytes make decoding panic.

mod code;
mod distortion;
mod quantizer;
mod query;
mod rotation;

pub use distortion::Distortion;
pub use quantizer::Quantizer;
pub use query::CodedQuery;

/// Bits that a code has for each component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bits {
    /// 1: the sign.
    One,
    /// 2: one of 4 numbers.
    Two,
    /// 4: one of 16 numbers.
    Four,
    /// 8: one of 256 numbers.
    Eight,
    /// 16: a float of half precision.
    Half,
}

impl Bits {
    /// All of them, the fewest first.
    pub const ALL: [Self; 5] = [Self::One, Self::Two, Self::Four, Self::Eight, Self::Half];

    /// How many they are.
    ///
    /// ```
    /// use vector_kernel::quantize::Bits;
    ///
    /// assert_eq!(Bits::ALL.map(Bits::count), [1, 2, 4, 8, 16]);
    /// ```
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
            Self::Half => 16,
        }
    }
}

/// Why bytes are no code of a quantizer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Another number of bytes.
    #[error("expected a code of {expected} bytes, found {found}")]
    Length {
        /// Bytes of a code.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A scale that no vector has.
    #[error("the code's scale is {value}, not a finite number of 0 or above")]
    Scale {
        /// The scale found.
        value: f32,
    },
    /// A component of 16 bits that is NaN or infinite.
    #[error("component {index} of the code is not a finite number")]
    NotFinite {
        /// Position of the first such component.
        index: usize,
    },
}
