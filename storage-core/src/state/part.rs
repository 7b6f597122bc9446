//! A segment as one epoch sees it: which of its rows, vectors and edges are dead.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::history::{Deaths, Stack};
use crate::segment::{Segment, all_ordinals};
use crate::tombstones::Tombstones;
use crate::{Error, Result};

/// What ends versions: a transaction, in a store that keeps them or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub(crate) lsn: u64,
    pub(crate) is_kept: bool,
}

/// A segment and its tombstones.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) segment: Arc<Segment>,
    pub(crate) dead_rows: Arc<RoaringBitmap>,
    /// The vectors of the dead rows, by vector ordinal.
    pub(crate) dead_vectors: Arc<RoaringBitmap>,
    pub(crate) dead_edges: Arc<RoaringBitmap>,
    /// Words in the dead rows: what corpus statistics must leave out.
    pub(crate) dead_words: u64,
    /// What ended when, where the past is kept; newest first.
    pub(crate) deaths: Stack<Deaths>,
}

impl Part {
    /// A segment of which all is alive.
    pub(crate) fn new(segment: Arc<Segment>) -> Self {
        Self {
            segment,
            dead_rows: Arc::default(),
            dead_vectors: Arc::default(),
            dead_edges: Arc::default(),
            dead_words: 0,
            deaths: Stack::default(),
        }
    }

    /// A segment with the tombstones that a file lists.
    pub(crate) fn with_tombstones(segment: Arc<Segment>, dead: Tombstones) -> Result<Self> {
        let Tombstones { rows, edges, deaths } = dead;
        // Who died is dead, and bitmaps are within the segment: then so are the deaths.
        let listed = |deaths: &Deaths| {
            deaths.rows.iter().all(|&row| rows.contains(row))
                && deaths.edges.iter().all(|&edge| edges.contains(edge))
        };
        let beyond = |max: Option<u32>, len: u32| max.is_some_and(|max| max >= len);
        if beyond(rows.max(), segment.rows())
            || beyond(edges.max(), segment.edges())
            || !deaths.iter().all(listed)
        {
            return Err(Error::corrupt(
                segment.path(),
                0,
                format!("tombstones of {} rows, {} edges", segment.rows(), segment.edges()),
                format!("row {:?}, edge {:?}, or one that is not dead", rows.max(), edges.max()),
            ));
        }
        let mut part = Self::with_dead(segment, &rows, edges)?;
        part.deaths = deaths;
        Ok(part)
    }

    /// A segment of which these are dead.
    pub(crate) fn with_dead(
        segment: Arc<Segment>,
        rows: &RoaringBitmap,
        edges: RoaringBitmap,
    ) -> Result<Self> {
        let mut part = Self::new(segment);
        part.dead_edges = Arc::new(edges);
        for row in rows {
            part.kill_row(row)?;
        }
        Ok(part)
    }

    /// A segment of which only these are alive.
    pub(crate) fn with_live(
        segment: Arc<Segment>,
        rows: &RoaringBitmap,
        edges: &RoaringBitmap,
    ) -> Result<Self> {
        let dead_rows = all_ordinals(segment.rows()) - rows;
        let dead_edges = all_ordinals(segment.edges()) - edges;
        if dead_rows.len() <= rows.len() {
            return Self::with_dead(segment, &dead_rows, dead_edges);
        }
        // Few are alive: what the dead have is what those few don't.
        let (mut live_vectors, mut live_words) = (RoaringBitmap::new(), 0);
        for row in rows {
            live_words += u64::from(segment.words_in(row)?);
            let vector = segment.vector_ordinal(row)?;
            live_vectors.extend(vector.filter(|_| segment.vectors() > 0));
        }
        let dead_vectors = Arc::new(all_ordinals(segment.vectors()) - live_vectors);
        let dead_words = segment.word_count()?.saturating_sub(live_words);
        Ok(Self {
            dead_rows: Arc::new(dead_rows),
            dead_vectors,
            dead_edges: Arc::new(dead_edges),
            dead_words,
            ..Self::new(segment)
        })
    }

    pub(crate) fn live_rows(&self) -> u32 {
        self.segment.rows() - self.dead_rows.len() as u32
    }

    pub(crate) fn live_vectors(&self) -> u32 {
        self.segment.vectors() - self.dead_vectors.len() as u32
    }

    /// The rows that are alive.
    pub(crate) fn live_row_ordinals(&self) -> RoaringBitmap {
        all_ordinals(self.segment.rows()) - &*self.dead_rows
    }

    /// The vectors that are, by vector ordinal.
    pub(crate) fn live_vector_ordinals(&self) -> RoaringBitmap {
        all_ordinals(self.segment.vectors()) - &*self.dead_vectors
    }

    pub(crate) fn live_edges(&self) -> u32 {
        self.segment.edges() - self.dead_edges.len() as u32
    }

    /// Whether anything in it still counts: a row, an edge, or an access entry.
    pub(crate) fn has_live(&self) -> bool {
        self.live_rows() > 0 || self.live_edges() > 0 || self.segment.has_touches()
    }

    /// Words in the live rows.
    pub(crate) fn live_words(&self) -> Result<u64> {
        Ok(self.segment.word_count()?.saturating_sub(self.dead_words))
    }

    pub(crate) fn is_row_live(&self, row: u32) -> bool {
        !self.dead_rows.contains(row)
    }

    /// The live row of a concept number.
    pub(crate) fn live_row_of(&self, number: u32) -> Result<Option<u32>> {
        Ok(self.segment.row_of(number)?.filter(|&row| self.is_row_live(row)))
    }

    /// Marks a row dead, with its vector and words.
    pub(crate) fn kill_row(&mut self, row: u32) -> Result<()> {
        if self.dead_rows.contains(row) {
            return Ok(());
        }
        let words = self.segment.words_in(row)?;
        let vector = self.segment.vector_ordinal(row)?;
        if let Some(ordinal) = vector.filter(|_| self.segment.vectors() > 0) {
            Arc::make_mut(&mut self.dead_vectors).insert(ordinal);
        }
        Arc::make_mut(&mut self.dead_rows).insert(row);
        self.dead_words += u64::from(words);
        Ok(())
    }

    /// Marks an edge dead.
    pub(crate) fn kill_edge(&mut self, edge: u32) {
        if !self.dead_edges.contains(edge) {
            Arc::make_mut(&mut self.dead_edges).insert(edge);
        }
    }

    /// Ends a row's version by a transaction.
    pub(crate) fn end_row(&mut self, row: u32, by: Ending) -> Result<()> {
        if by.is_kept && self.is_row_live(row) {
            self.deaths.of(by.lsn).rows.push(row);
        }
        self.kill_row(row)
    }

    /// Ends an edge's version by a transaction.
    pub(crate) fn end_edge(&mut self, edge: u32, by: Ending) {
        if by.is_kept && !self.dead_edges.contains(edge) {
            self.deaths.of(by.lsn).edges.push(edge);
        }
        self.kill_edge(edge);
    }

    /// Ends every association at a concept, and names the concepts that so lose one.
    pub(crate) fn end_edges_at(
        &mut self,
        number: u32,
        by: Ending,
        losing: &mut Vec<u32>,
    ) -> Result<()> {
        for (edge, other) in self.segment.edges_at(number)? {
            if !self.dead_edges.contains(edge) {
                losing.push(other);
            }
            self.end_edge(edge, by);
        }
        Ok(())
    }
}
