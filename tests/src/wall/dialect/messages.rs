//! Anthropic Messages as the wall writes them.

use serde_json::{Value, json};

use super::{Dialect, Say};
use crate::wall::answer::{Answer, Finish, SEAL, Usage};
use crate::wall::asked::{Asked, last_of, text};
use crate::wall::reason::Reason;

/// Reads a request's body.
pub fn read(body: &[u8]) -> Result<Asked, Reason> {
    let json: Value = serde_json::from_slice(body).map_err(|_| Reason::invalid("the body is not JSON"))?;
    let model = json["model"].as_str().ok_or(Reason::invalid("model: Field required"))?.to_owned();
    let stream = json["stream"].as_bool().unwrap_or(false);
    let mut asked = Asked::new(Dialect::Messages, &model, stream, "messages", json);
    let json = &asked.json;
    let messages = asked.messages();
    let chosen = json["tool_choice"]["name"].as_str().filter(|_| json["tool_choice"]["type"] == "tool");
    asked.tool = chosen.or(json["tools"][0]["name"].as_str()).map(str::to_owned);
    asked.forced = chosen.is_some();
    let schema = match chosen {
        Some(name) => json["tools"]
            .as_array()
            .and_then(|tools| tools.iter().find(|tool| tool["name"] == name))
            .map(|tool| tool["input_schema"].clone()),
        None => [&json["output_config"]["format"]["schema"], &json["output_format"]["schema"]]
            .into_iter()
            .find(|schema| schema.is_object())
            .cloned(),
    };
    let required = [("max_tokens", json["max_tokens"].is_u64()), ("messages", !messages.is_empty())];
    let missing = required.iter().find(|(_, there)| !there);
    let missing = missing.map(|(name, _)| Reason::Invalid(format!("{name}: Field required")));
    let thinks = json["thinking"]["type"].as_str().is_some_and(|kind| kind != "disabled");
    asked.schema = schema;
    asked.said = last_of(&messages, "user").map(|message| message["content"].clone()).unwrap_or_default();
    asked.prefilled = messages.last().is_some_and(|message| message["role"] == "assistant");
    asked.result = result(&messages);
    asked.complain(missing);
    asked.complain(forged(&messages));
    asked.unsealed = unsealed(&messages).filter(|_| thinks);
    Ok(asked)
}

/// What the first tool said, when the last message brings results.
fn result(messages: &[Value]) -> Option<String> {
    let results = |message: &Value| {
        let blocks = message["content"].as_array().cloned().unwrap_or_default();
        blocks.into_iter().filter(|block| block["type"] == "tool_result").collect::<Vec<_>>()
    };
    messages.last().filter(|message| !results(message).is_empty())?;
    let first = messages.iter().flat_map(results).next()?;
    let blocks = first["content"].as_array();
    let texts = blocks.map(|blocks| blocks.iter().map(|block| text(&block["text"])).collect::<String>());
    Some(texts.unwrap_or_else(|| text(&first["content"])))
}

/// A signature that is not the wall's.
fn forged(messages: &[Value]) -> Option<Reason> {
    for (at, message) in messages.iter().enumerate() {
        for (index, block) in message["content"].as_array().into_iter().flatten().enumerate() {
            if block["type"] == "thinking" && block["signature"] != SEAL {
                let place = format!("messages.{at}.content.{index}");
                return Some(Reason::Invalid(format!("{place}: Invalid `signature` in `thinking` block")));
            }
        }
    }
    None
}

/// A tool call of the last turn whose thinking did not come back with it.
fn unsealed(messages: &[Value]) -> Option<Reason> {
    let last = last_of(messages, "assistant")?["content"].as_array()?;
    let calls = last.iter().any(|block| block["type"] == "tool_use");
    let thought = last.first().is_some_and(|block| block["type"] == "thinking");
    (calls && !thought).then(|| {
        Reason::invalid("Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block.")
    })
}

/// A whole answer.
pub fn whole(asked: &Asked, answer: &Answer) -> String {
    let mut content = Vec::new();
    if !answer.thoughts.is_empty() {
        content.push(json!({ "type": "thinking", "thinking": answer.thoughts.concat(), "signature": SEAL }));
    }
    if !answer.tokens.is_empty() {
        content.push(json!({ "type": "text", "text": answer.tokens.concat() }));
    }
    content.extend(answer.calls.iter().map(
        |call| json!({ "type": "tool_use", "id": id(&call.id), "name": call.name, "input": call.json() }),
    ));
    let mut message = message(asked, answer);
    message["content"] = Value::Array(content);
    message["stop_reason"] = json!(answer.finish.map(finish));
    if let Some(usage) = answer.usage {
        message["usage"] = count(usage, usage.output);
    }
    message.to_string()
}

