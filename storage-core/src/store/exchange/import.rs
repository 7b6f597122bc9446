//! Reading lines of JSON into a store.

use std::collections::HashSet;
use std::io::{BufRead, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::file::OldFile;
use super::line::{End, FORMAT, Header, Line, VERSION};
use crate::fs::OsFileSystem;
use crate::scope::validate_namespace;
use crate::state::State;
use crate::store::write::Write;
use crate::store::{GraphStore, check_path};
use crate::{Error, Result, interrupt};

/// The longest line: more than the largest transaction takes, every character of it escaped.
const MAX_LINE_BYTES: u64 = 2 << 30;
/// The longest header.
const MAX_HEADER_BYTES: u64 = 64 << 10;
/// Writes of a transaction, at most.
const BATCH_WRITES: usize = 2048;
/// Bytes of the lines of a transaction, at most, but for one longer line.
const BATCH_BYTES: usize = 4 << 20;
/// What of a line an error shows.
const SHOWN_CHARS: usize = 200;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ImportReport {
    /// Concepts that were put.
    pub concepts: u64,
    /// Associations that were put.
    pub associations: u64,
    /// Transactions in which they were.
    pub transactions: u64,
    /// The number of the last of them, or of the store's last before.
    pub epoch: u64,
}

impl GraphStore {
    /// Imports the export in a file: puts its concepts and associations, each in place of any of the same id
    /// or key; what the store has besides stays.
    ///
    /// The file is read twice: whether it is whole is known before anything is put. It goes in by
    /// transactions of bounded size, and survives power loss once this returns. Where a line is refused, those
    /// of the transactions before stay; to import the file again puts the same once more.
    ///
    /// The store's dimension must be the export's; metric, analyzer and storage of vectors are the store's
    /// own.
    ///
    /// # Errors
    /// [`Error::InvalidExport`] with the line; [`Error::InvalidArgument`] for a path that is empty or has a NUL;
    /// [`Error::Io`] when the file can't be read; [`Error::Interrupted`]; as for [all writes](GraphStore#errors).
    /// Transactions that were committed before stay.
    pub fn import_jsonl(&self, path: impl AsRef<Path>) -> Result<ImportReport> {
        let path = path.as_ref();
        check_path(path)?;
        let open = || OldFile::open(&OsFileSystem, path);
        check_whole(&mut Lines::new(open()?, path))?;
        self.import(Lines::new(open()?, path))
    }

    /// Imports from any reader, as [`GraphStore::import_jsonl`] does from a file, but for the first look: that
    /// the export is cut short or damaged may be known only when most of it was put.
    ///
    /// # Errors
    /// As there; [`Error::Io`] with the path "(import)".
    pub fn read_jsonl(&self, input: impl BufRead) -> Result<ImportReport> {
        self.import(Lines::new(input, Path::new("(import)")))
    }

    fn import<R: BufRead>(&self, mut lines: Lines<'_, R>) -> Result<ImportReport> {
        let header = lines.header()?;
        let dimension = self.config().vector_dimension;
        if header.config.vector_dimension != dimension {
            let expected = format!("vectors of {dimension} components, as the store's");
            let found = header.config.vector_dimension.to_string();
            return Err(lines.refuse(expected, found));
        }
        let mut batch = Batch::new(self)?;
        loop {
            let crc = lines.crc;
            match lines.next()? {
                Line::Concept(concept) => {
                    batch.add(Write::Put(concept), &lines)?;
                }
                Line::Association(association) => {
                    for end in [&association.source_id, &association.target_id] {
                        if !batch.knows(end)? {
                            let expected = "an association of concepts before it, or in the store";
                            return Err(lines.refuse(expected, format!("none {end:?}")));
                        }
                    }
                    let write = Write::PutAssociation { association, create_missing: false };
                    batch.add(write, &lines)?;
                }
                Line::Header(_) => return Err(lines.refuse("one header", "another")),
                Line::Namespace(name) => {
                    if !self.namespace_name().is_empty() {
                        let expected = "an export of one namespace, for a handle on one";
                        return Err(lines.refuse(expected, format!("the namespace {name:?}")));
                    }
                    if let Err(error) = validate_namespace(&name) {
                        return Err(lines.refuse("a name of a namespace", error.to_string()));
                    }
                    batch.enter(&name)?;
                }
                Line::End(end) => {
                    lines.check_end(
                        &end,
                        crc,
                        (batch.report.concepts, batch.report.associations),
                    )?;
                    batch.commit()?;
                    self.save()?;
                    return Ok(batch.report);
                }
            }
        }
    }
}

/// Writes that are not yet committed.
struct Batch<'a> {
    store: &'a GraphStore,
    namespace: String,
    /// The state that the next transaction begins with.
    before: Arc<State>,
    writes: Vec<Write>,
    ids: HashSet<String>,
    bytes: usize,
    report: ImportReport,
}

