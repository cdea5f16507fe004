//! Requests: what is set around the messages.

use serde_json::{Value, json};

use super::super::{pass, read, uri, write};
use crate::call::Shape;
use crate::wire::Dialect;
use crate::wire::conversation::{
    Cannot, Choice, Conversation, Format, Message, Part, Reasoning, Role, Seal, Settings,
};
use crate::wire::json::Members;
use crate::wire::seal::wrap;

fn members(body: &Value) -> Members {
    Members::parse(body.to_string().as_bytes()).unwrap()
}

/// A request with one message and these members.
fn body(more: Value) -> Members {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members(&body)
}

fn asked() -> Conversation {
    let hi = Message { role: Role::User, parts: vec![Part::Text("Hi".to_owned())] };
    Conversation { messages: vec![hi], ..Conversation::default() }
}

/// What is written of settings, beside the model and the messages.
fn written(conversation: &Conversation, model: &str, shape: Shape) -> Result<Value, Cannot> {
    let mut members = write(conversation, model, shape)?;
    members.unset("model");
    members.unset("messages");
    Ok(serde_json::from_str(&members.text()).unwrap())
}

#[test]
fn settings_come_back_as_they_were() {
    let function = json!({"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true});
    for more in [
        json!({}),
        json!({"max_tokens": 5, "temperature": 0.5, "top_p": 1.0, "seed": -3, "stop": ["a", "b"], "user": "u"}),
        json!({"presence_penalty": -2.0, "frequency_penalty": 2.0, "reasoning_effort": "max"}),
        json!({"tools": [{"type": "function", "function": function}], "tool_choice": "none", "parallel_tool_calls": false}),
        json!({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"}),
        json!({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
        json!({"response_format": {"type": "json_object"}}),
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": false}}}),
    ] {
        let conversation = read(&body(more.clone())).unwrap();
        assert_eq!(conversation.foreign, Vec::<String>::new(), "{more}");
        assert_eq!(written(&conversation, "m", Shape::Whole), Ok(more));
    }
}

#[test]
fn other_ways_to_say_the_same_are_understood() {
    let settings = |more: Value| read(&body(more)).unwrap().settings;
    let reasoning = |effort: Option<&str>, budget, visible| {
        Some(Reasoning { effort: effort.map(str::to_owned), budget, visible })
    };
    assert_eq!(settings(json!({"max_tokens": 5, "max_completion_tokens": 6.0})).max_output, Some(6));
    assert_eq!(settings(json!({"stop": "a"})).stop, ["a"]);
    assert_eq!(settings(json!({"user": "u", "safety_identifier": "s"})).user.as_deref(), Some("s"));
    assert_eq!(settings(json!({"top_k": 40})).top_k, Some(40));
    assert_eq!(settings(json!({"response_format": {"type": "text"}})), Settings::default());
    for (more, expected) in [
        (json!({"reasoning": {"effort": "low", "exclude": true}}), reasoning(Some("low"), None, Some(false))),
        (
            json!({"reasoning": {"max_tokens": 2000, "exclude": false}}),
            reasoning(None, Some(2000), Some(true)),
        ),
        (json!({"reasoning": {"enabled": true}}), reasoning(Some("medium"), None, None)),
        (json!({"reasoning": {"enabled": false}}), reasoning(Some("none"), None, None)),
        (
            json!({"reasoning_effort": "high", "include_reasoning": true}),
            reasoning(Some("high"), None, Some(true)),
        ),
        (json!({"reasoning": {}}), None),
    ] {
        assert_eq!(settings(more.clone()).reasoning, expected, "{more}");
    }
    let two = json!([{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}]);
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}});
    let conversation = read(&body(json!({"tools": two, "tool_choice": allowed}))).unwrap();
    assert_eq!(conversation.choice, Some(Choice::Any));
    assert_eq!(conversation.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["g"]);
}

#[test]
fn what_only_openai_can_be_told_is_named() {
    let foreign = |more: Value| read(&body(more)).unwrap().foreign;
    for (name, value) in [
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("top_logprobs", json!(3)),
        ("logit_bias", json!({"1": 5})),
        ("audio", json!({"voice": "x"})),
        ("modalities", json!(["text", "audio"])),
        ("prediction", json!({"type": "content"})),
        ("web_search_options", json!({})),
        ("functions", json!([{"name": "f"}])),
        ("function_call", json!("auto")),
        ("verbosity", json!("low")),
        ("moderation", json!({"model": "x"})),
        ("min_p", json!(0.1)),
    ] {
        assert_eq!(foreign(json!({name: value})), [name]);
        assert_eq!(foreign(json!({name: null})), Vec::<String>::new());
    }
    let harmless = json!({
        "n": 1, "logprobs": false, "logit_bias": {}, "modalities": ["text"], "verbosity": "medium", "functions": [],
        "metadata": {"a": "b"}, "store": true, "service_tier": "flex", "prompt_cache_key": "k", "usage": {"include": true},
        "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false},
    });
    assert_eq!(foreign(harmless), Vec::<String>::new());
}

#[test]
fn mistakes_are_named() {
    for (more, param) in [
        (json!({"messages": []}), "messages"),
        (json!({"messages": "Hi"}), "messages"),
        (json!({"messages": [{"content": "Hi"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}),
            "messages[0].content[0].type",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}),
            "messages[0].content[0].type",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "messages[0].content[0].text",
        ),
        (
            json!({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]}),
            "messages[0].content[0].type",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "gs://x"}}]}]}),
            "messages[0].content[0].image_url.url",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,x"}}]}]}),
            "messages[0].content[0].image_url.url",
        ),
        (json!({"messages": [{"role": "function", "name": "f", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
        (
            json!({"messages": [{"role": "assistant", "function_call": {"name": "f"}}]}),
            "messages[0].function_call",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]}]}),
            "messages[0].tool_calls[0].custom.name",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[1]"}}]}]}),
            "messages[0].tool_calls[0].function.arguments",
        ),
        (json!({"tools": [{"type": "custom"}]}), "tools[0].custom"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
        (json!({"tools": [{"type": "function", "function": {}}]}), "tools[0].function.name"),
        (json!({"tool_choice": "maybe"}), "tool_choice"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"temperature": 2.5}), "temperature"),
        (json!({"top_p": "1"}), "top_p"),
        (json!({"seed": 1.5}), "seed"),
        (json!({"stop": [1]}), "stop"),
        (json!({"parallel_tool_calls": "no"}), "parallel_tool_calls"),
        (json!({"response_format": {"type": "xml"}}), "response_format.type"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}),
            "response_format.json_schema.name",
        ),
        (json!({"reasoning_effort": "much"}), "reasoning_effort"),
        (json!({"reasoning": {"max_tokens": -1}}), "reasoning.max_tokens"),
    ] {
        let error = read(&body(more.clone())).unwrap_err();
        assert_eq!((error.status(), error.param.as_deref()), (400, Some(param)), "{more}");
    }
    let deep = format!(r#"{{"messages":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(
        Members::parse(deep.as_bytes()).map(|deep| read(&deep).unwrap_err().status()).unwrap_or(400),
        400
    );
}

