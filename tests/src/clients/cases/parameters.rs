//! Parameters that must reach the upstream as the SDK writes them.

use serde_json::{Value, json};

use super::{chat, chat_with};
use crate::clients::case::Case;
use crate::clients::sdk::{AI, Client, EVERY, OPENAI};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, parameters) in openai() {
        // What is asked for as JSON is held against it.
        let fault = if name.starts_with("json") { "json" } else { "ok" };
        let case = Case::new(&format!("parameters/{name}"), OPENAI, chat_with(fault, parameters.clone()));
        cases.extend(case.sends(parameters).both());
    }
    for (name, clients, fault, parameters, sent) in ai() {
        let case = Case::new(&format!("parameters/{name}"), clients, chat_with(fault, parameters));
        cases.extend(case.sends(sent).both());
    }
    let two = Case::new("parameters/two choices", OPENAI, chat_with("ok:2", json!({ "n": 2 })));
    cases.extend(two.gives(json!({ "texts": ["tok0 tok1", "tok0 tok1"] })).both());
    let mut headers = chat("ok");
    headers["headers"] = json!({ "openai-organization": "org-1", "x-stainless-extra": "yes" });
    cases.extend(Case::new("parameters/headers of the SDK", EVERY, headers).both());
    cases
}

/// In OpenAI's spelling, which its SDKs send as it is.
fn openai() -> Vec<(&'static str, Value)> {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "number" } }, "required": ["a"],
        "additionalProperties": false });
    vec![
        ("temperature", json!({ "temperature": 0.25 })),
        ("temperature of nought", json!({ "temperature": 0 })),
        ("top_p", json!({ "top_p": 0.1 })),
        ("max_tokens", json!({ "max_tokens": 17 })),
        ("max_completion_tokens", json!({ "max_completion_tokens": 18 })),
        ("one stop", json!({ "stop": "\n\n" })),
        ("stops", json!({ "stop": ["a", "ü", "\"", "\n"] })),
        ("seed", json!({ "seed": 9_007_199_254_740_991_i64 })),
        ("user", json!({ "user": "user-1" })),
        ("presence_penalty", json!({ "presence_penalty": -1.5 })),
        ("frequency_penalty", json!({ "frequency_penalty": 1.75 })),
        ("logit_bias", json!({ "logit_bias": { "50256": -100, "11": 5 } })),
        ("logprobs", json!({ "logprobs": true, "top_logprobs": 3 })),
        ("n", json!({ "n": 1 })),
        ("json object", json!({ "response_format": { "type": "json_object" } })),
        (
            "json schema",
            json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "a", "strict": true, "schema": schema } } }),
        ),
        ("metadata", json!({ "metadata": { "a": "b", "ü": "" } })),
        ("store", json!({ "store": false })),
        ("service_tier", json!({ "service_tier": "flex" })),
        ("reasoning_effort", json!({ "reasoning_effort": "low" })),
        ("verbosity", json!({ "verbosity": "low" })),
        ("modalities", json!({ "modalities": ["text"] })),
        ("prediction", json!({ "prediction": { "type": "content", "content": "tok0" } })),
        ("prompt_cache_key", json!({ "prompt_cache_key": "k" })),
        ("safety_identifier", json!({ "safety_identifier": "s" })),
        ("web_search_options", json!({ "web_search_options": { "search_context_size": "low" } })),
        ("tools", json!({ "tools": [tool()], "tool_choice": "auto", "parallel_tool_calls": false })),
        (
            "tool_choice",
            json!({ "tools": [tool()], "tool_choice": { "type": "function", "function": { "name": "weather" } } }),
        ),
        ("functions", json!({ "functions": [{ "name": "f", "parameters": {} }], "function_call": "none" })),
    ]
}

/// In Vercel's spelling, and what its providers make of it. This SDK minds what it gets: a tool that must be called is
/// called, and an object is JSON.
fn ai() -> Vec<(&'static str, &'static [Client], &'static str, Value, Value)> {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "number" } } });
    let provider =
        |name: &str| json!({ "providerOptions": { name: { "user": "user-1", "reasoningEffort": "low" } } });
    let given = json!({ "user": "user-1", "reasoning_effort": "low" });
    vec![
        ("temperature", AI, "ok", json!({ "temperature": 0.25 }), json!({ "temperature": 0.25 })),
        ("topP", AI, "ok", json!({ "topP": 0.1 }), json!({ "top_p": 0.1 })),
        ("maxOutputTokens", AI, "ok", json!({ "maxOutputTokens": 17 }), json!({ "max_tokens": 17 })),
        ("stopSequences", AI, "ok", json!({ "stopSequences": ["a", "ü"] }), json!({ "stop": ["a", "ü"] })),
        ("seed", AI, "ok", json!({ "seed": 7 }), json!({ "seed": 7 })),
        (
            "penalties",
            AI,
            "ok",
            json!({ "presencePenalty": -1.5, "frequencyPenalty": 1.75 }),
            json!({ "presence_penalty": -1.5, "frequency_penalty": 1.75 }),
        ),
        ("provider's options", &[Client::AI_OPENAI], "ok", provider("openai"), given.clone()),
        ("provider's options", &[Client::AI_COMPATIBLE], "ok", provider("opencode"), given),
        (
            "logitBias",
            &[Client::AI_OPENAI],
            "ok",
            json!({ "providerOptions": { "openai": { "logitBias": { "11": 5 }, "metadata": { "a": "b" },
                "parallelToolCalls": false, "store": false, "maxCompletionTokens": 18 } } }),
            json!({ "logit_bias": { "11": 5 }, "metadata": { "a": "b" }, "parallel_tool_calls": false,
                "store": false, "max_completion_tokens": 18 }),
        ),
        (
            "tools",
            AI,
            "tools",
            json!({ "tools": [tool()], "toolChoice": { "type": "tool", "toolName": "weather" } }),
            json!({ "tools": [{ "type": "function", "function": { "name": "weather" } }],
                "tool_choice": { "type": "function", "function": { "name": "weather" } } }),
        ),
        (
            "schema",
            &[Client::AI_OPENAI],
            "echo",
            json!({ "schema": schema }),
            json!({ "response_format": { "type": "json_schema", "json_schema": { "schema": schema } } }),
        ),
    ]
}

/// A tool that says the weather.
pub(super) fn tool() -> Value {
    let parameters =
        json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    json!({ "type": "function", "function": { "name": "weather", "description": "Says the weather", "parameters": parameters } })
}
