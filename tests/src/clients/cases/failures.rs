//! Failures become each SDK's own exceptions, and a broken stream never looks like a short answer.

use serde_json::{Value, json};

use super::{chat, chat_with};
use crate::clients::case::Case;
use crate::clients::sdk::{AI, EVERY, OPENAI};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let refused = [
        ("unknown provider", EVERY, chat("=nobody/nothing"), 404),
        ("unknown model", EVERY, chat("=nothing"), 404),
        ("messages of a wrong type", OPENAI, chat_with("ok", json!({ "messages": "hello" })), 400),
        ("a message without a role", OPENAI, chat_with("ok", json!({ "messages": [{}] })), 400),
        ("no messages", OPENAI, chat_with("ok", json!({ "messages": [] })), 400),
    ];
    for (name, clients, job, status) in refused {
        let case = Case::new(&format!("failures/{name}"), clients, job).raises(status).calls(0);
        cases.extend(case.both());
    }
    // No SDK has a class of its own for 413.
    let large = Case::new("failures/a body over the limit", EVERY, chat_with("ok", long()));
    cases.extend(large.gives(json!({ "error": { "status": 413, "is_api_error": true } })).calls(0).both());
    let key = Case::new("failures/wrong key", EVERY, chat("ok")).raises(401);
    cases.extend(key.calls(0).wrong_key().both());
    for (fault, status) in
        [("s400", 400), ("s422", 422), ("s429:2", 429), ("s500", 502), ("s503", 502), ("rst", 502)]
    {
        let case = Case::new(&format!("failures/the upstream's {fault}"), EVERY, chat(fault));
        cases.extend(case.raises(status).both());
    }
    // After 5 tokens. What the SDK has seen by then is the caller's; that it is not all must be raised.
    for fault in ["cut:5", "eof:5", "error:5", "stall:5"] {
        let mut job = chat(fault);
        job["stream"] = json!(true);
        let broken = |clients| Case::new(&format!("failures/broken by {fault}"), clients, job.clone());
        let so_far = json!({ "texts": ["tok0 tok1 tok2 tok3 tok4"] });
        cases.push(
            broken(OPENAI)
                .gives(so_far.clone())
                .gives(json!({ "finish": null, "error": { "class": "APIError" } })),
        );
        cases.push(broken(AI).gives(so_far).gives(json!({ "finish": "error", "error": {} })));
    }
    for (fault, status) in [("cut:5", 502), ("eof:5", 502), ("stall:5", 504)] {
        let whole = Case::new(&format!("failures/cut short by {fault}"), EVERY, chat(fault));
        cases.push(whole.raises(status));
    }
    // With one retry allowed, an SDK gets over a failure that the platform reports.
    let mut again = chat("flaky:1");
    again["retries"] = json!(1);
    cases.extend(
        Case::new("failures/retried by the SDK", EVERY, again).gives(json!({ "finish": "stop" })).both(),
    );
    cases
}

/// More than the platform takes, less than what Lambda lets in.
fn long() -> Value {
    json!({ "messages": [{ "role": "user", "content": "x".repeat(4_400_000) }] })
}
