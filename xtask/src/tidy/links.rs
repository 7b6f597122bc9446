//! Links in Markdown files: those that point into the checkout must arrive, anchors included.
//!
//! A link that leaves the checkout is dead in every clone but this one, so it is a finding too.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::files;

/// Findings about every Markdown file.
///
/// # Errors
///
/// When a file can't be read.
pub(super) fn dead_links(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in files::with_extension(root, &["md"])? {
        for (line, target) in links(&files::read(root, &path)?) {
            if let Some(reason) = reason_dead(root, &path, &target)? {
                findings.push(format!("{}:{line}: the link {target} {reason}", path.display()));
            }
        }
    }
    Ok(findings)
}

/// Why the link `target` in the file `path` does not arrive; `None` where it does, or leads outside.
fn reason_dead(root: &Path, path: &Path, target: &str) -> Result<Option<&'static str>> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(None);
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let resolved = if file.is_empty() {
        path.to_path_buf()
    } else if let Some(from_root) = file.strip_prefix('/') {
        PathBuf::from(from_root)
    } else {
        let folder = path.parent().expect("a file has a parent");
        let Some(resolved) = normal(&folder.join(file.replace("%20", " "))) else {
            return Ok(Some("leaves the checkout"));
        };
        resolved
    };
    if !root.join(&resolved).exists() {
        return Ok(Some("is dead"));
    }
    let is_markdown = resolved.extension().is_some_and(|found| found == "md");
    if !anchor.is_empty()
        && is_markdown
        && !anchors(&files::read(root, &resolved)?).contains(anchor)
    {
        return Ok(Some("names no heading of its file"));
    }
    Ok(None)
}

/// `path` without `.` and `..`; `None` where it climbs above its start.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            Component::Normal(part) => out.push(part),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(out)
}

/// The targets of `[text](target)` and `[label]: target`, with their line numbers.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose_lines(text) {
        let line = without_code_spans(line);
        let mut rest = line.as_str();
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let end = rest.find(')').unwrap_or(rest.len());
            // A title may follow the target: [text](target "title").
            if let Some(target) = rest[..end].split_whitespace().next() {
                found.push((number, target.trim_matches(['<', '>']).to_owned()));
            }
        }
        if let Some((label, target)) = line.split_once("]: ")
            && label.starts_with('[')
            && !label.starts_with("[^")
            && let Some(target) = target.split_whitespace().next()
        {
            found.push((number, target.trim_matches(['<', '>']).to_owned()));
        }
    }
    found
}

/// The anchors of a file's headings, by the rule of the common forges.
fn anchors(text: &str) -> Anchors {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut names = Vec::new();
    for (_, line) in prose_lines(text) {
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        if !(1..=6).contains(&level) || !heading.starts_with(' ') {
            continue;
        }
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|symbol| match symbol {
                ' ' => Some('-'),
                '-' | '_' => Some(symbol),
                _ => symbol.is_alphanumeric().then_some(symbol),
            })
            .collect();
        let count = seen.entry(slug.clone()).or_default();
        names.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    Anchors(names)
}

/// The names that `#name` may use.
struct Anchors(Vec<String>);

impl Anchors {
    fn contains(&self, anchor: &str) -> bool {
        self.0.iter().any(|name| name == anchor)
    }
}

/// The lines outside fenced code, with their numbers from 1.
fn prose_lines(text: &str) -> Vec<(usize, &str)> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let opening = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, opening) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => lines.push((index + 1, line)),
        }
    }
    lines
}

/// `line` with what stands between backquotes taken out.
fn without_code_spans(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::tree;

    fn findings(readme: &str) -> Vec<String> {
        let folder = tree(&[
            ("docs/README.md", readme),
            ("docs/guide.md", "# Guide\n\n## First steps: now!\n\n## Twice\n## Twice\n"),
            ("src/lib.rs", ""),
        ]);
        dead_links(folder.path()).expect("readable")
    }

    #[test]
    fn links_that_arrive_pass() {
        let readme = "# Top\n[a](guide.md) [b](../src/lib.rs#L3) [c](#top) [d](guide.md#first-steps-now)\n\
             [e](guide.md#twice-1) ![f](../src) [g](https://example.org/x) [h](</docs/guide.md> \"t\")\n\
             [label]: guide.md\n[^note]: nothing.md is prose\n";
        assert_eq!(findings(readme), Vec::<String>::new());
    }

    #[test]
    fn a_missing_file_is_found_with_its_line() {
        assert_eq!(
            findings("# Top\n\nSee [a](missing.md) and [b](guide.md).\n"),
            ["docs/README.md:3: the link missing.md is dead"]
        );
        assert_eq!(
            findings("[label]: missing.md\n"),
            ["docs/README.md:1: the link missing.md is dead"]
        );
    }

    #[test]
    fn a_missing_heading_is_found() {
        assert_eq!(
            findings("[a](guide.md#second) [b](#nowhere)\n"),
            [
                "docs/README.md:1: the link guide.md#second names no heading of its file",
                "docs/README.md:1: the link #nowhere names no heading of its file",
            ]
        );
    }

    #[test]
    fn a_link_out_of_the_checkout_is_found() {
        assert_eq!(
            findings("[a](../../elsewhere.md)\n"),
            ["docs/README.md:1: the link ../../elsewhere.md leaves the checkout"]
        );
    }

    #[test]
    fn code_is_no_prose() {
        assert_eq!(
            findings("```rust\nlet x = a[0](missing.md);\n```\n`[x](missing.md)` [y](guide.md)\n"),
            Vec::<String>::new()
        );
    }
}
