//! The arrows between crates: `py-bindings -> storage-core -> {vector-kernel, graph-index,
//! text-index}` and `py-bindings -> language`.
//!
//! Development dependencies count too: an index crate whose tests need the store is not useful alone.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Each crate, and the crates of the workspace that it may name.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("vector-kernel", &[]),
    ("graph-index", &[]),
    ("text-index", &[]),
    ("language", &[]),
    ("storage-core", &["vector-kernel", "graph-index", "text-index"]),
    ("py-bindings", &["storage-core", "vector-kernel", "graph-index", "text-index", "language"]),
    ("benches", &["storage-core", "vector-kernel", "graph-index", "text-index", "language"]),
    ("xtask", &[]),
];

/// Findings about what `cargo metadata --no-deps` printed.
///
/// # Errors
///
/// When `metadata` has another shape than cargo's format version 1.
pub(super) fn upward_arrows(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let mut names = Vec::new();
    for package in packages {
        names.push(package["name"].as_str().context("a package without a name")?);
    }
    let mut findings = Vec::new();
    for (package, name) in packages.iter().zip(&names) {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            findings.push(format!("{name}/Cargo.toml: no layer is known for the crate {name}"));
            continue;
        };
        let dependencies =
            package["dependencies"].as_array().context("a package without dependencies")?;
        for dependency in dependencies {
            let target = dependency["name"].as_str().context("a dependency without a name")?;
            if names.contains(&target) && target != *name && !allowed.contains(&target) {
                let kind = dependency["kind"].as_str().unwrap_or("normal");
                findings.push(format!(
                    "{name}/Cargo.toml: {name} must not depend on {target} ({kind} dependency)"
                ));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(arrows: &[(&str, &str, Value)]) -> Value {
        let packages: Vec<Value> = ALLOWED
            .iter()
            .map(|(name, _)| {
                let dependencies: Vec<Value> = arrows
                    .iter()
                    .filter(|(from, _, _)| from == name)
                    .map(|(_, to, kind)| json!({"name": to, "kind": kind}))
                    .collect();
                json!({"name": name, "dependencies": dependencies})
            })
            .collect();
        json!({ "packages": packages })
    }

    #[test]
    fn downward_arrows_and_foreign_crates_pass() {
        let metadata = metadata(&[
            ("py-bindings", "storage-core", Value::Null),
            ("py-bindings", "language", Value::Null),
            ("storage-core", "graph-index", Value::Null),
            ("graph-index", "petgraph", Value::Null),
            ("benches", "storage-core", json!("dev")),
        ]);
        assert_eq!(upward_arrows(&metadata).expect("well-formed"), Vec::<String>::new());
    }

    #[test]
    fn an_upward_arrow_is_found() {
        let metadata = metadata(&[("graph-index", "storage-core", Value::Null)]);
        assert_eq!(
            upward_arrows(&metadata).expect("well-formed"),
            [
                "graph-index/Cargo.toml: graph-index must not depend on storage-core (normal dependency)"
            ]
        );
    }

    #[test]
    fn a_development_dependency_between_index_crates_is_found() {
        let metadata = metadata(&[("text-index", "vector-kernel", json!("dev"))]);
        assert_eq!(
            upward_arrows(&metadata).expect("well-formed"),
            ["text-index/Cargo.toml: text-index must not depend on vector-kernel (dev dependency)"]
        );
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        let metadata = json!({"packages": [{"name": "helper", "dependencies": []}]});
        assert_eq!(
            upward_arrows(&metadata).expect("well-formed"),
            ["helper/Cargo.toml: no layer is known for the crate helper"]
        );
    }

    #[test]
    fn metadata_of_another_shape_is_an_error() {
        assert!(upward_arrows(&json!({"packages": 3})).is_err());
    }
}
