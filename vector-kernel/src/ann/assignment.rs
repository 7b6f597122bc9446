//! Which vectors are in which blocks: each in the nearest that has room for it, and, as far as there is room, in a
//! second one.
//!
//! The second is one whose centre lies elsewhere as seen from the vector, rather than the next nearest: a query to
//! which the first centre seems far though the vector is near then likely finds the second near (SOAR, Sun et al.,
//! 2023). Who gets the room that many want is settled by deferred acceptance (Gale and Shapley, 1962), whose outcome
//! does not depend on the order in which they ask. Invariant: no block has more than 32 vectors.

use std::collections::BinaryHeap;

use super::clustering::least;
use super::matrix::{dot, times_transposed};
use crate::kernels::codes::BLOCK_CODES;

/// Nearest blocks that a vector may be in first.
const NEAREST: usize = 8;
/// Blocks that it may be in second, and how many of the nearest they are among.
const OTHERS: usize = 12;
const AMONG: usize = 48;
/// No block.
pub(super) const NONE: u32 = u32::MAX;
/// How much an error that lies along the first centre's counts, beside the error as a whole.
const ALIKE: f32 = 1.0;

/// The blocks that a vector may be in.
#[derive(Debug, Clone)]
pub(super) struct Choices {
    /// The nearest, the nearest first, and the squares of the distances from their centres.
    nearest: [(u32, f32); NEAREST],
    /// Those that are the best second ones, the best first.
    others: [u32; OTHERS],
}

/// What some vectors may be in, of blocks of these numbers with these centres.
pub(super) fn choices(
    vectors: &[f32],
    dim: usize,
    blocks: &[u32],
    centres: &[f32],
) -> Vec<Choices> {
    let count = blocks.len();
    let mut products = vec![0.0; vectors.len() / dim * count];
    times_transposed(vectors, centres, dim, &mut products);
    let squares: Vec<f32> = centres.chunks_exact(dim).map(|row| dot(row, row)).collect();
    let mut order: Vec<(f32, u32)> = Vec::with_capacity(count);
    vectors
        .chunks_exact(dim)
        .zip(products.chunks_exact(count))
        .map(|(vector, products)| {
            order.clear();
            let length = dot(vector, vector);
            order.extend(
                (0..).zip(products.iter().zip(&squares)).map(|(at, (product, square))| {
                    ((length + square - 2.0 * product).max(0.0), at)
                }),
            );
            let best = least(&mut order, AMONG);
            let mut choices =
                Choices { nearest: [(NONE, f32::INFINITY); NEAREST], others: [NONE; OTHERS] };
            for (choice, &(distance, at)) in choices.nearest.iter_mut().zip(&*best) {
                *choice = (blocks[at as usize], distance);
            }
            let of = |at: u32| &centres[at as usize * dim..][..dim];
            let Some((first, best)) = best.split_first_mut() else { return choices };
            let off: Vec<f32> = vector.iter().zip(of(first.1)).map(|(x, y)| x - y).collect();
            let off_square = dot(&off, &off).max(f32::MIN_POSITIVE);
            let along_vector = dot(vector, &off);
            for (loss, at) in best.iter_mut() {
                let along = along_vector - dot(of(*at), &off);
                *loss += ALIKE * (along * along / off_square);
            }
            for (choice, &mut (_, at)) in choices.others.iter_mut().zip(least(best, OTHERS)) {
                *choice = blocks[at as usize];
            }
            choices
        })
        .collect()
}

/// For each vector the nearest block that has room for it beside those that are nearer, or [`NONE`].
pub(super) fn first(of: &[Choices], blocks: usize) -> Vec<u32> {
    let room = vec![BLOCK_CODES; blocks];
    // Distances are not negative, and their bits ordered as they are.
    let choice = |vector: usize, turn: usize| {
        of[vector].nearest.get(turn).map(|&(block, distance)| (block, distance.to_bits()))
    };
    accept(of.len(), &room, choice)
}

/// For each vector that has a first block another one, as far as there is room.
pub(super) fn second(of: &[Choices], first: &[u32], blocks: usize) -> Vec<u32> {
    let mut members = vec![0; blocks];
    for &block in first.iter().filter(|&&block| block != NONE) {
        members[block as usize] += 1;
    }
    // A block that is no one's first is given up.
    let room_beside = |members: usize| if members == 0 { 0 } else { BLOCK_CODES - members };
    let room: Vec<usize> = members.into_iter().map(room_beside).collect();
    accept(of.len(), &room, |vector, turn| {
        if first[vector] == NONE {
            return None;
        }
        let choices = &of[vector];
        let &block = choices.others.get(turn)?;
        // Where it is already it asks for nothing; who is far from the first centre needs a second one most.
        let block = if block == first[vector] { NONE } else { block };
        Some((block, !choices.nearest[0].1.to_bits()))
    })
}

