//! Responses: JSON, problem details, OpenAI's error envelope.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::Surface;
use crate::error::{Error, Kind, Retry};

/// The request's trace id, on every response.
pub const TRACE: HeaderName = HeaderName::from_static("x-opencode-trace");
/// The same, where OpenAI's SDKs look for it.
pub const REQUEST: HeaderName = HeaderName::from_static("x-request-id");
/// The same, where Anthropic's SDKs look for it.
pub const REQUEST_ANTHROPIC: HeaderName = HeaderName::from_static("request-id");
/// `provider/model` that answered.
pub const TARGET: HeaderName = HeaderName::from_static("x-opencode-target");
/// `hit` or `miss`, where the cache was asked.
pub const CACHE: HeaderName = HeaderName::from_static("x-opencode-cache");
/// Where the answer can be taken up again: `GET /v1/streams/{id}`.
pub const STREAM: HeaderName = HeaderName::from_static("x-opencode-stream");
/// What the caller asked for and gets otherwise.
pub const NOTICE: HeaderName = HeaderName::from_static("x-opencode-notice");
/// Round trips to stores before the answer began; with `debug = true` only.
pub const ROUNDS: HeaderName = HeaderName::from_static("x-opencode-store-rounds");
/// `target=fate` of every attempt before the answer began; on answers that are not streamed, of the last one too.
pub const TRIED: HeaderName = HeaderName::from_static("x-opencode-tried");

/// A JSON answer.
pub fn json_of(status: u16, value: &Value) -> Response<Bytes> {
    whole(status, "application/json", Bytes::from(value.to_string()))
}

/// An answer known in full.
pub fn whole(status: u16, kind: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The headers of an event stream.
pub fn event_stream<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // Asks nginx and its kind not to hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// A failure in its surface's shape.
pub fn error(surface: Surface, error: &Error, trace: &str) -> Response<Bytes> {
    let mut response = match surface.dialect() {
        Some(dialect) => json_of(error.status(), &dialect.error_body(error, trace)),
        None => {
            let body = Bytes::from(problem(error, trace).to_string());
            whole(error.status(), "application/problem+json", body)
        }
    };
    let headers = response.headers_mut();
    if let Retry::After(wait) = error.retry {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        headers.insert(RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)));
    }
    match error.kind {
        Kind::Unauthorized => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"opencode\""));
        }
        Kind::MethodNotAllowed => set(headers, ALLOW, error.param.as_deref().unwrap_or_default()),
        _ => {}
    }
    response
}

/// Problem details (RFC 9457), with a stable `code` and the trace.
pub fn problem(error: &Error, trace: &str) -> Value {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": error.detail,
        "code": error.code(),
        "trace_id": trace,
    });
    if let (Some(param), Some(problem)) = (&error.param, problem.as_object_mut()) {
        problem.insert("param".to_owned(), json!(param));
    }
    problem
}

/// Sets a header whose value we made; one that is not printable is left out.
pub fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
