//! Answers that can be taken up again: how an answer's events are numbered, kept in the tenant's log in segments, and
//! read back from any of them. Pure; `serve::streams` appends and scans.
//!
//! A log has one head, once the answer has ended a note of when, then segments. An entry's value is one line of JSON ([`Head`] or [`Mark`]), then, in a segment,
//! whole events with their `id:` lines as the caller got them. A segment's id is the number of its last event, so that
//! one scan after an event finds all that follows it.

mod record;
mod replay;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

pub use self::record::Tape;
pub use self::replay::{After, Replay};
use crate::host::{Key, Time};
use crate::identity::Tenant;
use crate::wire::Dialect;

/// How long after its end an answer can be taken up again.
pub const KEEP: Duration = Duration::from_secs(600);
/// The id of a log's first entry; every segment's is greater.
pub const HEAD: &str = "!";
/// The id of the entry that says when the answer ended, as its last segment does: beside the head, so that a long answer
/// need not be read to know.
pub const ENDED: &str = "!end";
/// What stands before every segment's id, and after those of the others.
const SEGMENTS: &str = "!~";

/// Whose answer it is and how it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The key that asked, itself or by its token.
    pub user: String,
    /// The dialect it is written in; `None`: the platform's own events.
    pub dialect: Option<Dialect>,
    /// The trace of the request.
    pub trace: String,
    /// When its owner has ended at the latest.
    pub until: Time,
}

/// What stands before a segment's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When the answer ended; only in its last segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// Whether what came after the segments before could not be kept; only in a last segment, without events.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

impl Head {
    /// When nothing of the answer is left.
    pub fn expires(&self) -> Time {
        self.until.plus(KEEP)
    }

    /// The head's entry.
    pub fn value(&self) -> Bytes {
        entry(self, &[])
    }

    /// Reads a head's entry.
    pub fn read(value: &Bytes) -> Option<Self> {
        read(value).map(|(head, _)| head)
    }
}

/// When an answer ended, as its entry says.
pub fn ended(value: &Bytes) -> Option<Time> {
    read::<Mark>(value)?.0.ended
}

/// Where an answer is kept.
pub fn log(tenant: &Tenant, id: &str) -> Key {
    Key::new(tenant, format!("stream/{id}"))
}

/// The record that says which stream an answer of Responses is, by the id that its caller knows it by.
pub fn of_response(tenant: &Tenant, response: &str) -> Key {
    Key::new(tenant, format!("response/{response}"))
}

fn entry(line: &impl Serialize, events: &[u8]) -> Bytes {
    let mut value = BytesMut::from(&serde_json::to_vec(line).unwrap_or_default()[..]);
    value.extend_from_slice(b"\n");
    value.extend_from_slice(events);
    value.freeze()
}

fn read<T: for<'a> Deserialize<'a>>(value: &Bytes) -> Option<(T, Bytes)> {
    let end = value.iter().position(|byte| *byte == b'\n')?;
    let line = serde_json::from_slice(value.get(..end)?).ok()?;
    Some((line, value.slice(end.saturating_add(1)..)))
}
