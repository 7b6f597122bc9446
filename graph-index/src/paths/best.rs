//! The k best simple paths, found one after another.
//!
//! Yen's scheme as Lawler partitions it: the set of paths not yet given out is split into spaces, each
//! "these first steps, then none of those". A space waits in the queue under a lower bound and is
//! searched only when that bound comes up (A* with exact distances as its estimate), so most never are.
//! Invariant: a path leaves the queue only when no space that waits could hold one before it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use super::ball::Ball;
use super::cost::UNREACHED;
use super::walk::{Exhausted, NumberHash, Walk};
use crate::associations::{Associations, EdgeId};

/// Paths that begin with `steps` and go on with a step that is not `banned`.
#[derive(Debug, Clone)]
struct Space {
    /// The nodes of the prefix, of which there is at least one; the last is where paths branch off.
    nodes: Vec<u32>,
    /// The steps between them.
    steps: Vec<u32>,
    cost: u64,
    banned: Vec<u32>,
}

/// The best path of a space.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) nodes: Vec<u32>,
    /// Positions in [`Ball::steps`].
    pub(crate) steps: Vec<u32>,
    /// What decides between paths of equal cost.
    order: PathOrder,
    /// How many first steps the space shared, and what it had banned after them.
    shared: usize,
    banned: Vec<u32>,
}

/// Node numbers, then types, then direction, then where the edge is kept (which decides only where
/// layers break the rule that a key lives once).
type PathOrder = (Vec<u32>, Vec<u32>, Vec<(bool, EdgeId)>);

#[derive(Debug)]
enum Waiting {
    /// Its paths cost at least this.
    Space(Space),
    Path(Found),
}

#[derive(Debug)]
struct Entry {
    cost: u64,
    /// Order of entering, which makes the order of spaces total.
    serial: u64,
    waiting: Waiting,
}

impl Entry {
    /// Cheapest first; at equal cost spaces before paths, since one may hold a path that goes before.
    fn order(&self, other: &Self) -> Ordering {
        self.cost.cmp(&other.cost).then_with(|| match (&self.waiting, &other.waiting) {
            (Waiting::Space(_), Waiting::Path(_)) => Ordering::Less,
            (Waiting::Path(_), Waiting::Space(_)) => Ordering::Greater,
            (Waiting::Space(_), Waiting::Space(_)) => self.serial.cmp(&other.serial),
            (Waiting::Path(ours), Waiting::Path(theirs)) => ours.order.cmp(&theirs.order),
        })
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The queue gives out the greatest.
        other.order(self)
    }
}

/// The search: a ball to search in, and a queue of what is left.
pub(crate) struct BestPaths<'w, 'g, G> {
    walk: &'w mut Walk<'g, G>,
    pub(crate) ball: Ball,
    queue: BinaryHeap<Entry>,
    serial: u64,
    spur: SpurSearch,
}

impl<'w, 'g, G: Associations> BestPaths<'w, 'g, G> {
    /// One space for each source.
    pub(crate) fn new(walk: &'w mut Walk<'g, G>, ball: Ball) -> Result<Self, Exhausted> {
        let mut search =
            Self { walk, ball, queue: BinaryHeap::new(), serial: 0, spur: SpurSearch::default() };
        if search.ball.depth > 0 {
            for source in search.ball.sources.clone() {
                let banned = Vec::new();
                search.enqueue(Space {
                    nodes: vec![source],
                    steps: Vec::new(),
                    cost: 0,
                    banned,
                })?;
            }
        }
        Ok(search)
    }

