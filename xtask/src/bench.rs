//! `cargo xtask bench`: measures the store through Python, and the crates through criterion if asked.
//!
//! `benches/python/bench_store.py --data DIR --output FILE` prints a table and writes JSON to FILE.
//! `cargo xtask bench stores` builds and runs `benches/stores`, a workspace of its own, in the same way;
//! `cargo xtask bench peers` runs `benches/python/bench_peers.py` with packages that nothing else needs, and
//! `cargo xtask bench vectors` has it measure this project alone, from Rust and from Python.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cli::{BenchArguments, BenchPart, PeersArguments, StoresArguments, VectorsArguments};
use crate::process;
use crate::python;
use crate::setup;
use crate::workspace::Workspace;

/// Where the results go, from the root.
const OUTPUT: &str = "benches/out";

/// The crate of the stores beside each other, from the root.
pub(crate) const STORES: &str = "benches/stores/Cargo.toml";

/// Sets up and measures.
///
/// # Errors
///
/// When the data set is missing, or the set-up or a benchmark fails.
pub(crate) fn run(workspace: &Workspace, arguments: &BenchArguments) -> Result<()> {
    match &arguments.part {
        Some(BenchPart::Stores(arguments)) => return stores(workspace, arguments),
        Some(BenchPart::Peers(arguments)) => {
            let data = vectors_data(workspace, arguments.data.as_deref())?;
            let name = if arguments.filters { "peers-filters" } else { "peers-vectors" };
            return peers(workspace, arguments, &data, name);
        }
        Some(BenchPart::Vectors(arguments)) => return vectors(workspace, arguments),
        None => {}
    }
    let data = data(workspace, arguments.data.as_deref())?;
    setup::run(workspace)?;
    if arguments.criterion {
        process::run(process::cargo(workspace).args([
            "bench",
            "--locked",
            "--package",
            "benches",
        ]))?;
    }
    let output = output(workspace)?;
    let mut bench = process::python(workspace);
    bench.arg("benches/python/bench_store.py").arg("--data").arg(data);
    process::run(bench.arg("--output").arg(output.join("store.json")))
}

/// Measures the durable store beside others.
fn stores(workspace: &Workspace, arguments: &StoresArguments) -> Result<()> {
    let data = data(workspace, arguments.data.as_deref())?;
    let target = workspace.target("stores");
    let mut build = process::cargo(workspace);
    build.args(["build", "--release", "--locked", "--manifest-path", STORES, "--target-dir"]);
    process::run(build.arg(&target))?;
    let executable = format!("stores{}", std::env::consts::EXE_SUFFIX);
    let mut bench = process::command(workspace, target.join("release").join(executable));
    bench.args(["run", "--concepts", &arguments.concepts.to_string(), "--data"]).arg(data);
    if let Some(folder) = &arguments.folder {
        bench.arg("--folder").arg(folder);
    }
    for store in &arguments.only {
        bench.args(["--only", store]);
    }
    bench.args(["--commit", &commit(workspace)?]);
    process::run(bench.arg("--output").arg(output(workspace)?.join("stores.json")))
}

/// Measures vector search by this project alone, at each size.
fn vectors(workspace: &Workspace, arguments: &VectorsArguments) -> Result<()> {
    let data = vectors_data(workspace, arguments.data.as_deref())?;
    for size in &arguments.size {
        let only = ["sutra", "sutra-rust"].map(str::to_owned).to_vec();
        let size = size.clone();
        let arguments =
            PeersArguments { vectors: true, filters: false, size, data: None, only, keep: false };
        peers(workspace, &arguments, &data, "vectors")?;
    }
    Ok(())
}

/// The data set, where it has vectors.
fn vectors_data(workspace: &Workspace, asked: Option<&Path>) -> Result<PathBuf> {
    let data = data(workspace, asked)?;
    if !data.join("vectors_f16.npy").is_file() {
        bail!("the data set holds no vectors_f16.npy: cargo xtask data makes it");
    }
    Ok(data)
}

/// Measures vector search beside other libraries, in an environment of their own.
fn peers(workspace: &Workspace, arguments: &PeersArguments, data: &Path, name: &str) -> Result<()> {
    setup::run(workspace)?;
    let mut build = process::cargo(workspace);
    build.args(["build", "--release", "--locked", "--package", "benches", "--bin", "peer"]);
    process::run(&mut build)?;
    let program = format!("release/peer{}", std::env::consts::EXE_SUFFIX);
    let venv = workspace.target("peers-venv");
    python::make_peers_venv(workspace, &venv)?;
    python::install_wheel(workspace, &venv, &setup::wheel(workspace)?)?;
    let output = output(workspace)?.join(format!("{name}-{size}.json", size = arguments.size));
    let mut bench = process::command(workspace, python::bin(&venv, "python"));
    bench.args(["benches/python/bench_peers.py", "--vectors", "--size", &arguments.size]);
    bench.arg("--program").arg(workspace.target(&program));
    for peer in &arguments.only {
        bench.args(["--only", peer]);
    }
    if arguments.filters {
        bench.arg("--filters");
    }
    if arguments.keep {
        bench.arg("--keep");
    }
    process::run(bench.arg("--data").arg(data).arg("--out").arg(output))
}

/// The data set that is asked for, or the best that there is.
fn data(workspace: &Workspace, asked: Option<&Path>) -> Result<PathBuf> {
    let data = match asked {
        Some(folder) => folder.to_owned(),
        None => workspace.full_data().unwrap_or_else(|| {
            println!("bench: no full data set (cargo xtask data makes it); measuring the slice");
            workspace.slice()
        }),
    };
    if !data.join("concepts.jsonl").is_file() {
        bail!("{} holds no concepts.jsonl", data.display());
    }
    data.canonicalize().context("finding the data set")
}

fn output(workspace: &Workspace) -> Result<PathBuf> {
    let output = workspace.path(OUTPUT);
    fs::create_dir_all(&output).with_context(|| format!("making {OUTPUT}"))?;
    Ok(output)
}

/// The commit that is checked out, for the record.
fn commit(workspace: &Workspace) -> Result<String> {
    let said = |arguments: &[&str]| {
        process::output(process::command(workspace, "git").args(arguments))
            .map(|text| text.trim_end().to_owned())
    };
    let mut commit = said(&["rev-parse", "--short=12", "HEAD"])?;
    if !said(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
        commit.push_str(", and changes since");
    }
    Ok(commit)
}
