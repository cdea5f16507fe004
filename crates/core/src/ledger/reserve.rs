//! What is held before an answer, and what its receipt spends of it.

use std::time::Duration;

use crate::config::Config;
use crate::config::rows::TenantRow;
use crate::error::{Error, Kind};
use crate::host::{Hold, Key, Spent, Take, Takes, Time};
use crate::identity::Tenant;
use crate::route::Target;
use crate::wire::event::Usage;

/// The output tokens that are reserved where a request names no bound.
pub const DEFAULT_OUTPUT: u64 = 4_096;

const MINUTE: u64 = 60_000;
const DAY: u64 = 86_400_000;

/// The tenant's account for answers.
pub fn account(tenant: &Tenant) -> Key {
    Key::new(tenant, "account/answers")
}

/// The tenant's log of receipts.
pub fn receipts(tenant: &Tenant) -> Key {
    Key::new(tenant, "receipts")
}

/// Whether a tenant's spending is bounded.
pub fn is_budgeted(config: &Config, tenant: &Tenant) -> bool {
    config.tenant(tenant).is_some_and(|row| row.micros_per_day() > 0)
}

/// Whether a tenant has any limit. Without one there is nothing to hold: its answers are counted by their receipts
/// alone.
pub fn is_limited(config: &Config, tenant: &Tenant) -> bool {
    config
        .tenant(tenant)
        .is_some_and(|row| row.requests_per_minute > 0 || row.concurrency > 0 || row.micros_per_day() > 0)
}

/// The most that the asks of an answer can cost, on the dearest target, every target being asked once.
pub fn worst_cost(targets: &[Target], asks: u64, input: u64, max_output: Option<u64>) -> u64 {
    let output = max_output.unwrap_or(DEFAULT_OUTPUT);
    let usage = Usage { input, output, ..Usage::default() };
    let once = targets.iter().fold(0u64, |sum, target| sum.saturating_add(target.prices.worst(&usage)));
    once.saturating_mul(asks)
}

/// The hold of one answer: one request of the minute, one place at once, the most it can cost of the day's budget.
/// What is not limited is held without bound, so that it is counted all the same.
pub fn hold(config: &Config, tenant: &Tenant, id: &str, note: String, micros: u64, now: Time) -> Hold {
    let row = config.tenant(tenant);
    let limit = |pick: fn(&TenantRow) -> u64| row.map(pick).filter(|limit| *limit > 0).unwrap_or(UNLIMITED);
    let window = |length: u64| now.0.checked_div(length).unwrap_or(0);
    let take =
        |counter: &str, window, amount, limit| Take { counter: counter.to_owned(), window, amount, limit };
    let takes = vec![
        take("requests", window(MINUTE), 1, limit(|row| row.requests_per_minute)),
        take(CONCURRENT, 0, 1, limit(|row| row.concurrency)),
        take("micros", window(DAY), micros, limit(TenantRow::micros_per_day)),
    ];
    let accounts = vec![Takes { account: account(tenant), takes }];
    Hold { id: id.to_owned(), lease: now.plus(config.lease()), note, accounts }
}

/// The hold of one run of code: one place among the tenant's runs, the most it can cost, and a request of the minute
/// unless it is part of an answer that was counted already.
#[allow(clippy::too_many_arguments)] // Each is a part of the hold.
pub fn hold_of_code(
    config: &Config,
    tenant: &Tenant,
    id: &str,
    note: String,
    micros: u64,
    request: bool,
    lease: Time,
    now: Time,
) -> Hold {
    let mut hold = hold(config, tenant, id, note, micros, now);
    let at_once = Some(config.code_at_once(tenant)).filter(|limit| *limit > 0).unwrap_or(UNLIMITED);
    for take in hold.accounts.iter_mut().flat_map(|takes| &mut takes.takes) {
        if take.counter == CONCURRENT {
            *take = Take { counter: CODE.to_owned(), limit: at_once, ..take.clone() };
        } else if take.counter == "requests" {
            take.amount = u64::from(request);
        }
    }
    Hold { lease, ..hold }
}

/// What a run of code really cost; its place is given back.
pub fn spent_on_code(tenant: &Tenant, micros: u64, request: bool) -> Vec<Spent> {
    let spent = vec![("requests".to_owned(), u64::from(request)), ("micros".to_owned(), micros)];
    vec![Spent { account: account(tenant), spent }]
}

/// The tenant's account of sessions that are in use.
pub fn sessions(tenant: &Tenant) -> Key {
    Key::new(tenant, "account/sessions")
}

/// Keeps a session to one run: a second hold of its id is refused while the first is open.
pub fn lock(tenant: &Tenant, id: &str, lease: Time) -> Hold {
    let take = Take { counter: "open".to_owned(), window: 0, amount: 1, limit: UNLIMITED };
    let accounts = vec![Takes { account: sessions(tenant), takes: vec![take] }];
    Hold { id: id.to_owned(), lease, note: String::new(), accounts }
}

/// What ends a [`lock`].
pub fn unlocked(tenant: &Tenant) -> Vec<Spent> {
    vec![Spent { account: sessions(tenant), spent: Vec::new() }]
}

/// What the answer really cost; its place is given back.
pub fn spent(tenant: &Tenant, micros: u64) -> Vec<Spent> {
    let spent = vec![("requests".to_owned(), 1), ("micros".to_owned(), micros)];
    vec![Spent { account: account(tenant), spent }]
}

/// Nothing was asked after all: everything is given back.
pub fn unspent(tenant: &Tenant) -> Vec<Spent> {
    vec![Spent { account: account(tenant), spent: Vec::new() }]
}

/// Why an answer can never be held: it may cost more than the tenant has in a whole day.
pub fn impossible(config: &Config, tenant: &Tenant, micros: u64) -> Option<Error> {
    let budget = config.tenant(tenant).map(TenantRow::micros_per_day).filter(|budget| *budget > 0)?;
    (micros > budget).then(|| {
        let detail = "the answer may cost more than this tenant's budget of a day; lower max_tokens or name fewer targets";
        Error::new(Kind::Limited, detail)
    })
}

/// Whether a counter is one that a freed place can help.
pub fn is_place(counter: &str) -> bool {
    counter == CONCURRENT || counter == CODE || counter == "holds"
}

/// Why a hold was refused, and when to come back.
pub fn refusal(counter: &str, now: Time) -> Error {
    let until = |length: u64| {
        let left = length.saturating_sub(now.0.checked_rem(length).unwrap_or(0));
        Duration::from_millis(left)
    };
    let (detail, after) = match counter {
        "requests" => ("this tenant's requests of this minute are used up", until(MINUTE)),
        "micros" => (
            "this tenant's budget of this day cannot cover what the answer may cost; lower max_tokens or wait",
            until(DAY),
        ),
        CODE => ("this tenant has as many runs of code under way as it may", Duration::from_secs(1)),
        _ => ("this tenant has as many answers under way as it may", Duration::from_secs(1)),
    };
    Error::new(Kind::Limited, detail).after(after)
}

/// The counter of answers at once; it has no window.
const CONCURRENT: &str = "concurrent";

/// The same of runs of code.
const CODE: &str = "code";

/// Far more than anyone spends, and far from overflow.
const UNLIMITED: u64 = 1 << 53;

impl TenantRow {
    /// The day's budget in micro-dollars; 0 means no limit.
    fn micros_per_day(&self) -> u64 {
        (self.usd_per_day * 1e6) as u64
    }
}
