//! Which rows of a `VectorIndex` a search looks at: ordinals, or a mask with a bool for each row.
//!
//! Invariant: an ordinal that the index does not have is refused, and so is a mask of another length.

use numpy::PyUntypedArrayMethods;
use numpy::{PyArray1, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use roaring::RoaringBitmap;
use vector_kernel::Selection;

use crate::errors::{invalid, is_callers, wrong_type};

/// The rows that a search may return.
pub(crate) enum Selected {
    All,
    Only(RoaringBitmap),
    Except(RoaringBitmap),
}

impl Selected {
    #[inline]
    pub(crate) fn read(
        only: Option<&Bound<'_, PyAny>>,
        exclude: Option<&Bound<'_, PyAny>>,
        len: usize,
    ) -> PyResult<Self> {
        let only = only.map(|only| ordinals(only, "only", len)).transpose()?;
        let exclude = exclude.map(|exclude| ordinals(exclude, "exclude", len)).transpose()?;
        Ok(match (only, exclude) {
            (None, None) => Self::All,
            (Some(only), None) => Self::Only(only),
            (None, Some(exclude)) => Self::Except(exclude),
            (Some(only), Some(exclude)) => Self::Only(only - exclude),
        })
    }

    pub(crate) fn get(&self) -> Selection<'_> {
        match self {
            Self::All => Selection::All,
            Self::Only(rows) => Selection::Only(rows),
            Self::Except(rows) => Selection::Except(rows),
        }
    }

    /// How many there are, of so many; no bitmap holds an ordinal beyond them.
    pub(crate) fn count(&self, len: usize) -> u64 {
        match self {
            Self::All => len as u64,
            Self::Only(rows) => rows.len(),
            Self::Except(rows) => len as u64 - rows.len(),
        }
    }
}

/// Reads ordinals below `len`, or a mask of so many.
fn ordinals(given: &Bound<'_, PyAny>, name: &str, len: usize) -> PyResult<RoaringBitmap> {
    const EXPECTED: &str = "ordinals, or a mask with a bool for each row";
    let py = given.py();
    let numpy = py.import(intern!(py, "numpy"))?;
    let array = numpy.call_method1(intern!(py, "asarray"), (given,)).map_err(|error| {
        if is_callers(py, &error) { error } else { wrong_type(name, EXPECTED, given) }
    })?;
    let array = array.cast_into::<PyUntypedArray>()?;
    let [count] = *array.shape() else {
        let message =
            format!("{name} must be {EXPECTED}, not of shape {shape:?}", shape = array.shape());
        return Err(invalid(py, &message));
    };
    match array.dtype().kind() {
        b'b' => {
            if count != len {
                let message =
                    format!("{name} is a mask of {count}, where the index has {len} rows");
                return Err(invalid(py, &message));
            }
            let options = PyDict::new(py);
            options.set_item(intern!(py, "bitorder"), "little")?;
            let bits = numpy.call_method(intern!(py, "packbits"), (array,), Some(&options))?;
            let bits = bits.cast_into::<PyArray1<u8>>()?;
            Ok(RoaringBitmap::from_lsb0_bytes(0, bits.try_readonly()?.as_slice()?))
        }
        b'i' | b'u' => {
            let numbers = array.call_method1(intern!(py, "astype"), ("=i8",))?;
            let numbers = numbers.cast_into::<PyArray1<i64>>()?;
            let numbers = numbers.try_readonly()?;
            let mut rows = RoaringBitmap::new();
            for (at, &ordinal) in numbers.as_slice()?.iter().enumerate() {
                // One of 64 bits without a sign that is too large has become negative.
                let Some(ordinal) = u32::try_from(ordinal).ok().filter(|&row| (row as usize) < len)
                else {
                    let message =
                        format!("{name}[{at}] is no ordinal of an index of {len} vectors");
                    return Err(invalid(py, &message));
                };
                rows.insert(ordinal);
            }
            Ok(rows)
        }
        // numpy makes floats of an empty list.
        _ if count == 0 => Ok(RoaringBitmap::new()),
        _ => Err(wrong_type(name, EXPECTED, given)),
    }
}
