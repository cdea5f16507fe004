//! `cargo xtask catalog CSV DATE`: the core's catalogue of models, from litellm's price list.
//!
//! The CSV has a header line and the columns that `entry` names, in dollars a token; it is not committed. DATE
//! (`YYYY-MM-DD`) is the day whose offers are wanted: a model switched off by then is left out. The same CSV and
//! date give the same file.

mod csv;
mod entry;
mod render;
mod select;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use entry::Entry;

use crate::failure::{Doing, Failure, Result, failed};
use crate::{size, workspace};

/// What was kept, by provider and model: sorted, so that the file is.
type Kept = BTreeMap<(String, String), Entry>;
/// What was left out, by reason.
type LeftOut = BTreeMap<String, Vec<String>>;

/// The most rows: the Worker carries them all.
const MOST: usize = 150;
/// Providers without which the list cannot be right.
const NEEDED: [&str; 3] = ["anthropic", "gemini", "openai"];

/// Writes `crates/core/catalog.toml`, and says what was left out and why.
pub fn write(arguments: &[String]) -> Result<()> {
    let [csv, date] = arguments else {
        return Err(Failure::Missing("say which: cargo xtask catalog CSV YYYY-MM-DD".into()));
    };
    if !select::is_date(date) {
        return Err(Failure::Missing(format!("{date:?} is no date: write it as YYYY-MM-DD")));
    }
    let bytes = fs::read(Path::new(csv)).doing(format!("read {csv}"))?;
    let text = std::str::from_utf8(&bytes).doing(format!("read {csv}"))?;
    let (kept, left_out) = select::select(text, date)?;
    for (why, names) in &left_out {
        println!("left out, {why}: {}", names.join(", "));
    }
    check(&kept)?;
    let file = workspace::root().join("crates/core/catalog.toml");
    fs::write(&file, render::render(&kept, &bytes, date)).doing("write catalog.toml")?;
    println!(
        "{} models in crates/core/catalog.toml: {} bytes, {} gzipped",
        kept.len(),
        size::plain(&file)?,
        size::gzipped(&file)?
    );
    Ok(())
}

fn check(kept: &Kept) -> Result<()> {
    if kept.len() > MOST {
        return failed(format!("{} models are more than the {MOST} that a Worker should carry", kept.len()));
    }
    match NEEDED.iter().find(|name| !kept.keys().any(|(provider, _)| provider == *name)) {
        Some(name) => failed(format!("no model of {name} is left")),
        None => Ok(()),
    }
}
