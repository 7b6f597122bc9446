//! Searches that count edges only: shortest paths, reachability, neighbourhoods.
//!
//! Invariant: levels are finished whole before the next is begun, so what is found at a level doesn't
//! depend on the order in which its edges were read.

use std::collections::{HashMap, HashSet};

use super::walk::{Exhausted, NumberHash, Step, Walk};
use super::{Path, PathError, PathOptions, PathResult, never, path_edge};
use crate::associations::{Associations, Direction};

/// A path with the fewest edges from `source` to `target`.
///
/// Among the shortest, the one with the smaller node numbers in order, then the smaller type ids, then
/// edges taken forward. Confidence decides nothing but which edges may be taken. There is no path from
/// a node to itself. [`PathOptions::k`] is not looked at, and `max_depth` may be any number.
///
/// ```
/// use graph_index::paths::{PathOptions, shortest_path};
/// use graph_index::{Edge, LayeredGraph, Overlay};
///
/// let mut graph = Overlay::new(LayeredGraph::default());
/// for (source, target) in [(1, 2), (2, 3), (3, 4), (1, 5), (5, 4)] {
///     graph.put_edge(Edge { source, target, type_id: 0, weight: 1.0, confidence: 0.9 })?;
/// }
/// let found = shortest_path(&graph, 1, 4, &PathOptions::default())?;
/// assert_eq!(found.paths[0].nodes, [1, 5, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`PathError::MinConfidence`], [`PathError::Corrupt`].
pub fn shortest_path<G: Associations>(
    graph: &G,
    source: u32,
    target: u32,
    options: &PathOptions,
) -> Result<PathResult, PathError> {
    options.validate()?;
    let mut walk = Walk::new(graph, options, &never);
    let mut result = PathResult::default();
    if source == target {
        return Ok(result);
    }
    let mut taken = Vec::new();
    let met = meet(&mut walk, source, target, options.max_depth, |step| taken.push(step));
    result.visited_edges = walk.visited_edges;
    match met {
        Err(Exhausted) => result.budget_exhausted = true,
        Ok(None) => {}
        Ok(Some(meeting)) => {
            let steps = first_route(source, target, &meeting, taken);
            let mut nodes = vec![source];
            let mut edges = Vec::with_capacity(steps.len());
            for taken in steps {
                nodes.push(taken.to);
                edges.push(path_edge(graph, taken.from, taken.to, taken.step, taken.half)?);
            }
            result.paths.push(Path::new(nodes, edges));
        }
    }
    Ok(result)
}

/// Whether there is a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reachability {
    /// There is a path within the options, or source and target are one.
    Reachable,
    /// There is none.
    Unreachable,
    /// The budget ended the search before it knew.
    Unknown,
}

/// Whether any path within the options leads from `source` to `target`; `k` is not looked at, and
/// `max_depth` may be any number.
///
/// # Errors
///
/// [`PathError::MinConfidence`].
pub fn reachable<G: Associations>(
    graph: &G,
    source: u32,
    target: u32,
    options: &PathOptions,
) -> Result<Reachability, PathError> {
    options.validate()?;
    if source == target {
        return Ok(Reachability::Reachable);
    }
    let mut walk = Walk::new(graph, options, &never);
    Ok(match meet(&mut walk, source, target, options.max_depth, |_| ()) {
        Ok(Some(_)) => Reachability::Reachable,
        Ok(None) => Reachability::Unreachable,
        Err(Exhausted) => Reachability::Unknown,
    })
}

/// Which end a step was found from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Ahead,
    Behind,
}

/// A step between two levels, in the direction of the path.
#[derive(Debug, Clone, Copy)]
struct Taken {
    from: u32,
    to: u32,
    step: Step,
    half: Half,
}

/// One end of a bidirectional search.
struct Front {
    levels: HashMap<u32, u32, NumberHash>,
    frontier: Vec<u32>,
    depth: u32,
}

impl Front {
    fn new(node: u32) -> Self {
        Self { levels: HashMap::from_iter([(node, 0)]), frontier: vec![node], depth: 0 }
    }

    /// Finishes one more level; `each` gets every step into it.
    fn advance<G: Associations>(
        &mut self,
        walk: &mut Walk<'_, G>,
        half: Half,
        mut each: impl FnMut(Taken),
    ) -> Result<(), Exhausted> {
        self.depth += 1;
        let (depth, levels) = (self.depth, &mut self.levels);
        let mut next = Vec::new();
        for &node in &self.frontier {
            let visit = |step: Step| {
                let neighbor = step.hop.neighbor;
                let level = *levels.entry(neighbor).or_insert_with(|| {
                    next.push(neighbor);
                    depth
                });
                if level == depth {
                    let (from, to) = match half {
                        Half::Ahead => (node, neighbor),
                        Half::Behind => (neighbor, node),
                    };
                    each(Taken { from, to, step, half });
                }
            };
            match half {
                Half::Ahead => walk.steps_from(node, visit)?,
                Half::Behind => walk.steps_to(node, visit)?,
            }
        }
        self.frontier = next;
        Ok(())
    }
}

