//! Failures in OpenAI's envelope.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::error::{Error, Fault, Kind};
use crate::wire::json::Members;

/// OpenAI's error envelope: all four members, always, and the request's trace.
pub fn error_body(error: &Error, trace: &str) -> Value {
    let kind = match (error.kind, error.fault()) {
        (Kind::Unauthorized, _) => "authentication_error",
        (Kind::Forbidden, _) => "permission_error",
        (Kind::Limited, _) => "rate_limit_error",
        (_, Fault::Caller) => "invalid_request_error",
        (_, Fault::Upstream) => "upstream_error",
        (_, Fault::Ours) => "server_error",
    };
    json!({"error": {
        "message": error.detail,
        "type": kind,
        "param": error.param,
        "code": error.code(),
        "trace_id": trace,
    }})
}

/// A provider's error in OpenAI's envelope, with our trace among its members; `None` where it has another shape.
pub fn traced(body: &[u8], trace: &str) -> Option<Bytes> {
    let mut envelope = Members::parse(body).ok()?;
    let mut error = envelope.read::<Members>("error").ok()??;
    error.read::<String>("message").ok()??;
    error.set("trace_id", &trace);
    envelope.set("error", &error);
    Some(Bytes::from(envelope.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_what_it_says_and_gets_the_trace() {
        let said =
            |body: &str| traced(body.as_bytes(), "t").map(|body| String::from_utf8_lossy(&body).into_owned());
        assert_eq!(
            said(r#"{"x":1.50,"error":{"message":"no","code":7}}"#).as_deref(),
            Some(r#"{"x":1.50,"error":{"message":"no","code":7,"trace_id":"t"}}"#)
        );
        for other in ["", "[]", r#"{"error":"no"}"#, r#"{"detail":"no"}"#, r#"{"error":{"message":1}}"#] {
            assert_eq!(said(other), None, "{other}");
        }
    }
}
