//! The past: as-of reads against the models of every earlier state, undo, erasure, retention; fresh,
//! flushed, compacted, reopened, after a crash, and by another handle.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{Model, Random, options, run_both};
use proptest::prelude::*;
use storage_core::fs::SimulatedFileSystem;
use storage_core::{
    AsOf, Association, Concept, Direction, Error, GraphStore, OpenOptions, Retention, Snapshot,
};

fn keeping() -> OpenOptions {
    OpenOptions { retention: Some(Retention::Forever), ..options() }
}

/// The states of a store by epoch, as models.
#[derive(Default)]
struct Past {
    newest: Model,
    states: BTreeMap<u64, Model>,
}

impl Past {
    fn drive(&mut self, store: &GraphStore, random: &mut Random, steps: usize) {
        for _ in 0..steps {
            run_both(store, &mut self.newest, random);
            let epoch = store.snapshot().unwrap().epoch();
            self.states.insert(epoch, self.newest.clone());
        }
    }

    /// Compares some earlier states, and the newest, in all indexes.
    fn check(&self, store: &GraphStore, random: &mut Random) {
        self.newest.check(store);
        let epochs: Vec<u64> = self.states.keys().copied().collect();
        for _ in 0..5 {
            let epoch = epochs[random.below(epochs.len() as u64) as usize];
            let snapshot = store.snapshot_as_of(AsOf::Epoch(epoch)).unwrap();
            assert_eq!(snapshot.epoch(), epoch);
            self.states[&epoch].check_snapshot(&snapshot);
        }
    }

    /// Takes the last transaction back, and then that one, or just once.
    fn undo(&mut self, store: &GraphStore, random: &mut Random) {
        let epoch = store.snapshot().unwrap().epoch();
        let Some(before) = epoch.checked_sub(1).and_then(|e| self.states.get(&e)).cloned() else {
            return;
        };
        let undone = store.undo(Some(epoch)).unwrap();
        before.check(store);
        self.states.insert(undone, before.clone());
        if undone > epoch && random.below(2) == 0 {
            let redone = store.undo(None).unwrap();
            self.newest.check(store);
            self.states.insert(redone, self.newest.clone());
        } else {
            self.newest = before;
        }
    }
}

fn past_agrees(seed: u64, mut options: OpenOptions) {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(seed);
    let mut past = Past::default();
    past.states.insert(0, Model::default());
    for life in 0..5 {
        options.retention = (life == 0).then_some(Retention::Forever);
        let store = GraphStore::open(dir.path(), options.clone()).unwrap();
        assert_eq!(store.retention(), Retention::Forever);
        past.check(&store, &mut random);
        past.drive(&store, &mut random, 25);
        past.undo(&store, &mut random);
        past.check(&store, &mut random);
        let other = GraphStore::open(dir.path(), options.clone()).unwrap();
        past.check(&other, &mut random);
        past.drive(&other, &mut random, 5);
        past.check(&store, &mut random);
        assert!(store.verify().unwrap().is_sound());
        // Now and then a handle is just forgotten, as by a crash.
        if random.below(2) == 0 {
            store.close().unwrap();
        } else {
            std::mem::forget(store);
        }
    }
    let copy = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options.clone()).unwrap();
    let target = copy.path().join("copy");
    store.backup(&target).unwrap();
    past.check(&GraphStore::open(target, options).unwrap(), &mut random);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_state_of_the_past_agrees_with_its_model(seed: u64) {
        past_agrees(seed, keeping());
    }

    #[test]
    fn the_past_agrees_while_flushes_and_compactions_run(seed: u64) {
        past_agrees(seed, OpenOptions { background: true, flush_bytes: 2048, ..keeping() });
    }

    #[test]
    fn the_past_of_a_store_in_memory_agrees(seed: u64) {
        let store = GraphStore::in_memory_with(keeping()).unwrap();
        let mut random = Random(seed);
        let mut past = Past::default();
        past.states.insert(0, Model::default());
        for _ in 0..4 {
            past.drive(&store, &mut random, 25);
            past.undo(&store, &mut random);
            past.check(&store, &mut random);
        }
    }
}

/// The past after power loss: whatever epoch is reached, all before it is as it was.
fn past_survives_power_loss(seed: u64) {
    let mut random = Random(seed);
    let options = OpenOptions { flush_bytes: 1 << (9 + random.below(5)), ..keeping() };
    let mut fs = SimulatedFileSystem::new();
    let mut past = Past::default();
    past.states.insert(0, Model::default());
    for life in 0..4 {
        let store =
            GraphStore::open_with(Arc::new(fs.clone()), Path::new("store"), options.clone());
        let store = store.unwrap_or_else(|e| panic!("seed {seed}, life {life}: {e}"));
        let epoch = store.snapshot().unwrap().epoch();
        // What was lost is to be forgotten: its epochs come again.
        past.states.split_off(&(epoch + 1));
        past.newest = past.states[&epoch].clone();
        past.check(&store, &mut random);
        let steps = 10 + random.below(30) as usize;
        past.drive(&store, &mut random, steps);
        past.undo(&store, &mut random);
        assert!(store.verify().unwrap().is_sound());
        fs = fs.crash(random.next());
        std::mem::forget(store);
    }
}

