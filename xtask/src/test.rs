//! `cargo xtask test`: every lint and every test, all of them even if one fails, and a table at the end.
//!
//! Invariant: a step passes, or it counts as failed; none is left out because something is missing.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::cli::{CrashArguments, CrashPart, DemoArguments, FuzzArguments, TestArguments};
use crate::tools::{DENY, NEXTEST};
use crate::workspace::Workspace;
use crate::{bench, coverage, crash, demo, fuzz, loom, offline, process, readme, setup, tidy};

/// One line of the table.
struct Step {
    name: &'static str,
    /// Whether it is for `--coverage` only.
    coverage_only: bool,
    run: fn(&Workspace, &TestArguments) -> Result<()>,
}

const fn step(name: &'static str, run: fn(&Workspace, &TestArguments) -> Result<()>) -> Step {
    Step { name, coverage_only: false, run }
}

/// The steps, in order: the set-up, what is fast to fail, then what takes its time.
const STEPS: [Step; 22] = [
    step("setup", |workspace, _| setup::run(workspace)),
    step("fmt", |workspace, _| {
        cargo(workspace, &["fmt", "--all", "--check"])?;
        cargo(workspace, &["fmt", "--manifest-path", fuzz::MANIFEST, "--check"])?;
        cargo(workspace, &["fmt", "--manifest-path", bench::STORES, "--check"])
    }),
    step("tidy", |workspace, _| tidy::run(workspace)),
    step("deny", |workspace, _| {
        let mut deny = DENY.command(workspace)?;
        process::run(deny.args([
            "--workspace",
            "--locked",
            "check",
            "--hide-inclusion-graph",
            "licenses",
            "bans",
            "sources",
        ]))
    }),
    step("clippy", |workspace, _| {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-Dwarnings"];
        cargo(workspace, &arguments)
    }),
    step("ruff", |workspace, _| tool(workspace, "ruff", &["check", "."])),
    step("ruff-format", |workspace, _| tool(workspace, "ruff", &["format", "--check", "."])),
    step("mypy", |workspace, _| process::run(process::python(workspace).args(["-m", "mypy"]))),
    step("stubtest", |workspace, _| {
        let stubtest = ["-m", "mypy.stubtest", "--mypy-config-file", "pyproject.toml"];
        process::run(process::python(workspace).args(stubtest).arg("sutra_storage"))
    }),
    step("nextest", |workspace, _| {
        let mut nextest = NEXTEST.command(workspace)?;
        process::run(nextest.args(["run", "--workspace", "--locked", "--no-fail-fast"]))
    }),
    step("loom", |workspace, _| loom::run(workspace)),
    step("shuttle", |workspace, _| {
        let only = vec![CrashPart::Shuttle];
        crash::run(workspace, &CrashArguments { seed: None, count: None, long: false, only })
    }),
    step("fuzz", |workspace, _| {
        fuzz::run(workspace, &FuzzArguments { seconds: 10, only: Vec::new(), list: false })
    }),
    step("doctest", |workspace, _| cargo(workspace, &["test", "--doc", "--workspace", "--locked"])),
    step("examples", |workspace, _| run_examples(workspace)),
    step("benches", |workspace, _| {
        cargo(workspace, &["test", "--benches", "--package", "benches", "--locked"])
    }),
    step("doc", |workspace, _| {
        let mut doc = process::cargo(workspace);
        doc.args(["doc", "--workspace", "--no-deps", "--locked"]);
        process::run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))
    }),
    step("pytest", |workspace, arguments| {
        let mut pytest = process::python(workspace);
        pytest.args(["-P", "-m", "pytest"]);
        if arguments.coverage {
            pytest.args(coverage::pytest_arguments());
        }
        process::run(&mut pytest)
    }),
    step("readme", |workspace, _| readme::run(workspace)),
    step("demo", |workspace, _| demo::run(workspace, &DemoArguments { full: false })),
    step("offline", |workspace, _| offline::run(workspace)),
    Step {
        name: "coverage",
        coverage_only: true,
        run: |workspace, _| coverage::storage_core(workspace),
    },
];

/// How a step ended.
struct Outcome {
    name: &'static str,
    took: Duration,
    error: Option<String>,
}

/// Runs the steps and prints the table.
///
/// # Errors
///
/// When a step failed, or `--only` names none.
pub(crate) fn run(workspace: &Workspace, arguments: &TestArguments) -> Result<()> {
    let steps = chosen(arguments)?;
    if arguments.list {
        for step in steps {
            println!("{}", step.name);
        }
        return Ok(());
    }
    let outcomes: Vec<Outcome> = steps
        .into_iter()
        .map(|step| {
            println!("\n=== {} ===", step.name);
            let started = Instant::now();
            let result = (step.run)(workspace, arguments);
            let error = result.err().map(|error| format!("{error:#}"));
            if let Some(error) = &error {
                println!("{}: FAILED: {error}", step.name);
            }
            Outcome { name: step.name, took: started.elapsed(), error }
        })
        .collect();
    let failed = outcomes.iter().filter(|outcome| outcome.error.is_some()).count();
    println!("\n{}", table(&outcomes));
    println!("steps: {} passed, {failed} failed", outcomes.len() - failed);
    if failed > 0 {
        bail!("{failed} of {} steps failed", outcomes.len());
    }
    Ok(())
}

