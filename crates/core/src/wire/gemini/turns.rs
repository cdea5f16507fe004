//! The neutral messages as `systemInstruction` and `contents`.

use std::collections::HashMap;

use serde_json::json;

use super::model;
use super::signature::SKIP;
use crate::wire::Dialect;
use crate::wire::conversation::{
    Call, Cannot, Image, Message, Part, Role, Source, Thinking, ToolResult, reminder,
};
use crate::wire::json::Members;

/// What is said, in this dialect's places.
pub(super) struct Said {
    /// The system messages before the conversation: the dialect has no other place for them. Later ones are text of the
    /// user's turn.
    pub(super) system: Vec<Members>,
    /// The turns.
    pub(super) contents: Vec<Members>,
}

/// Puts messages into turns. Google wants all results of a turn's calls in the one turn after it.
pub(super) fn write(messages: &[Message], model: &str) -> Result<Said, Cannot> {
    let calls = messages.iter().flat_map(|message| &message.parts).filter_map(|part| match part {
        Part::Call(call) => Some((call.id.as_str(), call.name.as_str())),
        _ => None,
    });
    let mut turns = Turns { model, names: calls.collect(), turns: Vec::new(), reminders: Vec::new() };
    let mut system = Vec::new();
    for message in messages {
        match message.role {
            Role::System => {
                for part in &message.parts {
                    let Part::Text(text) = part else { return Err(Cannot::Image) };
                    match turns.turns.is_empty() {
                        true => system.extend(spoken(text)),
                        false => turns.reminders.extend(spoken(&reminder(text)).filter(|_| !text.is_empty())),
                    }
                }
            }
            Role::User => turns.user(message)?,
            Role::Assistant => turns.assistant(message)?,
        }
    }
    turns.remind();
    let mut said = turns.turns;
    said.retain(|turn| !turn.parts.is_empty());
    if said.is_empty() {
        // Instructions alone are refused: the person says them then.
        let parts = std::mem::take(&mut system);
        said.extend((!parts.is_empty()).then_some(Turn { speaker: Speaker::User, parts, signed: false }));
    }
    let contents: Vec<Members> = said.into_iter().map(Turn::members).collect();
    if contents.is_empty() { Err(Cannot::Silence) } else { Ok(Said { system, contents }) }
}

struct Turns<'a> {
    model: &'a str,
    /// The names of the called tools, by the calls' ids.
    names: HashMap<&'a str, &'a str>,
    turns: Vec<Turn>,
    /// Later instructions, for the next turn of the user's own: nothing may stand between calls and their results.
    reminders: Vec<Members>,
}

#[derive(PartialEq)]
enum Speaker {
    User,
    Tools,
    Model,
}

struct Turn {
    speaker: Speaker,
    parts: Vec<Members>,
    /// Whether a call in it has a signature of Gemini's.
    signed: bool,
}

impl Turn {
    fn members(self) -> Members {
        let mut content = Members::default();
        content.set("role", &if self.speaker == Speaker::Model { "model" } else { "user" });
        content.set("parts", &self.parts);
        content
    }
}

