//! Building the bytes of an index.
//!
//! Invariant: they are a function of vectors, metric and seed, however many threads build them.

use rayon::prelude::*;

use super::assignment::{self, Choices};
use super::cells::{Cells, Projected};
use super::codes::SmallScale;
use super::coding::{self, CodedList};
use super::layout::Header;
use super::matrix::{mean_of, rows_at, times_transposed};
use super::projection::{self, Shape};
use super::random::Random;
use super::{AnnError, AnnView, MAX_ANN_DIM, calibration, clustering};
use crate::kernels::codes::BLOCK_CODES;
use crate::{FlatIndex, Metric, threads};

/// Members of a part, about, whose groups are found together.
const PART_MEMBERS: usize = 1024;
/// A part that is longer is divided again.
const LONGEST_PART: usize = 4 * PART_MEMBERS;
/// More parts than these are not found at once.
const MOST_PARTS: usize = 256;
/// Members of a sample for each part, from which the parts' centres are found.
const SAMPLE_PER_PART: usize = 128;
/// Vectors of the sample that the projection is found from.
const PROJECTION_SAMPLE: usize = 32_768;
/// Vectors that are compared with the centres of parts at once.
const CHUNK: usize = 32 * 1024;
/// How much greater than the greatest component of a projection a code's scale may be, safely: of what is off from a
/// centre whose code is off itself.
const MOST_OFF: f32 = 4.0;

/// Builds an index of approximate search for the rows of a [`FlatIndex`].
///
/// See [the module](crate::ann) for what it does and an example.
#[derive(Debug, Clone, Copy)]
pub struct AnnBuilder<'a> {
    rows: FlatIndex<'a>,
    seed: u64,
    threads: Option<usize>,
}

impl<'a> AnnBuilder<'a> {
    /// For these rows, with seed 0.
    ///
    /// # Errors
    ///
    /// [`AnnError::Unsupported`] where only an exact search is to be had: for rows of `i8` or bits, for the
    /// Euclidean metric, and for more than [`MAX_ANN_DIM`] components.
    pub fn new(rows: FlatIndex<'a>) -> Result<Self, AnnError> {
        let unsupported = |what| Err(AnnError::Unsupported { what });
        if !rows.has_float_rows() {
            return unsupported("rows that are no floats");
        }
        if rows.metric() == Metric::Euclidean {
            return unsupported("the Euclidean metric");
        }
        if rows.dim() > MAX_ANN_DIM {
            return unsupported("so many components");
        }
        Ok(Self { rows, seed: 0, threads: None })
    }

    /// Draws samples and the random part of the projection from another seed.
    #[must_use]
    pub const fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Builds on so many threads of its own, instead of on the current rayon pool: at least one.
    #[must_use]
    pub const fn threads(self, count: usize) -> Self {
        Self { threads: Some(if count == 0 { 1 } else { count }), ..self }
    }

    /// Builds the index; its bytes do not depend on how many threads do.
    ///
    /// # Errors
    ///
    /// [`AnnError::RowNotFinite`] when a row isn't, as then the rows are damaged.
    ///
    /// # Complexity
    ///
    /// About 120 µs a vector of 384 components, of one core's time; memory for twice the index and a sample of the rows.
    pub fn build(self) -> Result<Vec<u8>, AnnError> {
        Ok(self.build_while(&|| true)?.unwrap_or_default())
    }

