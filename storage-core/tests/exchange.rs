//! Export and import: a store comes back the same to the bit; lines that are no export are refused, by
//! number, and leave no half of a transaction.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::held::{Held, answers};
use common::{DIM, Model, Random, options, run_both};
use storage_core::{
    AsOf, Association, Concept, Error, GraphStore, OpenOptions, Retention, StoreConfig,
    VectorStorage,
};

fn config() -> StoreConfig {
    StoreConfig { vector_dimension: DIM, ..StoreConfig::default() }
}

fn empty() -> GraphStore {
    GraphStore::in_memory(config()).unwrap()
}

fn exported(store: &GraphStore) -> Vec<u8> {
    let mut lines = Vec::new();
    let report = store.snapshot().unwrap().write_jsonl(&mut lines).unwrap();
    assert_eq!(report.bytes, lines.len() as u64);
    lines
}

fn held(store: &GraphStore) -> (Held, Vec<String>) {
    let snapshot = store.snapshot().unwrap();
    let mut all = answers(&snapshot);
    all.remove(1); // The types in order of first use, those without associations among them.
    (Held::read(&snapshot), all)
}

fn vector_bits(held: &Held) -> Vec<Vec<u32>> {
    let of = |c: &Concept| c.vector.iter().flatten().map(|x| x.to_bits()).collect();
    held.concepts.values().map(of).collect()
}

/// Fields that are hard to carry over.
fn awkward(store: &GraphStore) {
    let mut concept =
        Concept::new("quote\" \\ \u{0} \n \u{2028} \u{1f41f}", "line\r\nline\tend\u{7f}");
    let least = f32::from_bits(1);
    concept.vector =
        Some(vec![-0.0, least, -least, f32::MIN_POSITIVE, f32::MAX, 0.1, 16_777_217.0, 1.0 / 3.0]);
    concept.created = Some(-1e-320);
    concept.last_accessed = Some(1_795_775_684.085_891_5);
    concept.access_count = u64::MAX;
    concept.strength = least;
    concept.confidence = 0.1;
    concept.source = Some(String::new());
    concept.category = Some("{\"end\":1}".to_owned());
    let attributes = serde_json::json!({
        "float": 0.1, "least": 5e-324, "large": 1.797_693_134_862_315_7e308, "zero": -0.0,
        "i": i64::MIN, "u": u64::MAX, "none": null, "list": [[], {}, "", true], "": {"a": {"b": 1}},
    });
    concept.attributes.clone_from(attributes.as_object().unwrap());
    let id = concept.id.clone();
    store.put_concepts(vec![concept, Concept::new("bare", "")]).unwrap();
    let mut association = Association::new(&*id, "bare").with_type("\u{0} odd \"type\"");
    association.weight = least;
    association.confidence = -0.0;
    association.created = Some(f64::MIN_POSITIVE);
    association.last_used = Some(f64::MAX);
    association.source = Some("a\nb".to_owned());
    association.attributes.insert("deep".into(), serde_json::json!([0.3, 1e-7]));
    store.put_associations(vec![association, Association::new(&*id, id.clone())], false).unwrap();
    store.access("bare", Some(0.25)).unwrap();
}

#[test]
fn random_stores_come_back_the_same() {
    for seed in 0..40 {
        let vector_storage = [VectorStorage::F32, VectorStorage::F16][seed as usize % 2];
        let config = StoreConfig { vector_storage, ..config() };
        let dir = tempfile::tempdir().unwrap();
        let options = OpenOptions { config: config.clone().into(), ..options() };
        let store = GraphStore::open(dir.path().join("store"), options).unwrap();
        let (mut model, mut random) = (Model::default(), Random(seed));
        for _ in 0..60 {
            run_both(&store, &mut model, &mut random);
        }
        if vector_storage == VectorStorage::F32 {
            awkward(&store);
        }
        let path = dir.path().join("store.jsonl");
        let report = store.export_jsonl(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes, exported(&store), "a file holds what a writer gets");

        let other = GraphStore::in_memory(config).unwrap();
        let imported = other.import_jsonl(&path).unwrap();
        assert_eq!(
            (imported.concepts, imported.associations),
            (report.concepts, report.associations)
        );
        let (before, after) = (held(&store), held(&other));
        assert_eq!(after, before, "{seed}");
        assert_eq!(vector_bits(&after.0), vector_bits(&before.0));
        // Once more changes nothing, and exports the same lines but for the header.
        other.import_jsonl(&path).unwrap();
        assert_eq!(held(&other), before, "{seed}");
        let body =
            |lines: &[u8]| lines[lines.iter().position(|&byte| byte == b'\n').unwrap()..].to_vec();
        let trailer = |lines: &[u8]| lines.iter().rposition(|&byte| byte == b'{').unwrap();
        let (first, second) = (body(&bytes), body(&exported(&other)));
        assert_eq!(first[..trailer(&first)], second[..trailer(&second)]);
        let names = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 2, "nothing is left beside the store and its export");
    }
}

