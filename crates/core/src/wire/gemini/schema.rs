//! Google's `Schema`, an OpenAPI 3.0 subset with upper-case types, as JSON Schema.

use serde_json::{Map, Value};

/// The same schema as JSON Schema. What is JSON Schema already stays as it is. Its depth is that of the JSON it came
/// from, which serde_json bounds at 128.
pub(super) fn json_schema(schema: Value) -> Value {
    let Value::Object(members) = schema else { return schema };
    let mut out = Map::new();
    let mut nullable = false;
    for (name, value) in members {
        match name.as_str() {
            "type" => drop(out.insert(name, types(value))),
            "nullable" => nullable = value == Value::Bool(true),
            "properties" | "$defs" | "defs" | "definitions" => drop(out.insert(name, each(value))),
            "items" => drop(out.insert(name, json_schema(value))),
            "anyOf" | "any_of" => drop(out.insert("anyOf".to_owned(), each(value))),
            "example" => drop(out.insert("examples".to_owned(), Value::Array(vec![value]))),
            // An order of output and a name for `enum` that JSON Schema does not know.
            "propertyOrdering" | "property_ordering" => {}
            "format" if value == "enum" => {}
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                out.insert(name, number(value));
            }
            "min_items" => drop(out.insert("minItems".to_owned(), number(value))),
            "max_items" => drop(out.insert("maxItems".to_owned(), number(value))),
            "min_length" => drop(out.insert("minLength".to_owned(), number(value))),
            "max_length" => drop(out.insert("maxLength".to_owned(), number(value))),
            "min_properties" => drop(out.insert("minProperties".to_owned(), number(value))),
            "max_properties" => drop(out.insert("maxProperties".to_owned(), number(value))),
            _ => drop(out.insert(name, value)),
        }
    }
    if nullable {
        allow_null(&mut out);
    }
    Value::Object(out)
}

fn each(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, schema)| (name, json_schema(schema))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(json_schema).collect()),
        other => other,
    }
}

fn types(value: Value) -> Value {
    match value {
        Value::String(name) => Value::String(name.to_ascii_lowercase()),
        Value::Array(names) => Value::Array(names.into_iter().map(types).collect()),
        other => other,
    }
}

/// 64-bit numbers are strings in protocol buffers' JSON.
fn number(value: Value) -> Value {
    match value.as_str().map(str::parse::<u64>) {
        Some(Ok(number)) => Value::from(number),
        _ => value,
    }
}

fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(Value::String(name)) = schema.get("type") {
        let types = vec![Value::from(name.clone()), Value::from("null")];
        schema.insert("type".to_owned(), Value::Array(types));
    } else if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.push(serde_json::json!({"type": "null"}));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn openapi_becomes_json_schema() {
        let given = json!({"type": "OBJECT", "propertyOrdering": ["a"], "required": ["a"], "properties": {
            "a": {"type": "STRING", "format": "enum", "enum": ["x"], "nullable": true},
            "type": {"type": "ARRAY", "minItems": "1", "items": {"any_of": [{"type": "INTEGER"}], "nullable": true}},
        }});
        let expected = json!({"type": "object", "required": ["a"], "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", null]},
            "type": {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
        }});
        assert_eq!(json_schema(given), expected);
        let already = json!({"type": "object", "properties": {"x": {"type": ["string", "null"]}}});
        assert_eq!(json_schema(already.clone()), already);
    }
}
