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
    case!(after_done),
    case!(nothing_is_stored_after_the_last_bytes),
    case!(between_stages),
    case!(before_a_whole_answer),
    case!(while_following_a_task),
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

/// Where the host learns of it the upstream is cancelled and the receipt says `left`; behind Lambda's Runtime API nobody can know.
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
    let complete = receipt["outcome"] == "complete";
    check(left || (may_be_complete && complete), || receipt.to_string())
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
    // Not later than the last bytes: one look, without waiting.
    stored(ctx).await?;
    response.reset();
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}

/// The same for an answer that is not streamed, and for one that breaks.
async fn nothing_is_stored_after_the_last_bytes(ctx: &Ctx) -> Result<(), String> {
    let whole = ctx.part("whole");
    whole.ask("ok").send().await?.text().await?;
    stored(&whole).await?;
    let broken = ctx.part("broken");
    let mut response = broken.stream("cut:3").send().await?;
    while let Some(event) = response.event().await? {
        if !event.json()["error"].is_null() {
            break;
        }
    }
    stored(&broken).await
}

async fn stored(ctx: &Ctx) -> Result<(), String> {
    let all = ctx.receipts(&ctx.keys.acme).await?;
    let mine = all.iter().filter(|receipt| receipt.to_string().contains(&format!("~{}\"", ctx.tag)));
    same("receipts with the last bytes", mine.count(), 1)
}

/// A caller who leaves while a hidden stage is under way.
async fn between_stages(ctx: &Ctx) -> Result<(), String> {
    let body = serde_json::json!({"query": "why?", "mode": "thinking"});
    let request = ctx.post("/api/v1/chat/stream", &body).key(&ctx.keys.acme);
    let mut response = request.header("x-opencode-targets", &ctx.model("ok-slow:100:8")).send().await?;
    while let Some(event) = response.event().await? {
        if event.json()["step"] == "critique" {
            break;
        }
    }
    response.reset();
    let receipt = ctx.receipt().await?;
    same(
        "outcome",
        receipt["outcome"].as_str(),
        Some(if ctx.kind().notices_leaving() { "left" } else { "complete" }),
    )
}

/// A caller who leaves before an answer that is not streamed: a host that only learns of it by writing finishes it.
async fn before_a_whole_answer(ctx: &Ctx) -> Result<(), String> {
    let conn = ctx.ask("slow-first:1000").start().await?;
    arrived(ctx).await?;
    conn.reset();
    let receipt = ctx.receipt().await?;
    let native = ctx.kind() == crate::hosts::platform::Kind::Native;
    let outcome = receipt["outcome"].as_str().unwrap_or_default();
    check(outcome == "left" || (!native && outcome == "complete"), || receipt.to_string())
}

/// Whoever follows a task may leave; the task goes on.
async fn while_following_a_task(ctx: &Ctx) -> Result<(), String> {
    let body = serde_json::json!({"query": "why?", "mode": "thinking"});
    let request = ctx.post("/api/v1/tasks", &body).key(&ctx.keys.acme);
    let task = request.header("x-opencode-targets", &ctx.model("ok")).send().await?.json().await?;
    let path = format!("/api/v1/tasks/{}", task["task_id"].as_str().ok_or(task.to_string())?);
    let mut events = ctx.get(&format!("{path}/events")).key(&ctx.keys.acme).send().await?;
    events.event().await?;
    events.reset();
    let mut again = ctx.get(&format!("{path}/events")).key(&ctx.keys.acme).send().await?;
    let last = again.events().await?.pop().map(|event| event.name);
    same("last event", last.as_deref(), Some("end"))?;
    same("calls", ctx.stats().calls(), 5)
}

async fn stays(ctx: &Ctx) -> Result<(), String> {
    let chat = ctx.stream("ok-slow:20:20").send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}
