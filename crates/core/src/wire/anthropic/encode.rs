//! Neutral events, written as Anthropic's stream: for callers whose answer is not passed through.

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::{Value, json};

use super::calls::Calls;
use super::error::error_body;
use super::run;
use crate::error::Error;
use crate::wire::answer::Head;
use crate::wire::conversation::Seal;
use crate::wire::event::{Container, Event, Finish, Run, ToolDelta, Usage};
use crate::wire::{Dialect, seal};

/// How many pieces wait for a call's arguments at most.
const MAX_LATE: usize = 4096;

/// Writes one answer: `message_start`, one block after the other, `message_delta`, `message_stop`.
pub struct Encoder {
    head: Head,
    began: bool,
    /// The next block's index.
    next: u64,
    open: Option<Open>,
    calls: Calls,
    /// What came while a call's arguments were not whole: it follows them.
    late: Vec<Event>,
    finish: Option<Finish>,
    /// Of the code that was run last.
    container: Container,
}

/// A piece of a block.
#[derive(Serialize)]
#[serde(tag = "type")]
enum Piece<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
}

/// The kind of the block that has begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Tool,
}

impl Encoder {
    /// For an answer under this head; its estimate of the input is corrected at the end.
    pub fn new(head: Head) -> Self {
        Self {
            head,
            began: false,
            next: 0,
            open: None,
            calls: Calls::default(),
            late: Vec::new(),
            finish: None,
            container: Container::default(),
        }
    }

    /// The frames for an event. The reason and the usage are the tail's.
    pub fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Text(_) | Event::Refusal(_) | Event::Thinking(_) | Event::Sealed(_)
                if self.calls.busy() && self.late.len() < MAX_LATE =>
            {
                self.late.push(event.clone());
            }
            Event::Text(text) | Event::Refusal(text) if !text.is_empty() => {
                self.ensure(Open::Text, out);
                self.delta(Piece::Text { text }, out);
            }
            Event::Thinking(text) if !text.is_empty() => {
                self.ensure(Open::Thinking, out);
                self.delta(Piece::Thinking { thinking: text }, out);
            }
            Event::Sealed(seal) if seal.hidden => self.single(&sealed_block(seal), out),
            Event::Sealed(seal) => {
                self.ensure(Open::Thinking, out);
                self.delta(Piece::Signature { signature: signature(seal) }, out);
                self.close(out);
            }
            Event::Tool(piece) => {
                for piece in self.calls.push(piece) {
                    self.tool(&piece, out);
                }
                if !self.calls.busy() {
                    self.catch_up(out);
                }
            }
            Event::Run(run) => {
                self.settle(out);
                self.container = run.container.clone();
                self.run(run, out);
            }
            Event::Finish(finish) => {
                self.finish = Some(*finish);
                self.settle(out);
                self.close(out);
            }
            Event::Text(_)
            | Event::Thinking(_)
            | Event::Refusal(_)
            | Event::Start { .. }
            | Event::Other(_)
            | Event::Usage(_)
            | Event::Failed { .. }
            | Event::End
            | Event::Unreadable => {}
        }
    }

    /// The genuine end.
    pub fn tail(&mut self, usage: Usage, out: &mut BytesMut) {
        self.begin(out);
        self.settle(out);
        self.close(out);
        let reason = self.finish.map(stop_reason);
        let mut delta = json!({
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": null, "stop_details": null},
            "usage": counts(usage),
        });
        if let Some((container, delta)) =
            run::container(&self.container).zip(delta.get_mut("delta").and_then(Value::as_object_mut))
        {
            delta.insert("container".to_owned(), container);
        }
        put("message_delta", &delta, out);
        put("message_stop", &json!({"type": "message_stop"}), out);
    }

    /// A ping: clients are told to read past those alone.
    pub fn aside(&mut self, name: &str, note: &Value, out: &mut BytesMut) {
        self.begin(out);
        put("ping", &json!({"type": "ping", name: note}), out);
    }

    /// A break: the error, and nothing that looks like an end.
    pub fn broken(&mut self, error: &Error, trace: &str, out: &mut BytesMut) {
        put("error", &error_body(error, trace), out);
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.began, true) {
            return;
        }
        let usage = Usage { input: self.head.input_estimate, ..Usage::default() };
        let start = json!({"type": "message_start", "message": {
            "id": format!("msg_{}", self.head.id),
            "type": "message",
            "role": "assistant",
            "model": self.head.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "stop_details": null,
            "usage": counts(usage),
        }});
        put("message_start", &start, out);
    }

    /// A piece of the one call that may be written now.
    fn tool(&mut self, piece: &ToolDelta, out: &mut BytesMut) {
        if piece.id.is_some() {
            let id = tool_id(&self.head.id, piece);
            if let Some(seal) = &piece.seal {
                self.single(&sealed_block(&tool_seal(seal, &id)), out);
            }
            let name = piece.name.as_deref().unwrap_or_default();
            self.start(Open::Tool, &json!({"type": "tool_use", "id": id, "name": name, "input": {}}), out);
        }
        if !piece.arguments.is_empty() {
            self.delta(Piece::Input { partial_json: &piece.arguments }, out);
        }
    }

    /// The call with the code when a run begins, what came of it at its end.
    fn run(&mut self, run: &Run, out: &mut BytesMut) {
        let id = run::id(&self.head.id, run);
        match &run.end {
            None => {
                self.start(Open::Tool, &run::call(run, &id, json!({})), out);
                let input = run::input(run).to_string();
                self.delta(Piece::Input { partial_json: &input }, out);
                self.close(out);
            }
            Some(end) => self.single(&run::result(run, end, &id), out),
        }
    }

    /// Writes the calls that had to wait, and closes what is open.
    fn settle(&mut self, out: &mut BytesMut) {
        for piece in self.calls.settle() {
            self.tool(&piece, out);
        }
        self.close(out);
        self.catch_up(out);
    }

    fn catch_up(&mut self, out: &mut BytesMut) {
        for event in std::mem::take(&mut self.late) {
            self.event(&event, out);
        }
    }

    fn ensure(&mut self, kind: Open, out: &mut BytesMut) {
        if self.open == Some(kind) {
            return;
        }
        let block = match kind {
            Open::Thinking => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Open::Text | Open::Tool => json!({"type": "text", "text": ""}),
        };
        self.settle(out);
        self.start(kind, &block, out);
    }

    /// A block that is whole at once.
    fn single(&mut self, block: &Value, out: &mut BytesMut) {
        self.start(Open::Thinking, block, out);
        self.close(out);
    }

    fn start(&mut self, kind: Open, block: &Value, out: &mut BytesMut) {
        self.begin(out);
        self.close(out);
        self.open = Some(kind);
        let start = json!({"type": "content_block_start", "index": self.next, "content_block": block});
        put("content_block_start", &start, out);
    }

    /// The one frame that there is for every token: written without a `Value` between.
    fn delta(&self, delta: Piece<'_>, out: &mut BytesMut) {
        #[derive(Serialize)]
        struct Frame<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            index: u64,
            delta: Piece<'a>,
        }
        let kind = "content_block_delta";
        put(kind, &Frame { kind, index: self.next, delta }, out);
    }

    fn close(&mut self, out: &mut BytesMut) {
        if self.open.take().is_some() {
            put("content_block_stop", &json!({"type": "content_block_stop", "index": self.next}), out);
            self.next = self.next.saturating_add(1);
        }
    }
}

