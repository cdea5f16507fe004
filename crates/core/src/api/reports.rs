//! What a tenant reads of its own books: receipts, usage, dead letters, tasks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::Error;
use crate::host::{Entry, Key};
use crate::identity::Tenant;
use crate::ledger::usage::{DAY, Measured, Usage};
use crate::run::checkpoint::Checkpoint;
use crate::wire::json::object;

/// The most entries of one page.
const MAX_PAGE: usize = 500;

/// A page of a log: `?after=ID&limit=N`.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Entries after this id.
    pub after: String,
    /// 1 to 500; 100 if left out.
    pub limit: usize,
}

impl Page {
    /// Reads a query; what it does not know it leaves alone.
    pub fn read(query: Option<&str>) -> Result<Self, Error> {
        let after = parameter(query, "after").unwrap_or_default().to_owned();
        let limit = parameter(query, "limit").map_or(Ok(100), str::parse);
        match limit {
            Ok(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(Self { after, limit }),
            _ => Err(Error::invalid(format!("`limit` must be 1 to {MAX_PAGE}")).at("limit")),
        }
    }
}

/// A parameter of a query, as it was written.
pub fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Where a tenant's dead letters are.
pub fn dead_letters(tenant: &Tenant) -> Key {
    Key::new(tenant, "dead")
}

/// Log entries under a name, as they were stored; `next` is the `after` of the next page.
pub fn entries(name: &str, entries: &[Entry], limit: usize) -> Value {
    let values = entries.iter().map(|entry| serde_json::from_slice(&entry.value).unwrap_or(Value::Null));
    let next = if entries.len() < limit { None } else { entries.last().map(|entry| entry.id.as_str()) };
    json!({name: values.collect::<Vec<_>>(), "next": next})
}

/// The totals, newest day last; `day` is its beginning in UTC, in Unix milliseconds.
pub fn usage(usage: &Usage) -> Value {
    let days = usage.days.iter().map(|(day, totals)| {
        json!({
            "day": day.saturating_mul(DAY),
            "answers": totals.answers,
            "input_tokens": totals.input,
            "output_tokens": totals.output,
            "cost_micros": totals.micros,
        })
    });
    json!({"through": usage.through, "days": days.collect::<Vec<_>>()})
}

/// The totals per cognitive level since the first receipt, as the original platform names them; with `detailed`, per
/// mode and key as well.
pub fn metrics(usage: &Usage, detailed: bool) -> Value {
    let level = |name: &str| {
        let of_level = usage.modes.iter().filter(|(mode, _)| level_of(mode) == name);
        measured(&of_level.fold(Measured::default(), |sum, (_, it)| sum.plus(it)))
    };
    let total = usage.modes.values().fold(0u64, |sum, it| sum.saturating_add(it.answers));
    let none = json!({"tool_calls": 0, "tool_errors": 0, "avg_latency_ms": 0});
    let handed = json!({"tasks_sent": 0, "tasks_completed": 0, "tasks_failed": 0, "avg_latency_ms": 0});
    let mut metrics = json!({
        "system1": level("system1"),
        "system2": level("system2"),
        "agent": level("agent"),
        "total_requests": total,
        "extensions": {"mcp": none, "a2a": handed},
        "through": usage.through,
    });
    if let (true, Some(metrics)) = (detailed, metrics.as_object_mut()) {
        let all = |rows: &BTreeMap<String, Measured>| -> Value {
            object(rows.iter().map(|(name, it)| (name.clone(), measured(it)))).into()
        };
        metrics.insert("modes".to_owned(), all(&usage.modes));
        metrics.insert("keys".to_owned(), all(&usage.keys));
    }
    metrics
}

/// The original's levels: fast and stateless, deliberate, and long-running.
fn level_of(mode: &str) -> &'static str {
    match mode {
        "search" | "code" | "thinking" => "system2",
        "research" | "deep_research" => "agent",
        _ => "system1",
    }
}

fn measured(it: &Measured) -> Value {
    let per_answer = |sum: u64| sum as f64 / it.answers.max(1) as f64;
    json!({
        "request_count": it.answers,
        "avg_latency_ms": per_answer(it.millis),
        "success_rate": per_answer(it.complete),
        "total_tokens": it.tokens,
    })
}

/// A task as its owner sees it.
pub fn task(run: &Checkpoint) -> Value {
    json!({
        "task_id": run.id,
        "status": run.status,
        "mode": run.program.mode(),
        "trace_id": run.trace,
        "steps_done": run.step,
        "steps_left": run.program.asks_left(),
        "attempt": run.attempt,
        "tokens_used": run.tokens,
        "made": if run.status.is_over() { run.program.made() } else { None },
        "result": if run.status.is_over() { run.result.clone() } else { None },
        "error": run.error,
        "created": run.created,
        "updated": run.updated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded() {
        let page = |after: &str, limit| Ok(Page { after: after.to_owned(), limit });
        assert_eq!(Page::read(Some("limit=500&after=x&y")), page("x", MAX_PAGE));
        assert_eq!(Page::read(None), page("", 100));
        for wrong in ["limit=501", "limit=0", "limit=null", "limit="] {
            assert!(Page::read(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
