//! Stamps: what a product was made from, so that making it again is skipped when nothing changed.
//!
//! Invariant: a stamp is written only after its product was made whole, and it covers the names and
//! the bytes of all inputs (not their times, which a fresh clone changes).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::files;

/// FNV-1a over 64 bits: not against malice, only against rebuilding in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of nothing.
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in one input; its length keeps neighbours apart.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for &byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Takes in a file, or every file of a folder, by path from `root` and content.
    ///
    /// # Errors
    ///
    /// When `path` does not exist or can't be read.
    pub(crate) fn add_path(&mut self, root: &Path, path: &str) -> Result<()> {
        let absolute = root.join(path);
        if absolute.is_dir() {
            for file in files::walk(&absolute)? {
                self.add_file(&absolute.join(&file), &Path::new(path).join(&file))?;
            }
            Ok(())
        } else {
            self.add_file(&absolute, Path::new(path))
        }
    }

    fn add_file(&mut self, absolute: &Path, name: &Path) -> Result<()> {
        let bytes =
            fs::read(absolute).with_context(|| format!("reading the input {}", name.display()))?;
        self.add(name.to_string_lossy().as_bytes());
        self.add(&bytes);
        Ok(())
    }
}

/// The stamp file of one product.
#[derive(Debug)]
pub(crate) struct Stamp {
    path: PathBuf,
}

impl Stamp {
    /// The stamp called `name` in the folder `folder`.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self { path: folder.join(name) }
    }

    /// Whether the product was last made from inputs of this fingerprint.
    pub(crate) fn is(&self, fingerprint: Fingerprint) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|text| text == Self::text(fingerprint))
    }

    /// Says that the product has now been made.
    ///
    /// # Errors
    ///
    /// When the stamp can't be written.
    pub(crate) fn set(&self, fingerprint: Fingerprint) -> Result<()> {
        let folder = self.path.parent().expect("a stamp lies in a folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&self.path, Self::text(fingerprint)))
            .with_context(|| format!("writing the stamp {}", self.path.display()))
    }

    fn text(fingerprint: Fingerprint) -> String {
        format!("{:016x}\n", fingerprint.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::tree;

    fn fingerprint(root: &Path) -> Fingerprint {
        let mut fingerprint = Fingerprint::new();
        fingerprint.add_path(root, "src").expect("readable");
        fingerprint
    }

    #[test]
    fn a_fingerprint_changes_with_content_and_with_names() {
        let base = fingerprint(tree(&[("src/a", "1"), ("src/b", "2")]).path());
        assert_eq!(base, fingerprint(tree(&[("src/b", "2"), ("src/a", "1")]).path()));
        assert_ne!(base, fingerprint(tree(&[("src/a", "1"), ("src/b", "3")]).path()));
        assert_ne!(base, fingerprint(tree(&[("src/a", "1"), ("src/c", "2")]).path()));
        assert_ne!(base, fingerprint(tree(&[("src/a", "1")]).path()));
    }

    #[test]
    fn a_missing_input_is_an_error_that_names_it() {
        let folder = tree(&[]);
        let error = Fingerprint::new().add_path(folder.path(), "no/such").expect_err("missing");
        assert!(format!("{error:#}").contains("no/such"), "{error:#}");
    }

    #[test]
    fn a_stamp_holds_for_its_fingerprint_only() {
        let folder = tree(&[]);
        let stamp = Stamp::new(&folder.path().join("stamps"), "wheel");
        let mut one = Fingerprint::new();
        one.add(b"one");
        assert!(!stamp.is(one));
        stamp.set(one).expect("writable");
        assert!(stamp.is(one));
        assert!(!stamp.is(Fingerprint::new()));
    }
}
