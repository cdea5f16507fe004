//! A caller's messages, read into turns.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::details;
use super::read::{invalid, text, untranslatable};
use crate::error::Error;
use crate::wire::conversation::{Call, Image, Message, Part, Role, Source, Thinking, ToolResult};
use crate::wire::custom;
use crate::wire::json::parse;

type Object = Map<String, Value>;

/// The turns, and the members that only OpenAI can be told. Results of tools that follow each other are one turn.
pub fn messages(value: Option<&Value>) -> Result<(Vec<Message>, Vec<String>), Error> {
    let messages = value.and_then(Value::as_array).filter(|messages| !messages.is_empty());
    let messages = messages.ok_or_else(|| invalid("messages", "an array with at least one message"))?;
    let mut read = Reader::default();
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        let message = message.as_object().ok_or_else(|| invalid(&path, "an object with a `role`"))?;
        read.message(message, &path)?;
    }
    Ok((read.turns, read.foreign))
}

#[derive(Default)]
struct Reader {
    turns: Vec<Message>,
    foreign: Vec<String>,
    /// Calls' names by their ids.
    called: HashMap<String, String>,
    after_result: bool,
}

impl Reader {
    fn message(&mut self, message: &Object, path: &str) -> Result<(), Error> {
        let after_result = std::mem::take(&mut self.after_result);
        let role = match message.get("role").and_then(Value::as_str) {
            Some("system" | "developer") => Role::System,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool") => {
                let result = Part::Result(self.result(message, path)?);
                self.after_result = true;
                match self.turns.last_mut().filter(|_| after_result) {
                    Some(turn) => turn.parts.push(result),
                    None => self.turns.push(Message { role: Role::User, parts: vec![result] }),
                }
                return Ok(());
            }
            Some("function") => {
                let instead = "send `role: tool` with the `tool_call_id` of a call in `tool_calls`";
                return Err(untranslatable(&format!("{path}.role"), "a legacy function's result", instead));
            }
            _ => {
                let wants = "`system`, `developer`, `user`, `assistant` or `tool`";
                return Err(invalid(&format!("{path}.role"), wants));
            }
        };
        if message.get("name").is_some_and(|name| !name.is_null()) {
            self.foreign.push(format!("{path}.name"));
        }
        let parts = match role {
            Role::Assistant => self.assistant(message, path)?,
            Role::System | Role::User => parts(message.get("content"), &format!("{path}.content"), role)?,
        };
        self.turns.push(Message { role, parts });
        Ok(())
    }

    fn assistant(&mut self, message: &Object, path: &str) -> Result<Vec<Part>, Error> {
        for (name, instead) in [
            ("audio", "send what it says as text in `content`"),
            ("function_call", "send `tool_calls`, and the result as `role: tool`"),
        ] {
            if message.get(name).is_some_and(|value| !value.is_null()) {
                let path = format!("{path}.{name}");
                return Err(untranslatable(&path, &format!("an assistant's `{name}`"), instead));
            }
        }
        let mut said: Vec<Part> = thoughts(message).into_iter().map(Part::Thinking).collect();
        if message.get("content").is_some_and(|content| !content.is_null()) {
            said.extend(parts(message.get("content"), &format!("{path}.content"), Role::Assistant)?);
        }
        let refusal = text(message.get("refusal"), &format!("{path}.refusal"))?;
        said.extend(refusal.filter(|refusal| !refusal.is_empty()).map(Part::Text));
        let path = format!("{path}.tool_calls");
        let calls = match message.get("tool_calls") {
            None | Some(Value::Null) => &Vec::new(),
            Some(Value::Array(calls)) => calls,
            Some(_) => return Err(invalid(&path, "an array")),
        };
        if !calls.is_empty() {
            said.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        }
        for (at, call) in calls.iter().enumerate() {
            said.push(Part::Call(self.call(call, &format!("{path}[{at}]"))?));
        }
        if said.is_empty() {
            said.push(Part::Text(String::new()));
        }
        Ok(said)
    }

    fn call(&mut self, call: &Value, path: &str) -> Result<Call, Error> {
        let kind = call.get("type").and_then(Value::as_str).unwrap_or("function");
        if !matches!(kind, "function" | "custom") {
            let what = format!("a call of type `{kind}`");
            return Err(untranslatable(&format!("{path}.type"), &what, "send calls of type `function`"));
        }
        let filled = |value: Option<&Value>, path: String| -> Result<String, Error> {
            let text = text(value, &path)?.filter(|text| !text.is_empty());
            text.ok_or_else(|| invalid(&path, "a string that is not empty"))
        };
        let id = filled(call.get("id"), format!("{path}.id"))?;
        let said = call.get(kind);
        let member = |name: &str| said.and_then(|said| said.get(name));
        let name = filled(member("name"), format!("{path}.{kind}.name"))?;
        let arguments = if kind == "custom" {
            let input = text(member("input"), &format!("{path}.custom.input"))?;
            custom::arguments(&input.unwrap_or_default())
        } else {
            let path = format!("{path}.function.arguments");
            arguments_of(member("arguments")).ok_or_else(|| invalid(&path, "the text of a JSON object"))?
        };
        self.called.insert(id.clone(), name.clone());
        let seal = call.get("extra_content").and_then(details::signature);
        Ok(Call { id, name, arguments, seal, custom: kind == "custom" })
    }

    fn result(&self, message: &Object, path: &str) -> Result<ToolResult, Error> {
        let id_path = format!("{path}.tool_call_id");
        let id = text(message.get("tool_call_id"), &id_path)?;
        let id = id.ok_or_else(|| invalid(&id_path, "the id of the call that this is the result of"))?;
        let named = text(message.get("name"), &format!("{path}.name"))?;
        let name = self.called.get(&id).cloned().or(named);
        let parts = parts(message.get("content"), &format!("{path}.content"), Role::User)?;
        Ok(ToolResult { id, name, parts, failed: false })
    }
}

