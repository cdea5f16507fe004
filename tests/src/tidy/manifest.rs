//! As much of a manifest as the checks need.

/// A dependency as a manifest writes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The name before the `=`.
    pub name: String,
    /// What follows it.
    pub value: String,
    /// Whether only tests get it.
    pub for_tests: bool,
}

/// The dependencies in every section whose name ends with `dependencies`, the workspace's table included.
pub fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    for (section, line) in lines(manifest) {
        let (section, own_name) = match section.split_once("dependencies.") {
            Some((before, name)) => (format!("{before}dependencies"), Some(name)),
            None => (section, None),
        };
        if !section.ends_with("dependencies") {
            continue;
        }
        let for_tests = section.ends_with("dev-dependencies");
        if let Some(name) = own_name {
            found.push(Dependency {
                name: name.trim_matches('"').to_owned(),
                value: line.to_owned(),
                for_tests,
            });
        } else if let Some((key, value)) = line.split_once('=').filter(|(key, _)| is_key(key)) {
            let (name, rest) = key.trim().split_once('.').unwrap_or((key.trim(), ""));
            let value = format!("{rest} = {}", value.trim());
            found.push(Dependency {
                name: name.to_owned(),
                value: value.trim_start_matches(" = ").to_owned(),
                for_tests,
            });
        }
    }
    found
}

/// Whether a section has a line, spaces aside.
pub fn has(manifest: &str, section: &str, wanted: &str) -> bool {
    let bare = |text: &str| text.replace(' ', "");
    lines(manifest).any(|(name, line)| name == section && bare(line) == bare(wanted))
}

fn lines(manifest: &str) -> impl Iterator<Item = (String, &str)> {
    let mut section = String::new();
    manifest.lines().filter_map(move |line| {
        let line = line.split(" #").next().unwrap_or(line).trim();
        if line.starts_with('[') && line.ends_with(']') {
            section = line.trim_matches(['[', ']']).to_owned();
            return None;
        }
        (!line.is_empty() && !line.starts_with('#')).then(|| (section.clone(), line))
    })
}

fn is_key(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_read() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = { workspace = true, features = [\n  \"f\",\n] }\n\
                        [target.'cfg(target_family = \"wasm\")'.dependencies]\nc = \"1\"\n[dev-dependencies.d]\nversion = \"2\"\n[lints]\nworkspace = true\n";
        let found = dependencies(manifest);
        let names: Vec<_> = found.iter().map(|found| (found.name.as_str(), found.for_tests)).collect();
        assert_eq!(names, [("a", false), ("b", false), ("c", false), ("d", true)]);
        assert_eq!(found[0].value, "workspace = true");
        assert!(has(manifest, "lints", "workspace=true") && !has(manifest, "package", "workspace = true"));
    }
}
