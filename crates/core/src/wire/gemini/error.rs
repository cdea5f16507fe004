//! Errors, both ways: `{"error": {"code", "message", "status", "details"}}` (google.rpc.Status in JSON).

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::error::{Error, Kind};
use crate::wire::event::Event;
use crate::wire::json::parse;
use crate::wire::refusal::{Class, Refusal};

/// The most bytes of a provider's words that are kept.
const MAX_MESSAGE: usize = 4096;

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: Option<Value>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    details: Vec<Value>,
}

/// The error envelope. `code` is the HTTP status and `status` the name of the canonical code; the trace stands in the
/// details, as Google's own request ids do.
pub fn error_body(error: &Error, trace: &str) -> Value {
    let mut details = vec![
        json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code(), "domain": "opencode"}),
        json!({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": trace}),
    ];
    if let Some(param) = &error.param {
        let violation = json!({"field": param, "description": error.detail});
        let violations =
            json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]});
        details.push(violations);
    }
    json!({"error": {
        "code": error.status(),
        "message": error.detail,
        "status": canonical(error.kind),
        "details": details,
    }})
}

/// The canonical code's name (google.rpc.Code).
fn canonical(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid
        | Kind::Context
        | Kind::Filtered
        | Kind::Unprocessable
        | Kind::TooLarge
        | Kind::UnsupportedMedia => "INVALID_ARGUMENT",
        Kind::Unauthorized => "UNAUTHENTICATED",
        Kind::Forbidden => "PERMISSION_DENIED",
        Kind::NotFound => "NOT_FOUND",
        Kind::MethodNotAllowed | Kind::Planned => "UNIMPLEMENTED",
        Kind::Conflict => "ABORTED",
        Kind::Limited => "RESOURCE_EXHAUSTED",
        Kind::Internal => "INTERNAL",
        Kind::Upstream | Kind::Unavailable => "UNAVAILABLE",
        Kind::Timeout => "DEADLINE_EXCEEDED",
    }
}

/// Google's refusal, classed by the status and, where that is 400, by what is said. For an error inside a stream, whose
/// HTTP status is 200, the body's own `code` counts.
pub fn refusal(status: u16, body: &[u8]) -> Refusal {
    let said = std::str::from_utf8(body).ok().map(|text| text.trim().trim_start_matches('[')).and_then(first);
    classed(status, &said.unwrap_or_default())
}

fn classed(status: u16, said: &Status) -> Refusal {
    let told = said.code.as_ref().and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = if status >= 400 { status } else { told.unwrap_or(status) };
    let message = said.message.as_deref().map(shortened);
    let param = said.details.iter().find_map(|detail| {
        let violations = detail.get("fieldViolations")?.as_array()?;
        violations.first()?.get("field")?.as_str().map(str::to_owned)
    });
    let words = said.message.as_deref().unwrap_or_default();
    let has_reason =
        |reason: &str| said.details.iter().any(|detail| detail.get("reason").is_some_and(|r| r == reason));
    let class = match (status, said.status.as_deref()) {
        // Google says 400 for a key that it does not know or has closed.
        (400, _) if has_reason("API_KEY_INVALID") || words.contains("API key") => Class::Credential,
        // The account's country or its missing billing, which are ours.
        (400, Some("FAILED_PRECONDITION")) => Class::Credential,
        (400, _) if is_too_long(words) => Class::Context,
        (401 | 403, _) => Class::Credential,
        (404, _) => Class::Missing,
        (429, _) | (_, Some("RESOURCE_EXHAUSTED")) => Class::Limited,
        (503 | 529, _) | (_, Some("UNAVAILABLE")) => Class::Overloaded,
        (400 | 413 | 422, _) => Class::Request,
        _ => Class::Failed,
    };
    Refusal { class, message, param }
}

/// `The input token count (…) exceeds the maximum number of tokens allowed (…).`
fn is_too_long(words: &str) -> bool {
    words.contains("exceeds the maximum number of tokens") || words.contains("exceeds the maximum token")
}

/// The first value's error, whatever follows it.
fn first(text: &str) -> Option<Status> {
    #[derive(Deserialize)]
    struct Envelope {
        error: Status,
    }
    let mut values = serde_json::Deserializer::from_slice(text.as_bytes()).into_iter::<Envelope>();
    values.next()?.ok().map(|envelope| envelope.error)
}

/// The `error` member of an object.
pub(super) fn envelope(text: &str) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        error: &'a RawValue,
    }
    parse::<Envelope<'_>>(text).ok().map(|envelope| envelope.error)
}

/// An error inside a stream. The code is the canonical name where there is one, else the number.
pub(super) fn reported(error: &RawValue) -> Event {
    let status = parse::<Status>(error.get()).unwrap_or_default();
    let code = status.status.clone().filter(|name| !name.is_empty());
    let number = || match &status.code {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let message = status.message.as_deref().unwrap_or_else(|| error.get());
    let class = classed(200, &status).class;
    Event::Failed { message: shortened(message), code: code.or_else(number), class }
}

fn shortened(text: &str) -> String {
    let mut text = text.to_owned();
    let end = (0..=MAX_MESSAGE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}
