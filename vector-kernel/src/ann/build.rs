//! Building the bytes of an index.
//!
//! Invariant: they are a function of vectors, metric and seed, however many threads build them.

use rayon::prelude::*;

use super::codes::Coder;
use super::layout::{
    CENTRE_BYTES, Centre, Header, LIST_BYTES, MAX_BLOCKS, Places, SLOT_BYTES, rotation_block_bytes,
    stride,
};
use super::matrix::times_transposed;
use super::random::Random;
use super::rotation::{self, Shape};
use super::search::Effort;
use super::{AnnError, AnnView, MAX_ANN_DIM, TARGETS, calibration, clustering};
use crate::kernels::codes::{BLOCK_CODES, BYTE_GROUP_BYTES, MAX_BYTE};
use crate::{FlatIndex, Metric};

/// Vectors in a list, about.
const LIST_VECTORS: usize = 1024;
/// A list that is longer is divided again.
const LONGEST_LIST: usize = 4 * LIST_VECTORS;
/// Vectors of a sample for each list, from which the lists' centres are found.
const SAMPLE_PER_LIST: usize = 128;
/// Vectors of the sample that the rotation is found from.
const ROTATION_SAMPLE: usize = 32_768;
/// Vectors that are turned at once.
const CHUNK: usize = 512;

/// Builds an index of approximate search for the rows of a [`FlatIndex`].
///
/// See [the module](crate::ann) for what it does and an example.
#[derive(Debug, Clone, Copy)]
pub struct AnnBuilder<'a> {
    rows: FlatIndex<'a>,
    seed: u64,
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
        Ok(Self { rows, seed: 0 })
    }

    /// Draws samples and the random part of the rotation from another seed.
    #[must_use]
    pub const fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Builds the index, on the current rayon pool.
    ///
    /// # Errors
    ///
    /// [`AnnError::RowNotFinite`] when a row isn't, as then the rows are damaged.
    ///
    /// # Complexity
    ///
    /// About 60 µs a vector of 384 components, of one core's time; memory for the index and a sample of the rows.
    pub fn build(self) -> Result<Vec<u8>, AnnError> {
        let Self { rows, seed } = self;
        if let Some(ordinal) = rows.first_not_finite() {
            return Err(AnnError::RowNotFinite { ordinal });
        }
        let mut bytes = Build { rows, shape: Shape::of(rows.dim()), random: Random(seed) }.run();
        let efforts = calibration::efforts(&AnnView::new(&bytes, rows)?, seed);
        let mut header = Header::decode(&bytes)?;
        header.efforts = efforts;
        let encoded = header.encode();
        bytes[..encoded.len()].copy_from_slice(&encoded);
        Ok(bytes)
    }
}

struct Build<'a> {
    rows: FlatIndex<'a>,
    shape: Shape,
    random: Random,
}

