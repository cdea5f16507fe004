//! `POST /v1/messages`.

use serde_json::{Value, json};

use super::{Ask, Dialect, Heard, events, named, whole};

/// The row of this dialect.
pub const ROW: Dialect = Dialect {
    name: "anthropic",
    path,
    body,
    terminator: b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    hear,
    hear_whole,
};

fn path(_ask: &Ask) -> String {
    "/v1/messages".to_owned()
}

/// The dialect wants a bound in every request.
fn body(ask: &Ask) -> Value {
    let question = format!("question {}", ask.question);
    let mut body = json!({
        "model": ask.model,
        "max_tokens": ask.max_tokens.unwrap_or(600),
        "messages": [{"role": "user", "content": question}],
    });
    if ask.stream {
        body["stream"] = json!(true);
    }
    body
}

fn hear(body: &[u8]) -> Heard {
    let mut heard = Heard::default();
    // The open block's index; a piece of a stream may begin anywhere.
    let (mut begun, mut open) = (false, None);
    for event in events(body, &mut heard) {
        heard.goes_on(&event.data);
        let data = event.json();
        let index = data["index"].as_u64();
        let kind = named(&event, &data, &mut heard);
        match kind.as_str() {
            "ping" => {}
            "message_start" if begun => heard.wrong("it begins twice"),
            "message_start" => begun = true,
            "content_block_start" if open.is_some() => heard.wrong("a block begins in another"),
            "content_block_start" => open = index,
            "content_block_delta" => {
                heard.text.push_str(data["delta"]["text"].as_str().unwrap_or_default());
            }
            "content_block_stop" => open = None,
            "message_delta" => {
                heard.finishes += u32::from(data["delta"]["stop_reason"].is_string());
                usage(&data["usage"], &mut heard);
            }
            "message_stop" => heard.complete = true,
            "error" => heard.failed = true,
            other => heard.wrong(format!("an unknown event {other:?}")),
        }
        if begun && kind == "content_block_delta" && (open.is_none() || open != index) {
            heard.wrong(format!("a piece of block {index:?} while {open:?} is open"));
        }
        if heard.complete && open.is_some() {
            heard.wrong("it is complete with an open block");
        }
    }
    if begun && heard.complete && heard.finishes == 0 {
        heard.wrong("it is complete without a reason");
    }
    heard
}

fn usage(usage: &Value, heard: &mut Heard) {
    let count = |name: &str| usage[name].as_u64();
    if let (Some(input), Some(output)) = (count("input_tokens"), count("output_tokens")) {
        let cached = count("cache_read_input_tokens").unwrap_or(0);
        let written = count("cache_creation_input_tokens").unwrap_or(0);
        heard.usage = Some((input + cached + written, output));
    }
}

fn hear_whole(body: &[u8]) -> Heard {
    whole(body, |answer, heard| {
        for block in answer["content"].as_array().into_iter().flatten() {
            heard.text.push_str(block["text"].as_str().unwrap_or_default());
        }
        heard.finishes += u32::from(answer["stop_reason"].is_string());
        usage(&answer["usage"], heard);
    })
}
