//! Code that is run in a scripted sandbox: what it says reaches its caller, and nothing that cannot be true.

use serde_json::{Value, json};

use super::{Case, case};
use crate::client::Request;
use crate::hosts::ctx::{Ctx, check, same};
use crate::sse::Event;

pub(super) const CASES: &[Case] = &[
    case!(whole),
    case!(streamed),
    case!(hostile_bodies),
    case!(broken_streams),
    case!(lost),
    case!(refusals),
    case!(late),
    case!(tenants_bounds),
    case!(bad_requests),
    case!(sessions),
    case!(one_run_at_once),
];

/// What the scripted sandbox says.
pub(super) fn line(kind: &str, text: &str) -> String {
    json!({"type": kind, "text": text}).to_string()
}

pub(super) fn outcome() -> Value {
    json!({
        "version": 1,
        "status": "ok",
        "stdout": "",
        "stderr": "",
        "stdout_truncated": false,
        "stderr_truncated": false,
        "exit_code": 0,
        "signal": null,
        "duration_ms": 12.5,
        "cpu_time_ms": 9.0,
        "peak_memory_bytes": 1_000_000,
        "result": {"text": "[1, 2]", "json": [1, 2]},
        "artifacts": [{"name": "out/a.txt", "type": "text/plain", "bytes": 1, "content": "eA=="}],
        "skipped": [],
        "removed": [],
        "isolation": {
            "profile": "full", "seccomp": true, "landlock_abi": 6, "no_new_privs": true, "user_namespace": true,
            "pid_namespace": true, "network_namespace": true, "separate_user": false, "nondumpable": true,
            "warm": false, "recycled": false,
        },
    })
}

pub(super) fn last(outcome: &Value) -> String {
    json!({"type": "outcome", "outcome": outcome}).to_string()
}

/// Lines that make a good answer.
pub(super) fn good(outcome: &Value) -> Vec<String> {
    vec![
        line("started", ""),
        line("stdout", "hé"),
        line("stderr", "warn"),
        line("stdout", "llo\n"),
        last(outcome),
    ]
}

fn body(ctx: &Ctx, fault: &str, lines: &[String]) -> Value {
    json!({"language": "py", "code": format!("#{fault}~{}\n{}", ctx.tag, lines.join("\n"))})
}

fn run(ctx: &Ctx, body: &Value) -> Request {
    ctx.post("/api/v1/sandbox/execute", body).key(&ctx.keys.acme)
}

async fn whole(ctx: &Ctx) -> Result<(), String> {
    let mut asked = body(ctx, "say", &good(&outcome()));
    asked["files"] = json!([{"name": "in.txt", "content": "x"}]);
    asked["timeout"] = json!(4);
    let mut response = run(ctx, &asked).send().await?;
    let said = response.json().await?;
    same("status", response.status, 200)?;
    same("stdout", said["stdout"].as_str(), Some("hé".to_owned() + "llo\n").as_deref())?;
    same("stderr", said["stderr"].as_str(), Some("warn"))?;
    same("success", said["success"].as_bool(), Some(true))?;
    same("return_value", &said["return_value"], &json!([1, 2]))?;
    same("execution_time", said["execution_time"].as_f64(), Some(0.0125))?;
    same("error", &said["error"], &Value::Null)?;
    same("artifact", said["artifacts"][0]["content"].as_str(), Some("eA=="))?;
    same("isolation", said["isolation"]["profile"].as_str(), Some("full"))?;
    let runs = ctx.wall.runs(&ctx.tag);
    same("runs", runs.len(), 1)?;
    same("tenant", runs[0].tenant.as_deref(), Some("acme"))?;
    same("language", runs[0].execution["language"].as_str(), Some("python"))?;
    same("wall_ms", runs[0].execution["limits"]["wall_ms"].as_u64(), Some(4_000))?;
    same("output_bytes", runs[0].execution["limits"]["output_bytes"].as_u64(), Some(4_096))?;
    let trace = said["trace_id"].as_str().unwrap_or_default().to_owned();
    let receipts = ctx.receipts(&ctx.keys.acme).await?;
    let of_run: Vec<_> = receipts.iter().filter(|it| it["trace"] == trace.as_str()).collect();
    same("receipts", of_run.len(), 1)?;
    same("mode", of_run[0]["mode"].as_str(), Some("sandbox"))?;
    same("outcome", of_run[0]["outcome"].as_str(), Some("complete"))?;
    same("code", &of_run[0]["code"], &json!({"language": "python", "status": "ok"}))?;
    let (millis, micros) = (of_run[0]["total_ms"].as_u64(), of_run[0]["cost_micros"].as_u64());
    same("cost", micros, millis.map(|millis| millis * 10))
}

