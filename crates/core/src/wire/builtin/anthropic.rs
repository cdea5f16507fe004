//! Anthropic's tool, in all its versions: Python and Bash. Its editor of files is left to Bash.

use serde_json::{Value, json};

use super::{OF_ANTHROPIC, Offer, list, put, refuse};
use crate::error::Error;
use crate::wire::Dialect;
use crate::wire::answer::{Answer, Head};
use crate::wire::json::{Members, parse};

/// Reads the tool, and `container`, which stands beside the tools.
pub fn offer(members: &mut Members, tool: &Members, at: &str) -> Result<Offer, Error> {
    let plain = ["type", "name", "cache_control"];
    if let Some(name) = tool.names().find(|name| !plain.contains(name)) {
        return Err(refuse(&format!("{at}.{name}"), "is nothing that code is run with here: leave it out"));
    }
    let container = match members.read::<Value>("container").ok().flatten() {
        None => None,
        Some(Value::String(id)) => Some(id),
        Some(container) => {
            if container.get("skills").and_then(Value::as_array).is_some_and(|skills| !skills.is_empty()) {
                return Err(refuse("container.skills", "are Anthropic's own: leave them out"));
            }
            container.get("id").and_then(Value::as_str).map(str::to_owned)
        }
    };
    members.unset("container");
    Ok(Offer { members: Members::default(), container, memory: None, most: None })
}

/// Runs of earlier answers, which stand inside the assistant's turn, become calls and the results of the turn after it.
pub fn history(members: &mut Members) {
    let messages = list(members, "messages");
    if !messages.iter().any(|message| message.contains("server_tool_use")) {
        return;
    }
    let messages: Vec<String> = messages.into_iter().flat_map(earlier).collect();
    put(members, "messages", &messages);
}

fn earlier(message: String) -> Vec<String> {
    let read: Value = parse(&message).unwrap_or_default();
    let blocks = match read.get("content").and_then(Value::as_array) {
        Some(blocks) if message.contains("server_tool_use") => blocks,
        _ => return vec![message],
    };
    let text = |block: &Value, name: &str| {
        block.get(name).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
    };
    let (mut turns, mut said, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for block in blocks {
        let kind = text(block, "type");
        let ours = OF_ANTHROPIC.iter().any(|function| text(block, "name") == function.name);
        let result = OF_ANTHROPIC.iter().any(|it| kind.strip_suffix("_tool_result") == Some(it.name));
        if result {
            results.push(json!({
                "type": "tool_result",
                "tool_use_id": block.get("tool_use_id"),
                "content": told(block.get("content").unwrap_or(&Value::Null)),
            }));
            continue;
        }
        if !results.is_empty() {
            turns.push(json!({"role": "assistant", "content": std::mem::take(&mut said)}));
            turns.push(json!({"role": "user", "content": std::mem::take(&mut results)}));
        }
        let mut block = block.clone();
        if let (true, true, Some(block)) = (kind == "server_tool_use", ours, block.as_object_mut()) {
            block.retain(|name, _| matches!(name.as_str(), "id" | "name" | "input"));
            block.insert("type".to_owned(), "tool_use".into());
        }
        said.push(block);
    }
    if !said.is_empty() {
        turns.push(json!({"role": "assistant", "content": said}));
    }
    if !results.is_empty() {
        turns.push(json!({"role": "user", "content": results}));
    }
    turns.iter().map(Value::to_string).collect()
}

/// What a result says, for a model.
fn told(content: &Value) -> String {
    let text = |name: &str| content.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("error_code") {
        "" => format!("{}{}", text("stdout"), text("stderr")),
        code => format!("it was not run: {code}"),
    }
}

/// Adds the assistant's turn and the one with the results.
pub fn go_on(members: &mut Members, id: &str, said: &Answer, results: &[String]) {
    let choice = members.read::<Value>("tool_choice").ok().flatten().unwrap_or_default();
    if matches!(choice.get("type").and_then(Value::as_str), Some("any" | "tool")) {
        members.set_text("tool_choice", r#"{"type":"auto"}"#);
    }
    let head = Head { id: id.to_owned(), ..Head::default() };
    let whole = Dialect::Anthropic.whole(&head, said);
    let content = whole.get("content").cloned().unwrap_or_default();
    let calls = content.as_array().into_iter().flatten();
    let calls = calls.filter(|block| block.get("type").and_then(Value::as_str) == Some("tool_use"));
    let results: Vec<Value> = calls
        .zip(results)
        .map(
            |(call, result)| json!({"type": "tool_result", "tool_use_id": call.get("id"), "content": result}),
        )
        .collect();
    let mut messages = list(members, "messages");
    messages.push(json!({"role": "assistant", "content": content}).to_string());
    messages.push(json!({"role": "user", "content": results}).to_string());
    put(members, "messages", &messages);
}
