//! What a tenant reads of its own books: receipts, usage, dead letters, tasks.

use serde_json::{Value, json};

use crate::host::{Entry, Key};
use crate::identity::Tenant;
use crate::ledger::usage::{DAY, Usage};
use crate::run::checkpoint::Checkpoint;

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
    pub fn read(query: Option<&str>) -> Self {
        let pairs = || query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let value = |name: &str| pairs().find(|(key, _)| *key == name).map(|(_, value)| value);
        let limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
        Self { after: value("after").unwrap_or_default().to_owned(), limit: limit.clamp(1, MAX_PAGE) }
    }
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
        assert_eq!(Page::read(Some("limit=9999&after=x&y")), Page { after: "x".to_owned(), limit: MAX_PAGE });
        assert_eq!(Page::read(None), Page { after: String::new(), limit: 100 });
    }
}
