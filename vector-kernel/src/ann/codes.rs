//! Codes of four bits a component, with a scale for each part of each vector.
//!
//! A component stands for `(code - 7.5) * scale`. Invariant: blocks hold the codes of projections, 32 vectors side by
//! side; rows hold those of what they leave, a vector each; an entry of both and of its ordinal has the same slot.

use super::layout::stride;
use super::projection::Shape;
use crate::kernels::codes::{
    BLOCK_CODES, CHUNK_BYTES, CHUNK_COMPONENTS, GROUP_BYTES, GROUP_COMPONENTS,
};

/// What a code of zero stands for, in steps of the scale below zero.
pub(super) const CENTRE: f32 = 7.5;

/// The step at which sixteen evenly spaced values fit a normal variable best, by its standard deviation
/// (J. Max, Quantizing for Minimum Distortion, 1960).
const STEP: f32 = 0.3352;
/// Steps around it that are tried for each vector.
const TRIED: [f32; 5] = [0.8, 0.9, 1.0, 1.1, 1.2];

/// Codes `values`, one in each byte of `out`; returns the scale.
///
/// Of the steps tried it takes that whose values lie closest to the direction of `values`, and then the scale
/// that leaves the least squared error.
pub(super) fn encode(values: &[f32], out: &mut [u8]) -> f32 {
    let squares: f32 = values.iter().map(|x| x * x).sum();
    let deviation = (squares / values.len() as f32).sqrt();
    if deviation == 0.0 || values.is_empty() {
        out.fill(8);
        return 0.0;
    }
    let mut best = (f32::NEG_INFINITY, STEP, 0.0);
    for tried in TRIED {
        let step = STEP * tried * deviation;
        let (mut product, mut length) = (0.0, 0.0);
        for x in values {
            let level = f32::from(code(*x, step)) - CENTRE;
            product += x * level;
            length += level * level;
        }
        let fit = product * product / length;
        if fit > best.0 {
            best = (fit, step, product / length);
        }
    }
    let (_, step, scale) = best;
    for (x, out) in values.iter().zip(out) {
        *out = code(*x, step);
    }
    scale
}

fn code(x: f32, step: f32) -> u8 {
    // To the nearest: a cast cuts off, and what is below or above the range goes to its ends.
    ((x / step + (CENTRE + 0.5)) as u8).min(15)
}

/// Puts the codes of a vector in its lane of a block's groups.
pub(super) fn put_in_block(codes: &[u8], lane: usize, groups: &mut [u8]) {
    let (groups, _) = groups.as_chunks_mut::<GROUP_BYTES>();
    for (group, codes) in groups.iter_mut().zip(codes.chunks_exact(GROUP_COMPONENTS)) {
        for j in 0..4 {
            group[4 * lane + j] = codes[j] | codes[4 + j] << 4;
        }
    }
}

/// Puts the codes of a vector in its row.
pub(super) fn put_in_row(codes: &[u8], row: &mut [u8]) {
    for (chunk, codes) in
        row.chunks_exact_mut(CHUNK_BYTES).zip(codes.chunks_exact(CHUNK_COMPONENTS))
    {
        for (j, byte) in chunk.iter_mut().enumerate() {
            *byte = codes[j] | codes[CHUNK_BYTES + j] << 4;
        }
    }
}

/// Bytes of the groups of a block, without its scales.
pub(super) const fn block_bytes(components: usize) -> usize {
    components / GROUP_COMPONENTS * GROUP_BYTES
}

const _: () = assert!(BLOCK_CODES * 4 == GROUP_BYTES);

/// The codes of a list's vectors, or of centres, as they lie in an index.
#[derive(Debug)]
pub(super) struct Coder {
    pub(super) shape: Shape,
    /// Of the components that lead, and of the others.
    pub(super) lead: Vec<u8>,
    pub(super) trail: Vec<u8>,
    /// The scale of a row's code.
    pub(super) far_scales: Vec<f32>,
    pub(super) rows: Vec<u8>,
    /// Of the vector that was coded last.
    codes: Vec<u8>,
    /// The sums of squares of what all codes in blocks, and in rows, are off by.
    pub(super) near_error: f64,
    pub(super) far_error: f64,
}

impl Coder {
    /// With so many blocks.
    pub(super) fn new(blocks: usize, shape: Shape) -> Self {
        Self {
            shape,
            lead: vec![0; blocks * stride(shape.lead)],
            trail: vec![0; blocks * stride(shape.near - shape.lead)],
            far_scales: vec![0.0; blocks * BLOCK_CODES],
            rows: vec![0; blocks * BLOCK_CODES * shape.far / 2],
            codes: vec![0; shape.near.max(shape.far)],
            near_error: 0.0,
            far_error: 0.0,
        }
    }

    /// Codes the projection of what is at a place; returns what the code stands for.
    pub(super) fn put_near(&mut self, slot: usize, values: &[f32]) -> Vec<f32> {
        let Shape { near, lead, .. } = self.shape;
        let (block, lane) = (slot / BLOCK_CODES, slot % BLOCK_CODES);
        let mut decoded = Vec::with_capacity(near);
        for (bytes, range) in [(&mut self.lead, 0..lead), (&mut self.trail, lead..near)] {
            if range.is_empty() {
                continue;
            }
            let (values, codes) = (&values[range.clone()], &mut self.codes[range]);
            let scale = encode(values, codes);
            self.near_error += squared_error(values, codes, scale);
            let stride = stride(values.len());
            let (groups, scales) =
                bytes[block * stride..][..stride].split_at_mut(block_bytes(values.len()));
            put_in_block(codes, lane, groups);
            scales[lane * 4..][..4].copy_from_slice(&scale.to_le_bytes());
            decoded.extend(codes.iter().map(|code| (f32::from(*code) - CENTRE) * scale));
        }
        decoded
    }

    /// Codes what the projection's code leaves of what is at a place.
    pub(super) fn put_far(&mut self, slot: usize, values: &[f32]) {
        let far = self.shape.far;
        let codes = &mut self.codes[..far];
        let scale = encode(values, codes);
        self.far_error += squared_error(values, codes, scale);
        put_in_row(codes, &mut self.rows[slot * far / 2..][..far / 2]);
        self.far_scales[slot] = scale;
    }
}

fn squared_error(values: &[f32], codes: &[u8], scale: f32) -> f64 {
    let error = |(x, code): (&f32, &u8)| f64::from(x - (f32::from(*code) - CENTRE) * scale);
    values.iter().zip(codes).map(error).map(|error| error * error).sum()
}
