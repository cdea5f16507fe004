//! How an answer is written to its caller: what each thing that a run says becomes.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::response::problem;
use crate::call::Ended;
use crate::error::Error;
use crate::host::Time;
use crate::run::Final;
use crate::wire::event::{Event, Finish};
use crate::wire::{Frame, openai, sse};

/// One caller's dialect.
pub enum Voice {
    /// Upstream's own frames, byte for byte.
    Pass {
        /// Whether the caller asked for the usage frame.
        usage: bool,
    },
    /// OpenAI chunks of our own making.
    OpenAi(openai::Encoder),
    /// The platform's events.
    Platform {
        /// The trace id.
        trace: String,
        /// The mode's name.
        mode: &'static str,
    },
}

impl Voice {
    /// For a caller of the upstream's dialect.
    pub fn pass(usage: bool) -> Self {
        Self::Pass { usage }
    }

    /// For an OpenAI caller of a mode.
    pub fn openai(id: &str, model: &str, now: Time, usage: bool) -> Self {
        Self::OpenAi(openai::Encoder::new(id, model, now, usage))
    }

    /// For a caller of the platform's routes.
    pub fn platform(trace: &str, mode: &'static str) -> Self {
        Self::Platform { trace: trace.to_owned(), mode }
    }

    /// What stands before everything else.
    pub fn start(&self) -> Bytes {
        match self {
            Self::Platform { trace, mode } => {
                sse::named("start", &json!({"status": "connected", "trace_id": trace, "mode": mode}))
            }
            Self::Pass { .. } | Self::OpenAi(_) => Bytes::new(),
        }
    }

    /// A hidden step. OpenAI callers get a comment, which keeps the connection alive.
    pub fn progress(&self, step: &str, done: bool) -> Bytes {
        let status = if done { "end" } else { "start" };
        match self {
            Self::Platform { .. } => sse::named("progress", &json!({"step": step, "status": status})),
            Self::Pass { .. } | Self::OpenAi(_) => Bytes::from(format!(": {step} {status}\n\n")),
        }
    }

    /// Frames of the answer.
    pub fn frames(&mut self, frames: &[Frame]) -> Bytes {
        let mut out = BytesMut::new();
        for frame in frames {
            match self {
                Self::Pass { usage } => {
                    let ends = frame.events.contains(&Event::End);
                    if !ends && (*usage || !frame.is_usage_only()) {
                        out.extend_from_slice(&frame.bytes);
                    }
                }
                Self::OpenAi(encoder) => {
                    out.extend(frame.events.iter().filter_map(|event| encoder.chunk(event)).flatten());
                }
                Self::Platform { .. } => {
                    for event in &frame.events {
                        match event {
                            Event::Text(text) => {
                                out.extend_from_slice(&sse::named("token", &json!({"text": text})))
                            }
                            Event::Thinking(text) => {
                                out.extend_from_slice(&sse::named("reasoning", &json!({"text": text})));
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        out.freeze()
    }

    /// The last bytes: the terminator of a genuine answer, or the error and nothing after it.
    pub fn tail(&self, last: &Final, trace: &str, time_ms: u64) -> Bytes {
        if let Some(error) = failure(last) {
            return match self {
                Self::Pass { .. } | Self::OpenAi(_) => sse::unnamed(&openai::error_body(&error, trace)),
                Self::Platform { .. } => sse::named("error", &problem(&error, trace)),
            };
        }
        match (self, &last.ended) {
            (_, Ended::Left) => Bytes::new(),
            (Self::Pass { .. }, _) => Bytes::from_static(openai::DONE),
            (Self::OpenAi(encoder), _) => encoder.tail(last.usage),
            (Self::Platform { trace, mode }, _) => {
                let mut tail = BytesMut::new();
                let result = json!({
                    "response": last.text,
                    "trace_id": trace,
                    "mode": mode,
                    "tokens_used": last.usage.input.saturating_add(last.usage.output),
                    "time_ms": time_ms,
                });
                tail.extend_from_slice(&sse::named("result", &result));
                tail.extend_from_slice(&sse::named("end", &json!({"status": "complete"})));
                tail.freeze()
            }
        }
    }

    /// A complete answer that is not streamed and not passed through.
    pub fn whole(&self, last: &Final, events: Vec<Value>, time_ms: u64) -> Value {
        match self {
            Self::Platform { trace, mode } => json!({
                "result": last.text,
                "mode": mode,
                "trace_id": trace,
                "tokens_used": last.usage.input.saturating_add(last.usage.output),
                "time_ms": time_ms,
                "events": events,
            }),
            Self::OpenAi(encoder) => {
                encoder.whole(&last.text, &last.tools, last.finish.unwrap_or(Finish::Stop), last.usage)
            }
            Self::Pass { .. } => Value::Null,
        }
    }
}

/// What went wrong, if the answer failed.
pub fn failure(last: &Final) -> Option<Error> {
    match &last.ended {
        Ended::Complete | Ended::Left => None,
        Ended::Failed(error) => Some(error.clone()),
        Ended::Refused { status, body } => Some(refusal(*status, body)),
    }
}

/// A provider's refusal in our words and its own.
fn refusal(status: u16, body: &[u8]) -> Error {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let message = said.as_ref().and_then(|said| said.pointer("/error/message")).and_then(Value::as_str);
    let mut error = Error::invalid(match message {
        Some(message) => format!("the provider refused the request: {message}"),
        None => format!("the provider refused the request with status {status}"),
    });
    let param = said.as_ref().and_then(|said| said.pointer("/error/param")).and_then(Value::as_str);
    error.param = param.map(str::to_owned);
    error
}
