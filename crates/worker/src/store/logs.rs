//! Logs: one row per entry.

use bytes::Bytes;
use opencode_core::host::{Key, Time};
use opencode_core::op::{Blob, Played};
use worker::{Result, SqlStorageValue};

use super::sql::{Sql, blob, int, name, time};

/// Ids are compared as bytes, SQLite's default for texts.
pub const TABLE: &str = "CREATE TABLE IF NOT EXISTS entry
    (log TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, expires INTEGER, PRIMARY KEY (log, id)) WITHOUT ROWID";
const INDEX: &str = "CREATE INDEX IF NOT EXISTS entry_expires ON entry (expires) WHERE expires IS NOT NULL";

/// The most entries of one answer.
const MAX_SCAN: usize = 500;

/// The most bytes of one answer, whose first entry may be larger.
const PAGE: usize = 1024 * 1024;

/// Gives the table of an object that was made before entries could expire its column for that.
pub fn migrate(sql: &Sql) -> Result<()> {
    let has = "SELECT COUNT(*) FROM pragma_table_info('entry') WHERE name = 'expires'";
    let has = sql.rows(has, [])?.next().transpose()?.map(|mut row| row.int()).transpose()?;
    if has == Some(0) {
        sql.run("ALTER TABLE entry ADD COLUMN expires INTEGER", [])?;
    }
    sql.run(INDEX, [])
}

/// Stores an entry, unless its id is there. `expires` is null for those that are kept for good.
pub fn append(sql: &Sql, log: &Key, id: &str, value: Bytes, expires: Option<Time>) -> Result<Played> {
    let insert = "INSERT INTO entry (log, id, value, expires) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO NOTHING RETURNING 1";
    let expires = expires.map_or(SqlStorageValue::Null, time);
    let mut rows = sql.rows(insert, [name(log), SqlStorageValue::from(id), blob(&value), expires])?;
    Ok(Played::Appended { new: rows.next().transpose()?.is_some() })
}

/// A page of entries.
pub fn scan(sql: &Sql, log: &Key, after: &str, limit: usize) -> Result<Played> {
    let query = "SELECT id, value FROM entry WHERE log = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let limit = int(limit.min(MAX_SCAN) as u64);
    let mut entries = Vec::new();
    let mut bytes: usize = 0;
    for row in sql.rows(query, [name(log), SqlStorageValue::from(after), limit])? {
        let mut row = row?;
        let (id, value) = (row.text()?, row.bytes()?);
        bytes = bytes.saturating_add(value.len());
        if bytes > PAGE && !entries.is_empty() {
            break;
        }
        entries.push((id, Blob(value)));
    }
    Ok(Played::Entries(entries))
}

/// Deletes what has expired.
pub fn sweep(sql: &Sql, now: Time) -> Result<()> {
    sql.run("DELETE FROM entry WHERE expires <= ?1", [time(now)])
}

/// When the next entry expires.
pub fn next(sql: &Sql) -> Result<Option<Time>> {
    let rows = sql.rows("SELECT expires FROM entry WHERE expires NOT NULL ORDER BY expires LIMIT 1", [])?;
    rows.map(|row| Ok(Time(row?.int()?))).next().transpose()
}
