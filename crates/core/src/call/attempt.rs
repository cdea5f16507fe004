//! One attempt at one target: from the request to its end, as frames and a verdict.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::Shape;
use super::report::{AttemptReport, Fate};
use crate::config::Deadlines;
use crate::error::{Error, Kind, Retry};
use crate::host::{NetError, Time};
use crate::wire::dialect::Decoder;
use crate::wire::event::Event;
use crate::wire::refusal::Class;
use crate::wire::sse::{MAX_FRAME, Splitter};
use crate::wire::{Dialect, Frame};

/// The most bytes of a refusal's body that are kept.
pub const MAX_REFUSAL: usize = 64 * 1024;
/// The largest answer that is not streamed.
const MAX_WHOLE: usize = 8 * 1024 * 1024;
/// The most frames that are kept back before the commit point; comments beyond it are dropped.
const MAX_HELD: usize = 64;
/// How long after `[DONE]` the body's end is awaited, so that the connection can be used again.
const LINGER: Duration = Duration::from_millis(500);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A response began.
    Head {
        /// Which attempt.
        attempt: usize,
        /// HTTP status.
        status: u16,
        /// `Retry-After`, from now.
        retry_after: Option<Duration>,
    },
    /// A piece of the body.
    Chunk {
        /// Which attempt.
        attempt: usize,
        /// At most what the host reads at once.
        bytes: Bytes,
    },
    /// The body ended as its sender meant.
    End {
        /// Which attempt.
        attempt: usize,
    },
    /// The connection could not be made, or was cut.
    Broken {
        /// Which attempt.
        attempt: usize,
        /// Why.
        error: NetError,
    },
    /// `Call::timeout` has come.
    Timeout,
    /// The caller has left.
    Gone,
}

/// What an attempt makes of an input.
#[derive(Debug)]
pub enum Said {
    Nothing,
    /// Content, with the frames that were kept back before it.
    Frames(Vec<Frame>),
    /// The genuine end, with the last frames.
    Finished(Vec<Frame>),
    /// The request itself is at fault.
    Refused {
        class: Class,
        status: u16,
        body: Bytes,
    },
    /// Over without a genuine end; `frames` came before the failure.
    Failed {
        error: Error,
        frames: Vec<Frame>,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// No head yet.
    Waiting,
    /// A good head; for a stream, before or after content.
    Reading,
    /// A bad head: its body is read for its words.
    Refusing(u16),
    /// The terminator came; the body's end is awaited.
    Lingering(Time),
    Over,
}

/// One attempt.
pub struct Attempt {
    pub report: AttemptReport,
    /// How long after its end it may be tried again; `None` where that cannot help.
    pub again: Option<Duration>,
    dialect: Dialect,
    state: State,
    retry_after: Option<Duration>,
    splitter: Splitter,
    decoder: Decoder,
    body: BytesMut,
    held: Vec<Frame>,
    finished: bool,
    last: Time,
}

impl Attempt {
    pub fn new(target: usize, dialect: Dialect, now: Time) -> Self {
        Self {
            report: AttemptReport {
                target,
                fate: Fate::Running,
                status: None,
                sent: now,
                first: None,
                over: None,
                usage: None,
                content_bytes: 0,
                content_pieces: 0,
                unreadable: 0,
            },
            again: None,
            dialect,
            state: State::Waiting,
            retry_after: None,
            splitter: Splitter::default(),
            decoder: dialect.decoder(),
            body: BytesMut::new(),
            held: Vec::new(),
            finished: false,
            last: now,
        }
    }

    pub fn is_running(&self) -> bool {
        self.state != State::Over
    }

    /// Ends it from outside.
    pub fn over(&mut self, fate: Fate, now: Time) {
        self.state = State::Over;
        self.report.fate = fate;
        self.report.over = Some(now);
    }

    /// When its present phase is late.
    pub fn due(&self, bounds: &Deadlines, shape: Shape) -> Option<Time> {
        let (_, limit) = self.phase(bounds, shape);
        let limit = Duration::from_millis(limit);
        match self.state {
            State::Over => None,
            State::Lingering(since) => Some(since.plus(LINGER)),
            State::Waiting => Some(self.report.sent.plus(limit)),
            State::Reading | State::Refusing(_) if self.report.first.is_none() => {
                Some(self.report.sent.plus(limit))
            }
            State::Reading | State::Refusing(_) => Some(self.last.plus(limit)),
        }
    }

