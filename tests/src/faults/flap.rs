//! S15: a primary that flaps. After five failures in a row its breaker opens, and it is left alone; after the cooldown
//! one probe finds it well, and it answers again. Every caller gets a whole answer all the while.
//!
//! A breaker is the isolate's own. Lambda has several processes, and each learns by itself: which of the answers the
//! primary gives is open there, but not what callers get of them.

use std::collections::BTreeSet;

use opencode_core::call::breaker::{COOLDOWN, TRIP};

use super::case::{Answered, Pair, Place, ends};
use super::golden::Goldens;
use crate::hosts::ctx::{Ctx, check, same};
use crate::hosts::platform::Kind;
use crate::wall::End;
use crate::wall::fault::TOKENS;

/// How the primary took part in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// It was asked and failed.
    Failed,
    /// It was not asked.
    Spared,
    /// It answered.
    Answered,
}

/// Answers while the breaker is open, and after its probe.
const FURTHER: usize = 3;

/// The primary's model: it fails as often as it takes, and then is good for as long.
pub fn fault() -> String {
    format!("flap:{TRIP}")
}

/// Asks one thing after another, streamed and whole in turn.
pub async fn run(pair: &Pair, place: Place, goldens: &Goldens) -> Result<(), String> {
    let Pair { first: ctx, second, .. } = pair;
    let trip = TRIP as usize;
    let mut parts = Vec::new();
    for number in 0..trip + 2 * FURTHER {
        if number == trip + FURTHER {
            tokio::time::sleep(COOLDOWN).await;
        }
        let stream = number % 2 == 0;
        let said = place.ask(pair, stream, &[("cache-control", "no-cache")]).await?;
        let asked = ctx.stats().calls() > parts.iter().filter(|part| **part != Part::Spared).count();
        let took =
            part(place, stream, &said, asked, ctx).map_err(|error| format!("answer {number}: {error}"))?;
        let shape = if stream { "stream" } else { "whole" };
        let name = format!("S15 {} {shape}", format!("{took:?}").to_lowercase());
        goldens.expect(place.upstream, place.called, &name, &said.plain)?;
        parts.push(took);
    }
    let (failed, well) = (vec![Part::Failed; trip], vec![Part::Answered; FURTHER]);
    if !matches!(ctx.kind(), Kind::LambdaEmulator | Kind::LambdaFrozen) {
        let wanted = [failed, vec![Part::Spared; FURTHER], well].concat();
        same("what the primary did", &parts, &wanted)?;
    }
    same(
        "calls of the first",
        ends(ctx).await?.len(),
        parts.iter().filter(|part| **part != Part::Spared).count(),
    )?;
    let others = parts.iter().filter(|part| **part != Part::Answered).count();
    same("calls of the second", ends(second).await?, vec![End::Completed; others])?;
    receipts(pair, &parts).await
}

/// Checks an answer, and says who gave it.
fn part(place: Place, stream: bool, said: &Answered, asked: bool, ctx: &Ctx) -> Result<Part, String> {
    same("status", said.status, 200).map_err(|error| format!("{error}: {}", said.body))?;
    let seen = place.read(stream, &said.body)?;
    let tokens = seen.text.split_whitespace().count();
    let whole = seen.ended && seen.error.is_none() && seen.after == 0 && tokens == TOKENS;
    check(whole, || format!("no whole answer: {seen:?}"))?;
    let first = said.by.as_ref().is_some_and(|target| target.ends_with(&format!("~{}", ctx.tag)));
    Ok(match (first, asked) {
        (true, _) => Part::Answered,
        (false, true) => Part::Failed,
        (false, false) => Part::Spared,
    })
}

/// One receipt an answer, each with exactly the attempts that were made.
async fn receipts(pair: &Pair, parts: &[Part]) -> Result<(), String> {
    let count = |part: Part| parts.iter().filter(|it| **it == part).count();
    let (with_first, with_second) = (parts.len() - count(Part::Spared), parts.len() - count(Part::Answered));
    let mut receipts = pair.receipts(&pair.first, with_first).await?;
    receipts.extend(pair.receipts(&pair.second, with_second).await?);
    let ids: BTreeSet<_> = receipts.iter().map(|receipt| receipt["id"].to_string()).collect();
    same("receipts", ids.len(), parts.len())?;
    let outcomes = |receipt: &serde_json::Value| -> Vec<String> {
        let attempts = receipt["attempts"].as_array().into_iter().flatten();
        attempts.map(|it| it["outcome"].as_str().unwrap_or("none").to_owned()).collect()
    };
    let over = receipts.iter().filter(|receipt| outcomes(receipt) == ["failed", "answered"]);
    // Those name both, and stand in both lists.
    same("receipts of a failover", over.count(), 2 * count(Part::Failed))?;
    let alone = receipts.iter().filter(|receipt| outcomes(receipt) == ["answered"]);
    same("receipts of one attempt", alone.count(), count(Part::Spared) + count(Part::Answered))
}