    /// The next best path; `None` when there is no other.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, Exhausted> {
        while let Some(entry) = self.queue.pop() {
            match entry.waiting {
                Waiting::Path(path) => return Ok(Some(path)),
                Waiting::Space(space) => {
                    let found = self.spur.search(self.walk, &mut self.ball, &space)?;
                    if let Some((cost, nodes, steps)) = found {
                        let path = self.found(space, nodes, steps);
                        self.push(cost, Waiting::Path(path));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Splits what is left of the space that `path` was the best of.
    pub(crate) fn split(&mut self, path: &Found) -> Result<(), Exhausted> {
        let mut cost = 0;
        for (position, &step) in path.steps.iter().enumerate() {
            if position >= path.shared {
                let mut banned = vec![step];
                if position == path.shared {
                    banned.extend(&path.banned);
                }
                self.enqueue(path.prefix(position, cost, banned))?;
            }
            cost += self.ball.steps[step as usize].step.cost;
        }
        // The path ends at a target, but others may go on from there to another target.
        self.enqueue(path.prefix(path.steps.len(), cost, Vec::new()))
    }

    /// Queues a space under the least that a path in it could cost, if there can be one.
    fn enqueue(&mut self, space: Space) -> Result<(), Exhausted> {
        let used = space.steps.len() as u32;
        if used >= self.ball.depth {
            return Ok(());
        }
        let remaining = self.ball.depth - used - 1;
        let spur = *space.nodes.last().expect("a prefix has a node");
        let mut least = UNREACHED;
        let span = self.ball.onward(self.walk, spur)?;
        self.walk.visit(u64::from(span.end - span.start))?;
        for position in span {
            let local = self.ball.steps[position as usize];
            let rest = self.ball.distance(local.to, remaining);
            if rest == UNREACHED
                || space.banned.contains(&position)
                || space.nodes.contains(&local.to)
            {
                continue;
            }
            least = least.min(space.cost + local.step.cost + rest);
        }
        if least != UNREACHED {
            self.push(least, Waiting::Space(space));
        }
        Ok(())
    }

    fn push(&mut self, cost: u64, waiting: Waiting) {
        self.queue.push(Entry { cost, serial: self.serial, waiting });
        self.serial += 1;
    }

    fn found(&self, space: Space, nodes: Vec<u32>, steps: Vec<u32>) -> Found {
        let hops = steps.iter().map(|&step| self.ball.steps[step as usize].step);
        let order = (
            nodes.iter().map(|&node| self.ball.number(node)).collect(),
            hops.clone().map(|step| step.hop.type_id).collect(),
            hops.map(|step| (!step.forward, step.hop.id)).collect(),
        );
        Found { nodes, steps, order, shared: space.steps.len(), banned: space.banned }
    }
}

impl Found {
    fn prefix(&self, steps: usize, cost: u64, banned: Vec<u32>) -> Space {
        Space {
            nodes: self.nodes[..=steps].to_vec(),
            steps: self.steps[..steps].to_vec(),
            cost,
            banned,
        }
    }
}

/// A node after some number of steps of a path, with all the ways of being there at the least cost.
#[derive(Debug, Clone)]
struct State {
    node: u32,
    steps: u32,
    cost: u64,
    /// The state before and the step from it.
    before: Vec<(u32, u32)>,
}

/// The state where paths branch off.
const SPUR: u32 = u32::MAX;

/// A* from the end of a prefix to the targets, around the prefix's nodes.
#[derive(Debug, Default)]
struct SpurSearch {
    states: Vec<State>,
    /// By steps and node.
    index: HashMap<u64, u32, NumberHash>,
    /// `(estimate, state, cost)` of states to look at, least first.
    open: BinaryHeap<std::cmp::Reverse<(u64, u32, u64)>>,
}

/// Cost, nodes and steps of a path.
type Route = (u64, Vec<u32>, Vec<u32>);

impl SpurSearch {
    /// The best path of a space by cost, then nodes, then types.
    ///
    /// The estimates are exact distances in the whole ball, hence consistent, so each state is final
    /// when it comes up. A walk of least cost visits no node twice, since each step costs something.
    fn search<G: Associations>(
        &mut self,
        walk: &mut Walk<'_, G>,
        ball: &mut Ball,
        space: &Space,
    ) -> Result<Option<Route>, Exhausted> {
        self.states.clear();
        self.index.clear();
        self.open.clear();
        let spur = *space.nodes.last().expect("a prefix has a node");
        let used = space.steps.len() as u32;
        let mut least = UNREACHED;
        let mut goals = Vec::new();
        self.expand(walk, ball, space, (SPUR, spur, used, space.cost))?;
        while let Some(std::cmp::Reverse((estimate, state, cost))) = self.open.pop() {
            // Ties are looked at to the end: one of them may go before by its nodes.
            if estimate > least {
                break;
            }
            let State { node, steps, cost: known, .. } = self.states[state as usize];
            if cost != known {
                continue;
            }
            if ball.is_target(node) {
                least = cost;
                goals.push(state);
            } else {
                self.expand(walk, ball, space, (state, node, steps, cost))?;
            }
        }
        if goals.is_empty() {
            return Ok(None);
        }
        let (nodes, steps) = self.first_route(ball, space, &goals);
        Ok(Some((least, nodes, steps)))
    }

    fn expand<G: Associations>(
        &mut self,
        walk: &mut Walk<'_, G>,
        ball: &mut Ball,
        space: &Space,
        (from, node, steps, cost): (u32, u32, u32, u64),
    ) -> Result<(), Exhausted> {
        if steps >= ball.depth {
            return Ok(());
        }
        let span = ball.onward(walk, node)?;
        walk.visit(u64::from(span.end - span.start))?;
        for position in span {
            let local = ball.steps[position as usize];
            let rest = ball.distance(local.to, ball.depth - steps - 1);
            if rest == UNREACHED
                || space.nodes.contains(&local.to)
                || (from == SPUR && space.banned.contains(&position))
            {
                continue;
            }
            let reached = cost + local.step.cost;
            let key = u64::from(steps + 1) << 32 | u64::from(local.to);
            let fresh = self.states.len() as u32;
            let state = *self.index.entry(key).or_insert(fresh);
            if state == fresh {
                let (node, steps) = (local.to, steps + 1);
                self.states.push(State { node, steps, cost: UNREACHED, before: Vec::new() });
            }
            let known = &mut self.states[state as usize];
            if reached < known.cost {
                known.cost = reached;
                known.before.clear();
                self.open.push(std::cmp::Reverse((reached + rest, state, reached)));
            }
            if reached == known.cost {
                known.before.push((from, position));
            }
        }
        Ok(())
    }

    /// Of all routes of least cost to `goals`, the first by node numbers, then by types.
    fn first_route(&self, ball: &Ball, space: &Space, goals: &[u32]) -> (Vec<u32>, Vec<u32>) {
        // Every step on a route of least cost, as (state before, step, state after).
        let mut tight = Vec::new();
        let mut marked = vec![false; self.states.len()];
        let mut stack = goals.to_vec();
        for &goal in goals {
            marked[goal as usize] = true;
        }
        while let Some(state) = stack.pop() {
            for &(before, step) in &self.states[state as usize].before {
                tight.push((before, step, state));
                if before != SPUR && !std::mem::replace(&mut marked[before as usize], true) {
                    stack.push(before);
                }
            }
        }
        tight.sort_unstable_by_key(|&(before, ..)| before);

        let (mut nodes, mut steps) = (space.nodes.clone(), space.steps.clone());
        let mut state = SPUR;
        loop {
            let start = tight.partition_point(|&(before, ..)| before < state);
            let next = tight[start..]
                .iter()
                .take_while(|&&(before, ..)| before == state)
                .min_by_key(|&&(_, step, _)| {
                    let local = &ball.steps[step as usize];
                    let step = &local.step;
                    (ball.number(local.to), step.hop.type_id, !step.forward, step.hop.id)
                });
            // Only a goal has no step on: its paths end there.
            let Some(&(_, step, after)) = next else { return (nodes, steps) };
            steps.push(step);
            nodes.push(self.states[after as usize].node);
            state = after;
        }
    }
}
