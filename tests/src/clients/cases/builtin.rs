//! Tools that run code, as the SDKs know them from their providers: here the platform runs it.

use serde_json::{Value, json};

use crate::clients::case::Case;
use crate::clients::sdk::{ANTHROPIC, Client, Dialect, RESPONSES};
use crate::hosts::cases::printing;

pub(super) fn cases() -> Vec<Case> {
    let question = format!("```python\n#say~sdk\n{}\n```", printing("first").join("\n"));
    let responses = json!({
        "model": "runs",
        "input": question,
        "tools": [{ "type": "code_interpreter", "container": { "type": "auto" } }],
    });
    let anthropic = json!({
        "model": "runs",
        "max_tokens": 500,
        "messages": [{ "role": "user", "content": question }],
        "tools": [{ "type": "code_execution_20250825", "name": "code_execution" }],
    });
    let one = cases_of("responses", RESPONSES, &responses, Dialect::Messages);
    let other = cases_of("anthropic", ANTHROPIC, &anthropic, Dialect::Chat);
    one.into_iter().chain(other).collect()
}

/// Whole and streamed, by the SDK's helper, and with the answer in the next question's history.
fn cases_of(name: &str, clients: &'static [Client], params: &Value, target: Dialect) -> Vec<Case> {
    let case = |op: &str, calls: usize| {
        let job = json!({ "op": op, "params": params });
        let gives = json!({ "texts": ["It gave: first"], "finish": "stop", "tools": [] });
        Case::new(&format!("builtin/{name} {op}"), clients, job).over(target).gives(gives).calls(calls)
    };
    let mut cases = Vec::from(case("chat", 2).both());
    cases.extend(case("round", 3).both());
    cases.push(case("helper", 2));
    cases
}
