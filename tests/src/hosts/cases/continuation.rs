//! Streams that break after their beginning and are continued by another target: opt-in, declared, paid for once each.

use serde_json::{Value, json};

use super::{Case, case};
use crate::faults::caller::{self, Caller};
use crate::hosts::ctx::{Ctx, check, same};
use crate::sse::{self, Event};

pub(super) const CASES: &[Case] = &[
    case!(every_caller_over_every_dialect),
    case!(every_way_to_break),
    case!(the_bound_shrinks),
    case!(refused),
    case!(twice),
    case!(nobody_left),
    case!(nobody_goes_on),
    case!(what_cannot_be_continued),
    case!(only_when_asked),
];

/// What five tokens of one and eight of another make.
const JOINED: &str = "tok0 tok1 tok2 tok3 tok4 tok0 tok1 tok2 tok3 tok4 tok5 tok6 tok7";

async fn streamed(ctx: &Ctx, caller: Caller, targets: &[String]) -> Result<String, String> {
    let request = caller.request(ctx, true, &targets.join(", "));
    let mut response = request.header("x-opencode-continuation", "true").send().await?;
    same("status", response.status, 200)?;
    response.text().await
}

fn notes(text: &str) -> Vec<Value> {
    let (mut buffer, mut notes) = (text.to_owned(), Vec::new());
    while let Some(frame) = sse::cut(&mut buffer) {
        let Some(event) = sse::parse(&frame) else { continue };
        let json = event.json();
        match event.name.as_str() {
            "continued" => notes.push(json),
            _ if !json["opencode_continued"].is_null() => notes.push(json["opencode_continued"].clone()),
            _ => {}
        }
    }
    notes
}

async fn every_caller_over_every_dialect(ctx: &Ctx) -> Result<(), String> {
    let dialects = ["wall", "wall-responses", "wall-anthropic", "wall-gemini"];
    for (name, caller) in caller::ALL {
        for (number, first) in dialects.iter().enumerate() {
            let ctx = ctx.part(&format!("{name}-{number}"));
            let second = dialects[(number + 1) % dialects.len()];
            let targets = [format!("{first}/cut:5~{}", ctx.tag), format!("{second}/ok~{}", ctx.tag)];
            let text = streamed(&ctx, caller, &targets).await?;
            joined(&ctx, caller, &text, &targets)
                .await
                .map_err(|error| format!("{name} {first}: {error}\n{text}"))?;
        }
    }
    Ok(())
}

/// One text, one end, one note of who went on after whom; two calls, of which the second knows what was said.
async fn joined(ctx: &Ctx, caller: Caller, text: &str, targets: &[String; 2]) -> Result<(), String> {
    let seen = caller.stream(text)?;
    same("text", words(&seen.text), words(JOINED))?;
    check(seen.ended && seen.error.is_none() && seen.after == 0, || format!("{seen:?}"))?;
    let [note] = &notes(text)[..] else { return Err(format!("notes: {:?}", notes(text))) };
    same("goes on", note["target"].as_str(), Some(targets[1].as_str()))?;
    same("broke off", note["after"]["target"].as_str(), Some(targets[0].as_str()))?;
    same("its tokens", note["after"]["output_tokens"].as_u64(), Some(5))?;
    check(note["after"]["error"].as_str().is_some_and(|error| !error.is_empty()), || note.to_string())?;
    same("calls", ctx.quiet().await?.calls(), 2)?;
    let bodies = ctx.wall.bodies(&ctx.tag);
    check(bodies[1].contains("tok0 tok1 tok2 tok3 tok4"), || bodies[1].clone())?;
    let receipt = ctx.receipt().await?;
    same("outcome", receipt["outcome"].as_str(), Some("complete"))?;
    let outputs: Vec<_> = receipt["attempts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| it["usage"]["output"].as_u64())
        .collect();
    same("output of each", outputs, vec![Some(5), Some(8)])?;
    same("output of both", receipt["usage"]["output"].as_u64(), Some(13))
}

/// Providers gather spaces differently at a seam; the words are what counts.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.replace("tok", " tok").split_whitespace() {
        words.push(word.to_owned());
    }
    words
}

async fn every_way_to_break(ctx: &Ctx) -> Result<(), String> {
    for fault in ["cut:5", "drop:5", "eof:5", "error:5", "stall:5"] {
        let ctx = ctx.part(fault.split(':').next().unwrap_or_default());
        let targets = [ctx.model(fault), format!("wall2/ok~{}", ctx.tag)];
        let text = streamed(&ctx, Caller::OpenAi, &targets).await?;
        joined(&ctx, Caller::OpenAi, &text, &targets)
            .await
            .map_err(|error| format!("{fault}: {error}\n{text}"))?;
    }
    Ok(())
}

/// The one who goes on may say only what is left of the caller's bound.
async fn the_bound_shrinks(ctx: &Ctx) -> Result<(), String> {
    let mut body = ctx.body("cut:5", true);
    body["max_tokens"] = json!(20);
    body["continuation"] = json!(true);
    let request = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme);
    let targets = format!("{}, wall2/ok~{}", ctx.model("cut:5"), ctx.tag);
    request.header("x-opencode-targets", &targets).send().await?.text().await?;
    let bodies = ctx.wall.bodies(&ctx.tag);
    let bounds: Vec<_> = bodies.iter().map(|body| bound(body)).collect();
    same("bounds", bounds, vec![Some(20), Some(15)])?;
    check(bodies.iter().all(|body| !body.contains("\"continuation\"")), || format!("{bodies:?}"))
}

