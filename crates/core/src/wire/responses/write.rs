//! A neutral request, written for a provider.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::call::Shape;
use crate::wire::conversation::{
    Cannot, Choice, Conversation, Format, Image, Input, Message, Part, Reasoning, Role, Settings, Source,
    Tool,
};
use crate::wire::json::Members;
use crate::wire::{Dialect, custom};

/// The longest `safety_identifier` that OpenAI takes. A longer user id is left out.
const MAX_SAFETY_IDENTIFIER: usize = 64;

/// Writes a request: always `store: false`, and with `reasoning.encrypted_content` included where there may be
/// reasoning, so that it can be sent back.
///
/// Thinking that is not sealed by this dialect is left out: there is nothing a provider could trust.
/// `ToolResult::failed` has no member; it is written as the item's status `incomplete`, and the result says the rest.
pub fn write(conversation: &Conversation, model: &str, shape: Shape) -> Result<Members, Cannot> {
    let settings = &conversation.settings;
    refuse(conversation)?;
    let mut members = Members::default();
    members.set("model", &model);
    let (instructions, messages) = match conversation.messages.split_first() {
        Some((first, rest)) if first.role == Role::System && !rest.is_empty() => (Some(first), rest),
        _ => (None, conversation.messages.as_slice()),
    };
    if let Some(message) = instructions {
        members.set("instructions", &texts(message));
    }
    let custom = conversation.custom_calls();
    members.set("input", &messages.iter().flat_map(|it| items(it, &custom)).collect::<Vec<_>>());
    if !conversation.tools.is_empty() {
        members.set("tools", &conversation.tools.iter().map(tool).collect::<Vec<_>>());
    }
    if let Some(choice) = &conversation.choice {
        members.set("tool_choice", &tool_choice(choice, &conversation.tools));
    }
    write_settings(settings, &mut members);
    if thinks(settings.reasoning.as_ref(), model) {
        members.set("include", &["reasoning.encrypted_content"]);
    }
    members.set("store", &false);
    if shape == Shape::Stream {
        members.set("stream", &true);
    }
    Ok(members)
}

fn refuse(conversation: &Conversation) -> Result<(), Cannot> {
    let Settings { top_k, seed, presence_penalty, frequency_penalty, stop, .. } = &conversation.settings;
    let refused = [
        (top_k.is_some(), Cannot::TopK),
        (seed.is_some(), Cannot::Seed),
        (presence_penalty.is_some_and(|penalty| penalty != 0.0), Cannot::PresencePenalty),
        (frequency_penalty.is_some_and(|penalty| penalty != 0.0), Cannot::FrequencyPenalty),
        (!stop.is_empty(), Cannot::Stop),
    ];
    if let Some((_, cannot)) = refused.into_iter().find(|(asked, _)| *asked) {
        return Err(cannot);
    }
    let pictured = |message: &Message| {
        message.role != Role::User && message.parts.iter().any(|part| matches!(part, Part::Image(_)))
    };
    if conversation.messages.iter().any(pictured) {
        return Err(Cannot::Image);
    }
    conversation.foreign.first().map_or(Ok(()), |name| Err(Cannot::Foreign(name.clone())))
}

fn write_settings(settings: &Settings, members: &mut Members) {
    if let Some(most) = settings.max_output {
        members.set("max_output_tokens", &most);
    }
    if let Some(temperature) = settings.temperature {
        members.set("temperature", &temperature);
    }
    if let Some(top_p) = settings.top_p {
        members.set("top_p", &top_p);
    }
    if let Some(parallel) = settings.parallel_tools {
        members.set("parallel_tool_calls", &parallel);
    }
    match &settings.format {
        Format::Text => {}
        Format::Json => members.set("text", &json!({"format": {"type": "json_object"}})),
        Format::Schema { name, description, schema, strict } => {
            let mut format = Members::default();
            format.set("type", &"json_schema");
            format.set("name", name);
            set_some(&mut format, "description", description.as_ref());
            format.set("schema", schema);
            set_some(&mut format, "strict", strict.as_ref());
            let mut text = Members::default();
            text.set("format", &format);
            members.set("text", &text);
        }
    }
    if let Some(reasoning) = &settings.reasoning {
        let mut wish = json!({});
        set(&mut wish, "effort", effort(reasoning).as_ref());
        set(&mut wish, "summary", (reasoning.visible == Some(true)).then_some("auto").as_ref());
        members.set("reasoning", &wish);
    }
    if let Some(user) = settings.user.as_ref().filter(|user| user.len() <= MAX_SAFETY_IDENTIFIER) {
        members.set("safety_identifier", user);
    }
}

/// The effort, or what comes nearest to a budget in tokens: OpenAI has no budgets. The bounds are ours.
fn effort(reasoning: &Reasoning) -> Option<&str> {
    let nearest = reasoning.budget.map(|budget| match budget {
        0 => "none",
        1..=2_048 => "low",
        2_049..=8_192 => "medium",
        _ => "high",
    });
    reasoning.effort.as_deref().or(nearest)
}

/// Whether an answer may have reasoning to seal. OpenAI refuses the wish for its other models.
fn thinks(reasoning: Option<&Reasoning>, model: &str) -> bool {
    reasoning.is_some_and(|reasoning| effort(reasoning) != Some("none")) || is_reasoning_model(model)
}

