//! The association graph of the slice: neighbours, neighbourhoods and best paths.
//!
//! Invariant: before a search is timed, its answers are compared with those of plain loops over the
//! edges.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use benches::{Random, WordNet, size};
use criterion::Criterion;
use graph_index::paths::{PathOptions, best_paths, k_hop};
use graph_index::{Associations, Direction, Edge, GraphBuilder, GraphView, LayeredGraph};

/// Nodes, and pairs of them, that the searches take in turn.
const PICKS: usize = 256;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let slice = WordNet::slice(size(usize::MAX, 400)).expect("the repository carries the slice");
    let edges: Vec<Edge> = slice.associations.iter().map(edge).collect();
    let build = || {
        let mut builder = GraphBuilder::with_capacity(edges.len());
        builder.extend(edges.iter().copied());
        builder.finish().expect("legal edges, each once")
    };
    let bytes = build();
    let view = GraphView::parse(&bytes).expect("it was just built");
    view.check().expect("it was just built");
    let graph = LayeredGraph::from(view);
    let mut random = Random(11);
    let nodes: Vec<u32> = (0..PICKS).map(|_| edges[random.below(edges.len())].source).collect();
    let pairs: Vec<(u32, u32)> = nodes.iter().copied().zip(nodes.iter().copied().skip(1)).collect();
    let options = PathOptions { direction: Direction::Both, ..PathOptions::default() };
    let neighbours = |node| graph.neighbors_distinct(node, Direction::Outgoing, None);
    let two_hop = |node| k_hop(&graph, node, 2, Direction::Both, None, usize::MAX);
    let paths = |(from, to)| best_paths(&graph, &[from], &[to], &options).expect("legal options");

    let oracle = Oracle::new(&edges);
    for &node in &nodes {
        assert_eq!(neighbours(node), oracle.neighbours(node), "neighbours of {node}");
        let found: BTreeSet<u32> = two_hop(node).nodes.iter().map(|&(node, _)| node).collect();
        assert_eq!(found, oracle.two_hop(node), "two hops from {node}");
    }
    for &(from, to) in pairs.iter().take(32) {
        let found = paths((from, to));
        assert!(!found.budget_exhausted);
        let best = found.paths.first().map_or(0.0, |path| f64::from(path.confidence));
        let expected = oracle.best_confidence(from, to, options.max_depth);
        assert!((best - expected).abs() < 1e-5, "{from} to {to}: {best}, not {expected}");
    }

    let mut group = criterion.benchmark_group("graph");
    let mut turn = (0..nodes.len()).cycle();
    let mut next = move || turn.next().expect("a cycle has no end");
    group.bench_function("neighbours", |b| b.iter(|| neighbours(black_box(nodes[next()]))));
    group.bench_function("two hops, both ways", |b| b.iter(|| two_hop(black_box(nodes[next()]))));
    group.bench_function("five best paths of six edges, both ways", |b| {
        b.iter(|| paths(black_box(pairs[next() % pairs.len()])));
    });
    group.bench_function("build", |b| b.iter(build));
    group.finish();
    criterion.final_summary();
}

/// The table gives no confidences; these differ by type, so that paths have an order.
fn edge(&(source, target, type_id): &(u32, u32, u32)) -> Edge {
    let confidence = 0.95 - 0.02 * (type_id % 8) as f32;
    Edge { source, target, type_id, weight: 1.0, confidence }
}

/// The same edges in maps.
struct Oracle {
    out: BTreeMap<u32, BTreeSet<u32>>,
    /// Either way, with the best confidence.
    both: BTreeMap<u32, BTreeMap<u32, f64>>,
}

impl Oracle {
    fn new(edges: &[Edge]) -> Self {
        let (mut out, mut both) = (BTreeMap::new(), BTreeMap::new());
        for edge in edges {
            let targets: &mut BTreeSet<u32> = out.entry(edge.source).or_default();
            targets.insert(edge.target);
            for (from, to) in [(edge.source, edge.target), (edge.target, edge.source)] {
                let ends: &mut BTreeMap<u32, f64> = both.entry(from).or_default();
                let best = ends.entry(to).or_insert(0.0);
                *best = best.max(f64::from(edge.confidence));
            }
        }
        Self { out, both }
    }

    fn neighbours(&self, node: u32) -> Vec<u32> {
        self.out.get(&node).into_iter().flatten().copied().collect()
    }

    fn ends(&self, node: u32) -> impl Iterator<Item = (u32, f64)> {
        self.both.get(&node).into_iter().flatten().map(|(&end, &confidence)| (end, confidence))
    }

    fn two_hop(&self, node: u32) -> BTreeSet<u32> {
        let near: BTreeSet<u32> = self.ends(node).map(|(end, _)| end).collect();
        let far = near.iter().flat_map(|&near| self.ends(near)).map(|(end, _)| end);
        let mut all: BTreeSet<u32> = far.chain(near.iter().copied()).collect();
        all.remove(&node);
        all
    }

    /// The largest product of confidences over walks of at most `depth` edges, which is a path's.
    fn best_confidence(&self, from: u32, to: u32, depth: u32) -> f64 {
        if from == to {
            return 0.0; // A path has an edge and visits no node twice.
        }
        let mut best = BTreeMap::from([(from, 1.0)]);
        for _ in 0..depth {
            let mut next = best.clone();
            for (&node, &product) in &best {
                for (end, confidence) in self.ends(node) {
                    let known = next.entry(end).or_insert(0.0_f64);
                    *known = known.max(product * confidence);
                }
            }
            best = next;
        }
        best.get(&to).copied().unwrap_or(0.0)
    }
}
