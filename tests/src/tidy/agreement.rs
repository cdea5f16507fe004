//! Files that must say the same.

use super::Findings;
use super::manifest;
use super::repository::Repository;

/// The README says of each direct dependency why it is there.
pub fn dependencies_have_reasons(repository: &Repository) -> Findings {
    unexplained(&repository.text("Cargo.toml"), &repository.text("README.md"))
}

/// The number of deliveries and the licence.
pub fn files_agree(repository: &Repository) -> Findings {
    let mut findings = deliveries(
        &repository.text("wrangler.toml"),
        &repository.text("template.yaml"),
        &repository.text("crates/core/src/config/mod.rs"),
    );
    findings.extend(licence(
        &repository.text("LICENSE"),
        &repository.text("Cargo.toml"),
        &repository.members(),
    ));
    findings
}

/// A line of reason is a line that names the dependency in backticks and goes on for some words.
fn unexplained(root: &str, readme: &str) -> Findings {
    let rows = manifest::dependencies(root).into_iter().filter(|row| !row.name.starts_with("opencode-"));
    let explained = |name: &str| {
        let name = format!("`{name}`");
        readme
            .lines()
            .any(|line| line.contains(&name) && line.replace(&name, "").split_whitespace().count() >= 4)
    };
    let silent = rows.filter(|row| !explained(&row.name));
    silent.map(|row| format!("README.md has no line of reason for `{}`", row.name)).collect()
}

/// A message is delivered equally often on every platform before it is dead: Cloudflare counts the retries, SQS and
/// the core count the deliveries.
fn deliveries(wrangler: &str, template: &str, config: &str) -> Findings {
    let cloudflare: Vec<u32> =
        numbers(wrangler, "max_retries =").into_iter().map(|retries| retries + 1).collect();
    let aws = numbers(template, "maxReceiveCount:");
    let core = numbers(config, "max_attempts:");
    let mut all: Vec<u32> = [cloudflare.as_slice(), &aws, &core].concat();
    all.sort_unstable();
    all.dedup();
    let everywhere = [&cloudflare, &aws, &core].iter().all(|found| !found.is_empty());
    if everywhere && all.len() == 1 {
        return Vec::new();
    }
    vec![format!(
        "deliveries before a message is dead: {cloudflare:?} in wrangler.toml (max_retries + 1), {aws:?} in template.yaml \
         (maxReceiveCount), {core:?} in the core's config (max_attempts)"
    )]
}

/// The numbers that follow a key at the start of a line or after `{` or a space.
fn numbers(text: &str, key: &str) -> Vec<u32> {
    let after = text
        .lines()
        .filter(|line| !line.trim_start().starts_with(['#', '/']))
        .filter_map(|line| line.split(key).nth(1));
    let digits =
        after.map(|rest| rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

fn licence(text: &str, root: &str, members: &[(String, String)]) -> Findings {
    let mut findings = Vec::new();
    if !(text.contains("Apache License") && text.contains("Version 2.0, January 2004")) {
        findings.push("LICENSE is not the Apache License 2.0".to_owned());
    }
    if !manifest::has(root, "workspace.package", "license = \"Apache-2.0\"") {
        findings.push("Cargo.toml does not say Apache-2.0".to_owned());
    }
    let without = members
        .iter()
        .filter(|(_, manifest)| !manifest::has(manifest, "package", "license.workspace = true"));
    findings.extend(without.map(|(name, _)| format!("{name} does not inherit the licence")));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let root =
            "[workspace.dependencies]\nopencode-core = { path = \"crates/core\" }\na = \"1\"\nb = \"1\"";
        let readme = "| `a` | reads what callers send |\n`b`";
        assert_eq!(unexplained(root, readme), ["README.md has no line of reason for `b`"]);
    }

    #[test]
    fn deliveries_must_agree_everywhere() {
        let (wrangler, template, config) =
            ("max_retries = 3", "  maxReceiveCount: 4", "Self { max_attempts: 4, retry_ms: 5 }");
        assert_eq!(deliveries(wrangler, template, config), Findings::new());
        assert_eq!(deliveries("max_retries = 4", template, config).len(), 1);
        assert_eq!(deliveries(wrangler, "maxReceiveCount: 5", config).len(), 1);
        assert_eq!(deliveries(wrangler, template, "max_attempts: 1").len(), 1);
        assert_eq!(deliveries("", template, config).len(), 1);
    }

    #[test]
    fn a_missing_licence_is_found() {
        let text = "Apache License\nVersion 2.0, January 2004";
        let root = "[workspace.package]\nlicense = \"Apache-2.0\"";
        let member = |manifest: &str| vec![("x".to_owned(), manifest.to_owned())];
        assert_eq!(licence(text, root, &member("[package]\nlicense.workspace = true")), Findings::new());
        assert_eq!(licence("MIT", root, &member("[package]\nlicense = \"MIT\"")).len(), 2);
        assert_eq!(licence(text, "", &[]).len(), 1);
    }
}