impl Build<'_> {
    fn run(mut self) -> Vec<u8> {
        let (len, dim) = (self.rows.len(), self.shape.dim);
        let sampled = self.random.sample(ROTATION_SAMPLE, len);
        let mut sample = self.gather(&sampled);
        let mean = mean_of(&sample, dim);
        subtract(&mut sample, &mean);
        let rotation = rotation::train(self.shape, &sample, &mut self.random);
        drop(sample);
        let members = self.divide(&mean, &rotation);
        let seeds: Vec<u64> = members.iter().map(|_| self.random.bits()).collect();
        let lists: Vec<List> = members
            .par_iter()
            .zip(seeds)
            .map(|(members, seed)| self.code_list(members, &mean, &rotation, Random(seed)))
            .collect();
        self.write(&mean, &rotation, &lists)
    }

    /// Rows as they are compared: of length 1 for a cosine.
    fn gather(&self, ordinals: &[u32]) -> Vec<f32> {
        let dim = self.shape.dim;
        let mut rows = vec![0.0; ordinals.len() * dim];
        for (row, &ordinal) in rows.chunks_exact_mut(dim).zip(ordinals) {
            self.rows.unit_row(ordinal, row);
        }
        rows
    }

    /// Rows less the mean, turned: `width` components of each.
    fn turn(&self, ordinals: &[u32], mean: &[f32], rotation: &[f32], width: usize) -> Vec<f32> {
        let dim = self.shape.dim;
        let mut rows = self.gather(ordinals);
        subtract(&mut rows, mean);
        let mut turned = vec![0.0; ordinals.len() * width];
        times_transposed(&rows, &rotation[..width * dim], dim, &mut turned);
        turned
    }

    /// Lists of vectors whose first components are near each other.
    fn divide(&mut self, mean: &[f32], rotation: &[f32]) -> Vec<Vec<u32>> {
        let near = self.shape.near;
        let all: Vec<u32> = (0..self.rows.len() as u32).collect();
        let mut pending = vec![all];
        let mut lists = Vec::new();
        while let Some(list) = pending.pop() {
            if list.len() <= LONGEST_LIST {
                lists.push(list);
                continue;
            }
            let count = list.len() / LIST_VECTORS;
            let sample = self.random.sample(SAMPLE_PER_LIST * count, list.len());
            let sample: Vec<u32> = sample.into_iter().map(|at| list[at as usize]).collect();
            let turned = |ordinals: &[u32]| self.turn(ordinals, mean, rotation, near);
            let sample: Vec<f32> = sample.par_chunks(CHUNK).flat_map_iter(turned).collect();
            let centres = clustering::train(&sample, near, count, &mut self.random);
            drop(sample);
            let turned = |ordinals: &[u32]| self.turn(ordinals, mean, rotation, near);
            let nearest: Vec<u32> = list
                .par_chunks(CHUNK)
                .flat_map_iter(|part| clustering::assign(&turned(part), near, &centres))
                .collect();
            let mut parts = vec![Vec::new(); count];
            for (&ordinal, &part) in list.iter().zip(&nearest) {
                parts[part as usize].push(ordinal);
            }
            parts.retain(|part| !part.is_empty());
            if parts.iter().any(|part| part.len() * 10 > list.len() * 9) {
                // They are all alike, and no division is better than another.
                lists.extend(list.chunks(LIST_VECTORS).map(<[u32]>::to_vec));
            } else {
                pending.extend(parts);
            }
        }
        lists.retain(|list| !list.is_empty());
        lists
    }

    fn code_list(
        &self,
        members: &[u32],
        mean: &[f32],
        rotation: &[f32],
        mut random: Random,
    ) -> List {
        let shape = self.shape;
        let (near, width) = (shape.near, shape.rotated());
        let rows = self.turn(members, mean, rotation, width);
        let row = |member: u32| &rows[member as usize * width..][..width];
        let firsts: Vec<f32> =
            rows.chunks_exact(width).flat_map(|row| &row[..near]).copied().collect();
        let count = members.len().div_ceil(BLOCK_CODES);
        let groups = clustering::balanced(&firsts, near, count, BLOCK_CODES, &mut random);
        let mut list = List {
            centre: mean_of(&firsts, near),
            centres: Coder::new(groups.len().div_ceil(BLOCK_CODES), shape),
            codes: Coder::new(groups.len(), shape),
            blocks: Vec::with_capacity(groups.len()),
            ordinals: vec![0; groups.len() * BLOCK_CODES],
            far_squares: 0.0,
            trail_squares: 0.0,
        };
        for (at, group) in groups.iter().enumerate() {
            let firsts: Vec<f32> =
                group.iter().flat_map(|&member| &row(member)[..near]).copied().collect();
            list.centres.put_near(at, &mean_of(&firsts, near));
            // Codes are of what is left of the vectors less what the centre's code stands for.
            let centre = list.centres.decoded_near(at);
            let mut squares = 0.0;
            for (lane, &member) in group.iter().enumerate() {
                let slot = at * BLOCK_CODES + lane;
                let (first, last) = row(member).split_at(near);
                let left: Vec<f32> = first.iter().zip(&centre).map(|(x, y)| x - y).collect();
                squares += sum_of_squares(&left);
                list.far_squares += sum_of_squares(last);
                list.trail_squares += sum_of_squares(&left[shape.lead..]);
                list.codes.put_near(slot, &left);
                list.codes.put_far(slot, last);
                list.ordinals[slot] = members[member as usize];
            }
            let radius = (squares / group.len() as f64).sqrt() as f32;
            list.blocks.push((group.len() as u32, radius));
        }
        list
    }

    fn write(&self, mean: &[f32], rotation: &[f32], lists: &[List]) -> Vec<u8> {
        let (shape, len) = (self.shape, self.rows.len());
        let per_component = |squares: f64, components: usize| {
            (squares / (len * components).max(1) as f64).sqrt() as f32
        };
        let blocks: usize = lists.iter().map(|list| list.blocks.len()).sum();
        assert!(blocks <= MAX_BLOCKS, "u32 ordinals name no more vectors than blocks hold");
        let header = Header {
            shape,
            metric: self.rows.metric(),
            len: len as u32,
            lists: lists.len() as u32,
            centre_blocks: lists.iter().map(List::centre_blocks).sum::<usize>() as u32,
            blocks: blocks as u32,
            far_deviation: per_component(
                lists.iter().map(|list| list.far_squares).sum(),
                shape.far,
            ),
            trail_deviation: per_component(
                lists.iter().map(|list| list.trail_squares).sum(),
                shape.near - shape.lead,
            ),
            code_deviation: per_component(
                lists.iter().map(|list| list.codes.squared_error).sum(),
                shape.rotated(),
            ),
            efforts: [Effort::ALL; TARGETS.len()],
        };
        let places = Places::of(&header);
        let mut bytes = vec![0; places.end];
        let mut put = |at: usize, part: &[u8]| bytes[at..][..part.len()].copy_from_slice(part);
        put(0, &header.encode());
        put(places.mean.start, &le_bytes(mean));
        let turn = Turn::of(rotation, shape);
        put(places.rotation.start, &turn.blocks);
        put(places.rotation_scales.start, &le_bytes(&turn.scales));
        for (at, sum) in turn.sums.iter().enumerate() {
            put(places.rotation_sums.start + at * 4, &sum.to_le_bytes());
        }
        let mut list_codes = Coder::new(lists.len().div_ceil(BLOCK_CODES), shape);
        let (mut first_centre, mut first_block) = (0, 0);
        for (at, list) in lists.iter().enumerate() {
            list_codes.put_near(at, &list.centre);
            let entry = places.lists.start + at * LIST_BYTES;
            put(entry, &(first_centre as u32).to_le_bytes());
            put(entry + 4, &(list.blocks.len() as u32).to_le_bytes());
            for (at, &(count, radius)) in list.blocks.iter().enumerate() {
                let centre = Centre { block: (first_block + at) as u32, count, radius };
                let slot = first_centre * BLOCK_CODES + at;
                put(places.centres.start + slot * CENTRE_BYTES, &centre.encode());
            }
            let codes = places.centre_codes.start + first_centre * stride(shape.near);
            put(codes, &list.centres.blocks);
            put(places.codes.blocks.start + first_block * stride(shape.near), &list.codes.blocks);
            let slot = first_block * BLOCK_CODES;
            put(places.codes.rows.start + slot * shape.far / 2, &list.codes.rows);
            for (at, (ordinal, scale)) in
                list.ordinals.iter().zip(&list.codes.far_scales).enumerate()
            {
                let entry = places.codes.slots.start + (slot + at) * SLOT_BYTES;
                put(entry, &scale.to_le_bytes());
                put(entry + 4, &ordinal.to_le_bytes());
            }
            first_centre += list.centre_blocks();
            first_block += list.blocks.len();
        }
        put(places.list_codes.start, &list_codes.blocks);
        bytes
    }
}

