//! Records, counters, logs and blobs: each call is one request to the tenant's [`crate::store::Store`].

use bytes::Bytes;
use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use opencode_core::host::{
    Appended, Blobs, Closed, Counters, Entry, Held, Hold, Key, Logs, MAX_BLOB, MAX_ENTRY, MAX_RECORD,
    Overdue, Records, Spent, StoreError, Swap, Time, Versioned,
};
use opencode_core::identity::Tenant;
use opencode_core::op::{Blob, Op, Played, Stored};
use wasm_bindgen::JsValue;
use web_sys::RequestInit;

use crate::edge::Edge;
use crate::js;

/// The Durable Object namespace's binding.
const BINDING: &str = "STORE";

impl Records for Edge {
    async fn read(&self, key: &Key, now: Time) -> Result<Option<Versioned>, StoreError> {
        match self.ask(Op::Read { key: key.clone(), now }).await? {
            Played::Record(record) => Ok(record.map(versioned)),
            _ => Err(unexpected()),
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: u64,
        value: Bytes,
        expires: Option<Time>,
        now: Time,
    ) -> Result<Swap, StoreError> {
        bounded(&value, MAX_RECORD)?;
        match self.ask(Op::Swap { key: key.clone(), seen, value: Blob(value), expires, now }).await? {
            Played::Swapped(version) => Ok(Swap::Done(version)),
            Played::Lost(record) => Ok(Swap::Lost(record.map(versioned))),
            _ => Err(unexpected()),
        }
    }
}

impl Counters for Edge {
    /// One request for each run of accounts that belong to one tenant, in order.
    async fn hold(&self, hold: &Hold) -> Result<Held, StoreError> {
        let mut taken = hold.accounts.is_empty();
        let mut before: usize = 0;
        for accounts in hold.accounts.chunk_by(|a, b| a.account.tenant() == b.account.tenant()) {
            let part = Hold { accounts: accounts.to_vec(), ..hold.clone() };
            match self.ask(Op::Hold(part)).await? {
                Played::Held(Held::Held) => taken = true,
                Played::Held(Held::Already) => {}
                Played::Held(Held::Short { account, counter, left }) => {
                    return Ok(Held::Short { account: account.saturating_add(before), counter, left });
                }
                _ => return Err(unexpected()),
            }
            before = before.saturating_add(accounts.len());
        }
        Ok(if taken { Held::Held } else { Held::Already })
    }

    async fn close(&self, id: &str, spent: &[Spent]) -> Result<Closed, StoreError> {
        let mut closed = Closed::Already;
        for spent in spent.chunk_by(|a, b| a.account.tenant() == b.account.tenant()) {
            match self.ask(Op::Close { id: id.to_owned(), spent: spent.to_vec() }).await? {
                Played::Closed(Closed::Closed) => closed = Closed::Closed,
                Played::Closed(Closed::Already) => {}
                _ => return Err(unexpected()),
            }
        }
        Ok(closed)
    }

    async fn overdue(&self, tenant: &Tenant, now: Time, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        match self.ask(Op::Overdue { tenant: tenant.clone(), now, limit }).await? {
            Played::Overdue(holds) => Ok(holds),
            _ => Err(unexpected()),
        }
    }
}

impl Logs for Edge {
    async fn append(
        &self,
        log: &Key,
        id: &str,
        value: Bytes,
        expires: Option<Time>,
    ) -> Result<Appended, StoreError> {
        bounded(&value, MAX_ENTRY)?;
        let op = Op::Append { log: log.clone(), id: id.to_owned(), value: Blob(value), expires };
        match self.ask(op).await? {
            Played::Appended { new: true } => Ok(Appended::New),
            Played::Appended { new: false } => Ok(Appended::Already),
            _ => Err(unexpected()),
        }
    }

    async fn scan(&self, log: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, StoreError> {
        match self.ask(Op::Scan { log: log.clone(), after: after.to_owned(), limit }).await? {
            Played::Entries(entries) => {
                Ok(entries.into_iter().map(|(id, value)| Entry { id, value: value.0 }).collect())
            }
            _ => Err(unexpected()),
        }
    }
}

impl Blobs for Edge {
    async fn put(&self, key: &Key, value: Bytes, expires: Time) -> Result<(), StoreError> {
        bounded(&value, MAX_BLOB)?;
        done(self.ask(Op::Put { key: key.clone(), value: Blob(value), expires }).await?)
    }

    async fn get(&self, key: &Key, now: Time) -> Result<Option<Bytes>, StoreError> {
        match self.ask(Op::Get { key: key.clone(), now }).await? {
            Played::Value(value) => Ok(value.map(|value| value.0)),
            _ => Err(unexpected()),
        }
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        done(self.ask(Op::Remove { key: key.clone() }).await?)
    }
}

impl Edge {
    /// Plays an operation on its tenant's object: once, and once more after a failure that the platform calls
    /// retryable, if playing it twice is the same as playing it once. An overloaded object is left alone.
    async fn ask(&self, op: Op) -> Result<Played, StoreError> {
        let tenant = op.tenant().ok_or_else(|| StoreError("an operation without a tenant".to_owned()))?;
        let body = serde_json::to_vec(&op).map_err(|error| StoreError(error.to_string()))?;
        let mut answer = self.post(tenant, &body).await;
        if let Err(error) = &answer
            && repeatable(&op)
            && js::flag(error, "retryable")
            && !js::flag(error, "overloaded")
        {
            answer = self.post(tenant, &body).await;
        }
        let answer = answer.map_err(|error| StoreError(js::message(&error)))?;
        match serde_json::from_slice(&answer) {
            Ok(Played::Failed(why)) => Err(StoreError(why)),
            Ok(answer) => Ok(answer),
            Err(_) => Err(StoreError("the tenant's object did not answer as expected".to_owned())),
        }
    }

    async fn post(&self, tenant: &Tenant, body: &[u8]) -> Result<Vec<u8>, JsValue> {
        self.begin_round();
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&Uint8Array::from(body));
        let request = web_sys::Request::new_with_str_and_init("https://store/", &init)?;
        let stub = self.env().durable_object(BINDING)?.get_by_name(tenant.as_str())?;
        let response: web_sys::Response = stub.fetch_with_request(request.into()).await?.into();
        let bytes = JsFuture::from(response.array_buffer()?).await?;
        Ok(Uint8Array::new(&bytes).to_vec())
    }
}

/// A swap that had been played would answer the second time that it was lost. A hold, an append or a close would
/// answer `Already`, and whoever asks for one takes that as done.
fn repeatable(op: &Op) -> bool {
    matches!(
        op,
        Op::Read { .. }
            | Op::Hold(_)
            | Op::Close { .. }
            | Op::Append { .. }
            | Op::Overdue { .. }
            | Op::Scan { .. }
            | Op::Get { .. }
            | Op::Put { .. }
            | Op::Remove { .. }
    )
}

fn bounded(value: &Bytes, max: usize) -> Result<(), StoreError> {
    if value.len() > max {
        return Err(StoreError(format!("a value of {} bytes is larger than {max}", value.len())));
    }
    Ok(())
}

fn versioned(stored: Stored) -> Versioned {
    Versioned { version: stored.version, value: stored.value.0 }
}

fn done(answer: Played) -> Result<(), StoreError> {
    match answer {
        Played::Done => Ok(()),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> StoreError {
    StoreError("the tenant's object gave another operation's answer".to_owned())
}
