//! Groups of rows that pairs connect, by union and find.
//!
//! Invariant: a group's root is its lowest member, so that groups don't depend on the order of pairs.

use std::sync::{Mutex, PoisonError};

use super::{
    Pair,
    tiles::{Sink, compare_all},
};
use crate::{FlatIndex, QueryError, Selection};

/// Returns the groups that `pairs` connect: two rows are in one group when a chain of pairs leads from
/// one to the other, so those at its ends may be far apart.
///
/// Members ascend, and groups ascend by their first. A row in no pair is in no group.
///
/// ```
/// use vector_kernel::duplicates::{Pair, groups_of};
///
/// let pair = |first, second| Pair { first, second, score: 1.0 };
/// assert_eq!(groups_of(&[pair(7, 9), pair(0, 3), pair(3, 7), pair(4, 5)]), [
///     vec![0, 3, 7, 9],
///     vec![4, 5],
/// ]);
/// ```
///
/// # Complexity
///
/// A sort of the pairs' ordinals, and nearly linear else; memory for 8 bytes a row named.
#[must_use]
pub fn groups_of(pairs: &[Pair]) -> Vec<Vec<u32>> {
    let mut named: Vec<u32> = pairs.iter().flat_map(|pair| [pair.first, pair.second]).collect();
    named.sort_unstable();
    named.dedup();
    let place = |ordinal| named.partition_point(|&other| other < ordinal);
    let mut union = Union::new(named.len());
    for pair in pairs {
        union.connect(place(pair.first) as u32, place(pair.second) as u32);
    }
    let mut groups = union.groups();
    for place in groups.iter_mut().flatten() {
        *place = named[*place as usize];
    }
    groups
}

/// Returns what [`groups_of`] gives for [`near_duplicates`](super::near_duplicates), without keeping the
/// pairs.
///
/// ```
/// use vector_kernel::duplicates::near_duplicate_groups;
/// use vector_kernel::{FlatIndex, Metric, Rows, Selection};
///
/// let rows = [0.0, 5.0, 0.4, 0.8, 9.0];
/// let index = FlatIndex::new(Rows::F32(&rows), 1, Metric::Euclidean)?;
/// assert_eq!(near_duplicate_groups(&index, -0.5, Selection::All)?, [[0, 2, 3]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`near_duplicates`](super::near_duplicates).
///
/// # Complexity
///
/// n²/2 scores for n selected rows; memory for 12 bytes a row, however many pairs there are.
pub fn near_duplicate_groups(
    index: &FlatIndex<'_>,
    threshold: f32,
    selection: Selection<'_>,
) -> Result<Vec<Vec<u32>>, QueryError> {
    let union = Mutex::new(Union::new(index.len()));
    compare_all(index, threshold, selection, || Connect { union: &union, pending: Vec::new() })?
        .flush();
    // Only a panic that is on its way to the caller can have poisoned it.
    Ok(union.into_inner().unwrap_or_else(PoisonError::into_inner).groups())
}

/// Pairs that a sink has before it takes the lock.
const PENDING: usize = 4096;

/// Connects what it is given in groups that all threads share.
struct Connect<'a> {
    union: &'a Mutex<Union>,
    pending: Vec<(u32, u32)>,
}

impl Connect<'_> {
    fn flush(&mut self) {
        let mut union = self.union.lock().unwrap_or_else(PoisonError::into_inner);
        for (a, b) in self.pending.drain(..) {
            union.connect(a, b);
        }
    }
}

impl Sink for Connect<'_> {
    fn floor(&self) -> f32 {
        f32::NEG_INFINITY
    }

    fn put(&mut self, first: u32, second: u32, _: f32) {
        self.pending.push((first, second));
        if self.pending.len() == PENDING {
            self.flush();
        }
    }

    fn join(self, mut other: Self) -> Self {
        other.flush();
        self
    }
}

/// Disjoint sets of `0..len`.
pub(super) struct Union {
    /// Never above the place itself, which is its own parent if it is a root.
    parents: Vec<u32>,
}

impl Union {
    pub(super) fn new(len: usize) -> Self {
        Self { parents: (0..len as u32).collect() }
    }

    fn root(&mut self, mut at: u32) -> u32 {
        while self.parents[at as usize] != at {
            // Each step halves the path for the next who comes.
            let above = self.parents[self.parents[at as usize] as usize];
            self.parents[at as usize] = above;
            at = above;
        }
        at
    }

    pub(super) fn connect(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    /// The sets of more than one.
    pub(super) fn groups(mut self) -> Vec<Vec<u32>> {
        let mut groups: Vec<Vec<u32>> = Vec::new();
        // Where the group of a root is; a root comes before its members.
        let mut places = vec![u32::MAX; self.parents.len()];
        for at in 0..self.parents.len() as u32 {
            let root = self.root(at);
            if root == at {
                continue;
            }
            let place = &mut places[root as usize];
            if *place == u32::MAX {
                *place = groups.len() as u32;
                groups.push(vec![root]);
            }
            groups[*place as usize].push(at);
        }
        // They came by their second members.
        groups.sort_unstable_by_key(|group| group[0]);
        groups
    }
}
