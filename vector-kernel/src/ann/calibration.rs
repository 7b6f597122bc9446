//! What each target takes, found by searching for some of the index's own vectors.
//!
//! Invariant: the same index gives the same efforts, however many threads look for them.

use rayon::prelude::*;

use super::TARGETS;
use super::filter::Filter;
use super::layout::Header;
use super::random::Random;
use super::view::{ANY_REACH, AnnView, EXACT, Effort, Work};
use crate::Selection;

/// Vectors that are searched for to choose efforts, and others to confirm them: of many that are tried, the one that
/// is chosen was lucky with the first.
const QUERIES: usize = 256;
const CONFIRMING: usize = 768;
/// How often an effort is raised that others do not confirm.
const MOST_RAISES: usize = 12;
/// By how much its slack is, with an eighth more blocks.
const RAISE: f32 = 0.75;
/// One in so many of those to choose by are enough to choose slacks, around which all of them look for better ones.
const COARSE: usize = 4;
/// Neighbours of each that are to be found.
const K: usize = 10;
/// How many blocks are tried at least; then each time twice as many.
const LEAST_BLOCKS: u32 = 32;
/// Around what is enough so many others are tried: with so many times the lists and blocks, and so much more slack.
const MOST_STEPS: usize = 15;
const LEAST_SLACK: f32 = 3.0;
const MOVES: [(f32, f32, f32); 5] =
    [(1.0, 0.8, 0.0), (0.75, 1.1, 0.0), (1.4, 0.7, 0.0), (1.0, 1.1, -0.75), (1.0, 0.8, 0.75)];
/// Lists that are tried, by the root of the number of blocks: to find twice the blocks takes fewer than twice the lists.
const LISTS: [f32; 3] = [5.0, 2.5, 10.0];
/// Weights of radii and reaches that are tried: blocks are alike in some data, and in others one holds what was
/// left over of all that is near.
const RADII: [(f32, f32); 4] = [(0.2, 0.4), (0.2, 1.0), (0.6, 1.2), (1.2, ANY_REACH)];
/// The first is tried with all of these, the others with what was found best with it.
const SLACKS: [f32; 6] = [6.0, 8.0, 5.0, 4.0, 10.0, 3.0];
/// How often what is between two targets' efforts is tried.
const HALVINGS: usize = 4;
/// How much of what may be missed is kept in reserve, since queries are not drawn as the vectors are.
const RESERVE: f32 = 0.4;
/// A step that finds less more than this leads nowhere.
const LEAST_GAIN: f32 = 0.0005;

/// `None` where it is not to go on.
pub(super) fn efforts(
    view: &AnnView<'_>,
    seed: u64,
    go_on: &(dyn Fn() -> bool + Sync),
) -> Option<[Effort; TARGETS.len()]> {
    let rows = view.rows;
    if rows.len() <= K {
        return Some([Effort::ALL; TARGETS.len()]);
    }
    let (sample, others) = Sample::draw(view, seed, go_on)?;
    let coarse = sample.one_in(COARSE);
    let mut best = Best([(f64::INFINITY, Effort::ALL); TARGETS.len()]);
    for lists in LISTS {
        for (radius_weight, reach) in RADII {
            let tried = Tried { lists, radius_weight, reach, slack: SLACKS[0] };
            best.try_blocks(view, &sample, (tried, LEAST_BLOCKS), TARGETS.len() - 1, go_on)?;
        }
    }
    for at in 0..TARGETS.len() {
        let (_, Effort { lists, blocks, radius_weight, reach, .. }) = best.0[at];
        let lists = lists as f32 / (blocks as f32).sqrt();
        for slack in &SLACKS[1..] {
            let tried = Tried { lists, radius_weight, reach, slack: *slack };
            let blocks = (blocks / 2).max(LEAST_BLOCKS);
            best.try_blocks(view, &coarse, (tried, blocks), at, go_on)?;
        }
    }
    let mut efforts = best.0.map(|(_, effort)| effort);
    for at in 0..TARGETS.len() {
        if efforts[at] == Effort::ALL {
            continue;
        }
        if !go_on() {
            return None;
        }
        // What was enough for less may lead to less work than what was tried with all.
        let before = at.checked_sub(1).map(|before| efforts[before].raised(&view.header));
        let starts = [Some(efforts[at]), before].into_iter().flatten();
        let found = starts.map(|start| sample.cheaper(view, TARGETS[at], start));
        let least = found.min_by(|(_, a), (_, b)| a.total_cmp(b));
        efforts[at] = least.map_or(efforts[at], |(effort, _)| effort);
        others.confirm(view, TARGETS[at], &mut efforts[at]);
    }
    // What is enough for more, and takes no longer, is enough for less.
    let mut costs = efforts.map(|effort| others.measure(view, effort).1);
    for at in (1..TARGETS.len()).rev() {
        if costs[at] < costs[at - 1] {
            (costs[at - 1], efforts[at - 1]) = (costs[at], efforts[at]);
        }
    }
    for at in 1..TARGETS.len() {
        if !go_on() {
            return None;
        }
        let (before, enough) = (efforts[at - 1], (efforts[at], costs[at]));
        (efforts[at], costs[at]) = others.halved(view, TARGETS[at], before, enough);
    }
    Some(efforts)
}

