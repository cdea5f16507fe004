//! What an SDK made of an answer, in words that all dialects share.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::sdk::Dialect;
use crate::hosts::ctx::check;

/// Each dialect's reasons, and those that they stand for. Vercel writes `tool-calls`.
const FINISHES: [(&str, &str); 14] = [
    ("end_turn", "stop"),
    ("STOP", "stop"),
    ("completed", "stop"),
    ("tool_use", "tool_calls"),
    ("tool-calls", "tool_calls"),
    ("max_tokens", "length"),
    ("max_output_tokens", "length"),
    ("MAX_TOKENS", "length"),
    ("refusal", "content_filter"),
    ("content-filter", "content_filter"),
    ("SAFETY", "content_filter"),
    ("PROHIBITED_CONTENT", "content_filter"),
    ("error", "error"),
    ("interrupted", "error"),
];

/// The outcome with one spelling for the finish reason, and with tools' arguments as JSON.
pub fn neutral(mut outcome: Value) -> Value {
    let mut calls = false;
    let tools = outcome.get_mut("tools").and_then(Value::as_array_mut);
    for tool in tools.into_iter().flatten() {
        calls = true;
        if let Some(text) = tool["arguments"].as_str() {
            tool["arguments"] = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        }
    }
    if let Some(finish) = outcome["finish"].as_str() {
        let known = FINISHES.iter().find(|(name, _)| *name == finish);
        let finish = known.map_or(finish, |(_, neutral)| *neutral);
        // Gemini and Responses have no reason of their own for calls.
        let finish = if finish == "stop" && calls { "tool_calls" } else { finish };
        outcome["finish"] = json!(finish);
    }
    outcome
}

/// What every outcome must hold: calls can be told apart, and what failed has no genuine end.
pub fn holds_together(outcome: &Value, dialect: Dialect) -> Result<(), String> {
    let tools = outcome["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let ids: BTreeSet<&str> = tools.iter().filter_map(|tool| tool["id"].as_str()).collect();
    // Gemini's calls may be told apart by their order alone.
    let told_apart = ids.len() == tools.len() || dialect == Dialect::Gemini;
    check(told_apart, || "calls without ids of their own".to_owned())?;
    let ended = ["stop", "tool_calls", "length", "content_filter"]
        .contains(&outcome["finish"].as_str().unwrap_or_default());
    check(outcome["error"].is_null() || !ended, || "an error, and yet a finish reason".to_owned())
}

/// Whether `actual` has every member of `expected`, all the way down; a list must be as long. An empty object stands for
/// anything but `null`.
pub fn contains(actual: &Value, expected: &Value) -> Result<(), String> {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().try_for_each(|(name, expected)| {
                let actual = actual.get(name).unwrap_or(&Value::Null);
                contains(actual, expected).map_err(|why| format!("{name}: {why}"))
            })
        }
        (Value::Array(actual), Value::Array(expected)) if actual.len() == expected.len() => {
            actual.iter().zip(expected).try_for_each(|(actual, expected)| contains(actual, expected))
        }
        _ if actual == expected => Ok(()),
        _ => Err(format!("{actual}, not {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_and_a_difference_too() {
        let whole = json!({ "a": 1, "b": { "c": [{ "d": 2, "e": 3 }] } });
        assert!(contains(&whole, &json!({ "b": { "c": [{ "d": 2 }] }, "none": null })).is_ok());
        for wrong in [json!({ "a": 2 }), json!({ "b": { "c": [] } }), json!({ "x": 1 }), json!({ "x": {} })] {
            assert!(contains(&whole, &wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reasons_and_arguments_get_one_spelling() {
        let call = json!({ "id": "a", "name": "f", "arguments": "{\"x\":1}" });
        for (finish, tools, expected) in [
            ("end_turn", json!([]), "stop"),
            ("STOP", json!([call]), "tool_calls"),
            ("tool-calls", json!([call]), "tool_calls"),
            ("length", json!([]), "length"),
        ] {
            let outcome = neutral(json!({ "finish": finish, "tools": tools }));
            assert_eq!(outcome["finish"], expected, "{finish}");
            assert!(outcome["tools"].as_array().unwrap().iter().all(|tool| tool["arguments"]["x"] == 1));
        }
    }

    #[test]
    fn calls_and_failures_are_looked_at() {
        let twice = json!({ "tools": [{ "id": "a" }, { "id": "a" }] });
        assert!(holds_together(&twice, Dialect::Chat).is_err());
        assert!(holds_together(&twice, Dialect::Gemini).is_ok());
        assert!(holds_together(&json!({ "error": {}, "finish": "stop" }), Dialect::Chat).is_err());
        assert!(holds_together(&json!({ "error": {}, "finish": null }), Dialect::Chat).is_ok());
    }
}
