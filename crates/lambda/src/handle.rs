//! The core's ports, but for the stores and the queue.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use opencode_core::host::{Caller, Clock, Net, NetError, Rounds, Secrets, Settings, StoreError, Time};
use opencode_net::answer::Gone;
use opencode_net::{Body, Client};

use crate::aws::Aws;
use crate::store::memory::Memory;

/// One request's or message's view of the host. Clones are the same handle.
#[derive(Clone)]
pub struct Handle {
    pub(crate) aws: Arc<Aws>,
    pub(crate) memory: Arc<Mutex<Memory>>,
    rounds: Arc<AtomicU32>,
    gone: Gone,
}

impl Handle {
    /// A handle for one request, whose caller leaves when `gone` says so.
    pub fn new(aws: Arc<Aws>, gone: Gone) -> Self {
        Self { aws, memory: Arc::default(), rounds: Arc::default(), gone }
    }

    /// Counts a round trip that is about to begin.
    pub(crate) fn round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn net(&self) -> &Client {
        &self.aws.net
    }
}

impl Clock for Handle {
    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn random(&self) -> u128 {
        random()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// 128 bits from the kernel.
pub(crate) fn random() -> u128 {
    let mut bytes = [0; 16];
    if let Err(error) = getrandom::fill(&mut bytes) {
        // Keys and ids must not be guessable: without randomness nothing may be answered.
        tracing::error!("no randomness: {error}");
        std::process::abort();
    }
    u128::from_ne_bytes(bytes)
}

impl Net for Handle {
    type Body = Body;

    async fn fetch(&self, request: Request<Bytes>) -> Result<Response<Body>, NetError> {
        self.net().fetch(request).await
    }
}

impl Secrets for Handle {
    fn secret(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

impl Settings for Handle {
    /// A function's own text is its environment, which does not change while it runs.
    async fn settings(&self) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
}

impl Caller for Handle {
    async fn gone(&self) {
        self.gone.wait().await;
    }
}

impl Rounds for Handle {
    fn rounds(&self) -> u32 {
        self.rounds.load(Ordering::Relaxed)
    }
}
