//! Exchanges of each dialect as we wrote them down, replayed whole, at every byte and at seeded splits.
//!
//! `tests/golden/<dialect>/answers/<case>/` holds what a provider streams (`upstream.sse`) and what comes of it: the
//! neutral events, and what callers of each dialect and of the platform's routes see. `whole/<case>/` holds answers that
//! are not streamed; `requests/<case>/` a caller's request and what goes upstream, in each dialect. With `UPDATE_GOLDEN=1` the expectations are written anew: read the difference before committing it.

pub(crate) mod answers;
mod requests;
mod responses;
mod whole;

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use opencode_core::wire::Dialect;
use opencode_core::wire::answer::Head;

/// Every recording.
pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (dialect, spoken) in DIALECTS {
        for (kind, check) in [
            ("answers", answers::check as fn(Dialect, &Path) -> Result<(), Failed>),
            ("whole", whole::check),
            ("requests", requests::check),
        ] {
            let cases = folders(&root().join(dialect).join(kind));
            assert!(!cases.is_empty(), "no golden cases in {dialect}/{kind}");
            for case in cases {
                let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
                trials.push(Trial::test(format!("{dialect}/{kind}/{name}"), move || check(spoken, &case)));
            }
        }
    }
    trials.extend(responses::trial());
    trials
}

/// By the names of their folders.
pub(crate) const DIALECTS: [(&str, Dialect); 4] = [
    ("openai", Dialect::OpenAi),
    ("responses", Dialect::Responses),
    ("anthropic", Dialect::Anthropic),
    ("gemini", Dialect::Gemini),
];

/// What answers are written under.
pub(crate) fn head() -> Head {
    Head { id: "ID".to_owned(), model: "model".to_owned(), created: 7, input_estimate: 11, ..Head::default() }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Compares with a case's expectation, or writes it.
fn expect(case: &Path, file: &str, actual: &str) -> Result<(), Failed> {
    let path = case.join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(&path, actual).map_err(|error| format!("{}: {error}", path.display()).into());
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    Err(format!("{file} differs\n--- expected\n{expected}\n--- actual\n{actual}").into())
}
