//! Finds the one flipped bit that explains a checksum which does not match.
//!
//! For what is small and says more of itself than its checksum: headers, tails, manifests, tombstones.
//! CRC-32C tells any two flipped bits from one in what is shorter than 256 MiB, so what is mended and then
//! makes sense is what was written; of random bytes one in 2^32 by the number of bits would pass, so that
//! rows and payloads, which say nothing of themselves, are never mended.

/// The largest structure that is mended.
const MOST_BYTES: usize = 1 << 20;
/// CRC-32C's polynomial, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The bytes with a bit flipped back so that they have the checksum `stored`; unchanged where the flipped
/// bit is the checksum's own.
pub(crate) fn mended(bytes: &[u8], stored: u32) -> Option<Vec<u8>> {
    let difference = crc32c::crc32c(bytes) ^ stored;
    if difference.count_ones() <= 1 {
        return Some(bytes.to_vec());
    }
    if bytes.len() > MOST_BYTES {
        return None;
    }
    // What a flip of the last bit, the one before, … changes in the checksum.
    let mut change = POLYNOMIAL;
    for from_end in 0..bytes.len() * 8 {
        if change == difference {
            let mut mended = bytes.to_vec();
            mended[bytes.len() - 1 - from_end / 8] ^= 0x80 >> (from_end % 8);
            return Some(mended);
        }
        change = (change >> 1) ^ if change & 1 == 1 { POLYNOMIAL } else { 0 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_single_flip_is_found_and_two_are_not() {
        let bytes: Vec<u8> = (0..200_u32).map(|at| ((at * 37) >> 3) as u8).collect();
        let stored = crc32c::crc32c(&bytes);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(mended(&flipped, stored).as_ref(), Some(&bytes), "bit {bit}");
            flipped[(bit / 8 + 57) % 200] ^= 4;
            assert_eq!(mended(&flipped, stored), None, "bit {bit} and another");
        }
        for bit in 0..32 {
            assert_eq!(mended(&bytes, stored ^ 1 << bit).as_ref(), Some(&bytes));
        }
    }
}
