//! `code_interpreter` and `code_execution`, run by the platform for models of providers that have no such tool.

use serde_json::{Value, json};

use super::sandbox::{good, last, line, outcome};
use super::{Case, case};
use crate::client::Request;
use crate::hosts::ctx::{Ctx, check, same};
use crate::sse::Event;

pub(super) const CASES: &[Case] = &[
    case!(responses_streamed),
    case!(responses_whole_and_its_history),
    case!(anthropic_streamed),
    case!(anthropic_whole_and_its_history),
    case!(chat),
    case!(over_every_upstream),
    case!(a_provider_with_the_tool_has_it_itself),
    case!(failing_over_from_it),
    case!(the_callers_own_tools),
    case!(not_run),
    case!(containers),
    case!(runs_out),
    case!(not_offered),
];

/// A question whose fenced blocks are the programs that the model has run, one after the other.
fn question(ctx: &Ctx, programs: &[Vec<String>]) -> String {
    let block = |lines: &Vec<String>| format!("```python\n#say~{}\n{}\n```\n", ctx.tag, lines.join("\n"));
    programs.iter().map(block).collect()
}

/// A program that prints this in the scripted sandbox.
pub fn prints(text: &str) -> Vec<String> {
    let mut end = outcome();
    end["artifacts"] = json!([]);
    end["result"] = Value::Null;
    vec![line("started", ""), line("stdout", text), last(&end)]
}

/// The one that [`good`] prints, with a picture and another file.
fn plots() -> Vec<String> {
    let mut end = outcome();
    end["result"] = json!({"text": "<Figure>"});
    end["artifacts"] = json!([
        {"name": "plot-1.png", "type": "image/png", "bytes": 1, "content": "eA==", "plot": true},
        {"name": "out/a.txt", "type": "text/plain", "bytes": 1, "content": "eA=="},
    ]);
    good(&end)
}

fn responses(ctx: &Ctx, target: &str, input: Value, stream: bool) -> Request {
    let tools = json!([{"type": "code_interpreter", "container": {"type": "auto"}}]);
    let body = json!({"model": format!("{target}/runs~{}", ctx.tag), "input": input, "tools": tools, "stream": stream});
    ctx.post("/v1/responses", &body).key(&ctx.keys.acme)
}

fn messages(ctx: &Ctx, target: &str, messages: Value, stream: bool) -> Request {
    let body = json!({
        "model": format!("{target}/runs~{}", ctx.tag),
        "max_tokens": 500,
        "messages": messages,
        "tools": [{"type": "code_execution_20250825", "name": "code_execution"}],
        "stream": stream,
    });
    ctx.post("/v1/messages", &body).key(&ctx.keys.acme)
}

fn of(events: &[Event], kind: &str) -> Vec<Value> {
    events.iter().map(Event::json).filter(|event| event["type"] == kind).collect()
}

async fn responses_streamed(ctx: &Ctx) -> Result<(), String> {
    let asked = question(ctx, &[plots(), prints("second")]);
    let events = responses(ctx, "wall", json!(asked), true).send().await?.events().await?;
    let kinds: Vec<String> = events
        .iter()
        .map(|event| {
            event.json()["type"].as_str().unwrap_or_default().trim_start_matches("response.").to_owned()
        })
        .filter(|kind| kind.contains("code_interpreter"))
        .collect();
    let one = [
        "code_interpreter_call.in_progress",
        "code_interpreter_call_code.delta",
        "code_interpreter_call_code.done",
        "code_interpreter_call.interpreting",
        "code_interpreter_call.completed",
    ];
    same("events", kinds, [one, one].concat().into_iter().map(str::to_owned).collect())?;
    for (number, event) in events.iter().enumerate() {
        same("number", event.json()["sequence_number"].as_u64(), Some(number as u64))?;
    }
    let done = of(&events, "response.completed");
    let output = &done.first().ok_or("not completed")?["response"]["output"];
    let kinds: Vec<_> =
        output.as_array().into_iter().flatten().filter_map(|it| it["type"].as_str()).collect();
    same("output", kinds, vec!["code_interpreter_call", "code_interpreter_call", "message"])?;
    let run = &output[0];
    same("status", run["status"].as_str(), Some("completed"))?;
    same("logs", run["outputs"][0]["logs"].as_str(), Some("héllo\n<Figure>\nwarn"))?;
    same("picture", run["outputs"][1]["url"].as_str(), Some("data:image/png;base64,eA=="))?;
    same("file", run["opencode_files"][0]["content"].as_str(), Some("eA=="))?;
    check(run["code"].as_str().is_some_and(|code| code.starts_with("#say~")), || run.to_string())?;
    check(run["container_id"].as_str().is_some_and(|id| id.starts_with("cntr_")), || run.to_string())?;
    let text = output[2]["content"][0]["text"].as_str().unwrap_or_default();
    check(text.starts_with("It gave: héllo") && text.ends_with("| second"), || text.to_owned())?;
    same("calls", ctx.stats().calls(), 3)?;
    let receipts = ctx.receipts_of(&ctx.keys.acme, &ctx.tag, |list| !list.is_empty()).await?;
    same("receipts", receipts.len(), 1)?;
    same("attempts", receipts[0]["attempts"].as_array().map(Vec::len), Some(3))?;
    let trace = &receipts[0]["trace"];
    let all = ctx.receipts(&ctx.keys.acme).await?;
    let runs = all.iter().filter(|it| it["trace"] == *trace && it["mode"] == "sandbox").count();
    same("receipts of runs", runs, 2)
}

