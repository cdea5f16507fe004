use bytes::BytesMut;
use serde_json::{Value, json};

use super::{data, members};
use crate::call::Shape;
use crate::wire::Dialect;
use crate::wire::answer::Head;
use crate::wire::conversation::{Part, Seal, Thinking};
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::responses::{Encoder, pass, read};
use crate::wire::seal::wrap;

/// The output that a caller gets for these events.
fn output(events: &[Event]) -> Vec<Value> {
    let mut encoder = Encoder::new(Head { id: "1".into(), ..Head::default() });
    let mut out = BytesMut::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.event(&Event::Finish(Finish::Stop), &mut out);
    encoder.tail(Usage::default(), &mut out);
    data(&out).last().unwrap()["response"]["output"].as_array().unwrap().clone()
}

fn seal(dialect: Dialect, hidden: bool, item: Option<&str>) -> Seal {
    Seal { dialect, value: "secret".into(), hidden, item: item.map(str::to_owned) }
}

#[test]
fn a_seal_of_any_dialect_comes_back() {
    let own = seal(Dialect::Responses, true, Some("rs_up"));
    let signature = seal(Dialect::Anthropic, false, None);
    let redacted = seal(Dialect::Anthropic, true, None);
    let gemini = seal(Dialect::Gemini, false, None);
    for (text, seal) in
        [("", &own), ("Look.", &own), ("Look.", &signature), ("", &redacted), ("Look.", &gemini)]
    {
        let thought =
            [Event::Thinking(text.to_owned()), Event::Sealed(seal.clone()), Event::Text("Hi".into())];
        let mut input = output(&thought);
        assert_eq!(input.len(), 2, "{input:?}");
        input.push(json!({"role": "user", "content": "more"}));
        let read = read(&members(&json!({"input": input}))).unwrap();
        let expected = Part::Thinking(Thinking { text: text.to_owned(), seal: Some(seal.clone()) });
        assert_eq!(read.messages[0].parts, [expected, Part::Text("Hi".into())]);
    }
}

#[test]
fn redacted_thinking_is_not_the_seal_of_what_stands_before_it() {
    let thought = [Event::Thinking("a".into()), Event::Sealed(seal(Dialect::Anthropic, true, None))];
    let items = output(&thought);
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].get("encrypted_content"), None);
}

#[test]
fn a_calls_seal_finds_its_call() {
    let seal = seal(Dialect::Gemini, false, None);
    let call = |index, seal| {
        let (id, name) = (Some(format!("c{index}")), Some("f".to_owned()));
        Event::Tool(ToolDelta { index, id, name, arguments: "{}".into(), seal, ..ToolDelta::default() })
    };
    let items = output(&[call(0, Some(seal.clone())), call(1, None)]);
    let kinds: Vec<_> = items.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "function_call", "function_call"]);
    let read = read(&members(&json!({"input": items}))).unwrap();
    let seal_of = |part: &Part| match part {
        Part::Call(call) => call.seal.clone(),
        other => panic!("{other:?}"),
    };
    let seals: Vec<_> = read.messages[0].parts.iter().map(seal_of).collect();
    assert_eq!(seals, [Some(seal), None]);
}

#[test]
fn a_provider_gets_only_reasoning_that_it_can_read() {
    let reasoning = |id: &str, encrypted: Value| json!({"type": "reasoning", "id": id, "summary": [], "encrypted_content": encrypted});
    let own = seal(Dialect::Responses, true, Some("rs_up"));
    let input = json!([
        reasoning("rs_1", json!("gAAA")),
        reasoning("rs_2", Value::Null),
        reasoning("rs_3", json!(wrap(&own))),
        reasoning("rs_4", json!(wrap(&seal(Dialect::Anthropic, false, None)))),
        {"role": "user", "content": "hi"},
    ]);
    let passed = pass(&members(&json!({"input": input})), "m", Shape::Whole);
    let expected = json!([
        reasoning("rs_1", json!("gAAA")),
        reasoning("rs_up", json!("secret")),
        {"role": "user", "content": "hi"},
    ]);
    assert_eq!(passed.read::<Value>("input").unwrap(), Some(expected));
}
