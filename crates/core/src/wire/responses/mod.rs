//! OpenAI's Responses, both ways. Format: OpenAI's API description 2.3.0.
//!
//! Nothing is stored: every request goes upstream with `store: false`, and what only a store could answer is refused
//! ([`check()`]). Reasoning therefore travels as `encrypted_content`: a provider's own as it is, another dialect's seal
//! wrapped ([`super::seal`]).

mod check;
mod decode;
mod encode;
mod input;
mod items;
mod pass;
mod read;
mod refusal;
mod response;
mod run;
mod slots;
mod whole;
mod write;

#[cfg(test)]
mod tests;

use http::header::{AUTHORIZATION, InvalidHeaderValue};
use http::{HeaderName, HeaderValue};

use crate::call::Shape;

pub use self::check::{check, wants_store};
pub use self::decode::Decoder;
pub use self::encode::{Encoder, whole};
pub use self::pass::pass;
pub use self::read::read;
pub use self::refusal::refusal;
pub use self::response::ECHOED;
pub use self::whole::decode_whole;
pub use self::write::write;
/// Errors have the envelope of chat completions.
pub use super::openai::error_body;

/// Fixed headers: none.
pub const HEADERS: &[(&str, &str)] = &[];

/// Where a request goes.
pub fn uri(base_url: &str, _model: &str, _shape: Shape) -> String {
    format!("{base_url}/responses")
}

/// The header that carries the key.
pub fn credential(secret: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {secret}"))?;
    value.set_sensitive(true);
    Ok((AUTHORIZATION, value))
}
