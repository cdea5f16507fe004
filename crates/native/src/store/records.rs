//! Records: compare-and-set by version.

use bytes::Bytes;
use opencode_core::host::{Key, MAX_RECORD, Records, StoreError, Swap, Time, Versioned};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Failure, Store, fits, signed, unsigned};

impl Records for Store {
    async fn read(&self, key: &Key, now: Time) -> Result<Option<Versioned>, StoreError> {
        let key = key.to_string();
        self.sqlite.single(move |db| live(db, &key, now)).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: u64,
        value: Bytes,
        expires: Option<Time>,
        now: Time,
    ) -> Result<Swap, StoreError> {
        fits("record", value.len(), MAX_RECORD)?;
        let key = key.to_string();
        self.sqlite
            .call(move |db| {
                let found = live(db, &key, now)?;
                if found.as_ref().map_or(0, |record| record.version) != seen {
                    return Ok(Swap::Lost(found));
                }
                let version = seen.saturating_add(1);
                let sql = "INSERT INTO record (key, version, value, expires) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (key) DO UPDATE SET version = ?2, value = ?3, expires = ?4";
                let expires = expires.map(|time| signed(time.0));
                db.prepare_cached(sql)?.execute(params![key, signed(version), &value[..], expires])?;
                Ok(Swap::Done(version))
            })
            .await
    }
}

fn live(db: &Connection, key: &str, now: Time) -> Result<Option<Versioned>, Failure> {
    let sql = "SELECT version, value FROM record WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
    let found = db.prepare_cached(sql)?.query_row(params![key, signed(now.0)], |row| {
        Ok(Versioned { version: unsigned(row.get(0)?), value: Bytes::from(row.get::<_, Vec<u8>>(1)?) })
    });
    Ok(found.optional()?)
}