#[test]
fn the_past_survives_power_loss() {
    (0..150).for_each(past_survives_power_loss);
}

fn one(id: &str, content: &str) -> Vec<Concept> {
    vec![Concept::new(id, content)]
}

fn contents(snapshot: &Snapshot, id: &str) -> Option<String> {
    snapshot.concept(id).unwrap().map(|concept| concept.content)
}

#[test]
fn what_the_store_does_not_keep_is_a_typed_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), options()).unwrap();
    store.put_concepts(one("a", "first")).unwrap();
    store.put_concepts(one("a", "second")).unwrap();
    let beyond = |outcome: storage_core::Result<Snapshot>| {
        assert!(matches!(outcome, Err(Error::BeyondRetention { .. })), "{outcome:?}");
    };
    beyond(store.snapshot_as_of(AsOf::Epoch(1)));
    beyond(store.snapshot_as_of(AsOf::Time(5.0)));
    assert!(matches!(store.undo(None), Err(Error::BeyondRetention { oldest: 2, .. })));
    assert_eq!(store.snapshot_as_of(AsOf::Epoch(2)).unwrap().epoch(), 2);
    assert!(matches!(
        store.snapshot_as_of(AsOf::Epoch(3)),
        Err(Error::InvalidArgument { name: "as_of", .. })
    ));
    assert!(store.snapshot_as_of(AsOf::Time(f64::NAN)).is_err());

    // From here on the past is kept, by other handles as well.
    let other = GraphStore::open(dir.path(), options()).unwrap();
    store.set_retention(Retention::Forever).unwrap();
    other.put_concepts(one("a", "third")).unwrap();
    beyond(other.snapshot_as_of(AsOf::Epoch(1)));
    for handle in [&store, &other] {
        let then = handle.snapshot_as_of(AsOf::Epoch(2)).unwrap();
        assert_eq!(contents(&then, "a").as_deref(), Some("second"));
    }
    store.set_retention(Retention::None).unwrap();
    store.put_concepts(one("a", "fourth")).unwrap();
    beyond(store.snapshot_as_of(AsOf::Epoch(2)));
    assert_eq!(store.stats().unwrap().history_files, 0);
    store.close().unwrap();
    let read_only =
        OpenOptions { read_only: true, retention: Some(Retention::Forever), ..options() };
    let refused = GraphStore::open(dir.path(), read_only);
    assert!(matches!(refused, Err(Error::OptionMismatch { name: "retention", .. })));
}

#[test]
fn a_store_in_memory_that_stops_keeping_the_past_starts_anew() {
    let store = GraphStore::in_memory_with(keeping()).unwrap();
    store.put_concepts(one("a", "first")).unwrap();
    store.put_concepts(one("a", "second")).unwrap();
    store.set_retention(Retention::None).unwrap();
    store.set_retention(Retention::Forever).unwrap();
    let past = store.snapshot_as_of(AsOf::Epoch(1));
    assert!(matches!(past, Err(Error::BeyondRetention { oldest: 2, kept: true, .. })));
    store.put_concepts(one("a", "third")).unwrap();
    let then = store.snapshot_as_of(AsOf::Epoch(2)).unwrap();
    assert_eq!(contents(&then, "a").as_deref(), Some("second"));
}

#[test]
fn a_time_leads_to_the_last_transaction_committed_by_then() {
    let dir = tempfile::tempdir().unwrap();
    let mut times = vec![0.0];
    for life in 0..4 {
        let store = GraphStore::open(dir.path(), keeping()).unwrap();
        for step in 0..5 {
            store.put_concepts(one("a", &format!("{life} {step}"))).unwrap();
            times.push(store.stats().unwrap().last_commit);
            if step == 2 {
                store.flush().unwrap();
            }
        }
        store.close().unwrap();
    }
    let store = GraphStore::open(dir.path(), keeping()).unwrap();
    let epoch_at = |time: f64| store.snapshot_as_of(AsOf::Time(time)).unwrap().epoch();
    for (epoch, &time) in times.iter().enumerate() {
        assert_eq!(epoch_at(time), epoch as u64);
        if epoch > 0 {
            assert_eq!(epoch_at(time.next_down()), epoch as u64 - 1);
        }
    }
    assert_eq!(epoch_at(f64::INFINITY), 20);
    assert_eq!(epoch_at(f64::MIN), 0);
}

#[test]
fn the_past_ends_where_the_retention_does() {
    let dir = tempfile::tempdir().unwrap();
    let short = OpenOptions { retention: Some(Retention::For(Duration::ZERO)), ..options() };
    let store = GraphStore::open(dir.path(), short).unwrap();
    for step in 0..50 {
        store.put_concepts(one("a", &format!("version {step}"))).unwrap();
        let then = store.snapshot_as_of(AsOf::Epoch(step)).unwrap();
        assert_eq!(then.epoch(), step, "until the next flush the past is there");
        store.flush().unwrap();
    }
    store.compact().unwrap();
    let stats = store.stats().unwrap();
    assert!(stats.oldest_epoch >= 49, "{stats:?}");
    assert!(stats.history_bytes < 2048, "{stats:?}");
    assert!(matches!(
        store.snapshot_as_of(AsOf::Epoch(10)),
        Err(Error::BeyondRetention { asked: 10, kept: true, .. })
    ));
}

