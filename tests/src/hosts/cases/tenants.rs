//! What one tenant cannot do to another, or to its own limits.

use serde_json::json;

use super::{Case, case};
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] = &[
    case!(a_cache_hit_asks_nobody),
    case!(store_rounds),
    case!(a_broken_answer_is_not_cached),
    case!(nothing_is_shared),
    case!(rates_and_concurrency),
    case!(a_budget_cannot_be_overspent),
];

async fn a_cache_hit_asks_nobody(ctx: &Ctx) -> Result<(), String> {
    for (part, stream) in [("whole", false), ("stream", true)] {
        let ctx = ctx.part(part);
        let request = ctx.post("/v1/chat/completions", &ctx.body("ok", stream)).key(&ctx.keys.acme);
        let mut first = request.send().await?;
        same("first", first.header("x-opencode-cache"), Some("miss"))?;
        let text = first.text().await?;
        let again = hit(&ctx, stream).await?;
        same("body", again, text)?;
        same("calls", ctx.stats().calls(), 1)?;
        let fresh = request.clone().header("cache-control", "no-cache").send().await?.text().await?;
        check(!fresh.is_empty() && ctx.stats().calls() == 2, || format!("{:?}", ctx.stats()))?;
    }
    Ok(())
}

/// The cache is eventual: a hit may be late.
async fn hit(ctx: &Ctx, stream: bool) -> Result<String, String> {
    for _ in 0..50 {
        let request = ctx.post("/v1/chat/completions", &ctx.body("ok", stream)).key(&ctx.keys.acme);
        let mut response = request.send().await?;
        if response.header("x-opencode-cache") == Some("hit") {
            same("rounds of a hit", response.header("x-opencode-store-rounds"), Some("1"))?;
            return response.text().await;
        }
        response.text().await?;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err("never a hit".to_owned())
}

/// Before an answer begins: one round for a hit, two for a miss. The first hold of an account or of a minute may
/// take one more where a window has to be rolled, so the best of three counts.
async fn store_rounds(ctx: &Ctx) -> Result<(), String> {
    // Without a limit there is nothing to hold.
    for (key, expected) in [(&ctx.keys.roomy, 2), (&ctx.keys.acme, 1)] {
        let mut least = u32::MAX;
        for part in ["a", "b", "c"] {
            let ctx = ctx.part(part);
            let request = ctx.post("/v1/chat/completions", &ctx.body("ok", true)).key(key);
            let mut response = request.send().await?;
            let rounds = response.header("x-opencode-store-rounds").and_then(|it| it.parse().ok());
            least = least.min(rounds.ok_or("no rounds")?);
            response.text().await?;
        }
        same("rounds of a miss", least, expected)?;
    }
    Ok(())
}

async fn a_broken_answer_is_not_cached(ctx: &Ctx) -> Result<(), String> {
    for _ in 0..2 {
        let chat = ctx.stream("cut:3").send().await?.chat().await?;
        check(chat.broken(), || format!("{chat:?}"))?;
    }
    same("calls", ctx.stats().calls(), 2)
}

/// The same request of another tenant is another answer; tasks and receipts are out of reach.
async fn nothing_is_shared(ctx: &Ctx) -> Result<(), String> {
    let body = ctx.body("ok", false);
    for key in [&ctx.keys.acme, &ctx.keys.globex] {
        let mut response = ctx.post("/v1/chat/completions", &body).key(key).send().await?;
        same("cache", response.header("x-opencode-cache"), Some("miss"))?;
        response.text().await?;
    }
    same("calls", ctx.stats().calls(), 2)?;
    let mine = ctx.receipts_of(&ctx.keys.acme, &ctx.tag, |list| !list.is_empty()).await?;
    let theirs = ctx.receipts_of(&ctx.keys.globex, &ctx.tag, |list| !list.is_empty()).await?;
    same("receipts", (mine.len(), theirs.len()), (1, 1))?;
    check(mine[0]["id"] != theirs[0]["id"], || format!("{mine:?}"))?;

    let letters = ctx.get("/api/v1/dead-letters").key(&ctx.keys.globex).send().await?.json().await?;
    same("dead letters of another tenant", letters["dead_letters"].as_array().map(Vec::len), Some(0))?;

    let task = json!({"query": "mine", "mode": "chat"});
    let request = ctx.post("/api/v1/tasks", &task).key(&ctx.keys.acme);
    let task = request.header("x-opencode-targets", &ctx.model("ok")).send().await?.json().await?;
    let path = format!("/api/v1/tasks/{}", task["task_id"].as_str().ok_or(task.to_string())?);
    for request in [ctx.get(&path), ctx.get(&format!("{path}/events")), ctx.delete(&path)] {
        same("status", request.key(&ctx.keys.globex).send().await?.status, 404)?;
    }
    same("status", ctx.get(&path).key(&ctx.keys.acme).send().await?.status, 200)
}

/// Three answers a minute, one at once. A minute may turn meanwhile, so up to six may pass, never seven.
async fn rates_and_concurrency(ctx: &Ctx) -> Result<(), String> {
    let ask = |fault: &str| ctx.post("/v1/chat/completions", &ctx.body(fault, true)).key(&ctx.keys.tight);
    let mut slow = ask("ok-slow:100:50").send().await?;
    same("slow", slow.status, 200)?;
    slow.tokens(1).await?;
    let mut second = ask("ok").send().await?;
    same("while one is under way", second.status, 429)?;
    check(second.header("retry-after").is_some(), || "no Retry-After".to_owned())?;
    second.text().await?;
    check(slow.chat().await?.done, || "the first was disturbed".to_owned())?;
    let mut passed = 1;
    for turn in 0..6 {
        let part = ctx.part(&turn.to_string());
        let request = ctx.post("/v1/chat/completions", &part.body("ok", false)).key(&ctx.keys.tight);
        let mut response = request.send().await?;
        let json = response.json().await?;
        if response.status == 429 {
            same("type", json["error"]["type"].as_str(), Some("rate_limit_error"))?;
            return check(passed >= 3, || format!("only {passed} passed"));
        }
        passed += 1;
    }
    Err(format!("{passed} passed"))
}

/// A cent a day, and an answer is held at 0.84 cents at most: while one is under way nobody else gets through, and
/// what it did not use is there for the next.
async fn a_budget_cannot_be_overspent(ctx: &Ctx) -> Result<(), String> {
    let ask = |fault: &str| {
        let mut body = ctx.body(fault, true);
        body["max_tokens"] = json!(4_000);
        ctx.post("/v1/chat/completions", &body).key(&ctx.keys.poor).header("cache-control", "no-cache")
    };
    let mut first = ask("ok-slow:100:70").send().await?;
    first.tokens(1).await?;
    let others = futures::future::join_all((0..9).map(|_| async move { Ok(ask("ok").send().await?.status) }));
    let statuses = others.await.into_iter().collect::<Result<Vec<_>, String>>()?;
    let refused = statuses.iter().filter(|status| **status == 429).count();
    let passed = statuses.iter().filter(|status| **status == 200).count();
    check(refused > 0 && refused + passed == 9, || format!("{statuses:?}"))?;
    check(first.chat().await?.done, || "the first was disturbed".to_owned())?;
    let mut next = ask("ok").send().await?;
    same("afterwards", next.status, 200)?;
    next.text().await?;
    // Where requests wait for a free process, a later one may begin when the first has ended, never before.
    same("answers at once", ctx.stats().open_max, 1)?;
    let receipts = ctx.receipts_of(&ctx.keys.poor, &ctx.tag, |list| list.len() >= passed + 2).await?;
    let spent: u64 = receipts.iter().filter_map(|receipt| receipt["cost_micros"].as_u64()).sum();
    check(receipts.len() == passed + 2 && spent > 0 && spent <= 10_000, || {
        format!("spent {spent}: {receipts:?}")
    })?;
    let mut body = ctx.body("ok", false);
    body["max_tokens"] = json!(6_000);
    let never = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.poor).send().await?;
    same("what a day cannot pay", never.status, 429)?;
    check(never.header("retry-after").is_none(), || "waiting cannot help".to_owned())
}
