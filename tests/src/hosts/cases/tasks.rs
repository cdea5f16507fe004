//! Detached runs: through the queue, followed, cancelled, poisoned, and killed in the middle.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Case, case};
use crate::client::LIMIT;
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] = &[
    case!(a_task_is_followed_to_its_end),
    case!(a_cancelled_task_asks_no_more),
    case!(a_good_one_beside_a_poisoned_one),
    case!(a_task_waits_for_its_place),
    case!(a_run_larger_than_a_record),
    case!(killed_at_every_step).exclusive(),
];

/// The same question for every run, so that their answers can be compared.
const QUESTION: &str = "What is the smallest house that proves a plan?";

async fn begin(ctx: &Ctx, fault: &str) -> Result<String, String> {
    let body = json!({"query": QUESTION, "mode": "thinking"});
    let request = ctx.post("/api/v1/tasks", &body).key(&ctx.keys.acme);
    let mut response = request.header("x-opencode-targets", &ctx.model(fault)).send().await?;
    let json = response.json().await?;
    same("status", response.status, 202)?;
    same("task", json["status"].as_str(), Some("queued"))?;
    Ok(json["task_id"].as_str().ok_or("no task_id")?.to_owned())
}

async fn look(ctx: &Ctx, id: &str) -> Result<Value, String> {
    ctx.get(&format!("/api/v1/tasks/{id}")).key(&ctx.keys.acme).send().await?.json().await
}

