//! Encoding and reading one graph, against a `BTreeMap` of the same edges.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::encode;
use graph_index::{
    BuildError, Edge, EdgeError, EdgeKey, EdgeRef, FormatError, GraphBuilder, GraphView,
    RESERVED_NODE, Side,
};
use proptest::prelude::*;

const EDGE: Edge = Edge { source: 1, target: 2, type_id: 3, weight: 1.5, confidence: 0.5 };

fn edge_ref(id: usize, edge: &Edge) -> EdgeRef {
    let &Edge { source, target, type_id, weight, confidence } = edge;
    EdgeRef { id: id as u32, source, target, type_id, weight, confidence }
}

/// Everything a view answers, compared with the edges it was built from.
fn assert_view_is(view: &GraphView<'_>, edges: &BTreeMap<EdgeKey, Edge>) {
    let all: Vec<EdgeRef> =
        edges.values().enumerate().map(|(id, edge)| edge_ref(id, edge)).collect();
    assert_eq!(view.check(), Ok(()));
    assert_eq!(view.edge_count() as usize, all.len());
    assert_eq!(view.edges().collect::<Vec<_>>(), all);
    for edge in &all {
        assert_eq!(view.edge(edge.id), Some(*edge));
        assert_eq!(view.find(edge.source, edge.target, edge.type_id), Some(edge.id));
        assert_eq!(edges[&edge.key()], edge.edge());
    }
    assert_eq!(view.edge(all.len() as u32), None);
    let nodes: BTreeSet<u32> = all.iter().flat_map(|edge| [edge.source, edge.target]).collect();
    assert_eq!(view.node_count() as usize, nodes.len());
    assert_eq!(view.node_bound(), nodes.last().map_or(0, |last| last + 1));
    let beside = nodes.iter().flat_map(|&node| [node.wrapping_sub(1), node, node + 1]);
    for node in beside.chain([0, RESERVED_NODE]) {
        let leaving: Vec<_> = all.iter().filter(|edge| edge.source == node).copied().collect();
        assert_eq!(view.out_edges(node).collect::<Vec<_>>(), leaving);
        let mut entering: Vec<_> = all.iter().filter(|edge| edge.target == node).copied().collect();
        entering.sort_by_key(|edge| (edge.source, edge.type_id));
        assert_eq!(view.in_edges(node).collect::<Vec<_>>(), entering);
        let key = (node, node, u32::MAX);
        assert_eq!(view.find(key.0, key.1, key.2).is_some(), edges.contains_key(&key));
    }
}

/// Edges over a dense range, a sparse one, and one that has both ends of the numbers.
fn edges() -> impl Strategy<Value = BTreeMap<EdgeKey, Edge>> {
    let number =
        prop_oneof![0..12_u32, (0..2000_u32).prop_map(|n| n * 1_000_003), Just(u32::MAX - 1)];
    let edge = (number.clone(), number, 0..3_u32, -1e30_f32..1e30, 0.0_f32..=1.0);
    prop::collection::vec(edge, 0..60).prop_map(|edges| {
        let edges = edges.into_iter().map(|(source, target, type_id, weight, confidence)| Edge {
            source,
            target,
            type_id,
            weight,
            confidence,
        });
        edges.map(|edge| (edge.key(), edge)).collect()
    })
}

proptest! {
    #[test]
    fn view_answers_as_the_edges_it_was_built_from(edges in edges(), shift in 0_usize..8) {
        let bytes = encode(edges.values());
        assert_view_is(&GraphView::parse(&bytes).unwrap(), &edges);
        // No alignment is asked for.
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(&bytes);
        assert_view_is(&GraphView::parse(&shifted[shift..]).unwrap(), &edges);
    }

    #[test]
    fn bytes_do_not_depend_on_the_order_of_pushing(edges in edges(), seed: u64) {
        let mut random = common::Random(seed);
        let mut shuffled: Vec<&Edge> = edges.values().collect();
        for last in (1..shuffled.len()).rev() {
            shuffled.swap(last, random.below(last as u32 + 1) as usize);
        }
        prop_assert_eq!(encode(shuffled), encode(edges.values()));
    }
}

