//! Answers: decoded from what servers send, and written for callers.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::super::{Decoder, Encoder, decode_whole, whole};
use crate::error::{Error, Kind};
use crate::wire::Dialect;
use crate::wire::answer::{Answer, Head};
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::refusal::Class;
use crate::wire::seal::wrap;

const USAGE: Usage = Usage { input: 9, output: 3, cached: 4, reasoning: 1, cache_write: 0 };

fn head(include_usage: bool) -> Head {
    Head { id: "1".to_owned(), model: "m\"".to_owned(), created: 7, include_usage, ..Head::default() }
}

fn tool(index: u32, id: Option<&str>, arguments: &str) -> Event {
    let name = id.map(|_| "f".to_owned());
    let id = id.map(str::to_owned);
    Event::Tool(ToolDelta { index, id, name, arguments: arguments.to_owned(), ..ToolDelta::default() })
}

fn stream(events: &[Event], include_usage: bool) -> String {
    let mut encoder = Encoder::new(head(include_usage));
    let mut out = BytesMut::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    encoder.tail(USAGE, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

/// The deltas of a stream, and what stands after them.
fn deltas(stream: &str) -> Vec<Value> {
    let chunks = stream.split("\n\n").filter_map(|frame| frame.strip_prefix("data: {"));
    let chunks = chunks.map(|chunk| serde_json::from_str::<Value>(&format!("{{{chunk}")).unwrap());
    chunks.map(|chunk| chunk["choices"][0]["delta"].clone()).collect()
}

fn decoded(frames: &[&str]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    let frames = frames.iter().map(|frame| format!("data: {frame}\n\n"));
    frames.flat_map(|frame| decoder.decode(Bytes::from(frame)).events).collect()
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"a-1","choices":[{{"index":0,"delta":{delta}}}]}}"#)
}

