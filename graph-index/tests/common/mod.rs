//! Seeded random graphs, and the ways of spreading one over layers that the tests share.
//!
//! Invariant: the same seed gives the same graph.

#![allow(dead_code, reason = "each test binary uses its share")]

use std::collections::BTreeMap;

use graph_index::{Edge, EdgeKey, GraphBuilder};
use roaring::RoaringBitmap;

/// A small generator (splitmix64), so that a seed means the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        (self.next() % u64::from(bound)) as u32
    }
}

/// The live edges of a graph, by key.
pub(crate) type Model = BTreeMap<EdgeKey, Edge>;

/// `tries` random edges over `numbers`, with self loops and up to `types` types between one pair.
/// Weights are small positive multiples of a quarter, confidences of an eighth.
pub(crate) fn random_model(random: &mut Random, numbers: &[u32], types: u32, tries: u32) -> Model {
    let mut model = Model::new();
    for _ in 0..tries {
        let edge = Edge {
            source: numbers[random.below(numbers.len() as u32) as usize],
            target: numbers[random.below(numbers.len() as u32) as usize],
            type_id: random.below(types),
            weight: (1 + random.below(16)) as f32 / 4.0,
            confidence: random.below(9) as f32 / 8.0,
        };
        model.insert(edge.key(), edge);
    }
    model
}

pub(crate) fn encode<'e>(edges: impl IntoIterator<Item = &'e Edge>) -> Vec<u8> {
    let mut builder = GraphBuilder::new();
    builder.extend(edges.into_iter().copied());
    builder.finish().expect("the edges are legal and distinct")
}

/// Layers whose live union is `model`: each edge is live in one, and some stand dead, and different,
/// in others; some edges are dead everywhere.
pub(crate) fn spread(
    random: &mut Random,
    model: &Model,
    layers: usize,
) -> Vec<(Vec<u8>, RoaringBitmap)> {
    let mut parts: Vec<BTreeMap<EdgeKey, (Edge, bool)>> = vec![BTreeMap::new(); layers];
    for (&key, &edge) in model {
        parts[random.below(layers as u32) as usize].insert(key, (edge, true));
        let other = &mut parts[random.below(layers as u32) as usize];
        if random.below(3) == 0 {
            other.entry(key).or_insert((Edge { weight: -99.0, ..edge }, false));
        }
        let gone = Edge { type_id: edge.type_id + 1000, ..edge };
        if random.below(4) == 0 {
            let part = &mut parts[random.below(layers as u32) as usize];
            part.insert(gone.key(), (gone, false));
        }
    }
    parts
        .iter()
        .map(|part| {
            let bytes = encode(part.values().map(|(edge, _)| edge));
            let dead = (0..).zip(part.values()).filter(|(_, (_, live))| !live);
            (bytes, dead.map(|(id, _)| id).collect())
        })
        .collect()
}
