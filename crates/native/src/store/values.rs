//! Cache and blobs: a value by its key, until it expires. Also the sweep of everything that expires.

use bytes::Bytes;
use opencode_core::host::{Blobs, Cache, Key, MAX_BLOB, MAX_CACHED, StoreError, Time};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Failure, Store, fits, signed};

/// How many rows of a table one sweep removes, so that no caller waits long behind it.
const SWEEP: i64 = 500;

impl Cache for Store {
    async fn cached(&self, key: &Key, now: Time) -> Option<Bytes> {
        let key = key.to_string();
        let found = self
            .sqlite
            .single(move |db| read(db, "SELECT value FROM cache WHERE key = ?1 AND expires > ?2", &key, now));
        found.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the cache cannot be read");
            None
        })
    }

    async fn cache(&self, key: &Key, value: Bytes, expires: Time) {
        let key = key.to_string();
        let stored = async {
            fits("cached value", value.len(), MAX_CACHED)?;
            let sql = "INSERT INTO cache (key, value, expires) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (key) DO UPDATE SET value = ?2, expires = ?3";
            self.sqlite.single(move |db| write(db, sql, &key, &value, expires)).await
        };
        if let Err(error) = stored.await {
            tracing::warn!(%error, "the cache cannot be written");
        }
    }
}

impl Blobs for Store {
    async fn put(&self, key: &Key, value: Bytes, expires: Time) -> Result<(), StoreError> {
        fits("blob", value.len(), MAX_BLOB)?;
        let key = key.to_string();
        let sql = "INSERT INTO blob (key, value, expires) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (key) DO UPDATE SET value = ?2, expires = ?3";
        self.sqlite.single(move |db| write(db, sql, &key, &value, expires)).await
    }

    async fn get(&self, key: &Key, now: Time) -> Result<Option<Bytes>, StoreError> {
        let key = key.to_string();
        self.sqlite
            .single(move |db| read(db, "SELECT value FROM blob WHERE key = ?1 AND expires > ?2", &key, now))
            .await
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let key = key.to_string();
        let removed = self.sqlite.single(move |db| {
            Ok(db.prepare_cached("DELETE FROM blob WHERE key = ?1")?.execute(params![key])?)
        });
        removed.await.map(|_| ())
    }
}

impl Store {
    /// Removes some of what expired before `now`; true when there may be more.
    pub(crate) async fn sweep(&self, now: Time) -> Result<bool, StoreError> {
        self.sqlite.call(move |db| {
            let mut more = false;
            for (table, row) in
                [("cache", "rowid"), ("blob", "rowid"), ("record", "rowid"), ("log", "log, id")]
            {
                let sql = format!(
                    "DELETE FROM {table} WHERE ({row}) IN (SELECT {row} FROM {table} WHERE expires <= ?1 LIMIT ?2)"
                );
                let removed = db.prepare_cached(&sql)?.execute(params![signed(now.0), SWEEP])?;
                more |= i64::try_from(removed) == Ok(SWEEP);
            }
            Ok(more)
        })
        .await
    }
}

fn read(db: &Connection, sql: &str, key: &str, now: Time) -> Result<Option<Bytes>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let value =
        statement.query_row(params![key, signed(now.0)], |row| row.get::<_, Vec<u8>>(0)).optional()?;
    Ok(value.map(Bytes::from))
}

fn write(db: &Connection, sql: &str, key: &str, value: &[u8], expires: Time) -> Result<(), Failure> {
    db.prepare_cached(sql)?.execute(params![key, value, signed(expires.0)])?;
    Ok(())
}
