//! The BM25 formula, in one place: every score of this crate comes from `term_score`.
//!
//! Invariant: a document's score depends only on its own term frequencies and length, the shared
//! statistics and the order of the query's terms; never on how documents are spread over indexes.

/// Statistics of a whole collection, summed over the parts that make it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CollectionStats {
    /// Documents, those without any term included.
    pub doc_count: u64,
    /// Sum of the documents' lengths, in terms.
    pub total_length: u64,
}

impl CollectionStats {
    /// Mean document length in terms; 0 for an empty collection.
    #[must_use]
    pub fn average_length(&self) -> f32 {
        if self.doc_count == 0 {
            0.0
        } else {
            (self.total_length as f64 / self.doc_count as f64) as f32
        }
    }
}

impl std::ops::AddAssign for CollectionStats {
    fn add_assign(&mut self, other: Self) {
        self.doc_count += other.doc_count;
        self.total_length += other.total_length;
    }
}

/// BM25 in the form that Lucene uses (and the Python package bm25s calls `method="lucene"`), with
/// exact document lengths.
///
/// A term adds `idf * tf / (tf + k1 * (1 - b + b * length / average_length))`, where
/// `idf = ln(1 + (N - df + 0.5) / (df + 0.5))`.
///
/// `k1` is meant to be finite and not negative, `b` in `[0, 1]`; other values are brought into
/// these ranges (NaN to the default) when a search begins.
///
/// Robertson and Zaragoza, *The Probabilistic Relevance Framework: BM25 and Beyond*, 2009.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bm25 {
    /// How soon repeated occurrences stop adding to the score. Default 1.2.
    pub k1: f32,
    /// How much long documents are held back, 0 (not) to 1 (fully). Default 0.75.
    pub b: f32,
}

impl Default for Bm25 {
    fn default() -> Self {
        Self { k1: 1.2, b: 0.75 }
    }
}

impl Bm25 {
    /// Weight of a term that `df` of `doc_count` documents contain; at least 0.
    ///
    /// A `df` above `doc_count` counts as `doc_count`.
    #[must_use]
    pub fn idf(doc_count: u64, df: u64) -> f32 {
        let df = df.min(doc_count) as f64;
        (1.0 + (doc_count as f64 - df + 0.5) / (df + 0.5)).ln() as f32
    }

    /// The length part of the formula for one query.
    pub(crate) fn norm(self, average_length: f32) -> LengthNorm {
        let default = Self::default();
        let k1 = if self.k1.is_nan() { default.k1 } else { self.k1.clamp(0.0, f32::MAX) };
        let b = if self.b.is_nan() { default.b } else { self.b.clamp(0.0, 1.0) };
        let slope = k1 * b / average_length;
        if average_length > 0.0 && slope.is_finite() {
            LengthNorm { base: k1 * (1.0 - b), slope }
        } else {
            LengthNorm { base: k1, slope: 0.0 }
        }
    }
}

/// `k1 * (1 - b + b * length / average_length)` as `base + slope * length`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LengthNorm {
    base: f32,
    slope: f32,
}

impl LengthNorm {
    #[inline]
    pub(crate) fn of(self, length: u32) -> f32 {
        self.base + self.slope * length as f32
    }
}

/// The score of one term in one document. All arithmetic is f32, in this order.
#[inline]
pub(crate) fn term_score(idf: f32, tf: u32, norm: f32) -> f32 {
    let tf = tf as f32;
    idf * (tf / (tf + norm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idf_falls_with_df_and_is_never_negative() {
        let mut last = f32::INFINITY;
        for df in 0..=100 {
            let idf = Bm25::idf(100, df);
            assert!(idf > 0.0 && idf < last, "df {df}: {idf}");
            last = idf;
        }
        assert_eq!(Bm25::idf(10, 11).to_bits(), Bm25::idf(10, 10).to_bits());
    }

    #[test]
    fn strange_parameters_still_give_finite_scores() {
        for k1 in [f32::NAN, -1.0, 0.0, f32::INFINITY, 1e-30] {
            for b in [f32::NAN, -1.0, 0.0, 2.0] {
                for average in [f32::NAN, -1.0, 0.0, 1e-38, 1.0, f32::INFINITY] {
                    let norm = Bm25 { k1, b }.norm(average);
                    for (tf, length) in [(1, 1), (1, u32::MAX), (u32::MAX, u32::MAX)] {
                        let score = term_score(1.0, tf, norm.of(length));
                        assert!((0.0..=1.0).contains(&score), "{k1} {b} {average}: {score}");
                    }
                }
            }
        }
    }
}
