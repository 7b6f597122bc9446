//! Layers and overlays against a `BTreeMap` of the edges that are to be live.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Model, Random, encode, random_model, spread};
use graph_index::{
    Associations, Direction, Edge, EdgeError, EdgeId, GraphView, Layer, LayeredGraph, LiveEdge,
    Overlay, Put, RESERVED_NODE, Side,
};
use proptest::prelude::*;
use roaring::RoaringBitmap;

fn layers(parts: &[(Vec<u8>, RoaringBitmap)]) -> Vec<Layer<'_>> {
    parts
        .iter()
        .map(|(bytes, dead)| Layer {
            view: GraphView::parse(bytes).expect("encoded by the builder"),
            dead_edges: Some(dead),
        })
        .collect()
}

/// Everything the trait answers, compared with the edges and lone nodes it is to have.
fn assert_is(graph: &impl Associations, model: &Model, lone: &BTreeSet<u32>) {
    let all: Vec<LiveEdge> = graph.live_edges().collect();
    assert_eq!(
        all.iter().map(LiveEdge::edge).collect::<Vec<_>>(),
        model.values().copied().collect::<Vec<_>>()
    );
    assert_eq!(graph.live_edge_count(), model.len());
    for edge in &all {
        assert_eq!(graph.live_edge(edge.id), Some(*edge));
        assert_eq!(graph.find_edge(edge.source, edge.target, edge.weight.type_id), Some(edge.id));
    }
    let mut nodes: BTreeSet<u32> =
        model.keys().flat_map(|&(source, target, _)| [source, target]).collect();
    nodes.extend(lone);
    assert_eq!(graph.known_nodes().iter().collect::<Vec<_>>(), Vec::from_iter(nodes.clone()));
    assert!(nodes.last().is_none_or(|&last| last < graph.number_bound()));
    for node in nodes.iter().flat_map(|&node| [node, node + 1]) {
        assert_eq!(graph.is_known(node), nodes.contains(&node));
        let leaving: Vec<LiveEdge> =
            all.iter().filter(|edge| edge.source == node).copied().collect();
        let mut entering: Vec<LiveEdge> =
            all.iter().filter(|edge| edge.target == node).copied().collect();
        entering.sort_by_key(|edge| (edge.source, edge.weight.type_id));
        assert_eq!(graph.out_edges(node).collect::<Vec<_>>(), leaving);
        assert_eq!(graph.in_edges(node).collect::<Vec<_>>(), entering);
        for types in [None, Some(&[1_u32, 2][..]), Some(&[])] {
            let wanted =
                |edge: &&LiveEdge| types.is_none_or(|types| types.contains(&edge.weight.type_id));
            let after: BTreeSet<u32> =
                leaving.iter().filter(wanted).map(|edge| edge.target).collect();
            let before: BTreeSet<u32> =
                entering.iter().filter(wanted).map(|edge| edge.source).collect();
            for (direction, expected) in [
                (Direction::Outgoing, after.clone()),
                (Direction::Incoming, before.clone()),
                (Direction::Both, &after | &before),
            ] {
                let found = graph.neighbors_distinct(node, direction, types);
                assert_eq!(found, Vec::from_iter(expected));
            }
        }
    }
}

#[test]
fn layers_read_as_their_live_union() {
    let mut random = Random(11);
    for round in 0..300 {
        let numbers: Vec<u32> = (0..=random.below(12)).map(|n| n * 9).collect();
        let tries = random.below(60);
        let model = random_model(&mut random, &numbers, 4, tries);
        let parts = spread(&mut random, &model, 1 + round % 5);
        assert_is(&LayeredGraph::new(layers(&parts)), &model, &BTreeSet::new());
        let lone = RoaringBitmap::from([3, 18, 1_000_000]);
        let with_nodes = LayeredGraph::with_nodes(layers(&parts), &lone);
        assert_is(&with_nodes, &model, &lone.iter().collect());
    }
}

#[test]
fn layering_never_shows_in_the_order_of_hops() {
    let mut random = Random(12);
    let numbers: Vec<u32> = (0..10).collect();
    let model = random_model(&mut random, &numbers, 4, 80);
    let whole = encode(model.values());
    let whole = LayeredGraph::from(GraphView::parse(&whole).unwrap());
    for count in 1..6 {
        let parts = spread(&mut random, &model, count);
        let graph = LayeredGraph::new(layers(&parts));
        for (node, side) in numbers.iter().flat_map(|&node| [(node, Side::Out), (node, Side::In)]) {
            let plain = |graph: &LayeredGraph<'_>| {
                let hops = graph.hops(node, side);
                hops.map(|hop| (hop.neighbor, hop.type_id, hop.confidence)).collect::<Vec<_>>()
            };
            assert_eq!(plain(&graph), plain(&whole));
        }
    }
}

