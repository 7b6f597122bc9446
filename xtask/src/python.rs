//! Finding a Python that the project can use, and making virtual environments with it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process;
use crate::stamp::{Fingerprint, Stamp};
use crate::workspace::Workspace;

/// The oldest Python that the wheel (abi3) and its types support.
const MINIMUM: (u32, u32) = (3, 11);

/// Names to try, in this order: what the user calls `python3` first.
const NAMES: [&str; 6] =
    ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"];

/// Prints the version, after importing what `-m venv` needs (Debian ships both apart).
const PROBE: &str =
    "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.executable)";

/// Makes `.venv` with the pinned packages of requirements-dev.txt, unless it is there already.
///
/// # Errors
///
/// When no Python will do, or pip fails.
pub(crate) fn make_venv(workspace: &Workspace) -> Result<()> {
    let mut fingerprint = Fingerprint::new();
    fingerprint.add_path(workspace.root(), "requirements-dev.txt")?;
    fingerprint.add(workspace.root().as_os_str().as_encoded_bytes());
    let stamp = Stamp::new(&workspace.venv().join("stamps"), "requirements");
    if stamp.is(fingerprint) && works(workspace) {
        return Ok(());
    }
    if !works(workspace) {
        let python = find()?;
        println!("making .venv with {}", python.to_string_lossy());
        if workspace.venv().exists() {
            fs::remove_dir_all(workspace.venv()).context("removing the broken .venv")?;
        }
        let mut command = process::command(workspace, python);
        process::run(command.args(["-m", "venv", ".venv"]))?;
    }
    let mut install = process::python(workspace);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    // The pins are complete, so nothing is to be resolved: pip's resolver would look at versions that
    // came out since, and refuse an extra's (coverage[toml]) for want of a hash. The check after it
    // tells of a pin that is missing.
    install.args(["--no-deps", "--require-hashes", "--requirement", "requirements-dev.txt"]);
    process::run(&mut install)?;
    let mut check = process::python(workspace);
    process::run(check.args(["-m", "pip", "--disable-pip-version-check", "check"]))?;
    stamp.set(fingerprint)
}

/// The packages of the peers that are measured beside this project, from the root.
const PEERS: &str = "benches/python/peers/requirements.txt";

/// An executable of a virtual environment.
pub(crate) fn bin(venv: &Path, name: &str) -> PathBuf {
    if cfg!(windows) {
        venv.join("Scripts").join(format!("{name}.exe"))
    } else {
        venv.join("bin").join(name)
    }
}

/// Makes an environment with the wheels of the peers, unless it is there already.
///
/// A package without a wheel for this platform is left out, with a line that says so.
///
/// # Errors
///
/// When no Python will do, or no package can be installed at all.
pub(crate) fn make_peers_venv(workspace: &Workspace, venv: &Path) -> Result<()> {
    let mut fingerprint = Fingerprint::new();
    fingerprint.add_path(workspace.root(), PEERS)?;
    let stamp = Stamp::new(venv, "requirements-stamp");
    if stamp.is(fingerprint) && bin(venv, "python").exists() {
        return Ok(());
    }
    if venv.exists() {
        fs::remove_dir_all(venv).context("removing the outdated environment of the peers")?;
    }
    process::run(process::command(workspace, find()?).args(["-m", "venv"]).arg(venv))?;
    let install = || {
        let mut install = process::command(workspace, bin(venv, "python"));
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        // Wheels alone: to build a peer from source needs compilers, and gives other figures each time.
        // The pins are complete, so nothing is to be resolved.
        install.args(["--only-binary", ":all:", "--no-deps"]);
        install
    };
    if process::run(install().args(["--requirement", PEERS])).is_err() {
        let text = fs::read_to_string(workspace.path(PEERS)).context("reading the requirements")?;
        let mut installed = 0;
        for package in requirements(&text) {
            match process::run(install().arg(package)) {
                Ok(()) => installed += 1,
                Err(_) => println!("bench peers: no wheel of {package} here; it is left out"),
            }
        }
        if installed == 0 {
            bail!("none of the packages of {PEERS} can be installed");
        }
    }
    stamp.set(fingerprint)
}

/// Installs a wheel of this checkout into a virtual environment that has what it needs.
///
/// # Errors
///
/// When pip fails.
pub(crate) fn install_wheel(workspace: &Workspace, venv: &Path, wheel: &Path) -> Result<()> {
    let mut install = process::command(workspace, bin(venv, "python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]);
    process::run(install.args(["--no-deps", "--force-reinstall"]).arg(wheel))
}

/// The packages that a file of requirements names, each with its version.
fn requirements(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty())
}

/// Whether the Python in `.venv` starts, is new enough, and belongs to this checkout.
fn works(workspace: &Workspace) -> bool {
    workspace.venv_bin("python").exists()
        && process::output(process::python(workspace).args(["-c", PROBE]))
            .is_ok_and(|printed| new_enough(&printed))
}

/// A Python of the machine that is new enough and can make virtual environments.
fn find() -> Result<OsString> {
    let chosen = env::var_os("SUTRA_PYTHON");
    let names: Vec<OsString> = match &chosen {
        Some(python) => vec![python.clone()],
        None => NAMES.iter().map(OsString::from).collect(),
    };
    let mut seen = Vec::new();
    for name in names {
        match process::output(Command::new(&name).args(["-c", PROBE])) {
            Ok(printed) if new_enough(&printed) => return Ok(name),
            Ok(printed) => seen.push(format!("{} is {}", name.to_string_lossy(), printed.trim())),
            Err(error) => {
                let text = format!("{error:#}");
                if !text.starts_with("could not start") || chosen.is_some() {
                    let reason = text.lines().last().unwrap_or_default();
                    seen.push(format!("{}: {reason}", name.to_string_lossy()));
                }
            }
        }
    }
    let (major, minor) = MINIMUM;
    let seen = if seen.is_empty() { "none was found".to_owned() } else { seen.join("; ") };
    bail!(
        "this needs Python {major}.{minor} or newer with its venv and ensurepip modules ({seen}); \
         install it (on Debian or Ubuntu: apt-get install python3 python3-venv), or set SUTRA_PYTHON \
         to one"
    )
}

/// Whether the probe's line starts with a version of at least [`MINIMUM`].
fn new_enough(printed: &str) -> bool {
    let version = printed.split_whitespace().next().unwrap_or_default();
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= MINIMUM,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_lines_without_comments() {
        let text = "# Why.\n\nnumpy==2.4.6\nfaiss-cpu==1.15.1  # lists\n";
        assert_eq!(requirements(text).collect::<Vec<_>>(), ["numpy==2.4.6", "faiss-cpu==1.15.1"]);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(new_enough("3.11 /usr/bin/python3"));
        assert!(new_enough("3.14 x"));
        assert!(new_enough("4.0 x"));
        assert!(!new_enough("3.9 x"));
        assert!(!new_enough("2.7 x"));
        assert!(!new_enough(""));
        assert!(!new_enough("three.eleven"));
    }
}
