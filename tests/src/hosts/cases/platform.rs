//! The platform's own routes: chat, thinking, health.

use serde_json::{Value, json};

use super::{Case, case};
use crate::client::Request;
use crate::hosts::ctx::{Ctx, check, same};
use crate::sse::Event;

pub(super) const CASES: &[Case] = &[
    case!(health),
    case!(ready),
    case!(chat_whole),
    case!(chat_streamed),
    case!(chat_breaks),
    case!(chat_fails_before_it_begins),
    case!(thinking_streams_its_last_ask),
    case!(thinking_in_the_openai_dialect),
    case!(bad_input),
    case!(too_large),
];

/// A request to a platform route whose targets are these faults.
fn asks(ctx: &Ctx, path: &str, body: &Value, faults: &[&str]) -> Request {
    ctx.post(path, body).key(&ctx.keys.acme).header("x-opencode-targets", &ctx.targets(faults))
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

async fn health(ctx: &Ctx) -> Result<(), String> {
    let json = ctx.get("/health").send().await?.json().await?;
    same("health", json["status"].as_str(), Some("healthy"))?;
    let json = ctx.get("/api/status").send().await?.json().await?;
    same("engine", json["engine_ready"].as_bool(), Some(true))
}

async fn ready(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.get("/health/ready").send().await?;
    let json = response.json().await?;
    same("status", response.status, 200)?;
    for part in ["records", "counters", "logs", "blobs", "queue", "targets"] {
        check(json["checks"][part]["ok"] == true, || format!("{part}: {json}"))?;
    }
    Ok(())
}

async fn chat_whole(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"query": "hello", "mode": "chat", "metadata": {"a": 1}});
    let mut response = asks(ctx, "/api/v1/chat", &body, &["s500", "ok"]).send().await?;
    let json = response.json().await?;
    same("status", response.status, 200)?;
    same("result", json["result"].as_str(), Some("tok0 tok1 tok2 tok3 tok4 tok5 tok6 tok7"))?;
    same("mode", json["mode"].as_str(), Some("chat"))?;
    same("trace", json["trace_id"].as_str(), response.header("x-opencode-trace"))?;
    check(json["tokens_used"].as_u64() > Some(8), || json.to_string())?;
    same("target", response.header("x-opencode-target"), Some(ctx.model("ok").as_str()))?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}

async fn chat_streamed(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"query": "hello"});
    let events = asks(ctx, "/api/v1/chat/stream", &body, &["ok"]).send().await?.events().await?;
    let mut expected = vec!["start"];
    expected.extend(["token"; 8]);
    expected.extend(["result", "end"]);
    same("events", names(&events), expected)?;
    let text: String = events.iter().filter_map(|it| it.json()["text"].as_str().map(str::to_owned)).collect();
    same("result", events[9].json()["response"].as_str(), Some(text.as_str()))?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}

/// The tokens that came, then `error`, and nothing after it.
async fn chat_breaks(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"query": "hello"});
    let events = asks(ctx, "/api/v1/chat/stream", &body, &["cut:2", "ok"]).send().await?.events().await?;
    same("events", names(&events), vec!["start", "token", "token", "error"])?;
    same("status", events[3].json()["status"].as_u64(), Some(502))?;
    same("calls", ctx.quiet().await?.calls(), 1)?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("failed"))
}

/// A failure is never a 200.
async fn chat_fails_before_it_begins(ctx: &Ctx) -> Result<(), String> {
    for (path, faults) in [("/api/v1/chat", "s500"), ("/api/v1/chat/stream", "s503")] {
        let mut response = asks(ctx, path, &json!({"query": "hello"}), &[faults]).send().await?;
        same("status", response.status, 502)?;
        same("type", response.header("content-type"), Some("application/problem+json"))?;
        same("code", response.json().await?["code"].as_str(), Some("upstream_error"))?;
    }
    let refused = ctx.part("refused");
    let mut response = refused.ask("s400").send().await?;
    same("status", response.status, 400)?;
    check(response.json().await?["error"].is_object(), || "not the provider's refusal".to_owned())?;
    same("calls", refused.stats().calls(), 1)
}

