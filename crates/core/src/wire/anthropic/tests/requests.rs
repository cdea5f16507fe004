use serde_json::{Value, json};

use crate::call::Shape;
use crate::wire::Dialect;
use crate::wire::anthropic::{credential, pass, read, uri, write};
use crate::wire::conversation::{
    Call, Cannot, Choice, Conversation, Format, Image, Message, Part, Reasoning, Role, Seal, Source,
    Thinking, Tool, ToolResult,
};
use crate::wire::json::Members;

fn members(value: &Value) -> Members {
    Members::parse(value.to_string().as_bytes()).unwrap()
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn say(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

fn call(id: &str, arguments: &str) -> Part {
    Part::Call(Call {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: arguments.to_owned(),
        ..Call::default()
    })
}

fn result(id: &str, parts: Vec<Part>, failed: bool) -> Part {
    Part::Result(ToolResult { id: id.to_owned(), name: Some("f".to_owned()), parts, failed })
}

fn picture(source: Source) -> Part {
    Part::Image(Image { source, detail: None })
}

fn png() -> Source {
    Source::Data { media: "image/png".to_owned(), base64: "AAAA".to_owned() }
}

fn tool(strict: Option<bool>) -> Tool {
    let schema = members(&json!({"type":"object","properties":{"x":{"type":"integer","minimum":1}}}));
    Tool {
        name: "f".to_owned(),
        description: Some("d".to_owned()),
        schema: Some(schema),
        strict,
        custom: None,
    }
}

/// A conversation with most of what there is, and how this dialect says it.
fn full() -> (Conversation, Value) {
    let thinking = Part::Thinking(Thinking {
        text: "h".to_owned(),
        seal: Some(Seal::signature(Dialect::Anthropic, "sig")),
    });
    let redacted = Part::Thinking(Thinking {
        text: String::new(),
        seal: Some(Seal { dialect: Dialect::Anthropic, value: "d".to_owned(), hidden: true, item: None }),
    });
    let mut conversation = Conversation {
        messages: vec![
            say(Role::System, vec![text("one"), text("two")]),
            say(
                Role::User,
                vec![text("hi"), picture(Source::Url("https://x/y.png".to_owned())), picture(png())],
            ),
            say(
                Role::Assistant,
                vec![thinking, redacted, text("ok"), call("a", r#"{"x":1.50}"#), call("b", "{}")],
            ),
            say(
                Role::User,
                vec![
                    result("a", vec![text("1"), picture(png())], false),
                    result("b", vec![], true),
                    text("go on"),
                ],
            ),
        ],
        tools: vec![tool(None)],
        choice: Some(Choice::Auto),
        ..Conversation::default()
    };
    let settings = &mut conversation.settings;
    settings.max_output = Some(4000);
    settings.stop = vec!["END".to_owned()];
    settings.parallel_tools = Some(false);
    settings.user = Some("u".to_owned());
    settings.reasoning = Some(Reasoning { effort: None, budget: Some(2000), visible: None });
    let body = json!({
        "model": "claude-sonnet-4-6",
        "max_tokens": 4000,
        "system": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "hi"},
                {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "h", "signature": "sig"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "text", "text": "ok"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1.5}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [
                    {"type": "text", "text": "1"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                ]},
                {"type": "tool_result", "tool_use_id": "b", "is_error": true},
                {"type": "text", "text": "go on"},
            ]},
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object",
            "properties": {"x": {"type": "integer", "minimum": 1}}}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "stop_sequences": ["END"],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "metadata": {"user_id": "u"},
        "stream": true,
    });
    (conversation, body)
}