#[test]
fn empty_graph_is_a_header_and_two_offsets() {
    let bytes = GraphBuilder::new().finish().unwrap();
    assert_eq!(bytes.len(), 64 + 8 + 8);
    assert_view_is(&GraphView::parse(&bytes).unwrap(), &BTreeMap::new());
}

#[test]
fn dense_nodes_take_a_range_and_sparse_ones_a_list() {
    let at = |source| Edge { source, ..EDGE };
    let dense = encode(&[at(10), at(11), at(26)]);
    assert_eq!(dense[12], 0);
    let sparse = encode(&[at(10), at(11), at(1000)]);
    assert_eq!(sparse[12], 1);
    // One target: a range of one on the in-side, in both.
    assert_eq!(dense.len(), 64 + 2 * 3 * 16 + 18 * 4 + 8);
    assert_eq!(sparse.len(), 64 + 2 * 3 * 16 + 4 * 4 + 4 * 4 + 8);
}

#[test]
fn edge_pushed_twice_is_refused_with_its_key() {
    let mut builder = GraphBuilder::with_capacity(3);
    builder.extend([EDGE, Edge { type_id: 4, ..EDGE }, Edge { weight: 9.0, ..EDGE }]);
    assert_eq!(builder.len(), 3);
    assert!(!builder.is_empty());
    assert_eq!(builder.finish(), Err(BuildError::Duplicate { key: (1, 2, 3) }));
}

#[test]
fn edges_that_are_not_legal_are_refused() {
    let refused = |edge: Edge| {
        let mut builder = GraphBuilder::new();
        builder.push(edge);
        match builder.finish() {
            Err(BuildError::Edge(error)) => error,
            other => panic!("{edge:?} gave {other:?}"),
        }
    };
    for weight in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(matches!(refused(Edge { weight, ..EDGE }), EdgeError::Weight { .. }));
    }
    for confidence in [f32::NAN, -0.001, 1.001, f32::INFINITY] {
        assert!(matches!(refused(Edge { confidence, ..EDGE }), EdgeError::Confidence { .. }));
    }
    let error = EdgeError::ReservedNode { key: (RESERVED_NODE, 2, 3) };
    assert_eq!(refused(Edge { source: RESERVED_NODE, ..EDGE }), error);
    assert_eq!(
        error.to_string(),
        "edge (4294967295, 2, 3) uses the reserved node number 4294967295"
    );
    assert!(matches!(
        refused(Edge { target: RESERVED_NODE, ..EDGE }),
        EdgeError::ReservedNode { .. }
    ));
}

#[test]
fn header_says_what_is_wrong_with_it() {
    let bytes = encode(&[EDGE]);
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        GraphView::parse(&bytes).map(|view| view.edge_count()).unwrap_err()
    };
    assert_eq!(GraphView::parse(&bytes[..63]).unwrap_err(), FormatError::TooShort { found: 63 });
    assert!(matches!(with(0, b'X'), FormatError::Magic { .. }));
    assert_eq!(with(8, 2), FormatError::Version { found: 2 });
    assert_eq!(with(12, 4), FormatError::Header { field: "flags", found: 4 });
    assert_eq!(with(44, 1), FormatError::Header { field: "reserved", found: 1 });
    assert_eq!(with(56, 1), FormatError::Header { field: "padding", found: 1 });
    let found = bytes.len();
    assert_eq!(with(16, 2), FormatError::Length { expected: found as u64 + 32, found });
    assert!(matches!(with(48, 0), FormatError::Length { .. }));
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(GraphView::parse(&longer), Err(FormatError::Length { .. })));
    let mut overflowing = bytes.clone();
    overflowing[28..32].copy_from_slice(&[0xFF; 4]);
    assert!(matches!(
        GraphView::parse(&overflowing),
        Err(FormatError::Header { field: "out_first", .. })
    ));
}

