//! Blobs: one row per part, because a row holds at most 2 MB.

use opencode_core::host::{Key, MAX_BLOB, Time};
use opencode_core::op::{Blob, Played};
use worker::Result;

use super::sql::{Sql, blob, int, name, time};

/// Every part carries its blob's expiry.
pub const TABLE: &str = "CREATE TABLE IF NOT EXISTS blob
    (key TEXT NOT NULL, part INTEGER NOT NULL, value BLOB NOT NULL, expires INTEGER NOT NULL,
    PRIMARY KEY (key, part)) WITHOUT ROWID";

const INSERT: &str = "INSERT INTO blob (key, part, value, expires) VALUES (?1, ?2, ?3, ?4)";

/// The bytes of a part.
const PART: usize = 512 * 1024;

/// Replaces a blob.
pub fn put(sql: &Sql, key: &Key, value: &[u8], expires: Time) -> Result<Played> {
    if value.len() > MAX_BLOB {
        return Err(format!("a value of {} bytes is larger than {MAX_BLOB}", value.len()).into());
    }
    remove(sql, key)?;
    // An empty blob has one empty part, so that it is there.
    let empty: &[u8] = &[];
    let parts = value.chunks(PART).chain(value.is_empty().then_some(empty));
    for (number, part) in parts.enumerate() {
        sql.run(INSERT, [name(key), int(number as u64), blob(part), time(expires)])?;
    }
    Ok(Played::Done)
}

/// The live blob.
pub fn get(sql: &Sql, key: &Key, now: Time) -> Result<Played> {
    let query = "SELECT value FROM blob WHERE key = ?1 AND expires > ?2 ORDER BY part";
    let mut value = None;
    for row in sql.rows(query, [name(key), time(now)])? {
        value.get_or_insert_with(Vec::new).extend_from_slice(&row?.bytes()?);
    }
    Ok(Played::Value(value.map(|value| Blob(value.into()))))
}

/// Removes a blob.
pub fn remove(sql: &Sql, key: &Key) -> Result<Played> {
    sql.run("DELETE FROM blob WHERE key = ?1", [name(key)])?;
    Ok(Played::Done)
}

/// Deletes what has expired.
pub fn sweep(sql: &Sql, now: Time) -> Result<()> {
    sql.run("DELETE FROM blob WHERE expires <= ?1", [time(now)])
}

/// When the next blob expires.
pub fn next(sql: &Sql) -> Result<Option<Time>> {
    let rows = sql.rows("SELECT expires FROM blob ORDER BY expires LIMIT 1", [])?;
    rows.map(|row| Ok(Time(row?.int()?))).next().transpose()
}
