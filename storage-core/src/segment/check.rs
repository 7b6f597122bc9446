//! The full check of a segment against itself: what no checksum tells.
//!
//! Invariant: linear in the segment's size, whatever the bytes are, but for a look-up an edge; of a segment
//! that passes every index says of each row what the row says.

use text_index::TextView;
use zerocopy::IntoBytes;

use super::format::Kind;
use super::id_table::{self, IdHasher};
use super::{Segment, decode_vector};
use crate::operation::EdgeKey;
use crate::options::StoreConfig;
use crate::record::{self, Touch};
use crate::{Association, Result};

/// What no row, edge or access entry of a segment may exceed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) config: &'a StoreConfig,
    pub(crate) hasher: IdHasher,
    /// The newest transaction.
    pub(crate) epoch: u64,
    /// One more than the largest concept number.
    pub(crate) next_number: u32,
    /// How many association types there are.
    pub(crate) types: u32,
}

impl Segment {
    /// Checks all of the segment but whether its words are those of the contents.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] with the first rule found broken.
    pub(crate) fn check(&self, limits: &Limits<'_>) -> Result<()> {
        self.check_rows(limits)?;
        self.check_scopes()?;
        self.check_derived(limits.hasher)?;
        self.check_vectors()?;
        if let Some(text) = self.text()? {
            text.verify().map_err(|e| self.corrupt(Kind::Text, "a word index", e.to_string()))?;
        }
        self.check_edges(limits)?;
        self.check_touches(limits)
    }

    /// To how many bytes the contents of all rows unpack.
    pub(crate) fn unpacked_bytes(&self) -> Result<u64> {
        let mut bytes = 0_u64;
        for row in 0..self.rows() {
            let unpacked = record::unpacked_bytes(self.record(row)?);
            bytes = bytes.saturating_add(unpacked.map_err(|e| self.bad_record(&e))?);
        }
        Ok(bytes)
    }

    fn check_rows(&self, limits: &Limits<'_>) -> Result<()> {
        let numbers = self.numbers()?;
        if !numbers.is_sorted_by(|a, b| a < b)
            || numbers.last().is_some_and(|&last| last >= limits.next_number)
        {
            let expected = format!("rising numbers below {}", limits.next_number);
            return Err(self.corrupt(Kind::Numbers, &expected, "others"));
        }
        if let Some(birth) = self.births()?.iter().find(|&&birth| birth > limits.epoch) {
            let expected = format!("births up to {}", limits.epoch);
            return Err(self.corrupt(Kind::Births, &expected, birth.to_string()));
        }
        for (row, &created) in self.created()?.iter().enumerate() {
            let row = row as u32;
            let id = self.concept_id(row)?;
            record::decode_concept(id, created, self.record(row)?)
                .map_err(|e| self.bad_record(&e))?
                .validate(limits.config)
                .map_err(|e| self.corrupt(Kind::Records, "a concept", format!("row {row}: {e}")))?;
        }
        Ok(())
    }

    /// Ids are spread over their table, and it and the order by time are what would be made of the rows.
    fn check_derived(&self, hasher: IdHasher) -> Result<()> {
        let hashes: Result<Vec<u64>> = (0..self.rows())
            .map(|row| Ok(hasher.hash(self.namespace_of(row)?, self.concept_id(row)?)))
            .collect();
        if !id_table::are_spread(&hashes?) {
            let found = "ids chosen to collide";
            return Err(self.corrupt(Kind::Ids, "ids whose hashes are spread", found));
        }
        for kind in [Kind::CreatedOrder, Kind::IdTable] {
            if let Some(made) = self.make(kind)? {
                self.check_section(kind, &made)?;
            }
        }
        Ok(())
    }

    /// What the columns say of namespaces and windows is what the records say.
    fn check_scopes(&self) -> Result<()> {
        let (names, rows, edges) = self.gather_scopes()?;
        self.check_section(Kind::Namespaces, &names)?;
        self.check_section(Kind::RowNamespaces, rows.column.as_bytes())?;
        self.check_section(Kind::EdgeNamespaces, edges.column.as_bytes())?;
        self.check_section(Kind::RowWindows, &rows.windows)?;
        self.check_section(Kind::EdgeWindows, &edges.windows)
    }