/// The events of a stream.
pub struct Voice<'a> {
    asked: &'a Asked,
    answer: &'a Answer,
    /// The block that is open, by its type.
    open: Option<&'static str>,
    /// How many blocks were closed: the index of the open one.
    closed: usize,
    pinged: bool,
}

impl super::Voice for Voice<'_> {
    fn say(&mut self, say: &Say) -> String {
        match say {
            Say::Start => event(&json!({ "type": "message_start", "message": message(self.asked, self.answer) })),
            Say::Beat => ping(),
            Say::Thought(piece) => {
                let open = self.block("thinking", || json!({ "type": "thinking", "thinking": "", "signature": "" }));
                open + &self.delta(&json!({ "type": "thinking_delta", "thinking": piece }))
            }
            Say::Seal => self.delta(&json!({ "type": "signature_delta", "signature": SEAL })),
            Say::Token(piece) => {
                let open = self.block("text", || json!({ "type": "text", "text": "" }));
                open + &self.delta(&json!({ "type": "text_delta", "text": piece }))
            }
            Say::Call(index) => {
                let call = &self.answer.calls[*index];
                let close = self.close();
                let open = self.block("tool_use", || {
                    json!({ "type": "tool_use", "id": id(&call.id), "name": call.name, "input": {} })
                });
                close + &open + &self.delta(&json!({ "type": "input_json_delta", "partial_json": "" }))
            }
            Say::Arguments(_, piece) => {
                self.delta(&json!({ "type": "input_json_delta", "partial_json": piece }))
            }
            Say::Malformed => "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\n\n".to_owned(),
            Say::Finish => {
                let finish = self.answer.finish.map(finish);
                let delta = json!({ "stop_reason": finish, "stop_sequence": null });
                let mut last = json!({ "type": "message_delta", "delta": delta });
                if let Some(usage) = self.answer.usage {
                    last["usage"] = count(usage, usage.output);
                }
                self.close() + &event(&last)
            }
            Say::Terminator => event(&json!({ "type": "message_stop" })),
            Say::Error(reason) => named("error", &error(reason)),
            Say::Blocked => String::new(),
        }
    }
}

impl<'a> Voice<'a> {
    /// A stream that has not begun.
    pub(super) fn new(asked: &'a Asked, answer: &'a Answer) -> Self {
        Self { asked, answer, open: None, closed: 0, pinged: false }
    }

    /// Opens a block of this type, unless one is open; a ping follows the first, as it does at the provider.
    fn block(&mut self, kind: &'static str, block: impl FnOnce() -> Value) -> String {
        if self.open == Some(kind) {
            return String::new();
        }
        let mut frames = self.close();
        self.open = Some(kind);
        frames +=
            &event(&json!({ "type": "content_block_start", "index": self.closed, "content_block": block() }));
        if !std::mem::replace(&mut self.pinged, true) {
            frames += &ping();
        }
        frames
    }

    fn delta(&self, delta: &Value) -> String {
        event(&json!({ "type": "content_block_delta", "index": self.closed, "delta": delta }))
    }

    fn close(&mut self) -> String {
        if self.open.take().is_none() {
            return String::new();
        }
        self.closed += 1;
        event(&json!({ "type": "content_block_stop", "index": self.closed - 1 }))
    }
}

/// The message before anything was said: one output token is on its bill from the start.
fn message(asked: &Asked, answer: &Answer) -> Value {
    let mut message = json!({
        "id": "msg_wall", "type": "message", "role": "assistant", "model": asked.model, "content": [],
        "stop_reason": null, "stop_sequence": null,
    });
    if let Some(usage) = answer.usage {
        message["usage"] = count(usage, 1);
    }
    message
}

/// `input_tokens` leaves out what was read from a cache or written to one.
fn count(usage: Usage, output: usize) -> Value {
    json!({
        "input_tokens": usage.input - usage.cached - usage.written,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": output,
    })
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Tools => "tool_use",
        Finish::Filtered => "refusal",
        Finish::Length => "max_tokens",
    }
}

fn id(call: &str) -> String {
    call.replace("call", "toolu")
}

fn ping() -> String {
    event(&json!({ "type": "ping" }))
}

fn event(data: &Value) -> String {
    named(data["type"].as_str().unwrap_or_default(), &data.to_string())
}

fn named(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// The error that the wall reports, as a body or as an event's data.
pub fn error(reason: &Reason) -> String {
    let message = match reason {
        Reason::Context => "prompt is too long: 200251 tokens > 200000 maximum".to_owned(),
        Reason::Filter => "Output blocked by content filtering policy".to_owned(),
        Reason::Prefill => "This model does not support assistant message prefill. The conversation must end with a user message.".to_owned(),
        Reason::Credential => "invalid x-api-key".to_owned(),
        _ => reason.message(),
    };
    let kind = match reason.status() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_wall" })
        .to_string()
}
