//! One error for every surface: what happened, whose fault it is, whether trying again can help.

use std::fmt;
use std::time::Duration;

use crate::host::StoreError;

/// What kind of failure it is. Decided once, where the cause is known; surfaces only translate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be understood or breaks a stated bound.
    Invalid,
    /// The body is JSON, but a member breaks a stated bound (platform routes).
    Unprocessable,
    /// A provider's window is too small for the request.
    Context,
    /// A provider's content policy forbids the request.
    Filtered,
    /// No credential, or one that is not known.
    Unauthorized,
    /// Known, but not allowed.
    Forbidden,
    /// No such route or thing.
    NotFound,
    /// The route exists, but not with this method.
    MethodNotAllowed,
    /// The body is larger than its bound.
    TooLarge,
    /// The body is not the media type that the route takes.
    UnsupportedMedia,
    /// The request clashes with the thing's present state.
    Conflict,
    /// A rate, budget or concurrency limit.
    Limited,
    /// In the contract, not built yet.
    Planned,
    /// Every target failed.
    Upstream,
    /// No target answered in time.
    Timeout,
    /// A store, queue or other part of ours failed.
    Internal,
    /// Not able to serve now.
    Unavailable,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller can mend it.
    Caller,
    /// A provider.
    Upstream,
    /// This platform.
    Ours,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail again.
    No,
    /// It may succeed.
    Yes,
    /// It may succeed after this time.
    After(Duration),
}

/// A failure, as the core carries it. `detail` is for the caller: it says what to do and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What happened.
    pub kind: Kind,
    /// Whether trying again can help.
    pub retry: Retry,
    /// For a person.
    pub detail: String,
    /// The request's member at fault, where there is one.
    pub param: Option<String>,
}

impl Error {
    /// A failure that the same request will meet again.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let retry = match kind {
            Kind::Upstream | Kind::Timeout | Kind::Internal | Kind::Unavailable => Retry::Yes,
            _ => Retry::No,
        };
        Self { kind, retry, detail: detail.into(), param: None }
    }

    /// A request that must be changed.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, detail)
    }

    /// Names the member at fault.
    pub fn at(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    /// Says when trying again can help.
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry = Retry::After(wait);
        self
    }

    /// Whether a provider will not answer this request, whoever of them is asked.
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, Kind::Invalid | Kind::Context | Kind::Filtered)
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self.kind {
            Kind::Upstream | Kind::Timeout => Fault::Upstream,
            Kind::Internal | Kind::Unavailable | Kind::Planned => Fault::Ours,
            _ => Fault::Caller,
        }
    }

    /// The HTTP status of an answer that has not begun.
    pub fn status(&self) -> u16 {
        match self.kind {
            Kind::Invalid | Kind::Context | Kind::Filtered => 400,
            Kind::Unauthorized => 401,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::MethodNotAllowed => 405,
            Kind::Conflict => 409,
            Kind::TooLarge => 413,
            Kind::UnsupportedMedia => 415,
            Kind::Unprocessable => 422,
            Kind::Limited => 429,
            Kind::Internal => 500,
            Kind::Planned => 501,
            Kind::Upstream => 502,
            Kind::Unavailable => 503,
            Kind::Timeout => 504,
        }
    }

    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self.kind {
            Kind::Invalid => "invalid_request",
            // OpenAI's words: its clients act on them.
            Kind::Context => "context_length_exceeded",
            Kind::Filtered => "content_filter",
            Kind::Unprocessable => "unprocessable",
            Kind::Unauthorized => "invalid_api_key",
            Kind::Forbidden => "forbidden",
            Kind::NotFound => "not_found",
            Kind::MethodNotAllowed => "method_not_allowed",
            Kind::Conflict => "conflict",
            Kind::TooLarge => "request_too_large",
            Kind::UnsupportedMedia => "unsupported_media_type",
            Kind::Limited => "rate_limit_exceeded",
            Kind::Planned => "not_implemented",
            Kind::Upstream => "upstream_error",
            Kind::Timeout => "upstream_timeout",
            Kind::Internal => "internal_error",
            Kind::Unavailable => "unavailable",
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::new(Kind::Internal, format!("a store did not answer: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
