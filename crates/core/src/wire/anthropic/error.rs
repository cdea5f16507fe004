//! Errors, both ways. Types and statuses: Anthropic's documentation, "Errors".

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Error, Kind};
use crate::wire::refusal::{Class, Refusal};

/// Anthropic's error envelope; the trace stands where its request id does.
pub fn error_body(error: &Error, trace: &str) -> Value {
    json!({
        "type": "error",
        "error": {"type": error_type(error.kind), "message": error.detail},
        "request_id": trace,
    })
}

fn error_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid
        | Kind::Context
        | Kind::Filtered
        | Kind::Unprocessable
        | Kind::MethodNotAllowed
        | Kind::UnsupportedMedia
        | Kind::Conflict => "invalid_request_error",
        Kind::Unauthorized => "authentication_error",
        Kind::Forbidden => "permission_error",
        Kind::NotFound => "not_found_error",
        Kind::TooLarge => "request_too_large",
        Kind::Limited => "rate_limit_error",
        Kind::Planned | Kind::Upstream | Kind::Internal => "api_error",
        Kind::Timeout => "timeout_error",
        Kind::Unavailable => "overloaded_error",
    }
}

#[derive(Deserialize)]
struct Envelope {
    error: Reported,
}

#[derive(Default, Deserialize)]
struct Reported {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// What a provider's refusal comes down to: its status, or the type in the body where that came with status 200.
pub fn refusal(status: u16, body: &[u8]) -> Refusal {
    let reported =
        serde_json::from_slice::<Envelope>(body).map(|envelope| envelope.error).unwrap_or_default();
    let message = reported.message.filter(|message| !message.is_empty());
    let class =
        class(status, reported.kind.as_deref().unwrap_or_default(), message.as_deref().unwrap_or_default());
    let param = message.as_deref().filter(|_| class == Class::Request).and_then(param);
    Refusal { class, param, message }
}

pub(super) fn class(status: u16, kind: &str, message: &str) -> Class {
    let by_status = match status {
        400 | 405 | 413 | 415 | 422 => Class::Request,
        401 | 403 => Class::Credential,
        402 | 429 => Class::Limited,
        404 => Class::Missing,
        503 | 529 => Class::Overloaded,
        _ => Class::Failed,
    };
    match kind {
        "invalid_request_error" if matches!(by_status, Class::Request | Class::Failed) => request(message),
        "authentication_error" | "permission_error" => Class::Credential,
        "not_found_error" => Class::Missing,
        "request_too_large" => Class::Request,
        "rate_limit_error" | "billing_error" => Class::Limited,
        "overloaded_error" => Class::Overloaded,
        "api_error" | "timeout_error" if !matches!(by_status, Class::Overloaded) => Class::Failed,
        _ => by_status,
    }
}

/// The one type for four matters: only its words tell a full window, a filter and an empty account from a mistake.
fn request(message: &str) -> Class {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["prompt is too long", "input is too long", "exceed context limit", "context window"]) {
        Class::Context
    } else if says(&["content filtering policy", "usage policy"]) {
        Class::Filtered
    } else if says(&["credit balance is too low", "usage limits"]) {
        Class::Limited
    } else {
        Class::Request
    }
}

/// Its messages begin with the member's path: `messages.0.content: Field required`.
fn param(message: &str) -> Option<String> {
    let (path, _) = message.split_once(": ")?;
    let is_path = path.starts_with(|char: char| char.is_ascii_lowercase())
        && path.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '[' | ']'));
    is_path.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_classed() {
        let check = |status: u16, kind: &str, message: &str, class: Class, param: Option<&str>| {
            let body =
                json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
            let found = refusal(status, body.to_string().as_bytes());
            let expected =
                Refusal { class, message: Some(message.to_owned()), param: param.map(str::to_owned) };
            assert_eq!(found, expected, "{status} {kind}");
        };
        let invalid = "invalid_request_error";
        check(400, invalid, "max_tokens: Field required", Class::Request, Some("max_tokens"));
        check(400, invalid, "messages.0.content.1: bad", Class::Request, Some("messages.0.content.1"));
        check(400, invalid, "Note this: bad", Class::Request, None);
        check(400, invalid, "prompt is too long: 208310 tokens > 200000 maximum", Class::Context, None);
        check(
            400,
            invalid,
            "input length and `max_tokens` exceed context limit: 1 + 2 > 3",
            Class::Context,
            None,
        );
        check(400, invalid, "Output blocked by content filtering policy", Class::Filtered, None);
        check(400, invalid, "Your credit balance is too low to access the API.", Class::Limited, None);
        check(401, "authentication_error", "invalid x-api-key", Class::Credential, None);
        check(402, "billing_error", "pay", Class::Limited, None);
        check(403, "permission_error", "no", Class::Credential, None);
        check(404, "not_found_error", "model: claude-x", Class::Missing, None);
        check(413, "request_too_large", "Request exceeds the maximum size", Class::Request, None);
        check(429, "rate_limit_error", "slow down", Class::Limited, None);
        check(500, "api_error", "Internal server error", Class::Failed, None);
        check(504, "timeout_error", "late", Class::Failed, None);
        check(529, "overloaded_error", "Overloaded", Class::Overloaded, None);
        check(200, "overloaded_error", "Overloaded", Class::Overloaded, None);
        check(200, invalid, "prompt is too long", Class::Context, None);
        check(503, "api_error", "Unavailable", Class::Overloaded, None);
        for (status, class) in
            [(400, Class::Request), (408, Class::Failed), (502, Class::Failed), (503, Class::Overloaded)]
        {
            assert_eq!(refusal(status, b"<html>"), Refusal { class, message: None, param: None }, "{status}");
        }
    }

    #[test]
    fn errors_have_the_types_of_the_description() {
        let body = error_body(&Error::new(Kind::Limited, "wait"), "t1");
        let expected = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "wait"}, "request_id": "t1"});
        assert_eq!(body, expected);
        assert_eq!(error_type(Kind::Timeout), "timeout_error");
        assert_eq!(error_type(Kind::Unavailable), "overloaded_error");
    }
}
