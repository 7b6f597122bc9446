//! LEB128 variable-length integers: seven bits a byte, low bits first, at most ten bytes.

/// Appends `value`.
#[inline]
pub(crate) fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a value at `*at` and moves `*at` behind it; `None` when it is cut short or over 64 bits.
#[inline]
pub(crate) fn read(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let first = *bytes.get(*at)?;
    *at += 1;
    if first < 0x80 {
        return Some(u64::from(first));
    }
    let mut value = u64::from(first & 0x7f);
    let mut shift = 7;
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

/// Reads a value that must fit 32 bits.
#[inline]
pub(crate) fn read_u32(bytes: &[u8], at: &mut usize) -> Option<u32> {
    u32::try_from(read(bytes, at)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn every_width_reads_back_and_every_cut_is_refused() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                write(&mut bytes, value);
                let mut at = 0;
                assert_eq!(read(&bytes, &mut at), Some(value));
                assert_eq!(at, bytes.len());
                let mut at = 0;
                assert_eq!(read(&bytes[..bytes.len() - 1], &mut at), None);
            }
        }
    }

    #[test]
    fn more_than_64_bits_are_refused() {
        assert_eq!(read(&[0xff; 11], &mut 0), None);
        let mut bytes = [0xff; 10];
        bytes[9] = 2;
        assert_eq!(read(&bytes, &mut 0), None);
    }
}
