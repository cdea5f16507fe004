//! A caller's request, read.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{check, input};
use crate::error::Error;
use crate::wire::conversation::{
    Choice, Conversation, Format, Input, Message, Part, Reasoning, Role, Settings, Tool,
};
use crate::wire::json::{Members, parse};

/// Members that are read here, below, or before; and those that change nothing in the answer's meaning: hints for
/// caches and speed, labels, and what only matters beside built-in tools.
const KNOWN: &[&str] = &[
    "background",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "user",
    // Refused by `check` unless they are null.
    "conversation",
    "previous_response_id",
    "prompt",
];

/// Reads a request.
///
/// Left out silently: `store`, `metadata`, `service_tier`, `prompt_cache_*`, `stream_options`, `max_tool_calls`, what
/// `include` asks about built-in tools, an assistant message's `phase`. Foreign: built-in tools and their items, files,
/// `top_logprobs`, `text.verbosity`, `truncation: auto`, `allowed_tools`, and every member that is not in OpenAI's
/// description.
pub fn read(members: &Members) -> Result<Conversation, Error> {
    check(members)?;
    let mut conversation = Conversation::default();
    if let Some(text) = member::<String>(members, "instructions", "a text")?.filter(|text| !text.is_empty()) {
        conversation.messages.push(Message { role: Role::System, parts: vec![Part::Text(text)] });
    }
    let input =
        members.read::<Value>("input").map_err(|_| invalid("input", "must be a text or a list of items"))?;
    let input = input.ok_or_else(|| invalid("input", "is missing: send a text or a list of items"))?;
    input::read(input, &mut conversation)?;
    tools(members, &mut conversation)?;
    conversation.choice = choice(members, &mut conversation.foreign)?;
    conversation.settings = settings(members, &mut conversation.foreign)?;
    others(members, &mut conversation.foreign)?;
    Ok(conversation)
}

/// What the input of a custom tool is.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Grammar {
    Text,
    Grammar { syntax: String, definition: String },
}

fn tools(members: &Members, conversation: &mut Conversation) -> Result<(), Error> {
    let tools = member::<Vec<Members>>(members, "tools", "a list of tools")?.unwrap_or_default();
    for (index, tool) in tools.iter().enumerate() {
        let at = |name: &str| format!("tools[{index}]{name}");
        let kind = tool.read::<String>("type").ok().flatten();
        let kind = kind.ok_or_else(|| invalid(&at(".type"), "is missing: send `function`"))?;
        let foreign = &mut conversation.foreign;
        if !matches!(kind.as_str(), "function" | "custom") {
            foreign.push(at(".type"));
            continue;
        }
        let wrong = |name: &str, what: &str| invalid(&at(name), what);
        let name = tool.read::<String>("name").ok().flatten().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| wrong(".name", "is missing: it stands beside `type` here"))?;
        let description = tool.read("description").map_err(|_| wrong(".description", "must be a text"))?;
        if tool.read("defer_loading").is_ok_and(|deferred| deferred == Some(true)) {
            foreign.push(at(".defer_loading"));
        }
        if tool.get("allowed_callers").is_some_and(|callers| callers.get() != "null") {
            foreign.push(at(".allowed_callers"));
        }
        conversation.tools.push(if kind == "custom" {
            let format = tool.read::<Grammar>("format");
            let format = format.map_err(|_| wrong(".format", "must be of type `text` or `grammar`"))?;
            let input = match format {
                None | Some(Grammar::Text) => Input::Text,
                Some(Grammar::Grammar { syntax, definition }) => Input::Grammar { syntax, definition },
            };
            Tool { name, description, custom: Some(input), ..Tool::default() }
        } else {
            let schema = tool.read("parameters");
            let schema = schema.map_err(|_| wrong(".parameters", "must be a JSON Schema object"))?;
            let strict = tool.read("strict").map_err(|_| wrong(".strict", "must be true or false"))?;
            Tool { name, description, schema, strict, custom: None }
        });
    }
    Ok(())
}

fn choice(members: &Members, foreign: &mut Vec<String>) -> Result<Option<Choice>, Error> {
    let wrong =
        || invalid("tool_choice", "must be `auto`, `none`, `required` or {\"type\":\"function\",\"name\":…}");
    let Some(choice) = member::<Value>(members, "tool_choice", "a choice")? else { return Ok(None) };
    let choice = match choice.as_str() {
        Some("auto") => Choice::Auto,
        Some("none") => Choice::Never,
        Some("required") => Choice::Any,
        Some(_) => return Err(wrong()),
        None if matches!(choice.get("type").and_then(Value::as_str), Some("function" | "custom")) => {
            Choice::Named(choice.get("name").and_then(Value::as_str).ok_or_else(wrong)?.to_owned())
        }
        None if choice.get("type").is_some_and(Value::is_string) => {
            foreign.push("tool_choice".to_owned());
            return Ok(None);
        }
        None => return Err(wrong()),
    };
    Ok(Some(choice))
}