    /// The present phase's name and bound in milliseconds.
    pub fn phase(&self, bounds: &Deadlines, shape: Shape) -> (&'static str, u64) {
        match (&self.state, shape, self.report.first) {
            (State::Waiting, Shape::Stream, _) => {
                ("the provider's response", bounds.connect_ms.min(bounds.first_content_ms))
            }
            (_, Shape::Whole, _) | (_, _, None) => ("the first content", bounds.first_content_ms),
            (_, Shape::Stream, Some(_)) => ("the rest of the answer", bounds.idle_ms),
        }
    }

    pub fn handle(&mut self, input: Input, shape: Shape, now: Time) -> Said {
        self.last = now;
        if self.state == State::Over {
            return Said::Nothing;
        }
        match input {
            Input::Head { status, retry_after, .. } => {
                self.report.status = Some(status);
                self.retry_after = retry_after;
                self.state =
                    if (200..300).contains(&status) { State::Reading } else { State::Refusing(status) };
                Said::Nothing
            }
            Input::Chunk { bytes, .. } => self.chunk(&bytes, shape, now),
            Input::End { .. } => self.end(shape, now),
            Input::Broken { error, .. } => self.broken(&error, now),
            Input::Timeout | Input::Gone => Said::Nothing,
        }
    }

    fn chunk(&mut self, bytes: &[u8], shape: Shape, now: Time) -> Said {
        match (&self.state, shape) {
            (State::Refusing(_), _) => {
                let room = MAX_REFUSAL.saturating_sub(self.body.len());
                self.body.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
                Said::Nothing
            }
            (State::Reading, Shape::Whole) => {
                if self.body.len().saturating_add(bytes.len()) > MAX_WHOLE {
                    return self.lose("the provider's answer is larger than 8 MB", Vec::new(), now);
                }
                self.body.extend_from_slice(bytes);
                Said::Nothing
            }
            (State::Reading, Shape::Stream) => match self.splitter.push(bytes) {
                Ok(frames) => self.frames(frames, now),
                Err(too_long) => self.too_long(too_long.before, now),
            },
            (State::Waiting | State::Lingering(_) | State::Over, _) => Said::Nothing,
        }
    }

    fn frames(&mut self, frames: Vec<Bytes>, now: Time) -> Said {
        let mut ready = Vec::new();
        for bytes in frames {
            let frame = self.decoder.decode(bytes);
            self.meter(&frame, now);
            if let Some(error) = frame.events.iter().find_map(reported) {
                return self.fail(error, ready, now);
            }
            if frame.events.contains(&Event::End) {
                ready.append(&mut self.held);
                ready.push(frame);
                return self.terminated(ready, now);
            }
            if frame.events.contains(&Event::Unreadable) {
                self.report.unreadable = self.report.unreadable.saturating_add(1);
            } else if self.report.first.is_some() {
                ready.append(&mut self.held);
                ready.push(frame);
            } else if self.held.len() < MAX_HELD {
                self.held.push(frame);
            } else if !frame.is_comment() {
                return self.lose("the provider sent many frames and no content", Vec::new(), now);
            }
        }
        if ready.is_empty() { Said::Nothing } else { Said::Frames(ready) }
    }

    fn too_long(&mut self, before: Vec<Bytes>, now: Time) -> Said {
        let detail = format!("the provider sent a frame larger than {MAX_FRAME} bytes");
        match self.frames(before, now) {
            Said::Nothing => self.lose(&detail, Vec::new(), now),
            Said::Frames(frames) => self.lose(&detail, frames, now),
            over => over,
        }
    }

    /// Reads the frame for the receipt; notes the first content.
    fn meter(&mut self, frame: &Frame, now: Time) {
        for event in &frame.events {
            match event {
                Event::Text(text) | Event::Thinking(text) | Event::Refusal(text) => self.content(text.len()),
                Event::Tool(tool) => self.content(tool.arguments.len()),
                // No provider says that we ran something.
                Event::Sealed(_) | Event::Run(_) => {}
                Event::Other(other) if other.is_content => self.content(other.bytes),
                Event::Other(_) => {}
                Event::Usage(usage) => self.report.usage = Some(*usage),
                Event::Finish(_) => self.finished = true,
                Event::Start { .. } | Event::Failed { .. } | Event::End | Event::Unreadable => {}
            }
        }
        if self.report.first.is_none() && frame.has_content() {
            self.report.first = Some(now);
        }
    }

    /// Content after a finish belongs to another choice of the answer, which is then still open.
    fn content(&mut self, bytes: usize) {
        self.finished = false;
        self.report.content_bytes = self.report.content_bytes.saturating_add(bytes);
        self.report.content_pieces = self.report.content_pieces.saturating_add(u64::from(bytes > 0));
    }