#[test]
fn dead_ids_beyond_the_edges_count_for_nothing() {
    let bytes = encode(&[Edge { source: 1, target: 2, type_id: 0, weight: 1.0, confidence: 1.0 }]);
    let view = GraphView::parse(&bytes).unwrap();
    let dead = RoaringBitmap::from([1, 500]);
    let graph = LayeredGraph::new(vec![Layer { view, dead_edges: Some(&dead) }]);
    assert_eq!(graph.live_edge_count(), 1);
    assert_eq!(graph.live_edge(EdgeId { layer: 0, edge: 1 }), None);
    assert_eq!(graph.live_edge(EdgeId { layer: 1, edge: 0 }), None);
    assert_eq!(graph.live_edge(EdgeId { layer: EdgeId::OVERLAY, edge: 0 }), None);
}

#[derive(Debug, Clone)]
enum Change {
    Put(Edge),
    Remove(u32, u32, u32),
    AddNode(u32),
    RemoveNode(u32),
}

fn change() -> impl Strategy<Value = Change> {
    let key = || (0..8_u32, 0..8_u32, 0..3_u32);
    prop_oneof![
        4 => (key(), -9.0_f32..9.0, 0.0_f32..=1.0).prop_map(
            |((source, target, type_id), weight, confidence)| {
                Change::Put(Edge { source, target, type_id, weight, confidence })
            }
        ),
        3 => key().prop_map(|(source, target, type_id)| Change::Remove(source, target, type_id)),
        1 => (0..12_u32).prop_map(Change::AddNode),
        1 => (0..12_u32).prop_map(Change::RemoveNode),
    ]
}

proptest! {
    #[test]
    fn overlay_reads_as_the_changes_made(
        seed: u64,
        changes in prop::collection::vec(change(), 0..40),
    ) {
        let mut random = Random(seed);
        let numbers: Vec<u32> = (0..8).collect();
        let base = random_model(&mut random, &numbers, 3, 20);
        let parts = spread(&mut random, &base, 2);
        let explicit = RoaringBitmap::from([2, 9, 10]);
        let mut graph = Overlay::new(LayeredGraph::with_nodes(layers(&parts), &explicit));
        let (mut model, mut lone): (Model, BTreeSet<u32>) = (base, explicit.iter().collect());
        assert_is(&graph, &model, &lone);
        for change in changes {
            match change {
                Change::Put(edge) => {
                    let put = if model.insert(edge.key(), edge).is_some() { Put::Updated } else { Put::Added };
                    prop_assert_eq!(graph.put_edge(edge), Ok(put));
                }
                Change::Remove(source, target, type_id) => {
                    let was = model.remove(&(source, target, type_id)).is_some();
                    prop_assert_eq!(graph.remove_edge(source, target, type_id), was);
                }
                Change::AddNode(node) => {
                    graph.add_node(node);
                    lone.insert(node);
                }
                Change::RemoveNode(node) => {
                    let before = model.len();
                    model.retain(|key, _| key.0 != node && key.1 != node);
                    lone.remove(&node);
                    prop_assert_eq!(graph.remove_node(node), before - model.len());
                }
            }
            assert_is(&graph, &model, &lone);
        }
    }
}

#[test]
fn overlay_refuses_what_no_graph_may_hold_and_stays_as_it_was() {
    let edge = Edge { source: 1, target: 2, type_id: 0, weight: 1.0, confidence: 0.5 };
    let mut graph = Overlay::new(LayeredGraph::default());
    graph.put_edge(edge).unwrap();
    for bad in [
        Edge { weight: f32::NAN, ..edge },
        Edge { confidence: 2.0, ..edge },
        Edge { target: RESERVED_NODE, ..edge },
    ] {
        let refused: Result<Put, EdgeError> = graph.put_edge(bad);
        assert!(refused.is_err());
    }
    assert_is(&graph, &BTreeMap::from([(edge.key(), edge)]), &BTreeSet::new());
}

#[test]
fn superseded_overlay_edge_is_gone_by_its_old_id() {
    let edge = Edge { source: 1, target: 2, type_id: 0, weight: 1.0, confidence: 0.5 };
    let mut graph = Overlay::new(LayeredGraph::default());
    graph.put_edge(edge).unwrap();
    let old = graph.find_edge(1, 2, 0).unwrap();
    graph.put_edge(Edge { weight: 2.0, ..edge }).unwrap();
    assert_eq!(graph.live_edge(old), None);
    assert_eq!(graph.base().live_edge_count(), 0);
}
