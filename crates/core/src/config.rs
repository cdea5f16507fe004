//! The deployment's configuration: parsed once into a typed snapshot, the same on every host.

use std::time::Duration;

use serde::Deserialize;

use crate::identity::Tenant;
use crate::identity::key::KeyRow;

/// Everything that a deployment can set. Written as TOML; every member has a default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Adds `x-opencode-store-rounds` to answers. For tests and tuning.
    pub debug: bool,
    /// How long each phase of an answer may take.
    pub deadlines: Deadlines,
    /// Hedging of the first content.
    pub hedge: Hedge,
    /// The response cache.
    pub cache: CacheRules,
    /// How queue messages are retried.
    pub queue: QueueRules,
    /// Detached runs.
    pub runs: RunRules,
    /// Where answers come from, in the order they are tried.
    pub targets: Vec<TargetRow>,
    /// Who may ask, and how much.
    pub tenants: Vec<TenantRow>,
    /// API keys, as keyed hashes.
    pub keys: Vec<KeyRow>,
}

/// Bounds of one answer, in milliseconds. The host may lower `whole_ms` to what its platform allows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// From sending a request upstream to its response's head. For an answer that is not streamed, providers send
    /// the head when the answer is complete: there `first_content_ms` bounds both.
    pub connect_ms: u64,
    /// From sending a request upstream to its first content.
    pub first_content_ms: u64,
    /// Between two chunks after the first content.
    pub idle_ms: u64,
    /// The whole answer, all attempts together.
    pub whole_ms: u64,
    /// What comes on top before an answer's owner is taken for dead: a host gives a slow reader a minute, and settling
    /// takes a while. Usage is rolled up this much later still, for clocks that differ.
    pub grace_ms: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect_ms: 15_000,
            first_content_ms: 60_000,
            idle_ms: 30_000,
            whole_ms: 280_000,
            grace_ms: 120_000,
        }
    }
}

/// Hedging: a second target is asked when the first is slow, and the first content wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hedge {
    /// Milliseconds without content before the next target is asked too; 0 switches hedging off.
    pub after_ms: u64,
}

/// The response cache: exact, per tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheRules {
    /// How long a complete answer is replayed; 0 switches the cache off. Workers KV keeps nothing under 60 s: there
    /// a shorter time is still honoured, by the expiry stored in the value.
    pub ttl_seconds: u64,
}

/// Retries of queue messages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueRules {
    /// Deliveries before a message is dead. `wrangler.toml` and `template.yaml` carry the same number.
    pub max_attempts: u32,
    /// The first retry's delay; it doubles with each attempt, up to 15 minutes.
    pub retry_ms: u64,
}

impl Default for QueueRules {
    fn default() -> Self {
        Self { max_attempts: 4, retry_ms: 5_000 }
    }
}

/// Detached runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunRules {
    /// How long a worker may take for a step before another takes it. A step's asks end after nine tenths of it, so
    /// that a step that is merely slow is not asked twice.
    pub lease_ms: u64,
    /// How long a run can be read, from its beginning.
    pub keep_seconds: u64,
}

impl Default for RunRules {
    fn default() -> Self {
        Self { lease_ms: 300_000, keep_seconds: 7 * 86_400 }
    }
}

/// A provider as a row: what is needed to ask it in a dialect that the core speaks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetRow {
    /// The provider's name in `provider/model`: no slash.
    pub name: String,
    /// For example `https://api.openai.com/v1`; no slash at the end.
    pub base_url: String,
    /// The model that is asked when the caller names none.
    pub model: String,
    /// Further models that callers may name, at the same prices; `"*"` for all.
    #[serde(default)]
    pub models: Vec<String>,
    /// The name of the secret with the API key; without it no credential is sent.
    #[serde(default)]
    pub secret: Option<String>,
    /// US dollars for a million input tokens.
    #[serde(default)]
    pub usd_per_mtok_in: f64,
    /// US dollars for a million output tokens.
    #[serde(default)]
    pub usd_per_mtok_out: f64,
}

/// A tenant's limits; 0 means no limit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRow {
    /// The tenant.
    pub name: Tenant,
    /// Answers a minute.
    #[serde(default)]
    pub requests_per_minute: u64,
    /// Answers at once.
    #[serde(default)]
    pub concurrency: u64,
    /// US dollars a day (UTC).
    #[serde(default)]
    pub usd_per_day: f64,
}