fn settings(members: &Members, foreign: &mut Vec<String>) -> Result<Settings, Error> {
    let user = member(members, "safety_identifier", "a text")?;
    Ok(Settings {
        max_output: member(members, "max_output_tokens", "a whole number")?,
        temperature: bounded(members, "temperature", 2.0)?,
        top_p: bounded(members, "top_p", 1.0)?,
        parallel_tools: member(members, "parallel_tool_calls", "true or false")?,
        format: format(members, foreign)?,
        reasoning: reasoning(members, foreign)?,
        user: user.or(member(members, "user", "a text")?),
        ..Settings::default()
    })
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    format: Option<Form>,
    #[serde(default)]
    verbosity: Option<String>,
}

#[derive(Deserialize)]
struct Form {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    /// Looked at only where the type wants it.
    #[serde(default)]
    schema: Option<Box<RawValue>>,
    #[serde(default)]
    strict: Option<bool>,
}

fn format(members: &Members, foreign: &mut Vec<String>) -> Result<Format, Error> {
    let text = member::<Text>(members, "text", "{\"format\":{\"type\":…}}")?;
    let Some(text) = text else { return Ok(Format::Text) };
    if text.verbosity.is_some_and(|verbosity| verbosity != "medium") {
        foreign.push("text.verbosity".to_owned());
    }
    let Some(form) = text.format else { return Ok(Format::Text) };
    match form.kind.as_str() {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let name = form.name.ok_or_else(|| invalid("text.format.name", "is missing"))?;
            let schema = form.schema.and_then(|schema| parse(schema.get()).ok());
            let schema =
                schema.ok_or_else(|| invalid("text.format.schema", "must be a JSON Schema object"))?;
            Ok(Format::Schema { name, description: form.description, schema, strict: form.strict })
        }
        _ => Err(invalid("text.format.type", "must be `text`, `json_object` or `json_schema`")),
    }
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    generate_summary: Option<String>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    context: Option<String>,
}

fn reasoning(members: &Members, foreign: &mut Vec<String>) -> Result<Option<Reasoning>, Error> {
    const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    let Some(wish) = member::<Wish>(members, "reasoning", "{\"effort\":…,\"summary\":…}")? else {
        return Ok(None);
    };
    if wish.effort.as_ref().is_some_and(|effort| !EFFORTS.contains(&effort.as_str())) {
        return Err(invalid("reasoning.effort", &format!("must be one of {}", EFFORTS.join(", "))));
    }
    if wish.mode.is_some_and(|mode| mode != "standard") {
        foreign.push("reasoning.mode".to_owned());
    }
    if wish.context.is_some_and(|context| context != "auto") {
        foreign.push("reasoning.context".to_owned());
    }
    let visible = wish.summary.or(wish.generate_summary).map(|_| true);
    if wish.effort.is_none() && visible.is_none() {
        return Ok(None);
    }
    Ok(Some(Reasoning { effort: wish.effort, budget: None, visible }))
}

fn others(members: &Members, foreign: &mut Vec<String>) -> Result<(), Error> {
    let include = member::<Vec<String>>(members, "include", "a list of texts")?.unwrap_or_default();
    if include.iter().any(|wish| wish == "message.output_text.logprobs") {
        foreign.push("include".to_owned());
    }
    for name in members.names().filter(|name| !KNOWN.contains(name)) {
        let value = members.get(name).map_or("null", |value| value.get());
        let says_nothing = match name {
            "truncation" => value == "\"disabled\"",
            "top_logprobs" => value == "0",
            _ => false,
        };
        if value != "null" && !says_nothing {
            foreign.push(name.to_owned());
        }
    }
    Ok(())
}

fn bounded(members: &Members, name: &str, most: f64) -> Result<Option<f64>, Error> {
    let value = member::<f64>(members, name, "a number")?;
    match value {
        Some(value) if !(0.0..=most).contains(&value) => {
            Err(invalid(name, &format!("must be a number from 0 to {most}")))
        }
        _ => Ok(value),
    }
}

fn member<T: DeserializeOwned>(members: &Members, name: &str, what: &str) -> Result<Option<T>, Error> {
    members.read(name).map_err(|_| invalid(name, &format!("must be {what}")))
}

/// A 400 whose text begins with the member's name.
pub(super) fn invalid(field: &str, what: &str) -> Error {
    Error::invalid(format!("`{field}` {what}")).at(field)
}
