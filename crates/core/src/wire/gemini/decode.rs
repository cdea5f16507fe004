//! Chunks and whole answers from Google, read into neutral events.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::calls::Calls;
use super::chunk::{Candidate, Chunk, Counts, Part};
use super::error::{envelope, reported};
use super::finish;
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, Usage};
use crate::wire::json::parse;
use crate::wire::{Dialect, Frame, sse};

/// How many candidates of one answer are followed; `candidateCount` ends at 8.
const MAX_CANDIDATES: usize = 8;

/// Reads one stream, frame by frame.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    calls: Calls,
    counts: Counts,
    /// Per candidate that was seen: whether it has finished.
    candidates: Vec<(u32, bool)>,
}

impl Decoder {
    /// Reads one SSE frame. What cannot be read is `Unreadable`, never an error: the stream goes on without it. A bare
    /// JSON error without `data:`, which is what Google sends in the middle of a stream, is read as well.
    pub fn decode(&mut self, bytes: Bytes) -> Frame {
        let events = match std::str::from_utf8(&bytes) {
            Err(_) => vec![Event::Unreadable],
            Ok(text) => match sse::data(text) {
                None => bare(text),
                Some(data) if data.trim().is_empty() => Vec::new(),
                Some(data) if data.trim() == "[DONE]" => vec![Event::End],
                Some(data) => self.chunk(&data),
            },
        };
        Frame { bytes, events }
    }

    fn chunk(&mut self, data: &str) -> Vec<Event> {
        match parse::<Chunk<'_>>(data) {
            Ok(chunk) => self.events(chunk),
            Err(_) => leniently(data),
        }
    }

    fn events(&mut self, chunk: Chunk<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(error) = chunk.error {
            return vec![reported(error)];
        }
        if let (false, Some(id)) = (self.started, chunk.response_id) {
            self.started = true;
            self.calls.answer(&id);
            events.push(Event::Start { id, model: chunk.model_version.unwrap_or_default() });
        }
        let candidates = chunk.candidates.unwrap_or_default();
        let blocked = chunk.prompt_feedback.and_then(|feedback| feedback.block_reason);
        if candidates.is_empty()
            && blocked.is_some_and(|why| !why.is_empty() && !why.ends_with("_UNSPECIFIED"))
        {
            events.push(Event::Finish(Finish::ContentFilter));
        }
        for candidate in candidates {
            self.candidate(candidate, &mut events);
        }
        if let Some(content) = chunk.server_content.filter(|content| content.get() != "{}") {
            events.push(Event::other("serverContent", content.get().len()));
        }
        events.extend(chunk.usage_metadata.and_then(|counts| self.usage(counts)).map(Event::Usage));
        events
    }

    fn candidate(&mut self, candidate: Candidate<'_>, events: &mut Vec<Event>) {
        let index = candidate.index.unwrap_or(0);
        if !self.candidates.iter().any(|(known, _)| *known == index) {
            if self.candidates.len() >= MAX_CANDIDATES {
                return;
            }
            self.candidates.push((index, false));
        }
        for part in candidate.content.and_then(|content| content.parts).unwrap_or_default() {
            self.part(index, part, events);
        }
        for (name, about) in [
            ("groundingMetadata", candidate.grounding_metadata),
            ("citationMetadata", candidate.citation_metadata),
            ("urlContextMetadata", candidate.url_context_metadata),
        ] {
            let about = about.map(RawValue::get).filter(|about| !matches!(*about, "{}" | "null"));
            events.extend(about.map(|about| Event::about(name, about.len())));
        }
        let Some(reason) = candidate.finish_reason else { return };
        // Some models leave out the last piece of a call; it is whole if the model was done.
        self.calls.close(index, reason == "STOP", events);
        let ended = finish::event(&reason, candidate.finish_message, self.calls.count() > 0);
        if let Some(Event::Finish(_)) = ended {
            self.candidates
                .iter_mut()
                .filter(|(known, _)| *known == index)
                .for_each(|(_, done)| *done = true);
            // With several candidates, the answer has ended when all of them have.
            if self.candidates.iter().any(|(_, done)| !done) {
                return;
            }
        }
        events.extend(ended);
    }

    fn part(&mut self, candidate: u32, raw: &RawValue, events: &mut Vec<Event>) {
        let Ok(part) = parse::<Part<'_>>(raw.get()) else {
            events.push(Event::other("part", raw.get().len()));
            return;
        };
        let signature = part.thought_signature.filter(|signature| !signature.is_empty());
        if let Some(call) = part.function_call {
            self.calls.part(candidate, call, signature, events);
            return;
        }
        match part.text {
            None => events.extend(other(raw).map(|name| Event::other(&name, raw.get().len()))),
            Some(text) if text.is_empty() => {}
            Some(text) if part.thought == Some(true) => events.push(Event::Thinking(text)),
            Some(text) => events.push(Event::Text(text)),
        }
        events.extend(signature.map(|value| Event::Sealed(Seal::signature(Dialect::Gemini, value))));
    }

    /// The figures so far, where this chunk has any. They are cumulative, and one that is missing still holds.
    fn usage(&mut self, counts: Counts) -> Option<Usage> {
        if counts.prompt_token_count.is_none() && counts.candidates_token_count.is_none() {
            return None;
        }
        let known = &mut self.counts;
        for (known, new) in [
            (&mut known.prompt_token_count, counts.prompt_token_count),
            (&mut known.candidates_token_count, counts.candidates_token_count),
            (&mut known.thoughts_token_count, counts.thoughts_token_count),
            (&mut known.cached_content_token_count, counts.cached_content_token_count),
            (&mut known.tool_use_prompt_token_count, counts.tool_use_prompt_token_count),
            (&mut known.total_token_count, counts.total_token_count),
        ] {
            *known = new.or(*known);
        }
        Some(known.usage())
    }
}

