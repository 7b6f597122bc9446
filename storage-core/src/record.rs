//! The stored form of what is known of a concept or an association, beside its columns.
//!
//! A record is a run of tagged fields (see `codec`), each left out when it has its default. Ids,
//! numbers, creation times and vectors are columns of their own.

use std::borrow::Cow;

use crate::codec::{Decode, Reader, put_field, put_varint};
use crate::concept::Attributes;
use crate::scope::{Scope, Window};
use crate::{Association, Concept};

mod tag {
    pub(super) const CONTENT: u8 = 1;
    pub(super) const LAST_USED: u8 = 2;
    pub(super) const ACCESS_COUNT: u8 = 3;
    pub(super) const STRENGTH: u8 = 4;
    pub(super) const CONFIDENCE: u8 = 5;
    pub(super) const SOURCE: u8 = 6;
    pub(super) const CATEGORY: u8 = 7;
    pub(super) const ATTRIBUTES: u8 = 8;
    pub(super) const CREATED: u8 = 9;
    pub(super) const COMPRESSED_CONTENT: u8 = 10;
    pub(super) const VALID_FROM: u8 = 11;
    pub(super) const VALID_TO: u8 = 12;
    pub(super) const EXPIRES: u8 = 13;
    pub(super) const NAMESPACE: u8 = 14;
}

/// Tags from here on are fields that a reader which does not know them may pass over.
const OPTIONAL_TAG: u8 = 128;
/// Contents shorter than this are not compressed: there is nothing to gain.
const SHORTEST_COMPRESSED: usize = 256;
/// LZ4 can't expand a block by more than this, so a larger length is damage.
const LARGEST_EXPANSION: u64 = 255;

/// The record of a concept: all but id, vector and creation time.
pub(crate) fn encode_concept(concept: &Concept, namespace: &str, compress: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(concept.content.len() + 32);
    put_content(&mut out, concept.content.as_bytes(), compress);
    if let Some(time) = concept.last_accessed {
        put_field(&mut out, tag::LAST_USED, &time.to_le_bytes());
    }
    if concept.access_count != 0 {
        put_field(&mut out, tag::ACCESS_COUNT, &concept.access_count.to_le_bytes());
    }
    if concept.strength.to_bits() != 1.0_f32.to_bits() {
        put_field(&mut out, tag::STRENGTH, &concept.strength.to_le_bytes());
    }
    if concept.confidence.to_bits() != 1.0_f32.to_bits() {
        put_field(&mut out, tag::CONFIDENCE, &concept.confidence.to_le_bytes());
    }
    put_provenance(&mut out, concept.source.as_deref(), &concept.attributes);
    if let Some(category) = &concept.category {
        put_field(&mut out, tag::CATEGORY, category.as_bytes());
    }
    put_scope(&mut out, &Scope { namespace, window: concept.window() });
    out
}

/// Appends the content, as an LZ4 block after its length where that saves at least an eighth.
fn put_content(out: &mut Vec<u8>, content: &[u8], compress: bool) {
    if content.is_empty() {
        return;
    }
    if compress && content.len() >= SHORTEST_COMPRESSED {
        let mut compressed = Vec::new();
        put_varint(&mut compressed, content.len() as u64);
        compressed.extend(lz4_flex::block::compress(content));
        if compressed.len() <= content.len() / 8 * 7 {
            return put_field(out, tag::COMPRESSED_CONTENT, &compressed);
        }
    }
    put_field(out, tag::CONTENT, content);
}

fn decompress(mut field: Reader<'_>) -> Decode<String> {
    let len = field.varint()?;
    let block = field.rest();
    if len > (block.len() as u64).saturating_mul(LARGEST_EXPANSION) {
        return Err(field.error("a length that an LZ4 block can have"));
    }
    lz4_flex::block::decompress(block, len as usize)
        .ok()
        .filter(|bytes| bytes.len() as u64 == len)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| field.error("an LZ4 block of UTF-8"))
}

