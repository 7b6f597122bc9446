//! `cargo xtask setup`: from a bare clone to an installed wheel.
//!
//! Order: `.venv`, the crates, the embedder's model, the wheel, its installation. Each has a stamp in
//! `.venv/stamps`, so that a second run does nothing and needs no network, and a new `.venv` starts
//! over.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process;
use crate::python;
use crate::stamp::{Fingerprint, Stamp};
use crate::workspace::Workspace;

/// What the model is made from.
const MODEL_INPUTS: [&str; 1] = ["language/distill"];

/// What the wheel is made from, besides the model.
const WHEEL_INPUTS: [&str; 18] = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "vector-kernel/Cargo.toml",
    "vector-kernel/src",
    "graph-index/Cargo.toml",
    "graph-index/src",
    "text-index/Cargo.toml",
    "text-index/src",
    "language/Cargo.toml",
    "language/src",
    "storage-core/Cargo.toml",
    "storage-core/src",
    "py-bindings/Cargo.toml",
    "py-bindings/src",
    "py-bindings/python",
    "py-bindings/pyproject.toml",
];

/// The model's path in the wheel.
const MODEL_IN_WHEEL: &str = "sutra_core/model/static-minilm.bin";

/// Makes whatever is missing or out of date.
///
/// # Errors
///
/// When a part can't be made; the message says which.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    python::make_venv(workspace).context("making .venv")?;
    fetch_crates(workspace).context("fetching the crates")?;
    make_model(workspace).context("making the embedder's model")?;
    make_wheel(workspace).context("making the wheel")?;
    println!("setup: the wheel is installed in .venv");
    Ok(())
}

/// Brings every crate of Cargo.lock here, so that later commands work without a network.
fn fetch_crates(workspace: &Workspace) -> Result<()> {
    let mut fingerprint = Fingerprint::new();
    fingerprint.add_path(workspace.root(), "Cargo.lock")?;
    let stamp = stamp(workspace, "crates");
    if !stamp.is(fingerprint) {
        process::run(process::cargo(workspace).args(["fetch", "--locked"]))?;
        stamp.set(fingerprint)?;
    }
    Ok(())
}

/// Distils the model into language/model.
fn make_model(workspace: &Workspace) -> Result<()> {
    let mut fingerprint = Fingerprint::new();
    for input in MODEL_INPUTS {
        fingerprint.add_path(workspace.root(), input)?;
    }
    let stamp = stamp(workspace, "model");
    let model = workspace.model();
    if stamp.is(fingerprint) && model.is_file() {
        return Ok(());
    }
    let cache = workspace.cache();
    for folder in [cache.as_path(), model.parent().expect("the model lies in a folder")] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut distill = process::python(workspace);
    distill.arg("language/distill/distill.py");
    distill.arg("--cache").arg(cache).arg("--output").arg(&model);
    process::run(&mut distill)?;
    if !model.is_file() {
        bail!("language/distill/distill.py succeeded but wrote no {}", model.display());
    }
    stamp.set(fingerprint)
}

/// Builds the release wheel with the model inside, and installs it.
fn make_wheel(workspace: &Workspace) -> Result<()> {
    let carried = workspace.path("py-bindings/python").join(MODEL_IN_WHEEL);
    copy_if_different(&workspace.model(), &carried)?;
    let mut fingerprint = Fingerprint::new();
    for input in WHEEL_INPUTS {
        fingerprint.add_path(workspace.root(), input)?;
    }
    fingerprint.add(&fs::read(&carried).with_context(|| format!("reading {}", carried.display()))?);
    let stamp = stamp(workspace, "wheel");
    let folder = workspace.target("wheels");
    // The wheel itself is wanted by the peers' environment, and goes with `cargo clean`.
    if stamp.is(fingerprint) && the_wheel_in(&folder).is_ok() {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    let mut build = process::command(workspace, workspace.venv_bin("maturin"));
    build.args(["build", "--release", "--locked", "--manifest-path", "py-bindings/Cargo.toml"]);
    build.arg("--interpreter").arg(workspace.venv_bin("python")).arg("--out").arg(&folder);
    process::run(&mut build)?;
    python::install_wheel(workspace, &workspace.venv(), &the_wheel_in(&folder)?)?;
    check_installation(workspace)?;
    stamp.set(fingerprint)
}

/// Looks at what a user would get: dependencies met, model inside.
fn check_installation(workspace: &Workspace) -> Result<()> {
    let mut check = process::python(workspace);
    process::run(check.args(["-m", "pip", "check", "--disable-pip-version-check"]))
        .context("a package that the wheel needs is not in requirements-dev.txt")?;
    let script = "import sys, sutra_core, sutra_storage, pathlib\n\
                  for folder in sutra_core.__path__:\n    \
                  print(pathlib.Path(folder).parent / sys.argv[1])";
    // -P: the installed packages are looked at, whatever lies in the working directory.
    let printed =
        process::output(process::python(workspace).args(["-P", "-c", script, MODEL_IN_WHEEL]))
            .context("the installed wheel can't be imported")?;
    if !printed.lines().any(|path| Path::new(path).is_file()) {
        bail!("the wheel carries no {MODEL_IN_WHEEL}: see `include` in py-bindings/pyproject.toml");
    }
    Ok(())
}

/// The wheel that [`run`] has built.
///
/// # Errors
///
/// When it is not there.
pub(crate) fn wheel(workspace: &Workspace) -> Result<PathBuf> {
    the_wheel_in(&workspace.target("wheels"))
}

/// The one wheel that was built into `folder`.
fn the_wheel_in(folder: &Path) -> Result<PathBuf> {
    let mut wheels = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            wheels.push(path);
        }
    }
    match wheels.as_slice() {
        [wheel] => Ok(wheel.clone()),
        _ => bail!("{} wheels in {}, where maturin makes one", wheels.len(), folder.display()),
    }
}

/// Copies `from` to `to`, unless `to` holds the same bytes already.
fn copy_if_different(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    if fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    fs::create_dir_all(to.parent().expect("a file lies in a folder"))
        .and_then(|()| fs::write(to, bytes))
        .with_context(|| format!("writing {}", to.display()))
}

fn stamp(workspace: &Workspace, name: &str) -> Stamp {
    Stamp::new(&workspace.venv().join("stamps"), name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::tree;

    #[test]
    fn exactly_one_wheel_is_wanted() {
        let one = tree(&[("a-1.whl", ""), ("notes.txt", "")]);
        assert!(the_wheel_in(one.path()).expect("one wheel").ends_with("a-1.whl"));
        assert!(the_wheel_in(tree(&[("notes.txt", "")]).path()).is_err());
        assert!(the_wheel_in(tree(&[("a.whl", ""), ("b.whl", "")]).path()).is_err());
    }

    #[test]
    fn copy_makes_folders_and_leaves_equal_files_alone() {
        let folder = tree(&[("a", "model")]);
        let (from, to) = (folder.path().join("a"), folder.path().join("b/c"));
        copy_if_different(&from, &to).expect("writable");
        let written = fs::metadata(&to).and_then(|data| data.modified()).expect("written");
        copy_if_different(&from, &to).expect("writable");
        assert_eq!(fs::metadata(&to).and_then(|data| data.modified()).expect("there"), written);
        fs::write(&from, "another").expect("writable");
        copy_if_different(&from, &to).expect("writable");
        assert_eq!(fs::read_to_string(&to).expect("readable"), "another");
    }
}
