//! The manifest: which segments make up the store, and from which LSN on the log adds to them.
//!
//! ```text
//! MANIFEST-<generation, 20 digits>
//! 0   magic "SUTRAMAN"        16  length of the body u64
//! 8   version u32, 0 u32      24  crc32c of the body u32, crc32c of bytes 0 to 27 u32
//! 32  body: JSON
//! ```
//!
//! Written under a temporary name, synced, renamed, the directory synced. Invariant: a manifest is
//! whole or it does not count; it changes how the state is kept, never what the state is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fs::{Access, FileSystem};
use crate::history::Era;
use crate::options::{Retention, StoreConfig};
use crate::segment::{read_u32, read_u64};
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"SUTRAMAN";
const VERSION: u32 = 2;
/// A file above this size is damage, not a manifest: it stops a wild length from filling memory.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// More than any store counts to; what counts on from there needs no check of its own.
const MOST_COUNTED: u64 = 1 << 62;

/// Invariant: state = `segments` + replay of the log above `lsn`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The store's UUID, as 32 hexadecimal digits.
    pub(crate) store: String,
    /// Counts the manifests; the newest whole one is the store's.
    pub(crate) generation: u64,
    /// The last transaction that is in the segments.
    pub(crate) lsn: u64,
    /// When it was committed, seconds since the Unix epoch.
    pub(crate) commit_time: f64,
    /// The log that holds the transaction after it.
    pub(crate) log: u64,
    /// The number that the next new concept gets.
    pub(crate) next_number: u32,
    /// The number that the next segment gets.
    pub(crate) next_segment: u64,
    /// The association types by number.
    pub(crate) types: Vec<String>,
    pub(crate) config: StoreConfig,
    /// Oldest first.
    pub(crate) segments: Vec<SegmentEntry>,
    /// How long the past is kept.
    pub(crate) retention: Retention,
    /// From where on it can be read.
    pub(crate) history_start: Era,
    /// Where it is kept, oldest first.
    pub(crate) history: Vec<HistoryEntry>,
}

/// A segment in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentEntry {
    pub(crate) id: u64,
    /// The LSN of its tombstone file; `None`: nothing of it is dead.
    pub(crate) tombstones: Option<u64>,
    pub(crate) bytes: u64,
}

/// A history file in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoryEntry {
    pub(crate) id: u64,
    pub(crate) bytes: u64,
}

impl Manifest {
    /// Bytes before the body.
    pub(crate) const HEADER_BYTES: usize = 32;

    pub(crate) fn store_uuid(&self, path: &Path) -> Result<[u8; 16]> {
        u128::from_str_radix(&self.store, 16).map(u128::to_be_bytes).map_err(|_| {
            Error::corrupt(path, Self::HEADER_BYTES as u64, "a store uuid", self.store.clone())
        })
    }

    /// The path of generation `generation`'s manifest.
    pub(crate) fn path(dir: &Path, generation: u64) -> PathBuf {
        dir.join(format!("MANIFEST-{generation:020}"))
    }

    /// The generation that a file name stands for.
    pub(crate) fn generation_of(name: &str) -> Option<u64> {
        let digits = name.strip_prefix("MANIFEST-")?;
        (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse().ok())?
    }

    pub(crate) fn read(fs: &dyn FileSystem, dir: &Path, generation: u64) -> Result<Self> {
        let path = Self::path(dir, generation);
        let failed = |e| Error::io("read", &path, e);
        let file = fs.open(&path, Access::Read).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        check_len(&path, len)?;
        let mut bytes = vec![0; len as usize];
        let read = file.read_at(&mut bytes, 0).map_err(failed)?;
        bytes.truncate(read);
        Self::decode(&path, &bytes, generation)
    }

