//! A caller of a provider's dialect.

use bytes::{Bytes, BytesMut};

use crate::error::Error;
use crate::wire::answer::{Answer, Head};
use crate::wire::dialect::Encoder;
use crate::wire::event::{Event, Usage};
use crate::wire::{Dialect, Frame};

/// Writes an answer in a dialect, or lets the provider's own frames pass: each byte for byte, or not at all.
pub struct Speaker {
    dialect: Dialect,
    /// Whether what is asked is the caller's own request, so that an answer of its dialect may pass.
    own: bool,
    head: Head,
    state: State,
}

enum State {
    /// It is not known who answers.
    Waiting,
    /// The provider's frames pass. What ends the stream is held until everything is settled.
    Passing(BytesMut),
    /// Frames are written.
    Writing(Box<Encoder>),
}

impl Speaker {
    /// For a caller of `dialect`; `own`: its own request is what is asked.
    pub fn new(dialect: Dialect, own: bool, head: Head) -> Self {
        Self { dialect, own, head, state: State::Waiting }
    }

    /// Whether what is said in a dialect reaches this caller as it is.
    pub fn passes(&self, dialect: Dialect) -> bool {
        self.own && dialect == self.dialect
    }

    /// A comment, which keeps the connection alive. Google's SDKs stop at comments.
    pub fn progress(&self, step: &str, done: bool) -> Bytes {
        let status = if done { "end" } else { "start" };
        match self.dialect {
            Dialect::Gemini => Bytes::new(),
            Dialect::OpenAi | Dialect::Responses | Dialect::Anthropic => {
                Bytes::from(format!(": {step} {status}\n\n"))
            }
        }
    }

    /// Someone answers, in this dialect.
    pub fn began(&mut self, dialect: Dialect) {
        self.state = if self.passes(dialect) {
            State::Passing(BytesMut::new())
        } else {
            State::Writing(Box::new(self.encoder()))
        };
    }

    /// What of these frames goes out now.
    pub fn frames(&mut self, frames: &[Frame]) -> Bytes {
        let mut out = BytesMut::new();
        for frame in frames {
            match &mut self.state {
                State::Waiting => {}
                State::Passing(held) => {
                    let hidden =
                        self.dialect == Dialect::OpenAi && !self.head.include_usage && frame.is_usage_only();
                    if !held.is_empty() || ends(self.dialect, frame) {
                        held.extend_from_slice(&frame.bytes);
                    } else if !hidden {
                        out.extend_from_slice(&frame.bytes);
                    }
                }
                State::Writing(encoder) => {
                    for event in &frame.events {
                        encoder.event(event, &mut out);
                    }
                }
            }
        }
        out.freeze()
    }

    /// The genuine end. A terminator that the provider forgot is added.
    pub fn tail(&mut self, usage: Usage) -> Bytes {
        match &mut self.state {
            State::Waiting => Bytes::new(),
            State::Passing(held) if held.is_empty() => Bytes::from_static(self.dialect.terminator()),
            State::Passing(held) => std::mem::take(held).freeze(),
            State::Writing(encoder) => {
                let mut out = BytesMut::new();
                encoder.tail(usage, &mut out);
                out.freeze()
            }
        }
    }

    /// The error that ends a broken stream.
    pub fn broken(&mut self, error: &Error, trace: &str) -> Bytes {
        let mut out = BytesMut::new();
        match &mut self.state {
            State::Writing(encoder) => encoder.broken(error, trace, &mut out),
            State::Waiting | State::Passing(_) => self.encoder().broken(error, trace, &mut out),
        }
        out.freeze()
    }

    /// An answer that is not streamed.
    pub fn whole(&self, answer: &Answer, usage: Usage, passed: Bytes) -> Bytes {
        match &self.state {
            State::Passing(_) => passed,
            State::Waiting | State::Writing(_) => {
                let mut answer = answer.clone();
                answer.usage = usage;
                Bytes::from(self.dialect.whole(&self.head, &answer).to_string())
            }
        }
    }

    fn encoder(&self) -> Encoder {
        self.dialect.encoder(self.head.clone())
    }
}

/// Whether a client may take the stream for ended with this frame, and hang up: Gemini's has no terminator, and its
/// last frame says why the answer ended.
fn ends(dialect: Dialect, frame: &Frame) -> bool {
    frame.events.iter().any(|event| match event {
        Event::End => true,
        Event::Finish(_) => dialect == Dialect::Gemini,
        _ => false,
    })
}
