use bytes::BytesMut;
use serde_json::{Value, json};

use super::{data, members};
use crate::error::{Error, Kind};
use crate::wire::answer::{Answer, Head, MAX_KEPT};
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::responses::{ECHOED, Encoder, whole};

const USAGE: Usage = Usage { input: 10, output: 7, cached: 4, reasoning: 3, cache_write: 2 };

fn head() -> Head {
    let request = json!({
        "model": "alias", "input": "not repeated", "instructions": "Be brief.", "temperature": 0.5, "store": true,
        "tools": [{"type": "function", "name": "f"}], "text": {"verbosity": "low"}, "metadata": {"a": "b"},
    });
    let echo = members(&request).only(ECHOED);
    Head { id: "01ABC".into(), model: "gpt-x".into(), created: 1_700_000_000, echo, ..Head::default() }
}

fn tool(index: u32, first: Option<(&str, &str)>, arguments: &str) -> Event {
    let (id, name) = first.map(|(id, name)| (id.to_owned(), name.to_owned())).unzip();
    Event::Tool(ToolDelta { index, id, name, arguments: arguments.to_owned(), ..ToolDelta::default() })
}

fn written(events: &[Event]) -> Vec<Value> {
    let mut encoder = Encoder::new(head());
    let mut out = BytesMut::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    encoder.tail(USAGE, &mut out);
    data(&out)
}

fn kinds(frames: &[Value]) -> Vec<&str> {
    let kinds = frames.iter().map(|frame| frame["type"].as_str().unwrap());
    kinds.map(|kind| kind.strip_prefix("response.").unwrap_or(kind)).collect()
}

#[test]
fn a_stream_is_written() {
    let frames = written(&[
        Event::Start { id: "up".into(), model: "up".into() },
        Event::Thinking("Look".into()),
        Event::Thinking(".".into()),
        Event::Text("A ".into()),
        Event::Text("map".into()),
        Event::Refusal("No".into()),
        tool(0, Some(("c0", "f")), ""),
        tool(0, None, "{\"a\":"),
        tool(0, None, "1}"),
        tool(1, Some(("c1", "g")), ""),
        Event::Finish(Finish::ToolCalls),
        Event::End,
    ]);
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(kinds(&frames), expected);
    let call = |index: u64, call_id: &str, name: &str, arguments: &str| {
        json!({"type": "function_call", "id": format!("fc_01ABC_{index}"), "call_id": call_id, "name": name,
            "arguments": arguments, "status": "completed"})
    };
    let output = json!([
        {"type": "reasoning", "id": "rs_01ABC_0", "status": "completed",
            "summary": [{"type": "summary_text", "text": "Look."}]},
        {"type": "message", "id": "msg_01ABC_1", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": "A map", "annotations": [], "logprobs": []},
            {"type": "refusal", "refusal": "No"},
        ]},
        call(2, "c0", "f", "{\"a\":1}"),
        call(3, "c1", "g", "{}"),
    ]);
    let response = json!({
        "id": "resp_01ABC", "object": "response", "created_at": 1_700_000_000, "model": "gpt-x",
        "status": "completed", "background": false, "completed_at": null, "error": null,
        "incomplete_details": null, "instructions": "Be brief.", "max_output_tokens": null,
        "max_tool_calls": null, "metadata": {"a": "b"}, "output": output, "parallel_tool_calls": true,
        "previous_response_id": null, "reasoning": {"effort": null, "summary": null}, "store": false,
        "temperature": 0.5, "text": {"format": {"type": "text"}, "verbosity": "low"}, "tool_choice": "auto",
        "tools": [{"type": "function", "name": "f", "parameters": null, "strict": null}],
        "top_p": null, "truncation": "disabled",
        "usage": {
            "input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
            "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 17,
        },
    });
    assert_eq!(frames.last().unwrap()["response"], response);
    assert_eq!(frames[0]["response"]["status"], "in_progress");
    assert_eq!(frames[0]["response"]["output"], json!([]));
}

