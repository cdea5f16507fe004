//! The one algorithm behind `Counters`, pure: what an account is, and what a hold and a close do to it.
//!
//! SQLite and the Durable Object keep an [`Account`] as one JSON value and apply these functions inside a
//! transaction. DynamoDB keeps one attribute per counter and per hold and takes a single conditional update
//! where it can; these functions decide the rest, and a model-based test compares all three.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host::{Take, Time};

/// How many holds may be open on one account at a time. Bounds the item that holds them.
pub const MAX_OPEN: usize = 1_000;

/// What is left of each counter, and the holds that are open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// By name.
    pub counters: BTreeMap<String, Counter>,
    /// By id.
    pub holds: BTreeMap<String, Open>,
}

/// One counter in its current window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The window that `left` belongs to.
    pub window: u64,
    /// May be negative after a close that spent more than was held.
    pub left: i64,
    /// What the window has in all.
    pub limit: u64,
}

/// An open hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// When it counts as abandoned.
    pub lease: Time,
    /// The caller's note.
    pub note: String,
    /// What was taken.
    pub took: Vec<Took>,
}

/// What a hold took from one counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Took {
    /// The counter's name.
    pub counter: String,
    /// The window it was taken from.
    pub window: u64,
    /// How much.
    pub amount: u64,
}

/// What a hold did to one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All amounts were taken.
    Taken,
    /// Nothing was taken.
    Short {
        /// The first counter that was short, or `holds`.
        counter: String,
        /// What it had left.
        left: i64,
    },
    /// A hold of this id is open.
    Already,
}

impl Account {
    /// Takes every amount or none.
    ///
    /// A take whose window is newer than the counter's starts the window at its limit. One whose window is older
    /// (a slow clock) is charged to the counter's current window. One whose limit is another changes the window that
    /// stands by the difference.
    pub fn hold(&mut self, id: &str, lease: Time, note: &str, takes: &[Take]) -> Outcome {
        if self.holds.contains_key(id) {
            return Outcome::Already;
        }
        if self.holds.len() >= MAX_OPEN {
            return Outcome::Short { counter: "holds".to_owned(), left: 0 };
        }
        let mut next = Vec::with_capacity(takes.len());
        for take in takes {
            let now = self.current(take);
            let left = now.left.saturating_sub(signed(take.amount));
            if left < 0 && take.amount > 0 {
                return Outcome::Short { counter: take.counter.clone(), left: now.left };
            }
            next.push((take, Counter { left, ..now }));
        }
        let mut took = Vec::with_capacity(next.len());
        for (take, counter) in next {
            took.push(Took { counter: take.counter.clone(), window: counter.window, amount: take.amount });
            self.counters.insert(take.counter.clone(), counter);
        }
        self.holds.insert(id.to_owned(), Open { lease, note: note.to_owned(), took });
        Outcome::Taken
    }

    /// Ends a hold; false when it is not open. Each counter gets back what was held and not spent, if it is still
    /// in the window that was taken from.
    pub fn close(&mut self, id: &str, spent: &[(String, u64)]) -> bool {
        let Some(open) = self.holds.remove(id) else { return false };
        for took in &open.took {
            let back = took.back(spent);
            if let Some(counter) = self.counters.get_mut(&took.counter)
                && counter.window == took.window
            {
                counter.left = counter.left.saturating_add(back);
            }
        }
        true
    }

    /// The earliest lease of an open hold.
    pub fn due(&self) -> Option<Time> {
        self.holds.values().map(|open| open.lease).min()
    }

    /// Whether this account is indistinguishable from one that does not exist yet, and so may be deleted.
    pub fn is_fresh(&self) -> bool {
        self.holds.is_empty() && self.counters.values().all(|c| c.left == signed(c.limit))
    }

    fn current(&self, take: &Take) -> Counter {
        match self.counters.get(&take.counter) {
            Some(counter) if counter.window > take.window => counter.clone(),
            Some(counter) if counter.window == take.window => {
                let more = signed(take.limit).saturating_sub(signed(counter.limit));
                let left = counter.left.saturating_add(more);
                Counter { window: counter.window, left, limit: take.limit }
            }
            _ => Counter { window: take.window, left: signed(take.limit), limit: take.limit },
        }
    }
}

impl Took {
    /// What the counter gets back at the close: negative when more was spent than held.
    pub fn back(&self, spent: &[(String, u64)]) -> i64 {
        let spent = spent.iter().find(|(name, _)| *name == self.counter).map_or(0, |(_, amount)| *amount);
        signed(self.amount).saturating_sub(signed(spent))
    }
}

