//! The books, once the leases of the dead have run out and the sweep has been round.

use opencode_core::host::{Key, Time};
use opencode_core::identity::Tenant;
use opencode_core::ledger::receipt::{Outcome, Receipt};
use opencode_core::ledger::usage::{self, Usage};
use opencode_core::ledger::{counters, reserve};
use opencode_core::op::{Op, Played};

use crate::sim::world::{Held, World};

/// One receipt of each answer: its owner's, or a `lost` one where the owner died with a hold open.
pub fn books(world: &World, call: usize) {
    let broken = {
        let state = world.state.borrow();
        let it = &state.calls[call];
        let held = state.holds.values().any(|held| held.call == Some(call));
        let asked = state.attempts.iter().any(|attempt| attempt.call == call);
        let answered = asked || it.header("x-opencode-cache") == Some("hit");
        let lost = it.receipts.iter().filter(|receipt| receipt.outcome == Outcome::Lost).count();
        let all = it.receipts.len();
        if all > 1 {
            Some(format!("{all} receipts of one answer"))
        } else if let Some(died) = it.died {
            // A hold that was given back before anything was asked costs nobody anything.
            let open = |held: &Held| held.call == Some(call) && held.closed.is_none_or(|at| at > died);
            let due = state.holds.values().any(open) || (held && asked);
            (due && all == 0).then(|| "an owner died with a hold, and no receipt says so".to_owned())
        } else if answered && held && all == 0 {
            Some("an answer that was held for has no receipt".to_owned())
        } else if answered && it.append_errors < 2 && lost > 0 {
            Some("a `lost` receipt of an answer whose owner lived".to_owned())
        } else if !answered && it.left.is_none() && it.append_errors == 0 && all > lost {
            Some("a receipt, and nothing was asked".to_owned())
        } else {
            None
        }
    };
    if let Some(what) = broken {
        world.breaks(Some(call), what);
    }
}

/// Every counter is back where it belongs: what was held is given back but for what the receipts say.
pub fn counters(world: &World) {
    for row in &world.tenants {
        let tenant = Tenant::try_from(row.name.clone()).expect("a tenant");
        let account = world.state.borrow().stores.account(&reserve::account(&tenant)).cloned();
        for (name, counter) in account.iter().flat_map(|account| &account.counters) {
            let used = world.used(&row.name, name).get(&counter.window).copied().unwrap_or(0);
            let expected = counters::signed(counter.limit) - counters::signed(used);
            if counter.left != expected {
                let left = counter.left;
                world.breaks(None, format!("{tenant} has {left} {name} left in the end, not {expected}"));
            }
        }
        if account.is_some_and(|account| !account.holds.is_empty()) {
            world.breaks(None, format!("{tenant} has open holds in the end"));
        }
        holds(world, &row.name);
        totals(world, &tenant);
    }
}

/// Each hold was closed at its receipt's cost, or at nothing where nothing was asked.
fn holds(world: &World, tenant: &str) {
    let mut broken = Vec::new();
    {
        let state = world.state.borrow();
        for (id, held) in state.holds.iter().filter(|(_, held)| held.tenant == tenant) {
            let receipts = || state.calls.iter().flat_map(|call| &call.receipts);
            let cost = receipts().find(|receipt| receipt.id == *id).map_or(0, |receipt| receipt.cost_micros);
            let spent = held.spent.as_ref().map(|spent| {
                spent.iter().find(|(name, _)| name == "micros").map_or(0, |(_, amount)| *amount)
            });
            if spent != Some(cost) {
                let what =
                    format!("the hold {id} was closed at {spent:?}, and its receipt says {cost} micros");
                broken.push((held.call, what));
            }
        }
    }
    broken.into_iter().for_each(|(call, what)| world.breaks(call, what));
}

/// The log holds each receipt once, and the totals are their sum.
fn totals(world: &World, tenant: &Tenant) {
    let now = Time(world.clock.now());
    let (log, stored) = {
        let stores = &mut world.state.borrow_mut().stores;
        let scan = Op::Scan { log: reserve::receipts(tenant), after: String::new(), limit: 10_000 };
        let key: Key = usage::record(tenant);
        (stores.play(&scan), stores.play(&Op::Read { key, now }))
    };
    let Played::Entries(entries) = log else { return };
    let receipts: Vec<Receipt> =
        entries.iter().filter_map(|(_, value)| serde_json::from_slice(&value.0).ok()).collect();
    let totals: Usage = match stored {
        Played::Record(Some(stored)) => serde_json::from_slice(&stored.value.0).unwrap_or_default(),
        _ => Usage::default(),
    };
    let said = |pick: fn(&usage::Totals) -> u64| totals.days.values().map(pick).sum::<u64>();
    let summed = (receipts.len() as u64, receipts.iter().map(|receipt| receipt.cost_micros).sum::<u64>());
    let rolled = (said(|day| day.answers), said(|day| day.micros));
    if summed != rolled {
        world
            .breaks(None, format!("{tenant}'s receipts add up to {summed:?}, and its totals say {rolled:?}"));
    }
}
