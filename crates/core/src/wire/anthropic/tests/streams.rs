use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use crate::error::{Error, Kind};
use crate::wire::Dialect;
use crate::wire::answer::{Answer, Head};
use crate::wire::anthropic::{Decoder, Encoder, decode_whole, whole};
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::refusal::Class;
use crate::wire::sse;

fn decode(datas: &[Value]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    let frames = datas.iter().map(|data| sse::named(data["type"].as_str().unwrap_or("x"), data));
    frames.flat_map(|frame| decoder.decode(frame).events).collect()
}

/// The frames of these events, as `name data`; each name is its data's type.
fn encode(events: &[Event], usage: Option<Usage>) -> Vec<Value> {
    let head = Head { id: "1".to_owned(), model: "m".to_owned(), input_estimate: 7, ..Head::default() };
    let mut encoder = Encoder::new(head);
    let mut out = BytesMut::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    match usage {
        Some(usage) => encoder.tail(usage, &mut out),
        None => encoder.broken(&Error::new(Kind::Upstream, "cut"), "t1", &mut out),
    }
    let mut splitter = sse::Splitter::default();
    let frames = splitter.push(&out).unwrap();
    assert!(splitter.rest().is_none());
    let frames = frames.iter().map(|frame| {
        let text = std::str::from_utf8(frame).unwrap();
        let data: Value = serde_json::from_str(&sse::data(text).unwrap()).unwrap();
        assert!(text.starts_with(&format!("event: {}\n", data["type"].as_str().unwrap())), "{text}");
        data
    });
    frames.collect()
}

/// `+i kind`, `i delta`, `-i`: the shape of a stream's blocks.
fn shape(frames: &[Value]) -> Vec<String> {
    let blocks = frames.iter().filter_map(|frame| {
        let index = frame["index"].as_u64();
        match frame["type"].as_str().unwrap() {
            "content_block_start" => {
                Some(format!("+{} {}", index?, frame["content_block"]["type"].as_str()?))
            }
            "content_block_delta" => {
                let delta = frame["delta"].as_object()?;
                let (_, text) = delta.iter().find(|(name, _)| *name != "type")?;
                Some(format!("{} {}", index?, text.as_str()?))
            }
            "content_block_stop" => Some(format!("-{}", index?)),
            other => Some(other.to_owned()),
        }
    });
    blocks.collect()
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

fn tool(index: u32, id: Option<&str>, arguments: &str) -> Event {
    let name = id.map(|_| "f".to_owned());
    Event::Tool(ToolDelta {
        index,
        id: id.map(str::to_owned),
        name,
        arguments: arguments.to_owned(),
        ..ToolDelta::default()
    })
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "m",
        "usage": {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 1}}})
}

