//! `cargo xtask bench`: measures the store through Python, and the crates through criterion if asked.
//!
//! `benches/python/bench_store.py --data DIR --output FILE` prints a table and writes JSON to FILE.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::cli::BenchArguments;
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

/// Where the results go, from the root.
const OUTPUT: &str = "benches/out";

/// Sets up and measures.
///
/// # Errors
///
/// When the data set is missing, or the set-up or a benchmark fails.
pub(crate) fn run(workspace: &Workspace, arguments: &BenchArguments) -> Result<()> {
    let data = match &arguments.data {
        Some(folder) => folder.clone(),
        None => workspace.full_data().unwrap_or_else(|| {
            println!("bench: no full data set (cargo xtask data makes it); measuring the slice");
            workspace.slice()
        }),
    };
    if !data.join("concepts.jsonl").is_file() {
        bail!("{} holds no concepts.jsonl", data.display());
    }
    let data = data.canonicalize().context("finding the data set")?;
    setup::run(workspace)?;
    if arguments.criterion {
        process::run(process::cargo(workspace).args([
            "bench",
            "--locked",
            "--package",
            "benches",
        ]))?;
    }
    let output = workspace.path(OUTPUT);
    fs::create_dir_all(&output).with_context(|| format!("making {OUTPUT}"))?;
    let mut bench = process::python(workspace);
    bench.arg("benches/python/bench_store.py").arg("--data").arg(data);
    process::run(bench.arg("--output").arg(output.join("store.json")))
}
