//! What every dialect says, as it comes over the wire: tools, thinking, JSON, usage, oddities.

use serde_json::{Value, json};

use super::reader::{Seen, ask, body, read, request, with};
use crate::wall::{Dialect, ODD_TEXT, SEAL, THOUGHTS, USAGE, Wall};

#[tokio::test]
async fn tools_are_called_side_by_side() {
    let wall = Wall::start().await.unwrap();
    let cities = ["Paris", "Rome", "Łódź", "\"Quito\""].map(|city| json!({ "city": city }));
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            for model in ["tools:4", "thinking+tools:4"] {
                let mut response = ask(&wall, dialect, model, stream).send().await.unwrap();
                let seen = read(dialect, stream, &mut response).await;
                let arguments: Vec<Value> =
                    seen.calls.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
                assert_eq!(arguments, cities, "{dialect:?} {stream}");
                assert!(seen.calls.iter().all(|(name, _)| name == "weather"));
                assert_eq!(
                    (seen.finish, seen.close),
                    (Some("tools"), "eof"),
                    "{dialect:?} {stream}: {seen:?}"
                );
                let sealed = model.starts_with("thinking") && dialect != Dialect::Chat;
                assert_eq!(seen.sealed, sealed, "{dialect:?} {stream} {model}");
            }
        }
        let cut =
            Seen::stream(dialect, &mut ask(&wall, dialect, "cut:2+tools", true).send().await.unwrap()).await;
        assert_eq!((cut.finish, cut.calls.len(), cut.close), (None, 1, "broken"), "{dialect:?}: {cut:?}");
    }
}

#[tokio::test]
async fn results_end_the_round() {
    let wall = Wall::start().await.unwrap();
    for dialect in Dialect::ALL {
        let talk = |seal: &str| match dialect {
            Dialect::Chat => json!([{ "role": "tool", "tool_call_id": "call_wall_0", "content": "sun" }]),
            Dialect::Responses => json!([
                { "type": "reasoning", "id": "rs_wall", "summary": [], "encrypted_content": seal },
                { "type": "function_call_output", "call_id": "call_wall_0", "output": "sun" },
            ]),
            Dialect::Messages => json!([
                { "role": "assistant", "content": [
                    { "type": "thinking", "thinking": "so", "signature": seal },
                    { "type": "tool_use", "id": "toolu_wall_0", "name": "weather", "input": {} },
                ] },
                { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "toolu_wall_0", "content": "sun" }] },
            ]),
            Dialect::Gemini => json!([
                { "role": "model", "parts": [{ "functionCall": { "name": "weather", "args": {} }, "thoughtSignature": seal }] },
                { "role": "user", "parts": [{ "functionResponse": { "name": "weather", "response": { "result": "sun" } } }] },
            ]),
        };
        let body = with(dialect, "thinking+tools", true, talk(SEAL));
        let mut response = request(&wall, dialect, "thinking+tools", true, &body).send().await.unwrap();
        let seen = Seen::stream(dialect, &mut response).await;
        assert_eq!(
            (seen.text.as_str(), seen.finish),
            ("The tool said: sun", Some("stop")),
            "{dialect:?}: {seen:?}"
        );
        let forged = with(dialect, "tools", true, talk("another's"));
        let status = request(&wall, dialect, "tools", true, &forged).send().await.unwrap().status;
        assert_eq!(status, if dialect == Dialect::Chat { 200 } else { 400 }, "{dialect:?}");
    }
}

#[tokio::test]
async fn a_call_without_its_seal_is_refused_by_a_model_that_thinks() {
    let wall = Wall::start().await.unwrap();
    let mut gemini = with(
        Dialect::Gemini,
        "",
        true,
        json!([
            { "role": "model", "parts": [{ "functionCall": { "name": "weather", "args": {} } }] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "weather", "response": { "output": "sun" } } }] },
        ]),
    );
    gemini["generationConfig"] = json!({});
    let mut messages = with(
        Dialect::Messages,
        "thinking+tools",
        true,
        json!([
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "weather", "input": {} }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": [{ "type": "text", "text": "sun" }] }] },
        ]),
    );
    messages["thinking"] = json!({ "type": "enabled", "budget_tokens": 1024 });
    for (dialect, mut body) in [(Dialect::Gemini, gemini), (Dialect::Messages, messages)] {
        for (model, status) in [("thinking+tools", 400), ("tools", 200)] {
            body["model"] = json!(model);
            let sent = request(&wall, dialect, model, true, &body).send().await.unwrap();
            assert_eq!(sent.status, status, "{dialect:?} {model}");
        }
    }
}

#[tokio::test]
async fn thinking_comes_first_and_is_sealed() {
    let wall = Wall::start().await.unwrap();
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            let seen =
                read(dialect, stream, &mut ask(&wall, dialect, "thinking", stream).send().await.unwrap())
                    .await;
            assert_eq!(seen.thoughts, THOUGHTS.concat(), "{dialect:?} {stream}");
            assert_eq!(seen.sealed, dialect != Dialect::Chat, "{dialect:?} {stream}");
            assert_eq!((seen.finish, seen.usage), (Some("stop"), Some(12)), "{dialect:?} {stream}: {seen:?}");
            assert!(seen.text.ends_with("tok7"), "{dialect:?} {stream}");
        }
    }
}

