//! Neutral requests, written as Anthropic's.

use serde::Serialize;
use serde_json::{Value, json};

use super::model::{Abilities, Sampling, abilities};
use super::schema;
use super::thinking::{Plan, plan};
use super::turns::{Block, turns};
use crate::call::Shape;
use crate::wire::conversation::{Cannot, Choice, Conversation, Format, Settings, Tool};
use crate::wire::json::Members;

/// The body of a request to `model`. What only newer or older models take is told by the model's name. A penalty of
/// 0, and `temperature` and `top_p` of 1, are what happens anyway and are left out.
pub fn write(conversation: &Conversation, model: &str, shape: Shape) -> Result<Members, Cannot> {
    let Conversation { messages, tools, choice, settings, foreign } = conversation;
    if let Some(name) = foreign.first() {
        return Err(Cannot::Foreign(name.clone()));
    }
    conversation.without_custom_tools()?;
    let abilities = abilities(model);
    let forced = matches!(choice, Some(Choice::Any | Choice::Named(_)));
    let plan = plan(settings.reasoning.as_ref(), settings.max_output, forced, abilities)?;
    let turns = turns(messages, abilities.system)?;
    if plan.has_budget() && turns.lack_thinking() {
        return Err(Cannot::Reasoning);
    }

    let mut body = Members::default();
    body.set("model", &model);
    body.set("max_tokens", &plan.max_tokens);
    match turns.system.as_slice() {
        [] => {}
        [Block::Text { text }] => body.set("system", text),
        blocks => body.set("system", &blocks),
    }
    body.set("messages", &turns.messages);
    write_tools(tools, choice.as_ref(), settings.parallel_tools, abilities, &mut body)?;
    write_sampling(settings, &plan, abilities, &mut body)?;
    write_output(settings, &plan, abilities, &mut body)?;
    if let Some(user) = &settings.user {
        body.set("metadata", &json!({"user_id": user}));
    }
    if shape == Shape::Stream {
        body.set("stream", &true);
    }
    Ok(body)
}

#[derive(Serialize)]
struct Definition<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Members,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

fn write_tools(
    tools: &[Tool],
    choice: Option<&Choice>,
    parallel: Option<bool>,
    abilities: Abilities,
    body: &mut Members,
) -> Result<(), Cannot> {
    let forced = matches!(choice, Some(Choice::Any | Choice::Named(_)));
    if forced && (tools.is_empty() || !abilities.forced) {
        return Err(Cannot::Tools);
    }
    if tools.is_empty() {
        return Ok(());
    }
    let definitions = tools.iter().map(|tool| definition(tool, abilities));
    body.set("tools", &definitions.collect::<Result<Vec<_>, _>>()?);
    let mut choice = match choice {
        Some(Choice::Auto) => json!({"type": "auto"}),
        Some(Choice::Any) => json!({"type": "any"}),
        Some(Choice::Named(name)) => json!({"type": "tool", "name": name}),
        Some(Choice::Never) => {
            body.set("tool_choice", &json!({"type": "none"}));
            return Ok(());
        }
        None if parallel == Some(false) => json!({"type": "auto"}),
        None => return Ok(()),
    };
    if let (Some(false), Some(choice)) = (parallel, choice.as_object_mut()) {
        choice.insert("disable_parallel_tool_use".to_owned(), Value::Bool(true));
    }
    body.set("tool_choice", &choice);
    Ok(())
}

fn definition(tool: &Tool, abilities: Abilities) -> Result<Definition<'_>, Cannot> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let strict = tool.strict.filter(|strict| *strict);
    if !(1..=128).contains(&tool.name.len())
        || !tool.name.bytes().all(fits)
        || (strict.is_some() && !abilities.schema)
    {
        return Err(Cannot::Tools);
    }
    let mut input_schema = tool.schema.clone().unwrap_or_default();
    if tool.schema.is_none() {
        input_schema.set("properties", &json!({}));
    }
    if strict.is_some() {
        input_schema = schema::strict(&input_schema).ok_or(Cannot::Tools)?;
    }
    input_schema.add("type", &"object");
    Ok(Definition { name: &tool.name, description: tool.description.as_deref(), input_schema, strict })
}

fn write_sampling(
    settings: &Settings,
    plan: &Plan,
    abilities: Abilities,
    body: &mut Members,
) -> Result<(), Cannot> {
    let some = |number: Option<f64>, default: f64| number.filter(|number| *number != default);
    if settings.seed.is_some() {
        return Err(Cannot::Seed);
    }
    if some(settings.presence_penalty, 0.0).is_some() {
        return Err(Cannot::PresencePenalty);
    }
    if some(settings.frequency_penalty, 0.0).is_some() {
        return Err(Cannot::FrequencyPenalty);
    }
    if settings.stop.iter().any(|stop| stop.trim().is_empty()) {
        return Err(Cannot::Stop);
    }
    let fixed = abilities.sampling == Sampling::Fixed || plan.thinks();
    let temperature = some(settings.temperature, 1.0);
    let top_p = some(settings.top_p, 1.0);
    if temperature.is_some_and(|temperature| fixed || !(0.0..=1.0).contains(&temperature)) {
        return Err(Cannot::Temperature);
    }
    let alone = fixed || (abilities.sampling == Sampling::One && temperature.is_some());
    if top_p.is_some_and(|top_p| {
        alone && !(abilities.sampling != Sampling::Fixed && top_p >= 0.95 && plan.thinks())
    }) {
        return Err(Cannot::TopP);
    }
    if settings.top_k.is_some() && fixed {
        return Err(Cannot::TopK);
    }
    set_some("temperature", temperature.as_ref(), body);
    set_some("top_p", top_p.as_ref(), body);
    set_some("top_k", settings.top_k.as_ref(), body);
    set_some("stop_sequences", Some(&settings.stop).filter(|stop| !stop.is_empty()), body);
    Ok(())
}

fn write_output(
    settings: &Settings,
    plan: &Plan,
    abilities: Abilities,
    body: &mut Members,
) -> Result<(), Cannot> {
    let mut output = Members::default();
    set_some("effort", plan.effort.as_ref(), &mut output);
    match &settings.format {
        Format::Text => {}
        Format::Json => return Err(Cannot::Json),
        Format::Schema { description, schema, .. } => {
            let mut schema = schema::strict(schema).filter(|_| abilities.schema).ok_or(Cannot::Schema)?;
            if let Some(description) = description {
                schema.add("description", description);
            }
            let mut format = Members::default();
            format.set("type", &"json_schema");
            format.set("schema", &schema);
            output.set("format", &format);
        }
    }
    set_some("thinking", plan.thinking.as_ref(), body);
    if output.names().next().is_some() {
        body.set("output_config", &output);
    }
    Ok(())
}

fn set_some<T: Serialize>(name: &str, value: Option<&T>, members: &mut Members) {
    if let Some(value) = value {
        members.set(name, value);
    }
}
