//! Builds an index over WordNet, checks it against brute force and reports its speed and size.
//!
//! Usage: `cargo run --release -p text-index --example wordnet -- DIR [english|simple]`, where `DIR`
//! holds `concepts.jsonl` and `text_queries.json`. One thread; times are of this machine, now.

#![expect(clippy::print_stdout, reason = "the report is the purpose of this program")]

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use text_index::{
    Analyzer, Bm25, CollectionStats, Operator, QueryTerm, SearchOptions, SearchScratch,
    TextBuilder, TextView, merge,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(directory) = arguments.next() else {
        println!("usage: wordnet DIR [english|simple]");
        return Ok(());
    };
    let analyzer = arguments.next().unwrap_or_else(|| "english".to_owned());
    let analyzer = Analyzer::by_name(&analyzer).ok_or("the analyzer is english or simple")?;
    let texts = read_texts(&Path::new(&directory).join("concepts.jsonl"))?;

    let bytes = fastest("build", texts.len(), || build(&texts, analyzer))?;
    let view = TextView::parse(&bytes)?;
    let text_bytes: usize = texts.iter().map(String::len).sum();
    println!(
        "size: {:.2} MB of {:.2} MB text, {} terms, {} tokens",
        bytes.len() as f64 / 1e6,
        text_bytes as f64 / 1e6,
        view.term_count(),
        view.total_length()
    );
    view.verify()?;
    small_builds(&texts, analyzer)?;
    merging(&texts, analyzer, &bytes)?;

    let queries: Value =
        serde_json::from_slice(&std::fs::read(Path::new(&directory).join("text_queries.json"))?)?;
    for (name, operator) in [("or", Operator::Or), ("and", Operator::And)] {
        let queries: Vec<String> = queries[name]
            .as_array()
            .ok_or("text_queries.json lacks a list")?
            .iter()
            .map(|query| {
                let words = query["words"].as_array().into_iter().flatten();
                words.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            })
            .collect();
        check(view, &texts, &queries, operator, analyzer)?;
        searching(view, name, &queries, operator, analyzer);
    }
    Ok(())
}

fn read_texts(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    std::fs::read_to_string(path)?
        .lines()
        .map(|line| {
            let concept: Value = serde_json::from_str(line)?;
            let words = concept["words"].as_array().ok_or("a concept lacks words")?;
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            let gloss = concept["gloss"].as_str().ok_or("a concept lacks its gloss")?;
            Ok(format!("{}: {gloss}", words.join(", ")))
        })
        .collect()
}

fn build(texts: &[String], analyzer: Analyzer) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut builder = TextBuilder::new();
    for (ordinal, text) in texts.iter().enumerate() {
        builder.add(ordinal as u32, text, &analyzer)?;
    }
    Ok(builder.finish(texts.len() as u32)?)
}

/// The result of the fastest of five runs, and its rate.
fn fastest<T>(
    what: &str,
    count: usize,
    run: impl Fn() -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let mut best: Option<(Duration, T)> = None;
    for _ in 0..5 {
        let start = Instant::now();
        let result = run()?;
        let elapsed = start.elapsed();
        if best.as_ref().is_none_or(|(shortest, _)| elapsed < *shortest) {
            best = Some((elapsed, result));
        }
    }
    let (elapsed, result) = best.ok_or("five runs give a result")?;
    println!(
        "{what}: {:.0} a second ({:.1} ms)",
        count as f64 / elapsed.as_secs_f64(),
        elapsed.as_secs_f64() * 1e3
    );
    Ok(result)
}

fn small_builds(texts: &[String], analyzer: Analyzer) -> Result<(), Box<dyn Error>> {
    for size in [1, 10, 100, 1_000] {
        let mut times = Vec::new();
        for part in texts.chunks_exact(size).step_by((20_000 / size / 200).max(1)).take(2_000) {
            let start = Instant::now();
            black_box(build(part, analyzer)?);
            times.push(start.elapsed());
        }
        println!("build of {size}: {}", summary(&mut times));
    }
    Ok(())
}

fn merging(texts: &[String], analyzer: Analyzer, whole: &[u8]) -> Result<(), Box<dyn Error>> {
    const PARTS: usize = 8;
    let mut encoded = Vec::new();
    let mut maps = Vec::new();
    for part in 0..PARTS {
        let map: Vec<u32> = (part..texts.len()).step_by(PARTS).map(|at| at as u32).collect();
        let part: Vec<String> = map.iter().map(|&at| texts[at as usize].clone()).collect();
        encoded.push(build(&part, analyzer)?);
        maps.push(map);
    }
    let parts = encoded
        .iter()
        .zip(&maps)
        .map(|(bytes, map)| Ok((TextView::parse(bytes)?, map.as_slice())))
        .collect::<Result<Vec<_>, text_index::FormatError>>()?;
    let postings: u64 = TextView::parse(whole)?.terms("").map(|(_, df)| u64::from(df)).sum();
    let merged = fastest("merge of 8 interleaved parts, postings", postings as usize, || {
        Ok(merge(&parts, texts.len() as u32)?)
    })?;
    if merged != whole {
        return Err("the merged index differs from the one built at once".into());
    }
    Ok(())
}