#[test]
fn pieces_of_several_calls_in_turn_are_joined() {
    let frames = written(&[
        tool(0, Some(("c0", "f")), ""),
        tool(1, Some(("c1", "g")), ""),
        tool(0, None, "{\"a\":0}"),
        tool(1, None, "{\"a\":1}"),
        Event::Finish(Finish::ToolCalls),
    ]);
    let output = frames.last().unwrap()["response"]["output"].as_array().unwrap();
    let arguments: Vec<_> = output.iter().map(|item| item["arguments"].as_str().unwrap()).collect();
    assert_eq!(arguments, ["{\"a\":0}", "{\"a\":1}"]);
}

#[test]
fn an_end_that_is_none_is_not_completed() {
    for (finish, kind, details) in [
        (Some(Finish::Stop), "completed", Value::Null),
        (Some(Finish::Length), "incomplete", json!({"reason": "max_output_tokens"})),
        (Some(Finish::ContentFilter), "incomplete", json!({"reason": "content_filter"})),
        (Some(Finish::Paused), "incomplete", Value::Null),
        (None, "incomplete", Value::Null),
    ] {
        let events: Vec<_> =
            [Event::Text("Hi".into())].into_iter().chain(finish.map(Event::Finish)).collect();
        let frames = written(&events);
        let last = frames.last().unwrap();
        assert_eq!(last["type"], format!("response.{kind}"));
        assert_eq!(last["response"]["status"], kind);
        assert_eq!(last["response"]["output"][0]["status"], kind);
        assert_eq!(last["response"]["incomplete_details"], details);
    }
    assert_eq!(kinds(&written(&[Event::Finish(Finish::Stop)])), ["created", "in_progress", "completed"]);
}

#[test]
fn a_broken_answer_ends_with_an_error_and_nothing_else() {
    let mut encoder = Encoder::new(head());
    let mut out = BytesMut::new();
    encoder.event(&Event::Text("Hi".into()), &mut out);
    encoder.event(&Event::Finish(Finish::Stop), &mut out);
    encoder.broken(&Error::new(Kind::Upstream, "cut"), "trace", &mut out);
    let frames = data(&out);
    let expected =
        ["created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "error"];
    assert_eq!(kinds(&frames), expected);
    let error = json!({
        "type": "error", "sequence_number": 5, "code": "upstream_error", "message": "cut", "param": null,
        "error": {"type": "upstream_error", "code": "upstream_error", "message": "cut", "param": null, "trace_id": "trace"},
    });
    assert_eq!(frames[5], error);
}

#[test]
fn an_answer_too_long_to_repeat_is_sent_and_says_so() {
    let piece = "x".repeat(MAX_KEPT / 4);
    let frames = written(&[
        Event::Thinking(piece.clone()),
        Event::Text(piece.repeat(3)),
        Event::Text("and more".into()),
        tool(0, Some(("c", "f")), "{}"),
        Event::Finish(Finish::Stop),
    ]);
    let deltas: Vec<_> = frames.iter().filter_map(|frame| frame["delta"].as_str()).map(str::len).collect();
    assert_eq!(deltas, [piece.len(), 3 * piece.len(), 8, 2]);
    let last = frames.last().unwrap();
    assert_eq!((&last["type"], &last["code"]), (&json!("error"), &json!("answer_too_long")));
    assert!(!kinds(&frames).contains(&"output_text.done"));
    let turns = [Event::Text("a".into()), Event::Thinking("b".into())].into_iter().cycle().take(5000);
    let frames = written(&turns.collect::<Vec<_>>());
    assert_eq!(frames.last().unwrap()["code"], "answer_too_long");
}

#[test]
fn a_whole_answer_is_what_its_stream_ends_with() {
    let events = [
        Event::Thinking("t".into()),
        Event::Text("Hi".into()),
        tool(0, Some(("c", "f")), ""),
        Event::Finish(Finish::ToolCalls),
        Event::Usage(USAGE),
    ];
    let mut answer = Answer::default();
    events.iter().for_each(|event| answer.add(event));
    assert_eq!(whole(&head(), &answer), written(&events).last().unwrap()["response"]);
}
