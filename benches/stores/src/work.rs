//! What every store is given: records made from WordNet's texts and a seed.
//!
//! Invariant: record `i` of a seed and a data set is the same in every process, on every machine.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Components of a vector.
pub(crate) const DIM: usize = 384;

/// One record, as a store has to give it back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) content: String,
    pub(crate) created: f64,
    pub(crate) strength: f32,
    pub(crate) confidence: f32,
    pub(crate) source: String,
    pub(crate) category: String,
    /// A JSON object with one number.
    pub(crate) rank: u64,
}

/// Steele, Lea and Flood's `SplitMix64`, from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }
}

/// The source of the records.
#[derive(Debug)]
pub(crate) struct Work {
    rows: Vec<(String, String)>,
    seed: u64,
}

impl Work {
    /// Reads a data set's texts.
    ///
    /// # Errors
    ///
    /// When `concepts.jsonl` is missing there, or is not as its README says.
    pub(crate) fn read(data: &Path, seed: u64) -> Result<Self> {
        Self::read_some(data, seed, usize::MAX)
    }

    /// Reads the first text alone: enough for the record 0, and no heap of strings to be freed while
    /// something is timed.
    ///
    /// # Errors
    ///
    /// As for [`Work::read`].
    pub(crate) fn first(data: &Path, seed: u64) -> Result<Self> {
        Self::read_some(data, seed, 1)
    }

    fn read_some(data: &Path, seed: u64, limit: usize) -> Result<Self> {
        let path = data.join("concepts.jsonl");
        let file = fs::File::open(&path).with_context(|| format!("reading {}", path.display()))?;
        let mut rows = Vec::new();
        for line in BufReader::new(file).lines().take(limit) {
            let row: Value = serde_json::from_str(&line?).context("a concept")?;
            let words = row["words"].as_array().context("a concept without words")?;
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            let gloss = row["gloss"].as_str().context("a concept without a gloss")?;
            let id = row["id"].as_str().context("a concept without an id")?;
            rows.push((id.to_owned(), format!("{}: {gloss}", words.join(", "))));
        }
        ensure!(!rows.is_empty(), "{} is empty", path.display());
        Ok(Self { rows, seed })
    }

    /// How many texts there are; further records are made from them.
    pub(crate) fn texts(&self) -> usize {
        self.rows.len()
    }

    /// The record `at`: a text as it is, or, once all were given, a copy with each fourth word, on
    /// average, replaced by one of another text.
    pub(crate) fn record(&self, at: u64) -> Record {
        let texts = self.rows.len() as u64;
        let mut random = Random(self.seed ^ at.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let (id, text) = &self.rows[(at % texts) as usize];
        let round = at / texts;
        let (id, content) = if round == 0 {
            (id.clone(), text.clone())
        } else {
            let word = |random: &mut Random| {
                let other = &self.rows[random.below(texts) as usize].1;
                let words = other.split(' ').count() as u64;
                other.split(' ').nth(random.below(words) as usize).unwrap_or_default()
            };
            let words = text.split(' ');
            let words = words.map(|w| if random.below(4) == 0 { word(&mut random) } else { w });
            (format!("{id}.{round}"), words.collect::<Vec<_>>().join(" "))
        };
        Record {
            category: id[..1].to_owned(),
            id,
            content,
            created: 1.6e9 + at as f64,
            strength: random.below(100) as f32 / 10.0,
            confidence: random.below(101) as f32 / 100.0,
            source: format!("source-{}.txt", random.below(1000)),
            rank: random.below(1 << 20),
        }
    }

    /// The vector of the record `at`: random, of length 1.
    pub(crate) fn vector(&self, at: u64) -> Vec<f32> {
        let mut random = Random(!self.seed ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let component = |_| (random.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0;
        let mut vector: Vec<f32> = (0..DIM).map(component).collect();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        for component in &mut vector {
            *component /= norm;
        }
        vector
    }

    /// A hash (FNV-1a, 64 bits) of the first `count` records, and their bytes, without vectors.
    pub(crate) fn fingerprint(&self, count: u64) -> (u64, u64) {
        let (mut hash, mut bytes) = (0xcbf2_9ce4_8422_2325_u64, 0);
        for at in 0..count {
            let record = self.record(at);
            let encoded = record.encode();
            bytes += (record.id.len() + encoded.len()) as u64;
            for &byte in record.id.as_bytes().iter().chain(&encoded) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        (hash, bytes)
    }
}

impl Record {
    /// All but the id as bytes, for stores of keys and values.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.content.len() + 64);
        out.extend_from_slice(&self.created.to_le_bytes());
        out.extend_from_slice(&self.strength.to_le_bytes());
        out.extend_from_slice(&self.confidence.to_le_bytes());
        out.extend_from_slice(&self.rank.to_le_bytes());
        for text in [&self.content, &self.source, &self.category] {
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out
    }

    /// The record that [`Record::encode`] made these bytes of.
    ///
    /// # Errors
    ///
    /// When it made no such bytes.
    pub(crate) fn decode(id: &str, bytes: &[u8]) -> Result<Self> {
        let mut rest = bytes;
        let mut take = |count: usize| -> Result<&[u8]> {
            let (taken, left) = rest.split_at_checked(count).context("a record is cut off")?;
            rest = left;
            Ok(taken)
        };
        let created = f64::from_le_bytes(take(8)?.try_into()?);
        let strength = f32::from_le_bytes(take(4)?.try_into()?);
        let confidence = f32::from_le_bytes(take(4)?.try_into()?);
        let rank = u64::from_le_bytes(take(8)?.try_into()?);
        let mut text = || -> Result<String> {
            let len = u32::from_le_bytes(take(4)?.try_into()?) as usize;
            Ok(String::from_utf8(take(len)?.to_vec())?)
        };
        let (content, source, category) = (text()?, text()?, text()?);
        let id = id.to_owned();
        Ok(Self { id, content, created, strength, confidence, source, category, rank })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work() -> Work {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/wordnet-slice");
        Work::read(&data, 7).expect("the repository carries it")
    }

    #[test]
    fn records_have_ids_of_their_own_and_decode_to_themselves() {
        let work = work();
        let count = work.texts() as u64 * 2 + 10;
        let mut ids = std::collections::BTreeSet::new();
        for at in 0..count {
            let record = work.record(at);
            assert_eq!(Record::decode(&record.id, &record.encode()).expect("its bytes"), record);
            assert!(ids.insert(record.id));
        }
    }

    #[test]
    fn a_seed_fixes_the_records() {
        assert_eq!(work().fingerprint(20_000), work().fingerprint(20_000));
    }
}
