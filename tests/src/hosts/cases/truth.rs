//! After the first content a failure is said, never mended and never hidden.

use super::{Case, case};
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] =
    &[case!(cut), case!(eof), case!(error), case!(stall), case!(malformed), case!(no_done)];

async fn cut(ctx: &Ctx) -> Result<(), String> {
    broken(ctx, "cut:5").await
}

async fn eof(ctx: &Ctx) -> Result<(), String> {
    broken(ctx, "eof:5").await
}

async fn error(ctx: &Ctx) -> Result<(), String> {
    broken(ctx, "error:5").await
}

async fn stall(ctx: &Ctx) -> Result<(), String> {
    broken(ctx, "stall:5").await
}

/// The tokens that came, an error event, and nothing after it; the other target is not asked.
async fn broken(ctx: &Ctx, fault: &str) -> Result<(), String> {
    let chat = ctx.over(&[fault, "ok"]).send().await?.chat().await?;
    check(chat.broken(), || format!("{chat:?}"))?;
    same("text", chat.text.as_str(), "tok0 tok1 tok2 tok3 tok4")?;
    let stats = ctx.quiet().await?;
    same("calls", stats.calls(), 1)?;
    let receipt = ctx.receipt().await?;
    check(receipt["outcome"] != "complete" && receipt["outcome"] != "left", || receipt.to_string())
}

/// A frame that cannot be parsed is dropped whole; the answer goes on.
async fn malformed(ctx: &Ctx) -> Result<(), String> {
    let text = ctx.stream("malformed:3").send().await?.text().await?;
    check(!text.contains("\"delta\":\n"), || format!("the broken frame was forwarded: {text:?}"))?;
    check(text.contains("tok7") && text.ends_with("data: [DONE]\n\n"), || format!("{text:?}"))
}

/// A genuine finish without a terminator gets one.
async fn no_done(ctx: &Ctx) -> Result<(), String> {
    let chat = ctx.stream("no-done").send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))
}
