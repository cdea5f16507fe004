//! One queue message or one schedule tick.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::api::reports;
use crate::error::{Error, Kind, Retry};
use crate::host::{Bytes, Host, Message, Swap, Time};
use crate::identity::Tenant;
use crate::isolate::Isolate;
use crate::ledger::receipt::Receipt;
use crate::ledger::{reserve, usage};
use crate::run::detached::{self, Stepped, Wake};
use crate::run::settle;
use crate::serve::current;
use crate::snapshot::Snapshot;
use crate::trace;
use crate::wire::json::parse;

/// The longest wait before a message is delivered again.
const MAX_DELAY: Duration = Duration::from_secs(15 * 60);

/// How many pages of 500 receipts one tick adds to a tenant's totals.
const PAGES: usize = 20;

/// What the host does with a message that was handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Handled: acknowledge it.
    Done,
    /// Deliver it again, not before `after`.
    Retry {
        /// At most 15 minutes.
        after: Duration,
    },
    /// It failed for the last time and the tenant's `dead` log says so: move it to the dead letters.
    Dead,
}

/// What a tick did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Holds that were closed for their abandoned owners.
    pub swept: u32,
    /// Receipts that were added to the usage totals.
    pub rolled: u32,
    /// What could not be done now; the next tick tries again.
    pub errors: Vec<String>,
}

/// Handles one delivery. `attempt` counts deliveries from 1.
pub async fn message<H: Host>(host: H, isolate: Arc<Isolate>, message: &Message, attempt: u32) -> Verdict {
    let snapshot = &current::snapshot(&host, &isolate).await;
    match handle(&host, snapshot, message).await {
        Ok(Stepped::Done) => Verdict::Done,
        Ok(Stepped::Later(wait)) => later(&host, message, wait).await,
        Ok(Stepped::Failed(error)) | Err(error) => failed(&host, snapshot, message, attempt, &error).await,
    }
}

/// Sweeps expired holds and rolls up usage, for every tenant. Called once a minute or oftener.
pub async fn tick<H: Host>(host: H, isolate: Arc<Isolate>) -> Ticked {
    let mut ticked = Ticked::default();
    let snapshot = current::snapshot(&host, &isolate).await;
    let config = snapshot.config();
    let longest = config.lease().max(Duration::from_millis(config.runs.lease_ms));
    // The sweep before has written the receipts of those that died; the grace is for clocks that differ.
    let horizon = longest.saturating_add(Duration::from_millis(config.deadlines.grace_ms));
    for row in &config.tenants {
        let tenant = &row.name;
        match settle::sweep(&host, tenant, host.now()).await {
            Ok(swept) => {
                ticked.swept = ticked.swept.saturating_add(swept.swept);
                // Receipts of the dead that are still to be written would come behind those that are counted.
                if !swept.all {
                    continue;
                }
            }
            Err(error) => {
                ticked.errors.push(format!("sweep of {tenant}: {error}"));
                continue;
            }
        }
        match roll_up(&host, tenant, host.now(), horizon).await {
            Ok(rolled) => ticked.rolled = ticked.rolled.saturating_add(rolled),
            Err(error) => ticked.errors.push(format!("usage of {tenant}: {error}")),
        }
    }
    ticked
}

/// Waiting is no failure, and platforms count every delivery: the message is sent anew.
async fn later<H: Host>(host: &H, message: &Message, wait: Duration) -> Verdict {
    let after = wait.clamp(Duration::from_millis(100), MAX_DELAY);
    match host.enqueue(message, after).await {
        Ok(()) => Verdict::Done,
        Err(_) => Verdict::Retry { after },
    }
}

async fn handle<H: Host>(host: &H, snapshot: &Arc<Snapshot>, message: &Message) -> Result<Stepped, Error> {
    match message.topic.as_str() {
        detached::TOPIC => {
            let wake: Wake = parse(&message.body)
                .map_err(|error| Error::invalid(format!("the message's body cannot be read: {error}")))?;
            detached::step(host, snapshot, &message.tenant, &wake.run).await
        }
        topic => Err(Error::new(Kind::NotFound, format!("nothing handles the topic {topic:?}"))),
    }
}

/// Doubles the delay with each attempt. The last failure is written where the tenant sees it, and ends its run.
async fn failed<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    message: &Message,
    attempt: u32,
    error: &Error,
) -> Verdict {
    let rules = &snapshot.config().queue;
    let doubled =
        rules.retry_ms.saturating_mul(1u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX));
    let mut after = Duration::from_millis(doubled).min(MAX_DELAY);
    if let Retry::After(wait) = error.retry {
        after = after.max(wait).min(MAX_DELAY);
    }
    if attempt < rules.max_attempts {
        return Verdict::Retry { after };
    }
    match bury(host, snapshot, message, attempt, error).await {
        Ok(()) => Verdict::Dead,
        Err(_) => Verdict::Retry { after },
    }
}

async fn bury<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    message: &Message,
    attempt: u32,
    error: &Error,
) -> Result<(), Error> {
    if message.topic == detached::TOPIC
        && let Ok(wake) = parse::<Wake>(&message.body)
    {
        detached::give_up(host, snapshot, &message.tenant, &wake.run, error).await?;
    }
    let now = host.now();
    let letter = json!({
        "topic": message.topic,
        "body": message.body,
        "attempts": attempt,
        "error": error.detail,
        "time": now,
    });
    let id = trace::id(now, host.random());
    host.append(&reports::dead_letters(&message.tenant), &id, Bytes::from(letter.to_string()), None).await?;
    Ok(())
}

/// Adds settled receipts to the tenant's totals. A lost race means that another tick did it.
async fn roll_up<H: Host>(host: &H, tenant: &Tenant, now: Time, horizon: Duration) -> Result<u32, Error> {
    let key = usage::record(tenant);
    let stored = host.read(&key, now).await?;
    let version = stored.as_ref().map_or(0, |stored| stored.version);
    let mut totals: usage::Usage =
        stored.and_then(|stored| serde_json::from_slice(&stored.value).ok()).unwrap_or_default();
    let mut rolled = 0u32;
    for _ in 0..PAGES {
        let before = rolled;
        for entry in host.scan(&reserve::receipts(tenant), &totals.through, 500).await? {
            if !usage::is_settled(&entry.id, now, horizon) {
                break;
            }
            if let Ok(receipt) = serde_json::from_slice::<Receipt>(&entry.value) {
                totals.add(&receipt);
                rolled = rolled.saturating_add(1);
            }
        }
        if rolled == before {
            break;
        }
    }
    if rolled == 0 {
        return Ok(0);
    }
    let value = Bytes::from(serde_json::to_vec(&totals).unwrap_or_default());
    let swapped = host.swap(&key, version, value, None, now).await?;
    Ok(if matches!(swapped, Swap::Done(_)) { rolled } else { 0 })
}
