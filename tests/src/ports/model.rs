//! The ports in memory: what every store is compared with.

use std::collections::BTreeMap;

use bytes::Bytes;
use opencode_core::host::{Closed, Held, Hold, Key, Overdue, Spent, Time};
use opencode_core::identity::Tenant;
use opencode_core::ledger::counters::{Account, Outcome};
use opencode_core::op::{Blob, Op, Played, Stored};

/// All stores of a deployment.
#[derive(Default)]
pub struct Model {
    cache: BTreeMap<Key, Vec<(Bytes, Time)>>,
    records: BTreeMap<Key, (Stored, Option<Time>)>,
    accounts: BTreeMap<Key, Account>,
    logs: BTreeMap<Key, BTreeMap<String, Bytes>>,
    blobs: BTreeMap<Key, (Bytes, Time)>,
}

impl Model {
    /// What a linearizable store answers.
    pub fn play(&mut self, op: &Op) -> Played {
        match op {
            Op::Cached { key, now } => {
                let last = self.cache.get(key).and_then(|values| values.last());
                Played::Value(last.filter(|(_, expires)| now < expires).map(|(value, _)| Blob(value.clone())))
            }
            Op::Cache { key, value, expires } => {
                self.cache.entry(key.clone()).or_default().push((value.0.clone(), *expires));
                Played::Done
            }
            Op::Read { key, now } => Played::Record(self.live(key, *now)),
            Op::Swap { key, seen, value, expires, now } => self.swap(key, *seen, value, *expires, *now),
            Op::Hold(hold) => Played::Held(self.hold(hold)),
            Op::Close { id, spent } => Played::Closed(self.close(id, spent)),
            Op::Overdue { tenant, now, limit } => Played::Overdue(self.overdue(tenant, *now, *limit)),
            Op::Append { log, id, value, .. } => {
                let entries = self.logs.entry(log.clone()).or_default();
                let new = !entries.contains_key(id);
                entries.entry(id.clone()).or_insert_with(|| value.0.clone());
                Played::Appended { new }
            }
            Op::Scan { log, after, limit } => {
                let entries = self.logs.get(log).into_iter().flatten();
                let later = entries.filter(|(id, _)| *id > after).take(*limit);
                Played::Entries(later.map(|(id, value)| (id.clone(), Blob(value.clone()))).collect())
            }
            Op::Put { key, value, expires } => {
                self.blobs.insert(key.clone(), (value.0.clone(), *expires));
                Played::Done
            }
            Op::Get { key, now } => {
                let live = self.blobs.get(key).filter(|(_, expires)| now < expires);
                Played::Value(live.map(|(value, _)| Blob(value.clone())))
            }
            Op::Remove { key } => {
                self.blobs.remove(key);
                Played::Done
            }
        }
    }

    /// Whether a store may give this answer where the model gives `expected`. A cache may miss or answer with an
    /// older value that has not expired.
    pub fn allows(&self, op: &Op, expected: &Played, actual: &Played) -> bool {
        match (op, actual) {
            (Op::Cached { .. }, Played::Value(None)) => true,
            (Op::Cached { key, now }, Played::Value(Some(value))) => {
                let values = self.cache.get(key).into_iter().flatten();
                values.into_iter().any(|(known, expires)| *known == value.0 && now < expires)
            }
            (_, Played::Overdue(_)) => sorted(expected.clone()) == sorted(actual.clone()),
            _ => expected == actual,
        }
    }

    /// An account as it stands.
    pub fn account(&self, key: &Key) -> Option<&Account> {
        self.accounts.get(key)
    }

    fn live(&self, key: &Key, now: Time) -> Option<Stored> {
        let (stored, expires) = self.records.get(key)?;
        expires.is_none_or(|expires| now < expires).then(|| stored.clone())
    }

