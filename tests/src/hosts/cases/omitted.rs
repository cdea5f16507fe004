//! Things beside an answer's text that its caller's dialect has no word for: left out, and said to be left out.

use serde_json::{Value, json};

use super::{Case, case};
use crate::faults::caller::{self, Caller};
use crate::hosts::ctx::{Ctx, check, same};
use crate::sse;
use crate::wall::{Dialect, rich};

pub(super) const CASES: &[Case] = &[case!(streamed), case!(whole)];

/// Every upstream: its target, who is told nothing because it has all of it, and what the others are told of.
const UPSTREAMS: [(&str, Caller, Dialect, [&str; 2]); 4] = [
    ("wall", Caller::OpenAi, Dialect::Chat, ["images", "annotations"]),
    ("wall-responses", Caller::Responses, Dialect::Responses, ["web_search_call", "annotations"]),
    ("wall-anthropic", Caller::Anthropic, Dialect::Messages, ["server_tool_use", "citations"]),
    ("wall-gemini", Caller::Gemini, Dialect::Gemini, ["inlineData", "groundingMetadata"]),
];

/// Once, before the reason with which a client may stop reading.
async fn streamed(ctx: &Ctx) -> Result<(), String> {
    for (target, own, dialect, kinds) in UPSTREAMS {
        for (name, caller) in caller::ALL {
            let ctx = ctx.part(&format!("{name}-{target}"));
            let model = format!("{target}/rich~{}", ctx.tag);
            let text = caller.request(&ctx, true, &model).send().await?.text().await?;
            let failed = |error| format!("{name} {target}: {error}\n{text}");
            if caller == own {
                same("bytes", text.as_str(), dialect.rich().0).map_err(failed)?;
                continue;
            }
            let seen = caller.stream(&text)?;
            same("text", seen.text.as_str(), rich::TEXT).map_err(failed)?;
            check(seen.ended && seen.error.is_none() && seen.after == 0, || failed(format!("{seen:?}")))?;
            told(caller, &notes(caller, &text)?, &kinds).map_err(failed)?;
            same("outcome", ctx.receipt().await?["outcome"].as_str(), Some("complete")).map_err(failed)?;
        }
    }
    Ok(())
}

async fn whole(ctx: &Ctx) -> Result<(), String> {
    for (target, own, dialect, kinds) in UPSTREAMS {
        for (name, caller) in caller::ALL {
            let ctx = ctx.part(&format!("{name}-{target}"));
            let model = format!("{target}/rich~{}", ctx.tag);
            let text = caller.request(&ctx, false, &model).send().await?.text().await?;
            let failed = |error| format!("{name} {target}: {error}\n{text}");
            if caller == own {
                same("bytes", text.as_str(), dialect.rich().1).map_err(failed)?;
                continue;
            }
            let json: Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
            same("text", caller.whole(&json).text.as_str(), rich::TEXT).map_err(failed)?;
            told(caller, &[json[member(caller)].clone()], &kinds).map_err(failed)?;
        }
    }
    Ok(())
}

/// One note of one thing of each kind, with its size.
fn told(caller: Caller, notes: &[Value], kinds: &[&str]) -> Result<(), String> {
    let [note] = notes else { return Err(format!("{caller:?} was told {notes:?}")) };
    let mut told: Vec<_> = note.as_array().cloned().unwrap_or_default();
    check(told.iter().all(|kind| kind["bytes"].as_u64().is_some_and(|bytes| bytes > 20)), || {
        note.to_string()
    })?;
    told.iter_mut().for_each(|kind| kind["bytes"] = Value::Null);
    let expected: Vec<_> =
        kinds.iter().map(|what| json!({"what": what, "count": 1, "bytes": null})).collect();
    same("told", told, expected)
}

fn member(caller: Caller) -> &'static str {
    if caller == Caller::Platform { "omitted" } else { "opencode_omitted" }
}

/// What a stream says of things that were left out, all of it before the dialect's reason for the end.
fn notes(caller: Caller, text: &str) -> Result<Vec<Value>, String> {
    let (mut buffer, mut notes, mut before) = (text.to_owned(), Vec::new(), String::new());
    while let Some(frame) = sse::cut(&mut buffer) {
        let Some(event) = sse::parse(&frame) else { continue };
        let note = &event.json()[member(caller)];
        if !note.is_null() {
            // The platform's reason is the event that says it.
            let finish = caller.stream(&before)?.finish;
            check(finish.is_none(), || format!("the note comes after {finish:?}"))?;
            notes.push(note.clone());
        }
        before.push_str(&frame);
    }
    Ok(notes)
}
