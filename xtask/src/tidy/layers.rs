//! The arrows between the Python layers: `sutra_storage._native <- sutra_storage <-
//! sutra_core.{graph, storage, nlp, learning, reasoning, hybrid} <-
//! sutra_core.{cli, explorer, mcp, demo}`.
//!
//! Imports are found by line: those in functions and under `TYPE_CHECKING` count, those in strings
//! (examples in docstrings) don't.

use std::path::Path;

use anyhow::Result;

use crate::files;

/// Where the packages lie.
const PACKAGES: &str = "py-bindings/python";

/// The modules of `sutra_core` that know a terminal or a network.
const OUTERMOST: [&str; 4] = ["cli", "explorer", "mcp", "demo"];

/// Findings about every `.py` and `.pyi` file of the packages.
///
/// # Errors
///
/// When a file can't be read.
pub(super) fn upward_imports(root: &Path) -> Result<Vec<String>> {
    let packages = root.join(PACKAGES);
    if !packages.is_dir() {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for path in files::with_extension(&packages, &["py", "pyi"])? {
        let (module, is_package) = module_of(&path);
        let Some(own) = layer(&module) else { continue };
        let text = files::read(&packages, &path)?;
        for (line, target) in imports(&text, &module, is_package) {
            if layer(&target).is_some_and(|imported| imported > own) {
                findings.push(format!(
                    "{PACKAGES}/{}:{line}: {module} must not import {target}, which is above it",
                    path.display()
                ));
            }
        }
    }
    Ok(findings)
}

/// How high a module stands; `None` for what is not ours.
fn layer(module: &str) -> Option<u8> {
    let mut parts = module.split('.');
    match (parts.next()?, parts.next()) {
        ("sutra_storage", Some("_native")) => Some(0),
        ("sutra_storage", _) => Some(1),
        ("sutra_core", Some(name)) if OUTERMOST.contains(&name) => Some(3),
        ("sutra_core", _) => Some(2),
        _ => None,
    }
}

/// The dotted name of the module in a file, and whether it is a package.
fn module_of(path: &Path) -> (String, bool) {
    let stem = path.with_extension("");
    let mut parts: Vec<_> = stem.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let is_package = parts.last().is_some_and(|last| last == "__init__");
    if is_package {
        parts.pop();
    }
    (parts.join("."), is_package)
}

/// The modules that `text` imports, absolute, each with the number of its line.
fn imports(text: &str, module: &str, is_package: bool) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = code_lines(text).into_iter();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if let Some(names) = line.strip_prefix("import ") {
            for name in names.split(',') {
                let name = name.split_whitespace().next().unwrap_or_default();
                found.push((number, name.to_owned()));
            }
        } else if let Some((base, names)) =
            line.strip_prefix("from ").and_then(|rest| rest.split_once(" import "))
        {
            let base = absolute(base.trim(), module, is_package);
            let mut names = names.split('#').next().unwrap_or_default().to_owned();
            if names.trim_start().starts_with('(') {
                while !names.contains(')') {
                    let Some((_, more)) = lines.next() else { break };
                    names.push(' ');
                    names.push_str(more.split('#').next().unwrap_or_default());
                }
            }
            for name in names.split([',', '(', ')']) {
                if let Some(name) = name.split_whitespace().next() {
                    found.push((number, format!("{base}.{name}")));
                }
            }
        }
    }
    found
}

/// `base` as written after `from`, its leading dots resolved.
fn absolute(base: &str, module: &str, is_package: bool) -> String {
    let name = base.trim_start_matches('.');
    let dots = base.len() - name.len();
    if dots == 0 {
        return name.to_owned();
    }
    let mut parts: Vec<&str> = module.split('.').collect();
    let up = if is_package { dots - 1 } else { dots };
    parts.truncate(parts.len().saturating_sub(up));
    if !name.is_empty() {
        parts.push(name);
    }
    parts.join(".")
}

/// The lines that don't lie in a triple-quoted string, with their numbers from 1.
fn code_lines(text: &str) -> Vec<(usize, &str)> {
    let mut open: Option<&str> = None;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if open.is_none() {
            lines.push((index + 1, line));
        }
        let mut rest = line;
        loop {
            let next = match open {
                Some(quote) => rest.find(quote).map(|at| (at, quote)),
                None => ["\"\"\"", "'''"]
                    .into_iter()
                    .filter_map(|quote| rest.find(quote).map(|at| (at, quote)))
                    .min(),
            };
            let Some((at, quote)) = next else { break };
            open = if open.is_none() { Some(quote) } else { None };
            rest = &rest[at + quote.len()..];
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::tree;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let path = format!("{PACKAGES}/{path}");
        upward_imports(tree(&[(&path, text)]).path()).expect("readable")
    }

    #[test]
    fn downward_imports_pass() {
        for (path, text) in [
            ("sutra_storage/__init__.py", "from sutra_storage._native import GraphStore\n"),
            (
                "sutra_core/reasoning/engine.py",
                "import sutra_storage, json\nfrom ..graph import x\n",
            ),
            (
                "sutra_core/cli.py",
                "from sutra_core import reasoning\nfrom sutra_core import demo\n",
            ),
        ] {
            assert_eq!(findings(path, text), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn the_store_must_not_import_the_application() {
        assert_eq!(
            findings("sutra_storage/errors.py", "import os\nimport sutra_core.graph as g\n"),
            ["py-bindings/python/sutra_storage/errors.py:2: sutra_storage.errors must not import \
                 sutra_core.graph, which is above it"]
        );
    }

    #[test]
    fn reasoning_must_not_import_the_command_line_however_it_is_written() {
        for text in [
            "from sutra_core.cli import main\n",
            "from sutra_core import cli\n",
            "from sutra_core import (\n    graph,  # fine\n    cli,\n)\n",
            "from .. import cli\n",
            "from ..cli import main\n",
            "def f():\n    import sutra_core.cli\n",
        ] {
            let found = findings("sutra_core/reasoning/engine.py", text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains("must not import sutra_core.cli"), "{found:?}");
        }
    }

    #[test]
    fn relative_imports_of_a_package_start_at_the_package() {
        assert_eq!(findings("sutra_core/__init__.py", "from .cli import main\n").len(), 1);
        assert_eq!(findings("sutra_core/graph/__init__.py", "from .cli import main\n").len(), 0);
    }

    #[test]
    fn examples_in_docstrings_are_no_imports() {
        let text =
            "\"\"\"A store.\n\nfrom sutra_core.cli import main\n\"\"\"\nx = '''a'''\nimport os\n";
        assert_eq!(findings("sutra_storage/a.py", text), Vec::<String>::new());
    }

    #[test]
    fn the_extension_module_imports_nothing_above() {
        assert_eq!(findings("sutra_storage/_native.pyi", "import sutra_storage.errors\n").len(), 1);
    }
}