fn bound(body: &str) -> Option<u64> {
    let body: Value = serde_json::from_str(body).ok()?;
    body["max_tokens"].as_u64().or(body["max_completion_tokens"].as_u64())
}

/// What one provider will not say, no other is asked to say for it.
async fn refused(ctx: &Ctx) -> Result<(), String> {
    for (name, target) in [("chat", "wall"), ("messages", "wall-anthropic"), ("responses", "wall-responses")]
    {
        let ctx = ctx.part(name);
        let targets = [format!("{target}/flagged:5~{}", ctx.tag), format!("wall2/ok~{}", ctx.tag)];
        let text = streamed(&ctx, Caller::OpenAi, &targets).await?;
        broken(&ctx, &text, 1).await.map_err(|error| format!("{name}: {error}"))?;
        check(text.contains("\"content_filter\""), || text.clone())?;
    }
    Ok(())
}

/// The one who goes on may break off as well.
async fn twice(ctx: &Ctx) -> Result<(), String> {
    let targets = ["wall/cut:5", "wall2/cut:3", "wall-anthropic/ok"].map(|it| format!("{it}~{}", ctx.tag));
    let text = streamed(ctx, Caller::OpenAi, &targets).await?;
    let seen = Caller::OpenAi.stream(&text)?;
    check(seen.ended && seen.error.is_none(), || text.clone())?;
    same("words", words(&seen.text).len(), 5 + 3 + 8)?;
    let who: Vec<_> = notes(&text).iter().map(|note| note["target"].as_str().map(str::to_owned)).collect();
    same("who", who, targets[1..].iter().cloned().map(Some).collect())
}

async fn nobody_left(ctx: &Ctx) -> Result<(), String> {
    let text = streamed(ctx, Caller::OpenAi, &[ctx.model("cut:5")]).await?;
    broken(ctx, &text, 1).await
}

/// Why the answer broke off is what the caller is told.
async fn nobody_goes_on(ctx: &Ctx) -> Result<(), String> {
    for (number, fault) in ["503", "400", "no-prefill", "reset"].iter().enumerate() {
        let ctx = ctx.part(&number.to_string());
        let targets = [ctx.model("error:5"), format!("wall2/{fault}~{}", ctx.tag)];
        let text = streamed(&ctx, Caller::OpenAi, &targets).await?;
        if *fault == "no-prefill" {
            // It is not asked to go on from an assistant's words, but told what to do.
            joined(&ctx, Caller::OpenAi, &text, &targets).await?;
        } else {
            broken(&ctx, &text, 2).await.map_err(|error| format!("{fault}: {error}"))?;
            check(text.contains("the provider reported an error"), || text.clone())?;
        }
    }
    Ok(())
}

/// The five tokens, an error, nothing after it.
async fn broken(ctx: &Ctx, text: &str, calls: usize) -> Result<(), String> {
    let seen = Caller::OpenAi.stream(text)?;
    same("text", words(&seen.text).len(), 5)?;
    check(!seen.ended && seen.error.is_some() && seen.after == 0, || text.to_owned())?;
    same("notes", notes(text), Vec::new())?;
    same("calls", ctx.quiet().await?.calls(), calls)?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("failed"))
}

/// Tools, formats, thinking, several choices: half of such an answer is nobody else's to complete.
async fn what_cannot_be_continued(ctx: &Ctx) -> Result<(), String> {
    let tool = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let members = [
        ("tools", tool),
        ("response_format", json!({"type": "json_object"})),
        ("reasoning_effort", json!("low")),
        ("logprobs", json!(true)),
    ];
    for (name, value) in members {
        let ctx = ctx.part(name);
        let mut body = ctx.body("cut:5", true);
        body[name] = value;
        body["continuation"] = json!(true);
        let request = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme);
        let targets = format!("{}, wall2/ok~{}", ctx.model("cut:5"), ctx.tag);
        let text = request.header("x-opencode-targets", &targets).send().await?.text().await?;
        broken(&ctx, &text, 1).await.map_err(|error| format!("{name}: {error}"))?;
    }
    let ctx = ctx.part("thinking");
    let targets = [format!("wall/cut:5+thinking:3~{}", ctx.tag), format!("wall2/ok~{}", ctx.tag)];
    let text = streamed(&ctx, Caller::OpenAi, &targets).await?;
    check(notes(&text).is_empty() && Caller::OpenAi.stream(&text)?.error.is_some(), || text.clone())
}

async fn only_when_asked(ctx: &Ctx) -> Result<(), String> {
    let targets = [ctx.model("cut:5"), format!("wall2/ok~{}", ctx.tag)];
    let request = Caller::OpenAi.request(ctx, true, &targets.join(", "));
    let events: Vec<Event> = request.send().await?.events().await?;
    let text: String = events.iter().map(|event| format!("data: {}\n\n", event.data)).collect();
    broken(ctx, &text, 1).await
}