    fn check_section(&self, kind: Kind, expected: &[u8]) -> Result<()> {
        if self.section(kind)? == expected {
            return Ok(());
        }
        Err(self.corrupt(kind, "what the rows say", "other bytes"))
    }

    fn check_vectors(&self) -> Result<()> {
        if self.vectors() == 0 {
            return Ok(());
        }
        if let Some(rows) = self.vector_rows()?
            && (!rows.is_sorted_by(|a, b| a < b)
                || rows.last().is_some_and(|&last| last >= self.rows()))
        {
            return Err(self.corrupt(Kind::VectorRows, "rising rows", "others"));
        }
        let norms = self.inverse_norms()?;
        let row_bytes = self.dim * self.storage.component_bytes();
        for (ordinal, bytes) in self.section(Kind::Vectors)?.chunks_exact(row_bytes).enumerate() {
            let vector = decode_vector(bytes, self.storage);
            if !vector.iter().all(|component| component.is_finite()) {
                return Err(self.bad_vector(ordinal as u32));
            }
            let (norm, found) = (vector_kernel::inverse_norm(&vector), norms[ordinal]);
            // Sums in another order may round otherwise.
            let close =
                (norm - found).abs() <= norm.abs() * 1e-4 || norm.to_bits() == found.to_bits();
            if !close {
                let expected = format!("{norm} for vector {ordinal}");
                return Err(self.corrupt(Kind::InverseNorms, &expected, found.to_string()));
            }
        }
        Ok(())
    }

    fn check_edges(&self, limits: &Limits<'_>) -> Result<()> {
        let Some(graph) = self.graph()? else { return Ok(()) };
        graph.check().map_err(|e| self.corrupt(Kind::Graph, "a graph", e.to_string()))?;
        if let Some(birth) = self.edge_births()?.iter().find(|&&birth| birth > limits.epoch) {
            let expected = format!("births up to {}", limits.epoch);
            return Err(self.corrupt(Kind::EdgeBirths, &expected, birth.to_string()));
        }
        for edge in graph.edges() {
            let EdgeKey { source, target, type_id } = EdgeKey::from(edge);
            if source.max(target) >= limits.next_number || type_id >= limits.types {
                let expected =
                    format!("numbers below {}, types below {}", limits.next_number, limits.types);
                let found = format!("{source} to {target} of type {type_id}");
                return Err(self.corrupt(Kind::Graph, &expected, found));
            }
            let mut association = Association::new("a", "b");
            association.weight = edge.weight;
            association.confidence = edge.confidence;
            record::decode_association(self.edge_record(edge.id)?, &mut association)
                .map_err(|e| self.bad_record(&e))?;
            association.validate().map_err(|e| {
                let found = format!("edge {}: {e}", edge.id);
                self.corrupt(Kind::EdgeRecords, "an association", found)
            })?;
        }
        Ok(())
    }

    fn check_touches(&self, limits: &Limits<'_>) -> Result<()> {
        let mut before = None;
        for entry in self.touches()? {
            let touch = Touch::decode(entry);
            let sound = before < Some(touch.number)
                && touch.number < limits.next_number
                && touch.lsn <= limits.epoch
                && touch.last_accessed.is_finite()
                && (0.0..=f32::MAX).contains(&touch.strength);
            if !sound {
                let found = format!("{touch:?}");
                return Err(self.corrupt(Kind::Touches, "rising access entries", found));
            }
            before = Some(touch.number);
        }
        Ok(())
    }

    /// Whether the word index is the one that the contents make; costs as much as making it.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] where it is not.
    pub(crate) fn check_words(&self) -> Result<()> {
        let Some(found) = self.text()? else { return Ok(()) };
        let refuse = |what: &str| Err(self.corrupt(Kind::Text, "the words of the contents", what));
        let bytes = match self.make_text() {
            Ok(bytes) => bytes,
            Err(error) => return refuse(&error.to_string()),
        };
        let made = TextView::parse(&bytes)
            .map_err(|e| self.corrupt(Kind::Text, "a word index", e.to_string()))?;
        let (mut made, mut found) = (made.terms(""), found.terms(""));
        loop {
            match (made.advance(), found.advance()) {
                (false, false) => return Ok(()),
                (true, true) if made.term() == found.term() => {}
                _ => return refuse("other words"),
            }
            if !made.postings().eq(found.postings()) {
                return refuse(&format!("other rows of the word {:?}", made.term()));
            }
        }
    }
}
