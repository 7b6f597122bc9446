//! The crate alone: writes an index to a file, maps it, searches it and says why each hit is one.
//!
//! Usage: `cargo run -p text-index --example memory_map -- [FILE [words]]`

#![expect(clippy::print_stdout, reason = "the answer is the purpose of this program")]

use std::error::Error;
use std::fs::File;

use memmap2::Mmap;
use text_index::{
    Analyzer, Bm25, Operator, QueryTerm, SearchOptions, SearchScratch, TextBuilder, TextView,
};

const TEXTS: [&str; 4] = [
    "Photosynthesis turns sunlight into chemical energy.",
    "Plants need sunlight and water.",
    "A battery stores chemical energy.",
    "Dogs are mammals.",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = tempfile::tempdir()?;
    let path = arguments.next().map_or_else(|| folder.path().join("words"), Into::into);
    let words = arguments.next().unwrap_or_else(|| "energy from sunlight".to_owned());

    let analyzer = Analyzer::english();
    let mut builder = TextBuilder::new();
    for (ordinal, text) in TEXTS.iter().enumerate() {
        builder.add(ordinal as u32, text, &analyzer)?;
    }
    std::fs::write(&path, builder.finish(TEXTS.len() as u32)?)?;

    let file = File::open(&path)?;
    #[expect(unsafe_code, reason = "mapping a file is unsafe: others might change it")]
    // SAFETY: the map is read-only and lives in this scope; this program wrote the file just now and
    // does not change it while it is mapped.
    let map = unsafe { Mmap::map(&file) }?;
    let view = TextView::parse(&map)?;

    let stats = view.stats_excluding(None);
    let query: Vec<QueryTerm> = analyzer
        .terms(&words)
        .into_iter()
        .map(|term| QueryTerm { idf: Bm25::idf(stats.doc_count, view.df(&term).into()), term })
        .collect();
    let options = SearchOptions {
        average_length: stats.average_length(),
        bm25: Bm25::default(),
        operator: Operator::Or,
        k: 10,
        deleted: None,
        allowed: None,
    };
    for hit in view.search(&query, &options, &mut SearchScratch::default()) {
        println!("{:.3} {}", hit.score, TEXTS[hit.ordinal as usize]);
        let why = view.explain(hit.ordinal, &query, options.average_length, &options.bm25);
        for share in why.shares.iter().filter(|share| share.tf > 0) {
            println!("      {:.3} {} x {}", share.score, share.tf, query[share.term].term);
        }
    }
    Ok(())
}
