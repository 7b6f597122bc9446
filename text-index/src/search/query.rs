//! A search under way: `MaxScore` over windows of documents, with block maxima.
//!
//! OR goes through the documents in windows. In each, the lists are ordered by falling bound, and
//! those at the end whose bounds together cannot lift a document into the top are *optional*: they
//! are looked at only for documents found in the others. The *required* lists are added up in an
//! array of scores, a list at a time, less the blocks whose bound falls short; what then exceeds the
//! threshold is scored exactly. AND lets the shortest list lead.
//!
//! Turtle and Flood, *Query evaluation: strategies and optimizations*, 1995; Ding and Suel, *Faster
//! top-k document retrieval using block-max indexes*, 2011.
//!
//! Invariant: a document is left out only when an upper bound of its score, widened past any
//! rounding, does not exceed the threshold; and documents enter by rising ordinal.

use std::collections::HashMap;

use super::cursor::Cursor;
use super::top_k::TopK;
use super::{Operator, QueryTerm, SearchOptions, SearchScratch, TextHit, Window};
use crate::bm25::LengthNorm;
use crate::posting::BLOCK;
use crate::view::TextView;

/// Documents a window: their scores stay in the second-level cache.
const WINDOW: u32 = 1 << 15;
/// Bounds are widened by this much for each term and each step of the formula: an f32 operation
/// errs by a factor of at most 1 + 2⁻²⁴, an eighth of it.
const WIDEN_STEP: f32 = 5e-7;
const FORMULA_STEPS: usize = 16;
/// An optional list at most this many times as long as the required ones together is added up.
/// Of 0, 2, 6, 12 and 30, 6 was the fastest over three-word queries on WordNet.
const WORTH_ADDING: u64 = 6;
/// Above this many terms, repeated ones are found by hashing.
const FEW_TERMS: usize = 16;

pub(super) struct Query<'q, 'a> {
    view: &'q TextView<'a>,
    options: &'q SearchOptions<'q>,
    norm: LengthNorm,
    /// One a distinct term that the index has: by falling bound for OR, by rising df for AND.
    cursors: Vec<Cursor<'a>>,
    /// The cursors in the order of the query's terms.
    by_term: Vec<usize>,
    /// At `i`: the sum of the bounds of the cursors from `i` on; 0 behind the last.
    rest: Vec<f32>,
    /// Factor for bounds, past any rounding.
    widen: f32,
    /// The index lacks a term of the query.
    incomplete: bool,
    top: TopK,
}

impl<'q, 'a> Query<'q, 'a> {
    pub(super) fn open(
        view: &'q TextView<'a>,
        terms: &[QueryTerm],
        options: &'q SearchOptions<'q>,
        scratch: &mut SearchScratch,
    ) -> Self {
        let mut query = Self {
            view,
            options,
            norm: options.bm25.norm(options.average_length),
            cursors: Vec::with_capacity(terms.len()),
            by_term: Vec::new(),
            rest: Vec::new(),
            widen: 1.0 + (terms.len() + FORMULA_STEPS) as f32 * WIDEN_STEP,
            incomplete: false,
            top: TopK::new(options.k),
        };
        for (at, term, weight) in distinct(terms) {
            match view.find(term).filter(|list| list.df() > 0) {
                Some(list) => {
                    let buffers = scratch.buffers.pop().unwrap_or_default();
                    let mut cursor = Cursor::new(at, weight, list, buffers);
                    cursor.start(query.norm, view.lengths());
                    query.cursors.push(cursor);
                }
                None => query.incomplete = true,
            }
        }
        match options.operator {
            Operator::Or => query.cursors.sort_by(|a, b| b.list_bound.total_cmp(&a.list_bound)),
            Operator::And => query.cursors.sort_by_key(Cursor::df),
        }
        query.by_term.extend(0..query.cursors.len());
        query.by_term.sort_by_key(|&at| query.cursors[at].term);
        query.rest.resize(query.cursors.len() + 1, 0.0);
        query
    }

    pub(super) fn run(&mut self, window: &mut Window) {
        match self.options.operator {
            Operator::And if self.incomplete || self.cursors.is_empty() => {}
            Operator::And if self.cursors.len() > 1 => self.run_all(),
            _ => self.run_any(window),
        }
    }

    /// Gives the buffers back and returns the hits, best first.
    pub(super) fn close(self, scratch: &mut SearchScratch) -> Vec<TextHit> {
        scratch.buffers.extend(self.cursors.into_iter().map(|cursor| cursor.buffers));
        self.top.into_sorted()
    }

