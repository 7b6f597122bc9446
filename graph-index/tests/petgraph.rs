//! petgraph's own algorithms over memory-mapped layers, overlays and compact copies, compared with the
//! same graph built in `petgraph::Graph`.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::RandomState;
use std::path::Path;

use common::{Model, Random, random_model, spread};
use graph_index::visit::Visited;
use graph_index::{
    Associations, CompactGraph, EdgeId, EdgeWeight, GraphView, Layer, LayeredGraph, LiveEdge,
    Overlay, Weighted,
};
use memmap2::Mmap;
use petgraph::algo::{
    all_simple_paths, astar, bellman_ford, bidirectional_dijkstra, connected_components, dijkstra,
    dinics, floyd_warshall, has_path_connecting, is_cyclic_directed, johnson, k_shortest_path,
    kosaraju_scc, page_rank, spfa, tarjan_scc, toposort,
};
use petgraph::data::DataMap;
use petgraph::graph::{Graph, NodeIndex};
use petgraph::visit::{
    Bfs, Data, Dfs, EdgeCount, EdgeIndexable, EdgeRef, GraphProp, IntoEdgeReferences,
    IntoEdgesDirected, IntoNeighborsDirected, IntoNodeIdentifiers, IntoNodeReferences,
    NodeCompactIndexable, NodeCount, NodeIndexable, NodeRef, Reversed, VisitMap, Visitable,
};
use roaring::RoaringBitmap;

/// The model in petgraph's own graph, and where each number is in it.
struct Reference {
    graph: Graph<u32, EdgeWeight>,
    numbers: Vec<u32>,
}

impl Reference {
    fn new(model: &Model, lone: &RoaringBitmap) -> Self {
        let ends = model.keys().flat_map(|&(source, target, _)| [source, target]);
        let numbers: Vec<u32> = Vec::from_iter(ends.chain(lone).collect::<BTreeSet<_>>());
        let mut graph = Graph::new();
        for &number in &numbers {
            graph.add_node(number);
        }
        let mut reference = Self { graph, numbers };
        for edge in model.values() {
            let [source, target] = [edge.source, edge.target].map(|number| reference.at(number));
            let (type_id, weight, confidence) = (edge.type_id, edge.weight, edge.confidence);
            reference.graph.add_edge(source, target, EdgeWeight { type_id, weight, confidence });
        }
        reference
    }

    fn at(&self, number: u32) -> NodeIndex {
        NodeIndex::new(self.numbers.binary_search(&number).expect("a known number"))
    }

    fn number(&self, node: NodeIndex) -> u32 {
        self.graph[node]
    }
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items = Vec::from_iter(items);
    items.sort();
    items
}

fn components(sets: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
    sorted(sets.into_iter().map(sorted))
}

fn plain(edge: impl EdgeRef<NodeId = u32, Weight = EdgeWeight>) -> (u32, u32, u32, u32) {
    let weight = edge.weight();
    (edge.source(), edge.target(), weight.type_id, weight.weight.to_bits())
}

fn length(weight: &EdgeWeight) -> f32 {
    weight.weight
}

