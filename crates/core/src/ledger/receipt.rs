//! The receipt of one answer: every attempt, what it used, what it cost.

use serde::{Deserialize, Serialize};

use crate::call::{AttemptReport, Fate};
use crate::host::Time;
use crate::route::Target;
use crate::wire::event::Usage;
use crate::wire::prompt::estimate;

/// How an answer ended, for its receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Genuinely, to the end.
    Complete,
    /// From the cache; nothing was asked.
    Cached,
    /// A target refused the request itself.
    Refused,
    /// No target answered, or the one that had begun broke off.
    Failed,
    /// The caller left.
    Left,
    /// Its owner died; the sweeper wrote this and charged what was held.
    Lost,
}

/// One per answer. Stored as JSON in the tenant's `receipts` log under `id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Also the id of the hold: a second receipt of it cannot be stored.
    pub id: String,
    /// The request's trace id.
    pub trace: String,
    /// The key that asked.
    pub key: String,
    /// `chat`, `thinking`.
    pub mode: String,
    /// For a step of a detached run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<RunStep>,
    /// How it ended.
    pub outcome: Outcome,
    /// In the order they were sent; empty for a cached answer.
    pub attempts: Vec<Attempted>,
    /// Tokens of all attempts together.
    pub usage: Usage,
    /// Micro-dollars of all attempts together, rounded up.
    pub cost_micros: u64,
    /// Unix milliseconds.
    pub started: Time,
    /// Milliseconds to the first content, if there was any.
    pub first_ms: Option<u64>,
    /// Milliseconds in all.
    pub total_ms: u64,
}

/// Which ask of which run a receipt is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStep {
    /// The run's id.
    pub run: String,
    /// The step's number, from 0.
    pub step: u32,
    /// Which try of the step this is, from 1. More than one means that a try before it died.
    pub attempt: u32,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempted {
    /// Which ask of the answer, where it has several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ask: String,
    /// `provider/model`.
    pub target: String,
    /// What became of it.
    pub outcome: Fate,
    /// The provider's HTTP status, if one came.
    pub status: Option<u16>,
    /// Tokens.
    pub usage: Usage,
    /// Whether `usage` is our estimate, because the provider reported none.
    pub estimated: bool,
    /// Micro-dollars, rounded up.
    pub cost_micros: u64,
    /// Milliseconds to its first content.
    pub first_ms: Option<u64>,
    /// Milliseconds in all.
    pub total_ms: u64,
    /// Unreadable frames that were dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: u32,
}

impl Attempted {
    /// Prices one attempt. One that a provider answered (a head came with success), or worked on when it was given up,
    /// is charged for its input even when it reported nothing; one that the provider failed before is not.
    pub fn new(ask: &str, report: &AttemptReport, target: &Target, input_estimate: u64, now: Time) -> Self {
        let given_up =
            report.status.is_none() && matches!(report.fate, Fate::Lost | Fate::Left | Fate::Timeout);
        let began = given_up || report.status.is_some_and(|status| (200..300).contains(&status));
        let (usage, estimated) = match report.usage {
            Some(usage) => (usage, false),
            None if began => {
                let output = estimate(report.content_bytes);
                (Usage { input: input_estimate, output, ..Usage::default() }, true)
            }
            None => (Usage::default(), false),
        };
        let over = report.over.unwrap_or(now);
        Self {
            ask: ask.to_owned(),
            target: target.name.clone(),
            outcome: report.fate,
            status: report.status,
            usage,
            estimated,
            cost_micros: cost(target, usage.input, usage.output),
            first_ms: report.first.map(|first| millis(first, report.sent)),
            total_ms: millis(over, report.sent),
            unreadable: report.unreadable,
        }
    }
}

/// Micro-dollars for so many tokens of a target, rounded up.
pub fn cost(target: &Target, input: u64, output: u64) -> u64 {
    // Token counts lie far below 2^53, so the products are exact enough; `as` saturates.
    let micros = (input as f64) * target.micros_in + (output as f64) * target.micros_out;
    micros.ceil().max(0.0) as u64
}

/// Milliseconds between two times.
pub fn millis(later: Time, earlier: Time) -> u64 {
    later.0.saturating_sub(earlier.0)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's `skip_serializing_if` hands out references.
fn is_zero(count: &u32) -> bool {
    *count == 0
}
