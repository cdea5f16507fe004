//! Neutral events, written as OpenAI chunks and answers: for callers whose answer is not passed through.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::error::{Error, Fault, Kind};
use crate::host::Time;
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::json::Members;
use crate::wire::sse;

/// Writes one answer. Every chunk has the same id and time, as OpenAI's do.
pub struct Encoder {
    id: String,
    created: u64,
    model: String,
    include_usage: bool,
    began: bool,
}

impl Encoder {
    /// For an answer that this platform makes. `id` is without OpenAI's prefix.
    pub fn new(id: &str, model: &str, now: Time, include_usage: bool) -> Self {
        let created = now.0.checked_div(1000).unwrap_or(0);
        Self { id: format!("chatcmpl-{id}"), created, model: model.to_owned(), include_usage, began: false }
    }

    /// The chunk for an event, if it has one. Usage and the end are the tail's.
    pub fn chunk(&mut self, event: &Event) -> Option<Bytes> {
        let (mut delta, finish) = match event {
            Event::Text(text) => (json!({"content": text}), None),
            Event::Thinking(text) => (json!({"reasoning_content": text}), None),
            Event::Refusal(text) => (json!({"refusal": text}), None),
            Event::Tool(tool) => (json!({"tool_calls": [tool_delta(tool)]}), None),
            Event::Finish(finish) => (json!({}), Some(finish_reason(*finish))),
            Event::Start { .. }
            | Event::Sealed(_)
            | Event::Other(_)
            | Event::Usage(_)
            | Event::Failed { .. }
            | Event::End
            | Event::Unreadable => return None,
        };
        if let (false, Some(delta)) = (self.began, delta.as_object_mut()) {
            delta.insert("role".to_owned(), json!("assistant"));
        }
        self.began = true;
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        Some(self.frame(&json!([choice]), None))
    }

    /// What ends a complete stream: the usage, if it was asked for, and `[DONE]`.
    pub fn tail(&self, usage: Usage) -> Bytes {
        let mut tail = Vec::new();
        if self.include_usage {
            tail.extend_from_slice(&self.frame(&json!([]), Some(usage)));
        }
        tail.extend_from_slice(DONE);
        tail.into()
    }

    /// A whole answer. Its content is null where it only calls tools, as OpenAI's is.
    pub fn whole(&self, text: &str, tools: &[ToolDelta], finish: Finish, usage: Usage) -> Value {
        let mut message = json!({"role": "assistant", "content": text, "refusal": null});
        if let (false, Some(message)) = (tools.is_empty(), message.as_object_mut()) {
            message.insert("tool_calls".to_owned(), tools.iter().map(tool_call).collect());
            if text.is_empty() {
                message.insert("content".to_owned(), Value::Null);
            }
        }
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": finish_reason(finish),
            }],
            "usage": counts(usage),
        })
    }

    fn frame(&self, choices: &Value, usage: Option<Usage>) -> Bytes {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let (true, Some(chunk)) = (self.include_usage, chunk.as_object_mut()) {
            chunk.insert("usage".to_owned(), usage.map_or(Value::Null, counts));
        }
        sse::unnamed(&chunk)
    }
}

/// The stream's terminator.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// OpenAI's error envelope: all four members, always, and the request's trace.
pub fn error_body(error: &Error, trace: &str) -> Value {
    let kind = match (error.kind, error.fault()) {
        (Kind::Unauthorized, _) => "authentication_error",
        (Kind::Forbidden, _) => "permission_error",
        (Kind::Limited, _) => "rate_limit_error",
        (_, Fault::Caller) => "invalid_request_error",
        (_, Fault::Upstream) => "upstream_error",
        (_, Fault::Ours) => "server_error",
    };
    json!({"error": {
        "message": error.detail,
        "type": kind,
        "param": error.param,
        "code": error.code(),
        "trace_id": trace,
    }})
}

/// A provider's error in OpenAI's envelope, with our trace among its members; `None` where it has another shape.
pub fn traced(body: &[u8], trace: &str) -> Option<Bytes> {
    let mut envelope = Members::parse(body).ok()?;
    let mut error = envelope.read::<Members>("error").ok()??;
    error.read::<String>("message").ok()??;
    error.set("trace_id", &trace);
    envelope.set("error", &error);
    Some(Bytes::from(envelope.text()))
}

fn tool_delta(tool: &ToolDelta) -> Value {
    let mut delta = json!({"index": tool.index, "function": {"arguments": tool.arguments}});
    if let (Some(id), Some(delta)) = (&tool.id, delta.as_object_mut()) {
        delta.insert("id".to_owned(), json!(id));
        delta.insert("type".to_owned(), json!("function"));
    }
    if let (Some(name), Some(function)) =
        (&tool.name, delta.get_mut("function").and_then(Value::as_object_mut))
    {
        function.insert("name".to_owned(), json!(name));
    }
    delta
}

fn tool_call(tool: &ToolDelta) -> Value {
    json!({
        "id": tool.id,
        "type": "function",
        "function": {"name": tool.name, "arguments": tool.arguments},
    })
}

fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Paused => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

fn counts(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_what_it_says_and_gets_the_trace() {
        let said =
            |body: &str| traced(body.as_bytes(), "t").map(|body| String::from_utf8_lossy(&body).into_owned());
        assert_eq!(
            said(r#"{"x":1.50,"error":{"message":"no","code":7}}"#).as_deref(),
            Some(r#"{"x":1.50,"error":{"message":"no","code":7,"trace_id":"t"}}"#)
        );
        for other in ["", "[]", r#"{"error":"no"}"#, r#"{"detail":"no"}"#, r#"{"error":{"message":1}}"#] {
            assert_eq!(said(other), None, "{other}");
        }
    }
}
