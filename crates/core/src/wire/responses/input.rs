//! The items of a caller's `input`, read.

use serde_json::Value;

use super::read::invalid;
use crate::error::Error;
use crate::wire::conversation::{
    Call, Conversation, Image, Message, Part, Role, Seal, Source, Thinking, ToolResult,
};
use crate::wire::json::parse;
use crate::wire::seal;
use crate::wire::{Dialect, custom};

/// Reads the input into messages. Items and parts that no other dialect has (built-in tools, files) become foreign.
pub fn read(input: Value, conversation: &mut Conversation) -> Result<(), Error> {
    let items = match input {
        Value::String(text) => {
            add(conversation, Role::User, vec![Part::Text(text)]);
            return Ok(());
        }
        Value::Array(items) if !items.is_empty() => items,
        _ => return Err(invalid("input", "must be a text or a list of items that is not empty")),
    };
    for (index, item) in items.iter().enumerate() {
        read_item(item, &format!("input[{index}]"), conversation)?;
    }
    Ok(())
}

fn read_item(item: &Value, at: &str, conversation: &mut Conversation) -> Result<(), Error> {
    let kind = match item.get("type").and_then(Value::as_str) {
        Some(kind) => kind,
        None if item.get("role").is_some() => "message",
        None => return Err(invalid(at, "must have a `type`, or a `role` and `content`")),
    };
    match kind {
        "message" => message(item, at, conversation),
        "function_call" | "custom_tool_call" => call(item, kind == "custom_tool_call", at, conversation),
        "function_call_output" | "custom_tool_call_output" => result(item, at, conversation),
        "reasoning" => {
            add(conversation, Role::Assistant, vec![Part::Thinking(thinking(item))]);
            Ok(())
        }
        _ => {
            conversation.foreign.push(at.to_owned());
            Ok(())
        }
    }
}

fn message(item: &Value, at: &str, conversation: &mut Conversation) -> Result<(), Error> {
    let role = match item.get("role").and_then(Value::as_str) {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system" | "developer") => Role::System,
        _ => {
            let detail = "must be `user`, `assistant`, `system` or `developer`";
            return Err(invalid(&format!("{at}.role"), detail));
        }
    };
    let parts = content(item.get("content"), &format!("{at}.content"), role, &mut conversation.foreign)?;
    if !parts.is_empty() {
        add(conversation, role, parts);
    }
    Ok(())
}

/// A text, or a list of parts.
fn content(
    content: Option<&Value>,
    at: &str,
    role: Role,
    foreign: &mut Vec<String>,
) -> Result<Vec<Part>, Error> {
    let parts = match content {
        Some(Value::String(text)) => return Ok(vec![Part::Text(text.clone())]),
        Some(Value::Array(parts)) => parts,
        _ => return Err(invalid(at, "must be a text or a list of parts")),
    };
    let mut read = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let text = |name: &str| {
            let text = part.get(name).and_then(Value::as_str);
            text.map(str::to_owned).ok_or_else(|| invalid(&format!("{at}.{name}"), "must be a text"))
        };
        match part.get("type").and_then(Value::as_str) {
            Some("input_text" | "output_text") => read.push(Part::Text(text("text")?)),
            // What an assistant refused with is its text to every dialect but OpenAI's.
            Some("refusal") => read.push(Part::Text(text("refusal")?)),
            Some("input_image") if role == Role::User => read.push(Part::Image(image(part, &at)?)),
            Some("input_image") => return Err(invalid(&at, "must stand in a message of the user")),
            Some("text" | "image_url") => {
                return Err(invalid(
                    &format!("{at}.type"),
                    "must be `input_text`, `output_text` or `input_image`",
                ));
            }
            Some(_) => foreign.push(at),
            None => return Err(invalid(&format!("{at}.type"), "is missing")),
        }
    }
    Ok(read)
}

fn image(part: &Value, at: &str) -> Result<Image, Error> {
    let field = format!("{at}.image_url");
    let Some(url) = part.get("image_url").and_then(Value::as_str) else {
        return Err(invalid(&field, "must be an address or a `data:` URL; files are not stored here"));
    };
    let detail = part.get("detail").and_then(Value::as_str).map(str::to_owned);
    let Some(data) = url.strip_prefix("data:") else {
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(invalid(&field, "must be an http(s) address or a `data:` URL"));
        }
        return Ok(Image { source: Source::Url(url.to_owned()), detail });
    };
    let wrong = || invalid(&field, "must be `data:image/…;base64,…`");
    let (media, base64) = data.split_once(";base64,").ok_or_else(wrong)?;
    // Parameters such as `;charset=…` say nothing about a picture.
    let media = media.split(';').next().filter(|media| media.contains('/')).ok_or_else(wrong)?;
    let source = Source::Data { media: media.to_owned(), base64: base64.to_owned() };
    Ok(Image { source, detail })
}