/// What came back can be sent again with the next question, whatever runs then.
async fn responses_whole_and_its_history(ctx: &Ctx) -> Result<(), String> {
    let asked = question(ctx, &[prints("first")]);
    let said = responses(ctx, "wall-anthropic", json!(asked), false).send().await?.json().await?;
    same("status", said["status"].as_str(), Some("completed"))?;
    let mut input = vec![json!({"role": "user", "content": asked})];
    input.extend(said["output"].as_array().cloned().unwrap_or_default());
    input.push(json!({"role": "user", "content": "go on"}));
    let mut response = responses(ctx, "wall-gemini", json!(input), false).send().await?;
    let said = response.json().await?;
    let text = said["output"][0]["content"][0]["text"].as_str();
    check(text.is_some_and(|text| text.contains("first")), || said.to_string())
}

async fn anthropic_streamed(ctx: &Ctx) -> Result<(), String> {
    let bash = format!("```bash\n#say~{}\n{}\n```\n", ctx.tag, prints("from bash").join("\n"));
    let asked = question(ctx, &[plots()]) + &bash;
    let asked = json!([{"role": "user", "content": asked}]);
    let events = messages(ctx, "wall", asked, true).send().await?.events().await?;
    let blocks: Vec<_> =
        of(&events, "content_block_start").into_iter().map(|it| it["content_block"].clone()).collect();
    let kinds: Vec<_> = blocks.iter().filter_map(|block| block["type"].as_str()).collect();
    let expected = [
        "server_tool_use",
        "code_execution_tool_result",
        "server_tool_use",
        "bash_code_execution_tool_result",
        "text",
    ];
    same("blocks", kinds, expected.to_vec())?;
    same("id", &blocks[0]["id"], &blocks[1]["tool_use_id"])?;
    same("stdout", blocks[1]["content"]["stdout"].as_str(), Some("héllo\n<Figure>"))?;
    same("stderr", blocks[1]["content"]["stderr"].as_str(), Some("warn"))?;
    same("files", blocks[1]["opencode_files"].as_array().map(Vec::len), Some(2))?;
    same("bash", blocks[3]["content"]["stdout"].as_str(), Some("from bash"))?;
    let input = of(&events, "content_block_delta")[0]["delta"]["partial_json"].as_str().map(str::to_owned);
    let input: Value = serde_json::from_str(&input.unwrap_or_default()).unwrap_or_default();
    check(input["code"].as_str().is_some_and(|code| code.starts_with("#say~")), || input.to_string())?;
    let delta = &of(&events, "message_delta")[0]["delta"];
    same("reason", delta["stop_reason"].as_str(), Some("end_turn"))?;
    check(delta["container"]["expires_at"].as_str().is_some_and(|at| at.ends_with('Z')), || {
        delta.to_string()
    })?;
    let languages: Vec<_> =
        ctx.wall.runs(&ctx.tag).iter().map(|run| run.execution["language"].clone()).collect();
    same("languages", languages, vec![json!("python"), json!("bash")])
}

