//! Gemini: chunks without names or terminator; counts in any of them, all so far; an error without `data:`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Counting, Counts, Dialect, Say};

/// The row of this dialect.
pub const ROW: Dialect = Dialect {
    name: "gemini",
    target: "dialect = \"gemini\"",
    base: "/v1beta",
    path,
    streams,
    counts: Counting { early: false, running: true, late: true, reasoning: true, partial: true },
    frames,
    whole,
    refusal,
};

fn path(streamed: bool) -> &'static str {
    if streamed { "/v1beta/models/m:streamGenerateContent" } else { "/v1beta/models/m:generateContent" }
}

fn streams(request: &http::Request<Bytes>) -> bool {
    request.uri().path().ends_with(":streamGenerateContent")
}

fn frames(say: &Say, answer: &mut Answer) -> Vec<String> {
    let chunk = match say {
        Say::Comment => chunk(answer, Some(candidate("", None)), None),
        Say::Malformed => return vec!["data: {\"candidates\":[{\"content\":{\"parts\":[\n\n".to_owned()],
        Say::Text(text, counts) => chunk(answer, Some(candidate(text, None)), *counts),
        Say::Finish(counts) => chunk(answer, Some(candidate("", Some("STOP"))), *counts),
        Say::Usage(counts) => chunk(answer, None, Some(*counts)),
        Say::NoUsage => chunk(answer, None, None),
        Say::Error => return vec![format!("{:#}\n\n", error(503))],
        Say::ErrorAsFinish => chunk(answer, Some(candidate("", Some("MALFORMED_FUNCTION_CALL"))), None),
        Say::Start(_) | Say::End | Say::Whole { .. } => return Vec::new(),
    };
    vec![format!("data: {chunk}\n\n")]
}

fn candidate(text: &str, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"parts": [{"text": text}], "role": "model"}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    candidate
}

/// `candidatesTokenCount` leaves out the thoughts.
fn chunk(answer: &Answer, candidate: Option<Value>, counts: Option<Counts>) -> Value {
    let mut chunk = json!({"modelVersion": answer.model, "responseId": answer.id});
    if let Some(candidate) = candidate {
        chunk["candidates"] = json!([candidate]);
    }
    if let Some(counts) = counts {
        chunk["usageMetadata"] = json!({
            "promptTokenCount": counts.input,
            "cachedContentTokenCount": counts.cached,
            "candidatesTokenCount": counts.output - counts.reasoning,
            "thoughtsTokenCount": counts.reasoning,
            "totalTokenCount": counts.input + counts.output,
        });
    }
    chunk
}

fn whole(text: &str, counts: Option<Counts>, finished: bool, answer: &Answer) -> String {
    chunk(answer, Some(candidate(text, finished.then_some("STOP"))), counts).to_string()
}

fn refusal(status: u16) -> String {
    error(status).to_string()
}

fn error(status: u16) -> Value {
    let name = match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        400..500 => "INVALID_ARGUMENT",
        503 | 529 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    json!({"error": {"code": status, "message": format!("status {status}"), "status": name}})
}
