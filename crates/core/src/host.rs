//! Everything the core asks of the outside: mechanism only, never domain.
//!
//! A host implements these small traits on one cheap, clonable handle per request (or per queue message);
//! [`Host`] is their sum. The traits say nothing about `Send`: auto traits leak through the concrete host, so
//! the same core runs on a work-stealing server and in a single-threaded isolate. No port takes a future.
//!
//! Time is always an argument. An expiry stored beside a value decides whether it still counts; a platform's
//! own time-to-live is only garbage collection.

use std::fmt;
use std::time::Duration;

pub use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::identity::Tenant;
use crate::op::{Blob, Op, Played, Stored};

/// The sum of all ports: what `serve` and `work` need.
pub trait Host:
    Clock
    + Net
    + Secrets
    + Settings
    + Caller
    + Cache
    + Records
    + Counters
    + Logs
    + Blobs
    + Queue
    + Rounds
    + Clone
    + 'static
{
}

impl<T> Host for T where
    T: Clock
        + Net
        + Secrets
        + Settings
        + Caller
        + Cache
        + Records
        + Counters
        + Logs
        + Blobs
        + Queue
        + Rounds
        + Clone
        + 'static
{
}

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// This time and a duration later; saturates.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Time, randomness and waiting.
pub trait Clock {
    /// Wall-clock time. May stand still while no I/O happens (Workers).
    fn now(&self) -> Time;
    /// 128 bits from the platform's cryptographic source.
    fn random(&self) -> u128;
    /// Resolves after `duration`. Dropping it cancels it.
    async fn sleep(&self, duration: Duration);
}

/// Outgoing HTTP.
pub trait Net {
    /// A response body that is read chunk by chunk.
    type Body: ByteStream;
    /// Sends a request and resolves with the response's head.
    ///
    /// - Any status is `Ok`; `Err` is a transport failure.
    /// - Redirects are not followed. No timeout of its own: the core races `sleep`.
    /// - Dropping the future, or later the body, aborts the request upstream.
    async fn fetch(&self, request: http::Request<Bytes>) -> Result<http::Response<Self::Body>, NetError>;
}

/// A streaming body.
pub trait ByteStream {
    /// The next chunk; `None` at the end that the sender meant. A cut connection is an `Err`, never `None`.
    async fn next(&mut self) -> Option<Result<Bytes, NetError>>;
}

/// A transport failure, before or inside a response. Carries no secret and no full URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetError(pub String);

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Named secrets: environment variables, Worker secrets.
pub trait Secrets {
    /// The secret of that name, if the deployment has one.
    fn secret(&self, name: &str) -> Option<String>;
}

/// The text that an operator keeps where this host looks for it: a file, a value of the platform's key-value store.
pub trait Settings {
    /// It as it is now, at most [`MAX_RECORD`] bytes; `None` where there is none beside what the host was started
    /// with.
    async fn settings(&self) -> Result<Option<Bytes>, StoreError>;
}

/// The one who is being answered.
pub trait Caller {
    /// Resolves once the caller is known to have left; never where nobody waits (queues) or where the platform
    /// cannot tell (Lambda). May be awaited again and again.
    async fn gone(&self);
}

/// How many round trips to its stores this handle has begun: for tests and receipts.
pub trait Rounds {
    /// Calls of its stores (cache, records, counters, logs, blobs), our own further tries included.
    fn rounds(&self) -> u32;
}

/// A store's failure: unreachable, overloaded, misconfigured. Never a lost race, which is an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(pub String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key in any store. It begins with the tenant, so no key of one tenant can name a value of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    tenant: Tenant,
    name: String,
}

/// The longest `Key::name` that is built, in bytes: with the longest tenant it stays under the 512 of Workers KV.
pub const MAX_KEY_NAME: usize = 400;

impl Key {
    /// A key `name` (for example `run/01J…`) of a tenant. Names are made by the core and are printable ASCII;
    /// what does not fit is cut, so callers hash what is long.
    pub fn new(tenant: &Tenant, name: impl Into<String>) -> Self {
        let mut name: String = name.into();
        name.truncate(name.floor_char_boundary(MAX_KEY_NAME));
        Self { tenant: tenant.clone(), name }
    }

    /// Whose it is: a Durable Object or a partition may be chosen by it.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The part after the tenant.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.name)
    }
}