/// Waits until a task is over, ticking where the host does not tick by itself.
pub(super) async fn over(ctx: &Ctx, id: &str) -> Result<Value, String> {
    let (start, mut ticked) = (Instant::now(), Instant::now());
    loop {
        let task = look(ctx, id).await?;
        if ["complete", "failed", "cancelled"].contains(&task["status"].as_str().unwrap_or_default()) {
            return Ok(task);
        }
        if start.elapsed() > LIMIT * 2 {
            return Err(format!("the task is not over: {task}"));
        }
        if ticked.elapsed() > Duration::from_secs(1) {
            ctx.tick().await?;
            ticked = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A run's receipts as `(step, attempt, outcome)`.
async fn receipts(ctx: &Ctx, id: &str) -> Result<Vec<(u64, u64, String)>, String> {
    let all = ctx.receipts(&ctx.keys.acme).await?;
    let mine = all.iter().filter(|receipt| receipt["step"]["run"] == id);
    let mut rows: Vec<(u64, u64, String)> = mine
        .map(|receipt| {
            let step = &receipt["step"];
            let outcome = receipt["outcome"].as_str().unwrap_or_default().to_owned();
            (step["step"].as_u64().unwrap_or(99), step["attempt"].as_u64().unwrap_or(0), outcome)
        })
        .collect();
    rows.sort();
    Ok(rows)
}

async fn a_task_is_followed_to_its_end(ctx: &Ctx) -> Result<(), String> {
    let id = begin(ctx, "stage").await?;
    let path = format!("/api/v1/tasks/{id}/events");
    let mut events = ctx.get(&path).key(&ctx.keys.acme).send().await?.events().await?;
    let last = events.split_off(events.len().saturating_sub(2));
    let steps: Vec<String> =
        events.iter().map(|event| event.json()["step"].as_str().unwrap_or_default().to_owned()).collect();
    same("steps", steps.join(" "), "decompose critique reason reflect answer".to_owned())?;
    same("result", last[0].name.as_str(), "result")?;
    same("end", last[1].name.as_str(), "end")?;
    let task = look(ctx, &id).await?;
    same("result", last[0].json()["response"].as_str(), task["result"].as_str())?;
    same("calls", ctx.stats().calls(), 5)?;
    let resumed =
        ctx.get(&path).key(&ctx.keys.acme).header("last-event-id", "000003").send().await?.events().await?;
    same("events after the fourth", resumed.len(), 3)?;
    let expected: Vec<_> = (0..5).map(|step| (step, 1, "complete".to_owned())).collect();
    same("receipts", receipts(ctx, &id).await?, expected)
}

async fn a_cancelled_task_asks_no_more(ctx: &Ctx) -> Result<(), String> {
    let id = begin(ctx, "hold:2").await?;
    ctx.wall.until(&ctx.tag, |stats| stats.calls() == 2).await?;
    let path = format!("/api/v1/tasks/{id}");
    let mut response = ctx.delete(&path).key(&ctx.keys.acme).send().await?;
    same("status", response.status, 200)?;
    same("task", response.json().await?["status"].as_str(), Some("cancelled"))?;
    ctx.wall.release(&ctx.tag);
    ctx.quiet().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    same("calls", ctx.stats().calls(), 2)?;
    same("task", look(ctx, &id).await?["status"].as_str(), Some("cancelled"))?;
    let events = ctx.get(&format!("{path}/events")).key(&ctx.keys.acme).send().await?.events().await?;
    same("last event", events.last().map(|event| event.name.as_str()), Some("error"))?;
    let expected = vec![(0, 1, "complete".to_owned()), (1, 1, "complete".to_owned())];
    same("receipts", receipts(ctx, &id).await?, expected)
}

/// Four stages of 31 kB do not fit into a record of 100 kB: the run goes on from a blob.
async fn a_run_larger_than_a_record(ctx: &Ctx) -> Result<(), String> {
    let id = begin(ctx, "ok:4000").await?;
    let task = over(ctx, &id).await?;
    same("status", task["status"].as_str(), Some("complete"))?;
    check(task["result"].as_str().is_some_and(|text| text.ends_with("tok3999")), || {
        "another result".to_owned()
    })?;
    same("calls", ctx.stats().calls(), 5)
}

/// Waiting is no failure: however often the step is put off, it is done when the tenant has a place again.
async fn a_task_waits_for_its_place(ctx: &Ctx) -> Result<(), String> {
    let key = &ctx.keys.single;
    let slow = ctx.post("/v1/chat/completions", &ctx.body("ok-slow:100:70", true)).key(key);
    let mut slow = slow.send().await?;
    slow.tokens(1).await?;
    let task = ctx.part("task");
    let request = ctx.post("/api/v1/tasks", &json!({"query": QUESTION, "mode": "chat"})).key(key);
    let json = request.header("x-opencode-targets", &task.model("ok")).send().await?.json().await?;
    let path = format!("/api/v1/tasks/{}", json["task_id"].as_str().ok_or(json.to_string())?);
    slow.tokens(60).await?;
    same("calls while the place is taken", task.stats().calls(), 0)?;
    check(slow.chat().await?.done, || "the stream was disturbed".to_owned())?;
    let start = Instant::now();
    loop {
        let json = ctx.get(&path).key(key).send().await?.json().await?;
        if json["status"] == "complete" {
            return same("calls", task.stats().calls(), 1);
        }
        check(start.elapsed() < LIMIT, || format!("it is not done: {json}"))?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The good one is done once. The poisoned one is tried again with delay, then dead, and says so.
async fn a_good_one_beside_a_poisoned_one(ctx: &Ctx) -> Result<(), String> {
    let (good, bad) = (ctx.part("good"), ctx.part("bad"));
    let (good_id, bad_id) = futures::future::join(begin(&good, "stage"), begin(&bad, "s500")).await;
    let (good_id, bad_id) = (good_id?, bad_id?);
    same("good", over(ctx, &good_id).await?["status"].as_str(), Some("complete"))?;
    let task = over(ctx, &bad_id).await?;
    same("bad", task["status"].as_str(), Some("failed"))?;
    check(task["error"].as_str().is_some_and(|error| error.contains("500")), || task.to_string())?;
    same("good calls", good.stats().calls(), 5)?;
    same("bad calls", bad.stats().calls(), 4)?;
    let mut response = ctx.get("/api/v1/dead-letters?limit=500").key(&ctx.keys.acme).send().await?;
    let letters = response.json().await?["dead_letters"].as_array().cloned().unwrap_or_default();
    let mine: Vec<&Value> = letters.iter().filter(|letter| letter.to_string().contains(&bad_id)).collect();
    same("dead letters", mine.len(), 1)?;
    same("attempts", mine[0]["attempts"].as_u64(), Some(4))?;
    one_batch(ctx, &good_id).await?;
    same("good calls", good.stats().calls(), 5)?;
    let start = Instant::now();
    while ctx.dead().await?.is_some_and(|dead| dead != 1) {
        check(start.elapsed() < LIMIT, || {
            "SQS has not moved the one message to its dead letters".to_owned()
        })?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// In one batch of SQS only the poisoned message is named as failed.
async fn one_batch(ctx: &Ctx, done: &str) -> Result<(), String> {
    let message = |id: &str, body: String| {
        let attributes = json!({"ApproximateReceiveCount": "1"});
        json!({"MessageId": id, "ReceiptHandle": id, "Body": body, "Attributes": attributes})
    };
    let wake = |topic: &str| {
        json!({"topic": topic, "tenant": "acme", "body": json!({"run": done}).to_string()}).to_string()
    };
    let batch = [
        message("good", wake("run.step")),
        message("unknown", wake("no.such.topic")),
        message("not ours", "{".to_owned()),
    ];
    let Some(answer) = ctx.batch(&batch).await? else { return Ok(()) };
    let failed = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
    let mut failed: Vec<&str> = failed.iter().filter_map(|it| it["itemIdentifier"].as_str()).collect();
    failed.sort_unstable();
    same("failed", failed, vec!["not ours", "unknown"])
}

/// A process is killed while it asks; another finishes the run. No finished step is asked again, the one that was
/// under way at most once more, the answer is the same, and the receipts say what happened. An answer that was being
/// streamed breaks off visibly, and the sweep writes its receipt.
async fn killed_at_every_step(ctx: &Ctx) -> Result<(), String> {
    let body = ctx.part("answer").body("ok-slow:200:200", true);
    let mut dying = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.roomy).send().await?;
    dying.tokens(1).await?;
    let trace = dying.header("x-opencode-trace").ok_or("no trace")?.to_owned();
    let whole = ctx.part("whole");
    let id = begin(&whole, "stage").await?;
    let expected = over(ctx, &id).await?["result"].clone();
    check(expected.is_string(), || expected.to_string())?;
    for step in 0..5u64 {
        let part = ctx.part(&format!("step-{step}"));
        let calls = usize::try_from(step).unwrap_or(0) + 1;
        let id = begin(&part, &format!("hold:{calls}")).await?;
        part.wall.until(&part.tag, |stats| stats.calls() == calls).await?;
        ctx.kill_and_restart().await?;
        part.wall.release(&part.tag);
        let task = over(ctx, &id).await?;
        same("status", task["status"].as_str(), Some("complete"))?;
        same("result", &task["result"], &expected)?;
        same("calls", part.stats().calls(), 6)?;
        let mut rows: Vec<_> =
            (0..5).map(|at| (at, 1 + u64::from(at == step), "complete".to_owned())).collect();
        rows.push((step, 1, "lost".to_owned()));
        rows.sort();
        settled(ctx, &id, rows).await?;
    }
    let broken = dying.text().await;
    check(!broken.is_ok_and(|text| text.contains("[DONE]")), || {
        "the broken stream looks complete".to_owned()
    })?;
    swept(ctx, &trace).await?;
    // By now the first answers of the suite are old enough to be counted.
    ctx.tick().await?;
    let start = Instant::now();
    loop {
        let json = ctx.get("/api/v1/usage").key(&ctx.keys.acme).send().await?.json().await?;
        if json["days"][0]["answers"].as_u64() > Some(0) && json["days"][0]["cost_micros"].as_u64() > Some(0)
        {
            return Ok(());
        }
        check(start.elapsed() < LIMIT, || format!("usage: {json}"))?;
        ctx.tick().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// An answer whose owner died has one receipt in the end, at the price that was held for it. (A tenant without any limit
/// holds nothing, so that nobody can know of such an answer.)
async fn swept(ctx: &Ctx, trace: &str) -> Result<(), String> {
    let start = Instant::now();
    loop {
        let all = ctx.receipts(&ctx.keys.roomy).await?;
        let mine: Vec<&Value> = all.iter().filter(|receipt| receipt["trace"] == trace).collect();
        if let [receipt] = mine.as_slice() {
            same("outcome", receipt["outcome"].as_str(), Some("lost"))?;
            return check(receipt["cost_micros"].as_u64() > Some(4_096), || receipt.to_string());
        }
        check(mine.is_empty() && start.elapsed() < LIMIT, || format!("receipts: {mine:?}"))?;
        ctx.tick().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A step that died gets its receipt from the next sweep, which may come after the run's end.
async fn settled(ctx: &Ctx, id: &str, expected: Vec<(u64, u64, String)>) -> Result<(), String> {
    let start = Instant::now();
    loop {
        let rows = receipts(ctx, id).await?;
        if rows == expected || start.elapsed() > LIMIT {
            return same("receipts", rows, expected);
        }
        ctx.tick().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
