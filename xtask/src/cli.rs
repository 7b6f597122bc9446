//! The command line of `cargo xtask`: which commands there are, and their arguments.
//!
//! Invariant: it holds no behaviour, so that the README check can parse a command without running it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Developer commands of the workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Each developer command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes `.venv`, the embedder's model and the wheel; a second run is instant
    Setup,
    /// Learns real knowledge, asks, survives a kill -9, asks again
    Demo(DemoArguments),
    /// Runs every lint and test, and sums up
    Test(TestArguments),
    /// Checks the layers, headers, links and left-over markers
    Tidy,
    /// Makes the full WordNet data set from public packages
    Data(DataArguments),
    /// Makes the WordNet slice that the repository carries
    Slice(SliceArguments),
    /// Measures the store and writes JSON to benches/out
    Bench(BenchArguments),
    /// Cuts power, kills writers, fails I/O, damages files, and checks what was acknowledged
    Crash(CrashArguments),
    /// Fuzzes every decoder, and the store beside a model
    Fuzz(FuzzArguments),
    /// Runs the tests of the unsafe code under the address sanitizer
    Asan,
    /// Runs the wheel's smoke test under valgrind, where that is installed
    Valgrind,
    /// Checks the models of concurrent code in every interleaving
    Loom,
    /// Changes the log, the manifest and recovery in hundreds of places, and sees which the tests notice
    Mutants(MutantsArguments),
    /// Does what the continuous integration does: runs .ci/run
    Ci,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// All of WordNet instead of the slice
    #[arg(long)]
    pub(crate) full: bool,
}

/// Arguments of `test`.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Also measure line coverage, and fail under 95 %
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Only the named step; may be given several times (`--list` names them)
    #[arg(long, value_name = "STEP")]
    pub(crate) only: Vec<String>,
    /// Print the names of the steps and stop
    #[arg(long)]
    pub(crate) list: bool,
}

/// Arguments of `data`.
#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    /// Where to put it
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// A folder that holds WordNet's `data.noun`, `data.verb`, `data.adj` and `data.adv`
    #[arg(long, value_name = "DIR")]
    pub(crate) source: Option<PathBuf>,
    /// Make it even where a full data set is found
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Leave the vectors out (needs no wheel)
    #[arg(long)]
    pub(crate) no_vectors: bool,
}

/// Arguments of `slice`.
#[derive(Debug, Args)]
pub(crate) struct SliceArguments {
    /// Only compare with what the repository carries
    #[arg(long)]
    pub(crate) check: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArguments {
    /// The data set; the full one where it is found, else the slice
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Run the criterion benches of the crates first
    #[arg(long)]
    pub(crate) criterion: bool,
    /// Something else to measure
    #[command(subcommand)]
    pub(crate) part: Option<BenchPart>,
}

/// What `bench` measures beside the store through Python.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchPart {
    /// Measures the durable store beside SQLite, redb and fjall
    Stores(StoresArguments),
    /// Measures the libraries that a user would pick instead
    Peers(PeersArguments),
    /// Vector search by this project alone, from Rust and from Python
    Vectors(VectorsArguments),
}

/// Arguments of `bench stores`.
#[derive(Debug, Args)]
pub(crate) struct StoresArguments {
    /// How many records
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    pub(crate) concepts: u64,
    /// The data set; the full one where it is found, else the slice
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where the stores are made, and removed again; needs some gigabytes
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Only the named store; may be given several times
    #[arg(long, value_name = "STORE")]
    pub(crate) only: Vec<String>,
}

