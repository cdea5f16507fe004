//! Every SDK over every target: each caller's dialect becomes each upstream's, and its answer becomes the caller's.

use serde_json::{Value, json};

use crate::clients::case::Case;
use crate::clients::sdk::{Client, Dialect};
use crate::clients::spelling::Spelling;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (spelling, clients) in Spelling::ALL {
        for target in Dialect::ALL {
            let row = |what: &str, job: Value| {
                let name = format!("dialects/{}/{what}", target.target());
                Case::new(&name, clients, job).over(target)
            };
            cases.extend(answers(spelling, &row));
            cases.extend(tools(spelling, clients, &row));
            cases.extend(objects(spelling, clients, &row));
        }
    }
    cases
}

type Row<'a> = &'a dyn Fn(&str, Value) -> Case;

fn answers(spelling: Spelling, row: Row<'_>) -> Vec<Case> {
    let three = json!({ "texts": ["tok0 tok1 tok2"], "finish": "stop", "tools": [] });
    let counted = json!({ "usage": { "prompt": 100, "completion": 20, "cached": 60 } });
    let mut cases = Vec::new();
    cases.extend(row("text", chat(spelling.hello("ok:3"))).gives(three.clone()).both());
    cases.extend(row("turns", chat(spelling.turns("echo"))).says("\u{1F44B}").both());
    cases.extend(row("picture", chat(spelling.picture("ok:3"))).gives(three.clone()).both());
    cases.extend(
        row("cut off at the limit", chat(spelling.hello("length:5")))
            .gives(json!({ "texts": ["tok0 tok1 tok2 tok3 tok4"], "finish": "length" }))
            .both(),
    );
    for stream in [false, true] {
        let mut params = spelling.hello("usage");
        if stream && spelling == Spelling::Chat {
            params["stream_options"] = json!({ "include_usage": true });
        }
        let name = if stream { "usage/stream" } else { "usage/whole" };
        cases.push(
            row(name, json!({ "op": "chat", "stream": stream, "params": params })).gives(counted.clone()),
        );
    }
    if spelling != Spelling::Vercel {
        cases.push(row("by the SDK's helper", job("helper", spelling.hello("ok:3"))).gives(three));
    }
    cases
}

fn tools(spelling: Spelling, clients: &[Client], row: Row<'_>) -> Vec<Case> {
    let call = |city: &str| json!({ "name": "weather", "arguments": { "city": city } });
    let two = json!({ "finish": "tool_calls", "tools": [call("Paris"), call("Rome")] });
    let said = json!({ "finish": "stop", "tools": [] });
    let mut cases = Vec::new();
    cases.extend(row("tools/two at once", chat(spelling.tool(spelling.hello("tools:2")))).gives(two).both());
    cases.extend(
        row("tools/round", job("round", spelling.tool(spelling.hello("tools:2"))))
            .gives(said.clone())
            .says("sun for Paris")
            .both(),
    );
    // Chat completions has no place where a client would keep what seals its thinking.
    if clients.iter().all(|client| client.dialect != Dialect::Chat) {
        let thinking = json!({ "thinking": "The wall is thinking …" });
        let params = spelling.thinking(spelling.hello("ok:3+thinking"));
        cases.extend(row("thinking", chat(params)).gives(thinking.clone()).both());
        let params = spelling.thinking(spelling.tool(spelling.hello("thinking+tools:2")));
        cases.extend(
            row("tools/round with thinking", job("round", params))
                .gives(said)
                .gives(thinking)
                .says("sun for Paris")
                .both(),
        );
    }
    cases
}

fn objects(spelling: Spelling, clients: &[Client], row: Row<'_>) -> Vec<Case> {
    // Vercel's SDK looks at it, and has its own ways to ask for it.
    let object = match spelling {
        Spelling::Vercel => json!({ "object": {} }),
        _ => json!({ "object": { "city": "wall", "degrees": 7 } }),
    };
    let mut cases = Vec::new();
    cases.extend(row("object", job("parse", spelling.hello("json"))).gives(object).both());
    // Vercel's SDK asks Anthropic's interface for an object as the arguments of a tool, which nobody promised to check.
    if spelling == Spelling::Vercel && clients.iter().any(|client| client.dialect == Dialect::Messages) {
        return cases;
    }
    // What does not fit is no success, whoever looks at it.
    for fault in ["badjson", "offjson"] {
        let params = spelling.schema(spelling.hello(fault));
        let case = row(&format!("object/{fault}"), chat(params)).gives(json!({ "error": {} }));
        cases.extend(case.tried_again().both());
    }
    cases
}

fn chat(params: Value) -> Value {
    job("chat", params)
}

fn job(op: &str, params: Value) -> Value {
    json!({ "op": op, "params": params })
}
