//! Path search against exhaustive search on small random graphs.

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::{Model, Random, random_model, spread};
use graph_index::paths::{
    KHop, ParallelEdges, Path, PathError, PathOptions, PathResult, Reachability, best_paths, k_hop,
    reachable, shortest_path,
};
use graph_index::{
    Associations, Direction, Edge, GraphView, Layer, LayeredGraph, Overlay, RESERVED_NODE,
};

/// What orders paths: cost, edges, nodes, types, and whether edges are taken backwards.
type Key = (u64, usize, Vec<u32>, Vec<u32>, Vec<bool>);

const EVERYTHING: u64 = u64::MAX;

fn cost(confidence: f32) -> u64 {
    (-f64::from(confidence).ln() * 2_f64.powi(40)).round() as u64
}

/// `(to, type, backwards, cost)` of every step that may be taken from a node.
fn steps(model: &Model, node: u32, options: &PathOptions) -> Vec<(u32, u32, bool, u64)> {
    let mut steps = Vec::new();
    for edge in model.values() {
        let wanted = options.types.as_ref().is_none_or(|types| types.contains(&edge.type_id))
            && edge.confidence > 0.0
            && edge.confidence >= options.min_confidence;
        let cost = cost(edge.confidence);
        if wanted && edge.source == node && options.direction != Direction::Incoming {
            steps.push((edge.target, edge.type_id, false, cost));
        }
        if wanted && edge.target == node && options.direction != Direction::Outgoing {
            steps.push((edge.source, edge.type_id, true, cost));
        }
    }
    steps
}

/// All simple paths by depth-first search, in order.
fn exhaustive(model: &Model, from: &[u32], to: &[u32], options: &PathOptions) -> Vec<Key> {
    fn extend(
        model: &Model,
        to: &[u32],
        options: &PathOptions,
        path: &mut Key,
        found: &mut Vec<Key>,
    ) {
        let node = path.2[path.2.len() - 1];
        if path.1 > 0 && to.contains(&node) {
            found.push(path.clone());
        }
        if path.1 == options.max_depth as usize {
            return;
        }
        for (next, type_id, backwards, cost) in steps(model, node, options) {
            if path.2.contains(&next) {
                continue;
            }
            path.0 += cost;
            path.1 += 1;
            path.2.push(next);
            path.3.push(type_id);
            path.4.push(backwards);
            extend(model, to, options, path, found);
            path.0 -= cost;
            path.1 -= 1;
            path.2.pop();
            path.3.pop();
            path.4.pop();
        }
    }
    let mut found = Vec::new();
    for &source in from.iter().collect::<BTreeSet<_>>() {
        let mut path = (0, 0, vec![source], Vec::new(), Vec::new());
        extend(model, to, options, &mut path, &mut found);
    }
    found.sort();
    if options.parallel == ParallelEdges::Best {
        // The first of those that visit the same nodes is the best of them.
        let mut visited = BTreeSet::new();
        found.retain(|path| visited.insert(path.2.clone()));
    }
    found
}