fn query_terms(view: TextView<'_>, query: &str, analyzer: Analyzer) -> Vec<QueryTerm> {
    let doc_count = u64::from(view.doc_count());
    let mut terms = Vec::with_capacity(4);
    analyzer.analyze(query, |term, _| {
        let idf = Bm25::idf(doc_count, view.df(term).into());
        terms.push(QueryTerm { term: term.to_owned(), idf });
    });
    terms
}

fn options(stats: CollectionStats, operator: Operator) -> SearchOptions<'static> {
    SearchOptions {
        average_length: stats.average_length(),
        bm25: Bm25::default(),
        operator,
        k: 10,
        deleted: None,
        allowed: None,
    }
}

/// Compares the top 10 with scores computed in f64 from the texts.
fn check(
    view: TextView<'_>,
    texts: &[String],
    queries: &[String],
    operator: Operator,
    analyzer: Analyzer,
) -> Result<(), Box<dyn Error>> {
    let docs: Vec<Vec<String>> = texts.iter().map(|text| analyzer.terms(text)).collect();
    let average = docs.iter().map(Vec::len).sum::<usize>() as f64 / docs.len() as f64;
    let mut postings: HashMap<&str, HashMap<u32, u32>> = HashMap::new();
    for (ordinal, doc) in docs.iter().enumerate() {
        for term in doc {
            *postings.entry(term).or_default().entry(ordinal as u32).or_default() += 1;
        }
    }
    let empty = HashMap::new();
    let mut scratch = SearchScratch::default();
    let options = options(view.stats_excluding(None), operator);
    for query in queries {
        let mut scores: HashMap<u32, (f64, usize)> = HashMap::new();
        let terms = analyzer.terms(query);
        for term in &terms {
            let list = postings.get(term.as_str()).unwrap_or(&empty);
            let df = list.len() as f64;
            let idf = (1.0 + (docs.len() as f64 - df + 0.5) / (df + 0.5)).ln();
            for (&ordinal, &tf) in list {
                let tf = f64::from(tf);
                let length = docs[ordinal as usize].len() as f64;
                let score = scores.entry(ordinal).or_default();
                score.0 += idf * tf / (tf + 1.2 * (0.25 + 0.75 * length / average));
                score.1 += 1;
            }
        }
        if operator == Operator::And {
            scores.retain(|_, score| score.1 == terms.len());
        }
        let mut expected: Vec<(u32, f64)> = scores.into_iter().map(|(o, s)| (o, s.0)).collect();
        expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let hits = view.search(&query_terms(view, query, analyzer), &options, &mut scratch);
        let agree = hits.len() == expected.len().min(options.k)
            && hits.iter().zip(&expected).all(|(hit, expected)| {
                (f64::from(hit.score) - expected.1).abs() < 1e-5 * expected.1.max(1.0)
            });
        if !agree {
            return Err(format!("{query:?}: {hits:?}, brute force {:?}", &expected[..10]).into());
        }
    }
    println!("{} queries agree with brute force", queries.len());
    Ok(())
}

fn searching(
    view: TextView<'_>,
    name: &str,
    queries: &[String],
    operator: Operator,
    analyzer: Analyzer,
) {
    let options = options(view.stats_excluding(None), operator);
    let mut scratch = SearchScratch::default();
    let prepared: Vec<Vec<QueryTerm>> =
        queries.iter().map(|query| query_terms(view, query, analyzer)).collect();
    let postings: u64 = prepared.iter().flatten().map(|term| u64::from(view.df(&term.term))).sum();
    println!("{name}: {:.0} postings a query", postings as f64 / queries.len() as f64);
    for round in 0..3 {
        let mut times = Vec::with_capacity(queries.len());
        for terms in &prepared {
            let start = Instant::now();
            black_box(view.search(terms, &options, &mut scratch));
            times.push(start.elapsed());
        }
        if round == 2 {
            println!("{name}, terms given: {}", summary(&mut times));
        }
    }
    let mut times = Vec::with_capacity(queries.len());
    for query in queries {
        let start = Instant::now();
        let terms = query_terms(view, query, analyzer);
        black_box(view.search(&terms, &options, &mut scratch));
        times.push(start.elapsed());
    }
    println!("{name}, text given: {}", summary(&mut times));
}

fn summary(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let micros = |at: usize| times[at.min(times.len() - 1)].as_secs_f64() * 1e6;
    let mean = times.iter().sum::<Duration>().as_secs_f64() * 1e6 / times.len() as f64;
    format!(
        "median {:.1} µs, mean {mean:.1}, p99 {:.1}",
        micros(times.len() / 2),
        micros(times.len() * 99 / 100)
    )
}
