//! `POST /v1/responses`.

use serde_json::{Value, json};

use super::{Ask, Dialect, Heard, events, named, whole};

/// The row of this dialect.
pub const ROW: Dialect = Dialect { name: "responses", path, body, terminator: b"", hear, hear_whole };

fn path(_ask: &Ask) -> String {
    "/v1/responses".to_owned()
}

fn body(ask: &Ask) -> Value {
    let mut body = json!({"model": ask.model, "input": format!("question {}", ask.question)});
    if ask.stream {
        body["stream"] = json!(true);
    }
    if let Some(most) = ask.max_tokens {
        body["max_output_tokens"] = json!(most);
    }
    body
}

fn hear(body: &[u8]) -> Heard {
    let mut heard = Heard::default();
    let mut number = None;
    for event in events(body, &mut heard) {
        heard.goes_on(&event.data);
        if event.data == "[DONE]" {
            heard.wrong("a terminator that the dialect does not have");
            continue;
        }
        let data = event.json();
        let this = data["sequence_number"].as_u64();
        if this.is_none() || number.is_some_and(|last: u64| this != Some(last + 1)) {
            heard.wrong(format!("after number {number:?} comes {this:?}"));
        }
        number = this;
        match named(&event, &data, &mut heard).as_str() {
            "response.output_text.delta" => {
                heard.text.push_str(data["delta"].as_str().unwrap_or_default());
            }
            "response.output_text.done" => {
                // A piece of a stream may begin anywhere.
                if !data["text"].as_str().is_some_and(|all| all.ends_with(&heard.text)) {
                    heard.wrong(format!("its whole text is another: {data}"));
                }
            }
            "response.completed" => {
                heard.complete = true;
                ended(&data["response"], &mut heard);
            }
            "error" => heard.failed = true,
            "response.created"
            | "response.in_progress"
            | "response.output_item.added"
            | "response.content_part.added"
            | "response.content_part.done"
            | "response.output_item.done" => {}
            other => heard.wrong(format!("an unknown event {other:?}")),
        }
    }
    heard
}

fn ended(response: &Value, heard: &mut Heard) {
    heard.finishes += u32::from(response["status"] == "completed");
    let count = |name: &str| response["usage"][name].as_u64();
    if let (Some(input), Some(output)) = (count("input_tokens"), count("output_tokens")) {
        heard.usage = Some((input, output));
    }
}

fn hear_whole(body: &[u8]) -> Heard {
    whole(body, |answer, heard| {
        for item in answer["output"].as_array().into_iter().flatten() {
            for part in item["content"].as_array().into_iter().flatten() {
                heard.text.push_str(part["text"].as_str().unwrap_or_default());
            }
        }
        ended(answer, heard);
    })
}
