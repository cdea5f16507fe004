//! A caller's `system` and `messages`, read into neutral ones.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::wire::conversation::{Call, Image, Message, Part, Role, Seal, Source, Thinking, ToolResult};
use crate::wire::json::{Members, parse};
use crate::wire::{Dialect, seal};

/// The most messages of one request (Anthropic's description of `messages`).
const MAX_MESSAGES: usize = 100_000;

/// `system`, where there is one, and `messages`.
pub(super) fn read_messages(members: &Members) -> Result<Vec<Message>, Error> {
    let system = members.get("system").filter(|raw| raw.get() != "null");
    let system = system.map(system_parts).transpose()?.unwrap_or_default();
    let mut messages = Vec::new();
    add(Role::System, system, &mut messages);
    let given = members.read::<Vec<Members>>("messages").ok().flatten();
    let given = given.ok_or_else(|| invalid("messages", "must be a list of messages"))?;
    if given.is_empty() || given.len() > MAX_MESSAGES {
        return Err(invalid("messages", &format!("must hold 1 to {MAX_MESSAGES} messages")));
    }
    for (index, message) in given.iter().enumerate() {
        let path = format!("messages.{index}");
        let (role, parts) = message_parts(message, &path)?;
        add(role, parts, &mut messages);
    }
    name_results(&mut messages);
    Ok(messages)
}

fn add(role: Role, parts: Vec<Part>, messages: &mut Vec<Message>) {
    if !parts.is_empty() {
        messages.push(Message { role, parts });
    }
}

fn system_parts(raw: &RawValue) -> Result<Vec<Part>, Error> {
    parts(raw, "system", |block, path| match kind(block, path)?.as_str() {
        "text" => Ok(Some(Part::Text(required(block, "text", path)?))),
        other => {
            Err(invalid(&format!("{path}.type"), &format!("`{other}` cannot be translated: send `text`")))
        }
    })
}

fn message_parts(message: &Members, path: &str) -> Result<(Role, Vec<Part>), Error> {
    let role = match required::<String>(message, "role", path)?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(invalid(&format!("{path}.role"), "must be `user` or `assistant`")),
    };
    let content = message.get("content");
    let content = content.ok_or_else(|| invalid(&format!("{path}.content"), "is missing"))?;
    let mut parts = parts(content, &format!("{path}.content"), part)?;
    give_seals(&mut parts);
    Ok((role, parts))
}

/// A text, or a list of blocks.
fn parts(
    raw: &RawValue,
    path: &str,
    read: impl Fn(&Members, &str) -> Result<Option<Part>, Error>,
) -> Result<Vec<Part>, Error> {
    if let Ok(text) = parse::<String>(raw.get()) {
        return Ok(Some(Part::Text(text)).into_iter().collect());
    }
    let blocks: Vec<Members> =
        parse(raw.get()).map_err(|_| invalid(path, "must be a text or a list of content blocks"))?;
    let mut parts = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        parts.extend(read(block, &format!("{path}.{index}"))?);
    }
    Ok(parts)
}

/// `cache_control` is a hint and `citations` come from answers: both are left out.
fn part(block: &Members, path: &str) -> Result<Option<Part>, Error> {
    Ok(Some(match kind(block, path)?.as_str() {
        "text" => Part::Text(required(block, "text", path)?),
        "image" => Part::Image(image(block, path)?),
        "thinking" => Part::Thinking(thinking(block, path)?),
        "redacted_thinking" => {
            let data: String = required(block, "data", path)?;
            let seal = seal::unwrap(&data).unwrap_or(Seal {
                dialect: Dialect::Anthropic,
                value: data,
                hidden: true,
                item: None,
            });
            Part::Thinking(Thinking { text: String::new(), seal: Some(seal) })
        }
        "tool_use" => Part::Call(Call {
            id: required(block, "id", path)?,
            name: required(block, "name", path)?,
            arguments: arguments(block, path)?,
            ..Call::default()
        }),
        "tool_result" => Part::Result(result(block, path)?),
        other => {
            let detail =
                format!("`{other}` cannot be translated: send text, or name an Anthropic model as target");
            return Err(invalid(&format!("{path}.type"), &detail));
        }
    }))
}

fn thinking(block: &Members, path: &str) -> Result<Thinking, Error> {
    let text = required(block, "thinking", path)?;
    let signature = optional::<String>(block, "signature", path)?.filter(|signature| !signature.is_empty());
    let seal = signature.map(|signature| {
        seal::unwrap(&signature).unwrap_or_else(|| Seal::signature(Dialect::Anthropic, signature))
    });
    Ok(Thinking { text, seal })
}