/// The largest cached value, record, log entry and message, in bytes, on every host: DynamoDB's 400 KB an item
/// and SQS's and Workers Queues' 128 KB a message, with room for what the host adds.
pub const MAX_CACHED: usize = 300 * 1024;
/// See [`MAX_CACHED`].
pub const MAX_RECORD: usize = 100 * 1024;
/// See [`MAX_CACHED`].
pub const MAX_ENTRY: usize = 300 * 1024;
/// See [`MAX_CACHED`].
pub const MAX_MESSAGE: usize = 100 * 1024;
/// The largest blob, in bytes. Hosts split it into parts as their stores need.
pub const MAX_BLOB: usize = 8 * 1024 * 1024;

/// Eventually consistent values: they may be stale or missing at any time, and so cannot fail.
pub trait Cache {
    /// The value, unless it is missing, expired at `now` or out of reach.
    async fn cached(&self, key: &Key, now: Time) -> Option<Bytes>;
    /// Stores a value of at most [`MAX_CACHED`] bytes until `expires`. A failure is logged by the host only.
    async fn cache(&self, key: &Key, value: Bytes, expires: Time);
}

/// A record with its version, which is 1 when it is made and grows by one with each swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// What to hand to the next `swap` as `seen`.
    pub version: u64,
    /// At most [`MAX_RECORD`] bytes.
    pub value: Bytes,
}

/// What became of a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Written; the record's version is now this.
    Done(u64),
    /// Someone else was first: what stands there now (`None`: no live record).
    Lost(Option<Versioned>),
}

/// Linearizable per key; small and rarely contended.
pub trait Records {
    /// The record, unless it is missing or expired at `now`.
    async fn read(&self, key: &Key, now: Time) -> Result<Option<Versioned>, StoreError>;
    /// Writes if the live record's version is `seen` (0: there is none, or only an expired one). A record that
    /// replaces an expired one starts at version 1 again. `expires: None` keeps it for good.
    async fn swap(
        &self,
        key: &Key,
        seen: u64,
        value: Bytes,
        expires: Option<Time>,
        now: Time,
    ) -> Result<Swap, StoreError>;
}

/// Takes amounts from counters, all or none on one account; see `ledger::counters` for the algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Unique; while it is open a second hold of this id is `Already`.
    pub id: String,
    /// When the hold counts as abandoned and shows up in `overdue`.
    pub lease: Time,
    /// At most 512 bytes, given back by `overdue`.
    pub note: String,
    /// Processed in order; at most 4.
    pub accounts: Vec<Takes>,
}

/// What a hold takes from one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takes {
    /// The account; it comes into being by its first hold.
    pub account: Key,
    /// At most 8, each counter once.
    pub takes: Vec<Take>,
}

/// One counter's part of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    /// Letters, digits and `_`: it becomes an attribute's name.
    pub counter: String,
    /// The number of the current window (for example the minute); when it grows the counter starts again at
    /// `limit`. A constant for counters that have no window.
    pub window: u64,
    /// How much to take.
    pub amount: u64,
    /// How much the window has in all. Where it differs from what the window had before, the window's rest changes
    /// by the difference.
    pub limit: u64,
}

/// What became of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// Taken on every account.
    Held,
    /// One account was short: nothing was taken from it nor from those after it. What was taken from those
    /// before it stays until the caller closes it.
    Short {
        /// Its place in `Hold::accounts`.
        account: usize,
        /// The first counter that was short, in the order of the takes, or `holds` when too many are open.
        counter: String,
        /// What that counter had left.
        left: i64,
    },
    /// Every account already has an open hold of this id; nothing was taken.
    Already,
}

/// What a hold really cost on one account: counters not named are given back whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The account that was held on.
    pub account: Key,
    /// Counter and amount. More than was held is charged in full: a counter may fall below zero.
    pub spent: Vec<(String, u64)>,
}

/// What became of a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closed {
    /// At least one account still had the hold open.
    Closed,
    /// No account had it open: it was closed before, or never held. Nothing changed.
    Already,
}

/// An open hold whose lease has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// `Hold::id`.
    pub id: String,
    /// `Hold::note`.
    pub note: String,
    /// The account it was found on.
    pub account: Key,
    /// `Hold::lease`.
    pub lease: Time,
    /// What it took there.
    pub takes: Vec<(String, u64)>,
}

