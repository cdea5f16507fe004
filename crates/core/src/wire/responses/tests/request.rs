use serde_json::{Value, json};

use super::members;
use crate::call::Shape;
use crate::error::Kind;
use crate::wire::Dialect;
use crate::wire::conversation::{
    Call, Cannot, Choice, Conversation, Format, Image, Message, Part, Reasoning, Role, Seal, Settings,
    Source, Thinking, Tool, ToolResult,
};
use crate::wire::responses::{check, pass, read, wants_store, write};

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

/// One of everything that both sides can say.
fn everything() -> (Value, Conversation) {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let body = json!({
        "model": "gpt-5.1",
        "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
            ]},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA", "summary": [
                {"type": "summary_text", "text": "Look."},
            ]},
            {"type": "message", "role": "assistant", "content": "A map."},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{\"city\":\"Rome\"}"},
            {"type": "function_call", "call_id": "c2", "name": "time", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
            {"type": "function_call_output", "call_id": "c2", "output": [
                {"type": "input_text", "text": "noon"},
                {"type": "input_image", "image_url": "https://example.com/b.png", "detail": "auto"},
            ]},
            {"type": "message", "role": "system", "content": "In French."},
            {"type": "message", "role": "user", "content": "And now?"},
        ],
        "tools": [
            {"type": "function", "name": "weather", "description": "Of a city.", "parameters": schema, "strict": true},
            {"type": "function", "name": "time", "parameters": schema, "strict": false},
        ],
        "tool_choice": {"type": "function", "name": "weather"},
        "max_output_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.25,
        "parallel_tool_calls": false,
        "text": {"format": {
            "type": "json_schema", "name": "n", "description": "d", "schema": schema, "strict": true,
        }},
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": "u",
        "include": ["reasoning.encrypted_content"],
        "store": false,
        "stream": true,
    });
    let call = |id: &str, name: &str, arguments: &str| {
        Part::Call(Call { id: id.into(), name: name.into(), arguments: arguments.into(), ..Call::default() })
    };
    let url = |url: &str, detail: &str| {
        Part::Image(Image { source: Source::Url(url.into()), detail: Some(detail.into()) })
    };
    let result = |id: &str, name: &str, parts| {
        Part::Result(ToolResult { id: id.into(), name: Some(name.into()), parts, failed: false })
    };
    let data = Source::Data { media: "image/png".into(), base64: "AAAA".into() };
    let seal =
        Seal { dialect: Dialect::Responses, value: "gAAA".into(), hidden: true, item: Some("rs_1".into()) };
    let tool = |name: &str, description: Option<&str>, strict| Tool {
        name: name.into(),
        description: description.map(str::to_owned),
        schema: Some(members(&schema)),
        strict: Some(strict),
        custom: None,
    };
    let conversation = Conversation {
        messages: vec![
            message(Role::System, vec![text("Be brief.")]),
            message(
                Role::User,
                vec![
                    text("What is this?"),
                    url("https://example.com/a.png", "low"),
                    Part::Image(Image { source: data, detail: Some("auto".into()) }),
                ],
            ),
            message(
                Role::Assistant,
                vec![
                    Part::Thinking(Thinking { text: "Look.".into(), seal: Some(seal) }),
                    text("A map."),
                    call("c1", "weather", "{\"city\":\"Rome\"}"),
                    call("c2", "time", "{}"),
                ],
            ),
            message(
                Role::User,
                vec![
                    result("c1", "weather", vec![text("sunny")]),
                    result("c2", "time", vec![text("noon"), url("https://example.com/b.png", "auto")]),
                ],
            ),
            message(Role::System, vec![text("In French.")]),
            message(Role::User, vec![text("And now?")]),
        ],
        tools: vec![tool("weather", Some("Of a city."), true), tool("time", None, false)],
        choice: Some(Choice::Named("weather".into())),
        settings: Settings {
            max_output: Some(100),
            temperature: Some(0.5),
            top_p: Some(0.25),
            parallel_tools: Some(false),
            format: Format::Schema {
                name: "n".into(),
                description: Some("d".into()),
                schema: members(&schema),
                strict: Some(true),
            },
            reasoning: Some(Reasoning { effort: Some("low".into()), budget: None, visible: Some(true) }),
            user: Some("u".into()),
            ..Settings::default()
        },
        foreign: Vec::new(),
    };
    (body, conversation)
}

