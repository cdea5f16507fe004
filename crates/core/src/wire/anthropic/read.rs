//! A caller's request, read into a neutral one.

use super::messages::{invalid, optional, read_messages, required};
use crate::error::Error;
use crate::wire::conversation::{Choice, Conversation, Format, Reasoning, Settings, Tool};
use crate::wire::json::Members;

/// What is read here.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "system",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "stream",
];

/// What does not change an answer, and is left out.
const HARMLESS: &[&str] = &[
    "service_tier",
    "cache_control",
    "diagnostics",
    "betas",
    "anthropic_beta",
    "user_profile_id",
    "workspace_id",
];

/// What the model may be told about tools without changing what they are.
const TOOL: &[&str] = &[
    "type",
    "name",
    "description",
    "input_schema",
    "strict",
    "cache_control",
    "eager_input_streaming",
    "input_examples",
];

/// Reads a request that has to be translated. `service_tier`, `cache_control`, `diagnostics`, `betas`, user profiles
/// and workspaces are left out; every other member that is not read here is foreign: `mcp_servers`, `container`,
/// `context_management`, `inference_geo`, a budget for a task, tools that the provider runs, and what comes next.
pub fn read(members: &Members) -> Result<Conversation, Error> {
    let mut foreign: Vec<String> = members
        .names()
        .filter(|name| !KNOWN.contains(name) && !HARMLESS.contains(name))
        .filter(|name| members.get(name).is_some_and(|raw| !matches!(raw.get(), "null" | "[]")))
        .map(str::to_owned)
        .collect();
    let messages = read_messages(members)?;
    let tools = read_tools(members, &mut foreign)?;
    let (choice, parallel_tools) = read_choice(members)?;
    let output = optional::<Members>(members, "output_config", "")?.unwrap_or_default();
    let others = output.names().filter(|name| !matches!(*name, "effort" | "format"));
    foreign.extend(others.map(|name| format!("output_config.{name}")));
    let settings = Settings {
        max_output: Some(max_tokens(members)?),
        temperature: number(members, "temperature")?,
        top_p: number(members, "top_p")?,
        top_k: optional(members, "top_k", "")?,
        stop: optional(members, "stop_sequences", "")?.unwrap_or_default(),
        parallel_tools,
        format: read_format(members, &output)?,
        reasoning: read_reasoning(members, &output)?,
        user: read_user(members)?,
        ..Settings::default()
    };
    Ok(Conversation { messages, tools, choice, settings, foreign })
}

fn max_tokens(members: &Members) -> Result<u64, Error> {
    match required(members, "max_tokens", "")? {
        0 => Err(invalid(
            "max_tokens",
            "of 0, which only fills a cache, cannot be translated: send at least 1",
        )),
        bound => Ok(bound),
    }
}

/// From 0 to 1.
fn number(members: &Members, name: &str) -> Result<Option<f64>, Error> {
    let number = optional::<f64>(members, name, "")?;
    match number.filter(|number| !(0.0..=1.0).contains(number)) {
        Some(_) => Err(invalid(name, "must be from 0 to 1")),
        None => Ok(number),
    }
}

fn read_user(members: &Members) -> Result<Option<String>, Error> {
    let metadata = optional::<Members>(members, "metadata", "")?;
    metadata.map_or(Ok(None), |metadata| optional(&metadata, "user_id", "metadata"))
}

/// Tools without a type, or of type `custom`, are the caller's; others are the provider's.
fn read_tools(members: &Members, foreign: &mut Vec<String>) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::new();
    for (index, tool) in
        optional::<Vec<Members>>(members, "tools", "")?.unwrap_or_default().iter().enumerate()
    {
        let path = format!("tools.{index}");
        if optional::<String>(tool, "type", &path)?.is_some_and(|kind| kind != "custom") {
            foreign.push(path);
            continue;
        }
        let others = tool.names().filter(|name| !TOOL.contains(name));
        foreign.extend(others.map(|name| format!("{path}.{name}")));
        tools.push(Tool {
            name: required(tool, "name", &path)?,
            description: optional(tool, "description", &path)?,
            schema: Some(required(tool, "input_schema", &path)?),
            strict: optional(tool, "strict", &path)?,
            custom: None,
        });
    }
    Ok(tools)
}

/// And whether several tools may be called at once.
fn read_choice(members: &Members) -> Result<(Option<Choice>, Option<bool>), Error> {
    let Some(choice) = optional::<Members>(members, "tool_choice", "")? else { return Ok((None, None)) };
    let disabled = optional::<bool>(&choice, "disable_parallel_tool_use", "tool_choice")?;
    let choice = match required::<String>(&choice, "type", "tool_choice")?.as_str() {
        "auto" => Choice::Auto,
        "any" => Choice::Any,
        "none" => Choice::Never,
        "tool" => Choice::Named(required(&choice, "name", "tool_choice")?),
        _ => return Err(invalid("tool_choice.type", "must be `auto`, `any`, `tool` or `none`")),
    };
    Ok((Some(choice), disabled.map(|disabled| !disabled)))
}

/// `output_config.format`, or `output_format`, its name in the beta.
fn read_format(members: &Members, output: &Members) -> Result<Format, Error> {
    let (format, path) = match optional::<Members>(output, "format", "output_config")? {
        Some(format) => (format, "output_config.format"),
        None => match optional::<Members>(members, "output_format", "")? {
            Some(format) => (format, "output_format"),
            None => return Ok(Format::Text),
        },
    };
    if required::<String>(&format, "type", path)? != "json_schema" {
        return Err(invalid(&format!("{path}.type"), "must be `json_schema`"));
    }
    let schema = required(&format, "schema", path)?;
    // The provider follows the schema always.
    Ok(Format::Schema { name: "answer".to_owned(), description: None, schema, strict: Some(true) })
}

/// `thinking` and `output_config.effort`. With thinking off, an effort has nothing left to say in other dialects.
fn read_reasoning(members: &Members, output: &Members) -> Result<Option<Reasoning>, Error> {
    let effort = optional::<String>(output, "effort", "output_config")?;
    if effort.as_deref().is_some_and(|effort| !["low", "medium", "high", "xhigh", "max"].contains(&effort)) {
        let detail = "must be `low`, `medium`, `high`, `xhigh` or `max`";
        return Err(invalid("output_config.effort", detail));
    }
    let Some(thinking) = optional::<Members>(members, "thinking", "")? else {
        return Ok(effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }));
    };
    let visible = match optional::<String>(&thinking, "display", "thinking")?.as_deref() {
        None => None,
        Some("omitted") => Some(false),
        Some(_) => Some(true),
    };
    let budget = match required::<String>(&thinking, "type", "thinking")?.as_str() {
        "enabled" => Some(required::<u64>(&thinking, "budget_tokens", "thinking")?),
        "adaptive" => None,
        "disabled" => {
            let off = Reasoning { effort: Some("none".to_owned()), budget: Some(0), visible: None };
            return Ok(Some(off));
        }
        _ => return Err(invalid("thinking.type", "must be `enabled`, `adaptive` or `disabled`")),
    };
    Ok(Some(Reasoning { effort, budget, visible }))
}
