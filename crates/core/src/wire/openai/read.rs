//! A caller's request, read into no provider's words.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::messages::messages;
use super::settings;
use crate::error::Error;
use crate::wire::conversation::{Choice, Conversation, Input, Tool};
use crate::wire::json::{Members, parse};

/// Members that this module reads.
const READ: [&str; 25] = [
    "frequency_penalty",
    "include_reasoning",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user",
    // What stands in the answer beside what it says, or nowhere.
    "metadata",
    "store",
    "usage",
];
/// Members that change the price or the speed of an answer and not what it says.
const HARMLESS: [&str; 4] =
    ["prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "service_tier"];

/// Reads the body of `POST /v1/chat/completions`. What only OpenAI can be told (`n` above 1, `logprobs`, `logit_bias`,
/// `audio`, `functions`…) goes into [`Conversation::foreign`], as does every member that is not known. Left out without
/// a word are `metadata`, `store`, `usage`, `service_tier` and hints for the prompt cache.
///
/// Fails with a 400 that names the member: one of another type or range than OpenAI's description gives it, and a
/// message that no other dialect can hold (audio, files, legacy function calls).
pub fn read(members: &Members) -> Result<Conversation, Error> {
    let body: Map<String, Value> = parse(&members.text())
        .map_err(|error| Error::invalid(format!("the body cannot be read: {error}")))?;
    let tools = tools(members)?;
    let (choice, tools) = choice(body.get("tool_choice"), tools)?;
    let (messages, mut foreign) = messages(body.get("messages"))?;
    let others = body.iter().filter(|(name, value)| !is_known(name) && !changes_nothing(name, value));
    foreign.extend(others.map(|(name, _)| name.clone()));
    Ok(Conversation { messages, tools, choice, settings: settings::read(&body, members)?, foreign })
}

/// A 400 that names a member.
pub fn invalid(path: &str, wants: &str) -> Error {
    Error::invalid(format!("`{path}` must be {wants}")).at(path)
}

/// A 400 for what other dialects have no place for.
pub fn untranslatable(path: &str, what: &str, instead: &str) -> Error {
    let detail =
        format!("`{path}`: {what} cannot be translated for a provider of another interface: {instead}");
    Error::invalid(detail).at(path)
}

/// A member as a text; `None` where it is missing or null.
pub fn text(value: Option<&Value>, path: &str) -> Result<Option<String>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(path, "a string")),
    }
}

fn is_known(name: &str) -> bool {
    READ.contains(&name) || HARMLESS.contains(&name)
}

/// Members that say what holds anyway.
fn changes_nothing(name: &str, value: &Value) -> bool {
    match name {
        _ if value.is_null() => true,
        "n" => value.as_f64() == Some(1.0),
        "logprobs" => value == &Value::Bool(false),
        "top_logprobs" => value.as_f64() == Some(0.0),
        "logit_bias" => value.as_object().is_some_and(Map::is_empty),
        "functions" => value.as_array().is_some_and(Vec::is_empty),
        "modalities" => value.as_array().is_some_and(|kinds| kinds.iter().all(|kind| kind == "text")),
        "verbosity" => value == "medium",
        _ => false,
    }
}

fn tools(members: &Members) -> Result<Vec<Tool>, Error> {
    let tools = members.read::<Vec<Members>>("tools").map_err(|_| invalid("tools", "an array of objects"))?;
    let tools = tools.unwrap_or_default();
    tools.iter().enumerate().map(|(at, value)| tool(value, &format!("tools[{at}]"))).collect()
}

