//! Wrong bytes: every accessor and search ends, stays within bounds, and gives no more than there is.

mod common;

use common::{Random, encode, random_model};
use graph_index::paths::{PathOptions, best_paths, k_hop, reachable, shortest_path};
use graph_index::visit::Visited;
use graph_index::{
    Associations, CompactGraph, Direction, Edge, EdgeId, GraphView, Layer, LayeredGraph, Overlay,
    RESERVED_NODE,
};
use petgraph::algo::{dijkstra, kosaraju_scc};
use petgraph::visit::VisitMap;
use proptest::prelude::*;
use roaring::RoaringBitmap;

/// Walks everything; the verdict of `check` is the answer.
fn walk_all(bytes: &[u8]) -> Option<bool> {
    let view = GraphView::parse(bytes).ok()?;
    let (edge_count, sound) = (view.edge_count(), view.check().is_ok());
    assert!(u64::from(edge_count) * 32 < bytes.len() as u64);
    let edges: Vec<_> = view.edges().collect();
    assert!(edges.len() <= edge_count as usize);
    if sound {
        assert_eq!(edges.len(), edge_count as usize);
        for edge in &edges {
            assert_eq!(view.find(edge.source, edge.target, edge.type_id), Some(edge.id));
            assert_eq!(view.edge(edge.id).map(|edge| edge.key()), Some(edge.key()));
            assert!(view.in_edges(edge.target).any(|entering| entering.id == edge.id));
        }
    }
    let mut numbers: Vec<u32> = vec![0, 1, 7, view.node_bound(), u32::MAX - 1, RESERVED_NODE];
    numbers.extend(edges.iter().take(40).flat_map(|edge| [edge.source, edge.target]));
    for &node in &numbers {
        assert!(view.out_edges(node).count() <= edge_count as usize);
        assert!(view.in_edges(node).count() <= edge_count as usize);
        for edge in view.out_edges(node).chain(view.in_edges(node)).take(20) {
            assert!(edge.id < edge_count);
            let found = view.find(edge.source, edge.target, edge.type_id);
            assert!(found.is_none_or(|id| id < edge_count));
        }
    }
    for id in (0..edge_count.min(50)).chain([edge_count, u32::MAX]) {
        assert!(view.edge(id).is_none_or(|edge| edge.id == id && id < edge_count));
    }

    let dead = RoaringBitmap::from([0, 3, 1_000_000]);
    let graph = LayeredGraph::new(vec![
        Layer { view, dead_edges: Some(&dead) },
        Layer { view, dead_edges: None },
    ]);
    walk_graph(&graph, &numbers, 2 * edge_count as usize);
    let mut overlay = Overlay::new(graph);
    for &node in numbers.iter().take(4) {
        let edge = Edge { source: node, target: 5, type_id: 0, weight: 0.0, confidence: 0.5 };
        assert_eq!(overlay.put_edge(edge).is_ok(), edge.validate().is_ok());
        assert_eq!(overlay.find_edge(node, 5, 0).is_some(), edge.validate().is_ok(), "{node}");
        let was_there = overlay.find_edge(5, node, 1).is_some();
        assert_eq!(overlay.remove_edge(5, node, 1), was_there);
        assert!(overlay.find_edge(5, node, 1).is_none());
    }
    walk_graph(&overlay, &numbers, 2 * edge_count as usize + 4);
    Some(sound)
}

fn walk_graph<G: Associations>(graph: &G, numbers: &[u32], most: usize) {
    let compact = CompactGraph::new(graph);
    assert!(kosaraju_scc(&compact).len() <= 2 * most);
    assert!(graph.live_edges().count() <= most);
    assert!(graph.known_nodes().len() <= 2 * most as u64);
    let options = PathOptions {
        direction: Direction::Both,
        max_depth: 5,
        k: 4,
        max_visited_edges: 2_000,
        ..PathOptions::default()
    };
    for ends in numbers.windows(2).take(12) {
        let (source, target) = (ends[0], ends[1]);
        assert!(graph.neighbors_distinct(source, Direction::Both, None).len() <= 2 * most);
        let _ = graph.find_edge(source, target, 0);
        let _ = graph.live_edge(EdgeId { layer: 1, edge: source });
        if let Ok(found) = best_paths(graph, &[source], &[target], &options) {
            assert!(found.paths.len() <= 4 && found.visited_edges <= 2_000);
        }
        if let Ok(found) = shortest_path(graph, source, target, &options) {
            assert!(found.paths.iter().all(|path| path.edges.len() <= 5));
        }
        let _ = reachable(graph, source, target, &options);
        assert!(k_hop(graph, source, 3, Direction::Both, None, 20).nodes.len() <= 20);
    }
}

fn valid(seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let spacing = [1, 100][random.below(2) as usize];
    let numbers: Vec<u32> = (0..2 + random.below(14)).map(|n| n * spacing).collect();
    let tries = random.below(60);
    encode(random_model(&mut random, &numbers, 3, tries).values())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        walk_all(&bytes);
    }

    #[test]
    fn header_of_any_numbers_never_panics(
        flags in 0..4_u32,
        counts in prop::collection::vec(prop_oneof![0..6_u32, any::<u32>()], 8),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = b"SUTRAGR\0".to_vec();
        for number in [1, flags].iter().chain(&counts[..7]) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(64 + body.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&body);
        walk_all(&bytes);
    }

    #[test]
    fn changed_bytes_never_panic(
        seed: u64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8, any::<u32>()), 1..6),
    ) {
        let mut bytes = valid(seed);
        for (at, kind, value) in changes {
            // Whole words, mostly to small numbers: those get past the bounds.
            let at = at.index(bytes.len() / 4) * 4;
            let value = match kind {
                0 => value,
                1 => u32::MAX,
                _ => value % 40,
            };
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        walk_all(&bytes);
    }
}

#[test]
fn cut_and_valid_bytes() {
    for seed in 0..40 {
        let bytes = valid(seed);
        assert_eq!(walk_all(&bytes), Some(true));
        for end in 0..bytes.len() {
            assert_eq!(walk_all(&bytes[..end]), None, "a cut graph is refused");
        }
    }
}

/// Rows that overlap would make a pass over all of them quadratic.
#[test]
fn overlapping_rows_give_each_edge_once() {
    let edges: Vec<Edge> = (0..200)
        .map(|node| Edge { source: node, target: node, type_id: 0, weight: 1.0, confidence: 1.0 })
        .collect();
    let mut bytes = encode(&edges);
    let offsets = 64 + 2 * 16 * 200;
    for row in 0..200 {
        // Every other row reaches from the first record to the last.
        let offset: u32 = if row % 2 == 0 { 0 } else { 200 };
        bytes[offsets + 4 * row..][..4].copy_from_slice(&offset.to_le_bytes());
    }
    let view = GraphView::parse(&bytes).unwrap();
    assert_eq!(view.edges().count(), 200);
    assert!(view.check().is_err());
    let graph = LayeredGraph::from(view);
    assert_eq!(graph.live_edges().count(), 200);
    let compact = CompactGraph::new(&graph);
    assert_eq!(kosaraju_scc(&compact).len(), 200);
    assert!(dijkstra(&graph, 0, None, |_| 1).len() <= 201);
}

#[test]
fn visited_nodes_cost_what_was_visited() {
    let mut visited = Visited::default();
    assert!(visited.visit(u32::MAX - 1));
    assert!(!visited.visit(u32::MAX - 1));
    assert!(visited.is_visited(&(u32::MAX - 1)));
    assert!(visited.unvisit(u32::MAX - 1));
    assert!(!visited.is_visited(&(u32::MAX - 1)));
}