impl<'a> Batch<'a> {
    fn new(store: &'a GraphStore) -> Result<Self> {
        store.shared.check_usable()?;
        let before = store.shared.newest_state()?;
        let report = ImportReport { epoch: before.epoch, ..ImportReport::default() };
        let namespace = store.namespace_name().to_owned();
        Ok(Self {
            store,
            namespace,
            before,
            writes: Vec::new(),
            ids: HashSet::new(),
            bytes: 0,
            report,
        })
    }

    /// Goes on in another namespace.
    fn enter(&mut self, namespace: &str) -> Result<()> {
        self.commit()?;
        namespace.clone_into(&mut self.namespace);
        Ok(())
    }

    fn knows(&self, id: &str) -> Result<bool> {
        Ok(self.ids.contains(id) || self.before.find_in(&self.namespace, id)?.is_some())
    }

    fn add<R>(&mut self, write: Write, lines: &Lines<'_, R>) -> Result<()> {
        if let Err(error) = write.validate(&self.before.config) {
            return Err(lines.refuse("a value in its range", error.to_string()));
        }
        match &write {
            Write::Put(concept) => {
                self.ids.insert(concept.id.clone());
                self.report.concepts += 1;
            }
            _ => self.report.associations += 1,
        }
        self.writes.push(write);
        self.bytes += lines.line.len();
        if self.writes.len() >= BATCH_WRITES || self.bytes >= BATCH_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        if self.writes.is_empty() {
            return Ok(());
        }
        let writes = std::mem::take(&mut self.writes);
        interrupt::check()?;
        self.report.epoch = self.store.shared.commit_copies(&self.namespace, writes)?;
        self.report.transactions += 1;
        (self.before, self.bytes) = (self.store.shared.newest_state()?, 0);
        self.ids.clear();
        Ok(())
    }
}

/// Reads lines, and counts and checks them.
struct Lines<'a, R> {
    input: R,
    path: &'a Path,
    line: Vec<u8>,
    /// The number of `line`, from 1.
    number: u64,
    /// Of all lines up to `line`.
    crc: u32,
    max_bytes: u64,
}

