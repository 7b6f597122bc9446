//! Vectors: numpy arrays, and whatever becomes one, to rows of `f32`.
//!
//! Invariant: an array is read in place only if it is aligned, in C order and in the machine's byte
//! order; numpy itself brings any other into that form first. So no order or stride is ever misread. A
//! view of a few bytes may have any shape, so the shape is checked before anything is copied.
//! The caller's memory is read with the GIL held only.

use std::fmt;
use std::ops::Range;

use half::f16;
use numpy::{PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray};
use numpy::{PyArrayDescrMethods, PyUntypedArrayMethods};
use pyo3::exceptions::PyMemoryError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::aligned::Aligned;
use crate::errors::{invalid_vector, is_callers};

/// The most components that a vector of any store has.
const MAX_DIM: usize = 65_535;

/// Whose vector it is, for messages.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// Of the concept with this id.
    Concept(&'a str),
    /// The query.
    Query,
    /// One row, or all, of an argument.
    Argument(&'a str, Option<usize>),
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Concept(id) => write!(out, "vector of concept {id:?}"),
            Self::Query => out.write_str("query vector"),
            Self::Argument(name, None) => out.write_str(name),
            Self::Argument(name, Some(at)) => write!(out, "{name}[{at}]"),
        }
    }
}

impl Owner<'_> {
    fn refuse(self, py: Python<'_>, why: &str) -> PyErr {
        let id = if let Self::Concept(id) = self { Some(id) } else { None };
        invalid_vector(py, id, &format!("{self}: {why}"))
    }
}

/// An array whose memory can be read from first to last.
enum Floats<'py> {
    Single(PyReadonlyArrayDyn<'py, f32>),
    Double(PyReadonlyArrayDyn<'py, f64>),
}

impl<'py> Floats<'py> {
    /// The numbers of an array of `N` dimensions; by reference if they are in order already.
    ///
    /// `fits` is asked about the shape before anything is copied.
    fn of<const N: usize>(
        given: &Bound<'py, PyAny>,
        owner: Owner<'_>,
        fits: impl FnOnce([usize; N]) -> PyResult<()>,
    ) -> PyResult<Self> {
        let py = given.py();
        let as_array;
        let array = if let Ok(array) = given.cast::<PyUntypedArray>() {
            refuse_masked(array, owner)?;
            array
        } else {
            let numpy = py.import(intern!(py, "numpy"))?;
            let made = numpy.call_method1(intern!(py, "asarray"), (given,)).map_err(|error| {
                if is_callers(py, &error) {
                    return error;
                }
                let refused =
                    owner.refuse(py, &format!("numpy can't make an array of it: {error}"));
                refused.set_cause(py, Some(error));
                refused
            })?;
            as_array = made.cast_into::<PyUntypedArray>()?;
            &as_array
        };
        let kind = array.dtype().kind();
        if !matches!(kind, b'f' | b'i' | b'u') {
            return Err(owner.refuse(py, &refused_kind(array, kind)));
        }
        let Ok(shape) = <[usize; N]>::try_from(array.shape()) else {
            let expected = if N == 1 { "one dimension" } else { "two dimensions (n x dim)" };
            let shape = array.shape();
            return Err(
                owner.refuse(py, &format!("shape {shape:?}, where {expected} are expected"))
            );
        };
        fits(shape)?;
        if let Some(floats) = Self::in_place(array) {
            return Ok(floats);
        }
        // numpy copies what is in another order, byte order or number type.
        let single = kind == b'f' && array.dtype().itemsize() == 4;
        let options = PyDict::new(py);
        options.set_item(intern!(py, "dtype"), if single { "=f4" } else { "=f8" })?;
        options.set_item(intern!(py, "order"), "C")?;
        options.set_item(intern!(py, "copy"), true)?;
        let numpy = py.import(intern!(py, "numpy"))?;
        let copy = numpy.call_method(intern!(py, "array"), (array,), Some(&options))?;
        Self::in_place(copy.cast::<PyUntypedArray>()?)
            .ok_or_else(|| owner.refuse(py, "numpy made no plain copy of it"))
    }

    fn in_place(array: &Bound<'py, PyUntypedArray>) -> Option<Self> {
        if !array.is_c_contiguous() || !array.is_aligned() {
            return None;
        }
        if let Ok(array) = array.cast::<PyArrayDyn<f32>>() {
            let array = array.try_readonly().ok()?;
            return array.as_slice().is_ok().then_some(Self::Single(array));
        }
        let array = array.cast::<PyArrayDyn<f64>>().ok()?.try_readonly().ok()?;
        array.as_slice().is_ok().then_some(Self::Double(array))
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Single(array) => array.shape(),
            Self::Double(array) => array.shape(),
        }
    }

    /// Some of the numbers, in C order. What no `f32` holds becomes infinite, which the store refuses.
    fn copy(&self, range: Range<usize>) -> PyResult<Vec<f32>> {
        let mut copy = room(range.len())?;
        match self {
            Self::Single(array) => {
                let all = array.as_slice().expect("it was looked at when it was taken");
                copy.extend_from_slice(&all[range]);
            }
            Self::Double(array) => {
                let all = array.as_slice().expect("it was looked at when it was taken");
                copy.extend(all[range].iter().map(|&value| value as f32));
            }
        }
        Ok(copy)
    }
}

