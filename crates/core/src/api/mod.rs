//! The surfaces: which routes there are, what they take and what they answer. Pure; `serve` does the asking.

pub mod answer;
pub mod cors;
pub mod keys;
mod openapi;
pub mod platform;
pub mod reports;
pub mod response;
pub mod routes;
pub mod voice;

pub use self::openapi::document;
pub use self::routes::{Handler, Row, find};

/// Whose conventions a path follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/v1/*`: OpenAI's.
    OpenAi,
    /// Everything else: ours, with problem details (RFC 9457).
    Platform,
}

/// The surface that a path belongs to, existing or not.
pub fn surface(path: &str) -> Surface {
    if path == "/v1" || path.starts_with("/v1/") { Surface::OpenAi } else { Surface::Platform }
}
