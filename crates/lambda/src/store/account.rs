//! An account as an item, and the one update that a hold or a close is.
//!
//! Attributes: `c.X`, `w.X`, `l.X` are counter X's rest, window and limit; `h.ID` is an open hold; `n` counts the
//! open holds; `m` is the mark of the last hold; `due` is a lower bound of the earliest lease, in the sparse index
//! `due` under `due_tenant`.

use opencode_core::host::{Hold, Take, Time};
use opencode_core::ledger::counters::{Account, Counter, Open, Took, signed};
use serde::{Deserialize, Serialize};

use super::item::{Item, MARK, get_number};

/// See the module.
pub(crate) const OPEN: &str = "n";
/// See the module.
pub(crate) const DUE: &str = "due";

/// An account as it was seen.
pub(crate) struct Seen {
    /// For the pure algorithm.
    pub(crate) account: Account,
    /// The lower bound of the earliest lease.
    pub(crate) due: Option<u64>,
    /// The mark of the last hold.
    pub(crate) mark: Option<u64>,
}

impl Seen {
    /// Reads an item. What cannot be read is left out.
    pub(crate) fn read(item: &Item) -> Self {
        let mut account = Account::default();
        for (name, value) in item {
            if let Some(counter) = name.strip_prefix("c.") {
                let Some(left) = value.as_n().ok().and_then(|text| whole(text)) else { continue };
                let window = get_number(item, &format!("w.{counter}")).unwrap_or_default();
                let limit = get_number(item, &format!("l.{counter}")).unwrap_or_default();
                account.counters.insert(counter.to_owned(), Counter { window, left, limit });
            } else if let Some(id) = name.strip_prefix("h.")
                && let Some(written) = value.as_s().ok().and_then(|text| Written::parse(text))
            {
                account.holds.insert(id.to_owned(), written.open());
            }
        }
        Self { account, due: get_number(item, DUE), mark: get_number(item, MARK) }
    }
}

/// DynamoDB's numbers have 38 digits; what does not fit saturates.
fn whole(text: &str) -> Option<i64> {
    let value: i128 = text.parse().ok()?;
    Some(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX }))
}

/// An open hold as its attribute holds it: short, because a thousand of them share an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written(u64, Time, String, Vec<(String, u64, u64)>);

impl Written {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The mark of the write that took it.
    pub(crate) fn mark(&self) -> u64 {
        self.0
    }

    pub(crate) fn open(self) -> Open {
        let took = self.3.into_iter().map(|(counter, window, amount)| Took { counter, window, amount });
        Open { lease: self.1, note: self.2, took: took.collect() }
    }
}

/// How a hold takes from one counter, given what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its window stands: subtract. The limit is compared unless the take is of a window that is over.
    Stands { window: u64, limit: Option<u64> },
    /// Its window stands, and its limit was another: subtract, and add the difference.
    Relimits { window: u64, from: u64 },
    /// Its window begins, after the one that was seen: set.
    Begins { after: Option<u64> },
}

impl Step {
    fn stands(take: &Take) -> Self {
        Self::Stands { window: take.window, limit: Some(take.limit) }
    }
}

/// One hold's update of one account.
pub(crate) struct Plan {
    /// One for each take.
    pub(crate) steps: Vec<Step>,
    /// The lease lies before the earliest known one.
    pub(crate) earlier: bool,
}

impl Plan {
    /// Every window stands and the lease is not the earliest: true nearly always.
    pub(crate) fn guess(takes: &[Take]) -> Self {
        let steps = takes.iter().map(Step::stands).collect();
        Self { steps, earlier: false }
    }

    /// What fits the account that was seen.
    pub(crate) fn fitting(seen: &Seen, hold: &Hold, takes: &[Take]) -> Self {
        let step = |take: &Take| match seen.account.counters.get(&take.counter) {
            Some(counter) if counter.window > take.window => {
                Step::Stands { window: counter.window, limit: None }
            }
            Some(counter) if counter.window == take.window && counter.limit == take.limit => {
                Step::stands(take)
            }
            Some(counter) if counter.window == take.window => {
                Step::Relimits { window: counter.window, from: counter.limit }
            }
            Some(counter) => Step::Begins { after: Some(counter.window) },
            None => Step::Begins { after: None },
        };
        let earlier = seen.due.is_some_and(|due| hold.lease.0 < due);
        Self { steps: takes.iter().map(step).collect(), earlier }
    }

    /// The attribute of the hold that this plan opens.
    pub(crate) fn written(&self, mark: u64, hold: &Hold, takes: &[Take]) -> Written {
        let took = takes.iter().zip(&self.steps).map(|(take, step)| {
            let window = match step {
                Step::Stands { window, .. } | Step::Relimits { window, .. } => *window,
                Step::Begins { .. } => take.window,
            };
            (take.counter.clone(), window, take.amount)
        });
        Written(mark, hold.lease, hold.note.clone(), took.collect())
    }
}

/// What a counter has left when its window begins with a take.
pub(crate) fn first(take: &Take) -> i64 {
    signed(take.limit).saturating_sub(signed(take.amount))
}

#[cfg(test)]
mod tests {
    use super::super::item::{number, text};
    use super::*;

    #[test]
    fn an_item_is_read_as_the_account_it_holds() {
        let written = Written(7, Time(5), "note".to_owned(), vec![("usd".to_owned(), 3, 2)]);
        let item = Item::from([
            ("c.usd".to_owned(), number(-1)),
            ("w.usd".to_owned(), number(3)),
            ("l.usd".to_owned(), number(9)),
            ("h.a.b".to_owned(), text(serde_json::to_string(&written).unwrap())),
            (DUE.to_owned(), number(4)),
        ]);
        let seen = Seen::read(&item);
        assert_eq!(seen.account.counters["usd"], Counter { window: 3, left: -1, limit: 9 });
        assert_eq!(seen.account.holds["a.b"].took[0].amount, 2);
        assert_eq!((seen.due, seen.mark), (Some(4), None));
        assert_eq!(whole("99999999999999999999"), Some(i64::MAX));
    }
}
