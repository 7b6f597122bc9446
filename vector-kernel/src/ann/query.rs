//! A query, projected and mixed as the codes are, and coded in eight bits itself.

use super::codes::Bits;
use super::layout::{Places, f32_at, projection_block_bytes, u32_at};
use super::mixing::mix_row;
use super::projection::Shape;
use crate::kernels::Isa;
use crate::kernels::codes::{
    BLOCK_CODES, BYTE_GROUP_BYTES, CHUNK_COMPONENTS, MAX_ENTRY, Tables, places_of_table,
};
use crate::kernels::simd::{Kernel, Simd};

/// A product of codes `u` with a query is `scale * Σ uᵢ qᵢ`, less `total` times the codes' centre, times the codes' own
/// scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) scale: f32,
    /// What a query's components add up to.
    pub(super) total: f32,
}

impl Scale {
    /// The product, of the sum and a code's scale.
    #[inline(always)]
    pub(super) fn product(self, sum: i32, scale: f32) -> f32 {
        (sum as f32 * self.scale - Bits::Four.centre() * self.total) * scale
    }
}

/// A query as it is compared with codes.
#[derive(Debug)]
pub(super) struct CodedQuery {
    /// The projection, as it is compared with codes of two bits.
    pub(super) near: NearQuery,
    /// The length of the projection.
    pub(super) near_length: f32,
    pub(super) far: Vec<[i8; CHUNK_COMPONENTS]>,
    pub(super) far_scale: Scale,
    /// The length of what the projection leaves.
    pub(super) far_length: f32,
    /// The query's length.
    pub(super) length: f32,
}

impl CodedQuery {
    pub(super) fn new(
        isa: Isa,
        query: &[f32],
        shape: Shape,
        places: &Places,
        bytes: &[u8],
    ) -> Self {
        isa.run(Code { query, shape, places, bytes })
    }
}

struct Code<'a> {
    query: &'a [f32],
    shape: Shape,
    places: &'a Places,
    bytes: &'a [u8],
}

impl Kernel for Code<'_> {
    type Output = CodedQuery;

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) -> CodedQuery {
        let Self { query, shape, .. } = self;
        let mut near = self.project(simd);
        near.truncate(shape.near);
        let near_length = length(&near);
        let mut mixed = Vec::with_capacity(shape.far);
        mixed.extend_from_slice(query);
        mixed.resize(shape.far, 0.0);
        mix_row(&mut mixed);
        let (far, far_scale) = code_far(&mixed);
        let length = length(query);
        CodedQuery {
            near: NearQuery::of(&near),
            near_length,
            far,
            far_scale,
            far_length: (length * length - near_length * near_length).max(0.0).sqrt(),
            length,
        }
    }
}

impl Code<'_> {
    #[inline(always)]
    fn project<S: Simd>(&self, simd: S) -> Vec<f32> {
        let Self { query, shape, places, bytes } = *self;
        let scale = greatest(query).max(f32::MIN_POSITIVE) / 127.0;
        let inverse = 1.0 / scale;
        // Unsigned, as the other factor is signed: 128 stands for zero, and for what fills up the last four.
        let mut coded = vec![[128; 4]; shape.dim.div_ceil(4)];
        for (byte, x) in coded.as_flattened_mut().iter_mut().zip(query) {
            *byte = (round(x * inverse) + 128) as u8;
        }
        let blocks =
            bytes[places.projection.clone()].chunks_exact(projection_block_bytes(shape.dim));
        let scales = &bytes[places.projection_scales.clone()];
        let sums = &bytes[places.projection_sums.clone()];
        let mut projected = vec![0.0; shape.near.next_multiple_of(BLOCK_CODES)];
        let (out, _) = projected.as_chunks_mut::<BLOCK_CODES>();
        for (at, (out, block)) in out.iter_mut().zip(blocks).enumerate() {
            let (groups, _) = block.as_chunks::<BYTE_GROUP_BYTES>();
            let products = simd.byte_products(groups, &coded);
            for (lane, (out, product)) in out.iter_mut().zip(products).enumerate() {
                let row = (at * BLOCK_CODES + lane) * 4;
                // Bytes that were changed may say anything of the sum.
                let sum = u32_at(sums, row) as i32;
                let product = product.wrapping_sub(sum.wrapping_mul(128));
                *out = product as f32 * (scale * f32_at(scales, row));
            }
        }
        projected
    }
}

