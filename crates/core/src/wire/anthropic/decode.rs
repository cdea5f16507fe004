//! Frames from upstream, read into neutral events.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::counts::Counts;
use super::error::class;
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, ToolDelta};
use crate::wire::json::parse;
use crate::wire::refusal::Class;
use crate::wire::{Dialect, Frame, sse};

/// How many blocks of one answer may be open at once; the provider opens one.
const MAX_OPEN: usize = 64;

/// The name of what has none that can be read.
pub(super) const UNREAD: &str = "content_block";
/// The name of citations, which come one by one in a stream.
const CITATIONS: &str = "citations";

/// Reads one stream, frame by frame.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The id of the message that has begun and not ended.
    message: Option<String>,
    /// Another message began within it: nothing after that can be trusted.
    spliced: bool,
    open: BTreeMap<u64, Open>,
    /// How many tools were called: blocks of other kinds stand between them, so a block's index is not a tool's.
    tools: u32,
    counts: Counts,
}

/// A block that has begun.
#[derive(Debug)]
enum Open {
    /// Its arguments follow in pieces. `input` is what came at once: it counts where no piece comes.
    Tool { index: u32, input: Option<String>, pieces: bool },
    /// Text, thinking, and what only this dialect has, by its kind.
    Other(String),
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: u64,
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default, borrow)]
    content_block: Option<&'a RawValue>,
    #[serde(default, borrow)]
    delta: Option<&'a RawValue>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    model: String,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
}

/// A block of an answer, streamed or whole.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default, borrow)]
    pub(super) citations: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) thinking: Option<String>,
    #[serde(default)]
    pub(super) signature: Option<String>,
    #[serde(default)]
    pub(super) data: Option<String>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default, borrow)]
    pub(super) input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    signature: Option<String>,
    #[serde(default)]
    partial_json: Option<String>,
}

#[derive(Deserialize)]
struct Stop {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Reported {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

impl Decoder {
    /// Reads one SSE frame. What cannot be read is `Unreadable`, never an error: the stream goes on without it.
    pub fn decode(&mut self, bytes: Bytes) -> Frame {
        let events = match std::str::from_utf8(&bytes).map(sse::data) {
            Err(_) => vec![Event::Unreadable],
            Ok(None) => Vec::new(),
            Ok(Some(data)) if data.trim().is_empty() => Vec::new(),
            Ok(Some(data)) => match parse::<Data<'_>>(&data) {
                _ if self.spliced => Vec::new(),
                Ok(data) => self.events(&data),
                Err(_) => vec![stray_error(&data).unwrap_or(Event::Unreadable)],
            },
        };
        Frame { bytes, events }
    }

    /// Kinds that are not known are no content: the provider's documentation asks clients to bear with new ones.
    fn events(&mut self, data: &Data<'_>) -> Vec<Event> {
        match &*data.kind {
            "message_start" => self.start(data.message),
            "content_block_start" => self.block(data.index, data.content_block),
            "content_block_delta" => self.delta(data.index, data.delta),
            "content_block_stop" => self.stop(data.index),
            "message_delta" => self.finish(data),
            "message_stop" => {
                self.message = None;
                vec![Event::End]
            }
            "error" => vec![failed(data.error)],
            _ => Vec::new(),
        }
    }

    fn start(&mut self, message: Option<&RawValue>) -> Vec<Event> {
        let Some(message) = message.and_then(|raw| parse::<Message<'_>>(raw.get()).ok()) else {
            return vec![Event::Unreadable];
        };
        match &self.message {
            // A server's repetition.
            Some(id) if *id == message.id => return Vec::new(),
            Some(_) => {
                self.spliced = true;
                let message = "the provider began another answer before it had ended this one".to_owned();
                return vec![Event::Failed { message, code: None, class: Class::Failed }];
            }
            None => {}
        }
        self.open.clear();
        self.counts = Counts::default();
        self.message = Some(message.id.clone());
        let mut events = vec![Event::Start { id: message.id, model: message.model }];
        self.count(message.usage, &mut events);
        events
    }

    fn block(&mut self, index: u64, raw: Option<&RawValue>) -> Vec<Event> {
        let Some(raw) = raw else { return vec![Event::Unreadable] };
        let Ok(block) = parse::<Block<'_>>(raw.get()) else {
            self.keep(index, Open::Other(UNREAD.to_owned()));
            return vec![Event::other(UNREAD, raw.get().len())];
        };
        let mut events = Vec::new();
        let open = match &*block.kind {
            "tool_use" => {
                let tool = self.tools;
                self.tools = tool.saturating_add(1);
                events.push(tool_start(tool, &block));
                let input = block.input.map(RawValue::get).filter(|input| !is_empty_object(input));
                Open::Tool { index: tool, input: input.map(str::to_owned), pieces: false }
            }
            kind => {
                let open = Open::Other(kind.to_owned());
                block_events(block, raw.get().len(), &mut events);
                open
            }
        };
        self.keep(index, open);
        events
    }

    fn keep(&mut self, index: u64, block: Open) {
        if self.open.len() < MAX_OPEN {
            self.open.insert(index, block);
        }
    }

