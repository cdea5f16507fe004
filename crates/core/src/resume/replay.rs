//! A kept answer, read back from the log.

use bytes::{Bytes, BytesMut};

use super::{Mark, read};
use crate::error::Error;
use crate::wire::sse::{self, Splitter};

/// What the caller has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Start,
    /// All up to the event of this number.
    Event(u64),
    /// All up to the event of Responses whose `sequence_number` is this.
    Sequence(u64),
}

impl After {
    /// What `Last-Event-ID`, or `starting_after`, says.
    pub fn event(text: Option<&str>) -> Result<Self, Error> {
        text.map_or(Ok(Self::Start), |text| number(text).map(Self::Event))
    }

    /// What `starting_after` says of an answer of Responses.
    pub fn sequence(text: Option<&str>) -> Result<Self, Error> {
        text.map_or(Ok(Self::Start), |text| number(text).map(Self::Sequence))
    }

    /// Where in the log to begin: before the segment that the event is in, which may say that it was the last.
    pub fn entry(self) -> String {
        match self {
            // Events' numbers are not their entries'.
            Self::Start | Self::Sequence(_) | Self::Event(0) => super::SEGMENTS.to_owned(),
            // After every part of a segment that ends before it.
            Self::Event(number) => format!("{:010}~", number.saturating_sub(1)),
        }
    }
}

fn number(text: &str) -> Result<u64, Error> {
    let bad = || {
        Error::invalid(format!("{text:?} is not the number of an event: send the last `id` that was read"))
            .at("last-event-id")
    };
    text.trim().parse().map_err(|_| bad())
}

/// Reads entries in their order.
pub struct Replay {
    after: After,
    splitter: Splitter,
    /// The number of the last event that was read: a segment that was kept in part, then again with more, comes twice.
    seen: Option<u64>,
    /// The last mark that was read.
    pub mark: Mark,
}

impl Replay {
    /// Leaves out what the caller has.
    pub fn new(after: After) -> Self {
        Self { after, splitter: Splitter::default(), seen: None, mark: Mark::default() }
    }

    /// The events of an entry that the caller has not; `None` for an entry that is none of ours.
    pub fn add(&mut self, id: &str, value: &Bytes) -> Option<Bytes> {
        let (mark, events) = read::<Mark>(value)?;
        if id.ends_with("-00") {
            self.splitter = Splitter::default();
        }
        let mut out = BytesMut::new();
        for frame in self.splitter.push(&events).ok()? {
            if !self.has(&frame) {
                out.extend_from_slice(&frame);
            }
        }
        self.mark = mark;
        Some(out.freeze())
    }

    /// The number after that of the last event that was read.
    pub fn next(&self) -> u64 {
        self.seen.map_or(0, |seen| seen.saturating_add(1))
    }

    fn has(&mut self, frame: &Bytes) -> bool {
        let text = std::str::from_utf8(frame).unwrap_or_default();
        let id = text.lines().next().and_then(|line| line.strip_prefix("id: "));
        let id = id.and_then(|id| id.parse::<u64>().ok());
        if id <= self.seen {
            return true;
        }
        self.seen = id;
        match self.after {
            After::Start => false,
            After::Event(after) => id <= Some(after),
            After::Sequence(after) => sse::sequence(text).is_some_and(|number| number <= after),
        }
    }
}
