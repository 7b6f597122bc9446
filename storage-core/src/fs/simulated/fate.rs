//! What becomes of each thing that was not synced when the power fails.
//!
//! Invariant: fate is asked about the same things in the same order as `SimulatedFileSystem::unsynced`
//! lists them.

use std::path::PathBuf;

/// What power loss does to something that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It reached the medium.
    Kept,
    /// It did not.
    Dropped,
    /// It did in part: a sector up to a byte or from one on, a length up to a byte. A name is whole: kept.
    Torn,
    /// In the place of a sector there is something else. A length is torn, a name dropped.
    Garbage,
}

/// Something that was not synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsynced {
    /// A name that was made, changed or removed, in words.
    Name(String),
    /// The length of a file that has grown.
    Length(PathBuf),
    /// What was written of a sector of 512 bytes.
    Sector {
        /// The file.
        path: PathBuf,
        /// Where the bytes start.
        offset: usize,
        /// Whether they are zeros, and the medium has no other bytes there.
        blank: bool,
    },
}

/// Answers what becomes of one unsynced thing after another.
#[derive(Debug)]
pub(super) struct Fate {
    state: u64,
    plan: Plan,
}

#[derive(Debug)]
enum Plan {
    /// Of 8, how many times each outcome comes: seeds differ in kind, not only in detail.
    Drawn([u64; 4]),
    Listed {
        most: Outcome,
        but: Vec<(usize, Outcome)>,
        next: usize,
        seed: u64,
    },
}

impl Fate {
    pub(super) fn seeded(seed: u64) -> Self {
        let mut fate = Self { state: seed, plan: Plan::Drawn([2, 2, 2, 2]) };
        fate.plan = Plan::Drawn(match fate.below(6) {
            0 => [8, 0, 0, 0],
            1 => [0, 8, 0, 0],
            2 => [7, 1, 0, 0],
            3 => [5, 1, 1, 1],
            4 => [1, 7, 0, 0],
            _ => [2, 2, 2, 2],
        });
        fate
    }

    pub(super) fn listed(most: Outcome, but: &[(usize, Outcome)], seed: u64) -> Self {
        Self { state: seed, plan: Plan::Listed { most, but: but.to_vec(), next: 0, seed } }
    }

    pub(super) fn outcome(&mut self) -> Outcome {
        let weights = match &mut self.plan {
            Plan::Drawn(weights) => *weights,
            Plan::Listed { most, but, next, seed } => {
                let at = *next;
                *next += 1;
                // So that one thing's details do not depend on what becomes of the others.
                self.state = *seed ^ (at as u64).wrapping_mul(0xd134_2543_de82_ef95);
                return but.iter().find(|(thing, _)| *thing == at).map_or(*most, |(_, o)| *o);
            }
        };
        let mut drawn = self.below(8);
        let outcomes = [Outcome::Kept, Outcome::Dropped, Outcome::Torn, Outcome::Garbage];
        for (outcome, weight) in outcomes.into_iter().zip(weights) {
            if drawn < weight {
                return outcome;
            }
            drawn -= weight;
        }
        unreachable!("the weights add up to 8")
    }

    /// A number below `bound`, by `SplitMix64`; `bound` is small enough for its bias not to matter.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