#[tokio::test]
async fn structured_output_fits_its_schema_or_does_not() {
    let wall = Wall::start().await.unwrap();
    let schema = json!({ "type": "object", "properties": {
        "name": { "type": "string" }, "age": { "type": ["integer", "null"] },
        "tags": { "type": "array", "items": { "enum": ["a", "b"] } }, "more": { "anyOf": [{ "type": "boolean" }] },
    } });
    let object = json!({ "name": "wall", "age": 7, "tags": ["a"], "more": true });
    for dialect in Dialect::ALL {
        let mut body = body(dialect, "json", true);
        match dialect {
            Dialect::Chat => body["response_format"] = json!({ "json_schema": { "schema": schema } }),
            Dialect::Responses => body["text"] = json!({ "format": { "schema": schema } }),
            Dialect::Messages => body["output_config"] = json!({ "format": { "schema": schema } }),
            Dialect::Gemini => body["generationConfig"] = json!({ "responseJsonSchema": schema }),
        }
        for (model, fits) in [("json", Some(&object)), ("offjson", None), ("badjson", None)] {
            let mut body = body.clone();
            body["model"] = json!(model);
            let mut response = request(&wall, dialect, model, true, &body).send().await.unwrap();
            let seen = Seen::stream(dialect, &mut response).await;
            let value: Option<Value> = serde_json::from_str(&seen.text).ok();
            assert_eq!(value.as_ref() == Some(&object), fits.is_some(), "{dialect:?} {model}: {seen:?}");
            assert_eq!(value.is_none(), model == "badjson", "{dialect:?} {model}: {seen:?}");
        }
    }
    let mut body = body(Dialect::Messages, "json", true);
    body["tools"] = json!([{ "name": "answer", "input_schema": schema }]);
    body["tool_choice"] = json!({ "type": "tool", "name": "answer" });
    let mut response = request(&wall, Dialect::Messages, "json", true, &body).send().await.unwrap();
    let seen = Seen::stream(Dialect::Messages, &mut response).await;
    assert_eq!(seen.calls, [("answer".to_owned(), object.to_string())]);
}

#[tokio::test]
async fn usage_is_told_in_parts() {
    let wall = Wall::start().await.unwrap();
    let rows = [
        (
            Dialect::Chat,
            json!({ "prompt_tokens": USAGE.input, "completion_tokens": USAGE.output, "total_tokens": 120,
            "prompt_tokens_details": { "cached_tokens": 60 }, "completion_tokens_details": { "reasoning_tokens": 12 } }),
        ),
        (
            Dialect::Responses,
            json!({ "input_tokens": 100, "input_tokens_details": { "cached_tokens": 60, "cache_write_tokens": 10 },
            "output_tokens": 20, "output_tokens_details": { "reasoning_tokens": 12 }, "total_tokens": 120 }),
        ),
        (
            Dialect::Messages,
            json!({ "input_tokens": 30, "cache_creation_input_tokens": 10,
            "cache_read_input_tokens": 60, "output_tokens": 20 }),
        ),
        (
            Dialect::Gemini,
            json!({ "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 8,
            "thoughtsTokenCount": 12, "totalTokenCount": 120,
            "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": 100 }] }),
        ),
    ];
    for (dialect, usage) in rows {
        let member = if dialect == Dialect::Gemini { "usageMetadata" } else { "usage" };
        let whole = ask(&wall, dialect, "usage", false).send().await.unwrap().json().await.unwrap();
        assert_eq!(whole[member], usage);
        let events = ask(&wall, dialect, "usage", true).send().await.unwrap().events().await.unwrap();
        let mut told = events.iter().map(crate::sse::Event::json).filter_map(|event| {
            [&event[member], &event["response"][member]].into_iter().find(|usage| usage.is_object()).cloned()
        });
        assert_eq!(told.next_back(), Some(usage), "{dialect:?}");
    }
}

#[tokio::test]
async fn oddities_say_the_same() {
    let wall = Wall::start().await.unwrap();
    for dialect in Dialect::ALL {
        let (stream, whole) = dialect.odd();
        assert_eq!(ask(&wall, dialect, "odd", true).send().await.unwrap().text().await.unwrap(), stream);
        assert_eq!(ask(&wall, dialect, "odd", false).send().await.unwrap().text().await.unwrap(), whole);
        for streams in [false, true] {
            let seen =
                read(dialect, streams, &mut ask(&wall, dialect, "odd", streams).send().await.unwrap()).await;
            let found = (seen.text.as_str(), seen.finish, seen.usage, seen.bad);
            assert_eq!(found, (ODD_TEXT, Some("stop"), Some(2), 0), "{dialect:?} {streams}");
        }
    }
}
