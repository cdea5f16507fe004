//! OpenAI Responses as the wall writes them: named events, each with its `sequence_number`; the last one,
//! `response.completed` or `response.incomplete`, is finish reason, usage and terminator at once.

use serde_json::{Value, json};

use super::{Dialect, Say, chat};
use crate::wall::answer::{Answer, Call, Finish, SEAL, Usage};
use crate::wall::asked::{Asked, last_of, text};
use crate::wall::reason::Reason;

/// Reads a request's body.
pub fn read(body: &[u8]) -> Result<Asked, Reason> {
    let json: Value = serde_json::from_slice(body).map_err(|_| Reason::invalid("the body is not JSON"))?;
    let missing = |name: &str| Reason::Invalid(format!("Missing required parameter: '{name}'."));
    let model = json["model"].as_str().ok_or_else(|| missing("model"))?.to_owned();
    let stream = json["stream"].as_bool().unwrap_or(false);
    let mut asked = Asked::new(Dialect::Responses, &model, stream, "input", json);
    let json = &asked.json;
    let items = asked.messages();
    let function = |tools: &Vec<Value>| tools.iter().find(|tool| tool["type"] == "function").cloned();
    let tool = json["tools"].as_array().and_then(function);
    asked.tool = tool.and_then(|tool| tool["name"].as_str().map(str::to_owned));
    asked.schema = Some(json["text"]["format"]["schema"].clone()).filter(Value::is_object);
    asked.said = match &json["input"] {
        Value::String(text) => json!(text),
        _ => last_of(&items, "user").map(|item| item["content"].clone()).unwrap_or_default(),
    };
    asked.prefilled = items.last().is_some_and(|item| item["role"] == "assistant");
    asked.result = result(&items);
    let include = json["include"].as_array();
    asked.encrypted =
        include.is_some_and(|names| names.iter().any(|name| name == "reasoning.encrypted_content"));
    let nothing = json["input"].is_null().then(|| missing("input"));
    asked.complain(nothing);
    asked.complain(forged(&items));
    Ok(asked)
}

/// What the first tool said, when the last item is a tool's.
fn result(items: &[Value]) -> Option<String> {
    let from_tool = |item: &&Value| item["type"] == "function_call_output";
    items.last().filter(from_tool)?;
    items.iter().find(from_tool).map(|first| text(&first["output"]))
}

/// Encrypted reasoning that is not the wall's.
fn forged(items: &[Value]) -> Option<Reason> {
    let bad = |item: &&Value| {
        item["type"] == "reasoning" && item["encrypted_content"].as_str().is_some_and(|seal| seal != SEAL)
    };
    let item = items.iter().find(bad)?;
    let id = item["id"].as_str().unwrap_or_default();
    Some(Reason::Invalid(format!("The encrypted content for item {id} could not be verified.")))
}

/// A whole answer.
pub fn whole(asked: &Asked, answer: &Answer) -> String {
    let mut output = Vec::new();
    if !answer.thoughts.is_empty() {
        output.push(reasoning(asked, &answer.thoughts.concat()));
    }
    if !answer.tokens.is_empty() {
        output.push(message(&answer.tokens.concat()));
    }
    output.extend(answer.calls.iter().map(|call| function(call, &call.arguments, "completed")));
    ended(asked, answer, output).to_string()
}

/// A whole answer that failed.
pub fn failed(asked: &Asked, reason: &Reason) -> String {
    let mut response = response(asked, "failed");
    response["error"] = json!({ "code": code(reason), "message": reason.message() });
    response.to_string()
}

/// The events of a stream.
pub struct Voice<'a> {
    asked: &'a Asked,
    answer: &'a Answer,
    sequence: usize,
    begun: bool,
    /// The item that is open, and what it says so far.
    open: Option<(Item, String)>,
    /// The items that are done.
    output: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Reasoning,
    Message,
    Call(usize),
}

