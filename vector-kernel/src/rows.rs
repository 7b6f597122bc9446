//! Rows and queries in their four encodings, borrowed.
//!
//! Invariant: rows are contiguous and row-major; nothing here copies or converts them.

use std::fmt;

use half::f16;

/// The rows of an index: contiguous, row-major, borrowed (from a memory map, say).
///
/// Rows must be finite; [`validate`](crate::validate) refuses others before they are stored.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// `dim` floats a row.
    F32(&'a [f32]),
    /// `dim` half-precision floats a row; compared as the `f32` they stand for.
    F16(&'a [f16]),
    /// `dim` signed bytes a row; compared as integers.
    I8(&'a [i8]),
    /// `dim` bits a row, in `dim.div_ceil(8)` bytes; bits above `dim` in the last byte are ignored.
    ///
    /// A bit stands for the sign of a component: set for +1, clear for -1. With `h` the Hamming
    /// distance of two rows, their dot product is then `dim - 2h`, their cosine `1 - 2h / dim`, and
    /// their Euclidean distance `2 sqrt(h)`: each metric sorts by Hamming distance.
    Binary(&'a [u8]),
}

impl Rows<'_> {
    /// How these rows are encoded.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        match self {
            Self::F32(_) => Encoding::F32,
            Self::F16(_) => Encoding::F16,
            Self::I8(_) => Encoding::I8,
            Self::Binary(_) => Encoding::Binary,
        }
    }

    /// These rows as queries for their own index, back to back.
    ///
    /// # Panics
    ///
    /// When there is no such row of `dim` components.
    pub(crate) fn gather(&self, dim: usize, ordinals: &[u32]) -> OwnedQuery {
        let width = self.encoding().elements_per_row(dim);
        let ranges = ordinals.iter().map(|&at| at as usize * width..(at as usize + 1) * width);
        match self {
            Self::F32(rows) => {
                OwnedQuery::F32(ranges.flat_map(|row| &rows[row]).copied().collect())
            }
            Self::F16(rows) => {
                OwnedQuery::F32(ranges.flat_map(|row| &rows[row]).map(|x| x.to_f32()).collect())
            }
            Self::I8(rows) => OwnedQuery::I8(ranges.flat_map(|row| &rows[row]).copied().collect()),
            Self::Binary(rows) => {
                OwnedQuery::Binary(ranges.flat_map(|row| &rows[row]).copied().collect())
            }
        }
    }

    /// Elements (of the encoding's type) in all rows.
    pub(crate) const fn elements(&self) -> usize {
        match self {
            Self::F32(rows) => rows.len(),
            Self::F16(rows) => rows.len(),
            Self::I8(rows) => rows.len(),
            Self::Binary(rows) => rows.len(),
        }
    }
}

/// One query, or a batch of them back to back, in the encoding that the rows call for.
///
/// `f32` queries go with `f32` and `f16` rows; `i8` and binary rows are searched with queries
/// encoded as they are, since only their encoder knows scale and centre. Slices, arrays and vectors
/// of `f32` and `i8` convert by themselves; bytes are wrapped by hand, as they could mean either.
#[derive(Clone, Copy, Debug)]
pub enum Query<'a> {
    /// For [`Rows::F32`] and [`Rows::F16`].
    F32(&'a [f32]),
    /// For [`Rows::I8`].
    I8(&'a [i8]),
    /// For [`Rows::Binary`].
    Binary(&'a [u8]),
}

impl Query<'_> {
    /// How this query is encoded.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        match self {
            Self::F32(_) => Encoding::F32,
            Self::I8(_) => Encoding::I8,
            Self::Binary(_) => Encoding::Binary,
        }
    }
}

/// Queries that are owned.
#[derive(Clone, Debug)]
pub(crate) enum OwnedQuery {
    F32(Vec<f32>),
    I8(Vec<i8>),
    Binary(Vec<u8>),
}

impl OwnedQuery {
    /// The queries, borrowed.
    pub(crate) fn as_query(&self) -> Query<'_> {
        match self {
            Self::F32(values) => Query::F32(values),
            Self::I8(values) => Query::I8(values),
            Self::Binary(bytes) => Query::Binary(bytes),
        }
    }
}

macro_rules! query_from {
    ($($variant:ident($element:ty)),*) => {$(
        impl<'a> From<&'a [$element]> for Query<'a> {
            fn from(query: &'a [$element]) -> Self {
                Self::$variant(query)
            }
        }

        impl<'a, const N: usize> From<&'a [$element; N]> for Query<'a> {
            fn from(query: &'a [$element; N]) -> Self {
                Self::$variant(query)
            }
        }

        impl<'a> From<&'a Vec<$element>> for Query<'a> {
            fn from(query: &'a Vec<$element>) -> Self {
                Self::$variant(query)
            }
        }
    )*};
}

query_from!(F32(f32), I8(i8));

/// The type of a row's or query's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Signed bytes.
    I8,
    /// One bit a component.
    Binary,
}

impl Encoding {
    /// The encoding's name: `f32`, `f16`, `i8` or `binary`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::I8 => "i8",
            Self::Binary => "binary",
        }
    }

    /// Elements that a row of `dim` components takes.
    pub(crate) const fn elements_per_row(self, dim: usize) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::I8 => dim,
            Self::Binary => dim.div_ceil(8),
        }
    }

    /// Bytes that a row of `dim` components takes.
    #[must_use]
    pub const fn row_bytes(self, dim: usize) -> usize {
        match self {
            Self::F32 => dim * 4,
            Self::F16 => dim * 2,
            Self::I8 => dim,
            Self::Binary => dim.div_ceil(8),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
