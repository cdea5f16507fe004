//! Streams of Gemini's Interactions, read into neutral events. Format: Google's reference of the Interactions API
//! (<https://ai.google.dev/gemini-api/docs/interactions/streaming>); its events of before May 2026, which said
//! `content` for `step` and `interaction.complete`, are read as well.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::reported;
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::json::parse;
use crate::wire::refusal::Class;
use crate::wire::{Dialect, Frame, sse};

/// How many calls may be in work at once.
const MAX_OPEN: usize = 256;

/// Reads one stream, frame by frame.
#[derive(Debug, Default)]
pub struct Decoder {
    calls: u32,
    /// Calls whose step has not stopped.
    open: Vec<Open>,
    ended: bool,
}

#[derive(Debug)]
struct Open {
    step: u32,
    index: u32,
    /// Arguments that came with the step's beginning: they count where no piece follows.
    arguments: String,
    pieces: bool,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    index: u32,
    #[serde(default)]
    interaction: Option<Interaction>,
    #[serde(default, borrow, alias = "content")]
    step: Option<&'a RawValue>,
    #[serde(default, borrow)]
    delta: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Interaction {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(default)]
    error: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    total_input_tokens: Option<u64>,
    #[serde(default)]
    total_cached_tokens: Option<u64>,
    /// Without thoughts.
    #[serde(default)]
    total_output_tokens: Option<u64>,
    #[serde(default)]
    total_tool_use_tokens: Option<u64>,
    #[serde(default, alias = "total_reasoning_tokens")]
    total_thought_tokens: Option<u64>,
}

/// A step's beginning or a piece of it: they share most members.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    signature: Option<String>,
    /// Of a summary of thoughts, or of a step that comes with what it says.
    #[serde(default)]
    content: Value,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, borrow)]
    arguments: Option<&'a RawValue>,
}