fn arguments(block: &Members, path: &str) -> Result<String, Error> {
    let input = block.get("input").map(RawValue::get).filter(|input| input.starts_with('{'));
    Ok(input.ok_or_else(|| invalid(&format!("{path}.input"), "must be an object"))?.to_owned())
}

fn image(block: &Members, path: &str) -> Result<Image, Error> {
    let path = format!("{path}.source");
    let source: Option<Members> = block.read("source").ok().flatten();
    let source = source.ok_or_else(|| invalid(&path, "must be an object"))?;
    let source = match kind(&source, &path)?.as_str() {
        "url" => {
            let url: String = required(&source, "url", &path)?;
            if !(url.starts_with("https://") || url.starts_with("http://")) {
                return Err(invalid(&format!("{path}.url"), "must be an http(s) address"));
            }
            Source::Url(url)
        }
        "base64" => {
            let media: String = required(&source, "media_type", &path)?;
            if !media.contains('/') {
                return Err(invalid(&format!("{path}.media_type"), "must be a media type, as `image/png`"));
            }
            Source::Data { media, base64: required(&source, "data", &path)? }
        }
        other => {
            let detail = format!("`{other}` cannot be translated: send `url` or `base64`");
            return Err(invalid(&format!("{path}.type"), &detail));
        }
    };
    Ok(Image { source, detail: None })
}

fn result(block: &Members, path: &str) -> Result<ToolResult, Error> {
    let content = block.get("content").filter(|raw| raw.get() != "null");
    let read = |block: &Members, path: &str| match kind(block, path)?.as_str() {
        "text" | "image" => part(block, path),
        other => {
            let detail = format!("`{other}` cannot be translated: send `text` or `image`");
            Err(invalid(&format!("{path}.type"), &detail))
        }
    };
    let content = content.map(|raw| parts(raw, &format!("{path}.content"), read)).transpose()?;
    Ok(ToolResult {
        id: required(block, "tool_use_id", path)?,
        name: None,
        parts: content.unwrap_or_default(),
        failed: optional(block, "is_error", path)?.unwrap_or(false),
    })
}

/// A seal that names a call is that call's: `tool_use` has no place for it, so it was put before it.
fn give_seals(parts: &mut Vec<Part>) {
    let mut seals = Vec::new();
    parts.retain(|part| match part {
        Part::Thinking(Thinking {
            text,
            seal: Some(Seal { item: Some(item), dialect: Dialect::Gemini, value, hidden }),
        }) if text.is_empty() => {
            let seal = Seal { dialect: Dialect::Gemini, value: value.clone(), hidden: *hidden, item: None };
            seals.push((item.clone(), seal));
            false
        }
        _ => true,
    });
    for (id, seal) in seals {
        let calls = parts.iter_mut().filter_map(|part| match part {
            Part::Call(call) => Some(call),
            _ => None,
        });
        for call in calls.filter(|call| call.id == id) {
            call.seal = Some(seal.clone());
        }
    }
}

/// A result has only the id of its call; other dialects want the name.
fn name_results(messages: &mut [Message]) {
    let mut names = std::collections::HashMap::new();
    for part in messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::Call(call) => {
                names.insert(call.id.clone(), call.name.clone());
            }
            Part::Result(result) => result.name = names.get(&result.id).cloned(),
            Part::Text(_) | Part::Image(_) | Part::Thinking(_) => {}
        }
    }
}

fn kind(block: &Members, path: &str) -> Result<String, Error> {
    required(block, "type", path)
}

/// A member of a block or message at `path`.
pub(super) fn required<T: DeserializeOwned>(members: &Members, name: &str, path: &str) -> Result<T, Error> {
    optional(members, name, path)?.ok_or_else(|| invalid(&join(path, name), "is missing"))
}

pub(super) fn optional<T: DeserializeOwned>(
    members: &Members,
    name: &str,
    path: &str,
) -> Result<Option<T>, Error> {
    let value = members.get(name).map(|raw| parse::<Option<T>>(raw.get()));
    value
        .transpose()
        .map(Option::flatten)
        .map_err(|_| invalid(&join(path, name), "is not of the type that the description says"))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A 400 that names a member.
pub(super) fn invalid(path: &str, detail: &str) -> Error {
    Error::invalid(format!("`{path}` {detail}")).at(path)
}
