//! Neutral events, written for callers of this dialect.

use bytes::BytesMut;
use serde::Serialize;
use serde_json::{Value, json};

use super::items::{Call, Part, Text};
use super::response::{Frame, Status};
use super::run;
use crate::error::Error;
use crate::wire::answer::{Answer, Block, Extent, Head, too_long};
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, Run, ToolDelta, Usage};
use crate::wire::seal;
use crate::wire::{Dialect, custom};

/// The status of an item that is followed by another.
const FOLLOWED: &str = "completed";

/// Writes one answer.
///
/// Thinking is written as a reasoning item's summary, its seal as `encrypted_content`; a call's own seal as a reasoning
/// item before the call. A call stays open until its arguments are whole, because some providers send the pieces of
/// several calls in turn. The closing events repeat all texts: of an answer that does not fit into [`Extent`] that is not
/// possible, so it ends with an error that says so after the last piece.
pub struct Encoder {
    head: Head,
    frame: Frame,
    began: bool,
    sequence: u64,
    /// The closing object repeats all items: one that grew past what is kept has none.
    extent: Extent,
    /// The message or reasoning that is being said.
    text: Option<Text>,
    /// Calls, open and closed.
    calls: Vec<Call>,
    /// Closed items by their index; null for those that are open.
    output: Vec<Value>,
    finish: Option<Finish>,
    /// The index of the code that is run.
    running: usize,
}

/// One event. Members that its type has not are left out.
#[derive(Serialize, Default)]
pub(super) struct Piece<'a> {
    pub item_id: &'a str,
    pub output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<[Value; 0]>,
}

impl Encoder {
    /// For an answer under this head.
    pub fn new(head: Head) -> Self {
        let frame = Frame::new(&head);
        Self {
            head,
            frame,
            began: false,
            sequence: 0,
            extent: Extent::default(),
            text: None,
            calls: Vec::new(),
            output: Vec::new(),
            finish: None,
            running: 0,
        }
    }

    /// Counts on from where the events of another writer ended.
    pub fn go_on(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Writes an event's frames. The finish is remembered for the end.
    pub fn event(&mut self, event: &Event, out: &mut BytesMut) {
        self.extent.add(event);
        match event {
            Event::Text(text) => self.say(Part::Text, text, out),
            Event::Refusal(text) => self.say(Part::Refusal, text, out),
            Event::Thinking(text) => self.say(Part::Summary, text, out),
            Event::Sealed(seal) => self.seal(seal, out),
            Event::Tool(piece) => self.tool(piece, out),
            Event::Run(run) => self.run(run, out),
            Event::Finish(finish) => self.finish = Some(*finish),
            Event::Other(_)
            | Event::Start { .. }
            | Event::Usage(_)
            | Event::Failed { .. }
            | Event::End
            | Event::Unreadable => {}
        }
    }

    /// The genuine end: what is open is closed, and the whole response object follows.
    pub fn tail(&mut self, usage: Usage, out: &mut BytesMut) {
        self.begin(out);
        if !self.extent.fits() {
            self.error("answer_too_long", &too_long(), None, None, out);
            return;
        }
        let status = Status::Ended(self.finish);
        self.close_all(out);
        let response = self.frame.response(status, std::mem::take(&mut self.output), Some(usage));
        let kind = if status.name() == "completed" { "response.completed" } else { "response.incomplete" };
        self.send(kind, &json!({"response": response}), out);
    }

    /// Another `response.in_progress`.
    pub fn aside(&mut self, name: &str, note: &Value, out: &mut BytesMut) {
        self.begin(out);
        let response = self.frame.response(Status::InProgress, Vec::new(), None);
        self.send("response.in_progress", &json!({"response": response, name: note}), out);
    }

    /// The end of an answer that broke. Nothing that is open is closed.
    ///
    /// `ResponseErrorEvent` has `code`, `message` and `param` beside its type. OpenAI's servers have them in `error`,
    /// and it is there that openai-python looks before it raises; so they stand in both places.
    pub fn broken(&mut self, error: &Error, trace: &str, out: &mut BytesMut) {
        self.error(error.code(), &error.detail, error.param.as_deref(), Some((error, trace)), out);
    }

    fn error(
        &mut self,
        code: &str,
        message: &str,
        param: Option<&str>,
        traced: Option<(&Error, &str)>,
        out: &mut BytesMut,
    ) {
        let nested = match traced {
            Some((error, trace)) => super::error_body(error, trace).get_mut("error").map(Value::take),
            None => Some(json!({"message": message, "type": "server_error", "param": param, "code": code})),
        };
        self.send("error", &json!({"code": code, "message": message, "param": param, "error": nested}), out);
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.began, true) {
            return;
        }
        let response = json!({"response": self.frame.response(Status::InProgress, Vec::new(), None)});
        self.send("response.created", &response, out);
        self.send("response.in_progress", &response, out);
    }