async fn streamed(ctx: &Ctx) -> Result<(), String> {
    let mut asked = body(ctx, "say", &good(&outcome()));
    let by_header = run(ctx, &asked).header("accept", "text/event-stream");
    asked["stream"] = json!(true);
    for request in [run(ctx, &asked), by_header] {
        let events = request.send().await?.events().await?;
        let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
        same("events", names, vec!["started", "stdout", "stderr", "stdout", "outcome"])?;
        same("text", events[1].json()["text"].as_str(), Some("hé"))?;
        same("success", events[4].json()["success"].as_bool(), Some(true))?;
    }
    let mut failed = outcome();
    failed["status"] = json!("error");
    failed["exit_code"] = json!(1);
    let mut asked =
        body(ctx, "say", &[line("stderr", "Traceback\nName"), line("stderr", "Error: x\n"), last(&failed)]);
    asked["stream"] = json!(true);
    let events = run(ctx, &asked).send().await?.events().await?;
    let told = events.last().map(Event::json).unwrap_or_default();
    same(
        "why it failed",
        (told["error"].as_str(), told["stderr"].as_str()),
        (Some("NameError: x"), Some("")),
    )?;
    Ok(())
}

/// Answers that the code may have written. None is believed; each names what is wrong with it.
async fn hostile_bodies(ctx: &Ctx) -> Result<(), String> {
    let with = |change: fn(&mut Value)| {
        let mut outcome = outcome();
        change(&mut outcome);
        vec![last(&outcome)]
    };
    let after = [good(&outcome()), vec![line("stdout", "more")]].concat();
    let cases: [(&str, Vec<String>); 15] = [
        ("version", with(|it| it["version"] = json!(2))),
        ("status", with(|it| it["status"] = json!("fine"))),
        ("exit_code", with(|it| it["exit_code"] = json!(1))),
        ("stderr", with(|it| it["stderr"] = json!("x".repeat(20_000)))),
        ("duration_ms", with(|it| it["duration_ms"] = json!(-1))),
        ("seccomp", with(|it| it["isolation"]["seccomp"] = json!("yes"))),
        ("artifacts.name", with(|it| it["artifacts"][0]["name"] = json!("../x"))),
        ("artifacts.content", with(|it| it["artifacts"][0]["content"] = json!("e"))),
        ("artifacts.bytes", with(|it| it["artifacts"][0]["bytes"] = json!(2))),
        ("artifacts", with(|it| it["artifacts"] = json!(vec![it["artifacts"][0].clone(); 65]))),
        ("removed", with(|it| it["removed"] = json!(["never-sent"]))),
        ("`stdout` is longer", vec![line("stdout", &"x".repeat(13_000))]),
        ("follows the outcome", after),
        ("not JSON", vec!["{".to_owned()]),
        ("without an outcome", vec![line("stdout", "x")]),
    ];
    for (says, lines) in cases {
        let mut response = run(ctx, &body(ctx, "say", &lines)).send().await?;
        let problem = response.json().await?;
        same(says, response.status, 502)?;
        check(problem["detail"].as_str().is_some_and(|it| it.contains(says)), || {
            format!("{says}: {problem}")
        })?;
    }
    // What nobody knows is not handed on.
    let odd = with(|it| {
        it["trace_id"] = json!("forged");
        it["isolation"]["more"] = json!(true);
    });
    let said = run(ctx, &body(ctx, "say", &odd)).send().await?.json().await?;
    let kept = said["trace_id"] != "forged" && said["isolation"].get("more").is_none();
    check(kept && said["success"] == true, || said.to_string())
}

