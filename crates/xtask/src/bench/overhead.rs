//! `cargo xtask bench overhead`: what an answer costs through us and through what would be used instead.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::bounds::{self, Bound};
use super::contestant::{self, Entry, Stage};
use super::gateways::{self, Pace, Row};
use super::question::{Kind, QUESTION_BYTES};
use super::{Options, lambda, machine, nginx, paced, tables, worker, wrk};
use crate::failure::{Doing, Failure, Result};
use crate::{artefacts, workspace};

/// Parts of the run that are no gateways.
const PARTS: [&str; 2] = ["worker", "lambda"];

const FULL: Pace = Pace { rounds: 3, time: Duration::from_secs(2), streams: 100 };
const QUICK: Pace = Pace { rounds: 1, time: Duration::from_secs(1), streams: 20 };

/// Measures, prints tables and writes the report. A bound that is missed is marked and is no failure of the run.
pub fn run(options: &Options) -> Result<()> {
    check()?;
    let pace = if options.quick { QUICK } else { FULL };
    let mut report = json!({
        "machine": machine::describe(),
        "settings": {
            "rounds": pace.rounds, "seconds": pace.time.as_secs(), "streams": pace.streams,
            "question_bytes": QUESTION_BYTES, "quick": options.quick,
        },
    });
    let mut bounds = Vec::new();
    let entries = contestant::chosen(options);
    if !entries.is_empty() {
        let rows = gateways(&entries, pace)?;
        report["gateways"] = rows.iter().map(Row::json).collect();
        bounds.extend(bounds::of_gateways(&rows));
        for kind in [Kind::Whole, Kind::Streamed] {
            tables::load(&rows, kind);
        }
        tables::rest(&rows);
    }
    for part in PARTS.into_iter().filter(|part| options.wants(part)) {
        let measured = if part == "worker" { worker::measure(options) } else { lambda::measure() };
        let (figures, more) =
            measured.unwrap_or_else(|failure| (json!({"missing": failure.why()}), Vec::new()));
        tables::part(part, &figures);
        report[part] = figures;
        bounds.extend(more);
    }
    report["bounds"] = bounds.iter().map(Bound::json).collect();
    tables::bounds(&bounds);
    write(&report, "overhead.json")
}

/// The folder for all that is written on the way.
pub fn folder() -> PathBuf {
    workspace::target().join("bench")
}

/// A release artefact that an environment variable names, or else a fresh one.
pub fn artefact(variable: &str, build: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) => Ok(path.into()),
        None => build(),
    }
}

/// What `--only` can name.
pub fn keys() -> Vec<&'static str> {
    contestant::keys().into_iter().chain(PARTS).collect()
}

fn check() -> Result<()> {
    let missing: Vec<String> = [nginx::version().map(drop), wrk::check()]
        .into_iter()
        .filter_map(|there| Some(there.err()?.why().to_owned()))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Failure::Missing(missing.join("\n       "))) }
}

fn gateways(entries: &[Entry], pace: Pace) -> Result<Vec<Row>> {
    contestant::install(entries);
    let folder = contestant::empty(&folder().join("gateways"))?;
    let upstream = nginx::upstream(&folder.join("upstream"))?;
    let ours = entries.iter().any(|entry| entry.key == "ours");
    let native = match ours {
        true => artefact("OPENCODE_NATIVE_BIN", artefacts::native_release),
        false => Err(Failure::Failed("it is not needed".into())),
    };
    let stage = Stage { folder, upstream: upstream.address.clone(), paced: paced::start()?, native };
    Ok(gateways::measure(entries, &stage, pace))
}

/// Writes a report into [`folder`] and says where it is.
pub fn write(report: &Value, name: &str) -> Result<()> {
    let file = folder().join(name);
    fs::create_dir_all(folder()).doing("make the folder of benchmarks")?;
    let text = serde_json::to_string_pretty(report).doing("write the report")?;
    fs::write(&file, text + "\n").doing("write the report")?;
    let shown = file.strip_prefix(workspace::root()).unwrap_or(&file);
    println!("\nmachine: {}\nwritten: {}", report["machine"], shown.display());
    Ok(())
}
