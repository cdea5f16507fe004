//! Streams that are taken up again: the rest comes without a second call, to the one who asked, byte for byte.

use serde_json::{Value, json};

use super::{Case, case};
use crate::client::{Request, Response};
use crate::hosts::ctx::{Ctx, check, same};
use crate::sse::{Chat, Event};

pub(super) const CASES: &[Case] = &[
    case!(after_leaving_rst).bare(),
    case!(after_leaving_fin).bare(),
    case!(from_every_event),
    case!(while_it_runs),
    case!(of_responses),
    case!(every_surface),
    case!(broken),
    case!(nobody_elses),
    case!(only_when_asked),
    case!(of_a_mode),
];

/// Forty tokens in two seconds: several segments.
const SLOW: &str = "ok-slow:50:40";

fn resumable(ctx: &Ctx, fault: &str) -> Request {
    let mut body = ctx.body(fault, true);
    body["resumable"] = json!(true);
    ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme)
}

fn follow(ctx: &Ctx, id: &str) -> Request {
    ctx.get(&format!("/v1/streams/{id}")).key(&ctx.keys.acme)
}

fn stream_id(response: &Response) -> Result<String, String> {
    let id = response.header("x-opencode-stream").map(str::to_owned);
    id.ok_or_else(|| format!("no x-opencode-stream: {:?}", response.headers()))
}

async fn after_leaving_rst(ctx: &Ctx) -> Result<(), String> {
    let mut response = resumable(ctx, SLOW).send().await?;
    let id = stream_id(&response)?;
    let mut events = first(&mut response, 4).await?;
    response.reset();
    goes_on(ctx, &id, &mut events).await
}

async fn after_leaving_fin(ctx: &Ctx) -> Result<(), String> {
    let mut response = resumable(ctx, SLOW).send().await?;
    let id = stream_id(&response)?;
    let mut events = first(&mut response, 4).await?;
    response.fin().await;
    goes_on(ctx, &id, &mut events).await
}

async fn first(response: &mut Response, count: usize) -> Result<Vec<Event>, String> {
    let mut events = Vec::new();
    while events.len() < count {
        events.push(response.event().await?.ok_or("the stream ended too soon")?);
    }
    Ok(events)
}

/// The rest comes, as if nobody had left: one call, whole, its receipt complete.
async fn goes_on(ctx: &Ctx, id: &str, events: &mut Vec<Event>) -> Result<(), String> {
    let last = events.last().and_then(|event| event.id.clone()).ok_or("an event without an id")?;
    let rest = follow(ctx, id).header("last-event-id", &last).send().await?.events().await?;
    events.extend(rest);
    let chat = Chat::read(events);
    check(chat.complete(), || format!("{chat:?}"))?;
    check(chat.text.starts_with("tok0 ") && chat.text.ends_with("tok39"), || chat.text.clone())?;
    let whole = follow(ctx, id).send().await?.events().await?;
    same("from the start", &whole, events)?;
    let stats = ctx.quiet().await?;
    same("calls, cancelled", (stats.calls(), stats.cancelled()), (1, 0))?;
    same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete"))
}

/// Whatever was read last, what follows is the rest and nothing else; ids count from 0.
async fn from_every_event(ctx: &Ctx) -> Result<(), String> {
    let mut response = resumable(ctx, "ok").send().await?;
    let id = stream_id(&response)?;
    let live = response.text().await?;
    same("from the start", follow(ctx, &id).send().await?.text().await?, live.clone())?;
    let frames: Vec<&str> = live.split_inclusive("\n\n").collect();
    for (number, frame) in frames.iter().enumerate() {
        check(frame.starts_with(&format!("id: {number}\ndata: ")), || frame.to_string())?;
        let rest = follow(ctx, &id).header("last-event-id", &number.to_string()).send().await?;
        same(&format!("the rest after {number}"), { rest }.text().await?, frames[number + 1..].concat())?;
    }
    let beyond = follow(ctx, &id).header("last-event-id", "99").send().await?;
    same("after what never was", { beyond }.text().await?, String::new())?;
    same("calls", ctx.quiet().await?.calls(), 1)
}

