//! Sums over codes, exactly.
//!
//! Two layouts. In a **block**, 32 codes of two bits a component lie side by side, so that nothing is summed across
//! lanes: of each 4 components it has 32 bytes, one a code, whose low half, two components, tells which entry of a
//! table of 16 counts, and the high half which of a second one; they come in pairs, of 8 components. In a **row**, one code of four bits is by itself: byte `j` of
//! each 32 bytes holds component `j` in its low half and component `32 + j` in its high half.
//!
//! Invariant: results are exact integers, so every instruction set and the portable reference agree.

/// Codes that lie side by side in a block.
pub(crate) const BLOCK_CODES: usize = 32;
/// Components of which a block has a byte for each code.
pub(crate) const BYTE_COMPONENTS: usize = 4;
/// Components in a chunk of a row.
pub(crate) const CHUNK_COMPONENTS: usize = 64;
/// Bytes of a chunk of a row.
pub(crate) const CHUNK_BYTES: usize = CHUNK_COMPONENTS / 2;

/// Bytes of four components of 32 rows of bytes that lie side by side: 32 lanes of 4 bytes.
pub(crate) const BYTE_GROUP_BYTES: usize = BLOCK_CODES * 4;

/// The most that a byte of such a row may be, or the least with its sign turned: two products with unsigned bytes
/// then fit in 16 bits.
pub(crate) const MAX_BYTE: i8 = 63;

/// The tables of 8 components, two bytes a code: 16 entries for the low half of the first byte, twice, and for that of
/// the second, twice; then for the high halves. Twice, since that is how registers are filled. No entry is above
/// [`MAX_ENTRY`].
pub(crate) type Tables = [u8; 128];
/// Four entries add up in a byte.
pub(crate) const MAX_ENTRY: u8 = 63;

/// Where in [`Tables`] the entries for a half of a byte are, first: both times.
pub(crate) const fn places_of_table(byte: usize, half: usize) -> [usize; 2] {
    let first = half * 64 + byte * 32;
    [first, first + 16]
}

/// The reference for [`Simd::block_sums`](super::simd::Simd::block_sums).
#[inline(always)]
pub(super) fn block_sums(codes: &[[u8; BLOCK_CODES]], tables: &[Tables]) -> [i32; BLOCK_CODES] {
    let mut sums = [0; BLOCK_CODES];
    let (pairs, _) = codes.as_chunks::<2>();
    for (pair, tables) in pairs.iter().zip(tables) {
        for (codes, tables) in pair.iter().zip([&tables[..80], &tables[32..]]) {
            for (sum, byte) in sums.iter_mut().zip(codes) {
                let (low, high) = (usize::from(byte & 15), usize::from(byte >> 4));
                *sum += i32::from(tables[low]) + i32::from(tables[64 + high]);
            }
        }
    }
    sums
}

/// The reference for [`Simd::row_product`](super::simd::Simd::row_product).
#[inline(always)]
pub(super) fn row_product(row: &[[u8; CHUNK_BYTES]], query: &[[i8; CHUNK_COMPONENTS]]) -> i32 {
    let mut sum = 0;
    for (chunk, query) in row.iter().zip(query) {
        for (j, byte) in chunk.iter().enumerate() {
            sum += i32::from(byte & 15) * i32::from(query[j]);
            sum += i32::from(byte >> 4) * i32::from(query[CHUNK_BYTES + j]);
        }
    }
    sum
}

