//! Vectors by the centre that is nearest to them, in groups that are small enough for a block.
//!
//! First groups within parts of all vectors; then Lloyd's rounds across the parts' bounds, in which a vector looks only
//! at the centres around its own. Invariant: the result is a function of vectors and seeds, however many threads
//! compute it.

use std::ops::Range;

use half::bf16;
use half::slice::HalfFloatSliceExt as _;
use rayon::prelude::*;

use super::assignment::{self, Choices};
use super::clustering;
use super::matrix::{mean_of, rows_at};
use super::random::Random;
use crate::kernels::codes::BLOCK_CODES;

/// How many vectors a cell has, about: as a block it has room for as many again of other cells.
const MEMBERS: usize = 19;
/// Parts, among whose cells those around a cell are looked for.
const NEAR_PARTS: usize = 60;
const ROUNDS: usize = 3;
/// Cells around its own that a vector may move to, and those in whose blocks it may be in the end.
const AROUND: usize = 128;
const WIDELY_AROUND: usize = 512;

/// Whether a build is to go on.
pub(super) type GoOn<'a> = &'a (dyn Fn() -> bool + Sync);

/// The projections of all vectors, in 16 bits: enough to group them, and half the memory.
pub(super) struct Projected {
    values: Vec<bf16>,
    dim: usize,
}

impl Projected {
    /// Those of `len` vectors, that `project` returns of some of them.
    pub(super) fn of(
        len: usize,
        dim: usize,
        project: impl Fn(Range<u32>) -> Vec<f32> + Sync,
    ) -> Self {
        const CHUNK: usize = 512;
        let mut values = vec![bf16::ZERO; len * dim];
        values.par_chunks_mut(CHUNK * dim).enumerate().for_each(|(at, values)| {
            let start = (at * CHUNK) as u32;
            let projected = project(start..start + (values.len() / dim) as u32);
            values.convert_from_f32_slice(&projected);
        });
        Self { values, dim }
    }

    /// The greatest absolute value of a component.
    pub(super) fn greatest(&self) -> f32 {
        self.values.iter().map(|x| x.to_f32().abs()).fold(0.0, f32::max)
    }

    pub(super) fn rows(&self, ordinals: &[u32]) -> Vec<f32> {
        let mut rows = vec![0.0; ordinals.len() * self.dim];
        for (row, &ordinal) in rows.chunks_exact_mut(self.dim).zip(ordinals) {
            self.values[ordinal as usize * self.dim..][..self.dim].convert_to_f32_slice(row);
        }
        rows
    }

    /// The mean of some.
    pub(super) fn mean(&self, ordinals: &[u32]) -> Vec<f32> {
        mean_of(&self.rows(ordinals), self.dim)
    }
}

/// Groups of vectors around centres.
pub(super) struct Cells {
    /// The ordinals of each.
    members: Vec<Vec<u32>>,
    /// One after the other.
    centres: Vec<f32>,
    dim: usize,
    /// Those of each part.
    parts: Vec<Range<u32>>,
    /// For each part the parts that are nearest, itself among them.
    near: Vec<Vec<u32>>,
}

