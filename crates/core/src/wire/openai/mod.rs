//! OpenAI chat completions, both ways. Format: OpenAI's API description 2.3.0.
//!
//! Beyond it, what compatible servers and their callers have agreed on: visible thinking is `reasoning_content`
//! (DeepSeek, vLLM, xAI; `reasoning` of OpenRouter and Groq is read too), what lets a provider trust its thinking is
//! `reasoning_details` (OpenRouter, "Preserving reasoning"), Gemini's signature of a call is
//! `extra_content.google.thought_signature` (Google, "OpenAI compatibility"), and a request's `reasoning` object is
//! OpenRouter's. Seals of other dialects stand in the last three wrapped ([`super::seal`]), so that [`pass`] can take
//! them out again where a provider would not know them.

mod calls;
mod chunk;
mod decode;
mod details;
mod encoder;
mod errors;
mod messages;
mod models;
mod names;
mod pass;
mod read;
mod refuse;
mod settings;
#[cfg(test)]
mod tests;
mod turns;
mod write;

pub use decode::{Decoder, decode_whole};
pub use encoder::{DONE, Encoder, whole};
pub use errors::{error_body, traced};
pub use models::{model_of, models_of};
pub use pass::{HEADERS, credential, pass, uri, wants_stream, wants_usage};
pub use read::read;
pub use refuse::refusal;
pub use write::write;
