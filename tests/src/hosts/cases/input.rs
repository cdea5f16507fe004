//! Input that no client should send: always a 4xx that says what to do, in the surface's shape, and then business as
//! usual.

use serde_json::{Value, json};

use super::{Case, case};
use crate::client::{Request, Response};
use crate::hosts::ctx::{Ctx, check, same};
use crate::hosts::platform::Kind;

pub(super) const CASES: &[Case] = &[
    case!(bytes_that_are_no_json),
    case!(types_that_are_wrong),
    case!(fifty_megabytes),
    case!(ten_thousand_headers),
    case!(embeddings_pass_through),
];

fn raw(ctx: &Ctx, path: &str, body: &[u8]) -> Request {
    let request = Request::new("POST", format!("{}{path}", ctx.base_url));
    request.key(&ctx.keys.acme).header("content-type", "application/json").body(body)
}

/// The status, in this surface's shape.
async fn refused(path: &str, response: &mut Response, what: &str) -> Result<u16, String> {
    let status = response.status;
    check((400..500).contains(&status), || format!("{what} at {path}: {status}"))?;
    let json = response.json().await.map_err(|error| format!("{what} at {path}: {error}"))?;
    let detail = if path.starts_with("/v1") { &json["error"]["message"] } else { &json["detail"] };
    check(detail.as_str().is_some_and(|text| text.len() > 10), || format!("{what} at {path}: {json}"))?;
    Ok(status)
}

const PATHS: [&str; 6] = [
    "/v1/chat/completions",
    "/v1/embeddings",
    "/api/v1/chat",
    "/api/v1/chat/stream",
    "/api/v1/tasks",
    "/api/v1/auth/token",
];

async fn bytes_that_are_no_json(ctx: &Ctx) -> Result<(), String> {
    let deep = "[".repeat(10_000);
    let whole = ctx.body("ok", true).to_string();
    let bodies: [(&str, &[u8]); 6] = [
        ("a truncated body", &whole.as_bytes()[..whole.len() - 5]),
        (
            "bad UTF-8",
            b"{\"model\":\"wall/ok\",\"query\":\"\xff\xfe\",\"messages\":[{\"role\":\"\xc3\x28\"}]}",
        ),
        ("nothing but a nul", b"\0"),
        ("a deep nest", deep.as_bytes()),
        ("two values", b"{} {}"),
        ("a lone surrogate", br#"{"model":"\ud800","query":"\ud800"}"#),
    ];
    for path in PATHS {
        for (what, body) in bodies {
            // The emulator itself answers 500: it makes a text of the body, where AWS makes base64.
            if ctx.kind() == Kind::LambdaEmulator && std::str::from_utf8(body).is_err() {
                continue;
            }
            let status = refused(path, &mut raw(ctx, path, body).send().await?, what).await?;
            check(status == 400, || format!("{what} at {path}: {status}"))?;
        }
    }
    same("calls", ctx.stats().calls(), 0)
}

async fn types_that_are_wrong(ctx: &Ctx) -> Result<(), String> {
    let values = [json!(true), json!(-1.5), json!([1]), json!({"a": 1})];
    let message = json!([{"role": "user", "content": "hi"}]);
    let body = |name: &str, value: &Value| match name {
        "query" => json!({"query": value}),
        "mode" => json!({"query": "hi", "mode": value}),
        "model" => json!({"model": value, "messages": message, "input": "hi"}),
        _ => json!({"model": "wall/ok", "messages": value}),
    };
    let cases = [
        ("/v1/chat/completions", "model"),
        ("/v1/chat/completions", "messages"),
        ("/v1/embeddings", "model"),
        ("/api/v1/chat", "query"),
        ("/api/v1/chat", "mode"),
        ("/api/v1/tasks", "query"),
    ];
    for (path, name) in cases {
        for value in &values {
            let text = body(name, value).to_string();
            refused(path, &mut raw(ctx, path, text.as_bytes()).send().await?, &text).await?;
        }
    }
    let unknown = json!({"model": "nobody/nothing", "messages": message}).to_string();
    let status = raw(ctx, "/v1/chat/completions", unknown.as_bytes()).send().await?.status;
    check((400..500).contains(&status), || format!("an unknown model: {status}"))
}

/// The client may see its connection closed while it still writes; if it gets an answer, it is a 413.
async fn fifty_megabytes(ctx: &Ctx) -> Result<(), String> {
    // Lambda's own front refuses six, and its emulators take as much as they get.
    let megabytes = if matches!(ctx.kind(), Kind::LambdaEmulator | Kind::LambdaFrozen) { 5 } else { 50 };
    let content = "x".repeat(megabytes * 1024 * 1024);
    let body = json!({"model": ctx.model("ok"), "messages": [{"role": "user", "content": content}]});
    match raw(ctx, "/v1/chat/completions", body.to_string().as_bytes()).send().await {
        Ok(mut response) => {
            same("status", refused("/v1", &mut response, "a huge body").await?, 413)?;
        }
        Err(why) => check(why.contains("writing") || why.contains("closed"), || why.clone())?,
    }
    same("calls", ctx.stats().calls(), 0)?;
    same("and then", ctx.ask("ok").send().await?.status, 200)
}

/// Most servers refuse them before our code; nobody may hang, or answer as if nothing were wrong on their side.
async fn ten_thousand_headers(ctx: &Ctx) -> Result<(), String> {
    let mut request = ctx.ask("ok");
    for number in 0..10_000 {
        request = request.header(&format!("x-filler-{number}"), "value");
    }
    match request.send().await {
        Ok(response) => check(response.status < 500, || format!("status {}", response.status))?,
        // What the client says when it has waited for nothing.
        Err(why) => check(!why.contains("nothing for"), || why.clone())?,
    }
    same("and then", ctx.part("after").ask("ok").send().await?.status, 200)
}

/// Numbers, order and members of the provider's answer stay as they were, and the receipt counts its tokens.
async fn embeddings_pass_through(ctx: &Ctx) -> Result<(), String> {
    let model = ctx.model("embed");
    let body = json!({"model": model, "input": ["one two", "three"], "encoding_format": "float"});
    let mut response = ctx.post("/v1/embeddings", &body).key(&ctx.keys.acme).send().await?;
    let json = response.json().await?;
    same("status", response.status, 200)?;
    same("target", response.header("x-opencode-target"), Some(model.as_str()))?;
    check(json["data"][1]["embedding"].as_array().is_some_and(|it| it.len() == 4), || json.to_string())?;
    let call = ctx.quiet().await?.list.into_iter().next().ok_or("no call")?;
    let sent: Value = serde_json::from_str(&call.body).map_err(|error| error.to_string())?;
    same("model", sent["model"].as_str(), model.strip_prefix("wall/"))?;
    same("format", sent["encoding_format"].as_str(), Some("float"))?;
    let receipt = ctx.receipt().await?;
    same("mode", receipt["mode"].as_str(), Some("embeddings"))?;
    same("tokens", receipt["usage"]["input"].as_u64(), Some(3))?;
    same("cost", receipt["cost_micros"].as_u64(), Some(3))
}
