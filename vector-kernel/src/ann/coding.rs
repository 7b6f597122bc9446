//! Lists as they are coded, and the bytes of an index made of them.

use rayon::prelude::*;

use super::TARGETS;
use super::build::{Members, Projection};
use super::codes::{Bits, Coder, put_in_row};
use super::exact::{LENGTH_OFF, MARGIN};
use super::layout::{
    Header, LIST_BYTES, Places, RADII_BYTES, SLOT_BYTES, far_stride, projection_block_bytes, stride,
};
use super::matrix::mean_of;
use super::mixing::mix;
use super::projection::Shape;
use super::view::Effort;
use crate::kernels::Isa;
use crate::kernels::codes::{BLOCK_CODES, BYTE_GROUP_BYTES, MAX_BYTE};
use crate::{FlatIndex, Metric};

/// A list, coded.
pub(super) struct CodedList {
    /// The mean of the projections.
    centre: Vec<f32>,
    centres: Coder,
    codes: Coder,
    /// Of each block the number of vectors and its radius: the root of the mean square of their projections' distances
    /// from the centre.
    blocks: Vec<(u8, f32)>,
    /// Of each slot.
    ordinals: Vec<u32>,
    squares: Squares,
}

/// Sums of squares over the vectors of blocks.
#[derive(Debug, Clone, Copy, Default)]
struct Squares {
    /// Of what the projections leave.
    far: f64,
    /// Of what the codes of projections are off by.
    near_error: f64,
}

impl CodedList {
    /// Codes blocks, whose vectors these are.
    pub(super) fn new(
        rows: FlatIndex<'_>,
        projection: &Projection,
        centre: Vec<f32>,
        blocks: &[&Members],
    ) -> Self {
        let (near, scales) = (projection.shape.near, projection.scales);
        let stands_for = Coder::new(1, near, scales).put(0, &centre);
        let mut list = Self {
            centre,
            centres: Coder::new(1, near, scales),
            codes: Coder::new(blocks.len(), near, scales),
            blocks: Vec::with_capacity(blocks.len()),
            ordinals: vec![0; blocks.len() * BLOCK_CODES],
            squares: Squares::default(),
        };
        for (at, block) in blocks.iter().enumerate() {
            list.code_block(rows, projection, &stands_for, (at, block));
        }
        list.squares.near_error = list.codes.error;
        list
    }

    /// Codes a block: its centre by what it is off from the list's, and the vectors by what they are off from that, as
    /// the codes have them.
    fn code_block(
        &mut self,
        rows: FlatIndex<'_>,
        projection: &Projection,
        list: &[f32],
        (at, members): (usize, &Members),
    ) {
        let near = projection.shape.near;
        let centred = projection.centred(rows, &members.ordinals);
        let projected = projection.project(&centred);
        let centre = mean_of(&projected[..members.first * near], near);
        let off: Vec<f32> = centre.iter().zip(list).map(|(x, y)| x - y).collect();
        let mut coded_centre = self.centres.put(at, &off);
        coded_centre.iter_mut().zip(list).for_each(|(x, y)| *x += y);
        let mut squares = 0.0;
        for (lane, vector) in projected.chunks_exact(near).enumerate() {
            let slot = at * BLOCK_CODES + lane;
            let left: Vec<f32> = vector.iter().zip(&coded_centre).map(|(x, y)| x - y).collect();
            squares += sum_of_squares(&left);
            self.codes.put(slot, &left);
            self.ordinals[slot] = members.ordinals[lane];
        }
        self.squares.far += sum_of_squares(&centred) - sum_of_squares(&projected);
        let count = members.ordinals.len();
        self.blocks.push((count as u8, (squares / count as f64).sqrt() as f32));
    }
}

/// The second codes: of all vectors, less the mean of all, mixed.
struct FarCodes {
    bytes: Vec<u8>,
    /// The sum of squares of what they are off by.
    error: f64,
    /// The greatest length of what they stand for.
    longest: f32,
}

impl FarCodes {
    fn of(rows: FlatIndex<'_>, projection: &Projection) -> Self {
        const CHUNK: usize = 1024;
        let Shape { dim, far, .. } = projection.shape;
        let mean = sum_of_squares(&projection.mean).sqrt() as f32;
        let code = |ordinals: Vec<u32>| {
            let bytes = vec![0; ordinals.len() * far_stride(far)];
            let mut coded = Self { bytes, error: 0.0, longest: 0.0 };
            let (mut mixed, mut codes) = (vec![0.0; far], vec![0; far]);
            let centred = projection.centred(rows, &ordinals);
            let isa = Isa::detect();
            for (row, bytes) in
                centred.chunks_exact(dim).zip(coded.bytes.chunks_exact_mut(far_stride(far)))
            {
                mixed[..dim].copy_from_slice(row);
                mixed[dim..].fill(0.0);
                mix(isa, &mut mixed, far);
                let scale = Bits::Four.encode(&mixed, &mut codes);
                let error = Bits::Four.squared_error(&mixed, &codes, scale);
                coded.error += error;
                let length = sum_of_squares(row).sqrt() as f32;
                // What a row that is too long or too short for its length to be told is compared as, it is not.
                let compared: Vec<f32> =
                    row.iter().zip(&projection.mean).map(|(x, mean)| x + mean).collect();
                let is_told = rows.metric() != Metric::Cosine
                    || (sum_of_squares(&compared).sqrt() - 1.0).abs() < LENGTH_OFF;
                let off = if is_told { error.sqrt() as f32 } else { f32::INFINITY };
                coded.longest = coded.longest.max(length + error.sqrt() as f32);
                let off = off * (1.0 + MARGIN) + MARGIN * (length + mean);
                let (row, place) = bytes.split_at_mut(far / 2);
                put_in_row(&codes, row);
                let (place, place_of_off) = place.split_at_mut(4);
                place.copy_from_slice(&scale.to_le_bytes());
                place_of_off.copy_from_slice(&off.to_le_bytes());
            }
            coded
        };
        let len = rows.len();
        let chunks: Vec<Self> = (0..len.div_ceil(CHUNK))
            .into_par_iter()
            .map(|at| code((at * CHUNK..len.min((at + 1) * CHUNK)).map(|row| row as u32).collect()))
            .collect();
        Self {
            error: chunks.iter().map(|chunk| chunk.error).sum(),
            longest: chunks.iter().map(|chunk| chunk.longest).fold(0.0, f32::max) * (1.0 + MARGIN),
            bytes: chunks.into_iter().flat_map(|chunk| chunk.bytes).collect(),
        }
    }
}

