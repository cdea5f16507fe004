//! What must hold of the core for every input, as ordinary functions that panic where it does not.
//!
//! libFuzzer calls them through the package in `fuzz/`; the suite `fuzz` replays what it found, on stable.
//!
//! - [`sse`]: a body is split into the same frames however it is cut.
//! - [`openai`], [`responses`], [`anthropic`], [`gemini`]: what a provider streams, or answers whole, or refuses with,
//!   through the state machine of one answer and on to callers of every dialect.
//! - [`interactions`]: Gemini's Interactions, which are read only.
//! - [`requests`]: what a caller sends, to targets of every dialect.

mod answer;
mod request;
mod split;

use opencode_core::wire::Dialect;

pub use answer::interactions;
pub use request::requests;
pub use split::sse;

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// All targets, by their names in `fuzz/fuzz_targets` and `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 7] = [
    ("sse", sse),
    ("openai", openai),
    ("responses", responses),
    ("anthropic", anthropic),
    ("gemini", gemini),
    ("interactions", interactions),
    ("requests", requests),
];

/// OpenAI's chat completions, from upstream.
pub fn openai(data: &[u8]) {
    answer::answers(Dialect::OpenAi, data);
}

/// OpenAI's Responses, from upstream.
pub fn responses(data: &[u8]) {
    answer::answers(Dialect::Responses, data);
}

/// Anthropic's Messages, from upstream.
pub fn anthropic(data: &[u8]) {
    answer::answers(Dialect::Anthropic, data);
}

/// Gemini's answers, from upstream.
pub fn gemini(data: &[u8]) {
    answer::answers(Dialect::Gemini, data);
}

/// Every dialect.
const DIALECTS: [Dialect; 4] = [Dialect::OpenAi, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini];
