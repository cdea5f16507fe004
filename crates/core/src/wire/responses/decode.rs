//! Frames from upstream, read into neutral events.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::slots::Slots;
use super::whole::{self, Response};
use crate::wire::Frame;
use crate::wire::event::Event;
use crate::wire::json::parse;
use crate::wire::sse;

/// What stands between two parts of a reasoning summary.
const BETWEEN_PARTS: &str = "\n\n";

/// Reads one stream, frame by frame.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    slots: Slots,
    /// The item of an event that names none.
    last: u64,
}

/// Members of the event types that are read. Those of types that differ between events are read later.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default, borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    output_index: Option<u64>,
    #[serde(default)]
    summary_index: Option<u64>,
    #[serde(default, borrow)]
    delta: Option<&'a RawValue>,
    /// `output_text.done`.
    #[serde(default, borrow)]
    text: Option<&'a RawValue>,
    /// `refusal.done`.
    #[serde(default, borrow)]
    refusal: Option<&'a RawValue>,
    /// `function_call_arguments.done`.
    #[serde(default, borrow)]
    arguments: Option<&'a RawValue>,
    /// `custom_tool_call_input.done`.
    #[serde(default, borrow)]
    input: Option<&'a RawValue>,
    #[serde(default, borrow)]
    item: Option<&'a RawValue>,
    #[serde(default, borrow)]
    response: Option<&'a RawValue>,
    #[serde(default, borrow)]
    annotation: Option<&'a RawValue>,
    #[serde(default, borrow)]
    partial_image_b64: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Value>,
}

