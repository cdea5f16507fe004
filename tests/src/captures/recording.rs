//! A file of recorded events, framed again as its provider does.

use std::path::Path;

use libtest_mimic::Failed;
use opencode_core::wire::Dialect;
use serde_json::Value;

/// One answer of a recording.
#[derive(Default)]
pub struct Recorded {
    /// As it was sent.
    pub body: String,
    /// What passes: the same, save for events that are no JSON, which are mended.
    pub passed: String,
    /// Its events.
    pub events: Vec<Value>,
}

/// The answers of a file: where a conversation was recorded, one for each turn.
pub fn answers(dialect: Dialect, file: &Path) -> Result<Vec<Recorded>, Failed> {
    let mut answers = vec![Recorded::default()];
    for line in std::fs::read_to_string(file)?.lines() {
        // Raw files still have the framing that the others have lost.
        let line = line.strip_prefix("data: ").unwrap_or(line);
        if line.trim().is_empty() || line == "[DONE]" {
            continue;
        }
        let mended = format!("{line}}}");
        // One recorded server forgets the last brace of its longest events.
        let (event, passed) = match serde_json::from_str::<Value>(line) {
            Ok(event) => (event, line),
            Err(_) => (serde_json::from_str(&mended)?, mended.as_str()),
        };
        let ended = match dialect {
            Dialect::Responses => event["type"] == "response.created",
            Dialect::Anthropic => event["type"] == "message_start" && has_ended(&answers),
            Dialect::OpenAi | Dialect::Gemini => false,
        };
        if ended && answers.last().is_some_and(|answer| !answer.events.is_empty()) {
            answers.push(Recorded::default());
        }
        let answer = answers.last_mut().ok_or("there is no answer")?;
        answer.body.push_str(&framed(dialect, &event, line));
        answer.passed.push_str(&framed(dialect, &event, passed));
        answer.events.push(event);
    }
    for answer in answers.iter_mut().filter(|_| dialect == Dialect::OpenAi) {
        for stream in [&mut answer.body, &mut answer.passed] {
            stream.insert_str(0, ": keep-alive\n\n");
            stream.push_str("data: [DONE]\n\n");
        }
    }
    Ok(answers)
}

fn has_ended(answers: &[Recorded]) -> bool {
    let last = answers.last().and_then(|answer| answer.events.last());
    last.is_some_and(|event| event["type"] == "message_stop")
}

fn framed(dialect: Dialect, event: &Value, line: &str) -> String {
    match dialect {
        // A comment is a frame of its own, or a line of one.
        Dialect::OpenAi if event["choices"][0]["finish_reason"].is_string() => {
            format!(": processing\n\n: still\ndata: {line}\n\n")
        }
        Dialect::OpenAi => format!("data: {line}\n\n"),
        Dialect::Gemini => format!("data: {line}\r\n\r\n"),
        Dialect::Responses | Dialect::Anthropic => {
            format!("event: {}\ndata: {line}\n\n", event["type"].as_str().unwrap_or_default())
        }
    }
}