/// Official clients drop an event without its `event:` line. JSON of what is written here cannot fail.
fn put(event: &str, data: &impl Serialize, out: &mut BytesMut) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let _ = serde_json::to_writer((&mut *out).writer(), data);
    out.extend_from_slice(b"\n\n");
}

/// Thinking that is not shown.
pub(super) fn sealed_block(seal: &Seal) -> Value {
    json!({"type": "redacted_thinking", "data": signature(seal)})
}

/// A seal as this dialect's callers keep it: another dialect's is wrapped.
pub(super) fn signature(seal: &Seal) -> String {
    match seal.dialect {
        Dialect::Anthropic => seal.value.clone(),
        Dialect::OpenAi | Dialect::Responses | Dialect::Gemini => seal::wrap(seal),
    }
}

/// The seal of a call, which has no place in `tool_use`: it stands before it and names it.
pub(super) fn tool_seal(seal: &Seal, id: &str) -> Seal {
    Seal { item: Some(id.to_owned()), ..seal.clone() }
}

/// The provider's id of a call, or one made of the answer's.
pub(super) fn tool_id(answer: &str, tool: &ToolDelta) -> String {
    let id = tool.id.clone().filter(|id| !id.is_empty());
    id.unwrap_or_else(|| format!("toolu_{answer}_{}", tool.index))
}

pub(super) fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
        Finish::Paused => "pause_turn",
    }
}

/// `input_tokens` is what was neither read from the cache nor written to it.
pub(super) fn counts(usage: Usage) -> Value {
    let mut counts = json!({
        "input_tokens": usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_write),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    });
    if let (true, Some(counts)) = (usage.reasoning > 0, counts.as_object_mut()) {
        counts.insert("output_tokens_details".to_owned(), json!({"thinking_tokens": usage.reasoning}));
    }
    counts
}
