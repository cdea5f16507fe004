//! Receipts into the log, and the sweep of holds whose owners died.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::host::{Appended, Bytes, Closed, Host, Overdue, StoreError, Time};
use crate::identity::Tenant;
use crate::ledger::receipt::{Outcome, Receipt, RunStep, millis};
use crate::ledger::reserve;
use crate::run::detached;
use crate::wire::event::Usage;
use crate::wire::json::parse;

/// How many overdue holds one sweep looks at.
const SWEEP: usize = 100;

/// What a hold's note says, so that another can write the receipt of an owner that died.
#[derive(Debug, Serialize, Deserialize)]
pub struct Note {
    #[serde(rename = "t")]
    trace: String,
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "m")]
    mode: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    step: Option<RunStep>,
}

impl Note {
    /// Of an answer, or of a step of a run.
    pub fn new(trace: &str, key: &str, mode: &str, step: Option<RunStep>) -> Self {
        Self { trace: trace.to_owned(), key: key.to_owned(), mode: mode.to_owned(), step }
    }

    /// For `Hold::note`.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Holds that were closed.
    pub swept: u32,
    /// Whether no overdue hold is left.
    pub all: bool,
}

/// Stores a receipt; tried twice, since its id makes that safe.
pub async fn append<H: Host>(host: &H, tenant: &Tenant, receipt: &Receipt) -> Result<Appended, StoreError> {
    let value = Bytes::from(serde_json::to_vec(receipt).unwrap_or_default());
    let log = reserve::receipts(tenant);
    match host.append(&log, &receipt.id, value.clone(), None).await {
        Ok(appended) => Ok(appended),
        Err(_) => host.append(&log, &receipt.id, value, None).await,
    }
}

/// Closes holds whose lease has passed: from their receipt where one was stored, else at the held amount with a
/// receipt that says `lost`. A run whose step died is woken.
pub async fn sweep<H: Host>(host: &H, tenant: &Tenant, now: Time) -> Result<Swept, Error> {
    let overdue = host.overdue(tenant, now, SWEEP).await?;
    let mut swept = Swept { swept: 0, all: overdue.len() < SWEEP };
    for overdue in overdue {
        if overdue.account == reserve::sessions(tenant) {
            // The lock of a run that died: it holds nothing that could be charged.
            if host.close(&overdue.id, &reserve::unlocked(tenant)).await? == Closed::Closed {
                swept.swept = swept.swept.saturating_add(1);
            }
            continue;
        }
        let note: Option<Note> = parse(&overdue.note).ok();
        let lost = lost(&overdue, note.as_ref(), now);
        let micros = match append(host, tenant, &lost).await? {
            Appended::New => lost.cost_micros,
            Appended::Already => {
                stored(host, tenant, &overdue.id).await?.map_or(lost.cost_micros, |it| it.cost_micros)
            }
        };
        // The wake first: once the hold is closed nothing is overdue any more.
        if let Some(step) = note.and_then(|note| note.step) {
            let message = detached::message(tenant, &step.run);
            host.enqueue(&message, std::time::Duration::ZERO).await?;
        }
        let spent = reserve::spent(tenant, micros);
        if host.close(&overdue.id, &spent).await? == Closed::Closed {
            swept.swept = swept.swept.saturating_add(1);
        }
    }
    Ok(swept)
}

fn lost(overdue: &Overdue, note: Option<&Note>, now: Time) -> Receipt {
    let held = overdue.takes.iter().find(|(counter, _)| counter == "micros").map_or(0, |(_, amount)| *amount);
    let started = crate::trace::time_of(&overdue.id).unwrap_or(overdue.lease);
    Receipt {
        id: overdue.id.clone(),
        trace: note.map(|note| note.trace.clone()).unwrap_or_default(),
        key: note.map(|note| note.key.clone()).unwrap_or_default(),
        mode: note.map(|note| note.mode.clone()).unwrap_or_default(),
        step: note.and_then(|note| note.step.clone()),
        outcome: Outcome::Lost,
        code: None,
        attempts: Vec::new(),
        usage: Usage::default(),
        cost_micros: held,
        started,
        first_ms: None,
        total_ms: millis(now, started),
    }
}

/// The receipt of this id. A prefix sorts before what it begins, so that a scan from it meets the receipt.
async fn stored<H: Host>(host: &H, tenant: &Tenant, id: &str) -> Result<Option<Receipt>, StoreError> {
    let before = id.get(..id.len().saturating_sub(1)).unwrap_or_default();
    let entries = host.scan(&reserve::receipts(tenant), before, 50).await?;
    let entry = entries.into_iter().find(|entry| entry.id == id);
    Ok(entry.and_then(|entry| serde_json::from_slice(&entry.value).ok()))
}
