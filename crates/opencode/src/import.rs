//! `opencode config import-flags`: the flags of the project that this one re-implements, as ours.
//!
//! Its file has a root `cognitive_features` whose `enabled` is and-ed with every other switch.

use std::path::Path;

use opencode_core::config::Config;
use opencode_core::config::features::MAX_REFLECTIONS;
use saphyr::{LoadableYamlNode as _, Yaml};

use crate::say;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// What becomes of a flag.
enum Fate {
    /// A switch of ours.
    Switch(&'static str),
    /// A number of ours, with the most that it may be.
    Number(&'static str, i64),
    /// Nothing, and why.
    Dropped(&'static str),
}

use Fate::{Dropped, Number, Switch};

/// Their name below `cognitive_features`, or its beginning where it ends with a dot.
const FLAGS: [(&str, Fate); 12] = [
    ("system1.enable_cache", Switch("cache")),
    ("system1.cache_ttl", Number("cache_ttl_seconds", 7 * 86_400)),
    (
        "system1.cache_max_size",
        Dropped("answers leave the cache by their age; its size has no bound of its own"),
    ),
    ("system2.enable_thinking_chain", Switch("thinking_chain")),
    ("system2.max_thinking_time", Number("thinking_seconds", 3_600)),
    ("system2.reflection_depth", Number("reflection_depth", MAX_REFLECTIONS as i64)),
    ("metrics.cognitive_metrics", Switch("metrics")),
    ("metrics.detailed_tracking", Switch("detailed_tracking")),
    ("routing.", Dropped("requests are not routed by their complexity yet")),
    ("refactor.", Dropped("it chose between two versions of that project's own code")),
    ("context_engineering.", Dropped("no mode here has such a step")),
    ("enabled", Dropped("it is and-ed into the switches above, as it was there")),
];

/// Prints `[features]`, and on stderr what was dropped. The error is one line.
pub fn run(path: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        return Err(format!("{} is longer than {MAX_FILE} bytes", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let imported = import(&text).map_err(|why| format!("{}: {why}", path.display()))?;
    say(&imported.toml);
    for line in imported.dropped {
        eprintln!("dropped: {line}");
    }
    Ok(())
}

struct Imported {
    toml: String,
    dropped: Vec<String>,
}

fn import(text: &str) -> Result<Imported, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| format!("it is no YAML: {error}"))?;
    let root = documents.first().filter(|root| root.is_mapping()).ok_or("it holds no mapping")?;
    let mut flags = Vec::new();
    let mut dropped = Vec::new();
    match root.as_mapping_get("cognitive_features") {
        Some(features) if features.is_mapping() => leaves(features, "", &mut flags),
        _ => return Err("it has no `cognitive_features` with flags under it".to_owned()),
    }
    for (name, _) in root.as_mapping().into_iter().flatten() {
        if let Some(name) = name.as_str().filter(|name| *name != "cognitive_features") {
            dropped.push(format!("{name}: it does not stand under `cognitive_features`"));
        }
    }
    let enabled = flags.iter().any(|(name, value)| name == "enabled" && value.as_bool() == Some(true));
    let mut lines = vec!["[features]".to_owned()];
    for (name, value) in &flags {
        match line(name, value, enabled) {
            Ok(line) => lines.push(line),
            Err(why) => dropped.push(format!("{name}: {why}")),
        }
    }
    let toml = lines.join("\n");
    Config::parse(&toml).map_err(|problem| problem.to_string())?;
    Ok(Imported { toml, dropped })
}

/// Every value that is no mapping, with its dotted name.
fn leaves<'a>(node: &'a Yaml<'a>, prefix: &str, found: &mut Vec<(String, &'a Yaml<'a>)>) {
    for (name, value) in node.as_mapping().into_iter().flatten() {
        let name = format!("{prefix}{}", name.as_str().unwrap_or("?"));
        // Deeper than any file of that project goes.
        if value.is_mapping() && name.matches('.').count() < 8 {
            leaves(value, &format!("{name}."), found);
        } else {
            found.push((name, value));
        }
    }
}

fn line(name: &str, value: &Yaml<'_>, enabled: bool) -> Result<String, String> {
    let fate =
        FLAGS.iter().find(|(known, _)| name == *known || (known.ends_with('.') && name.starts_with(known)));
    match fate {
        Some((_, Switch(ours))) => {
            let value = value.as_bool().ok_or("it is neither true nor false")?;
            Ok(format!("{ours} = {}", enabled && value))
        }
        Some((_, Number(ours, most))) => {
            let value = value.as_integer().filter(|value| *value >= 0).ok_or("it is no whole number")?;
            if value == 0 && *ours != "reflection_depth" {
                return Err("0 means nothing here".to_owned());
            }
            let note =
                if value > *most { format!(" # at most; there it was {value}") } else { String::new() };
            Ok(format!("{ours} = {}{note}", value.min(*most)))
        }
        Some((_, Dropped(why))) => Err((*why).to_owned()),
        None => Err("it is not known".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "\
cognitive_features:
  enabled: true
  system1: {enable_cache: true, cache_ttl: 120, cache_max_size: 1000}
  system2: {enable_thinking_chain: false, max_thinking_time: 30, reflection_depth: 9}
  routing: {smart_routing: true}
  metrics: {cognitive_metrics: true, detailed_tracking: false}
  refactor: {enabled: true, new_router: true}
  surprise: 1
cognitive_features.system1.enable_cache: true
";

    #[test]
    fn what_means_something_is_kept_and_the_rest_is_named() {
        let imported = import(THEIRS).expect("it can be read");
        let kept: Vec<&str> = imported.toml.lines().collect();
        assert_eq!(
            kept,
            [
                "[features]",
                "cache = true",
                "cache_ttl_seconds = 120",
                "thinking_chain = false",
                "thinking_seconds = 30",
                "reflection_depth = 3 # at most; there it was 9",
                "metrics = true",
                "detailed_tracking = false",
            ]
        );
        for name in ["cache_max_size", "smart_routing", "refactor.enabled", "surprise", "features.system1"] {
            assert!(
                imported.dropped.iter().any(|line| line.contains(name)),
                "{name}: {:?}",
                imported.dropped
            );
        }
        let off = import(&THEIRS.replacen("enabled: true", "enabled: false", 1)).expect("it can be read");
        assert!(off.toml.contains("cache = false") && off.toml.contains("metrics = false"), "{}", off.toml);
    }

    #[test]
    fn another_file_is_refused() {
        for text in ["", "[1]", "a: 1", "cognitive_features: 1", "a: [", "\t"] {
            assert!(import(text).is_err(), "{text}");
        }
    }
}