#[test]
fn many_concepts_go_in_by_several_transactions_and_survive() {
    let dir = tempfile::tempdir().unwrap();
    let store = empty();
    let concepts = (0..5000).map(|at| Concept::new(format!("c{at}"), format!("river {at}")));
    store.put_concepts(concepts.collect()).unwrap();
    let edges = (0..5000).map(|at| Association::new(format!("c{at}"), format!("c{}", at / 2)));
    store.put_associations(edges.collect(), false).unwrap();
    let other = GraphStore::open(dir.path(), options()).unwrap();
    other.put_concept(Concept::new("own", "stays")).unwrap();
    other.put_concept(Concept::new("c7", "goes")).unwrap();
    let report = other.read_jsonl(&*exported(&store)).unwrap();
    assert!(report.transactions >= 4 && report.epoch == other.snapshot().unwrap().epoch());
    std::mem::forget(other);
    let other = GraphStore::open(dir.path(), options()).unwrap();
    assert_eq!(other.concept("c7").unwrap().unwrap().content, "river 7");
    assert!(other.delete_concept("own").unwrap());
    let own = |held: Held| (held.concepts.len(), held.edges);
    assert_eq!(own(held(&other).0), own(held(&store).0));
}

#[test]
fn a_state_of_the_past_is_exported_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { retention: Some(Retention::Forever), ..options() };
    let store = GraphStore::open(dir.path().join("store"), options).unwrap();
    let (mut model, mut random) = (Model::default(), Random(3));
    for _ in 0..20 {
        run_both(&store, &mut model, &mut random);
    }
    let epoch = store.snapshot().unwrap().epoch();
    let then = held(&store);
    for _ in 0..30 {
        run_both(&store, &mut model, &mut random);
    }
    let path = dir.path().join("then.jsonl");
    std::fs::write(&path, "an older file of the name").unwrap();
    let past = store.snapshot_as_of(AsOf::Epoch(epoch)).unwrap();
    assert_eq!(past.export_jsonl(&path).unwrap().epoch, epoch);
    let other = empty();
    other.import_jsonl(&path).unwrap();
    assert_eq!(held(&other), then);
}

#[test]
fn an_export_that_is_cut_or_changed_is_refused_before_anything_is_put() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("export");
    let store = empty();
    awkward(&store);
    store.put_concepts((0..9).map(|at| Concept::new(format!("c{at}"), "river")).collect()).unwrap();
    let good = exported(&store);
    let mut random = Random(8);
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let other = empty();
        match other.import_jsonl(&path) {
            Err(Error::InvalidExport { line, expected, found, .. }) => {
                assert!(line > 0 && !expected.is_empty() && !found.is_empty(), "{what}");
            }
            outcome => panic!("{what}: {outcome:?}"),
        }
        assert_eq!(other.snapshot().unwrap().concept_count(), 0, "{what}");
        // A reader can't be looked at twice: it is refused, too, and what went in is whole.
        assert!(matches!(other.read_jsonl(bytes), Err(Error::InvalidExport { .. })), "{what}");
        Model::read(&other).unwrap();
    };
    for len in 0..good.len() - 1 {
        refused(&good[..len], &format!("cut to {len}"));
    }
    let end = good.len() - 2; // A line without its end of line is the same line.
    for _ in 0..400 {
        let at = random.below(end as u64) as usize;
        let mut changed = good.clone();
        changed[at] ^= 1 << random.below(7);
        if changed[at] == b'\n' && good[at + 1] == b'\n' {
            continue;
        }
        refused(&changed, &format!("byte {at} changed"));
    }
    let mut more = good.clone();
    more.extend_from_slice(b"\n");
    refused(&more, "a line behind the end");
    std::fs::write(&path, &good[..good.len() - 1]).unwrap();
    empty().import_jsonl(&path).unwrap();
}

/// A store's export with other lines between header and end.
fn with_lines(lines: &str) -> String {
    let header = r#"{"header":{"format":"sutra-export","version":1,"config":{"vector_dimension":8,"metric":"cosine","vector_storage":"f32","analyzer":"english","use_compression":true},"epoch":1,"commit_time":1.0,"concepts":0,"vectors":0,"associations":0}}"#;
    let body = format!("{header}\n{lines}\n");
    let count = |kind: &str| lines.matches(kind).count();
    let (concepts, associations) = (count("{\"concept\""), count("{\"association\""));
    let crc = crc32c::crc32c(body.as_bytes());
    format!(
        "{body}{{\"end\":{{\"concepts\":{concepts},\"associations\":{associations},\"crc32c\":\"{crc:08x}\"}}}}\n"
    )
}

