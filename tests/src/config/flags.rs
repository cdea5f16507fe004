//! Every flag, for the deployment (seen by `acme`) and for a tenant over it (seen by `globex`), on and off.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{seen, store};
use crate::client::Request;
use crate::hosts::cases::{failing, printing};
use crate::hosts::ctx::{Ctx, same};

/// What a tenant sees of its flags.
#[derive(Debug, PartialEq)]
struct Sees {
    /// `cache`: the same question twice is asked once.
    replays: bool,
    /// `cache_ttl_seconds`: it is still so after a while.
    replays_later: bool,
    /// `resumable`: a stream can be taken up again.
    resumes: bool,
    /// `continuation`: one that breaks is continued.
    continues: bool,
    /// `thinking_chain` and `reflection_depth`: how often a thinking answer asks.
    asks: usize,
    /// `thinking_seconds`: the status of a thinking answer whose provider takes more than a second.
    slow_thinking: u16,
    /// `code_repairs`: how often a program that always fails is mended.
    repairs: u64,
    /// `code_runs`: the status of a request whose tool runs code.
    runs_code: u16,
    /// `metrics`: the status of the route.
    metrics: u16,
    /// `detailed_tracking`: whether they are broken down.
    detailed: bool,
}

/// Flags of the deployment and of `globex`, and what `acme` and `globex` then see.
fn states() -> [(&'static str, &'static str, Sees, Sees); 2] {
    [
        (
            "cache = false\nreflection_depth = 0\nmetrics = false\nresumable = true\ncode_repairs = 1\n",
            "cache = true\ncache_ttl_seconds = 1\nthinking_chain = false\nthinking_seconds = 1\nmetrics = true\n\
             detailed_tracking = true\nresumable = false\ncontinuation = true\ncode_repairs = 0\ncode_runs = 0\n",
            Sees {
                replays: false,
                replays_later: false,
                resumes: true,
                continues: false,
                asks: 4,
                slow_thinking: 200,
                repairs: 1,
                runs_code: 200,
                metrics: 404,
                detailed: false,
            },
            Sees {
                replays: true,
                replays_later: false,
                resumes: false,
                continues: true,
                asks: 1,
                slow_thinking: 504,
                repairs: 0,
                runs_code: 400,
                metrics: 200,
                detailed: true,
            },
        ),
        (
            "cache = true\ncache_ttl_seconds = 600\nthinking_chain = false\nthinking_seconds = 1\n\
             detailed_tracking = true\ncontinuation = true\ncode_runs = 0\n",
            "cache = false\nthinking_chain = true\nreflection_depth = 3\nthinking_seconds = 600\n\
             detailed_tracking = false\nresumable = true\ncontinuation = false\ncode_repairs = 3\ncode_runs = 1\n",
            Sees {
                replays: true,
                replays_later: true,
                resumes: false,
                continues: true,
                asks: 1,
                slow_thinking: 504,
                repairs: 2,
                runs_code: 400,
                metrics: 200,
                detailed: true,
            },
            Sees {
                replays: false,
                replays_later: false,
                resumes: true,
                continues: false,
                asks: 7,
                slow_thinking: 200,
                repairs: 3,
                runs_code: 200,
                metrics: 200,
                detailed: false,
            },
        ),
    ]
}

pub async fn each_changes_what_is_seen(ctx: &Ctx) -> Result<(), String> {
    for (number, (deployment, tenant, acme, globex)) in states().into_iter().enumerate() {
        let bytes = 10_240 + number as u64;
        store(ctx, &flagged(ctx, deployment, tenant, bytes)).await?;
        seen(ctx, bytes).await?;
        let (first, second) = (ctx.keys.acme.clone(), ctx.keys.globex.clone());
        same(deployment, sees(&ctx.part(&format!("acme-{number}")), &first).await?, acme)?;
        same(tenant, sees(&ctx.part(&format!("globex-{number}")), &second).await?, globex)?;
    }
    Ok(())
}

