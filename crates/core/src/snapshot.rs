//! What one request, message or tick runs with: the configuration as it was when it began, and what the isolate
//! remembers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::call::breaker::Breakers;
use crate::config::Config;
use crate::config::rows::KeyRow;
use crate::host::Time;
use crate::identity::ring::KeyRing;
use crate::identity::{Identity, Tenant};

/// A configuration in force. Never changes; a change makes another.
pub struct Snapshot {
    config: Config,
    /// The largest body that is taken: the smaller of the configured bound and the host's.
    max_body: usize,
    /// Why a later configuration is not in force, for `/health/ready`.
    problem: Option<String>,
    shared: Arc<Shared>,
}

/// What outlives a configuration. Nothing here is shared between isolates.
pub(crate) struct Shared {
    /// The deployment's secret.
    pub secret: String,
    /// The key that opens where a configuration names none.
    pub development: Option<KeyRow>,
    breakers: Mutex<Breakers>,
    rings: Mutex<BTreeMap<Tenant, (Time, Arc<KeyRing>)>>,
    /// What the stores said when somebody last asked whether they can be used.
    stores: Mutex<Option<(Time, Value)>>,
}

/// How long a tenant's keys are believed without looking again.
const RING: Duration = Duration::from_secs(30);
/// See [`Snapshot::ring`].
const NO_KEY: Duration = Duration::from_millis(100);
/// How many tenants' keys are remembered.
const MAX_RINGS: usize = 10_000;
/// How long what the stores said is repeated: the question is open to everyone, and each store that is asked costs.
const STORES: Duration = Duration::from_secs(1);

impl Shared {
    pub fn new(secret: String, development: Option<KeyRow>) -> Arc<Self> {
        Arc::new(Self {
            secret,
            development,
            breakers: Mutex::default(),
            rings: Mutex::default(),
            stores: Mutex::default(),
        })
    }
}

impl Snapshot {
    pub(crate) fn new(config: Config, max_body: usize, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { config, max_body, problem: None, shared })
    }

    /// The same configuration, with what is wrong with a later one.
    pub(crate) fn with_problem(&self, problem: Option<String>) -> Arc<Self> {
        let (config, shared) = (self.config.clone(), Arc::clone(&self.shared));
        Arc::new(Self { config, max_body: self.max_body, problem, shared })
    }

    /// What the stores said less than a second ago.
    pub(crate) fn stores(&self, now: Time) -> Option<Value> {
        let stores = self.shared.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.as_ref().filter(|(at, _)| *at <= now && now < at.plus(STORES)).map(|(_, said)| said.clone())
    }

    /// Remembers what the stores say now.
    pub(crate) fn keep_stores(&self, now: Time, said: Value) {
        *self.shared.stores.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, said));
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The largest request body that is taken, in bytes.
    pub fn max_body(&self) -> usize {
        self.max_body
    }

    /// Why a later configuration is not in force.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The deployment's secret.
    pub(crate) fn secret(&self) -> &str {
        &self.shared.secret
    }

    /// Whether a caller's tenant, and its key where it is a configured one, would still be known under another
    /// configuration.
    pub(crate) fn keeps(&self, caller: &Identity, config: &Config) -> bool {
        let of = |row: &KeyRow| row.tenant == caller.tenant && row.id == caller.key;
        if config.keys.is_empty() && self.shared.development.as_ref().is_some_and(of) {
            return true;
        }
        let configured = self.config.keys.iter().any(of);
        config.tenant(&caller.tenant).is_some() && (!configured || config.keys.iter().any(of))
    }

    /// The breakers. Held only for a look or a note, never across an await.
    pub(crate) fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.shared.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tenant's keys, if they were looked at lately. A key that is not among them may be a new one: then they are
    /// believed for a moment only, so that strangers cannot make the store work.
    pub(crate) fn ring(&self, tenant: &Tenant, id: &str, now: Time) -> Option<Arc<KeyRing>> {
        let rings = self.shared.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, ring) = rings.get(tenant)?;
        let believed = if ring.keys.contains_key(id) { RING } else { NO_KEY };
        // A clock may be set back.
        (*read <= now && now < read.plus(believed)).then(|| Arc::clone(ring))
    }

    /// Remembers a tenant's keys as they were read at `now`.
    pub(crate) fn remember(&self, tenant: &Tenant, ring: &Arc<KeyRing>, now: Time) {
        let mut rings = self.shared.rings.lock().unwrap_or_else(PoisonError::into_inner);
        if rings.len() >= MAX_RINGS {
            rings.clear();
        }
        rings.insert(tenant.clone(), (now, Arc::clone(ring)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_stores_said_is_repeated_for_a_second() {
        let config = Config::parse("").unwrap();
        let snapshot = Snapshot::new(config, 0, Shared::new(String::new(), None));
        assert_eq!(snapshot.stores(Time(5_000)), None);
        snapshot.keep_stores(Time(5_000), Value::Bool(true));
        let later = snapshot.with_problem(None);
        let said = [4_999, 5_000, 5_999, 6_000].map(|at| later.stores(Time(at)).is_some());
        assert_eq!(said, [false, true, true, false]);
    }
}
