//! Encodes associations from a table, maps the file, and asks it: neighbours, paths, ranks.
//!
//! ```text
//! cargo run --release -p graph-index --example associations -- associations.tsv
//! ```
//!
//! A line of the table is `source <tab> target <tab> type`, optionally with a weight and a confidence;
//! without an argument a small table of its own serves. The example does itself what a store does
//! around the crate: it gives names numbers, and keeps the file.

#![expect(clippy::print_stdout, reason = "an example shows what it finds")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::time::{Duration, Instant};

use graph_index::paths::{
    ParallelEdges, PathOptions, Reachability, best_paths, k_hop, reachable, shortest_path,
};
use graph_index::{Associations, Direction, Edge, GraphBuilder, GraphView, LayeredGraph};
use memmap2::Mmap;
use petgraph::algo::tarjan_scc;

const SMALL: &str = "dog\tmammal\tis_a\t1\t0.95\nmammal\tanimal\tis_a\t1\t0.98\n\
    dog\tbone\tlikes\t0.5\t0.7\nbone\tanimal\tpart_of\t1\t0.9\ncat\tmammal\tis_a\t1\t0.95\n";

/// Names and their numbers, in order of appearance.
#[derive(Default)]
struct Names {
    numbers: BTreeMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }
}

#[expect(unsafe_code, reason = "mapping the file just written")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the file has no name, so nobody else writes or truncates it while it is mapped; a map is
    // at least page-aligned, fully initialised and shared read-only.
    unsafe { Mmap::map(file) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let table = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read_to_string(path)?,
        None => SMALL.to_owned(),
    };
    let (mut nodes, mut types) = (Names::default(), Names::default());
    // A table may say a thing twice, a graph may not: the last line counts.
    let mut edges = BTreeMap::new();
    for line in table.lines() {
        let mut fields = line.split('\t');
        let mut field = || fields.next().ok_or("a line needs source, target and type");
        let (source, target) = (nodes.number(field()?), nodes.number(field()?));
        let type_id = types.number(field()?);
        let weight = fields.next().map_or(Ok(1.0), str::parse)?;
        // A table without confidences gets ones that differ by type, so that paths have an order.
        let by_type = 0.95 - 0.02 * (type_id % 8) as f32;
        let confidence = fields.next().map_or(Ok(by_type), str::parse)?;
        let edge = Edge { source, target, type_id, weight, confidence };
        edges.insert(edge.key(), edge);
    }
    let mut builder = GraphBuilder::with_capacity(edges.len());
    builder.extend(edges.into_values());
    let start = Instant::now();
    let bytes = builder.finish()?;
    let built = start.elapsed();

    let mut file = tempfile::tempfile()?;
    std::io::Write::write_all(&mut file, &bytes)?;
    let map = map(&file)?;
    let view = GraphView::parse(&map)?;
    view.check()?;
    println!(
        "{} edges, {} nodes, {} bytes, encoded in {built:?}",
        view.edge_count(),
        view.node_count(),
        map.len()
    );

    let graph = LayeredGraph::from(view);
    let mut pick = 0_u64;
    let mut random = || {
        pick = pick.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((pick >> 33) % nodes.names.len() as u64) as u32
    };
    let pairs: Vec<(u32, u32)> = (0..200).map(|_| (random(), random())).collect();
    // Once round to bring the map into memory.
    for &(node, _) in &pairs {
        black_box(graph.neighbors_distinct(node, Direction::Both, None));
    }
    let many: Vec<u32> = (0..200_000).map(|_| random()).collect();
    let start = Instant::now();
    let mut found = 0;
    for &node in &many {
        found += black_box(graph.neighbors_distinct(node, Direction::Outgoing, None)).len();
    }
    println!("out-neighbours: {:?} a node, {found} found", start.elapsed() / many.len() as u32);

    for depth in [2, 3] {
        measure(&format!("{depth}-hop"), &pairs, |source, _| {
            k_hop(&graph, source, depth, Direction::Outgoing, None, usize::MAX).nodes.len()
        });
    }
    for direction in [Direction::Outgoing, Direction::Both] {
        let options = PathOptions { direction, ..PathOptions::default() };
        measure(&format!("shortest path, {direction:?}"), &pairs, |source, target| {
            let found = shortest_path(&graph, source, target, &options);
            found.map_or(0, |found| found.paths.len())
        });
        measure(&format!("reachable, {direction:?}"), &pairs, |source, target| {
            let found = reachable(&graph, source, target, &options);
            usize::from(found == Ok(Reachability::Reachable))
        });
        measure(&format!("5 best paths, depth 6, {direction:?}"), &pairs, |source, target| {
            let found = best_paths(&graph, &[source], &[target], &options);
            found.map_or(0, |found| found.paths.len())
        });
    }
    // Random pairs are mostly far apart; these have a path of at most five edges.
    let near = pairs.iter().filter_map(|&(source, choice)| {
        let around = k_hop(&graph, source, 5, Direction::Both, None, 20_000).nodes;
        Some((source, around.get(choice as usize % around.len().max(1))?.0))
    });
    let near: Vec<(u32, u32)> = near.collect();
    let options = PathOptions { direction: Direction::Both, ..PathOptions::default() };
    measure("shortest path, Both, near pairs", &near, |source, target| {
        let found = shortest_path(&graph, source, target, &options);
        found.map_or(0, |found| found.paths.len())
    });
    measure("5 best paths, depth 6, Both, near pairs", &near, |source, target| {
        let found = best_paths(&graph, &[source], &[target], &options);
        found.map_or(0, |found| found.paths.len())
    });
    println!("{} strongly connected components", tarjan_scc(&graph).len());

    let options = PathOptions { k: 2, parallel: ParallelEdges::Best, ..options };
    for &(source, target) in near.iter().take(3) {
        for path in best_paths(&graph, &[source], &[target], &options)?.paths {
            let mut line = nodes.names[path.nodes[0] as usize].clone();
            for (&node, edge) in path.nodes[1..].iter().zip(&path.edges) {
                let type_name = &types.names[edge.edge.type_id as usize];
                let arrow = if edge.forward { ("-", "->") } else { ("<-", "-") };
                let name = &nodes.names[node as usize];
                write!(line, " {}{type_name}{} {name}", arrow.0, arrow.1)?;
            }
            println!("{:.3}  {line}", path.confidence);
        }
    }
    Ok(())
}

/// Times a question over all pairs and prints the median, the 95th percentile and the worst.
fn measure(name: &str, pairs: &[(u32, u32)], mut ask: impl FnMut(u32, u32) -> usize) {
    let mut times: Vec<Duration> = Vec::with_capacity(pairs.len());
    let mut found = 0;
    for &(source, target) in pairs {
        let start = Instant::now();
        found += black_box(ask(source, target));
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{name}: median {:?}, p95 {:?}, worst {:?}, {found} found", at(50), at(95), at(100));
}