fn flagged(ctx: &Ctx, deployment: &str, tenant: &str, body_bytes: u64) -> String {
    let was = "cache = true\ncache_ttl_seconds = 60\n";
    let row = "[[tenants]]\nname = \"globex\"\n";
    let text =
        ctx.config.replace(was, deployment).replace(row, &format!("{row}[tenants.features]\n{tenant}"));
    format!("{text}\n[limits]\nbody_bytes = {body_bytes}\n")
}

async fn sees(ctx: &Ctx, key: &str) -> Result<Sees, String> {
    let replays = replays(ctx, key).await?;
    sleep(Duration::from_millis(1_300)).await;
    let replays_later = replays && cached(ctx, key).await?;
    let (resumes, continues) = (resumes(ctx, key).await?, continues(ctx, key).await?);
    let asked = ctx.part("asks");
    let thought = think(&asked, key, "stage").send().await?;
    same("thinking", thought.status, 200)?;
    let slow = ctx.part("slow");
    let slow_thinking = think(&slow, key, "ok-slow:1200:1").send().await?.status;
    let mut metrics = ctx.get("/api/v1/metrics").key(key).send().await?;
    let json = metrics.json().await?;
    Ok(Sees {
        replays,
        replays_later,
        resumes,
        continues,
        asks: asked.stats().calls(),
        slow_thinking,
        repairs: repairs(ctx, key).await?,
        runs_code: runs_code(ctx, key).await?,
        metrics: metrics.status,
        detailed: json["modes"].is_object() && json["keys"].is_object(),
    })
}

/// The cache is eventual: a hit may be late.
async fn replays(ctx: &Ctx, key: &str) -> Result<bool, String> {
    cached(ctx, key).await?;
    for _ in 0..3 {
        if cached(ctx, key).await? {
            return Ok(true);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(false)
}

async fn cached(ctx: &Ctx, key: &str) -> Result<bool, String> {
    let request = ctx.post("/v1/chat/completions", &ctx.body("ok", false)).key(key);
    let mut response = request.send().await?;
    response.text().await?;
    Ok(response.header("x-opencode-cache") == Some("hit"))
}

async fn resumes(ctx: &Ctx, key: &str) -> Result<bool, String> {
    let request = ctx.post("/v1/chat/completions", &ctx.body("ok:2", true)).key(key);
    let mut response = request.send().await?;
    response.text().await?;
    let Some(id) = response.header("x-opencode-stream") else { return Ok(false) };
    Ok(ctx.get(&format!("/v1/streams/{id}")).key(key).send().await?.status == 200)
}

async fn continues(ctx: &Ctx, key: &str) -> Result<bool, String> {
    let request = ctx.post("/v1/chat/completions", &ctx.body("cut:2", true)).key(key);
    let request = request.header("x-opencode-targets", &ctx.targets(&["cut:2", "ok:2"]));
    Ok(request.send().await?.chat().await?.complete())
}

async fn repairs(ctx: &Ctx, key: &str) -> Result<u64, String> {
    let failed = failing().join("\n");
    let block = |number: usize| format!("```python\n#say~{}{number}\n{failed}\n```\n", ctx.tag);
    let body = json!({"query": (0..5).map(block).collect::<String>(), "mode": "code"});
    let request = ctx.post("/api/v1/chat", &body).key(key);
    let said = request.header("x-opencode-targets", &ctx.targets(&["blocks"])).send().await?.json().await?;
    said["repairs"].as_u64().ok_or_else(|| said.to_string())
}

async fn runs_code(ctx: &Ctx, key: &str) -> Result<u16, String> {
    let question = format!("```python\n#say~{}\n{}\n```", ctx.tag, printing("x").join("\n"));
    let tools = json!([{"type": "code_interpreter", "container": {"type": "auto"}}]);
    let body = json!({"model": ctx.model("runs"), "input": question, "tools": tools});
    Ok(ctx.post("/v1/responses", &body).key(key).send().await?.status)
}

fn think(ctx: &Ctx, key: &str, fault: &str) -> Request {
    let body = json!({"query": "why?", "mode": "thinking"});
    let request = ctx.post("/api/v1/chat", &body).key(key);
    request.header("x-opencode-targets", &ctx.targets(&[fault]))
}