async fn anthropic_whole_and_its_history(ctx: &Ctx) -> Result<(), String> {
    let user = |text: &str| json!({"role": "user", "content": text});
    let asked = question(ctx, &[prints("first")]);
    let said = messages(ctx, "wall-responses", json!([user(&asked)]), false).send().await?.json().await?;
    let kinds: Vec<_> =
        said["content"].as_array().into_iter().flatten().filter_map(|it| it["type"].as_str()).collect();
    same("blocks", kinds, vec!["server_tool_use", "code_execution_tool_result", "text"])?;
    same("reason", said["stop_reason"].as_str(), Some("end_turn"))?;
    let turns = json!([user(&asked), {"role": "assistant", "content": said["content"]}, user("go on")]);
    let said = messages(ctx, "wall", turns, false).send().await?.json().await?;
    let text = said["content"][0]["text"].as_str();
    check(text.is_some_and(|text| text.contains("first")), || said.to_string())
}

/// Chat completions never had the tool: a chunk beside the answer says what was run.
async fn chat(ctx: &Ctx) -> Result<(), String> {
    for stream in [true, false] {
        let ctx = ctx.part(if stream { "stream" } else { "whole" });
        let mut body = ctx.body("runs", stream);
        body["messages"][0]["content"] = json!(question(&ctx, &[prints("first")]));
        body["tools"] = json!([{"type": "code_interpreter"}]);
        let mut response = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme).send().await?;
        let (run, text) = if stream {
            let events = response.events().await?;
            let run =
                events.iter().map(Event::json).find(|it| it["opencode_run"].is_object()).ok_or("no run")?;
            (run["opencode_run"].clone(), crate::sse::Chat::read(&events).text)
        } else {
            let said = response.json().await?;
            let message = &said["choices"][0]["message"];
            (message["opencode_runs"][0].clone(), message["content"].as_str().unwrap_or_default().to_owned())
        };
        same("stdout", run["stdout"].as_str(), Some("first"))?;
        same("text", text.as_str(), "It gave: first")?;
    }
    Ok(())
}

