//! Counters: accounts in memory, changed by the core's own algorithm; in the file each is one JSON value.

use std::collections::BTreeMap;

use opencode_core::host::{Closed, Counters, Held, Hold, Key, Overdue, Spent, StoreError, Time};
use opencode_core::identity::Tenant;
use opencode_core::ledger::counters::Account;
use rusqlite::{Connection, params};

use super::{Failure, State};
use crate::store::Store;

/// The most that `overdue` returns.
const MAX_OVERDUE: usize = 100;

impl Counters for Store {
    async fn hold(&self, hold: &Hold) -> Result<Held, StoreError> {
        self.change(|state| state.hold(hold)).await
    }

    async fn close(&self, id: &str, spent: &[Spent]) -> Result<Closed, StoreError> {
        self.change(|state| state.close(id, spent)).await
    }

    async fn overdue(&self, tenant: &Tenant, now: Time, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        Ok(self.books.state().overdue(tenant, now, limit.min(MAX_OVERDUE)))
    }
}

impl Store {
    pub(super) async fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.books.room().await?;
        let mut state = self.books.state();
        let before = state.segment.length;
        let changed = change(&mut state);
        let after = state.segment.length;
        drop(state);
        self.books.gathered(before, after);
        changed
    }
}

impl State {
    fn overdue(&self, tenant: &Tenant, now: Time, limit: usize) -> Vec<Overdue> {
        let of_tenant =
            self.accounts.range(Key::new(tenant, "")..).take_while(|(key, _)| key.tenant() == tenant);
        let holds = of_tenant.flat_map(|(key, account)| account.holds.iter().map(move |hold| (key, hold)));
        let late = holds.filter(|(_, (_, open))| open.lease < now);
        late.take(limit)
            .map(|(key, (id, open))| Overdue {
                id: id.clone(),
                note: open.note.clone(),
                account: key.clone(),
                lease: open.lease,
                takes: open.took.iter().map(|took| (took.counter.clone(), took.amount)).collect(),
            })
            .collect()
    }
}

pub(super) fn load(connection: &Connection) -> Result<BTreeMap<Key, Account>, Failure> {
    let mut statement = connection.prepare("SELECT tenant, name, state FROM account")?;
    let mut rows = statement.query([])?;
    let mut accounts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let tenant = Tenant::try_from(row.get::<_, String>(0)?)
            .map_err(|error| Failure(format!("a stored account cannot be read: {error}")))?;
        let key = Key::new(&tenant, row.get::<_, String>(1)?);
        accounts.insert(key, serde_json::from_str(&row.get::<_, String>(2)?)?);
    }
    Ok(accounts)
}

pub(super) fn save(connection: &Connection, accounts: &[(Key, Option<Account>)]) -> Result<(), Failure> {
    let mut delete = connection.prepare_cached("DELETE FROM account WHERE tenant = ?1 AND name = ?2")?;
    let mut upsert = connection.prepare_cached(
        "INSERT INTO account (tenant, name, state) VALUES (?1, ?2, ?3) \
         ON CONFLICT (tenant, name) DO UPDATE SET state = ?3",
    )?;
    for (key, account) in accounts {
        let (tenant, name) = (key.tenant().as_str(), key.name());
        match account {
            Some(account) => upsert.execute(params![tenant, name, serde_json::to_string(account)?])?,
            None => delete.execute(params![tenant, name])?,
        };
    }
    Ok(())
}