/// Grows a front from each end until they share nodes, and returns those: they are the nodes in the
/// same place on all the shortest paths.
fn meet<G: Associations>(
    walk: &mut Walk<'_, G>,
    source: u32,
    target: u32,
    max_depth: u32,
    mut each: impl FnMut(Taken),
) -> Result<Option<Vec<u32>>, Exhausted> {
    let (mut ahead, mut behind) = (Front::new(source), Front::new(target));
    while ahead.depth.saturating_add(behind.depth) < max_depth {
        let half =
            if ahead.frontier.len() <= behind.frontier.len() { Half::Ahead } else { Half::Behind };
        let (front, other) = match half {
            Half::Ahead => (&mut ahead, &behind),
            Half::Behind => (&mut behind, &ahead),
        };
        if front.frontier.is_empty() {
            return Ok(None);
        }
        front.advance(walk, half, &mut each)?;
        let met = front.frontier.iter().filter(|&node| other.levels.contains_key(node));
        let met: Vec<u32> = met.copied().collect();
        if !met.is_empty() {
            return Ok(Some(met));
        }
    }
    Ok(None)
}

/// The first of the shortest paths by nodes, then types.
fn first_route(source: u32, target: u32, meeting: &[u32], taken: Vec<Taken>) -> Vec<Taken> {
    let meeting: HashSet<u32, NumberHash> = meeting.iter().copied().collect();
    // A step found from the source leads on only if what it leads to does; the deepest come last. Every
    // step found from the target leads to it.
    let mut leads = meeting.clone();
    let (mut ahead, mut behind) = (Vec::new(), Vec::new());
    for step in taken.into_iter().rev() {
        match step.half {
            Half::Ahead if leads.contains(&step.to) => {
                leads.insert(step.from);
                ahead.push(step);
            }
            Half::Ahead => {}
            Half::Behind => behind.push(step),
        }
    }
    for half in [&mut ahead, &mut behind] {
        half.sort_unstable_by_key(|taken| {
            let Step { hop, forward, .. } = taken.step;
            (taken.from, taken.to, hop.type_id, !forward, hop.id)
        });
    }
    // Each half is walked level by level, so even where corrupt bytes make them disagree, this ends.
    let mut route = Vec::new();
    let mut node = source;
    for (half, is_end) in [
        (&ahead, &(|node| meeting.contains(&node)) as &dyn Fn(u32) -> bool),
        (&behind, &|node| node == target),
    ] {
        while !is_end(node) {
            let step = half[half.partition_point(|taken| taken.from < node)];
            node = step.to;
            route.push(step);
        }
    }
    route
}

/// The nodes around a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KHop {
    /// `(node, depth)` by depth, then number; without the node itself.
    pub nodes: Vec<(u32, u32)>,
    /// Whether there are more than the limit let in.
    pub truncated: bool,
}

/// The nodes within `depth` edges of `node`, along edges of one of `types` (of all when `None`).
///
/// At most `limit` nodes are returned: the nearest, and at equal depth those with smaller numbers.
/// Confidence is not looked at.
///
/// ```
/// use graph_index::paths::k_hop;
/// use graph_index::{Direction, Edge, LayeredGraph, Overlay};
///
/// let mut graph = Overlay::new(LayeredGraph::default());
/// for (source, target) in [(1, 2), (2, 3), (3, 4)] {
///     graph.put_edge(Edge { source, target, type_id: 0, weight: 1.0, confidence: 0.9 })?;
/// }
/// let around = k_hop(&graph, 2, 1, Direction::Both, None, 100);
/// assert_eq!(around.nodes, [(1, 1), (3, 1)]);
/// # Ok::<(), graph_index::EdgeError>(())
/// ```
#[must_use]
pub fn k_hop<G: Associations>(
    graph: &G,
    node: u32,
    depth: u32,
    direction: Direction,
    types: Option<&[u32]>,
    limit: usize,
) -> KHop {
    let mut found = KHop::default();
    let mut seen: HashSet<u32, NumberHash> = HashSet::from_iter([node]);
    let mut frontier = vec![node];
    for level in 1..=depth {
        let mut next = Vec::new();
        for &node in &frontier {
            for &side in direction.sides() {
                for hop in graph.hops(node, side) {
                    if types.is_none_or(|types| types.contains(&hop.type_id))
                        && seen.insert(hop.neighbor)
                    {
                        next.push(hop.neighbor);
                    }
                }
            }
        }
        if next.is_empty() {
            break;
        }
        next.sort_unstable();
        let room = limit - found.nodes.len();
        if next.len() > room {
            next.truncate(room);
            found.truncated = true;
        }
        found.nodes.extend(next.iter().map(|&node| (node, level)));
        if found.truncated {
            break;
        }
        frontier = next;
    }
    found
}
