//! Which routes there are and who may use them.

use super::{Case, case};
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] = &[case!(root), case!(unknown), case!(no_key), case!(models)];

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
    same("models", names, vec!["auto", "opencode/chat", "opencode/thinking", "wall/ok", "wall2/ok"])
}
