//! The handle of one request or message: every port of the core, on this machine.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use opencode_core::host::{
    Appended, Blobs, Cache, Caller, Clock, Closed, Counters, Entry, Held, Hold, Key, Logs, MAX_RECORD,
    Message, Net, NetError, Overdue, Queue, Records, Rounds, Secrets, Settings, Spent, StoreError, Swap,
    Time, Versioned,
};
use opencode_core::identity::Tenant;
use opencode_net::answer::Gone;
use opencode_net::{Body, Client};
use tokio::sync::{Notify, mpsc};

use crate::store::Store;

/// What all handles of a thread share. Each thread has its own connections to the upstreams, so that an answer never
/// waits for another thread to wake up.
pub(crate) struct Shared {
    pub client: Client,
    pub process: Arc<Process>,
}

/// What all threads share.
pub(crate) struct Process {
    pub store: Store,
    /// Asked before the environment.
    pub secrets: HashMap<String, String>,
    /// Where the configuration is read again.
    pub settings: Option<PathBuf>,
    /// Rung when a message may be due.
    pub bell: Notify,
}

/// One request's or message's handle. Clones share its count of rounds.
#[derive(Clone)]
pub struct Local {
    shared: Arc<Shared>,
    gone: Gone,
    rounds: Arc<AtomicU32>,
    /// Held so that a shutdown can wait for the answer.
    _busy: Option<mpsc::Sender<()>>,
}

impl Local {
    pub(crate) fn new(shared: Arc<Shared>, gone: Gone, busy: Option<mpsc::Sender<()>>) -> Self {
        Self { shared, gone, rounds: Arc::default(), _busy: busy }
    }

    fn store(&self) -> &Store {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        &self.shared.process.store
    }
}

/// The system's clock.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

thread_local! {
    static RANDOM: RefCell<Random> = const { RefCell::new(Random { bytes: [0; 512], left: 0 }) };
}

/// Randomness of the system, asked for thirty-two numbers at a time; each is handed out once and wiped.
struct Random {
    bytes: [u8; 512],
    left: usize,
}

impl Random {
    fn next(&mut self) -> u128 {
        if self.left == 0 {
            if let Err(error) = getrandom::fill(&mut self.bytes) {
                // Ids would repeat and keys could be guessed: nothing may run on.
                tracing::error!(%error, "the system gives no random bytes");
                std::process::abort();
            }
            self.left = self.bytes.len();
        }
        self.left -= 16;
        let mut number = [0; 16];
        let taken = &mut self.bytes[self.left..self.left + 16];
        number.copy_from_slice(taken);
        taken.fill(0);
        u128::from_ne_bytes(number)
    }
}

impl Clock for Local {
    fn now(&self) -> Time {
        now()
    }

    fn random(&self) -> u128 {
        RANDOM.with_borrow_mut(Random::next)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Net for Local {
    type Body = Body;

    async fn fetch(&self, request: Request<Bytes>) -> Result<Response<Body>, NetError> {
        self.shared.client.fetch(request).await
    }
}

impl Secrets for Local {
    fn secret(&self, name: &str) -> Option<String> {
        let secret = self.shared.process.secrets.get(name).cloned().or_else(|| std::env::var(name).ok());
        secret.filter(|value| !value.is_empty())
    }
}

impl Settings for Local {
    /// Read in place: it is small, and read every few seconds at most.
    async fn settings(&self) -> Result<Option<Bytes>, StoreError> {
        let Some(path) = &self.shared.process.settings else { return Ok(None) };
        let failed = |error: std::io::Error| StoreError(format!("its file cannot be read: {error}"));
        let mut text = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAX_RECORD as u64 + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() > MAX_RECORD {
            return Err(StoreError(format!("its file is longer than {MAX_RECORD} bytes")));
        }
        Ok(Some(text.into()))
    }
}

impl Caller for Local {
    async fn gone(&self) {
        self.gone.wait().await;
    }
}

impl Rounds for Local {
    fn rounds(&self) -> u32 {
        self.rounds.load(Ordering::Relaxed)
    }
}

impl Cache for Local {
    async fn cached(&self, key: &Key, now: Time) -> Option<Bytes> {
        self.store().cached(key, now).await
    }

    async fn cache(&self, key: &Key, value: Bytes, expires: Time) {
        self.store().cache(key, value, expires).await;
    }
}

impl Records for Local {
    async fn read(&self, key: &Key, now: Time) -> Result<Option<Versioned>, StoreError> {
        self.store().read(key, now).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: u64,
        value: Bytes,
        expires: Option<Time>,
        now: Time,
    ) -> Result<Swap, StoreError> {
        self.store().swap(key, seen, value, expires, now).await
    }
}

impl Counters for Local {
    async fn hold(&self, hold: &Hold) -> Result<Held, StoreError> {
        self.store().hold(hold).await
    }

    async fn close(&self, id: &str, spent: &[Spent]) -> Result<Closed, StoreError> {
        self.store().close(id, spent).await
    }

    async fn overdue(&self, tenant: &Tenant, now: Time, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        self.store().overdue(tenant, now, limit).await
    }
}

impl Logs for Local {
    async fn append(
        &self,
        log: &Key,
        id: &str,
        value: Bytes,
        expires: Option<Time>,
    ) -> Result<Appended, StoreError> {
        self.store().append(log, id, value, expires).await
    }

    async fn scan(&self, log: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store().scan(log, after, limit).await
    }
}

impl Blobs for Local {
    async fn put(&self, key: &Key, value: Bytes, expires: Time) -> Result<(), StoreError> {
        self.store().put(key, value, expires).await
    }

    async fn get(&self, key: &Key, now: Time) -> Result<Option<Bytes>, StoreError> {
        self.store().get(key, now).await
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.store().remove(key).await
    }
}

impl Queue for Local {
    async fn enqueue(&self, message: &Message, delay: Duration) -> Result<(), StoreError> {
        self.shared.process.store.enqueue(message, delay, now()).await?;
        if delay.is_zero() {
            self.shared.process.bell.notify_one();
        }
        Ok(())
    }

    async fn waiting(&self) -> Result<Option<u64>, StoreError> {
        self.shared.process.store.waiting().await.map(Some)
    }
}
