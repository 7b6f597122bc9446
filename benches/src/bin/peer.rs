//! The approximate search from Rust, as one of the peers of `benches/python/bench_peers.py`.
//!
//! `peer FOLDER OUTPUT` reads `base.npy` and each `queries-NAME.npy` with its `thresholds-NAME.npy`, builds an index,
//! sweeps it over what recall may be aimed for, and writes the figures as JSON, as `peers/measure.py` does for
//! a library in Python: recall is the share of hits whose exact score is no less than the threshold.
//!
//! Invariant: what is timed is what is checked; passes take turns over the settings.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use npyz::{Deserialize, NpyFile};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use vector_kernel::ann::{AnnBuilder, AnnView, TARGETS, Work};
use vector_kernel::{FlatIndex, Hit, Metric, Rows, Selection};

const K: usize = 10;
const ROUNDS: usize = 3;
const WARM_UP: usize = 100;
/// Queries that are searched for exactly.
const EXACT: usize = 200;
/// Scores this close are equal: `peers/recall.py` has the same.
const TIE: f64 = 1.0 / 4_194_304.0;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(output), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        anyhow::bail!("usage: peer FOLDER OUTPUT");
    };
    let threads: usize = std::env::var("RAYON_NUM_THREADS").ok().map_or(Ok(1), |n| n.parse())?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build_global()?;
    let (base, dim) = read::<f32>(&folder.join("base.npy"))?;
    let rows = FlatIndex::new(Rows::F32(&base), dim, Metric::Cosine)?;

    let load = load_average();
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let norms: Vec<f32> = base.chunks_exact(dim).map(vector_kernel::inverse_norm).collect();
    let rows = rows.with_inverse_norms(&norms)?;
    let bytes = AnnBuilder::new(rows)?.build()?;
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let view = AnnView::new(&bytes, rows)?;

    let mut sets = serde_json::Map::new();
    for name in names_of_sets(&folder)? {
        let (queries, width) = read::<f32>(&folder.join(format!("queries-{name}.npy")))?;
        ensure!(width == dim, "queries of {width} components for rows of {dim}");
        let (thresholds, _) = read::<f64>(&folder.join(format!("thresholds-{name}.npy")))?;
        let set = Set { base: &base, dim, queries: &queries, thresholds: &thresholds };
        sets.insert(name, set.sweep(&view)?);
    }
    let (queries, _) = read::<f32>(&folder.join("queries-held out.npy"))?;
    let exact = exact(&view, rows, &queries)?;
    let index = (bytes.len() + 4 * norms.len()) as f64 / rows.len() as f64;
    let record = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "method": "the vector-kernel crate, from Rust",
        "build": {"wall_s": wall, "cpu_s": cpu, "more_than_one_thread": cpu / wall > 1.1},
        "bytes_per_vector": {"index": index, "rows_beside": 4 * dim},
        "sets": sets,
        "exact": exact,
        "load_average_1_min": {"before": load, "after": load_average()},
    });
    fs::write(output, serde_json::to_vec(&record)?).context("writing the figures")
}

/// Searches exactly by a plain scan and by the index, which leaves out what can't be among the best, by turns.
fn exact(view: &AnnView<'_>, rows: FlatIndex<'_>, queries: &[f32]) -> Result<Value> {
    let (mut plain, mut pruned, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut work = Work::default();
    for query in queries.chunks_exact(rows.dim()).take(EXACT) {
        let start = Instant::now();
        let scanned = rows.search(query, K, Selection::All)?;
        let between = Instant::now();
        let found = view.search_counting(query, K, 1.0, Selection::All, &mut work)?;
        let (scan, search) = (between - start, between.elapsed());
        ensure!(found == scanned, "the exact search by the index found something else");
        plain.push(scan.as_secs_f64() * 1e3);
        pruned.push(search.as_secs_f64() * 1e3);
        ratios.push(scan.as_secs_f64() / search.as_secs_f64());
    }
    Ok(json!({
        "queries": ratios.len(),
        "plain_scan_ms": median(&mut plain),
        "by_index_ms": median(&mut pruned),
        "times_as_fast": median(&mut ratios),
        "rows_compared": work.exact as f64 / ratios.len() as f64,
    }))
}

/// Reads an array of one or two axes; returns its elements and the length of its last axis.
fn read<T: Deserialize>(path: &Path) -> Result<(Vec<T>, usize)> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let array = NpyFile::new(BufReader::new(file))?;
    let width = *array.shape().last().context("an array of no axis")? as usize;
    Ok((array.into_vec()?, width))
}

