//! The bytes of an index for approximate vector search: refused, or searched within bounds.

use std::sync::LazyLock;

use roaring::RoaringBitmap;
use vector_kernel::ann::{AnnBuilder, AnnView};
use vector_kernel::{FlatIndex, Metric, QueryError, Rows, Selection};

const DIM: usize = 8;
/// A few more than are compared exactly, whatever index there is.
const COUNT: u32 = 1100;

static ROWS: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let component = |at: u32| (at.wrapping_mul(2_654_435_761) >> 16) as f32 / 32_768.0 - 1.0;
    (0..COUNT * DIM as u32).map(component).collect()
});

fn rows() -> FlatIndex<'static> {
    FlatIndex::new(Rows::F32(&ROWS), DIM, Metric::Cosine).expect("sound rows")
}

/// Indexes of the rows that are searched, by several seeds.
///
/// # Panics
///
/// When sound rows are not indexed.
#[must_use]
pub fn vector_seeds() -> Vec<Vec<u8>> {
    let build = |seed| AnnBuilder::new(rows()).and_then(|builder| builder.seed(seed).build());
    (0..3).map(|seed| build(seed).expect("sound rows")).collect()
}

/// Searches an index of these bytes in every way.
///
/// # Panics
///
/// When something is found.
pub fn search_vectors(bytes: &[u8]) {
    let Ok(view) = AnnView::new(bytes, rows()) else { return };
    let third: RoaringBitmap = (0..COUNT).filter(|row| row % 3 == 0).collect();
    let selections = [Selection::All, Selection::Except(&third), Selection::Only(&third)];
    for selection in selections {
        for (recall, k) in [(0.8, 1), (0.95, 10), (0.999, 300)] {
            match view.search(&ROWS[..DIM], k, recall, selection) {
                Ok(hits) => {
                    assert!(hits.len() <= k);
                    assert!(hits.iter().all(|hit| hit.ordinal < COUNT));
                    assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
                }
                // Bytes may name any row.
                Err(error) => assert!(matches!(error, QueryError::Ordinal { .. }), "{error}"),
            }
        }
    }
}
