//! The surfaces: which routes there are, what they take and what they answer. Pure; `serve` does the asking.

pub mod answer;
pub mod builtin;
pub mod cors;
pub mod execute;
pub mod extras;
pub mod keys;
mod openapi;
pub mod platform;
pub mod reports;
pub mod response;
pub mod routes;
pub mod voice;

pub use self::openapi::document;
pub use self::routes::{Handler, Row, find};
use crate::wire::Dialect;

/// Whose conventions a path follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/v1/*`: OpenAI's.
    OpenAi,
    /// `/v1/messages`: Anthropic's.
    Anthropic,
    /// `/v1beta/*`: Gemini's.
    Gemini,
    /// Everything else: ours, with problem details (RFC 9457).
    Platform,
}

impl Surface {
    /// Whose error envelope it has; none: problem details.
    pub fn dialect(self) -> Option<Dialect> {
        match self {
            Self::OpenAi => Some(Dialect::OpenAi),
            Self::Anthropic => Some(Dialect::Anthropic),
            Self::Gemini => Some(Dialect::Gemini),
            Self::Platform => None,
        }
    }
}

/// The surface that a path belongs to, existing or not.
pub fn surface(path: &str) -> Surface {
    let under =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let generates =
        [":generateContent", ":streamGenerateContent"].iter().any(|method| path.ends_with(method));
    if generates && (under("/v1") || under("/v1beta")) {
        Surface::Gemini
    } else if under("/v1/messages") {
        Surface::Anthropic
    } else if under("/v1") {
        Surface::OpenAi
    } else if under("/v1beta") {
        Surface::Gemini
    } else {
        Surface::Platform
    }
}
