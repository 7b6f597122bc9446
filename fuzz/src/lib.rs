//! What the fuzz targets do: bytes go in, and nothing may come of them but answers and typed errors.
//!
//! The decoders of a store's files are private, and stay so: a target puts its bytes in place of one
//! file of a small sound store and goes through the store's public face, so what is tested is what a
//! damaged disk or a crafted file can reach. Invariant: checksums are put right first (`checksums`),
//! or the fuzzer would see no further than them.

mod checksums;
mod condition;
mod damaged;
mod graph;
mod operations;
mod query;
mod sound;
mod text;
mod vectors;

pub use condition::{condition_seeds, filter};
pub use damaged::{file_seeds, open_damaged};
pub use graph::{graph_seeds, read_graph};
pub use operations::{operate, operation_seeds};
pub use query::{query, query_seeds};
pub use sound::Part;
pub use text::{read_text, text_seeds};
pub use vectors::{search_vectors, vector_seeds};

/// The environment variable that names the folder for [`write_seeds`].
const SEEDS: &str = "SUTRA_FUZZ_SEEDS";

/// Writes what a target starts from and ends the process, where the environment asks for it.
///
/// So the seeds are made by the code they are for, and none has to be kept in the repository.
///
/// # Panics
///
/// When a seed can't be written.
pub fn write_seeds(seeds: impl FnOnce() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os(SEEDS) else { return };
    let folder = std::path::Path::new(&folder);
    std::fs::create_dir_all(folder).expect("the folder of the seeds can be made");
    for (number, bytes) in seeds().into_iter().enumerate() {
        let path = folder.join(format!("seed-{number:02}"));
        std::fs::write(path, bytes).expect("a seed can be written");
    }
    std::process::exit(0);
}
