//! What only one surface has.

use serde_json::{Value, json};

use crate::clients::case::Case;
use crate::clients::sdk::{AI_OTHERS, ANTHROPIC, Client, Dialect, GOOGLE, RESPONSES};
use crate::clients::spelling::Spelling;

pub(super) fn cases() -> Vec<Case> {
    let counting = Spelling::Messages
        .tool(json!({ "model": "=wall/ok", "messages": [{ "role": "user", "content": "Hi" }] }));
    let mut cases = vec![
        Case::new("surfaces/tokens are counted", ANTHROPIC, json!({ "op": "count", "params": counting }))
            .gives(json!({ "counted": true })),
        // This SDK takes a name with a slash in it for a whole path.
        Case::new(
            "surfaces/a model without `models/`",
            &[Client::AI_GOOGLE],
            chat(Spelling::Vercel.hello("=wall/ok")),
        )
        .gives(json!({ "finish": "stop" })),
    ];
    // Nothing is kept, and the answer says so.
    for store in [Value::Null, json!(true), json!(false)] {
        let mut params = Spelling::Responses.hello("ok:3");
        if !store.is_null() {
            params["store"] = store.clone();
        }
        let case = Case::new(&format!("surfaces/store {store}"), RESPONSES, chat(params));
        cases.extend(case.over(Dialect::Responses).gives(json!({ "store": false, "finish": "stop" })).both());
    }
    // What would need something kept is refused.
    for (name, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("background", json!(true)),
    ] {
        let mut params = Spelling::Responses.hello("ok");
        params[name] = value;
        let case = Case::new(&format!("surfaces/{name}"), RESPONSES, chat(params));
        cases.extend(case.raises(400).calls(0).both());
    }
    // Google's own way of writing schemas, from before it took JSON Schema.
    let mut old = Spelling::Google.hello("tools");
    let parameters =
        json!({ "type": "OBJECT", "properties": { "city": { "type": "STRING" } }, "required": ["city"] });
    old["config"] = json!({ "tools": [{ "functionDeclarations":
        [{ "name": "weather", "description": "Says the weather", "parameters": parameters }] }] });
    for target in Dialect::ALL {
        let case = Case::new(
            &format!("surfaces/a tool in OpenAPI's words/{}", target.target()),
            GOOGLE,
            chat(old.clone()),
        );
        cases.push(case.over(target).gives(json!({ "finish": "tool_calls" })));
    }
    // The client leaves after three tokens of forty. Google's SDKs have no way to say so in the middle of a stream.
    for (spelling, clients, target) in [
        (Spelling::Responses, RESPONSES, Dialect::Responses),
        (Spelling::Messages, ANTHROPIC, Dialect::Messages),
        (Spelling::Vercel, AI_OTHERS, Dialect::Gemini),
    ] {
        let job = json!({ "op": "chat", "stream": true, "stop_after": 3, "params": spelling.hello("ok-slow:50:40") });
        cases.push(
            Case::new("surfaces/cancelled", clients, job).over(target).gives(json!({ "finish": null })),
        );
    }
    cases
}

fn chat(params: Value) -> Value {
    json!({ "op": "chat", "params": params })
}
