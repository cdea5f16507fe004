//! Logs: append once, read in the order of ids, from memory and the file together.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use opencode_core::host::{Appended, Entry, Key, Logs, MAX_ENTRY, StoreError, Time};
use rusqlite::{Connection, params};

use super::{Books, Entries, Failure, Kept};
use crate::store::{Store, fits, signed};

/// The most entries, and bytes beyond the first entry, that one scan returns.
const MAX_SCAN: usize = 500;
const MAX_PAGE: usize = 1024 * 1024;

impl Logs for Store {
    async fn append(
        &self,
        log: &Key,
        id: &str,
        value: Bytes,
        expires: Option<Time>,
    ) -> Result<Appended, StoreError> {
        fits("log entry", value.len(), MAX_ENTRY)?;
        let kept = Kept { value, expires };
        if let Some(appended) = self.change(|state| state.append(log, id, &kept)).await? {
            return Ok(appended);
        }
        let books = Arc::clone(&self.books);
        let (log, id) = (log.clone(), id.to_owned());
        self.sqlite.single(move |db| books.append_asking(db, &log, &id, &kept)).await
    }

    async fn scan(&self, log: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let books = Arc::clone(&self.books);
        let (log, after, limit) = (log.clone(), after.to_owned(), limit.min(MAX_SCAN));
        // Nothing is moved while the connection is taken, so that nothing is missed between the two.
        self.sqlite
            .single(move |db| {
                let mut found = books.scan(&log, &after, limit);
                read(db, &log, &after, limit, &mut found)?;
                Ok(page(found, limit))
            })
            .await
    }
}

impl Books {
    /// Appends where only the file knows whether it has the entry; the connection is taken, so it does not change.
    fn append_asking(&self, db: &Connection, log: &Key, id: &str, kept: &Kept) -> Result<Appended, Failure> {
        let name = log.to_string();
        let has = "SELECT EXISTS (SELECT 1 FROM log WHERE log = ?1 AND id = ?2)";
        let has: bool = db.prepare_cached(has)?.query_row(params![name, id], |row| row.get(0))?;
        let newest = "SELECT MAX(id) FROM log WHERE log = ?1";
        let newest: Option<String> = db.prepare_cached(newest)?.query_row(params![name], |row| row.get(0))?;
        let mut state = self.state();
        state.learn(log, newest.unwrap_or_default());
        if has {
            return Ok(Appended::Already);
        }
        match state.append(log, id, kept) {
            Ok(Some(appended)) => Ok(appended),
            // An id before the newest, of which the file has just said that it has it not.
            Ok(None) => state.add(log, id, kept).map_err(|StoreError(why)| Failure(why)),
            Err(StoreError(why)) => Err(Failure(why)),
        }
    }

    fn scan(&self, log: &Key, after: &str, limit: usize) -> BTreeMap<String, Bytes> {
        let state = self.state();
        let later = (Bound::Excluded(after), Bound::Unbounded);
        let of = |entries: &Entries| -> Vec<(String, Bytes)> {
            let entries = entries.get(log).into_iter().flat_map(|entries| entries.range::<str, _>(later));
            entries.take(limit).map(|(id, kept)| (id.clone(), kept.value.clone())).collect()
        };
        of(&state.moving.entries).into_iter().chain(of(&state.entries)).collect()
    }
}

fn read(
    db: &Connection,
    log: &Key,
    after: &str,
    limit: usize,
    found: &mut BTreeMap<String, Bytes>,
) -> Result<(), Failure> {
    let sql = "SELECT id, value FROM log WHERE log = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![log.to_string(), after, signed(limit as u64)])?;
    let mut size = 0;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (id, value): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        size += value.len();
        last = Some(id.clone());
        found.insert(id, Bytes::from(value));
        if size > MAX_PAGE {
            // What comes later in memory belongs behind what was not read.
            break;
        }
    }
    if size > MAX_PAGE
        && let Some(last) = last
    {
        found.retain(|id, _| *id <= last);
    }
    Ok(())
}

/// The first entries, as many as a page holds.
fn page(found: BTreeMap<String, Bytes>, limit: usize) -> Vec<Entry> {
    let mut size = 0;
    let entries = found.into_iter().take(limit).enumerate().take_while(|(place, (_, value))| {
        size += value.len();
        *place == 0 || size <= MAX_PAGE
    });
    entries.map(|(_, (id, value))| Entry { id, value }).collect()
}

pub(super) fn save(connection: &Connection, entries: &Entries) -> Result<(), Failure> {
    let sql =
        "INSERT INTO log (log, id, value, expires) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (log, id) DO NOTHING";
    let mut insert = connection.prepare_cached(sql)?;
    for (log, entries) in entries {
        let log = log.to_string();
        for (id, Kept { value, expires }) in entries {
            insert.execute(params![log, id, &value[..], expires.map(|time| signed(time.0))])?;
        }
    }
    Ok(())
}
