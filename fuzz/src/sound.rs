//! The small sound store that the damaged ones are made from.
//!
//! Invariant: each process makes the same store, so a file that one process saved as interesting is
//! so in the next. A store's UUID is random, and seeds the hash of its ids; so it is set before the
//! first id is written. (Salts of logs and times of commits differ; nothing hangs on them.)

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use storage_core::fs::{FileSystem, SimulatedFileSystem};
use storage_core::{
    Association, Concept, ConceptPatch, Durability, Error, GraphStore, OpenOptions, Retention,
    StoreConfig,
};

use crate::checksums;

/// Where the store lies in its file system.
const STORE: &str = "store";
/// The store's UUID, as a manifest writes it.
const UUID: u128 = 0x5eed;
/// Components of a vector.
pub(crate) const DIMENSION: usize = 4;
/// Concepts have the ids `c0` to one below `c<this>`; some of them are deleted.
pub(crate) const CONCEPTS: u64 = 18;
/// A namespace with some concepts of the same ids.
pub(crate) const NAMESPACE: &str = "user";
/// Words of the contents.
pub(crate) const WORDS: [&str; 6] = ["river", "stone", "cloud", "winter", "garden", "silver"];

/// The file that a target's bytes replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The newest log.
    Log,
    /// The newest manifest.
    Manifest,
    /// The largest segment that the manifest names.
    Segment,
    /// A tombstone file that the manifest names.
    Tombstones,
    /// The largest history file that the manifest names.
    History,
}

impl Part {
    /// Makes the checksums in the bytes of such a file those of the bytes.
    pub(crate) fn seal(self, bytes: &mut [u8]) {
        match self {
            Self::Log => checksums::seal_log(bytes),
            Self::Manifest => checksums::seal_manifest(bytes),
            Self::Segment => checksums::seal_segment(bytes),
            Self::Tombstones => checksums::seal_tombstones(bytes),
            Self::History => checksums::seal_history(bytes),
        }
    }
}

/// The files of a store, by path.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A store with two segments, tombstones, history files, one manifest, and a log of every operation.
pub(crate) static SOUND: LazyLock<Sound> = LazyLock::new(Sound::new);

/// Files that make up a store, and which of them is which.
pub(crate) struct Sound {
    pub(crate) files: Files,
    manifest: PathBuf,
}

impl Sound {
    fn new() -> Self {
        let fs = with_known_uuid();
        let store = open(&fs, options()).expect("a new store opens");
        // What is deleted of an earlier segment needs a tombstone; the rest of the log's tail does not.
        for (half, gone) in [(0..10, 3), (10..CONCEPTS, 8)] {
            store.put_concepts(half.clone().map(concept).collect()).expect("concepts are put");
            let edges = half.clone().map(|at| association(at, at * 7 % half.end)).collect();
            store.put_associations(edges, false).expect("associations are put");
            store.delete_concept(&id(gone)).expect("a concept is deleted");
            store.access(&id(half.start), Some(0.5)).expect("an access is counted");
            let user = store.namespace(NAMESPACE).expect("a name");
            user.put_concepts((0..4).map(concept).collect()).expect("concepts are put");
            user.put_association(association(1, 2)).expect("an association is put");
            store.flush().expect("the store flushes");
        }
        write_tail(&store);
        // Before it is closed: as after a crash.
        let mut files = files(&fs);
        store.close().expect("the store closes");

        let newest = |files: &Files, is: fn(&Path) -> bool| {
            files.keys().rfind(|path| is(path)).expect("a store has each kind of file").clone()
        };
        let manifest = newest(&files, is_manifest);
        let log = newest(&files, |path| has_extension(path, "log"));
        // An older generation would serve in place of a damaged newest one.
        files.retain(|path, _| {
            !(is_manifest(path) && *path != manifest || has_extension(path, "log") && *path != log)
        });
        Self { files, manifest }
    }

    /// The path of a part.
    pub(crate) fn path(&self, part: Part) -> &Path {
        let named = |list: &str, key: &str, extension: &str| {
            let manifest: Value = body(&self.files[&self.manifest]);
            let is_named = |path: &&PathBuf| {
                let entries = manifest[list].as_array().into_iter().flatten();
                let mut named = entries.filter(|entry| !entry[key].is_null());
                let start = |entry: &Value| format!("{:020}.", entry["id"].as_u64().unwrap_or(0));
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                has_extension(path, extension) && named.any(|entry| name.starts_with(&start(entry)))
            };
            let paths = self.files.keys().filter(is_named);
            paths.max_by_key(|path| self.files[*path].len()).expect("the manifest names one")
        };
        match part {
            Part::Manifest => &self.manifest,
            Part::Log => {
                self.files.keys().find(|path| has_extension(path, "log")).expect("one log was kept")
            }
            Part::Segment => named("segments", "id", "seg"),
            Part::Tombstones => named("segments", "tombstones", "del"),
            Part::History => named("history", "id", "his"),
        }
    }

