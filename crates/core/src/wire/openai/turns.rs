//! Turns, written as messages.

use serde_json::{Map, Value, json};

use super::{details, names};
use crate::wire::conversation::{Call, Cannot, Image, Message, Part, Role, Source, Thinking, ToolResult};
use crate::wire::{Dialect, custom};

/// Stands before the result of a tool that failed: this dialect has no member for it.
const FAILED: &str = "The tool reports a failure.\n";
/// Stands where a tool gave nothing but pictures.
const SEE_BELOW: &str = "The result is a picture, in the next message.";

/// The messages of a conversation. A tool's result holds text only, so its pictures go into a user's message after the
/// results that belong together.
pub fn messages(turns: &[Message], model: &str) -> Result<Vec<Value>, Cannot> {
    let mut written = Written { messages: Vec::new(), pictures: Vec::new() };
    for turn in turns {
        match turn.role {
            Role::System => {
                written.add(json!({"role": "system", "content": text_only(&turn.parts, "\n\n")?}))
            }
            Role::Assistant => written.add(assistant(&turn.parts, model)?),
            Role::User => written.user(&turn.parts)?,
        }
    }
    written.show_pictures();
    Ok(written.messages)
}

struct Written {
    messages: Vec<Value>,
    /// Of results, as parts, not yet shown.
    pictures: Vec<Value>,
}

impl Written {
    fn add(&mut self, message: Value) {
        self.show_pictures();
        self.messages.push(message);
    }

    fn show_pictures(&mut self) {
        if !self.pictures.is_empty() {
            let parts = std::mem::take(&mut self.pictures);
            self.messages.push(json!({"role": "user", "content": parts}));
        }
    }

    fn user(&mut self, parts: &[Part]) -> Result<(), Cannot> {
        let mut own = Vec::new();
        for part in parts {
            match part {
                Part::Result(result) => self.result(result)?,
                _ => own.push(part),
            }
        }
        if own.is_empty() {
            return Ok(());
        }
        let pictured = own.iter().any(|part| matches!(part, Part::Image(_))) || !self.pictures.is_empty();
        let content = if pictured {
            let mut content = std::mem::take(&mut self.pictures);
            content.extend(own.into_iter().map(piece).collect::<Result<Vec<_>, _>>()?);
            Value::Array(content)
        } else {
            Value::String(text_only(own, "\n\n")?)
        };
        self.messages.push(json!({"role": "user", "content": content}));
        Ok(())
    }

    fn result(&mut self, result: &ToolResult) -> Result<(), Cannot> {
        let pictures: Vec<_> = result.parts.iter().filter(|part| matches!(part, Part::Image(_))).collect();
        let texts = result.parts.iter().filter(|part| !matches!(part, Part::Image(_)));
        let mut text = text_only(texts, "\n")?;
        if text.is_empty() && !pictures.is_empty() {
            SEE_BELOW.clone_into(&mut text);
        }
        if result.failed {
            text.insert_str(0, FAILED);
        }
        if !pictures.is_empty() {
            let whose = format!("What the call {} of the tool gave:", result.id);
            self.pictures.push(json!({"type": "text", "text": whose}));
            self.pictures.extend(pictures.into_iter().map(piece).collect::<Result<Vec<_>, _>>()?);
        }
        self.messages.push(json!({"role": "tool", "tool_call_id": result.id, "content": text}));
        Ok(())
    }
}

/// An answer's text comes in pieces that belong together as they are. Thinking that a provider of this dialect sealed is
/// given back as it came, and unsealed thinking to models that want it.
fn assistant(parts: &[Part], model: &str) -> Result<Value, Cannot> {
    let (mut text, mut calls, mut sealed, mut unsealed) =
        (String::new(), Vec::new(), Vec::new(), String::new());
    for part in parts {
        match part {
            Part::Text(piece) => text.push_str(piece),
            Part::Call(called) => calls.push(call(called)),
            Part::Thinking(Thinking { text, seal: None }) => unsealed.push_str(text),
            Part::Thinking(thinking) => sealed.extend(details::given_back(thinking)),
            Part::Image(_) => return Err(Cannot::Image),
            Part::Result(_) => return Err(Cannot::Tools),
        }
    }
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    let content = if text.is_empty() && !calls.is_empty() { Value::Null } else { Value::String(text) };
    message.insert("content".to_owned(), content);
    if !unsealed.is_empty() && names::wants_thinking_back(model) {
        message.insert("reasoning_content".to_owned(), json!(unsealed));
    }
    if !sealed.is_empty() {
        message.insert("reasoning_details".to_owned(), Value::Array(sealed));
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    Ok(Value::Object(message))
}

fn call(call: &Call) -> Value {
    let mut written = if call.custom {
        let input = custom::input(&call.arguments);
        json!({"id": call.id, "type": "custom", "custom": {"name": call.name, "input": input}})
    } else {
        let function = json!({"name": call.name, "arguments": call.arguments});
        json!({"id": call.id, "type": "function", "function": function})
    };
    let seal = call.seal.as_ref().filter(|seal| seal.dialect == Dialect::OpenAi);
    if let (Some(seal), Some(written)) = (seal, written.as_object_mut()) {
        written.insert("extra_content".to_owned(), details::extra_content(seal));
    }
    written
}

fn piece(part: &Part) -> Result<Value, Cannot> {
    match part {
        Part::Text(text) => Ok(json!({"type": "text", "text": text})),
        Part::Image(image) => Ok(json!({"type": "image_url", "image_url": picture(image)})),
        Part::Thinking(_) => Err(Cannot::Reasoning),
        Part::Call(_) | Part::Result(_) => Err(Cannot::Tools),
    }
}

fn picture(image: &Image) -> Value {
    let url = match &image.source {
        Source::Url(url) => url.clone(),
        Source::Data { media, base64 } => format!("data:{media};base64,{base64}"),
    };
    match &image.detail {
        Some(detail) => json!({"url": url, "detail": detail}),
        None => json!({"url": url}),
    }
}

/// One string, which every server takes.
fn text_only<'a>(parts: impl IntoIterator<Item = &'a Part>, between: &str) -> Result<String, Cannot> {
    let texts = parts.into_iter().map(|part| match part {
        Part::Text(text) => Ok(text.as_str()),
        Part::Image(_) => Err(Cannot::Image),
        Part::Thinking(_) => Err(Cannot::Reasoning),
        Part::Call(_) | Part::Result(_) => Err(Cannot::Tools),
    });
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join(between))
}
