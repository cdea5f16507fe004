//! `POST /api/v1/chat` and `/api/v1/chat/stream`.

use serde_json::{Value, json};

use super::{Ask, Dialect, Heard, events};

/// The row of this dialect.
pub const ROW: Dialect = Dialect { name: "platform", path, body, terminator: b"", hear, hear_whole };

fn path(ask: &Ask) -> String {
    if ask.stream { "/api/v1/chat/stream" } else { "/api/v1/chat" }.to_owned()
}

fn body(ask: &Ask) -> Value {
    let mut body = json!({"query": format!("question {}", ask.question), "mode": "chat", "model": ask.model});
    if let Some(most) = ask.max_tokens {
        body["max_tokens"] = json!(most);
    }
    body
}

fn hear(body: &[u8]) -> Heard {
    let mut heard = Heard::default();
    let mut result = None;
    for event in events(body, &mut heard) {
        heard.goes_on(&event.name);
        let data = event.json();
        match event.name.as_str() {
            "start" | "reasoning" | "continued" => {}
            "token" => heard.text.push_str(data["text"].as_str().unwrap_or_default()),
            "result" => result = Some(data["response"].as_str().unwrap_or_default().to_owned()),
            "end" => heard.complete = true,
            "error" => heard.failed = true,
            other => heard.wrong(format!("an unknown event {other:?}")),
        }
    }
    match result {
        Some(result) if result != heard.text => heard.wrong(format!("its result is another: {result:?}")),
        Some(_) if heard.failed => heard.wrong("a result and an error"),
        None if heard.complete => heard.wrong("an end without a result"),
        _ => {}
    }
    heard.finishes = u32::from(heard.complete);
    heard
}

fn hear_whole(body: &[u8]) -> Heard {
    let mut heard = Heard::default();
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match answer["result"].as_str() {
        Some(result) => {
            heard.text = result.to_owned();
            (heard.complete, heard.finishes) = (true, 1);
        }
        None => heard.failed = answer.get("code").is_some(),
    }
    if !heard.failed && !heard.complete {
        heard.wrong(format!("neither an answer nor an error: {}", String::from_utf8_lossy(body)));
    }
    heard
}