impl<R> Lines<'_, R> {
    fn refuse(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        let found: String = found.into().chars().take(SHOWN_CHARS).collect();
        let (path, expected) = (self.path.to_owned(), expected.into());
        Error::InvalidExport { path, line: self.number, expected, found }
    }

    /// Compares what the last line says with what came before it.
    fn check_end(&self, end: &End, crc: u32, counts: (u64, u64)) -> Result<()> {
        if (end.concepts, end.associations) != counts {
            let expected = format!("{} concepts, {} associations", end.concepts, end.associations);
            return Err(self.refuse(expected, format!("{} and {}", counts.0, counts.1)));
        }
        if end.crc32c != format!("{crc:08x}") {
            let expected = format!("lines with the checksum {}", end.crc32c);
            return Err(self.refuse(expected, format!("{crc:08x}")));
        }
        Ok(())
    }
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(input: R, path: &'a Path) -> Self {
        let max_bytes = MAX_LINE_BYTES;
        Self { input, path, line: Vec::new(), number: 0, crc: 0, max_bytes }
    }

    /// Reads the next line; false at the end.
    fn read(&mut self) -> Result<bool> {
        self.line.clear();
        self.number += 1;
        let mut limited = (&mut self.input).take(self.max_bytes + 1);
        let read = limited.read_until(b'\n', &mut self.line);
        read.map_err(|e| Error::io("read", self.path, e))?;
        if self.line.len() as u64 > self.max_bytes {
            self.line.truncate(0);
            let expected = format!("a line of at most {} bytes", self.max_bytes);
            return Err(self.refuse(expected, "a longer one"));
        }
        self.crc = crc32c::crc32c_append(self.crc, &self.line);
        Ok(!self.line.is_empty())
    }

    /// The next line; the end of the input is an error, and so is anything behind the last line.
    fn next(&mut self) -> Result<Line> {
        if !self.read()? {
            return Err(self.refuse("a line {\"end\":…}", "the end of the input"));
        }
        let line: Line = match serde_json::from_slice(&self.line) {
            Ok(line) => line,
            Err(error) => {
                // The line's number is another than the one that a parser of lines can know.
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                let found = format!("{message}, at byte {}", error.column());
                return Err(self.refuse("a concept, an association or the end, as JSON", found));
            }
        };
        if matches!(line, Line::End(_)) {
            let (crc, number) = (self.crc, self.number);
            if self.read()? {
                return Err(self.refuse("nothing after the line {\"end\":…}", "more"));
            }
            (self.crc, self.number) = (crc, number);
        }
        Ok(line)
    }

    fn header(&mut self) -> Result<Header> {
        let expected = format!("the header of a {FORMAT:?} of version {VERSION}");
        let max_bytes = std::mem::replace(&mut self.max_bytes, MAX_HEADER_BYTES);
        let there = self.read()?;
        self.max_bytes = max_bytes;
        if !there {
            return Err(self.refuse(expected, "nothing"));
        }
        // The version first: another one may have other fields.
        let version = serde_json::from_slice::<serde_json::Value>(&self.line).ok();
        let said = |name: &str| version.as_ref()?.get("header")?.get(name);
        if said("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            let found = String::from_utf8_lossy(&self.line[..self.line.len().min(SHOWN_CHARS)]);
            return Err(self.refuse(expected, found));
        }
        if said("version").and_then(serde_json::Value::as_u64) != Some(u64::from(VERSION)) {
            let found = said("version").map_or_else(String::new, ToString::to_string);
            return Err(self.refuse(expected, format!("version {found}")));
        }
        match serde_json::from_slice(&self.line) {
            Ok(Line::Header(header)) => Ok(header),
            Ok(_) => Err(self.refuse(expected, "another line")),
            Err(error) => Err(self.refuse(expected, error.to_string())),
        }
    }
}

/// Reads an export to its end, and compares its checksum.
fn check_whole<R: BufRead>(lines: &mut Lines<'_, R>) -> Result<()> {
    lines.header()?;
    let mut last = lines.crc;
    let mut counts = (0, 0);
    loop {
        if !lines.read()? {
            return Err(lines.refuse("a line {\"end\":…}", "the end of the input"));
        }
        match &lines.line {
            line if line.starts_with(b"{\"concept\":") => counts.0 += 1,
            line if line.starts_with(b"{\"association\":") => counts.1 += 1,
            // Anything else is told best by who reads it in full.
            _ => match serde_json::from_slice(&lines.line) {
                Ok(Line::End(end)) => return lines.check_end(&end, last, counts),
                Ok(Line::Concept(_)) => counts.0 += 1,
                Ok(Line::Association(_)) => counts.1 += 1,
                Ok(Line::Namespace(_)) => {}
                Ok(Line::Header(_)) | Err(_) => return Ok(()),
            },
        }
        last = lines.crc;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_refused_after_as_many_bytes() {
        let mut lines = Lines::new(&b"1234567\n12345678\n"[..], Path::new("input"));
        lines.max_bytes = 8;
        assert!(lines.read().unwrap());
        match lines.read() {
            Err(Error::InvalidExport { line: 2, found, .. }) => assert_eq!(found, "a longer one"),
            outcome => panic!("{outcome:?}"),
        }
    }
}