/// Arguments of `bench vectors`.
#[derive(Debug, Args)]
pub(crate) struct VectorsArguments {
    /// How many rows, or several times this; 100000 stands for all of WordNet
    #[arg(long, value_name = "N", default_values = SIZES, value_parser = SIZES)]
    pub(crate) size: Vec<String>,
    /// The full data set, with vectors
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// How many rows vector search may be measured over.
const SIZES: [&str; 3] = ["10000", "100000", "1000000"];

/// Arguments of `bench peers`.
#[derive(Debug, Args)]
pub(crate) struct PeersArguments {
    /// Vector search: recall against queries a second, one thread
    #[arg(long, required = true)]
    pub(crate) vectors: bool,
    /// Among selected rows: half of them to a thousandth, at random and near each other
    #[arg(long)]
    pub(crate) filters: bool,
    /// How many rows; 100000 stands for all of WordNet
    #[arg(long, value_name = "N", default_value = "100000", value_parser = SIZES)]
    pub(crate) size: String,
    /// The full data set, with vectors
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Only the named peer or family; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Keep what the results already have of other peers over the same data
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Arguments of `crash`.
#[derive(Debug, Args)]
pub(crate) struct CrashArguments {
    /// The first seed; without a count, the only one (of `exhaustive`: the workload's number; `damage` and
    /// `tests-tested` have none)
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many seeds, or workloads, counted up from the first
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Many more seeds, longer workloads, pairs of losses: takes hours
    #[arg(long)]
    pub(crate) long: bool,
    /// Only this part; may be given several times
    #[arg(long, value_name = "PART")]
    pub(crate) only: Vec<CrashPart>,
}

/// A part of `crash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CrashPart {
    /// Random workloads on a simulated machine whose power fails
    PowerLoss,
    /// Every single loss at every moment of small workloads
    Exhaustive,
    /// Whether the tests of power loss notice a machine that misbehaves
    TestsTested,
    /// Processes that are killed as they write
    Kill,
    /// Writers and readers on one store at once, killed and started again
    Processes,
    /// Processes that are killed at each named point of what they write
    KillPoints,
    /// Each I/O operation fails in turn
    Io,
    /// A writer, two readers and a compaction take turns at every operation
    Interleavings,
    /// Threads of a store take turns at every lock, atomic and operation on files
    Shuttle,
    /// Random sequences of all that a store can do, against plain maps
    StateMachine,
    /// Flipped bits, cut, missing, exchanged and doubled files
    Damage,
}

/// Arguments of `fuzz`.
#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// How long each target runs
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Only the named target; may be given several times (`--list` names them)
    #[arg(long, value_name = "TARGET")]
    pub(crate) only: Vec<String>,
    /// Print the names of the targets and stop
    #[arg(long)]
    pub(crate) list: bool,
}

/// Arguments of `mutants`.
#[derive(Debug, Args)]
pub(crate) struct MutantsArguments {
    /// Only one part of n, taken evenly: 0/n to n-1/n
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<String>,
    /// Leave out what an earlier run saw killed at the same place
    #[arg(long)]
    pub(crate) iterate: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bench_peers_asks_what_of_them_and_takes_three_sizes() {
        let parse = |rest: &str| {
            let line = format!("cargo-xtask bench peers {rest}");
            Cli::try_parse_from(line.split_whitespace())
        };
        assert!(parse("").is_err());
        assert!(parse("--vectors").is_ok());
        assert!(parse("--filters").is_err());
        assert!(parse("--vectors --filters --only qdrant").is_ok());
        assert!(parse("--vectors --size 1000000 --only faiss --only svs").is_ok());
        assert!(parse("--vectors --size 12").is_err());
    }

    #[test]
    fn bench_vectors_measures_all_sizes_or_those_asked_for() {
        let sizes = |rest: &str| {
            let line = format!("cargo-xtask bench vectors {rest}");
            let Ok(Cli { command: Command::Bench(bench) }) =
                Cli::try_parse_from(line.split_whitespace())
            else {
                return Vec::new();
            };
            let Some(BenchPart::Vectors(arguments)) = bench.part else { return Vec::new() };
            arguments.size
        };
        assert_eq!(sizes(""), SIZES);
        assert_eq!(sizes("--size 10000 --size 1000000"), ["10000", "1000000"]);
        assert!(sizes("--size 12").is_empty());
    }

    #[test]
    fn crash_refuses_to_run_no_seed() {
        assert!(Cli::try_parse_from(["cargo xtask", "crash", "--count", "0"]).is_err());
        assert!(Cli::try_parse_from(["cargo xtask", "crash", "--count", "1"]).is_ok());
        assert!(Cli::try_parse_from(["cargo xtask", "crash", "--only", "power-loss"]).is_ok());
    }
}