impl super::Voice for Voice<'_> {
    fn say(&mut self, say: &Say) -> String {
        match say {
            Say::Start => {
                self.begun = true;
                let response = response(self.asked, "in_progress");
                ["response.created", "response.in_progress"]
                    .map(|name| self.event(name, json!({ "response": response })))
                    .concat()
            }
            Say::Beat => ": keep-alive\n\n".to_owned(),
            Say::Thought(piece) => {
                let delta = json!({ "summary_index": 0, "delta": piece });
                self.piece(Item::Reasoning, "response.reasoning_summary_text.delta", delta, piece)
            }
            Say::Token(piece) => {
                let delta = json!({ "content_index": 0, "delta": piece, "logprobs": [] });
                self.piece(Item::Message, "response.output_text.delta", delta, piece)
            }
            Say::Call(index) => self.open(Item::Call(*index)),
            Say::Arguments(index, piece) => {
                let name = "response.function_call_arguments.delta";
                self.piece(Item::Call(*index), name, json!({ "delta": piece }), piece)
            }
            Say::Malformed => "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\n\n".to_owned(),
            Say::Finish => {
                let close = self.close();
                let response = ended(self.asked, self.answer, self.output.clone());
                let name = format!("response.{}", response["status"].as_str().unwrap_or_default());
                close + &self.event(&name, json!({ "response": response }))
            }
            Say::Error(reason) => self.error(reason),
            Say::Seal | Say::Terminator | Say::Blocked => String::new(),
        }
    }
}

impl<'a> Voice<'a> {
    /// A stream that has not begun.
    pub(super) fn new(asked: &'a Asked, answer: &'a Answer) -> Self {
        Self { asked, answer, sequence: 0, begun: false, open: None, output: Vec::new() }
    }

    fn event(&mut self, name: &str, mut data: Value) -> String {
        data["type"] = json!(name);
        data["sequence_number"] = json!(self.sequence);
        self.sequence += 1;
        format!("event: {name}\ndata: {data}\n\n")
    }

    /// An event about the open item.
    fn about(&mut self, name: &str, id: &str, mut data: Value) -> String {
        data["item_id"] = json!(id);
        data["output_index"] = json!(self.output.len());
        self.event(name, data)
    }

    fn piece(&mut self, item: Item, name: &str, delta: Value, piece: &str) -> String {
        let open = self.open(item);
        if let Some((_, said)) = &mut self.open {
            said.push_str(piece);
        }
        open + &self.about(name, &id(item), delta)
    }

    /// Opens an item, unless it is open.
    fn open(&mut self, item: Item) -> String {
        if self.open.as_ref().is_some_and(|(open, _)| *open == item) {
            return String::new();
        }
        let mut frames = self.close();
        let empty = match item {
            Item::Reasoning => json!({ "id": id(item), "type": "reasoning", "summary": [] }),
            Item::Message => {
                json!({ "id": id(item), "type": "message", "role": "assistant", "status": "in_progress", "content": [] })
            }
            Item::Call(index) => function(&self.answer.calls[index], "", "in_progress"),
        };
        self.open = Some((item, String::new()));
        let index = self.output.len();
        frames += &self.event("response.output_item.added", json!({ "output_index": index, "item": empty }));
        frames
            + &match item {
                Item::Reasoning => {
                    let part = json!({ "summary_index": 0, "part": summary("") });
                    self.about("response.reasoning_summary_part.added", &id(item), part)
                }
                Item::Message => {
                    let part = json!({ "content_index": 0, "part": spoken("") });
                    self.about("response.content_part.added", &id(item), part)
                }
                Item::Call(_) => String::new(),
            }
    }

    /// Closes the open item, if there is one.
    fn close(&mut self) -> String {
        let Some((item, said)) = self.open.take() else { return String::new() };
        let (done, frames) = match item {
            Item::Reasoning => {
                let text = json!({ "summary_index": 0, "text": said });
                let part = json!({ "summary_index": 0, "part": summary(&said) });
                let frames = self.about("response.reasoning_summary_text.done", &id(item), text)
                    + &self.about("response.reasoning_summary_part.done", &id(item), part);
                (reasoning(self.asked, &said), frames)
            }
            Item::Message => {
                let text = json!({ "content_index": 0, "text": said, "logprobs": [] });
                let part = json!({ "content_index": 0, "part": spoken(&said) });
                let frames = self.about("response.output_text.done", &id(item), text)
                    + &self.about("response.content_part.done", &id(item), part);
                (message(&said), frames)
            }
            Item::Call(index) => {
                let call = &self.answer.calls[index];
                let arguments = json!({ "arguments": said, "name": call.name });
                let frames = self.about("response.function_call_arguments.done", &id(item), arguments);
                (function(call, &said, "completed"), frames)
            }
        };
        let index = self.output.len();
        let last = self.event("response.output_item.done", json!({ "output_index": index, "item": done }));
        self.output.push(done);
        frames + &last
    }

