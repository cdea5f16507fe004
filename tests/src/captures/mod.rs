//! Recorded streams of providers, where `shared/captures` lies beside the project: framed again as their providers frame
//! them, they come to the same events however their lines end and wherever they are cut, with the recorded text, calls and
//! usage, and every dialect's callers are told the same answer.

mod interactions;
mod reading;
mod recording;
mod replay;

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use opencode_core::wire::Dialect;

/// The folders, and what the recordings in them speak. Further folders there are of dialects that no provider row has.
const SPOKEN: [(&str, Dialect); 13] = [
    ("openai-chat", Dialect::OpenAi),
    ("openai-compatible-chat", Dialect::OpenAi),
    ("groq", Dialect::OpenAi),
    ("deepseek-chat", Dialect::OpenAi),
    ("alibaba", Dialect::OpenAi),
    ("xai", Dialect::OpenAi),
    ("perplexity", Dialect::OpenAi),
    ("mistral", Dialect::OpenAi),
    ("openai-responses", Dialect::Responses),
    ("azure", Dialect::Responses),
    ("xai-responses", Dialect::Responses),
    ("anthropic", Dialect::Anthropic),
    ("google", Dialect::Gemini),
];

/// Recordings that are no genuine answer, by the beginnings of their names, with words of the failure they must end in.
const BROKEN: [(&str, &str); 2] =
    [("spliced-message-start", "began another answer"), ("google-live-speech", "without a finish reason")];

/// One trial a recording; none, and a word, where the recordings are absent.
pub fn trials() -> Vec<Trial> {
    let captures = shared().join("captures");
    if !captures.is_dir() {
        crate::suite::say("captures: the recorded streams are not beside the project; skipped");
        return Vec::new();
    }
    let mut trials = Vec::new();
    for (folder, dialect) in SPOKEN {
        for (name, file) in files(&captures.join(folder)) {
            let broken = BROKEN.iter().find(|(start, _)| name.starts_with(start)).map(|(_, words)| *words);
            let check = move || check(dialect, broken, &file);
            trials.push(Trial::test(format!("{folder}/{name}"), check));
        }
    }
    for (name, file) in files(&captures.join("google-interactions")) {
        let check = move || interactions::check(&file);
        trials.push(Trial::test(format!("google-interactions/{name}"), check));
    }
    trials
}

/// What is handed to the project and not part of it.
pub fn shared() -> PathBuf {
    let shared = std::env::var_os("OPENCODE_SHARED").map(PathBuf::from);
    shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"))
}

/// The files of a folder with their names, in order; at least one.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |file: PathBuf| (file.file_name().unwrap_or_default().to_string_lossy().into_owned(), file);
    let mut files: Vec<(String, PathBuf)> = files.map(named).collect();
    assert!(!files.is_empty(), "no recordings in {}", folder.display());
    files.sort();
    files
}

fn check(dialect: Dialect, broken: Option<&str>, file: &Path) -> Result<(), Failed> {
    let answers = recording::answers(dialect, file)?;
    for (number, answer) in answers.iter().enumerate() {
        let checked = match broken {
            Some(words) => replay::fails(dialect, answer, words),
            None => replay::succeeds(dialect, answer),
        };
        checked.map_err(|why| format!("answer {number}: {}", why.message().unwrap_or_default()))?;
    }
    Ok(())
}

/// A sentence where they differ.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, expected: &T) -> Result<(), Failed> {
    if is == expected { Ok(()) } else { Err(format!("{what}:\n{is:?}, not\n{expected:?}").into()) }
}
