//! The dialects behind one face: everything else calls these and names none of them.

use bytes::{Bytes, BytesMut};
use http::header::InvalidHeaderValue;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::answer::{Answer, Head};
use super::conversation::{Cannot, Conversation};
use super::event::{Event, Usage};
use super::json::{self, Members};
use super::omitted::Omitted;
use super::refusal::Refusal;
use super::{Dialect, Frame, anthropic, gemini, openai, responses, sse};
use crate::call::Shape;
use crate::error::Error;

/// The member that says what was left out of an answer: the same in all dialects.
const OMITTED: &str = "opencode_omitted";

/// Runs an expression on the module of a dialect.
macro_rules! of {
    ($dialect:expr, $module:ident => $run:expr) => {
        match $dialect {
            Dialect::OpenAi => {
                use openai as $module;
                $run
            }
            Dialect::Responses => {
                use responses as $module;
                $run
            }
            Dialect::Anthropic => {
                use anthropic as $module;
                $run
            }
            Dialect::Gemini => {
                use gemini as $module;
                $run
            }
        }
    };
}

impl Dialect {
    /// A caller's request in no provider's words. The error names the member that is wrong.
    pub fn read(self, members: &Members) -> Result<Conversation, Error> {
        of!(self, it => it::read(members))
    }

    /// A request's body for a model of this dialect, or what the dialect cannot say.
    pub fn write(self, conversation: &Conversation, model: &str, shape: Shape) -> Result<Members, Cannot> {
        of!(self, it => it::write(conversation, model, shape))
    }

    /// A caller's own body for a model of its own dialect.
    pub fn pass(self, members: &Members, model: &str, shape: Shape) -> Members {
        of!(self, it => it::pass(members, model, shape))
    }

    /// The whole address of a request.
    pub fn uri(self, base_url: &str, model: &str, shape: Shape) -> String {
        of!(self, it => it::uri(base_url, model, shape))
    }

    /// The header with a provider's key.
    pub fn credential(self, secret: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
        of!(self, it => it::credential(secret))
    }

    /// Headers that every request has.
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        of!(self, it => it::HEADERS)
    }

    /// Reads a stream.
    pub fn decoder(self) -> Decoder {
        match self {
            Self::OpenAi => Decoder::OpenAi(openai::Decoder::default()),
            Self::Responses => Decoder::Responses(responses::Decoder::default()),
            Self::Anthropic => Decoder::Anthropic(anthropic::Decoder::default()),
            Self::Gemini => Decoder::Gemini(gemini::Decoder::default()),
        }
    }

    /// Reads an answer that was not streamed. One past the bounds of [`super::json`] is `Unreadable`.
    pub fn decode_whole(self, body: &[u8]) -> Vec<Event> {
        if json::excess(body).is_some() {
            return vec![Event::Unreadable];
        }
        of!(self, it => it::decode_whole(body))
    }

    /// Writes a stream.
    pub fn encoder(self, head: Head) -> Encoder {
        Encoder { dialect: self, head, writer: None, omitted: Omitted::default() }
    }

    /// Writes an answer that is not streamed, with what was left out of it.
    pub fn whole(self, head: &Head, answer: &Answer) -> Value {
        let mut head = head.clone();
        head.name(&answer.model);
        let mut whole = of!(self, it => it::whole(&head, answer));
        if let (Some(members), Some(note)) = (whole.as_object_mut(), answer.omitted.note()) {
            members.insert(OMITTED.to_owned(), note);
        }
        whole
    }

    /// A failure in the dialect's envelope.
    pub fn error_body(self, error: &Error, trace: &str) -> Value {
        of!(self, it => it::error_body(error, trace))
    }

    /// What a provider's refusal means.
    pub fn refusal(self, status: u16, body: &[u8]) -> Refusal {
        of!(self, it => it::refusal(status, body))
    }

    /// The terminator of a stream whose provider forgot it.
    pub fn terminator(self) -> &'static [u8] {
        match self {
            Self::OpenAi => openai::DONE,
            Self::Anthropic => b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            // Their last frame says the reason, and nothing follows it.
            Self::Responses | Self::Gemini => b"",
        }
    }
}

