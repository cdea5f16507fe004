//! Before the first content another target may answer, and nobody notices.

use super::{Case, case};
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] = &[
    case!(status_500),
    case!(hang),
    case!(head_hang),
    case!(error_first),
    case!(reset),
    case!(all_fail),
    case!(who_answered),
    case!(hedge),
    case!(a_hedge_that_refuses_harms_nobody),
];

async fn status_500(ctx: &Ctx) -> Result<(), String> {
    over(ctx, "s500").await
}

async fn hang(ctx: &Ctx) -> Result<(), String> {
    over(ctx, "hang").await
}

async fn head_hang(ctx: &Ctx) -> Result<(), String> {
    over(ctx, "head-hang").await
}

async fn error_first(ctx: &Ctx) -> Result<(), String> {
    over(ctx, "error-first").await
}

async fn reset(ctx: &Ctx) -> Result<(), String> {
    over(ctx, "rst").await
}

/// The first target fails in some way, the second answers: one good stream, one receipt, nothing left upstream.
async fn over(ctx: &Ctx, fault: &str) -> Result<(), String> {
    let chat = ctx.over(&[fault, "ok"]).send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    let stats = ctx.quiet().await?;
    same("calls of the first", stats.asked(fault), 1)?;
    same("calls of the second", stats.asked("ok"), 1)?;
    let receipt = ctx.receipt().await?;
    same("outcome", receipt["outcome"].as_str(), Some("complete"))?;
    same("attempts", receipt["attempts"].as_array().map(Vec::len), Some(2))
}

/// `auto` means the configured targets in order; the response says who answered and what was tried.
async fn who_answered(ctx: &Ctx) -> Result<(), String> {
    let mut body = ctx.body("ok", false);
    body["model"] = serde_json::json!("auto");
    let response = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme).send().await?;
    same("target", response.header("x-opencode-target"), Some("wall/ok"))?;
    same("tried", response.header("x-opencode-tried"), Some("wall/ok=answered"))?;
    let request = ctx.ask("ok").header("x-opencode-targets", &ctx.targets(&["s500", "ok"]));
    let response = request.send().await?;
    let tried = format!("{}=failed, {}=answered", ctx.model("s500"), ctx.model("ok"));
    same("tried", response.header("x-opencode-tried"), Some(tried.as_str()))
}

/// When every target fails there is a status, because nothing was sent yet.
async fn all_fail(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.over(&["s500", "rst"]).send().await?;
    same("status", response.status, 502)?;
    let json = response.json().await?;
    check(json["error"]["message"].is_string(), || format!("no error envelope: {json}"))?;
    ctx.receipt().await.map(|_| ())
}

/// The second target does not take the request; the first goes on.
async fn a_hedge_that_refuses_harms_nobody(ctx: &Ctx) -> Result<(), String> {
    let request = ctx.over(&["slow-first:800", "s400"]).header("x-opencode-hedge-ms", "200");
    let chat = request.send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    same("calls", ctx.quiet().await?.calls(), 2)
}

/// The slow target is asked, then the second one; whoever loses is cancelled.
async fn hedge(ctx: &Ctx) -> Result<(), String> {
    let request = ctx.over(&["slow-first:1200", "ok"]).header("x-opencode-hedge-ms", "200");
    let chat = request.send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    let stats = ctx.quiet().await?;
    same("calls", stats.calls(), 2)?;
    same("cancelled", stats.cancelled(), 1)?;
    check(stats.waiting_max <= 2, || format!("{} waited for their heads at once", stats.waiting_max))?;
    same("completed", stats.completed(), 1)?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}
