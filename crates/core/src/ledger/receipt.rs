//! The receipt of one answer: every attempt, what it used, what it cost.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::{AttemptReport, Fate};
use crate::host::Time;
use crate::route::Target;
use crate::wire::Dialect;
use crate::wire::event::Usage;

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
    /// For a run of code: its `language`, and its `status` as the sandbox names it, empty where no outcome came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Value>,
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
        let cumulative = matches!(target.dialect, Dialect::Anthropic | Dialect::Gemini);
        let (usage, estimated) = match report.usage {
            Some(usage) if report.fate == Fate::Answered || !cumulative => (usage, false),
            // What was reported before the end is about the input, and about the output so far.
            Some(usage) => {
                (Usage { output: usage.output.max(output(target.dialect, report)), ..usage }, true)
            }
            None if began => {
                let output = output(target.dialect, report);
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
            cost_micros: target.prices.cost(&usage),
            first_ms: report.first.map(|first| millis(first, report.sent)),
            total_ms: millis(over, report.sent),
            unreadable: report.unreadable,
        }
    }
}

/// Output tokens that came. Servers of OpenAI's dialects send a token a piece; the others may gather several in one,
/// which in English are about four bytes each.
fn output(dialect: Dialect, report: &AttemptReport) -> u64 {
    let bytes = u64::try_from(report.content_bytes).unwrap_or(u64::MAX);
    let gathered = bytes > report.content_pieces.saturating_mul(8);
    match dialect {
        Dialect::Anthropic | Dialect::Gemini if gathered => bytes.div_ceil(4),
        _ => report.content_pieces,
    }
}

/// Milliseconds between two times.
pub fn millis(later: Time, earlier: Time) -> u64 {
    later.0.saturating_sub(earlier.0)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's `skip_serializing_if` hands out references.
fn is_zero(count: &u32) -> bool {
    *count == 0
}