fn call(item: &Value, custom: bool, at: &str, conversation: &mut Conversation) -> Result<(), Error> {
    let text = |name: &str| {
        let text = item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| invalid(&format!("{at}.{name}"), "is missing"))
    };
    if item.get("namespace").or(item.get("caller")).is_some_and(|value| !value.is_null()) {
        conversation.foreign.push(at.to_owned());
    }
    let (id, name) = (text("call_id")?, text("name")?);
    let said = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    let arguments = match said("arguments") {
        _ if custom => custom::arguments(said("input")),
        text if text.trim().is_empty() => "{}".to_owned(),
        text => text.to_owned(),
    };
    if parse::<serde_json::Map<String, Value>>(&arguments).is_err() {
        return Err(invalid(&format!("{at}.arguments"), "must be the text of a JSON object"));
    }
    let seal = take_seal(conversation, &id);
    let call = Call { id, name, arguments, seal, custom };
    add(conversation, Role::Assistant, vec![Part::Call(call)]);
    Ok(())
}

/// The seal of a call, which the encoder wrote as a reasoning item before it.
fn take_seal(conversation: &mut Conversation, id: &str) -> Option<Seal> {
    let last = conversation.messages.last_mut().filter(|message| message.role == Role::Assistant)?;
    let Some(Part::Thinking(Thinking { seal: Some(seal), .. })) = last.parts.last() else { return None };
    if seal.dialect != Dialect::Gemini || seal.item.as_deref() != Some(id) {
        return None;
    }
    let seal = Seal { item: None, ..seal.clone() };
    last.parts.pop();
    if last.parts.is_empty() {
        conversation.messages.pop();
    }
    Some(seal)
}

fn result(item: &Value, at: &str, conversation: &mut Conversation) -> Result<(), Error> {
    let id = item.get("call_id").and_then(Value::as_str).unwrap_or_default();
    if id.is_empty() {
        return Err(invalid(&format!("{at}.call_id"), "is missing: send the `call_id` of the function call"));
    }
    let parts = content(item.get("output"), &format!("{at}.output"), Role::User, &mut conversation.foreign)?;
    let calls = conversation.messages.iter().rev().flat_map(|message| &message.parts);
    let called = calls.into_iter().find_map(|part| match part {
        Part::Call(call) if call.id == id => Some(call.name.clone()),
        _ => None,
    });
    let name = called.or(item.get("name").and_then(Value::as_str).map(str::to_owned));
    let result = ToolResult { id: id.to_owned(), name, parts, failed: false };
    add(conversation, Role::User, vec![Part::Result(result)]);
    Ok(())
}

/// A reasoning item: its summary, or what it shows of the reasoning itself, and its seal.
fn thinking(item: &Value) -> Thinking {
    let texts = |name: &str| {
        let parts = item.get(name).and_then(Value::as_array).into_iter().flatten();
        parts.filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>()
    };
    let summary = texts("summary");
    let text = if summary.is_empty() { texts("content").concat() } else { summary.join("\n\n") };
    let seal = item.get("encrypted_content").and_then(Value::as_str).map(|encrypted| {
        seal::unwrap(encrypted).unwrap_or_else(|| Seal {
            dialect: Dialect::Responses,
            value: encrypted.to_owned(),
            hidden: true,
            item: item.get("id").and_then(Value::as_str).map(str::to_owned),
        })
    });
    Thinking { text, seal }
}

/// Adds parts; what an assistant says in a row is one message, as are the results of parallel calls.
fn add(conversation: &mut Conversation, role: Role, parts: Vec<Part>) {
    let results = |parts: &[Part]| parts.iter().all(|part| matches!(part, Part::Result(_)));
    match conversation.messages.last_mut() {
        Some(last)
            if last.role == role
                && (role == Role::Assistant
                    || (role == Role::User && results(&last.parts) && results(&parts))) =>
        {
            last.parts.extend(parts);
        }
        _ => conversation.messages.push(Message { role, parts }),
    }
}
