//! Cross-origin requests of browsers: closed, but for the origins that the configuration names.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::config::Cors;

/// What a page may send: any header. `*` does not stand for `authorization`.
const SENT: &str = "*, authorization";
/// What it may read of a response.
const READ: &str = "x-request-id, x-opencode-trace, x-opencode-target, x-opencode-cache, x-opencode-tried, \
    x-opencode-stream, x-opencode-notice, traceparent, retry-after";

/// The value of `Access-Control-Allow-Origin` for a request, if its origin is allowed.
pub fn allowed(cors: &Cors, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    let named = cors.origins.iter().any(|it| it == "*" || it.as_bytes() == origin.as_bytes());
    named.then(|| origin.clone())
}

/// Whether this is a browser's question before the real request.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Lets the page read the response.
pub fn open(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    headers.append(VARY, HeaderValue::from_static("origin"));
}

/// Answers a preflight.
pub fn preflight(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SENT));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}