    /// `error` before the answer has begun, `response.failed` in it.
    fn error(&mut self, reason: &Reason) -> String {
        let (code, message) = (code(reason), reason.message());
        if !self.begun {
            return self.event("error", json!({ "code": code, "message": message, "param": null }));
        }
        let mut response = response(self.asked, "failed");
        response["output"] = json!(self.output);
        response["error"] = json!({ "code": code, "message": message });
        self.event("response.failed", json!({ "response": response }))
    }
}

/// Of an error inside an answer (`ResponseErrorCode`).
fn code(reason: &Reason) -> &'static str {
    if *reason == Reason::Filter { "invalid_prompt" } else { "server_error" }
}

fn id(item: Item) -> String {
    match item {
        Item::Reasoning => "rs_wall".to_owned(),
        Item::Message => "msg_wall".to_owned(),
        Item::Call(index) => format!("fc_wall_{index}"),
    }
}

fn summary(text: &str) -> Value {
    json!({ "type": "summary_text", "text": text })
}

fn spoken(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn reasoning(asked: &Asked, said: &str) -> Value {
    let mut item = json!({ "id": id(Item::Reasoning), "type": "reasoning", "summary": [summary(said)] });
    if asked.encrypted {
        item["encrypted_content"] = json!(SEAL);
    }
    item
}

fn message(said: &str) -> Value {
    json!({
        "id": id(Item::Message), "type": "message", "role": "assistant", "status": "completed",
        "content": [spoken(said)],
    })
}

fn function(call: &Call, arguments: &str, status: &str) -> Value {
    json!({
        "id": call.id.replace("call", "fc"), "type": "function_call", "call_id": call.id, "name": call.name,
        "arguments": arguments, "status": status,
    })
}

/// The response as it is when everything was said; still in progress when the answer is cut short.
fn ended(asked: &Asked, answer: &Answer, output: Vec<Value>) -> Value {
    let (status, why) = match answer.finish {
        None => ("in_progress", None),
        Some(Finish::Stop | Finish::Tools) => ("completed", None),
        Some(Finish::Filtered) => ("incomplete", Some("content_filter")),
        Some(Finish::Length) => ("incomplete", Some("max_output_tokens")),
    };
    let mut response = response(asked, status);
    response["output"] = json!(output);
    response["incomplete_details"] = json!(why.map(|reason| json!({ "reason": reason })));
    if let Some(usage) = answer.usage {
        response["usage"] = count(usage);
    }
    response
}

fn response(asked: &Asked, status: &str) -> Value {
    let or = |name: &str, default: Value| {
        Some(asked.json[name].clone()).filter(|v| !v.is_null()).unwrap_or(default)
    };
    json!({
        "id": "resp_wall", "object": "response", "created_at": 1_700_000_000, "status": status, "background": false,
        "error": null, "incomplete_details": null, "instructions": or("instructions", Value::Null),
        "max_output_tokens": or("max_output_tokens", Value::Null), "model": asked.model, "output": [],
        "parallel_tool_calls": or("parallel_tool_calls", json!(true)), "previous_response_id": null,
        "reasoning": { "effort": null, "summary": null }, "store": or("store", json!(true)),
        "temperature": or("temperature", json!(1.0)), "text": { "format": { "type": "text" } },
        "tool_choice": or("tool_choice", json!("auto")), "tools": or("tools", json!([])),
        "top_p": or("top_p", json!(1.0)), "truncation": "disabled", "metadata": {},
    })
}

fn count(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": { "cached_tokens": usage.cached, "cache_write_tokens": usage.written },
        "output_tokens": usage.output, "output_tokens_details": { "reasoning_tokens": usage.reasoning },
        "total_tokens": usage.input + usage.output,
    })
}

/// The body of a refusal: as in a chat, but for what names other members and codes.
pub fn error(reason: &Reason) -> String {
    let (message, param, code) = match reason {
        Reason::Context => (
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            Some("input"),
            "context_length_exceeded",
        ),
        Reason::Filter => (
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.",
            None,
            "invalid_prompt",
        ),
        _ => return chat::error(reason),
    };
    json!({ "error": { "message": message, "type": "invalid_request_error", "param": param, "code": code } })
        .to_string()
}