#[test]
fn lines_by_hand_are_taken_and_hostile_ones_refused_by_number() {
    let taken = with_lines(
        "{\"concept\":{\"id\":\"a\"}}\n{\"association\":{\"source_id\":\"a\",\"target_id\":\"a\",\"type\":\"is\"}}",
    );
    let store = empty();
    store.read_jsonl(taken.as_bytes()).unwrap();
    assert_eq!(store.snapshot().unwrap().association_types(), ["is"]);

    let deep = format!(
        "{{\"concept\":{{\"id\":\"a\",\"attributes\":{{\"a\":{}}}}}}}",
        "[".repeat(100_000)
    );
    let vector =
        |components: &str| format!("{{\"concept\":{{\"id\":\"a\",\"vector\":[{components}]}}}}");
    let (short, infinite, text) =
        (vector("1,2"), vector("1e39,0,0,0,0,0,0,0"), vector("\"1\",0,0,0,0,0,0,0"));
    let long_id = format!("{{\"concept\":{{\"id\":\"{}\"}}}}", "x".repeat(1025));
    let lines = [
        "",
        " ",
        "null",
        "[]",
        "{}",
        "{\"concept\"",
        "{\"concept\":null}",
        "{\"concept\":{}}",
        "{\"concept\":{\"id\":1}}",
        "{\"concept\":{\"id\":\"\"}}",
        &long_id,
        "{\"concept\":{\"id\":\"a\",\"id\":\"b\"}}",
        "{\"concept\":{\"id\":\"a\",\"unknown\":1}}",
        "{\"concept\":{\"id\":\"a\"},\"concept\":{\"id\":\"b\"}}",
        "{\"concept\":{\"id\":\"a\"}} {}",
        "{\"concept\":{\"id\":\"a\",\"confidence\":2}}",
        "{\"concept\":{\"id\":\"a\",\"strength\":-1}}",
        "{\"concept\":{\"id\":\"a\",\"created\":1e999}}",
        "{\"concept\":{\"id\":\"a\",\"created\":NaN}}",
        "{\"concept\":{\"id\":\"a\",\"access_count\":-1}}",
        "{\"concept\":{\"id\":\"a\",\"access_count\":18446744073709551616}}",
        "{\"concept\":{\"id\":\"a\",\"attributes\":[]}}",
        "{\"concept\":{\"id\":\"\\ud800\"}}",
        &short,
        &infinite,
        &text,
        &deep,
        "{\"association\":{\"source_id\":\"a\",\"target_id\":\"a\"}}",
        "{\"association\":{\"source_id\":\"a\",\"target_id\":\"none\",\"type\":\"is\"}}",
        "{\"association\":{\"source_id\":\"a\",\"target_id\":\"a\",\"type\":\"\"}}",
        "{\"association\":{\"source_id\":\"a\",\"target_id\":\"a\",\"type\":\"is\",\"weight\":-1}}",
        "{\"header\":{}}",
        "{\"other\":{}}",
        "\u{feff}{\"concept\":{\"id\":\"a\"}}",
    ];
    for line in lines {
        let store = empty();
        let input = with_lines(&format!("{{\"concept\":{{\"id\":\"a\"}}}}\n{line}"));
        match store.read_jsonl(input.as_bytes()) {
            Err(error @ Error::InvalidExport { line: 3, .. }) => {
                let said = error.to_string();
                assert!(said.len() < 700 && said.contains("committed of it before"), "{said}");
            }
            outcome => panic!("{line:.80}: {outcome:?}"),
        }
        assert_eq!(store.snapshot().unwrap().concept_count(), 0, "{line:.80}");
    }
    let headers = [
        ("sutra-export", "other-export"),
        ("\"version\":1", "\"version\":2"),
        ("\"version\":1", "\"version\":\"1\""),
        ("\"vector_dimension\":8", "\"vector_dimension\":9"),
        ("\"metric\":\"cosine\"", "\"metric\":\"none\""),
        ("\"epoch\":1", "\"epoch\":1,\"more\":2"),
        ("\"epoch\":1", "\"epoch\":-1"),
        ("{\"header\":", "{\"concept\":"),
    ];
    for (from, to) in headers {
        let outcome = empty().read_jsonl(taken.replacen(from, to, 1).as_bytes());
        match outcome {
            Err(error @ Error::InvalidExport { line: 1, .. }) => {
                let said = error.to_string();
                assert!(
                    said.contains("nothing was imported") && !said.contains("before"),
                    "{said}"
                );
            }
            outcome => panic!("{to}: {outcome:?}"),
        }
    }
}

