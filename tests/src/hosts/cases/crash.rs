//! Processes that are killed, and what is there when others take over.

use serde_json::json;

use super::{Case, case};
use crate::hosts::ctx::{Ctx, check, same};
use crate::sse::{Chat, Event};

pub(super) const CASES: &[Case] =
    &[case!(restart).exclusive(), case!(owner_of_a_resumable_stream).exclusive().native()];

/// What was settled outlives the process; fresh ones answer at the same address.
async fn restart(ctx: &Ctx) -> Result<(), String> {
    let chat = ctx.stream("ok").send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    let receipt = ctx.receipt().await?;
    ctx.kill_and_restart().await?;
    same("receipt", ctx.receipt().await?, receipt)?;
    let after = ctx.part("after");
    let chat = after.stream("ok").send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    same("outcome", after.receipt().await?["outcome"].as_str(), Some("complete"))
}

/// Whoever takes the stream up gets what was kept of it, then an error within the bound that its owner had: no silence,
/// no end that looks complete, no second call.
async fn owner_of_a_resumable_stream(ctx: &Ctx) -> Result<(), String> {
    let mut body = ctx.body("ok-slow:100:100", true);
    body["resumable"] = json!(true);
    let request = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme);
    let mut response = request.send().await?;
    let id = response.header("x-opencode-stream").map(str::to_owned).ok_or("no stream's id")?;
    let mut seen: Vec<Event> = Vec::new();
    // More than two segments.
    while seen.len() < 30 {
        seen.push(response.event().await?.ok_or("the stream ended too soon")?);
    }
    ctx.kill_and_restart().await?;
    let follow = ctx.get(&format!("/v1/streams/{id}")).key(&ctx.keys.acme);
    let kept = follow.send().await?.events().await?;
    let Some((last, kept)) = kept.split_last() else { return Err("nothing was said".to_owned()) };
    check(last.json()["error"].is_object(), || format!("{last:?}"))?;
    check(kept.len() >= 10 && kept.len() <= seen.len() && *kept == seen[..kept.len()], || {
        format!("{kept:?}")
    })?;
    let chat = Chat::read(&[kept, std::slice::from_ref(last)].concat());
    check(chat.broken(), || format!("{chat:?}"))?;
    same("calls", ctx.quiet().await?.calls(), 1)
}
