//! The repository's slice of WordNet. Invariant: every association is between two of its concepts.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Concepts, by their position in the file, and the associations between them.
#[derive(Debug, Clone)]
pub struct WordNet {
    /// The concepts' ids.
    pub ids: Vec<String>,
    /// Their texts: `words, separated: gloss`.
    pub texts: Vec<String>,
    /// The names of the association types, in order of first use.
    pub types: Vec<String>,
    /// Source, target and type, as positions; distinct, in order.
    pub associations: Vec<(u32, u32, u32)>,
}

impl WordNet {
    /// Reads the first `limit` concepts of the slice, and the associations between these.
    ///
    /// # Errors
    ///
    /// When the slice is missing, or is not as its README says.
    pub fn slice(limit: usize) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/wordnet-slice");
        let read = |name: &str| {
            fs::read_to_string(folder.join(name)).with_context(|| format!("reading {name}"))
        };
        Self::parse(&read("concepts.jsonl")?, &read("associations.tsv")?, limit)
    }

    fn parse(concepts: &str, associations: &str, limit: usize) -> Result<Self> {
        let (mut ids, mut texts) = (Vec::new(), Vec::new());
        for line in concepts.lines().take(limit) {
            let concept: Value = serde_json::from_str(line).context("a concept")?;
            let words = concept["words"].as_array().context("a concept without words")?;
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            let gloss = concept["gloss"].as_str().context("a concept without a gloss")?;
            ids.push(concept["id"].as_str().context("a concept without an id")?.to_owned());
            texts.push(format!("{}: {gloss}", words.join(", ")));
        }
        let positions: HashMap<&str, u32> = ids.iter().map(String::as_str).zip(0..).collect();
        let (mut types, mut edges) = (Vec::<String>::new(), Vec::new());
        for line in associations.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let &[source, target, name] = fields.as_slice() else {
                anyhow::bail!("an association has three fields: {line:?}");
            };
            let ends = (positions.get(source), positions.get(target));
            let (Some(&source), Some(&target)) = ends else { continue };
            let type_id = types.iter().position(|known| known == name).unwrap_or_else(|| {
                types.push(name.to_owned());
                types.len() - 1
            });
            edges.push((source, target, type_id as u32));
        }
        edges.sort_unstable();
        edges.dedup();
        Ok(Self { ids, texts, types, associations: edges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn associations_to_concepts_beyond_the_limit_are_left_out() {
        let concept =
            |id| format!("{{\"id\": \"{id}\", \"words\": [\"x\", \"y\"], \"gloss\": \"g\"}}\n");
        let concepts: String = ["a", "b", "c"].map(concept).concat();
        let associations = "a\tb\tis\nb\ta\thas\na\tb\tis\na\tc\tis\n";
        let read = WordNet::parse(&concepts, associations, 2).expect("it is well-formed");
        assert_eq!(read.ids, ["a", "b"]);
        assert_eq!(read.texts[0], "x, y: g");
        assert_eq!(read.types, ["is", "has"]);
        assert_eq!(read.associations, [(0, 1, 0), (1, 0, 1)]);
    }

    #[test]
    fn a_line_of_other_fields_is_refused() {
        assert!(WordNet::parse("", "a\tb\n", 9).is_err());
    }

    #[test]
    fn the_slice_is_there() {
        let slice = WordNet::slice(usize::MAX).expect("the repository carries it");
        assert!(slice.ids.len() > 1000 && slice.associations.len() > slice.ids.len());
    }
}