impl Decoder {
    /// Reads one SSE frame. What cannot be read is `Unreadable`, never an error.
    pub fn decode(&mut self, bytes: Bytes) -> Frame {
        let events = match std::str::from_utf8(&bytes).map(sse::data) {
            Err(_) => vec![Event::Unreadable],
            Ok(None) => Vec::new(),
            Ok(Some(data)) if data.trim().is_empty() => Vec::new(),
            Ok(Some(data)) if data.trim() == "[DONE]" => self.end().into_iter().collect(),
            Ok(Some(data)) => match parse::<Said<'_>>(&data) {
                Ok(said) => self.events(said),
                Err(_) => vec![Event::Unreadable],
            },
        };
        Frame { bytes, events }
    }

    fn events(&mut self, said: Said<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(error) = said.error {
            return vec![reported(error)];
        }
        match (said.event_type.as_str(), said.interaction) {
            ("interaction.created" | "interaction.start", Some(begun)) => {
                let (id, model) = (begun.id.unwrap_or_default(), begun.model.unwrap_or_default());
                events.push(Event::Start { id, model });
            }
            ("interaction.completed" | "interaction.complete", Some(done)) => {
                self.complete(done, &mut events)
            }
            ("step.start" | "content.start", _) => self.piece(said.index, said.step, true, &mut events),
            ("step.delta" | "content.delta", _) => self.piece(said.index, said.delta, false, &mut events),
            ("step.stop" | "content.stop", _) => self.stop(said.index, &mut events),
            _ => {}
        }
        events
    }

    fn piece(&mut self, step: u32, raw: Option<&RawValue>, first: bool, events: &mut Vec<Event>) {
        let Some(raw) = raw else { return };
        let Ok(piece) = parse::<Piece<'_>>(raw.get()) else {
            events.push(Event::other("step", raw.get().len()));
            return;
        };
        let signature = piece.signature.filter(|signature| !signature.is_empty());
        let seal = signature.map(|value| Seal::signature(Dialect::Gemini, value));
        let inner = piece.text.or_else(|| spoken(&piece.content)).filter(|text| !text.is_empty());
        match piece.kind.as_str() {
            "function_call" => {
                let arguments = piece.arguments.map_or("", RawValue::get);
                let call = (piece.id, piece.name, seal);
                self.call(step, call, arguments, events);
                if !first {
                    self.stop(step, events);
                }
                return;
            }
            "arguments_delta" => {
                let text = piece.arguments.and_then(|text| parse::<String>(text.get()).ok());
                let open = self.open.iter_mut().find(|open| open.step == step);
                let (Some(text), Some(open)) = (text, open) else {
                    // Of a built-in tool.
                    events.push(Event::piece("arguments_delta", raw.get().len()));
                    return;
                };
                open.pieces = true;
                let (id, name) = (None, None);
                events.push(Event::Tool(ToolDelta {
                    index: open.index,
                    id,
                    name,
                    arguments: text,
                    ..ToolDelta::default()
                }));
                return;
            }
            "text" | "model_output" => events.extend(inner.map(Event::Text)),
            "thought" | "thought_summary" => events.extend(inner.map(Event::Thinking)),
            "thought_signature" | "user_input" => {}
            // Pictures, built-in tools and their results, annotations, whatever comes next.
            kind if first => events.push(Event::other(kind, raw.get().len())),
            kind => events.push(Event::piece(kind, raw.get().len())),
        }
        events.extend(seal.map(Event::Sealed));
    }

    fn call(
        &mut self,
        step: u32,
        (id, name, seal): (Option<String>, Option<String>, Option<Seal>),
        arguments: &str,
        events: &mut Vec<Event>,
    ) {
        if self.open.len() >= MAX_OPEN {
            events.push(Event::Unreadable);
            return;
        }
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{index}"));
        self.open.push(Open { step, index, arguments: arguments.to_owned(), pieces: false });
        events.push(Event::Tool(ToolDelta {
            index,
            id: Some(id),
            name,
            arguments: String::new(),
            seal,
            ..ToolDelta::default()
        }));
    }

    fn stop(&mut self, step: u32, events: &mut Vec<Event>) {
        let Some(place) = self.open.iter().position(|open| open.step == step) else { return };
        let open = self.open.remove(place);
        if !open.pieces {
            let arguments = if open.arguments.is_empty() { "{}".to_owned() } else { open.arguments };
            events.push(Event::Tool(ToolDelta {
                index: open.index,
                id: None,
                name: None,
                arguments,
                ..ToolDelta::default()
            }));
        }
    }

    /// The dialect has no reason beside the status: `incomplete` is an answer that met its bound.
    fn complete(&mut self, done: Interaction, events: &mut Vec<Event>) {
        events.extend(done.usage.map(|counts| Event::Usage(counts.usage())));
        let status = done.status.unwrap_or_default();
        events.push(match status.as_str() {
            "completed" if self.calls == 0 => Event::Finish(Finish::Stop),
            "completed" | "requires_action" => Event::Finish(Finish::ToolCalls),
            "incomplete" | "budget_exceeded" => Event::Finish(Finish::Length),
            other => match done.error {
                Some(error) => reported(&error),
                None => {
                    let message = format!("the interaction ended with the status {other:?}");
                    Event::Failed { message, code: Some(other.to_owned()), class: Class::Failed }
                }
            },
        });
        events.extend(self.end());
    }

    /// The end, once.
    fn end(&mut self) -> Option<Event> {
        (!std::mem::replace(&mut self.ended, true)).then_some(Event::End)
    }
}

impl Counts {
    fn usage(&self) -> Usage {
        let count = |figure: Option<u64>| figure.unwrap_or(0);
        let reasoning = count(self.total_thought_tokens);
        Usage {
            input: count(self.total_input_tokens).saturating_add(count(self.total_tool_use_tokens)),
            output: count(self.total_output_tokens).saturating_add(reasoning),
            cached: count(self.total_cached_tokens),
            reasoning,
            cache_write: 0,
        }
    }
}

/// The text of `{"text": …}` or of an array of them.
fn spoken(content: &Value) -> Option<String> {
    match content {
        Value::Array(items) => Some(items.iter().filter_map(spoken).collect()),
        other => other.get("text")?.as_str().map(str::to_owned),
    }
}