#[test]
fn everything_is_read_and_written() {
    let (body, conversation) = everything();
    assert_eq!(read(&members(&body)).unwrap(), conversation);
    let written = write(&conversation, "gpt-5.1", Shape::Stream).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written.text()).unwrap(), body);
}

#[test]
fn what_is_foreign_is_named() {
    let foreign = |extra: Value| {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        read(&members(&body)).unwrap().foreign
    };
    let harmless = json!({
        "store": true, "metadata": {"a": "b"}, "service_tier": "flex", "user": "u", "prompt_cache_key": "k",
        "truncation": "disabled", "top_logprobs": 0, "text": {"verbosity": "medium"}, "prompt": null,
        "stream_options": {"include_obfuscation": false}, "include": ["web_search_call.action.sources"],
        "reasoning": {"context": "auto", "mode": "standard"}, "background": false, "max_tool_calls": 3,
    });
    assert_eq!(foreign(harmless), Vec::<String>::new());
    for (extra, name) in [
        (json!({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}), "tools[1].type"),
        (
            json!({"tools": [{"type": "function", "name": "f", "defer_loading": true}]}),
            "tools[0].defer_loading",
        ),
        (json!({"tool_choice": {"type": "file_search"}}), "tool_choice"),
        (json!({"top_logprobs": 2}), "top_logprobs"),
        (json!({"truncation": "auto"}), "truncation"),
        (json!({"text": {"verbosity": "low"}}), "text.verbosity"),
        (json!({"include": ["message.output_text.logprobs"]}), "include"),
        (json!({"reasoning": {"effort": "low", "mode": "pro"}}), "reasoning.mode"),
        (json!({"moderation": {}}), "moderation"),
        (json!({"of_tomorrow": 1}), "of_tomorrow"),
        (json!({"input": [{"type": "mcp_call", "id": "x"}]}), "input[0]"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]}),
            "input[0].content[0]",
        ),
    ] {
        assert_eq!(foreign(extra), [name]);
    }
}

#[test]
fn a_wrong_member_is_a_400_that_names_it() {
    for (extra, field) in [
        (json!({"input": null}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": 1}), "input"),
        (json!({"input": [{}]}), "input[0]"),
        (json!({"input": [{"role": "tool", "content": ""}]}), "input[0].role"),
        (json!({"input": [{"role": "user"}]}), "input[0].content"),
        (json!({"input": [{"role": "user", "content": [{"type": "text"}]}]}), "input[0].content[0].type"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}),
            "input[0].content[0].text",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
            "input[0].content[0].image_url",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}]}),
            "input[0].content[0].image_url",
        ),
        (json!({"input": [{"type": "function_call", "name": "f"}]}), "input[0].call_id"),
        (
            json!({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "[1"}]}),
            "input[0].arguments",
        ),
        (json!({"input": [{"type": "function_call_output", "output": ""}]}), "input[0].call_id"),
        (json!({"input": [{"type": "function_call_output", "call_id": "c"}]}), "input[0].output"),
        (json!({"input": ["x", {"type": "item_reference", "id": "msg_1"}]}), "input[0]"),
        (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), "input[0]"),
        (json!({"instructions": 1}), "instructions"),
        (json!({"tools": {}}), "tools"),
        (json!({"tools": [{"name": "f"}]}), "tools[0].type"),
        (json!({"tools": [{"type": "function", "function": {"name": "f"}}]}), "tools[0].name"),
        (json!({"tools": [{"type": "function", "name": "f", "parameters": 1}]}), "tools[0].parameters"),
        (json!({"tool_choice": "any"}), "tool_choice"),
        (json!({"tool_choice": {"type": "function"}}), "tool_choice"),
        (json!({"temperature": 2.5}), "temperature"),
        (json!({"top_p": "1"}), "top_p"),
        (json!({"max_output_tokens": -1}), "max_output_tokens"),
        (json!({"text": {"format": {"type": "xml"}}}), "text.format.type"),
        (json!({"text": {"format": {"type": "json_schema", "schema": {}}}}), "text.format.name"),
        (json!({"text": {"format": {"type": "json_schema", "name": "n"}}}), "text.format.schema"),
        (json!({"reasoning": {"effort": "huge"}}), "reasoning.effort"),
        (json!({"previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"conversation": "conv_1"}), "conversation"),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt"),
        (json!({"background": true}), "background"),
    ] {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let error = read(&members(&body)).unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (Kind::Invalid, Some(field)), "{extra}");
        assert!(error.detail.contains(field), "{}", error.detail);
    }
}

