//! Requests: what they ask, and how that is put to Google.

use serde_json::{Value, json};

use crate::call::Shape;
use crate::wire::Dialect;
use crate::wire::conversation::{
    Call, Cannot, Choice, Conversation, Format, Image, Message, Part, Reasoning, Role, Seal, Settings,
    Source, Thinking, Tool, ToolResult,
};
use crate::wire::gemini::{read, write};
use crate::wire::json::Members;

const MODEL: &str = "gemini-3-pro-preview";

fn members(value: &Value) -> Members {
    Members::parse(value.to_string().as_bytes()).unwrap()
}

fn asked(value: &Value) -> Conversation {
    read(&members(value)).unwrap()
}

fn said(text: &str) -> Conversation {
    let message = Message { role: Role::User, parts: vec![Part::Text(text.to_owned())] };
    Conversation { messages: vec![message], ..Conversation::default() }
}

fn with(settings: Settings) -> Conversation {
    Conversation { settings, ..said("hi") }
}

fn body(conversation: &Conversation, model: &str) -> Value {
    serde_json::from_str(&write(conversation, model, Shape::Stream).unwrap().text()).unwrap()
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: None,
        schema: Some(members(&json!({"type":"object"}))),
        ..Tool::default()
    }
}

#[test]
fn both_spellings_are_read() {
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [
            {"parts": [{"text": "look"}, {"inlineData": {"mimeType": "image/png", "data": "a-_"}},
                {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x/y.jpg"}}]},
            {"role": "model", "parts": [{"text": "hm", "thought": true}, {"text": "o"}]},
            {"role": "model", "parts": [{"text": "k"}, {"functionCall": {"name": "f", "args": {"z": 1.50}}, "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "f"}}]},
            {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"output": "one"}}},
                {"functionResponse": {"name": "f", "response": {"error": {"why": 1}}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}, {"name": "g"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"maxOutputTokens": 9, "topK": 40.0, "stopSequences": ["x"], "responseMimeType": "application/json",
            "responseSchema": {"type": "STRING"}, "thinkingConfig": {"thinkingBudget": -1, "includeThoughts": true}},
        "safetySettings": [],
    });
    let text = camel.to_string();
    let names = [
        "systemInstruction",
        "inlineData",
        "mimeType",
        "fileData",
        "fileUri",
        "functionCall",
        "thoughtSignature",
        "functionResponse",
        "functionDeclarations",
        "toolConfig",
        "allowedFunctionNames",
        "generationConfig",
        "maxOutputTokens",
        "topK",
        "stopSequences",
        "responseMimeType",
        "responseSchema",
        "thinkingConfig",
        "thinkingBudget",
        "includeThoughts",
        "functionCallingConfig",
    ];
    let mut snake = text;
    for name in names {
        let other = super::super::fields::snake(name);
        snake = snake.replace(&format!("\"{name}\""), &format!("\"{other}\""));
    }
    let conversation = asked(&camel);
    assert_eq!(read(&Members::parse(snake.as_bytes()).unwrap()).unwrap(), conversation);

    let Conversation { messages, tools, choice, settings, foreign } = conversation;
    assert_eq!((foreign, choice, tools.len()), (Vec::new(), Some(Choice::Named("f".to_owned())), 2));
    assert_eq!(tools[0].schema, Some(members(&json!({"type":"object"}))));
    let roles: Vec<_> = messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User]);
    let picture = Source::Data { media: "image/png".to_owned(), base64: "a+/=".to_owned() };
    assert_eq!(messages[1].parts[1], Part::Image(Image { source: picture, detail: None }));
    let call = |id: &str, arguments: &str, seal| {
        Part::Call(Call {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: arguments.to_owned(),
            seal,
            ..Call::default()
        })
    };
    let thought = Thinking { text: "hm".to_owned(), seal: None };
    let seal = Seal::signature(Dialect::Gemini, "c2ln");
    assert_eq!(
        messages[2].parts,
        [
            Part::Thinking(thought),
            Part::Text("ok".to_owned()),
            call("call_0_f", "{\"z\":1.5}", Some(seal)),
            call("call_1_f", "{}", None),
        ]
    );
    let result = |id: &str, text: &str, failed| {
        Part::Result(ToolResult {
            id: id.to_owned(),
            name: Some("f".to_owned()),
            parts: vec![Part::Text(text.to_owned())],
            failed,
        })
    };
    assert_eq!(
        messages[3].parts,
        [result("call_0_f", "one", false), result("call_1_f", "{\"why\":1}", true)]
    );
    assert_eq!(
        (settings.max_output, settings.top_k, settings.stop),
        (Some(9), Some(40), vec!["x".to_owned()])
    );
    assert_eq!(settings.reasoning, Some(Reasoning { effort: None, budget: None, visible: Some(true) }));
    assert!(
        matches!(settings.format, Format::Schema { schema, .. } if schema == members(&json!({"type":"string"})))
    );
}

#[test]
fn what_has_no_place_is_named() {
    let hi = json!([{"parts": [{"text": "hi"}]}]);
    let cases = [
        (json!({"contents": hi, "safetySettings": [{}], "labels": {"a": "b"}}), "safetySettings"),
        (json!({"contents": hi, "cached_content": "cachedContents/x"}), "cached_content"),
        (json!({"contents": hi, "tools": [{"googleSearch": {}}]}), "tools[0].googleSearch"),
        (
            json!({"contents": hi, "generationConfig": {"candidateCount": 2}}),
            "generationConfig.candidateCount",
        ),
        (
            json!({"contents": hi, "generationConfig": {"responseModalities": ["AUDIO"]}}),
            "generationConfig.responseModalities",
        ),
        (
            json!({"contents": hi, "generationConfig": {"speechConfig": {"a": 1}}}),
            "generationConfig.speechConfig",
        ),
        (
            json!({"contents": [{"parts": [{"executableCode": {"code": "1"}}, {"text": "x"}]}]}),
            "contents[0].parts[0].executableCode",
        ),
        (
            json!({"contents": [{"parts": [{"inlineData": {"mimeType": "audio/wav", "data": "AA"}}, {"text": "x"}]}]}),
            "contents[0].parts[0].inlineData",
        ),
    ];
    for (request, name) in cases {
        let conversation = asked(&request);
        assert_eq!(conversation.foreign, [name], "{request}");
        assert_eq!(write(&conversation, MODEL, Shape::Whole).unwrap_err(), Cannot::Foreign(name.to_owned()));
    }
    let plain = json!({"contents": hi, "generationConfig": {"candidateCount": 1, "responseModalities": ["TEXT"], "responseLogprobs": false}});
    assert_eq!(asked(&plain).foreign, Vec::<String>::new());
}

#[test]
fn mistakes_are_named() {
    let hi = json!([{"parts": [{"text": "hi"}]}]);
    let cases = [
        (json!({}), "contents"),
        (json!({"contents": "hi"}), "contents"),
        (json!({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}), "contents[0].role"),
        (json!({"contents": [{"parts": ["x"]}]}), "contents[0].parts[0]"),
        (json!({"contents": [{"parts": [{"text": 1}]}]}), "contents[0].parts[0].text"),
        (
            json!({"contents": [{"parts": [{"functionResponse": {"name": "f"}}]}]}),
            "contents[0].parts[0].functionResponse",
        ),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": "x"}}]}]}),
            "contents[0].parts[0].functionCall.args",
        ),
        (json!({"contents": hi, "generationConfig": {"temperature": "hot"}}), "generationConfig.temperature"),
        (
            json!({"contents": hi, "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}),
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            json!({"contents": hi, "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}}),
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
        (
            json!({"contents": hi, "systemInstruction": {"parts": [{"inlineData": {}}]}}),
            "systemInstruction.parts[0]",
        ),
    ];
    for (request, path) in cases {
        let error = read(&members(&request)).unwrap_err();
        assert_eq!((error.status(), error.param.as_deref()), (400, Some(path)), "{request}: {error}");
        assert!(error.detail.contains(path), "{error}");
    }
}

#[test]
fn a_conversation_is_put_to_google() {
    let text = |role, text: &str| Message { role, parts: vec![Part::Text(text.to_owned())] };
    let call = |id: &str, seal| {
        Part::Call(Call {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: r#"{"z":1.50}"#.to_owned(),
            seal,
            ..Call::default()
        })
    };
    let result = |id: &str, parts, failed| Message {
        role: Role::User,
        parts: vec![Part::Result(ToolResult { id: id.to_owned(), name: None, parts, failed })],
    };
    let picture = |source| Part::Image(Image { source, detail: None });
    let png = Source::Data { media: "image/png".to_owned(), base64: "AA==".to_owned() };
    let foreign = Seal::signature(Dialect::Anthropic, "s");
    let conversation = Conversation {
        messages: vec![
            text(Role::System, "brief"),
            Message {
                role: Role::User,
                parts: vec![picture(Source::Url("https://x/y.PNG?z=.gif".to_owned())), picture(png.clone())],
            },
            Message {
                role: Role::Assistant,
                parts: vec![
                    Part::Thinking(Thinking { text: "their".to_owned(), seal: Some(foreign.clone()) }),
                    Part::Thinking(Thinking {
                        text: "t".to_owned(),
                        seal: Some(Seal::signature(Dialect::Gemini, "g")),
                    }),
                    call("a", Some(foreign)),
                    call("b", Some(Seal::signature(Dialect::Gemini, "g"))),
                    call("c", None),
                ],
            },
            result("a", vec![Part::Text("plain".to_owned())], false),
            result("b", vec![Part::Text(r#"{"k":1}"#.to_owned()), picture(png)], false),
            result("c", vec![Part::Text("no".to_owned())], true),
            text(Role::User, "go on"),
        ],
        tools: vec![tool("f")],
        choice: Some(Choice::Named("f".to_owned())),
        ..Conversation::default()
    };
    let called = |id: &str, signature: Option<&str>| {
        let mut part = json!({"functionCall": {"id": id, "name": "f", "args": {"z": 1.5}}});
        signature.into_iter().for_each(|value| part["thoughtSignature"] = json!(value));
        part
    };
    let gave = |id: &str, response: Value| json!({"functionResponse": {"id": id, "name": "f", "response": response}});
    let mut pictured = gave("b", json!({"k": 1}));
    pictured["functionResponse"]["parts"] =
        json!([{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]);
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "brief"}]},
        "contents": [
            {"role": "user", "parts": [{"fileData": {"mimeType": "image/png", "fileUri": "https://x/y.PNG?z=.gif"}},
                {"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
            {"role": "model", "parts": [{"text": "t", "thought": true, "thoughtSignature": "g"},
                called("a", Some("skip_thought_signature_validator")), called("b", Some("g")), called("c", None)]},
            {"role": "user", "parts": [gave("a", json!({"output": "plain"})), pictured, gave("c", json!({"error": "no"}))]},
            {"role": "user", "parts": [{"text": "go on"}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    });
    assert_eq!(body(&conversation, MODEL), expected);
    assert!(write(&conversation, MODEL, Shape::Whole).unwrap().text().contains(r#"{"z":1.50}"#));
    let older = body(&conversation, "models/gemini-2.5-flash");
    assert_eq!(older["contents"][1]["parts"][1], called("a", None));
    assert_eq!(
        older["contents"][2]["parts"][2],
        json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}})
    );
    let again = read(&members(&expected)).unwrap();
    assert_eq!(body(&again, MODEL)["contents"], expected["contents"]);
}

#[test]
fn later_instructions_keep_their_place() {
    let text = |role, text: &str| Message { role, parts: vec![Part::Text(text.to_owned())] };
    let call = Call { id: "a".to_owned(), name: "f".to_owned(), ..Call::default() };
    let result =
        ToolResult { id: "a".to_owned(), name: None, parts: vec![Part::Text("r".to_owned())], failed: false };
    let messages = vec![
        text(Role::System, "first"),
        text(Role::User, "a"),
        text(Role::System, "s"),
        Message { role: Role::Assistant, parts: vec![Part::Call(call)] },
        text(Role::System, "t"),
        Message { role: Role::User, parts: vec![Part::Result(result)] },
        text(Role::User, "c"),
        text(Role::System, "u"),
    ];
    let written = body(&Conversation { messages, ..Conversation::default() }, "gemini-2.5-flash");
    assert_eq!(written["systemInstruction"], json!({"parts": [{"text": "first"}]}));
    let said = |texts: &[&str]| json!({"role": "user", "parts": texts.iter().map(|text| json!({"text": text})).collect::<Vec<_>>()});
    let [s, t, u] = ["s", "t", "u"].map(|it| format!("<system-reminder>\n{it}\n</system-reminder>"));
    // What comes between a call and its result waits for the user's next words.
    let call = json!({"functionCall": {"id": "a", "name": "f", "args": {}}});
    let result = json!({"functionResponse": {"id": "a", "name": "f", "response": {"output": "r"}}});
    let expected = json!([
        said(&["a", &s]),
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result]},
        said(&[&t, "c", &u]),
    ]);
    assert_eq!(written["contents"], expected);
}

#[test]
fn settings_are_put_to_google() {
    let schema = Format::Schema {
        name: "n".to_owned(),
        description: Some("d".to_owned()),
        schema: members(&json!({"type":"object"})),
        strict: Some(true),
    };
    let think = |effort: &str| Some(Reasoning { effort: Some(effort.to_owned()), ..Reasoning::default() });
    let settings = Settings {
        max_output: Some(5),
        temperature: Some(1.5),
        top_p: Some(0.5),
        top_k: Some(3),
        presence_penalty: Some(1.0),
        frequency_penalty: Some(-1.0),
        seed: Some(7),
        stop: vec!["x".to_owned()],
        format: schema,
        reasoning: think("max"),
        user: Some("u".to_owned()),
        parallel_tools: Some(false),
    };
    let expected = json!({"maxOutputTokens": 5, "temperature": 1.5, "topP": 0.5, "topK": 3, "presencePenalty": 1.0,
        "frequencyPenalty": -1.0, "seed": 7, "stopSequences": ["x"], "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "description": "d"}, "thinkingConfig": {"thinkingLevel": "HIGH"}});
    assert_eq!(body(&with(settings), MODEL)["generationConfig"], expected);
    let older = body(&with(Settings { reasoning: think("medium"), ..Settings::default() }), "gemini-2.5-pro");
    assert_eq!(older["generationConfig"], json!({"thinkingConfig": {"thinkingBudget": 8192}}));
    assert_eq!(
        body(&with(Settings::default()), MODEL),
        json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
    );
    let strict = Conversation { tools: vec![Tool { strict: Some(true), ..tool("f") }], ..said("hi") };
    assert_eq!(body(&strict, MODEL)["toolConfig"], json!({"functionCallingConfig": {"mode": "VALIDATED"}}));
}

#[test]
fn what_google_cannot_be_told_is_refused() {
    let picture = |source| {
        let parts = vec![Part::Image(Image { source, detail: None })];
        Conversation { messages: vec![Message { role: Role::User, parts }], ..Conversation::default() }
    };
    let think = |reasoning| with(Settings { reasoning: Some(reasoning), ..Settings::default() });
    let tools = |settings| Conversation { tools: vec![tool("f")], ..with(settings) };
    let gif = Source::Data { media: "image/gif".to_owned(), base64: "AA==".to_owned() };
    let url = |url: &str| Source::Url(url.to_owned());
    let cases = [
        (
            tools(Settings { parallel_tools: Some(false), ..Settings::default() }),
            MODEL,
            Cannot::ParallelTools,
        ),
        (tools(Settings { format: Format::Json, ..Settings::default() }), "gemini-2.5-pro", Cannot::Json),
        (with(Settings { stop: vec!["x".to_owned(); 6], ..Settings::default() }), MODEL, Cannot::Stop),
        (with(Settings { seed: Some(1 << 40), ..Settings::default() }), MODEL, Cannot::Seed),
        (with(Settings { temperature: Some(2.5), ..Settings::default() }), MODEL, Cannot::Temperature),
        (
            think(Reasoning { effort: Some("none".to_owned()), ..Reasoning::default() }),
            MODEL,
            Cannot::Reasoning,
        ),
        (think(Reasoning { budget: Some(0), ..Reasoning::default() }), MODEL, Cannot::Reasoning),
        (
            think(Reasoning { effort: Some("huge".to_owned()), ..Reasoning::default() }),
            MODEL,
            Cannot::Reasoning,
        ),
        (Conversation { choice: Some(Choice::Any), ..said("hi") }, MODEL, Cannot::Tools),
        (said(""), MODEL, Cannot::Silence),
        (picture(gif), MODEL, Cannot::Image),
        (picture(url("http://x/y.png")), MODEL, Cannot::Image),
        (picture(url("https://x/y.png")), "gemini-2.0-flash", Cannot::Image),
    ];
    for (conversation, model, cannot) in cases {
        assert_eq!(write(&conversation, model, Shape::Whole).unwrap_err(), cannot, "{conversation:?}");
    }
    let mut alone = said("hi");
    alone.messages[0].role = Role::System;
    assert_eq!(body(&alone, MODEL), body(&said("hi"), MODEL), "instructions alone are the person's");
}
