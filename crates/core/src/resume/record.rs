//! An answer's events on their way to the caller and into the log.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{ENDED, Mark, entry};
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
        let Ok(mut frames) = self.splitter.push(&bytes) else {
            self.torn = true;
            return bytes;
        };
        // A carriage return at the end waits for a line feed that belongs to it: what comes here is whole.
        frames.extend(self.splitter.rest());
        if self.pending.is_empty() {
            self.since = now;
        }
        let mut out = BytesMut::new();
        for frame in frames {
            let before = self.pending.len();
            let text = std::str::from_utf8(&frame).unwrap_or_default();
            let numbered = !sse::is_comment(text);
            if numbered {
                sse::number(text, self.next, &mut self.pending);
                self.next = self.next.saturating_add(1);
            }
            match self.pending.get(before..) {
                Some(frame) if numbered && self.shown => out.put_slice(frame),
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

    /// The entries of what has gathered, with their ids. They stay gathered until [`Self::kept`]: entries of the same
    /// events have the same ids.
    pub fn segment(&self) -> Vec<(String, Bytes)> {
        let last = self.next.saturating_sub(1);
        let parts = if self.torn { &[][..] } else { &self.pending[..] }.chunks(PART).enumerate();
        parts
            .map(|(part, events)| (format!("{last:010}-{part:02}"), entry(&Mark::default(), events)))
            .collect()
    }

    /// The last entry: an entry of its own, so that a segment whose keeping was in doubt cannot stand in its place. And
    /// the one beside the head.
    pub fn end(&self, ended: Time) -> [(String, Bytes); 2] {
        let mark = entry(&Mark { ended: Some(ended), lost: self.torn }, &[]);
        [(format!("{:010}-00", self.next), mark.clone()), (ENDED.to_owned(), mark)]
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
