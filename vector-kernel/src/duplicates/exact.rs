//! Rows that are equal, component by component.
//!
//! Invariant: hashes only say which rows to compare, so the answer doesn't depend on them.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use rayon::prelude::*;

use crate::{FlatIndex, Query, QueryError, Selection, threads};

/// Rows that a thread takes at a time.
const PART: usize = 1024;

/// Returns the groups of selected rows that are equal: floats as numbers, so that -0 equals 0, and of
/// binary rows the bits that count. Members ascend, and groups ascend by their first; rows that equal
/// no other are in none.
///
/// ```
/// use vector_kernel::duplicates::exact_duplicates;
/// use vector_kernel::{FlatIndex, Metric, Rows, Selection};
///
/// let rows = [1_i8, 2, 3, 4, 1, 2];
/// let index = FlatIndex::new(Rows::I8(&rows), 2, Metric::Dot)?;
/// assert_eq!(exact_duplicates(&index, Selection::All)?, [[0, 2]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`QueryError::RowNotFinite`] when a selected row isn't finite.
///
/// # Complexity
///
/// One pass over the selected rows, one more over those that have equals, and a sort; memory for 36
/// bytes a row.
pub fn exact_duplicates(
    index: &FlatIndex<'_>,
    selection: Selection<'_>,
) -> Result<Vec<Vec<u32>>, QueryError> {
    let ordinals = index.selected(selection);
    // A key of its own for each call: rows that collide can't be prepared.
    let keys = RandomState::new();
    let hash = |ordinals: &[u32]| -> Result<Vec<(u64, u32)>, QueryError> {
        let mut bytes = Vec::new();
        ordinals
            .iter()
            .map(|&ordinal| {
                content(index, ordinal, &mut bytes)?;
                let mut hasher = keys.build_hasher();
                hasher.write(&bytes);
                Ok((hasher.finish(), ordinal))
            })
            .collect()
    };
    let parts: Vec<Result<Vec<(u64, u32)>, QueryError>> = if threads::are_here() {
        ordinals.par_chunks(PART).map(hash).collect()
    } else {
        ordinals.chunks(PART).map(hash).collect()
    };
    let mut hashed = Vec::with_capacity(ordinals.len());
    for part in parts {
        hashed.extend(part?);
    }
    hashed.sort_unstable();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let (mut bytes, mut other) = (Vec::new(), Vec::new());
    for alike in hashed.chunk_by(|a, b| a.0 == b.0).filter(|alike| alike.len() > 1) {
        // More than one, if different rows have the same hash.
        let mut same: Vec<Vec<u32>> = Vec::new();
        'rows: for &(_, ordinal) in alike {
            content(index, ordinal, &mut bytes)?;
            for group in &mut same {
                content(index, group[0], &mut other)?;
                if bytes == other {
                    group.push(ordinal);
                    continue 'rows;
                }
            }
            same.push(vec![ordinal]);
        }
        groups.extend(same.into_iter().filter(|group| group.len() > 1));
    }
    groups.sort_unstable_by_key(|group| group[0]);
    Ok(groups)
}

/// Writes a row as bytes that are equal where rows are.
fn content(index: &FlatIndex<'_>, ordinal: u32, out: &mut Vec<u8>) -> Result<(), QueryError> {
    out.clear();
    let row = index.gather(&[ordinal])?;
    match row.as_query() {
        // Adding zero turns -0 into +0.
        Query::F32(row) => out.extend(row.iter().flat_map(|x| (x + 0.0).to_le_bytes())),
        Query::I8(row) => out.extend(row.iter().map(|&x| x as u8)),
        Query::Binary(row) => {
            out.extend_from_slice(row);
            if let (Some(last), beyond @ 1..) = (out.last_mut(), index.dim() % 8) {
                *last &= (1 << beyond) - 1;
            }
        }
    }
    Ok(())
}
