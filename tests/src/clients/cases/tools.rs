//! Tool calls, one and several, and the whole round: call, result, answer.

use serde_json::json;

use super::{chat_with, hello, parameters::tool};
use crate::clients::case::Case;
use crate::clients::sdk::{EVERY, OPENAI};

pub(super) fn cases() -> Vec<Case> {
    let call = |index: usize, city: &str| json!({ "id": format!("call_wall_{index}"), "name": "weather", "arguments": { "city": city } });
    let with_tool = |fault: &str| chat_with(fault, json!({ "tools": [tool()] }));
    let one = json!({ "finish": "tool_calls", "tools": [call(0, "Paris")] });
    let three =
        json!({ "finish": "tool_calls", "tools": [call(0, "Paris"), call(1, "Rome"), call(2, "Łódź")] });
    let mut round = with_tool("tools:2");
    round["op"] = json!("round");
    let mut helper = with_tool("tools:2");
    helper["op"] = json!("helper");
    let said = "The tool said: sun for Paris";
    let mut cases = Vec::new();
    cases.extend(Case::new("tools/one call", EVERY, with_tool("tools")).gives(one).both());
    cases.extend(Case::new("tools/three calls at once", EVERY, with_tool("tools:3")).gives(three).both());
    cases.extend(
        Case::new("tools/round", EVERY, round).gives(json!({ "texts": [said], "finish": "stop" })).both(),
    );
    cases.push(
        Case::new("tools/by the SDK's helper", OPENAI, helper)
            .gives(json!({ "finish": "tool_calls", "tools": [call(0, "Paris"), call(1, "Rome")] })),
    );
    // A model that is given tools may well not call them.
    cases.extend(
        Case::new(
            "tools/not called",
            EVERY,
            chat_with("ok:1", json!({ "tools": [tool()], "messages": hello() })),
        )
        .gives(json!({ "texts": ["tok0"], "finish": "stop", "tools": [] }))
        .both(),
    );
    cases
}
