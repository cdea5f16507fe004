//! Usage totals per day, rolled up from receipts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host::{Key, Time};
use crate::identity::Tenant;
use crate::ledger::receipt::Receipt;

/// A day, in milliseconds.
pub const DAY: u64 = 86_400_000;
/// How many days of totals are kept.
const MAX_DAYS: usize = 400;

/// A tenant's totals, kept as one record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The last receipt that is in the totals.
    pub through: String,
    /// By UTC day, as days since the epoch.
    pub days: BTreeMap<u64, Totals>,
}

/// What a day came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Receipts.
    pub answers: u64,
    /// Tokens.
    pub input: u64,
    /// Tokens.
    pub output: u64,
    /// Micro-dollars.
    pub micros: u64,
}

impl Usage {
    /// Adds a receipt. Receipts come in the order of their ids.
    pub fn add(&mut self, receipt: &Receipt) {
        self.through.clone_from(&receipt.id);
        let day = self.days.entry(receipt.started.0.checked_div(DAY).unwrap_or(0)).or_default();
        day.answers = day.answers.saturating_add(1);
        day.input = day.input.saturating_add(receipt.usage.input);
        day.output = day.output.saturating_add(receipt.usage.output);
        day.micros = day.micros.saturating_add(receipt.cost_micros);
        while self.days.len() > MAX_DAYS {
            self.days.pop_first();
        }
    }
}

/// Where a tenant's totals are.
pub fn record(tenant: &Tenant) -> Key {
    Key::new(tenant, "usage")
}

/// Whether a receipt of this id is old enough to be counted: none with a smaller id can still be appended, since
/// ids begin with the time of their request or step, and no answer outlives `horizon`.
pub fn is_settled(id: &str, now: Time, horizon: std::time::Duration) -> bool {
    crate::trace::time_of(id).is_some_and(|time| time.plus(horizon) < now)
}
