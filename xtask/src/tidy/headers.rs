//! What each source file must open with, and what none may hold.

use std::path::Path;

use anyhow::Result;

use crate::files;

/// Left-over markers of unfinished work. Spelt in halves so that this file is not a finding itself.
const MARKERS: [&str; 4] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
];

/// Rust files without a `//!` header, and Python files without a docstring.
///
/// # Errors
///
/// When a file can't be read.
pub(super) fn missing_headers(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in files::with_extension(root, &["rs", "py"])? {
        let text = files::read(root, &path)?;
        let (has_header, wanted) = if path.extension().is_some_and(|found| found == "rs") {
            (has_rust_header(&text), "a `//!` header")
        } else {
            (has_docstring(&text), "a docstring")
        };
        if !has_header {
            findings.push(format!("{}:1: the file does not open with {wanted}", path.display()));
        }
    }
    Ok(findings)
}

/// Markers of unfinished work in code and scripts.
///
/// # Errors
///
/// When a file can't be read.
pub(super) fn markers(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in files::with_extension(root, &["rs", "py", "pyi", "sh", "toml"])? {
        for (index, line) in files::read(root, &path)?.lines().enumerate() {
            for marker in MARKERS.iter().filter(|marker| line.contains(*marker)) {
                findings.push(format!(
                    "{}:{}: `{}` is left over",
                    path.display(),
                    index + 1,
                    marker.trim_end_matches('(')
                ));
            }
        }
    }
    Ok(findings)
}

fn has_rust_header(text: &str) -> bool {
    first_line(text, |line| line.starts_with("#!") && !line.starts_with("#![")).is_some_and(
        |line| line.strip_prefix("//!").is_some_and(|header| !header.trim().is_empty()),
    )
}

fn has_docstring(text: &str) -> bool {
    first_line(text, |line| line.starts_with('#'))
        .is_some_and(|line| line.starts_with("\"\"\"") || line.starts_with("r\"\"\""))
}

/// The first line that is neither blank nor to be skipped.
fn first_line(text: &str, skip: impl Fn(&str) -> bool) -> Option<&str> {
    text.lines().map(str::trim_end).find(|line| !line.is_empty() && !skip(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::tree;

    #[test]
    fn files_with_headers_pass() {
        let folder = tree(&[
            ("a.rs", "//! Owns a.\n\nfn a() {}\n"),
            (
                "b.py",
                "#!/usr/bin/env python3\n# SPDX-License-Identifier: MIT\n\"\"\"Owns b.\"\"\"\n",
            ),
            ("c.py", "r\"\"\"Owns c\\d.\"\"\"\n"),
            ("d.txt", "no header\n"),
        ]);
        assert_eq!(missing_headers(folder.path()).expect("readable"), Vec::<String>::new());
    }

    #[test]
    fn files_without_headers_are_found() {
        let folder = tree(&[
            ("a.rs", "fn a() {}\n//! Too late.\n"),
            ("b.rs", "//!\nfn b() {}\n"),
            ("c.py", "import os\n\"\"\"Too late.\"\"\"\n"),
            ("d.py", ""),
        ]);
        assert_eq!(
            missing_headers(folder.path()).expect("readable"),
            [
                "a.rs:1: the file does not open with a `//!` header",
                "b.rs:1: the file does not open with a `//!` header",
                "c.py:1: the file does not open with a docstring",
                "d.py:1: the file does not open with a docstring",
            ]
        );
    }

    #[test]
    fn markers_are_found_with_their_lines() {
        let unfinished = format!("//! A.\nfn a() {{\n    {})\n}}\n", MARKERS[0]);
        let noted = format!("\"\"\"B.\"\"\"\n# {} later\n", MARKERS[2]);
        let folder = tree(&[
            ("a.rs", &unfinished),
            ("b.py", &noted),
            ("c.md", MARKERS[2]),
            ("d.py", "x = 1"),
        ]);
        let found = markers(folder.path()).expect("readable");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("a.rs:3: "), "{found:?}");
        assert!(found[1].starts_with("b.py:2: "), "{found:?}");
    }
}
