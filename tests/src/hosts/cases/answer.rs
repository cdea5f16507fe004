//! One good answer, streamed and not.

use serde_json::json;

use super::{Case, case};
use crate::faults::caller::{self, Caller};
use crate::hosts::ctx::{Ctx, check, same};
use crate::hosts::setup::WALL_KEY;
use crate::wall::fault::LONG;
use crate::wall::{ODD, ODD_WHOLE};

pub(super) const CASES: &[Case] = &[
    case!(whole),
    case!(streamed),
    case!(odd_stream),
    case!(odd_whole),
    case!(caller_members),
    case!(usage),
    case!(too_long_to_write_again).exclusive(),
    case!(the_model_that_answers),
];

const TEXT: &str = "tok0 tok1 tok2 tok3 tok4 tok5 tok6 tok7";

async fn whole(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.ask("ok").send().await?;
    same("status", response.status, 200)?;
    let json = response.json().await?;
    same("content", json["choices"][0]["message"]["content"].as_str(), Some(TEXT))?;
    same("finish", json["choices"][0]["finish_reason"].as_str(), Some("stop"))?;
    let call = &ctx.stats().list[0];
    same("credential", call.authorization.as_deref(), Some(format!("Bearer {WALL_KEY}").as_str()))?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}

async fn streamed(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.stream("ok").send().await?;
    same("status", response.status, 200)?;
    let kind = response.header("content-type").unwrap_or_default().to_owned();
    check(kind.starts_with("text/event-stream"), || format!("content-type {kind}"))?;
    let text = response.text().await?;
    check(text.ends_with("data: [DONE]\n\n"), || format!("the stream ends with {text:?}"))?;
    check(text.contains("tok7"), || format!("tokens are missing in {text:?}"))?;
    same("calls", ctx.stats().calls(), 1)?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}

/// Frames are forwarded byte for byte.
async fn odd_stream(ctx: &Ctx) -> Result<(), String> {
    let mut body = ctx.body("odd", true);
    body["stream_options"] = json!({ "include_usage": true });
    let mut response = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme).send().await?;
    same("body", response.text().await?.as_str(), ODD)
}

async fn odd_whole(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.ask("odd").send().await?;
    same("body", response.text().await?.as_str(), ODD_WHOLE)
}

/// The caller's JSON goes upstream with its order and what we do not know; only named members are replaced.
async fn caller_members(ctx: &Ctx) -> Result<(), String> {
    let text = format!(
        r#"{{"zeta":[1.50,1e3],"messages":[{{"role":"user","content":"h\u00e9"}}],"model":"{}","a":{{"c":1,"b":2}},"temperature":0.10}}"#,
        ctx.model("ok")
    );
    let request = ctx.ask("ok").body(text.clone());
    same("status", request.send().await?.status, 200)?;
    let sent = ctx.wall.bodies(&ctx.tag).pop().unwrap_or_default();
    same("upstream body", sent, text.replace("\"wall/", "\""))
}

/// Whoever asks for usage gets it; whoever does not, does not.
async fn usage(ctx: &Ctx) -> Result<(), String> {
    let chat = ctx.stream("ok").send().await?.chat().await?;
    check(chat.complete() && chat.usage.is_none(), || format!("{chat:?}"))?;
    let asking = ctx.part("asking");
    let mut body = asking.body("ok", true);
    body["stream_options"] = json!({ "include_usage": true });
    let chat = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme).send().await?.chat().await?;
    let tokens = chat.usage.as_ref().and_then(|usage| usage["completion_tokens"].as_u64());
    same("completion tokens", tokens, Some(8))
}

/// An answer of 1.3 MB that the caller's dialect repeats at its end, or has as a whole: what the caller is told is what
/// the receipt says. One that passes as it is has no such bound, nor one of half the size.
async fn too_long_to_write_again(ctx: &Ctx) -> Result<(), String> {
    for (name, caller, model, stream, complete) in [
        ("repeated", Caller::Responses, "wall/long", true, false),
        ("half", Caller::Responses, "wall/long:40", true, true),
        ("passes", Caller::Responses, "wall-responses/long", true, true),
        ("pieces", Caller::Anthropic, "wall/long", true, true),
        ("platform", Caller::Platform, "wall/long", true, false),
        ("whole", Caller::OpenAi, "wall-anthropic/long", false, false),
        ("whole-passes", Caller::Anthropic, "wall-anthropic/long", false, true),
    ] {
        let ctx = ctx.part(name);
        let mut response = caller.request(&ctx, stream, &format!("{model}~{}", ctx.tag)).send().await?;
        let body = response.text().await?;
        let failed = |error: String| format!("{name}: {error}, status {}", response.status);
        let long = if name == "half" { 40 * LONG } else { 80 * LONG };
        if stream {
            let seen = caller.stream(&body)?;
            same("length", seen.text.len(), long).map_err(failed)?;
            same("ended", (seen.ended, seen.error.is_none()), (complete, complete)).map_err(failed)?;
        } else {
            same("status", response.status, if complete { 200 } else { 502 }).map_err(failed)?;
        }
        let receipt = ctx.receipt().await?;
        let outcome = if complete { "complete" } else { "failed" };
        same("outcome", receipt["outcome"].as_str(), Some(outcome)).map_err(failed)?;
        same("attempt", receipt["attempts"][0]["outcome"].as_str(), Some("answered")).map_err(failed)?;
    }
    Ok(())
}

/// An answer names the model that gave it, not what was asked for, whoever wrote it last.
async fn the_model_that_answers(ctx: &Ctx) -> Result<(), String> {
    let callers = caller::ALL.into_iter().filter(|(_, caller)| *caller != Caller::Platform);
    for ((name, caller), stream) in callers.flat_map(|caller| [(caller, false), (caller, true)]) {
        for target in ["wall", "wall-responses", "wall-anthropic", "wall-gemini"] {
            let ctx = ctx.part(&format!("{name}-{target}-{stream}"));
            let asked = format!("{target}/rich~{}", ctx.tag);
            let body = caller.request(&ctx, stream, &asked).send().await?.text().await?;
            let member = if caller == Caller::Gemini { "modelVersion" } else { "model" };
            let named = body.contains(&format!("\"{member}\":\"rich\"")) && !body.contains(&asked);
            check(named, || format!("{name} {target} {stream}: {body}"))?;
        }
    }
    Ok(())
}
