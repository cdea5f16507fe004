//! Frames and whole answers from upstream, read into neutral events.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::Frame;
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::sse;

/// How many choices of one answer are followed; OpenAI allows `n` up to 128.
const MAX_CHOICES: usize = 128;

/// Reads one stream, frame by frame.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    /// Per choice that was seen: whether it has finished.
    choices: Vec<(u32, bool)>,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(default)]
    error: Option<Reported>,
    /// In answers to a request for embeddings.
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    delta: Option<Delta>,
    /// In answers that are not streamed.
    #[serde(default)]
    message: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    reasoning_content: Option<String>,
    /// The same under another name; servers that send both send the same text.
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCall>>,
    /// Audio, legacy function calls, whatever comes next.
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct ToolCall {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<InputDetails>,
    #[serde(default)]
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reported {
    Full {
        message: String,
        #[serde(default)]
        code: Option<Value>,
        #[serde(default, rename = "type")]
        kind: Option<String>,
    },
    Text(String),
    Other(Value),
}

impl Decoder {
    /// Reads one SSE frame. What cannot be read is `Unreadable`, never an error: the stream goes on without it.
    pub fn decode(&mut self, bytes: Bytes) -> Frame {
        let events = match std::str::from_utf8(&bytes).map(sse::data) {
            Err(_) => vec![Event::Unreadable],
            Ok(None) => Vec::new(),
            Ok(Some(data)) if data.trim() == "[DONE]" => vec![Event::End],
            Ok(Some(data)) if data.trim().is_empty() => Vec::new(),
            Ok(Some(data)) => match serde_json::from_str::<Chunk<'_>>(&data) {
                Ok(chunk) => self.events(chunk),
                Err(_) => self.leniently(&data),
            },
        };
        Frame { bytes, events }
    }

    /// JSON whose types are not those of the description is still the caller's to read: it is content, and only what
    /// decides how the answer ends is looked for.
    fn leniently(&mut self, data: &str) -> Vec<Event> {
        let Ok(Value::Object(chunk)) = serde_json::from_str(data) else { return vec![Event::Unreadable] };
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return vec![Reported::Other(error.clone()).event()];
        }
        let mut events = Vec::new();
        let choices = chunk.get("choices").and_then(Value::as_array);
        for choice in choices.into_iter().flatten() {
            events.push(Event::Other(choice.to_string().len()));
            let index =
                choice.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
            self.see(index.unwrap_or(0));
            self.finish(index.unwrap_or(0), choice.get("finish_reason").and_then(Value::as_str), &mut events);
        }
        let count = |name: &str| chunk.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_f64);
        if let (Some(input), Some(output)) = (count("prompt_tokens"), count("completion_tokens")) {
            let usage = Usage { input: input as u64, output: output as u64, ..Usage::default() };
            events.push(Event::Usage(usage));
        }
        events
    }

    fn see(&mut self, index: u32) {
        if !self.choices.iter().any(|(other, _)| *other == index) && self.choices.len() < MAX_CHOICES {
            self.choices.push((index, false));
        }
    }

    fn events(&mut self, chunk: Chunk<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(reported) = chunk.error {
            events.push(reported.event());
            return events;
        }
        if let (false, Some(id)) = (self.started, chunk.id) {
            self.started = true;
            events.push(Event::Start { id, model: chunk.model.unwrap_or_default() });
        }
        for choice in chunk.choices.unwrap_or_default() {
            self.choice(choice, &mut events);
        }
        if let Some(counts) = chunk.usage {
            events.extend(counts.usage().map(Event::Usage));
        }
        events
    }

    fn choice(&mut self, choice: Choice, events: &mut Vec<Event>) {
        self.see(choice.index);
        let delta = choice.delta.or(choice.message).unwrap_or_default();
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        events.extend(some(delta.reasoning_content.or(delta.reasoning)).map(Event::Thinking));
        events.extend(some(delta.content).map(Event::Text));
        events.extend(some(delta.refusal).map(Event::Refusal));
        for call in delta.tool_calls.unwrap_or_default() {
            let (name, arguments) = call.function.map_or((None, None), |f| (f.name, f.arguments));
            let arguments = arguments.unwrap_or_default();
            events.push(Event::Tool(ToolDelta {
                index: call.index,
                id: call.id,
                name,
                arguments,
                seal: None,
            }));
        }
        let others = delta.others.iter().filter(|(name, value)| *name != "role" && !is_blank(value));
        let others: usize = others.map(|(_, value)| value.to_string().len()).sum();
        if others > 0 {
            events.push(Event::Other(others));
        }
        self.finish(choice.index, choice.finish_reason.as_deref(), events);
    }

    /// Some servers send an empty reason with every chunk: that is none.
    fn finish(&mut self, index: u32, reason: Option<&str>, events: &mut Vec<Event>) {
        let Some(reason) = reason.filter(|reason| !reason.is_empty()) else { return };
        if reason == "error" {
            let message = "the provider ended its answer with an error".to_owned();
            events.push(Event::Failed { message, code: None });
            return;
        }
        for (_, finished) in self.choices.iter_mut().filter(|(other, _)| *other == index) {
            *finished = true;
        }
        // With several choices, the answer has ended when all of them have.
        if self.choices.iter().all(|(_, finished)| *finished) {
            events.push(Event::Finish(finish(reason)));
        }
    }
}

/// Reads an answer that was not streamed. `Unreadable` alone, when it is none.
pub fn decode_whole(body: &[u8]) -> Vec<Event> {
    let Ok(answer) = serde_json::from_slice::<Chunk<'_>>(body) else {
        return std::str::from_utf8(body)
            .map_or(vec![Event::Unreadable], |text| Decoder::default().leniently(text));
    };
    if answer.error.is_none() && answer.choices.as_ref().is_none_or(Vec::is_empty) {
        return embeddings(answer);
    }
    Decoder::default().events(answer)
}

/// Embeddings are content as a whole.
fn embeddings(answer: Chunk<'_>) -> Vec<Event> {
    let data = answer.data.map_or("", RawValue::get);
    if !data.starts_with('[') {
        return vec![Event::Unreadable];
    }
    let mut events = vec![Event::Other(data.len()), Event::Finish(Finish::Stop)];
    events.extend(answer.usage.and_then(Counts::usage).map(Event::Usage));
    events
}

impl Reported {
    fn event(self) -> Event {
        match self {
            Self::Full { message, code, kind } => {
                let code = code.and_then(|code| match code {
                    Value::String(text) => Some(text),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                });
                Event::Failed { message, code: code.or(kind) }
            }
            Self::Text(message) => Event::Failed { message, code: None },
            Self::Other(value) => Event::Failed { message: value.to_string(), code: None },
        }
    }
}

impl Counts {
    /// Some servers send `usage` with nothing in it: that is no report.
    fn usage(self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        Some(Usage {
            input: self.prompt_tokens.unwrap_or(0),
            output: self.completion_tokens.unwrap_or(0),
            cached: self.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
            reasoning: self
                .completion_tokens_details
                .and_then(|details| details.reasoning_tokens)
                .unwrap_or(0),
            cache_write: 0,
        })
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A reason that is not in OpenAI's list still says that the provider was done.
fn finish(reason: &str) -> Finish {
    match reason {
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}
