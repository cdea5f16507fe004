//! An answer's events on their way to the caller and into the log.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{Mark, entry};
use crate::host::{MAX_ENTRY, Time};
use crate::wire::sse::{self, Splitter};

/// A segment is kept when it is this old, or this large.
const AGE: Duration = Duration::from_secs(1);
/// See [`AGE`].
const SIZE: usize = 16 * 1024;
/// The most bytes that wait to be kept; what cannot be kept by then makes the answer one that cannot be resumed.
const MOST: usize = 2 * 1024 * 1024;
/// The most of a segment's bytes in one entry, with room for the line before them.
const PART: usize = MAX_ENTRY - 1024;

/// Numbers events from 0 and gathers them into segments. Comments are nobody's to take up again and are not kept.
pub struct Tape {
    /// Whether the caller sees the numbers.
    shown: bool,
    splitter: Splitter,
    /// Of the next event.
    next: u64,
    pending: BytesMut,
    since: Time,
    /// Whether what has gathered could not be kept the last time.
    missed: bool,
    /// Nothing more can be kept.
    torn: bool,
}

impl Tape {
    /// An empty tape. Not every client reads an event that has an id: `shown` says whether the caller's has one.
    pub fn new(shown: bool) -> Self {
        Self {
            shown,
            splitter: Splitter::default(),
            next: 0,
            pending: BytesMut::new(),
            since: Time::default(),
            missed: false,
            torn: false,
        }
    }

    /// Takes whole frames and gives what goes to the caller.
    pub fn add(&mut self, bytes: Bytes, now: Time) -> Bytes {
        if self.torn {
            return bytes;
        }
        let Ok(frames) = self.splitter.push(&bytes) else {
            self.torn = true;
            return bytes;
        };
        if self.pending.is_empty() {
            self.since = now;
        }
        let mut out = BytesMut::new();
        for frame in frames {
            let has_data = std::str::from_utf8(&frame).is_ok_and(|text| sse::data(text).is_some());
            let before = self.pending.len();
            if has_data {
                self.pending.put_slice(format!("id: {}\n", self.next).as_bytes());
                self.pending.put_slice(&frame);
                self.next = self.next.saturating_add(1);
            }
            match self.pending.get(before..) {
                Some(numbered) if has_data && self.shown => out.put_slice(numbered),
                _ => out.put_slice(&frame),
            }
        }
        out.freeze()
    }

    /// When what has gathered should be kept; `None`: nothing has.
    pub fn due(&self) -> Option<Time> {
        match self.pending.len() {
            _ if self.torn => None,
            0 => None,
            size if size >= SIZE && !self.missed => Some(self.since),
            _ => Some(self.since.plus(AGE)),
        }
    }

    /// The entries of what has gathered, with their ids; `ended` makes them the last. They stay gathered until
    /// [`Self::kept`]: entries of the same events have the same ids.
    pub fn segment(&self, ended: Option<Time>) -> Vec<(String, Bytes)> {
        let none = self.torn || self.pending.is_empty();
        let last = if none { self.next } else { self.next.saturating_sub(1) };
        let mut parts: Vec<&[u8]> = if none { Vec::new() } else { self.pending.chunks(PART).collect() };
        if parts.is_empty() && ended.is_some() {
            parts.push(&[]);
        }
        let count = parts.len();
        let numbered = parts.into_iter().enumerate().map(|(part, events)| {
            let ended = ended.filter(|_| part.saturating_add(1) == count);
            let mark = Mark { ended, lost: self.torn };
            (format!("{last:010}-{part:02}"), entry(&mark, events))
        });
        numbered.collect()
    }

    /// What had gathered is in the log.
    pub fn kept(&mut self) {
        self.pending.clear();
        self.missed = false;
    }

    /// What has gathered could not be kept: it is tried again after a while with what has come by then, as long as that
    /// is not too much.
    pub fn missed(&mut self, now: Time) {
        self.since = now;
        self.missed = true;
        self.torn |= self.pending.len() > MOST;
    }
}
