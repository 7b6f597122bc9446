//! The quantizer: vectors to codes, and back.
//!
//! Invariant: it holds no more than dimension, bits and rotation, and learns nothing from data.

use super::{
    Bits, CodeError, CodedQuery,
    code::{self, SCALE_BYTES},
    rotation::Rotation,
};
use crate::{IndexError, MAX_DIM, QueryError, validate};

/// Makes codes of vectors of one dimension, and reads them.
///
/// ```
/// use vector_kernel::quantize::{Bits, Quantizer};
///
/// let quantizer = Quantizer::new(3, Bits::One)?;
/// let code = quantizer.encode(&[2.0, -4.0, 3.0])?;
/// assert_eq!(quantizer.decode(&code)?, [3.0, -3.0, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Quantizer {
    dim: usize,
    bits: Bits,
    rotation: Option<Rotation>,
}

impl Quantizer {
    /// Of vectors of `dim` components, by codes of so many bits for each, which are not rotated.
    ///
    /// # Errors
    ///
    /// [`IndexError::Dimension`] when `dim` is 0 or above [`MAX_DIM`].
    pub fn new(dim: usize, bits: Bits) -> Result<Self, IndexError> {
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(IndexError::Dimension { dim });
        }
        Ok(Self { dim, bits, rotation: None })
    }

    /// Rotates vectors at random before they are coded, and back when they are decoded, which makes
    /// codes fit well whatever the vectors. Codes can only be read with the `seed` they were made with.
    #[must_use]
    pub fn with_rotation(self, seed: u64) -> Self {
        Self { rotation: Some(Rotation::new(self.dim, seed)), ..self }
    }

    /// Components of a vector.
    #[must_use]
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// Bits that a code has for each component.
    #[must_use]
    pub const fn bits(&self) -> Bits {
        self.bits
    }

    /// Bytes of a code: 4, and the bits of all components.
    #[must_use]
    pub const fn code_bytes(&self) -> usize {
        SCALE_BYTES + (self.dim * self.bits.count()).div_ceil(8)
    }

    /// Returns the code of `vector`, of [`Quantizer::code_bytes`] bytes.
    ///
    /// # Errors
    ///
    /// [`QueryError::Dimension`], or [`QueryError::NotFinite`] naming the first such component.
    ///
    /// # Complexity
    ///
    /// Some passes over the components, and with a rotation `dim * log(dim)` additions.
    pub fn encode(&self, vector: &[f32]) -> Result<Vec<u8>, QueryError> {
        let (values, magnitude) = self.turn(vector)?;
        Ok(code::encode(self.bits, &values, magnitude))
    }

    /// Returns the vector that `code` stands for. Components beyond `f32` saturate at ±`f32::MAX`.
    ///
    /// # Errors
    ///
    /// [`CodeError`], when these bytes are no code. What they say else is not checked, and can't be.
    pub fn decode(&self, code: &[u8]) -> Result<Vec<f32>, CodeError> {
        let (scale, numbers) = code::split(self.bits, self.dim, code)?;
        let mut values = code::values(self.bits, self.dim, numbers)?;
        if let Some(rotation) = &self.rotation {
            rotation.turn_back(&mut values);
        }
        for value in &mut values {
            *value = (*value * scale).clamp(f32::MIN, f32::MAX);
        }
        Ok(values)
    }

    /// Makes a query ready to be compared with codes of this quantizer.
    ///
    /// # Errors
    ///
    /// As [`Quantizer::encode`].
    pub fn query(&self, query: &[f32]) -> Result<CodedQuery, QueryError> {
        let (values, magnitude) = self.turn(query)?;
        Ok(CodedQuery::new(self.bits, &values, magnitude))
    }

    /// A vector divided by its magnitude and rotated, and the magnitude.
    fn turn(&self, vector: &[f32]) -> Result<(Vec<f32>, f32), QueryError> {
        validate(vector, self.dim)?;
        let magnitude = code::magnitude(vector);
        if magnitude == 0.0 {
            return Ok((vec![0.0; self.dim], 0.0));
        }
        let mut values: Vec<f32> = vector.iter().map(|x| x / magnitude).collect();
        if let Some(rotation) = &self.rotation {
            rotation.turn(&mut values);
        }
        Ok((values, magnitude))
    }
}
