//! The bytes of a graph: refused, or walked within bounds.

use graph_index::paths::{PathOptions, best_paths, k_hop, reachable, shortest_path};
use graph_index::{
    Associations, CompactGraph, Direction, Edge, EdgeId, GraphBuilder, GraphView, Layer,
    LayeredGraph, Overlay, RESERVED_NODE,
};
use roaring::RoaringBitmap;

/// Sound graphs: empty, dense, and with numbers far apart.
///
/// # Panics
///
/// When a sound graph is not taken as one.
#[must_use]
pub fn graph_seeds() -> Vec<Vec<u8>> {
    let seeds: Vec<Vec<u8>> =
        [(0, 1), (5, 1), (60, 1), (60, 1000)].map(|(edges, apart)| graph(edges, apart)).into();
    for bytes in &seeds {
        let view = GraphView::parse(bytes).expect("just built");
        view.check().expect("just built");
    }
    seeds
}

fn graph(edges: u32, apart: u32) -> Vec<u8> {
    let mut builder = GraphBuilder::new();
    for at in 0..edges {
        let (source, target) = (at % 12 * apart, at * 7 % 13 * apart);
        let confidence = (at % 10) as f32 / 10.0;
        builder.push(Edge { source, target, type_id: at % 3, weight: 1.0, confidence });
    }
    builder.finish().expect("sound edges")
}

/// Walks a graph of these bytes in every way.
///
/// # Panics
///
/// When something is found.
pub fn read_graph(bytes: &[u8]) {
    let Ok(view) = GraphView::parse(bytes) else { return };
    let (edge_count, sound) = (view.edge_count(), view.check().is_ok());
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
    let mut numbers = vec![0, 1, 7, view.node_bound(), u32::MAX - 1, RESERVED_NODE];
    numbers.extend(edges.iter().take(20).flat_map(|edge| [edge.source, edge.target]));
    for &node in &numbers {
        for row in [view.out_edges(node), view.in_edges(node)] {
            let ids: Vec<u32> = row.map(|edge| edge.id).collect();
            assert!(ids.len() <= edge_count as usize);
            assert!(ids.iter().all(|&id| id < edge_count));
        }
    }
    let dead = RoaringBitmap::from([0, 3, 1_000_000]);
    let layer = |dead_edges| Layer { view, dead_edges };
    let graph = LayeredGraph::new(vec![layer(Some(&dead)), layer(None)]);
    walk(&graph, &numbers, 2 * edge_count as usize);
    let mut overlay = Overlay::new(graph);
    for &node in numbers.iter().take(4) {
        let edge = Edge { source: node, target: 5, type_id: 0, weight: 0.0, confidence: 0.5 };
        let _refused = overlay.put_edge(edge);
        overlay.remove_edge(5, node, 1);
    }
    walk(&overlay, &numbers, 2 * edge_count as usize + 4);
}

fn walk<G: Associations>(graph: &G, numbers: &[u32], most: usize) {
    let _compact = CompactGraph::new(graph);
    assert!(graph.live_edges().count() <= most);
    assert!(graph.known_nodes().len() <= 2 * most as u64);
    let options = PathOptions {
        direction: Direction::Both,
        max_depth: 5,
        k: 4,
        max_visited_edges: 500,
        ..PathOptions::default()
    };
    for ends in numbers.windows(2).take(10) {
        let (source, target) = (ends[0], ends[1]);
        assert!(graph.neighbors_distinct(source, Direction::Both, None).len() <= 2 * most);
        let _edge = graph.find_edge(source, target, 0);
        let _edge = graph.live_edge(EdgeId { layer: 1, edge: source });
        if let Ok(found) = best_paths(graph, &[source], &[target], &options) {
            assert!(found.paths.len() <= 4 && found.visited_edges <= 500);
        }
        if let Ok(found) = shortest_path(graph, source, target, &options) {
            assert!(found.paths.iter().all(|path| path.edges.len() <= 5));
        }
        let _found = reachable(graph, source, target, &options);
        assert!(k_hop(graph, source, 3, Direction::Both, None, 20).nodes.len() <= 20);
    }
}