    /// As [`AnnBuilder::build`], as long as `go_on` returns true; `None` where it did not, some milliseconds later.
    ///
    /// # Errors
    ///
    /// As [`AnnBuilder::build`].
    pub fn build_while(
        self,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Vec<u8>>, AnnError> {
        threads::install(self.threads, || self.build_here(go_on))
    }

    fn build_here(self, go_on: &(dyn Fn() -> bool + Sync)) -> Result<Option<Vec<u8>>, AnnError> {
        let Self { rows, seed, .. } = self;
        if let Some(ordinal) = rows.first_not_finite() {
            return Err(AnnError::RowNotFinite { ordinal });
        }
        let build = Build { rows, shape: Shape::of(rows.dim()), random: Random(seed), go_on };
        let Some(mut bytes) = build.run() else { return Ok(None) };
        let view = AnnView::new(&bytes, rows)?;
        let Some(efforts) = calibration::efforts(&view, seed, go_on) else { return Ok(None) };
        let mut header = Header::decode(&bytes)?;
        header.efforts = efforts;
        let encoded = header.encode();
        bytes[..encoded.len()].copy_from_slice(&encoded);
        Ok(Some(bytes))
    }
}

/// Blocks of vectors that are near each other, and their centres.
struct Blocks {
    members: Vec<Members>,
    /// The means of the projections of those that are in each block first, one after the other.
    centres: Vec<f32>,
}

/// The vectors of a block.
pub(super) struct Members {
    /// Those that are in this block first, and then those that are in another one first.
    pub(super) ordinals: Vec<u32>,
    /// How many are in it first.
    pub(super) first: usize,
}

impl Members {
    /// Those of the blocks that vectors chose, and of new ones for vectors that found no room.
    fn chosen(ordinals: &[u32], choices: &[Choices], blocks: usize) -> Vec<Self> {
        let first = assignment::first(choices, blocks);
        let second = assignment::second(choices, &first, blocks);
        let mut all: Vec<Self> =
            (0..blocks).map(|_| Self { ordinals: Vec::new(), first: 0 }).collect();
        let mut left = Vec::new();
        for (&ordinal, &block) in ordinals.iter().zip(&first) {
            match all.get_mut(block as usize) {
                Some(members) => members.ordinals.push(ordinal),
                None => left.push(ordinal),
            }
        }
        // Those of one part lie together.
        all.extend(left.chunks(BLOCK_CODES).map(|some| Self { ordinals: some.to_vec(), first: 0 }));
        for members in &mut all {
            members.first = members.ordinals.len();
        }
        for (&ordinal, &block) in ordinals.iter().zip(&second) {
            if let Some(members) = all.get_mut(block as usize) {
                members.ordinals.push(ordinal);
            }
        }
        all.retain(|members| members.first > 0);
        all
    }
}

/// How vectors are projected.
pub(super) struct Projection {
    pub(super) shape: Shape,
    /// Of all vectors; it is subtracted first.
    pub(super) mean: Vec<f32>,
    pub(super) rows: Vec<f32>,
    /// Of the codes of projections.
    pub(super) scales: SmallScale,
}

impl Projection {
    /// Finds it from a sample of the rows.
    fn train(rows: FlatIndex<'_>, shape: Shape, random: &mut Random) -> Self {
        let sampled = random.sample(PROJECTION_SAMPLE, rows.len());
        let mut sample = gather(rows, &sampled);
        let mean = mean_of(&sample, shape.dim);
        subtract(&mut sample, &mean);
        let rows = projection::train(shape, &sample, random);
        Self { shape, mean, rows, scales: SmallScale::up_to(0.0) }
    }

    /// Some rows less the mean.
    pub(super) fn centred(&self, rows: FlatIndex<'_>, ordinals: &[u32]) -> Vec<f32> {
        let mut rows = gather(rows, ordinals);
        subtract(&mut rows, &self.mean);
        rows
    }

    /// The projections of centred rows.
    pub(super) fn project(&self, centred: &[f32]) -> Vec<f32> {
        let Shape { dim, near, .. } = self.shape;
        let mut projected = vec![0.0; centred.len() / dim * near];
        times_transposed(centred, &self.rows, dim, &mut projected);
        projected
    }
}

struct Build<'a> {
    rows: FlatIndex<'a>,
    shape: Shape,
    random: Random,
    go_on: &'a (dyn Fn() -> bool + Sync),
}

