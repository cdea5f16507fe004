//! Frames and whole answers from upstream, read into neutral events.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::calls::Calls;
use super::chunk::{Choice, Chunk, Content, Counts, Reported, is_blank};
use super::details;
use crate::wire::Frame;
use crate::wire::event::{Event, Finish, Usage};
use crate::wire::json::parse;
use crate::wire::refusal::Class;
use crate::wire::sse;

/// How many choices of one answer are followed; OpenAI allows `n` up to 128.
const MAX_CHOICES: usize = 128;

/// Reasons that are failures: OpenRouter's, DeepSeek's, Zhipu's and vLLM's, in this order.
const BROKEN: [&str; 4] = ["error", "insufficient_system_resource", "network_error", "abort"];

/// Reads one stream, frame by frame.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The provider's id of the answer, once it was said.
    id: Option<String>,
    /// Per choice that was seen: whether it has finished.
    choices: Vec<(u32, bool)>,
    calls: Calls,
}

impl Decoder {
    /// Reads one SSE frame. What cannot be read is `Unreadable`, never an error: the stream goes on without it.
    pub fn decode(&mut self, bytes: Bytes) -> Frame {
        let events = match std::str::from_utf8(&bytes).map(sse::data) {
            Err(_) => vec![Event::Unreadable],
            Ok(None) => Vec::new(),
            Ok(Some(data)) if data.trim() == "[DONE]" => vec![Event::End],
            Ok(Some(data)) if data.trim().is_empty() => Vec::new(),
            Ok(Some(data)) => match parse::<Chunk<'_>>(&data) {
                Ok(chunk) if is_error(&chunk) => self.leniently(&data),
                Ok(chunk) => self.events(chunk),
                Err(_) => self.leniently(&data),
            },
        };
        Frame { bytes, events }
    }

    /// JSON whose types are not those of the description is still the caller's to read: it is content, and only what
    /// decides how the answer ends is looked for.
    fn leniently(&mut self, data: &str) -> Vec<Event> {
        let Ok(Value::Object(chunk)) = parse(data) else { return vec![Event::Unreadable] };
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return vec![Reported::Other(error.clone()).event()];
        }
        // vLLM's older releases have the error's members at the top.
        if chunk.get("object").and_then(Value::as_str) == Some("error") {
            let reported = parse::<Reported>(data).ok();
            return reported.map(Reported::event).into_iter().collect();
        }
        let mut events = Vec::new();
        let choices = chunk.get("choices").and_then(Value::as_array);
        for choice in choices.into_iter().flatten() {
            let said = choice.get("delta").or(choice.get("message")).and_then(|delta| delta.get("content"));
            events.push(match said.and_then(Value::as_str).filter(|text| !text.is_empty()) {
                Some(text) => Event::Text(text.to_owned()),
                None => Event::other("choices", choice.to_string().len()),
            });
            let index =
                choice.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
            self.see(index.unwrap_or(0));
            self.finish(index.unwrap_or(0), choice.get("finish_reason").and_then(Value::as_str), &mut events);
        }
        let count = |name: &str| chunk.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_f64);
        if let (Some(input), Some(output)) = (count("prompt_tokens"), count("completion_tokens")) {
            let usage = Usage { input: input as u64, output: output as u64, ..Usage::default() };
            events.push(Event::Usage(usage));
        }
        events
    }

    fn see(&mut self, index: u32) {
        if !self.choices.iter().any(|(other, _)| *other == index) && self.choices.len() < MAX_CHOICES {
            self.choices.push((index, false));
        }
    }

    fn events(&mut self, chunk: Chunk<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(reported) = chunk.error {
            events.push(reported.event());
            return events;
        }
        // Azure's first chunk is about the prompt and has an empty id.
        let id = chunk.id.filter(|id| !id.is_empty());
        if let (None, Some(id)) = (&self.id, id) {
            self.id = Some(id.clone());
            events.push(Event::Start { id, model: chunk.model.unwrap_or_default() });
        }
        for choice in chunk.choices.unwrap_or_default() {
            self.choice(choice, &mut events);
        }
        let usage = chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage));
        events.extend(usage.and_then(Counts::usage).map(Event::Usage));
        events
    }

    fn choice(&mut self, choice: Choice, events: &mut Vec<Event>) {
        self.see(choice.index);
        let whole = choice.delta.is_none();
        let delta = choice.delta.or(choice.message).unwrap_or_default();
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let thinking = some(delta.reasoning_content).or(some(delta.reasoning));
        let shown = thinking.is_some();
        events.extend(thinking.map(Event::Thinking));
        details::events(delta.reasoning_details, shown, events);
        match delta.content {
            Some(Content::Text(text)) => events.extend(some(Some(text)).map(Event::Text)),
            Some(Content::Parts(parts)) => events.extend(parts.into_iter().filter_map(part)),
            None => {}
        }
        events.extend(some(delta.refusal).map(Event::Refusal));
        let answer = self.id.as_deref().unwrap_or_default();
        for (at, call) in (0..).zip(delta.tool_calls) {
            // A whole answer's calls have no index: each is one.
            let index = if whole { Some(at) } else { call.index };
            events.extend(self.calls.piece(choice.index, index, call, answer));
        }
        events.extend(delta.others.iter().flat_map(|(name, value)| others(name, value)));
        let reason = choice.finish_reason.as_deref().unwrap_or_default();
        // What was cut off keeps its open end, so that nobody takes it for whole.
        if !(reason.is_empty() || BROKEN.contains(&reason) || finish(reason) == Finish::Length) {
            events.extend(self.calls.close(choice.index));
        }
        self.finish(choice.index, Some(reason), events);
    }

    /// Some servers send an empty reason with every chunk: that is none.
    fn finish(&mut self, index: u32, reason: Option<&str>, events: &mut Vec<Event>) {
        let Some(reason) = reason.filter(|reason| !reason.is_empty()) else { return };
        if BROKEN.contains(&reason) {
            let message = "the provider ended its answer with an error".to_owned();
            let code = Some(reason.to_owned()).filter(|reason| reason != "error");
            events.push(Event::Failed { message, code, class: Class::Failed });
            return;
        }
        for (_, finished) in self.choices.iter_mut().filter(|(other, _)| *other == index) {
            *finished = true;
        }
        // With several choices, the answer has ended when all of them have.
        if self.choices.iter().all(|(_, finished)| *finished) {
            events.push(Event::Finish(finish(reason)));
        }
    }
}

