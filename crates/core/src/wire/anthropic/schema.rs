//! JSON Schema in the part that structured outputs take. Source: Anthropic's documentation of structured outputs,
//! "JSON Schema limitations"; its SDKs put what is not taken into the description, for the model to read.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::json::{Members, parse};

/// Formats of strings that are enforced.
const FORMATS: &[&str] =
    &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Keywords that are refused, wherever they stand.
const REFUSED: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "maxItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
    "propertyNames",
    "patternProperties",
    "dependentRequired",
];

/// A schema that is taken, and that no answer satisfies which does not satisfy `schema`'s structure; its members keep
/// their order. `None`: an object's further members have a schema of their own, which cannot be said.
pub(super) fn strict(schema: &Members) -> Option<Members> {
    let mut strict = Members::default();
    let mut said = Vec::new();
    let is_object = is_object(schema);
    for (key, value) in schema.iter() {
        match key {
            "properties" | "$defs" | "definitions" => strict.set_text(key, &each_member(value)?),
            "items" | "not" => strict.set_text(key, &within(value)?),
            "anyOf" | "allOf" | "prefixItems" => strict.set_text(key, &each_item(value)?),
            // Of what `oneOf` allows, `anyOf` forbids nothing.
            "oneOf" if schema.get("anyOf").is_none() => strict.set_text("anyOf", &each_item(value)?),
            "additionalProperties" if parse::<Members>(value).is_ok_and(|it| it.names().next().is_some()) => {
                return None;
            }
            "additionalProperties" if is_object => strict.set(key, &false),
            "additionalProperties" => {}
            _ if is_refused(key, value) => said.push(format!("{key}: {value}")),
            _ => strict.set_text(key, value),
        }
    }
    if is_object {
        strict.set("additionalProperties", &false);
    }
    if !said.is_empty() {
        let described = strict.read::<String>("description").ok().flatten();
        let description = described.into_iter().chain([said.join(", ")]);
        strict.set("description", &description.collect::<Vec<_>>().join("\n\n"));
    }
    Some(strict)
}

/// A schema in a schema; what is no object stays as it is.
fn within(schema: &str) -> Option<String> {
    match parse::<Members>(schema) {
        Ok(members) => Some(strict(&members)?.text()),
        Err(_) => Some(schema.to_owned()),
    }
}

fn each_member(members: &str) -> Option<String> {
    let Ok(schemas) = parse::<Members>(members) else { return Some(members.to_owned()) };
    let mut strict = Members::default();
    for (name, schema) in schemas.iter() {
        strict.set_text(name, &within(schema)?);
    }
    Some(strict.text())
}

fn each_item(items: &str) -> Option<String> {
    let Ok(schemas) = parse::<Vec<&RawValue>>(items) else { return Some(items.to_owned()) };
    let strict = schemas.into_iter().map(|schema| within(schema.get()));
    Some(format!("[{}]", strict.collect::<Option<Vec<_>>>()?.join(",")))
}

fn is_refused(key: &str, value: &str) -> bool {
    match key {
        "minItems" => !matches!(value, "0" | "1"),
        "format" => parse::<String>(value).map_or(true, |format| !FORMATS.contains(&format.as_str())),
        _ => REFUSED.contains(&key),
    }
}

fn is_object(schema: &Members) -> bool {
    match schema.read::<Value>("type").ok().flatten() {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => schema.get("properties").is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_taken_is_described() {
        let check = |schema: Value, expected: Option<Value>| {
            let members = Members::parse(schema.to_string().as_bytes()).unwrap();
            let read = |members: Members| serde_json::from_str::<Value>(&members.text()).unwrap();
            assert_eq!(strict(&members).map(read), expected, "{schema}");
        };
        check(
            json!({"type": "object", "properties": {"a": {"type": "object"}}, "additionalProperties": true}),
            Some(json!({
                "type": "object",
                "properties": {"a": {"type": "object", "additionalProperties": false}},
                "additionalProperties": false,
            })),
        );
        check(
            json!({"type": "integer", "description": "Age", "minimum": 0, "maximum": 9}),
            Some(json!({"type": "integer", "description": "Age\n\nmaximum: 9, minimum: 0"})),
        );
        check(
            json!({"type": ["object", "null"], "oneOf": [{"type": "string", "format": "uri"}], "title": "T"}),
            Some(json!({
                "type": ["object", "null"],
                "anyOf": [{"type": "string", "format": "uri"}],
                "title": "T",
                "additionalProperties": false,
            })),
        );
        check(
            json!({"type": "array", "items": {"properties": {}}, "minItems": 1}),
            Some(
                json!({"type": "array", "items": {"properties": {}, "additionalProperties": false}, "minItems": 1}),
            ),
        );
        check(
            json!({"type": "array", "minItems": 2}),
            Some(json!({"type": "array", "description": "minItems: 2"})),
        );
        // A property of a keyword's name is a property.
        check(
            json!({"properties": {"minimum": {"type": "number"}}}),
            Some(json!({"properties": {"minimum": {"type": "number"}}, "additionalProperties": false})),
        );
        check(json!({"$defs": {"x": {"type": "object", "additionalProperties": {"type": "string"}}}}), None);
    }

    #[test]
    fn the_order_stays() {
        let given = r#"{"type":"object","minimum":1,"additionalProperties":true,"properties":{"z":{"pattern":"x","type":"string"},"a":{"oneOf":[{"z":1,"a":2}],"minItems":0}},"required":["z","a"]}"#;
        let expected = r#"{"type":"object","additionalProperties":false,"properties":{"z":{"type":"string","description":"pattern: \"x\""},"a":{"anyOf":[{"z":1,"a":2}],"minItems":0}},"required":["z","a"],"description":"minimum: 1"}"#;
        assert_eq!(strict(&Members::parse(given.as_bytes()).unwrap()).unwrap().text(), expected);
    }
}