/// An effort but for the number of blocks.
#[derive(Debug, Clone, Copy)]
struct Tried {
    lists: f32,
    radius_weight: f32,
    reach: f32,
    slack: f32,
}

impl Tried {
    fn with(self, blocks: u32) -> Effort {
        let Self { lists, radius_weight, reach, slack } = self;
        let lists = (lists * (blocks as f32).sqrt()) as u32;
        Effort { lists, blocks, radius_weight, reach, slack }
    }
}

/// The cheapest effort for each target so far, and what it costs.
struct Best([(f64, Effort); TARGETS.len()]);

impl Best {
    /// Tries more and more blocks, as long as they may be the cheapest for a target; `None` where it is not to go on.
    fn try_blocks(
        &mut self,
        view: &AnnView<'_>,
        sample: &Sample,
        (tried, mut blocks): (Tried, u32),
        target: usize,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Option<()> {
        let mut before = f32::NEG_INFINITY;
        loop {
            if !go_on() {
                return None;
            }
            let effort = tried.with(blocks);
            let (recall, cost) = sample.measure(view, effort);
            for (target, best) in TARGETS.iter().zip(&mut self.0) {
                if recall >= wanted(*target) && cost < best.0 {
                    *best = (cost, effort);
                }
            }
            let leads_on = recall > before + LEAST_GAIN && recall < 1.0;
            if blocks >= view.header.blocks || !leads_on || cost > self.0[target].0 {
                return Some(());
            }
            before = recall;
            blocks = blocks.saturating_mul(2);
        }
    }
}

/// What is to be found of the neighbours, so that `target` is met.
fn wanted(target: f32) -> f32 {
    1.0 - (1.0 - target) * (1.0 - RESERVE)
}

/// Some of the index's vectors, and what is to be found of each.
struct Sample {
    dim: usize,
    vectors: Vec<f32>,
    /// The score of the last neighbour of each.
    worst: Vec<f32>,
}

impl Sample {
    /// Those to choose efforts by, and those to confirm them.
    ///
    /// `None` where it is not to go on.
    fn draw(
        view: &AnnView<'_>,
        seed: u64,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Option<(Self, Self)> {
        let all = Random(seed ^ 0x5eed).sample(QUERIES + CONFIRMING, view.rows.len());
        let every = (QUERIES + CONFIRMING) / QUERIES;
        let (first, others): (Vec<_>, Vec<_>) =
            all.into_iter().enumerate().partition(|(at, _)| at.is_multiple_of(every));
        let of = |ordinals: Vec<(usize, u32)>| {
            let ordinals: Vec<u32> = ordinals.into_iter().map(|(_, ordinal)| ordinal).collect();
            Self::of(view, &ordinals, go_on)
        };
        Some((of(first)?, of(others)?))
    }

    fn of(view: &AnnView<'_>, ordinals: &[u32], go_on: &(dyn Fn() -> bool + Sync)) -> Option<Self> {
        let dim = view.rows.dim();
        let mut vectors = vec![0.0; ordinals.len() * dim];
        for (vector, &ordinal) in vectors.chunks_exact_mut(dim).zip(ordinals) {
            view.rows.unit_row(ordinal, vector);
        }
        let worst = |vector: &[f32]| {
            go_on().then_some(())?;
            // The vector itself is the nearest most often, and no neighbour.
            let hits = view.search(vector, K + 1, EXACT, Selection::All).expect("a row is a query");
            Some(hits.last().map_or(f32::NEG_INFINITY, |hit| hit.score))
        };
        let worst = vectors.par_chunks_exact(dim).map(worst).collect::<Option<_>>()?;
        Some(Self { dim, vectors, worst })
    }

    /// One in so many of them: they are in order of their ordinals.
    fn one_in(&self, count: usize) -> Self {
        let Self { dim, ref vectors, ref worst } = *self;
        let vectors = vectors.chunks_exact(dim).step_by(count).flatten().copied().collect();
        Self { dim, vectors, worst: worst.iter().copied().step_by(count).collect() }
    }

    /// The share of the neighbours that is found, and about how many nanoseconds a query takes.
    fn measure(&self, view: &AnnView<'_>, effort: Effort) -> (f32, f64) {
        let of_each: Vec<(usize, Work)> = self
            .vectors
            .par_chunks_exact(self.dim)
            .zip(&self.worst)
            .map(|(vector, worst)| {
                let mut work = Work::default();
                let hits = view
                    .search_with(vector, K + 1, effort, &Filter::All, &mut work)
                    .expect("a row is a query");
                // One of them is the vector itself, or what would be in its place.
                let found = hits.iter().filter(|hit| hit.score >= *worst).count();
                (found.saturating_sub(1).min(K), work)
            })
            .collect();
        let found: usize = of_each.iter().map(|(found, _)| found).sum();
        let cost = |work: &Work| {
            // As measured, of 384 components.
            75 * work.lists + 80 * work.blocks + 50 * work.coded + 450 * work.exact
        };
        let cost: usize = of_each.iter().map(|(_, work)| cost(work)).sum();
        let queries = of_each.len();
        (found as f32 / (queries * K) as f32, cost as f64 / queries as f64)
    }

    /// Raises an effort until it is enough.
    fn confirm(&self, view: &AnnView<'_>, target: f32, effort: &mut Effort) {
        for _ in 0..MOST_RAISES {
            if self.worst.is_empty() || self.measure(view, *effort).0 >= wanted(target) {
                return;
            }
            *effort = effort.raised(&view.header);
        }
    }

    /// Looks for what is enough between an effort that is not, or hardly, and one that is, of this cost.
    fn halved(
        &self,
        view: &AnnView<'_>,
        target: f32,
        mut less: Effort,
        (mut enough, mut cost): (Effort, f64),
    ) -> (Effort, f64) {
        for _ in 0..HALVINGS {
            let tried = less.half_way_to(enough);
            if less == enough || tried == enough {
                break;
            }
            let found = self.measure(view, tried);
            if found.0 >= wanted(target) && found.1 <= cost {
                (enough, cost) = (tried, found.1);
            } else {
                less = tried;
            }
        }
        (enough, cost)
    }

    /// Looks for what is cheaper and enough, around an effort; returns it with its cost, which is without bound where
    /// it is not enough.
    fn cheaper(&self, view: &AnnView<'_>, target: f32, mut effort: Effort) -> (Effort, f64) {
        let (mut recall, mut cost) = self.measure(view, effort);
        let mut left = MOST_STEPS;
        let mut unmoved = 0;
        for (lists, blocks, slack) in MOVES.into_iter().cycle() {
            if left == 0 || unmoved == MOVES.len() {
                break;
            }
            let times = |count: u32, factor: f32| (count as f32 * factor) as u32;
            let tried = Effort {
                lists: times(effort.lists, lists).min(view.header.lists).max(1),
                blocks: times(effort.blocks, blocks).max(LEAST_BLOCKS).min(view.header.blocks),
                slack: (effort.slack + slack).max(LEAST_SLACK),
                ..effort
            };
            let found = self.measure(view, tried);
            left -= 1;
            unmoved += 1;
            // What is not enough is left for what is.
            if (found.0 >= wanted(target) && found.1 < cost) || recall < wanted(target).min(found.0)
            {
                (recall, cost) = found;
                effort = tried;
                unmoved = 0;
            }
        }
        (effort, if recall >= wanted(target) { cost } else { f64::INFINITY })
    }
}

impl Effort {
    /// What is between it and another one, in the proportion of the numbers of lists and blocks.
    fn half_way_to(self, more: Self) -> Self {
        let between = |a: u32, b: u32| (f64::from(a) * f64::from(b)).sqrt().ceil() as u32;
        Self {
            lists: between(self.lists, more.lists),
            blocks: between(self.blocks, more.blocks),
            slack: self.slack.midpoint(more.slack),
            ..more
        }
    }

    /// Somewhat more.
    fn raised(self, header: &Header) -> Self {
        Self {
            lists: (self.lists + self.lists / 12).min(header.lists),
            blocks: (self.blocks + self.blocks / 8).min(header.blocks),
            slack: (self.slack + RAISE).min(Self::ALL.slack),
            ..self
        }
    }
}