/// The key of a path, after checking that it is one.
fn key(path: &Path, model: &Model) -> Key {
    assert_eq!(path.nodes.len(), path.edges.len() + 1);
    let mut product = 1.0;
    for (ends, edge) in path.nodes.windows(2).zip(&path.edges) {
        let (source, target) = if edge.forward { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
        assert_eq!(model[&(source, target, edge.edge.type_id)], edge.edge.edge());
        product *= f64::from(edge.edge.confidence);
    }
    assert_eq!(path.confidence.to_bits(), (product as f32).to_bits());
    (
        path.edges.iter().map(|edge| cost(edge.edge.confidence)).sum(),
        path.edges.len(),
        path.nodes.clone(),
        path.edges.iter().map(|edge| edge.edge.type_id).collect(),
        path.edges.iter().map(|edge| !edge.forward).collect(),
    )
}

fn keys(result: &PathResult, model: &Model) -> Vec<Key> {
    assert!(!result.budget_exhausted);
    result.paths.iter().map(|path| key(path, model)).collect()
}

fn pick(random: &mut Random, numbers: &[u32], most: u32) -> Vec<u32> {
    let count = 1 + random.below(most);
    (0..count).map(|_| numbers[random.below(numbers.len() as u32) as usize]).collect()
}

fn random_options(random: &mut Random) -> PathOptions {
    PathOptions {
        k: 1 + random.below(12) as usize,
        max_depth: random.below(7),
        direction: [Direction::Outgoing, Direction::Incoming, Direction::Both]
            [random.below(3) as usize],
        types: (random.below(3) == 0).then(|| vec![2, 0]),
        min_confidence: [0.0, 0.0, 0.3, 0.5][random.below(4) as usize],
        parallel: [ParallelEdges::Each, ParallelEdges::Best][random.below(2) as usize],
        max_visited_edges: EVERYTHING,
    }
}

#[test]
fn best_paths_are_those_of_exhaustive_search() {
    let mut random = Random(1);
    let mut longest = 0;
    let mut paths_compared = 0;
    for round in 0..1500 {
        let numbers: Vec<u32> = (0..3 + random.below(7)).map(|n| n * 37 + 5).collect();
        let tries = 2 + random.below(26);
        let mut model = random_model(&mut random, &numbers, 3, tries);
        if round % 3 == 0 {
            // Ties everywhere: what is left to decide are lengths, nodes and types.
            for edge in model.values_mut() {
                edge.confidence = 0.5;
            }
        }
        let layers = 1 + random.below(3) as usize;
        let parts = spread(&mut random, &model, layers);
        let graph = LayeredGraph::new(
            parts
                .iter()
                .map(|(bytes, dead)| Layer {
                    view: GraphView::parse(bytes).unwrap(),
                    dead_edges: Some(dead),
                })
                .collect(),
        );
        let options = random_options(&mut random);
        let sources = pick(&mut random, &numbers, 3);
        let targets = pick(&mut random, &numbers, 3);
        let mut expected = exhaustive(&model, &sources, &targets, &options);
        expected.truncate(options.k);
        let found = best_paths(&graph, &sources, &targets, &options).unwrap();
        assert_eq!(keys(&found, &model), expected, "{round}: {sources:?} {targets:?} {options:?}");
        longest = expected.iter().map(|path| path.1).fold(longest, usize::max);
        paths_compared += expected.len();

        let mut overlay = Overlay::new(LayeredGraph::default());
        for edge in model.values() {
            overlay.put_edge(*edge).unwrap();
        }
        let over = best_paths(&overlay, &sources, &targets, &options).unwrap();
        assert_eq!(keys(&over, &model), expected);
        assert_eq!(over.visited_edges, found.visited_edges, "layering never shows");
    }
    assert_eq!(longest, 6);
    assert!(paths_compared > 2000, "{paths_compared}");
}

#[test]
fn every_simple_path_comes_out_once_when_k_is_large() {
    let mut random = Random(2);
    for _ in 0..60 {
        let numbers: Vec<u32> = (0..6).collect();
        let model = random_model(&mut random, &numbers, 2, 18);
        let graph = overlay_of(&model);
        let options = PathOptions {
            k: usize::MAX,
            max_depth: 5,
            direction: Direction::Both,
            max_visited_edges: EVERYTHING,
            ..PathOptions::default()
        };
        let found = best_paths(&graph, &[0, 1], &[1, 2, 3], &options).unwrap();
        assert_eq!(keys(&found, &model), exhaustive(&model, &[0, 1], &[1, 2, 3], &options));
    }
}

#[test]
fn shortest_path_is_the_first_of_the_shortest() {
    let mut random = Random(3);
    let mut found_some = 0;
    for round in 0..1500 {
        let numbers: Vec<u32> = (0..3 + random.below(8)).map(|n| n * 37 + 5).collect();
        let tries = 2 + random.below(24);
        let model = random_model(&mut random, &numbers, 3, tries);
        let graph = overlay_of(&model);
        let options = random_options(&mut random);
        let [source, target] = [0, 1].map(|_| pick(&mut random, &numbers, 1)[0]);
        let every = PathOptions { parallel: ParallelEdges::Each, ..options.clone() };
        let mut expected = exhaustive(&model, &[source], &[target], &every);
        expected.sort_by_key(|path| (path.1, path.2.clone(), path.3.clone(), path.4.clone()));
        expected.truncate(1);
        let found = shortest_path(&graph, source, target, &options).unwrap();
        assert_eq!(keys(&found, &model), expected, "{round}: {source} {target} {options:?}");
        let way = if source == target || !expected.is_empty() {
            Reachability::Reachable
        } else {
            Reachability::Unreachable
        };
        assert_eq!(reachable(&graph, source, target, &options), Ok(way));
        found_some += expected.len();
    }
    assert!(found_some > 300, "{found_some}");
}

#[test]
fn k_hop_is_breadth_first_search() {
    let mut random = Random(4);
    for _ in 0..500 {
        let numbers: Vec<u32> = (0..4 + random.below(20)).map(|n| n * 3).collect();
        let tries = random.below(60);
        let model = random_model(&mut random, &numbers, 3, tries);
        let graph = overlay_of(&model);
        let PathOptions { max_depth, direction, types, .. } = random_options(&mut random);
        let any = PathOptions { direction, types: types.clone(), ..PathOptions::default() };
        let node = numbers[0];
        // Confidence doesn't count here, so the oracle's edges are all fully believed.
        let mut believed = model.clone();
        for edge in believed.values_mut() {
            edge.confidence = 1.0;
        }
        let mut depths = BTreeMap::from([(node, 0)]);
        let mut queue = VecDeque::from([node]);
        while let Some(at) = queue.pop_front() {
            for (next, ..) in steps(&believed, at, &any) {
                if depths[&at] < max_depth && !depths.contains_key(&next) {
                    depths.insert(next, depths[&at] + 1);
                    queue.push_back(next);
                }
            }
        }
        depths.remove(&node);
        let mut expected: Vec<(u32, u32)> = depths.into_iter().collect();
        expected.sort_by_key(|&(node, depth)| (depth, node));
        let types = types.as_deref();
        let whole = k_hop(&graph, node, max_depth, direction, types, usize::MAX);
        assert_eq!(whole, KHop { nodes: expected.clone(), truncated: false });

        let limit = random.below(8) as usize;
        let cut = k_hop(&graph, node, max_depth, direction, types, limit);
        assert_eq!(cut.truncated, expected.len() > limit);
        expected.truncate(limit);
        assert_eq!(cut.nodes, expected);
    }
}

#[test]
fn budget_ends_a_search_with_what_is_certain() {
    let mut random = Random(5);
    let numbers: Vec<u32> = (0..40).collect();
    let model = random_model(&mut random, &numbers, 2, 200);
    let graph = overlay_of(&model);
    let whole = PathOptions { max_visited_edges: EVERYTHING, ..PathOptions::default() };
    let all = best_paths(&graph, &[0], &[1], &whole).unwrap();
    assert_eq!(all.paths.len(), 5);
    let mut some = false;
    for max_visited_edges in 0..all.visited_edges {
        let options = PathOptions { max_visited_edges, ..whole.clone() };
        let cut = best_paths(&graph, &[0], &[1], &options).unwrap();
        assert!(cut.budget_exhausted);
        assert!(cut.visited_edges <= max_visited_edges);
        assert!(cut.paths.len() <= 5);
        // Whatever depth was reached, the paths are its best ones.
        let reached = (0..=6).any(|max_depth| {
            let shallow = PathOptions { max_depth, ..whole.clone() };
            let best = best_paths(&graph, &[0], &[1], &shallow).unwrap().paths;
            best.starts_with(&cut.paths)
        });
        assert!(reached);
        some |= !cut.paths.is_empty() && cut.paths.len() < 5;
    }
    assert!(some);
    let enough = PathOptions { max_visited_edges: all.visited_edges, ..whole };
    assert_eq!(best_paths(&graph, &[0], &[1], &enough).unwrap(), all);
    let nothing = PathOptions { max_visited_edges: 0, ..enough };
    assert_eq!(reachable(&graph, 0, 1, &nothing), Ok(Reachability::Unknown));
    assert!(shortest_path(&graph, 0, 1, &nothing).unwrap().budget_exhausted);
}

#[test]
fn long_chain_is_crossed_by_shortest_path_and_refused_by_best_paths() {
    let mut graph = Overlay::new(LayeredGraph::default());
    for source in 0..10_000 {
        let target = source + 1;
        graph.put_edge(Edge { source, target, type_id: 0, weight: 1.0, confidence: 0.9 }).unwrap();
    }
    let options = PathOptions { max_depth: u32::MAX, ..PathOptions::default() };
    let found = shortest_path(&graph, 0, 10_000, &options).unwrap();
    assert_eq!(found.paths[0].nodes, (0..=10_000).collect::<Vec<_>>());
    assert_eq!(reachable(&graph, 0, 10_000, &options), Ok(Reachability::Reachable));
    assert_eq!(reachable(&graph, 10_000, 0, &options), Ok(Reachability::Unreachable));
    let error = best_paths(&graph, &[0], &[9], &options).unwrap_err();
    assert_eq!(error, PathError::MaxDepth { found: u32::MAX });
    let options = PathOptions { max_depth: 64, ..options };
    assert_eq!(best_paths(&graph, &[0], &[64], &options).unwrap().paths.len(), 1);
    assert_eq!(best_paths(&graph, &[0], &[65], &options).unwrap().paths.len(), 0);
}

#[test]
fn least_confidence_that_is_none_is_refused() {
    let graph = LayeredGraph::default();
    for min_confidence in [f32::NAN, -0.1, 1.1] {
        let options = PathOptions { min_confidence, ..PathOptions::default() };
        let refused = |error| matches!(error, PathError::MinConfidence { .. });
        assert!(refused(best_paths(&graph, &[0], &[1], &options).unwrap_err()));
        assert!(refused(shortest_path(&graph, 0, 1, &options).unwrap_err()));
        assert!(refused(reachable(&graph, 0, 1, &options).unwrap_err()));
    }
}

#[test]
fn unknown_and_empty_ends_give_no_path() {
    let graph = overlay_of(&random_model(&mut Random(6), &[0, 1, 2], 1, 9));
    let options = PathOptions::default();
    for (sources, targets) in
        [(&[][..], &[1][..]), (&[1], &[]), (&[77], &[1]), (&[1], &[RESERVED_NODE]), (&[1], &[1])]
    {
        let found = best_paths(&graph, sources, targets, &options).unwrap();
        assert_eq!((found.paths.len(), found.budget_exhausted), (0, false));
    }
    let none = PathOptions { k: 0, ..options };
    assert_eq!(best_paths(&graph, &[0], &[1], &none), Ok(PathResult::default()));
}

fn overlay_of(model: &Model) -> Overlay<'static> {
    let mut graph = Overlay::new(LayeredGraph::default());
    for edge in model.values() {
        graph.put_edge(*edge).expect("legal");
    }
    assert_eq!(graph.live_edge_count(), model.len());
    graph
}
