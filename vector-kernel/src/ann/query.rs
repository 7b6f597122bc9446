//! A query, turned as the codes are and coded in eight bits itself.

use super::codes::CENTRE;
use super::layout::{Places, f32_at, rotation_block_bytes, u32_at};
use super::rotation::Shape;
use crate::kernels::codes::{
    BLOCK_CODES, BYTE_GROUP_BYTES, CHUNK_COMPONENTS, GROUP_COMPONENTS, GroupQuery, MAX_HALF_SUM,
};
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{self, Isa};

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
    /// The length of the first components that do not lead.
    pub(super) trail_length: f32,
    pub(super) far: Vec<[i8; CHUNK_COMPONENTS]>,
    pub(super) far_scale: Scale,
    /// The length of the last components.
    pub(super) far_length: f32,
    /// The product with the mean of all vectors, which the codes don't have.
    pub(super) mean_product: f32,
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
        let turned = turn(isa, query, shape, places, bytes);
        let (first, rest) = turned.split_at(shape.near);
        let rest = &rest[..shape.far];
        let (lead, trail) = first.split_at(shape.lead);
        let (mut near, lead_scale) = code_near(lead);
        let (others, trail_scale) = code_near(trail);
        let lead = near.len();
        near.extend(others);
        let (far, far_scale) = code_far(rest);
        let mean: Vec<f32> =
            (0..shape.dim).map(|at| f32_at(bytes, places.mean.start + 4 * at)).collect();
        Self {
            near,
            lead,
            lead_scale,
            trail_scale,
            trail_length: length(trail),
            far,
            far_scale,
            far_length: length(rest),
            mean_product: kernels::dot(isa, query, &mean),
            length: length(query),
        }
    }
}

fn length(values: &[f32]) -> f32 {
    values.iter().map(|x| x * x).sum::<f32>().sqrt()
}

fn turn(isa: Isa, query: &[f32], shape: Shape, places: &Places, bytes: &[u8]) -> Vec<f32> {
    let most = query.iter().fold(0.0_f32, |most, x| most.max(x.abs())).max(f32::MIN_POSITIVE);
    let scale = most / 127.0;
    let inverse = 127.0 / most;
    // Unsigned, as the other factor is signed: 128 stands for zero.
    let byte = |x: f32| (round(x * inverse) + 128) as u8;
    let mut query: Vec<u8> = query.iter().map(|&x| byte(x)).collect();
    query.resize(shape.dim.next_multiple_of(4), 128);
    let (query, _) = query.as_chunks::<4>();
    let mut out = vec![0.0; shape.rotated().next_multiple_of(BLOCK_CODES)];
    isa.run(Turn {
        rotation: &bytes[places.rotation.clone()],
        block_bytes: rotation_block_bytes(shape.dim),
        scales: &bytes[places.rotation_scales.clone()],
        sums: &bytes[places.rotation_sums.clone()],
        query,
        scale,
        out: &mut out,
    });
    out
}

struct Turn<'a> {
    rotation: &'a [u8],
    block_bytes: usize,
    scales: &'a [u8],
    sums: &'a [u8],
    query: &'a [[u8; 4]],
    scale: f32,
    out: &'a mut [f32],
}

impl Kernel for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let (out, _) = self.out.as_chunks_mut::<BLOCK_CODES>();
        for (at, (out, block)) in
            out.iter_mut().zip(self.rotation.chunks_exact(self.block_bytes)).enumerate()
        {
            let (groups, _) = block.as_chunks::<BYTE_GROUP_BYTES>();
            let products = simd.byte_products(groups, self.query);
            for (lane, (out, product)) in out.iter_mut().zip(products).enumerate() {
                let row = (at * BLOCK_CODES + lane) * 4;
                // Bytes that were changed may say anything of the sum.
                let sum = u32_at(self.sums, row) as i32;
                let product = product.wrapping_sub(sum.wrapping_mul(128));
                *out = product as f32 * (self.scale * f32_at(self.scales, row));
            }
        }
    }
}

/// To the nearest whole number, halves away from zero; plain arithmetic, which is the same everywhere.
fn round(x: f32) -> i32 {
    (x + if x < 0.0 { -0.5 } else { 0.5 }) as i32
}

fn code_near(values: &[f32]) -> (Vec<GroupQuery>, Scale) {
    let mut most = 0.0_f32;
    let mut sums = [0.0_f32; 2];
    let (fours, _) = values.as_chunks::<4>();
    for [a, b, c, d] in fours.iter().map(|four| four.map(f32::abs)) {
        sums[0] += a + b;
        sums[1] += c + d;
        most = most.max(a).max(b).max(c).max(d);
    }
    // Rounding adds at most a half to each component, of which a half's sum has every second.
    let room = MAX_HALF_SUM as f32 - values.len() as f32 / 4.0 - 1.0;
    let scale = (most / 127.0).max(sums[0].max(sums[1]) / room).max(f32::MIN_POSITIVE);
    let (coded, _) = values.as_chunks::<GROUP_COMPONENTS>();
    let (coded, total) = code(coded, scale);
    (coded, Scale { scale, centre: CENTRE * total * scale })
}

fn code_far(values: &[f32]) -> (Vec<[i8; CHUNK_COMPONENTS]>, Scale) {
    let most = values.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let scale = (most / 127.0).max(f32::MIN_POSITIVE);
    let (coded, _) = values.as_chunks::<CHUNK_COMPONENTS>();
    let (coded, total) = code(coded, scale);
    (coded, Scale { scale, centre: CENTRE * total * scale })
}

/// Components in steps of a scale, and the sum of all.
fn code<const N: usize>(values: &[[f32; N]], scale: f32) -> (Vec<[i8; N]>, f32) {
    let inverse = 1.0 / scale;
    let mut total = 0;
    let coded: Vec<[i8; N]> =
        values.iter().map(|part| part.map(|x| round(x * inverse) as i8)).collect();
    for part in &coded {
        total += part.iter().map(|&x| i32::from(x)).sum::<i32>();
    }
    (coded, total as f32)
}
