use bytes::Bytes;
use serde_json::{Value, json};

use super::decode;
use crate::wire::Dialect;
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::refusal::Class;
use crate::wire::responses::{Decoder, decode_whole};

fn tool(index: u32, first: Option<(&str, &str)>, arguments: &str) -> Event {
    let (id, name) = first.map(|(id, name)| (id.to_owned(), name.to_owned())).unzip();
    Event::Tool(ToolDelta { index, id, name, arguments: arguments.to_owned(), ..ToolDelta::default() })
}

fn sealed(value: &str, item: &str) -> Event {
    let item = Some(item.to_owned());
    Event::Sealed(Seal { dialect: Dialect::Responses, value: value.to_owned(), hidden: true, item })
}

fn completed(output: &Value) -> Value {
    json!({"type": "response.completed", "response": {
        "id": "resp_1", "object": "response", "model": "m", "status": "completed", "output": output,
        "usage": {
            "input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
            "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 17,
        },
    }})
}

const USAGE: Usage = Usage { input: 10, output: 7, cached: 4, reasoning: 3, cache_write: 2 };

#[test]
fn a_stream_is_read() {
    let call = |status: &str, arguments: &str| json!({"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": arguments, "status": status});
    let events = decode(&[
        json!({"type": "response.created", "response": {"id": "resp_1", "model": "m"}}),
        json!({"type": "response.in_progress", "response": {"id": "resp_1", "model": "m"}}),
        json!({"type": "response.output_item.added", "output_index": 0,
            "item": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "half"}}),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "a"}),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "b"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "a"}], "encrypted_content": "whole"}}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "web_search_call"}}),
        json!({"type": "response.web_search_call.searching", "output_index": 1}),
        json!({"type": "response.output_text.delta", "output_index": 2, "delta": "Hi"}),
        json!({"type": "response.output_text.annotation.added", "output_index": 2, "annotation": {"a": 1}}),
        json!({"type": "response.output_text.done", "output_index": 2, "text": "Hi"}),
        json!({"type": "response.refusal.delta", "output_index": 2, "delta": "No"}),
        json!({"type": "response.output_item.added", "output_index": 3, "item": call("in_progress", "")}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 3, "delta": "{\"a\""}),
        json!({"type": "response.function_call_arguments.done", "output_index": 3, "arguments": "{\"a\":1}"}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": call("completed", "{\"a\":1}")}),
        json!({"type": "response.of_tomorrow", "output_index": 3}),
        completed(&json!([])),
    ]);
    let expected = [
        Event::Start { id: "resp_1".into(), model: "m".into() },
        Event::Thinking("a".into()),
        Event::Thinking("\n\n".into()),
        Event::Thinking("b".into()),
        sealed("whole", "rs_1"),
        Event::other("web_search_call", 26),
        Event::Text("Hi".into()),
        Event::about("annotations", 7),
        Event::Refusal("No".into()),
        tool(0, Some(("c1", "f")), ""),
        tool(0, None, "{\"a\""),
        tool(0, None, ":1}"),
        Event::Finish(Finish::ToolCalls),
        Event::Usage(USAGE),
        Event::End,
    ];
    assert_eq!(events, expected);
}

#[test]
fn what_is_only_said_late_counts() {
    let message =
        json!({"type": "message", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]});
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"});
    let reasoning = json!({"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "e",
        "content": [{"type": "reasoning_text", "text": "t"}]});
    let done = |index: u64, item: &Value| json!({"type": "response.output_item.done", "output_index": index, "item": item});
    let end = [Event::Finish(Finish::ToolCalls), Event::Usage(USAGE), Event::End];
    let said = [
        Event::Thinking("t".into()),
        sealed("e", "r"),
        Event::Text("Hi".into()),
        tool(0, Some(("c1", "f")), "{}"),
    ];
    let expected: Vec<_> = said.into_iter().chain(end).collect();
    let output = json!([reasoning, message, call]);
    assert_eq!(decode(&[completed(&output)]), expected);
    let items = [done(0, &reasoning), done(1, &message), done(2, &call), completed(&output)];
    assert_eq!(decode(&items), expected);
    let text = json!({"type": "response.output_text.done", "output_index": 1, "text": "Hi"});
    let with_text = [done(0, &reasoning), text, done(1, &message), done(2, &call), completed(&output)];
    assert_eq!(decode(&with_text), expected);
}

