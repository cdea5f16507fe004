//! What a sandbox says, line by line, out of the event stream that Lambda makes of it.

use std::sync::Arc;

use bytes::BytesMut;
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::held::{self, most_answer, most_text};
use super::seal::Sealing;
use super::{Execution, Status};
use crate::wire::aws::event_stream::Decoder;
use crate::wire::json;

/// One thing that a sandbox says.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The program runs.
    Started,
    /// A piece of its standard output.
    Stdout(String),
    /// A piece of its standard error.
    Stderr(String),
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// With an outcome that is within its bounds; `stdout` and `stderr` of it are empty, since they were heard.
    Outcome(Value),
    /// The sandbox ended before it could say one; what Lambda calls it.
    Lost(String),
    /// With a seal that is not the sandbox's, or without one: the code may have said all of it.
    Poisoned,
}

/// Listens to one answer.
pub struct Hearing {
    execution: Arc<Execution>,
    decoder: Decoder,
    line: BytesMut,
    sealing: Option<Sealing>,
    seal: Option<String>,
    outcome: Option<Value>,
    complete: Option<Result<(), String>>,
    /// Bytes that may still come: of all lines, of standard output, of standard error.
    left: [usize; 3],
}

impl Hearing {
    /// To a run's answer, which is sealed with this key where there is one.
    pub fn new(execution: Arc<Execution>, key: Option<&str>) -> Self {
        let (answer, text) = (most_answer(&execution), most_text(&execution));
        Self {
            decoder: Decoder::new(answer),
            line: BytesMut::new(),
            sealing: key.map(|key| Sealing::new(key, &execution.nonce)),
            execution,
            seal: None,
            outcome: None,
            complete: None,
            left: [answer, text, text],
        }
    }

    /// The next bytes. An error says what is wrong with them; nothing after them can be believed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Heard>, String> {
        self.decoder.push(bytes);
        let mut heard = Vec::new();
        while let Some(message) = self.decoder.message()? {
            if self.complete.is_some() {
                return Err("it goes on after its end".to_owned());
            }
            match (message.header(":message-type"), message.header(":event-type")) {
                (Some("event"), Some("PayloadChunk")) => self.payload(&message.payload, &mut heard)?,
                (Some("event"), Some("InvokeComplete")) => self.complete = Some(completed(&message.payload)),
                (Some("event"), _) => {}
                _ => {
                    let word = message.header(":exception-type").or(message.header(":error-code"));
                    return Err(format!("Lambda broke it off ({})", plain(word.unwrap_or("no reason"))));
                }
            }
        }
        Ok(heard)
    }

    /// The stream has ended: how the answer did. An error where it broke off.
    pub fn finish(self) -> Result<Ended, String> {
        self.decoder.finish()?;
        match (self.complete, self.outcome) {
            (Some(Err(why)), _) => Ok(Ended::Lost(why)),
            (Some(Ok(())), Some(outcome)) if self.line.is_empty() => {
                let seal = self.sealing.map(Sealing::text);
                let sound = seal.is_none_or(|seal| {
                    self.seal.is_some_and(|said| bool::from(seal.as_bytes().ct_eq(said.as_bytes())))
                });
                Ok(if sound { Ended::Outcome(outcome) } else { Ended::Poisoned })
            }
            (Some(Ok(())), _) => Err("it ends without an outcome".to_owned()),
            (None, _) => Err("it breaks off".to_owned()),
        }
    }

    fn payload(&mut self, payload: &[u8], heard: &mut Vec<Heard>) -> Result<(), String> {
        spend(&mut self.left, 0, payload.len())?;
        for piece in payload.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = self.line.split();
                self.said(&line, heard)?;
            }
        }
        Ok(())
    }

    fn said(&mut self, line: &[u8], heard: &mut Vec<Heard>) -> Result<(), String> {
        if let Some(why) = json::excess(line) {
            return Err(format!("a line cannot be read: {why}"));
        }
        let mut said: Value = serde_json::from_slice(line).map_err(|_| "a line is not JSON".to_owned())?;
        let text = said.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = said.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind == "seal" && self.outcome.is_some() && self.seal.is_none() {
            self.seal = Some(text);
            return Ok(());
        }
        if self.outcome.is_some() {
            return Err("a line follows the outcome".to_owned());
        }
        if let Some(sealing) = &mut self.sealing {
            sealing.add(line);
        }
        match kind {
            "started" => heard.push(Heard::Started),
            "stdout" => {
                spend(&mut self.left, 1, text.len())?;
                heard.push(Heard::Stdout(text));
            }
            "stderr" => {
                spend(&mut self.left, 2, text.len())?;
                heard.push(Heard::Stderr(text));
            }
            "outcome" => {
                let outcome = said.get_mut("outcome").map(Value::take).unwrap_or_default();
                self.outcome = Some(held::outcome(outcome, &self.execution)?);
            }
            _ => return Err("a line's `type` is not known".to_owned()),
        }
        Ok(())
    }
}

/// An outcome that the gateway writes itself, where the sandbox has said none that can be believed.
pub fn written(status: Status, message: &str) -> Value {
    serde_json::json!({
        "version": super::VERSION,
        "status": status,
        "stdout": "",
        "stderr": "",
        "stdout_truncated": false,
        "stderr_truncated": false,
        "exit_code": null,
        "signal": null,
        "duration_ms": 0,
        "cpu_time_ms": 0,
        "peak_memory_bytes": 0,
        "artifacts": [],
        "skipped": [],
        "removed": [],
        "message": message,
        "isolation": null,
    })
}

/// What `InvokeComplete` says: nothing, or why the function failed.
fn completed(payload: &[u8]) -> Result<(), String> {
    let said: Value = serde_json::from_slice(payload).unwrap_or_default();
    match said.get("ErrorCode").and_then(Value::as_str) {
        Some(code) => Err(plain(code)),
        None => Ok(()),
    }
}

fn spend(left: &mut [usize; 3], of: usize, bytes: usize) -> Result<(), String> {
    let names = ["it", "`stdout`", "`stderr`"];
    let left = left.get_mut(of);
    match left.as_ref().and_then(|left| left.checked_sub(bytes)) {
        Some(rest) => {
            if let Some(left) = left {
                *left = rest;
            }
            Ok(())
        }
        None => Err(format!("{} is longer than it may be", names.get(of).unwrap_or(&"it"))),
    }
}

/// A word of Lambda's, as far as it can be shown.
fn plain(word: &str) -> String {
    word.chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | ' '))
        .take(80)
        .collect()
}
