//! Lambda's Runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>), the part that is needed.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::http::{Address, Response, Upload, send};

/// Bytes of an event. Lambda's own bound is 6 MB; the local stand-in takes what an execution may have.
pub const MAX_EVENT: usize = 64 * 1024 * 1024;
/// Bytes of every other answer.
const MAX_ANSWER: usize = 64 * 1024;
const BASE: &str = "/2018-06-01/runtime";

/// The Runtime API of one environment.
pub struct Api {
    address: Address,
    /// Sent with every question for an event: what the local stand-in wants to know of the environment.
    note: String,
}

/// One event.
pub struct Invocation {
    /// What its answer names.
    pub id: String,
    /// When Lambda ends the environment, in milliseconds since 1970.
    pub deadline: Option<u64>,
    /// What was sent.
    pub event: Vec<u8>,
}

/// What the Runtime API thinks of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It took it.
    Yes,
    /// It did not: somebody else has answered, or the event is not the current one.
    No(u16),
}

impl Api {
    /// At this address. `note` is a header's line, or empty.
    pub fn new(address: Address, note: String) -> Self {
        Self { address, note }
    }

    /// Waits for the next event.
    pub fn next(&self) -> io::Result<Invocation> {
        let start = format!("GET {BASE}/invocation/next");
        let response = send(&self.address, &start, &self.note, &[], MAX_EVENT, true)?;
        if response.status != 200 {
            return Err(io::Error::other(format!("the Runtime API answers {} to /next", response.status)));
        }
        let id = response.header("lambda-runtime-aws-request-id").unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if id.is_empty() || id.len() > 128 || !id.bytes().all(plain) {
            return Err(io::Error::other("the Runtime API's event has no id"));
        }
        Ok(Invocation {
            id: id.to_owned(),
            deadline: response.header("lambda-runtime-deadline-ms").and_then(|text| text.parse().ok()),
            event: response.body,
        })
    }

    /// Answers whole.
    pub fn respond(&self, id: &str, body: &[u8]) -> io::Result<Taken> {
        self.post(&format!("/invocation/{id}/response"), "Content-Type: application/json\r\n", body)
    }

    /// Begins an answer that comes in pieces.
    pub fn stream(&self, id: &str) -> io::Result<Streamed> {
        let start = format!("POST {BASE}/invocation/{id}/response");
        let headers = "Content-Type: application/x-ndjson\r\n\
                       Lambda-Runtime-Function-Response-Mode: streaming\r\n\
                       Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n";
        Upload::begin(&self.address, &start, headers).map(Streamed)
    }

    /// Says that an event cannot be handled.
    pub fn fail(&self, id: &str, kind: &str, message: &str) -> io::Result<Taken> {
        self.report(&format!("/invocation/{id}/error"), kind, message)
    }

    /// Says that this environment cannot start.
    pub fn cannot_start(&self, kind: &str, message: &str) -> io::Result<Taken> {
        self.report("/init/error", kind, message)
    }

    fn report(&self, path: &str, kind: &str, message: &str) -> io::Result<Taken> {
        let headers =
            format!("Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {kind}\r\n");
        self.post(path, &headers, error(kind, message).as_bytes())
    }

    fn post(&self, path: &str, headers: &str, body: &[u8]) -> io::Result<Taken> {
        let start = format!("POST {BASE}{path}");
        taken(&send(&self.address, &start, headers, body, MAX_ANSWER, false)?)
    }
}

/// An answer that is being sent.
pub struct Streamed(Upload);

impl Streamed {
    /// The next piece; see [`Upload::piece`].
    pub fn piece(&mut self, bytes: &[u8]) {
        self.0.piece(bytes);
    }

    /// The end of a good answer.
    pub fn end(self) -> io::Result<Taken> {
        taken(&self.0.end("")?)
    }

    /// The end of an answer that cannot be finished.
    pub fn fail(self, kind: &str, message: &str) -> io::Result<Taken> {
        let body = STANDARD.encode(error(kind, message));
        let trailers = format!(
            "Lambda-Runtime-Function-Error-Type: {kind}\r\nLambda-Runtime-Function-Error-Body: {body}\r\n"
        );
        taken(&self.0.end(&trailers)?)
    }
}

fn error(kind: &str, message: &str) -> String {
    json!({ "errorType": kind, "errorMessage": message, "stackTrace": [] }).to_string()
}

fn taken(response: &Response) -> io::Result<Taken> {
    match response.status {
        200..=299 => Ok(Taken::Yes),
        400..=499 => Ok(Taken::No(response.status)),
        status => Err(io::Error::other(format!("the Runtime API answers {status}"))),
    }
}
