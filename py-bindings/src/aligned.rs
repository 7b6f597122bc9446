//! Values that begin at a cache line.
//!
//! Rows and codes are read in registers of that width: where they lie across two lines, each is read twice.

use std::collections::TryReserveError;
use std::ops::Deref;

const LINE_BYTES: usize = 64;

/// A vector whose first value is at the beginning of a cache line, as long as it is not longer than its room.
pub(crate) struct Aligned<T> {
    values: Vec<T>,
    /// Values before the first.
    padding: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// An empty one with room for so many values.
    pub(crate) fn with_room(count: usize) -> Result<Self, TryReserveError> {
        let most = LINE_BYTES / size_of::<T>();
        let mut values: Vec<T> = Vec::new();
        values.try_reserve_exact(count.saturating_add(most))?;
        let padding = values.as_ptr().align_offset(LINE_BYTES).min(most);
        values.resize(padding, T::default());
        Ok(Self { values, padding })
    }
}

impl<T: Copy> Aligned<T> {
    pub(crate) fn extend_from_slice(&mut self, more: &[T]) {
        self.values.extend_from_slice(more);
    }
}

impl<T> Extend<T> for Aligned<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        self.values.extend(more);
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[self.padding..]
    }
}