impl Counts {
    /// `totalTokenCount` is the sum of prompt, tool use, candidates and thoughts: what a model that does not count its
    /// candidates has put out is the rest of it.
    fn usage(&self) -> Usage {
        let input = self
            .prompt_token_count
            .unwrap_or(0)
            .saturating_add(self.tool_use_prompt_token_count.unwrap_or(0));
        let reasoning = self.thoughts_token_count.unwrap_or(0);
        let output = match self.candidates_token_count {
            Some(candidates) => candidates.saturating_add(reasoning),
            None => self.total_token_count.unwrap_or(0).saturating_sub(input).max(reasoning),
        };
        Usage {
            input,
            output,
            cached: self.cached_content_token_count.unwrap_or(0),
            reasoning,
            cache_write: 0,
        }
    }
}

/// Reads an answer that was not streamed, or the array that streams without `alt=sse`. `Unreadable` alone, when it is
/// none.
pub fn decode_whole(body: &[u8]) -> Vec<Event> {
    let Ok(body) = std::str::from_utf8(body) else { return vec![Event::Unreadable] };
    let chunks = match parse::<Vec<&RawValue>>(body) {
        Ok(chunks) => chunks.into_iter().map(RawValue::get).collect(),
        Err(_) => vec![body],
    };
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for chunk in chunks {
        match parse::<Chunk<'_>>(chunk) {
            Ok(chunk)
                if chunk.candidates.is_some() || chunk.prompt_feedback.is_some() || chunk.error.is_some() =>
            {
                events.extend(decoder.events(chunk));
            }
            _ => return vec![Event::Unreadable],
        }
    }
    if events.is_empty() { vec![Event::Unreadable] } else { events }
}

/// A frame without data: an error, or a comment.
fn bare(text: &str) -> Vec<Event> {
    let text = text.trim();
    let error = match text.chars().next() {
        Some('{') => envelope(text),
        Some('[') => parse::<Vec<&RawValue>>(text)
            .ok()
            .and_then(|items| items.first().and_then(|item| envelope(item.get()))),
        _ => None,
    };
    error.map(reported).into_iter().collect()
}

/// JSON whose types are not those of the description is still the caller's to read: it is content, unless it is an error.
fn leniently(data: &str) -> Vec<Event> {
    if let Some(error) = Some(data).filter(|data| data.trim_start().starts_with('{')).and_then(envelope) {
        return vec![reported(error)];
    }
    match parse(data) {
        Ok(Value::Object(_)) => vec![Event::other("candidates", data.len())],
        _ => vec![Event::Unreadable],
    }
}

/// What a part without a text has beside the marks that go with one: `inlineData`, `executableCode`, whatever comes next.
fn other(part: &RawValue) -> Option<String> {
    let marks = ["text", "thought", "thoughtSignature", "partMetadata"];
    let members = parse::<BTreeMap<String, IgnoredAny>>(part.get()).unwrap_or_default();
    members.into_keys().find(|name| !marks.contains(&name.as_str()))
}
