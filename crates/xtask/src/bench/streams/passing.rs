//! Processor time for each streamed token: nginx and us in front of the same streams, in turns.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::dialect::Dialect;
use super::load::{self, Wanted};
use super::source::Pace;
use super::{Stage, direct, through};
use crate::bench::bounds::{self, Bound};
use crate::bench::nginx;
use crate::bench::running::Running;
use crate::bench::sample::{median, us};
use crate::failure::{Result, failed};

/// Streams at once.
const STREAMS: usize = 200;
const PACE: Pace = Pace { tokens: 250, gap: Duration::from_millis(20) };
const SPREAD: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(60);

const NGINX: &str = "nginx, OpenAI";
const OURS: &str = "ours, OpenAI passes";

/// Processor time is counted from before the first question to after the last answer: it has all of an answer's.
pub fn measure(stage: &Stage) -> Result<(Value, Vec<Bound>)> {
    let nginx = nginx::gateway(&stage.empty("nginx")?, &stage.source, &stage.source)?;
    let served = stage.serve("passing", PACE)?;
    let ours = |upstream, caller| through(&served, upstream, caller, PACE);
    let (openai, anthropic) = (Dialect::OpenAi, Dialect::Anthropic);
    let contestants = [
        (NGINX, &nginx.running, direct(&nginx.address, openai, PACE)),
        (OURS, &served.running, ours(openai, openai)),
        ("ours, Anthropic passes", &served.running, ours(anthropic, anthropic)),
        ("ours, Anthropic to OpenAI", &served.running, ours(anthropic, openai)),
    ];
    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let rounds = if stage.quick { 1 } else { 5 };
    for round in 1..=rounds {
        println!("tokens that pass: round {round} of {rounds}, {STREAMS} streams at once");
        for (name, running, wanted) in &contestants {
            figures.entry(*name).or_default().push(token_us(running, wanted)?);
        }
    }
    let middle = |name: &str| figures.get(name).cloned().and_then(median);
    println!("\n| | CPU µs a token | × nginx |\n|---|--:|--:|");
    for (name, _, _) in &contestants {
        let (own, base) = (middle(name).unwrap_or_default(), middle(NGINX).unwrap_or_default());
        println!("| {name} | {own:.1} | {:.2} |", own / base);
    }
    let report = json!({"streams": STREAMS, "tokens": PACE.tokens, "cpu_us_per_token": figures});
    Ok((report, vec![bounds::of_passing(middle(OURS), middle(NGINX))]))
}

fn token_us(running: &Running, wanted: &Wanted) -> Result<f64> {
    let streams = vec![wanted.clone(); STREAMS];
    let before = running.processor_time();
    let outcome = load::run(&streams, SPREAD, PATIENCE)?;
    let spent = running.processor_time().saturating_sub(before);
    if outcome.complete < STREAMS {
        return failed(format!("streams were lost: {:?}", outcome.lost));
    }
    Ok(us(spent) / outcome.tokens as f64)
}