    fn say(&mut self, part: Part, piece: &str, out: &mut BytesMut) {
        if piece.is_empty() {
            return;
        }
        self.begin(out);
        if self.text.as_ref().is_some_and(|text| !text.takes(part)) {
            self.close_text(FOLLOWED, out);
        }
        let mut text = match self.text.take() {
            Some(text) => text,
            None => self.open_text(part, None, out),
        };
        if text.part() != Some(part) {
            self.close_part(&text, out);
            text.open(part);
            let (kind, piece) = text.added();
            self.send(kind, &piece, out);
        }
        let (kind, delta) = text.delta(piece);
        self.send(kind, &delta, out);
        if self.extent.fits() {
            text.push(piece);
        }
        self.text = Some(text);
    }

    fn open_text(&mut self, part: Part, id: Option<String>, out: &mut BytesMut) -> Text {
        let index = self.open_item();
        let id = id.unwrap_or_else(|| format!("{}_{}_{index}", part.prefix(), self.head.id));
        let text = Text::new(part, id, index);
        self.send("response.output_item.added", &item_event(index, text.item("in_progress")), out);
        text
    }

    /// A seal ends the thinking before it, unless it stands for other thinking.
    fn seal(&mut self, seal: &Seal, out: &mut BytesMut) {
        self.begin(out);
        if !self.extent.fits() {
            return;
        }
        let is_own = seal.dialect == Dialect::Responses;
        let belongs =
            self.text.as_ref().is_some_and(|text| text.takes(Part::Summary)) && (is_own || !seal.hidden);
        if !belongs {
            self.close_text(FOLLOWED, out);
            let id = seal.item.clone().filter(|_| is_own);
            let text = self.open_text(Part::Summary, id, out);
            self.text = Some(text);
        }
        if let Some(text) = &mut self.text {
            // The provider checks that its ciphertext comes back under its own id: under another it is wrapped.
            let under_own_id = seal.item.as_deref().is_none_or(|id| id == text.id());
            text.seal(if is_own && under_own_id { seal.value.clone() } else { seal::wrap(seal) });
        }
        self.close_text(FOLLOWED, out);
    }

    fn tool(&mut self, piece: &ToolDelta, out: &mut BytesMut) {
        self.begin(out);
        let known = self.calls.iter().position(|call| call.joins(piece.index));
        let place = match known {
            Some(place) => place,
            None => self.open_call(piece, out),
        };
        let keeps = self.extent.fits();
        let Some(mut call) = self.calls.get_mut(place).map(std::mem::take) else { return };
        let input = call.is_custom().then(|| custom::input(&piece.arguments));
        let said = input.as_deref().unwrap_or(&piece.arguments);
        if !said.is_empty() && !call.is_closed() {
            if keeps {
                call.push(said);
            }
            let (kind, delta) = call.delta(said);
            self.send(kind, &delta, out);
        }
        if let Some(place) = self.calls.get_mut(place) {
            *place = call;
        }
    }

    fn open_call(&mut self, piece: &ToolDelta, out: &mut BytesMut) -> usize {
        self.close_text(FOLLOWED, out);
        self.close_calls(false, FOLLOWED, out);
        let place = self.calls.len();
        let call_id = piece.id.clone().filter(|id| !id.is_empty());
        let call_id = call_id.unwrap_or_else(|| format!("call_{}_{place}", self.head.id));
        if let Some(seal) = &piece.seal {
            // Under the call's id, by which the seal finds its call again.
            self.seal(&Seal { item: Some(call_id.clone()), ..seal.clone() }, out);
        }
        let index = self.open_item();
        let prefix = if piece.custom { "ctc" } else { "fc" };
        let id = format!("{prefix}_{}_{index}", self.head.id);
        let call = Call::new(piece, id, call_id, index);
        self.send("response.output_item.added", &item_event(index, call.item("in_progress")), out);
        self.calls.push(call);
        place
    }

