//! A state as one reader sees it: one namespace, without what has expired, and perhaps only what holds at
//! one time.
//!
//! The same parts with other rows and edges dead, as for the past, so that every read and search works as
//! on any state, with the statistics of what is seen. Invariant: an association is seen only with both its
//! concepts.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use roaring::RoaringBitmap;

use super::{Part, State};
use crate::Result;
use crate::history::{Deaths, Stack};
use crate::segment::{Of, Segment, all_ordinals};
use crate::sync::{self, Mutex};

/// Which concepts and associations a reader sees.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    /// Those of one namespace.
    pub(crate) namespace: Arc<str>,
    /// Those that hold at this time; `None`: whenever they hold.
    pub(crate) valid_at: Option<f64>,
    /// Those that have not expired by this time, seconds since the Unix epoch.
    pub(crate) now: f64,
}

/// What a view makes of a state, and what it takes to make it of the next state with less work.
///
/// It keeps bitmaps, and no segment: who reads no more holds up neither memory nor files.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The state that is seen.
    whole: Weak<State>,
    epoch: u64,
    view: View,
    /// Until when nothing more expires.
    until: f64,
    /// The numbers of rows that are not seen for the time.
    hidden: RoaringBitmap,
    parts: Vec<SeenPart>,
    /// The state as it is seen, which goes with the whole one.
    state: Weak<State>,
}

#[derive(Debug)]
struct SeenPart {
    segment: Weak<Segment>,
    dead_rows: Arc<RoaringBitmap>,
    dead_edges: Arc<RoaringBitmap>,
    hidden: Hidden,
    shown: Marks,
}

/// All of a part but its segment.
#[derive(Debug)]
struct Marks {
    dead_rows: Arc<RoaringBitmap>,
    dead_vectors: Arc<RoaringBitmap>,
    dead_edges: Arc<RoaringBitmap>,
    dead_words: u64,
    deaths: Stack<Deaths>,
}

impl Marks {
    fn of(part: &Part) -> Self {
        Self {
            dead_rows: Arc::clone(&part.dead_rows),
            dead_vectors: Arc::clone(&part.dead_vectors),
            dead_edges: Arc::clone(&part.dead_edges),
            dead_words: part.dead_words,
            deaths: part.deaths.clone(),
        }
    }

    fn on(&self, segment: &Arc<Segment>) -> Part {
        Part {
            segment: Arc::clone(segment),
            dead_rows: Arc::clone(&self.dead_rows),
            dead_vectors: Arc::clone(&self.dead_vectors),
            dead_edges: Arc::clone(&self.dead_edges),
            dead_words: self.dead_words,
            deaths: self.deaths.clone(),
        }
    }
}

/// What readers see of a state, by reader: it lives as long as both, not as long as the reader alone.
#[derive(Default)]
pub(super) struct Views(Mutex<HashMap<usize, Arc<State>>>);

impl Views {
    fn put(&self, reader: usize, seen: Arc<State>) {
        // What was there is dropped without the lock.
        let before = sync::lock(&self.0).insert(reader, seen);
        drop(before);
    }

    fn remove(&self, reader: usize) {
        let before = sync::lock(&self.0).remove(&reader);
        drop(before);
    }
}

impl Clone for Views {
    /// Of another state, other views are made.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Views").finish_non_exhaustive()
    }
}

/// Rows and edges that are not seen for the time.
#[derive(Debug, Clone, Default, PartialEq)]
struct Hidden {
    rows: RoaringBitmap,
    edges: RoaringBitmap,
}

