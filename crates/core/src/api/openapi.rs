//! `/openapi.json`: the route table as OpenAPI 3.1 (<https://spec.openapis.org/oas/v3.1.0>).

use serde_json::{Map, Value, json};

use super::routes::{Access, Gives, Handler, ROUTES, Row, Takes};
use super::{Surface, surface};
use crate::serve::{SMALL, is_answer};
use crate::wire::json::fixed;

/// Bodies by name.
const SCHEMAS: &str = include_str!("schemas.json");
/// What the headers of a request for an answer may say, by name.
const PARAMETERS: &str = include_str!("parameters.json");
/// All of [`PARAMETERS`].
const HEADERS: [&str; 6] = ["targets", "hedge", "resumable", "continuation", "cache", "trace"];

/// The description of this deployment. `max_body` is the largest request body that it takes, in bytes.
pub fn document(max_body: usize) -> Value {
    let mut paths = Map::new();
    for row in ROUTES.iter().filter(|row| !row.is_alias()) {
        let path = paths.entry(row.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(row.method.to_ascii_lowercase(), operation(row, max_body));
        }
    }
    let (schemas, parameters) = (fixed(SCHEMAS), fixed(PARAMETERS));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "OpenCode Platform",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": format!(
                "A self-hosted AI gateway. A request body may have {max_body} bytes, and {small} where no credential or \
                 no body is needed. Operations marked `x-status: planned` answer 501.",
                small = SMALL.min(max_body),
            ),
        },
        "x-max-body-bytes": max_body,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parameters,
            "securitySchemes": {"key": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key (`ock_…`), or a token from /api/v1/auth/token.",
            }},
        },
    })
}

fn operation(row: &Row, max_body: usize) -> Value {
    let planned = row.handler == Handler::Planned;
    let mut operation = json!({
        "operationId": name(row),
        "summary": row.summary,
        "x-status": if planned { "planned" } else { "built" },
        "responses": responses(row, planned, max_body),
    });
    let Some(members) = operation.as_object_mut() else { return operation };
    if let Access::From(role) = row.access {
        members.insert("security".to_owned(), fixed(r#"[{"key":[]}]"#));
        members.insert("x-role".to_owned(), json!(role));
    }
    if let Some(body) = body(row.takes) {
        // A key may stand in the header alone.
        let required = row.handler != Handler::Token;
        members.insert("requestBody".to_owned(), json!({"required": required, "content": body}));
    }
    let parameters: Vec<Value> = parameters(row).collect();
    if !parameters.is_empty() {
        members.insert("parameters".to_owned(), Value::Array(parameters));
    }
    operation
}

/// `get_api_v1_tasks_task_id`.
fn name(row: &Row) -> String {
    let words =
        row.path.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words.fold(row.method.to_ascii_lowercase(), |name, word| format!("{name}_{word}"))
}

fn body(takes: Takes) -> Option<Value> {
    Some(match takes {
        Takes::Nothing => return None,
        Takes::Json(schema) => json_of(schema),
        Takes::Toml => fixed(r#"{"application/toml":{"schema":{"type":"string"}}}"#),
        Takes::File => fixed(
            r#"{"multipart/form-data":{"schema":{"type":"object","required":["file"],"properties":{"file":
            {"type":"string","contentMediaType":"application/octet-stream"}}}}}"#,
        ),
    })
}