/// A list, coded.
struct List {
    /// The mean of the first components.
    centre: Vec<f32>,
    centres: Coder,
    codes: Coder,
    /// Vectors and radius of each block.
    blocks: Vec<(u32, f32)>,
    /// Of each slot.
    ordinals: Vec<u32>,
    far_squares: f64,
    trail_squares: f64,
}

impl List {
    fn centre_blocks(&self) -> usize {
        self.blocks.len().div_ceil(BLOCK_CODES)
    }
}

/// The rotation as small bytes, 32 rows side by side.
struct Turn {
    blocks: Vec<u8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
}

impl Turn {
    fn of(rotation: &[f32], shape: Shape) -> Self {
        let dim = shape.dim;
        let rows = shape.rotated().next_multiple_of(BLOCK_CODES);
        let block_bytes = rotation_block_bytes(dim);
        let mut turn = Self {
            blocks: vec![0; rows / BLOCK_CODES * block_bytes],
            scales: vec![0.0; rows],
            sums: vec![0; rows],
        };
        for (at, row) in rotation.chunks_exact(dim).take(shape.rotated()).enumerate() {
            let most = row.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            if most == 0.0 {
                continue;
            }
            let scale = most / f32::from(MAX_BYTE);
            let block = &mut turn.blocks[at / BLOCK_CODES * block_bytes..][..block_bytes];
            for (i, x) in row.iter().enumerate() {
                let byte = (x / scale).round() as i8;
                block[i / 4 * BYTE_GROUP_BYTES + at % BLOCK_CODES * 4 + i % 4] = byte as u8;
                turn.sums[at] += i32::from(byte);
            }
            turn.scales[at] = scale;
        }
        turn
    }
}

fn subtract(rows: &mut [f32], mean: &[f32]) {
    for row in rows.chunks_exact_mut(mean.len()) {
        row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
    }
}

fn mean_of(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; dim];
    for row in rows.chunks_exact(dim) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    let count = (rows.len() / dim).max(1) as f64;
    sums.iter().map(|sum| (sum / count) as f32).collect()
}

fn sum_of_squares(values: &[f32]) -> f64 {
    values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum()
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