    /// Whether a document with this upper bound may be one of the best.
    #[inline]
    fn may_enter(&self, bound: f32) -> bool {
        self.top.may_enter(bound * self.widen)
    }

    /// The least partial score that, with `others` at most to come, may enter.
    fn needed(&self, others: f32) -> f32 {
        self.top.threshold() / self.widen - others * self.widen
    }

    fn is_filtered(&self) -> bool {
        self.options.deleted.is_some() || self.options.allowed.is_some()
    }

    /// Sums the cursors' bounds up from the end.
    fn sum_bounds(&mut self, bound: impl Fn(&Cursor<'a>) -> f32) {
        for at in (0..self.cursors.len()).rev() {
            self.rest[at] = self.rest[at + 1] + bound(&self.cursors[at]);
        }
    }

    /// Documents that any list contains.
    fn run_any(&mut self, window: &mut Window) {
        self.raise_threshold();
        let doc_count = self.view.doc_count();
        window.open(doc_count.min(WINDOW) as usize, self.cursors.len());
        let mut low = 0;
        while low < doc_count {
            let high = low.saturating_add(WINDOW).min(doc_count);
            for cursor in &mut self.cursors {
                cursor.bound_window(low, high, self.norm);
            }
            self.sum_bounds(|cursor| cursor.window_bound);
            let required = (0..self.cursors.len())
                .rev()
                .find(|&at| !self.cursors[at].is_absent && self.may_enter(self.rest[at]))
                .map_or(0, |at| at + 1);
            let required = self.extend_required(required);
            if required > 0 {
                self.add_up(window, required, low, high);
                self.collect(window, required, low);
                for at in 0..window.candidates.len() {
                    self.offer(window, required, window.candidates[at]);
                }
            }
            low = high;
        }
    }

    /// Counts optional lists among the required ones while they are not much longer: adding a list
    /// up costs less a posting than looking documents up in it, and exact sums prune better.
    fn extend_required(&self, required: usize) -> usize {
        let mut end = required;
        let mut postings: u64 = self.cursors[..end].iter().map(|c| u64::from(c.df())).sum();
        while let Some(cursor) = self.cursors.get(end)
            && u64::from(cursor.df()) <= postings * WORTH_ADDING
        {
            postings += u64::from(cursor.df());
            end += 1;
        }
        end
    }

    /// Scores of single terms are lower bounds of documents' scores: the `k`-th best of one list is
    /// a threshold to begin with.
    fn raise_threshold(&mut self) {
        let k = self.options.k;
        if k > BLOCK {
            return;
        }
        for cursor in &mut self.cursors {
            if (cursor.df() as usize) < k {
                continue;
            }
            let (ordinals, scores) = cursor.sample(self.norm, self.view.lengths());
            let mut sample = [0.0; BLOCK];
            let mut count = 0;
            for (&ordinal, &score) in ordinals.iter().zip(scores) {
                if ordinal < self.view.doc_count() && self.options.admits(ordinal) {
                    sample[count] = score;
                    count += 1;
                }
            }
            self.top.raise_to_kth(&mut sample[..count]);
            if count >= BLOCK / 2 {
                return;
            }
        }
    }

    /// Adds the required lists' scores up, a document of the window each.
    fn add_up(&mut self, window: &mut Window, required: usize, low: u32, high: u32) {
        window.ordinals.clear();
        window.scores.clear();
        for at in 0..required {
            let start = window.ordinals.len();
            if !self.cursors[at].is_absent {
                let others: f32 = self.rest[required]
                    + (0..required)
                        .filter(|&other| other != at)
                        .map(|other| self.cursors[other].window_bound)
                        .sum::<f32>();
                let needed = self.needed(others);
                self.cursors[at].copy_window(
                    low,
                    high,
                    needed,
                    self.norm,
                    self.view.lengths(),
                    window,
                );
            }
            let end = window.ordinals.len();
            window.segments[at] = start..end;
            let postings = window.ordinals[start..end].iter().zip(&window.scores[start..end]);
            for (&ordinal, &score) in postings {
                if let Some(sum) = window.sums.get_mut(ordinal.wrapping_sub(low) as usize) {
                    *sum += score;
                }
            }
        }
    }

    /// Takes the documents whose sum may enter, by rising ordinal, and clears the sums.
    fn collect(&mut self, window: &mut Window, required: usize, low: u32) {
        let Window { ordinals, sums, candidates, .. } = window;
        let mut needed = self.needed(self.rest[required]);
        candidates.clear();
        for &ordinal in &*ordinals {
            if let Some(sum) = sums.get_mut(ordinal.wrapping_sub(low) as usize) {
                // Where the document comes up again, its sum is 0.
                let sum = std::mem::take(sum);
                if sum >= needed {
                    candidates.push((ordinal, sum));
                }
            }
        }
        if self.is_filtered() {
            candidates.retain(|&(ordinal, _)| self.options.admits(ordinal));
        }
        if needed <= 0.0 {
            candidates.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
            candidates.dedup_by_key(|candidate| candidate.0);
        }
        if candidates.len() > self.options.k.saturating_mul(2) {
            // Partial sums are lower bounds too, less their rounding.
            let mut sums: Vec<f32> = candidates.iter().map(|c| c.1 / self.widen).collect();
            self.top.raise_to_kth(&mut sums);
            needed = self.needed(self.rest[required]);
            candidates.retain(|&(_, sum)| sum >= needed);
        }
        candidates.sort_unstable_by_key(|candidate| candidate.0);
    }

    /// Scores a document exactly and lets it enter, unless its bound falls short first.
    fn offer(&mut self, window: &Window, required: usize, (ordinal, sum): (u32, f32)) {
        let norm = self.norm.of(self.view.doc_length(ordinal));
        let mut partial = sum;
        for at in required..self.cursors.len() {
            if !self.may_enter(partial + self.rest[at]) {
                return;
            }
            let next = self.rest[at + 1];
            let cursor = &mut self.cursors[at];
            cursor.score = None;
            if cursor.is_absent || !cursor.seek_block(ordinal, self.norm) {
                continue;
            }
            if !self.top.may_enter((partial + cursor.bound + next) * self.widen) {
                return;
            }
            if cursor.find(ordinal) {
                partial += cursor.score_found(norm);
            }
        }
        if !self.may_enter(partial) {
            return;
        }
        for (cursor, segment) in self.cursors[..required].iter_mut().zip(&window.segments) {
            let found = window.ordinals[segment.clone()].binary_search(&ordinal);
            cursor.score = found.ok().map(|at| window.scores[segment.start + at]);
        }
        self.enter(ordinal);
    }

    /// Sums the exact score, in the order of the query.
    fn enter(&mut self, ordinal: u32) {
        let mut score = 0.0;
        for &at in &self.by_term {
            if let Some(share) = self.cursors[at].score {
                score += share;
            }
        }
        if self.top.may_enter(score)
            && ordinal < self.view.doc_count()
            && self.options.admits(ordinal)
        {
            self.top.push(TextHit { ordinal, score });
        }
    }

    /// Documents that every list contains: the shortest leads, the others follow by their skips.
    fn run_all(&mut self) {
        self.sum_bounds(|cursor| cursor.list_bound);
        let mut low = 0;
        while self.cursors[0].seek_block(low, self.norm) {
            let last = self.cursors[0].last;
            if self.may_enter(self.cursors[0].bound + self.rest[1]) {
                for at in 0..self.cursors[0].load() {
                    if self.meet(at).is_none() {
                        return;
                    }
                }
            }
            if last == u32::MAX {
                return;
            }
            low = last + 1;
        }
    }

    /// Lets the lead's posting `at` enter if the other lists have its document too; `None` once one
    /// of them has ended.
    fn meet(&mut self, at: usize) -> Option<()> {
        let ordinal = self.cursors[0].go_to(at);
        let mut bound = self.cursors[0].bound;
        for cursor in &mut self.cursors[1..] {
            if !cursor.seek_block(ordinal, self.norm) {
                return None;
            }
            bound += cursor.bound;
        }
        if self.may_enter(bound) && self.cursors[1..].iter_mut().all(|c| c.find(ordinal)) {
            let norm = self.norm.of(self.view.doc_length(ordinal));
            for cursor in &mut self.cursors {
                cursor.score_found(norm);
            }
            self.enter(ordinal);
        }
        Some(())
    }
}

/// The distinct terms, each with its first place and the sum of its weights.
pub(super) fn distinct(terms: &[QueryTerm]) -> Vec<(usize, &str, f32)> {
    let mut distinct: Vec<(usize, &str, f32)> = Vec::with_capacity(terms.len());
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (at, term) in terms.iter().enumerate() {
        let name = term.term.as_str();
        let earlier = if terms.len() <= FEW_TERMS {
            distinct.iter().position(|other| other.1 == name)
        } else {
            let next = distinct.len();
            Some(*places.entry(name).or_insert(next)).filter(|&place| place < next)
        };
        match earlier {
            Some(place) => distinct[place].2 += term.weight(),
            None => distinct.push((at, name, term.weight())),
        }
    }
    distinct
}
