//! The response object and its output items: an answer that was not streamed, and the end of one that was.

use serde::Deserialize;
use serde_json::Value;

use super::refusal;
use super::slots::Slots;
use crate::wire::Dialect;
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, Usage};
use crate::wire::refusal::Class;

/// A response object, as far as it is read. Members whose types are not those of the description count as missing.
#[derive(Deserialize)]
pub struct Response {
    #[serde(default)]
    object: Value,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    model: Value,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    incomplete_details: Value,
    #[serde(default)]
    output: Value,
    #[serde(default)]
    tools: Value,
    #[serde(default)]
    usage: Value,
}

/// An output item, in neutral words.
pub enum Item {
    /// With all its arguments.
    Call {
        /// `call_id`, which results name.
        id: String,
        /// Of the function.
        name: String,
        /// As far as they are known; of a custom tool, its input.
        arguments: String,
        /// Whether it is a custom tool's.
        custom: bool,
        /// Whether it was cut off.
        cut: bool,
    },
    /// Its texts, refusals, and what else it holds.
    Message(Vec<Event>),
    /// Its visible text and its seal.
    Reasoning {
        /// The summary, or the reasoning itself.
        text: Option<String>,
        /// The encrypted reasoning.
        seal: Option<Seal>,
    },
    /// A built-in tool's: its type and its size.
    Other(String, usize),
}

/// Reads an answer that was not streamed. `Unreadable` alone, when it is none.
pub fn decode_whole(body: &[u8]) -> Vec<Event> {
    let Ok(response) = serde_json::from_slice::<Response>(body) else { return vec![Event::Unreadable] };
    if !response.error.is_null() {
        return vec![failed(&response.error)];
    }
    if response.object.as_str() != Some("response") && !response.output.is_array() {
        return vec![Event::Unreadable];
    }
    let mut slots = Slots::default();
    let mut events: Vec<_> = response.start().into_iter().collect();
    match response.status.as_str() {
        None | Some("completed" | "incomplete") => {
            events.extend(response.content(&mut slots));
            events.extend(response.ending(&slots));
        }
        Some(status) => {
            events.extend(response.usage().map(Event::Usage));
            let message = format!("the provider's answer is {status}, not completed");
            events.push(Event::Failed { message, code: Some(status.to_owned()), class: Class::Failed });
        }
    }
    events
}

impl Response {
    /// The provider has begun.
    pub fn start(&self) -> Option<Event> {
        let model = self.model.as_str().unwrap_or_default().to_owned();
        self.id.as_str().map(|id| Event::Start { id: id.to_owned(), model })
    }

    /// Whether nothing was cut off.
    pub fn is_completed(&self) -> bool {
        self.status.as_str() == Some("completed")
    }

    /// Tells which tools the caller offered.
    pub fn offer(&self, slots: &mut Slots) {
        slots.offer(&self.tools);
    }

    /// All its items, but for what was said before.
    pub fn content(&self, slots: &mut Slots) -> Vec<Event> {
        self.offer(slots);
        let items = self.output.as_array().into_iter().flatten();
        let read = (0..).zip(items).flat_map(|(index, value)| slots.item(index, item(value), true));
        read.collect()
    }

    /// Why it ended, and its usage.
    pub fn ending(&self, slots: &Slots) -> Vec<Event> {
        let reason = self.incomplete_details.get("reason").and_then(Value::as_str);
        let is_incomplete = self.status.as_str() == Some("incomplete");
        let finish = match reason {
            Some("content_filter") => Finish::ContentFilter,
            // Whatever else cut it short is a bound.
            Some(_) => Finish::Length,
            None if is_incomplete => Finish::Length,
            None if slots.has_calls() => Finish::ToolCalls,
            None => Finish::Stop,
        };
        [Event::Finish(finish)].into_iter().chain(self.usage().map(Event::Usage)).collect()
    }

    /// Its token counts; none where it has no numbers.
    pub fn usage(&self) -> Option<Usage> {
        let count = |path: &str| self.usage.pointer(path).and_then(Value::as_u64);
        let (input, output) = (count("/input_tokens"), count("/output_tokens"));
        if input.is_none() && output.is_none() {
            return None;
        }
        Some(Usage {
            input: input.unwrap_or(0),
            output: output.unwrap_or(0),
            cached: count("/input_tokens_details/cached_tokens").unwrap_or(0),
            reasoning: count("/output_tokens_details/reasoning_tokens").unwrap_or(0),
            cache_write: count("/input_tokens_details/cache_write_tokens").unwrap_or(0),
        })
    }

    /// Why it failed.
    pub fn failure(&self) -> Event {
        failed(&self.error)
    }
}

/// An error object, an error's text, or an event with an error's members.
pub fn failed(error: &Value) -> Event {
    let text = |name: &str| match error.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let message = match error {
        Value::String(text) => text.clone(),
        Value::Null => "the provider says that its answer failed, and not why".to_owned(),
        _ => text("message").unwrap_or_else(|| error.to_string()),
    };
    let kind = text("type").filter(|kind| kind != "error");
    let class = refusal::class(200, error, &message);
    Event::Failed { message, code: text("code").or(kind), class }
}

/// Reads an output item.
pub fn item(value: &Value) -> Item {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match value.get("type").and_then(Value::as_str) {
        Some("message") => Item::Message(message(value)),
        Some(kind @ ("function_call" | "custom_tool_call")) => Item::Call {
            id: text("call_id").or(text("id")).unwrap_or_default(),
            name: text("name").unwrap_or_default(),
            arguments: text(if kind == "function_call" { "arguments" } else { "input" }).unwrap_or_default(),
            custom: kind == "custom_tool_call",
            cut: value.get("status").and_then(Value::as_str) == Some("incomplete"),
        },
        Some("reasoning") => {
            let seal = text("encrypted_content").filter(|value| !value.is_empty()).map(|value| Seal {
                dialect: Dialect::Responses,
                value,
                hidden: true,
                item: text("id"),
            });
            Item::Reasoning { text: reasoning(value), seal }
        }
        kind => Item::Other(kind.unwrap_or("item").to_owned(), value.to_string().len()),
    }
}

fn message(value: &Value) -> Vec<Event> {
    let mut events = Vec::new();
    for part in value.get("content").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| part.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        match part.get("type").and_then(Value::as_str) {
            Some("output_text") => {
                events.extend(text("text").map(|text| Event::Text(text.to_owned())));
                let annotations = part.get("annotations").and_then(Value::as_array).into_iter().flatten();
                events.extend(
                    annotations.map(|annotation| Event::about("annotations", annotation.to_string().len())),
                );
            }
            Some("refusal") => events.extend(text("refusal").map(|text| Event::Refusal(text.to_owned()))),
            kind => events.push(Event::other(kind.unwrap_or("part"), part.to_string().len())),
        }
    }
    events
}

fn reasoning(value: &Value) -> Option<String> {
    let texts = |name: &str| {
        let parts = value.get(name).and_then(Value::as_array).into_iter().flatten();
        parts.filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>()
    };
    let summary = texts("summary");
    let text = if summary.is_empty() { texts("content").concat() } else { summary.join("\n\n") };
    Some(text).filter(|text| !text.is_empty())
}
