//! The lines of an export, as serde sees them.
//!
//! A field of a concept or an association that is missing here does not compile: `remote` writes and reads
//! the public types field by field. Invariant: a field that has its default is left out, and reads back as
//! that; a field that is not known is an error.

use serde::{Deserialize, Serialize};

use crate::concept::Attributes;
use crate::{Association, Concept, StoreConfig};

/// What the header says that it is.
pub(super) const FORMAT: &str = "sutra-export";
/// The version that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Header(Header),
    /// What follows is in this namespace.
    Namespace(String),
    Concept(#[serde(with = "ConceptLine")] Concept),
    Association(#[serde(with = "AssociationLine")] Association),
    End(End),
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) config: StoreConfig,
    pub(super) epoch: u64,
    /// When the epoch's transaction was committed.
    pub(super) commit_time: f64,
    pub(super) concepts: u64,
    pub(super) vectors: u64,
    pub(super) associations: u64,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) concepts: u64,
    pub(super) associations: u64,
    /// CRC-32C of all bytes before this line, as 8 hexadecimal digits.
    pub(super) crc32c: String,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Concept", deny_unknown_fields)]
struct ConceptLine {
    id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    content: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vector: Option<Vec<f32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_accessed: Option<f64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    access_count: u64,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    strength: f32,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    confidence: f32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_from: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_to: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<f64>,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Association", deny_unknown_fields)]
struct AssociationLine {
    source_id: String,
    target_id: String,
    #[serde(rename = "type")]
    association_type: String,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    weight: f32,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    confidence: f32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_from: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_to: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<f64>,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
}

fn one() -> f32 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(value: &f32) -> bool {
    value.to_bits() == 1.0_f32.to_bits()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn back(line: &Line) -> Line {
        serde_json::from_str(&serde_json::to_string(line).unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn floats_come_back_to_the_bit(bits: Vec<u32>, time: u64, strength: u32) {
            let mut concept = Concept::new("a", "");
            let finite = |bits: u32| Some(f32::from_bits(bits)).filter(|x| x.is_finite());
            concept.vector = Some(bits.into_iter().filter_map(finite).collect());
            concept.created = Some(f64::from_bits(time)).filter(|time| time.is_finite());
            concept.strength = finite(strength).unwrap_or(-0.0);
            let Line::Concept(found) = back(&Line::Concept(concept.clone())) else { panic!() };
            let bits = |concept: &Concept| -> Vec<u32> {
                let vector = concept.vector.iter().flatten();
                vector.chain([&concept.strength]).map(|x| x.to_bits()).collect()
            };
            prop_assert_eq!(bits(&found), bits(&concept));
            prop_assert_eq!(found.created.map(f64::to_bits), concept.created.map(f64::to_bits));
        }
    }

    #[test]
    fn what_has_its_default_is_left_out() {
        let line = Line::Concept(Concept::new("a", ""));
        assert_eq!(serde_json::to_string(&line).unwrap(), r#"{"concept":{"id":"a"}}"#);
    }
}
