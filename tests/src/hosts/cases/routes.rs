//! Which routes there are and who may use them.

use super::{Case, case};
use crate::client::Request;
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] = &[
    case!(root),
    case!(unknown),
    case!(no_key),
    case!(models),
    case!(planned_routes_are_there),
    case!(a_trace_is_continued),
    case!(other_origins_are_shut_out),
];

async fn root(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.get("/").send().await?;
    same("status", response.status, 200)?;
    check(response.json().await?.is_object(), || "not a JSON object".to_owned())
}

/// Problem details under `/api`, OpenAI's error under `/v1`.
async fn unknown(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.get("/api/v1/nothing-here").key(&ctx.keys.acme).send().await?;
    same("status", response.status, 404)?;
    let kind = response.header("content-type").unwrap_or_default().to_owned();
    check(kind.starts_with("application/problem+json"), || format!("content-type {kind}"))?;
    same("status member", response.json().await?["status"].as_u64(), Some(404))?;

    let mut response = ctx.get("/v1/nothing-here").key(&ctx.keys.acme).send().await?;
    same("status", response.status, 404)?;
    let json = response.json().await?;
    check(json["error"]["message"].is_string(), || format!("no error envelope: {json}"))
}

async fn no_key(ctx: &Ctx) -> Result<(), String> {
    let wrong = ctx.keys.acme.replace('0', "1");
    let body = ctx.body("ok", false);
    let requests = [
        ctx.post("/v1/chat/completions", &body),
        ctx.post("/v1/chat/completions", &body).key(&wrong),
        ctx.get("/api/v1/receipts"),
        ctx.get("/v1/models"),
    ];
    for request in requests {
        let response = request.send().await?;
        same("status", response.status, 401)?;
        check(response.header("www-authenticate").is_some(), || "no WWW-Authenticate".to_owned())?;
    }
    same("calls", ctx.stats().calls(), 0)
}

async fn models(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.get("/v1/models").key(&ctx.keys.acme).send().await?;
    same("status", response.status, 200)?;
    let json = response.json().await?;
    let names: Vec<&str> =
        json["data"].as_array().into_iter().flatten().filter_map(|it| it["id"].as_str()).collect();
    same(
        "models",
        names,
        vec![
            "auto",
            "opencode/chat",
            "opencode/thinking",
            "opencode/code",
            "wall/ok",
            "wall2/ok",
            "wall-responses/ok",
            "wall-anthropic/ok",
            "wall-gemini/ok",
        ],
    )?;
    for path in ["/v1/models/wall/ok", "/v1/models/wall%2Fok"] {
        let json = ctx.get(path).key(&ctx.keys.acme).send().await?.json().await?;
        same("model", json["id"].as_str(), Some("wall/ok"))?;
    }
    same("status", ctx.get("/v1/models/nobody/x").key(&ctx.keys.acme).send().await?.status, 404)
}

/// What is not built yet stands in the description, wants a key, and says so.
async fn planned_routes_are_there(ctx: &Ctx) -> Result<(), String> {
    let document = ctx.get("/openapi.json").send().await?.json().await?;
    same("version", document["openapi"].as_str(), Some("3.1.0"))?;
    check(document["x-max-body-bytes"].as_u64() == Some(4 * 1024 * 1024), || "no bound".to_owned())?;
    let mut planned = 0;
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            if operation["x-status"] != "planned" {
                continue;
            }
            planned += 1;
            let method = if method == "get" { "GET" } else { "POST" };
            let url = format!("{}{}", ctx.base_url, path.replace('{', "a").replace('}', "z"));
            let request = Request::new(method, url);
            same(path, request.send().await?.status, 401)?;
            let mut response = request.key(&ctx.keys.operator).send().await?;
            same(path, response.status, 501)?;
            same(path, response.header("content-type"), Some("application/problem+json"))?;
            same(path, response.json().await?["code"].as_str(), Some("not_implemented"))?;
        }
    }
    check(planned >= 9, || format!("only {planned} planned routes"))
}

/// One trace id in the response, its errors, the receipt and the provider's request.
async fn a_trace_is_continued(ctx: &Ctx) -> Result<(), String> {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{id}-00f067aa0ba902b7-01");
    let mut response = ctx.ask("ok").header("traceparent", &parent).send().await?;
    same("trace", response.header("x-opencode-trace"), Some(id))?;
    let ours = response.header("traceparent").unwrap_or_default().to_owned();
    check(ours.starts_with(&format!("00-{id}-")) && ours != parent, || ours.clone())?;
    response.text().await?;
    let call = ctx.quiet().await?.list.into_iter().next().ok_or("no call")?;
    let theirs = call.traceparent.unwrap_or_default();
    check(theirs.starts_with(&format!("00-{id}-")) && theirs != parent, || theirs.clone())?;
    same("receipt", ctx.receipt().await?["trace"].as_str(), Some(id))?;
    for (path, member) in [("/v1/none", "/error/trace_id"), ("/api/none", "/trace_id")] {
        let mut response = ctx.get(path).send().await?;
        let trace = response.header("x-opencode-trace").unwrap_or_default().to_owned();
        check(trace.len() == 32, || format!("trace {trace:?}"))?;
        let json = response.json().await?;
        same("trace", json.pointer(member).and_then(|it| it.as_str()), Some(trace.as_str()))?;
    }
    Ok(())
}

/// Unless the configuration names it, no web page may read anything.
async fn other_origins_are_shut_out(ctx: &Ctx) -> Result<(), String> {
    let page = ("origin", "https://page.example");
    let asked = ctx.get("/v1/models").key(&ctx.keys.acme).header(page.0, page.1).send().await?;
    same("status", asked.status, 200)?;
    let preflight = Request::new("OPTIONS", format!("{}/v1/chat/completions", ctx.base_url));
    let preflight = preflight.header(page.0, page.1).header("access-control-request-method", "POST");
    let before = preflight.send().await?;
    check(before.status >= 400, || format!("status {}", before.status))?;
    for response in [asked, before] {
        let opened = response.headers().iter().find(|(name, _)| name.starts_with("access-control-"));
        check(opened.is_none(), || format!("{opened:?}"))?;
    }
    Ok(())
}
