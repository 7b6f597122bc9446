//! Which namespace the rows and edges of a segment are in, and when they hold: written from their
//! records, and found without them.
//!
//! Most stores have neither, and then there are no such sections. Invariant: what a column says is what
//! the record says.

use std::collections::{HashMap, HashSet};

use roaring::RoaringBitmap;

use super::Segment;
use super::all_ordinals;
use super::build::{EdgeSource, RowSource, bad_record};
use super::format::Kind;
use super::writer::SegmentWriter;
use crate::codec::{Reader, put_bytes, put_varint};
use crate::scope::{DEFAULT_NAMESPACE, Window};
use crate::{Result, record};

/// The rows, or the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Rows,
    Edges,
}

impl Of {
    const fn windows(self) -> Kind {
        match self {
            Self::Rows => Kind::RowWindows,
            Self::Edges => Kind::EdgeWindows,
        }
    }

    const fn namespaces(self) -> Kind {
        match self {
            Self::Rows => Kind::RowNamespaces,
            Self::Edges => Kind::EdgeNamespaces,
        }
    }
}

/// Bytes of an entry of windows: ordinal u32, 0 u32, valid from f64, valid to f64, expires f64.
const WINDOW_BYTES: usize = 32;

/// The window of a row or an edge that has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WindowEntry {
    pub(crate) ordinal: u32,
    pub(crate) window: Window,
}

impl WindowEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ordinal.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for time in [self.window.valid_from, self.window.valid_to, self.window.expires] {
            out.extend_from_slice(&time.to_le_bytes());
        }
    }

    fn decode(bytes: &[u8; WINDOW_BYTES]) -> Self {
        let time = |at: usize| {
            f64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes were sliced"))
        };
        let ordinal = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes were sliced"));
        let window = Window { valid_from: time(8), valid_to: time(16), expires: time(24) };
        Self { ordinal, window }
    }
}

// ---- writing ---------------------------------------------------------------------------------------

/// Writes the sections that tell who sees the rows and edges; none where everyone does.
pub(super) fn write_scopes(
    out: &mut SegmentWriter,
    rows: &impl RowSource,
    edges: &impl EdgeSource,
) -> Result<()> {
    let mut names = Names::default();
    let rows = gather(rows.len(), |row| rows.record(row), &mut names)?;
    let edges = gather(edges.len(), |edge| edges.record(edge), &mut names)?;
    out.section(Kind::RowWindows, &rows.windows)?;
    out.section(Kind::EdgeWindows, &edges.windows)?;
    out.section(Kind::Namespaces, &names.encode())?;
    for (kind, column) in [(Kind::RowNamespaces, rows.column), (Kind::EdgeNamespaces, edges.column)]
    {
        out.section(kind, zerocopy::IntoBytes::as_bytes(column.as_slice()))?;
    }
    Ok(())
}

/// The namespaces that occur but the default one, numbered from 1 in order of occurrence.
#[derive(Default)]
pub(super) struct Names<'a> {
    order: Vec<&'a str>,
    numbers: HashMap<&'a str, u32>,
}

impl<'a> Names<'a> {
    fn number(&mut self, name: &'a str) -> u32 {
        if name == DEFAULT_NAMESPACE {
            return 0;
        }
        *self.numbers.entry(name).or_insert_with(|| {
            self.order.push(name);
            self.order.len() as u32
        })
    }

    /// Nothing where all is in the default namespace.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.order.is_empty() {
            return out;
        }
        put_varint(&mut out, self.order.len() as u64);
        for name in &self.order {
            put_bytes(&mut out, name.as_bytes());
        }
        out
    }
}

pub(super) struct Gathered {
    pub(super) windows: Vec<u8>,
    /// A number for each, or nothing where all are in the default namespace.
    pub(super) column: Vec<u32>,
}

