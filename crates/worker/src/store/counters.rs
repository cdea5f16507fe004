//! Counters: one row per account, whose value is the core's [`Account`] as JSON.

use opencode_core::host::{Closed, Held, Hold, Key, Overdue, Spent, Time};
use opencode_core::identity::Tenant;
use opencode_core::ledger::counters::{Account, Outcome};
use opencode_core::op::Played;
use opencode_core::wire::json::parse;
use worker::{Result, SqlStorageValue};

use super::sql::{Sql, int, name, time};

/// `due` is the earliest lease of the account's open holds, null without any.
pub const TABLE: &str = "CREATE TABLE IF NOT EXISTS account
    (key TEXT PRIMARY KEY, value TEXT NOT NULL, due INTEGER) WITHOUT ROWID";

/// Finds the accounts with overdue holds.
pub const INDEX: &str = "CREATE INDEX IF NOT EXISTS account_due ON account (due) WHERE due IS NOT NULL";

const UPSERT: &str = "INSERT INTO account (key, value, due) VALUES (?1, ?2, ?3)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, due = excluded.due";

/// The most holds that one answer names.
const MAX_OVERDUE: usize = 100;

/// Takes from each account in order, up to the first that is short.
pub fn hold(sql: &Sql, hold: &Hold) -> Result<Played> {
    let mut taken = false;
    for (index, takes) in hold.accounts.iter().enumerate() {
        let mut account = load(sql, &takes.account)?;
        match account.hold(&hold.id, hold.lease, &hold.note, &takes.takes) {
            Outcome::Taken => {
                save(sql, &takes.account, &account)?;
                taken = true;
            }
            Outcome::Already => {}
            Outcome::Short { counter, left } => {
                return Ok(Played::Held(Held::Short { account: index, counter, left }));
            }
        }
    }
    Ok(Played::Held(if taken { Held::Held } else { Held::Already }))
}

/// Ends a hold on each account.
pub fn close(sql: &Sql, id: &str, spent: &[Spent]) -> Result<Played> {
    let mut closed = Closed::Already;
    for spent in spent {
        let mut account = load(sql, &spent.account)?;
        if account.close(id, &spent.spent) {
            save(sql, &spent.account, &account)?;
            closed = Closed::Closed;
        }
    }
    Ok(Played::Closed(closed))
}

/// The abandoned holds, in order of account and id.
pub fn overdue(sql: &Sql, tenant: &Tenant, now: Time, limit: usize) -> Result<Played> {
    let limit = limit.min(MAX_OVERDUE);
    let mut found = Vec::new();
    let query = "SELECT key, value FROM account WHERE due < ?1 ORDER BY key LIMIT ?2";
    // Each of these accounts has at least one hold to name.
    for row in sql.rows(query, [time(now), int(limit as u64)])? {
        let mut row = row?;
        let key = row.text()?;
        let name = key.split_once('/').map_or(key.as_str(), |(_, name)| name);
        let account: Account = parse(&row.text()?)?;
        for (id, open) in account.holds.into_iter().filter(|(_, open)| open.lease < now) {
            found.push(Overdue {
                id,
                note: open.note,
                account: Key::new(tenant, name),
                lease: open.lease,
                takes: open.took.into_iter().map(|took| (took.counter, took.amount)).collect(),
            });
        }
    }
    found.truncate(limit);
    Ok(Played::Overdue(found))
}

fn load(sql: &Sql, key: &Key) -> Result<Account> {
    let mut rows = sql.rows("SELECT value FROM account WHERE key = ?1", [name(key)])?;
    match rows.next() {
        Some(row) => Ok(parse(&row?.text()?)?),
        None => Ok(Account::default()),
    }
}

fn save(sql: &Sql, key: &Key, account: &Account) -> Result<()> {
    if account.is_fresh() {
        return sql.run("DELETE FROM account WHERE key = ?1", [name(key)]);
    }
    let value = SqlStorageValue::String(serde_json::to_string(account)?);
    sql.run(UPSERT, [name(key), value, account.due().map_or(SqlStorageValue::Null, time)])
}
