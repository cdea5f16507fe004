//! OpenAI chat completions, both ways. Format: OpenAI's API description 2.3.0.

mod decode;
mod encode;
mod request;

pub use decode::{Decoder, decode_whole};
pub use encode::{DONE, Encoder, error_body, traced};
pub use request::{model_of, models_of, request, wants_stream, wants_usage};
