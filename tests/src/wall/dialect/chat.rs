//! OpenAI chat completions as the wall writes them.
//!
//! Reasoning is `reasoning_content`, as compatible servers spell it; this dialect has no seal for it.

use serde_json::{Value, json};

use super::{Dialect, Say};
use crate::wall::answer::{Answer, Finish, Usage};
use crate::wall::asked::{Asked, last_of, text};
use crate::wall::reason::Reason;

/// The most answers to one call.
const MAX_CHOICES: usize = 8;

/// Reads a request's body.
pub fn read(body: &[u8]) -> Result<Asked, Reason> {
    let json: Value = serde_json::from_slice(body).map_err(|_| Reason::Model)?;
    let model = json["model"].as_str().ok_or(Reason::Model)?.to_owned();
    let stream = json["stream"].as_bool().unwrap_or(false);
    let mut asked = Asked::new(Dialect::Chat, &model, stream, "messages", json);
    let json = &asked.json;
    let messages = asked.messages();
    asked.usage = json["stream_options"]["include_usage"].as_bool().unwrap_or(false);
    asked.choices =
        json["n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1).clamp(1, MAX_CHOICES);
    asked.tool = json["tools"][0]["function"]["name"].as_str().map(str::to_owned);
    asked.schema = Some(json["response_format"]["json_schema"]["schema"].clone()).filter(Value::is_object);
    asked.said = last_of(&messages, "user").map(|message| message["content"].clone()).unwrap_or_default();
    asked.prefilled = messages.last().is_some_and(|message| message["role"] == "assistant");
    asked.result = result(&messages);
    Ok(asked)
}

/// What the first tool said, when the last message is a tool's.
fn result(messages: &[Value]) -> Option<String> {
    let from_tool = |message: &&Value| message["role"] == "tool";
    messages.last().filter(from_tool)?;
    messages.iter().find(from_tool).map(|first| text(&first["content"]))
}

/// A whole answer.
pub fn whole(asked: &Asked, answer: &Answer) -> String {
    let mut message = json!({ "role": "assistant", "content": answer.tokens.concat(), "refusal": null });
    if !answer.thoughts.is_empty() {
        message["reasoning_content"] = json!(answer.thoughts.concat());
    }
    if !answer.calls.is_empty() {
        message["content"] = Value::Null;
        let calls = answer.calls.iter().map(|call| {
            json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": call.arguments } })
        });
        message["tool_calls"] = calls.collect();
    }
    let finish = answer.finish.map(finish);
    let choice = |index: usize| json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish });
    let mut body = json!({
        "id": "chatcmpl-wall", "object": "chat.completion", "created": 1_700_000_000, "model": asked.model,
        "choices": (0..asked.choices).map(choice).collect::<Vec<_>>(),
    });
    if let Some(usage) = answer.usage {
        body["usage"] = count(usage);
    }
    body.to_string()
}

/// The frames of a stream.
pub struct Voice<'a> {
    pub(super) asked: &'a Asked,
    pub(super) answer: &'a Answer,
}

impl super::Voice for Voice<'_> {
    fn say(&mut self, say: &Say) -> String {
        match say {
            Say::Start => {
                let content = if self.answer.calls.is_empty() { json!("") } else { Value::Null };
                self.frame(&json!({ "role": "assistant", "content": content }))
            }
            Say::Beat => ": keep-alive\n\n".to_owned(),
            Say::Thought(piece) => self.frame(&json!({ "reasoning_content": piece })),
            Say::Token(piece) => self.frame(&json!({ "content": piece })),
            Say::Call(index) => {
                let call = &self.answer.calls[*index];
                let first = json!({
                    "index": index, "id": call.id, "type": "function",
                    "function": { "name": call.name, "arguments": "" },
                });
                self.frame(&json!({ "tool_calls": [first] }))
            }
            Say::Arguments(index, piece) => {
                let next = json!({ "index": index, "function": { "arguments": piece } });
                self.frame(&json!({ "tool_calls": [next] }))
            }
            Say::Malformed => "data: {\"choices\":[{\"delta\":\n\n".to_owned(),
            Say::Finish => {
                let finish = json!(self.answer.finish.map(finish));
                self.finished(&json!({}), &finish) + &self.usage_frame()
            }
            Say::Terminator => "data: [DONE]\n\n".to_owned(),
            Say::Error(reason) => format!("data: {}\n\n", error(reason)),
            Say::Seal | Say::Blocked => String::new(),
        }
    }
}

impl Voice<'_> {
    /// The frames with this delta, one a choice.
    fn frame(&self, delta: &Value) -> String {
        self.finished(delta, &Value::Null)
    }

    fn finished(&self, delta: &Value, finish: &Value) -> String {
        let frame = |index: usize| {
            let mut chunk = self.chunk();
            chunk["choices"] =
                json!([{ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish }]);
            if self.asked.usage {
                chunk["usage"] = Value::Null;
            }
            format!("data: {chunk}\n\n")
        };
        (0..self.asked.choices).map(frame).collect()
    }

    /// The usage frame, if it was asked for.
    fn usage_frame(&self) -> String {
        let Some(usage) = self.answer.usage.filter(|_| self.asked.usage) else { return String::new() };
        let mut chunk = self.chunk();
        chunk["choices"] = json!([]);
        chunk["usage"] = count(usage);
        format!("data: {chunk}\n\n")
    }

    fn chunk(&self) -> Value {
        json!({ "id": "chatcmpl-wall", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": self.asked.model })
    }
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Tools => "tool_calls",
        Finish::Filtered => "content_filter",
        Finish::Length => "length",
    }
}

/// The parts are told only where there are some.
fn count(usage: Usage) -> Value {
    let Usage { input, output, .. } = usage;
    let mut count =
        json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output });
    if usage.cached > 0 {
        count["prompt_tokens_details"] = json!({ "cached_tokens": usage.cached });
    }
    if usage.reasoning > 0 {
        count["completion_tokens_details"] = json!({ "reasoning_tokens": usage.reasoning });
    }
    count
}

/// The error that the wall reports, as a body or as an event's data.
pub fn error(reason: &Reason) -> String {
    let message = reason.message();
    let (message, kind, param, code) = match reason {
        Reason::Broke | Reason::Plain(..) | Reason::Model => return plain(&message),
        Reason::Context => (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130042 tokens. Please reduce the length of the messages.".to_owned(),
            "invalid_request_error",
            Some("messages"),
            Some("context_length_exceeded"),
        ),
        Reason::Filter => (
            "The response was filtered due to the prompt triggering the content management policy. Please modify your prompt and retry.".to_owned(),
            "invalid_request_error",
            Some("prompt"),
            Some("content_filter"),
        ),
        Reason::Credential => {
            ("Incorrect API key provided: it is not the wall's.".to_owned(), "invalid_request_error", None, Some("invalid_api_key"))
        }
        Reason::Status(429, _) => {
            ("Rate limit reached at the wall.".to_owned(), "requests", None, Some("rate_limit_exceeded"))
        }
        Reason::Status(404, _) => (message, "invalid_request_error", None, Some("model_not_found")),
        Reason::Status(400..500, _) | Reason::Prefill | Reason::Invalid(_) => {
            (message, "invalid_request_error", None, None)
        }
        Reason::Overloaded | Reason::Status(..) => (message, "server_error", None, None),
    };
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } }).to_string()
}

/// The one plain shape of an error.
pub fn plain(message: &str) -> String {
    json!({ "error": { "message": message, "type": "server_error", "param": null, "code": null } })
        .to_string()
}
