//! Works out the newest state that a damaged store's files still tell.
//!
//! The same way as opening does: segments less tombstones, by one manifest, then the log above its LSN;
//! but each row, vector, edge and transaction stands by itself, and what is damaged is left out and told.
//! Invariant: what a plan names was checked to be readable when it was made.

use std::collections::BTreeMap;

use graph_index::EdgeRef;
use roaring::RoaringBitmap;

use super::outline::Outline;
use super::overlay::Overlay;
use super::report::{Loss, Losses};
use super::sources::Sources;
use crate::manifest::SegmentEntry;
use crate::operation::{EdgeKey, Operation, Payload};
use crate::record::{self, Touch};
use crate::segment::{SalvagedSegment, VectorRows};
use crate::state::MAX_TYPES;
use crate::store::disk::segment_path;
use crate::{Association, tombstones, wal};

/// A row to copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) number: u32,
    /// The segment's place in the outline: a later one is newer.
    pub(super) at: usize,
    pub(super) segment: u64,
    /// Its place in the segment.
    pub(super) ordinal: u32,
    /// Its vector, if it has one that can be read.
    pub(super) vector: Option<u32>,
}

/// An association to copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) segment: u64,
    pub(super) edge: EdgeRef,
}

/// What is to be copied.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) outline: Outline,
    /// By number; each number once.
    pub(super) rows: Vec<Row>,
    /// Of the rows' segments: by number, the newest, with its segment's place in the outline.
    pub(super) touches: BTreeMap<u32, (usize, Touch)>,
    /// Each key once.
    pub(super) edges: BTreeMap<EdgeKey, Edge>,
    pub(super) overlay: Overlay<'a>,
    pub(super) types: Vec<String>,
    /// The newest transaction that is in it.
    pub(super) epoch: u64,
    pub(super) losses: Losses,
    /// Rows whose numbers are damaged, with their ids; `number` is not one.
    unnumbered: Vec<(Row, String)>,
    /// Every number that a row of a segment has, dead or alive.
    seen: RoaringBitmap,
}

impl<'a> Plan<'a> {
    /// The plan that loses least: by the newest manifest, unless an older one, with the log since, tells
    /// more; by the files alone where there is no manifest.
    pub(super) fn best(sources: &'a Sources) -> Self {
        let mut best: Option<Self> = None;
        for manifest in &sources.manifests {
            let plan = Self::new(sources, Outline::from(manifest));
            if best.as_ref().is_none_or(|best| plan.losses.weight() < best.losses.weight()) {
                best = Some(plan);
            }
            if best.as_ref().is_some_and(|best| best.losses.weight() == 0) {
                break;
            }
        }
        best.unwrap_or_else(|| Self::new(sources, Outline::of_files(sources)))
    }

    fn new(sources: &'a Sources, outline: Outline) -> Self {
        let mut plan = Self {
            rows: Vec::new(),
            touches: BTreeMap::new(),
            edges: BTreeMap::new(),
            overlay: Overlay::default(),
            types: Vec::new(),
            epoch: outline.lsn,
            losses: Losses::default(),
            unnumbered: Vec::new(),
            seen: RoaringBitmap::new(),
            outline,
        };
        if plan.outline.keeps_past {
            plan.losses.push(Loss::Past);
        }
        if !plan.outline.assumed.is_empty() {
            plan.losses.push(Loss::Options { names: plan.outline.assumed.clone() });
        }
        let types = plan.replay(sources);
        for (at, entry) in plan.outline.segments.clone().iter().enumerate() {
            if let Some(segment) = sources.segments.get(&entry.id) {
                plan.take_segment(sources, at, entry, segment);
            } else {
                let path = segment_path(&sources.dir, entry.id);
                plan.losses.push(Loss::Segment { path });
            }
        }
        // Where deletions are lost there may be two versions of a number: the newer one counts.
        plan.rows.sort_unstable_by_key(|row| (row.number, std::cmp::Reverse(row.at)));
        plan.rows.dedup_by_key(|row| row.number);
        plan.name_types(&types);
        plan.drop_loose_ends(sources);
        plan.number_rows(sources);
        plan
    }

    // ---- the log ---------------------------------------------------------------------------------

