//! What a store tells of itself: counts, sizes, health, damage.

use super::commit::now;
use super::{Shared, Snapshot};
use crate::manifest::Manifest;
use crate::segment::IndexAudit;
use crate::tombstones::Tombstones;
use crate::{Error, Result, interrupt};

/// What a store holds and how it is doing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoreStats {
    /// Concepts that have vectors; this and the next two: of the handle's namespace.
    pub total_vectors: u64,
    /// Concepts.
    pub total_concepts: u64,
    /// Distinct associations.
    pub total_edges: u64,
    /// Namespaces that have concepts, expired ones not counted, the default one apart.
    pub namespaces: u64,
    /// The number of the last transaction.
    pub epoch: u64,
    /// When it was committed, seconds since the Unix epoch; 0 before the first.
    pub last_commit: f64,
    /// Association types that were ever used.
    pub association_types: u64,
    /// Segments in files.
    pub segments: u64,
    /// Parts of the tail that are in memory.
    pub memory_parts: u64,
    /// Bytes of the segments' files.
    pub segment_bytes: u64,
    /// Bytes of the parts in memory.
    pub memory_bytes: u64,
    /// Bytes of the logs that opening replays: those since the last flush.
    pub log_bytes: u64,
    /// Rows and edges that are dead, and not yet compacted away.
    pub dead_rows: u64,
    /// Bytes of torn transactions, never acknowledged, that recovery found at the log's end.
    pub discarded_bytes: u64,
    /// The newest manifest's generation.
    pub generation: u64,
    /// The oldest epoch that can be read; the newest one where the past is not kept.
    pub oldest_epoch: u64,
    /// Files that keep the past.
    pub history_files: u64,
    /// Bytes of these.
    pub history_bytes: u64,
    /// Vectors that are found by an index for approximate search, dead ones in its segments included.
    pub indexed_vectors: u64,
    /// Vectors that are scanned, whatever the recall asked for.
    pub unindexed_vectors: u64,
    /// Bytes of the indexes' files.
    pub vector_index_bytes: u64,
    /// What audits found of these indexes when they were fresh, of those that this handle has built.
    pub index_audits: Vec<IndexAudit>,
    /// Indexes whose bytes are damaged or of another version, as file and name: reads use what was made anew in memory,
    /// or scan, and the next compaction or build writes it.
    pub set_aside: Vec<String>,
    /// Why the last flush or compaction failed, if it did.
    pub maintenance_error: Option<String>,
}

/// Damaged places that a report lists; the others are counted.
pub(super) const MOST_LISTED: usize = 10_000;

/// What [`crate::GraphStore::verify`] found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Files that were read.
    pub files: u64,
    /// Bytes that were compared with checksums.
    pub bytes: u64,
    /// Every damaged place, as a typed error that names file and offset; at most 10,000 of them.
    pub damage: Vec<Error>,
    /// Damaged places beyond those that are listed.
    pub unlisted_damage: u64,
    /// Of these, files that were not there.
    unlisted_gone: u64,
}

impl VerifyReport {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.unlisted_damage == 0
    }

    /// Notes damage.
    pub(super) fn note(&mut self, error: Error) {
        if self.damage.len() < MOST_LISTED {
            self.damage.push(error);
        } else {
            self.unlisted_damage += 1;
            self.unlisted_gone += u64::from(is_gone(&error));
        }
    }

    /// Notes damage; a file that only the previous generation names may be gone by now.
    fn note_of(&mut self, error: Error, newest: bool) {
        if newest || !is_gone(&error) {
            self.note(error);
        }
    }

    /// Takes back that files are not there.
    fn forget_gone(&mut self) {
        self.damage.retain(|error| !is_gone(error));
        self.unlisted_damage -= std::mem::take(&mut self.unlisted_gone);
    }
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