/// Details first; without them the visible text alone, which may stand beside details that only hide something.
fn thoughts(message: &Object) -> Vec<Thinking> {
    let details = message.get("reasoning_details").and_then(Value::as_array);
    let mut thoughts = details.map(|details| details::thinking(details)).unwrap_or_default();
    let shown = ["reasoning_content", "reasoning"].iter().find_map(|name| message.get(*name)?.as_str());
    let told = thoughts.iter().any(|thought| !thought.text.is_empty());
    if let Some(shown) = shown.filter(|shown| !told && !shown.is_empty()) {
        thoughts.insert(0, Thinking { text: shown.to_owned(), seal: None });
    }
    thoughts
}

/// `{}` where there are none; an object too, which some clients forget to write as a text.
fn arguments_of(value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => Some("{}".to_owned()),
        Some(Value::String(text)) if text.trim().is_empty() => Some("{}".to_owned()),
        Some(Value::String(text)) => parse::<Object>(text).ok().map(|_| text.clone()),
        Some(value @ Value::Object(_)) => Some(value.to_string()),
        Some(_) => None,
    }
}

fn parts(content: Option<&Value>, path: &str, role: Role) -> Result<Vec<Part>, Error> {
    match content {
        Some(Value::String(text)) => Ok(vec![Part::Text(text.clone())]),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            parts.iter().enumerate().map(|(at, value)| part(value, &format!("{path}[{at}]"), role)).collect()
        }
        _ => Err(invalid(path, "a string or an array of parts that is not empty")),
    }
}

fn part(value: &Value, path: &str, role: Role) -> Result<Part, Error> {
    let wanted = |name: &str| {
        let path = format!("{path}.{name}");
        text(value.get(name), &path)?.ok_or_else(|| invalid(&path, "a string"))
    };
    match value.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Part::Text(wanted("text")?)),
        Some("refusal") => Ok(Part::Text(wanted("refusal")?)),
        Some("image_url") if role == Role::User => {
            image(value.get("image_url"), &format!("{path}.image_url")).map(Part::Image)
        }
        Some(kind) => {
            let what = format!("a part of type `{kind}` here");
            let instead = "send `text`, or a user's `image_url`, or name a target that speaks this interface";
            Err(untranslatable(&format!("{path}.type"), &what, instead))
        }
        None => Err(invalid(&format!("{path}.type"), "`text` or `image_url`")),
    }
}

fn image(value: Option<&Value>, path: &str) -> Result<Image, Error> {
    let url = value.and_then(|value| value.get("url").unwrap_or(value).as_str());
    let url_path = format!("{path}.url");
    let url = url.ok_or_else(|| invalid(&url_path, "a string"))?;
    let detail = text(value.and_then(|value| value.get("detail")), &format!("{path}.detail"))?;
    let source =
        source(url).ok_or_else(|| invalid(&url_path, "an http(s) address or `data:image/…;base64,…`"))?;
    Ok(Image { source, detail })
}

/// `data:` URLs are those of RFC 2397; their parameters, of which pictures have none, are left out.
fn source(url: &str) -> Option<Source> {
    let (scheme, rest) = url.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => Some(Source::Url(url.to_owned())),
        "data" => {
            let (kind, base64) = rest.split_once(',')?;
            let mut kind = kind.split(';');
            let media = kind.next().filter(|media| media.contains('/'))?.to_owned();
            let coded = kind.next_back().is_some_and(|coding| coding.trim().eq_ignore_ascii_case("base64"));
            (coded && !base64.is_empty()).then(|| Source::Data { media, base64: base64.to_owned() })
        }
        _ => None,
    }
}