#[test]
fn a_store_is_answered_for() {
    for (body, store) in [
        (json!({}), true),
        (json!({"store": null}), true),
        (json!({"store": true}), true),
        (json!({"store": false}), false),
    ] {
        let body = members(&body);
        assert_eq!(wants_store(&body), store, "{}", body.text());
        assert_eq!(check(&body), Ok(()));
    }
}

#[test]
fn what_the_dialect_lacks_is_said() {
    let cannot = |change: fn(&mut Conversation)| {
        let mut conversation = everything().1;
        change(&mut conversation);
        write(&conversation, "m", Shape::Whole).unwrap_err()
    };
    assert_eq!(cannot(|c| c.settings.stop = vec!["x".into()]), Cannot::Stop);
    assert_eq!(cannot(|c| c.settings.seed = Some(1)), Cannot::Seed);
    assert_eq!(cannot(|c| c.settings.top_k = Some(1)), Cannot::TopK);
    assert_eq!(cannot(|c| c.settings.presence_penalty = Some(1.0)), Cannot::PresencePenalty);
    assert_eq!(cannot(|c| c.settings.frequency_penalty = Some(1.0)), Cannot::FrequencyPenalty);
    assert_eq!(cannot(|c| c.foreign = vec!["n".into()]), Cannot::Foreign("n".into()));
    let picture = |c: &mut Conversation| {
        let image = c.messages[1].parts[1].clone();
        c.messages[2].parts.push(image);
    };
    assert_eq!(cannot(picture), Cannot::Image);
}

#[test]
fn a_request_has_what_its_model_and_shape_need() {
    let mut conversation =
        Conversation { messages: vec![message(Role::User, vec![text("hi")])], ..Conversation::default() };
    let written = |conversation: &Conversation, model: &str, shape| {
        serde_json::from_str::<Value>(&write(conversation, model, shape).unwrap().text()).unwrap()
    };
    let input = json!([{"type": "message", "role": "user", "content": "hi"}]);
    assert_eq!(
        written(&conversation, "gpt-4.1", Shape::Whole),
        json!({"model": "gpt-4.1", "input": input, "store": false})
    );
    for (model, thinks) in [
        ("o4-mini", true),
        ("gpt-5-mini", true),
        ("openai/gpt-5.6-sol", true),
        ("codex-mini-latest", true),
        ("gpt-5-chat-latest", false),
        ("gpt-4o", false),
        ("gpt-oss-120b", false),
        ("omni", false),
    ] {
        let body = written(&conversation, model, Shape::Whole);
        assert_eq!(body.get("include").is_some(), thinks, "{model}");
    }
    for (reasoning, expected) in [
        (
            Reasoning { effort: Some("none".into()), ..Reasoning::default() },
            (json!({"effort": "none"}), false),
        ),
        (Reasoning { budget: Some(0), ..Reasoning::default() }, (json!({"effort": "none"}), false)),
        (Reasoning { budget: Some(1_024), ..Reasoning::default() }, (json!({"effort": "low"}), true)),
        (
            Reasoning { budget: Some(32_000), visible: Some(true), effort: None },
            (json!({"effort": "high", "summary": "auto"}), true),
        ),
    ] {
        conversation.settings.reasoning = Some(reasoning);
        let body = written(&conversation, "m", Shape::Whole);
        assert_eq!((body["reasoning"].clone(), body.get("include").is_some()), expected);
    }
    conversation.tools = vec![Tool { name: "f".into(), ..Tool::default() }];
    let tool = &written(&conversation, "m", Shape::Whole)["tools"][0];
    assert_eq!(tool["strict"], json!(false));
    assert_eq!(tool["parameters"]["type"], json!("object"));
}

#[test]
fn a_caller_of_the_same_dialect_is_passed_on() {
    let body = |text: &str| crate::wire::json::Members::parse(text.as_bytes()).unwrap();
    for (sent, shape, expected) in [
        (
            r#"{"z": [1,  2.50], "model":"a", "input":"hi", "stream":true}"#,
            Shape::Stream,
            r#"{"z":[1,  2.50],"model":"b","input":"hi","stream":true,"store":false}"#,
        ),
        (r#"{"store":true,"model":"a"}"#, Shape::Whole, r#"{"store":false,"model":"b"}"#),
        (r#"{"stream":true}"#, Shape::Whole, r#"{"stream":false,"model":"b","store":false}"#),
    ] {
        assert_eq!(pass(&body(sent), "b", shape).text(), expected);
    }
}
