//! OpenAI Responses: numbered, named events; the last one is reason, counts and end at once.

use serde_json::{Value, json};

use super::openai::{refusal, streams};
use super::{Answer, Counting, Counts, Dialect, Say};

/// The row of this dialect.
pub const ROW: Dialect = Dialect {
    name: "responses",
    target: "dialect = \"responses\"",
    base: "/v1",
    path,
    streams,
    counts: Counting { early: false, running: false, late: false, reasoning: true, partial: false },
    frames,
    whole,
    refusal,
};

fn path(_streamed: bool) -> &'static str {
    "/v1/responses"
}

fn frames(say: &Say, answer: &mut Answer) -> Vec<String> {
    match say {
        Say::Comment => vec![": keep-alive\n\n".to_owned()],
        Say::Malformed => vec!["event: response.output_text.delta\ndata: {\"delta\":\n\n".to_owned()],
        // Some compatible servers say it here as well.
        Say::End => vec!["data: [DONE]\n\n".to_owned()],
        Say::Start(_) => ["response.created", "response.in_progress"]
            .map(|name| {
                let response = response(answer, "in_progress", None, None);
                event(answer, name, json!({"response": response}))
            })
            .to_vec(),
        Say::Text(text, _) => {
            let mut frames = begin(answer);
            answer.said.push_str(text);
            frames.push(about(answer, "response.output_text.delta", json!({"delta": text, "logprobs": []})));
            frames
        }
        Say::Finish(counts) => finish(answer, *counts),
        Say::Error => {
            let error = json!({"code": "server_error", "message": "overloaded", "param": null});
            vec![event(answer, "error", error)]
        }
        Say::ErrorAsFinish => {
            let mut response = response(answer, "failed", None, None);
            response["error"] = json!({"code": "server_error", "message": "overloaded"});
            vec![event(answer, "response.failed", json!({"response": response}))]
        }
        Say::Usage(_) | Say::NoUsage | Say::Whole { .. } => Vec::new(),
    }
}

fn begin(answer: &mut Answer) -> Vec<String> {
    if std::mem::replace(&mut answer.open, true) {
        return Vec::new();
    }
    let item =
        json!({"id": "msg", "type": "message", "role": "assistant", "status": "in_progress", "content": []});
    vec![
        event(answer, "response.output_item.added", json!({"output_index": 0, "item": item})),
        about(answer, "response.content_part.added", json!({"part": part("")})),
    ]
}

fn finish(answer: &mut Answer, counts: Option<Counts>) -> Vec<String> {
    let said = answer.said.clone();
    let mut frames = Vec::new();
    if answer.open {
        frames.push(about(answer, "response.output_text.done", json!({"text": said, "logprobs": []})));
        frames.push(about(answer, "response.content_part.done", json!({"part": part(&said)})));
        let done = json!({"output_index": 0, "item": message(&said)});
        frames.push(event(answer, "response.output_item.done", done));
    }
    let text = answer.open.then_some(said.as_str());
    let response = response(answer, "completed", text, counts);
    frames.push(event(answer, "response.completed", json!({"response": response})));
    frames
}

fn event(answer: &mut Answer, name: &str, mut data: Value) -> String {
    data["type"] = json!(name);
    data["sequence_number"] = json!(answer.number);
    answer.number += 1;
    format!("event: {name}\ndata: {data}\n\n")
}

/// An event about the text.
fn about(answer: &mut Answer, name: &str, mut data: Value) -> String {
    data["item_id"] = json!("msg");
    data["output_index"] = json!(0);
    data["content_index"] = json!(0);
    event(answer, name, data)
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn message(text: &str) -> Value {
    json!({"id": "msg", "type": "message", "role": "assistant", "status": "completed", "content": [part(text)]})
}

fn response(answer: &Answer, status: &str, text: Option<&str>, counts: Option<Counts>) -> Value {
    let usage = counts.map(|counts| {
        json!({
            "input_tokens": counts.input,
            "input_tokens_details": {"cached_tokens": counts.cached},
            "output_tokens": counts.output,
            "output_tokens_details": {"reasoning_tokens": counts.reasoning},
            "total_tokens": counts.input + counts.output,
        })
    });
    let output: Vec<Value> = text.map(message).into_iter().collect();
    json!({
        "id": answer.id, "object": "response", "created_at": 1_700_000_000, "status": status, "error": null,
        "incomplete_details": null, "model": answer.model, "output": output, "usage": usage,
    })
}

fn whole(text: &str, counts: Option<Counts>, finished: bool, answer: &Answer) -> String {
    let status = if finished { "completed" } else { "in_progress" };
    response(answer, status, Some(text), counts).to_string()
}