/// Two who read along, one of them from the middle.
async fn while_it_runs(ctx: &Ctx) -> Result<(), String> {
    let mut response = resumable(ctx, SLOW).send().await?;
    let id = stream_id(&response)?;
    let seen = first(&mut response, 3).await?;
    let follow = |after: Option<&str>| {
        let request = follow(ctx, &id);
        let request = after.map_or(request.clone(), |after| request.header("last-event-id", after));
        async move { request.send().await?.events().await }
    };
    let (live, whole, rest) = tokio::join!(response.events(), follow(None), follow(Some("2")));
    let live = [seen, live?].concat();
    same("from the start", &whole?, &live)?;
    same("from the middle", &rest?[..], &live[3..])?;
    same("calls", ctx.quiet().await?.calls(), 1)
}

/// OpenAI's own way to take up an answer, by its id and `sequence_number`; passed through and translated.
async fn of_responses(ctx: &Ctx) -> Result<(), String> {
    for target in ["wall-responses", "wall"] {
        let ctx = ctx.part(target);
        let model = format!("{target}/ok~{}", ctx.tag);
        let body = json!({"model": model, "input": "hello", "stream": true, "resumable": true});
        let live = ctx.post("/v1/responses", &body).key(&ctx.keys.acme).send().await?.events().await?;
        let id = live[0].json()["response"]["id"].as_str().unwrap_or_default().to_owned();
        for after in [None, Some(0), Some(4)] {
            let after_text = after.map(|after| format!("&starting_after={after}")).unwrap_or_default();
            let path = format!("/v1/responses/{id}?stream=true{after_text}");
            let rest = ctx.get(&path).key(&ctx.keys.acme).send().await?.events().await?;
            same(&path, &rest[..], &live[after.map_or(0, |after| after + 1)..])?;
        }
        let whole = ctx.get(&format!("/v1/responses/{id}")).key(&ctx.keys.acme).send().await?;
        same("without stream=true", whole.status, 400)?;
        same("calls", ctx.quiet().await?.calls(), 1)?;
    }
    Ok(())
}

/// Each surface's events come again as they were; Google's SDKs read no ids, so theirs have none at first.
async fn every_surface(ctx: &Ctx) -> Result<(), String> {
    let model = |ctx: &Ctx| format!("wall/ok~{}", ctx.tag);
    let messages = json!([{"role": "user", "content": "hello"}]);
    let contents = json!([{"role": "user", "parts": [{"text": "hello"}]}]);
    let surfaces: [(&str, String, Value); 3] = [
        ("/v1/messages", String::new(), json!({"max_tokens": 99, "messages": messages, "stream": true})),
        ("/v1beta/models/", ":streamGenerateContent?alt=sse".to_owned(), json!({"contents": contents})),
        ("/api/v1/chat/stream", String::new(), json!({"query": "hello"})),
    ];
    for (number, (path, method, mut body)) in surfaces.into_iter().enumerate() {
        let ctx = ctx.part(&number.to_string());
        let path = match method.as_str() {
            "" => path.to_owned(),
            method => format!("{path}{}{method}", model(&ctx)),
        };
        body["model"] = json!(model(&ctx));
        let request = ctx.post(&path, &body).key(&ctx.keys.acme);
        let mut response = request.header("x-opencode-resumable", "true").send().await?;
        same("status", response.status, 200)?;
        let id = stream_id(&response)?;
        let live = response.events().await?;
        let shown = !path.contains("Gemini") && !path.starts_with("/v1beta");
        for (number, event) in live.iter().enumerate() {
            same(&path, event.id.clone(), shown.then(|| number.to_string()))?;
        }
        let again = follow(&ctx, &id).send().await?.events().await?;
        let unnumbered = |events: &[Event]| -> Vec<(String, String)> {
            events.iter().map(|event| (event.name.clone(), event.data.clone())).collect()
        };
        same(&path, unnumbered(&again), unnumbered(&live))?;
        let rest = follow(&ctx, &id).header("last-event-id", "1").send().await?.events().await?;
        same(&path, &rest[..], &again[2..])?;
        same("calls", ctx.quiet().await?.calls(), 1)?;
    }
    Ok(())
}