/// Traits and algorithms that run over store numbers.
fn compare<G>(graph: G, reference: &Reference)
where
    G: IntoEdgesDirected<NodeId = u32, EdgeId = EdgeId, EdgeRef = LiveEdge>
        + IntoNodeReferences
        + NodeCount
        + EdgeCount
        + NodeIndexable
        + EdgeIndexable
        + Visitable<Map = Visited>
        + GraphProp
        + Data<EdgeWeight = EdgeWeight, NodeWeight = ()>,
{
    let known = &reference.graph;
    assert!(graph.is_directed());
    assert_eq!(graph.node_count(), known.node_count());
    assert_eq!(graph.edge_count(), known.edge_count());
    assert_eq!(graph.node_identifiers().collect::<Vec<_>>(), reference.numbers);
    assert!(graph.node_references().map(|node| node.id()).eq(graph.node_identifiers()));
    let mut indices = BTreeSet::new();
    for edge in graph.edge_references() {
        let index = EdgeIndexable::to_index(&graph, edge.id());
        assert!(index < graph.edge_bound() && indices.insert(index));
        assert!(EdgeIndexable::from_index(&graph, index) == edge.id());
    }
    for &node in &reference.numbers {
        let index = NodeIndexable::to_index(&graph, node);
        assert!(index < graph.node_bound());
        assert_eq!(NodeIndexable::from_index(&graph, index), node);
        for direction in [petgraph::Outgoing, petgraph::Incoming] {
            let at = reference.at(node);
            let numbers = known.neighbors_directed(at, direction).map(|at| reference.number(at));
            assert_eq!(
                graph.neighbors_directed(node, direction).collect::<Vec<_>>(),
                sorted(numbers)
            );
            let edges = known.edges_directed(at, direction).map(|edge| {
                let [source, target] = [edge.source(), edge.target()].map(|at| known[at]);
                (source, target, edge.weight().type_id, edge.weight().weight.to_bits())
            });
            assert_eq!(sorted(graph.edges_directed(node, direction).map(plain)), sorted(edges));
        }
        assert!(graph.neighbors(node).eq(graph.edges(node).map(|edge| edge.target())));
    }

    let ours = components(tarjan_scc(graph));
    let as_numbers = |sets: Vec<Vec<NodeIndex>>| {
        components(
            sets.into_iter().map(|set| set.into_iter().map(|at| known[at]).collect()).collect(),
        )
    };
    assert_eq!(ours, as_numbers(tarjan_scc(known)));
    assert_eq!(components(kosaraju_scc(graph)), ours);
    assert_eq!(is_cyclic_directed(graph), is_cyclic_directed(known));
    match toposort(graph, None) {
        Err(_) => assert!(toposort(known, None).is_err()),
        Ok(order) => {
            assert_eq!(sorted(order.clone()), reference.numbers);
            let place: BTreeMap<u32, usize> =
                order.into_iter().enumerate().map(|(place, node)| (node, place)).collect();
            assert!(graph.edge_references().all(|edge| place[&edge.source] < place[&edge.target]));
        }
    }

    for &source in reference.numbers.iter().take(4) {
        let at = reference.at(source);
        let distances = dijkstra(graph, source, None, |edge| length(edge.weight()));
        let expected: BTreeMap<u32, f32> = dijkstra(known, at, None, |edge| length(edge.weight()))
            .into_iter()
            .map(|(at, distance)| (known[at], distance))
            .collect();
        assert_eq!(distances.into_iter().collect::<BTreeMap<_, _>>(), expected);
        let spfa = spfa(graph, source, |edge| length(edge.weight())).expect("no negative cycle");
        for &target in &reference.numbers {
            let distance = expected.get(&target).copied();
            let found = spfa.distances[NodeIndexable::to_index(&graph, target)];
            assert_eq!((found < f32::MAX).then_some(found), distance);
            let cost = |edge: LiveEdge| length(edge.weight());
            let route = astar(graph, source, |node| node == target, cost, |_| 0.0);
            assert_eq!(route.map(|(cost, _)| cost), distance);
            let theirs = bidirectional_dijkstra(known, at, reference.at(target), |edge| {
                length(edge.weight())
            });
            assert_eq!(bidirectional_dijkstra(graph, source, target, cost), theirs);
            assert_eq!(has_path_connecting(graph, source, target, None), distance.is_some());
            let to = reference.at(target);
            let ours =
                all_simple_paths::<Vec<u32>, _, RandomState>(graph, source, target, 0, Some(2));
            let theirs = all_simple_paths::<Vec<_>, _, RandomState>(known, at, to, 0, Some(2));
            let numbers = |path: Vec<NodeIndex>| path.into_iter().map(|at| known[at]).collect();
            assert_eq!(sorted(ours), sorted::<Vec<u32>>(theirs.map(numbers)));
        }
        let mut seen = BTreeSet::new();
        let mut walk = Dfs::new(graph, source);
        while let Some(node) = walk.next(graph) {
            seen.insert(node);
        }
        assert!(seen.iter().eq(expected.keys()));
        let mut bfs = Bfs::new(Reversed(graph), source);
        let mut back = BTreeSet::new();
        while let Some(node) = bfs.next(Reversed(graph)) {
            back.insert(node);
        }
        let reaching = reference
            .numbers
            .iter()
            .filter(|&&node| has_path_connecting(graph, node, source, None));
        assert!(back.iter().eq(reaching));
        let mut map = graph.visit_map();
        assert!(map.visit(source));
        graph.reset_map(&mut map);
        assert!(!map.is_visited(&source));
    }
}