    /// The dialect's terminator came: a genuine end only after a finish reason.
    fn terminated(&mut self, mut ready: Vec<Frame>, now: Time) -> Said {
        if !self.finished {
            ready.pop();
            return self.truncated(if self.report.first.is_some() { ready } else { Vec::new() }, now);
        }
        self.state = State::Lingering(now);
        if ready.is_empty() { Said::Nothing } else { Said::Frames(ready) }
    }

    fn end(&mut self, shape: Shape, now: Time) -> Said {
        match (&self.state, shape) {
            (State::Refusing(status), _) => self.refused(*status, now),
            (State::Lingering(_), _) => self.finished(Vec::new(), now),
            (State::Reading, Shape::Whole) => self.whole(now),
            (State::Reading, Shape::Stream) => {
                let rest: Vec<Bytes> = self.splitter.rest().into_iter().collect();
                match self.frames(rest, now) {
                    Said::Frames(frames) if self.finished => self.finished(frames, now),
                    Said::Frames(frames) => self.truncated(frames, now),
                    Said::Nothing if self.finished => self.finished(Vec::new(), now),
                    Said::Nothing => self.truncated(Vec::new(), now),
                    over => over,
                }
            }
            (State::Waiting | State::Over, _) => self.truncated(Vec::new(), now),
        }
    }

    fn whole(&mut self, now: Time) -> Said {
        let bytes = std::mem::take(&mut self.body).freeze();
        let events = self.dialect.decode_whole(&bytes);
        let frame = Frame { bytes, events };
        self.meter(&frame, now);
        if let Some(error) = frame.events.iter().find_map(reported) {
            return self.fail(error, Vec::new(), now);
        }
        if !self.finished {
            return self.lose("the provider's answer is not one of its dialect", Vec::new(), now);
        }
        self.finished(vec![frame], now)
    }

    /// 4xx that another target would answer the same way is the caller's to mend; all else is failed over.
    fn refused(&mut self, status: u16, now: Time) -> Said {
        let body = std::mem::take(&mut self.body).freeze();
        let class = self.dialect.refusal(status, &body).class;
        if matches!(class, Class::Request | Class::Context | Class::Filtered) {
            self.over(Fate::Refused, now);
            return Said::Refused { class, status, body };
        }
        self.over(Fate::Failed, now);
        let mut error = failure(class, format!("the provider answered with status {status}"));
        if let Some(after) = self.retry_after {
            error = error.after(after);
        }
        if !matches!(class, Class::Credential | Class::Missing) {
            self.again = Some(self.retry_after.unwrap_or_default());
        }
        Said::Failed { error, frames: Vec::new() }
    }

    fn broken(&mut self, error: &NetError, now: Time) -> Said {
        match self.state {
            // After a finish reason nothing can be lost.
            State::Lingering(_) | State::Reading if self.finished => self.finished(Vec::new(), now),
            State::Refusing(status) => self.refused(status, now),
            State::Waiting | State::Reading | State::Lingering(_) | State::Over => {
                // What a provider had begun is charged, so it is not asked for twice.
                self.again = self.report.status.is_none().then_some(Duration::ZERO);
                self.lose(&format!("the connection to the provider broke: {error}"), Vec::new(), now)
            }
        }
    }

    /// An attempt that has finished and whose body does not end has ended all the same.
    pub fn linger_is_over(&mut self, now: Time) -> Option<Said> {
        (self.is_running() && self.finished).then(|| self.finished(Vec::new(), now))
    }

    fn finished(&mut self, mut frames: Vec<Frame>, now: Time) -> Said {
        self.over(Fate::Answered, now);
        let mut all = std::mem::take(&mut self.held);
        all.append(&mut frames);
        Said::Finished(all)
    }

    fn truncated(&mut self, frames: Vec<Frame>, now: Time) -> Said {
        self.lose("the provider's stream ended without a finish reason: the answer is cut off", frames, now)
    }

    fn lose(&mut self, detail: &str, frames: Vec<Frame>, now: Time) -> Said {
        self.fail(Error::new(Kind::Upstream, detail), frames, now)
    }

    fn fail(&mut self, error: Error, frames: Vec<Frame>, now: Time) -> Said {
        self.over(if error.is_refusal() { Fate::Refused } else { Fate::Failed }, now);
        Said::Failed { error, frames }
    }
}

/// The failure that an event reports.
fn reported(event: &Event) -> Option<Error> {
    let Event::Failed { message, code, class } = event else { return None };
    let code = code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    Some(failure(*class, format!("the provider reported an error{code}: {message}")))
}

fn failure(class: Class, detail: String) -> Error {
    let mut error = Error::new(class.kind(), detail);
    if class == Class::Limited {
        error.retry = Retry::Yes;
    }
    error
}
