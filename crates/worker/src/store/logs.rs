//! Logs: one row per entry.

use bytes::Bytes;
use opencode_core::host::Key;
use opencode_core::op::{Blob, Played};
use worker::{Result, SqlStorageValue};

use super::sql::{Sql, blob, int, name};

/// Ids are compared as bytes, SQLite's default for texts.
pub const TABLE: &str = "CREATE TABLE IF NOT EXISTS entry
    (log TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (log, id)) WITHOUT ROWID";

/// The most entries of one answer.
const MAX_SCAN: usize = 500;

/// The most bytes of one answer, whose first entry may be larger.
const PAGE: usize = 1024 * 1024;

/// Stores an entry, unless its id is there.
pub fn append(sql: &Sql, log: &Key, id: &str, value: Bytes) -> Result<Played> {
    let insert = "INSERT INTO entry (log, id, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING RETURNING 1";
    let mut rows = sql.rows(insert, [name(log), SqlStorageValue::from(id), blob(&value)])?;
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
