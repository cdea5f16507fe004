//! A thousand streams of a minute at once, over every pair of dialects.

use std::time::Duration;

use serde_json::{Value, json};

use super::dialect::Dialect;
use super::load::{self, Wanted};
use super::source::Pace;
use super::{Stage, through};
use crate::bench::bounds::{self, Bound};
use crate::bench::sample::us;
use crate::failure::Result;

const STREAMS: usize = 1_000;
/// Twenty tokens a second for a minute.
const PACE: Pace = Pace { tokens: 1_200, gap: Duration::from_millis(50) };
const QUICK: Pace = Pace { tokens: 100, gap: Duration::from_millis(50) };
/// Over which they begin: short, so that all run at the same time.
const SPREAD: Duration = Duration::from_secs(3);

/// None may be lost: each must have all its tokens in their order and its terminator.
pub fn measure(stage: &Stage) -> Result<(Value, Vec<Bound>)> {
    let pace = if stage.quick { QUICK } else { PACE };
    let length = pace.gap * u32::try_from(pace.tokens).unwrap_or(0);
    let served = stage.serve("many", pace)?;
    let pairs: Vec<(Dialect, Dialect)> =
        Dialect::ALL.into_iter().flat_map(|from| Dialect::ALL.map(|to| (from, to))).collect();
    let wanted: Vec<Wanted> = pairs
        .iter()
        .cycle()
        .take(STREAMS)
        .map(|(upstream, caller)| through(&served, *upstream, *caller, pace))
        .collect();
    println!("{STREAMS} streams of {} s each", length.as_secs());
    let before = served.running.processor_time();
    let outcome = load::run(&wanted, SPREAD, length * 3 + SPREAD)?;
    let spent = served.running.processor_time().saturating_sub(before);
    let memory = served.running.peak_memory() as f64;
    let lost = STREAMS - outcome.complete;
    let cpu = us(spent) / (outcome.tokens.max(1)) as f64;
    println!(
        "\n| streams | at once | lost | tokens | resident MB | CPU µs a token |\n|---|{}",
        "--:|".repeat(5)
    );
    println!(
        "| {STREAMS} of {} s | {} | {lost} | {} | {:.1} | {cpu:.1} |",
        length.as_secs(),
        outcome.at_once,
        outcome.tokens,
        memory / 1e6
    );
    for (why, count) in &outcome.lost {
        println!("\nlost: {count}: {why}");
    }
    let report = json!({
        "streams": STREAMS, "seconds": length.as_secs(), "at_once": outcome.at_once, "lost": outcome.lost,
        "tokens": outcome.tokens, "memory_bytes": memory, "cpu_us_per_token": cpu,
    });
    Ok((report, bounds::of_many(lost, memory)))
}
