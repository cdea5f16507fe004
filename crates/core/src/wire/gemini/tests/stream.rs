//! Streams and answers: what they mean, and that what is written means the same.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::{answer, calls, decoded, encoded, head};
use crate::error::{Error, Kind};
use crate::wire::answer::{Answer, Block};
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, Finish, ToolDelta, Usage};
use crate::wire::gemini::{Encoder, decode_whole, error_body, interactions, whole};
use crate::wire::refusal::Class;
use crate::wire::{Dialect, seal};

fn chunks(chunks: &[Value]) -> Vec<u8> {
    chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect::<String>().into_bytes()
}

fn parts(parts: Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}}]})
}

fn signed(value: &str) -> Seal {
    Seal::signature(Dialect::Gemini, value)
}

fn usage(input: u64, output: u64, reasoning: u64) -> Usage {
    Usage { input, output, reasoning, ..Usage::default() }
}

#[test]
fn interactions_say_what_they_say() {
    let said = |events: &[Value]| -> Vec<Event> {
        let mut decoder = interactions::Decoder::default();
        events.iter().flat_map(|event| decoder.decode(Bytes::from(frame(event))).events).collect()
    };
    let start = json!({"event_type": "step.start", "index": 3, "step": {"type": "function_call", "name": "f", "arguments": {"a": 1}}});
    let stop = json!({"event_type": "step.stop", "index": 3});
    let read = answer(&said(&[start, stop]));
    assert_eq!(calls(&read), [("f".to_owned(), r#"{"a":1}"#.to_owned())]);
    let delta = |delta: Value| json!({"event_type": "step.delta", "delta": delta});
    let summary = delta(json!({"type": "thought_summary", "content": {"type": "text", "text": "t"}}));
    assert_eq!(said(&[summary]), [Event::Thinking("t".to_owned())]);
    let builtin = delta(json!({"type": "arguments_delta", "arguments": "{}"}));
    for other in [builtin, delta(json!({"type": "image", "data": "AA"}))] {
        assert!(matches!(said(std::slice::from_ref(&other))[..], [Event::Other(_)]), "{other}");
    }
    assert_eq!(
        said(&[json!({"event_type": "content.delta", "delta": {"type": "text", "text": "a"}})]),
        [Event::Text("a".to_owned())]
    );
    let failed = Event::Failed {
        message: "m".to_owned(),
        code: Some("gateway_timeout".to_owned()),
        class: Class::Failed,
    };
    assert_eq!(
        said(&[json!({"event_type": "error", "error": {"code": "gateway_timeout", "message": "m"}})]),
        [failed]
    );
    let ended =
        |status: &str| json!({"event_type": "interaction.completed", "interaction": {"status": status}});
    assert_eq!(said(&[ended("incomplete")]), [Event::Finish(Finish::Length), Event::End]);
    assert!(matches!(&said(&[ended("cancelled")])[..], [Event::Failed { .. }, Event::End]));
}

#[test]
fn each_frame_says_what_it_says() {
    let text = |text: &str| Event::Text(text.to_owned());
    let classed = |class, message: &str, code: &str| Event::Failed {
        message: message.to_owned(),
        code: Some(code.to_owned()),
        class,
    };
    let failed = |message: &str, code: &str| classed(Class::Failed, message, code);
    let ended = |reason: &str| json!({"candidates": [{"finishReason": reason, "finishMessage": "why"}]});
    let call = json!([{"functionCall": {"name": "f", "args": {"b": 1, "a": 2}}}]);
    let cases: Vec<(String, Vec<Event>)> = vec![
        (": ping\n\n".into(), vec![]),
        ("data: {\n\n".into(), vec![Event::Unreadable]),
        ("data: [1]\n\n".into(), vec![Event::Unreadable]),
        ("data: {\"candidates\":7}\n\n".into(), vec![Event::other("candidates", 16)]),
        (
            parts_frame(json!([{"text": "a"}, {"text": "", "thoughtSignature": "s"}])),
            vec![text("a"), Event::Sealed(signed("s"))],
        ),
        (parts_frame(json!([{"text": "t", "thought": true}])), vec![Event::Thinking("t".to_owned())]),
        (parts_frame(json!([{"inlineData": {"data": "AA"}}])), vec![Event::other("inlineData", 28)]),
        (
            frame(
                &json!({"candidates": [{"finishReason": "STOP", "groundingMetadata": {"a": 1}, "citationMetadata": {}}]}),
            ),
            vec![Event::about("groundingMetadata", 7), Event::Finish(Finish::Stop)],
        ),
        (frame(&ended("STOP")), vec![Event::Finish(Finish::Stop)]),
        (frame(&ended("MAX_TOKENS")), vec![Event::Finish(Finish::Length)]),
        (frame(&ended("FINISH_REASON_UNSPECIFIED")), vec![]),
        (frame(&ended("MALFORMED_FUNCTION_CALL")), vec![failed("why", "MALFORMED_FUNCTION_CALL")]),
        (frame(&ended("OTHER")), vec![failed("why", "OTHER")]),
        (
            frame(&json!({"promptFeedback": {"blockReason": "SAFETY"}})),
            vec![Event::Finish(Finish::ContentFilter)],
        ),
        (
            frame(&json!({"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}})),
            vec![classed(Class::Overloaded, "m", "UNAVAILABLE")],
        ),
        ("{\n  \"error\": {\"code\": 500,\n \"message\": \"m\"}\n}\n".into(), vec![failed("m", "500")]),
        ("[{\"error\":{\"message\":\"m\",\"status\":\"INTERNAL\"}}]".into(), vec![failed("m", "INTERNAL")]),
        ("{\"noted\":1}\n\n".into(), vec![]),
        (frame(&json!({"usageMetadata": {"trafficType": "ON_DEMAND"}})), vec![]),
        (
            frame(
                &json!({"usageMetadata": {"promptTokenCount": 5, "toolUsePromptTokenCount": 2, "cachedContentTokenCount": 3,
                "candidatesTokenCount": 7, "thoughtsTokenCount": 11, "totalTokenCount": 25}}),
            ),
            vec![Event::Usage(Usage { cached: 3, ..usage(7, 18, 11) })],
        ),
        (
            frame(&json!({"usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 25}})),
            vec![Event::Usage(usage(5, 20, 0))],
        ),
    ];
    for (body, events) in cases {
        assert_eq!(decoded(body.as_bytes()), events, "{body}");
    }
    for reason in
        ["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"]
    {
        assert_eq!(
            decoded(frame(&ended(reason)).as_bytes()),
            [Event::Finish(Finish::ContentFilter)],
            "{reason}"
        );
    }
    let called = decoded(&chunks(&[parts(call), ended("STOP")]));
    assert_eq!(called.last(), Some(&Event::Finish(Finish::ToolCalls)));
    assert_eq!(calls(&answer(&called)), [("f".to_owned(), r#"{"a":2,"b":1}"#.to_owned())]);
    assert_eq!(answer(&called).tools().next().unwrap().id.as_deref(), Some("call_0_f"));
}

fn frame(chunk: &Value) -> String {
    format!("data: {chunk}\r\n\r\n")
}

fn parts_frame(given: Value) -> String {
    frame(&parts(given))
}

#[test]
fn a_call_without_its_last_piece_is_whole_only_if_the_model_was_done() {
    let begun = parts(json!([{"functionCall": {"name": "f", "willContinue": true, "partialArgs": [
        {"jsonPath": "$.a[0]", "numberValue": 1.5}, {"jsonPath": "$.b", "nullValue": "NULL_VALUE"}]}}]));
    let ended = |reason: &str| json!({"candidates": [{"finishReason": reason}]});
    let read = |reason: &str| answer(&decoded(&chunks(&[begun.clone(), ended(reason)])));
    assert_eq!(calls(&read("STOP")), [("f".to_owned(), r#"{"a":[1.5],"b":null}"#.to_owned())]);
    assert_eq!(calls(&read("MAX_TOKENS")), [("f".to_owned(), r#"{"a":[1.5],"b":null"#.to_owned())]);
    let misplaced = parts(
        json!([{"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "a", "boolValue": true}]}}]),
    );
    let events = decoded(&chunks(&[misplaced]));
    assert!(
        matches!(&events[..], [Event::Failed { code: Some(code), .. }] if code == "MALFORMED_FUNCTION_CALL")
    );
}

#[test]
fn usage_is_cumulative_and_several_candidates_end_together() {
    let body = chunks(&[
        json!({"responseId": "r-1", "modelVersion": "m", "candidates": [{"index": 0, "finishReason": "STOP"}, {"index": 1}],
            "usageMetadata": {"promptTokenCount": 4, "thoughtsTokenCount": 3, "totalTokenCount": 7}}),
        json!({"candidates": [{"index": 1, "finishReason": "MAX_TOKENS"}],
            "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2}}),
    ]);
    let start = Event::Start { id: "r-1".to_owned(), model: "m".to_owned() };
    let first = Event::Finish(Finish::Stop);
    let (one, two) = (Event::Usage(usage(4, 3, 3)), Event::Usage(usage(4, 5, 3)));
    assert_eq!(decoded(&body), [start, first, one, Event::Finish(Finish::Length), two]);
}

#[test]
fn whole_answers_are_read_and_written() {
    let body = json!({"responseId": "r", "modelVersion": "m", "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2},
        "candidates": [{"content": {"parts": [{"text": "t", "thought": true}, {"text": "a"}, {"text": "", "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "i", "name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"}]}, "finishReason": "STOP"}]});
    let read = answer(&decode_whole(body.to_string().as_bytes()));
    let written = whole(&head(), &read);
    let mut again = answer(&decode_whole(written.to_string().as_bytes()));
    assert_eq!(std::mem::replace(&mut again.model, read.model.clone()), head().model);
    assert_eq!(again, read);
    assert_eq!(written["candidates"][0]["content"]["parts"], body["candidates"][0]["content"]["parts"]);
    assert_eq!(
        (written["responseId"].as_str(), written["candidates"][0]["finishReason"].as_str()),
        (Some("01J"), Some("STOP"))
    );
    for none in ["", "{}", "[]", "7", r#"{"choices":[]}"#, "\u{1}"] {
        assert_eq!(decode_whole(none.as_bytes()), [Event::Unreadable], "{none}");
    }
    let streamed = json!([parts(json!([{"text": "a"}])), parts(json!([{"text": "b"}]))]).to_string();
    assert_eq!(answer(&decode_whole(streamed.as_bytes())).text(), "ab");
}

fn tool(index: u32, name: Option<&str>, arguments: &str) -> Event {
    let id = name.map(|_| format!("id{index}"));
    let (name, arguments) = (name.map(str::to_owned), arguments.to_owned());
    Event::Tool(ToolDelta { index, id, name, arguments, ..ToolDelta::default() })
}

#[test]
fn a_stream_is_written_as_google_writes_it() {
    let events = [
        Event::Text("a\n".to_owned()),
        tool(0, Some("f"), "{\"z\":1.50,"),
        tool(0, None, "\"a\":2}"),
        tool(1, Some("g"), ""),
        Event::Finish(Finish::ToolCalls),
    ];
    let names = r#""modelVersion":"google/\"x\"","responseId":"01J"}"#;
    let chunk = |part: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}],\"role\":\"model\"}},\"index\":0}}],{names}\r\n\r\n"
        )
    };
    let last = r#"data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"candidatesTokenCount":2,"promptTokenCount":1,"thoughtsTokenCount":3,"totalTokenCount":6},"#;
    let expected = [
        chunk(r#"{"text":"a\n"}"#),
        chunk(r#"{"functionCall":{"id":"id0","name":"f","args":{"z":1.50,"a":2}}}"#),
        chunk(r#"{"functionCall":{"id":"id1","name":"g","args":{}}}"#),
        format!("{last}{names}\r\n\r\n"),
    ];
    assert_eq!(encoded(&events, usage(1, 5, 3)), expected.concat());
}

#[test]
fn arguments_that_are_no_object_are_not_made_into_one() {
    let events = [tool(0, Some("f"), "{\"a\":"), tool(1, Some("g"), "{}"), Event::Finish(Finish::ToolCalls)];
    let body = encoded(&events, Usage::default());
    assert!(
        body.contains("MALFORMED_FUNCTION_CALL") && body.contains("call of f are no JSON object"),
        "{body}"
    );
    assert_eq!(calls(&answer(&decoded(body.as_bytes()))), [("g".to_owned(), "{}".to_owned())]);
    let body = whole(&head(), &answer(&events));
    assert_eq!(body["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
    let cut = [tool(0, Some("f"), "{\"a\":"), Event::Finish(Finish::Length)];
    assert!(encoded(&cut, Usage::default()).contains("MAX_TOKENS"));
}

#[test]
fn seals_of_others_travel_in_base64() {
    let foreign = Seal { dialect: Dialect::Anthropic, value: "sig".to_owned(), hidden: true, item: None };
    let body = encoded(&[Event::Thinking("t".to_owned()), Event::Sealed(foreign.clone())], Usage::default());
    let value = body.split("thoughtSignature\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)), "{value}");
    assert_eq!(crate::wire::gemini::signature::read(value), Some(foreign.clone()));
    let url_safe = value.replace('+', "-").replace('/', "_");
    assert_eq!(crate::wire::gemini::signature::read(&url_safe), Some(foreign.clone()));
    assert!(!value.contains(&seal::wrap(&foreign)));
    let mut kept = Answer::default();
    kept.blocks.push(Block::Thinking { text: String::new(), seal: Some(signed("x")) });
    assert_eq!(
        whole(&head(), &kept)["candidates"][0]["content"]["parts"],
        json!([{"text": "", "thoughtSignature": "x"}])
    );
}

#[test]
fn a_broken_stream_ends_with_an_error_and_nothing_else() {
    let error = Error::new(Kind::Upstream, "cut").at("contents");
    let (mut encoder, mut out) = (Encoder::new(head()), BytesMut::new());
    encoder.event(&Event::Text("a".to_owned()), &mut out);
    encoder.event(&tool(0, Some("f"), "{\"a\":1}"), &mut out);
    let before = out.len();
    encoder.broken(&error, "trace", &mut out);
    let text = String::from_utf8(out[before..].to_vec()).unwrap();
    let (framed, bare) = text.split_once("\r\n\r\n").unwrap();
    let said: Value = serde_json::from_str(bare).unwrap();
    assert_eq!(said, error_body(&error, "trace"));
    assert!(bare.starts_with("{\"error\":"), "Google's Python library looks for this");
    assert_eq!((&said["error"]["code"], &said["error"]["status"]), (&json!(502), &json!("UNAVAILABLE")));
    let framed: Value = serde_json::from_str(framed.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((&framed["error"], &framed["candidates"]), (&said["error"], &json!({})));
    let events = decoded(&out);
    assert!(
        matches!(&events[..], [Event::Start { .. }, Event::Text(_), Event::Failed { .. }, ..]),
        "{events:?}"
    );
}
