//! Distinct terms of one build: bytes to a dense number, by open addressing over one arena.
//!
//! Invariant: numbers are given in order of first appearance and never change. The hash is seeded
//! once a process, so that a document cannot be written to make its terms collide.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use crate::error::BuildError;

/// Slots of a new table: enough for a short document.
const FIRST_SLOTS: usize = 64;

/// A term and what the build knows of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    start: u32,
    length: u32,
    /// Documents so far.
    pub(crate) df: u32,
    /// The last document's place in the build.
    pub(crate) last_doc: u32,
    /// That document's place in the posting log.
    pub(crate) last_posting: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u32,
    /// Number of the term plus one; 0 is an empty slot.
    term: u32,
}

pub(crate) struct Interner {
    slots: Vec<Slot>,
    arena: Vec<u8>,
    pub(crate) terms: Vec<Term>,
    seed: u64,
}

impl Interner {
    pub(crate) fn new() -> Self {
        static SEED: OnceLock<u64> = OnceLock::new();
        Self {
            slots: vec![Slot { hash: 0, term: 0 }; FIRST_SLOTS],
            arena: Vec::with_capacity(FIRST_SLOTS * 8),
            terms: Vec::with_capacity(FIRST_SLOTS / 2),
            seed: *SEED.get_or_init(|| RandomState::new().hash_one(0)),
        }
    }

    pub(crate) fn bytes_of(&self, term: u32) -> &[u8] {
        let Term { start, length, .. } = self.terms[term as usize];
        &self.arena[start as usize..][..length as usize]
    }

    /// The number of `term`, given now if it is new.
    #[inline]
    pub(crate) fn intern(&mut self, term: &[u8]) -> Result<u32, BuildError> {
        let hash = hash(term, self.seed);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.term == 0 {
                break;
            }
            if slot.hash == hash && self.bytes_of(slot.term - 1) == term {
                return Ok(slot.term - 1);
            }
            at = (at + 1) & mask;
        }
        let number = self.terms.len() as u32;
        let start = u32::try_from(self.arena.len())
            .map_err(|_| BuildError::TooLarge { what: "distinct terms" })?;
        self.arena.extend_from_slice(term);
        let length = term.len() as u32;
        self.terms.push(Term { start, length, df: 0, last_doc: u32::MAX, last_posting: 0 });
        self.slots[at] = Slot { hash, term: number + 1 };
        if self.terms.len() * 2 > self.slots.len() {
            self.grow();
        }
        Ok(number)
    }

    fn grow(&mut self) {
        let mut slots = vec![Slot { hash: 0, term: 0 }; self.slots.len() * 4];
        let mask = slots.len() - 1;
        for slot in self.slots.iter().filter(|slot| slot.term != 0) {
            let mut at = slot.hash as usize & mask;
            while slots[at].term != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = *slot;
        }
        self.slots = slots;
    }

    /// The numbers of all terms, sorted by the terms' bytes.
    pub(crate) fn sorted(&self) -> Vec<u32> {
        let mut keyed: Vec<(u64, u32)> = (0..self.terms.len() as u32)
            .map(|term| {
                let bytes = self.bytes_of(term);
                let mut first = [0; 8];
                let length = bytes.len().min(8);
                first[..length].copy_from_slice(&bytes[..length]);
                (u64::from_be_bytes(first), term)
            })
            .collect();
        keyed.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| self.bytes_of(a.1).cmp(self.bytes_of(b.1)))
        });
        keyed.into_iter().map(|(_, term)| term).collect()
    }
}

/// Folded multiplication over eight bytes at a time: short keys hash in a few cycles.
#[inline]
pub(crate) fn hash(bytes: &[u8], seed: u64) -> u32 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    for &word in words {
        state = fold(state ^ u64::from_le_bytes(word), MULTIPLIER);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    state = fold(state ^ u64::from_le_bytes(last), MULTIPLIER ^ seed);
    (state ^ state >> 32) as u32
}
