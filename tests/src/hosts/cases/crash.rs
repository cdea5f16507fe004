//! Processes that are killed, and what is there when others take over.

use super::{Case, case};
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] = &[case!(restart).exclusive()];

/// What was settled outlives the process; fresh ones answer at the same address.
async fn restart(ctx: &Ctx) -> Result<(), String> {
    let chat = ctx.stream("ok").send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    let receipt = ctx.receipt().await?;
    ctx.kill_and_restart().await?;
    same("receipt", ctx.receipt().await?, receipt)?;
    let after = ctx.part("after");
    let chat = after.stream("ok").send().await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    same("outcome", after.receipt().await?["outcome"].as_str(), Some("complete"))
}
