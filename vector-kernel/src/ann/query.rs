//! A query, projected and mixed as the codes are, and coded in eight bits itself.

use super::codes::CENTRE;
use super::layout::{Places, f32_at, projection_block_bytes, u32_at};
use super::mixing::mix_row;
use super::projection::Shape;
use crate::kernels::Isa;
use crate::kernels::codes::{
    BLOCK_CODES, BYTE_GROUP_BYTES, CHUNK_COMPONENTS, GROUP_COMPONENTS, GroupQuery, MAX_HALF_SUM,
};
use crate::kernels::simd::{Kernel, Simd};

/// A product of codes `u` with a query is `scale * Σ uᵢ qᵢ - centre`, times the codes' own scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) scale: f32,
    pub(super) centre: f32,
}

/// A query as it is compared with codes.
#[derive(Debug)]
pub(super) struct CodedQuery {
    pub(super) near: Vec<GroupQuery>,
    /// How many of the groups lead.
    pub(super) lead: usize,
    pub(super) lead_scale: Scale,
    pub(super) trail_scale: Scale,
    /// The length of the projection, and of its components that do not lead.
    pub(super) near_length: f32,
    pub(super) trail_length: f32,
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
        let (lead, trail) = near.split_at(shape.lead);
        let (lead_length, trail_length) = (length(lead), length(trail));
        let near_length = (lead_length * lead_length + trail_length * trail_length).sqrt();
        let mut coded = Vec::with_capacity(shape.near / GROUP_COMPONENTS);
        let lead_scale = code_near(lead, &mut coded);
        let groups = coded.len();
        let trail_scale = code_near(trail, &mut coded);
        let mut mixed = Vec::with_capacity(shape.far);
        mixed.extend_from_slice(query);
        mixed.resize(shape.far, 0.0);
        mix_row(&mut mixed);
        let (far, far_scale) = code_far(&mixed);
        let length = length(query);
        CodedQuery {
            near: coded,
            lead: groups,
            lead_scale,
            trail_scale,
            near_length,
            trail_length,
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

#[inline(always)]
fn code_near(values: &[f32], coded: &mut Vec<GroupQuery>) -> Scale {
    let mut lanes = [0.0_f32; LANES];
    let (parts, rest) = values.as_chunks::<LANES>();
    for part in parts {
        for i in 0..LANES {
            lanes[i] += part[i].abs();
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += x.abs();
    }
    let mut sums = [0.0_f32; 2];
    for (at, sum) in lanes.into_iter().enumerate() {
        sums[at % 4 / 2] += sum;
    }
    // Rounding adds at most a half to each component, of which a half's sum has every second.
    let room = MAX_HALF_SUM as f32 - values.len() as f32 / 4.0 - 1.0;
    let scale = (greatest(values) / 127.0).max(sums[0].max(sums[1]) / room).max(f32::MIN_POSITIVE);
    let (values, _) = values.as_chunks::<GROUP_COMPONENTS>();
    let mut codes = vec![[0; GROUP_COMPONENTS]; values.len()];
    let total = code(values, scale, &mut codes);
    coded.extend(codes.iter().map(
        #[inline(always)]
        |[a, b, c, d, e, f, g, h]| {
            let packed = |bytes: [i8; 4]| u32::from_le_bytes(bytes.map(|x| x as u8));
            [packed([*a, *b, *c, *d]), packed([*e, *f, *g, *h])]
        },
    ));
    Scale { scale, centre: CENTRE * total * scale }
}

#[inline(always)]
fn code_far(values: &[f32]) -> (Vec<[i8; CHUNK_COMPONENTS]>, Scale) {
    let scale = (greatest(values) / 127.0).max(f32::MIN_POSITIVE);
    let (values, _) = values.as_chunks::<CHUNK_COMPONENTS>();
    let mut coded = vec![[0; CHUNK_COMPONENTS]; values.len()];
    let total = code(values, scale, &mut coded);
    (coded, Scale { scale, centre: CENTRE * total * scale })
}

/// Codes components in steps of a scale; returns the sum of all.
#[inline(always)]
fn code<const N: usize>(values: &[[f32; N]], scale: f32, coded: &mut [[i8; N]]) -> f32 {
    let inverse = 1.0 / scale;
    let mut total = 0;
    for (values, coded) in values.iter().zip(coded) {
        for i in 0..N {
            let x = round(values[i] * inverse);
            total += x;
            coded[i] = x as i8;
        }
    }
    total as f32
}