#[test]
fn what_was_committed_before_a_bad_line_stays_and_a_mended_export_goes_in_again() {
    let store = empty();
    let lines: Vec<String> =
        (0..5000).map(|at| format!("{{\"concept\":{{\"id\":\"c{at}\"}}}}")).collect();
    let mut bad = lines.clone();
    bad[4500] = "{\"concept\":{\"id\":\"\"}}".to_owned();
    let outcome = store.read_jsonl(with_lines(&bad.join("\n")).as_bytes());
    assert!(matches!(outcome, Err(Error::InvalidExport { line: 4502, .. })), "{outcome:?}");
    let there = store.snapshot().unwrap().concept_count();
    assert!(there > 0 && there < 4500, "whole transactions: {there}");
    store.read_jsonl(with_lines(&lines.join("\n")).as_bytes()).unwrap();
    assert_eq!(store.snapshot().unwrap().concept_count(), 5000);
}

#[test]
fn failures_leave_no_file_and_no_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = empty();
    store.put_concept(Concept::new("a", "river")).unwrap();
    let folder = dir.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    assert!(matches!(store.export_jsonl(&folder), Err(Error::InvalidArgument { .. })));
    assert!(matches!(store.export_jsonl(dir.path().join("none/file")), Err(Error::Io { .. })));
    assert!(matches!(store.export_jsonl(Path::new("/")), Err(Error::InvalidArgument { .. })));
    assert!(matches!(store.export_jsonl(""), Err(Error::InvalidArgument { .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the folder");
    assert!(matches!(store.import_jsonl(dir.path().join("none")), Err(Error::Io { .. })));

    let path = dir.path().join("export");
    store.export_jsonl(&path).unwrap();
    let on_disk = GraphStore::open(dir.path().join("store"), options()).unwrap();
    on_disk.close().unwrap();
    for within in ["MANIFEST-00000000000000000001", "LOCK", "export", "wal/export"] {
        let refused = store.export_jsonl(dir.path().join("store").join(within));
        assert!(matches!(refused, Err(Error::InvalidArgument { .. })), "{within}: {refused:?}");
    }
    let options = OpenOptions { read_only: true, ..options() };
    let read_only = GraphStore::open(dir.path().join("store"), options).unwrap();
    assert!(matches!(read_only.import_jsonl(&path), Err(Error::ReadOnly { .. })));
    read_only.close().unwrap();
    assert!(matches!(read_only.import_jsonl(&path), Err(Error::Closed)));
    assert!(matches!(read_only.export_jsonl(&path), Err(Error::Closed)));
}

/// What is no file is not replaced by one, and a link goes on leading where it led.
#[cfg(unix)]
#[test]
fn an_export_goes_where_a_link_leads_and_replaces_no_device() {
    let dir = tempfile::tempdir().unwrap();
    let (pipe, link, target) =
        (dir.path().join("pipe"), dir.path().join("link"), dir.path().join("target"));
    let store = empty();
    store.put_concept(Concept::new("a", "river")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(matches!(store.export_jsonl(&pipe), Err(Error::InvalidArgument { .. })));
    assert!(!std::fs::symlink_metadata(&pipe).unwrap().is_file());

    std::fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    store.export_jsonl(&link).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read(&target).unwrap(), exported(&store));
}

#[test]
fn an_export_removes_what_one_to_its_path_left_and_no_one_elses_files() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let number = "0123456789abcdef".repeat(2);
    let left = format!("store.jsonl.{number}.unfinished");
    let under_way = format!("store.jsonl.{}.unfinished", "f".repeat(32));
    let others = [
        format!("other.jsonl.{number}.unfinished"),
        "store.jsonl.notes.unfinished".to_owned(),
        format!("store.jsonl.{number}"),
        format!("a store.jsonl.{number}.unfinished"),
    ];
    for name in others.iter().chain([&left, &under_way]) {
        std::fs::write(at(name), "half of it").unwrap();
    }
    let locked = std::fs::File::open(at(&under_way)).unwrap();
    locked.lock().unwrap();
    let store = empty();
    store.put_concept(Concept::new("a", "river")).unwrap();
    store.export_jsonl(at("store.jsonl")).unwrap();
    assert!(!at(&left).exists());
    for name in others.iter().chain([&under_way]) {
        assert_eq!(std::fs::read(at(name)).unwrap(), b"half of it", "{name}");
    }
    drop(locked);
    store.export_jsonl(at("store.jsonl")).unwrap();
    assert!(!at(&under_way).exists());
}

#[test]
fn exports_to_one_path_at_once_do_not_take_each_other_for_leftovers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.jsonl");
    let store = empty();
    store
        .put_concepts((0..50).map(|at| Concept::new(format!("c{at}"), "river")).collect())
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(store.export_jsonl(&path).unwrap().concepts, 50);
                }
            });
        }
    });
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(empty().import_jsonl(&path).unwrap().concepts, 50);
}
