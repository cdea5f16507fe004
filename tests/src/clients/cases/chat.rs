//! Answers that succeed, and the list of models.

use serde_json::json;

use super::{chat, chat_with, hello};
use crate::clients::case::Case;
use crate::clients::sdk::{AI, EVERY, OPENAI};

pub(super) fn cases() -> Vec<Case> {
    let three = json!({ "texts": ["tok0 tok1 tok2"], "finish": "stop", "usage": { "completion": 3 } });
    let usage = json!({ "stream_options": { "include_usage": true } });
    let image = json!([{ "role": "user", "content": [
        { "type": "text", "text": "What is this?" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low" } },
    ] }]);
    let roles = json!([
        { "role": "developer", "content": "Be short." },
        { "role": "user", "content": "Hello", "name": "zoë" },
        { "role": "assistant", "content": "Hi" },
        { "role": "user", "content": "line\nbreak \"quotes\" \\ \u{1F44B} \u{2028}" },
    ]);
    let helper = |fault: &str| json!({ "op": "helper", "params": { "model": fault, "messages": hello() } });
    let model = |name: &str| json!({ "op": "model", "params": { "model": name } });
    let names = json!([
        "auto",
        "opencode/chat",
        "opencode/thinking",
        "opencode/code",
        "wall/ok",
        "wall2/ok",
        "wall-responses/ok",
        "wall-anthropic/ok",
        "wall-gemini/ok",
    ]);
    let mut cases = vec![
        Case::new("chat/whole", EVERY, chat("ok:3")).gives(three.clone()),
        Case::new("chat/stream", EVERY, streamed(chat("ok:3")))
            .gives(json!({ "texts": ["tok0 tok1 tok2"], "finish": "stop" })),
        Case::new("chat/stream with usage", OPENAI, streamed(chat_with("ok:3", usage))).gives(three.clone()),
        // These SDKs ask for usage by themselves.
        Case::new("chat/stream with usage", AI, streamed(chat("ok:3")))
            .gives(three.clone())
            .sends(json!({ "stream_options": { "include_usage": true } })),
        Case::new("chat/stream without usage", OPENAI, streamed(chat("ok:3")))
            .gives(json!({ "usage": null })),
        Case::new("chat/stream by the SDK's helper", OPENAI, helper("ok:3"))
            .gives(json!({ "texts": ["tok0 tok1 tok2"], "finish": "stop" })),
        Case::new("chat/a terminator that the upstream forgot", EVERY, streamed(chat("no-done")))
            .gives(json!({ "finish": "stop" })),
        Case::new("chat/slow", EVERY, streamed(chat("ok-slow:20:5")))
            .gives(json!({ "texts": ["tok0 tok1 tok2 tok3 tok4"] })),
        Case::new("models/list", OPENAI, json!({ "op": "models", "params": {} }))
            .gives(json!({ "models": names })),
        Case::new("models/retrieve", OPENAI, model("=wall/ok")).gives(json!({ "models": ["wall/ok"] })),
        Case::new("models/retrieve an unknown one", OPENAI, model("=nobody/nothing")).raises(404),
        // The client leaves after three tokens of forty.
        Case::new("chat/cancelled", EVERY, cancelled()).gives(json!({ "finish": null })),
    ];
    cases.extend(
        Case::new("chat/long answer", EVERY, chat("ok:500")).gives(json!({ "finish": "stop" })).both(),
    );
    cases.extend(
        Case::new("chat/roles and names", OPENAI, chat_with("ok", json!({ "messages": roles }))).both(),
    );
    cases.extend(Case::new("chat/image", OPENAI, chat_with("ok", json!({ "messages": image }))).both());
    let large = json!({ "messages": [{ "role": "user", "content": "ß".repeat(200_000) }] });
    cases.extend(Case::new("chat/large request", EVERY, chat_with("ok", large)).both());
    cases.extend(Case::new("chat/auto", EVERY, chat("=auto")).gives(json!({ "finish": "stop" })).both());
    cases.extend(
        Case::new("chat/thinking", EVERY, chat("=opencode/thinking"))
            .gives(json!({ "finish": "stop" }))
            .both(),
    );
    cases
}

fn streamed(mut job: serde_json::Value) -> serde_json::Value {
    job["stream"] = json!(true);
    job
}

fn cancelled() -> serde_json::Value {
    let mut job = streamed(chat("ok-slow:50:40"));
    job["stop_after"] = json!(3);
    job
}