/// OpenAI's `o…` and, from 5 on, `gpt-…` models, but for those that only chat; `codex-…`.
fn is_reasoning_model(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let number = |text: &str| -> u32 {
        let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    let thinks = match (name.strip_prefix("gpt-"), name.strip_prefix('o')) {
        (Some(version), _) => number(version) >= 5,
        (None, Some(version)) => number(version) > 0,
        (None, None) => name.starts_with("codex-"),
    };
    thinks && !name.contains("-chat")
}

/// A message's items, in order: texts and images between calls, results and thinking are one item.
/// `custom`: the ids of custom tools' calls.
fn items(message: &Message, custom: &HashSet<&str>) -> Vec<Value> {
    let mut items = Vec::new();
    let mut said = Vec::new();
    for part in &message.parts {
        let item = match part {
            Part::Text(_) | Part::Image(_) => {
                said.push(part);
                continue;
            }
            Part::Thinking(thinking) => {
                let Some(seal) = thinking.seal.as_ref().filter(|seal| seal.dialect == Dialect::Responses)
                else {
                    continue;
                };
                let summary = Some(&thinking.text).filter(|text| !text.is_empty());
                let summary: Vec<_> =
                    summary.into_iter().map(|text| json!({"type": "summary_text", "text": text})).collect();
                let mut item =
                    json!({"type": "reasoning", "summary": summary, "encrypted_content": seal.value});
                set(&mut item, "id", seal.item.as_ref());
                item
            }
            Part::Call(call) if call.custom => json!({
                "type": "custom_tool_call",
                "call_id": call.id,
                "name": call.name,
                "input": custom::input(&call.arguments),
            }),
            Part::Call(call) => json!({
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.arguments,
            }),
            Part::Result(result) => {
                let parts: Vec<_> = result.parts.iter().collect();
                let is_custom = custom.contains(result.id.as_str());
                let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
                let mut item = json!({"type": kind, "call_id": result.id, "output": content(&parts)});
                let status = (result.failed && !is_custom).then_some("incomplete");
                set(&mut item, "status", status.as_ref());
                item
            }
        };
        flush(message.role, &mut said, &mut items);
        items.push(item);
    }
    flush(message.role, &mut said, &mut items);
    items
}

fn flush(role: Role, said: &mut Vec<&Part>, items: &mut Vec<Value>) {
    let said = std::mem::take(said);
    if said.is_empty() {
        return;
    }
    let role = match role {
        Role::System => "system",
        Role::User => "user",
        // An assistant's parts would have to be `output_text`, which an input message has not: its texts are one.
        Role::Assistant => {
            let text: String = said.iter().filter_map(|part| text(part)).collect();
            items.push(json!({"type": "message", "role": "assistant", "content": text}));
            return;
        }
    };
    items.push(json!({"type": "message", "role": role, "content": content(&said)}));
}

/// A text alone is written as one.
fn content(parts: &[&Part]) -> Value {
    match parts {
        [] => json!(""),
        [Part::Text(text)] => json!(text),
        _ => parts.iter().filter_map(|part| input_part(part)).collect(),
    }
}

fn input_part(part: &Part) -> Option<Value> {
    match part {
        Part::Text(text) => Some(json!({"type": "input_text", "text": text})),
        Part::Image(Image { source, detail }) => {
            let url = match source {
                Source::Url(url) => url.clone(),
                Source::Data { media, base64 } => format!("data:{media};base64,{base64}"),
            };
            let detail = detail.as_deref().unwrap_or("auto");
            Some(json!({"type": "input_image", "image_url": url, "detail": detail}))
        }
        Part::Thinking(_) | Part::Call(_) | Part::Result(_) => None,
    }
}

fn text(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        _ => None,
    }
}

fn texts(message: &Message) -> String {
    message.parts.iter().filter_map(text).collect::<Vec<_>>().join("\n\n")
}

/// `strict` is on here where it is left out, unlike in every other dialect: so it is always said.
fn tool(tool: &Tool) -> Members {
    let mut written = Members::default();
    written.set("type", &if tool.custom.is_some() { "custom" } else { "function" });
    written.set("name", &tool.name);
    set_some(&mut written, "description", tool.description.as_ref());
    match (&tool.custom, &tool.schema) {
        (Some(Input::Text), _) => written.set("format", &json!({"type": "text"})),
        (Some(Input::Grammar { syntax, definition }), _) => {
            let grammar = json!({"type": "grammar", "syntax": syntax, "definition": definition});
            written.set("format", &grammar);
        }
        (None, Some(schema)) => written.set("parameters", schema),
        (None, None) => {
            let nothing =
                json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
            written.set("parameters", &nothing);
        }
    }
    if tool.custom.is_none() {
        written.set("strict", &tool.strict.unwrap_or(false));
    }
    written
}

fn tool_choice(choice: &Choice, tools: &[Tool]) -> Value {
    match choice {
        Choice::Auto => json!("auto"),
        Choice::Never => json!("none"),
        Choice::Any => json!("required"),
        Choice::Named(name) => {
            let custom = tools.iter().any(|tool| tool.name == *name && tool.custom.is_some());
            json!({"type": if custom { "custom" } else { "function" }, "name": name})
        }
    }
}

fn set_some(members: &mut Members, name: &str, value: Option<&impl serde::Serialize>) {
    if let Some(value) = value {
        members.set(name, value);
    }
}

fn set(object: &mut Value, name: &str, value: Option<&impl serde::Serialize>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), json!(value));
    }
}
