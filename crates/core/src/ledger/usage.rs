//! Usage totals per day, rolled up from receipts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host::{Key, Time};
use crate::identity::Tenant;
use crate::ledger::receipt::{Outcome, Receipt};

/// A day, in milliseconds.
pub const DAY: u64 = 86_400_000;
/// How many days of totals are kept.
const MAX_DAYS: usize = 400;

/// How many modes and how many keys have totals of their own.
const MAX_NAMES: usize = 300;

/// A tenant's totals, kept as one record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The last receipt that is in the totals.
    pub through: String,
    /// By UTC day, as days since the epoch.
    pub days: BTreeMap<u64, Totals>,
    /// By mode, since the first receipt.
    #[serde(default)]
    pub modes: BTreeMap<String, Measured>,
    /// By key, since the first receipt.
    #[serde(default)]
    pub keys: BTreeMap<String, Measured>,
}

/// What the answers of a mode or a key came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Receipts.
    pub answers: u64,
    /// Those that ended genuinely, cached ones included.
    pub complete: u64,
    /// From the request to the last byte, all together.
    pub millis: u64,
    /// Input and output, all together.
    pub tokens: u64,
}

impl Measured {
    /// The sum of two.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            answers: self.answers.saturating_add(other.answers),
            complete: self.complete.saturating_add(other.complete),
            millis: self.millis.saturating_add(other.millis),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }

    fn of(receipt: &Receipt) -> Self {
        Self {
            answers: 1,
            complete: u64::from(matches!(receipt.outcome, Outcome::Complete | Outcome::Cached)),
            millis: receipt.total_ms,
            tokens: receipt.usage.input.saturating_add(receipt.usage.output),
        }
    }
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
        let measured = Measured::of(receipt);
        for (rows, name) in [(&mut self.modes, &receipt.mode), (&mut self.keys, &receipt.key)] {
            if let Some(row) = rows.get_mut(name) {
                *row = row.plus(&measured);
            } else if rows.len() < MAX_NAMES {
                rows.insert(name.clone(), measured.clone());
            }
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