/// To how many bytes the content within a concept's record unpacks, as it says itself.
pub(crate) fn unpacked_bytes(record: &[u8]) -> Decode<u64> {
    let mut reader = Reader::new(record);
    let mut bytes = 0_u64;
    while let Some((tag, mut field)) = reader.field()? {
        if tag == tag::COMPRESSED_CONTENT {
            bytes = bytes.saturating_add(field.varint()?);
        }
    }
    Ok(bytes)
}

/// The concept that a record, an id and a creation time make; its vector is left out.
pub(crate) fn decode_concept(id: &str, created: f64, record: &[u8]) -> Decode<Concept> {
    let mut concept = Concept::new(id, "");
    concept.created = Some(created);
    let mut reader = Reader::new(record);
    while let Some((tag, mut field)) = reader.field()? {
        match tag {
            tag::CONTENT => field.rest_str()?.clone_into(&mut concept.content),
            tag::COMPRESSED_CONTENT => concept.content = decompress(field)?,
            tag::LAST_USED => concept.last_accessed = Some(field.f64()?),
            tag::ACCESS_COUNT => concept.access_count = fixed_u64(&mut field)?,
            tag::STRENGTH => concept.strength = field.f32()?,
            tag::CONFIDENCE => concept.confidence = field.f32()?,
            tag::SOURCE => concept.source = Some(field.rest_str()?.to_owned()),
            tag::CATEGORY => concept.category = Some(field.rest_str()?.to_owned()),
            tag::VALID_FROM => concept.valid_from = Some(field.f64()?),
            tag::VALID_TO => concept.valid_to = Some(field.f64()?),
            tag::EXPIRES => concept.expires = Some(field.f64()?),
            tag::ATTRIBUTES => concept.attributes = attributes(&field)?,
            _ => pass_over(tag, &field)?,
        }
    }
    Ok(concept)
}

/// The content within a concept's record.
pub(crate) fn content(record: &[u8]) -> Decode<Cow<'_, str>> {
    let mut reader = Reader::new(record);
    while let Some((tag, field)) = reader.field()? {
        match tag {
            tag::CONTENT => return field.rest_str().map(Cow::Borrowed),
            tag::COMPRESSED_CONTENT => return decompress(field).map(Cow::Owned),
            _ => {}
        }
    }
    Ok(Cow::Borrowed(""))
}

/// The source within a concept's record.
pub(crate) fn source(record: &[u8]) -> Decode<Option<&str>> {
    text_field(record, tag::SOURCE)
}

/// The category within a concept's record.
pub(crate) fn category(record: &[u8]) -> Decode<Option<&str>> {
    text_field(record, tag::CATEGORY)
}

/// The attributes within a concept's record.
pub(crate) fn concept_attributes(record: &[u8]) -> Decode<Attributes> {
    let mut reader = Reader::new(record);
    while let Some((tag, field)) = reader.field()? {
        if tag == tag::ATTRIBUTES {
            return attributes(&field);
        }
    }
    Ok(Attributes::new())
}

fn text_field(record: &[u8], wanted: u8) -> Decode<Option<&str>> {
    let mut reader = Reader::new(record);
    while let Some((tag, field)) = reader.field()? {
        if tag == wanted {
            return field.rest_str().map(Some);
        }
    }
    Ok(None)
}

/// The record of an association: all but its key, weight and confidence.
pub(crate) fn encode_association(
    association: &Association,
    namespace: &str,
    created: f64,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    put_field(&mut out, tag::CREATED, &created.to_le_bytes());
    if let Some(time) = association.last_used {
        put_field(&mut out, tag::LAST_USED, &time.to_le_bytes());
    }
    put_provenance(&mut out, association.source.as_deref(), &association.attributes);
    put_scope(&mut out, &Scope { namespace, window: association.window() });
    out
}