/// The steps that the arguments ask for.
fn chosen(arguments: &TestArguments) -> Result<Vec<&'static Step>> {
    for name in &arguments.only {
        if !STEPS.iter().any(|step| step.name == name) {
            let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
            bail!("there is no step {name}; there are {}", names.join(", "));
        }
    }
    Ok(STEPS
        .iter()
        .filter(|step| match arguments.only.as_slice() {
            [] => arguments.coverage || arguments.list || !step.coverage_only,
            only => only.iter().any(|name| name == step.name),
        })
        .collect())
}

/// The outcomes as aligned lines: name, result, seconds, the first line of the error.
fn table(outcomes: &[Outcome]) -> String {
    let mut lines = vec![format!("{:<12} {:<6} {:>8}", "step", "result", "seconds")];
    for outcome in outcomes {
        let (result, reason) = match &outcome.error {
            None => ("ok", ""),
            Some(error) => ("FAILED", error.lines().next().unwrap_or_default()),
        };
        let line = format!(
            "{:<12} {result:<6} {:>8.1}  {reason}",
            outcome.name,
            outcome.took.as_secs_f64()
        );
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    process::run(process::cargo(workspace).args(arguments))
}

/// Runs an executable of the virtual environment.
fn tool(workspace: &Workspace, name: &str, arguments: &[&str]) -> Result<()> {
    process::run(process::command(workspace, workspace.venv_bin(name)).args(arguments))
}

/// Runs every example of every crate.
fn run_examples(workspace: &Workspace) -> Result<()> {
    let metadata = process::output(process::cargo(workspace).args([
        "metadata",
        "--no-deps",
        "--locked",
        "--format-version",
        "1",
    ]))?;
    let examples = examples(&serde_json::from_str(&metadata)?);
    if examples.is_empty() {
        bail!("no crate has an example");
    }
    let mut failures = Vec::new();
    for (package, example) in examples {
        let mut command = process::cargo(workspace);
        command.args(["run", "--quiet", "--locked", "--package", &package, "--example", &example]);
        if let Err(error) = process::run(&mut command) {
            println!("{error:#}");
            failures.push(format!("{package}/{example}"));
        }
    }
    if !failures.is_empty() {
        bail!("failing examples: {}", failures.join(", "));
    }
    Ok(())
}

/// The examples that `cargo metadata` names, as (package, example).
pub(crate) fn examples(metadata: &Value) -> Vec<(String, String)> {
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for package in list(&metadata["packages"]) {
        for target in list(&package["targets"]) {
            if list(&target["kind"]).iter().any(|kind| kind == "example") {
                found.push((name(&package), name(&target)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(arguments: &TestArguments) -> Vec<&'static str> {
        chosen(arguments).expect("known steps").iter().map(|step| step.name).collect()
    }

    #[test]
    fn coverage_is_measured_only_when_asked() {
        let plain = TestArguments { coverage: false, only: vec![], list: false };
        assert!(!names(&plain).contains(&"coverage"));
        let asked = TestArguments { coverage: true, only: vec![], list: false };
        assert_eq!(names(&asked).len(), STEPS.len());
    }

    #[test]
    fn only_takes_the_named_steps_and_refuses_others() {
        let only = |name: &str| TestArguments {
            coverage: false,
            only: vec![name.to_owned()],
            list: false,
        };
        assert_eq!(names(&only("mypy")), ["mypy"]);
        assert!(chosen(&only("mypi")).is_err());
    }

    #[test]
    fn the_table_shows_each_step_with_the_first_line_of_its_error() {
        let outcomes = [
            Outcome { name: "fmt", took: Duration::from_millis(1250), error: None },
            Outcome {
                name: "deny",
                took: Duration::from_secs(70),
                error: Some("not allowed\nmore".to_owned()),
            },
        ];
        let expected = "step         result  seconds\n\
                        fmt          ok          1.2\n\
                        deny         FAILED     70.0  not allowed";
        assert_eq!(table(&outcomes), expected);
    }

    #[test]
    fn examples_are_found_in_metadata() {
        let metadata = json!({"packages": [
            {"name": "a", "targets": [
                {"name": "a", "kind": ["lib"]},
                {"name": "search", "kind": ["example"]},
            ]},
            {"name": "b", "targets": []},
        ]});
        assert_eq!(examples(&metadata), [("a".to_owned(), "search".to_owned())]);
    }
}