#[test]
fn every_kind_of_frame_is_read() {
    let block = |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta =
        |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u64| json!({"type": "content_block_stop", "index": index});
    let finish = |reason: &str| json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}});
    let citation = json!({"type": "citations_delta", "citation": {"url": "u"}});
    let usage = |output: u64| Usage { input: 113, output, cached: 100, reasoning: 0, cache_write: 10 };
    let seal = |value: &str, hidden: bool| {
        Event::Sealed(Seal { dialect: Dialect::Anthropic, value: value.to_owned(), hidden, item: None })
    };
    let begin = vec![Event::Start { id: "msg_1".to_owned(), model: "m".to_owned() }, Event::Usage(usage(1))];
    let check = |datas: Vec<Value>, expected: Vec<Event>| {
        let datas: Vec<_> = [start()].into_iter().chain(datas).collect();
        assert_eq!(decode(&datas), [begin.clone(), expected].concat(), "{datas:?}");
    };
    let size = |value: &Value| value.to_string().len();
    let search = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});

    check(vec![json!({"type": "ping"}), start(), json!({"type": "new_kind", "x": 1})], vec![]);
    check(
        vec![
            block(0, json!({"type": "text", "text": ""})),
            delta(0, json!({"type": "text_delta", "text": "a"})),
            delta(0, citation.clone()),
            stop(0),
            finish("end_turn"),
            json!({"type": "message_stop"}),
        ],
        vec![
            text("a"),
            Event::about("citations", size(&citation)),
            Event::Usage(usage(9)),
            Event::Finish(Finish::Stop),
            Event::End,
        ],
    );
    check(
        vec![
            block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "h"})),
            delta(0, json!({"type": "signature_delta", "signature": "s"})),
            stop(0),
            block(1, json!({"type": "redacted_thinking", "data": "d"})),
            stop(1),
        ],
        vec![Event::Thinking("h".to_owned()), seal("s", false), seal("d", true)],
    );
    // A tool's index counts tools; what the provider runs is none.
    check(
        vec![
            block(0, search.clone()),
            delta(0, json!({"type": "input_json_delta", "partial_json": "{\"q\":1}"})),
            stop(0),
            block(1, json!({"type": "tool_use", "id": "a", "name": "f", "input": {}})),
            delta(1, json!({"type": "input_json_delta", "partial_json": ""})),
            stop(1),
            block(2, json!({"type": "tool_use", "id": "b", "name": "f", "input": {"x": 1}})),
            stop(2),
            block(3, json!({"type": "tool_use", "id": "c", "name": "f", "input": {}})),
            delta(3, json!({"type": "input_json_delta", "partial_json": "{}"})),
            stop(3),
        ],
        vec![
            Event::other("server_tool_use", size(&search)),
            Event::piece("server_tool_use", 7),
            tool(0, Some("a"), ""),
            tool(0, None, "{}"),
            tool(1, Some("b"), ""),
            tool(1, None, "{\"x\":1}"),
            tool(2, Some("c"), ""),
            tool(2, None, "{}"),
        ],
    );
    for (reason, expected) in [
        ("stop_sequence", Finish::Stop),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("tool_use", Finish::ToolCalls),
        ("pause_turn", Finish::Paused),
        ("refusal", Finish::ContentFilter),
        ("new_reason", Finish::Stop),
    ] {
        check(vec![finish(reason)], vec![Event::Usage(usage(9)), Event::Finish(expected)]);
    }
    let failed = |message: &str, code: Option<&str>, class| Event::Failed {
        message: message.to_owned(),
        code: code.map(str::to_owned),
        class,
    };
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    check(vec![overloaded], vec![failed("Overloaded", Some("overloaded_error"), Class::Overloaded)]);
    let (invalid, filtered) = ("invalid_request_error", "Output blocked by content filtering policy");
    let blocked = json!({"type": "error", "error": {"type": invalid, "message": filtered}});
    check(vec![blocked], vec![failed(filtered, Some(invalid), Class::Filtered)]);
    check(vec![json!({"error": {"message": "proxy"}})], vec![failed("proxy", None, Class::Failed)]);
    // Another answer within this one: nothing after it counts.
    let mut second = start();
    second["message"]["id"] = json!("msg_2");
    check(
        vec![second, block(0, json!({"type": "text", "text": "x"})), finish("end_turn")],
        vec![failed("the provider began another answer before it had ended this one", None, Class::Failed)],
    );
}