    fn delta(&mut self, index: u64, raw: Option<&RawValue>) -> Vec<Event> {
        let Some(raw) = raw else { return vec![Event::Unreadable] };
        let size = raw.get().len();
        let Ok(delta) = parse::<Delta<'_>>(raw.get()) else { return vec![Event::piece(UNREAD, size)] };
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let event = match &*delta.kind {
            "text_delta" => some(delta.text).map(Event::Text),
            "thinking_delta" => some(delta.thinking).map(Event::Thinking),
            "signature_delta" => some(delta.signature).map(signed),
            "input_json_delta" => match (some(delta.partial_json), self.open.get_mut(&index)) {
                (Some(piece), Some(Open::Tool { index, pieces, .. })) => {
                    *pieces = true;
                    Some(Event::Tool(tool_piece(*index, piece)))
                }
                (Some(piece), Some(Open::Other(kind))) => Some(Event::piece(kind, piece.len())),
                (Some(piece), None) => Some(Event::piece(UNREAD, piece.len())),
                (None, _) => None,
            },
            "citations_delta" => Some(Event::about(CITATIONS, size)),
            kind => Some(Event::piece(kind, size)),
        };
        event.into_iter().collect()
    }

    fn stop(&mut self, index: u64) -> Vec<Event> {
        match self.open.remove(&index) {
            Some(Open::Tool { index, input, pieces: false }) => {
                let input = input.unwrap_or_else(|| "{}".to_owned());
                vec![Event::Tool(tool_piece(index, input))]
            }
            _ => Vec::new(),
        }
    }

    fn finish(&mut self, data: &Data<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        self.count(data.usage, &mut events);
        let stop = data.delta.and_then(|raw| parse::<Stop>(raw.get()).ok());
        let reason = stop.and_then(|stop| stop.stop_reason).filter(|reason| !reason.is_empty());
        events.extend(reason.map(|reason| Event::Finish(finish(&reason))));
        events
    }

    fn count(&mut self, usage: Option<&RawValue>, events: &mut Vec<Event>) {
        if let Some(counts) = usage.and_then(|raw| parse(raw.get()).ok()) {
            self.counts.update(counts);
            events.push(Event::Usage(self.counts.usage()));
        }
    }
}

/// What a block without pieces says. `size` is its text's, for what these events do not name.
pub(super) fn block_events(block: Block<'_>, size: usize, events: &mut Vec<Event>) {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    match &*block.kind {
        "text" => {
            events.extend(some(block.text).map(Event::Text));
            let citations = block.citations.and_then(|raw| parse::<Vec<&RawValue>>(raw.get()).ok());
            let citations = citations.into_iter().flatten();
            events.extend(citations.map(|citation| Event::about(CITATIONS, citation.get().len())));
        }
        "thinking" => {
            events.extend(some(block.thinking).map(Event::Thinking));
            events.extend(some(block.signature).map(signed));
        }
        "redacted_thinking" => {
            let seal = |value| Seal { dialect: Dialect::Anthropic, value, hidden: true, item: None };
            events.extend(some(block.data).map(|data| Event::Sealed(seal(data))));
        }
        kind => events.push(Event::other(kind, size)),
    }
}

pub(super) fn tool_start(index: u32, block: &Block<'_>) -> Event {
    let (id, name) = (block.id.clone(), block.name.clone());
    Event::Tool(ToolDelta { index, id, name, arguments: String::new(), ..ToolDelta::default() })
}

fn tool_piece(index: u32, arguments: String) -> ToolDelta {
    ToolDelta { index, arguments, ..ToolDelta::default() }
}

fn signed(signature: String) -> Event {
    Event::Sealed(Seal::signature(Dialect::Anthropic, signature))
}

fn is_empty_object(json: &str) -> bool {
    json.chars().filter(|char| !char.is_ascii_whitespace()).eq("{}".chars())
}

/// A reason that is not in the list still says that the provider was done.
pub(super) fn finish(reason: &str) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        // `compaction`: the caller asked for a pause once the context was compacted.
        "pause_turn" | "compaction" => Finish::Paused,
        _ => Finish::Stop,
    }
}

/// An error's `{"type", "message"}`.
pub(super) fn failed(error: Option<&RawValue>) -> Event {
    let reported = error.and_then(|raw| parse::<Reported>(raw.get()).ok());
    let (kind, message) = reported.map_or((None, None), |reported| (reported.kind, reported.message));
    let message = message.filter(|message| !message.is_empty());
    Event::Failed {
        class: class(200, kind.as_deref().unwrap_or_default(), message.as_deref().unwrap_or_default()),
        message: message.unwrap_or_else(|| "the provider ended its answer with an error".to_owned()),
        code: kind,
    }
}

/// Proxies on the way report their own errors without a type beside them.
fn stray_error(data: &str) -> Option<Event> {
    #[derive(Deserialize)]
    struct Stray<'a> {
        #[serde(borrow)]
        error: &'a RawValue,
    }
    let stray = parse::<Stray<'_>>(data).ok()?;
    Some(failed(Some(stray.error)))
}
