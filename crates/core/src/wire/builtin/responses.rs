//! The tool's words in OpenAI's Responses.

use serde_json::{Value, json};

use super::{INTERPRETER, kind_of, list, openai, put};
use crate::wire::Dialect;
use crate::wire::answer::{Answer, Head};
use crate::wire::json::{Members, parse};

/// Runs of earlier answers become calls of the function, and their results.
pub fn history(members: &mut Members) {
    let items = list(members, "input");
    if !items.iter().any(|item| kind_of(item) == "code_interpreter_call") {
        return;
    }
    let items: Vec<String> = items.into_iter().flat_map(earlier).collect();
    put(members, "input", &items);
}

fn earlier(item: String) -> Vec<String> {
    if kind_of(&item) != "code_interpreter_call" {
        return vec![item];
    }
    let read: Value = parse(&item).unwrap_or_default();
    let outputs = read.get("outputs").and_then(Value::as_array).into_iter().flatten();
    let logs: Vec<&str> = outputs.filter_map(|output| output.get("logs")?.as_str()).collect();
    let arguments = json!({"code": read.get("code")}).to_string();
    let call = json!({
        "type": "function_call",
        "call_id": read.get("id"),
        "name": INTERPRETER,
        "arguments": arguments,
    });
    let output = json!({"type": "function_call_output", "call_id": read.get("id"), "output": logs.concat()});
    vec![call.to_string(), output.to_string()]
}

/// Adds the items of an answer and the results of its calls.
pub fn go_on(members: &mut Members, id: &str, said: &Answer, results: &[String]) {
    openai::free(members);
    let head = Head { id: id.to_owned(), ..Head::default() };
    let whole = Dialect::Responses.whole(&head, said);
    let items = whole.get("output").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut input = match members.read::<String>("input") {
        Ok(Some(text)) => vec![json!({"role": "user", "content": text}).to_string()],
        _ => list(members, "input"),
    };
    input.extend(items.iter().map(Value::to_string));
    let calls = items.iter().filter_map(|item| item.get("call_id"));
    for (call, result) in calls.zip(results) {
        input.push(json!({"type": "function_call_output", "call_id": call, "output": result}).to_string());
    }
    put(members, "input", &input);
}
