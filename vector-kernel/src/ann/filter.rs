//! Which vectors a search may return, as the scan asks for it.
//!
//! Invariant: whatever the form, the same vectors are accepted.

use super::scan::Block;
use crate::Selection;
use crate::kernels::codes::BLOCK_CODES;

/// How a selection is looked up.
#[derive(Debug)]
pub(super) enum Filter<'a> {
    /// All are accepted.
    All,
    /// Each vector that is good enough is looked up: where most are selected, few are looked up for nothing.
    Each(Selection<'a>),
    /// The vectors of a block are looked up before it is scanned: where few are selected, many blocks have none.
    Blocks(Accepted),
}

impl<'a> Filter<'a> {
    /// For the rows below `len`, of which so many are selected.
    pub(super) fn of(selection: Selection<'a>, len: u32, selected: u64) -> Self {
        match selection {
            _ if selected >= u64::from(len) => Self::All,
            _ if selected > u64::from(len) / 2 => Self::Each(selection),
            _ => Self::Blocks(Accepted::of(selection, len)),
        }
    }
}

/// A bit for each row.
#[derive(Debug)]
pub(super) struct Accepted {
    words: Vec<u64>,
}

impl Accepted {
    fn of(selection: Selection<'_>, len: u32) -> Self {
        const MANY: usize = 512;
        let mut words = vec![0_u64; (len as usize).div_ceil(64)];
        if let Selection::Only(rows) = selection {
            let mut ordinals = rows.range(..len);
            let mut buffer = [0; MANY];
            loop {
                let next = ordinals.next_many(&mut buffer);
                if next.is_empty() {
                    break;
                }
                for ordinal in next {
                    words[*ordinal as usize / 64] |= 1 << (*ordinal % 64);
                }
            }
        } else {
            selection.for_each_run(0..len, |run| {
                for ordinal in run {
                    words[ordinal as usize / 64] |= 1 << (ordinal % 64);
                }
            });
        }
        Self { words }
    }

    fn contains(&self, ordinal: u32) -> bool {
        let word = self.words.get(ordinal as usize / 64);
        word.is_some_and(|word| word >> (ordinal % 64) & 1 == 1)
    }

    /// The block with only those of its codes whose rows are accepted.
    pub(super) fn of_block(&self, block: Block, ordinal: impl Fn(usize) -> u32) -> Block {
        let mut codes = 0;
        for lane in 0..BLOCK_CODES {
            let slot = block.number as usize * BLOCK_CODES + lane;
            codes |= u32::from(self.contains(ordinal(slot))) << lane;
        }
        Block { codes: block.codes & codes, ..block }
    }
}

#[cfg(test)]
mod tests {
    use roaring::RoaringBitmap;

    use super::*;

    #[test]
    fn a_row_is_accepted_whatever_the_form_of_the_selection() {
        let len = 3000;
        let rows: RoaringBitmap = (0..len).filter(|row| row % 7 == 3 || row / 100 == 5).collect();
        let others: RoaringBitmap = (0..2 * len).filter(|row| !rows.contains(*row)).collect();
        for selection in [Selection::Only(&rows), Selection::Except(&others)] {
            let accepted = Accepted::of(selection, len);
            assert!((0..2 * len).all(|row| accepted.contains(row) == rows.contains(row)));
            let block = Block { number: 1, codes: 0x00ff_ffff, base: 0.5 };
            let kept = accepted.of_block(block, |slot| slot as u32 + 400).codes;
            let expected = (0..24).filter(|lane| rows.contains(432 + lane));
            assert_eq!(kept, expected.fold(0, |codes, lane| codes | 1 << lane));
        }
    }
}