    fn swap(&mut self, key: &Key, seen: u64, value: &Blob, expires: Option<Time>, now: Time) -> Played {
        let live = self.live(key, now);
        let version = live.as_ref().map_or(0, |stored| stored.version);
        if version != seen {
            return Played::Lost(live);
        }
        let stored = Stored { version: version + 1, value: value.clone() };
        self.records.insert(key.clone(), (stored, expires));
        Played::Swapped(version + 1)
    }

    fn hold(&mut self, hold: &Hold) -> Held {
        let mut taken = false;
        for (index, takes) in hold.accounts.iter().enumerate() {
            let account = self.accounts.entry(takes.account.clone()).or_default();
            match account.hold(&hold.id, hold.lease, &hold.note, &takes.takes) {
                Outcome::Taken => taken = true,
                Outcome::Already => {}
                Outcome::Short { counter, left } => return Held::Short { account: index, counter, left },
            }
        }
        if taken { Held::Held } else { Held::Already }
    }

    fn close(&mut self, id: &str, spent: &[Spent]) -> Closed {
        let mut closed = Closed::Already;
        for part in spent {
            if self.accounts.get_mut(&part.account).is_some_and(|account| account.close(id, &part.spent)) {
                closed = Closed::Closed;
            }
        }
        closed
    }

    fn overdue(&self, tenant: &Tenant, now: Time, limit: usize) -> Vec<Overdue> {
        let accounts = self.accounts.iter().filter(|(key, _)| key.tenant() == tenant);
        let holds =
            accounts.flat_map(|(key, account)| account.holds.iter().map(move |(id, open)| (key, id, open)));
        let late = holds.filter(|(_, _, open)| open.lease < now);
        late.take(limit)
            .map(|(key, id, open)| Overdue {
                id: id.clone(),
                note: open.note.clone(),
                account: key.clone(),
                lease: open.lease,
                takes: open.took.iter().map(|took| (took.counter.clone(), took.amount)).collect(),
            })
            .collect()
    }
}

/// The order of a hold's takes is nobody's business.
fn sorted(mut answer: Played) -> Played {
    if let Played::Overdue(list) = &mut answer {
        list.iter_mut().for_each(|overdue| overdue.takes.sort());
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opencode_core::host::Time;

    use super::*;
    use crate::ports::generate::Sequence;

    /// A comparison proves little if the operations never meet.
    #[test]
    fn sequences_reach_every_kind_of_answer() {
        let mut seen = BTreeMap::<&str, usize>::new();
        for seed in 0..40 {
            let mut model = Model::default();
            let mut sequence = Sequence::new(seed, "t", Time(1_000_000));
            for step in 0..60 {
                let kind = kind(&model.play(&sequence.op(step)));
                *seen.entry(kind).or_default() += 1;
            }
        }
        for kind in [
            "value",
            "no value",
            "record",
            "no record",
            "swapped",
            "lost to",
            "lost",
            "held",
            "already held",
            "short",
            "closed",
            "already closed",
            "overdue",
            "new",
            "old",
            "entries",
        ] {
            assert!(seen.get(kind).copied().unwrap_or(0) >= 10, "{kind}: {seen:?}");
        }
    }

    fn kind(answer: &Played) -> &'static str {
        match answer {
            Played::Value(Some(_)) => "value",
            Played::Value(None) => "no value",
            Played::Record(Some(_)) => "record",
            Played::Record(None) => "no record",
            Played::Swapped(_) => "swapped",
            Played::Lost(Some(_)) => "lost to",
            Played::Lost(None) => "lost",
            Played::Held(Held::Held) => "held",
            Played::Held(Held::Already) => "already held",
            Played::Held(Held::Short { .. }) => "short",
            Played::Closed(Closed::Closed) => "closed",
            Played::Closed(Closed::Already) => "already closed",
            Played::Overdue(list) if !list.is_empty() => "overdue",
            Played::Appended { new: true } => "new",
            Played::Appended { new: false } => "old",
            Played::Entries(list) if !list.is_empty() => "entries",
            _ => "nothing",
        }
    }
}