/// The bytes of an index, all but the efforts of searches.
pub(super) fn write(rows: FlatIndex<'_>, projection: &Projection, lists: &[CodedList]) -> Vec<u8> {
    let shape = projection.shape;
    let sum = |squares: fn(&Squares) -> f64| -> f64 {
        lists.iter().map(|list| squares(&list.squares)).sum()
    };
    let members: usize =
        lists.iter().flat_map(|list| &list.blocks).map(|&(count, _)| usize::from(count)).sum();
    let deviation =
        |squares: f64, numbers: usize| (squares.max(0.0) / numbers.max(1) as f64).sqrt() as f32;
    let far = FarCodes::of(rows, projection);
    let header = Header {
        shape,
        metric: rows.metric(),
        len: rows.len() as u32,
        lists: lists.len() as u32,
        blocks: lists.iter().map(|list| list.blocks.len()).sum::<usize>() as u32,
        far_deviation: deviation(sum(|squares| squares.far), members * shape.dim),
        near_deviation: deviation(sum(|squares| squares.near_error), members * shape.near),
        code_deviation: deviation(far.error, rows.len() * shape.far),
        scales: projection.scales,
        longest: far.longest,
        efforts: [Effort::ALL; TARGETS.len()],
    };
    let places = Places::of(&header);
    let stride = stride(shape.near);
    let mut bytes = vec![0; places.end];
    put(&mut bytes, 0, &header.encode());
    let small = SmallRows::of(projection);
    put(&mut bytes, places.projection.start, &small.blocks);
    put(&mut bytes, places.mean.start, &le_bytes(&projection.mean));
    put(&mut bytes, places.projection_scales.start, &le_bytes(&small.scales));
    for (at, sum) in small.sums.iter().enumerate() {
        put(&mut bytes, places.projection_sums.start + at * 4, &sum.to_le_bytes());
    }
    let mut list_codes =
        Coder::new(lists.len().div_ceil(BLOCK_CODES), shape.near, projection.scales);
    let mut first = 0;
    for (at, list) in lists.iter().enumerate() {
        list_codes.put(at, &list.centre);
        let entry = places.lists.start + at * LIST_BYTES;
        put(&mut bytes, entry, &(first as u32).to_le_bytes());
        put(&mut bytes, entry + 4, &(list.blocks.len() as u32).to_le_bytes());
        for (lane, (count, radius)) in list.blocks.iter().enumerate() {
            put(
                &mut bytes,
                places.radii.start + at * RADII_BYTES + lane * 4,
                &radius.to_le_bytes(),
            );
            put(&mut bytes, places.counts.start + at * BLOCK_CODES + lane, &[*count]);
        }
        put(&mut bytes, places.centre_codes.start + at * stride, &list.centres.bytes);
        put(&mut bytes, places.codes.start + first * stride, &list.codes.bytes);
        for (slot, ordinal) in (first * BLOCK_CODES..).zip(&list.ordinals) {
            put(&mut bytes, places.slots.start + slot * SLOT_BYTES, &ordinal.to_le_bytes());
        }
        first += list.blocks.len();
    }
    put(&mut bytes, places.list_codes.start, &list_codes.bytes);
    put(&mut bytes, places.rows.start, &far.bytes);
    bytes
}

fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    bytes[at..][..part.len()].copy_from_slice(part);
}

/// The projection as small bytes, 32 rows side by side.
struct SmallRows {
    blocks: Vec<u8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
}

impl SmallRows {
    fn of(projection: &Projection) -> Self {
        let Shape { dim, near, .. } = projection.shape;
        let rows = near.next_multiple_of(BLOCK_CODES);
        let block_bytes = projection_block_bytes(dim);
        let mut small = Self {
            blocks: vec![0; rows / BLOCK_CODES * block_bytes],
            scales: vec![0.0; rows],
            sums: vec![0; rows],
        };
        for (at, row) in projection.rows.chunks_exact(dim).enumerate() {
            let most = row.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            if most == 0.0 {
                continue;
            }
            let scale = most / f32::from(MAX_BYTE);
            let block = &mut small.blocks[at / BLOCK_CODES * block_bytes..][..block_bytes];
            for (i, x) in row.iter().enumerate() {
                let byte = (x / scale).round() as i8;
                block[i / 4 * BYTE_GROUP_BYTES + at % BLOCK_CODES * 4 + i % 4] = byte as u8;
                small.sums[at] += i32::from(byte);
            }
            small.scales[at] = scale;
        }
        small
    }
}

fn sum_of_squares(values: &[f32]) -> f64 {
    values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum()
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
