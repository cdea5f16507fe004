//! `thoughtSignature`: what Gemini wants back with the next turn, and how another provider's seal travels in its place.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::wire::Dialect;
use crate::wire::conversation::Seal;
use crate::wire::seal;

/// Stands for the signature of a call that no Gemini model made. Models from Gemini 3 on refuse a call without a
/// signature; Google documents this text for calls that come from elsewhere
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
pub(super) const SKIP: &str = "skip_thought_signature_validator";

/// The seal in a caller's `thoughtSignature`; `None` for the stand-in.
pub(super) fn read(text: &str) -> Option<Seal> {
    if text.is_empty() || text == SKIP {
        return None;
    }
    let wrapped = STANDARD_NO_PAD.decode(standard(text).trim_end_matches('=')).ok();
    let wrapped = wrapped.and_then(|bytes| String::from_utf8(bytes).ok());
    let foreign = wrapped.and_then(|text| seal::unwrap(&text));
    Some(foreign.unwrap_or_else(|| Seal::signature(Dialect::Gemini, text)))
}

/// A seal as a caller of this dialect gets it. The member is of type `bytes`, which Google's Python library decodes
/// from base64, so that a wrapped seal is put into base64 once more.
pub(super) fn write(seal: &Seal) -> String {
    if seal.dialect == Dialect::Gemini { seal.value.clone() } else { STANDARD.encode(seal::wrap(seal)) }
}

/// Base64 in the standard alphabet with padding. Google's Python library sends the URL-safe alphabet, which other
/// providers refuse.
pub(super) fn standard(text: &str) -> String {
    let mut text = text.replace('-', "+").replace('_', "/");
    while !text.ends_with('=') && !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
