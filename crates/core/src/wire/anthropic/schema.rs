//! JSON Schema in the part that structured outputs take. Source: Anthropic's documentation of structured outputs,
//! "JSON Schema limitations"; its SDKs put what is not taken into the description, for the model to read.

use serde_json::{Map, Value};

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

/// A schema that is taken, and that no answer satisfies which does not satisfy `schema`'s structure. `None`: an
/// object's further members have a schema of their own, which cannot be said.
pub(super) fn strict(schema: &Value) -> Option<Value> {
    let Value::Object(members) = schema else { return Some(schema.clone()) };
    let mut strict = Map::new();
    let mut said = Vec::new();
    for (key, value) in members {
        match key.as_str() {
            "properties" | "$defs" | "definitions" => {
                strict.insert(key.clone(), each_member(value)?);
            }
            "items" | "not" => {
                strict.insert(key.clone(), self::strict(value)?);
            }
            "anyOf" | "allOf" | "prefixItems" => {
                strict.insert(key.clone(), each_item(value)?);
            }
            // Of what `oneOf` allows, `anyOf` forbids nothing.
            "oneOf" if !members.contains_key("anyOf") => {
                strict.insert("anyOf".to_owned(), each_item(value)?);
            }
            "additionalProperties" if value.as_object().is_some_and(|schema| !schema.is_empty()) => {
                return None;
            }
            "additionalProperties" => {}
            _ if is_refused(key, value) => said.push(format!("{key}: {value}")),
            _ => {
                strict.insert(key.clone(), value.clone());
            }
        }
    }
    if is_object(members) {
        strict.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if !said.is_empty() {
        let described = strict.get("description").and_then(Value::as_str);
        let description = described.map(str::to_owned).into_iter().chain([said.join(", ")]);
        let description = description.collect::<Vec<_>>().join("\n\n");
        strict.insert("description".to_owned(), Value::String(description));
    }
    Some(Value::Object(strict))
}

fn each_member(members: &Value) -> Option<Value> {
    let Value::Object(members) = members else { return Some(members.clone()) };
    let members = members.iter().map(|(name, schema)| Some((name.clone(), strict(schema)?)));
    members.collect::<Option<Map<_, _>>>().map(Value::Object)
}

fn each_item(items: &Value) -> Option<Value> {
    let Value::Array(items) = items else { return Some(items.clone()) };
    items.iter().map(strict).collect::<Option<Vec<_>>>().map(Value::Array)
}

fn is_refused(key: &str, value: &Value) -> bool {
    match key {
        "minItems" => value.as_u64().is_none_or(|least| least > 1),
        "format" => value.as_str().is_none_or(|format| !FORMATS.contains(&format)),
        _ => REFUSED.contains(&key),
    }
}

fn is_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => schema.contains_key("properties"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_taken_is_described() {
        let check =
            |schema: Value, expected: Option<Value>| assert_eq!(strict(&schema), expected, "{schema}");
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
}