/// `bellman_ford` and its kin want bare numbers for weights.
fn compare_weighted<G: Associations>(graph: &G, reference: &Reference) {
    let lengths = reference.graph.map(|_, &number| number, |_, weight| weight.weight);
    let weighted = Weighted(graph);
    for &source in reference.numbers.iter().take(4) {
        let ours = bellman_ford(weighted, source).expect("no negative cycle");
        let theirs = bellman_ford(&lengths, reference.at(source)).expect("no negative cycle");
        for &target in &reference.numbers {
            let ours = ours.distances[weighted.to_index(target)];
            let theirs = theirs.distances[reference.at(target).index()];
            assert_eq!(ours.to_bits(), theirs.to_bits());
        }
    }
    let edges =
        weighted.edge_references().map(|edge| (edge.source(), edge.target(), *edge.weight()));
    let known = graph.live_edges().map(|edge| (edge.source, edge.target, edge.weight.weight));
    assert!(edges.eq(known));
    assert!(weighted.node_identifiers().eq(reference.numbers.iter().copied()));
    assert_eq!(weighted.node_count(), reference.numbers.len());
}

/// Algorithms that index arrays by node.
fn compare_compact<G: Associations>(graph: &G, reference: &Reference) {
    fn is_compact(_: impl NodeCompactIndexable) {}
    let compact = CompactGraph::new(graph);
    is_compact(&compact);
    let known = &reference.graph;
    for (index, &number) in (0..).zip(&reference.numbers) {
        assert_eq!((compact.number(index), compact.index(number)), (number, Some(index)));
        assert!(
            compact.neighbors_directed(index, petgraph::Incoming).eq(sorted(
                known.neighbors_directed(NodeIndex::new(index as usize), petgraph::Incoming)
            )
            .into_iter()
            .map(|at| at.index() as u32))
        );
        assert_eq!(compact.node_weight(index), Some(&()));
    }
    assert_eq!(compact.index(u32::MAX), None);
    assert_eq!(connected_components(&compact), connected_components(known));
    let ours: Vec<f64> = page_rank(&compact, 0.85, 30);
    let theirs: Vec<f64> = page_rank(known, 0.85, 30);
    assert!(ours.iter().zip(&theirs).all(|(ours, theirs)| (ours - theirs).abs() < 1e-12));
    let by_index = |ours: BTreeMap<(u32, u32), f32>,
                    theirs: BTreeMap<(NodeIndex, NodeIndex), f32>| {
        let theirs = theirs.into_iter();
        assert!(ours.into_iter().eq(theirs.map(|((from, to), distance)| {
            ((from.index() as u32, to.index() as u32), distance)
        })));
    };
    by_index(
        floyd_warshall(&compact, |edge| length(edge.weight()))
            .expect("no negative cycle")
            .into_iter()
            .collect(),
        floyd_warshall(known, |edge| length(edge.weight()))
            .expect("no negative cycle")
            .into_iter()
            .collect(),
    );
    by_index(
        johnson(&compact, |edge| length(edge.weight()))
            .expect("no negative cycle")
            .into_iter()
            .collect(),
        johnson(known, |edge| length(edge.weight()))
            .expect("no negative cycle")
            .into_iter()
            .collect(),
    );
    assert!(tarjan_scc(&compact).len() == tarjan_scc(known).len());

    let capacities = CompactGraph::from_fn(graph, |edge| (edge.weight.weight * 4.0) as u32);
    let known_capacities = known.map(|_, _| (), |_, weight| (weight.weight * 4.0) as u32);
    let last = reference.numbers.len() - 1;
    if last > 0 {
        let (flow, flows) = dinics(&capacities, 0, last as u32);
        assert_eq!(flow, dinics(&known_capacities, NodeIndex::new(0), NodeIndex::new(last)).0);
        for edge in capacities.edge_references() {
            let index = EdgeIndexable::to_index(&capacities, edge.id());
            assert!(flows[index] <= edge.weight);
            assert_eq!(capacities.edge_weight(edge.id()), Some(&edge.weight));
        }
    }
    for second in [1, 2] {
        let ours = k_shortest_path(&compact, 0, None, second, |edge| length(edge.weight()));
        let theirs =
            k_shortest_path(known, NodeIndex::new(0), None, second, |edge| length(edge.weight()));
        let theirs: BTreeMap<u32, f32> =
            theirs.into_iter().map(|(at, distance)| (at.index() as u32, distance)).collect();
        assert_eq!(ours.into_iter().collect::<BTreeMap<_, _>>(), theirs);
    }
}