/// The reference for [`Simd::byte_products`](super::simd::Simd::byte_products).
#[inline(always)]
pub(super) fn byte_products(
    groups: &[[u8; BYTE_GROUP_BYTES]],
    query: &[[u8; 4]],
) -> [i32; BLOCK_CODES] {
    let mut sums = [0; BLOCK_CODES];
    for (group, query) in groups.iter().zip(query) {
        let (lanes, _) = group.as_chunks::<4>();
        for (sum, lane) in sums.iter_mut().zip(lanes) {
            for (byte, x) in lane.iter().zip(query) {
                *sum += i32::from(*byte as i8) * i32::from(*x);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::Isa;
    use super::super::simd::{Kernel, Simd};
    use super::*;
    use crate::ann::random::Random;

    fn byte(random: &mut Random) -> u8 {
        (random.bits() >> 56) as u8
    }

    fn bytes<const N: usize>(random: &mut Random) -> [u8; N] {
        std::array::from_fn(|_| byte(random))
    }

    struct Call<F>(F);

    trait OnSimd {
        type Output;
        fn on<S: Simd>(self, simd: S) -> Self::Output;
    }

    impl<F: OnSimd> Kernel for Call<F> {
        type Output = F::Output;

        #[inline(always)]
        fn call<S: Simd>(self, simd: S) -> F::Output {
            self.0.on(simd)
        }
    }

    struct Block<'a>(&'a [[u8; BLOCK_CODES]], &'a [Tables]);
    struct Row<'a>(&'a [[u8; CHUNK_BYTES]], &'a [[i8; CHUNK_COMPONENTS]]);
    struct Bytes<'a>(&'a [[u8; BYTE_GROUP_BYTES]], &'a [[u8; 4]]);
    struct Above<'a>(&'a [f32; BLOCK_CODES], f32);

    impl OnSimd for Block<'_> {
        type Output = [i32; BLOCK_CODES];
        fn on<S: Simd>(self, simd: S) -> Self::Output {
            simd.block_sums(self.0, self.1)
        }
    }

    impl OnSimd for Row<'_> {
        type Output = i32;
        fn on<S: Simd>(self, simd: S) -> i32 {
            simd.row_product(self.0, self.1)
        }
    }

    impl OnSimd for Bytes<'_> {
        type Output = [i32; BLOCK_CODES];
        fn on<S: Simd>(self, simd: S) -> Self::Output {
            simd.byte_products(self.0, self.1)
        }
    }

    impl OnSimd for Above<'_> {
        type Output = u32;
        fn on<S: Simd>(self, simd: S) -> u32 {
            simd.above(self.0, self.1)
        }
    }

    #[test]
    fn sums_of_tables_are_those_that_codes_choose_on_every_instruction_set() {
        let mut random = Random(4);
        for count in [0, 2, 4, 6, 32, 200] {
            for full in [false, true] {
                let codes: Vec<[u8; BLOCK_CODES]> =
                    (0..count).map(|_| bytes(&mut random)).collect();
                let mut tables: Vec<Tables> = vec![[0; 128]; count / 2];
                for tables in &mut tables {
                    for (byte, half) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                        let mut entries: [u8; 16] = bytes(&mut random).map(|x: u8| x >> 2);
                        if full {
                            entries.fill(MAX_ENTRY);
                        }
                        for place in places_of_table(byte, half) {
                            tables[place..place + 16].copy_from_slice(&entries);
                        }
                    }
                }
                let entry = |at: usize, half: usize, lane: usize| {
                    let chosen = usize::from(codes[at][lane] >> (4 * half) & 15);
                    i32::from(tables[at / 2][places_of_table(at % 2, half)[1] + chosen])
                };
                let expected: [i32; BLOCK_CODES] = std::array::from_fn(|lane| {
                    (0..count).map(|at| entry(at, 0, lane) + entry(at, 1, lane)).sum()
                });
                for isa in Isa::available() {
                    assert_eq!(isa.run(Call(Block(&codes, &tables))), expected, "{isa:?}");
                }
            }
        }
    }

    #[test]
    fn row_products_are_those_of_the_codes_on_every_instruction_set() {
        let mut random = Random(2);
        for chunks in [0, 1, 3, 22] {
            for full in [false, true] {
                let row: Vec<[u8; CHUNK_BYTES]> = (0..chunks)
                    .map(|_| if full { [0xff; CHUNK_BYTES] } else { bytes(&mut random) })
                    .collect();
                let query: Vec<[i8; CHUNK_COMPONENTS]> = (0..chunks)
                    .map(|_| {
                        if full {
                            [-127; CHUNK_COMPONENTS]
                        } else {
                            bytes(&mut random).map(|x| x as i8)
                        }
                    })
                    .collect();
                let expected: i32 = (0..64 * chunks)
                    .map(|at| {
                        let byte = row[at / 64][at % 32];
                        let code = if at % 64 < 32 { byte & 15 } else { byte >> 4 };
                        i32::from(code) * i32::from(query[at / 64][at % 64])
                    })
                    .sum();
                for isa in Isa::available() {
                    assert_eq!(isa.run(Call(Row(&row, &query))), expected, "{isa:?}");
                }
            }
        }
    }

    #[test]
    fn byte_products_are_exact_on_every_instruction_set() {
        let mut random = Random(3);
        for groups in [0, 1, 5, 96] {
            for most in [false, true] {
                let rows: Vec<[u8; BYTE_GROUP_BYTES]> = (0..groups)
                    .map(|_| {
                        bytes(&mut random)
                            .map(|x| if most { -MAX_BYTE } else { x as i8 % MAX_BYTE } as u8)
                    })
                    .collect();
                let query: Vec<[u8; 4]> =
                    (0..groups).map(|_| if most { [255; 4] } else { bytes(&mut random) }).collect();
                let expected: [i32; BLOCK_CODES] = std::array::from_fn(|lane| {
                    (0..4 * groups)
                        .map(|at| {
                            let byte = rows[at / 4][4 * lane + at % 4] as i8;
                            i32::from(byte) * i32::from(query[at / 4][at % 4])
                        })
                        .sum()
                });
                for isa in Isa::available() {
                    assert_eq!(isa.run(Call(Bytes(&rows, &query))), expected, "{isa:?}");
                }
            }
        }
    }

    #[test]
    fn bits_tell_which_numbers_are_above_on_every_instruction_set() {
        let mut random = Random(4);
        for _ in 0..100 {
            let numbers: [f32; BLOCK_CODES] =
                std::array::from_fn(|_| f32::from(byte(&mut random) % 5) - 2.0);
            let threshold = [-1.0, 0.0, f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
            for threshold in threshold {
                let expected = (0..BLOCK_CODES)
                    .filter(|&at| numbers[at] > threshold)
                    .fold(0, |bits, at| bits | 1_u32 << at);
                for isa in Isa::available() {
                    assert_eq!(isa.run(Call(Above(&numbers, threshold))), expected, "{isa:?}");
                }
            }
        }
    }
}
