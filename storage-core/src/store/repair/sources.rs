//! Reads every file of a damaged store, and notes what is wrong with each.
//!
//! Invariant: nothing is written, mapped or locked; what is taken for right matched a checksum.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::report::{Loss, RepairReport};
use crate::fs::{FileSystem, TolerantFile};
use crate::history::HistoryFile;
use crate::manifest::Manifest;
use crate::segment::{SalvagedSegment, read_u32};
use crate::store::cleaning::{SegmentName, parse_segment_name};
use crate::store::disk::segment_path;
use crate::tombstones::{self, Tombstones};
use crate::wal::{self, LogHeader, SalvagedLog};
use crate::{Error, Result, history, mend};

/// What the files of a damaged store say.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) dir: PathBuf,
    pub(super) store: [u8; 16],
    /// Newest first.
    pub(super) manifests: Vec<Manifest>,
    pub(super) segments: BTreeMap<u64, SalvagedSegment>,
    pub(super) tombstones: BTreeMap<(u64, u64), Tombstones>,
    pub(super) logs: BTreeMap<u64, LogHeader>,
    /// The payload of each transaction that a log holds whole, by LSN.
    pub(super) transactions: BTreeMap<u64, Vec<u8>>,
    /// The newest transaction that there is known to have been.
    pub(super) known_lsn: u64,
    /// Bytes at the ends of logs that are no frames.
    pub(super) ends: Vec<Loss>,
    pub(super) has_history: bool,
}

impl Sources {
    /// Reads all of a store.
    ///
    /// # Errors
    /// [`Error::Io`] when a directory can't be listed; [`Error::NotFound`] when nothing of a store is there;
    /// [`Error::Version`] or [`Error::Feature`] for a store of another version of the format.
    pub(super) fn read(fs: &dyn FileSystem, dir: &Path, report: &mut RepairReport) -> Result<Self> {
        let mut sources = Self {
            dir: dir.to_owned(),
            store: [0; 16],
            manifests: Vec::new(),
            segments: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            logs: BTreeMap::new(),
            transactions: BTreeMap::new(),
            known_lsn: 0,
            ends: Vec::new(),
            has_history: false,
        };
        for generation in Manifest::list(fs, dir)? {
            report.files += 1;
            match read_manifest(fs, dir, generation, report) {
                Ok(manifest) => sources.manifests.push(manifest),
                Err(error) if error.is_of_another_version() => return Err(error),
                Err(error) => report.note(error),
            }
        }
        let names = list(fs, &dir.join("seg"))?;
        sources.read_segments(fs, &names, report)?;
        let logs = read_logs(fs, dir, report)?;
        sources.name_store(&logs)?;
        sources.read_beside(fs, &names, report);
        sources.take_logs(logs, report);
        let nothing =
            sources.manifests.is_empty() && sources.segments.is_empty() && sources.logs.is_empty();
        if nothing {
            return Err(Error::NotFound { path: dir.to_owned(), read_only: true });
        }
        Ok(sources)
    }

    fn read_segments(
        &mut self,
        fs: &dyn FileSystem,
        names: &[String],
        report: &mut RepairReport,
    ) -> Result<()> {
        for name in names {
            let Some(SegmentName::Segment(id)) = parse_segment_name(name) else { continue };
            report.files += 1;
            let path = segment_path(&self.dir, id);
            match SalvagedSegment::open(fs, &path, &mut |error| report.note(error)) {
                Ok(segment) => {
                    report.bytes += segment.byte_len();
                    let other = segment.identity().filter(|identity| identity.id != id);
                    if let Some(identity) = other {
                        let (expected, found) = (format!("segment {id}"), identity.id.to_string());
                        report.note(Error::corrupt(&path, 32, expected, found));
                    } else {
                        self.segments.insert(id, segment);
                    }
                }
                Err(error) if error.is_of_another_version() => return Err(error),
                Err(error) => report.note(error),
            }
        }
        Ok(())
    }

    /// Finds out which store's the files are: by the newest manifest, else by what most files say.
    fn name_store(&mut self, logs: &[(u64, SalvagedLog)]) -> Result<()> {
        let mut votes: BTreeMap<[u8; 16], u64> = BTreeMap::new();
        for manifest in &self.manifests {
            *votes.entry(manifest.store_uuid(&self.dir)?).or_default() += 1 << 32;
        }
        for identity in self.segments.values().filter_map(SalvagedSegment::identity) {
            *votes.entry(identity.store).or_default() += 1;
        }
        for (_, log) in logs {
            *votes.entry(log.header.store_uuid).or_default() += 1;
        }
        let most = votes.into_iter().max_by_key(|&(_, votes)| votes);
        self.store = most.map(|(store, _)| store).unwrap_or_default();
        let store = self.store;
        self.segments.retain(|_, s| s.identity().is_none_or(|identity| identity.store == store));
        Ok(())
    }

