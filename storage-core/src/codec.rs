//! The primitive encodings of log payloads and records: LEB128 integers, strings, little-endian
//! floats, and tagged fields.
//!
//! Invariant: a reader never panics and never allocates more than its input holds, whatever the bytes.

/// Why bytes could not be decoded: where, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DecodeError {
    /// Offset from the start of the decoded bytes.
    pub(crate) offset: usize,
    /// What a sound encoding has there.
    pub(crate) expected: &'static str,
}

pub(crate) type Decode<T> = Result<T, DecodeError>;

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a field: tag, length, bytes. A reader that doesn't know the tag skips it.
pub(crate) fn put_field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_bytes(out, bytes);
}

/// Reads the encodings above, front to back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.offset == self.bytes.len()
    }

    pub(crate) fn error(&self, expected: &'static str) -> DecodeError {
        DecodeError { offset: self.offset, expected }
    }

    pub(crate) fn take(&mut self, len: usize, expected: &'static str) -> Decode<&'a [u8]> {
        let end = self.offset.checked_add(len).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| self.error(expected))?;
        let taken = &self.bytes[self.offset..end];
        self.offset = end;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Decode<u8> {
        Ok(self.take(1, "a byte")?[0])
    }

    pub(crate) fn varint(&mut self) -> Decode<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1, "a variable-length integer")?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error("an integer of at most 64 bits"))
    }

    pub(crate) fn u32(&mut self) -> Decode<u32> {
        u32::try_from(self.varint()?).map_err(|_| self.error("an integer of at most 32 bits"))
    }

    pub(crate) fn bytes(&mut self) -> Decode<&'a [u8]> {
        let len = usize::try_from(self.varint()?).map_err(|_| self.error("a length"))?;
        self.take(len, "as many bytes as the length says")
    }

    pub(crate) fn str(&mut self) -> Decode<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.error("UTF-8"))
    }

    pub(crate) fn f32(&mut self) -> Decode<f32> {
        Ok(f32::from_le_bytes(array(self.take(4, "a 32-bit float")?)))
    }

    pub(crate) fn f64(&mut self) -> Decode<f64> {
        Ok(f64::from_le_bytes(array(self.take(8, "a 64-bit float")?)))
    }

    /// The next field's tag and bytes, or `None` at the end.
    pub(crate) fn field(&mut self) -> Decode<Option<(u8, Reader<'a>)>> {
        if self.is_at_end() {
            return Ok(None);
        }
        let tag = self.u8()?;
        Ok(Some((tag, Reader::new(self.bytes()?))))
    }

    /// All that is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.offset..]
    }

    /// All that is left, as a string.
    pub(crate) fn rest_str(&self) -> Decode<&'a str> {
        std::str::from_utf8(self.rest()).map_err(|_| self.error("UTF-8"))
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("take() returned as many bytes as were asked for")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn varints_come_back(value: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while let Ok(Some((_, mut field))) = reader.field() {
                let _ = (field.varint(), field.str(), field.f64(), field.u32(), field.f32());
            }
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1]);
        assert!(reader.bytes().is_err());
        assert!(Reader::new(&[0x80; 11]).varint().is_err());
    }
}