/// A stream that breaks off says so, and is never taken for an end.
async fn broken_streams(ctx: &Ctx) -> Result<(), String> {
    for fault in ["reset", "drop", "eof", "torn", "flood"] {
        for (lines, before) in [(good(&outcome()), 4), (vec![line("started", ""), line("stdout", "x")], 2)] {
            let mut asked = body(ctx, fault, &lines);
            let mut response = run(ctx, &asked).send().await?;
            same(
                fault,
                (response.status, response.json().await?["code"].as_str()),
                (502, Some("upstream_error")),
            )?;
            asked["stream"] = json!(true);
            let events = run(ctx, &asked).send().await?.events().await?;
            let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
            check(names.len() <= before + 1 && names.last() == Some(&"error"), || {
                format!("{fault}: {names:?}")
            })?;
            check(!names.contains(&"outcome"), || format!("{fault}: {names:?}"))?;
        }
    }
    Ok(())
}

/// An environment that died is told as what came of the run.
async fn lost(ctx: &Ctx) -> Result<(), String> {
    let said = run(ctx, &body(ctx, "lost", &[line("stdout", "so far")])).send().await?.json().await?;
    same("status", said["status"].as_str(), Some("sandbox_lost"))?;
    same("success", said["success"].as_bool(), Some(false))?;
    same("stdout", said["stdout"].as_str(), Some("so far"))?;
    check(said["error"].as_str().is_some_and(|it| it.contains("Runtime.ExitError")), || said.to_string())
}

async fn refusals(ctx: &Ctx) -> Result<(), String> {
    for (fault, status) in [("429", 429), ("500", 502), ("413", 413), ("403", 503), ("404", 503)] {
        let mut response = run(ctx, &body(ctx, fault, &[])).send().await?;
        same(fault, response.status, status)?;
        same("retry-after", response.header("retry-after").is_some(), status == 429)?;
        let problem = response.json().await?;
        check(problem["detail"].as_str().is_some_and(|it| it.contains(fault)), || problem.to_string())?;
    }
    Ok(())
}

/// A sandbox that never ends is given up, and the run is charged for all that it may take.
async fn late(ctx: &Ctx) -> Result<(), String> {
    let mut asked = body(ctx, "hang", &[line("started", ""), line("stdout", "x")]);
    asked["timeout"] = json!(0.1);
    asked["stream"] = json!(true);
    let events = run(ctx, &asked).send().await?.events().await?;
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    same("events", names, vec!["started", "stdout", "error"])?;
    same("status", events[2].json()["status"].as_u64(), Some(504))?;
    let trace = events[0].json()["trace_id"].clone();
    let receipts = ctx.receipts(&ctx.keys.acme).await?;
    let receipt = receipts.iter().find(|it| it["trace"] == trace).ok_or("no receipt")?;
    same("outcome", receipt["outcome"].as_str(), Some("failed"))?;
    same("cost", receipt["cost_micros"].as_u64(), Some(101_000))
}

async fn tenants_bounds(ctx: &Ctx) -> Result<(), String> {
    let asked = body(ctx, "say", &good(&outcome()));
    let forbidden = ctx.post("/api/v1/sandbox/execute", &asked).key(&ctx.keys.roomy).send().await?;
    same("a tenant that may run no code", forbidden.status, 403)?;
    let mut long = asked.clone();
    long["limits"] = json!({"wall_ms": 3_000});
    let mut refused = ctx.post("/api/v1/sandbox/execute", &long).key(&ctx.keys.single).send().await?;
    same("more than its tenant may", refused.status, 422)?;
    same("param", refused.json().await?["param"].as_str(), Some("limits.wall_ms"))?;
    let mut response = ctx.post("/api/v1/sandbox/execute", &asked).key(&ctx.keys.single).send().await?;
    same("status", response.status, 200)?;
    response.json().await?;
    let runs = ctx.wall.runs(&ctx.tag);
    same("wall_ms", runs.last().and_then(|it| it.execution["limits"]["wall_ms"].as_u64()), Some(2_000))
}