/// Fills an association's creation time, last use, source and attributes from its record.
pub(crate) fn decode_association(record: &[u8], association: &mut Association) -> Decode<()> {
    let mut reader = Reader::new(record);
    while let Some((tag, mut field)) = reader.field()? {
        match tag {
            tag::CREATED => association.created = Some(field.f64()?),
            tag::LAST_USED => association.last_used = Some(field.f64()?),
            tag::SOURCE => association.source = Some(field.rest_str()?.to_owned()),
            tag::VALID_FROM => association.valid_from = Some(field.f64()?),
            tag::VALID_TO => association.valid_to = Some(field.f64()?),
            tag::EXPIRES => association.expires = Some(field.f64()?),
            tag::ATTRIBUTES => association.attributes = attributes(&field)?,
            _ => pass_over(tag, &field)?,
        }
    }
    Ok(())
}

/// Passes over a field that is not asked for, unless it has to be understood and is not.
fn pass_over(tag: u8, field: &Reader<'_>) -> Decode<()> {
    if (tag::CONTENT..=tag::NAMESPACE).contains(&tag) || tag >= OPTIONAL_TAG {
        return Ok(());
    }
    Err(field.error("a field that this version of the library knows"))
}

/// Who sees the version that a record is of: of a concept or of an association.
pub(crate) fn scope(record: &[u8]) -> Decode<Scope<'_>> {
    let mut scope = Scope::OPEN;
    let mut reader = Reader::new(record);
    while let Some((tag, mut field)) = reader.field()? {
        match tag {
            tag::VALID_FROM => scope.window.valid_from = field.f64()?,
            tag::VALID_TO => scope.window.valid_to = field.f64()?,
            tag::EXPIRES => scope.window.expires = field.f64()?,
            tag::NAMESPACE => scope.namespace = field.rest_str()?,
            _ => pass_over(tag, &field)?,
        }
    }
    Ok(scope)
}

fn put_scope(out: &mut Vec<u8>, scope: &Scope<'_>) {
    let Scope { namespace, window } = *scope;
    let open = Window::ALWAYS;
    for (tag, time, none) in [
        (tag::VALID_FROM, window.valid_from, open.valid_from),
        (tag::VALID_TO, window.valid_to, open.valid_to),
        (tag::EXPIRES, window.expires, open.expires),
    ] {
        if time.to_bits() != none.to_bits() {
            put_field(out, tag, &time.to_le_bytes());
        }
    }
    if !namespace.is_empty() {
        put_field(out, tag::NAMESPACE, namespace.as_bytes());
    }
}

fn put_provenance(out: &mut Vec<u8>, source: Option<&str>, attributes: &Attributes) {
    if let Some(source) = source {
        put_field(out, tag::SOURCE, source.as_bytes());
    }
    if !attributes.is_empty() {
        let json = serde_json::to_vec(attributes).expect("a JSON object with string keys encodes");
        put_field(out, tag::ATTRIBUTES, &json);
    }
}

fn attributes(field: &Reader<'_>) -> Decode<Attributes> {
    serde_json::from_str(field.rest_str()?).map_err(|_| field.error("a JSON object"))
}

fn fixed_u64(field: &mut Reader<'_>) -> Decode<u64> {
    let bytes = field.take(8, "a 64-bit integer")?;
    Ok(u64::from_le_bytes(bytes.try_into().expect("take() returned 8 bytes")))
}

/// How often and when a concept was accessed: the newest such entry outlives the record's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Touch {
    pub(crate) number: u32,
    pub(crate) strength: f32,
    pub(crate) access_count: u64,
    pub(crate) last_accessed: f64,
    /// The transaction that set it; in the log that is its frame's.
    pub(crate) lsn: u64,
}

impl Touch {
    /// Encoded size in a segment: number, strength, access count, last access, LSN; little-endian,
    /// 4 + 4 + 8 + 8 + 8.
    pub(crate) const BYTES: usize = 32;