impl Decoder {
    /// Reads one SSE frame. What cannot be read is `Unreadable`, never an error: the stream goes on without it. A frame
    /// that lacks only its last brace is mended, its bytes too: some servers send them.
    pub fn decode(&mut self, bytes: Bytes) -> Frame {
        match self.read(&bytes) {
            Some(events) => Frame { bytes, events },
            None => {
                let mended = mended(&bytes);
                let read = mended.and_then(|bytes| self.read(&bytes).map(|events| Frame { bytes, events }));
                read.unwrap_or(Frame { bytes, events: vec![Event::Unreadable] })
            }
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Option<Vec<Event>> {
        match sse::data(std::str::from_utf8(bytes).ok()?) {
            None => Some(Vec::new()),
            Some(data) if data.trim() == "[DONE]" => Some(vec![Event::End]),
            Some(data) if data.trim().is_empty() => Some(Vec::new()),
            Some(data) => Some(self.event(&parse(&data).ok()?, &data)),
        }
    }

    fn event(&mut self, event: &Envelope<'_>, data: &str) -> Vec<Event> {
        let at = event.output_index.unwrap_or(self.last);
        self.last = at;
        let Some(kind) = event.kind.as_deref() else {
            // A server that fails before its stream begins may send a bare error.
            return event.error.as_ref().map(whole::failed).into_iter().collect();
        };
        match kind {
            "response.output_text.delta" => self.piece(at, event.delta, Event::Text),
            "response.output_text.done" => self.unsaid(at, event.text, Event::Text),
            "response.refusal.delta" => self.piece(at, event.delta, Event::Refusal),
            "response.refusal.done" => self.unsaid(at, event.refusal, Event::Refusal),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.piece(at, event.delta, Event::Thinking)
            }
            "response.reasoning_summary_part.added" if event.summary_index.unwrap_or(0) > 0 => {
                vec![Event::Thinking(BETWEEN_PARTS.to_owned())]
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                match text(event.delta) {
                    Some(piece) => self.slots.arguments(at, piece).into_iter().collect(),
                    None => vec![self.slots.other(at, kind, size(event.delta))],
                }
            }
            "response.function_call_arguments.done" => {
                text(event.arguments).map(|whole| self.slots.whole(at, &whole)).unwrap_or_default()
            }
            "response.custom_tool_call_input.done" => {
                text(event.input).map(|whole| self.slots.whole(at, &whole)).unwrap_or_default()
            }
            "response.output_item.added" => self.item(at, event.item, false),
            "response.output_item.done" => self.item(at, event.item, true),
            "response.created" | "response.in_progress" | "response.queued" => self.start(event),
            "response.completed" | "response.incomplete" => self.end(event),
            "response.failed" | "response.cancelled" => failure(event),
            "error" => vec![error(event, data)],
            "response.output_text.annotation.added" => {
                vec![Event::about("annotations", size(event.annotation))]
            }
            "response.image_generation_call.partial_image" => {
                vec![self.slots.other(at, kind, size(event.partial_image_b64))]
            }
            // Every other delta is a piece of something that only callers of this dialect know.
            _ if kind.ends_with(".delta") => vec![self.slots.other(at, kind, size(event.delta))],
            // Progress, repeated wholes, and types of tomorrow.
            _ => Vec::new(),
        }
    }

    fn start(&mut self, event: &Envelope<'_>) -> Vec<Event> {
        if self.started {
            return Vec::new();
        }
        let response = response(event);
        response.iter().for_each(|response| response.offer(&mut self.slots));
        let start = response.and_then(|response| response.start());
        self.started = start.is_some();
        start.into_iter().collect()
    }

    /// A text that is no text is content all the same.
    fn piece(&mut self, at: u64, delta: Option<&RawValue>, says: fn(String) -> Event) -> Vec<Event> {
        match text(delta) {
            None if delta.is_none() => Vec::new(),
            None => vec![self.slots.other(at, "text", size(delta))],
            Some(text) if text.is_empty() => Vec::new(),
            Some(text) => {
                self.slots.say(at);
                vec![says(text)]
            }
        }
    }

    /// The whole text of a server that sends no deltas.
    fn unsaid(&mut self, at: u64, whole: Option<&RawValue>, says: fn(String) -> Event) -> Vec<Event> {
        if self.slots.is_silent(at) { self.piece(at, whole, says) } else { Vec::new() }
    }

    fn item(&mut self, at: u64, item: Option<&RawValue>, ended: bool) -> Vec<Event> {
        let item = item.and_then(|item| parse::<Value>(item.get()).ok());
        let Some(item) = item.filter(|item| !item.is_null()) else { return Vec::new() };
        let events = self.slots.item(at, whole::item(&item), ended);
        if events.iter().any(|event| matches!(event, Event::Text(_) | Event::Refusal(_) | Event::Thinking(_)))
        {
            self.slots.say(at);
        }
        events
    }

    /// The terminal event. It repeats all items; what a server said only here counts too.
    fn end(&mut self, event: &Envelope<'_>) -> Vec<Event> {
        let Some(response) = response(event) else { return vec![Event::Unreadable] };
        let mut events = Vec::new();
        if self.slots.is_empty() {
            events.extend(response.content(&mut self.slots));
        }
        if response.is_completed() {
            events.extend(self.slots.close_all());
        }
        events.extend(response.ending(&self.slots));
        events.push(Event::End);
        events
    }
}

/// The frame with one more brace. Text that ends in the middle of a value is not touched: more than a brace is missing.
fn mended(bytes: &[u8]) -> Option<Bytes> {
    let text = bytes.trim_ascii_end();
    let end = bytes.get(text.len()..)?;
    text.ends_with(b"}").then(|| [text, b"}", end].concat().into())
}

fn failure(event: &Envelope<'_>) -> Vec<Event> {
    let Some(response) = response(event) else { return vec![whole::failed(&Value::Null)] };
    response.usage().map(Event::Usage).into_iter().chain([response.failure()]).collect()
}

/// OpenAI's description has the error's members in the event, its servers (and ours) have them in `error` too.
fn error(event: &Envelope<'_>, data: &str) -> Event {
    match event.error.as_ref().filter(|error| !error.is_null()) {
        Some(error) => whole::failed(error),
        None => whole::failed(&parse(data).unwrap_or(Value::Null)),
    }
}

fn response(event: &Envelope<'_>) -> Option<Response> {
    parse(event.response?.get()).ok()
}

fn text(value: Option<&RawValue>) -> Option<String> {
    parse(value?.get()).ok()
}

fn size(value: Option<&RawValue>) -> usize {
    value.map_or(0, |value| value.get().len())
}
