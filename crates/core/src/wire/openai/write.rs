//! A request that goes upstream, written from no provider's words.

use serde_json::{Map, Value, json};

use super::{names, turns};
use crate::call::Shape;
use crate::wire::conversation::{Cannot, Choice, Conversation, Format, Input, Reasoning, Settings, Tool};
use crate::wire::json::Members;

/// The most stop sequences (`StopConfiguration` of OpenAI's API description).
const MAX_STOPS: usize = 4;

/// The body of `POST …/chat/completions`. It keeps to what OpenAI's API description and compatible servers both take:
/// `max_tokens` is `max_completion_tokens` only where the model's name says that it must be, and a text is a string, not
/// an array of parts. Left out are thinking that another provider sealed, and the wish to see thinking.
pub fn write(conversation: &Conversation, model: &str, shape: Shape) -> Result<Members, Cannot> {
    if let Some(name) = conversation.foreign.first() {
        return Err(Cannot::Foreign(name.clone()));
    }
    let mut members = Members::default();
    members.set("model", &model);
    members.set("messages", &turns::messages(&conversation.messages, model)?);
    tools(conversation, &mut members);
    settings(&conversation.settings, model, &mut members)?;
    if shape == Shape::Stream {
        members.set("stream", &true);
        members.set("stream_options", &json!({"include_usage": true}));
    }
    Ok(members)
}

/// OpenAI refuses `parallel_tool_calls`, and choices, without tools.
fn tools(conversation: &Conversation, members: &mut Members) {
    let Conversation { tools, choice, settings, .. } = conversation;
    if !tools.is_empty() {
        members.set("tools", &tools.iter().map(tool).collect::<Vec<_>>());
    }
    let choice = match choice {
        Some(Choice::Any) => Some(json!("required")),
        Some(Choice::Named(name)) => {
            let custom = tools.iter().any(|tool| tool.name == *name && tool.custom.is_some());
            let kind = if custom { "custom" } else { "function" };
            Some(json!({"type": kind, kind: {"name": name}}))
        }
        Some(Choice::Auto) if !tools.is_empty() => Some(json!("auto")),
        Some(Choice::Never) if !tools.is_empty() => Some(json!("none")),
        Some(Choice::Auto | Choice::Never) | None => None,
    };
    set(members, "tool_choice", choice);
    set(members, "parallel_tool_calls", settings.parallel_tools.filter(|_| !tools.is_empty()));
}

fn tool(tool: &Tool) -> Value {
    let format = match &tool.custom {
        None => return function(tool),
        Some(Input::Text) => json!({"type": "text"}),
        Some(Input::Grammar { syntax, definition }) => {
            json!({"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}})
        }
    };
    let mut custom = json!({"name": tool.name, "format": format});
    if let (Some(description), Some(custom)) = (&tool.description, custom.as_object_mut()) {
        custom.insert("description".to_owned(), json!(description));
    }
    json!({"type": "custom", "custom": custom})
}

fn function(tool: &Tool) -> Value {
    let mut function = Map::new();
    function.insert("name".to_owned(), json!(tool.name));
    let members = [
        ("description", tool.description.as_ref().map(|text| json!(text))),
        ("parameters", tool.schema.clone()),
        ("strict", tool.strict.map(Value::Bool)),
    ];
    function.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    json!({"type": "function", "function": function})
}

fn settings(settings: &Settings, model: &str, members: &mut Members) -> Result<(), Cannot> {
    if settings.top_k.is_some() {
        return Err(Cannot::TopK);
    }
    if settings.stop.len() > MAX_STOPS {
        return Err(Cannot::Stop);
    }
    let bound = if names::is_openai_reasoning(model) { "max_completion_tokens" } else { "max_tokens" };
    set(members, bound, settings.max_output);
    set(members, "temperature", settings.temperature);
    set(members, "top_p", settings.top_p);
    set(members, "presence_penalty", settings.presence_penalty);
    set(members, "frequency_penalty", settings.frequency_penalty);
    set(members, "seed", settings.seed);
    set(members, "stop", Some(&settings.stop).filter(|stop| !stop.is_empty()));
    set(members, "response_format", format(&settings.format));
    if let Some(reasoning) = &settings.reasoning {
        set(members, "reasoning_effort", effort(reasoning, model)?);
    }
    set(members, "user", settings.user.as_ref());
    Ok(())
}

fn format(format: &Format) -> Option<Value> {
    match format {
        Format::Text => None,
        Format::Json => Some(json!({"type": "json_object"})),
        Format::Schema { name, description, schema, strict } => {
            let mut wanted = Map::new();
            wanted.insert("name".to_owned(), json!(name));
            wanted.insert("schema".to_owned(), schema.clone());
            if let Some(description) = description {
                wanted.insert("description".to_owned(), json!(description));
            }
            if let Some(strict) = strict {
                wanted.insert("strict".to_owned(), json!(strict));
            }
            Some(json!({"type": "json_schema", "json_schema": wanted}))
        }
    }
}

/// A budget becomes the effort that Google's interface for this dialect takes for one ("OpenAI compatibility": `low` is
/// 1,024 tokens, `medium` 8,192, `high` 24,576), rounded up.
fn effort(reasoning: &Reasoning, model: &str) -> Result<Option<String>, Cannot> {
    let effort = match (&reasoning.effort, reasoning.budget) {
        (Some(effort), _) => effort.as_str(),
        (None, None) => return Ok(None),
        (None, Some(0)) => "none",
        (None, Some(..=1024)) => "low",
        (None, Some(..=8192)) => "medium",
        (None, Some(_)) => "high",
    };
    match effort {
        "none" if names::never_thinks(model) => Ok(None),
        "none" if names::always_thinks(model) => Err(Cannot::Reasoning),
        _ if names::never_thinks(model) => Err(Cannot::Reasoning),
        effort => Ok(Some(effort.to_owned())),
    }
}

fn set(members: &mut Members, name: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value {
        members.set(name, &value);
    }
}
