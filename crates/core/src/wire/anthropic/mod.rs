//! Anthropic's Messages, both ways. Format: API version 2023-06-01, with the types of Anthropic's official SDKs and
//! its documentation of errors, streaming, thinking and structured outputs.
//!
//! A provider's usage counts uncached input, cache reads and cache writes apart; here `input` is their sum.

mod calls;
mod counts;
mod decode;
mod encode;
mod error;
mod messages;
mod model;
mod read;
mod run;
mod schema;
mod thinking;
mod turns;
mod whole;
mod write;

use http::header::InvalidHeaderValue;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::call::Shape;
use crate::wire::json::Members;

pub use decode::Decoder;
pub use encode::Encoder;
pub use error::{error_body, refusal};
pub use read::read;
pub use whole::{decode_whole, whole};
pub use write::write;

/// Headers of every request.
pub const HEADERS: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];

/// The caller's own body for a target of the same dialect: the model is replaced, and `stream` where it does not fit
/// the shape. Usage is always reported.
pub fn pass(members: &Members, model: &str, shape: Shape) -> Members {
    let mut members = members.clone();
    members.set("model", &model);
    let stream = shape == Shape::Stream;
    if members.read::<bool>("stream").ok().flatten().unwrap_or(false) != stream {
        members.set("stream", &stream);
    }
    members
}

/// `{base_url}/messages`, for both shapes; the base ends in the version, as `https://api.anthropic.com/v1`.
pub fn uri(base_url: &str, _model: &str, _shape: Shape) -> String {
    format!("{}/messages", base_url.trim_end_matches('/'))
}

/// `x-api-key`. The error: the secret holds bytes that no header can.
pub fn credential(secret: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(secret)?;
    value.set_sensitive(true);
    Ok((HeaderName::from_static("x-api-key"), value))
}

/// The answer of `count_tokens`.
pub fn token_count(tokens: u64) -> Value {
    json!({"input_tokens": tokens})
}

#[cfg(test)]
mod tests;