impl Seen {
    /// What a view makes of a state, and that state as it is seen; `before` is what it made of an earlier
    /// one, if that is known.
    pub(crate) fn of(
        whole: &Arc<State>,
        view: View,
        before: Option<&Self>,
    ) -> Result<(Self, Arc<State>)> {
        let before = before.filter(|before| {
            before.view.namespace == view.namespace
                && before.view.valid_at == view.valid_at
                // Another thread may have been faster, or the clock been set back.
                && before.epoch <= whole.epoch
                && before.view.now <= view.now
        });
        let mut parts = Vec::with_capacity(whole.parts.len());
        let mut until = f64::INFINITY;
        let mut hidden = RoaringBitmap::new();
        for part in &whole.parts {
            let segment = &part.segment;
            let in_time = hidden_in_time(segment, &view)?;
            if !in_time.rows.is_empty() {
                let numbers = segment.numbers()?;
                let live = in_time.rows.iter().filter(|&row| part.is_row_live(row));
                hidden.extend(live.map(|row| numbers[row as usize]));
            }
            until = until.min(next_expiry(segment, view.now)?);
            parts.push((part, in_time));
        }
        let mut seen = Vec::with_capacity(parts.len());
        let mut shown_parts = Vec::with_capacity(parts.len());
        for (part, mut in_time) in parts {
            let known = before.and_then(|before| before.part(&part.segment));
            match known.zip(before) {
                // Edges at hidden concepts are the same, too.
                Some((known, before)) if before.hidden == hidden => {
                    in_time.edges |= &known.hidden.edges;
                }
                _ => {
                    for number in &hidden {
                        in_time.edges.extend(part.segment.edges_at(number)?.iter().map(|e| e.0));
                    }
                }
            }
            let shown = match known.filter(|known| known.hidden == in_time) {
                Some(known) => known.shown_with(part)?,
                None => show(part, &view.namespace, &in_time)?,
            };
            seen.push(SeenPart {
                segment: Arc::downgrade(&part.segment),
                dead_rows: Arc::clone(&part.dead_rows),
                dead_edges: Arc::clone(&part.dead_edges),
                hidden: in_time,
                shown: Marks::of(&shown),
            });
            if shown.has_live() {
                shown_parts.push(shown);
            }
        }
        let mut state = State::clone(whole);
        state.namespace = Arc::clone(&view.namespace);
        state.parts = shown_parts;
        let state = Arc::new(state);
        let seen = Self {
            whole: Arc::downgrade(whole),
            epoch: whole.epoch,
            view,
            until,
            hidden,
            parts: seen,
            state: Arc::downgrade(&state),
        };
        Ok((seen, state))
    }

    /// The state that is seen, if it is the view of this whole one still.
    pub(crate) fn current(
        &self,
        whole: &Arc<State>,
        now: impl FnOnce() -> f64,
    ) -> Option<Arc<State>> {
        let is_same = std::ptr::eq(self.whole.as_ptr(), Arc::as_ptr(whole));
        (is_same && (self.until == f64::INFINITY || (self.view.now..self.until).contains(&now())))
            .then(|| self.state.upgrade())
            .flatten()
    }

    /// No longer keeps the state as a reader sees it, for a reader that ends.
    pub(crate) fn forget(&self, reader: usize) {
        if let Some(whole) = self.whole.upgrade() {
            whole.views.remove(reader);
        }
    }

    fn part(&self, segment: &Arc<Segment>) -> Option<&SeenPart> {
        self.parts.iter().find(|part| std::ptr::eq(part.segment.as_ptr(), Arc::as_ptr(segment)))
    }
}

impl SeenPart {
    /// The same part as shown when some more of it died.
    fn shown_with(&self, part: &Part) -> Result<Part> {
        let mut shown = self.shown.on(&part.segment);
        if !Arc::ptr_eq(&part.dead_rows, &self.dead_rows) {
            for row in &*part.dead_rows - &*self.dead_rows {
                shown.kill_row(row)?;
            }
        }
        if !Arc::ptr_eq(&part.dead_edges, &self.dead_edges) {
            for edge in &*part.dead_edges - &*self.dead_edges {
                shown.kill_edge(edge);
            }
        }
        Ok(shown)
    }
}

impl State {
    /// This state, restricted to what holds at a time.
    pub(crate) fn valid_at(self: &Arc<Self>, time: f64) -> Result<Arc<Self>> {
        // What has expired is hidden already.
        let now = f64::NEG_INFINITY;
        let view = View { namespace: Arc::clone(&self.namespace), valid_at: Some(time), now };
        Ok(Seen::of(self, view, None)?.1)
    }

