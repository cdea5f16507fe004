//! OpenAI's tool: what its container asks for, and its words in chat completions, which never had it.

use serde_json::{Value, json};

use super::{INTERPRETER, Offer, list, put, refuse};
use crate::error::Error;
use crate::wire::Dialect;
use crate::wire::answer::{Answer, Head};
use crate::wire::json::Members;

/// Reads `container`: the id of one, or what a new one must be like (`AutoCodeInterpreterToolParam`).
pub fn container(tool: &Members, at: &str) -> Result<Offer, Error> {
    let mut offer = Offer { members: Members::default(), container: None, memory: None, most: None };
    let at = |name: &str| format!("{at}.container{name}");
    let container = match tool.read::<Value>("container").ok().flatten() {
        None => return Ok(offer),
        Some(Value::String(id)) => {
            offer.container = Some(id);
            return Ok(offer);
        }
        Some(container @ Value::Object(_)) => container,
        Some(_) => return Err(refuse(&at(""), "must be a container's id, or {\"type\":\"auto\"}")),
    };
    if container.get("file_ids").and_then(Value::as_array).is_some_and(|ids| !ids.is_empty()) {
        return Err(refuse(&at(".file_ids"), "names files, which are not stored here: leave it out"));
    }
    let policy = container.get("network_policy").filter(|policy| !policy.is_null());
    if policy.is_some_and(|policy| policy.get("type").and_then(Value::as_str) != Some("disabled")) {
        return Err(refuse(&at(".network_policy"), "must be of type `disabled`: code has no network here"));
    }
    offer.memory = match container.get("memory_limit") {
        None | Some(Value::Null) => None,
        Some(limit) => {
            let gigabytes = limit.as_str().and_then(|limit| limit.strip_suffix('g')?.parse::<u64>().ok());
            let gigabytes = gigabytes.ok_or_else(|| refuse(&at(".memory_limit"), "must be `1g` or more"))?;
            Some(gigabytes.saturating_mul(1024 * 1024 * 1024))
        }
    };
    Ok(offer)
}

/// A wish for the tool becomes one for the function.
pub fn choose(members: &mut Members) {
    let Some(choice) = members.read::<Value>("tool_choice").ok().flatten() else { return };
    if choice.get("type").and_then(Value::as_str) != Some(INTERPRETER) {
        return;
    }
    let chat = members.get("messages").is_some();
    members.set(
        "tool_choice",
        &match chat {
            true => json!({"type": "function", "function": {"name": INTERPRETER}}),
            false => json!({"type": "function", "name": INTERPRETER}),
        },
    );
}

/// What must be called was called: from now on the model may answer.
pub fn free(members: &mut Members) {
    let forced = members.read::<Value>("tool_choice").ok().flatten();
    if forced.is_some_and(|choice| choice.is_object() || choice.as_str() == Some("required")) {
        members.set("tool_choice", &"auto");
    }
}

/// Adds the assistant's message and the results.
pub fn go_on(members: &mut Members, id: &str, said: &Answer, results: &[String]) {
    free(members);
    let head = Head { id: id.to_owned(), ..Head::default() };
    let mut whole = Dialect::OpenAi.whole(&head, said);
    let Some(message) = whole.pointer_mut("/choices/0/message").map(Value::take) else { return };
    let calls = message.get("tool_calls").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut messages = list(members, "messages");
    messages.push(message.to_string());
    for (call, result) in calls.iter().zip(results) {
        let result = json!({"role": "tool", "tool_call_id": call.get("id"), "content": result});
        messages.push(result.to_string());
    }
    put(members, "messages", &messages);
}
