//! A request that goes upstream, written from no provider's words.

use serde_json::json;

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

fn tool(tool: &Tool) -> Members {
    let format = match &tool.custom {
        None => return of_kind("function", &function(tool)),
        Some(Input::Text) => json!({"type": "text"}),
        Some(Input::Grammar { syntax, definition }) => {
            json!({"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}})
        }
    };
    let mut custom = Members::default();
    custom.set("name", &tool.name);
    set(&mut custom, "description", tool.description.as_ref());
    custom.set("format", &format);
    of_kind("custom", &custom)
}

fn function(tool: &Tool) -> Members {
    let mut function = Members::default();
    function.set("name", &tool.name);
    set(&mut function, "description", tool.description.as_ref());
    set(&mut function, "parameters", tool.schema.as_ref());
    set(&mut function, "strict", tool.strict);
    function
}

/// `{"type": kind, kind: said}`.
fn of_kind(kind: &str, said: &Members) -> Members {
    let mut written = Members::default();
    written.set("type", &kind);
    written.set(kind, said);
    written
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

fn format(format: &Format) -> Option<Members> {
    let mut wanted = Members::default();
    match format {
        Format::Text => return None,
        Format::Json => wanted.set("type", &"json_object"),
        Format::Schema { name, description, schema, strict } => {
            wanted.set("name", name);
            set(&mut wanted, "description", description.as_ref());
            wanted.set("schema", schema);
            set(&mut wanted, "strict", *strict);
            wanted = of_kind("json_schema", &wanted);
        }
    }
    Some(wanted)
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