/// Numbers that are computed side by side.
const LANES: usize = 16;

#[inline(always)]
fn greatest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [0.0; LANES];
    let (parts, rest) = values.as_chunks::<LANES>();
    for part in parts {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], part[i].abs());
        }
    }
    rest.iter().map(|x| x.abs()).chain(lanes).fold(0.0, larger)
}

#[inline(always)]
fn length(values: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (parts, rest) = values.as_chunks::<LANES>();
    for part in parts {
        for i in 0..LANES {
            lanes[i] += part[i] * part[i];
        }
    }
    (lanes.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>()).sqrt()
}

/// To the nearest whole number of a number that is small enough for it: what is added leaves no room for fractions.
#[inline(always)]
fn round(x: f32) -> i32 {
    const ROOM: f32 = 12_582_912.0;
    (x + ROOM).to_bits().wrapping_sub(ROOM.to_bits()) as i32
}

/// What codes of two bits make of a query: `step * sum - offset`, times the code's own scale, where the sum is that of
/// the entries of tables that it chooses.
#[derive(Debug)]
pub(super) struct NearQuery {
    pub(super) tables: Vec<Tables>,
    pub(super) step: f32,
    pub(super) offset: f32,
}

impl NearQuery {
    #[inline(always)]
    fn of(values: &[f32]) -> Self {
        const CENTRE: f32 = Bits::Two.centre();
        let (pairs, _) = values.as_chunks::<2>();
        let (mut widest, mut offset) = (0.0_f32, 0.0);
        for [a, b] in pairs {
            let spread = a.abs() + b.abs();
            widest = if spread > widest { spread } else { widest };
            offset += CENTRE * spread;
        }
        let step = (2.0 * CENTRE * widest / f32::from(MAX_ENTRY)).max(f32::MIN_POSITIVE);
        let inverse = 1.0 / step;
        let mut tables = vec![[0; 128]; pairs.len() / 4];
        let (of_tables, _) = pairs.as_chunks::<4>();
        for (tables, pairs) in tables.iter_mut().zip(of_tables) {
            for (at, [a, b]) in pairs.iter().enumerate() {
                let (x, y) = (a * inverse, b * inverse);
                // The least that a pair may add is zero.
                let least = CENTRE * (x.abs() + y.abs() - x - y);
                let mut entries = [0; 16];
                for (i, place) in entries.iter_mut().enumerate() {
                    let entry = least + (i % 4) as f32 * x + (i / 4) as f32 * y;
                    *place = (round(entry) as u8).min(MAX_ENTRY);
                }
                for place in places_of_table(at / 2, at % 2) {
                    tables[place..place + 16].copy_from_slice(&entries);
                }
            }
        }
        Self { tables, step, offset }
    }
}

#[inline(always)]
fn code_far(values: &[f32]) -> (Vec<[i8; CHUNK_COMPONENTS]>, Scale) {
    let scale = (greatest(values) / 127.0).max(f32::MIN_POSITIVE);
    let (values, _) = values.as_chunks::<CHUNK_COMPONENTS>();
    let mut coded = vec![[0; CHUNK_COMPONENTS]; values.len()];
    let total = code(values, scale, &mut coded);
    (coded, Scale { scale, total: total * scale })
}

/// Codes components in steps of a scale; returns the sum of all.
#[inline(always)]
fn code<const N: usize>(values: &[[f32; N]], scale: f32, coded: &mut [[i8; N]]) -> f32 {
    let inverse = 1.0 / scale;
    let mut total = 0;
    for (values, coded) in values.iter().zip(coded) {
        for i in 0..N {
            let x = round(values[i] * inverse);
            // Bytes that were changed may say anything.
            total = i32::wrapping_add(total, x);
            coded[i] = x as i8;
        }
    }
    total as f32
}
