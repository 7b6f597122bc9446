//! Search by words, by vector, and by both, over all parts of a state.
//!
//! Word statistics are summed over the parts' live rows first, so a score is what one index over all
//! live concepts would give. Invariant: equal scores are in order of concept number, so the answer does
//! not depend on how the rows are cut into parts.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;

use roaring::RoaringBitmap;
use text_index::{Bm25, Operator, QueryTerm, SearchOptions, SearchScratch};
use vector_kernel::Selection;

use super::filter::Filter;
use super::{Part, State};
use crate::concept::validate_vector;
use crate::{Error, Result, interrupt};

/// How the words of a query combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WordOperator {
    /// A concept with any of the words is a hit.
    #[default]
    Or,
    /// Only a concept with all of them is.
    And,
}

/// A search by words.
#[derive(Debug, Clone)]
pub struct TextQuery<'a> {
    /// Free text: any characters, no syntax.
    pub text: &'a str,
    /// At most this many hits.
    pub limit: usize,
    /// How the words combine.
    pub operator: WordOperator,
    /// BM25's term saturation, `>= 0`; 1.2 by default.
    pub k1: f32,
    /// BM25's length normalisation, 0 to 1; 0.75 by default.
    pub b: f32,
    /// Which concepts are searched.
    pub filter: Filter,
}

impl<'a> TextQuery<'a> {
    /// The `limit` best concepts for the words of a text, OR-ed, with BM25's usual parameters.
    #[must_use]
    pub fn new(text: &'a str, limit: usize) -> Self {
        Self {
            text,
            limit,
            operator: WordOperator::Or,
            k1: 1.2,
            b: 0.75,
            filter: Filter::default(),
        }
    }
}

/// A search by vector.
#[derive(Debug, Clone)]
pub struct VectorQuery<'a> {
    /// One query, or several that follow one another.
    pub vectors: &'a [f32],
    /// At most this many hits for each.
    pub k: usize,
    /// How many of the best are to be found, as a share, on average: a number above 0. From 1 on the search is exact,
    /// whatever indexes there are; below, segments that have an index are searched by it, and a target of 0.95, say,
    /// is one that was met on a sample of the segment's own vectors.
    pub recall: f32,
    /// Which concepts are searched.
    pub filter: Filter,
}

impl<'a> VectorQuery<'a> {
    /// The `k` nearest concepts, exactly.
    #[must_use]
    pub fn new(vectors: &'a [f32], k: usize) -> Self {
        Self { vectors, k, recall: 1.0, filter: Filter::default() }
    }

    /// Refuses a recall or a filter that no search can have.
    pub(super) fn check(&self) -> Result<()> {
        self.filter.validate()?;
        if self.recall.is_nan() || self.recall <= 0.0 {
            let expected = "a share above 0, and 1 for an exact search".to_owned();
            let found = self.recall.to_string();
            return Err(Error::InvalidArgument { name: "recall", expected, found });
        }
        Ok(())
    }
}

/// A search by words and by a vector, fused by reciprocal rank.
#[derive(Debug, Clone)]
pub struct HybridQuery<'a> {
    /// The words, whose own limit and filter do not count; `None`: by the vector alone.
    pub text: Option<&'a TextQuery<'a>>,
    /// The vector; `None`: by words alone.
    pub vector: Option<&'a [f32]>,
    /// At most this many hits.
    pub k: usize,
    /// How much of what is nearest to the vector is to be found, as in [`VectorQuery`].
    pub recall: f32,
    /// Which concepts are searched.
    pub filter: Filter,
}

impl<'a> HybridQuery<'a> {
    /// The `k` best concepts, with an exact search by vector.
    #[must_use]
    pub fn new(text: Option<&'a TextQuery<'a>>, vector: Option<&'a [f32]>, k: usize) -> Self {
        Self { text, vector, k, recall: 1.0, filter: Filter::default() }
    }
}

/// A concept that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct ConceptHit {
    /// The concept.
    pub id: String,
    /// Larger is better. Words: BM25. Vectors: cosine in `[-1, 1]`, dot product, or negated distance.
    pub score: f32,
}

/// A concept's place in one leg of a hybrid search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leg {
    /// 1 for the best.
    pub rank: u32,
    /// The leg's own score.
    pub score: f32,
}

/// A concept that a hybrid search found, with what each leg said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct HybridHit {
    /// The concept.
    pub id: String,
    /// The fused score; larger is better.
    pub score: f32,
    /// Its place in the word search, if it has one.
    pub words: Option<Leg>,
    /// Its place in the vector search, if it has one.
    pub vector: Option<Leg>,
}