    /// The manifest that a file's bytes are, if they are one whole.
    pub(crate) fn decode(path: &Path, bytes: &[u8], generation: u64) -> Result<Self> {
        let corrupt =
            |at: u64, expected: &str, found: String| Err(Error::corrupt(path, at, expected, found));
        let Some((header, body)) = bytes.split_at_checked(Self::HEADER_BYTES) else {
            return corrupt(0, "a header of 32 bytes", format!("{} bytes", bytes.len()));
        };
        if &header[..8] != MAGIC {
            return corrupt(0, "the magic SUTRAMAN", format!("{:02x?}", &header[..8]));
        }
        if read_u32(header, 28) != crc32c::crc32c(&header[..28]) {
            return corrupt(28, "the header's checksum", format!("{:08x}", read_u32(header, 28)));
        }
        let found = read_u32(header, 8);
        if found != VERSION {
            return Err(Error::Version { path: path.to_owned(), found, supported: VERSION });
        }
        Error::check_features(path, read_u32(header, 12))?;
        if read_u64(header, 16) != body.len() as u64 {
            let expected = format!("a body of {} bytes", read_u64(header, 16));
            return corrupt(16, &expected, format!("{} bytes", body.len()));
        }
        if read_u32(header, 24) != crc32c::crc32c(body) {
            return corrupt(24, "the body's checksum", format!("{:08x}", read_u32(header, 24)));
        }
        let manifest: Self = match serde_json::from_slice(body) {
            Ok(manifest) => manifest,
            Err(error) => return corrupt(32, "a manifest as JSON", error.to_string()),
        };
        let counters = [
            manifest.lsn,
            manifest.log,
            manifest.next_segment,
            manifest.history_start.lsn,
            generation,
        ];
        if let Some(most) = counters.into_iter().find(|&counter| counter > MOST_COUNTED) {
            return corrupt(32, "counters that leave room to count on", most.to_string());
        }
        if manifest.generation != generation {
            let found = manifest.generation.to_string();
            return corrupt(32, &format!("generation {generation}"), found);
        }
        Ok(manifest)
    }

    /// Publishes the manifest: once this returns, it is the store's after any crash.
    pub(crate) fn publish(&self, fs: &dyn FileSystem, dir: &Path) -> Result<()> {
        let body = serde_json::to_vec(self).expect("a manifest holds plain data only");
        let mut bytes = Vec::with_capacity(Self::HEADER_BYTES + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&0_u32.to_le_bytes());
        bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(&body);

        let path = Self::path(dir, self.generation);
        let temporary = dir.join(format!("manifest-{:020}.tmp", self.generation));
        replace_leftover(fs, &temporary)?;
        let file = fs.create_new(&temporary).map_err(|e| Error::io("create", &temporary, e))?;
        file.write_all_at(&bytes, 0).map_err(|e| Error::io("write", &temporary, e))?;
        file.sync_data().map_err(|e| Error::io("sync", &temporary, e))?;
        drop(file);
        fs.rename(&temporary, &path).map_err(|e| Error::io("rename", &temporary, e))?;
        fs.sync_dir(dir).map_err(|e| Error::io("sync", dir, e))
    }

    /// The generations that have a manifest file, newest first.
    pub(crate) fn list(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<u64>> {
        let names = fs.list(dir).map_err(|e| Error::io("list", dir, e))?;
        let mut found: Vec<u64> = names.iter().filter_map(|n| Self::generation_of(n)).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found)
    }
}

/// Refuses a file that is too large to be a manifest.
fn check_len(path: &Path, len: u64) -> Result<()> {
    if len > MAX_FILE_BYTES {
        let found = format!("{len} bytes");
        return Err(Error::corrupt(path, 16, "a manifest of at most 1 GiB", found));
    }
    Ok(())
}

