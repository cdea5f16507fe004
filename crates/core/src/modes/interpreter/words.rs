//! What the caller and the model are told of a run.

use serde_json::Value;

use crate::api::execute::failure;
use crate::modes::thinking::shorten;
use crate::wire::event::{RunEnd, RunFile};

/// The most characters of an output that the caller is told, and of one that the model is.
const KEPT: usize = 16_000;
/// See [`KEPT`].
pub(super) const SHOWN: usize = 6_000;

/// An outcome as the caller is told of it.
pub(super) fn end(outcome: &Value) -> RunEnd {
    let text = |name: &str| outcome.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut stdout = shorten(text("stdout"), KEPT);
    let mut stderr = shorten(text("stderr"), KEPT);
    let line = |to: &mut String, said: &str| {
        if !to.is_empty() && !to.ends_with('\n') {
            to.push('\n');
        }
        to.push_str(said);
    };
    if let Some(value) = outcome.pointer("/result/text").and_then(Value::as_str) {
        line(&mut stdout, &shorten(value, KEPT));
    }
    let by_itself = matches!(text("status"), "ok" | "error");
    if !by_itself {
        line(&mut stderr, &failure(outcome));
    }
    let exit_code = outcome.get("exit_code").and_then(Value::as_i64).filter(|_| by_itself).unwrap_or(-1);
    let files = outcome.get("artifacts").and_then(Value::as_array).into_iter().flatten();
    let files = files.map(|file| {
        let text = |name: &str| file.get(name).and_then(Value::as_str).map(str::to_owned);
        RunFile {
            name: text("name").unwrap_or_default(),
            media: text("type").unwrap_or_default(),
            bytes: file.get("bytes").and_then(Value::as_u64).unwrap_or_default(),
            base64: text("content"),
        }
    });
    RunEnd { stdout, stderr, exit_code, files: files.collect(), refused: None }
}

/// What the model is told of a run.
pub(super) fn told(end: &RunEnd) -> String {
    if let Some(why) = &end.refused {
        return format!("It was not run: {why}");
    }
    let names: Vec<&str> = end.files.iter().map(|file| file.name.as_str()).collect();
    let code = if end.exit_code == 0 { String::new() } else { format!("Exit code: {}", end.exit_code) };
    let parts = [
        shorten(&end.stdout, SHOWN),
        shorten(&end.stderr, SHOWN),
        code,
        if names.is_empty() {
            String::new()
        } else {
            format!("Files: {}", shorten(&names.join(", "), SHOWN))
        },
    ];
    let said: Vec<&str> = parts.iter().map(|part| part.trim_end()).filter(|part| !part.is_empty()).collect();
    if said.is_empty() { "It printed nothing.".to_owned() } else { said.join("\n") }
}