#[expect(unsafe_code, reason = "mapping a file, as a store does")]
fn map(path: &Path) -> Mmap {
    let file = File::open(path).expect("just written");
    // SAFETY: the file is in this test's own folder, is not written again and not truncated while it
    // is mapped; a map is at least page-aligned, fully initialised and shared read-only.
    unsafe { Mmap::map(&file) }.expect("a file that is not empty can be mapped")
}

/// A random graph: plain, without cycles, or sparse over large numbers.
fn graph_of_round(random: &mut Random, round: u64) -> Model {
    let spacing = if round % 4 == 3 { 211 } else { 1 + random.below(3) };
    let numbers: Vec<u32> = (0..2 + random.below(9)).map(|n| n * spacing).collect();
    let tries = random.below(40);
    let mut model = random_model(random, &numbers, 4, tries);
    if round.is_multiple_of(3) {
        model.retain(|&(source, target, _), _| source < target);
    }
    model
}

#[test]
fn algorithms_over_mapped_layers_agree_with_petgraph() {
    let folder = tempfile::tempdir().expect("a folder for the maps");
    let mut random = Random(21);
    for round in 0..60 {
        let model = graph_of_round(&mut random, round);
        let parts = spread(&mut random, &model, 1 + (round % 3) as usize);
        let maps: Vec<(Mmap, &RoaringBitmap)> = parts
            .iter()
            .enumerate()
            .map(|(number, (bytes, dead))| {
                let path = folder.path().join(format!("{round}-{number}"));
                std::fs::write(&path, bytes).expect("the folder takes files");
                (map(&path), dead)
            })
            .collect();
        let layers = maps.iter().map(|(map, dead)| Layer {
            view: GraphView::parse(map).expect("as the builder wrote it"),
            dead_edges: Some(dead),
        });
        let lone = RoaringBitmap::from([0, 5]);
        let graph = LayeredGraph::with_nodes(layers.collect(), &lone);
        let reference = Reference::new(&model, &lone);
        compare(&graph, &reference);
        compare_weighted(&graph, &reference);
        compare_compact(&graph, &reference);
    }
}

#[test]
fn algorithms_over_an_overlay_agree_with_petgraph() {
    let mut random = Random(22);
    for round in 0..60 {
        let base = graph_of_round(&mut random, round);
        let mut model = graph_of_round(&mut random, round);
        // Some edges stay as they are below.
        model.extend(base.iter().step_by(3).map(|(&key, &edge)| (key, edge)));
        if round.is_multiple_of(3) {
            model.retain(|&(source, target, _), _| source < target);
        }
        let parts = spread(&mut random, &base, 2);
        let layers = parts.iter().map(|(bytes, dead)| Layer {
            view: GraphView::parse(bytes).expect("as the builder wrote it"),
            dead_edges: Some(dead),
        });
        let mut graph = Overlay::new(LayeredGraph::new(layers.collect()));
        for &(source, target, type_id) in base.keys().filter(|key| !model.contains_key(key)) {
            assert!(graph.remove_edge(source, target, type_id));
        }
        for (key, &edge) in &model {
            if base.get(key) != Some(&edge) {
                graph.put_edge(edge).expect("legal");
            }
        }
        graph.add_node(7);
        let reference = Reference::new(&model, &RoaringBitmap::from([7]));
        compare(&graph, &reference);
        compare_weighted(&graph, &reference);
        compare_compact(&graph, &reference);
    }
}