impl Build<'_> {
    /// `None` where it was not to go on.
    fn run(mut self) -> Option<Vec<u8>> {
        let mut projection = Projection::train(self.rows, self.shape, &mut self.random);
        let projected = self.project(&projection);
        projection.scales = SmallScale::up_to(MOST_OFF * projected.greatest());
        let blocks = self.blocks(&projected)?;
        drop(projected);
        let lists = self.lists(&blocks)?;
        let lists: Option<Vec<CodedList>> = lists
            .par_iter()
            .map(|list| {
                self.goes_on()?;
                let members: Vec<&Members> =
                    list.iter().map(|&block| &blocks.members[block as usize]).collect();
                let centre =
                    mean_of(&rows_at(&blocks.centres, self.shape.near, list), self.shape.near);
                Some(CodedList::new(self.rows, &projection, centre, &members))
            })
            .collect();
        Some(coding::write(self.rows, &projection, &lists?))
    }

    fn goes_on(&self) -> Option<()> {
        (self.go_on)().then_some(())
    }

    fn project(&self, projection: &Projection) -> Projected {
        Projected::of(self.rows.len(), self.shape.near, |ordinals| {
            let ordinals: Vec<u32> = ordinals.collect();
            projection.project(&projection.centred(self.rows, &ordinals))
        })
    }

    /// Blocks of up to 32 vectors that are near each other, each vector in one or two of them.
    fn blocks(&mut self, projected: &Projected) -> Option<Blocks> {
        let parts = self.divide(self.rows.len(), |ordinals| projected.rows(ordinals))?;
        let seeds: Vec<u64> = parts.iter().map(|_| self.random.bits()).collect();
        let cells = Cells::of(projected, &parts, seeds, self.go_on)?;
        let (ordinals, choices) = cells.choices(projected, self.go_on)?;
        let members = Members::chosen(&ordinals, &choices, cells.len());
        let centre = |members: &Members| projected.mean(&members.ordinals[..members.first]);
        Some(Blocks { centres: members.par_iter().flat_map_iter(centre).collect(), members })
    }

    /// Lists of up to 32 blocks that are near each other.
    fn lists(&mut self, blocks: &Blocks) -> Option<Vec<Vec<u32>>> {
        let near = self.shape.near;
        let centres = |members: &[u32]| rows_at(&blocks.centres, near, members);
        let parts = self.divide(blocks.members.len(), centres)?;
        let seeds: Vec<u64> = parts.iter().map(|_| self.random.bits()).collect();
        let lists = parts.par_iter().zip(seeds).flat_map_iter(|(part, seed)| {
            let groups = groups_of_32(&centres(part), near, &mut Random(seed));
            groups
                .into_iter()
                .map(|group| group.iter().map(|&at| part[at as usize]).collect::<Vec<u32>>())
        });
        Some(lists.collect())
    }

    /// Divides so many members, whose projections `project` gives, into parts that are near each other, none of
    /// them long.
    fn divide(
        &mut self,
        members: usize,
        project: impl Fn(&[u32]) -> Vec<f32>,
    ) -> Option<Vec<Vec<u32>>> {
        let near = self.shape.near;
        let go_on = self.go_on;
        let all: Vec<u32> = (0..members as u32).collect();
        let mut pending = vec![all];
        let mut done = Vec::new();
        while let Some(part) = pending.pop() {
            if part.len() <= LONGEST_PART {
                done.push(part);
                continue;
            }
            let count = match part.len() / PART_MEMBERS {
                // In two turns: each member is compared with all centres of a turn.
                many if many > MOST_PARTS => many.isqrt(),
                count => count,
            };
            let sample = self.random.sample(SAMPLE_PER_PART * count, part.len());
            let sample: Vec<u32> = sample.into_iter().map(|at| part[at as usize]).collect();
            let centres =
                clustering::train(&project(&sample), near, count, &mut self.random, go_on)?;
            let mut smaller = vec![Vec::new(); count];
            // A few at a time: their projections take as much memory as half of the index.
            for some in part.chunks(CHUNK) {
                self.goes_on()?;
                let nearest = clustering::assign(&project(some), near, &centres);
                for (&member, at) in some.iter().zip(nearest) {
                    smaller[at as usize].push(member);
                }
            }
            smaller.retain(|smaller| !smaller.is_empty());
            if smaller.iter().any(|smaller| smaller.len() * 10 > part.len() * 9) {
                // They are all alike, and no division is better than another.
                done.extend(part.chunks(PART_MEMBERS).map(<[u32]>::to_vec));
            } else {
                pending.extend(smaller);
            }
        }
        done.retain(|part| !part.is_empty());
        Some(done)
    }
}

/// Groups of up to 32 of some vectors that are near each other: as few groups as hold all.
fn groups_of_32(vectors: &[f32], dim: usize, random: &mut Random) -> Vec<Vec<u32>> {
    let count = (vectors.len() / dim).div_ceil(BLOCK_CODES);
    clustering::balanced(vectors, dim, count, BLOCK_CODES, random)
}

/// Rows as they are compared: of length 1 for a cosine.
fn gather(rows: FlatIndex<'_>, ordinals: &[u32]) -> Vec<f32> {
    let mut gathered = vec![0.0; ordinals.len() * rows.dim()];
    for (row, &ordinal) in gathered.chunks_exact_mut(rows.dim()).zip(ordinals) {
        rows.unit_row(ordinal, row);
    }
    gathered
}

fn subtract(rows: &mut [f32], mean: &[f32]) {
    for row in rows.chunks_exact_mut(mean.len()) {
        row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
    }
}