fn refuse_masked(array: &Bound<'_, PyUntypedArray>, owner: Owner<'_>) -> PyResult<()> {
    if array.is_exact_instance_of::<PyUntypedArray>() {
        return Ok(());
    }
    let py = array.py();
    let masked = py.import(intern!(py, "numpy.ma"))?.getattr(intern!(py, "MaskedArray"))?;
    if array.is_instance(&masked)? {
        return Err(owner.refuse(py, "a masked array; fill what is masked: array.filled(0.0)"));
    }
    Ok(())
}

fn refused_kind(array: &Bound<'_, PyUntypedArray>, kind: u8) -> String {
    let advice = match kind {
        b'c' => "store its real part, array.real",
        b'O' => "make it numeric, array.astype(numpy.float32), and its rows equally long",
        b'b' => "say what true means in numbers, array.astype(numpy.float32)",
        _ => "pass numbers, such as numpy.asarray(values, dtype=numpy.float32)",
    };
    format!("dtype {} holds no real numbers; {advice}", array.dtype())
}

/// One vector, as the store takes it.
pub(crate) fn vector(given: &Bound<'_, PyAny>, owner: Owner<'_>) -> PyResult<Vec<f32>> {
    if let Ok(list) = given.cast::<PyList>() {
        return numbers(list.iter(), list.len(), owner);
    }
    if let Ok(tuple) = given.cast::<PyTuple>() {
        return numbers(tuple.iter(), tuple.len(), owner);
    }
    let fits = |[found]: [usize; 1]| {
        if found <= MAX_DIM {
            return Ok(());
        }
        let why = format!("{found} components, where a vector has at most {MAX_DIM}");
        Err(owner.refuse(given.py(), &why))
    };
    let floats = Floats::of(given, owner, fits)?;
    floats.copy(0..floats.shape()[0])
}

fn numbers<'py>(
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    len: usize,
    owner: Owner<'_>,
) -> PyResult<Vec<f32>> {
    let mut found = Vec::with_capacity(len);
    for item in items {
        let value = if let Ok(number) = item.cast_exact::<PyFloat>() {
            number.extract::<f64>()?
        } else {
            number(&item)?.ok_or_else(|| {
                let at = found.len();
                let name =
                    item.get_type().qualname().map_or_else(|_| String::new(), |n| n.to_string());
                owner.refuse(item.py(), &format!("component {at} is of type {name}, not a number"))
            })?
        };
        found.push(value as f32);
    }
    Ok(found)
}

fn number(item: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    if item.is_instance_of::<PyBool>() || item.is_instance_of::<PyString>() {
        return Ok(None);
    }
    match item.extract::<f64>() {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_callers(item.py(), &error) => Err(error),
        // An int that no float holds.
        Err(_) if item.is_instance_of::<PyInt>() => Ok(Some(f64::INFINITY)),
        Err(_) => Ok(None),
    }
}

/// Rows of equal length, one after another, with their count; `dim` components each.
pub(crate) fn matrix(
    given: &Bound<'_, PyAny>,
    dim: usize,
    name: &str,
) -> PyResult<(Vec<f32>, usize)> {
    let py = given.py();
    if given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>() {
        let (mut flat, mut rows) = (Vec::new(), 0);
        for row in given.try_iter()? {
            let owner = Owner::Argument(name, Some(rows));
            let row = vector(&row?, owner)?;
            check_dim(py, row.len(), dim, owner)?;
            flat.extend(row);
            rows += 1;
        }
        return Ok((flat, rows));
    }
    let owner = Owner::Argument(name, None);
    let floats = Floats::of(given, owner, |[_, columns]| check_dim(py, columns, dim, owner))?;
    let rows = floats.shape()[0];
    Ok((floats.copy(0..rows * dim)?, rows))
}

/// The rows of an index of vectors, in the precision that they came in.
pub(crate) enum IndexRows {
    /// Of `float32`, or made of other numbers.
    Single(Aligned<f32>),
    /// Of `float16`.
    Half(Aligned<f16>),
}

