//! Anthropic Messages: named events around blocks; counts at the start and, all so far, with the reason for the end.

use serde_json::{Value, json};

use super::openai::streams;
use super::{Answer, Counting, Counts, Dialect, Say};

/// The row of this dialect.
pub const ROW: Dialect = Dialect {
    name: "anthropic",
    target: "dialect = \"anthropic\"",
    base: "/v1",
    path,
    streams,
    counts: Counting { early: true, running: false, late: false, reasoning: false, partial: true },
    frames,
    whole,
    refusal,
};

fn path(_streamed: bool) -> &'static str {
    "/v1/messages"
}

fn frames(say: &Say, answer: &mut Answer) -> Vec<String> {
    match say {
        Say::Comment => vec![event(&json!({"type": "ping"}))],
        Say::Malformed => vec!["event: content_block_delta\ndata: {\"type\":\n\n".to_owned()],
        Say::End => vec![event(&json!({"type": "message_stop"}))],
        Say::Start(counts) => {
            let mut message = message(answer, Vec::new(), None);
            message["usage"] = json!(counts.map(usage));
            vec![event(&json!({"type": "message_start", "message": message}))]
        }
        Say::Text(text, _) => {
            let delta = json!({"type": "text_delta", "text": text});
            let delta = event(&json!({"type": "content_block_delta", "index": 0, "delta": delta}));
            if std::mem::replace(&mut answer.open, true) {
                return vec![delta];
            }
            let block = json!({"type": "text", "text": ""});
            vec![event(&json!({"type": "content_block_start", "index": 0, "content_block": block})), delta]
        }
        Say::Finish(counts) => {
            let stop = event(&json!({"type": "content_block_stop", "index": 0}));
            let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
            let mut last = json!({"type": "message_delta", "delta": delta});
            if let Some(counts) = counts {
                last["usage"] = usage(*counts);
            }
            answer.open.then_some(stop).into_iter().chain([event(&last)]).collect()
        }
        Say::Error => {
            let error = json!({"type": "overloaded_error", "message": "Overloaded"});
            vec![event(&json!({"type": "error", "error": error}))]
        }
        // The envelope of a proxy on the way.
        Say::ErrorAsFinish => vec!["data: {\"error\":{\"message\":\"bad gateway\"}}\n\n".to_owned()],
        Say::Usage(_) | Say::NoUsage | Say::Whole { .. } => Vec::new(),
    }
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

fn message(answer: &Answer, content: Vec<Value>, stop: Option<&str>) -> Value {
    json!({
        "id": answer.id, "type": "message", "role": "assistant", "model": answer.model, "content": content,
        "stop_reason": stop, "stop_sequence": null,
    })
}

/// `input_tokens` leaves out what was read from a cache.
fn usage(counts: Counts) -> Value {
    json!({
        "input_tokens": counts.input - counts.cached,
        "cache_read_input_tokens": counts.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": counts.output,
    })
}

fn whole(text: &str, counts: Option<Counts>, finished: bool, answer: &Answer) -> String {
    let content = vec![json!({"type": "text", "text": text})];
    let mut whole = message(answer, content, finished.then_some("end_turn"));
    if let Some(counts) = counts {
        whole["usage"] = usage(counts);
    }
    whole.to_string()
}

fn refusal(status: u16) -> String {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": format!("status {status}")}}).to_string()
}
