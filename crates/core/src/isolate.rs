//! What one process or isolate keeps between requests: the configuration and each target's breaker.
//!
//! Nothing here is shared between isolates, and nothing here is a caller's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::call::breaker::Breakers;
use crate::config::Config;
use crate::identity::key::{MIN_SECRET, SECRET_NAME};

/// Made once at start-up and handed to every `serve` and `work`.
pub struct Isolate {
    config: Config,
    breakers: Mutex<Breakers>,
}

impl Isolate {
    /// Checks what must hold before the first request. `ceiling` is the longest answer the platform allows.
    pub fn new(
        mut config: Config,
        secret: Option<&str>,
        ceiling: Option<Duration>,
    ) -> Result<Arc<Self>, String> {
        if !config.keys.is_empty() && secret.is_none_or(|secret| secret.len() < MIN_SECRET) {
            return Err(format!(
                "{SECRET_NAME} must be set to at least {MIN_SECRET} random bytes: API keys are hashed with it"
            ));
        }
        if let Some(ceiling) = ceiling {
            let ceiling = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
            config.deadlines.whole_ms = config.deadlines.whole_ms.min(ceiling.max(1));
        }
        Ok(Arc::new(Self { config, breakers: Mutex::default() }))
    }

    /// The snapshot that this isolate runs with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The breakers. Held only for a look or a note, never across an await.
    pub(crate) fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
