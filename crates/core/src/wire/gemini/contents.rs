//! The parts of a caller's turns.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::fields::{Object, wrong};
use super::signature;
use crate::error::Error;
use crate::wire::conversation::{Call, Image, Message, Part, Role, Source, Thinking, ToolResult};
use crate::wire::json::{Members, parse};

/// The calls so far, to join results with: this dialect often has no ids.
#[derive(Default)]
pub(super) struct Joined {
    calls: Vec<Known>,
    ids: HashSet<String>,
}

struct Known {
    id: String,
    name: String,
    answered: bool,
}

/// The parts of one turn, in the neutral form.
pub(super) fn parts(
    content: &Object,
    role: Role,
    joined: &mut Joined,
    foreign: &mut Vec<String>,
) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    for part in content.list("parts")? {
        let others = ["thought", "thoughtSignature", "partMetadata"];
        let signed = part.text("thoughtSignature")?.and_then(|text| signature::read(&text));
        if let Some(call) = part.object("functionCall")? {
            let call = joined.call(&call, foreign)?;
            parts.push(Part::Call(Call { seal: signed, ..call }));
        } else if let Some(result) = part.object("functionResponse")? {
            parts.push(Part::Result(joined.result(&result, foreign)?));
        } else if let Some(blob) = part.object("inlineData")? {
            parts.extend(inline(&blob, role, foreign)?.map(Part::Image));
        } else if let Some(file) = part.object("fileData")? {
            parts.extend(referred(&file, role, foreign)?.map(Part::Image));
        } else if let Some(text) = part.text("text")? {
            let thought = part.read::<bool>("thought", "true or false")?.unwrap_or(false);
            if thought {
                parts.push(Part::Thinking(Thinking { text, seal: signed }));
            } else {
                if !text.is_empty() {
                    parts.push(Part::Text(text));
                }
                parts.extend(signed.map(sealed));
            }
        } else {
            parts.extend(signed.map(sealed));
            // `executableCode` and its result, `toolCall`, whatever comes next.
            foreign.extend(part.others(&others));
            continue;
        }
        let read = ["functionCall", "functionResponse", "inlineData", "fileData", "text"];
        foreign.extend(part.others(&[&read[..], &others].concat()));
    }
    Ok(parts)
}

fn sealed(seal: crate::wire::conversation::Seal) -> Part {
    Part::Thinking(Thinking { text: String::new(), seal: Some(seal) })
}

/// Adds parts to a message. A streamed answer comes back in pieces: they are put together again, and a signature
/// in a part of its own joins the thinking before it.
pub(super) fn append(message: &mut Message, parts: Vec<Part>) {
    for part in parts {
        match (message.parts.last_mut(), part) {
            (Some(Part::Text(last)), Part::Text(text)) if message.role == Role::Assistant => {
                last.push_str(&text);
            }
            (Some(Part::Thinking(last)), Part::Thinking(next))
                if last.seal.is_none() && !next.seal.as_ref().is_some_and(|seal| seal.hidden) =>
            {
                last.text.push_str(&next.text);
                last.seal = next.seal;
            }
            (_, part) => message.parts.push(part),
        }
    }
}

impl Joined {
    fn call(&mut self, call: &Object, foreign: &mut Vec<String>) -> Result<Call, Error> {
        foreign.extend(call.others(&["id", "name", "args"]));
        let name = call.text("name")?.unwrap_or_default();
        if name.is_empty() {
            return Err(wrong(&call.at("name"), "must be the called function's name"));
        }
        let arguments = match call.raw("args") {
            None => "{}".to_owned(),
            Some(args) if args.get().starts_with('{') => args.get().to_owned(),
            Some(_) => return Err(wrong(&call.at("args"), "must be an object")),
        };
        let id = match call.text("id")?.filter(|id| !id.is_empty()) {
            Some(id) => id,
            None => self.fresh(&name),
        };
        self.ids.insert(id.clone());
        self.calls.push(Known { id: id.clone(), name: name.clone(), answered: false });
        Ok(Call { id, name, arguments, ..Call::default() })
    }

