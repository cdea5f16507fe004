//! Counters: each account is one JSON value, changed by the core's own algorithm.

use opencode_core::host::{Closed, Counters, Held, Hold, Key, Overdue, Spent, StoreError, Time};
use opencode_core::identity::Tenant;
use opencode_core::ledger::counters::{Account, Outcome};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Failure, Store, signed};

/// The most that `overdue` returns.
const MAX_OVERDUE: usize = 100;

impl Counters for Store {
    async fn hold(&self, hold: &Hold) -> Result<Held, StoreError> {
        let hold = hold.clone();
        self.call(move |db| take(db, &hold)).await
    }

    async fn close(&self, id: &str, spent: &[Spent]) -> Result<Closed, StoreError> {
        let (id, spent) = (id.to_owned(), spent.to_vec());
        self.call(move |db| {
            let mut closed = Closed::Already;
            for spent in &spent {
                let mut account = load(db, &spent.account)?;
                if account.close(&id, &spent.spent) {
                    save(db, &spent.account, &account)?;
                    closed = Closed::Closed;
                }
            }
            Ok(closed)
        })
        .await
    }

    async fn overdue(&self, tenant: &Tenant, now: Time, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        let tenant = tenant.clone();
        self.single(move |db| overdue(db, &tenant, now, limit.min(MAX_OVERDUE))).await
    }
}

fn take(db: &Connection, hold: &Hold) -> Result<Held, Failure> {
    let mut held = Held::Already;
    for (place, takes) in hold.accounts.iter().enumerate() {
        let mut account = load(db, &takes.account)?;
        match account.hold(&hold.id, hold.lease, &hold.note, &takes.takes) {
            Outcome::Taken => {
                save(db, &takes.account, &account)?;
                held = Held::Held;
            }
            Outcome::Already => {}
            Outcome::Short { counter, left } => return Ok(Held::Short { account: place, counter, left }),
        }
    }
    Ok(held)
}

fn overdue(db: &Connection, tenant: &Tenant, now: Time, limit: usize) -> Result<Vec<Overdue>, Failure> {
    // Each account found has at least one such hold, so `limit` accounts are enough.
    let sql = "SELECT name, state FROM account WHERE tenant = ?1 AND due < ?2 ORDER BY name LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![tenant.as_str(), signed(now.0), signed(limit as u64)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = Key::new(tenant, row.get::<_, String>(0)?);
        let account: Account =
            serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        for (id, open) in account.holds {
            if open.lease >= now || found.len() == limit {
                continue;
            }
            let takes = open.took.into_iter().map(|took| (took.counter, took.amount)).collect();
            found.push(Overdue { id, note: open.note, account: key.clone(), lease: open.lease, takes });
        }
    }
    Ok(found)
}

fn load(db: &Connection, key: &Key) -> Result<Account, Failure> {
    let mut statement = db.prepare_cached("SELECT state FROM account WHERE tenant = ?1 AND name = ?2")?;
    let state: Option<String> =
        statement.query_row(params![key.tenant().as_str(), key.name()], |row| row.get(0)).optional()?;
    match state {
        Some(state) => Ok(serde_json::from_str(&state)?),
        None => Ok(Account::default()),
    }
}

fn save(db: &Connection, key: &Key, account: &Account) -> Result<(), Failure> {
    let (tenant, name) = (key.tenant().as_str(), key.name());
    if account.is_fresh() {
        db.prepare_cached("DELETE FROM account WHERE tenant = ?1 AND name = ?2")?
            .execute(params![tenant, name])?;
        return Ok(());
    }
    let sql = "INSERT INTO account (tenant, name, state, due) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (tenant, name) DO UPDATE SET state = ?3, due = ?4";
    let due = account.due().map(|time| signed(time.0));
    db.prepare_cached(sql)?.execute(params![tenant, name, serde_json::to_string(account)?, due])?;
    Ok(())
}