impl Config {
    /// Reads and checks a TOML text. The error names the line and what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check()?;
        Ok(config)
    }

    /// The row of a tenant.
    pub fn tenant(&self, tenant: &Tenant) -> Option<&TenantRow> {
        self.tenants.iter().find(|row| row.name == *tenant)
    }

    /// How long an answer may take in all: when its hold is this old its owner is dead.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.deadlines.whole_ms.saturating_add(self.deadlines.grace_ms))
    }

    fn check(&self) -> Result<(), String> {
        let mut names = std::collections::BTreeSet::new();
        for row in &self.targets {
            if row.name.is_empty() || row.name.contains('/') || row.name == "opencode" {
                return Err(format!(
                    "targets: name {:?} must not be empty, hold a slash or be `opencode`",
                    row.name
                ));
            }
            if !names.insert(&row.name) {
                return Err(format!("targets: two rows are named {:?}", row.name));
            }
            let plain = row.base_url.starts_with("https://") || row.base_url.starts_with("http://");
            if !plain || row.base_url.ends_with('/') {
                return Err(format!(
                    "targets: base_url of {:?} must begin with https:// or http:// and not end with a slash",
                    row.name
                ));
            }
            let sound = |price: f64| price.is_finite() && price >= 0.0;
            if !sound(row.usd_per_mtok_in) || !sound(row.usd_per_mtok_out) {
                return Err(format!("targets: the prices of {:?} must be 0 or more", row.name));
            }
        }
        for key in &self.keys {
            if self.tenant(&key.tenant).is_none() {
                return Err(format!("keys: {:?} belongs to tenant {}, which has no row", key.id, key.tenant));
            }
        }
        let limits = &self.deadlines;
        if [limits.connect_ms, limits.first_content_ms, limits.idle_ms, limits.whole_ms].contains(&0) {
            return Err("deadlines: every bound must be at least 1 ms".to_owned());
        }
        if self.runs.lease_ms < 1_000 || self.runs.keep_seconds == 0 {
            return Err("runs: lease_ms must be at least 1000 and keep_seconds at least 1".to_owned());
        }
        let mut names = std::collections::BTreeSet::new();
        for row in &self.tenants {
            if !names.insert(&row.name) {
                return Err(format!("tenants: two rows are named {}", row.name));
            }
            if row.name == Tenant::system() {
                return Err("tenants: `_` is the platform itself".to_owned());
            }
            // 0 means no limit: nothing else may come to mean it.
            let budget = row.usd_per_day;
            if !budget.is_finite() || budget < 0.0 || (budget > 0.0 && budget < 0.000_001) {
                return Err(format!("tenants: usd_per_day of {} must be 0 or at least 0.000001", row.name));
            }
        }
        let mut keys = std::collections::BTreeSet::new();
        if let Some(key) = self.keys.iter().find(|key| !keys.insert((&key.tenant, &key.id))) {
            return Err(format!("keys: tenant {} has two keys {:?}", key.tenant, key.id));
        }
        if self.queue.max_attempts == 0 {
            return Err("queue: max_attempts must be at least 1".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        let target = "[[targets]]\nname = \"a\"\nbase_url = \"https://a.example/v1\"\nmodel = \"m\"\n";
        let tenant = "[[tenants]]\nname = \"t\"\n";
        let key = "[[keys]]\nid = \"k\"\ntenant = \"t\"\nhash = \"h\"\n";
        assert!(Config::parse(&format!("{target}{tenant}{key}")).is_ok());
        assert!(Config::parse("").is_ok());
        let cases = [
            ("colour = 1".to_owned(), "colour"),
            ("[deadlines]\nidle = 1".to_owned(), "idle"),
            ("[deadlines]\nidle_ms = 0".to_owned(), "deadlines"),
            ("[queue]\nmax_attempts = 0".to_owned(), "max_attempts"),
            ("[runs]\nlease_ms = 10".to_owned(), "lease_ms"),
            (format!("{target}{target}"), "two rows"),
            (target.replace("\"a\"", "\"a/b\""), "slash"),
            (target.replace("\"a\"", "\"opencode\""), "opencode"),
            (target.replace("https", "ftp"), "base_url"),
            (target.replace("/v1", "/v1/"), "base_url"),
            (format!("{target}usd_per_mtok_in = -1.0"), "prices"),
            (format!("{tenant}{tenant}"), "two rows"),
            (format!("{tenant}usd_per_day = -1.0"), "usd_per_day"),
            (format!("{tenant}usd_per_day = nan"), "usd_per_day"),
            (format!("{tenant}usd_per_day = 0.0000001"), "usd_per_day"),
            (tenant.replace("\"t\"", "\"T_\""), "tenant"),
            (tenant.replace("\"t\"", "\"_\""), "platform itself"),
            (key.to_owned(), "no row"),
            (format!("{tenant}{key}{key}"), "two keys"),
        ];
        for (text, says) in cases {
            let error = Config::parse(&text).unwrap_err();
            assert!(error.contains(says), "{text}\n{error}");
        }
    }
}
