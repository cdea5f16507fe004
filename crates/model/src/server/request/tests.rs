use serde_json::json;

use super::*;

const DEFAULTS: Defaults = Defaults { temperature: 0.25, top_p: 0.5 };

fn read(more: Value) -> Result<Asked, Refusal> {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    Asked::read(body.to_string().as_bytes(), &DEFAULTS)
}

fn param(more: Value) -> Option<String> {
    read(more.clone()).expect_err(&format!("{more} is refused")).param().map(str::to_owned)
}

#[test]
fn the_least_request_has_the_defaults() {
    let asked = read(json!({})).expect("fine");
    assert_eq!((asked.model.as_str(), asked.stream, asked.ask.most), ("m", None, None));
    assert_eq!((asked.ask.sampling.temperature, asked.ask.sampling.top_p), (0.25, 0.5));
    assert_eq!(asked.ask.messages, [Message { role: "user", content: "hi".to_owned() }]);
}

#[test]
fn everything_it_can_do_is_read() {
    let asked = read(json!({
        "messages": [
            { "role": "developer", "content": "be brief" },
            { "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }], "name": "x" },
            { "role": "assistant", "content": "c", "refusal": null, "tool_calls": [] },
        ],
        "stream": true, "stream_options": { "include_usage": true },
        "max_tokens": 7, "max_completion_tokens": 5, "temperature": 0, "top_p": 1, "seed": -3,
        "stop": ["a", "b"], "n": 1, "frequency_penalty": 0.5, "presence_penalty": -0.5, "logit_bias": { "12": -100 },
        "tools": [{}], "tool_choice": "none", "response_format": { "type": "text" }, "user": "u", "logprobs": false,
        "store": true, "metadata": null,
    }))
    .expect("fine");
    let messages: Vec<_> =
        asked.ask.messages.iter().map(|message| (message.role, message.content.as_str())).collect();
    assert_eq!(messages, [("system", "be brief"), ("user", "ab"), ("assistant", "c")]);
    assert_eq!((asked.stream, asked.ask.most), (Some(true), Some(5)));
    assert_eq!(asked.ask.stop, ["a", "b"]);
    assert_eq!((asked.ask.sampling.seed, &asked.ask.sampling.bias), (-3_i64 as u64, &vec![(12, -100.0)]));
}

#[test]
fn a_refusal_names_the_member() {
    for (more, expected) in [
        (json!({ "model": null }), "model"),
        (json!({ "model": 1 }), "model"),
        (json!({ "messages": null }), "messages"),
        (json!({ "messages": [] }), "messages"),
        (json!({ "messages": "hi" }), "messages"),
        (json!({ "messages": [1] }), "messages[0]"),
        (json!({ "messages": [{ "content": "a" }] }), "messages[0].role"),
        (json!({ "messages": [{ "role": "tool", "content": "a" }] }), "messages[0].role"),
        (json!({ "messages": [{ "role": "user" }] }), "messages[0].content"),
        (
            json!({ "messages": [{ "role": "user", "content": [{ "type": "text" }] }] }),
            "messages[0].content[0].text",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url" }] }] }),
            "messages[0].content[0].type",
        ),
        (
            json!({ "messages": [{ "role": "assistant", "content": "a", "tool_calls": [{}] }] }),
            "messages[0].tool_calls",
        ),
        (json!({ "stream": "yes" }), "stream"),
        (json!({ "stream_options": { "include_usage": true } }), "stream_options"),
        (json!({ "stream": true, "stream_options": { "include_usage": 1 } }), "stream_options.include_usage"),
        (json!({ "max_tokens": 0 }), "max_tokens"),
        (json!({ "max_completion_tokens": 1.5 }), "max_completion_tokens"),
        (json!({ "temperature": 2.1 }), "temperature"),
        (json!({ "top_p": "1" }), "top_p"),
        (json!({ "seed": 1.5 }), "seed"),
        (json!({ "stop": ["a", "b", "c", "d", "e"] }), "stop"),
        (json!({ "stop": "" }), "stop"),
        (json!({ "n": 2 }), "n"),
        (json!({ "logprobs": true }), "logprobs"),
        (json!({ "top_logprobs": 2 }), "top_logprobs"),
        (json!({ "tools": [{}] }), "tools"),
        (json!({ "tools": [{}], "tool_choice": "auto" }), "tools"),
        (json!({ "tool_choice": "required" }), "tool_choice"),
        (json!({ "response_format": { "type": "json_schema" } }), "response_format"),
        (json!({ "modalities": ["audio"] }), "modalities"),
        (json!({ "logit_bias": { "a": 1 } }), "logit_bias"),
        (json!({ "min_p": 0.1 }), "min_p"),
    ] {
        assert_eq!(param(more.clone()).as_deref(), Some(expected), "{more}");
    }
}

#[test]
fn what_is_no_json_object_is_refused() {
    for body in ["", "{", "[]", "{\"model\": \"m\"", "\u{feff}{}", "null"] {
        assert!(Asked::read(body.as_bytes(), &DEFAULTS).is_err(), "{body}");
    }
    assert!(Asked::read(b"{\"model\": \"\xff\"}", &DEFAULTS).is_err());
    let deep = "[".repeat(100_000);
    assert!(Asked::read(deep.as_bytes(), &DEFAULTS).is_err());
}
