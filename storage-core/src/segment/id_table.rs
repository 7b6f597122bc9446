//! The hash table from concept id to row.
//!
//! Open addressing with linear probing over a power of two of u64 entries: a fingerprint in the high
//! half, row + 1 in the low half, 0 for empty. Invariant: at most three quarters are taken, so every
//! probe ends.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::scope::DEFAULT_NAMESPACE;

/// Hashes ids alike in every segment of a store, differently in every store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdHasher {
    seed: u64,
}

impl IdHasher {
    /// The seed comes from the store's random uuid, so that colliding ids can't be prepared.
    pub(crate) fn new(store: &[u8; 16]) -> Self {
        Self { seed: u64::from_le_bytes(store[..8].try_into().expect("eight of sixteen bytes")) }
    }

    pub(crate) fn hash(self, namespace: &str, id: &str) -> u64 {
        let seed = if namespace == DEFAULT_NAMESPACE {
            self.seed
        } else {
            xxh3_64_with_seed(namespace.as_bytes(), self.seed)
        };
        xxh3_64_with_seed(id.as_bytes(), seed)
    }
}

fn capacity(rows: usize) -> usize {
    (rows * 4 / 3 + 1).next_power_of_two()
}

/// Probes a row that making a table may take on average; chance takes less than three.
const MOST_PROBES: u64 = 64;

/// Whether making a table of these hashes takes time linear in their number, as it does unless someone
/// who knows the store's uuid chose the ids.
pub(crate) fn are_spread(hashes: &[u64]) -> bool {
    if hashes.is_empty() {
        return true;
    }
    let capacity = capacity(hashes.len());
    let mut taken = vec![false; capacity];
    let mut probes = (hashes.len() as u64 + 16) * MOST_PROBES;
    for &hash in hashes {
        let mut slot = hash as usize & (capacity - 1);
        while taken[slot] {
            slot = (slot + 1) & (capacity - 1);
            probes -= 1;
            if probes == 0 {
                return false;
            }
        }
        taken[slot] = true;
    }
    true
}

/// The table over the hashes of rows 0, 1, ….
pub(super) fn build(hashes: &[u64]) -> Vec<u64> {
    if hashes.is_empty() {
        return Vec::new();
    }
    let capacity = capacity(hashes.len());
    let mut table = vec![0_u64; capacity];
    for (row, &hash) in hashes.iter().enumerate() {
        let mut slot = hash as usize & (capacity - 1);
        while table[slot] != 0 {
            slot = (slot + 1) & (capacity - 1);
        }
        table[slot] = (hash & FINGERPRINT) | (row as u64 + 1);
    }
    table
}

const FINGERPRINT: u64 = 0xffff_ffff_0000_0000;

/// The rows whose fingerprint is the hash's.
pub(super) fn probe(table: &[u64], hash: u64) -> Probe<'_> {
    // A damaged table whose size is no power of two is probed as its largest power of two, and one
    // without an empty slot at most once around.
    let size = if table.is_empty() { 0 } else { 1 << table.len().ilog2() };
    Probe { table: &table[..size], hash, step: 0 }
}

#[derive(Debug)]
pub(super) struct Probe<'a> {
    table: &'a [u64],
    hash: u64,
    step: usize,
}

impl Probe<'_> {
    pub(super) fn next_row(&mut self) -> Option<u32> {
        while self.step < self.table.len() {
            let slot = (self.hash as usize).wrapping_add(self.step) & (self.table.len() - 1);
            self.step += 1;
            let entry = self.table[slot];
            if entry == 0 {
                return None;
            }
            if entry & FINGERPRINT == self.hash & FINGERPRINT {
                return Some((entry as u32).wrapping_sub(1));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hashes_that_collide_are_told_from_those_of_chance() {
        let hasher = IdHasher::new(&[7; 16]);
        let of_chance: Vec<u64> =
            (0..20_000).map(|at| hasher.hash("", &format!("c{at}"))).collect();
        assert!(are_spread(&of_chance) && are_spread(&[]) && are_spread(&[1, 1]));
        let chosen: Vec<u64> = of_chance.iter().map(|hash| hash << 32).collect();
        assert!(!are_spread(&chosen));
    }

    proptest! {
        #[test]
        fn every_row_is_found_by_its_hash(hashes: Vec<u64>) {
            let table = build(&hashes);
            for (row, &hash) in hashes.iter().enumerate() {
                let mut rows = probe(&table, hash);
                prop_assert!(std::iter::from_fn(|| rows.next_row()).any(|r| r as usize == row));
            }
        }

        #[test]
        fn arbitrary_tables_end_every_probe(table: Vec<u64>, hash: u64) {
            let mut rows = probe(&table, hash);
            prop_assert!(std::iter::from_fn(|| rows.next_row()).count() <= table.len());
        }
    }
}
