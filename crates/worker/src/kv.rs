//! The cache on Workers KV.

use bytes::Bytes;
use opencode_core::host::{Cache, Key, MAX_CACHED, Time};
use worker::console_error;

use crate::edge::{Edge, now};
use crate::js::reason;

/// The KV namespace's binding.
const BINDING: &str = "CACHE";

/// KV keeps nothing for less than a minute. After a year a value that is still wanted is made again.
const TTL_SECONDS: (u64, u64) = (60, 365 * 86_400);

/// A value begins with its expiry, in milliseconds, big-endian: the expiry decides, KV's own only collects.
const EXPIRY_BYTES: usize = 8;

impl Cache for Edge {
    async fn cached(&self, key: &Key, now: Time) -> Option<Bytes> {
        self.begin_round();
        match self.kv_get(key).await {
            Ok(stored) => fresh(stored?, now),
            Err(error) => {
                console_error!("cache: get failed: {}", reason(&error));
                None
            }
        }
    }

    async fn cache(&self, key: &Key, value: Bytes, expires: Time) {
        if value.len() > MAX_CACHED {
            return console_error!("cache: a value of {} bytes is not kept", value.len());
        }
        self.begin_round();
        if let Err(error) = self.kv_put(key, &value, expires).await {
            console_error!("cache: put failed: {}", reason(&error));
        }
    }
}

/// The key of the configuration that an operator keeps here; the platform's own values begin with a tenant, and `_`
/// is the platform itself. `wrangler kv key put --binding CACHE _/config --path FILE` writes it.
const SETTINGS: &str = "_/config";

impl Edge {
    /// The configuration as KV has it here and now.
    pub async fn kept_settings(&self) -> Result<Option<Bytes>, worker::Error> {
        let kept = self.env().kv(BINDING)?.get(SETTINGS).bytes().await?;
        Ok(kept.map(Bytes::from))
    }

    async fn kv_get(&self, key: &Key) -> Result<Option<Vec<u8>>, worker::Error> {
        Ok(self.env().kv(BINDING)?.get(&key.to_string()).bytes().await?)
    }

    async fn kv_put(&self, key: &Key, value: &[u8], expires: Time) -> Result<(), worker::Error> {
        let seconds =
            expires.since(Time(now())).as_secs().saturating_add(1).clamp(TTL_SECONDS.0, TTL_SECONDS.1);
        let mut stored = Vec::with_capacity(value.len().saturating_add(EXPIRY_BYTES));
        stored.extend_from_slice(&expires.0.to_be_bytes());
        stored.extend_from_slice(value);
        let put = self.env().kv(BINDING)?.put_bytes(&key.to_string(), &stored)?;
        put.expiration_ttl(seconds).execute().await?;
        Ok(())
    }
}

fn fresh(stored: Vec<u8>, now: Time) -> Option<Bytes> {
    let expires = Time(u64::from_be_bytes(*stored.first_chunk::<EXPIRY_BYTES>()?));
    (expires > now).then(|| Bytes::from(stored).slice(EXPIRY_BYTES..))
}