/// Where fewer than one in so many vectors is alive, these are listed, not the dead.
const SPARSE: u32 = 8;

/// Queries that one pass over the vectors serves.
const BATCH: usize = 32;

/// So many of each leg are fused at least: the order of the best does not depend on how many are asked for.
const FUSED: usize = 1000;

/// Rank constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).
const RRF_CONSTANT: f32 = 60.0;

thread_local! {
    /// Saves each word search its allocations.
    static SCRATCH: RefCell<SearchScratch> = RefCell::default();
}

/// A hit before its number became an id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NumberHit {
    pub(crate) number: u32,
    pub(crate) score: f32,
}

impl NumberHit {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "sorts call it by reference")]
    fn order(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.number.cmp(&other.number))
    }
}

impl State {
    pub(crate) fn search_text(&self, query: &TextQuery<'_>) -> Result<Vec<NumberHit>> {
        check_bm25(query)?;
        query.filter.validate()?;
        let words = self.analyzer.terms(query.text);
        if words.is_empty() || query.limit == 0 {
            return Ok(Vec::new());
        }
        let allowed = self.allowed_rows(&query.filter)?;
        let mut views = Vec::with_capacity(self.parts.len());
        let (mut doc_count, mut total_length) = (0_u64, 0_u64);
        for (at, part) in self.parts.iter().enumerate() {
            doc_count += u64::from(part.live_rows());
            total_length += part.live_words()?;
            if let Some(view) = part.segment.text()? {
                views.push((at, part, view));
            }
        }
        let average_length =
            if doc_count == 0 { 0.0 } else { total_length as f64 / doc_count as f64 };
        let mut frequencies: HashMap<&str, u64> = HashMap::new();
        for word in &words {
            if !frequencies.contains_key(word.as_str()) {
                let df = views
                    .iter()
                    .map(|(_, part, view)| u64::from(view.df_excluding(word, dead_rows(part))))
                    .sum();
                frequencies.insert(word, df);
            }
        }
        if query.operator == WordOperator::And && frequencies.values().any(|&df| df == 0) {
            return Ok(Vec::new());
        }
        let terms: Vec<QueryTerm> = words
            .iter()
            .map(|word| QueryTerm {
                term: word.clone(),
                idf: Bm25::idf(doc_count, frequencies[word.as_str()]),
            })
            .collect();
        let bm25 = Bm25 { k1: query.k1, b: query.b };
        let operator = match query.operator {
            WordOperator::Or => Operator::Or,
            WordOperator::And => Operator::And,
        };
        let mut found = Vec::new();
        for (at, part, view) in views {
            interrupt::check()?;
            let allowed = allowed.as_ref().map(|rows| &rows[at]);
            let options = SearchOptions {
                average_length: average_length as f32,
                bm25,
                operator,
                k: query.limit,
                deleted: dead_rows(part),
                allowed,
            };
            let hits = SCRATCH.with_borrow_mut(|scratch| view.search(&terms, &options, scratch));
            let numbers = part.segment.numbers()?;
            found.extend(hits.into_iter().filter_map(|hit| {
                let number = *numbers.get(hit.ordinal as usize)?;
                Some(NumberHit { number, score: hit.score })
            }));
        }
        Ok(best(found, query.limit))
    }

    /// One list of hits for each of the queries.
    pub(crate) fn search_vectors(&self, query: &VectorQuery<'_>) -> Result<Vec<Vec<NumberHit>>> {
        query.check()?;
        let VectorQuery { vectors: queries, k, recall, ref filter } = *query;
        let dim = self.config.vector_dimension;
        if !queries.len().is_multiple_of(dim) || queries.is_empty() {
            validate_vector("", queries, dim)?;
        }
        for query in queries.chunks_exact(dim) {
            validate_vector("", query, dim)?;
        }
        let count = queries.len() / dim;
        let mut found = vec![Vec::new(); count];
        // Enough for every core, and few enough to be stopped between.
        let chunk = BATCH * std::thread::available_parallelism().map_or(1, usize::from);
        let allowed = self.allowed_rows(filter)?;
        for (at, part) in self.parts.iter().enumerate() {
            if part.live_vectors() == 0 {
                continue;
            }
            let index = part.segment.flat_index(self.config.metric)?;
            let only = match &allowed {
                None => None,
                Some(rows) => Some(vectors_of(part, &rows[at])?),
            };
            let few;
            let selection = match &only {
                Some(vectors) => Selection::Only(vectors),
                None if part.dead_vectors.is_empty() => Selection::All,
                None if part.live_vectors() < part.segment.vectors() / SPARSE => {
                    few = part.live_vector_ordinals();
                    Selection::Only(&few)
                }
                None => Selection::Except(&part.dead_vectors),
            };
            let ann = if recall < 1.0 { part.segment.ann() } else { None };
            let approximate = ann.as_ref().and_then(|ann| ann.view(index));
            let numbers = part.segment.numbers()?;
            let mut place = 0;
            for queries in queries.chunks(dim * chunk) {
                interrupt::check()?;
                let hits = match &approximate {
                    Some(view) => view.search_batch(queries, k, recall, selection),
                    None if queries.len() == dim => {
                        index.search(queries, k, selection).map(|hits| vec![hits])
                    }
                    None => index.search_batch(queries, k, selection),
                };
                for hits in hits.map_err(|source| part.segment.vector_error("", source))? {
                    for hit in hits {
                        let row = part.segment.row_of_vector(hit.ordinal)?;
                        if let Some(&number) = numbers.get(row as usize) {
                            found[place].push(NumberHit { number, score: hit.score });
                        }
                    }
                    place += 1;
                }
            }
        }
        Ok(found.into_iter().map(|hits| best(hits, k)).collect())
    }

