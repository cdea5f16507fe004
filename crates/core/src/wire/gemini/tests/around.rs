//! What is around a request: its URL, its credential, and a refusal of it.

use http::HeaderValue;
use serde_json::json;

use crate::call::Shape;
use crate::wire::gemini::{credential, pass, refusal, uri};
use crate::wire::json::Members;
use crate::wire::refusal::Class;

#[test]
fn the_url_says_the_model() {
    let base = "https://g/v1beta/";
    assert_eq!(uri(base, "gemini-x", Shape::Whole), "https://g/v1beta/models/gemini-x:generateContent");
    assert_eq!(
        uri(base, "a b?", Shape::Stream),
        "https://g/v1beta/models/a%20b%3F:streamGenerateContent?alt=sse"
    );
    assert_eq!(uri(base, "tunedModels/t", Shape::Whole), "https://g/v1beta/tunedModels/t:generateContent");
    let (name, value) = credential("k").unwrap();
    assert_eq!((name.as_str(), &value), ("x-goog-api-key", &HeaderValue::from_static("k")));
    assert!(value.is_sensitive() && credential("a\nb").is_err());
    let body = Members::parse(br#"{ "x" : 1.50, "contents":[] }"#).unwrap();
    assert_eq!(pass(&body, "m", Shape::Stream).text(), r#"{"x":1.50,"contents":[]}"#);
    let body = Members::parse(br#"{"model":"models/a","contents":[]}"#).unwrap();
    assert_eq!(pass(&body, "m", Shape::Stream).text(), r#"{"model":"models/m","contents":[]}"#);
}

#[test]
fn refusals_are_classed() {
    let error = |code: u16, status: &str, message: &str| json!({"error": {"code": code, "status": status, "message": message}});
    let long = "The input token count (9) exceeds the maximum number of tokens allowed (8).";
    let key = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "x", "details": [{"reason": "API_KEY_INVALID"}]}});
    let cases = [
        (400, error(400, "INVALID_ARGUMENT", "bad"), Class::Request),
        (400, error(400, "INVALID_ARGUMENT", long), Class::Context),
        (400, key, Class::Credential),
        (400, error(400, "FAILED_PRECONDITION", "User location is not supported"), Class::Credential),
        (403, error(403, "PERMISSION_DENIED", "x"), Class::Credential),
        (404, error(404, "NOT_FOUND", "x"), Class::Missing),
        (429, json!([error(429, "RESOURCE_EXHAUSTED", "x")]), Class::Limited),
        (200, error(429, "RESOURCE_EXHAUSTED", "x"), Class::Limited),
        (200, error(503, "UNAVAILABLE", "x"), Class::Overloaded),
        (503, json!("<html>"), Class::Overloaded),
        (500, json!({}), Class::Failed),
    ];
    for (status, body, class) in cases {
        assert_eq!(refusal(status, body.to_string().as_bytes()).class, class, "{status} {body}");
    }
    let body = json!({"error": {"code": 400, "message": "m", "details": [{"fieldViolations": [{"field": "contents[0]"}]}]}});
    let said = refusal(400, body.to_string().as_bytes());
    assert_eq!((said.message.as_deref(), said.param.as_deref()), (Some("m"), Some("contents[0]")));
}
