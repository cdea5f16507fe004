//! Whether JSON is of a schema: the part of JSON Schema that providers take for structured outputs.
//!
//! Known: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `minItems`, `maxItems`,
//! `anyOf`, `oneOf`, `allOf`, `$ref` within the schema. Other keywords bound nothing here. JSON Schema 2020-12:
//! <https://json-schema.org/draft/2020-12>

use serde_json::{Map, Value};

use super::conversation::Format;
use crate::wire::json::parse;

/// How deep values and references are followed; what lies deeper is taken as it is.
const MAX_DEPTH: u32 = 64;

/// Why the text of an answer is not what was asked for; `None` where it is.
pub fn mismatch(format: &Format, text: &str) -> Option<String> {
    let value = |text: &str| parse::<Value>(text).map_err(|error| format!("it is not JSON: {error}"));
    match format {
        Format::Text => None,
        Format::Json => match value(text) {
            Ok(Value::Object(_)) => None,
            Ok(_) => Some("it is no JSON object".to_owned()),
            Err(why) => Some(why),
        },
        Format::Schema { schema, .. } => match value(text) {
            Ok(value) => {
                let schema = parse(&schema.text()).unwrap_or(Value::Bool(true));
                Checker { root: &schema }.check(&schema, &value, "", 0).err()
            }
            Err(why) => Some(why),
        },
    }
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, path: &str, depth: u32) -> Result<(), String> {
        let Some(schema) = schema.as_object().filter(|_| depth < MAX_DEPTH) else {
            let never = schema == &Value::Bool(false);
            return if never { Err(at(path, "may not be there")) } else { Ok(()) };
        };
        let deeper = depth.saturating_add(1);
        let within = schema.get("$ref").and_then(Value::as_str).and_then(|named| named.strip_prefix('#'));
        if let Some(found) = within.and_then(|pointer| self.root.pointer(pointer)) {
            self.check(found, value, path, deeper)?;
        }
        kinds(schema, value, path)?;
        if schema.get("const").is_some_and(|only| !same(only, value)) {
            return Err(at(path, "is not the value that it must be"));
        }
        if let Some(among) = schema.get("enum").and_then(Value::as_array)
            && !among.iter().any(|it| same(it, value))
        {
            return Err(at(path, "is none of the values that it may be"));
        }
        self.alternatives(schema, value, path, deeper)?;
        match value {
            Value::Object(members) => self.object(schema, members, path, deeper),
            Value::Array(items) => self.array(schema, items, path, deeper),
            _ => Ok(()),
        }
    }

    fn alternatives(
        &self,
        schema: &Map<String, Value>,
        value: &Value,
        path: &str,
        depth: u32,
    ) -> Result<(), String> {
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        let fits = |it: &Value| self.check(it, value, path, depth).is_ok();
        for name in ["anyOf", "oneOf"] {
            if list(name).is_some_and(|among| !among.iter().any(fits)) {
                return Err(at(path, "is none of what it may be"));
            }
        }
        list("allOf").into_iter().flatten().try_for_each(|it| self.check(it, value, path, depth))
    }

    fn object(
        &self,
        schema: &Map<String, Value>,
        members: &Map<String, Value>,
        path: &str,
        depth: u32,
    ) -> Result<(), String> {
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = name.as_str().filter(|name| !members.contains_key(*name)) {
                return Err(at(&format!("{path}/{name}"), "is missing"));
            }
        }
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        members.iter().try_for_each(|(name, value)| {
            let path = format!("{path}/{name}");
            match known.and_then(|known| known.get(name)).or(others) {
                Some(schema) => self.check(schema, value, &path, depth),
                None => Ok(()),
            }
        })
    }

    fn array(
        &self,
        schema: &Map<String, Value>,
        items: &[Value],
        path: &str,
        depth: u32,
    ) -> Result<(), String> {
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        if bound("minItems").is_some_and(|least| count < least)
            || bound("maxItems").is_some_and(|most| count > most)
        {
            return Err(at(path, &format!("has {count} items, which is not as many as it must have")));
        }
        let Some(each) = schema.get("items") else { return Ok(()) };
        items
            .iter()
            .enumerate()
            .try_for_each(|(place, item)| self.check(each, item, &format!("{path}/{place}"), depth))
    }
}

fn kinds(schema: &Map<String, Value>, value: &Value, path: &str) -> Result<(), String> {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    };
    let fits = match schema.get("type") {
        Some(Value::String(kind)) => is(&kind.to_ascii_lowercase()),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if fits { Ok(()) } else { Err(at(path, "is of another type than it must be")) }
}

/// 1 and 1.0 are the same number.
fn same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && one.as_f64() == other.as_f64())
}

fn at(path: &str, what: &str) -> String {
    format!("{} {what}", if path.is_empty() { "it" } else { path })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::json::Members;

    #[test]
    fn answers_are_of_their_schema_or_it_is_said_where_they_are_not() {
        let schema = json!({
            "type": "object", "required": ["name", "tags"], "additionalProperties": false,
            "$defs": {"tag": {"type": "string", "enum": ["a", "b"]}},
            "properties": {
                "name": {"type": ["string", "null"]}, "count": {"type": "integer"}, "one": {"const": 1},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
                "either": {"anyOf": [{"type": "integer"}, {"type": "object", "required": ["x"]}]},
                "tree": {"$ref": "#"}
            }
        });
        let format = |schema: Value| {
            let schema = Members::parse(schema.to_string().as_bytes()).unwrap();
            Format::Schema { name: "n".to_owned(), description: None, schema, strict: None }
        };
        let endless = format(json!({"$ref": "#"}));
        let format = format(schema);
        let cases = [
            (r#"{"name":null,"tags":["a"],"count":2.0,"one":1.0,"either":{"x":1}}"#, None),
            (r#"{"name":"x","tags":[],"tree":{"name":"y","tags":["b"]}}"#, None),
            ("{", Some("not JSON")),
            ("[]", Some("it is of another type")),
            (r#"{"name":"x"}"#, Some("/tags is missing")),
            (r#"{"name":"x","tags":["c"]}"#, Some("/tags/0 is none")),
            (r#"{"name":"x","tags":["a","a","a"]}"#, Some("/tags has 3 items")),
            (r#"{"name":1,"tags":[]}"#, Some("/name is of another type")),
            (r#"{"name":"x","tags":[],"more":1}"#, Some("/more may not be there")),
            (r#"{"name":"x","tags":[],"count":1.5}"#, Some("/count is of another type")),
            (r#"{"name":"x","tags":[],"one":2}"#, Some("/one is not the value")),
            (r#"{"name":"x","tags":[],"either":{}}"#, Some("/either is none of")),
            (r#"{"name":"x","tags":[],"tree":{"name":"y"}}"#, Some("/tree/tags is missing")),
        ];
        for (text, says) in cases {
            let why = mismatch(&format, text);
            match says {
                None => assert_eq!(why, None, "{text}"),
                Some(says) => assert!(why.as_ref().is_some_and(|why| why.contains(says)), "{text}: {why:?}"),
            }
        }
        assert_eq!(mismatch(&Format::Text, "{"), None);
        assert_eq!(mismatch(&Format::Json, "{}"), None);
        assert!(mismatch(&Format::Json, "[]").is_some());
        assert_eq!(mismatch(&endless, "1"), None);
    }
}
