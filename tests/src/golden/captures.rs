//! Recorded streams of providers that speak the OpenAI dialect, where `shared/captures` lies beside the project.
//! One JSON event a line; the framing is put back.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use opencode_core::call::Ended;

use super::answers::play;

const PROVIDERS: [&str; 7] =
    ["openai-chat", "openai-compatible-chat", "groq", "deepseek-chat", "alibaba", "xai", "perplexity"];

/// One trial a recording; none, and a word, where the recordings are absent.
pub fn trials() -> Vec<Trial> {
    let shared = std::env::var_os("OPENCODE_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let captures = shared.join("captures");
    if !captures.is_dir() {
        crate::suite::say("golden: the recorded streams are not beside the project; skipped");
        return Vec::new();
    }
    let mut trials = Vec::new();
    for provider in PROVIDERS {
        let files = std::fs::read_dir(captures.join(provider)).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
        // The raw `.sse` files there are of other dialects.
        files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
        files.sort();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            trials.push(Trial::test(format!("capture/{provider}/{name}"), move || check(&file)));
        }
    }
    trials
}

fn check(file: &Path) -> Result<(), Failed> {
    let lines = std::fs::read_to_string(file)?;
    let mut body: String = lines
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| format!("data: {line}\n\n"))
        .collect();
    body.push_str("data: [DONE]\n\n");
    let played = play(&[body.as_bytes()]);
    if played.ended != Some(Ended::Complete) || played.unreadable > 0 {
        return Err(format!("ended {:?}, {} unreadable", played.ended, played.unreadable).into());
    }
    let handed: String =
        played.frames.iter().map(|frame| String::from_utf8_lossy(&frame.bytes).into_owned()).collect();
    if handed + "data: [DONE]\n\n" != body {
        return Err("the frames that were handed on are not those that came".into());
    }
    if played.usage.is_none() && lines.contains("completion_tokens") {
        return Err("usage was reported and not read".into());
    }
    Ok(())
}