fn names_of_sets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_prefix("queries-").and_then(|rest| rest.strip_suffix(".npy"))
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Queries, and the exact score of the last of the best of each.
struct Set<'a> {
    base: &'a [f32],
    dim: usize,
    queries: &'a [f32],
    thresholds: &'a [f64],
}

/// What passes in one mode gave.
#[derive(Default)]
struct Passes {
    recall: f64,
    wall_s: Vec<f64>,
    cpu_s: Vec<f64>,
}

impl Set<'_> {
    fn sweep(&self, view: &AnnView<'_>) -> Result<Value> {
        let mut passes: Vec<[Passes; 2]> = TARGETS.iter().map(|_| Default::default()).collect();
        for round in 0..ROUNDS {
            for (target, modes) in TARGETS.iter().zip(&mut passes) {
                for (mode, passes) in modes.iter_mut().enumerate() {
                    let answer = |queries: &[f32]| {
                        if mode == 0 {
                            self.one_by_one(view, queries, *target)
                        } else {
                            view.search_batch(queries, K, *target, Selection::All)
                        }
                    };
                    black_box(answer(&self.queries[..WARM_UP * self.dim])?);
                    let (wall, cpu) = (Instant::now(), cpu_seconds());
                    let hits = answer(self.queries)?;
                    passes.wall_s.push(wall.elapsed().as_secs_f64());
                    passes.cpu_s.push(cpu_seconds() - cpu);
                    if round == 0 {
                        passes.recall = self.recall(&hits);
                    }
                }
            }
        }
        let count = self.thresholds.len();
        let records = TARGETS.iter().zip(passes).map(|(target, [single, batch])| {
            json!({
                "setting": {"recall": target},
                "single": single.record(count),
                "batch": batch.record(count),
            })
        });
        Ok(records.collect())
    }

    fn one_by_one(
        &self,
        view: &AnnView<'_>,
        queries: &[f32],
        target: f32,
    ) -> Result<Vec<Vec<Hit>>, vector_kernel::QueryError> {
        let search = |query| view.search(query, K, target, Selection::All);
        queries.chunks_exact(self.dim).map(search).collect()
    }

    fn recall(&self, hits: &[Vec<Hit>]) -> f64 {
        let mut found = 0;
        for ((query, hits), threshold) in
            self.queries.chunks_exact(self.dim).zip(hits).zip(self.thresholds)
        {
            let exact = |hit: &&Hit| {
                let row = &self.base[hit.ordinal as usize * self.dim..][..self.dim];
                let products = query.iter().zip(row).map(|(a, b)| f64::from(*a) * f64::from(*b));
                products.sum::<f64>() >= threshold - TIE
            };
            found += hits.iter().filter(exact).count();
        }
        found as f64 / (K * self.thresholds.len()) as f64
    }
}

impl Passes {
    fn record(mut self, queries: usize) -> Value {
        let (cpu_s, wall_s) = (json!(self.cpu_s), json!(self.wall_s));
        let (cpu, wall) = (median(&mut self.cpu_s), median(&mut self.wall_s));
        json!({
            "queries": queries,
            "recall": self.recall,
            "qps_cpu": queries as f64 / cpu,
            "qps_wall": queries as f64 / wall,
            "cpu_to_wall": cpu / wall,
            "more_than_one_thread": cpu / wall > 1.1,
            "cpu_s": cpu_s,
            "wall_s": wall_s,
        })
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What this process computed so far, all threads together.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The machine's, over a minute; 0 where the system does not tell.
fn load_average() -> f64 {
    let read = fs::read_to_string("/proc/loadavg").ok();
    read.and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0.0)
}
