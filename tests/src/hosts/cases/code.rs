//! The code mode over the wall's models and its scripted sandbox.

use serde_json::{Value, json};

use super::sandbox::{good, last, line, outcome};
use super::tasks::over;
use super::{Case, case};
use crate::client::Request;
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] = &[
    case!(mended_in_the_stream),
    case!(whole),
    case!(never_mended),
    case!(in_the_openai_dialect),
    case!(as_a_task),
    case!(without_a_sandbox),
];

/// A question whose fenced blocks are the programs that the model will write.
fn question(ctx: &Ctx, programs: &[Vec<String>]) -> String {
    let block = |lines: &Vec<String>| format!("```python\n#say~{}\n{}\n```\n", ctx.tag, lines.join("\n"));
    programs.iter().map(block).collect()
}

/// A program that fails in the scripted sandbox.
pub fn failing() -> Vec<String> {
    let mut failed = outcome();
    failed["status"] = json!("error");
    failed["exit_code"] = json!(1);
    vec![line("stderr", "NameError: first"), last(&failed)]
}

fn ask(ctx: &Ctx, path: &str, body: &Value) -> Request {
    ctx.post(path, body).key(&ctx.keys.acme).header("x-opencode-targets", &ctx.model("blocks"))
}

async fn mended_in_the_stream(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"query": question(ctx, &[failing(), good(&outcome())]), "mode": "code"});
    let events = ask(ctx, "/api/v1/chat/stream", &body).send().await?.events().await?;
    let steps: Vec<String> = events
        .iter()
        .filter(|event| event.name != "progress" || event.json()["status"] == "end")
        .map(|event| format!("{} {}", event.name, event.json()["step"].as_str().unwrap_or_default()))
        .collect();
    let expected = [
        "start ",
        "progress write_code",
        "tool_call run_code",
        "source run_code",
        "progress repair_1",
        "tool_call run_code",
        "source run_code",
        "token ",
        "result ",
        "end ",
    ];
    same("events", steps, expected.map(str::to_owned).to_vec())?;
    let of =
        |name: &str| events.iter().filter(|event| event.name == name).map(|it| it.json()).collect::<Vec<_>>();
    let sources = of("source");
    same(
        "first",
        (sources[0]["status"].as_str(), sources[0]["error"].as_str()),
        (Some("error"), Some("NameError: first")),
    )?;
    same(
        "second",
        (sources[1]["status"].as_str(), sources[1]["stdout"].as_str()),
        (Some("ok"), Some("héllo\n")),
    )?;
    check(
        of("tool_call")[1]["code"]
            .as_str()
            .is_some_and(|code| code.contains("héllo") || code.starts_with("#say")),
        || format!("{:?}", of("tool_call")),
    )?;
    let result = &of("result")[0];
    check(result["response"].as_str().is_some_and(|it| it.contains("héllo")), || result.to_string())?;
    same("repairs", result["repairs"].as_u64(), Some(1))?;
    same("artifact", result["artifacts"][0]["content"].as_str(), Some("eA=="))?;
    same("runs", ctx.wall.runs(&ctx.tag).len(), 2)?;
    let trace = result["trace_id"].clone();
    let receipts = ctx.receipts(&ctx.keys.acme).await?;
    let mut modes: Vec<_> =
        receipts.iter().filter(|it| it["trace"] == trace).filter_map(|it| it["mode"].as_str()).collect();
    modes.sort_unstable();
    same("receipts", modes, vec!["code", "sandbox", "sandbox"])
}

async fn whole(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"query": question(ctx, &[good(&outcome())]), "mode": "code"});
    let said = ask(ctx, "/api/v1/chat", &body).send().await?.json().await?;
    same("mode", said["mode"].as_str(), Some("code"))?;
    same("status", said["execution"]["status"].as_str(), Some("ok"))?;
    check(said["code"].as_str().is_some_and(|code| code.starts_with("#say~")), || said.to_string())?;
    let kinds: Vec<_> =
        said["events"].as_array().into_iter().flatten().filter_map(|event| event["type"].as_str()).collect();
    same("events", kinds, vec!["progress", "progress", "tool_call", "source"])
}

/// A program that cannot be mended is answered from all the same, and its failure is told.
async fn never_mended(ctx: &Ctx) -> Result<(), String> {
    let body =
        json!({"query": question(ctx, &[failing(), failing(), failing(), good(&outcome())]), "mode": "code"});
    let said = ask(ctx, "/api/v1/chat", &body).send().await?.json().await?;
    same("status", said["execution"]["status"].as_str(), Some("error"))?;
    same("repairs", said["repairs"].as_u64(), Some(2))?;
    same("runs", ctx.wall.runs(&ctx.tag).len(), 3)
}

async fn in_the_openai_dialect(ctx: &Ctx) -> Result<(), String> {
    let messages = json!([{"role": "user", "content": question(ctx, &[good(&outcome())])}]);
    let body = json!({"model": "opencode/code", "messages": messages, "stream": true});
    let chat = ask(ctx, "/v1/chat/completions", &body).send().await?.chat().await?;
    check(chat.complete() && chat.text.contains("héllo"), || format!("{chat:?}"))
}

/// With a checkpoint after each step, on any process.
async fn as_a_task(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"query": question(ctx, &[failing(), good(&outcome())]), "mode": "code"});
    let mut response = ask(ctx, "/api/v1/tasks", &body).send().await?;
    let begun = response.json().await?;
    same("status", response.status, 202)?;
    let id = begun["task_id"].as_str().ok_or("no task_id")?;
    let task = over(ctx, id).await?;
    same("task", task["status"].as_str(), Some("complete"))?;
    same("steps", task["steps_done"].as_u64(), Some(5))?;
    check(task["result"].as_str().is_some_and(|it| it.contains("héllo")), || task.to_string())?;
    same("artifact", task["made"]["artifacts"][0]["content"].as_str(), Some("eA=="))?;
    let events =
        ctx.get(&format!("/api/v1/tasks/{id}/events")).key(&ctx.keys.acme).send().await?.events().await?;
    let result = events.iter().find(|event| event.name == "result").ok_or("no result")?.json();
    same("repairs", result["repairs"].as_u64(), Some(1))
}

/// Nothing is asked where nothing could be run.
async fn without_a_sandbox(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"query": question(ctx, &[good(&outcome())]), "mode": "code"});
    for path in ["/api/v1/chat", "/api/v1/tasks"] {
        let request = ctx.post(path, &body).key(&ctx.keys.roomy);
        let response = request.header("x-opencode-targets", &ctx.model("blocks")).send().await?;
        same(path, response.status, 403)?;
    }
    same("calls", ctx.stats().calls(), 0)
}
