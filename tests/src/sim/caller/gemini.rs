//! `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.

use serde_json::{Value, json};

use super::{Ask, Dialect, Heard, events, whole};

/// The row of this dialect.
pub const ROW: Dialect = Dialect { name: "gemini", path, body, terminator: b"", hear, hear_whole };

fn path(ask: &Ask) -> String {
    let method = if ask.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    format!("/v1beta/models/{}:{method}", ask.model)
}

fn body(ask: &Ask) -> Value {
    let question = format!("question {}", ask.question);
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": question}]}]});
    if let Some(most) = ask.max_tokens {
        body["generationConfig"] = json!({"maxOutputTokens": most});
    }
    body
}

/// It has no terminator: with a reason for the end, and no error, the end of the body is the end.
fn hear(body: &[u8]) -> Heard {
    let mut heard = Heard::default();
    for event in events(body, &mut heard) {
        let before = (heard.text.len(), heard.finishes);
        if heard.failed {
            heard.goes_on(&event.data);
        }
        let chunk = event.json();
        heard.failed |= chunk["error"].is_object();
        said(&chunk, &mut heard);
        if before.1 > 0 && heard.text.len() > before.0 {
            heard.wrong(format!("after the reason for the end comes {:?}", event.data));
        }
    }
    if heard.failed && heard.finishes > 0 {
        heard.wrong("a reason for the end and an error");
    }
    heard.complete = heard.finishes > 0 && !heard.failed;
    heard
}

fn said(chunk: &Value, heard: &mut Heard) {
    let candidate = &chunk["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        heard.text.push_str(part["text"].as_str().unwrap_or_default());
    }
    heard.finishes += u32::from(candidate["finishReason"].is_string());
    let count = |name: &str| chunk["usageMetadata"][name].as_u64();
    if let (Some(input), Some(output)) = (count("promptTokenCount"), count("candidatesTokenCount")) {
        heard.usage = Some((input, output + count("thoughtsTokenCount").unwrap_or(0)));
    }
}

fn hear_whole(body: &[u8]) -> Heard {
    whole(body, said)
}