/// Amounts fit: the core takes far less than 2^63 of anything.
pub fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(counter: &str, window: u64, amount: u64, limit: u64) -> Take {
        Take { counter: counter.to_owned(), window, amount, limit }
    }

    fn hold(account: &mut Account, id: &str, takes: &[Take]) -> Outcome {
        account.hold(id, Time(100), "", takes)
    }

    fn short(counter: &str, left: i64) -> Outcome {
        Outcome::Short { counter: counter.to_owned(), left }
    }

    fn left(account: &Account, counter: &str) -> Option<i64> {
        account.counters.get(counter).map(|counter| counter.left)
    }

    #[test]
    fn all_amounts_are_taken_or_none() {
        let mut account = Account::default();
        let both = [take("a", 1, 6, 10), take("b", 1, 1, 1)];
        assert_eq!(hold(&mut account, "1", &both), Outcome::Taken);
        assert_eq!(hold(&mut account, "1", &both), Outcome::Already);
        assert_eq!(hold(&mut account, "2", &both), short("a", 4));
        assert_eq!(hold(&mut account, "2", &[take("a", 1, 4, 10), take("b", 1, 1, 1)]), short("b", 0));
        assert_eq!((left(&account, "a"), left(&account, "b")), (Some(4), Some(0)));
        assert_eq!(hold(&mut account, "3", &[take("a", 1, 0, 10)]), Outcome::Taken);
    }

    #[test]
    fn a_close_gives_back_what_was_not_spent_and_charges_what_was_over() {
        let mut account = Account::default();
        hold(&mut account, "1", &[take("a", 1, 6, 10), take("place", 0, 1, 1)]);
        assert!(account.close("1", &[("a".to_owned(), 2)]));
        assert_eq!((left(&account, "a"), left(&account, "place")), (Some(8), Some(1)));
        assert!(!account.close("1", &[]), "only once");
        hold(&mut account, "2", &[take("a", 1, 8, 10)]);
        assert!(account.close("2", &[("a".to_owned(), 11)]));
        assert_eq!(left(&account, "a"), Some(-3));
        assert_eq!(hold(&mut account, "3", &[take("a", 1, 1, 10)]), short("a", -3));
    }

    #[test]
    fn a_new_window_begins_at_its_limit_and_an_old_hold_gives_nothing_back_to_it() {
        let mut account = Account::default();
        hold(&mut account, "old", &[take("a", 1, 10, 10)]);
        assert_eq!(hold(&mut account, "new", &[take("a", 2, 5, 20)]), Outcome::Taken);
        assert!(account.close("old", &[]));
        assert_eq!(left(&account, "a"), Some(15));
        assert_eq!(hold(&mut account, "slow clock", &[take("a", 1, 15, 10)]), Outcome::Taken);
        assert_eq!(left(&account, "a"), Some(0));
    }

    #[test]
    fn a_changed_limit_changes_the_window_that_stands() {
        let mut account = Account::default();
        hold(&mut account, "1", &[take("a", 1, 6, 10)]);
        assert_eq!(hold(&mut account, "2", &[take("a", 1, 7, 12)]), short("a", 6), "nothing changes");
        assert_eq!(left(&account, "a"), Some(4));
        assert_eq!(hold(&mut account, "2", &[take("a", 1, 7, 15)]), Outcome::Taken);
        assert_eq!(left(&account, "a"), Some(2));
        assert_eq!(
            hold(&mut account, "3", &[take("a", 1, 1, 5)]),
            short("a", -8),
            "lowered under what is held"
        );
        assert!(account.close("1", &[]) && account.close("2", &[]));
        assert!(account.is_fresh());
    }

    #[test]
    fn what_is_open_is_bounded_and_known() {
        let mut account = Account::default();
        assert!(account.is_fresh() && account.due().is_none());
        for id in 0..MAX_OPEN {
            assert_eq!(hold(&mut account, &id.to_string(), &[take("a", 1, 1, 5_000)]), Outcome::Taken);
        }
        assert_eq!(hold(&mut account, "more", &[take("a", 1, 1, 5_000)]), short("holds", 0));
        assert_eq!(account.due(), Some(Time(100)));
        for id in 0..MAX_OPEN {
            account.close(&id.to_string(), &[]);
        }
        assert!(account.is_fresh());
    }
}
