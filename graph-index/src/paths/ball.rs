//! The part of the graph that paths of a bounded depth can lie in, with exact distances to the targets.
//!
//! A path of at most `D` edges lies, for any split `D = F + B`, within `F` steps from the sources and `B`
//! steps of the targets; so two balls of about half the depth are read instead of one of the whole.
//! Invariant: `distance(v, r)` is the least cost of a walk of at most `r` steps from `v` to a target, for
//! every `v` that a walk of `D - r` steps from a source can reach.

use std::collections::HashMap;

use super::ParallelEdges;
use super::cost::UNREACHED;
use super::walk::{Exhausted, NumberHash, Step, Walk};
use crate::associations::Associations;

const UNSEEN: u32 = u32::MAX;

/// Steps of a node as a range of [`Ball::steps`], or not read yet.
type Span = Option<(u32, u32)>;

/// A [`Step`] to a local node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalStep {
    pub(crate) to: u32,
    pub(crate) step: Step,
}

/// A node of the ball.
#[derive(Debug, Clone, Copy)]
struct LocalNode {
    number: u32,
    from_sources: u32,
    to_targets: u32,
    onward: Span,
    backward: Span,
    is_target: bool,
}

/// The local subgraph; its nodes are numbered from zero as they are met.
pub(crate) struct Ball {
    nodes: Vec<LocalNode>,
    index: HashMap<u32, u32, NumberHash>,
    /// Steps on from a node.
    pub(crate) steps: Vec<LocalStep>,
    /// Steps to a node: where they come from, and their cost.
    backward_steps: Vec<(u32, u64)>,
    /// `distances[r][v]`.
    distances: Vec<Vec<u64>>,
    /// The depth that is covered: the one asked for, or less when the budget ran out.
    pub(crate) depth: u32,
    pub(crate) sources: Vec<u32>,
}

impl Ball {
    /// Reads the two balls and computes the distances.
    ///
    /// When the budget ends first, the ball covers the depth that had been completed, and says so.
    pub(crate) fn grow<G: Associations>(
        walk: &mut Walk<'_, G>,
        sources: &[u32],
        targets: &[u32],
        max_depth: u32,
    ) -> (Self, Result<(), Exhausted>) {
        let mut ball = Self {
            nodes: Vec::new(),
            index: HashMap::default(),
            steps: Vec::new(),
            backward_steps: Vec::new(),
            distances: Vec::new(),
            depth: max_depth,
            sources: Vec::new(),
        };
        let mut ahead = ball.start(sources, |node| &mut node.from_sources);
        ball.sources.clone_from(&ahead);
        let mut behind = ball.start(targets, |node| &mut node.to_targets);
        for &target in &behind {
            ball.nodes[target as usize].is_target = true;
        }
        let (mut ahead_depth, mut behind_depth) = (0, 0);
        let mut outcome = Ok(());
        while ahead_depth + behind_depth < max_depth {
            // The smaller frontier is the cheaper one; an empty one costs nothing at all.
            let grown = if ahead.len() <= behind.len() {
                let next = ball.expand_ahead(walk, &ahead, ahead_depth + 1);
                next.map(|next| (ahead_depth += 1, ahead = next))
            } else {
                let next = ball.expand_behind(walk, &behind, behind_depth + 1);
                next.map(|next| (behind_depth += 1, behind = next))
            };
            if let Err(exhausted) = grown {
                ball.depth = ahead_depth + behind_depth;
                outcome = Err(exhausted);
                break;
            }
        }
        ball.measure(behind_depth);
        (ball, outcome)
    }

    /// The least cost of a walk of at most `steps` steps from a node to a target.
    pub(crate) fn distance(&self, node: u32, steps: u32) -> u64 {
        // Nodes met after the distances were computed lie outside the balls: no target is in reach.
        self.distances[steps as usize].get(node as usize).copied().unwrap_or(UNREACHED)
    }

    pub(crate) fn number(&self, node: u32) -> u32 {
        self.nodes[node as usize].number
    }

    pub(crate) fn is_target(&self, node: u32) -> bool {
        self.nodes[node as usize].is_target
    }

    /// The steps on from a node, as positions in [`steps`](Self::steps); read at first need.
    pub(crate) fn onward<G: Associations>(
        &mut self,
        walk: &mut Walk<'_, G>,
        node: u32,
    ) -> Result<std::ops::Range<u32>, Exhausted> {
        if let Some((start, end)) = self.nodes[node as usize].onward {
            return Ok(start..end);
        }
        let start = self.steps.len();
        let scanned = walk.steps_from(self.number(node), |step| {
            let to = intern(&mut self.nodes, &mut self.index, step.hop.neighbor);
            self.steps.push(LocalStep { to, step });
        });
        if let Err(exhausted) = scanned {
            self.steps.truncate(start);
            return Err(exhausted);
        }
        if walk.parallel == ParallelEdges::Best {
            let mut steps = self.steps.split_off(start);
            steps.sort_unstable_by_key(|&LocalStep { to, step }| {
                (to, step.cost, step.hop.type_id, !step.forward, step.hop.id)
            });
            steps.dedup_by_key(|local| local.to);
            self.steps.append(&mut steps);
        }
        let span = (start as u32, self.steps.len() as u32);
        self.nodes[node as usize].onward = Some(span);
        Ok(span.0..span.1)
    }

