//! A caller's request, read into the neutral form.

use super::contents::{self, Joined};
use super::fields::{Object, wrong};
use super::schema::json_schema;
use super::tools;
use crate::error::Error;
use crate::wire::conversation::{Conversation, Format, Message, Part, Reasoning, Role, Settings};
use crate::wire::json::Members;

/// The most turns of one request.
const MAX_TURNS: usize = 20_000;

/// Members that change nothing about the answer, or that stand in the URL.
const HARMLESS: &[&str] = &["model", "labels", "serviceTier", "store"];

/// Reads a request's body. Member names are taken in camelCase and in snake_case, as the API does.
///
/// Left out in silence: `model`, `labels`, `serviceTier`, `store`, a function's `response` schema, and in schemas
/// `propertyOrdering`. Everything else that has no place in the neutral form (`safetySettings`, `cachedContent`,
/// `googleSearch` and the other built-in tools, `responseModalities`, `speechConfig`, several candidates) is named in
/// `Conversation::foreign` by its path.
pub fn read(members: &Members) -> Result<Conversation, Error> {
    let request = Object::request(members);
    let known = ["contents", "systemInstruction", "tools", "toolConfig", "generationConfig"];
    let mut foreign = request.others(&[&known[..], HARMLESS].concat());
    let mut messages = Vec::new();
    if let Some(system) = request.object("systemInstruction")? {
        messages.extend(instruction(&system)?);
    }
    messages.extend(turns(&request, &mut foreign)?);
    let (tools, choice) = tools::read(&request, &mut foreign)?;
    let settings = match request.object("generationConfig")? {
        Some(config) => settings(&config, &mut foreign)?,
        None => Settings::default(),
    };
    Ok(Conversation { messages, tools, choice, settings, foreign })
}

fn instruction(system: &Object) -> Result<Option<Message>, Error> {
    let mut parts = Vec::new();
    for part in system.list("parts")? {
        match part.text("text")? {
            Some(text) => parts.push(Part::Text(text)),
            None => return Err(wrong(part.path(), "must be a text: send anything else in `contents`")),
        }
    }
    Ok((!parts.is_empty()).then_some(Message { role: Role::System, parts }))
}

fn turns(request: &Object, foreign: &mut Vec<String>) -> Result<Vec<Message>, Error> {
    let contents = request.list("contents")?;
    let nothing = || wrong("contents", "must have at least one turn: `[{\"parts\": [{\"text\": \"…\"}]}]`");
    if contents.is_empty() {
        return Err(nothing());
    }
    if contents.len() > MAX_TURNS {
        return Err(wrong("contents", format!("has more than {MAX_TURNS} turns")));
    }
    let mut joined = Joined::default();
    let mut messages: Vec<Message> = Vec::new();
    for content in &contents {
        let role = match content.text("role")?.as_deref() {
            None | Some("" | "user" | "function") => Role::User,
            Some("model") => Role::Assistant,
            Some(other) => {
                let detail = format!("is {other:?}: it must be \"user\" or \"model\"");
                return Err(wrong(&content.at("role"), detail));
            }
        };
        foreign.extend(content.others(&["role", "parts"]));
        let parts = contents::parts(content, role, &mut joined, foreign)?;
        match messages.last_mut() {
            // Client libraries keep a streamed answer as one turn a chunk.
            Some(last) if role == Role::Assistant && last.role == role => contents::append(last, parts),
            _ if parts.is_empty() => {}
            _ => {
                let mut message = Message { role, parts: Vec::new() };
                contents::append(&mut message, parts);
                messages.push(message);
            }
        }
    }
    // A turn that only another dialect's target cannot be told of is refused by its name.
    if messages.is_empty() && foreign.is_empty() { Err(nothing()) } else { Ok(messages) }
}

fn settings(config: &Object, foreign: &mut Vec<String>) -> Result<Settings, Error> {
    foreign.extend(config.others(&[
        "maxOutputTokens",
        "temperature",
        "topP",
        "topK",
        "seed",
        "stopSequences",
        "presencePenalty",
        "frequencyPenalty",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "thinkingConfig",
        "candidateCount",
        "responseModalities",
    ]));
    if config.read::<u64>("candidateCount", "a number")?.is_some_and(|count| count > 1) {
        foreign.push(config.at("candidateCount"));
    }
    let modalities = config.read::<Vec<String>>("responseModalities", "an array of strings")?;
    if modalities.is_some_and(|wanted| wanted.iter().any(|modality| !modality.eq_ignore_ascii_case("text"))) {
        foreign.push(config.at("responseModalities"));
    }
    let positive = "a number of 0 or more";
    let top_k = config.read::<f64>("topK", positive)?;
    if top_k.is_some_and(|k| k < 0.0 || k.fract() != 0.0) {
        return Err(wrong(&config.at("topK"), "must be a whole number of 0 or more"));
    }
    Ok(Settings {
        max_output: config.read("maxOutputTokens", positive)?,
        temperature: config.read("temperature", "a number")?,
        top_p: config.read("topP", "a number")?,
        top_k: top_k.map(|k| k as u64),
        presence_penalty: config.read("presencePenalty", "a number")?,
        frequency_penalty: config.read("frequencyPenalty", "a number")?,
        seed: config.read("seed", "a whole number")?,
        stop: config.read("stopSequences", "an array of strings")?.unwrap_or_default(),
        parallel_tools: None,
        format: format(config, foreign)?,
        reasoning: config.object("thinkingConfig")?.map(|thinking| reasoning(&thinking)).transpose()?,
        user: None,
    })
}

/// A schema without the JSON media type has no effect, and Google refuses it: here it counts.
fn format(config: &Object, foreign: &mut Vec<String>) -> Result<Format, Error> {
    let schema = match config.read::<Members>("responseJsonSchema", "a JSON Schema: an object")? {
        Some(schema) => Some(schema),
        None => config.read::<Members>("responseSchema", "a schema")?.as_ref().map(json_schema),
    };
    let media = config.text("responseMimeType")?;
    match media.as_deref() {
        None | Some("" | "application/json") => {}
        Some("text/plain") if schema.is_none() => return Ok(Format::Text),
        Some(_) => foreign.push(config.at("responseMimeType")),
    }
    Ok(match (schema, media.as_deref()) {
        (Some(schema), _) => {
            Format::Schema { name: "answer".to_owned(), description: None, schema, strict: None }
        }
        (None, Some("application/json")) => Format::Json,
        (None, _) => Format::Text,
    })
}

/// A budget of -1 lets the model decide, which is what it does when it is told nothing.
fn reasoning(thinking: &Object) -> Result<Reasoning, Error> {
    let budget = thinking.read::<i64>("thinkingBudget", "a whole number")?;
    let level = thinking.text("thinkingLevel")?.map(|level| level.to_ascii_lowercase());
    Ok(Reasoning {
        effort: level.filter(|level| level != "thinking_level_unspecified"),
        budget: budget.and_then(|budget| u64::try_from(budget).ok()),
        visible: thinking.read("includeThoughts", "true or false")?,
    })
}