#[test]
fn what_cannot_be_said_is_refused() {
    let settings = |settings: Settings| Conversation { settings, ..asked() };
    let reasoning = |effort: Option<&str>, budget| {
        let reasoning = Reasoning { effort: effort.map(str::to_owned), budget, visible: None };
        settings(Settings { reasoning: Some(reasoning), ..Settings::default() })
    };
    let effort = |effort: &str| Ok(json!({"reasoning_effort": effort}));
    for (conversation, model, expected) in [
        (settings(Settings { top_k: Some(1), ..Settings::default() }), "m", Err(Cannot::TopK)),
        (settings(Settings { stop: vec!["a".to_owned(); 5], ..Settings::default() }), "m", Err(Cannot::Stop)),
        (
            Conversation { foreign: vec!["x".to_owned()], ..asked() },
            "m",
            Err(Cannot::Foreign("x".to_owned())),
        ),
        (settings(Settings { parallel_tools: Some(true), ..Settings::default() }), "m", Ok(json!({}))),
        (
            settings(Settings { max_output: Some(9), ..Settings::default() }),
            "llama",
            Ok(json!({"max_tokens": 9})),
        ),
        (
            settings(Settings { max_output: Some(9), ..Settings::default() }),
            "gpt-5-mini",
            Ok(json!({"max_completion_tokens": 9})),
        ),
        (reasoning(None, Some(1024)), "m", effort("low")),
        (reasoning(None, Some(1025)), "m", effort("medium")),
        (reasoning(None, Some(32_000)), "m", effort("high")),
        (reasoning(Some("xhigh"), Some(5)), "m", effort("xhigh")),
        (reasoning(None, None), "m", Ok(json!({}))),
        (reasoning(None, Some(0)), "qwen", effort("none")),
        (reasoning(None, Some(0)), "gpt-4o", Ok(json!({}))),
        (reasoning(None, Some(0)), "o3", Err(Cannot::Reasoning)),
        (reasoning(Some("low"), None), "gpt-4o", Err(Cannot::Reasoning)),
    ] {
        assert_eq!(
            written(&conversation, model, Shape::Whole),
            expected,
            "{model} {:?}",
            conversation.settings
        );
    }
    let stream = json!({"stream": true, "stream_options": {"include_usage": true}});
    assert_eq!(written(&asked(), "m", Shape::Stream), Ok(stream));
    assert_eq!(asked().settings.format, Format::Text);
}