    /// Words and vectors fused by reciprocal rank; either may be left out.
    pub(crate) fn search_hybrid(&self, query: &HybridQuery<'_>) -> Result<Vec<HybridHit>> {
        let HybridQuery { text, vector, k, recall, ref filter } = *query;
        VectorQuery { vectors: &[], k, recall, filter: filter.clone() }.check()?;
        let depth = k.max(FUSED);
        let mut fused: HashMap<u32, (Option<Leg>, Option<Leg>)> = HashMap::new();
        if let Some(query) = text {
            let query = TextQuery { limit: depth, filter: filter.clone(), ..query.clone() };
            for (rank, hit) in (1..).zip(self.search_text(&query)?) {
                fused.entry(hit.number).or_default().0 = Some(Leg { rank, score: hit.score });
            }
        }
        if let Some(vector) = vector {
            let query = VectorQuery { vectors: vector, k: depth, recall, filter: filter.clone() };
            let hits = self.search_vectors(&query)?.pop().unwrap_or_default();
            for (rank, hit) in (1..).zip(hits) {
                fused.entry(hit.number).or_default().1 = Some(Leg { rank, score: hit.score });
            }
        }
        let share =
            |leg: Option<Leg>| leg.map_or(0.0, |leg| 1.0 / (RRF_CONSTANT + leg.rank as f32));
        let hits = fused
            .iter()
            .map(|(&number, &(words, vector))| NumberHit {
                number,
                score: share(words) + share(vector),
            })
            .collect();
        best(hits, k)
            .into_iter()
            .map(|hit| {
                let (words, vector) = fused[&hit.number];
                let id = self.id_of(hit.number)?.ok_or_else(|| self.dangling(hit.number))?;
                Ok(HybridHit { id: id.to_owned(), score: hit.score, words, vector })
            })
            .collect()
    }

    pub(crate) fn named(&self, hits: &[NumberHit]) -> Result<Vec<ConceptHit>> {
        hits.iter()
            .map(|hit| {
                let id = self.id_of(hit.number)?.ok_or_else(|| self.dangling(hit.number))?;
                Ok(ConceptHit { id: id.to_owned(), score: hit.score })
            })
            .collect()
    }
}

/// The ordinals of the vectors of some rows.
fn vectors_of(part: &Part, rows: &RoaringBitmap) -> Result<RoaringBitmap> {
    if part.segment.vector_rows()?.is_none() {
        return Ok(rows.clone());
    }
    let mut vectors = RoaringBitmap::new();
    for row in rows {
        if let Some(ordinal) = part.segment.vector_ordinal(row)? {
            vectors.insert(ordinal);
        }
    }
    Ok(vectors)
}

fn dead_rows(part: &Part) -> Option<&RoaringBitmap> {
    (!part.dead_rows.is_empty()).then_some(&*part.dead_rows)
}

fn best(mut hits: Vec<NumberHit>, k: usize) -> Vec<NumberHit> {
    hits.sort_unstable_by(NumberHit::order);
    hits.truncate(k);
    hits
}

fn check_bm25(query: &TextQuery<'_>) -> Result<()> {
    let refuse = |name, expected: &str, found: f32| {
        let (expected, found) = (expected.to_owned(), found.to_string());
        Err(Error::InvalidArgument { name, expected, found })
    };
    if !(query.k1.is_finite() && query.k1 >= 0.0) {
        return refuse("k1", "finite and not negative", query.k1);
    }
    if !(0.0..=1.0).contains(&query.b) {
        return refuse("b", "0.0 to 1.0", query.b);
    }
    Ok(())
}
