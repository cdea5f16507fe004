//! A caller's own request for a provider of the same dialect, and where it goes.

use http::header::{AUTHORIZATION, InvalidHeaderValue};
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{details, names};
use crate::call::Shape;
use crate::error::Error;
use crate::wire::Dialect;
use crate::wire::json::{Members, parse};
use crate::wire::seal::unwrap;

/// Headers that every request has: none.
pub const HEADERS: &[(&str, &str)] = &[];

/// What every wrapped seal begins with, in JSON.
const WRAPPED: &str = "\"oc1.";

/// The caller's body with everything as it was but `model`, `stream_options.include_usage` of a stream, and thinking
/// that another provider sealed in an earlier turn: strict servers refuse messages with members that they do not know.
pub fn pass(members: &Members, model: &str, shape: Shape) -> Members {
    let mut members = members.clone();
    members.set("model", &model);
    if shape == Shape::Stream {
        let mut options = members.read::<Members>("stream_options").ok().flatten().unwrap_or_default();
        options.set("include_usage", &true);
        members.set("stream_options", &options);
    }
    if let Some(messages) = members.get("messages").and_then(|messages| without_seals(messages, model)) {
        members.set("messages", &messages);
    }
    members
}

/// `{base_url}/chat/completions`.
pub fn uri(base_url: &str, _model: &str, _shape: Shape) -> String {
    format!("{}/chat/completions", base_url.trim_end_matches('/'))
}

/// `Authorization: Bearer …`.
pub fn credential(secret: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {secret}"))?;
    value.set_sensitive(true);
    Ok((AUTHORIZATION, value))
}

/// Whether a caller asked for a stream.
pub fn wants_stream(members: &Members) -> Result<bool, Error> {
    let wanted = members.read::<bool>("stream");
    Ok(wanted.map_err(|_| Error::invalid("`stream` must be true or false").at("stream"))?.unwrap_or(false))
}

/// Whether a caller asked for the usage frame.
pub fn wants_usage(members: &Members) -> bool {
    #[derive(Deserialize)]
    struct Options {
        include_usage: Option<bool>,
    }
    let options = members.read::<Options>("stream_options").ok().flatten();
    options.and_then(|options| options.include_usage).unwrap_or(false)
}

/// The messages without wrapped seals, if they have any; all others keep their text.
fn without_seals(messages: &RawValue, model: &str) -> Option<Vec<Box<RawValue>>> {
    if !messages.get().contains(WRAPPED) {
        return None;
    }
    let mut messages: Vec<Box<RawValue>> = parse(messages.get()).ok()?;
    for message in messages.iter_mut().filter(|message| message.get().contains(WRAPPED)) {
        let Ok(mut members) = Members::parse(message.get().as_bytes()) else { continue };
        if unseal_thinking(&mut members) | unseal_calls(&mut members, model) {
            *message = serde_json::value::to_raw_value(&members).ok()?;
        }
    }
    Some(messages)
}

/// With a seal goes the thinking that it seals, under all its names.
fn unseal_thinking(message: &mut Members) -> bool {
    let Ok(Some(mut given)) = message.read::<Vec<Value>>("reasoning_details") else { return false };
    let all = given.len();
    given.retain(|detail| !details::is_wrapped(detail));
    if given.len() == all {
        return false;
    }
    message.unset("reasoning_content");
    message.unset("reasoning");
    if given.is_empty() {
        message.unset("reasoning_details");
    } else {
        message.set("reasoning_details", &given);
    }
    true
}

/// Gemini behind this dialect gets its own signature, which it insists on; others none.
fn unseal_calls(message: &mut Members, model: &str) -> bool {
    let Ok(Some(mut calls)) = message.read::<Vec<Members>>("tool_calls") else { return false };
    let mut changed = false;
    for call in &mut calls {
        let Ok(Some(mut extra)) = call.read::<Map<String, Value>>("extra_content") else { continue };
        let Some(Value::Object(google)) = extra.get_mut("google") else { continue };
        let signature = google.get("thought_signature").and_then(Value::as_str);
        let Some(seal) = signature.and_then(unwrap) else { continue };
        changed = true;
        if seal.dialect == Dialect::Gemini && names::is_gemini(model) {
            google.insert("thought_signature".to_owned(), Value::String(seal.value));
        } else {
            google.remove("thought_signature");
            extra.retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
        }
        if extra.is_empty() {
            call.unset("extra_content");
        } else {
            call.set("extra_content", &extra);
        }
    }
    if changed {
        message.set("tool_calls", &calls);
    }
    changed
}