/// Removes what an interrupted attempt left under a temporary name.
pub(crate) fn replace_leftover(fs: &dyn FileSystem, path: &Path) -> Result<()> {
    match fs.remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Fault, FaultKind, OsFileSystem, SimulatedFileSystem};

    fn manifest() -> Manifest {
        Manifest {
            store: format!("{:032x}", 77_u128),
            generation: 3,
            lsn: 9,
            commit_time: 1.5,
            log: 2,
            next_number: 4,
            next_segment: 5,
            types: vec!["is a".into()],
            config: StoreConfig::default(),
            segments: vec![SegmentEntry { id: 1, tombstones: Some(9), bytes: 100 }],
            retention: Retention::For(std::time::Duration::from_mins(1)),
            history_start: Era { lsn: 4, time: 1.25 },
            history: vec![HistoryEntry { id: 2, bytes: 200 }],
        }
    }

    #[test]
    fn a_published_manifest_reads_back_and_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        manifest().publish(&OsFileSystem, dir.path()).unwrap();
        assert_eq!(Manifest::list(&OsFileSystem, dir.path()).unwrap(), [3]);
        assert_eq!(Manifest::read(&OsFileSystem, dir.path(), 3).unwrap(), manifest());
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        manifest().publish(&OsFileSystem, dir.path()).unwrap();
        let path = Manifest::path(dir.path(), 3);
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            // Bytes 12 to 15 are reserved, and covered like the rest.
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            assert!(Manifest::decode(&path, &damaged, 3).is_err(), "flip at {at}");
            assert!(Manifest::decode(&path, &bytes[..at], 3).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn only_files_with_a_manifests_name_are_listed_newest_first() {
        let fs = SimulatedFileSystem::new();
        let dir = Path::new("store");
        fs.create_dir_all(dir).unwrap();
        for generation in [2, 30, 3] {
            fs.set_bytes(&Manifest::path(dir, generation), Vec::new());
        }
        for stranger in [
            "MANIFEST-4",
            "MANIFEST-000000000000000000005",
            "MANIFEST-0000000000000000000x",
            "MANIFEST-99999999999999999999",
            "manifest-00000000000000000006",
            "manifest-00000000000000000007.tmp",
        ] {
            fs.set_bytes(&dir.join(stranger), Vec::new());
        }
        assert_eq!(Manifest::list(&fs, dir).unwrap(), [30, 3, 2]);
    }

    #[test]
    fn a_manifest_of_another_generation_or_with_impossible_counters_is_refused() {
        let fs = SimulatedFileSystem::new();
        let dir = Path::new("store");
        fs.create_dir_all(dir).unwrap();
        let published = |manifest: &Manifest| {
            manifest.publish(&fs, dir).unwrap();
            Manifest::read(&fs, dir, 3)
        };
        let counters: [fn(&mut Manifest) -> &mut u64; 4] = [
            |manifest| &mut manifest.lsn,
            |manifest| &mut manifest.log,
            |manifest| &mut manifest.next_segment,
            |manifest| &mut manifest.history_start.lsn,
        ];
        for counter in counters {
            let mut manifest = manifest();
            *counter(&mut manifest) = 1 << 62;
            assert_eq!(published(&manifest).unwrap(), manifest);
            for wrong in [(1 << 62) + 1, u64::MAX] {
                *counter(&mut manifest) = wrong;
                let read = published(&manifest);
                assert!(matches!(read, Err(Error::Corrupt { offset: 32, .. })), "{read:?}");
            }
        }
        let bytes = fs.view(&Manifest::path(dir, 3)).unwrap().to_vec();
        fs.set_bytes(&Manifest::path(dir, 4), bytes);
        let read = Manifest::read(&fs, dir, 4);
        assert!(matches!(read, Err(Error::Corrupt { offset: 32, .. })), "{read:?}");
    }

    #[test]
    fn a_manifest_of_another_version_is_told_from_damage() {
        let fs = SimulatedFileSystem::new();
        let dir = Path::new("store");
        fs.create_dir_all(dir).unwrap();
        manifest().publish(&fs, dir).unwrap();
        let path = Manifest::path(dir, 3);
        let mut bytes = fs.view(&path).unwrap().to_vec();
        bytes[8] = 9;
        let crc = crc32c::crc32c(&bytes[..28]);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        let decoded = Manifest::decode(&path, &bytes, 3);
        assert!(matches!(decoded, Err(Error::Version { found: 9, .. })), "{decoded:?}");
    }

    #[test]
    fn a_file_of_more_than_a_gibibyte_is_no_manifest() {
        check_len(Path::new("manifest"), 1 << 30).unwrap();
        let checked = check_len(Path::new("manifest"), (1 << 30) + 1);
        assert!(matches!(checked, Err(Error::Corrupt { .. })), "{checked:?}");
        // Such a file has no blocks: it would take memory, not the disk's room.
        let dir = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(Manifest::path(dir.path(), 3)).unwrap();
        file.set_len((1 << 30) + 1).unwrap();
        let read = Manifest::read(&OsFileSystem, dir.path(), 3);
        assert!(matches!(read, Err(Error::Corrupt { offset: 16, .. })), "{read:?}");
    }

    #[test]
    fn the_stores_uuid_is_read_as_hexadecimal_digits() {
        let path = Path::new("manifest");
        assert_eq!(manifest().store_uuid(path).unwrap(), 77_u128.to_be_bytes());
        let odd = Manifest { store: "no digits".into(), ..manifest() };
        assert!(matches!(odd.store_uuid(path), Err(Error::Corrupt { offset: 32, .. })));
    }

    #[test]
    fn what_an_interrupted_attempt_left_is_replaced_or_the_failure_told() {
        let fs = SimulatedFileSystem::new();
        let dir = Path::new("store");
        fs.create_dir_all(dir).unwrap();
        let temporary = dir.join("manifest-00000000000000000003.tmp");
        fs.set_bytes(&temporary, vec![1; 5000]);
        let operation = fs.operations();
        fs.inject(Fault { operation, kind: FaultKind::Io, for_good: false });
        let failed = manifest().publish(&fs, dir);
        assert!(matches!(failed, Err(Error::Io { action: "remove", .. })), "{failed:?}");
        assert!(Manifest::list(&fs, dir).unwrap().is_empty());
        manifest().publish(&fs, dir).unwrap();
        assert_eq!(Manifest::read(&fs, dir, 3).unwrap(), manifest());
        assert!(!fs.paths().contains(&temporary));
    }
}
