//! The Durable Object: one per tenant, with the tenant's records, counters, logs and blobs in its SQLite.
//!
//! Each operation runs without an `await` from its first look to its last write, so no other one comes between.

mod blobs;
mod counters;
mod logs;
mod records;
mod sql;

use std::cell::Cell;
use std::time::Duration;

use opencode_core::host::Time;
use opencode_core::op::{Op, Played};
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::edge::now;
use sql::Sql;

/// The least and the most time to the next sweep of expired rows, while there are rows that will expire.
const SWEEP: (Duration, Duration) = (Duration::from_secs(3_600), Duration::from_secs(86_400));

/// A tenant's store.
#[durable_object(alarm)]
pub struct Store {
    state: State,
    sql: Sql,
    opened: std::result::Result<(), String>,
    armed: Cell<bool>,
}

impl DurableObject for Store {
    fn new(state: State, _env: Env) -> Self {
        let sql = Sql::new(&state.storage());
        let opened = [records::TABLE, counters::TABLE, counters::INDEX, logs::TABLE, blobs::TABLE]
            .into_iter()
            .try_for_each(|table| sql.run(table, []))
            .and_then(|()| logs::migrate(&sql))
            .map_err(|error| format!("the tables could not be opened: {error}"));
        Self { state, sql, opened, armed: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let body = request.bytes().await?;
        let answer = match serde_json::from_slice(&body) {
            Ok(op) => self.answer(op).await,
            Err(error) => Played::Failed(format!("an operation that cannot be read: {error}")),
        };
        Response::from_bytes(serde_json::to_vec(&answer)?)
    }

    async fn alarm(&self) -> Result<Response> {
        self.armed.set(false);
        let now = Time(now());
        let next = self.sql.transaction(|| {
            records::sweep(&self.sql, now)?;
            blobs::sweep(&self.sql, now)?;
            logs::sweep(&self.sql, now)?;
            let next = [records::next(&self.sql)?, blobs::next(&self.sql)?, logs::next(&self.sql)?];
            Ok(next.into_iter().flatten().min())
        })?;
        if let Some(next) = next {
            self.arm(next).await?;
        }
        Response::empty()
    }
}

impl Store {
    async fn answer(&self, op: Op) -> Played {
        if let Err(why) = &self.opened {
            return Played::Failed(why.clone());
        }
        let expires = match &op {
            Op::Swap { expires, .. } | Op::Append { expires, .. } => *expires,
            Op::Put { expires, .. } => Some(*expires),
            _ => None,
        };
        let answer = play(&self.sql, op).unwrap_or_else(|error| Played::Failed(error.to_string()));
        if let Some(expires) = expires
            && let Err(error) = self.arm(expires).await
        {
            // What is stored is stored; the next one that expires tries again.
            worker::console_error!("store: no alarm: {error}");
        }
        answer
    }

    /// Sees to it that an alarm is set. One that is set already stays: rows may outlive their expiry.
    async fn arm(&self, expires: Time) -> Result<()> {
        if self.armed.replace(true) {
            return Ok(());
        }
        let storage = self.state.storage();
        let set = match storage.get_alarm().await {
            Ok(None) => {
                let (soonest, latest) = SWEEP;
                storage.set_alarm(expires.since(Time(now())).clamp(soonest, latest)).await
            }
            other => other.map(drop),
        };
        self.armed.set(set.is_ok());
        set
    }
}

fn play(sql: &Sql, op: Op) -> Result<Played> {
    match op {
        Op::Read { key, now } => records::read(sql, &key, now),
        Op::Swap { key, seen, value, expires, now } => records::swap(sql, &key, seen, value.0, expires, now),
        Op::Hold(hold) => sql.transaction(|| counters::hold(sql, &hold)),
        Op::Close { id, spent } => sql.transaction(|| counters::close(sql, &id, &spent)),
        Op::Overdue { tenant, now, limit } => counters::overdue(sql, &tenant, now, limit),
        Op::Append { log, id, value, expires } => logs::append(sql, &log, &id, value.0, expires),
        Op::Scan { log, after, limit } => logs::scan(sql, &log, &after, limit),
        Op::Put { key, value, expires } => sql.transaction(|| blobs::put(sql, &key, &value.0, expires)),
        Op::Get { key, now } => blobs::get(sql, &key, now),
        Op::Remove { key } => blobs::remove(sql, &key),
        Op::Cached { .. } | Op::Cache { .. } => Err("the cache is not kept here".into()),
    }
}