impl Turns<'_> {
    /// The last turn, if it is this speaker's; else a new one.
    fn turn(&mut self, speaker: Speaker) -> Option<&mut Turn> {
        if self.turns.last().is_none_or(|turn| turn.speaker != speaker) {
            self.turns.push(Turn { speaker, parts: Vec::new(), signed: false });
        }
        self.turns.last_mut()
    }

    /// Says what was put off.
    fn remind(&mut self) {
        let mut reminders = std::mem::take(&mut self.reminders);
        if !reminders.is_empty() {
            self.turn(Speaker::User).into_iter().for_each(|turn| turn.parts.append(&mut reminders));
        }
    }

    fn user(&mut self, message: &Message) -> Result<(), Cannot> {
        let mut results = Vec::new();
        let mut others = Vec::new();
        for part in &message.parts {
            match part {
                Part::Result(result) => self.result(result, &mut results)?,
                Part::Text(text) => others.extend(spoken(text)),
                Part::Image(image) => others.push(self.image(image)?),
                Part::Thinking(_) | Part::Call(_) => return Err(Cannot::Tools),
            }
        }
        if !results.is_empty() {
            self.turn(Speaker::Tools).into_iter().for_each(|turn| turn.parts.append(&mut results));
        }
        if !others.is_empty() {
            others.splice(..0, std::mem::take(&mut self.reminders));
            self.turns.push(Turn { speaker: Speaker::User, parts: others, signed: false });
        }
        Ok(())
    }

    fn assistant(&mut self, message: &Message) -> Result<(), Cannot> {
        self.remind();
        let modern = model::is_modern(self.model);
        let Some(turn) = self.turn(Speaker::Model) else { return Ok(()) };
        for part in &message.parts {
            match part {
                Part::Text(text) => turn.parts.extend(spoken(text)),
                Part::Thinking(thinking) => turn.parts.extend(thought(thinking)),
                Part::Call(call) => {
                    let part = called(call, turn, modern)?;
                    turn.parts.push(part);
                }
                Part::Image(_) => return Err(Cannot::Image),
                Part::Result(_) => return Err(Cannot::Tools),
            }
        }
        Ok(())
    }

    fn result(&self, result: &ToolResult, parts: &mut Vec<Members>) -> Result<(), Cannot> {
        let known = result.name.as_deref().or_else(|| self.names.get(result.id.as_str()).copied());
        let name = known.ok_or(Cannot::Tools)?;
        let mut texts = Vec::new();
        let mut inside = Vec::new();
        let mut beside = Vec::new();
        for part in &result.parts {
            match part {
                Part::Text(text) => texts.push(text.as_str()),
                // Before Gemini 3 a result is text only, and an address is never part of one.
                Part::Image(image) => match image.source {
                    Source::Data { .. } if model::is_modern(self.model) => inside.push(self.image(image)?),
                    _ => beside.push(self.image(image)?),
                },
                _ => return Err(Cannot::Tools),
            }
        }
        let mut response = Members::default();
        response.set("id", &result.id);
        response.set("name", &name);
        response.set("response", &outcome(&texts.join("\n"), result.failed));
        if !inside.is_empty() {
            response.set("parts", &inside);
        }
        let mut part = Members::default();
        part.set("functionResponse", &response);
        parts.push(part);
        parts.append(&mut beside);
        Ok(())
    }

    fn image(&self, image: &Image) -> Result<Members, Cannot> {
        let mut part = Members::default();
        match &image.source {
            Source::Data { media, base64 } => {
                let mime = accepted(media).ok_or(Cannot::Image)?;
                part.set("inlineData", &json!({"mimeType": mime, "data": base64}));
            }
            Source::Url(url) => {
                let fetched = url.starts_with("https://") || url.starts_with("gs://");
                if !fetched || !model::fetches(self.model) {
                    return Err(Cannot::Image);
                }
                part.set("fileData", &json!({"mimeType": guessed(url), "fileUri": url}));
            }
        }
        Ok(part)
    }
}

/// An empty text is refused by Google, and says nothing.
fn spoken(text: &str) -> Option<Members> {
    (!text.is_empty()).then(|| text_part(text))
}

fn text_part(text: &str) -> Members {
    let mut part = Members::default();
    part.set("text", &text);
    part
}

/// Thinking that another provider sealed is left out.
fn thought(thinking: &Thinking) -> Option<Members> {
    let sealed = thinking.seal.as_ref();
    if sealed.is_some_and(|seal| seal.dialect != Dialect::Gemini) {
        return None;
    }
    if sealed.is_none() && thinking.text.is_empty() {
        return None;
    }
    let mut part = text_part(&thinking.text);
    // An answer's own signature comes in an empty part that is no thought.
    if !thinking.text.is_empty() {
        part.set("thought", &true);
    }
    if let Some(seal) = sealed {
        part.set("thoughtSignature", &seal.value);
    }
    Some(part)
}

/// Of calls in one turn only the first has a signature, so that those after a signed one need none.
fn called(call: &Call, turn: &mut Turn, modern: bool) -> Result<Members, Cannot> {
    let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    let arguments = Members::parse(text.as_bytes()).map_err(|_| Cannot::Tools)?;
    let mut function = Members::default();
    function.set("id", &call.id);
    function.set("name", &call.name);
    function.set("args", &arguments);
    let mut part = Members::default();
    part.set("functionCall", &function);
    match &call.seal {
        Some(seal) if seal.dialect == Dialect::Gemini => {
            turn.signed = true;
            part.set("thoughtSignature", &seal.value);
        }
        _ if modern && !turn.signed => part.set("thoughtSignature", &SKIP),
        _ => {}
    }
    Ok(part)
}

/// A result is an object: `output` and `error` are the documented names for a single value.
fn outcome(text: &str, failed: bool) -> Members {
    if let (false, Ok(object)) = (failed, Members::parse(text.as_bytes())) {
        return object;
    }
    let mut response = Members::default();
    response.set(if failed { "error" } else { "output" }, &text);
    response
}

/// The kinds of picture that Gemini reads (<https://ai.google.dev/gemini-api/docs/image-understanding>).
fn accepted(media: &str) -> Option<&'static str> {
    Some(match media.to_ascii_lowercase().as_str() {
        "image/png" => "image/png",
        "image/jpeg" | "image/jpg" => "image/jpeg",
        "image/webp" => "image/webp",
        "image/heic" => "image/heic",
        "image/heif" => "image/heif",
        "image/bmp" => "image/bmp",
        _ => return None,
    })
}

/// By the path's ending. What has none is called a JPEG, because a wildcard is no media type and the member is wanted.
fn guessed(url: &str) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let ending =
        path.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "bmp" => "image/bmp",
        _ => "image/jpeg",
    }
}
