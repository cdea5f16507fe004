//! A caller of the platform's own routes.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::note;
use crate::api::response::problem;
use crate::error::Error;
use crate::run::{Began, Continued, Final};
use crate::wire::answer::{Answer, Block};
use crate::wire::event::Event;
use crate::wire::omitted::Omitted;
use crate::wire::{Frame, sse};

/// The platform's events: `start`, `progress`, `tool_call`, `source`, `reasoning`, `token`, then `result` and `end`, or `error`.
pub struct Platform {
    trace: String,
    mode: &'static str,
    target: Option<String>,
}

impl Platform {
    /// For a caller of a mode.
    pub fn new(trace: &str, mode: &'static str) -> Self {
        Self { trace: trace.to_owned(), mode, target: None }
    }

    /// See [`super::Voice::start`].
    pub fn start(&self) -> Bytes {
        sse::named("start", &json!({"status": "connected", "trace_id": self.trace, "mode": self.mode}))
    }

    /// See [`super::Voice::progress`].
    pub fn progress(&self, step: &str, done: bool) -> Bytes {
        let status = if done { "end" } else { "start" };
        sse::named("progress", &json!({"step": step, "status": status}))
    }

    /// See [`super::Voice::began`].
    pub fn began(&mut self, began: &Began) {
        self.target = Some(began.target.clone());
    }

    /// See [`super::Voice::continued`].
    pub fn continued(&mut self, continued: &Continued) -> Bytes {
        self.target = Some(continued.target.clone());
        sse::named("continued", &note(continued))
    }

    /// See [`super::Voice::frames`].
    pub fn frames(&self, frames: &[Frame]) -> Bytes {
        let mut out = BytesMut::new();
        for event in frames.iter().flat_map(|frame| &frame.events) {
            match event {
                Event::Text(text) => out.extend_from_slice(&sse::named("token", &json!({"text": text}))),
                Event::Thinking(text) => {
                    out.extend_from_slice(&sse::named("reasoning", &json!({"text": text})));
                }
                _ => {}
            }
        }
        out.freeze()
    }

    /// See [`super::Voice::tail`].
    pub fn tail(&self, last: &Final, error: Option<&Error>, time_ms: u64) -> Bytes {
        if let Some(error) = error {
            return sse::named("error", &problem(error, &self.trace));
        }
        let mut tail = BytesMut::new();
        tail.extend_from_slice(&sse::named("result", &self.result("response", last, time_ms)));
        tail.extend_from_slice(&sse::named("end", &json!({"status": "complete"})));
        tail.freeze()
    }

    /// See [`super::Voice::whole`].
    pub fn whole(&self, last: &Final, events: Vec<Value>, time_ms: u64) -> Value {
        let mut result = self.result("result", last, time_ms);
        if let Some(result) = result.as_object_mut() {
            result.insert("events".to_owned(), events.into());
        }
        result
    }

    fn result(&self, text: &str, last: &Final, time_ms: u64) -> Value {
        let mut result = json!({
            text: last.answer.text(),
            "mode": self.mode,
            "trace_id": self.trace,
            "tokens_used": last.usage.input.saturating_add(last.usage.output),
            "time_ms": time_ms,
            "target": self.target,
            "tried": last.tried,
        });
        if let (Some(result), Some(note)) = (result.as_object_mut(), omitted(&last.answer).note()) {
            result.insert("omitted".to_owned(), note);
        }
        if let (Some(result), Some(Value::Object(made))) = (result.as_object_mut(), &last.made) {
            result.extend(made.clone());
        }
        result
    }
}

/// What these events have no word for: refusals and calls, beside what no dialect names.
fn omitted(answer: &Answer) -> Omitted {
    let mut omitted = answer.omitted.clone();
    for block in &answer.blocks {
        let other = match block {
            Block::Refusal(text) => Event::other("refusal", text.len()),
            Block::Tool(tool) => Event::other("tool_call", tool.arguments.len()),
            Block::Text(_) | Block::Thinking { .. } | Block::Run(_) => continue,
        };
        if let Event::Other(other) = other {
            omitted.add(&other);
        }
    }
    omitted
}
