//! `cargo xtask bench translation`: what a streamed token costs between the upstream's bytes and the caller's, by the
//! Criterion bench of `core`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::contestant::empty;
use super::{Options, machine, overhead, tables};
use crate::failure::{Doing, Result, failed};
use crate::process;

const UPSTREAMS: [&str; 4] = ["openai", "responses", "anthropic", "gemini"];
const CALLERS: [&str; 5] = ["openai", "responses", "anthropic", "gemini", "platform"];

/// What `--only` can name.
pub fn keys() -> Vec<&'static str> {
    vec!["translation"]
}

/// Runs the bench, prints a table and writes the report. A bound that is missed is marked and is no failure of the run.
pub fn run(options: &Options) -> Result<()> {
    let mut report = json!({"machine": machine::describe(), "quick": options.quick});
    let results = empty(&overhead::folder().join("criterion"))?;
    let mut bench = process::cargo();
    bench.args(["bench", "--package", "opencode-core", "--bench", "translation", "--"]);
    bench.args(options.quick.then_some("--quick")).env("CRITERION_HOME", &results);
    process::run(&mut bench)?;

    let mut dearest: f64 = 0.0;
    println!("\n**µs a streamed token** (median; on the diagonal it passes)\n");
    println!(
        "| upstream | {} |\n|---|{}",
        CALLERS.map(|to| format!("to {to}")).join(" | "),
        "--:|".repeat(5)
    );
    for from in UPSTREAMS {
        let mut cells = Vec::new();
        for to in CALLERS {
            let token = token_us(&results.join(format!("translation/{from}-to-{to}/new")))?;
            dearest = dearest.max(token);
            cells.push(format!("{token:.2}"));
            report["us_per_token"][from][to] = json!(token);
        }
        println!("| {from} | {} |", cells.join(" | "));
    }
    let bounds = [bounds::of_translation(Some(dearest))];
    report["bounds"] = bounds.iter().map(Bound::json).collect();
    tables::bounds(&bounds);
    overhead::write(&report, "translation.json")
}

/// Criterion's files of one benchmark: an iteration's nanoseconds, and how many tokens it has.
fn token_us(folder: &Path) -> Result<f64> {
    let read = |name: &str| -> Result<Value> {
        let text = fs::read_to_string(folder.join(name)).doing(format!("read Criterion's {name}"))?;
        serde_json::from_str(&text).doing(format!("read Criterion's {name}"))
    };
    let (estimates, benchmark) = (read("estimates.json")?, read("benchmark.json")?);
    let nanos = estimates["median"]["point_estimate"].as_f64();
    match (nanos, benchmark["throughput"]["Elements"].as_f64()) {
        (Some(nanos), Some(tokens)) if tokens > 0.0 => Ok(nanos / 1e3 / tokens),
        _ => failed("Criterion's files have no median or no number of tokens"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iteration_is_divided_by_its_tokens() {
        let folder = std::env::temp_dir().join(format!("opencode-translation-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("estimates.json"), r#"{"median":{"point_estimate":256000.0}}"#).unwrap();
        fs::write(folder.join("benchmark.json"), r#"{"throughput":{"Elements":256}}"#).unwrap();
        let token = token_us(&folder);
        fs::write(folder.join("benchmark.json"), "{}").unwrap();
        let none = token_us(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(token.ok(), Some(1.0));
        assert!(none.is_err());
    }
}
