//! OpenAI's own description of its API, where `shared/specs` lies beside the project: what every answer on the wire is
//! held against.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

use super::wire::Exchange;
use crate::hosts::ctx::check;

/// A name for the document, which is never fetched.
const DOCUMENT: &str = "urn:openai-openapi";

/// One validator a kind of body.
pub struct Schemas {
    completion: Validator,
    chunk: Validator,
    response: Validator,
    events: BTreeMap<String, Validator>,
    models: Validator,
    model: Validator,
    embeddings: Validator,
    error: Validator,
}

impl Schemas {
    /// Reads the document; `None` where it is absent.
    pub fn open() -> Result<Option<Self>, String> {
        let shared = std::env::var_os("OPENCODE_SHARED").map(PathBuf::from);
        let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
        let file = shared.join("specs/openai-openapi.json");
        if !file.is_file() {
            return Ok(None);
        }
        let failed = |error: &dyn std::fmt::Display| format!("openai-openapi.json: {error}");
        let text = std::fs::read_to_string(&file).map_err(|error| failed(&error))?;
        let mut document: Value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        spell_out_nullable(&mut document["components"]["schemas"]);
        let events = event_names(&document["components"]["schemas"]);
        let registry = Registry::new()
            .add(DOCUMENT, document)
            .and_then(|registry| registry.prepare())
            .map_err(|error| failed(&error))?;
        let validator = |name: &str| {
            let schema = json!({ "$ref": format!("{DOCUMENT}#/components/schemas/{name}") });
            let built = jsonschema::options().with_registry(&registry).build(&schema);
            built.map_err(|error| format!("{name}: {error}"))
        };
        Ok(Some(Self {
            completion: validator("CreateChatCompletionResponse")?,
            chunk: validator("CreateChatCompletionStreamResponse")?,
            response: validator("Response")?,
            events: events
                .into_iter()
                .map(|(event, schema)| Ok((event, validator(&schema)?)))
                .collect::<Result<_, String>>()?,
            models: validator("ListModelsResponse")?,
            model: validator("Model")?,
            embeddings: validator("CreateEmbeddingResponse")?,
            error: validator("ErrorResponse")?,
        }))
    }

    /// Holds one answer against the schema of its route. Other companies' dialects have none here.
    pub fn check(&self, exchange: &Exchange) -> Result<(), String> {
        let Exchange { path, status, .. } = exchange;
        let route = path.rsplit_once("/v1/").map(|(_, route)| route);
        // Google's SDKs ask for `/v1/models/MODEL:generateContent`.
        let other =
            |route: &str| route.starts_with("messages") || route.to_lowercase().ends_with("generatecontent");
        if route.is_none_or(other) {
            return Ok(());
        }
        match exchange.media() {
            "text/event-stream" if *status == 200 && route == Some("responses") => self.events(exchange),
            "text/event-stream" if *status == 200 => self.stream(exchange),
            // A client that tries again may leave a refusal unread.
            "application/json" if !exchange.complete => Ok(()),
            "application/json" => {
                let mut body: Value = serde_json::from_str(&exchange.body)
                    .map_err(|error| format!("{path} answered no JSON: {error}: {}", exchange.body))?;
                let validator = match route {
                    _ if *status >= 400 => &self.error,
                    Some("chat/completions") => &self.completion,
                    Some("responses") => &self.response,
                    Some("models") => &self.models,
                    Some("embeddings") => {
                        without_base64(&mut body);
                        &self.embeddings
                    }
                    Some(route) if route.starts_with("models/") => &self.model,
                    _ => return Err(format!("no schema is known for {path}")),
                };
                holds(validator, &body)
            }
            other => Err(format!("{path} answered {status} as {other:?}: {}", exchange.body)),
        }
    }

    /// Every event by itself; then what the schema says in words only: they are numbered in order, and each is named.
    fn events(&self, exchange: &Exchange) -> Result<(), String> {
        for (number, event) in exchange.events().into_iter().enumerate() {
            let data = event.json();
            let validator = self.events.get(&event.name);
            holds(
                validator.ok_or_else(|| format!("no schema is known for the event {}", event.name))?,
                &data,
            )?;
            let fits = data["sequence_number"] == json!(number) && data["type"] == json!(event.name);
            check(fits, || format!("event {number}, named {}: {data}", event.name))?;
        }
        Ok(())
    }

    /// Every chunk by itself; then what the schema says in words only: one id and one time in a stream.
    fn stream(&self, exchange: &Exchange) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for event in exchange.events() {
            if event.data == "[DONE]" {
                continue;
            }
            let chunk = event.json();
            if chunk["error"].is_null() {
                holds(&self.chunk, &chunk)?;
                seen.insert((chunk["id"].to_string(), chunk["created"].to_string()));
            } else {
                holds(&self.error, &chunk)?;
            }
        }
        if seen.len() > 1 { Err(format!("one stream, several ids or times: {seen:?}")) } else { Ok(()) }
    }
}

/// Each event of Responses, with the name of its schema.
fn event_names(schemas: &Value) -> Vec<(String, String)> {
    let all = schemas["ResponseStreamEvent"]["anyOf"].as_array().cloned().unwrap_or_default();
    let named = |one: &Value| {
        let schema = one["$ref"].as_str()?.rsplit('/').next()?;
        let event = schemas[schema]["properties"]["type"]["enum"][0].as_str()?;
        Some((event.to_owned(), schema.to_owned()))
    };
    all.iter().filter_map(named).collect()
}

fn holds(validator: &Validator, body: &Value) -> Result<(), String> {
    let errors: Vec<String> =
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if errors.is_empty() { Ok(()) } else { Err(format!("against OpenAI's schema: {errors:?} in {body}")) }
}

/// The document says OpenAPI 3.1, whose schemas are JSON Schema 2020-12, and still uses 3.0's `nullable`.
fn spell_out_nullable(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(spell_out_nullable);
            if members.remove("nullable") == Some(json!(true)) {
                let inner = std::mem::take(members);
                *schema = json!({ "anyOf": [inner, { "type": "null" }] });
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_out_nullable),
        _ => {}
    }
}

/// The document describes vectors as numbers only: one that was asked for as base64 is taken out.
fn without_base64(body: &mut Value) {
    for item in body["data"].as_array_mut().into_iter().flatten() {
        if item["embedding"].is_string() {
            item["embedding"] = json!([]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nullable_becomes_a_choice() {
        let mut schema = json!({ "properties": { "a": { "type": "string", "nullable": true } } });
        spell_out_nullable(&mut schema);
        let expected = json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] });
        assert_eq!(schema["properties"]["a"], expected);
    }
}