    /// Applies the transactions above the segments' LSN; returns the names of types that logs define.
    fn replay(&mut self, sources: &'a Sources) -> BTreeMap<u32, &'a str> {
        let mut types = BTreeMap::new();
        let mut next = self.outline.lsn.saturating_add(1);
        for (&lsn, payload) in &sources.transactions {
            let counts = lsn > self.outline.lsn;
            if counts && lsn > next {
                self.losses.push(Loss::Transactions { first: next, last: lsn - 1 });
            }
            if counts {
                next = lsn.saturating_add(1);
            }
            // Segments that no manifest describes may need the name of a type from any log.
            if (counts || self.outline.generation.is_none())
                && !self.apply(payload, counts, &mut types)
            {
                self.losses.push(Loss::Transactions { first: lsn, last: lsn });
            }
        }
        if sources.known_lsn >= next {
            self.losses.push(Loss::Transactions { first: next, last: sources.known_lsn });
        }
        self.epoch = next - 1;
        if let Some(number) = self.outline.log
            && !sources.logs.contains_key(&number)
        {
            self.losses.push(Loss::Log { path: wal::log_path(&sources.dir, number) });
        }
        sources.ends.iter().for_each(|end| self.losses.push(end.clone()));
        types
    }

    /// Applies a transaction, or notes the types that it defines; returns whether all of it decodes.
    fn apply(
        &mut self,
        payload: &'a [u8],
        counts: bool,
        types: &mut BTreeMap<u32, &'a str>,
    ) -> bool {
        let Ok(mut operations) = Payload::parse(payload) else { return false };
        loop {
            let operation = match operations.next_operation() {
                Ok(Some(operation)) => operation,
                Ok(None) => return true,
                Err(_) => return false,
            };
            if let Operation::DefineType { type_id, name } = operation {
                types.insert(type_id, name);
            } else if counts {
                self.overlay.apply(operation);
            }
        }
    }

    fn name_types(&mut self, defined: &BTreeMap<u32, &str>) {
        let used = self.edges.keys().chain(self.overlay.edges.keys()).map(|key| key.type_id);
        let last =
            used.chain(defined.keys().copied()).filter(|&id| (id as usize) < MAX_TYPES).max();
        let count = self.outline.types.len().max(last.map_or(0, |last| last as usize + 1));
        let mut unnamed = 0;
        for type_id in 0..count {
            let known = self.outline.types.get(type_id).map(String::as_str);
            let known = known.or_else(|| defined.get(&(type_id as u32)).copied());
            self.types.push(known.map_or_else(
                || {
                    unnamed += 1;
                    format!("unknown type {type_id}")
                },
                str::to_owned,
            ));
        }
        if unnamed > 0 {
            self.losses.push(Loss::TypeNames { count: unnamed });
        }
    }

    // ---- segments --------------------------------------------------------------------------------

    fn take_segment(
        &mut self,
        sources: &Sources,
        at: usize,
        entry: &SegmentEntry,
        segment: &SalvagedSegment,
    ) {
        let mut dead = None;
        if let Some(lsn) = entry.tombstones {
            dead = sources.tombstones.get(&(entry.id, lsn));
            if dead.is_none() {
                let path = tombstones::path(&sources.dir, entry.id, lsn);
                self.losses.push(Loss::Deletions { path });
                // What was dead earlier is so still.
                dead = sources.tombstones_until(entry.id, lsn);
            }
        }
        let none = RoaringBitmap::new();
        let (dead_rows, dead_edges) = dead.map_or((&none, &none), |dead| (&dead.rows, &dead.edges));
        let vectors = segment.vector_rows();
        if let VectorRows::Some(_, count @ 1..) = vectors {
            self.losses.push(Loss::Vectors { path: segment.path().to_owned(), count });
        }
        let numbers = segment.numbers(self.outline.next_number);
        self.seen.extend(numbers.iter().flatten());
        for (row, number) in (0..).zip(numbers).filter(|&(row, _)| !dead_rows.contains(row)) {
            let row = Row { number: 0, at, segment: entry.id, ordinal: row, vector: None };
            self.take_row(segment, row, number, &vectors);
        }
        self.take_edges(entry.id, segment, dead_edges);
        let (touches, lost) = segment.touches();
        if lost > 0 {
            self.losses.push(Loss::Accesses { path: segment.path().to_owned(), count: lost });
        }
        self.touches.extend(touches.into_iter().map(|touch| (touch.number, (at, touch))));
    }

    fn take_row(
        &mut self,
        segment: &SalvagedSegment,
        mut row: Row,
        number: Option<u32>,
        vectors: &VectorRows,
    ) {
        let replaced = number.is_some_and(|number| {
            self.overlay.concepts.contains_key(&number) || self.overlay.killed.contains(&number)
        });
        if replaced {
            return;
        }
        let id = segment.concept_id(row.ordinal);
        let record = segment.record(row.ordinal);
        let decodes = record.is_some_and(|r| record::decode_concept("", 0.0, &r).is_ok());
        let Some(id) = id.clone().filter(|_| decodes) else {
            let path = segment.path().to_owned();
            self.losses.push(Loss::Concept { path, row: row.ordinal, number, id });
            return;
        };
        let is_known = number.is_some();
        row.number = number.unwrap_or(0);
        if !is_known && self.overlay.put.1.contains(id.as_str()) {
            return; // The log has the last word on it.
        }
        if segment.created(row.ordinal).is_none() {
            self.losses.push(Loss::Created { id: id.clone() });
        }
        let ordinal = vectors.ordinal(row.ordinal).filter(|_| segment.vectors() > 0);
        row.vector = ordinal.filter(|&ordinal| segment.vector(ordinal).is_some());
        if ordinal.is_some() && row.vector.is_none() {
            self.losses.push(Loss::Vector { id: id.clone() });
        }
        if is_known {
            self.rows.push(row);
        } else {
            self.unnumbered.push((row, id));
        }
    }

    /// Gives rows whose numbers are damaged numbers that nothing names, if they are sure to be alive.
    fn number_rows(&mut self, sources: &Sources) {
        // A deleted number that no row has may be one of theirs; and an id that is there twice, too.
        let accounted =
            |number: &u32| self.seen.contains(*number) || self.overlay.put.0.contains(number);
        let are_alive = self.overlay.killed.iter().all(accounted) && !self.losses.may_revive();
        let keys = self.edges.keys().chain(self.overlay.edges.keys());
        let named = keys.flat_map(|key| [key.source, key.target]);
        let named = named.chain(self.seen.max()).chain(self.overlay.put.0.last().copied());
        let mut next = named.chain(self.overlay.touches.keys().copied()).max().unwrap_or(0);
        for (mut row, id) in std::mem::take(&mut self.unnumbered) {
            if let Some(number) = next.checked_add(1).filter(|_| are_alive) {
                next = number;
                row.number = number;
                self.losses.push(Loss::Number { id });
                self.rows.push(row);
            } else {
                let path = segment_path(&sources.dir, row.segment);
                let (ordinal, id) = (row.ordinal, Some(id));
                self.losses.push(Loss::Concept { path, row: ordinal, number: None, id });
            }
        }
    }

    fn take_edges(&mut self, id: u64, segment: &SalvagedSegment, dead: &RoaringBitmap) {
        let mut found = RoaringBitmap::new();
        for edge in segment.right_edges() {
            let key = EdgeKey::from(edge);
            found.insert(edge.id);
            let is_dead = dead.contains(edge.id)
                || self.overlay.edges.contains_key(&key)
                || self.overlay.killed.contains(&key.source)
                || self.overlay.killed.contains(&key.target);
            if is_dead {
                continue;
            }
            let mut decoded = Association::new("a", "b");
            let record = segment.edge_record(edge.id);
            if record.is_some_and(|r| record::decode_association(&r, &mut decoded).is_ok()) {
                self.edges.insert(key, Edge { segment: id, edge });
            } else {
                self.losses.push(self.lost_edge(key));
            }
        }
        let count =
            (0..segment.edges()).filter(|&e| !found.contains(e) && !dead.contains(e)).count();
        if count > 0 {
            let (path, count) = (segment.path().to_owned(), count as u64);
            self.losses.push(Loss::Associations { path, count });
        }
    }

    /// An association by the numbers of its ends.
    fn lost_edge(&self, key: EdgeKey) -> Loss {
        let number = |number: u32| format!("number {number}");
        let known = self.outline.types.get(key.type_id as usize).cloned();
        Loss::Association {
            source: number(key.source),
            target: number(key.target),
            association_type: known.unwrap_or_else(|| format!("type {}", key.type_id)),
        }
    }

    /// Leaves out associations whose ends are not there.
    fn drop_loose_ends(&mut self, sources: &Sources) {
        let mut there: RoaringBitmap = self.rows.iter().map(|row| row.number).collect();
        there.extend(self.overlay.concepts.keys().copied());
        let types = self.types.len() as u32;
        let whole = |key: &EdgeKey| {
            there.contains(key.source) && there.contains(key.target) && key.type_id < types
        };
        let mut loose: Vec<EdgeKey> = Vec::new();
        self.edges.retain(|key, _| {
            let stays = whole(key);
            if !stays {
                loose.push(*key);
            }
            stays
        });
        self.overlay.edges.retain(|key, put| {
            let stays = put.is_none() || whole(key);
            if !stays {
                loose.push(*key);
            }
            stays
        });
        let name = |number: u32| {
            let at = self.rows.binary_search_by_key(&number, |row| row.number);
            let stored = at.ok().and_then(|at| {
                let row = &self.rows[at];
                sources.segments.get(&row.segment)?.concept_id(row.ordinal)
            });
            let put = self.overlay.concepts.get(&number).map(|put| put.id.to_owned());
            put.or(stored).unwrap_or_else(|| format!("number {number}"))
        };
        let losses: Vec<Loss> = loose
            .into_iter()
            .map(|key| Loss::Association {
                source: name(key.source),
                target: name(key.target),
                association_type: self
                    .types
                    .get(key.type_id as usize)
                    .cloned()
                    .unwrap_or_else(|| format!("type {}", key.type_id)),
            })
            .collect();
        for loss in losses {
            self.losses.push(loss);
        }
    }
}
