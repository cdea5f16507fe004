//! Messages: read, written, and what of an answer comes back with the next turn.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::super::{Decoder, Encoder, read, whole, write};
use crate::call::Shape;
use crate::wire::Dialect;
use crate::wire::answer::{Answer, Head};
use crate::wire::conversation::{
    Call, Cannot, Conversation, Image, Message, Part, Role, Seal, Source, Thinking, ToolResult,
};
use crate::wire::event::{Event, Finish, ToolDelta};
use crate::wire::json::Members;

fn turns(messages: Value) -> Vec<Message> {
    let body = json!({"model": "m", "messages": messages}).to_string();
    read(&Members::parse(body.as_bytes()).unwrap()).unwrap().messages
}

fn messages(turns: Vec<Message>, model: &str) -> Result<Value, Cannot> {
    let conversation = Conversation { messages: turns, ..Conversation::default() };
    let members = write(&conversation, model, Shape::Whole)?;
    Ok(serde_json::from_str(members.get("messages").unwrap().get()).unwrap())
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn picture(source: Source) -> Part {
    Part::Image(Image { source, detail: None })
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::Result(ToolResult { id: id.to_owned(), name: None, parts, failed: false })
}

fn called(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}})
}

#[test]
fn messages_come_back_as_they_were() {
    let spoken = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://x.example/y.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]},
        {"role": "assistant", "content": null, "tool_calls": [called("a"), called("b")]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "assistant", "content": "A picture."},
        {"role": "user", "content": "Thanks"},
    ]);
    assert_eq!(messages(turns(spoken.clone()), "m"), Ok(spoken));
}

#[test]
fn other_ways_to_say_the_same_are_understood() {
    let read = turns(json!([
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": "DATA:image/png;charset=x;BASE64,AAAA"}]},
        {"role": "assistant", "content": "", "refusal": "No.", "tool_calls": []},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "audio": null, "function_call": null},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}]},
        {"role": "assistant", "content": null},
    ]));
    let data = Source::Data { media: "image/png".to_owned(), base64: "AAAA".to_owned() };
    let call =
        Call { id: "a".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned(), ..Call::default() };
    let result =
        ToolResult { id: "a".to_owned(), name: Some("f".to_owned()), parts: vec![text("1")], failed: false };
    let expected = [
        (Role::System, vec![text("Be brief.")]),
        (Role::User, vec![picture(data)]),
        (Role::Assistant, vec![text(""), text("No.")]),
        (Role::Assistant, vec![text("No.")]),
        (Role::Assistant, vec![Part::Call(call)]),
        (Role::User, vec![Part::Result(result)]),
        (Role::Assistant, vec![text("")]),
    ];
    assert_eq!(read, expected.map(|(role, parts)| Message { role, parts }));
    let body = br#"{"messages":[{"role":"user","name":"Ann","content":"Hi"}]}"#;
    assert_eq!(super::super::read(&Members::parse(body).unwrap()).unwrap().foreign, ["messages[0].name"]);
}

#[test]
fn results_hold_text_and_their_pictures_follow() {
    let shown = || picture(Source::Url("https://x.example/y.png".to_owned()));
    let url = json!({"type": "image_url", "image_url": {"url": "https://x.example/y.png"}});
    let whose = |id: &str| json!({"type": "text", "text": format!("What the call {id} of the tool gave:")});
    let user = |parts| Message { role: Role::User, parts };
    let mut failed =
        ToolResult { id: "c".to_owned(), name: None, parts: vec![text("x"), text("y")], failed: true };
    failed.name = Some("f".to_owned());
    let spoken = vec![
        user(vec![text("before"), result("a", vec![shown()]), result("b", vec![text("1"), shown()])]),
        user(vec![Part::Result(failed), text("one"), text("two")]),
        user(vec![result("d", vec![shown()])]),
        Message { role: Role::Assistant, parts: vec![text("so"), text("so")] },
    ];
    assert_eq!(
        messages(spoken, "m"),
        Ok(json!([
            {"role": "tool", "tool_call_id": "a", "content": "The result is a picture, in the next message."},
            {"role": "tool", "tool_call_id": "b", "content": "1"},
            {"role": "user", "content": [whose("a"), url, whose("b"), url, {"type": "text", "text": "before"}]},
            {"role": "tool", "tool_call_id": "c", "content": "The tool reports a failure.\nx\ny"},
            {"role": "user", "content": "one\n\ntwo"},
            {"role": "tool", "tool_call_id": "d", "content": "The result is a picture, in the next message."},
            {"role": "user", "content": [whose("d"), url]},
            {"role": "assistant", "content": "soso"},
        ]))
    );
    for role in [Role::System, Role::Assistant] {
        assert_eq!(messages(vec![Message { role, parts: vec![shown()] }], "m"), Err(Cannot::Image));
    }
}