/// Reads an answer that was not streamed. `Unreadable` alone, when it is none.
pub fn decode_whole(body: &[u8]) -> Vec<Event> {
    let answer = serde_json::from_slice::<Chunk<'_>>(body).ok().filter(|answer| !is_error(answer));
    let Some(answer) = answer else {
        return std::str::from_utf8(body)
            .map_or(vec![Event::Unreadable], |text| Decoder::default().leniently(text));
    };
    if answer.error.is_none() && answer.choices.as_ref().is_none_or(Vec::is_empty) {
        return embeddings(answer);
    }
    Decoder::default().events(answer)
}

/// Embeddings are content as a whole.
fn embeddings(answer: Chunk<'_>) -> Vec<Event> {
    let data = answer.data.map_or("", RawValue::get);
    if !data.starts_with('[') {
        return vec![Event::Unreadable];
    }
    let mut events = vec![Event::other("data", data.len()), Event::Finish(Finish::Stop)];
    events.extend(answer.usage.and_then(Counts::usage).map(Event::Usage));
    events
}

fn is_error(chunk: &Chunk<'_>) -> bool {
    chunk.error.is_none() && chunk.object.as_deref() == Some("error")
}

/// A piece of content in Mistral's form: `{"type":"thinking","thinking":[{"type":"text","text":…}]}` or text.
fn part(part: Value) -> Option<Event> {
    let text = |part: &Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
    let kind = part.get("type").and_then(Value::as_str);
    let event = match kind {
        Some("text") => text(&part).map(Event::Text),
        Some("thinking") => {
            let pieces = part.get("thinking").and_then(Value::as_array);
            pieces.map(|pieces| Event::Thinking(pieces.iter().filter_map(text).collect()))
        }
        _ => None,
    };
    match event {
        Some(Event::Text(text) | Event::Thinking(text)) if text.is_empty() => None,
        Some(event) => Some(event),
        None => Some(Event::other(kind.unwrap_or("content"), part.to_string().len())),
    }
}

/// A member that has no event of its own: a list's things, one by one, or a piece of one thing.
fn others(name: &str, value: &Value) -> Vec<Event> {
    let event = |value: &Value, event: fn(&str, usize) -> Event| event(name, value.to_string().len());
    match value {
        _ if is_blank(value) => Vec::new(),
        Value::Array(items) if name == "annotations" => {
            items.iter().map(|item| event(item, Event::about)).collect()
        }
        Value::Array(items) => items.iter().map(|item| event(item, Event::other)).collect(),
        value => vec![event(value, Event::piece)],
    }
}

/// A reason that is not in OpenAI's list still says that the provider was done.
fn finish(reason: &str) -> Finish {
    match reason {
        // `model_length`: Mistral's, where the window is full.
        "length" | "model_length" | "model_context_window_exceeded" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        // `sensitive`: Zhipu's.
        "content_filter" | "sensitive" => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}