    /// The files with `bytes`, whose checksums are put right, in place of a part.
    pub(crate) fn with(&self, part: Part, mut bytes: Vec<u8>) -> Files {
        part.seal(&mut bytes);
        let mut files = self.files.clone();
        let list = match part {
            Part::Segment => Some("segments"),
            Part::History => Some("history"),
            _ => None,
        };
        if let Some(list) = list {
            // The manifest says how long it is.
            let id = self.path(part).file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            let manifest = files.get_mut(&self.manifest).expect("the manifest is there");
            edit(manifest, |body| {
                for entry in body[list].as_array_mut().into_iter().flatten() {
                    if entry["id"].as_u64() == id {
                        entry["bytes"] = bytes.len().into();
                    }
                }
            });
        }
        files.insert(self.path(part).to_owned(), bytes);
        files
    }
}

/// Opens the store in a file system.
pub(crate) fn open(fs: &SimulatedFileSystem, options: OpenOptions) -> Result<GraphStore, Error> {
    GraphStore::open_with(Arc::new(fs.clone()), Path::new(STORE), options)
}

/// A file system that holds these files.
pub(crate) fn file_system(files: &Files) -> SimulatedFileSystem {
    let fs = SimulatedFileSystem::new();
    for (path, bytes) in files {
        fs.set_bytes(path, bytes.clone());
    }
    // A store has this folder also while there is no segment in it.
    fs.create_dir_all(&Path::new(STORE).join("seg")).expect("the simulated disk takes it");
    fs
}

/// The files in a file system, logs without most of the zeros that were written ahead.
pub(crate) fn files(fs: &SimulatedFileSystem) -> Files {
    let paths = fs.paths().into_iter();
    let read = |path: &Path| fs.view(path).expect("a listed file is there").to_vec();
    let mut files: Files = paths.map(|path| (path.clone(), read(&path))).collect();
    for (_, bytes) in files.iter_mut().filter(|(path, _)| has_extension(path, "log")) {
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used.next_multiple_of(8) + 64);
    }
    files
}

pub(crate) fn options() -> OpenOptions {
    let config = StoreConfig { vector_dimension: DIMENSION, ..StoreConfig::default() };
    OpenOptions {
        config: config.into(),
        background: false,
        durability: Durability::Sync,
        timeout: Duration::from_millis(100),
        ..OpenOptions::default()
    }
}

pub(crate) fn id(at: u64) -> String {
    format!("c{at}")
}

fn concept(at: u64) -> Concept {
    let word = |by: u64| WORDS[(at / by) as usize % WORDS.len()];
    let mut concept = Concept::new(id(at), format!("{} {} {}", word(1), word(2), word(6)));
    if at == 5 {
        concept.content = concept.content.repeat(20); // Long enough to be compressed.
    }
    let component = |i: usize| ((at as usize * 5 + i * 3) % 7) as f32 - 3.0;
    concept.vector = (at % 4 != 1).then(|| (0..DIMENSION).map(component).collect());
    concept.created = Some(at as f64 * 10.0);
    concept.category = at.is_multiple_of(3).then(|| "some".to_owned());
    concept.attributes.insert("at".into(), at.into());
    concept.valid_to = at.is_multiple_of(5).then_some(200.0 + at as f64);
    concept.expires = at.is_multiple_of(7).then_some(1e12);
    concept
}

fn association(source: u64, target: u64) -> Association {
    let mut association = Association::new(id(source), id(target)).with_type("leads to");
    association.confidence = 0.9;
    association.source = Some("a book".to_owned());
    association.created = Some(source as f64);
    association.valid_from = source.is_multiple_of(3).then_some(source as f64);
    association
}

/// Transactions of every kind, so that the log has every operation.
fn write_tail(store: &GraphStore) {
    let mut tail = vec![store.put_concept(concept(3))];
    let patch = ConceptPatch { content: Some("winter".to_owned()), ..ConceptPatch::default() };
    tail.push(store.update_concept(&id(4), patch));
    tail.push(store.put_association(association(3, 4).with_type("a new type")));
    tail.push(store.access(&id(4), None));
    for outcome in tail {
        outcome.expect("a sound store takes writes");
    }
    store.delete_association(&id(1), &id(7), "leads to").expect("an association is deleted");
    store.delete_concept(&id(6)).expect("a concept is deleted");
}

/// A new store whose UUID is [`UUID`].
fn with_known_uuid() -> SimulatedFileSystem {
    let fs = SimulatedFileSystem::new();
    let keeping = OpenOptions { retention: Some(Retention::Forever), ..options() };
    open(&fs, keeping).and_then(|store| store.close()).expect("a new store opens and closes");
    let mut files = files(&fs);
    for (path, bytes) in &mut files {
        if is_manifest(path) {
            edit(bytes, |body| body["store"] = format!("{UUID:032x}").into());
        } else if has_extension(path, "log") {
            bytes[16..32].copy_from_slice(&UUID.to_be_bytes());
            checksums::seal_log(bytes);
        }
    }
    file_system(&files)
}

fn is_manifest(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("MANIFEST-"))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// The body of a manifest.
fn body(manifest: &[u8]) -> Value {
    serde_json::from_slice(&manifest[32..]).expect("a manifest holds JSON")
}

/// Changes the body of a manifest.
fn edit(manifest: &mut Vec<u8>, change: impl FnOnce(&mut Value)) {
    let mut body = body(manifest);
    change(&mut body);
    manifest.truncate(32);
    manifest.extend_from_slice(body.to_string().as_bytes());
    checksums::seal_manifest(manifest);
}
