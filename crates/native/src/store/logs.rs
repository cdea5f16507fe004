//! Logs: append once, read in the order of ids.

use bytes::Bytes;
use opencode_core::host::{Appended, Entry, Key, Logs, MAX_ENTRY, StoreError};
use rusqlite::params;

use super::{Store, fits, signed};

/// The most entries, and bytes beyond the first entry, that one scan returns.
const MAX_SCAN: usize = 500;
const MAX_PAGE: usize = 1024 * 1024;

impl Logs for Store {
    async fn append(&self, log: &Key, id: &str, value: Bytes) -> Result<Appended, StoreError> {
        fits("log entry", value.len(), MAX_ENTRY)?;
        let (log, id) = (log.to_string(), id.to_owned());
        self.single(move |db| {
            let sql = "INSERT INTO log (log, id, value) VALUES (?1, ?2, ?3) ON CONFLICT (log, id) DO NOTHING";
            let stored = db.prepare_cached(sql)?.execute(params![log, id, &value[..]])?;
            Ok(if stored == 1 { Appended::New } else { Appended::Already })
        })
        .await
    }

    async fn scan(&self, log: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let (log, after) = (log.to_string(), after.to_owned());
        self.single(move |db| {
            let sql = "SELECT id, value FROM log WHERE log = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query(params![log, after, signed(limit.min(MAX_SCAN) as u64)])?;
            let (mut entries, mut size) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let entry = Entry { id: row.get(0)?, value: Bytes::from(row.get::<_, Vec<u8>>(1)?) };
                size += entry.value.len();
                if size > MAX_PAGE && !entries.is_empty() {
                    break;
                }
                entries.push(entry);
            }
            Ok(entries)
        })
        .await
    }
}
