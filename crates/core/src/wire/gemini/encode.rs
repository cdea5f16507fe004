//! Neutral events, written as chunks and answers of Google's: for callers whose answer is not passed through.

use bytes::BytesMut;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::error_body;
use super::{finish, signature};
use crate::error::Error;
use crate::wire::Dialect;
use crate::wire::answer::{Answer, Block, Head, MAX_KEPT};
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::json::parse;

/// Writes one answer. Every chunk has the same `responseId` and `modelVersion`.
///
/// A call is written when its arguments are whole, because the dialect has them as an object. Arguments that are no
/// object are never made into one: the call is left out and the answer ends with `MALFORMED_FUNCTION_CALL`, the
/// dialect's own reason for a call that the model got wrong, and a `finishMessage` that says what came.
pub struct Encoder {
    /// What follows the candidates in every chunk: `,"modelVersion":"…","responseId":"…"`.
    names: String,
    calls: Vec<ToolDelta>,
    /// Bytes of arguments so far.
    kept: usize,
    malformed: Option<String>,
    finish: Option<Finish>,
    /// Whether the last thing written was thinking, which a seal then belongs to.
    thinking: bool,
}

impl Encoder {
    /// For an answer under this head.
    pub fn new(head: Head) -> Self {
        let names = format!(r#","modelVersion":{},"responseId":{}"#, quoted(&head.model), quoted(&head.id));
        Self { names, calls: Vec::new(), kept: 0, malformed: None, finish: None, thinking: false }
    }

    /// The chunks for an event. The finish and the usage are the tail's.
    pub fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Text(text) | Event::Refusal(text) => {
                self.flush(false, out);
                self.part(&format!(r#"{{"text":{}}}"#, quoted(text)), out);
                self.thinking = false;
            }
            Event::Thinking(text) => {
                self.flush(false, out);
                self.part(&format!(r#"{{"text":{},"thought":true}}"#, quoted(text)), out);
                self.thinking = true;
            }
            Event::Sealed(seal) => {
                self.flush(false, out);
                let mark = if is_thought(seal, self.thinking) { r#","thought":true"# } else { "" };
                let value = quoted(&signature::write(seal));
                self.part(&format!(r#"{{"text":""{mark},"thoughtSignature":{value}}}"#), out);
                self.thinking = false;
            }
            Event::Tool(piece) => self.gather(piece),
            Event::Finish(finish) => {
                self.finish = Some(*finish);
                self.flush(true, out);
            }
            // Nobody can ask for it in this dialect.
            Event::Run(_)
            | Event::Start { .. }
            | Event::Other(_)
            | Event::Usage(_)
            | Event::Failed { .. }
            | Event::End
            | Event::Unreadable => {}
        }
    }

    /// A chunk with an empty text.
    pub fn aside(&mut self, name: &str, note: &Value, out: &mut BytesMut) {
        let candidate = r#"{"content":{"parts":[{"text":""}],"role":"model"},"index":0}"#;
        let chunk = format!(r#"{{"candidates":[{candidate}],"{name}":{note}{}}}"#, self.names);
        frame(&chunk, out);
    }

    /// What ends a complete stream: the reason and the usage. The dialect has no terminator after it.
    pub fn tail(&mut self, usage: Usage, out: &mut BytesMut) {
        self.flush(true, out);
        let mut candidate = json!({"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0});
        end(&mut candidate, self.finish, self.malformed.as_deref());
        let chunk =
            format!(r#"{{"candidates":[{candidate}],"usageMetadata":{}{}}}"#, counts(usage), self.names);
        frame(&chunk, out);
    }

    /// The error of a stream that broke, twice: in a frame with candidates that are none, which Vercel's library
    /// raises (and Google's from version 3), and as Google sends it, bare JSON without `data:`, which Google's older ones
    /// raise. Nothing follows.
    pub fn broken(&mut self, error: &Error, trace: &str, out: &mut BytesMut) {
        let bare = error_body(error, trace);
        let framed =
            format!("data: {{\"error\":{},\"candidates\":{{}}}}", bare.get("error").unwrap_or(&Value::Null));
        out.extend_from_slice(format!("{framed}\r\n\r\n{bare}\r\n\r\n").as_bytes());
    }

    fn gather(&mut self, piece: &ToolDelta) {
        self.kept = self.kept.saturating_add(piece.arguments.len());
        if self.kept > MAX_KEPT {
            self.malformed = Some(format!("the calls' arguments are larger than {MAX_KEPT} bytes"));
            self.calls.clear();
            return;
        }
        match self.calls.iter_mut().find(|call| call.index == piece.index) {
            Some(call) => call.arguments.push_str(&piece.arguments),
            None => self.calls.push(piece.clone()),
        }
    }

    /// Writes the calls that are whole, in order; with `all`, those that never became whole are given up.
    fn flush(&mut self, all: bool, out: &mut BytesMut) {
        while let Some(call) = self.calls.first() {
            match called(call, all) {
                Ok(part) => {
                    self.part(&part, out);
                    self.thinking = false;
                }
                Err(_) if !all => return,
                Err(message) => self.malformed = Some(message),
            }
            self.calls.remove(0);
        }
    }

    fn part(&self, part: &str, out: &mut BytesMut) {
        let names = &self.names;
        let chunk = format!(
            r#"{{"candidates":[{{"content":{{"parts":[{part}],"role":"model"}},"index":0}}]{names}}}"#
        );
        frame(&chunk, out);
    }
}

/// A whole answer.
pub fn whole(head: &Head, answer: &Answer) -> Value {
    let mut malformed = None;
    let mut parts = Vec::new();
    for block in &answer.blocks {
        match block {
            Block::Text(text) | Block::Refusal(text) => parts.push(json!({"text": text})),
            Block::Thinking { text, seal } => {
                let mut part = json!({"text": text});
                let thought = seal.as_ref().is_none_or(|seal| is_thought(seal, !text.is_empty()));
                set(&mut part, "thought", thought.then_some(Value::Bool(true)));
                set(&mut part, "thoughtSignature", seal.as_ref().map(|seal| signature::write(seal).into()));
                parts.push(part);
            }
            Block::Run(_) => {}
            Block::Tool(call) => match called(call, true).map(|part| parse::<Value>(&part)) {
                Ok(Ok(part)) => parts.push(part),
                Ok(Err(error)) => malformed = Some(error.to_string()),
                Err(message) => malformed = Some(message),
            },
        }
    }
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    end(&mut candidate, answer.finish, malformed.as_deref());
    json!({
        "candidates": [candidate],
        "usageMetadata": counts(answer.usage),
        "modelVersion": head.model,
        "responseId": head.id,
    })
}

/// A call's part, or what is wrong with its arguments. Empty ones are none only when no more can come.
fn called(call: &ToolDelta, last: bool) -> Result<String, String> {
    let name = call.name.as_deref().unwrap_or_default();
    let text = if last && call.arguments.trim().is_empty() { "{}" } else { call.arguments.trim() };
    // As it was written, so that no number changes.
    let arguments = parse::<&RawValue>(text).ok().filter(|_| text.starts_with('{'));
    let Some(arguments) = arguments else {
        let came: String = text.chars().take(200).collect();
        return Err(format!("the arguments of the call of {name} are no JSON object: {came}"));
    };
    let id = call.id.as_deref().map(|id| format!(r#""id":{},"#, quoted(id))).unwrap_or_default();
    let seal = call.seal.as_ref().map(|seal| quoted(&signature::write(seal)));
    let seal = seal.map(|value| format!(r#","thoughtSignature":{value}"#)).unwrap_or_default();
    Ok(format!(r#"{{"functionCall":{{{id}"name":{},"args":{arguments}}}{seal}}}"#, quoted(name)))
}

/// A seal belongs to thinking unless Gemini put it at the end of a text.
fn is_thought(seal: &Seal, after_thinking: bool) -> bool {
    seal.dialect != Dialect::Gemini || after_thinking
}

/// An answer that was cut off for its length explains a call without its end.
fn end(candidate: &mut Value, finish: Option<Finish>, malformed: Option<&str>) {
    let reason = match (finish, malformed) {
        (Some(Finish::Stop | Finish::ToolCalls | Finish::Paused), Some(_)) => Some("MALFORMED_FUNCTION_CALL"),
        (finish, _) => finish.map(finish::reason),
    };
    set(candidate, "finishReason", reason.map(Value::from));
    set(candidate, "finishMessage", malformed.map(Value::from));
}

fn counts(usage: Usage) -> Value {
    let mut counts = json!({
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output.saturating_sub(usage.reasoning),
        "totalTokenCount": usage.input.saturating_add(usage.output),
    });
    set(&mut counts, "thoughtsTokenCount", (usage.reasoning > 0).then(|| usage.reasoning.into()));
    set(&mut counts, "cachedContentTokenCount", (usage.cached > 0).then(|| usage.cached.into()));
    counts
}

fn set(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(members), Some(value)) = (object.as_object_mut(), value) {
        members.insert(name.to_owned(), value);
    }
}

fn frame(chunk: &str, out: &mut BytesMut) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(chunk.as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