/// Every word of the interior, changed, is found by `check`, unless it is a weight, which may hold any
/// finite number, or padding, which nobody reads.
#[test]
fn check_finds_changes_to_the_interior() {
    let padding = 64 + 2 * 3 * 16 + 4 * 4 + 3 * 4;
    for (sources, padding) in [([5, 6, 9], None), ([5, 6, 900], Some(padding))] {
        let edges: Vec<Edge> = sources.iter().map(|&source| Edge { source, ..EDGE }).collect();
        let bytes = encode(&edges);
        for at in (64..bytes.len()).step_by(4) {
            let mut changed = bytes.clone();
            changed[at + 2] ^= 0x40;
            let verdict = GraphView::parse(&changed).and_then(|view| view.check());
            let is_weight = (64..64 + 3 * 16).contains(&at) && (at - 64) % 16 == 12;
            if is_weight || Some(at) == padding {
                assert_eq!(verdict, Ok(()));
            } else {
                assert!(matches!(verdict, Err(FormatError::Interior { .. })), "{at}: {verdict:?}");
            }
        }
    }
}

proptest! {
    /// With garbage in all bytes but the header and those that were checked, the answers are the same.
    #[test]
    fn checked_reads_read_what_they_had_checked_and_nothing_else(
        seed in any::<u64>(),
        spread in prop_oneof![Just(1_u32), Just(7), Just(100)],
        tries in 0_u32..200,
    ) {
        let mut random = common::Random(seed);
        let numbers: Vec<u32> = (0..40).map(|at| 5 + at * spread).collect();
        let model = common::random_model(&mut random, &numbers, 3, tries);
        let bytes = encode(model.values());
        let view = GraphView::parse(&bytes).expect("just encoded");
        let garbled = |ranges: &[std::ops::Range<usize>]| {
            let mut garbled: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
            let header = 0..GraphView::PARSED_BYTES;
            for range in ranges.iter().cloned().chain(std::iter::once(header)) {
                garbled[range.clone()].copy_from_slice(&bytes[range]);
            }
            garbled
        };
        let keys = model.keys().copied().chain([(5, 5, 9), (6, 5, 0), (0, 1, 2), (u32::MAX, 0, 0)]);
        for (source, target, type_id) in keys {
            let mut ranges = Vec::new();
            let note = |range| {
                ranges.push(range);
                Ok::<_, ()>(())
            };
            let found = view.find_checked(source, target, type_id, note);
            prop_assert_eq!(found, Ok(view.find(source, target, type_id)));
            let garbled = garbled(&ranges);
            let view = GraphView::parse(&garbled).expect("its header is sound");
            prop_assert_eq!(view.find_checked(source, target, type_id, |_| Ok(())), found);
            let refused = view.find_checked(source, target, type_id, |_| Err(()));
            prop_assert_eq!(refused.is_err(), !ranges.is_empty());
        }
        for node in numbers.iter().flat_map(|&node| [node, node + 1]).chain([0, u32::MAX]) {
            for side in [Side::Out, Side::In] {
                let mut ranges = Vec::new();
                let note = |range| {
                    ranges.push(range);
                    Ok::<_, ()>(())
                };
                let found = view.edges_checked(node, side, note);
                let edges = match side {
                    Side::Out => view.out_edges(node),
                    Side::In => view.in_edges(node),
                };
                let other = |edge: EdgeRef| match side {
                    Side::Out => edge.target,
                    Side::In => edge.source,
                };
                let expected = edges.map(|edge| (edge.id, other(edge))).collect();
                prop_assert_eq!(&found, &Ok(expected));
                let garbled = garbled(&ranges);
                let view = GraphView::parse(&garbled).expect("its header is sound");
                prop_assert_eq!(view.edges_checked(node, side, |_| Ok::<_, ()>(())), found);
            }
        }
    }
}
