//! Writing a state as lines of JSON.

use std::io::Write;
use std::path::Path;

use super::file::NewFile;
use super::line::{End, FORMAT, Header, Line, VERSION};
use crate::fs::{Access, FileSystem, OsFileSystem};
use crate::store::{GraphStore, Snapshot, check_outside, check_path};
use crate::{Direction, Error, Result, interrupt};

/// Concepts whose numbers are looked up at once.
const PAGE: usize = 1024;

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExportReport {
    /// Concepts.
    pub concepts: u64,
    /// Associations.
    pub associations: u64,
    /// Bytes of all lines.
    pub bytes: u64,
    /// The number of the last transaction in it.
    pub epoch: u64,
}

impl GraphStore {
    /// As [`Snapshot::export_jsonl`], of the newest state; the store's own handle exports all namespaces.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn export_jsonl(&self, path: impl AsRef<Path>) -> Result<ExportReport> {
        to_file(path.as_ref(), &self.snapshots_of_all()?)
    }

    /// As [`Snapshot::write_jsonl`], of what [`GraphStore::export_jsonl`] exports.
    ///
    /// # Errors
    /// As there; as for [all calls](GraphStore#errors).
    pub fn write_jsonl(&self, out: impl Write) -> Result<ExportReport> {
        write_lines(&self.snapshots_of_all()?, out, Path::new("(export)"))
    }
}

impl Snapshot {
    /// Exports all concepts and associations to a file, one JSON object a line, without loss.
    ///
    /// The file gets its name, in place of one that has it, when it is whole and survives power loss. Until
    /// then its name ends in ".unfinished"; what an export left that was killed, the next to the same path
    /// removes. See
    /// `docs/export-format.md` for the lines, and [`GraphStore::import_jsonl`] for the way back.
    ///
    /// ```
    /// use storage_core::{Concept, GraphStore, StoreConfig};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("store.jsonl");
    /// let store = GraphStore::in_memory(StoreConfig::default())?;
    /// store.put_concept(Concept::new("dog", "a domesticated mammal"))?;
    /// assert_eq!(store.export_jsonl(&path)?.concepts, 1);
    ///
    /// let other = GraphStore::in_memory(StoreConfig::default())?;
    /// other.import_jsonl(&path)?;
    /// assert_eq!(other.concept("dog")?, store.concept("dog")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::InvalidArgument`] for a path of what is no file, or in a store's directory, links followed;
    /// [`Error::Corrupt`] as for all reads; [`Error::Interrupted`]. Then no file of the name was made or changed.
    pub fn export_jsonl(&self, path: impl AsRef<Path>) -> Result<ExportReport> {
        to_file(path.as_ref(), std::slice::from_ref(self))
    }

    /// Exports to any writer, as [`Snapshot::export_jsonl`] does to a file.
    ///
    /// # Errors
    /// [`Error::Io`] with the path "(export)"; [`Error::Corrupt`] as for all reads; [`Error::Interrupted`]. An export
    /// that broke off has no last line, and is refused when it is imported.
    pub fn write_jsonl(&self, out: impl Write) -> Result<ExportReport> {
        write_lines(std::slice::from_ref(self), out, Path::new("(export)"))
    }

    /// Writes the lines of its concepts, then of its associations; returns how many there are.
    fn write_contents<W: Write>(&self, out: &mut Lines<'_, W>) -> Result<(u64, u64)> {
        let state = self.state();
        let (mut concepts, mut associations) = (0, 0);
        self.for_each_number(|number| {
            interrupt::check()?;
            let place = state.find_number(number)?.ok_or_else(|| state.dangling(number))?;
            concepts += 1;
            out.write(&Line::Concept(state.concept_with_vector(place)?))
        })?;
        self.for_each_number(|number| {
            interrupt::check()?;
            let mut edges = state.edges_at(number, Direction::Out)?;
            edges.sort_unstable_by_key(|(_, edge)| (edge.target, edge.type_id));
            for (part, edge) in edges {
                associations += 1;
                out.write(&Line::Association(state.association(part, edge)?))?;
            }
            Ok(())
        })?;
        Ok((concepts, associations))
    }