#[test]
fn a_conversation_is_written_and_read_back() {
    let (conversation, body) = full();
    let written = write(&conversation, "claude-sonnet-4-6", Shape::Stream).unwrap();
    assert!(written.text().contains(r#"{"x":1.50}"#));
    assert_eq!(serde_json::from_str::<Value>(&written.text()).unwrap(), body);
    assert_eq!(read(&written).unwrap(), conversation);
}

#[test]
fn turns_are_put_in_order() {
    let check = |messages: Vec<Message>, system: Value, expected: Value| {
        let written = put("other", messages);
        assert_eq!((&written["system"], &written["messages"]), (&system, &expected));
    };
    let said = |role: &str, blocks: Value| json!({"role": role, "content": blocks});
    let block = |text: &str| json!({"type": "text", "text": text});
    // Speakers take turns, later instructions keep their place, results stand before text, nothing is empty.
    check(
        vec![
            say(Role::User, vec![text("a")]),
            say(Role::Assistant, vec![text(" "), call("call 1", "")]),
            say(Role::User, vec![text("b")]),
            say(Role::System, vec![text("s")]),
            say(Role::User, vec![result("call 1", vec![text("")], false)]),
            say(Role::Assistant, vec![text("")]),
            say(Role::User, vec![text("c")]),
        ],
        Value::Null,
        json!([
            said("user", json!([block("a")])),
            said(
                "assistant",
                json!([{"type": "tool_use", "id": "toolu_Y2FsbCAx", "name": "f", "input": {}}])
            ),
            said(
                "user",
                json!([{"type": "tool_result", "tool_use_id": "toolu_Y2FsbCAx"}, block("b"), block("<system-reminder>\ns\n</system-reminder>"), block("c")])
            ),
        ]),
    );
    // Thinking of others is left out; a last turn of the model does not end in space.
    let foreign = Thinking { text: "t".to_owned(), seal: Some(Seal::signature(Dialect::Gemini, "g")) };
    check(
        vec![
            say(Role::User, vec![text("a")]),
            say(Role::Assistant, vec![Part::Thinking(foreign), text("b \n")]),
        ],
        Value::Null,
        json!([said("user", json!([block("a")])), said("assistant", json!([block("b")]))]),
    );
    check(vec![say(Role::System, vec![text("s")])], Value::Null, json!([said("user", json!([block("s")]))]));
}

#[test]
fn later_instructions_keep_their_place() {
    let conversation = || {
        vec![
            say(Role::System, vec![text("first")]),
            say(Role::User, vec![text("a")]),
            say(Role::System, vec![text("s"), text(" ")]),
            say(Role::Assistant, vec![text("b")]),
            say(Role::System, vec![text("t")]),
            say(Role::User, vec![text("c")]),
            say(Role::System, vec![text("u")]),
            say(Role::System, vec![text("v")]),
        ]
    };
    let said = |role: &str, texts: &[&str]| {
        let blocks = texts.iter().map(|text| json!({"type": "text", "text": text}));
        json!({"role": role, "content": blocks.collect::<Vec<_>>()})
    };
    let [s, t, u, v] = ["s", "t", "u", "v"].map(|it| format!("<system-reminder>\n{it}\n</system-reminder>"));
    let in_place = json!([
        said("user", &["a"]),
        said("system", &["s"]),
        said("assistant", &["b"]),
        said("user", &[&t, "c"]),
        said("system", &["u", "v"]),
    ]);
    let reminded =
        json!([said("user", &["a", &s]), said("assistant", &["b"]), said("user", &[&t, "c", &u, &v])]);
    for (model, expected) in [
        ("claude-opus-4-8", &in_place),
        ("claude-sonnet-5", &in_place),
        ("claude-opus-4-7", &reminded),
        ("claude-haiku-4-5", &reminded),
        ("another", &reminded),
    ] {
        let written = put(model, conversation());
        assert_eq!((&written["system"], &written["messages"]), (&json!("first"), expected), "{model}");
    }
}

fn put(model: &str, messages: Vec<Message>) -> Value {
    let conversation = Conversation { messages, ..Conversation::default() };
    let written = write(&conversation, model, Shape::Whole).unwrap().text();
    serde_json::from_str(&written).unwrap()
}

#[test]
fn settings_are_written_as_the_model_takes_them() {
    fn check(model: &str, change: impl Fn(&mut Conversation), expected: Result<Value, Cannot>) {
        let mut conversation =
            Conversation { messages: vec![say(Role::User, vec![text("a")])], ..Conversation::default() };
        conversation.settings.max_output = Some(5000);
        change(&mut conversation);
        let written = write(&conversation, model, Shape::Whole).map(|mut written| {
            for name in ["model", "max_tokens", "messages"] {
                written.unset(name);
            }
            serde_json::from_str(&written.text()).unwrap()
        });
        assert_eq!(written, expected, "{model}");
    }
    let new = "claude-opus-4-8";
    let old = "claude-sonnet-4-5";
    let sample = |temperature: Option<f64>, top_p: Option<f64>, top_k: Option<u64>| {
        move |c: &mut Conversation| {
            (c.settings.temperature, c.settings.top_p, c.settings.top_k) = (temperature, top_p, top_k);
        }
    };
    check(old, sample(Some(0.5), Some(1.0), Some(9)), Ok(json!({"temperature": 0.5, "top_k": 9})));
    check(old, sample(Some(1.0), Some(0.5), None), Ok(json!({"top_p": 0.5})));
    check(old, sample(Some(0.5), Some(0.5), None), Err(Cannot::TopP));
    check("other", sample(Some(0.5), Some(0.5), None), Ok(json!({"temperature": 0.5, "top_p": 0.5})));
    check(old, sample(Some(1.1), None, None), Err(Cannot::Temperature));
    check(new, sample(Some(1.0), Some(1.0), None), Ok(json!({})));
    check(new, sample(Some(0.5), None, None), Err(Cannot::Temperature));
    check(new, sample(None, Some(0.5), None), Err(Cannot::TopP));
    check(new, sample(None, None, Some(1)), Err(Cannot::TopK));
    let told = Cannot::TopP.error(Dialect::Gemini, "a/b");
    assert_eq!(told.param.as_deref(), Some("generationConfig.topP"));
    assert!(told.detail.contains("does not take it with a temperature"), "{}", told.detail);
    check(old, |c| c.settings.seed = Some(1), Err(Cannot::Seed));
    check(old, |c| c.settings.presence_penalty = Some(0.1), Err(Cannot::PresencePenalty));
    check(old, |c| c.settings.frequency_penalty = Some(0.1), Err(Cannot::FrequencyPenalty));
    check(old, |c| c.settings.frequency_penalty = Some(0.0), Ok(json!({})));
    check(old, |c| c.settings.stop = vec![" ".to_owned()], Err(Cannot::Stop));
    check(old, |c| c.settings.format = Format::Json, Err(Cannot::Json));
    check(old, |c| c.foreign = vec!["logprobs".to_owned()], Err(Cannot::Foreign("logprobs".to_owned())));

    let schema = |c: &mut Conversation| {
        let schema = members(&json!({"type":"object","properties":{}}));
        c.settings.format =
            Format::Schema { name: "n".to_owned(), description: Some("d".to_owned()), schema, strict: None };
        c.settings.reasoning =
            Some(Reasoning { effort: Some("low".to_owned()), budget: None, visible: None });
    };
    let format = json!({"type": "json_schema", "schema": {"type": "object", "properties": {},
        "additionalProperties": false, "description": "d"}});
    let output =
        json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low", "format": format}});
    check(new, schema, Ok(output));
    check("claude-sonnet-4", schema, Err(Cannot::Schema));

    let tools = |strict: Option<bool>, choice: Option<Choice>| {
        move |c: &mut Conversation| (c.tools, c.choice) = (vec![tool(strict)], choice.clone())
    };
    let strict = json!([{"name": "f", "description": "d", "strict": true, "input_schema": {"type": "object",
        "properties": {"x": {"type": "integer", "description": "minimum: 1"}}, "additionalProperties": false}}]);
    let named = json!({"type": "tool", "name": "f"});
    let choice = Some(Choice::Named("f".to_owned()));
    check(new, tools(Some(true), choice.clone()), Ok(json!({"tools": strict, "tool_choice": named})));
    check("claude-sonnet-4", tools(Some(true), None), Err(Cannot::Tools));
    check("claude-fable-5-1", tools(None, choice), Err(Cannot::Tools));
    check(old, |c| c.choice = Some(Choice::Any), Err(Cannot::Tools));
    check(old, |c| c.choice = Some(Choice::Auto), Ok(json!({})));
    let plain = json!([{"name": "g", "input_schema": {"type": "object", "properties": {}}}]);
    let bare = |name: &str| Tool { name: name.to_owned(), ..Tool::default() };
    check(
        old,
        |c| {
            c.tools = vec![bare("g")];
            c.settings.parallel_tools = Some(false);
        },
        Ok(json!({"tools": plain, "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}})),
    );
    check(old, |c| c.tools = vec![bare("a.b")], Err(Cannot::Tools));
    check(old, |c| c.messages[0].parts = vec![call("a", "[1]")], Err(Cannot::Tools));
    let gopher = Source::Url("gs://x".to_owned());
    check(old, |c| c.messages[0].parts = vec![picture(gopher.clone())], Err(Cannot::Image));
    let blank = || vec![Part::Text(" \n".to_owned())];
    check(old, |c| c.messages[0].parts = blank(), Err(Cannot::Silence));
    // In the middle of another provider's calls there is no thinking to go on from.
    let calls = |c: &mut Conversation| {
        c.messages.push(say(Role::Assistant, vec![call("a", "{}")]));
        c.messages.push(say(Role::User, vec![result("a", vec![], false)]));
        c.settings.reasoning =
            Some(Reasoning { effort: Some("low".to_owned()), budget: None, visible: None });
    };
    check(old, calls, Err(Cannot::Reasoning));
}

#[test]
fn what_cannot_be_read_is_named() {
    let check = |change: Value, at: &str| {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = read(&members(&body)).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(at), "{}", error.detail);
    };
    let content = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    check(json!({"max_tokens": null}), "max_tokens");
    check(json!({"max_tokens": "9"}), "max_tokens");
    check(json!({"max_tokens": 0}), "max_tokens");
    check(json!({"messages": []}), "messages");
    check(json!({"messages": "a"}), "messages");
    check(json!({"messages": [{"role": "tool", "content": "a"}]}), "messages.0.role");
    check(json!({"messages": [{"role": "user"}]}), "messages.0.content");
    check(json!({"messages": [{"role": "user", "content": 1}]}), "messages.0.content");
    check(json!({"system": [{"type": "image"}]}), "system.0.type");
    check(content(json!({"type": "document", "source": {}})), "messages.0.content.0.type");
    check(content(json!({"text": "a"})), "messages.0.content.0.type");
    check(content(json!({"type": "text"})), "messages.0.content.0.text");
    check(content(json!({"type": "image", "source": {"type": "file"}})), "messages.0.content.0.source.type");
    check(content(json!({"type": "tool_use", "id": "a", "name": "f"})), "messages.0.content.0.input");
    let searched = json!({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "search_result"}]});
    check(content(searched), "messages.0.content.0.content.0.type");
    check(json!({"temperature": 1.5}), "temperature");
    check(json!({"stop_sequences": "END"}), "stop_sequences");
    check(json!({"tools": [{"name": "f"}]}), "tools.0.input_schema");
    check(json!({"tool_choice": {"type": "tool"}}), "tool_choice.name");
    check(json!({"tool_choice": {"type": "all"}}), "tool_choice.type");
    check(json!({"thinking": {"type": "enabled"}}), "thinking.budget_tokens");
    check(json!({"output_config": {"effort": "much"}}), "output_config.effort");
    check(json!({"output_config": {"format": {"type": "json"}}}), "output_config.format.type");
    check(json!({"output_format": {"type": "json_schema"}}), "output_format.schema");
}

#[test]
fn what_is_not_translated_is_told() {
    let body = json!({
        "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}], "stream": true,
        "service_tier": "auto", "cache_control": {"type": "ephemeral"}, "mcp_servers": [{}], "container": "c",
        "context_management": {}, "fallbacks": [], "output_config": {"effort": "max", "task_budget": {}},
        "tools": [
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "custom", "name": "f", "input_schema": {}, "strict": true, "cache_control": {}, "defer_loading": true},
        ],
        "thinking": {"type": "adaptive", "display": "summarized"},
    });
    let conversation = read(&members(&body)).unwrap();
    let mut foreign = conversation.foreign;
    foreign.sort();
    let expected = [
        "container",
        "context_management",
        "mcp_servers",
        "output_config.task_budget",
        "tools.0",
        "tools.1.defer_loading",
    ];
    assert_eq!(foreign, expected);
    assert_eq!(conversation.tools.len(), 1);
    let reasoning = Reasoning { effort: Some("max".to_owned()), budget: None, visible: Some(true) };
    assert_eq!(conversation.settings.reasoning, Some(reasoning));
}

#[test]
fn passing_on_changes_the_model_alone() {
    let body = Members::parse(br#"{ "x": 1.50, "stream":true, "model":"a", "messages": [ ] }"#).unwrap();
    let check = |shape: Shape, expected: &str| assert_eq!(pass(&body, "b", shape).text(), expected);
    check(Shape::Stream, r#"{"x":1.50,"stream":true,"model":"b","messages":[ ]}"#);
    check(Shape::Whole, r#"{"x":1.50,"stream":false,"model":"b","messages":[ ]}"#);
    assert_eq!(uri("https://x/v1/", "m", Shape::Whole), "https://x/v1/messages");
    let (name, value) = credential("key").unwrap();
    assert!(name == "x-api-key" && value == "key" && value.is_sensitive());
    assert!(credential("k\n").is_err());
}