#[test]
fn a_callers_own_request_is_passed_on() {
    let own = br#"{ "z": 1.50, "model":"a", "messages":[ {"content" : "Hi","role":"user", "x":1} ], "stream":true}"#;
    let own = Members::parse(own).unwrap();
    assert_eq!(
        pass(&own, "b", Shape::Whole).text(),
        r#"{"z":1.50,"model":"b","messages":[ {"content" : "Hi","role":"user", "x":1} ],"stream":true}"#
    );
    assert!(
        pass(&own, "b", Shape::Stream)
            .text()
            .ends_with(r#""stream":true,"stream_options":{"include_usage":true}}"#)
    );
    assert_eq!(uri("https://p.example/v1", "m", Shape::Whole), "https://p.example/v1/chat/completions");
}

#[test]
fn what_another_provider_sealed_is_not_passed_on() {
    let wrapped = |dialect| wrap(&Seal::signature(dialect, "s"));
    let detail = |signature: &str| json!({"type": "reasoning.text", "text": "t", "signature": signature});
    let call = |extra: Value| json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra});
    let passed = |message: Value, model: &str| -> Value {
        let body = members(&json!({"messages": [{"role": "user", "content": "about \"oc1."}, message]}));
        serde_json::from_str::<Value>(&pass(&body, model, Shape::Whole).text()).unwrap()["messages"][1]
            .clone()
    };
    let ours = detail(&wrapped(Dialect::Anthropic));
    let theirs = detail("theirs");
    let said =
        json!({"role": "assistant", "content": "x", "reasoning_content": "t", "reasoning_details": [ours]});
    assert_eq!(passed(said, "m"), json!({"role": "assistant", "content": "x"}));
    let said = json!({"role": "assistant", "reasoning": "t", "reasoning_details": [ours, theirs]});
    assert_eq!(passed(said, "m"), json!({"role": "assistant", "reasoning_details": [theirs]}));
    let said = json!({"role": "assistant", "reasoning_content": "t", "reasoning_details": [theirs]});
    assert_eq!(passed(said.clone(), "m"), said);

    let google = |signature: &str| json!({"google": {"thought_signature": signature}});
    let said = |extra: Value| json!({"role": "assistant", "tool_calls": [call(extra)]});
    let bare = json!({"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    assert_eq!(passed(said(google(&wrapped(Dialect::Gemini))), "gpt-5"), bare);
    assert_eq!(passed(said(google(&wrapped(Dialect::Gemini))), "gemini-3-pro"), said(google("s")));
    assert_eq!(passed(said(google("theirs")), "m"), said(google("theirs")));
}
