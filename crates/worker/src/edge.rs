//! The handle of one event: a request, a message or a tick. The ports are implemented on it, here and in `kv`,
//! `net`, `ports` and `queue`.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use opencode_core::host::{Caller, Clock, Rounds, Secrets, Settings, StoreError, Time};
use worker::{Delay, Env};

use crate::gone::Gone;
use crate::js;

/// Cheap to clone; not `Send`, and need not be.
#[derive(Clone)]
pub struct Edge(Rc<Inner>);

struct Inner {
    env: Env,
    client: Option<Rc<Gone>>,
    rounds: Cell<u32>,
}

impl Edge {
    /// A handle for one event. `client` is whoever waits for the answer; nobody waits for messages and ticks.
    pub fn new(env: Env, client: Option<Rc<Gone>>) -> Self {
        Self(Rc::new(Inner { env, client, rounds: Cell::new(0) }))
    }

    /// The deployment's bindings.
    pub fn env(&self) -> &Env {
        &self.0.env
    }

    /// Counts one round trip to a store.
    pub fn begin_round(&self) {
        self.0.rounds.set(self.0.rounds.get().saturating_add(1));
    }
}

/// A secret or a variable: the runtime keeps both under one name space.
pub fn lookup(env: &Env, name: &str) -> Option<String> {
    env.var(name).ok().map(|value| value.to_string()).filter(|value| !value.is_empty())
}

impl Clock for Edge {
    fn now(&self) -> Time {
        Time(now())
    }

    fn random(&self) -> u128 {
        let mut bytes = [0; 16];
        js::random_values(&mut bytes);
        u128::from_le_bytes(bytes)
    }

    /// The runtime's timers take at most 2^31 ms; longer waits end there.
    async fn sleep(&self, duration: Duration) {
        Delay::from(duration.min(Duration::from_millis(i32::MAX as u64))).await;
    }
}

impl Secrets for Edge {
    fn secret(&self, name: &str) -> Option<String> {
        lookup(&self.0.env, name)
    }
}

impl Settings for Edge {
    async fn settings(&self) -> Result<Option<Bytes>, StoreError> {
        self.kept_settings().await.map_err(|error| StoreError(js::reason(&error)))
    }
}

impl Caller for Edge {
    async fn gone(&self) {
        match &self.0.client {
            Some(client) => client.wait().await,
            None => pending().await,
        }
    }
}

impl Rounds for Edge {
    fn rounds(&self) -> u32 {
        self.0.rounds.get()
    }
}

/// Milliseconds since the Unix epoch. Stands still while the event does no I/O.
pub fn now() -> u64 {
    js_sys::Date::now() as u64
}