impl Cells {
    /// Those of parts of all vectors that are near each other, with a seed for each.
    ///
    /// `None` where it is not to go on.
    pub(super) fn of(
        projected: &Projected,
        parts: &[Vec<u32>],
        seeds: Vec<u64>,
        go_on: GoOn<'_>,
    ) -> Option<Self> {
        let dim = projected.dim;
        let groups: Option<Vec<Vec<Vec<u32>>>> = parts
            .par_iter()
            .zip(seeds)
            .map(|(part, seed)| {
                go_on().then_some(())?;
                let rows = projected.rows(part);
                let groups =
                    clustering::groups(&rows, dim, MEMBERS, BLOCK_CODES, &mut Random(seed));
                let members =
                    |group: Vec<u32>| group.into_iter().map(|at| part[at as usize]).collect();
                Some(groups.into_iter().map(members).collect())
            })
            .collect();
        let groups = groups?;
        let mut count = 0;
        let parts: Vec<Range<u32>> = groups
            .iter()
            .map(|groups| {
                count += groups.len() as u32;
                count - groups.len() as u32..count
            })
            .collect();
        let members = groups.concat();
        let centres: Vec<f32> =
            members.par_iter().flat_map_iter(|members| projected.mean(members)).collect();
        let mut cells = Self { members, centres, dim, parts, near: Vec::new() };
        let of_part = |part: &Range<u32>| mean_of(cells.centres_of(part.clone()), dim);
        let means: Vec<f32> = cells.parts.iter().flat_map(of_part).collect();
        cells.near = clustering::nearest(&means, dim, &means, NEAR_PARTS);
        for _ in 0..ROUNDS {
            cells.improve(projected, go_on)?;
        }
        Some(cells)
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    fn centres_of(&self, cells: Range<u32>) -> &[f32] {
        &self.centres[cells.start as usize * self.dim..cells.end as usize * self.dim]
    }

    /// The cells around each, itself among them: up to `count`, the nearest first.
    fn around(&self, count: usize) -> Vec<Vec<u32>> {
        let of_part = |(part, near): (&Range<u32>, &Vec<u32>)| {
            let cells: Vec<u32> =
                near.iter().flat_map(|&part| self.parts[part as usize].clone()).collect();
            let centres = rows_at(&self.centres, self.dim, &cells);
            let own = self.centres_of(part.clone());
            let nearest = clustering::nearest(own, self.dim, &centres, count);
            let numbers = |at: Vec<u32>| at.into_iter().map(|at| cells[at as usize]).collect();
            nearest.into_iter().map(numbers).collect::<Vec<Vec<u32>>>()
        };
        self.parts.par_iter().zip(&self.near).flat_map_iter(of_part).collect()
    }

    /// Calls a function for each cell with its members, their projections, the cells around it and their centres.
    fn with_around<T: Send>(
        &self,
        projected: &Projected,
        count: usize,
        go_on: GoOn<'_>,
        call: impl Fn(&[f32], &[u32], &[f32]) -> Vec<T> + Sync,
    ) -> Option<Vec<Vec<T>>> {
        self.members
            .par_iter()
            .zip(self.around(count))
            .map(|(members, around)| {
                go_on().then_some(())?;
                let centres = rows_at(&self.centres, self.dim, &around);
                Some(call(&projected.rows(members), &around, &centres))
            })
            .collect()
    }

    /// Moves vectors to the nearest cell around their own, and then centres to the means.
    fn improve(&mut self, projected: &Projected, go_on: GoOn<'_>) -> Option<()> {
        let dim = self.dim;
        let moved = self.with_around(projected, AROUND, go_on, |vectors, around, centres| {
            let nearest = clustering::assign(vectors, dim, centres);
            nearest.into_iter().map(|at| around[at as usize]).collect()
        })?;
        let mut members = vec![Vec::new(); self.members.len()];
        for (&member, to) in self.members.iter().flatten().zip(moved.into_iter().flatten()) {
            members[to as usize].push(member);
        }
        self.members = members;
        let centres = self.centres.par_chunks_exact_mut(dim).zip(&self.members);
        centres.filter(|(_, members)| !members.is_empty()).for_each(|(centre, members)| {
            centre.copy_from_slice(&projected.mean(members));
        });
        Some(())
    }

    /// All vectors, those of a cell together, and the blocks that each may be in, where each cell is a block; `None`
    /// where it is not to go on.
    pub(super) fn choices(
        &self,
        projected: &Projected,
        go_on: GoOn<'_>,
    ) -> Option<(Vec<u32>, Vec<Choices>)> {
        let choices =
            self.with_around(projected, WIDELY_AROUND, go_on, |vectors, around, centres| {
                assignment::choices(vectors, self.dim, around, centres)
            })?;
        Some((self.members.concat(), choices.into_iter().flatten().collect()))
    }
}
