//! The queue: a message is claimed for a time, and whoever claimed it last decides what becomes of it.

use std::time::Duration;

use opencode_core::host::{MAX_MESSAGE, Message, StoreError, Time};
use opencode_core::identity::Tenant;
use rusqlite::params;

use super::{Store, fits, signed, unsigned};

/// The longest delay, as on SQS.
const MAX_DELAY: Duration = Duration::from_secs(15 * 60);
/// How long dead letters are kept.
const KEEP_DEAD: u64 = 14 * 86_400_000;

/// A delivery.
pub(crate) struct Claimed {
    /// Whose verdict counts: the message's row and its attempt.
    pub id: i64,
    /// Deliveries so far, this one included.
    pub attempt: u32,
    pub message: Message,
}

/// What becomes of a delivery.
pub(crate) enum Fate {
    Delete,
    /// Visible again at that time.
    Again(Time),
    Dead,
}

impl Store {
    /// Stores a message of at most [`MAX_MESSAGE`] bytes, to be claimed after `delay` (at most 15 minutes).
    pub(crate) async fn enqueue(
        &self,
        message: &Message,
        delay: Duration,
        now: Time,
    ) -> Result<(), StoreError> {
        fits("message", message.body.len(), MAX_MESSAGE)?;
        let (message, at) = (message.clone(), now.plus(delay.min(MAX_DELAY)));
        let stored = self.sqlite.single(move |db| {
            let sql = "INSERT INTO queue (topic, tenant, body, visible_at) VALUES (?1, ?2, ?3, ?4)";
            let tenant = message.tenant.as_str();
            Ok(db.prepare_cached(sql)?.execute(params![message.topic, tenant, message.body, signed(at.0)])?)
        });
        stored.await.map(|_| ())
    }

    /// How many messages wait or are being handled; dead ones do not count.
    pub(crate) async fn waiting(&self) -> Result<u64, StoreError> {
        self.sqlite
            .single(|db| {
                let mut statement = db.prepare_cached("SELECT COUNT(*) FROM queue WHERE state = 'ready'")?;
                Ok(unsigned(statement.query_row([], |row| row.get(0))?))
            })
            .await
    }

    /// Claims up to `limit` messages that are due. Until `lease` nobody else sees them.
    pub(crate) async fn claim(
        &self,
        limit: usize,
        now: Time,
        lease: Time,
    ) -> Result<Vec<Claimed>, StoreError> {
        self.sqlite.single(move |db| {
            let sql = "UPDATE queue SET visible_at = ?1, attempts = attempts + 1 WHERE id IN \
                       (SELECT id FROM queue WHERE state = 'ready' AND visible_at <= ?2 ORDER BY visible_at LIMIT ?3) \
                       RETURNING id, attempts, topic, tenant, body";
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query(params![signed(lease.0), signed(now.0), signed(limit as u64)])?;
            let mut claimed = Vec::new();
            while let Some(row) = rows.next()? {
                // Only a damaged row has no tenant; it must not hold up the others.
                let Ok(tenant) = Tenant::try_from(row.get::<_, String>(3)?) else { continue };
                let message = Message { topic: row.get(2)?, tenant, body: row.get(4)? };
                claimed.push(Claimed { id: row.get(0)?, attempt: row.get(1)?, message });
            }
            Ok(claimed)
        })
        .await
    }

    /// Applies a verdict, unless the message has been claimed again since.
    pub(crate) async fn settle(&self, id: i64, attempt: u32, fate: Fate) -> Result<(), StoreError> {
        let settled = self.sqlite.single(move |db| {
            Ok(match fate {
                Fate::Delete => db
                    .prepare_cached("DELETE FROM queue WHERE id = ?1 AND attempts = ?2")?
                    .execute(params![id, attempt])?,
                Fate::Again(at) => db
                    .prepare_cached("UPDATE queue SET visible_at = ?3 WHERE id = ?1 AND attempts = ?2")?
                    .execute(params![id, attempt, signed(at.0)])?,
                Fate::Dead => db
                    .prepare_cached("UPDATE queue SET state = 'dead' WHERE id = ?1 AND attempts = ?2")?
                    .execute(params![id, attempt])?,
            })
        });
        settled.await.map(|_| ())
    }

    /// Forgets dead letters that have been kept long enough.
    pub(crate) async fn forget_dead(&self, now: Time) -> Result<(), StoreError> {
        let before = signed(now.0.saturating_sub(KEEP_DEAD));
        let forgotten = self.sqlite.single(move |db| {
            let sql = "DELETE FROM queue WHERE state = 'dead' AND visible_at < ?1";
            Ok(db.prepare_cached(sql)?.execute(params![before])?)
        });
        forgotten.await.map(|_| ())
    }
}