    /// Reads tombstones and history.
    fn read_beside(&mut self, fs: &dyn FileSystem, names: &[String], report: &mut RepairReport) {
        for name in names {
            match parse_segment_name(name) {
                Some(SegmentName::Tombstones(segment, lsn)) => {
                    report.files += 1;
                    match read_tombstones(fs, &self.dir, &self.store, (segment, lsn), report) {
                        Ok(dead) => {
                            self.tombstones.insert((segment, lsn), dead);
                        }
                        Err(error) => report.note(error),
                    }
                }
                Some(SegmentName::History(id)) => {
                    report.files += 1;
                    self.has_history = true;
                    // Nothing is taken from it; that it is damaged is worth knowing all the same.
                    let path = history::path(&self.dir, id);
                    let file = TolerantFile::open(fs, &path).and_then(|file| {
                        report.bytes += file.byte_len();
                        let bytes = file.bytes(0, file.byte_len() as usize);
                        HistoryFile::from_bytes(path, &bytes, &self.store, id)
                    });
                    if let Err(error) = file.and_then(|file| file.verify()) {
                        report.note(error);
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes the transactions of the logs, which come newest first: what a newer log took over from an
    /// older one counts as it has it.
    fn take_logs(&mut self, logs: Vec<(u64, SalvagedLog)>, report: &mut RepairReport) {
        // Beyond this LSN, what an older log holds was given up when a newer log was begun.
        let mut ceiling = u64::MAX;
        for (number, log) in logs {
            let path = wal::log_path(&self.dir, number);
            if log.header.store_uuid != self.store || log.header.number != number {
                let expected = format!("log {number} of this store");
                let found = format!("log {}, or another store's", log.header.number);
                report.note(Error::corrupt(&path, 16, expected, found));
                continue;
            }
            self.known_lsn = self.known_lsn.max(log.known_lsn.min(ceiling));
            if let Some((offset, bytes)) = log.end {
                self.ends.push(Loss::LogEnd { path, offset, bytes });
            }
            let goes_on = log.transactions.iter().any(|(lsn, _)| *lsn > log.header.cut_lsn);
            for (lsn, payload) in log.transactions {
                if lsn <= ceiling {
                    self.transactions.entry(lsn).or_insert(payload);
                }
            }
            // One without transactions of its own may be what a failed rotation left: then the older
            // log went on.
            if goes_on {
                ceiling = ceiling.min(log.header.cut_lsn);
            }
            self.logs.insert(number, log.header);
        }
    }

    /// The newest sound tombstones of a segment, up to an LSN.
    pub(super) fn tombstones_until(&self, segment: u64, lsn: u64) -> Option<&Tombstones> {
        self.tombstones.range((segment, 0)..=(segment, lsn)).next_back().map(|(_, dead)| dead)
    }
}

fn list(fs: &dyn FileSystem, path: &Path) -> Result<Vec<String>> {
    match fs.list(path) {
        Ok(mut names) => {
            names.sort_unstable();
            Ok(names)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("list", path, error)),
    }
}

/// Reads the logs, newest first.
fn read_logs(
    fs: &dyn FileSystem,
    dir: &Path,
    report: &mut RepairReport,
) -> Result<Vec<(u64, SalvagedLog)>> {
    let mut logs = Vec::new();
    for number in list_logs(fs, dir)?.into_iter().rev() {
        report.files += 1;
        match wal::salvage(fs, dir, number, &mut |error| report.note(error)) {
            Ok(Some(log)) => {
                report.bytes += log.bytes;
                logs.push((number, log));
            }
            Ok(None) => {} // A crash interrupted its creation.
            Err(error) if error.is_of_another_version() => return Err(error),
            Err(error) => report.note(error),
        }
    }
    Ok(logs)
}

fn list_logs(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<u64>> {
    match wal::list_logs(fs, dir) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        outcome => outcome,
    }
}

/// Reads a file whole, as far as the medium delivers it.
fn read_whole(fs: &dyn FileSystem, path: &Path, report: &mut RepairReport) -> Result<Vec<u8>> {
    let file = TolerantFile::open(fs, path)?;
    report.bytes += file.byte_len();
    let bytes = file.bytes(0, usize::try_from(file.byte_len()).unwrap_or(usize::MAX));
    if let Some(error) = file.failure() {
        report.note(error);
    }
    Ok(bytes)
}

/// A manifest, mended where one bit in its header and one in its body explain what is wrong.
fn read_manifest(
    fs: &dyn FileSystem,
    dir: &Path,
    generation: u64,
    report: &mut RepairReport,
) -> Result<Manifest> {
    let path = Manifest::path(dir, generation);
    let bytes = read_whole(fs, &path, report)?;
    let error = match Manifest::decode(&path, &bytes, generation) {
        Err(error @ Error::Corrupt { .. }) if bytes.len() > Manifest::HEADER_BYTES => error,
        outcome => return outcome,
    };
    let (header, body) = bytes.split_at(Manifest::HEADER_BYTES);
    let header = mend::mended(&header[..28], read_u32(header, 28));
    let mended = header.and_then(|mut header| {
        let body = mend::mended(body, read_u32(&header, 24))?;
        header.splice(24..28, crc32c::crc32c(&body).to_le_bytes());
        header.extend(crc32c::crc32c(&header).to_le_bytes());
        header.extend(body);
        Manifest::decode(&path, &header, generation).ok()
    });
    match mended {
        Some(manifest) => {
            report.note(error);
            Ok(manifest)
        }
        None => Err(error),
    }
}

/// Tombstones, mended where one bit explains what is wrong.
fn read_tombstones(
    fs: &dyn FileSystem,
    dir: &Path,
    store: &[u8; 16],
    (segment, lsn): (u64, u64),
    report: &mut RepairReport,
) -> Result<Tombstones> {
    let path = tombstones::path(dir, segment, lsn);
    let bytes = read_whole(fs, &path, report)?;
    let error = match Tombstones::decode(&path, &bytes, store, segment, lsn) {
        Err(error @ Error::Corrupt { .. }) if bytes.len() > 4 => error,
        outcome => return outcome,
    };
    let (body, crc) = bytes.split_at(bytes.len() - 4);
    let mended = mend::mended(body, read_u32(crc, 0)).and_then(|mut body| {
        body.extend(crc32c::crc32c(&body).to_le_bytes());
        Tombstones::decode(&path, &body, store, segment, lsn).ok()
    });
    match mended {
        Some(dead) => {
            report.note(error);
            Ok(dead)
        }
        None => Err(error),
    }
}