impl Shared {
    pub(super) fn stats(&self, seen: &Snapshot) -> Result<StoreStats> {
        let state = self.newest_state()?;
        let mut stats = StoreStats {
            total_vectors: seen.vector_count(),
            total_concepts: seen.concept_count(),
            total_edges: seen.association_count(),
            namespaces: state.namespaces(now())?.len() as u64,
            epoch: state.epoch,
            last_commit: state.commit_time,
            association_types: state.types.len() as u64,
            maintenance_error: self.maintenance.last_error(),
            oldest_epoch: state.oldest_epoch(),
            history_files: state.history.files.len() as u64,
            history_bytes: state.history.file_bytes(),
            ..StoreStats::default()
        };
        self.mend_soon(&state);
        for part in &state.parts {
            let bytes = part.segment.byte_len() as u64;
            let file = part.segment.path().file_name().unwrap_or_default().display().to_string();
            let aside = part.segment.set_aside().map(|name| format!("{file}: {name}"));
            stats.set_aside.extend(aside);
            match part.segment.ann().filter(|ann| !ann.is_broken()) {
                Some(ann) => {
                    stats.indexed_vectors += u64::from(part.segment.vectors());
                    stats.vector_index_bytes += ann.byte_len() as u64;
                    stats.index_audits.extend(ann.audit().cloned());
                }
                None => stats.unindexed_vectors += u64::from(part.segment.vectors()),
            }
            if part.segment.is_file() {
                stats.segments += 1;
                stats.segment_bytes += bytes;
            } else {
                stats.memory_parts += 1;
                stats.memory_bytes += bytes;
            }
            stats.dead_rows += part.dead_rows.len() + part.dead_edges.len();
        }
        if let Some(position) = &self.writer().position {
            stats.log_bytes = position.tail_bytes();
            stats.discarded_bytes = position.discarded_bytes;
            stats.generation = position.manifest.generation;
        }
        Ok(stats)
    }

    pub(super) fn verify(&self) -> Result<VerifyReport> {
        let state = self.newest_state()?;
        let mut report = VerifyReport::default();
        let Some(disk) = &self.disk else { return Ok(report) };
        let segments = state.parts.iter().filter(|part| part.segment.is_file());
        for part in segments {
            report.files += 1;
            report.bytes += part.segment.byte_len() as u64;
            disk.verify_ann(&part.segment, &mut report)?;
            let mut damage = part.segment.verify_all().peekable();
            if damage.peek().is_some() {
                damage.for_each(|error| report.note(error));
            } else if let Err(error) = part.segment.check(&state.limits()) {
                // What checksums can't tell: whether all that is in there agrees.
                report.note(error);
            }
            interrupt::check_now()?;
        }
        let read: Vec<u64> = state.parts.iter().map(|part| part.segment.id()).collect();
        let generations = Manifest::list(&*disk.fs, &disk.dir)?;
        let mut seen = std::collections::BTreeSet::new();
        // Those before the previous one are on their way out, and so are the files that they name.
        for (at, &generation) in generations.iter().take(2).enumerate() {
            report.files += 1;
            let manifest = match Manifest::read(&*disk.fs, &disk.dir, generation) {
                Ok(manifest) => manifest,
                Err(error) => {
                    report.note_of(error, at == 0);
                    continue;
                }
            };
            for entry in &manifest.history {
                interrupt::check()?;
                if !seen.insert(entry.id) {
                    continue;
                }
                report.files += 1;
                report.bytes += entry.bytes;
                let file = disk.history_file(entry, &state.store);
                if let Err(error) = file.and_then(|file| file.verify()) {
                    report.note_of(error, at == 0);
                }
            }
            for entry in &manifest.segments {
                if let Some(lsn) = entry.tombstones {
                    report.files += 1;
                    let read = Tombstones::read(&*disk.fs, &disk.dir, &state.store, entry.id, lsn);
                    if let Err(error) = read {
                        report.note_of(error, at == 0);
                    }
                }
                if !read.contains(&entry.id) {
                    match disk.segment(entry.id, &state.store, &manifest.config) {
                        Ok(segment) => {
                            report.files += 1;
                            report.bytes += segment.byte_len() as u64;
                            segment.verify_all().for_each(|error| report.note(error));
                            disk.verify_ann(&segment, &mut report)?;
                            interrupt::check_now()?;
                        }
                        Err(error) => report.note_of(error, at == 0),
                    }
                }
            }
        }
        disk.verify_logs(&state.store, &mut report);
        if Manifest::list(&*disk.fs, &disk.dir)?.first() != generations.first() {
            // A flush or compaction elsewhere took files away while this looked at them.
            report.forget_gone();
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_report_lists_so_many_damaged_places_and_counts_the_others() {
        let mut report = VerifyReport::default();
        let path = Path::new("seg");
        let gone = || Error::io("open", path, std::io::ErrorKind::NotFound.into());
        for at in 0..MOST_LISTED as u64 + 3 {
            report.note(Error::corrupt(path, at, "this", "that"));
            report.note(gone());
        }
        let all = 2 * (MOST_LISTED as u64 + 3);
        assert_eq!(report.damage.len() as u64 + report.unlisted_damage, all);
        assert_eq!(report.damage.len(), MOST_LISTED);
        report.forget_gone();
        assert_eq!(report.damage.len() as u64 + report.unlisted_damage, all / 2);
        assert!(!report.is_sound());

        let mut report = VerifyReport::default();
        (0..=MOST_LISTED).for_each(|_| report.note(gone()));
        assert!(!report.is_sound());
        report.forget_gone();
        assert!(report.is_sound());
    }
}
