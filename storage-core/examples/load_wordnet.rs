//! Loads WordNet, reopens the store, and prints what loading, opening and reading cost.
//!
//! `cargo run --release -p storage-core --example load_wordnet -- [data folder] [new store]`; without
//! arguments, the repository's slice, which has no vectors, and a store that is removed at the end.

#![expect(clippy::print_stdout, reason = "an example that reports")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

use storage_core::{Association, Concept, Direction, Filter, GraphStore, OpenOptions};

const DIM: usize = 384;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let slice = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/wordnet-slice");
    let data = args.next().unwrap_or_else(|| slice.to_owned());
    let temporary = tempfile::tempdir()?;
    let path = args.next().map_or_else(|| temporary.path().join("store"), Into::into);
    let data = Path::new(&data);
    let mut concepts = read_concepts(data)?;
    let ids: Vec<String> = concepts.iter().map(|c| c.id.clone()).collect();
    let contents: Vec<String> = concepts.iter().map(|c| c.content.clone()).collect();
    let associations = read_associations(data)?;

    let store = GraphStore::open(&path, OpenOptions::default())?;
    let start = Instant::now();
    let count = concepts.len();
    while !concepts.is_empty() {
        let rest = concepts.split_off(concepts.len().min(1000));
        store.put_concepts(std::mem::replace(&mut concepts, rest))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("concepts: {count} in {seconds:.2} s, {:.0} a second", count as f64 / seconds);
    let start = Instant::now();
    for batch in associations.chunks(4000) {
        store.put_associations(batch.to_vec(), false)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("associations: {} in {seconds:.2} s", associations.len());
    println!("{:?}", store.stats()?);
    let start = Instant::now();
    store.close()?;
    println!("close: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);

    let start = Instant::now();
    let store = GraphStore::open(&path, OpenOptions::default())?;
    println!(
        "open: {:.2} ms, {} kB anonymous",
        start.elapsed().as_secs_f64() * 1e3,
        anonymous_kb()
    );
    let median = |name: &str, mut one: Box<dyn FnMut(usize) + '_>| {
        let mut times: Vec<f64> = (0..2000)
            .map(|i| {
                let at = (i * 7919 + 13) % ids.len();
                let start = Instant::now();
                one(at);
                start.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!("{name}: median {:.2} us, p99 {:.2} us", times[1000], times[1980]);
    };
    let vectors = store.stats()?.total_vectors;
    if vectors > 0 {
        median("vector", Box::new(|at| drop(store.vector(&ids[at]).expect("read"))));
        median("vector, again", Box::new(|at| drop(store.vector(&ids[at]).expect("read"))));
    }
    median(
        "neighbors",
        Box::new(|at| drop(store.neighbors(&ids[at], Direction::Out).expect("read"))),
    );
    median("concept", Box::new(|at| drop(store.concept(&ids[at]).expect("read"))));
    let queries: Vec<String> = contents
        .iter()
        .map(|text| text.split(' ').filter(|w| w.len() > 4).take(3).collect::<Vec<_>>().join(" "))
        .collect();
    median("search_text", Box::new(|at| drop(store.search_text(&queries[at], 10).expect("read"))));
    if vectors == 0 {
        return Ok(());
    }
    let mut times = Vec::new();
    for at in 0..50 {
        let query = store.vector(&ids[at * 100])?.expect("all have vectors");
        let start = Instant::now();
        store.search_vector(&query, 10, &Filter::default())?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("search_vector: median {:.2} ms", times[25]);
    Ok(())
}

fn read_concepts(data: &Path) -> Result<Vec<Concept>, Box<dyn std::error::Error>> {
    let vectors = std::fs::read(data.join("vectors_f16.npy")).unwrap_or_default();
    let header = vectors.get(8..10).map_or(0, |n| 10 + usize::from(n[0]) + 256 * usize::from(n[1]));
    let mut rows = vectors[header..].chunks_exact(DIM * 2);
    let mut concepts = Vec::new();
    for line in BufReader::new(std::fs::File::open(data.join("concepts.jsonl"))?).lines() {
        let value: serde_json::Value = serde_json::from_str(&line?)?;
        let words: Vec<&str> =
            value["words"].as_array().into_iter().flatten().filter_map(|w| w.as_str()).collect();
        let id = value["id"].as_str().ok_or("no id")?;
        let gloss = value["gloss"].as_str().ok_or("no gloss")?;
        let mut concept = Concept::new(id, format!("{}: {gloss}", words.join(", ")));
        let half = |c: &[u8]| half::f16::from_le_bytes([c[0], c[1]]).to_f32();
        concept.vector = rows.next().map(|row| row.chunks_exact(2).map(half).collect());
        concepts.push(concept);
    }
    Ok(concepts)
}

fn read_associations(data: &Path) -> Result<Vec<Association>, Box<dyn std::error::Error>> {
    let mut associations = Vec::new();
    for line in BufReader::new(std::fs::File::open(data.join("associations.tsv"))?).lines() {
        let line = line?;
        let mut fields = line.split('\t');
        let (Some(source), Some(target), Some(name)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return Err("a row of three fields was expected".into());
        };
        associations.push(Association::new(source, target).with_type(name));
    }
    Ok(associations)
}

fn anonymous_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