fn parameters(row: &Row) -> impl Iterator<Item = Value> {
    let inside = row.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.split_once('}'));
    let inside = inside.map(|(name, _)| name);
    let path = inside.map(|name| {
        let schema = r#"{"type":"string","minLength":1}"#;
        fixed(&format!(r#"{{"name":"{name}","in":"path","required":true,"schema":{schema}}}"#))
    });
    let paged = matches!(row.handler, Handler::Receipts | Handler::DeadLetters);
    let page = [
        r#"{"name":"after","in":"query","schema":{"type":"string"}}"#,
        r#"{"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":500}}"#,
    ];
    let keys = matches!(row.handler, Handler::KeyList | Handler::KeyRevoke);
    let tenant = r#"{"name":"tenant","in":"query","description":"Another tenant, for operators.","schema":{"type":"string"}}"#;
    let streams = row.handler == Handler::GenerateStream;
    let alt = r#"{"name":"alt","in":"query","required":true,"schema":{"const":"sse"}}"#;
    let follows = matches!(row.handler, Handler::StreamFollow | Handler::ResponseFollow);
    let after = r#"{"name":"starting_after","in":"query","description":"The number of the last event that was read.",
        "schema":{"type":"integer","minimum":0}}"#;
    let last = r#"{"name":"last-event-id","in":"header","schema":{"type":"integer","minimum":0}}"#;
    let streamed = r#"{"name":"stream","in":"query","required":true,"schema":{"const":true}}"#;
    let headers = HEADERS.into_iter().filter(|_| is_answer(row.handler));
    let headers = headers.map(|name| fixed(&format!(r##"{{"$ref":"#/components/parameters/{name}"}}"##)));
    let rest = (page.into_iter().filter(move |_| paged))
        .chain(follows.then_some(after))
        .chain((row.handler == Handler::StreamFollow).then_some(last))
        .chain((row.handler == Handler::ResponseFollow).then_some(streamed))
        .chain(keys.then_some(tenant))
        .chain(streams.then_some(alt));
    path.chain(headers).chain(rest.map(fixed))
}

fn responses(row: &Row, planned: bool, max_body: usize) -> Value {
    let mut all = Map::new();
    let mut add = |status: &str, description: &str, content: Value| {
        let mut response = fixed(r#"{"headers":{"x-opencode-trace":{"schema":{"type":"string"}}}}"#);
        if let Some(response) = response.as_object_mut() {
            response.insert("description".to_owned(), description.into());
            if !content.is_null() {
                response.insert("content".to_owned(), content);
            }
        }
        all.insert(status.to_owned(), response);
    };
    if !planned {
        let (status, content) = given(row.gives);
        add(&status.to_string(), "All is well", content);
    }
    if row.handler == Handler::Ready {
        add("503", "Something is missing", json_of("Ready"));
        return Value::Object(all);
    }
    for (status, description) in failures(row, planned) {
        let description = match status {
            "413" if row.access == Access::Open => format!("{description}: it may have {SMALL} bytes"),
            "413" => format!("{description}: it may have {max_body} bytes"),
            _ => description.to_owned(),
        };
        add(status, &description, failure(row));
    }
    Value::Object(all)
}

fn given(gives: Gives) -> (u16, Value) {
    match gives {
        Gives::Json(status, schema) => (status, json_of(schema)),
        Gives::Events => (200, fixed(r#"{"text/event-stream":{}}"#)),
        Gives::Either(schema) => {
            let mut both = json_of(schema);
            if let Some(both) = both.as_object_mut() {
                both.insert("text/event-stream".to_owned(), Value::Object(Map::new()));
            }
            (200, both)
        }
        Gives::Nothing => (204, Value::Null),
        Gives::Toml => (200, fixed(r#"{"application/toml":{"schema":{"type":"string"}}}"#)),
    }
}

/// What may go wrong on a route, by status.
fn failures(row: &Row, planned: bool) -> Vec<(&'static str, &'static str)> {
    let mut all = Vec::new();
    let open = row.access == Access::Open;
    if row.takes != Takes::Nothing {
        all.extend([
            ("400", "The request cannot be understood"),
            ("413", "The body is too large"),
            ("415", "The body is of another media type"),
            ("422", "A member breaks its bound"),
        ]);
    } else if matches!(
        row.handler,
        Handler::KeyList
            | Handler::KeyRevoke
            | Handler::Receipts
            | Handler::DeadLetters
            | Handler::StreamFollow
            | Handler::ResponseFollow
    ) {
        all.push(("400", "The request cannot be understood"));
    }
    if !open {
        all.extend([
            ("401", "No credential, or one that is not known"),
            ("403", "The role does not suffice"),
        ]);
    } else if row.handler == Handler::Token {
        all.extend([("401", "The key is not known"), ("403", "The role does not suffice")]);
    }
    if planned {
        all.push(("501", "Planned, not built yet"));
        return all;
    }
    let asks = matches!(row.access, Access::From(_));
    if asks {
        all.extend([
            ("404", "There is no such thing"),
            ("409", "It clashes with the present state"),
            ("422", "A member breaks its bound"),
            ("429", "A limit is reached; Retry-After says when to come back"),
            ("500", "A store failed"),
            ("501", "This mode is planned"),
            ("502", "Every target failed"),
            ("503", "Not able to serve now"),
            ("504", "No target answered in time"),
        ]);
    }
    all
}

fn failure(row: &Row) -> Value {
    match surface(row.path) {
        Surface::OpenAi => json_of("OpenAiError"),
        Surface::Anthropic => json_of("AnthropicError"),
        Surface::Gemini => json_of("GeminiError"),
        Surface::Platform => content("application/problem+json", "Problem"),
    }
}

fn json_of(schema: &str) -> Value {
    content("application/json", schema)
}

fn content(media: &str, schema: &str) -> Value {
    fixed(&format!(r##"{{"{media}":{{"schema":{{"$ref":"#/components/schemas/{schema}"}}}}}}"##))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let document = document(1_000);
        let operations: usize =
            document["paths"].as_object().unwrap().values().map(|it| it.as_object().unwrap().len()).sum();
        assert_eq!(operations, ROUTES.iter().filter(|row| !row.is_alias()).count());
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > operations);
        for reference in found {
            assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
        }
        assert_eq!(document["components"]["parameters"].as_object().unwrap().len(), HEADERS.len());
        let planned = &document["paths"]["/api/v1/search"]["post"];
        assert_eq!(planned["x-status"], "planned");
        assert!(planned["responses"].get("200").is_none());
        assert!(document.to_string().contains("may have 1000 bytes"));
    }
}
