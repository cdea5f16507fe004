//! The request that goes to Google.

use http::header::InvalidHeaderValue;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use super::{model, turns};
use crate::call::Shape;
use crate::wire::conversation::{Cannot, Choice, Conversation, Format, Reasoning, Settings, Tool};
use crate::wire::json::Members;

/// Headers that every request has: none.
pub const HEADERS: &[(&str, &str)] = &[];

/// The most `stopSequences` (reference of `GenerationConfig`).
const MAX_STOPS: usize = 5;

/// What may not stand in a URL's path as it is.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// `{base_url}/models/{model}:generateContent`, or `…:streamGenerateContent?alt=sse`: without `alt` a JSON array
/// would stream. A name with a slash (`tunedModels/mine`) is a whole path.
pub fn uri(base_url: &str, model: &str, shape: Shape) -> String {
    let base = base_url.trim_end_matches('/');
    let folder = if model.contains('/') { "" } else { "models/" };
    let method = match shape {
        Shape::Stream => "streamGenerateContent?alt=sse",
        Shape::Whole => "generateContent",
    };
    format!("{base}/{folder}{}:{method}", utf8_percent_encode(model, PATH))
}

/// `x-goog-api-key`.
pub fn credential(secret: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(secret)?;
    value.set_sensitive(true);
    Ok((HeaderName::from_static("x-goog-api-key"), value))
}

/// A caller's own body: the URL says the model and whether to stream, and usage is always reported, so that only a
/// `model` in the body is replaced.
pub fn pass(members: &Members, model: &str, _shape: Shape) -> Members {
    let mut members = members.clone();
    if members.get("model").is_some() {
        let folder = if model.contains('/') { "" } else { "models/" };
        members.set("model", &format!("{folder}{model}"));
    }
    members
}

/// The body for the model. Left out: `Settings::user`, `Image::detail`, a schema's name, and what another provider
/// sealed. An effort above `high` is `high`, the most that there is.
pub fn write(conversation: &Conversation, model: &str, _shape: Shape) -> Result<Members, Cannot> {
    if let Some(name) = conversation.foreign.first() {
        return Err(Cannot::Foreign(name.clone()));
    }
    conversation.without_custom_tools()?;
    let Conversation { messages, tools, choice, settings, .. } = conversation;
    // One tool that must be called is called once: only then is the wish kept here.
    let forced = matches!(choice, Some(Choice::Any | Choice::Named(_))) && tools.len() == 1;
    if !tools.is_empty() && !forced && settings.parallel_tools == Some(false) {
        return Err(Cannot::ParallelTools);
    }
    let said = turns::write(messages, model)?;
    let mut body = Members::default();
    if !said.system.is_empty() {
        let mut instruction = Members::default();
        instruction.set("parts", &said.system);
        body.set("systemInstruction", &instruction);
    }
    body.set("contents", &said.contents);
    if !tools.is_empty() {
        let declared: Vec<_> = tools.iter().map(declaration).collect();
        let mut functions = Members::default();
        functions.set("functionDeclarations", &declared);
        body.set("tools", &[functions]);
    }
    if let Some(calling) = calling(tools, choice.as_ref())? {
        body.set("toolConfig", &json!({"functionCallingConfig": calling}));
    }
    let config = config(settings, model, !tools.is_empty())?;
    if config.names().next().is_some() {
        body.set("generationConfig", &config);
    }
    Ok(body)
}

fn declaration(tool: &Tool) -> Members {
    let mut function = Members::default();
    function.set("name", &tool.name);
    set(&mut function, "description", tool.description.as_ref());
    set(&mut function, "parametersJsonSchema", tool.schema.as_ref());
    function
}

/// VALIDATED is AUTO whose calls follow their schemas; ANY does so by itself.
fn calling(tools: &[Tool], choice: Option<&Choice>) -> Result<Option<Value>, Cannot> {
    let strict = tools.iter().any(|tool| tool.strict == Some(true));
    Ok(match choice {
        Some(Choice::Any | Choice::Named(_)) if tools.is_empty() => return Err(Cannot::Tools),
        _ if tools.is_empty() => None,
        None | Some(Choice::Auto) if strict => Some(json!({"mode": "VALIDATED"})),
        None => None,
        Some(Choice::Auto) => Some(json!({"mode": "AUTO"})),
        Some(Choice::Never) => Some(json!({"mode": "NONE"})),
        Some(Choice::Any) => Some(json!({"mode": "ANY"})),
        Some(Choice::Named(name)) => Some(json!({"mode": "ANY", "allowedFunctionNames": [name]})),
    })
}