async fn bad_requests(ctx: &Ctx) -> Result<(), String> {
    for (param, change) in [
        ("language", json!({"language": "cobol"})),
        ("code", json!({"code": " "})),
        ("timeout", json!({"timeout": 1_000})),
        ("limits.processes", json!({"limits": {"processes": 101}})),
        ("context", json!({"context": {"a": 1}})),
        ("files[0].name", json!({"files": [{"name": "/etc/x", "content": ""}]})),
        ("env", json!({"env": {"PATH": "/x"}})),
        ("session", json!({"session": "a/b"})),
        ("tiemout", json!({"tiemout": 1})),
    ] {
        let mut asked = body(ctx, "say", &good(&outcome()));
        for (name, value) in change.as_object().into_iter().flatten() {
            asked[name] = value.clone();
        }
        let mut response = run(ctx, &asked).send().await?;
        same(param, (response.status, response.json().await?["param"].as_str()), (422, Some(param)))?;
    }
    same("runs", ctx.wall.runs(&ctx.tag).len(), 0)
}

/// Files stay with their session, and with their tenant.
async fn sessions(ctx: &Ctx) -> Result<(), String> {
    let name = ctx.tag.clone();
    let session: String = name.chars().filter(char::is_ascii_alphanumeric).rev().take(60).collect();
    let leaves = |artifacts: Value, removed: Value| {
        let mut outcome = outcome();
        outcome["artifacts"] = artifacts;
        outcome["removed"] = removed;
        let mut asked = body(ctx, "say", &[line("stdout", "$FILES"), last(&outcome)]);
        asked["session"] = json!(session);
        asked
    };
    let file = |name: &str| json!({"name": name, "type": "text/plain", "bytes": 1, "content": "eA=="});
    let said = async |key: &str, asked: &Value| -> Result<Value, String> {
        let mut response = ctx.post("/api/v1/sandbox/execute", asked).key(key).send().await?;
        let said = response.json().await?;
        if response.status == 200 { Ok(said) } else { Err(said.to_string()) }
    };
    let acme = ctx.keys.acme.as_str();
    let first = said(acme, &leaves(json!([file("a"), file("b")]), json!([]))).await?;
    same("first", (first["stdout"].as_str(), &first["session"]["files"]), (Some(""), &json!(["a", "b"])))?;
    let second = said(acme, &leaves(json!([file("c")]), json!(["a"]))).await?;
    same(
        "second",
        (second["stdout"].as_str(), &second["session"]["files"]),
        (Some("a b"), &json!(["b", "c"])),
    )?;
    let sent =
        ctx.wall.runs(&ctx.tag).last().map(|run| run.execution["files"][0].clone()).unwrap_or_default();
    same(
        "what is sent",
        (sent["content"].as_str(), sent["encoding"].as_str()),
        (Some("eA=="), Some("base64")),
    )?;
    let other = said(&ctx.keys.globex, &leaves(json!([]), json!([]))).await?;
    same("another tenant's", other["stdout"].as_str(), Some(""))?;
    let path = format!("/api/v1/sandbox/sessions/{session}");
    same("the other's is forgotten", ctx.delete(&path).key(&ctx.keys.globex).send().await?.status, 204)?;
    let third = said(acme, &leaves(json!([]), json!([]))).await?;
    same("third", third["stdout"].as_str(), Some("b c"))?;
    same("forgotten", ctx.delete(&path).key(acme).send().await?.status, 204)?;
    let fourth = said(acme, &leaves(json!([]), json!([]))).await?;
    same("fourth", fourth["stdout"].as_str(), Some(""))
}

/// A tenant's runs have places of their own, and a session has one.
async fn one_run_at_once(ctx: &Ctx) -> Result<(), String> {
    let mut asked = body(ctx, "hang", &[line("started", "")]);
    asked["stream"] = json!(true);
    asked["session"] = json!("one");
    asked["timeout"] = json!(0.1);
    let post = |key: &str| ctx.post("/api/v1/sandbox/execute", &asked).key(key);
    let mut running = post(&ctx.keys.single).send().await?;
    let first: Option<Event> = running.event().await?;
    same("running", first.map(|event| event.name), Some("started".to_owned()))?;
    let short = post(&ctx.keys.single).send().await?;
    same("a second run", (short.status, short.header("retry-after").is_some()), (429, true))?;
    let mut other = post(&ctx.keys.globex).send().await?;
    other.event().await?;
    let locked = post(&ctx.keys.globex).send().await?;
    same("a second run of the session", locked.status, 409)?;
    let events = running.events().await?;
    same("ended", events.last().map(|event| event.name.as_str()), Some("error"))?;
    other.events().await?;
    let again = post(&ctx.keys.single).send().await?;
    same("the place is free again", again.status, 200)
}