fn tool(tool: &Members, path: &str) -> Result<Tool, Error> {
    let kind = tool.read::<String>("type").ok().flatten().unwrap_or_else(|| "function".to_owned());
    if kind == "custom" {
        return custom(tool, &format!("{path}.custom"));
    }
    if kind != "function" {
        let what = format!("a tool of type `{kind}`");
        return Err(untranslatable(&format!("{path}.type"), &what, "send tools of type `function`"));
    }
    let path = format!("{path}.function");
    let function = tool.read::<Members>("function").ok().flatten();
    let function = function.ok_or_else(|| invalid(&path, "an object with a `name`"))?;
    Ok(Tool {
        name: name(&function, &path, "the function's name")?,
        description: member(&function, "description", &path, "a string")?,
        schema: member(&function, "parameters", &path, "a JSON Schema: an object")?,
        strict: member(&function, "strict", &path, "true or false")?,
        custom: None,
    })
}

fn custom(tool: &Members, path: &str) -> Result<Tool, Error> {
    let custom = tool.read::<Members>("custom").ok().flatten();
    let custom = custom.ok_or_else(|| invalid(path, "an object with a `name`"))?;
    let wanted = "`text` or `grammar`, with `grammar.syntax` and `grammar.definition`";
    let format = member::<Value>(&custom, "format", path, wanted)?.unwrap_or_default();
    let wrong = || invalid(&format!("{path}.format"), wanted);
    let text = |path: &str| format.pointer(path).and_then(Value::as_str);
    let input = match text("/type") {
        None if format.is_null() => Input::Text,
        Some("text") => Input::Text,
        Some("grammar") => Input::Grammar {
            syntax: text("/grammar/syntax").ok_or_else(wrong)?.to_owned(),
            definition: text("/grammar/definition").ok_or_else(wrong)?.to_owned(),
        },
        _ => return Err(wrong()),
    };
    Ok(Tool {
        name: name(&custom, path, "the tool's name")?,
        description: member(&custom, "description", path, "a string")?,
        custom: Some(input),
        ..Tool::default()
    })
}

fn name(object: &Members, path: &str, wants: &str) -> Result<String, Error> {
    let name = member::<String>(object, "name", path, wants)?.filter(|name| !name.is_empty());
    name.ok_or_else(|| invalid(&format!("{path}.name"), wants))
}

/// A member of an object at `path`; `None` where it is missing or null.
pub fn member<T: DeserializeOwned>(
    object: &Members,
    name: &str,
    path: &str,
    wants: &str,
) -> Result<Option<T>, Error> {
    object.read(name).map_err(|_| invalid(&format!("{path}.{name}"), wants))
}

/// The choice, and the tools that it leaves: `allowed_tools` is a choice among fewer.
fn choice(value: Option<&Value>, mut tools: Vec<Tool>) -> Result<(Option<Choice>, Vec<Tool>), Error> {
    const WANTS: &str = "`none`, `auto`, `required`, or {\"type\":\"function\",\"function\":{\"name\":…}}";
    let wrong = || invalid("tool_choice", WANTS);
    let value = match value {
        None | Some(Value::Null) => return Ok((None, tools)),
        Some(Value::String(word)) => return Ok((Some(mode(word).ok_or_else(wrong)?), tools)),
        Some(value) => value,
    };
    let name = |tool: &Value| {
        let tool = tool.get("function").or_else(|| tool.get("custom"))?;
        tool.get("name").and_then(Value::as_str).map(str::to_owned)
    };
    match value.get("type").and_then(Value::as_str) {
        Some("function" | "custom") => Ok((Some(Choice::Named(name(value).ok_or_else(wrong)?)), tools)),
        Some("allowed_tools") => {
            let allowed = value.get("allowed_tools").ok_or_else(wrong)?;
            let word = allowed.get("mode").and_then(Value::as_str).unwrap_or("auto");
            let names = allowed.get("tools").and_then(Value::as_array).ok_or_else(wrong)?;
            let names = names.iter().map(name).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
            tools.retain(|tool| names.contains(&tool.name));
            Ok((Some(mode(word).ok_or_else(wrong)?), tools))
        }
        _ => Err(wrong()),
    }
}

fn mode(word: &str) -> Option<Choice> {
    match word {
        "none" => Some(Choice::Never),
        "auto" => Some(Choice::Auto),
        // `any` is Mistral's word.
        "required" | "any" => Some(Choice::Any),
        _ => None,
    }
}