    /// Visits all concepts in order of number, a page of numbers in memory.
    fn for_each_number(&self, mut visit: impl FnMut(u32) -> Result<()>) -> Result<()> {
        let mut from = 0;
        loop {
            let page = self.state().numbers_from(from, PAGE)?;
            let Some(&last) = page.last() else { return Ok(()) };
            page.into_iter().try_for_each(&mut visit)?;
            // The largest number is never given out, but damaged bytes may name it.
            let Some(next) = last.checked_add(1) else { return Ok(()) };
            from = next;
        }
    }
}

fn to_file(path: &Path, snapshots: &[Snapshot]) -> Result<ExportReport> {
    check_path(path)?;
    // A link stays one, and may lead into a store.
    let path = &OsFileSystem.resolve(path);
    check_target(&OsFileSystem, path)?;
    let mut file = NewFile::create(&OsFileSystem, path)?;
    match write_lines(snapshots, &mut file, path) {
        Ok(report) => file.finish().map(|()| report),
        Err(error) => {
            file.discard();
            Err(error)
        }
    }
}

/// Refuses to take the place of what is no file (a device, say), or of a store's own files.
fn check_target(fs: &dyn FileSystem, path: &Path) -> Result<()> {
    let there = fs.open(path, Access::Read);
    if there.is_err_and(|error| error.kind() == std::io::ErrorKind::InvalidInput) {
        return Err(Error::InvalidArgument {
            name: "path",
            expected: "a regular file's, or one that is not there yet".to_owned(),
            found: path.display().to_string(),
        });
    }
    check_outside(fs, "path", path)
}

/// Writes snapshots of one state: the first without a word of its namespace.
fn write_lines(snapshots: &[Snapshot], out: impl Write, path: &Path) -> Result<ExportReport> {
    let mut out = Lines { out, path, line: Vec::new(), bytes: 0, crc: 0 };
    let first = snapshots.first().expect("a handle sees one namespace at least").state();
    out.write(&Line::Header(Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        config: (*first.config).clone(),
        epoch: first.epoch,
        commit_time: first.commit_time,
        concepts: snapshots.iter().map(Snapshot::concept_count).sum(),
        vectors: snapshots.iter().map(Snapshot::vector_count).sum(),
        associations: snapshots.iter().map(Snapshot::association_count).sum(),
    }))?;
    let (mut concepts, mut associations) = (0, 0);
    for (at, snapshot) in snapshots.iter().enumerate() {
        if at > 0 {
            out.write(&Line::Namespace(snapshot.state().namespace.to_string()))?;
        }
        let written = snapshot.write_contents(&mut out)?;
        concepts += written.0;
        associations += written.1;
    }
    let crc32c = format!("{:08x}", out.crc);
    out.write(&Line::End(End { concepts, associations, crc32c }))?;
    out.out.flush().map_err(|e| Error::io("write", path, e))?;
    Ok(ExportReport { concepts, associations, bytes: out.bytes, epoch: first.epoch })
}

/// Counts and checks what is written.
struct Lines<'a, W> {
    out: W,
    path: &'a Path,
    line: Vec<u8>,
    bytes: u64,
    crc: u32,
}

impl<W: Write> Lines<'_, W> {
    fn write(&mut self, line: &Line) -> Result<()> {
        self.line.clear();
        let failed = |error| Error::io("write", self.path, error);
        serde_json::to_writer(&mut self.line, line).map_err(|error| failed(error.into()))?;
        self.line.push(b'\n');
        self.out.write_all(&self.line).map_err(failed)?;
        self.crc = crc32c::crc32c_append(self.crc, &self.line);
        self.bytes += self.line.len() as u64;
        Ok(())
    }
}