fn config(settings: &Settings, model: &str, tools: bool) -> Result<Members, Cannot> {
    if settings.stop.len() > MAX_STOPS {
        return Err(Cannot::Stop);
    }
    if settings.temperature.is_some_and(|degrees| !(0.0..=2.0).contains(&degrees)) {
        return Err(Cannot::Temperature);
    }
    if settings.seed.is_some_and(|seed| i32::try_from(seed).is_err()) {
        return Err(Cannot::Seed);
    }
    let mut config = Members::default();
    set(&mut config, "maxOutputTokens", settings.max_output.as_ref());
    set(&mut config, "temperature", settings.temperature.as_ref());
    set(&mut config, "topP", settings.top_p.as_ref());
    set(&mut config, "topK", settings.top_k.as_ref());
    set(&mut config, "seed", settings.seed.as_ref());
    set(&mut config, "presencePenalty", settings.presence_penalty.as_ref());
    set(&mut config, "frequencyPenalty", settings.frequency_penalty.as_ref());
    if !settings.stop.is_empty() {
        config.set("stopSequences", &settings.stop);
    }
    // Before Gemini 3 functions and a JSON media type are refused together.
    let apart = tools && !model::is_modern(model);
    match &settings.format {
        Format::Text => {}
        Format::Json if apart => return Err(Cannot::Json),
        Format::Schema { .. } if apart => return Err(Cannot::Schema),
        Format::Json => config.set("responseMimeType", &"application/json"),
        Format::Schema { schema, description, .. } => {
            config.set("responseMimeType", &"application/json");
            config.set("responseJsonSchema", &described(schema, description.as_deref()));
        }
    }
    if let Some(reasoning) = &settings.reasoning {
        let thinking = thinking(reasoning, model)?;
        if thinking.names().next().is_some() {
            config.set("thinkingConfig", &thinking);
        }
    }
    Ok(config)
}

/// A schema with what it is for, unless it says so itself.
fn described(schema: &Members, description: Option<&str>) -> Members {
    let mut schema = schema.clone();
    if let Some(description) = description {
        schema.add("description", &description);
    }
    schema
}

/// A level from Gemini 3 on, and before it a budget, in the sizes that Google's own OpenAI interface gives the efforts
/// (<https://ai.google.dev/gemini-api/docs/openai>). Both at once are refused, so that a budget goes before an effort.
/// From Gemini 3 on thinking cannot be turned off.
fn thinking(reasoning: &Reasoning, model: &str) -> Result<Members, Cannot> {
    let modern = model::is_modern(model);
    let mut config = Members::default();
    match (reasoning.budget, reasoning.effort.as_deref()) {
        (Some(0), _) | (None, Some("none")) if modern => return Err(Cannot::Reasoning),
        (Some(budget), _) => config.set("thinkingBudget", &budget),
        (None, Some(effort)) if modern => config.set("thinkingLevel", &level(effort)?),
        (None, Some(effort)) => config.set("thinkingBudget", &budget(effort)?),
        (None, None) => {}
    }
    set(&mut config, "includeThoughts", reasoning.visible.as_ref());
    Ok(config)
}

fn level(effort: &str) -> Result<&'static str, Cannot> {
    Ok(match effort {
        "minimal" => "MINIMAL",
        "low" => "LOW",
        "medium" => "MEDIUM",
        "high" | "xhigh" | "max" => "HIGH",
        _ => return Err(Cannot::Reasoning),
    })
}

fn budget(effort: &str) -> Result<u64, Cannot> {
    Ok(match effort {
        "none" => 0,
        "minimal" | "low" => 1024,
        "medium" => 8192,
        "high" | "xhigh" | "max" => 24_576,
        _ => return Err(Cannot::Reasoning),
    })
}

fn set(members: &mut Members, name: &str, value: Option<&impl serde::Serialize>) {
    if let Some(value) = value {
        members.set(name, value);
    }
}
