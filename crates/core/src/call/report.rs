//! What a receipt says of one attempt.

use serde::{Deserialize, Serialize};

use crate::host::Time;
use crate::wire::event::Usage;

/// One attempt at one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptReport {
    /// The target's place in the plan.
    pub target: usize,
    /// What became of it.
    pub fate: Fate,
    /// The provider's status, if a head came.
    pub status: Option<u16>,
    /// When it was sent.
    pub sent: Time,
    /// When its first content came.
    pub first: Option<Time>,
    /// When it was over.
    pub over: Option<Time>,
    /// Token counts, if the provider reported any.
    pub usage: Option<Usage>,
    /// Bytes of content that were seen: for the estimate where nothing was reported.
    pub content_bytes: usize,
    /// In how many pieces they came.
    pub content_pieces: u64,
    /// Frames that could not be read and were dropped.
    pub unreadable: u32,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Still running.
    Running,
    /// It answered, genuinely to the end.
    Answered,
    /// It refused the request itself.
    Refused,
    /// It failed: a status, a transport error, an error in the stream, a truncation.
    Failed,
    /// A deadline passed.
    Timeout,
    /// Another attempt was first, or the answer was given up.
    Lost,
    /// The caller left.
    Left,
}
