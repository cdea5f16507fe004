//! Google's `Schema`, an OpenAPI 3.0 subset with upper-case types, as JSON Schema.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::json::{Members, parse};

/// The same schema as JSON Schema, in the same order, or in the one of `propertyOrdering`. What is JSON Schema already
/// stays as it is. Its depth is that of the JSON it came from, which is bounded.
pub(super) fn json_schema(schema: &Members) -> Members {
    let mut out = Members::default();
    for (name, value) in schema.iter() {
        match name {
            "type" => out.set_text(name, &value.to_ascii_lowercase()),
            "nullable" => {}
            "properties" | "$defs" | "defs" | "definitions" => out.set_text(name, &each(value)),
            "items" => out.set_text(name, &within(value)),
            "anyOf" | "any_of" => out.set_text("anyOf", &each(value)),
            "example" => out.set_text("examples", &format!("[{value}]")),
            // JSON Schema has no name for an order of output but the order itself.
            "propertyOrdering" | "property_ordering" => {}
            "format" if value == "\"enum\"" => {}
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                out.set_text(name, number(value));
            }
            "min_items" => out.set_text("minItems", number(value)),
            "max_items" => out.set_text("maxItems", number(value)),
            "min_length" => out.set_text("minLength", number(value)),
            "max_length" => out.set_text("maxLength", number(value)),
            "min_properties" => out.set_text("minProperties", number(value)),
            "max_properties" => out.set_text("maxProperties", number(value)),
            _ => out.set_text(name, value),
        }
    }
    order(schema, &mut out);
    if schema.get("nullable").is_some_and(|nullable| nullable.get() == "true") {
        allow_null(&mut out);
    }
    out
}

/// A schema in a schema; what is no object stays as it is.
fn within(schema: &str) -> String {
    parse::<Members>(schema).map_or_else(|_| schema.to_owned(), |schema| json_schema(&schema).text())
}

fn each(schemas: &str) -> String {
    if let Ok(members) = parse::<Members>(schemas) {
        let mut out = Members::default();
        members.iter().for_each(|(name, schema)| out.set_text(name, &within(schema)));
        return out.text();
    }
    match parse::<Vec<&RawValue>>(schemas) {
        Ok(items) => {
            format!("[{}]", items.into_iter().map(|item| within(item.get())).collect::<Vec<_>>().join(","))
        }
        Err(_) => schemas.to_owned(),
    }
}

/// 64-bit numbers are strings in protocol buffers' JSON.
fn number(text: &str) -> &str {
    let digits = text.trim_matches('"');
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) { digits } else { text }
}

fn order(schema: &Members, out: &mut Members) {
    let named = |name| schema.read::<Vec<String>>(name).ok().flatten();
    let Some(order) = named("propertyOrdering").or_else(|| named("property_ordering")) else { return };
    let Ok(Some(properties)) = out.read::<Members>("properties") else { return };
    let first = order.iter().filter_map(|name| Some((name.as_str(), properties.get(name)?.get())));
    let mut ordered = Members::default();
    first.chain(properties.iter()).for_each(|(name, schema)| ordered.set_text(name, schema));
    out.set("properties", &ordered);
}

fn allow_null(schema: &mut Members) {
    if let Ok(Some(name)) = schema.read::<String>("type") {
        schema.set("type", &[name.as_str(), "null"]);
    } else if let Ok(Some(choices)) = schema.read::<Vec<&RawValue>>("anyOf") {
        let choices = choices.into_iter().map(RawValue::get).chain([r#"{"type":"null"}"#]);
        let choices = format!("[{}]", choices.collect::<Vec<_>>().join(","));
        schema.set_text("anyOf", &choices);
    }
    if let Ok(Some(mut values)) = schema.read::<Vec<Value>>("enum") {
        values.push(Value::Null);
        schema.set("enum", &values);
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
        let translated = |schema: &Value| {
            let members = Members::parse(schema.to_string().as_bytes()).unwrap();
            serde_json::from_str::<Value>(&json_schema(&members).text()).unwrap()
        };
        assert_eq!(translated(&given), expected);
        let already = json!({"type": "object", "properties": {"x": {"type": ["string", "null"]}}});
        assert_eq!(translated(&already), already);
    }

    #[test]
    fn the_order_stays_or_is_the_one_that_was_asked_for() {
        let given = r#"{"type":"OBJECT","required":["z"],"properties":{"z":{"type":"STRING","minLength":"2"},"m":{"anyOf":[{"type":"NULL"}]},"a":{}}}"#;
        let kept = r#"{"type":"object","required":["z"],"properties":{"z":{"type":"string","minLength":2},"m":{"anyOf":[{"type":"null"}]},"a":{}}}"#;
        let translated = |text: &str| json_schema(&Members::parse(text.as_bytes()).unwrap()).text();
        assert_eq!(translated(given), kept);
        let asked = r#"{"propertyOrdering":["b","x"],"properties":{"a":{},"b":{"x":1},"c":{}}}"#;
        assert_eq!(translated(asked), r#"{"properties":{"b":{"x":1},"a":{},"c":{}}}"#);
    }
}