    fn start(&mut self, numbers: &[u32], level: fn(&mut LocalNode) -> &mut u32) -> Vec<u32> {
        let mut distinct = numbers.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        for number in &mut distinct {
            *number = intern(&mut self.nodes, &mut self.index, *number);
            *level(&mut self.nodes[*number as usize]) = 0;
        }
        distinct
    }

    fn expand_ahead<G: Associations>(
        &mut self,
        walk: &mut Walk<'_, G>,
        frontier: &[u32],
        level: u32,
    ) -> Result<Vec<u32>, Exhausted> {
        let mut next = Vec::new();
        for &node in frontier {
            match self.onward(walk, node) {
                Ok(span) => {
                    for position in span {
                        let to = self.steps[position as usize].to;
                        let seen = &mut self.nodes[to as usize].from_sources;
                        if *seen == UNSEEN {
                            *seen = level;
                            next.push(to);
                        }
                    }
                }
                Err(exhausted) => {
                    for to in next {
                        self.nodes[to as usize].from_sources = UNSEEN;
                    }
                    return Err(exhausted);
                }
            }
        }
        Ok(next)
    }

    fn expand_behind<G: Associations>(
        &mut self,
        walk: &mut Walk<'_, G>,
        frontier: &[u32],
        level: u32,
    ) -> Result<Vec<u32>, Exhausted> {
        let mut next = Vec::new();
        for &node in frontier {
            let start = self.backward_steps.len() as u32;
            let number = self.number(node);
            let scanned = walk.steps_to(number, |step| {
                let from = intern(&mut self.nodes, &mut self.index, step.hop.neighbor);
                self.backward_steps.push((from, step.cost));
                let seen = &mut self.nodes[from as usize].to_targets;
                if *seen == UNSEEN {
                    *seen = level;
                    next.push(from);
                }
            });
            if let Err(exhausted) = scanned {
                for from in next {
                    self.nodes[from as usize].to_targets = UNSEEN;
                }
                return Err(exhausted);
            }
            let span = (start, self.backward_steps.len() as u32);
            self.nodes[node as usize].backward = Some(span);
        }
        Ok(next)
    }

    /// Distances for each number of remaining steps: pushed through the targets' ball, which is known
    /// whole, then pulled by the nodes that are near enough to a source to matter.
    fn measure(&mut self, behind_depth: u32) {
        let mut current = vec![UNREACHED; self.nodes.len()];
        let mut changed = Vec::new();
        for (node, local) in (0..).zip(&self.nodes) {
            if local.is_target {
                current[node as usize] = 0;
                changed.push(node);
            }
        }
        let mut queued = vec![0; self.nodes.len()];
        let behind_depth = behind_depth.min(self.depth);
        for remaining in 1..=behind_depth {
            let mut next = current.clone();
            let mut next_changed = Vec::new();
            for &node in &changed {
                let Some((start, end)) = self.nodes[node as usize].backward else { continue };
                for &(from, cost) in &self.backward_steps[start as usize..end as usize] {
                    let through = current[node as usize] + cost;
                    if through < next[from as usize] {
                        next[from as usize] = through;
                        if queued[from as usize] < remaining {
                            queued[from as usize] = remaining;
                            next_changed.push(from);
                        }
                    }
                }
            }
            self.distances.push(std::mem::replace(&mut current, next));
            changed = next_changed;
        }
        let mut inner: Vec<u32> = (0..self.nodes.len() as u32)
            .filter(|&node| self.nodes[node as usize].from_sources != UNSEEN)
            .collect();
        for remaining in behind_depth + 1..=self.depth {
            let reach = self.depth - remaining;
            inner.retain(|&node| self.nodes[node as usize].from_sources <= reach);
            let mut next = current.clone();
            for &node in &inner {
                let Some((start, end)) = self.nodes[node as usize].onward else { continue };
                let least = &mut next[node as usize];
                for local in &self.steps[start as usize..end as usize] {
                    let through = current[local.to as usize].saturating_add(local.step.cost);
                    *least = (*least).min(through);
                }
            }
            self.distances.push(std::mem::replace(&mut current, next));
        }
        self.distances.push(current);
    }
}

fn intern(
    nodes: &mut Vec<LocalNode>,
    index: &mut HashMap<u32, u32, NumberHash>,
    number: u32,
) -> u32 {
    *index.entry(number).or_insert_with(|| {
        nodes.push(LocalNode {
            number,
            from_sources: UNSEEN,
            to_targets: UNSEEN,
            onward: None,
            backward: None,
            is_target: false,
        });
        (nodes.len() - 1) as u32
    })
}
