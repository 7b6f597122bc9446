//! Lists of vectors that are near each other: Lloyd's k-means on a sample, by squared Euclidean distance.
//!
//! Invariant: the result is a function of sample and seed, however many threads compute it.

use rayon::prelude::*;

use super::matrix::{rows_at, times_transposed};
use super::random::Random;

/// Vectors that are compared with all centroids at once.
const CHUNK: usize = 256;
const ROUNDS: usize = 8;
const BALANCED_ROUNDS: usize = 3;

/// The centroids of `count` lists, one after the other; `None` where it is not to go on.
pub(super) fn train(
    sample: &[f32],
    dim: usize,
    count: usize,
    random: &mut Random,
    go_on: &(dyn Fn() -> bool + Sync),
) -> Option<Vec<f32>> {
    let rows = sample.len() / dim;
    let row = |at: u32| &sample[at as usize * dim..][..dim];
    let mut centroids: Vec<f32> =
        random.sample(count, rows).into_iter().flat_map(|at| row(at).iter().copied()).collect();
    for _ in 0..ROUNDS {
        if !go_on() {
            return None;
        }
        let nearest = assign(sample, dim, &centroids);
        let mut sums = vec![0.0_f64; count * dim];
        let mut sizes = vec![0_u32; count];
        for (row, &list) in sample.chunks_exact(dim).zip(&nearest) {
            let list = list as usize;
            sizes[list] += 1;
            let sum = &mut sums[list * dim..][..dim];
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        for (list, &size) in sizes.iter().enumerate() {
            let centroid = &mut centroids[list * dim..][..dim];
            if size == 0 {
                // A list that no one is nearest to starts again elsewhere.
                let at = (random.bits() % rows as u64) as u32;
                centroid.copy_from_slice(row(at));
                continue;
            }
            let sum = &sums[list * dim..][..dim];
            let mean = sum.iter().map(|sum| (sum / f64::from(size)) as f32);
            centroid.iter_mut().zip(mean).for_each(|(x, mean)| *x = mean);
        }
    }
    Some(centroids)
}

/// The nearest centroid of each vector.
pub(super) fn assign(vectors: &[f32], dim: usize, centroids: &[f32]) -> Vec<u32> {
    let halves = halves(centroids, dim);
    let nearest = |vectors: &[f32]| {
        let count = halves.len();
        let mut products = vec![0.0; vectors.len() / dim * count];
        times_transposed(vectors, centroids, dim, &mut products);
        products.chunks_exact(count).map(|row| best(row, &halves)).collect::<Vec<u32>>()
    };
    vectors.par_chunks(CHUNK * dim).flat_map_iter(nearest).collect()
}

/// The numbers of the nearest centroids of each vector, up to `count` of them, the nearest first.
pub(super) fn nearest(
    vectors: &[f32],
    dim: usize,
    centroids: &[f32],
    count: usize,
) -> Vec<Vec<u32>> {
    let halves = halves(centroids, dim);
    let mut products = vec![0.0; vectors.len() / dim * halves.len()];
    times_transposed(vectors, centroids, dim, &mut products);
    let of = |products: &[f32]| {
        let mut order: Vec<(f32, u32)> =
            products.iter().zip(&halves).map(|(p, half)| half - p).zip(0..).collect();
        least(&mut order, count).iter().map(|&(_, at)| at).collect()
    };
    products.chunks_exact(halves.len().max(1)).map(of).collect()
}

/// The least of some, in order.
pub(super) fn least(all: &mut [(f32, u32)], count: usize) -> &mut [(f32, u32)] {
    let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if (1..all.len()).contains(&count) {
        all.select_nth_unstable_by(count - 1, order);
    }
    let count = count.min(all.len());
    let least = &mut all[..count];
    least.sort_unstable_by(order);
    least
}

/// Half of the square of each one's length.
fn halves(centroids: &[f32], dim: usize) -> Vec<f32> {
    centroids
        .chunks_exact(dim)
        .map(|centroid| centroid.iter().map(|x| x * x).sum::<f32>() / 2.0)
        .collect()
}

/// Where a product less its half is greatest; the first of such places.
fn best(products: &[f32], halves: &[f32]) -> u32 {
    let mut best = (f32::NEG_INFINITY, 0);
    for (at, (product, half)) in (0..).zip(products.iter().zip(halves)) {
        let score = product - half;
        if score > best.0 {
            best = (score, at);
        }
    }
    best.1
}

/// Groups of at most `most` vectors that are near each other, of about `mean` each; every vector is in one.
pub(super) fn groups(
    vectors: &[f32],
    dim: usize,
    mean: usize,
    most: usize,
    random: &mut Random,
) -> Vec<Vec<u32>> {
    let mut pending: Vec<Vec<u32>> = vec![(0..(vectors.len() / dim) as u32).collect()];
    let mut groups = Vec::new();
    while let Some(members) = pending.pop() {
        if members.len() <= most {
            groups.push(members);
            continue;
        }
        let of_members = rows_at(vectors, dim, &members);
        // What is a little too large becomes two groups rather than three.
        let is_all = members.len() * dim == vectors.len();
        let mean = if is_all { mean } else { mean.midpoint(most) };
        let count = members.len().div_ceil(mean).max(2);
        let centroids = train(&of_members, dim, count, random, &|| true).expect("it is to go on");
        let mut smaller = vec![Vec::new(); count];
        for (&member, nearest) in members.iter().zip(assign(&of_members, dim, &centroids)) {
            smaller[nearest as usize].push(member);
        }
        if smaller.iter().any(|smaller| smaller.len() == members.len()) {
            // They are all alike.
            groups.extend(members.chunks(most).map(<[u32]>::to_vec));
        } else {
            smaller.retain(|smaller| !smaller.is_empty());
            pending.extend(smaller);
        }
    }
    groups
}

/// Groups of at most `most` vectors that are near each other, `count` of them; every vector is in one.
///
/// # Panics
///
/// When there is no room for all.
pub(super) fn balanced(
    vectors: &[f32],
    dim: usize,
    count: usize,
    most: usize,
    random: &mut Random,
) -> Vec<Vec<u32>> {
    let rows = vectors.len() / dim;
    assert!(count * most >= rows, "{count} groups of {most} hold {rows} vectors");
    let mut centroids = train(vectors, dim, count, random, &|| true).expect("it is to go on");
    let mut groups = Vec::new();
    for _ in 0..BALANCED_ROUNDS {
        let halves = halves(&centroids, dim);
        let mut products = vec![0.0; rows * count];
        times_transposed(vectors, &centroids, dim, &mut products);
        // Whoever is in the nearest group loses nothing, the nearest of them first; of the others, who loses least.
        let mut pairs: Vec<(f32, f32, u32, u32)> = Vec::with_capacity(rows * count);
        for ((row, x), products) in
            (0..).zip(vectors.chunks_exact(dim)).zip(products.chunks_exact(count))
        {
            let length = x.iter().map(|x| x * x).sum::<f32>() / 2.0;
            let distances = products.iter().zip(&halves).map(|(product, half)| half - product);
            let nearest = distances.clone().fold(f32::INFINITY, f32::min);
            for (group, distance) in (0..).zip(distances) {
                pairs.push((distance - nearest, length + distance, row, group));
            }
        }
        pairs.sort_unstable_by(|a, b| {
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then((a.2, a.3).cmp(&(b.2, b.3)))
        });
        groups = vec![Vec::new(); count];
        let mut placed = vec![false; rows];
        for (_, _, row, group) in pairs {
            let group = &mut groups[group as usize];
            if !placed[row as usize] && group.len() < most {
                group.push(row);
                placed[row as usize] = true;
            }
        }
        for (centroid, group) in centroids.chunks_exact_mut(dim).zip(&groups) {
            if group.is_empty() {
                continue;
            }
            centroid.fill(0.0);
            for &row in group {
                let row = &vectors[row as usize * dim..][..dim];
                centroid.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / group.len() as f32);
            }
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}