    /// Appends all but the LSN.
    pub(crate) fn encode_logged(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.strength.to_le_bytes());
        out.extend_from_slice(&self.access_count.to_le_bytes());
        out.extend_from_slice(&self.last_accessed.to_le_bytes());
    }

    /// Decodes all but the LSN, which is 0 then.
    pub(crate) fn decode_logged(reader: &mut Reader<'_>) -> Decode<Self> {
        let mut bytes = [0; Self::BYTES];
        bytes[..24].copy_from_slice(reader.take(24, "an access entry")?);
        Ok(Self::decode(&bytes))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.encode_logged(out);
        out.extend_from_slice(&self.lsn.to_le_bytes());
    }

    /// Decodes an entry of a segment.
    pub(crate) fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
            bytes[at..at + N].try_into().expect("the parts lie within the 32 bytes")
        }
        Self {
            number: u32::from_le_bytes(part(bytes, 0)),
            strength: f32::from_le_bytes(part(bytes, 4)),
            access_count: u64::from_le_bytes(part(bytes, 8)),
            last_accessed: f64::from_le_bytes(part(bytes, 16)),
            lsn: u64::from_le_bytes(part(bytes, 24)),
        }
    }

    pub(crate) fn apply(&self, concept: &mut Concept) {
        concept.strength = self.strength;
        concept.access_count = self.access_count;
        concept.last_accessed = Some(self.last_accessed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_concept_comes_back_whole() {
        let mut concept = Concept::new("id", "text \u{1f41f}");
        concept.created = Some(12.5);
        concept.last_accessed = Some(99.0);
        concept.access_count = 7;
        concept.strength = 0.25;
        concept.confidence = 0.5;
        concept.source = Some("a source".into());
        concept.category = Some("animals".into());
        concept.attributes.insert("legs".into(), 4.into());
        (concept.valid_from, concept.valid_to) = (Some(-3.0), Some(1e9));
        concept.expires = Some(2e9);
        let record = encode_concept(&concept, "someone's", true);
        assert_eq!(scope(&record), Ok(Scope { namespace: "someone's", window: concept.window() }));
        assert_eq!(decode_concept("id", 12.5, &record), Ok(concept));
        assert_eq!(content(&record), Ok("text \u{1f41f}".into()));
        assert_eq!(source(&record), Ok(Some("a source")));
        assert_eq!(category(&record), Ok(Some("animals")));
    }

    #[test]
    fn defaults_take_no_bytes() {
        assert_eq!(encode_concept(&Concept::new("id", ""), "", true), Vec::<u8>::new());
    }

    #[test]
    fn long_contents_are_compressed_when_asked_and_come_back() {
        let text = "the same words again and again, ".repeat(100);
        let concept = Concept::new("id", text.as_str());
        let (plain, packed) =
            (encode_concept(&concept, "", false), encode_concept(&concept, "", true));
        assert!(plain.len() > text.len() && packed.len() * 4 < text.len());
        for record in [plain, packed] {
            assert_eq!(content(&record).unwrap(), text);
            assert_eq!(decode_concept("id", 0.0, &record).unwrap().content, text);
        }
        let noise: String = (0..300_u32)
            .map(|i| char::from(33 + (i.wrapping_mul(2_654_435_761) >> 20) as u8 % 90))
            .collect();
        let concept = Concept::new("id", noise.as_str());
        assert_eq!(content(&encode_concept(&concept, "", true)).unwrap(), noise);
    }

    #[test]
    fn a_wild_length_allocates_nothing() {
        let mut field = Vec::new();
        put_varint(&mut field, 1 << 40);
        field.extend([0; 32]);
        let mut record = Vec::new();
        put_field(&mut record, tag::COMPRESSED_CONTENT, &field);
        assert!(content(&record).is_err());
    }

    #[test]
    fn fields_of_a_later_version_are_skipped_where_it_says_so_and_refused_else() {
        let mut record = encode_concept(&Concept::new("id", "text"), "", true);
        put_field(&mut record, 200, b"from the future");
        assert_eq!(decode_concept("id", 0.0, &record).map(|c| c.content), Ok("text".to_owned()));
        assert_eq!(scope(&record), Ok(Scope::OPEN));
        put_field(&mut record, 100, b"from the future");
        assert!(decode_concept("id", 0.0, &record).is_err() && scope(&record).is_err());
        assert!(decode_association(&record, &mut Association::new("a", "b")).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode_concept("id", 0.0, &bytes);
            let _ = decode_association(&bytes, &mut Association::new("a", "b"));
            let _ = content(&bytes);
            let _ = scope(&bytes);
        }
    }
}