    /// Keeps this state as a reader sees it, for as long as there is this state.
    pub(crate) fn keep_view(&self, reader: usize, seen: &Arc<Self>) {
        self.views.put(reader, Arc::clone(seen));
    }

    /// Notes whether some rows or edges are not everyone's, always.
    pub(crate) fn note_scopes(&mut self) {
        self.is_scoped = self.parts.iter().any(|part| part.segment.is_scoped());
    }

    /// When the next concept or association expires after a time; infinity: none does.
    pub(crate) fn next_expiry(&self, now: f64) -> Result<f64> {
        self.parts
            .iter()
            .map(|part| next_expiry(&part.segment, now))
            .try_fold(f64::INFINITY, |soonest, next| Ok(next?.min(soonest)))
    }

    /// The namespaces of concepts that have not expired by a time, by name; the default one has none.
    pub(crate) fn namespaces(&self, now: f64) -> Result<Vec<String>> {
        let mut names = std::collections::BTreeSet::new();
        for part in &self.parts {
            let Some(index) = part.segment.namespaces()? else { continue };
            let mut gone = RoaringBitmap::clone(&part.dead_rows);
            gone.extend(part.segment.expiries()?.expired(Of::Rows, now));
            for (name, rows) in index.rows() {
                if !name.is_empty() && !rows.is_subset(&gone) {
                    names.insert(name.to_owned());
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    /// The numbers of all live concepts of a namespace.
    pub(crate) fn numbers_in(&self, namespace: &str) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        for part in &self.parts {
            let Some(index) = part.segment.namespaces()? else { continue };
            let numbers = part.segment.numbers()?;
            let live = index.of(namespace, Of::Rows) - &*part.dead_rows;
            found.extend(live.iter().map(|row| numbers[row as usize]));
        }
        Ok(found)
    }
}

/// When something of a segment expires next after a time.
fn next_expiry(segment: &Segment, now: f64) -> Result<f64> {
    if !segment.is_scoped() {
        return Ok(f64::INFINITY);
    }
    Ok(segment.expiries()?.next_after(now))
}

/// What of a segment is not seen for what it says itself of the time.
fn hidden_in_time(segment: &Segment, view: &View) -> Result<Hidden> {
    let mut hidden = Hidden::default();
    if !segment.is_scoped() {
        return Ok(hidden);
    }
    let expiries = segment.expiries()?;
    hidden.rows.extend(expiries.expired(Of::Rows, view.now));
    hidden.edges.extend(expiries.expired(Of::Edges, view.now));
    if let Some(time) = view.valid_at {
        let add = |of: Of, to: &mut RoaringBitmap| -> Result<()> {
            let beyond = segment.windows(of)?.filter(|entry| !entry.window.holds_at(time));
            to.extend(beyond.map(|entry| entry.ordinal));
            Ok(())
        };
        add(Of::Rows, &mut hidden.rows)?;
        add(Of::Edges, &mut hidden.edges)?;
    }
    Ok(hidden)
}

/// What of a part is seen.
fn show(part: &Part, namespace: &str, hidden: &Hidden) -> Result<Part> {
    let segment = &part.segment;
    let (rows, edges) = match segment.namespaces()? {
        Some(index) => (index.of(namespace, Of::Rows), index.of(namespace, Of::Edges)),
        None if namespace.is_empty() => {
            (all_ordinals(segment.rows()), all_ordinals(segment.edges()))
        }
        None => Default::default(),
    };
    let live_rows = rows - &*part.dead_rows - &hidden.rows;
    let live_edges = edges - &*part.dead_edges - &hidden.edges;
    if live_rows.len() == u64::from(part.live_rows())
        && live_edges.len() == u64::from(part.live_edges())
    {
        return Ok(part.clone());
    }
    Part::with_live(Arc::clone(segment), &live_rows, &live_edges)
}
