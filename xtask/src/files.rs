//! Walking the checkout's own files.
//!
//! Invariant: the walk is sorted, and enters no folder that holds generated state.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Folders that are made, not written; by name wherever they lie.
const GENERATED: [&str; 6] =
    ["target", "node_modules", "__pycache__", "dist", "corpus", "artifacts"];

/// Folders that are made, not written; by path from the root.
const GENERATED_PATHS: [&str; 4] =
    ["data", "benches/out", "language/model", "py-bindings/python/sutra_core/model"];

/// Every file under `root`, as paths from `root`, sorted; hidden and generated folders left out.
///
/// # Errors
///
/// When a folder can't be read.
pub(crate) fn walk(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(folder) = pending.pop() {
        let absolute = root.join(&folder);
        let entries =
            fs::read_dir(&absolute).with_context(|| format!("reading {}", absolute.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("reading {}", absolute.display()))?;
            let path = folder.join(entry.file_name());
            let kind =
                entry.file_type().with_context(|| format!("looking at {}", path.display()))?;
            if kind.is_dir() {
                if !is_generated(&path) {
                    pending.push(path);
                }
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Those of [`walk`] whose name ends in one of `extensions` (without the dot).
///
/// # Errors
///
/// As [`walk`].
pub(crate) fn with_extension(root: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = walk(root)?;
    files.retain(|path| {
        path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
    });
    Ok(files)
}

/// The text of the file at `root`/`path`.
///
/// # Errors
///
/// When it can't be read or is not UTF-8.
pub(crate) fn read(root: &Path, path: &Path) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("reading {}", path.display()))
}

fn is_generated(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.starts_with('.')
        || GENERATED.contains(&name.as_ref())
        || GENERATED_PATHS.iter().any(|generated| path == Path::new(generated))
}

#[cfg(test)]
pub(crate) mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A folder with the given files.
    pub(crate) fn tree(files: &[(&str, &str)]) -> TempDir {
        let folder = TempDir::new().expect("a temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a file has a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        folder
    }

    #[test]
    fn walk_is_sorted_and_leaves_generated_folders_out() {
        let folder = tree(&[
            ("b.rs", ""),
            ("a/c.rs", ""),
            ("target/x.rs", ""),
            (".git/x.rs", ""),
            ("data/x.rs", ""),
            ("src/data/kept.rs", ""),
            ("a/__pycache__/x.py", ""),
        ]);
        let found = walk(folder.path()).expect("readable");
        let expected = ["a/c.rs", "b.rs", "src/data/kept.rs"];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn with_extension_takes_only_what_is_named() {
        let folder = tree(&[("a.rs", ""), ("b.py", ""), ("c.md", ""), ("rs", "")]);
        let found = with_extension(folder.path(), &["rs", "md"]).expect("readable");
        assert_eq!(found, ["a.rs", "c.md"].map(PathBuf::from));
    }
}
