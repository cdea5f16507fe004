//! The workspace's members: who may depend on whom, one lint table, one version table.

use std::collections::BTreeSet;

use super::Findings;
use super::manifest::{self, Dependency};
use super::repository::Repository;

/// Member and the members it may see. The core lies below everything, the leaves never see each other.
const MAY_SEE: [(&str, &[&str]); 11] = [
    ("core", &[]),
    ("fuzz", &["core"]),
    ("net", &["core"]),
    ("worker", &["core"]),
    ("native", &["core", "net"]),
    ("lambda", &["core", "net"]),
    ("sandbox", &["core"]),
    ("model", &["core"]),
    ("opencode", &["core", "native", "model", "sandbox"]),
    ("xtask", &[]),
    ("tests", &["core", "fuzz", "net", "native", "lambda", "sandbox", "model", "opencode"]),
];

/// The direction of dependencies.
pub fn point_one_way(repository: &Repository) -> Findings {
    each(repository, wrong_ways)
}

/// One lint table.
pub fn inherit_lints(repository: &Repository) -> Findings {
    each(repository, own_lints)
}

/// One version table, and the lock file that goes with it.
pub fn take_versions_from_the_table(repository: &Repository) -> Findings {
    let mut findings = each(repository, own_versions);
    if !repository.files().any(|file| file == "Cargo.lock") {
        findings.push("Cargo.lock is not committed".to_owned());
    }
    findings
}

/// A row that nobody uses only looks like a dependency.
pub fn use_every_row(repository: &Repository) -> Findings {
    let members: Vec<_> = repository.members().into_iter().map(|(_, manifest)| manifest).collect();
    idle_rows(&repository.text("Cargo.toml"), &members)
}

fn each(repository: &Repository, check: impl Fn(&str, &str) -> Findings) -> Findings {
    let members = repository.members();
    if members.is_empty() {
        return vec!["the workspace has no member".to_owned()];
    }
    members.iter().flat_map(|(name, manifest)| check(name, manifest)).collect()
}

fn wrong_ways(name: &str, manifest: &str) -> Findings {
    let Some((_, may_see)) = MAY_SEE.iter().find(|(member, _)| *member == name) else {
        return vec![format!("{name} has no row in MAY_SEE")];
    };
    let seen = manifest::dependencies(manifest).into_iter();
    let seen = seen.filter_map(|found| found.name.strip_prefix("opencode-").map(str::to_owned));
    let wrong = seen.filter(|other| !may_see.contains(&other.as_str()));
    wrong.map(|other| format!("{name} must not depend on {other}")).collect()
}

fn own_lints(name: &str, manifest: &str) -> Findings {
    let inherits = manifest::has(manifest, "lints", "workspace = true");
    if inherits { Vec::new() } else { vec![format!("{name} does not inherit the workspace's lints")] }
}

fn own_versions(name: &str, manifest: &str) -> Findings {
    let own = |found: &Dependency| !found.value.replace(' ', "").contains("workspace=true");
    let own = manifest::dependencies(manifest).into_iter().filter(own);
    own.map(|found| format!("{name} gives {} a version of its own", found.name)).collect()
}

fn idle_rows(root: &str, members: &[String]) -> Findings {
    let used: BTreeSet<String> = members
        .iter()
        .flat_map(|manifest| manifest::dependencies(manifest))
        .map(|found| found.name)
        .collect();
    let idle = manifest::dependencies(root).into_iter().filter(|row| !used.contains(&row.name));
    idle.map(|row| format!("Cargo.toml: no member uses {}", row.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_against_the_direction_is_found() {
        let on = |name: &str| format!("[dependencies]\n{name}.workspace = true");
        assert_eq!(wrong_ways("native", &on("opencode-net")), Findings::new());
        assert_eq!(wrong_ways("native", &on("opencode-lambda")).len(), 1);
        assert_eq!(wrong_ways("core", &on("opencode-net")).len(), 1);
        assert_eq!(wrong_ways("tests", &on("opencode-worker")).len(), 1);
        assert_eq!(wrong_ways("newcomer", "").len(), 1);
    }

    #[test]
    fn lints_of_its_own_are_found() {
        assert_eq!(own_lints("x", "[lints]\nworkspace = true"), Findings::new());
        assert_eq!(own_lints("x", "[lints.rust]\nmissing_docs = \"allow\"").len(), 1);
    }

    #[test]
    fn versions_of_its_own_are_found() {
        let good = "[dependencies]\na.workspace = true\nb = { workspace = true, features = [\"f\"] }";
        assert_eq!(own_versions("x", good), Findings::new());
        assert_eq!(own_versions("x", "[dependencies]\na = \"1\"").len(), 1);
        assert_eq!(own_versions("x", "[dev-dependencies]\na = { path = \"../a\" }").len(), 1);
    }

    #[test]
    fn idle_rows_are_found() {
        let root = "[workspace.dependencies]\na = \"1\"\nb = \"1\"";
        assert_eq!(idle_rows(root, &["[dependencies]\na.workspace = true".to_owned()]).len(), 1);
    }
}