#[test]
fn thinking_goes_where_it_is_understood() {
    let thinking = |text: &str, seal: Option<Seal>| Part::Thinking(Thinking { text: text.to_owned(), seal });
    let said = |parts: Vec<Part>, model: &str| {
        messages(vec![Message { role: Role::Assistant, parts }], model).map(|messages| messages[0].clone())
    };
    let plain = |part: Part, model: &str| said(vec![part, text("x")], model).unwrap();
    let bare = json!({"role": "assistant", "content": "x"});
    let signed = Seal::signature(Dialect::Anthropic, "s");
    assert_eq!(plain(thinking("t", Some(signed)), "deepseek-chat"), bare);
    assert_eq!(plain(thinking("t", None), "gpt-5"), bare);
    assert_eq!(plain(thinking("t", None), "deepseek-chat")["reasoning_content"], "t");
    let own = Seal::signature(Dialect::OpenAi, r#"{"type":"reasoning.text","signature":"s","index":0}"#);
    assert_eq!(
        plain(thinking("t", Some(own)), "x/claude")["reasoning_details"],
        json!([{"type": "reasoning.text", "signature": "s", "index": 0, "text": "t"}])
    );
    let call = |seal| {
        Part::Call(Call {
            id: "a".to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            seal,
            ..Call::default()
        })
    };
    let extra = |dialect| {
        said(vec![call(Some(Seal::signature(dialect, "s")))], "m").unwrap()["tool_calls"][0]["extra_content"]
            .clone()
    };
    assert_eq!(extra(Dialect::OpenAi), json!({"google": {"thought_signature": "s"}}));
    assert_eq!(extra(Dialect::Gemini), Value::Null);
}

#[test]
fn plain_details_are_those_of_their_format() {
    let seal = |detail: Value| {
        let read = turns(json!([{"role": "assistant", "content": "x", "reasoning_details": [detail]}]));
        let Part::Thinking(Thinking { seal, .. }) = &read[0].parts[0] else { panic!("{read:?}") };
        seal.as_ref().map(|seal| (seal.dialect, seal.value.clone(), seal.hidden))
    };
    let text =
        |format: &str| json!({"type": "reasoning.text", "text": "t", "signature": "s", "format": format});
    let data = |format: &str| json!({"type": "reasoning.encrypted", "data": "s", "format": format});
    let of = |dialect, hidden| Some((dialect, "s".to_owned(), hidden));
    assert_eq!(seal(text("anthropic-claude-v1")), of(Dialect::Anthropic, false));
    assert_eq!(seal(data("anthropic-claude-v1")), of(Dialect::Anthropic, true));
    assert_eq!(seal(data("google-gemini-v1")), of(Dialect::Gemini, false));
    let kept = r#"{"format":"openai-responses-v1","type":"reasoning.encrypted"}"#;
    assert!(kept.len() < seal(data("openai-responses-v1")).unwrap().1.len());
    assert_eq!(seal(data("openai-responses-v1")).unwrap().0, Dialect::OpenAi);
    assert_eq!(seal(json!({"type": "reasoning.text", "text": "t"})), None);
}

/// What any provider says comes back from a caller who sends its message again, streamed or not.
#[test]
fn an_answer_comes_back_with_its_seals() {
    let hidden = |dialect, value: &str| Seal {
        hidden: true,
        item: Some("rs_1".to_owned()),
        ..Seal::signature(dialect, value)
    };
    let mut call = ToolDelta {
        index: 0,
        id: Some("a".to_owned()),
        name: Some("f".to_owned()),
        arguments: "{}".to_owned(),
        ..ToolDelta::default()
    };
    call.seal = Some(Seal::signature(Dialect::Gemini, "thought"));
    let events = [
        Event::Thinking("one ".to_owned()),
        Event::Thinking("two".to_owned()),
        Event::Sealed(Seal::signature(Dialect::Anthropic, "sig")),
        Event::Sealed(hidden(Dialect::Responses, "enc")),
        Event::Thinking("three".to_owned()),
        Event::Sealed(Seal::signature(Dialect::Gemini, "g")),
        Event::Text("Hi".to_owned()),
        Event::Tool(call.clone()),
        Event::Finish(Finish::ToolCalls),
    ];
    let mut answer = Answer::default();
    events.iter().for_each(|event| answer.add(event));
    let whole = whole(&Head::default(), &answer)["choices"][0]["message"].clone();

    let mut encoder = Encoder::new(Head::default());
    let mut out = BytesMut::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    let streamed = gathered(std::str::from_utf8(&out).unwrap());

    let thought = |text: &str, seal| Part::Thinking(Thinking { text: text.to_owned(), seal: Some(seal) });
    let expected = vec![
        thought("one two", Seal::signature(Dialect::Anthropic, "sig")),
        thought("", hidden(Dialect::Responses, "enc")),
        thought("three", Seal::signature(Dialect::Gemini, "g")),
        text("Hi"),
        Part::Call(Call {
            id: "a".to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            seal: call.seal,
            ..Call::default()
        }),
    ];
    for message in [whole, streamed] {
        assert_eq!(turns(json!([message]))[0].parts, expected, "{message}");
    }
}

/// The message as a client of OpenRouter gathers it: texts joined, details put one after another.
fn gathered(stream: &str) -> Value {
    let mut message = json!({"role": "assistant", "content": "", "reasoning_content": "", "reasoning_details": [], "tool_calls": []});
    for frame in stream.split("\n\n").filter_map(|frame| frame.strip_prefix("data: ")) {
        let delta = serde_json::from_str::<Value>(frame).unwrap()["choices"][0]["delta"].clone();
        for name in ["content", "reasoning_content"] {
            let text =
                format!("{}{}", message[name].as_str().unwrap(), delta[name].as_str().unwrap_or_default());
            message[name] = json!(text);
        }
        for name in ["reasoning_details", "tool_calls"] {
            let more = delta[name].as_array().cloned().unwrap_or_default();
            message[name].as_array_mut().unwrap().extend(more);
        }
    }
    message
}

#[test]
fn a_router_gets_its_details_back_as_they_came() {
    let details = [
        json!({"type": "reasoning.text", "text": "one ", "format": "x", "index": 0}),
        json!({"type": "reasoning.text", "text": "two", "format": "x", "index": 0}),
        json!({"type": "reasoning.text", "signature": "s", "format": "x", "index": 0}),
        json!({"type": "reasoning.encrypted", "data": "d", "id": "rs_1", "index": 1}),
    ];
    let mut decoder = Decoder::default();
    let mut answer = Answer::default();
    for detail in details {
        let chunk =
            json!({"choices": [{"delta": {"reasoning": detail["text"], "reasoning_details": [detail]}}]});
        let frame = decoder.decode(Bytes::from(format!("data: {chunk}\n\n")));
        frame.events.iter().for_each(|event| answer.add(event));
    }
    use crate::wire::answer::Block;
    let parts = answer.blocks.into_iter().map(|block| match block {
        Block::Thinking { text, seal } => Part::Thinking(Thinking { text, seal }),
        other => panic!("{other:?}"),
    });
    let turn = Message { role: Role::Assistant, parts: parts.collect() };
    let written = messages(vec![turn], "m").unwrap()[0]["reasoning_details"].clone();
    assert_eq!(
        written,
        json!([
            {"type": "reasoning.text", "text": "one two", "signature": "s", "format": "x", "index": 0},
            {"type": "reasoning.encrypted", "data": "d", "id": "rs_1", "index": 1},
        ])
    );
}
