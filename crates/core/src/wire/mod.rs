//! Provider dialects: each is one codec between its wire format and the neutral events.

pub mod answer;
pub mod anthropic;
pub mod aws;
pub mod builtin;
pub mod continuation;
pub mod conversation;
pub mod custom;
pub mod dialect;
pub mod event;
pub mod gemini;
pub mod json;
pub mod omitted;
pub mod openai;
pub mod prompt;
pub mod refusal;
pub mod request;
pub mod responses;
pub mod schema;
pub mod seal;
pub mod sse;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use self::event::Event;

/// A wire format that providers and callers speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI's chat completions, and every server that is compatible with them.
    #[default]
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's `generateContent` and `streamGenerateContent`.
    Gemini,
}

/// One upstream frame as it arrived, and what it means. A caller of the same dialect gets the bytes untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whole, with its terminator.
    pub bytes: Bytes,
    /// In order; empty for a comment or a ping.
    pub events: Vec<Event>,
}

impl Frame {
    /// Whether the caller's answer begins with this frame.
    pub fn has_content(&self) -> bool {
        self.events.iter().any(Event::is_content)
    }

    /// A frame without data: a comment that keeps the connection alive.
    pub fn is_comment(&self) -> bool {
        self.events.is_empty() && std::str::from_utf8(&self.bytes).is_ok_and(|text| sse::data(text).is_none())
    }

    /// A frame that only answers our own wish for usage figures: not for a caller who did not ask for them.
    pub fn is_usage_only(&self) -> bool {
        !self.events.is_empty() && self.events.iter().all(|event| matches!(event, Event::Usage(_)))
    }
}