#[test]
fn what_cannot_be_read_is_dropped() {
    for (frame, events) in [
        (": keep-alive\n\n", 0),
        ("event: ping\n\n", 0),
        ("data: {\"type\":\"content_block_del\n\n", 1),
        ("data: [DONE]\n\n", 1),
        ("data: {\"type\":\"message_start\"}\n\n", 1),
        ("data: {\"type\":\"content_block_delta\",\"index\":0}\n\n", 1),
    ] {
        let frame = Decoder::default().decode(Bytes::from_static(frame.as_bytes()));
        assert_eq!(frame.events, vec![Event::Unreadable; events], "{frame:?}");
    }
    let mut decoder = Decoder::default();
    let deep = format!("data: {{\"type\":\"x\",\"y\":{}{}}}\n\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(decoder.decode(Bytes::from(deep)).events.len() <= 1);
}

#[test]
fn blocks_are_written_one_after_the_other() {
    let usage = Usage { input: 113, output: 9, cached: 100, reasoning: 2, cache_write: 10 };
    let check = |events: &[Event], expected: &[&str]| {
        let frames = encode(events, Some(usage));
        let whole: Vec<_> = ["message_start"]
            .iter()
            .chain(expected)
            .chain(&["message_delta", "message_stop"])
            .copied()
            .collect();
        assert_eq!(shape(&frames), whole);
    };
    let seal = |hidden: bool| Seal { dialect: Dialect::Anthropic, value: "s".to_owned(), hidden, item: None };

    check(&[], &[]);
    check(
        &[text(""), text("a"), text("b"), Event::Refusal("c".to_owned())],
        &["+0 text", "0 a", "0 b", "0 c", "-0"],
    );
    check(
        &[Event::Thinking("h".to_owned()), Event::Sealed(seal(false)), Event::Sealed(seal(true)), text("a")],
        &["+0 thinking", "0 h", "0 s", "-0", "+1 redacted_thinking", "-1", "+2 text", "2 a", "-2"],
    );
    check(&[Event::Sealed(seal(false))], &["+0 thinking", "0 s", "-0"]);
    // Pieces that interleave are put in line; none is lost.
    check(
        &[
            tool(0, Some("a"), "{\"x\":\"}"),
            tool(1, Some("b"), "{"),
            text("late"),
            tool(0, None, "\\\"\"}"),
            tool(1, None, "}"),
            tool(2, Some("c"), ""),
            Event::Finish(Finish::ToolCalls),
        ],
        &[
            "+0 tool_use",
            "0 {\"x\":\"}",
            "0 \\\"\"}",
            "-0",
            "+1 tool_use",
            "1 {",
            "1 }",
            "-1",
            "+2 text",
            "2 late",
            "-2",
            "+3 tool_use",
            "-3",
        ],
    );
    check(
        &[tool(0, Some("a"), ""), tool(1, Some("b"), "{}"), text("t")],
        &["+0 tool_use", "-0", "+1 tool_use", "1 {}", "-1", "+2 text", "2 t", "-2"],
    );

    let frames = encode(&[text("a"), Event::Finish(Finish::Length)], Some(usage));
    assert_eq!(
        frames[0]["message"],
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": null, "stop_sequence": null, "stop_details": null, "usage": {"input_tokens": 7,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}})
    );
    assert_eq!(
        frames[4],
        json!({"type": "message_delta", "delta": {"stop_reason": "max_tokens", "stop_sequence": null, "stop_details": null},
            "usage": {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100,
            "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 2}}})
    );
}

#[test]
fn a_break_does_not_look_like_an_end() {
    let frames = encode(&[text("a")], None);
    assert_eq!(shape(&frames), ["message_start", "+0 text", "0 a", "error"]);
    let error =
        json!({"type": "error", "error": {"type": "api_error", "message": "cut"}, "request_id": "t1"});
    assert_eq!(frames[3], error);
}

#[test]
fn a_seal_of_a_call_stands_before_it_and_comes_back() {
    let seal = Seal::signature(Dialect::Gemini, "g");
    let call = ToolDelta {
        index: 0,
        id: Some("a".to_owned()),
        name: Some("f".to_owned()),
        arguments: "{}".to_owned(),
        seal: Some(seal.clone()),
        ..ToolDelta::default()
    };
    let frames = encode(&[Event::Tool(call.clone())], Some(Usage::default()));
    assert_eq!(
        shape(&frames)[1..6],
        ["+0 redacted_thinking", "-0", "+1 tool_use", "1 {}", "-1"].map(str::to_owned)
    );
    let mut answer = Answer::default();
    answer.add(&Event::Tool(call));
    let content = whole(&Head::default(), &answer)["content"].clone();
    assert_eq!(content[0], frames[1]["content_block"]);
    let request = json!({"max_tokens": 1, "messages": [{"role": "assistant", "content": content}]});
    let request = crate::wire::json::Members::parse(request.to_string().as_bytes()).unwrap();
    let parts = &crate::wire::anthropic::read(&request).unwrap().messages[0].parts;
    let [crate::wire::conversation::Part::Call(read)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!(read.seal.as_ref(), Some(&seal));
}

#[test]
fn whole_answers_are_read_and_written() {
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "thinking", "thinking": "h", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null, "stop_details": null,
        "usage": {"input_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1, "output_tokens": 9},
    });
    let events = decode_whole(message.to_string().as_bytes());
    let mut answer = Answer::default();
    events.iter().for_each(|event| answer.add(event));
    let head = Head { id: "1".to_owned(), model: "m".to_owned(), ..Head::default() };
    assert_eq!(whole(&head, &answer), message);

    let failed = decode_whole(br#"{"type":"error","error":{"type":"api_error","message":"no"}}"#);
    assert_eq!(
        failed,
        [Event::Failed {
            message: "no".to_owned(),
            code: Some("api_error".to_owned()),
            class: Class::Failed
        }]
    );
    for other in ["", "[]", "{}", "{\"content\":1}", "<html>"] {
        assert_eq!(decode_whole(other.as_bytes()), [Event::Unreadable], "{other}");
    }
}
