//! Where things lie: every path that a command uses, from the workspace's root.
//!
//! Invariant: paths are computed here only, so that what is written, and where, can be read in one
//! place.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::python;

/// The checkout that the command was started in.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the workspace that this binary was built from.
    ///
    /// # Errors
    ///
    /// When that checkout has been moved or removed since.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the xtask crate lies in a folder of the workspace")
            .canonicalize()
            .context("the checkout that xtask was built from is gone; build xtask again")?;
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |folder| root.join(folder));
        Ok(Self { root, target })
    }

    /// The root of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// `path`, taken from the root.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// `path`, taken from cargo's target folder.
    pub(crate) fn target(&self, path: impl AsRef<Path>) -> PathBuf {
        self.target.join(path)
    }

    /// Downloads that are worth keeping between runs.
    pub(crate) fn cache(&self) -> PathBuf {
        self.target("cache")
    }

    /// The virtual environment.
    pub(crate) fn venv(&self) -> PathBuf {
        self.path(".venv")
    }

    /// An executable of the virtual environment.
    pub(crate) fn venv_bin(&self, name: &str) -> PathBuf {
        python::bin(&self.venv(), name)
    }

    /// The embedder's model, as the distillation writes it.
    pub(crate) fn model(&self) -> PathBuf {
        self.path("language/model/static-minilm.bin")
    }

    /// The slice of WordNet that the repository carries.
    pub(crate) fn slice(&self) -> PathBuf {
        self.path("examples/wordnet-slice")
    }

    /// Where `cargo xtask data` puts the full data set.
    pub(crate) fn built_data(&self) -> PathBuf {
        self.path("data/wordnet")
    }

    /// The full data set, where one is found: beside the checkout, or made by `cargo xtask data`.
    pub(crate) fn full_data(&self) -> Option<PathBuf> {
        [self.path("../shared/data/wordnet"), self.built_data()]
            .into_iter()
            .find(|folder| folder.join("concepts.jsonl").is_file())
            .map(|folder| folder.canonicalize().unwrap_or(folder))
    }
}
