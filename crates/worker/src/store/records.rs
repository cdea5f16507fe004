//! Records: one row each.

use bytes::Bytes;
use opencode_core::host::{Key, Time};
use opencode_core::op::{Blob, Played, Stored};
use worker::{Result, SqlStorageValue};

use super::sql::{Sql, blob, int, name, time};

/// `expires` is null for records that are kept for good.
pub const TABLE: &str = "CREATE TABLE IF NOT EXISTS record
    (key TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL, expires INTEGER) WITHOUT ROWID";

const UPSERT: &str =
    "INSERT INTO record (key, version, value, expires) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key)
    DO UPDATE SET version = excluded.version, value = excluded.value, expires = excluded.expires";

/// The live record.
pub fn read(sql: &Sql, key: &Key, now: Time) -> Result<Played> {
    Ok(Played::Record(live(sql, key, now)?))
}

/// Writes when the live record is the one that was seen.
pub fn swap(
    sql: &Sql,
    key: &Key,
    seen: u64,
    value: Bytes,
    expires: Option<Time>,
    now: Time,
) -> Result<Played> {
    let live = live(sql, key, now)?;
    if live.as_ref().map_or(0, |record| record.version) != seen {
        return Ok(Played::Lost(live));
    }
    let version = seen.saturating_add(1);
    let expires = expires.map_or(SqlStorageValue::Null, time);
    sql.run(UPSERT, [name(key), int(version), blob(&value), expires])?;
    Ok(Played::Swapped(version))
}

/// Deletes what has expired.
pub fn sweep(sql: &Sql, now: Time) -> Result<()> {
    sql.run("DELETE FROM record WHERE expires <= ?1", [time(now)])
}

/// When the next record expires.
pub fn next(sql: &Sql) -> Result<Option<Time>> {
    let rows = sql.rows("SELECT expires FROM record WHERE expires NOT NULL ORDER BY expires LIMIT 1", [])?;
    rows.map(|row| Ok(Time(row?.int()?))).next().transpose()
}

fn live(sql: &Sql, key: &Key, now: Time) -> Result<Option<Stored>> {
    let query = "SELECT version, value FROM record WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
    let rows = sql.rows(query, [name(key), time(now)])?;
    rows.map(|row| {
        let mut row = row?;
        Ok(Stored { version: row.int()?, value: Blob(row.bytes()?) })
    })
    .next()
    .transpose()
}