    /// A run's item: it opens with the code and closes with what came of it.
    fn run(&mut self, run: &Run, out: &mut BytesMut) {
        self.begin(out);
        if !self.extent.fits() {
            return;
        }
        if run.end.is_none() {
            self.close_text(FOLLOWED, out);
            self.close_calls(false, FOLLOWED, out);
            self.running = self.open_item();
        }
        let index = self.running;
        let id = format!("ci_{}_{}", self.head.id, run.number);
        for (kind, members) in run::events(run, &id, index) {
            self.send(kind, &members, out);
        }
        if run.end.is_some() {
            self.close_item(index, run::item(run, &id), out);
        }
    }

    fn close_all(&mut self, out: &mut BytesMut) {
        let status = Status::Ended(self.finish).name();
        self.close_text(status, out);
        self.close_calls(true, status, out);
    }

    fn close_text(&mut self, status: &str, out: &mut BytesMut) {
        let Some(text) = self.text.take() else { return };
        if !self.extent.fits() {
            return;
        }
        self.close_part(&text, out);
        self.close_item(text.index(), text.item(status), out);
    }

    fn close_part(&mut self, text: &Text, out: &mut BytesMut) {
        for (kind, piece) in text.done() {
            self.send(kind, &piece, out);
        }
    }

    /// Closes the calls whose arguments are whole, or all of them.
    fn close_calls(&mut self, all: bool, status: &str, out: &mut BytesMut) {
        if !self.extent.fits() {
            return;
        }
        for mut call in std::mem::take(&mut self.calls) {
            if !call.is_closed() && (all || call.is_whole()) {
                if call.is_empty() && status == "completed" {
                    call.push("{}");
                    let (kind, delta) = call.delta("{}");
                    self.send(kind, &delta, out);
                }
                let (kind, done) = call.done();
                self.send(kind, &done, out);
                self.close_item(call.index(), call.item(status), out);
                call.close();
            }
            self.calls.push(call);
        }
    }

    fn open_item(&mut self) -> usize {
        self.output.push(Value::Null);
        self.output.len().saturating_sub(1)
    }

    fn close_item(&mut self, index: usize, item: Value, out: &mut BytesMut) {
        let event = item_event(index, item);
        self.send("response.output_item.done", &event, out);
        let Value::Object(mut event) = event else { return };
        if let (Some(place), Some(item)) = (self.output.get_mut(index), event.remove("item")) {
            *place = item;
        }
    }

    /// Every event has members.
    fn send(&mut self, kind: &str, members: &impl Serialize, out: &mut BytesMut) {
        out.extend_from_slice(
            format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{},", self.sequence)
                .as_bytes(),
        );
        self.sequence = self.sequence.saturating_add(1);
        // Writing JSON into memory fails only for maps whose keys are no texts.
        let members = serde_json::to_vec(members).unwrap_or_default();
        out.extend_from_slice(members.strip_prefix(b"{").unwrap_or(b"}"));
        out.extend_from_slice(b"\n\n");
    }
}

fn item_event(output_index: usize, item: Value) -> Value {
    json!({"output_index": output_index, "item": item})
}

/// A whole answer: what a stream of it would have ended with.
pub fn whole(head: &Head, answer: &Answer) -> Value {
    let mut encoder = Encoder::new(head.clone());
    let mut frames = BytesMut::new();
    let mut write = |event: &Event| {
        frames.clear();
        encoder.event(event, &mut frames);
    };
    for block in &answer.blocks {
        match block {
            Block::Text(text) => write(&Event::Text(text.clone())),
            Block::Refusal(text) => write(&Event::Refusal(text.clone())),
            Block::Thinking { text, seal } => {
                write(&Event::Thinking(text.clone()));
                if let Some(seal) = seal {
                    write(&Event::Sealed(seal.clone()));
                }
            }
            Block::Tool(tool) => write(&Event::Tool(tool.clone())),
            Block::Run(run) => {
                write(&Event::Run(Box::new(Run { end: None, ..Run::clone(run) })));
                write(&Event::Run(run.clone()));
            }
        }
    }
    if let Some(finish) = answer.finish {
        write(&Event::Finish(finish));
    }
    encoder.close_all(&mut frames);
    let output = std::mem::take(&mut encoder.output);
    encoder.frame.response(Status::Ended(answer.finish), output, Some(answer.usage))
}
