//! `cargo xtask slice`: makes the WordNet slice that the repository carries, from the full data set.
//!
//! The rule of what belongs to it is in examples/wordnet-slice/make.py, beside the result.

use anyhow::{Context as _, Result};

use crate::cli::SliceArguments;
use crate::process;
use crate::python;
use crate::workspace::Workspace;

/// Makes the slice, or compares it with what would be made.
///
/// # Errors
///
/// When there is no full data set, or the slice differs under `--check`.
pub(crate) fn run(workspace: &Workspace, arguments: &SliceArguments) -> Result<()> {
    let full = workspace.full_data().context("the full data set is needed: cargo xtask data")?;
    python::make_venv(workspace)?;
    let mut make = process::python(workspace);
    make.arg("examples/wordnet-slice/make.py").arg("--data").arg(full);
    if arguments.check {
        make.arg("--check");
    }
    process::run(&mut make)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::fs;

    use serde_json::Value;

    use super::*;
    use crate::files;

    /// Source, target, type.
    type Association = (String, String, String);

    /// The slice's concepts by id, and its associations.
    fn load() -> (HashMap<String, Value>, Vec<Association>) {
        let folder = Workspace::find().expect("the tests run in the checkout").slice();
        let text = fs::read_to_string(folder.join("concepts.jsonl")).expect("the slice is there");
        let mut concepts = HashMap::new();
        for line in text.lines() {
            let concept: Value = serde_json::from_str(line).expect("a line is JSON");
            let id = concept["id"].as_str().expect("a concept has an id").to_owned();
            assert!(concepts.insert(id, concept).is_none(), "an id is there once");
        }
        let text = fs::read_to_string(folder.join("associations.tsv")).expect("the slice is there");
        let associations = text
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                let [source, target, kind] = fields[..] else { panic!("three fields: {line}") };
                (source.to_owned(), target.to_owned(), kind.to_owned())
            })
            .collect();
        (concepts, associations)
    }

    #[test]
    fn the_slice_is_small_and_carries_its_licence() {
        let folder = Workspace::find().expect("the tests run in the checkout").slice();
        let files = files::walk(&folder).expect("readable");
        let bytes: u64 =
            files.iter().map(|file| fs::metadata(folder.join(file)).expect("readable").len()).sum();
        assert!(bytes <= 2_000_000, "{bytes} bytes");
        let licence = fs::read_to_string(folder.join("LICENSE")).expect("readable");
        assert!(licence.contains("Princeton University"));
    }

    #[test]
    fn the_slice_is_closed() {
        let (concepts, associations) = load();
        assert!((6_000..=8_000).contains(&concepts.len()), "{}", concepts.len());
        let distinct: HashSet<_> = associations.iter().collect();
        assert_eq!(distinct.len(), associations.len(), "an association is there once");
        for (source, target, kind) in &associations {
            assert!(concepts.contains_key(source), "{source} -{kind}-> {target}");
            assert!(concepts.contains_key(target), "{source} -{kind}-> {target}");
        }
        let climbing: HashSet<&str> = associations
            .iter()
            .filter(|(_, _, kind)| kind == "hypernym" || kind == "instance_hypernym")
            .map(|(source, _, _)| source.as_str())
            .collect();
        for id in concepts.keys().filter(|id| id.starts_with('n') && *id != "n00001740") {
            assert!(climbing.contains(id.as_str()), "{id} has no hypernym");
        }
    }

    #[test]
    fn the_slice_answers_the_demonstrations_questions() {
        let (concepts, associations) = load();
        let words = |id: &str| concepts[id]["words"][0].as_str().expect("a word").to_owned();
        assert_eq!(words("n02084071"), "dog");
        let mut above = vec!["n02084071".to_owned()];
        let mut reached = HashSet::new();
        while let Some(id) = above.pop() {
            for (source, target, kind) in &associations {
                if *source == id && kind == "hypernym" && reached.insert(target.clone()) {
                    above.push(target.clone());
                }
            }
        }
        assert!(reached.contains("n00015388"), "a dog is an animal");
        assert_eq!(words("n00015388"), "animal");
        let kinds: HashSet<&str> = associations.iter().map(|(_, _, kind)| kind.as_str()).collect();
        for kind in ["hypernym", "hyponym", "part_meronym", "member_holonym", "antonym", "cause"] {
            assert!(kinds.contains(kind), "{kind}");
        }
    }
}