/// A frame that no nesting and no number of values can make costly, in bytes.
const HARMLESS: usize = 4096;

fn is_excessive(frame: &[u8]) -> bool {
    let data = std::str::from_utf8(frame).ok().and_then(sse::data);
    data.is_some_and(|data| json::excess(data.as_bytes()).is_some())
}

/// Reads one stream, frame by frame.
#[derive(Debug)]
#[allow(missing_docs)] // One for each dialect.
pub enum Decoder {
    OpenAi(openai::Decoder),
    Responses(responses::Decoder),
    Anthropic(anthropic::Decoder),
    Gemini(gemini::Decoder),
}

impl Decoder {
    /// One frame and what it means. What cannot be read is `Unreadable`, never an error; so is what goes past the bounds
    /// of [`super::json`], for which only frames are searched that are large enough to do harm.
    pub fn decode(&mut self, bytes: Bytes) -> Frame {
        if bytes.len() > HARMLESS && is_excessive(&bytes) {
            return Frame { bytes, events: vec![Event::Unreadable] };
        }
        match self {
            Self::OpenAi(decoder) => decoder.decode(bytes),
            Self::Responses(decoder) => decoder.decode(bytes),
            Self::Anthropic(decoder) => decoder.decode(bytes),
            Self::Gemini(decoder) => decoder.decode(bytes),
        }
    }
}

/// Writes one stream. Its model is the one that the first event names; at its end it says what was left out.
pub struct Encoder {
    dialect: Dialect,
    head: Head,
    /// Made when there is something to write.
    writer: Option<Writer>,
    omitted: Omitted,
}

/// One for each dialect.
enum Writer {
    OpenAi(openai::Encoder),
    Responses(responses::Encoder),
    Anthropic(anthropic::Encoder),
    Gemini(gemini::Encoder),
}

/// Runs an expression on the encoder of a dialect.
macro_rules! run {
    ($self:expr, $encoder:ident => $run:expr) => {
        match $self.writer() {
            Writer::OpenAi($encoder) => $run,
            Writer::Responses($encoder) => $run,
            Writer::Anthropic($encoder) => $run,
            Writer::Gemini($encoder) => $run,
        }
    };
}

impl Encoder {
    /// The frames of an event.
    pub fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Other(other) => self.omitted.add(other),
            Event::Start { model, .. } if self.writer.is_none() => self.head.name(model),
            event => run!(self, encoder => encoder.event(event, out)),
        }
    }

    /// A note in an event that every client of the dialect reads past: it stands in the member `name`.
    pub fn aside(&mut self, name: &str, note: &Value, out: &mut BytesMut) {
        run!(self, encoder => encoder.aside(name, note, out));
    }

    /// The genuine end. What was left out is said before the reason, with which a client may stop reading.
    pub fn tail(&mut self, usage: Usage, out: &mut BytesMut) {
        if let Some(note) = self.omitted.note() {
            self.aside(OMITTED, &note, out);
        }
        run!(self, encoder => encoder.tail(usage, out));
    }

    /// The error that ends a broken stream, and nothing that looks like an end.
    pub fn broken(&mut self, error: &Error, trace: &str, out: &mut BytesMut) {
        run!(self, encoder => encoder.broken(error, trace, out));
    }

    /// Counts on from where the events of another writer ended, in the dialect whose events have numbers.
    pub fn go_on(&mut self, number: u64) {
        if let Writer::Responses(encoder) = self.writer() {
            encoder.go_on(number);
        }
    }

    fn writer(&mut self) -> &mut Writer {
        let (dialect, head) = (self.dialect, &mut self.head);
        self.writer.get_or_insert_with(|| {
            let head = std::mem::take(head);
            match dialect {
                Dialect::OpenAi => Writer::OpenAi(openai::Encoder::new(head)),
                Dialect::Responses => Writer::Responses(responses::Encoder::new(head)),
                Dialect::Anthropic => Writer::Anthropic(anthropic::Encoder::new(head)),
                Dialect::Gemini => Writer::Gemini(gemini::Encoder::new(head)),
            }
        })
    }
}