/// Budgets, rates, concurrency and leases. Atomic and idempotent by id on one account.
pub trait Counters {
    /// Takes all amounts or says what was short. Windows are the core's business, so no time is needed.
    async fn hold(&self, hold: &Hold) -> Result<Held, StoreError>;
    /// Ends a hold and gives back what was not spent, where the counter's window is still the hold's.
    async fn close(&self, id: &str, spent: &[Spent]) -> Result<Closed, StoreError>;
    /// Up to `limit` (at most 100) holds of a tenant whose lease lies before `now`, in order of account and id.
    async fn overdue(&self, tenant: &Tenant, now: Time, limit: usize) -> Result<Vec<Overdue>, StoreError>;
}

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Unique in its log.
    pub id: String,
    /// At most [`MAX_ENTRY`] bytes.
    pub value: Bytes,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The entry is stored.
    New,
    /// An entry of that id was there and stays as it was.
    Already,
}

/// Append-only, ordered by id (as bytes): ids begin with their time.
pub trait Logs {
    /// Stores an entry once. From `expires` on the store may forget it; `None` keeps it for good.
    async fn append(
        &self,
        log: &Key,
        id: &str,
        value: Bytes,
        expires: Option<Time>,
    ) -> Result<Appended, StoreError>;
    /// Up to `limit` (at most 500) entries with an id greater than `after` (`""`: from the start), in order. May
    /// stop early at a store's page of 1 MB, but never before the first entry. Entries that have expired may still be
    /// among them.
    async fn scan(&self, log: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, StoreError>;
}

/// Large values, by key.
pub trait Blobs {
    /// Stores at most [`MAX_BLOB`] bytes until `expires`; replaces.
    async fn put(&self, key: &Key, value: Bytes, expires: Time) -> Result<(), StoreError>;
    /// The value, unless it is missing or expired at `now`.
    async fn get(&self, key: &Key, now: Time) -> Result<Option<Bytes>, StoreError>;
    /// Removes it; removing nothing is no error.
    async fn remove(&self, key: &Key) -> Result<(), StoreError>;
}

/// A message for another invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What handles it: see `work`.
    pub topic: String,
    /// Whose it is.
    pub tenant: Tenant,
    /// Topic-specific JSON.
    pub body: String,
}

/// At-least-once delivery, unordered.
pub trait Queue {
    /// Sends a message of at most [`MAX_MESSAGE`] bytes, to be delivered after `delay` (at most 15 minutes).
    async fn enqueue(&self, message: &Message, delay: Duration) -> Result<(), StoreError>;
    /// Whether the queue can be reached, with how many messages wait where the platform says so.
    async fn waiting(&self) -> Result<Option<u64>, StoreError>;
}

/// Plays one operation on the store ports.
pub async fn play<S>(store: &S, op: Op) -> Result<Played, StoreError>
where
    S: Cache + Records + Counters + Logs + Blobs,
{
    Ok(match op {
        Op::Cached { key, now } => Played::Value(store.cached(&key, now).await.map(Blob)),
        Op::Cache { key, value, expires } => {
            store.cache(&key, value.0, expires).await;
            Played::Done
        }
        Op::Read { key, now } => Played::Record(store.read(&key, now).await?.map(stored)),
        Op::Swap { key, seen, value, expires, now } => {
            match store.swap(&key, seen, value.0, expires, now).await? {
                Swap::Done(version) => Played::Swapped(version),
                Swap::Lost(there) => Played::Lost(there.map(stored)),
            }
        }
        Op::Hold(hold) => Played::Held(store.hold(&hold).await?),
        Op::Close { id, spent } => Played::Closed(store.close(&id, &spent).await?),
        Op::Overdue { tenant, now, limit } => Played::Overdue(store.overdue(&tenant, now, limit).await?),
        Op::Append { log, id, value, expires } => {
            Played::Appended { new: store.append(&log, &id, value.0, expires).await? == Appended::New }
        }
        Op::Scan { log, after, limit } => {
            let entries = store.scan(&log, &after, limit).await?;
            Played::Entries(entries.into_iter().map(|entry| (entry.id, Blob(entry.value))).collect())
        }
        Op::Put { key, value, expires } => {
            store.put(&key, value.0, expires).await?;
            Played::Done
        }
        Op::Get { key, now } => Played::Value(store.get(&key, now).await?.map(Blob)),
        Op::Remove { key } => {
            store.remove(&key).await?;
            Played::Done
        }
    })
}

fn stored(versioned: Versioned) -> Stored {
    Stored { version: versioned.version, value: Blob(versioned.value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_begins_with_its_tenant_and_is_bounded() {
        let tenant = Tenant::try_from("acme".to_owned()).unwrap();
        assert_eq!(Key::new(&tenant, "run/1").to_string(), "acme/run/1");
        let long = Key::new(&tenant, "é".repeat(MAX_KEY_NAME)).to_string();
        assert!(long.starts_with("acme/") && long.len() <= MAX_KEY_NAME + 5);
    }
}