pub(super) fn gather<'a>(
    len: usize,
    record: impl Fn(usize) -> Result<&'a [u8]>,
    names: &mut Names<'a>,
) -> Result<Gathered> {
    let mut gathered = Gathered { windows: Vec::new(), column: Vec::new() };
    for at in 0..len {
        let scope = record::scope(record(at)?).map_err(bad_record)?;
        if scope.window != Window::ALWAYS {
            let entry = WindowEntry { ordinal: at as u32, window: scope.window };
            entry.encode(&mut gathered.windows);
        }
        let number = names.number(scope.namespace);
        if number != 0 && gathered.column.is_empty() {
            gathered.column.resize(at, 0);
        }
        if number != 0 || !gathered.column.is_empty() {
            gathered.column.push(number);
        }
    }
    Ok(gathered)
}

// ---- reading ---------------------------------------------------------------------------------------

/// The namespaces of a segment, each with its rows and edges; the default one, "", is the first.
#[derive(Debug)]
pub(crate) struct NamespaceIndex {
    names: Vec<String>,
    rows: Vec<RoaringBitmap>,
    edges: Vec<RoaringBitmap>,
}

impl NamespaceIndex {
    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| own == name)
    }

    /// The rows or edges of a namespace.
    pub(crate) fn of(&self, name: &str, of: Of) -> RoaringBitmap {
        let lists = match of {
            Of::Rows => &self.rows,
            Of::Edges => &self.edges,
        };
        self.position(name).map_or_else(RoaringBitmap::new, |at| lists[at].clone())
    }

    /// Each namespace and its rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&str, &RoaringBitmap)> {
        self.names.iter().map(String::as_str).zip(&self.rows)
    }
}

/// When something of a segment expires next, and what has by then.
#[derive(Debug)]
pub(crate) struct Expiries {
    /// (time, ordinal), by time.
    rows: Vec<(f64, u32)>,
    edges: Vec<(f64, u32)>,
}

impl Expiries {
    fn of(&self, of: Of) -> &[(f64, u32)] {
        match of {
            Of::Rows => &self.rows,
            Of::Edges => &self.edges,
        }
    }

    /// The ordinals of what has expired by a time.
    pub(crate) fn expired(&self, of: Of, now: f64) -> impl Iterator<Item = u32> {
        let entries = self.of(of);
        let end = entries.partition_point(|&(time, _)| time <= now);
        entries[..end].iter().map(|&(_, ordinal)| ordinal)
    }

    /// When the next expires after a time; infinity: nothing does.
    pub(crate) fn next_after(&self, now: f64) -> f64 {
        let next = |entries: &[(f64, u32)]| {
            let at = entries.partition_point(|&(time, _)| time <= now);
            entries.get(at).map_or(f64::INFINITY, |&(time, _)| time)
        };
        next(&self.rows).min(next(&self.edges))
    }
}

impl Segment {
    /// Whether some of its rows or edges are not everyone's, always.
    pub(crate) fn is_scoped(&self) -> bool {
        [Kind::RowWindows, Kind::EdgeWindows, Kind::Namespaces]
            .iter()
            .any(|kind| self.sections[kind.index()].len() > 0)
    }

    /// The windows of those rows or edges that have one, by ordinal.
    pub(crate) fn windows(&self, of: Of) -> Result<impl Iterator<Item = WindowEntry>> {
        let kind = of.windows();
        let len = match of {
            Of::Rows => self.rows(),
            Of::Edges => self.edges(),
        };
        let entries: &[[u8; WINDOW_BYTES]] =
            if self.sections[kind.index()].len() == 0 { &[] } else { self.column(kind)? };
        let mut ordinals = entries.iter().map(|entry| WindowEntry::decode(entry).ordinal);
        if !ordinals.clone().is_sorted_by(|a, b| a < b) || ordinals.next_back() >= Some(len) {
            return Err(self.corrupt(kind, "ascending ordinals of the segment", "others"));
        }
        Ok(entries.iter().map(WindowEntry::decode))
    }

