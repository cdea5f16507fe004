//! What is wrong with a request, in OpenAI's error envelope.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;

/// Seconds after which a client that found the queue full may come back.
const RETRY: HeaderValue = HeaderValue::from_static("1");

/// An answer that is an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
    /// The member of the request that is wrong.
    param: Option<String>,
    code: Option<&'static str>,
    allow: Option<&'static str>,
}

impl Refusal {
    /// A member that has a wrong value, or the body as a whole.
    pub(crate) fn invalid(param: Option<&str>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message).with(param, "invalid_value")
    }

    /// A member that asks for what this server cannot do.
    pub(crate) fn unsupported(param: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message).with(Some(param), "unsupported_parameter")
    }

    pub(crate) fn unknown(param: &str) -> Self {
        let message = format!("unrecognized request argument: {param}");
        Self::new(StatusCode::BAD_REQUEST, message).with(Some(param), "unknown_parameter")
    }

    pub(crate) fn too_long(prompt: usize, context: usize) -> Self {
        let message = format!(
            "the prompt has {prompt} tokens, and prompt and answer together may have {context}: shorten the messages"
        );
        Self::new(StatusCode::BAD_REQUEST, message).with(Some("messages"), "context_length_exceeded")
    }

    pub(crate) fn no_such_model(asked: &str, served: &str) -> Self {
        let message = format!("the model {asked:?} does not exist here; this server has {served:?}");
        Self::new(StatusCode::NOT_FOUND, message).with(Some("model"), "model_not_found")
    }

    pub(crate) fn path(method: &Method, path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{method} {path} does not exist")).with(None, "not_found")
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        let message = format!("this method is not allowed here, only {allow}");
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, message).with(None, "method_not_allowed");
        Self { allow: Some(allow), ..refusal }
    }

    pub(crate) fn too_large(most: usize) -> Self {
        let message = format!("the body is larger than {most} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message).with(None, "body_too_large")
    }

    pub(crate) fn late(seconds: u64) -> Self {
        let message = format!("the body did not arrive within {seconds} s");
        Self::new(StatusCode::REQUEST_TIMEOUT, message).with(None, "body_too_slow")
    }

    pub(crate) fn busy() -> Self {
        let message = "the model is busy and its queue is full: try again later";
        Self::new(StatusCode::TOO_MANY_REQUESTS, message).with(None, "queue_full")
    }

    pub(crate) fn ended() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the model has ended: restart this server")
    }

    /// OpenAI's `ErrorResponse`.
    pub(crate) fn envelope(&self) -> serde_json::Value {
        json!({ "error": {
            "message": self.message,
            "type": self.kind(),
            "param": self.param,
            "code": self.code,
        }})
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.envelope().to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, RETRY);
        }
        response
    }

    #[cfg(test)]
    pub(crate) fn param(&self) -> Option<&str> {
        self.param.as_deref()
    }

    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None, allow: None }
    }

    fn with(self, param: Option<&str>, code: &'static str) -> Self {
        Self { param: param.map(str::to_owned), code: Some(code), ..self }
    }

    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        }
    }
}
