//! OpenAI chat completions, as a provider that is compatible with them sends them.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Counting, Counts, Dialect, Say};

/// The row of this dialect.
pub const ROW: Dialect = Dialect {
    name: "openai",
    target: "",
    base: "/v1",
    path,
    streams,
    counts: Counting { early: false, running: true, late: true, reasoning: true, partial: false },
    frames,
    whole,
    refusal,
};

fn path(_streamed: bool) -> &'static str {
    "/v1/chat/completions"
}

pub(super) fn streams(request: &http::Request<Bytes>) -> bool {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    body.get("stream").and_then(Value::as_bool).unwrap_or(false)
}

fn frames(say: &Say, answer: &mut Answer) -> Vec<String> {
    let delta = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    let chunk = match say {
        Say::Comment => return vec![": keep-alive\n\n".to_owned()],
        Say::Malformed => return vec![format!("data: {{\"id\":\"{}\",\"choices\":[{{\n\n", answer.id)],
        Say::End => return vec!["data: [DONE]\n\n".to_owned()],
        Say::Error => {
            json!({"error": {"message": "overloaded", "type": "server_error", "param": null, "code": 503}})
        }
        Say::ErrorAsFinish => chunk(answer, delta(json!({"content": ""}), json!("error")), None),
        Say::Start(_) => chunk(answer, delta(json!({"role": "assistant", "content": ""}), Value::Null), None),
        Say::Text(text, counts) => chunk(answer, delta(json!({"content": text}), Value::Null), *counts),
        Say::Finish(counts) => chunk(answer, delta(json!({}), json!("stop")), *counts),
        Say::Usage(counts) => chunk(answer, json!([]), Some(*counts)),
        Say::NoUsage => chunk(answer, json!([]), None),
        Say::Whole { .. } => return Vec::new(),
    };
    vec![format!("data: {chunk}\n\n")]
}

fn whole(text: &str, counts: Option<Counts>, finished: bool, answer: &Answer) -> String {
    let finish = if finished { json!("stop") } else { Value::Null };
    let message = json!({"role": "assistant", "content": text, "refusal": null});
    let choices = json!([{"index": 0, "message": message, "finish_reason": finish}]);
    let mut whole = chunk(answer, choices, counts);
    whole["object"] = json!("chat.completion");
    whole.to_string()
}

pub(super) fn refusal(status: u16) -> String {
    let error = json!({"message": format!("status {status}"), "type": "error", "param": null, "code": null});
    json!({"error": error}).to_string()
}

fn chunk(answer: &Answer, choices: Value, counts: Option<Counts>) -> Value {
    let usage = counts.map(|counts| {
        json!({
            "prompt_tokens": counts.input,
            "completion_tokens": counts.output,
            "total_tokens": counts.input + counts.output,
            "prompt_tokens_details": {"cached_tokens": counts.cached},
            "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
        })
    });
    json!({
        "id": answer.id,
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": answer.model,
        "choices": choices,
        "usage": usage,
        "obfuscation": "x",
    })
}
