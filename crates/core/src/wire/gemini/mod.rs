//! Gemini's `generateContent` and `streamGenerateContent?alt=sse`, both ways. Format: Google's reference of the Gemini
//! API (`v1beta`), and the types of its official client libraries.
//!
//! The model and whether to stream stand in the URL, so that a body says neither. A stream has no terminator of its
//! own: it ends after the chunk with a `finishReason`.

mod arguments;
mod calls;
mod chunk;
mod contents;
mod decode;
mod encode;
mod error;
mod fields;
mod finish;
pub mod interactions;
mod model;
mod read;
mod schema;
mod signature;
mod tools;
mod turns;
mod write;

#[cfg(test)]
mod tests;

pub use decode::{Decoder, decode_whole};
pub use encode::{Encoder, whole};
pub use error::{error_body, refusal};
pub use read::read;
pub use write::{HEADERS, credential, pass, uri, write};
