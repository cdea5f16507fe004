//! The JSON of chunks and answers, as liberal as the servers that write it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::refuse;
use crate::wire::event::{Event, Usage};
use crate::wire::refusal::Class;

#[derive(Deserialize)]
pub struct Chunk<'a> {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default, borrow)]
    pub object: Option<Cow<'a, str>>,
    #[serde(default)]
    pub choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub usage: Option<Counts>,
    #[serde(default)]
    pub x_groq: Option<Groq>,
    #[serde(default)]
    pub error: Option<Reported>,
    /// In answers to a request for embeddings.
    #[serde(default, borrow)]
    pub data: Option<&'a RawValue>,
}

/// Where Groq's older streams have their usage.
#[derive(Deserialize)]
pub struct Groq {
    #[serde(default)]
    pub usage: Option<Counts>,
}

#[derive(Deserialize)]
pub struct Choice {
    #[serde(default)]
    pub index: u32,
    #[serde(default)]
    pub delta: Option<Delta>,
    /// In answers that are not streamed.
    #[serde(default)]
    pub message: Option<Delta>,
    #[serde(default)]
    pub finish_reason: Option<String>,
}

/// A delta or a message. Read by hand, because serde's `flatten` costs more than all the rest of a chunk.
#[derive(Default)]
pub struct Delta {
    pub content: Option<Content>,
    pub reasoning_content: Option<String>,
    /// The same under another name; servers that send both send the same text.
    pub reasoning: Option<String>,
    pub refusal: Option<String>,
    pub tool_calls: Vec<ToolCall>,
    pub reasoning_details: Vec<Value>,
    /// Anything else: audio, legacy function calls, whatever comes next.
    pub others: Vec<(String, Value)>,
}

#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub enum Content {
    Text(String),
    /// Mistral's, where a model thinks.
    Parts(Vec<Value>),
}

#[derive(Deserialize)]
pub struct ToolCall {
    #[serde(default)]
    pub index: Option<u32>,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(default)]
    pub function: Option<Function>,
    #[serde(default)]
    pub custom: Option<Custom>,
    #[serde(default)]
    pub extra_content: Option<Value>,
}

/// Of a custom tool. OpenAI's description has it in whole answers only; its servers stream it too.
#[derive(Default, Deserialize)]
pub struct Custom {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub input: Option<String>,
}

#[derive(Default, Deserialize)]
pub struct Function {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub arguments: Option<Arguments>,
}

#[derive(Deserialize)]
#[serde(from = "Value")]
pub enum Arguments {
    Text(String),
    /// Some servers forget to write it as a text.
    Object(Value),
}

/// Some servers write counts as floats.
#[derive(Deserialize)]
pub struct Counts {
    #[serde(default)]
    prompt_tokens: Option<f64>,
    #[serde(default)]
    completion_tokens: Option<f64>,
    #[serde(default)]
    total_tokens: Option<f64>,
    #[serde(default)]
    prompt_tokens_details: Option<InputDetails>,
    #[serde(default)]
    completion_tokens_details: Option<OutputDetails>,
    /// DeepSeek's name of what it read from its cache.
    #[serde(default)]
    prompt_cache_hit_tokens: Option<f64>,
    /// Moonshot's.
    #[serde(default)]
    cached_tokens: Option<f64>,
}

#[derive(Default, Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Option<f64>,
    #[serde(default)]
    cache_write_tokens: Option<f64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Option<f64>,
}

#[derive(Deserialize)]
#[serde(from = "Value")]
pub enum Reported {
    Full { message: String, code: Option<Value>, kind: Option<String>, class: Class },
    Text(String),
    Other(Value),
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    Content,
    ReasoningContent,
    Reasoning,
    Refusal,
    ToolCalls,
    ReasoningDetails,
    Role,
    /// Mistral's; it repeats the choice's.
    Index,
    Other(String),
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Delta;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a delta or a message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Delta, A::Error> {
                let mut delta = Delta::default();
                while let Some(name) = map.next_key()? {
                    match name {
                        Name::Content => delta.content = map.next_value()?,
                        Name::ReasoningContent => delta.reasoning_content = map.next_value()?,
                        Name::Reasoning => delta.reasoning = map.next_value()?,
                        Name::Refusal => delta.refusal = map.next_value()?,
                        Name::ToolCalls => {
                            delta.tool_calls = map.next_value::<Option<_>>()?.unwrap_or_default();
                        }
                        Name::ReasoningDetails => {
                            delta.reasoning_details = map.next_value::<Option<_>>()?.unwrap_or_default();
                        }
                        Name::Role | Name::Index => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        Name::Other(name) => {
                            delta.others.push((name, map.next_value()?));
                        }
                    }
                }
                Ok(delta)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl TryFrom<Value> for Content {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::String(text) => Ok(Self::Text(text)),
            Value::Array(parts) => Ok(Self::Parts(parts)),
            _ => Err("a text or a list of parts"),
        }
    }
}

impl From<Value> for Arguments {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            value => Self::Object(value),
        }
    }
}

impl From<Value> for Reported {
    fn from(value: Value) -> Self {
        let member = |name: &str| value.get(name).filter(|value| !value.is_null());
        let text = |name: &str| member(name).and_then(Value::as_str).map(str::to_owned);
        match (&value, text("message")) {
            (Value::String(said), _) => Self::Text(said.clone()),
            (_, Some(message)) if member("type").is_none_or(Value::is_string) => {
                let class = refuse::class(200, &value, &value, &message);
                Self::Full { message, code: member("code").cloned(), kind: text("type"), class }
            }
            _ => Self::Other(value),
        }
    }
}

impl Arguments {
    /// As the text that it should have been.
    pub fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Object(value) => value.to_string(),
        }
    }
}

impl Reported {
    /// The event of a failure inside a stream.
    pub fn event(self) -> Event {
        match self {
            Self::Full { message, code, kind, class } => {
                let code = code.and_then(|code| match code {
                    Value::String(text) => Some(text),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                });
                Event::Failed { message, code: code.or(kind), class }
            }
            Self::Text(message) => {
                let class = refuse::class(200, &Value::Null, &Value::Null, &message);
                Event::Failed { message, code: None, class }
            }
            Self::Other(value) => {
                let class = refuse::class(200, &value, &value, "");
                Event::Failed { message: value.to_string(), code: None, class }
            }
        }
    }
}

impl Counts {
    /// Some servers send `usage` with nothing in it: that is no report.
    pub fn usage(self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let details = self.prompt_tokens_details.unwrap_or_default();
        let cached = details.cached_tokens.or(self.prompt_cache_hit_tokens).or(self.cached_tokens);
        let reasoning = self.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        let (input, reasoning) = (count(self.prompt_tokens), count(reasoning));
        let mut output = count(self.completion_tokens);
        // xAI leaves reasoning out of `completion_tokens` and only its total says so.
        let with_reasoning = output.saturating_add(reasoning);
        if count(self.total_tokens) == input.saturating_add(with_reasoning) {
            output = with_reasoning;
        }
        let cache_write = count(details.cache_write_tokens);
        Some(Usage { input, output, cached: count(cached), reasoning, cache_write })
    }
}

/// `as` saturates, and takes what is no number for 0.
fn count(number: Option<f64>) -> u64 {
    number.unwrap_or(0.0) as u64
}

/// Whether it says nothing.
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
