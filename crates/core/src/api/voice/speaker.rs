//! A caller of a provider's dialect.

use bytes::{Bytes, BytesMut};

use super::note;
use crate::error::Error;
use crate::run::{Began, Continued, Rewritten};
use crate::wire::answer::{Answer, Head};
use crate::wire::dialect::Encoder;
use crate::wire::event::{Event, Usage};
use crate::wire::{Dialect, Frame, sse};

/// What of a stream that passes is not gone yet.
#[derive(Default)]
struct Passing {
    /// From the reason for the end on: held until everything is settled.
    held: BytesMut,
    /// Whether the dialect's terminator is among it.
    terminated: bool,
    /// The event that went out last, for the number that an error of Responses must have.
    last: Bytes,
}

/// Writes an answer in a dialect, or lets the provider's own frames pass: each byte for byte, or not at all.
pub struct Speaker {
    dialect: Dialect,
    /// Whether what is asked is the caller's own request, so that an answer of its dialect may pass.
    own: bool,
    /// Whether what could pass is written anew all the same.
    rewrites: bool,
    head: Head,
    state: State,
}

enum State {
    /// It is not known who answers.
    Waiting,
    /// The provider's frames pass.
    Passing(Passing),
    /// Frames are written.
    Writing(Box<Encoder>),
}

impl Speaker {
    /// For a caller of `dialect`; `own`: its own request is what is asked.
    pub fn new(dialect: Dialect, own: bool, head: Head) -> Self {
        Self { dialect, own, rewrites: false, head, state: State::Waiting }
    }

    /// What it writes.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether what is said in a dialect reaches this caller as it is.
    pub fn passes(&self, dialect: Dialect) -> bool {
        self.own && dialect == self.dialect
    }

    /// Which answers it writes anew.
    pub fn rewritten(&self) -> Rewritten {
        if self.own && !self.rewrites { Rewritten::Unless(self.dialect) } else { Rewritten::Always }
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

    /// Someone answers. Where it is the caller's own request that is answered, the model is named that does.
    pub fn began(&mut self, began: &Began) {
        if let (true, Some((_, model))) = (self.own, began.target.split_once('/')) {
            self.head.name(model);
        }
        self.state = if self.passes(began.dialect) && !self.rewrites {
            State::Passing(Passing::default())
        } else {
            State::Writing(Box::new(self.encoder()))
        };
    }

    /// See [`super::Voice::rewrite`].
    pub fn rewrite(&mut self) {
        self.rewrites = true;
    }

    /// Another goes on with the answer that is being written.
    pub fn continued(&mut self, continued: &Continued) -> Bytes {
        let mut out = BytesMut::new();
        if let State::Writing(encoder) = &mut self.state {
            encoder.aside("opencode_continued", &note(continued), &mut out);
        }
        out.freeze()
    }

    /// What of these frames goes out now.
    pub fn frames(&mut self, frames: &[Frame]) -> Bytes {
        let mut out = BytesMut::new();
        for frame in frames {
            match &mut self.state {
                State::Waiting => {}
                State::Passing(passing) => {
                    let unasked = self.dialect == Dialect::OpenAi && !self.head.include_usage;
                    if !(unasked && frame.is_usage_only()) {
                        passing.pass(frame, &mut out);
                    }
                }
                State::Writing(encoder) => {
                    let is_mine = |event: &&Event| self.own || !matches!(event, Event::Start { .. });
                    for event in frame.events.iter().filter(is_mine) {
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
            State::Passing(passing) => {
                let mut held = std::mem::take(&mut passing.held);
                if !passing.terminated {
                    held.extend_from_slice(self.dialect.terminator());
                }
                held.freeze()
            }
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
            State::Waiting => self.encoder().broken(error, trace, &mut out),
            State::Passing(passing) => {
                let number = passing.next_number();
                let mut encoder = self.encoder();
                encoder.go_on(number);
                encoder.broken(error, trace, &mut out);
            }
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
                if !self.own {
                    answer.model.clear();
                }
                Bytes::from(self.dialect.whole(&self.head, &answer).to_string())
            }
        }
    }

    fn encoder(&self) -> Encoder {
        self.dialect.encoder(self.head.clone())
    }
}

impl Passing {
    /// A client may take the stream for ended with the reason for its end, and hang up; nor must a reason stand before
    /// an error. Content after it belongs to another choice of the answer, which has not ended.
    fn pass(&mut self, frame: &Frame, out: &mut BytesMut) {
        let ends = frame.events.iter().any(|event| matches!(event, Event::Finish(_) | Event::End));
        self.terminated |= frame.events.contains(&Event::End);
        if !ends && frame.has_content() && !self.held.is_empty() {
            out.extend_from_slice(&std::mem::take(&mut self.held));
        }
        if ends || !self.held.is_empty() {
            self.held.extend_from_slice(&frame.bytes);
        } else {
            out.extend_from_slice(&frame.bytes);
            if !frame.is_comment() {
                self.last = frame.bytes.clone();
            }
        }
    }

    /// The number after that of the last event that went out.
    fn next_number(&self) -> u64 {
        let text = std::str::from_utf8(&self.last).unwrap_or_default();
        sse::sequence(text).map_or(0, |number| number.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn an_error_goes_on_counting_after_the_last_event_though_a_comment_came_after_it() {
        let mut speaker = Speaker::new(Dialect::Responses, true, Head::default());
        speaker.began(&Began { dialect: Dialect::Responses, ..Began::default() });
        let frame =
            |text: &'static str| Frame { bytes: Bytes::from_static(text.as_bytes()), events: Vec::new() };
        let event = "event: response.in_progress\ndata: {\"sequence_number\":41}\n\n";
        speaker.frames(&[frame(event), frame(": keep-alive\n\n")]);
        let said = speaker.broken(&Error::new(Kind::Upstream, "it broke"), "trace");
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains("\"sequence_number\":42"), "{said}");
    }
}