#[test]
fn an_end_says_why() {
    let end = |kind: &str, response: Value| decode(&[json!({"type": kind, "response": response})]);
    let incomplete = |reason: Value| {
        let details = json!({"status": "incomplete", "incomplete_details": reason});
        end("response.incomplete", details)
    };
    let ended = |finish| vec![Event::Finish(finish), Event::End];
    assert_eq!(incomplete(json!({"reason": "max_output_tokens"})), ended(Finish::Length));
    assert_eq!(incomplete(json!({"reason": "content_filter"})), ended(Finish::ContentFilter));
    assert_eq!(incomplete(Value::Null), ended(Finish::Length));
    assert_eq!(end("response.completed", json!({"status": "completed"})), ended(Finish::Stop));
    let failed = |message: &str, code: Option<&str>| Event::Failed {
        message: message.to_owned(),
        code: code.map(str::to_owned),
        class: Class::Failed,
    };
    let error = json!({"error": {"code": "server_error", "message": "no"}, "usage": {"input_tokens": 1}});
    let usage = Event::Usage(Usage { input: 1, ..Usage::default() });
    assert_eq!(end("response.failed", error), [usage, failed("no", Some("server_error"))]);
    for event in [
        json!({"type": "error", "code": "c", "message": "no", "param": null, "sequence_number": 3}),
        json!({"type": "error", "sequence_number": 3, "error": {"type": "t", "code": "c", "message": "no"}}),
        json!({"error": {"type": "c", "message": "no"}}),
    ] {
        assert_eq!(decode(&[event]), [failed("no", Some("c"))]);
    }
    let flagged = json!({"response": {"status": "failed", "error": {"code": "invalid_prompt", "message": "no"}}, "type": "response.failed"});
    assert!(matches!(decode(&[flagged])[..], [Event::Failed { class: Class::Filtered, .. }]));
}

#[test]
fn nothing_stops_the_stream() {
    let events = |frame: &'static [u8]| Decoder::default().decode(Bytes::from_static(frame)).events;
    for frame in [
        &b"data: {\"type\":\n\n"[..],
        b"data: 1\n\n",
        b"data: \xff\n\n",
        b"data: {\"type\":\"response.completed\"}\n\n",
    ] {
        assert_eq!(events(frame), [Event::Unreadable], "{frame:?}");
    }
    for frame in
        [&b": ping\n\n"[..], b"event: keepalive\n\n", b"data: {}\n\n", b"data: {\"type\":\"keepalive\"}\n\n"]
    {
        assert_eq!(events(frame), [], "{frame:?}");
    }
    assert_eq!(events(b"data: [DONE]\n\n"), [Event::End]);
    let frame = Bytes::from_static(b"data: {\"type\":\"response.completed\",\"response\":{}\r\n\r\n");
    let mended = Decoder::default().decode(frame);
    assert_eq!(mended.events, [Event::Finish(Finish::Stop), Event::End]);
    assert_eq!(mended.bytes, "data: {\"type\":\"response.completed\",\"response\":{}}\r\n\r\n");
    assert_eq!(
        events(b"data: {\"type\":\"response.completed\",\"response\":{\"id\":1\n\n"),
        [Event::Unreadable]
    );
    let odd = b"data: {\"type\":\"response.output_text.delta\",\"delta\":{\"a\":1}}\n\n";
    assert_eq!(events(odd), [Event::piece("text", 7)]);
}

#[test]
fn a_whole_answer_is_read() {
    let whole = |value: Value| decode_whole(value.to_string().as_bytes());
    let output = json!([
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "e"},
        {"type": "message", "content": [{"type": "refusal", "refusal": "No"}]},
    ]);
    let expected = [
        Event::Start { id: "resp_1".into(), model: "m".into() },
        Event::Thinking("t".into()),
        sealed("e", "r"),
        Event::Refusal("No".into()),
        Event::Finish(Finish::Stop),
        Event::Usage(USAGE),
    ];
    assert_eq!(whole(completed(&output)["response"].clone()), expected);
    let failed = |message: &str, code: &str| Event::Failed {
        message: message.into(),
        code: Some(code.into()),
        class: Class::Failed,
    };
    assert_eq!(whole(json!({"error": {"message": "no", "code": "c"}})), [failed("no", "c")]);
    let queued = whole(json!({"object": "response", "status": "queued", "error": null}));
    assert_eq!(queued, [failed("the provider's answer is queued, not completed", "queued")]);
    let mut stuck = completed(&json!([]))["response"].clone();
    stuck["status"] = json!("in_progress");
    let counted = whole(stuck).into_iter().filter(|event| *event == Event::Usage(USAGE)).count();
    assert_eq!(counted, 1, "what was used is said of an answer that failed, too");
    for other in [json!({}), json!([]), json!({"object": "chat.completion", "choices": []})] {
        assert_eq!(whole(other), [Event::Unreadable]);
    }
    assert_eq!(decode_whole(b"<html>"), [Event::Unreadable]);
}

#[test]
fn items_are_bounded() {
    let mut decoder = Decoder::default();
    let events = (0..5_000).flat_map(|index| {
        let event = json!({"type": "response.output_item.added", "output_index": index,
            "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}});
        decoder.decode(crate::wire::sse::unnamed(&event)).events
    });
    let (calls, others): (Vec<_>, Vec<_>) = events.partition(|event| matches!(event, Event::Tool(_)));
    assert_eq!((calls.len(), others.len()), (1024, 5_000 - 1024));
}