#[test]
fn history_files_stay_few() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), keeping()).unwrap();
    for step in 0..40 {
        store.put_concepts(one("a", &format!("version {step}"))).unwrap();
        store.flush().unwrap();
    }
    let stats = store.stats().unwrap();
    assert!((1..=4).contains(&stats.history_files), "{stats:?}");
    for epoch in 1..=40 {
        let then = store.snapshot_as_of(AsOf::Epoch(epoch)).unwrap();
        assert_eq!(contents(&then, "a"), Some(format!("version {}", epoch - 1)));
    }
    let files = history_files(dir.path()).len();
    assert!(files <= 8, "{files} files: those that no manifest names are removed");
}

fn history_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("seg")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|e| e == "his")).collect()
}

/// Every file of a store, by name.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

#[test]
fn erased_content_is_in_no_file_of_the_past_either() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = keeping();
    options.config.use_compression = Some(false);
    let store = GraphStore::open(dir.path(), options.clone()).unwrap();
    store.put_concepts(vec![Concept::new("other", "stays"), Concept::new("secret", "")]).unwrap();
    for round in 0..3 {
        let concept = Concept::new("secret", format!("zebracorn {round}"))
            .with_vector(vec![0.123_456_7; common::DIM]);
        store.put_concepts(vec![concept, Concept::new("other", format!("kept {round}"))]).unwrap();
        let mut edge = Association::new("other", "secret");
        edge.source = Some("quillfeather".to_owned());
        store.put_associations(vec![edge], false).unwrap();
        store.access("secret", None).unwrap();
        if round == 1 {
            store.delete_concept("secret").unwrap();
            store.flush().unwrap();
        }
    }
    store.compact().unwrap();
    let vector = 0.123_456_7_f32.to_le_bytes();
    let holds = |needle: &[u8]| {
        files(dir.path())
            .iter()
            .filter(|(_, bytes)| bytes.windows(needle.len()).any(|window| window == needle))
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert!(!holds(b"secret").is_empty() && !holds(&vector).is_empty(), "else this shows nothing");
    store.erase("secret").unwrap();
    for needle in [b"secret".as_slice(), b"zebracorn", b"quillfeather", &vector] {
        assert_eq!(holds(needle), Vec::<String>::new(), "{needle:?}");
    }
    // The rest of the past is still there.
    for handle in [&store, &GraphStore::open(dir.path(), options).unwrap()] {
        let then = handle.snapshot_as_of(AsOf::Epoch(2)).unwrap();
        assert_eq!(contents(&then, "other").as_deref(), Some("kept 0"));
        assert_eq!(contents(&then, "secret"), None);
        assert!(then.neighbors("other", Direction::Both).unwrap().is_empty());
        assert!(handle.verify().unwrap().is_sound());
    }
}

#[test]
fn undo_conflicts_with_a_later_transaction_and_restores_accesses() {
    let store = GraphStore::in_memory_with(keeping()).unwrap();
    assert_eq!(store.undo(None).unwrap(), 0, "there is nothing to take back");
    let first = store.put_concepts(one("a", "first")).unwrap();
    store.access("a", Some(0.5)).unwrap();
    assert!(matches!(store.undo(Some(first)), Err(Error::NotLast { asked: Some(1), last: 2 })));
    let before = store.concept("a").unwrap().unwrap();
    assert_eq!((before.access_count, before.strength), (1, 0.5));
    store.access("a", Some(0.25)).unwrap();
    store.undo(None).unwrap();
    assert_eq!(store.concept("a").unwrap().unwrap(), before);
    store.delete_concept("a").unwrap();
    store.undo(None).unwrap();
    assert_eq!(store.concept("a").unwrap().unwrap(), before);
}

#[test]
fn a_damaged_history_file_is_found_and_harms_no_other_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = GraphStore::open(dir.path(), keeping()).unwrap();
    for step in 0..6 {
        store.put_concepts(one("a", &format!("version {step}"))).unwrap();
    }
    store.compact().unwrap();
    store.close().unwrap();
    let path = history_files(dir.path()).pop().unwrap();
    let whole = std::fs::read(&path).unwrap();
    for at in 128..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let store = GraphStore::open(dir.path(), keeping()).unwrap();
        assert!(!store.verify().unwrap().is_sound(), "byte {at}");
        match store.snapshot_as_of(AsOf::Epoch(3)) {
            Ok(then) => assert_eq!(contents(&then, "a").as_deref(), Some("version 2")),
            Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error}"),
        }
        assert_eq!(contents(&store.snapshot().unwrap(), "a").as_deref(), Some("version 5"));
        std::mem::forget(store);
    }
}