/// Vectors ask the blocks of their choice, one after the other, `turn` by turn; a block keeps those of the lowest rank
/// that asked, as many as it has room for.
fn accept(
    vectors: usize,
    room: &[usize],
    choice: impl Fn(usize, usize) -> Option<(u32, u32)>,
) -> Vec<u32> {
    let mut kept: Vec<BinaryHeap<u64>> = vec![BinaryHeap::new(); room.len()];
    let mut placed = vec![NONE; vectors];
    let mut turns = vec![0_u8; vectors];
    for vector in 0..vectors {
        let mut asking = Some(vector);
        while let Some(vector) = asking {
            let turn = usize::from(turns[vector]);
            let Some((block, rank)) = choice(vector, turn) else { break };
            turns[vector] += 1;
            let Some(room) = room.get(block as usize) else { continue };
            let key = u64::from(rank) << 32 | vector as u64;
            let kept = &mut kept[block as usize];
            if kept.len() < *room {
                kept.push(key);
                placed[vector] = block;
                asking = None;
            } else if let Some(mut worst) = kept.peek_mut().filter(|worst| **worst > key) {
                let other = *worst as u32 as usize;
                *worst = key;
                placed[vector] = block;
                placed[other] = NONE;
                asking = Some(other);
            }
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ann::random::Random;

    /// Vectors and centres of three dimensions.
    fn drawn(seed: u64, vectors: usize, blocks: usize) -> Vec<Choices> {
        let mut random = Random(seed);
        let mut draw = |count: usize| (0..3 * count).map(|_| random.gaussian()).collect::<Vec<_>>();
        let (vectors, centres) = (draw(vectors), draw(blocks));
        let numbers: Vec<u32> = (0..blocks as u32).collect();
        choices(&vectors, 3, &numbers, &centres)
    }

    #[test]
    fn the_nearest_blocks_are_chosen_in_order_and_those_that_are_not_there_never() {
        for blocks in [1, 5, 12, 40] {
            for Choices { nearest, others } in drawn(1, 50, blocks) {
                let there = nearest.iter().take_while(|choice| choice.0 != NONE).count();
                assert_eq!(there, blocks.min(NEAREST));
                assert!(nearest[..there].is_sorted_by(|a, b| a.1 <= b.1 && a.0 != b.0));
                let there = others.iter().take_while(|&&choice| choice != NONE).count();
                assert_eq!(there, (blocks - 1).min(OTHERS));
                assert!(!others.contains(&nearest[0].0));
            }
        }
    }

    #[test]
    fn no_one_would_rather_be_where_others_are_that_are_farther_away() {
        let blocks = 40;
        let of = drawn(2, 1200, blocks);
        let first = first(&of, blocks);
        let second = second(&of, &first, blocks);
        let mut sizes = vec![0; blocks];
        for &block in first.iter().chain(&second).filter(|&&block| block != NONE) {
            sizes[block as usize] += 1;
        }
        assert!(sizes.iter().all(|&size| size <= BLOCK_CODES));
        for (vector, choices) in of.iter().enumerate() {
            assert!(first[vector] != second[vector] || first[vector] == NONE);
            for choice in choices.nearest.iter().take_while(|choice| choice.0 != first[vector]) {
                let others: Vec<usize> =
                    (0..of.len()).filter(|&other| first[other] == choice.0).collect();
                assert_eq!(others.len(), BLOCK_CODES, "there is room in a nearer block");
                for other in others {
                    let there = of[other].nearest.iter().find(|there| there.0 == choice.0).unwrap();
                    assert!(there.1 <= choice.1);
                }
            }
        }
    }

    #[test]
    fn a_second_centre_is_not_behind_the_first() {
        // The vector at the origin; the first centre at distance 1, the next behind it, another aside.
        let centres = [1.0, 0.0, 1.2, 0.0, 0.0, 1.3];
        let choices = choices(&[0.0, 0.0], 2, &[7, 8, 9], &centres);
        let first = first(&choices, 10);
        assert_eq!(first, [7]);
        assert_eq!(choices[0].others[..2], [9, 8]);
    }
}
