//! Gemini's Interactions: read, but no dialect of callers.

use std::path::Path;

use bytes::Bytes;
use libtest_mimic::Failed;
use opencode_core::wire::answer::Answer;
use opencode_core::wire::event::{Event, Finish};
use opencode_core::wire::gemini::interactions::Decoder;
use opencode_core::wire::sse::Splitter;
use serde_json::{Value, json};

use super::reading::Said;
use super::same;

/// Checks one recording.
pub fn check(file: &Path) -> Result<(), Failed> {
    let mut body = String::new();
    let (mut text, mut arguments, mut calls, mut usage) = (String::new(), String::new(), 0, Value::Null);
    for line in std::fs::read_to_string(file)?.lines().filter(|line| !line.trim().is_empty()) {
        let event: Value = serde_json::from_str(line)?;
        let kind = event["event_type"].as_str().ok_or("an event has no type")?;
        body.push_str(&format!("event: {kind}\ndata: {line}\n\n"));
        let delta = &event["delta"];
        text.push_str(delta["text"].as_str().unwrap_or_default());
        arguments.push_str(delta["arguments"].as_str().unwrap_or_default());
        calls += usize::from(event["step"]["type"] == "function_call");
        if event["interaction"]["usage"].is_object() {
            usage = event["interaction"]["usage"].clone();
        }
    }
    let events = decoded(body.as_bytes(), body.len())?;
    for size in [1, 7, 61] {
        same(&format!("in pieces of {size}"), &decoded(body.as_bytes(), size)?, &events)?;
    }
    let unread = events.iter().find(|event| matches!(event, Event::Unreadable | Event::Other(_)));
    same("what could not be read", &unread, &None)?;
    same("the beginning", &matches!(events.first(), Some(Event::Start { .. })), &true)?;
    same("the end", &events.last(), &Some(&Event::End))?;

    let mut answer = Answer::default();
    events.iter().for_each(|event| answer.add(event));
    let said = Said::heard(&answer);
    same("the text", &said.text, &text)?;
    let called: Vec<&Value> = said.calls.iter().map(|(_, arguments)| arguments).collect();
    let arguments: Option<Value> = serde_json::from_str(&arguments).ok();
    same("the calls", &(called.len(), called.first().copied()), &(calls, arguments.as_ref()))?;
    let finish = if calls > 0 { Finish::ToolCalls } else { Finish::Stop };
    same("the finish", &answer.finish, &Some(finish))?;
    let counted = json!([answer.usage.input, answer.usage.input + answer.usage.output]);
    same("usage", &counted, &json!([usage["total_input_tokens"], usage["total_tokens"]]))
}

fn decoded(body: &[u8], size: usize) -> Result<Vec<Event>, Failed> {
    let (mut splitter, mut decoder, mut events) = (Splitter::default(), Decoder::default(), Vec::new());
    for piece in body.chunks(size) {
        let frames: Vec<Bytes> = splitter.push(piece).map_err(|_| "a frame is too long")?;
        frames.into_iter().for_each(|frame| events.extend(decoder.decode(frame).events));
    }
    Ok(events)
}
