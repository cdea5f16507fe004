//! From a prompt to an answer, token by token.

mod engine;
mod sample;
mod stop;
mod utf8;

pub(crate) use engine::{Engine, Refused};
pub(crate) use sample::Sampling;

use crate::text::Message;

/// One answer to compute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    pub(crate) messages: Vec<Message>,
    /// The most tokens to generate; `None`: as many as the context holds.
    pub(crate) most: Option<usize>,
    pub(crate) stop: Vec<String>,
    pub(crate) sampling: Sampling,
}

/// What an answer consists of: any number of texts, then one end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The prompt has been accepted and is being computed.
    Begun,
    /// The prompt was not accepted.
    Refused(Refused),
    /// More of the answer, never empty.
    Text(String),
    /// The end.
    End(End),
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) finish: Finish,
    /// Tokens of the prompt.
    pub(crate) prompt: usize,
    /// Of these, tokens that were in memory already.
    pub(crate) cached: usize,
    /// Tokens that were generated; the one that ended the turn counts.
    pub(crate) generated: usize,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The model ended its turn, or a stop sequence came up.
    Stop,
    /// The limit on tokens was reached, the caller's or the context's.
    Length,
}