    /// The window of a row.
    pub(crate) fn row_window(&self, row: u32) -> Result<Window> {
        if self.sections[Kind::RowWindows.index()].len() == 0 {
            return Ok(Window::ALWAYS);
        }
        let entries: &[[u8; WINDOW_BYTES]] = self.column(Kind::RowWindows)?;
        let found = entries.binary_search_by_key(&row, |entry| WindowEntry::decode(entry).ordinal);
        Ok(found.map_or(Window::ALWAYS, |at| WindowEntry::decode(&entries[at]).window))
    }

    /// What expires when; made at its first use.
    pub(crate) fn expiries(&self) -> Result<&Expiries> {
        if let Some(known) = self.expiries.get() {
            return Ok(known);
        }
        let list = |of: Of| -> Result<Vec<(f64, u32)>> {
            let mut list: Vec<(f64, u32)> = self
                .windows(of)?
                .filter(|entry| entry.window.expires < f64::INFINITY)
                .map(|entry| (entry.window.expires, entry.ordinal))
                .collect();
            list.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            Ok(list)
        };
        let made = Expiries { rows: list(Of::Rows)?, edges: list(Of::Edges)? };
        Ok(self.expiries.get_or_init(|| made))
    }

    /// The namespaces and what is in them; `None` where all is in the default one. Made at its first use.
    pub(crate) fn namespaces(&self) -> Result<Option<&NamespaceIndex>> {
        if self.sections[Kind::Namespaces.index()].len() == 0 {
            return Ok(None);
        }
        if let Some(known) = self.namespaces.get() {
            return Ok(Some(known));
        }
        let made = self.read_namespaces()?;
        Ok(Some(self.namespaces.get_or_init(|| made)))
    }

    fn read_namespaces(&self) -> Result<NamespaceIndex> {
        let bytes = self.section(Kind::Namespaces)?;
        // Each is some row's or edge's: a list that is made up takes no more memory than these do.
        let most = u64::from(self.rows()) + u64::from(self.edges());
        let names = decode_names(bytes, most)
            .map_err(|e| self.corrupt(Kind::Namespaces, e.expected, format!("at {}", e.offset)))?;
        let list = |of: Of, len: u32| -> Result<Vec<RoaringBitmap>> {
            let mut lists = vec![RoaringBitmap::new(); names.len()];
            let kind = of.namespaces();
            if self.sections[kind.index()].len() == 0 {
                lists[0] = all_ordinals(len);
                return Ok(lists);
            }
            let column: &[u32] = self.column(kind)?;
            for (ordinal, &number) in (0..).zip(column) {
                let Some(list) = lists.get_mut(number as usize) else {
                    let expected = format!("a namespace below {}", names.len());
                    return Err(self.corrupt(kind, &expected, number.to_string()));
                };
                list.insert(ordinal);
            }
            Ok(lists)
        };
        let (rows, edges) = (list(Of::Rows, self.rows())?, list(Of::Edges, self.edges())?);
        Ok(NamespaceIndex { names, rows, edges })
    }

    /// The namespace of a row.
    pub(crate) fn namespace_of(&self, row: u32) -> Result<&str> {
        let kind = Kind::RowNamespaces;
        if self.sections[kind.index()].len() == 0 {
            return Ok(DEFAULT_NAMESPACE);
        }
        let column: &[u32] = self.column(kind)?;
        let name = match (column.get(row as usize), self.namespaces()?) {
            (Some(&number), Some(index)) => index.names.get(number as usize),
            _ => None,
        };
        name.map(String::as_str)
            .ok_or_else(|| self.corrupt(kind, "a namespace", format!("none of row {row}")))
    }
}

fn decode_names(bytes: &[u8], most: u64) -> crate::codec::Decode<Vec<String>> {
    let mut reader = Reader::new(bytes);
    let count = reader.varint()?;
    if count > most {
        return Err(reader.error("no more namespaces than rows and edges"));
    }
    let mut names = vec![DEFAULT_NAMESPACE.to_owned()];
    let mut known = HashSet::from([DEFAULT_NAMESPACE]);
    for _ in 0..count {
        let name = reader.str()?;
        if !known.insert(name) {
            return Err(reader.error("each namespace once"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}
