//! The best k of a stream of scored keys, in one total order.
//!
//! Invariant: what is kept depends only on the set of pairs pushed, never on their order, so parts
//! searched in any order by any number of threads merge to the same answer.

use std::{cmp::Ordering, collections::BinaryHeap};

/// One result of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Position of the row in the index.
    pub ordinal: u32,
    /// Similarity to the query; larger is better, see [`Metric`](crate::Metric).
    pub score: f32,
}

/// Keeps the `k` best of the pairs pushed: highest score first, equal scores by ascending key.
///
/// The key is an ordinal, or something that orders the parts of a search, such as
/// `(segment, ordinal)`. A push that doesn't make the cut costs one comparison; [`TopK::threshold`]
/// lets a loop skip even the call. NaN compares with nothing, so it is never kept.
///
/// ```
/// use vector_kernel::TopK;
///
/// let mut best = TopK::new(2);
/// for (score, key) in [(0.5, (0, 7)), (0.9, (1, 3)), (0.5, (0, 2))] {
///     best.push(score, key);
/// }
/// assert_eq!(best.into_sorted(), [((1, 3), 0.9), ((0, 2), 0.5)]);
/// ```
#[derive(Clone, Debug)]
pub struct TopK<K = u32> {
    k: usize,
    /// The worst entry kept is the greatest, hence on top.
    heap: BinaryHeap<Entry<K>>,
}

impl<K: Ord + Copy> TopK<K> {
    /// An empty collection that will keep at most `k` pairs. Memory grows with what is kept.
    #[must_use]
    pub const fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::new() }
    }

    /// Offers a pair, and says whether it is kept until better ones come.
    #[inline]
    pub fn push(&mut self, score: f32, key: K) -> bool {
        if score.is_nan() {
            return false;
        }
        // Adding zero turns -0 into +0, which `total_cmp` would tell apart.
        let entry = Entry { score: score + 0.0, key };
        if self.heap.len() < self.k {
            self.heap.push(entry);
            return true;
        }
        match self.heap.peek_mut() {
            Some(mut worst) if entry < *worst => {
                *worst = entry;
                true
            }
            _ => false,
        }
    }

    /// The score below which a push is in vain: `-inf` while fewer than `k` are kept.
    ///
    /// A pair of exactly this score is kept or not by its key.
    #[inline]
    #[must_use]
    pub fn threshold(&self) -> f32 {
        if self.heap.len() < self.k {
            return f32::NEG_INFINITY;
        }
        self.heap.peek().map_or(f32::INFINITY, |worst| worst.score)
    }

    /// Pairs kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Offers all that `other` kept.
    pub fn merge(&mut self, other: Self) {
        for Entry { score, key } in other.heap {
            self.push(score, key);
        }
    }

    /// The pairs kept, best first.
    #[must_use]
    pub fn into_sorted(self) -> Vec<(K, f32)> {
        self.heap.into_sorted_vec().into_iter().map(|entry| (entry.key, entry.score)).collect()
    }
}

impl TopK<u32> {
    /// The hits kept, best first.
    #[must_use]
    pub fn into_hits(self) -> Vec<Hit> {
        self.heap
            .into_sorted_vec()
            .into_iter()
            .map(|entry| Hit { ordinal: entry.key, score: entry.score })
            .collect()
    }
}

impl<K: Ord + Copy> Extend<(K, f32)> for TopK<K> {
    fn extend<I: IntoIterator<Item = (K, f32)>>(&mut self, pairs: I) {
        for (key, score) in pairs {
            self.push(score, key);
        }
    }
}

/// A pair ordered best first: the smallest entry is the best.
#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    score: f32,
    key: K,
}

impl<K: Ord> Ord for Entry<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| self.key.cmp(&other.key))
    }
}

impl<K: Ord> PartialOrd for Entry<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord> PartialEq for Entry<K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Ord> Eq for Entry<K> {}