/// A copy of the rows of a matrix, and their number of components.
pub(crate) fn index_rows(given: &Bound<'_, PyAny>, name: &str) -> PyResult<(IndexRows, usize)> {
    let py = given.py();
    let owner = Owner::Argument(name, None);
    let fits = |[_, dim]: [usize; 2]| {
        if (1..=MAX_DIM).contains(&dim) {
            return Ok(());
        }
        let why = format!("{dim} components, where a vector has from 1 to {MAX_DIM}");
        Err(owner.refuse(py, &why))
    };
    if let Ok(array) = given.cast::<PyUntypedArray>()
        && let [rows, dim] = *array.shape()
        && array.dtype().kind() == b'f'
        && array.dtype().itemsize() == 2
    {
        refuse_masked(array, owner)?;
        fits([rows, dim])?;
        let options = PyDict::new(py);
        options.set_item(intern!(py, "dtype"), "=f2")?;
        let numpy = py.import(intern!(py, "numpy"))?;
        let plain = numpy.call_method("ascontiguousarray", (array,), Some(&options))?;
        let plain = plain.cast::<PyArrayDyn<f16>>()?.try_readonly()?;
        let mut copy = aligned_room(rows * dim)?;
        copy.extend_from_slice(plain.as_slice()?);
        return Ok((IndexRows::Half(copy), dim));
    }
    let floats = Floats::of(given, owner, fits)?;
    let (rows, dim) = (floats.shape()[0], floats.shape()[1]);
    let mut copy = aligned_room(rows * dim)?;
    match floats {
        Floats::Single(array) => copy.extend_from_slice(array.as_slice()?),
        Floats::Double(array) => copy.extend(array.as_slice()?.iter().map(|&value| value as f32)),
    }
    Ok((IndexRows::Single(copy), dim))
}

fn check_dim(py: Python<'_>, found: usize, dim: usize, owner: Owner<'_>) -> PyResult<()> {
    if found == dim {
        return Ok(());
    }
    Err(owner.refuse(py, &format!("expected a vector of dimension {dim}, found {found}")))
}

/// A vector of `dim` components for each of some concepts; in a list, `None` stands for none.
pub(crate) fn vectors_of(
    given: &Bound<'_, PyAny>,
    ids: &[String],
    dim: usize,
    name: &str,
) -> PyResult<Vec<Option<Vec<f32>>>> {
    let py = given.py();
    let all = Owner::Argument(name, None);
    let wrong_count = |found: &str| all.refuse(py, &format!("{found} rows for {} ids", ids.len()));
    if given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>() {
        let mut rows = Vec::with_capacity(ids.len());
        for row in given.try_iter()? {
            let row = row?;
            let Some(id) = ids.get(rows.len()) else {
                return Err(wrong_count(&format!("more than {}", ids.len())));
            };
            let one = || vector(&row, Owner::Concept(id));
            rows.push(if row.is_none() { None } else { Some(one()?) });
        }
        if rows.len() < ids.len() {
            return Err(wrong_count(&rows.len().to_string()));
        }
        return Ok(rows);
    }
    let fits = |[rows, columns]: [usize; 2]| {
        if rows != ids.len() {
            return Err(wrong_count(&rows.to_string()));
        }
        let first = ids.first().map_or(all, |id| Owner::Concept(id));
        check_dim(py, columns, dim, first)
    };
    let floats = Floats::of(given, all, fits)?;
    (0..ids.len()).map(|at| floats.copy(at * dim..(at + 1) * dim).map(Some)).collect()
}

/// An empty vector with room for some components, or Python's `MemoryError`.
fn room<T>(components: usize) -> PyResult<Vec<T>> {
    let mut empty = Vec::new();
    match empty.try_reserve_exact(components) {
        Ok(()) => Ok(empty),
        Err(_) => Err(no_memory(components)),
    }
}

fn aligned_room<T: Copy + Default>(components: usize) -> PyResult<Aligned<T>> {
    Aligned::with_room(components).map_err(|_| no_memory(components))
}

fn no_memory(components: usize) -> PyErr {
    PyMemoryError::new_err(format!(
        "no memory for {components} components of vectors; pass or ask for fewer at a time"
    ))
}

/// Rows of zeros to be filled, or Python's `MemoryError`.
pub(crate) fn zeros(rows: usize, dim: usize) -> PyResult<Vec<f32>> {
    filled(rows, dim, 0.0)
}

/// Rows of one value, or Python's `MemoryError`.
pub(crate) fn filled<T: Copy>(rows: usize, dim: usize, value: T) -> PyResult<Vec<T>> {
    let components = rows.saturating_mul(dim);
    let mut filled = room(components)?;
    filled.resize(components, value);
    Ok(filled)
}

/// A new numpy array that owns a copy of the vector.
#[inline]
pub(crate) fn to_array<'py>(py: Python<'py>, vector: &[f32]) -> Bound<'py, PyArray1<f32>> {
    PyArray1::from_slice(py, vector)
}
