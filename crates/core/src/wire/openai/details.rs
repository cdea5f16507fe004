//! `reasoning_details` and `extra_content`: how thinking and its seals travel in this dialect.
//!
//! Formats: OpenRouter, "Preserving reasoning" (objects of type `reasoning.text` with `text` and `signature`,
//! `reasoning.summary` with `summary`, `reasoning.encrypted` with `data`; each with `id`, `format` and `index`);
//! Google, "OpenAI compatibility" and "Thought signatures" (`extra_content.google.thought_signature` of a tool call).

use serde_json::{Map, Value, json};

use crate::wire::Dialect;
use crate::wire::conversation::{Seal, Thinking};
use crate::wire::event::Event;
use crate::wire::json::parse;
use crate::wire::seal::{unwrap, wrap};

/// What a provider's details say. `shown` is whether the visible text stands beside them too.
pub fn events(details: Vec<Value>, shown: bool, events: &mut Vec<Event>) {
    for detail in details {
        let Value::Object(mut detail) = detail else { continue };
        let text = match kind(&detail) {
            "reasoning.text" => detail.remove("text"),
            "reasoning.summary" => detail.remove("summary"),
            _ => None,
        };
        if let (false, Some(Value::String(text))) = (shown || text.as_ref().is_none_or(is_empty), text) {
            events.push(Event::Thinking(text));
        }
        if sealing(&detail).is_some() {
            events.push(Event::Sealed(verbatim(detail)));
        }
    }
}

/// The signature of a provider's tool call.
pub fn upstream_signature(extra: &Value) -> Option<Seal> {
    Some(Seal::signature(Dialect::OpenAi, google(extra)?))
}

/// A seal for a caller, with the text that it signs: an object of `reasoning_details`.
pub fn detail(seal: &Seal, text: &str, index: usize) -> Value {
    let own = own(seal).map(|mut detail| {
        if kind(&detail) == "reasoning.text" {
            detail.insert("text".to_owned(), json!(text));
        }
        Value::Object(detail)
    });
    own.unwrap_or_else(|| match seal.hidden {
        true => json!({
            "type": "reasoning.encrypted", "data": wrap(seal), "id": seal.item, "format": "unknown", "index": index,
        }),
        false => json!({
            "type": "reasoning.text", "text": text, "signature": wrap(seal), "id": seal.item, "format": "unknown",
            "index": index,
        }),
    })
}

/// A call's seal for a caller: `extra_content`.
pub fn extra_content(seal: &Seal) -> Value {
    let value = if seal.dialect == Dialect::OpenAi { seal.value.clone() } else { wrap(seal) };
    json!({"google": {"thought_signature": value}})
}

/// The seal of a caller's tool call: one of ours, or Gemini's own.
pub fn signature(extra: &Value) -> Option<Seal> {
    let value = google(extra)?;
    Some(unwrap(value).unwrap_or_else(|| Seal::signature(Dialect::Gemini, value)))
}

/// What an assistant's message says that it thought. A text that came in pieces, as a stream's do, is put together.
pub fn thinking(details: &[Value]) -> Vec<Thinking> {
    let mut thoughts: Vec<Thinking> = Vec::new();
    let mut open = false;
    for detail in details.iter().filter_map(Value::as_object) {
        let text = match kind(detail) {
            "reasoning.text" => detail.get("text"),
            "reasoning.summary" => detail.get("summary"),
            _ => None,
        };
        let text = text.and_then(Value::as_str).unwrap_or_default();
        let (continues, seal) = (kind(detail) == "reasoning.text", callers_seal(detail));
        match thoughts.last_mut() {
            Some(last) if open && continues => {
                last.text.push_str(text);
                last.seal = seal;
            }
            _ => thoughts.push(Thinking { text: text.to_owned(), seal }),
        }
        open = continues && thoughts.last().is_some_and(|last| last.seal.is_none());
    }
    thoughts.retain(|thought| !thought.text.is_empty() || thought.seal.is_some());
    thoughts
}

/// Thinking for a provider that gave its seal in this dialect: the object as it came, with its text.
pub fn given_back(thinking: &Thinking) -> Option<Value> {
    let seal = thinking.seal.as_ref()?;
    own(seal).map(|_| detail(seal, &thinking.text, 0))
}

/// Whether an object of `reasoning_details` is one that [`detail`] made of another dialect's seal.
pub fn is_wrapped(detail: &Value) -> bool {
    detail.as_object().and_then(sealing).is_some_and(|value| unwrap(value).is_some())
}

/// Anthropic's signatures hold wherever they come from; what else a provider of this dialect signed only it can read.
fn callers_seal(detail: &Map<String, Value>) -> Option<Seal> {
    let value = sealing(detail)?;
    if let Some(seal) = unwrap(value) {
        return Some(seal);
    }
    let seal = |dialect, hidden| Seal { dialect, value: value.to_owned(), hidden, item: None };
    match detail.get("format").and_then(Value::as_str) {
        Some("anthropic-claude-v1") => Some(seal(Dialect::Anthropic, kind(detail) == "reasoning.encrypted")),
        Some("google-gemini-v1") => Some(seal(Dialect::Gemini, false)),
        _ => {
            let mut detail = detail.clone();
            detail.remove("text");
            Some(verbatim(detail))
        }
    }
}

fn verbatim(detail: Map<String, Value>) -> Seal {
    let hidden = kind(&detail) == "reasoning.encrypted";
    let item = detail.get("id").and_then(Value::as_str).map(str::to_owned);
    Seal { dialect: Dialect::OpenAi, value: Value::Object(detail).to_string(), hidden, item }
}

/// The object that [`verbatim`] kept.
fn own(seal: &Seal) -> Option<Map<String, Value>> {
    if seal.dialect == Dialect::OpenAi { parse(&seal.value).ok() } else { None }
}

fn kind(detail: &Map<String, Value>) -> &str {
    detail.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn sealing(detail: &Map<String, Value>) -> Option<&str> {
    let name = if kind(detail) == "reasoning.encrypted" { "data" } else { "signature" };
    detail.get(name).and_then(Value::as_str).filter(|value| !value.is_empty())
}

fn google(extra: &Value) -> Option<&str> {
    let value = extra.get("google")?.get("thought_signature")?.as_str()?;
    Some(value).filter(|value| !value.is_empty())
}

fn is_empty(text: &Value) -> bool {
    text.as_str().is_none_or(str::is_empty)
}