#[test]
fn chunks_are_written_byte_for_byte() {
    let chunk = |delta: &str, finish: &str, usage: &str| {
        format!(
            r#"data: {{"choices":[{{"delta":{delta},"finish_reason":{finish},"index":0,"logprobs":null}}],"created":7,"id":"chatcmpl-1","model":"m\"","object":"chat.completion.chunk"{usage}}}"#
        )
    };
    let total = r#"data: {"choices":[],"created":7,"id":"chatcmpl-1","model":"m\"","object":"chat.completion.chunk","usage":{"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":1},"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4},"total_tokens":12}}"#;
    for (events, deltas, finish) in [
        (
            vec![Event::Text("a\"\n".to_owned()), Event::Text("é".to_owned()), Event::Finish(Finish::Stop)],
            vec![r#"{"content":"a\"\n","role":"assistant"}"#, r#"{"content":"é"}"#],
            "\"stop\"",
        ),
        (
            vec![
                Event::Thinking("t".to_owned()),
                Event::Refusal("no".to_owned()),
                Event::Finish(Finish::ContentFilter),
            ],
            vec![r#"{"reasoning_content":"t","role":"assistant"}"#, r#"{"refusal":"no"}"#],
            "\"content_filter\"",
        ),
        (
            vec![tool(0, Some("a"), ""), tool(0, None, "{}"), Event::Finish(Finish::ToolCalls)],
            vec![
                r#"{"role":"assistant","tool_calls":[{"function":{"arguments":"","name":"f"},"id":"a","index":0,"type":"function"}]}"#,
                r#"{"tool_calls":[{"function":{"arguments":"{}"},"index":0}]}"#,
            ],
            "\"tool_calls\"",
        ),
    ] {
        for (include_usage, none) in [(true, ",\"usage\":null"), (false, "")] {
            let mut frames: Vec<String> = deltas.iter().map(|delta| chunk(delta, "null", none)).collect();
            frames.push(chunk("{}", finish, none));
            frames.extend(include_usage.then(|| total.to_owned()));
            frames.push("data: [DONE]".to_owned());
            assert_eq!(stream(&events, include_usage), frames.join("\n\n") + "\n\n");
        }
    }
    assert_eq!(stream(&[], false), "data: [DONE]\n\n");
}

#[test]
fn a_break_looks_like_no_end() {
    let mut encoder = Encoder::new(head(true));
    let mut out = BytesMut::new();
    encoder.event(&Event::Text("Hel".to_owned()), &mut out);
    encoder.event(&Event::Finish(Finish::Stop), &mut out);
    encoder.broken(&Error::new(Kind::Upstream, "cut"), "trace", &mut out);
    let out = String::from_utf8(out.to_vec()).unwrap();
    assert!(
        !out.contains("[DONE]") && !out.contains("\"finish_reason\":\"") && !out.contains("total_tokens"),
        "{out}"
    );
    let last: Value = serde_json::from_str(out.trim_end().rsplit_once("data: ").unwrap().1).unwrap();
    assert_eq!(last["error"]["message"], "cut");
}

#[test]
fn calls_are_counted_from_zero_and_have_arguments_and_ids() {
    let streamed = deltas(&stream(&[tool(3, Some("a"), ""), tool(5, None, "{\"b\":1}")], false));
    let pieces: Vec<_> = streamed.iter().map(|delta| delta["tool_calls"][0].clone()).collect();
    assert_eq!(
        pieces[0],
        json!({"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}})
    );
    assert_eq!(pieces[1]["id"], "call_1_1");
    assert_eq!(pieces[2], json!({"index": 0, "function": {"arguments": "{}"}}));
    assert_eq!(pieces.len(), 3);
}

#[test]
fn seals_stand_with_the_text_that_they_sign() {
    let signed = Seal::signature(Dialect::Anthropic, "sig");
    let hidden =
        Seal { hidden: true, item: Some("rs_1".to_owned()), ..Seal::signature(Dialect::Responses, "enc") };
    let called = Seal::signature(Dialect::Gemini, "thought");
    let mut call = ToolDelta {
        index: 0,
        id: Some("a".to_owned()),
        name: Some("f".to_owned()),
        arguments: String::new(),
        ..ToolDelta::default()
    };
    call.seal = Some(called.clone());
    let events = [
        Event::Thinking("one ".to_owned()),
        Event::Thinking("two".to_owned()),
        Event::Sealed(signed.clone()),
        Event::Sealed(hidden.clone()),
        Event::Tool(call),
        Event::Finish(Finish::ToolCalls),
    ];
    let details = [
        json!({"type": "reasoning.text", "text": "one two", "signature": wrap(&signed), "id": null, "format": "unknown", "index": 0}),
        json!({"type": "reasoning.encrypted", "data": wrap(&hidden), "id": "rs_1", "format": "unknown", "index": 1}),
    ];
    let extra = json!({"google": {"thought_signature": wrap(&called)}});

    let streamed = deltas(&stream(&events, false));
    assert_eq!(streamed[0], json!({"role": "assistant", "reasoning_content": "one "}));
    assert_eq!(streamed[2], json!({"reasoning_details": [details[0]]}));
    assert_eq!(streamed[3], json!({"reasoning_details": [details[1]]}));
    assert_eq!(streamed[4]["tool_calls"][0]["extra_content"], extra);

    let mut answer = Answer::default();
    events.iter().for_each(|event| answer.add(event));
    let message = whole(&head(false), &answer)["choices"][0]["message"].clone();
    assert_eq!(
        message,
        json!({
            "role": "assistant", "content": null, "refusal": null,
            "reasoning_content": "one two",
            "reasoning_details": details,
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra}],
        })
    );
}

#[test]
fn a_whole_answer_says_only_what_is_known() {
    let mut answer = Answer::default();
    for event in [Event::Text("Hi".to_owned()), Event::Usage(Usage { cache_write: 2, ..USAGE })] {
        answer.add(&event);
    }
    let said = whole(&head(false), &answer);
    assert_eq!(said["choices"][0]["finish_reason"], Value::Null);
    assert_eq!(said["choices"][0]["message"], json!({"role": "assistant", "content": "Hi", "refusal": null}));
    assert_eq!(
        said["usage"],
        json!({
            "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 1},
        })
    );
}

#[test]
fn calls_are_told_apart_however_they_are_counted() {
    let call = |pieces: &str| delta(&format!(r#"{{"tool_calls":[{pieces}]}}"#));
    let calls = |pieces: &[&str]| -> Vec<String> {
        let frames: Vec<_> = pieces.iter().map(|pieces| call(pieces)).collect();
        let mut answer = Answer::default();
        let frames: Vec<_> = frames.iter().map(String::as_str).collect();
        decoded(&frames).iter().for_each(|event| answer.add(event));
        let calls = answer.tools().map(|tool| {
            let (id, name) = (tool.id.as_deref().unwrap(), tool.name.as_deref().unwrap_or("-"));
            format!("{id} {name} {}", tool.arguments)
        });
        calls.collect()
    };
    let named = r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}"#;
    for (pieces, expected) in [
        // As described.
        (vec![named, r#"{"index":0,"function":{"arguments":"}"}}"#], vec!["x f {}"]),
        // Empty ids and names on every piece (Alibaba, Mistral).
        (vec![named, r#"{"index":0,"id":"","function":{"name":"","arguments":"}"}}"#], vec!["x f {}"]),
        // Another id for every piece.
        (vec![named, r#"{"index":0,"id":"y","function":{"arguments":"}"}}"#], vec!["x f {}"]),
        // The same id and name with every piece.
        (vec![named, r#"{"index":0,"id":"x","function":{"name":"f","arguments":"}"}}"#], vec!["x f {}"]),
        // Every call is the first (Gemini behind this dialect).
        (
            vec![
                r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}"#,
                r#"{"index":0,"id":"y","function":{"name":"g","arguments":"{}"}}"#,
            ],
            vec!["x f {}", "y g {}"],
        ),
        // No index, no id, arguments as an object.
        (
            vec![r#"{"index":null,"function":{"name":"f","arguments":{"a":1}}}"#],
            vec![r#"call_a1_0 f {"a":1}"#],
        ),
        // Interleaved.
        (
            vec![
                named,
                r#"{"index":1,"id":"y","function":{"name":"g"}}"#,
                r#"{"index":0,"function":{"arguments":"}"}}"#,
                r#"{"index":1,"function":{"arguments":"{}"}}"#,
            ],
            vec!["x f {}", "y g {}"],
        ),
    ] {
        assert_eq!(calls(&pieces), expected, "{pieces:?}");
    }
    let parallel = br#"{"id":"c","choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    let mut answer = Answer::default();
    decode_whole(parallel).iter().for_each(|event| answer.add(event));
    assert_eq!(answer.tools().map(|tool| tool.index).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn thinking_and_its_seals_are_read_under_all_names() {
    let kept = |detail: Value, hidden, item: Option<&str>| {
        let item = item.map(str::to_owned);
        Event::Sealed(Seal { dialect: Dialect::OpenAi, value: detail.to_string(), hidden, item })
    };
    let thought = |text: &str| Event::Thinking(text.to_owned());
    for (said, expected) in [
        (r#"{"reasoning":"a","reasoning_content":""}"#, vec![thought("a")]),
        (
            r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a"}]}"#,
            vec![thought("a")],
        ),
        (r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"s"}]}"#, vec![thought("s")]),
        (
            r#"{"reasoning_details":[{"type":"reasoning.text","text":"a","signature":"sig","format":"x"}]}"#,
            vec![
                thought("a"),
                kept(json!({"type": "reasoning.text", "signature": "sig", "format": "x"}), false, None),
            ],
        ),
        (
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"d","id":"rs_1"}]}"#,
            vec![kept(json!({"type": "reasoning.encrypted", "data": "d", "id": "rs_1"}), true, Some("rs_1"))],
        ),
        (
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"type":"text","text":"c"},{"type":"x"}]}"#,
            vec![thought("ab"), Event::Text("c".to_owned()), Event::other("x", 12)],
        ),
        (r#"{"role":"assistant","index":0,"audio":null,"images":[],"content":""}"#, vec![]),
        (
            r#"{"audio":{"data":"A"},"images":["xyz","z"],"annotations":[{}]}"#,
            vec![
                Event::piece("audio", 12),
                Event::other("images", 5),
                Event::other("images", 3),
                Event::about("annotations", 2),
            ],
        ),
    ] {
        let frame = delta(said);
        let events: Vec<_> =
            decoded(&[&frame]).into_iter().filter(|event| !matches!(event, Event::Start { .. })).collect();
        assert_eq!(events, expected, "{said}");
    }
    let call = delta(
        r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f"},"extra_content":{"google":{"thought_signature":"sig"}}}]}"#,
    );
    let events = decoded(&[&call]);
    let Some(Event::Tool(tool)) = events.last() else { panic!("{events:?}") };
    assert_eq!(tool.seal, Some(Seal::signature(Dialect::OpenAi, "sig")));
}

#[test]
fn usage_is_read_in_all_its_shapes() {
    let usage = |usage: &str| {
        let events = decoded(&[&format!(r#"{{"choices":[],{usage}}}"#)]);
        events.into_iter().find_map(|event| if let Event::Usage(usage) = event { Some(usage) } else { None })
    };
    let counted = |input, output, cached, reasoning, cache_write| {
        Some(Usage { input, output, cached, reasoning, cache_write })
    };
    for (said, expected) in [
        (r#""usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}"#, counted(9, 3, 0, 0, 0)),
        (r#""usage":{"prompt_tokens":9.0,"completion_tokens":3.0}"#, counted(9, 3, 0, 0, 0)),
        (
            r#""usage":{"prompt_tokens":9,"completion_tokens":3,"prompt_cache_hit_tokens":4}"#,
            counted(9, 3, 4, 0, 0),
        ),
        (r#""usage":{"prompt_tokens":9,"completion_tokens":3,"cached_tokens":4}"#, counted(9, 3, 4, 0, 0)),
        (
            r#""usage":{"prompt_tokens":9,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2}}"#,
            counted(9, 3, 4, 0, 2),
        ),
        (r#""x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":3}}"#, counted(9, 3, 0, 0, 0)),
        (
            r#""usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":17,"completion_tokens_details":{"reasoning_tokens":5}}"#,
            counted(9, 8, 0, 5, 0),
        ),
        (
            r#""usage":{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17,"completion_tokens_details":{"reasoning_tokens":5}}"#,
            counted(9, 8, 0, 5, 0),
        ),
        (r#""usage":{}"#, None),
        (r#""usage":null"#, None),
    ] {
        assert_eq!(usage(said), expected, "{said}");
    }
}

#[test]
fn failures_are_heard_in_all_their_shapes() {
    let classed = |class, message: &str, code: Option<&str>| Event::Failed {
        message: message.to_owned(),
        code: code.map(str::to_owned),
        class,
    };
    let failed = |message: &str, code: Option<&str>| classed(Class::Failed, message, code);
    for (said, expected) in [
        (r#"{"error":{"message":"no","type":"t","code":429}}"#, classed(Class::Limited, "no", Some("429"))),
        (
            r#"{"error":{"message":"no","type":"t","code":"content_filter"}}"#,
            classed(Class::Filtered, "no", Some("content_filter")),
        ),
        (r#"{"error":"maximum context length"}"#, classed(Class::Context, "maximum context length", None)),
        (r#"{"error":"no"}"#, failed("no", None)),
        (
            r#"{"object":"error","message":"no","type":"BadRequestError","param":null,"code":400}"#,
            classed(Class::Request, "no", Some("400")),
        ),
        (
            r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#,
            failed("the provider ended its answer with an error", None),
        ),
        (
            r#"{"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}"#,
            failed("the provider ended its answer with an error", Some("insufficient_system_resource")),
        ),
        (
            r#"{"choices":[{"delta":{},"finish_reason":"network_error"}]}"#,
            failed("the provider ended its answer with an error", Some("network_error")),
        ),
    ] {
        assert_eq!(decoded(&[said]), [expected], "{said}");
    }
}

#[test]
fn reasons_of_compatible_servers_are_understood() {
    for (reason, expected) in [
        ("model_length", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("sensitive", Finish::ContentFilter),
        ("eos", Finish::Stop),
    ] {
        let chunk = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
        assert_eq!(decoded(&[&chunk]), [Event::Finish(expected)], "{reason}");
    }
}

#[test]
fn text_is_heard_beside_members_of_other_types() {
    let chunk =
        r#"{"id":7,"choices":[{"index":0,"delta":{"content":"Hi","tool_calls":{}},"finish_reason":"stop"}]}"#;
    assert_eq!(decoded(&[chunk]), [Event::Text("Hi".to_owned()), Event::Finish(Finish::Stop)]);
}
