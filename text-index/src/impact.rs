//! Impacts: up to three (tf, length) pairs that bound the score of every posting they stand for.
//!
//! Invariant: each posting has a pair with at least its tf and at most its length. BM25 rises with
//! tf and falls with length, so the best pair's score is an upper bound for any k1, b and average
//! length. A pair is two one-byte codes: tf rounded up, length rounded down.

/// Pairs kept a block; more are merged into looser ones.
pub(crate) const PAIRS: usize = 3;
/// Encoded bytes.
pub(crate) const IMPACT_BYTES: usize = 2 * PAIRS;
/// The code of a tf too large for the scale: no bound on tf.
const UNBOUNDED: u8 = u8::MAX;

/// Largest code whose value is at most `value`: exact below 32, five significant bits above.
pub(crate) fn floor_code(value: u32) -> u8 {
    if value < 32 {
        return value as u8;
    }
    let shift = 27 - value.leading_zeros();
    if shift > 14 {
        return u8::MAX;
    }
    ((shift + 1) << 4) as u8 | ((value >> shift) & 15) as u8
}

/// Smallest code whose value is at least `value`.
pub(crate) fn ceil_code(value: u32) -> u8 {
    let code = floor_code(value);
    if decode(code) < value { code.saturating_add(1) } else { code }
}

/// The value of a code.
#[inline]
pub(crate) fn decode(code: u8) -> u32 {
    if code < 32 { u32::from(code) } else { (16 | u32::from(code & 15)) << ((code >> 4) - 1) }
}

/// A set of pairs by rising tf and rising length; unused places hold tf 0 and come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Impacts {
    pairs: [(u8, u8); PAIRS],
}

impl Impacts {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut impacts = Self::default();
        for (pair, bytes) in impacts.pairs.iter_mut().zip(bytes.chunks_exact(2)) {
            *pair = (bytes[0], bytes[1]);
        }
        impacts
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        for (tf, length) in self.pairs {
            out.extend_from_slice(&[tf, length]);
        }
    }

    /// The pairs as (greatest tf, smallest length); `u32::MAX` stands for an unbounded tf.
    #[inline]
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        self.pairs.into_iter().take_while(|&(tf, _)| tf != 0).map(|(tf, length)| {
            (if tf == UNBOUNDED { u32::MAX } else { decode(tf) }, decode(length))
        })
    }
}

/// Gathers postings into [`Impacts`].
pub(crate) struct ImpactBuilder {
    /// Smallest length code seen with each tf code.
    shortest: [u8; 256],
    seen: [bool; 256],
    greatest: u8,
}

impl ImpactBuilder {
    pub(crate) fn new() -> Self {
        Self { shortest: [u8::MAX; 256], seen: [false; 256], greatest: 0 }
    }

    pub(crate) fn add(&mut self, tf: u32, length: u32) {
        self.add_codes(ceil_code(tf), floor_code(length));
    }

    pub(crate) fn add_all(&mut self, impacts: Impacts) {
        for &(tf, length) in impacts.pairs.iter().filter(|pair| pair.0 != 0) {
            self.add_codes(tf, length);
        }
    }

    fn add_codes(&mut self, tf: u8, length: u8) {
        let at = usize::from(tf);
        self.shortest[at] = self.shortest[at].min(length);
        self.seen[at] = true;
        self.greatest = self.greatest.max(tf);
    }

    /// The pairs no other pair dominates, merged down to [`PAIRS`], and an empty builder again.
    pub(crate) fn finish(&mut self) -> Impacts {
        let mut frontier: Vec<(u8, u8)> = Vec::with_capacity(8);
        for tf in (1..=self.greatest).rev() {
            let at = usize::from(tf);
            if self.seen[at]
                && frontier.last().is_none_or(|&(_, length)| self.shortest[at] < length)
            {
                frontier.push((tf, self.shortest[at]));
            }
            self.seen[at] = false;
            self.shortest[at] = u8::MAX;
        }
        self.greatest = 0;
        frontier.reverse();
        while frontier.len() > PAIRS {
            let looseness = |at: usize| {
                let ((tf, length), (next_tf, next_length)) = (frontier[at], frontier[at + 1]);
                let ratio = |a: u8, b: u8| f64::from(decode(b) + 1) / f64::from(decode(a) + 1);
                ratio(tf, next_tf) * ratio(length, next_length)
            };
            let loosest = (0..frontier.len() - 1)
                .min_by(|&a, &b| looseness(a).total_cmp(&looseness(b)))
                .expect("more than PAIRS pairs are at least two");
            let (tf, _) = frontier.remove(loosest + 1);
            frontier[loosest].0 = tf;
        }
        let mut impacts = Impacts::default();
        for (place, pair) in impacts.pairs.iter_mut().zip(frontier) {
            *place = pair;
        }
        impacts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_the_right_way_and_are_exact_when_small() {
        for code in 0..u8::MAX {
            assert!(decode(code) < decode(code + 1));
            assert_eq!(floor_code(decode(code)), code);
            assert_eq!(ceil_code(decode(code)), code);
        }
        for value in (0..600_000).chain([u32::MAX - 1, u32::MAX]) {
            assert!(decode(floor_code(value)) <= value);
            assert!(ceil_code(value) == UNBOUNDED || decode(ceil_code(value)) >= value);
        }
    }

    #[test]
    fn every_posting_is_dominated_by_a_pair() {
        let mut state = 1u32;
        for round in 0..200 {
            let mut builder = ImpactBuilder::new();
            let mut postings = Vec::new();
            for _ in 0..=round {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (tf, length) = (1 + (state >> 8) % (1 + round), (state >> 4) % 900);
                builder.add(tf, length);
                postings.push((tf, length));
            }
            let impacts = builder.finish();
            for (tf, length) in postings {
                assert!(impacts.pairs().any(|(t, l)| t >= tf && l <= length));
            }
            assert_eq!(builder.finish(), Impacts::default());
        }
    }
}
