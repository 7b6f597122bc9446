//! Lists as they are coded, and the bytes of an index made of them.

use super::TARGETS;
use super::build::Projection;
use super::codes::Coder;
use super::layout::{
    CodePlaces, Header, LIST_BYTES, Places, RADII_BYTES, SLOT_BYTES, projection_block_bytes, stride,
};
use super::matrix::mean_of;
use super::mixing::mix;
use super::projection::Shape;
use super::view::Effort;
use crate::FlatIndex;
use crate::kernels::Isa;
use crate::kernels::codes::{BLOCK_CODES, BYTE_GROUP_BYTES, MAX_BYTE};

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

/// Sums of squares over vectors.
#[derive(Debug, Clone, Copy, Default)]
struct Squares {
    /// Of what the projections leave, and of what their trailing components are off from the blocks' centres.
    far: f64,
    trail: f64,
    /// Of what the codes of projections, and of the rest, are off by.
    near_error: f64,
    far_error: f64,
}

impl CodedList {
    /// Codes blocks, whose vectors these are.
    pub(super) fn new(rows: FlatIndex<'_>, projection: &Projection, blocks: &[&[u32]]) -> Self {
        let shape = projection.shape;
        let mut list = Self {
            centre: Vec::new(),
            centres: Coder::new(1, shape),
            codes: Coder::new(blocks.len(), shape),
            blocks: Vec::with_capacity(blocks.len()),
            ordinals: vec![0; blocks.len() * BLOCK_CODES],
            squares: Squares::default(),
        };
        let mut centres = Vec::with_capacity(blocks.len() * shape.near);
        for (at, block) in blocks.iter().enumerate() {
            centres.extend(list.code_block(rows, projection, at, block));
        }
        list.centre = mean_of(&centres, shape.near);
        list.squares.near_error = list.codes.near_error;
        list.squares.far_error = list.codes.far_error;
        list
    }

    /// Codes a block, and returns its centre.
    fn code_block(
        &mut self,
        rows: FlatIndex<'_>,
        projection: &Projection,
        at: usize,
        block: &[u32],
    ) -> Vec<f32> {
        let Shape { dim, near, lead, far } = projection.shape;
        let centred = projection.centred(rows, block);
        let projected = projection.project(&centred);
        let centre = mean_of(&projected, near);
        // Codes are of what is left of the vectors less what the centre's code stands for.
        let coded_centre = self.centres.put_near(at, &centre);
        let mut squares = 0.0;
        let mut decoded = Vec::with_capacity(projected.len());
        for (lane, vector) in projected.chunks_exact(near).enumerate() {
            let slot = at * BLOCK_CODES + lane;
            let left: Vec<f32> = vector.iter().zip(&coded_centre).map(|(x, y)| x - y).collect();
            squares += sum_of_squares(&left);
            self.squares.trail += sum_of_squares(&left[lead..]);
            let stands_for = self.codes.put_near(slot, &left);
            decoded.extend(stands_for.iter().zip(&coded_centre).map(|(x, y)| x + y));
            self.ordinals[slot] = block[lane];
        }
        let lifted = projection.lift(&decoded);
        let mut rest = Vec::with_capacity(far);
        for (lane, (vector, lifted)) in
            centred.chunks_exact(dim).zip(lifted.chunks_exact(dim)).enumerate()
        {
            rest.clear();
            rest.extend(vector.iter().zip(lifted).map(|(x, y)| x - y));
            rest.resize(far, 0.0);
            mix(Isa::detect(), &mut rest, far);
            self.codes.put_far(at * BLOCK_CODES + lane, &rest);
        }
        self.squares.far += sum_of_squares(&centred) - sum_of_squares(&projected);
        self.blocks.push((block.len() as u8, (squares / block.len() as f64).sqrt() as f32));
        centre
    }
}

/// The bytes of an index, all but the efforts of searches.
pub(super) fn write(rows: FlatIndex<'_>, projection: &Projection, lists: &[CodedList]) -> Vec<u8> {
    let shape = projection.shape;
    let sum = |squares: fn(&Squares) -> f64| -> f64 {
        lists.iter().map(|list| squares(&list.squares)).sum()
    };
    let per_component = |squares: f64, components: usize| {
        (squares.max(0.0) / (rows.len() * components).max(1) as f64).sqrt() as f32
    };
    let header = Header {
        shape,
        metric: rows.metric(),
        len: rows.len() as u32,
        lists: lists.len() as u32,
        blocks: lists.iter().map(|list| list.blocks.len()).sum::<usize>() as u32,
        far_deviation: per_component(sum(|squares| squares.far), shape.dim),
        trail_deviation: per_component(sum(|squares| squares.trail), shape.near - shape.lead),
        near_deviation: per_component(sum(|squares| squares.near_error), shape.near),
        code_deviation: per_component(sum(|squares| squares.far_error), shape.far),
        efforts: [Effort::ALL; TARGETS.len()],
    };
    let places = Places::of(&header);
    let mut bytes = vec![0; places.end];
    put(&mut bytes, 0, &header.encode());
    let small = SmallRows::of(projection);
    put(&mut bytes, places.projection.start, &small.blocks);
    put(&mut bytes, places.projection_scales.start, &le_bytes(&small.scales));
    for (at, sum) in small.sums.iter().enumerate() {
        put(&mut bytes, places.projection_sums.start + at * 4, &sum.to_le_bytes());
    }
    let mut list_codes = Coder::new(lists.len().div_ceil(BLOCK_CODES), shape);
    let mut first = 0;
    for (at, list) in lists.iter().enumerate() {
        list_codes.put_near(at, &list.centre);
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
        put_codes(&mut bytes, &places.centre_codes, at, &list.centres);
        put_codes(&mut bytes, &places.codes, first, &list.codes);
        let slot = first * BLOCK_CODES;
        put(&mut bytes, places.rows.start + slot * shape.far / 2, &list.codes.rows);
        for (at, (ordinal, scale)) in list.ordinals.iter().zip(&list.codes.far_scales).enumerate() {
            let entry = places.slots.start + (slot + at) * SLOT_BYTES;
            put(&mut bytes, entry, &scale.to_le_bytes());
            put(&mut bytes, entry + 4, &ordinal.to_le_bytes());
        }
        first += list.blocks.len();
    }
    put_codes(&mut bytes, &places.list_codes, 0, &list_codes);
    bytes
}

fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    bytes[at..][..part.len()].copy_from_slice(part);
}

/// Puts codes from a block on.
fn put_codes(bytes: &mut [u8], places: &CodePlaces, block: usize, codes: &Coder) {
    let Shape { near, lead, .. } = codes.shape;
    put(bytes, places.lead.start + block * stride(lead), &codes.lead);
    put(bytes, places.trail.start + block * stride(near - lead), &codes.trail);
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
