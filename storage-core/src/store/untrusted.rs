//! Opening a store that came from elsewhere: all of it is read and checked before there is a handle.
//!
//! Invariant: nothing is unpacked, replayed or indexed before its size is known to be within the limit,
//! and nothing is answered from bytes that were not compared with all else.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::GraphStore;
use crate::codec::DecodeError;
use crate::fs::{Access, FileSystem, HeapFileSystem};
use crate::manifest::Manifest;
use crate::operation::{EdgeKey, Operation, Payload};
use crate::options::OpenOptions;
use crate::segment::{IdHasher, Limits};
use crate::state::{Place, State};
use crate::wal::{self, Log};
use crate::{Error, Result, record};

impl GraphStore {
    /// Opens a store that came from elsewhere: someone else's, or one whose files may have been tampered
    /// with.
    ///
    /// It is opened for reading only, as it is at this moment: every file is read to the heap, none is
    /// mapped, and all of it is verified before this returns. Checksums are compared, and what they can't
    /// tell: every record decodes, every index is well-formed and says of each row what the row says,
    /// words included. Bytes that no store wrote are a typed error, whatever they are.
    /// [`OpenOptions::max_untrusted_bytes`] bounds what is read and unpacked.
    ///
    /// The handle does not follow later commits; open it again to see them.
    ///
    /// # Errors
    /// [`Error::UntrustedTooLarge`]; [`Error::Corrupt`] for anything that no store writes; [`Error::NotFound`],
    /// [`Error::NotAStore`], [`Error::OptionMismatch`], [`Error::InvalidArgument`], [`Error::Version`],
    /// [`Error::Feature`], [`Error::Io`], [`Error::Interrupted`].
    ///
    /// # Complexity
    /// Linear in the size of the store, in time and in memory.
    pub fn open_untrusted(path: impl AsRef<Path>, options: OpenOptions) -> Result<Self> {
        Self::open(path, OpenOptions { untrusted: true, ..options })
    }

    pub(super) fn open_heap(
        fs: Arc<dyn FileSystem>,
        path: &Path,
        options: OpenOptions,
    ) -> Result<Self> {
        let max = options.max_untrusted_bytes;
        let heap = Arc::new(HeapFileSystem::new(fs, max));
        let named = |error| match heap.refused() {
            Some(refused) => {
                Error::UntrustedTooLarge { path: refused.path, bytes: refused.bytes, max }
            }
            None => error,
        };
        let options = OpenOptions { untrusted: false, read_only: true, create: false, ..options };
        let mut unpacked = check_logs(&heap, path, max).map_err(&named)?;
        let store = Self::open_with(Arc::clone(&heap) as Arc<dyn FileSystem>, path, options)
            .map_err(&named)?;
        // All of it: a handle's view leaves out what is another namespace's, and what has expired.
        let state = store.shared.newest_state()?;
        for part in state.parts.iter().filter(|part| part.segment.is_file()) {
            let segment = &part.segment;
            unpacked = unpacked.saturating_add(segment.unpacked_bytes()?);
            check_size(segment.path(), heap.bytes().saturating_add(unpacked), max)?;
        }
        let report = store.verify().map_err(&named)?;
        if let Some(damage) = report.damage.into_iter().next() {
            return Err(named(damage));
        }
        for part in &state.parts {
            // Parts in memory were made of the log just now, from records that no one has decoded.
            if !part.segment.is_file() {
                part.segment.check(&state.limits())?;
            }
            part.segment.check_words()?;
        }
        state.check_across_parts()?;
        Ok(store)
    }
}

fn check_size(path: &Path, bytes: u64, max: u64) -> Result<()> {
    if bytes > max {
        return Err(Error::UntrustedTooLarge { path: path.to_owned(), bytes, max });
    }
    Ok(())
}

/// Reads the logs as opening will, without applying anything; returns to how many bytes the contents in
/// them unpack.
///
/// What is damaged in them is left for opening to find.
fn check_logs(fs: &HeapFileSystem, dir: &Path, max: u64) -> Result<u64> {
    let generations = Manifest::list(fs, dir).unwrap_or_default();
    let newest = generations.into_iter().find_map(|at| Manifest::read(fs, dir, at).ok());
    let Some(store) = newest.and_then(|manifest| manifest.store_uuid(dir).ok()) else {
        return Ok(0);
    };
    let hasher = IdHasher::new(&store);
    let (mut unpacked, mut hashes) = (0_u64, Vec::new());
    for number in wal::list_logs(fs, dir).unwrap_or_default() {
        let Ok(Some(mut log)) = Log::open(fs, dir, number, store, Access::Read) else { continue };
        let path = log.path().to_owned();
        let outcome = log.follow(0, &mut |frame| {
            let _: std::result::Result<(), DecodeError> = (|| {
                let mut payload = Payload::parse(frame.payload)?;
                while let Some(operation) = payload.next_operation()? {
                    if let Operation::PutConcept(put) = operation {
                        unpacked = unpacked.saturating_add(record::unpacked_bytes(put.record)?);
                        let namespace = record::scope(put.record)?.namespace;
                        hashes.push(hasher.hash(namespace, put.id));
                    }
                }
                Ok(())
            })();
            check_size(&path, fs.bytes().saturating_add(unpacked), max)
        });
        if let Err(error @ Error::UntrustedTooLarge { .. }) = outcome {
            return Err(error);
        }
    }
    hashes.sort_unstable();
    hashes.dedup();
    if !crate::segment::are_spread(&hashes) {
        let expected = "ids whose hashes are spread";
        return Err(Error::corrupt(&wal::log_dir(dir), 0, expected, "ids chosen to collide"));
    }
    Ok(unpacked)
}

impl State {
    /// What no row, edge or access entry of a part may exceed.
    pub(super) fn limits(&self) -> Limits<'_> {
        Limits {
            config: &self.config,
            hasher: self.hasher,
            epoch: self.epoch,
            next_number: self.next_number,
            types: self.types.len() as u32,
        }
    }

    /// Checks what parts owe each other: one live row a number and an id, one live edge a key, and both
    /// ends of each.
    fn check_across_parts(&self) -> Result<()> {
        let mut keys: HashSet<EdgeKey> = HashSet::new();
        for (at, part) in self.parts.iter().enumerate() {
            let segment = &part.segment;
            let corrupt =
                |expected: &str, found: String| Error::corrupt(segment.path(), 0, expected, found);
            for row in (0..segment.rows()).filter(|&row| part.is_row_live(row)) {
                let place = Some(Place { part: at, row });
                let id = segment.concept_id(row)?;
                let number = segment.numbers()?[row as usize];
                let namespace = segment.namespace_of(row)?;
                if self.find_in(namespace, id)? != place || self.find_number(number)? != place {
                    return Err(corrupt(
                        "one live row an id and a number",
                        format!("{id:?} twice"),
                    ));
                }
            }
            let Some(graph) = segment.graph()? else { continue };
            for edge in graph.edges().filter(|edge| !part.dead_edges.contains(edge.id)) {
                for end in [edge.source, edge.target] {
                    if self.find_number(end)?.is_none() {
                        return Err(corrupt("live ends of each edge", format!("none at {end}")));
                    }
                }
                if !keys.insert(EdgeKey::from(edge)) {
                    return Err(corrupt("one live edge a key", format!("{:?} twice", edge.key())));
                }
            }
        }
        Ok(())
    }
}