/// A stream that broke off is broken for those who come back too.
async fn broken(ctx: &Ctx) -> Result<(), String> {
    let mut response = resumable(ctx, "cut:5").send().await?;
    let id = stream_id(&response)?;
    let live = response.events().await?;
    let again = follow(ctx, &id).send().await?.events().await?;
    same("events", &again, &live)?;
    let chat = Chat::read(&again);
    check(chat.broken(), || format!("{chat:?}"))
}

async fn nobody_elses(ctx: &Ctx) -> Result<(), String> {
    let mut response = resumable(ctx, "ok").send().await?;
    let id = stream_id(&response)?;
    response.text().await?;
    let body = json!({"name": "another", "tenant": "acme", "role": "user"});
    let made = ctx.post("/api/v1/keys", &body).key(&ctx.keys.operator).send().await?.json().await?;
    let another = made["key"].as_str().ok_or_else(|| made.to_string())?.to_owned();
    let token =
        ctx.post("/api/v1/auth/token", &json!({"api_key": ctx.keys.acme})).send().await?.json().await?;
    let token = token["access_token"].as_str().ok_or_else(|| token.to_string())?.to_owned();
    let path = format!("/v1/streams/{id}");
    for (who, key, status) in [
        ("the key that asked", &ctx.keys.acme, 200),
        ("a token of it", &token, 200),
        ("another key of the tenant", &another, 404),
        ("another tenant", &ctx.keys.globex, 404),
    ] {
        same(who, ctx.get(&path).key(key).send().await?.status, status)?;
    }
    same("without a key", ctx.get(&path).send().await?.status, 401)?;
    for id in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "nothing", "..%2F..%2Fx"] {
        same(id, follow(ctx, id).send().await?.status, 404)?;
    }
    let answer = ctx.get("/v1/responses/resp_none?stream=true").key(&ctx.keys.acme).send().await?;
    same("an answer that never was", answer.status, 404)
}

async fn only_when_asked(ctx: &Ctx) -> Result<(), String> {
    let mut response = ctx.stream("ok").send().await?;
    same("x-opencode-stream", response.header("x-opencode-stream"), None)?;
    let ids = response.events().await?.into_iter().filter(|event| event.id.is_some()).count();
    same("ids", ids, 0)?;
    let mut body = ctx.body("ok", false);
    body["resumable"] = json!(true);
    let mut whole = ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme).send().await?;
    same("not streamed", whole.status, 400)?;
    same("at", whole.json().await?["error"]["param"].as_str(), Some("resumable"))?;
    body["resumable"] = json!("yes");
    same(
        "no boolean",
        ctx.post("/v1/chat/completions", &body).key(&ctx.keys.acme).send().await?.status,
        400,
    )?;
    let mut response = resumable(ctx, "ok").send().await?;
    let id = stream_id(&response)?;
    response.text().await?;
    let bad = follow(ctx, &id).header("last-event-id", "last").send().await?;
    same("a bad id", bad.status, 400)?;
    // The member is the platform's own: no provider sees it.
    let asked = ctx.wall.bodies(&ctx.tag);
    check(!asked.is_empty() && asked.iter().all(|body| !body.contains("resumable")), || format!("{asked:?}"))
}

/// A mode's hidden steps and its answer.
async fn of_a_mode(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"query": "why?", "mode": "thinking", "resumable": true});
    let request = ctx.post("/api/v1/chat/stream", &body).key(&ctx.keys.acme);
    let mut response = request.header("x-opencode-targets", &ctx.model("ok-slow:20:8")).send().await?;
    let id = stream_id(&response)?;
    let mut events = first(&mut response, 3).await?;
    response.reset();
    let rest = follow(ctx, &id).header("last-event-id", "2").send().await?.events().await?;
    events.extend(rest);
    same("last", events.last().map(|event| event.name.as_str()), Some("end"))?;
    same("calls", ctx.quiet().await?.calls(), 5)
}