/// Seals of thinking and of calls come back to the provider that gave them.
async fn over_every_upstream(ctx: &Ctx) -> Result<(), String> {
    for target in ["wall", "wall-anthropic", "wall-gemini"] {
        let ctx = ctx.part(target);
        let asked = question(&ctx, &[prints("first"), prints("second")]);
        let tools = json!([{"type": "code_interpreter", "container": {"type": "auto"}}]);
        let model = format!("{target}/runs+thinking~{}", ctx.tag);
        let body = json!({"model": model, "input": asked, "tools": tools, "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]});
        let said = ctx.post("/v1/responses", &body).key(&ctx.keys.acme).send().await?.json().await?;
        let items = said["output"].as_array().into_iter().flatten();
        let text = items.filter_map(|item| item["content"][0]["text"].as_str()).next();
        same(target, text, Some("It gave: first | second")).map_err(|error| format!("{error}\n{said}"))?;
    }
    Ok(())
}

async fn a_provider_with_the_tool_has_it_itself(ctx: &Ctx) -> Result<(), String> {
    for (target, path, tool) in [
        (
            "wall-responses",
            "/v1/responses",
            json!({"type": "code_interpreter", "container": {"type": "auto"}}),
        ),
        (
            "wall-anthropic",
            "/v1/messages",
            json!({"type": "code_execution_20250825", "name": "code_execution"}),
        ),
    ] {
        let ctx = ctx.part(target);
        let user = json!([{"role": "user", "content": "hi"}]);
        let body = json!({"model": format!("{target}/ok~{}", ctx.tag), "max_tokens": 9, "max_output_tokens": 9, "input": user, "messages": user, "tools": [tool]});
        let response = ctx.post(path, &body).key(&ctx.keys.acme).send().await?;
        same(target, response.status, 200)?;
        let asked: Value = serde_json::from_str(&ctx.wall.bodies(&ctx.tag).concat()).unwrap_or_default();
        same("tools", &asked["tools"], &json!([tool]))?;
    }
    Ok(())
}

/// The next target may be one without the tool: there the platform runs the code.
async fn failing_over_from_it(ctx: &Ctx) -> Result<(), String> {
    let asked = question(ctx, &[prints("first")]);
    let targets = format!("wall-responses/429~{0}, wall/runs~{0}", ctx.tag);
    let request = responses(ctx, "wall-responses", json!(asked), true).header("x-opencode-targets", &targets);
    let events = request.send().await?.events().await?;
    let done = of(&events, "response.completed");
    let output = &done.first().ok_or_else(|| format!("{events:?}"))?["response"]["output"];
    same("run", output[0]["type"].as_str(), Some("code_interpreter_call"))
}

/// What is the caller's to run is left to it, with the code's outcome before it.
async fn the_callers_own_tools(ctx: &Ctx) -> Result<(), String> {
    let tools = json!([{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}, {"type": "code_interpreter", "container": {"type": "auto"}}]);
    let body = json!({"model": ctx.model("tools:2"), "input": "hi", "tools": tools});
    let said = ctx.post("/v1/responses", &body).key(&ctx.keys.acme).send().await?.json().await?;
    let kinds: Vec<_> =
        said["output"].as_array().into_iter().flatten().filter_map(|it| it["type"].as_str()).collect();
    same("output", kinds, vec!["function_call", "function_call"])?;
    same("runs", ctx.wall.runs(&ctx.tag).len(), 0)
}

/// A sandbox that cannot be had is told to the model and the caller, and the answer goes on.
async fn not_run(ctx: &Ctx) -> Result<(), String> {
    let asked = format!("```python\n#429~{}\n```", ctx.tag);
    let said = responses(ctx, "wall", json!(asked), false).send().await?.json().await?;
    same("status", said["output"][0]["status"].as_str(), Some("failed"))?;
    let text = said["output"][1]["content"][0]["text"].as_str();
    check(text.is_some_and(|text| text.contains("It was not run")), || said.to_string())
}

/// A container's files are those of the session of its name.
async fn containers(ctx: &Ctx) -> Result<(), String> {
    let name = format!("mine-{}", ctx.tag).chars().take(64).collect::<String>();
    let ask = |program: Vec<String>| {
        let tools = json!([{"type": "code_interpreter", "container": name}]);
        let body = json!({"model": ctx.model("runs"), "input": question(ctx, &[program]), "tools": tools});
        ctx.post("/v1/responses", &body).key(&ctx.keys.acme)
    };
    ask(good(&outcome())).send().await?.json().await?;
    let said = ask(prints("$FILES")).send().await?.json().await?;
    same("container", said["output"][0]["container_id"].as_str(), Some(name.as_str()))?;
    same("files", said["output"][0]["outputs"][0]["logs"].as_str(), Some("out/a.txt"))
}

async fn runs_out(ctx: &Ctx) -> Result<(), String> {
    let asked = question(ctx, &[prints("first"), prints("second")]);
    let tools = json!([{"type": "code_interpreter", "container": {"type": "auto"}}]);
    let body = json!({"model": ctx.model("runs"), "input": asked, "tools": tools, "max_tool_calls": 1});
    let mut response = ctx.post("/v1/responses", &body).key(&ctx.keys.acme).send().await?;
    let said = response.json().await?;
    same("status", response.status, 502)?;
    check(said["error"]["message"].as_str().is_some_and(|it| it.contains("used up")), || said.to_string())?;
    same("runs", ctx.wall.runs(&ctx.tag).len(), 1)
}

/// Who may run no code is told by the tool's name; so is what no sandbox here has.
async fn not_offered(ctx: &Ctx) -> Result<(), String> {
    let tool = json!({"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}});
    let plain = json!({"type": "code_interpreter", "container": {"type": "auto"}});
    for (key, tool, param) in
        [(&ctx.keys.roomy, &plain, "tools[0].type"), (&ctx.keys.acme, &tool, "tools[0].container.file_ids")]
    {
        let body = json!({"model": ctx.model("ok"), "input": "hi", "tools": [tool]});
        let mut response = ctx.post("/v1/responses", &body).key(key).send().await?;
        same("status", response.status, 400)?;
        same("param", response.json().await?["error"]["param"].as_str(), Some(param))?;
    }
    same("calls", ctx.stats().calls(), 0)
}
