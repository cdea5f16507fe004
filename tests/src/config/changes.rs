//! A configuration that is written while the platform runs.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{SEEN, seen, store};
use crate::client::Request;
use crate::hosts::ctx::{Ctx, check, same};

/// The bound without any configured one.
const DEFAULT: u64 = 4 * 1024 * 1024;

fn bounded(ctx: &Ctx, body_bytes: u64) -> String {
    format!("{}\n[limits]\nbody_bytes = {body_bytes}\n", ctx.config)
}

pub async fn a_bad_text_is_refused(ctx: &Ctx) -> Result<(), String> {
    let lines = ctx.config.lines().count();
    let cases = [
        (format!("{}\n[limits]\nbody_bites = 5\n", ctx.config), lines + 3, "body_bytes"),
        (ctx.config.replace("debug = true", "debug = \"sk-live\""), 1, "true or false"),
        (format!("{}\n[features\n", ctx.config), lines + 2, ""),
        (String::new(), 0, "empty"),
    ];
    for (text, line, says) in cases {
        let mut response = ctx.put("/api/v1/config", &text).key(&ctx.keys.operator).send().await?;
        same("status", response.status, 422)?;
        let json = response.json().await?;
        let detail = json["detail"].as_str().unwrap_or_default();
        let place = if line > 0 { format!("line {line}:") } else { String::new() };
        check(detail.contains(&place) && detail.contains(says), || format!("line {line}: {detail}"))?;
        check(!detail.contains("sk-live"), || format!("a value is repeated: {detail}"))?;
    }
    let none = ctx.get("/api/v1/config").key(&ctx.keys.operator).send().await?;
    same("nothing was stored", none.status, 404)?;
    let put = Request::new("PUT", format!("{}/api/v1/config", ctx.base_url));
    let put = put.key(&ctx.keys.operator).header("content-type", "application/json").body("{}");
    same("media type", put.send().await?.status, 415)
}

pub async fn nobody_locks_themselves_out(ctx: &Ctx) -> Result<(), String> {
    let texts = [
        ctx.config
            .replace("tenant = \"ops\"", "tenant = \"acme\"")
            .replace("id = \"k1\"\ntenant = \"acme\"", ""),
        "debug = true\n".to_owned(),
    ];
    for text in texts {
        let response = ctx.put("/api/v1/config", &text).key(&ctx.keys.operator).send().await?;
        check(matches!(response.status, 409 | 422), || format!("status {}", response.status))?;
    }
    same("still in", ctx.get("/api/v1/keys").key(&ctx.keys.operator).send().await?.status, 200)
}

pub async fn a_stored_change_is_seen(ctx: &Ctx) -> Result<(), String> {
    seen(ctx, DEFAULT).await?;
    let text = bounded(ctx, 10_240);
    store(ctx, &text).await?;
    seen(ctx, 10_240).await?;
    let body = json!({"query": "x".repeat(11_000)});
    let refused = ctx.post("/api/v1/chat", &body).key(&ctx.keys.acme).send().await?;
    same("a body over the new bound", refused.status, 413)?;
    let mut stored = ctx.get("/api/v1/config").key(&ctx.keys.operator).send().await?;
    same("what is stored", stored.text().await?, text)?;

    let page = "https://page.example";
    let opened = format!("{}\n[cors]\norigins = [\"{page}\"]\n", bounded(ctx, 12_288));
    store(ctx, &opened).await?;
    seen(ctx, 12_288).await?;
    let url = format!("{}/v1/chat/completions", ctx.base_url);
    let preflight = Request::new("OPTIONS", url).header("access-control-request-method", "POST");
    let named = preflight.clone().header("origin", page).send().await?;
    same("preflight", named.status, 204)?;
    same("origin", named.header("access-control-allow-origin"), Some(page))?;
    let other = preflight.header("origin", "https://other.example").send().await?;
    same("another origin", other.header("access-control-allow-origin"), None)?;
    let read = ctx.get("/v1/models").key(&ctx.keys.acme).header("origin", page).send().await?;
    same("reading", read.header("access-control-allow-origin"), Some(page))?;

    let removed = ctx.delete("/api/v1/config").key(&ctx.keys.operator).send().await?;
    same("removed", removed.status, 204)?;
    seen(ctx, DEFAULT).await
}

/// A cent a day cannot hold an answer that may cost more; two can, and the day that has begun has two from then on.
pub async fn a_budget_counts_in_its_day(ctx: &Ctx) -> Result<(), String> {
    let ask = |max_tokens: u64| {
        let mut body = ctx.body("ok", false);
        body["max_tokens"] = json!(max_tokens);
        ctx.post("/v1/chat/completions", &body).key(&ctx.keys.poor).header("cache-control", "no-cache")
    };
    same("its day begins", ask(4_000).send().await?.status, 200)?;
    same("over its budget", ask(6_000).send().await?.status, 429)?;
    let raised = ctx.config.replace("usd_per_day = 0.01", "usd_per_day = 0.02");
    store(ctx, &format!("{raised}\n[limits]\nbody_bytes = 14336\n")).await?;
    seen(ctx, 14_336).await?;
    same("under the raised one", ask(6_000).send().await?.status, 200)?;
    let removed = ctx.delete("/api/v1/config").key(&ctx.keys.operator).send().await?;
    same("removed", removed.status, 204)?;
    seen(ctx, DEFAULT).await?;
    same("over its budget again", ask(6_000).send().await?.status, 429)
}

/// A file beside the native host, a value of Workers KV, a record of the table that nobody checked: what is wrong with
/// it is reported, and what was in force stays so.
pub async fn own_text_is_read_again(ctx: &Ctx) -> Result<(), String> {
    ctx.write_settings(&bounded(ctx, 8_192)).await?;
    seen(ctx, 8_192).await?;
    let bad = bounded(ctx, 9_216).replace("body_bytes", "body_bites");
    ctx.write_settings(&bad).await?;
    let line = format!("line {}:", bad.lines().count());
    let start = Instant::now();
    loop {
        let mut response = ctx.get("/health/ready").send().await?;
        let ready = response.json().await?;
        same("ready", response.status, 200)?;
        let detail = ready["configuration"]["detail"].as_str().unwrap_or_default();
        if ready["configuration"]["ok"] == Value::Bool(false) && detail.contains(&line) {
            break;
        }
        check(start.elapsed() < SEEN, || format!("after 30 s: {}", ready["configuration"]))?;
        sleep(Duration::from_millis(250)).await;
    }
    seen(ctx, 8_192).await?;
    ctx.write_settings(&ctx.config).await?;
    seen(ctx, DEFAULT).await?;
    let ready = ctx.get("/health/ready").send().await?.json().await?;
    same("mended", &ready["configuration"], &json!({"ok": true}))
}
