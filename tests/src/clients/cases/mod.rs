//! The cases, by what they are about.

mod broken;
mod builtin;
mod chat;
mod dialects;
mod embeddings;
mod failures;
mod parameters;
mod surfaces;
mod tools;

use serde_json::{Value, json};

use super::case::Case;

/// Every case.
pub fn all() -> Vec<Case> {
    let groups = [
        chat::cases(),
        parameters::cases(),
        tools::cases(),
        failures::cases(),
        embeddings::cases(),
        dialects::cases(),
        broken::cases(),
        surfaces::cases(),
        builtin::cases(),
    ];
    groups.into_iter().flatten().collect()
}

/// A conversation of one message.
fn hello() -> Value {
    json!([{ "role": "user", "content": "Say hello to Zoë 👋" }])
}

/// A chat with this fault of the wall.
fn chat(fault: &str) -> Value {
    chat_with(fault, json!({}))
}

/// A chat with this fault of the wall and further parameters.
fn chat_with(fault: &str, parameters: Value) -> Value {
    let mut params = json!({ "model": fault, "messages": hello() });
    for (name, value) in parameters.as_object().cloned().unwrap_or_default() {
        params[name] = value;
    }
    json!({ "op": "chat", "params": params })
}
