//! Clients that leave, by FIN and by RST, at every point of an answer.

use std::time::Duration;

use super::{Case, case};
use crate::client::Request;
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] = &[
    case!(mid_stream_fin).bare(),
    case!(mid_stream_rst).bare(),
    case!(before_head_fin).bare(),
    case!(before_head_rst).bare(),
    case!(at_any_point).bare(),
    case!(after_done).bare(),
    case!(stays).bare(),
];

/// Forty tokens in two seconds: time to leave in the middle.
const SLOW: &str = "ok-slow:50:40";

async fn mid_stream_fin(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.stream(SLOW).send().await?;
    response.tokens(3).await?;
    response.fin().await;
    left(ctx).await
}

async fn mid_stream_rst(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.stream(SLOW).send().await?;
    response.tokens(3).await?;
    response.reset();
    left(ctx).await
}

/// Where the host learns of it the upstream is cancelled and the receipt says `left`; on Lambda nobody can know.
async fn left(ctx: &Ctx) -> Result<(), String> {
    let stats = ctx.quiet().await?;
    let notices = ctx.kind().notices_leaving();
    same("calls", stats.calls(), 1)?;
    same("cancelled", stats.cancelled(), usize::from(notices))?;
    let outcome = if notices { "left" } else { "complete" };
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some(outcome))
}

async fn before_head_fin(ctx: &Ctx) -> Result<(), String> {
    let request = ctx.over(&["hang", "ok"]);
    let conn = request.start().await?;
    arrived(ctx).await?;
    conn.fin().await;
    over_without_client(ctx).await
}

async fn before_head_rst(ctx: &Ctx) -> Result<(), String> {
    let request: Request = ctx.over(&["hang", "ok"]);
    let conn = request.start().await?;
    arrived(ctx).await?;
    conn.reset();
    over_without_client(ctx).await
}

async fn arrived(ctx: &Ctx) -> Result<(), String> {
    ctx.wall.until(&ctx.tag, |stats| stats.calls() == 1).await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(())
}

/// Not every host notices before it first writes; but nothing stays open, and there is one receipt.
async fn over_without_client(ctx: &Ctx) -> Result<(), String> {
    let receipt = ctx.receipt().await?;
    let stats = ctx.quiet().await?;
    check(stats.asked("hang") == 1 && stats.calls() <= 2, || format!("{stats:?}"))?;
    let left = receipt["outcome"] == "left";
    let may_be_complete = ctx.kind() != crate::hosts::platform::Kind::Native;
    check(left || may_be_complete, || receipt.to_string())
}

/// After each of the first tokens, by FIN and by RST: one receipt each, and it says `left` where the host can know.
async fn at_any_point(ctx: &Ctx) -> Result<(), String> {
    let parts = (0..12).map(|at| async move {
        let ctx = ctx.part(&at.to_string());
        let mut response = ctx.stream("ok-slow:100:30").send().await?;
        response.tokens(at / 2).await?;
        if at % 2 == 0 {
            response.fin().await
        } else {
            response.reset()
        }
        left(&ctx).await.map_err(|error| format!("after {} tokens: {error}", at / 2))
    });
    futures::future::try_join_all(parts).await.map(|_| ())
}

/// Official clients hang up on `[DONE]`: that is a complete answer.
async fn after_done(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.stream("ok").send().await?;
    while let Some(event) = response.event().await? {
        if event.data == "[DONE]" {
            break;
        }
    }
    response.reset();
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}

async fn stays(ctx: &Ctx) -> Result<(), String> {
    let chat = ctx.stream("ok-slow:20:20").send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}