    fn fresh(&self, name: &str) -> String {
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(24).collect();
        let numbers = self.calls.len()..;
        let mut ids = numbers.map(|number| format!("call_{number}_{name}"));
        ids.find(|id| !self.ids.contains(id)).unwrap_or_default()
    }

    fn result(&mut self, result: &Object, foreign: &mut Vec<String>) -> Result<ToolResult, Error> {
        foreign.extend(result.others(&["id", "name", "response", "parts"]));
        let name = result.text("name")?.unwrap_or_default();
        let id = result.text("id")?.filter(|id| !id.is_empty());
        let by_id = id.and_then(|id| self.calls.iter().position(|call| call.id == id));
        let place = by_id.or_else(|| self.calls.iter().position(|call| !call.answered && call.name == name));
        let Some(call) = place.and_then(|place| self.calls.get_mut(place)) else {
            let detail = "answers no `functionCall` before it: send the model's turn with the call as well";
            return Err(wrong(result.path(), detail));
        };
        call.answered = true;
        let (text, failed) = match result.raw("response") {
            None => (String::new(), false),
            Some(response) => outcome(response, &result.at("response"))?,
        };
        let mut parts = vec![Part::Text(text)];
        for part in result.list("parts")? {
            match (part.object("inlineData")?, part.object("fileData")?) {
                (Some(blob), _) => parts.extend(inline(&blob, Role::User, foreign)?.map(Part::Image)),
                (None, Some(file)) => parts.extend(referred(&file, Role::User, foreign)?.map(Part::Image)),
                (None, None) => foreign.extend(part.others(&[])),
            }
        }
        Ok(ToolResult { id: call.id.clone(), name: Some(call.name.clone()), parts, failed })
    }
}

/// `{"output": …}`, `{"result": …}` and `{"error": …}` are the documented envelopes of a single value.
fn outcome(response: &RawValue, path: &str) -> Result<(String, bool), Error> {
    let members = Members::parse(response.get().as_bytes()).map_err(|_| wrong(path, "must be an object"))?;
    let mut names = members.names();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Ok((response.get().to_owned(), false));
    };
    let failed = name == "error";
    if !failed && name != "output" && name != "result" {
        return Ok((response.get().to_owned(), false));
    }
    let text = members.get(name).map_or("", RawValue::get);
    Ok((parse(text).unwrap_or_else(|_| text.to_owned()), failed))
}

/// A picture in the request; anything but a picture of the user's is named as foreign.
fn inline(blob: &Object, role: Role, foreign: &mut Vec<String>) -> Result<Option<Image>, Error> {
    let media = blob.text("mimeType")?.unwrap_or_default();
    if role != Role::User || !media.starts_with("image/") {
        foreign.push(blob.path().to_owned());
        return Ok(None);
    }
    let Some(data) = blob.text("data")?.filter(|data| !data.is_empty()) else {
        return Err(wrong(&blob.at("data"), "must be the picture in base64"));
    };
    let source = Source::Data { media, base64: signature::standard(&data) };
    Ok(Some(Image { source, detail: None }))
}

/// A picture by its address. Files of Google's own stores can be read by nobody else.
fn referred(file: &Object, role: Role, foreign: &mut Vec<String>) -> Result<Option<Image>, Error> {
    let Some(uri) = file.text("fileUri")?.filter(|uri| !uri.is_empty()) else {
        return Err(wrong(&file.at("fileUri"), "must be an address"));
    };
    let picture = file.text("mimeType")?.is_none_or(|media| media.is_empty() || media.starts_with("image/"));
    let fetchable = uri.starts_with("https://") || uri.starts_with("http://");
    let googles = uri.starts_with("https://generativelanguage.googleapis.com/")
        || uri.starts_with("https://www.youtube.com/")
        || uri.starts_with("https://youtu.be/");
    if role != Role::User || !picture || !fetchable || googles {
        foreign.push(file.path().to_owned());
        return Ok(None);
    }
    Ok(Some(Image { source: Source::Url(uri), detail: None }))
}
