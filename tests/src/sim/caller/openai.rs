//! `POST /v1/chat/completions`.

use serde_json::{Value, json};

use super::{Ask, Dialect, Heard, events, whole};

/// The row of this dialect.
pub const ROW: Dialect =
    Dialect { name: "openai", path, body, terminator: b"data: [DONE]\n\n", hear, hear_whole };

fn path(_ask: &Ask) -> String {
    "/v1/chat/completions".to_owned()
}

fn body(ask: &Ask) -> Value {
    let question = format!("question {}", ask.question);
    let mut body = json!({"model": ask.model, "messages": [{"role": "user", "content": question}]});
    if ask.stream {
        body["stream"] = json!(true);
    }
    if ask.usage && ask.stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    if let Some(most) = ask.max_tokens {
        body["max_tokens"] = json!(most);
    }
    body
}

fn hear(body: &[u8]) -> Heard {
    let mut heard = Heard::default();
    for event in events(body, &mut heard) {
        heard.goes_on(&event.data);
        if event.data == "[DONE]" {
            heard.complete = true;
            continue;
        }
        let chunk = event.json();
        if chunk.get("error").is_some() {
            heard.failed = true;
        } else if chunk.get("choices").is_none_or(|choices| !choices.is_array()) {
            heard.wrong(format!("no chunk: {:?}", event.data));
        }
        said(&chunk, "/choices/0/delta/content", &mut heard);
    }
    if heard.complete && heard.finishes == 0 {
        heard.wrong("it is complete without a finish reason");
    }
    heard
}

fn hear_whole(body: &[u8]) -> Heard {
    whole(body, |answer, heard| said(answer, "/choices/0/message/content", heard))
}

fn said(value: &Value, content: &str, heard: &mut Heard) {
    heard.text.push_str(value.pointer(content).and_then(Value::as_str).unwrap_or_default());
    heard.finishes += u32::from(value.pointer("/choices/0/finish_reason").is_some_and(Value::is_string));
    let count = |name: &str| value.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_u64);
    if let (Some(input), Some(output)) = (count("prompt_tokens"), count("completion_tokens")) {
        heard.usage = Some((input, output));
    }
}