async fn thinking_streams_its_last_ask(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"query": "why?", "mode": "thinking"});
    let events = asks(ctx, "/api/v1/chat/stream", &body, &["ok"]).send().await?.events().await?;
    let steps: Vec<String> = events
        .iter()
        .filter(|event| event.name == "progress" && event.json()["status"] == "end")
        .map(|event| event.json()["step"].as_str().unwrap_or_default().to_owned())
        .collect();
    same("steps", steps, ["decompose", "critique", "reason", "reflect"].map(str::to_owned).to_vec())?;
    let tail: Vec<&str> = names(&events).split_off(9);
    let mut expected = vec!["token"; 8];
    expected.extend(["result", "end"]);
    same("tail", tail, expected)?;
    same("calls", ctx.stats().calls(), 5)?;
    let receipt = ctx.receipt().await?;
    same("mode", receipt["mode"].as_str(), Some("thinking"))?;
    same("attempts", receipt["attempts"].as_array().map(Vec::len), Some(5))
}

async fn thinking_in_the_openai_dialect(ctx: &Ctx) -> Result<(), String> {
    let mut body = ctx.body("stage", true);
    body["model"] = json!("opencode/thinking");
    let streamed = asks(ctx, "/v1/chat/completions", &body, &["stage"]).send().await?.chat().await?;
    check(streamed.complete(), || format!("{streamed:?}"))?;
    body["stream"] = json!(false);
    let whole = asks(ctx, "/v1/chat/completions", &body, &["stage"]).send().await?.json().await?;
    same("model", whole["model"].as_str(), Some("opencode/thinking"))?;
    same("content", whole["choices"][0]["message"]["content"].as_str(), Some(streamed.text.as_str()))?;
    same("calls", ctx.stats().calls(), 10)
}

/// Each says what is wrong and where, and asks nobody.
async fn bad_input(ctx: &Ctx) -> Result<(), String> {
    let json = "application/json";
    let cases = [
        ("/api/v1/chat", json, "{", 400, ""),
        ("/api/v1/chat", json, "[]", 400, ""),
        ("/api/v1/chat", json, "{}", 422, "query"),
        ("/api/v1/chat", json, r#"{"query":"a","temperature":3}"#, 422, "temperature"),
        ("/api/v1/chat", json, r#"{"query":"a","mode":"research"}"#, 501, "mode"),
        ("/api/v1/chat", "text/plain", "{}", 415, "content-type"),
        ("/api/v1/tasks", json, r#"{"query":"a","model":"nobody/x"}"#, 404, "model"),
        ("/v1/chat/completions", json, "\"x\"", 400, ""),
        ("/v1/chat/completions", json, r#"{"messages":[]}"#, 400, "model"),
        ("/v1/chat/completions", json, r#"{"model":"wall/ok","messages":[]}"#, 400, "messages"),
        ("/v1/chat/completions", json, r#"{"model":"wall/ok","messages":7}"#, 400, "messages"),
        ("/v1/chat/completions", json, r#"{"model":"nobody/x","messages":[{"role":"user"}]}"#, 404, "model"),
        (
            "/v1/chat/completions",
            json,
            r#"{"model":"a","stream":1,"messages":[{"role":"user"}]}"#,
            400,
            "stream",
        ),
    ];
    for (path, kind, body, status, param) in cases {
        let request = Request::new("POST", format!("{}{path}", ctx.base_url));
        let request = request.key(&ctx.keys.acme).header("content-type", kind).body(body);
        let mut response = request.send().await?;
        let answer = response.json().await?;
        same(body, response.status, status)?;
        let (at, detail) = if path.starts_with("/v1") {
            (&answer["error"]["param"], &answer["error"]["message"])
        } else {
            (&answer["param"], &answer["detail"])
        };
        same(body, at.as_str().unwrap_or_default(), param)?;
        check(detail.as_str().is_some_and(|detail| detail.len() > 10), || format!("{body}: {answer}"))?;
    }
    let mut response = Request::new("PUT", format!("{}/api/v1/chat", ctx.base_url)).send().await?;
    same("status", response.status, 405)?;
    same("allow", response.header("allow"), Some("POST"))?;
    same("status member", response.json().await?["status"].as_u64(), Some(405))
}

/// A body over the bound is refused in its surface's shape.
async fn too_large(ctx: &Ctx) -> Result<(), String> {
    let content = "x".repeat(4 * 1024 * 1024 + 1);
    let body = json!({"model": ctx.model("ok"), "messages": [{"role": "user", "content": content}]});
    let mut response = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme).send().await?;
    same("status", response.status, 413)?;
    same("code", response.json().await?["error"]["code"].as_str(), Some("request_too_large"))?;
    same("calls", ctx.stats().calls(), 0)
}
