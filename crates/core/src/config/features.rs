//! Feature flags: for the deployment, and per tenant over it.

use std::time::Duration;

/// Flags as they are written, in `[features]` or in a tenant's `[tenants.features]`; what is left out falls back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Replay complete answers to the same question of the same tenant. Off unless set.
    pub cache: Option<bool>,
    /// How long an answer is replayed; 300 unless set, at most a week. Workers KV keeps nothing under 60 s: there a
    /// shorter time is still honoured, by the expiry stored in the value.
    pub cache_ttl_seconds: Option<u64>,
    /// Keep every stream for ten minutes after its end, so that a caller who lost it can take it up again. Off unless
    /// set; a request may say otherwise.
    pub resumable: Option<bool>,
    /// Let another target continue a stream that broke off after its beginning, where that is possible. Off unless
    /// set; a request may say otherwise.
    pub continuation: Option<bool>,
    /// Let the thinking mode decompose, criticise, reason and reflect before it answers. On unless set; without it
    /// the mode answers in one ask.
    pub thinking_chain: Option<bool>,
    /// The longest that a thinking answer may take inside a request, 1 to 3,600 seconds; `deadlines.whole_ms` unless
    /// it is shorter.
    pub thinking_seconds: Option<u64>,
    /// How often the thinking mode checks its reasoning, 0 to 3; once unless set.
    pub reflection_depth: Option<u8>,
    /// How often the code mode mends a program that failed, 0 to 5; twice unless set.
    pub code_repairs: Option<u8>,
    /// How often the code of one answer's `code_interpreter` or `code_execution` is run here, 0 to 32; 8 times unless
    /// set. With 0 the platform offers no such tool.
    pub code_runs: Option<u8>,
    /// Serve `/api/v1/metrics`. On unless set.
    pub metrics: Option<bool>,
    /// Break the metrics down by mode and key as well. Off unless set.
    pub detailed_tracking: Option<bool>,
}

/// What holds for one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// How long an answer is replayed, if at all.
    pub cache: Option<Duration>,
    /// See [`Features::resumable`].
    pub resumable: bool,
    /// See [`Features::continuation`].
    pub continuation: bool,
    /// See [`Features::thinking_chain`].
    pub thinking_chain: bool,
    /// See [`Features::thinking_seconds`].
    pub thinking: Option<Duration>,
    /// See [`Features::reflection_depth`].
    pub reflection_depth: u8,
    /// See [`Features::code_repairs`].
    pub code_repairs: u8,
    /// See [`Features::code_runs`].
    pub code_runs: u8,
    /// See [`Features::metrics`].
    pub metrics: bool,
    /// See [`Features::detailed_tracking`].
    pub detailed_tracking: bool,
}

/// The most that the thinking mode checks its reasoning.
pub const MAX_REFLECTIONS: u8 = 3;
/// The most that the code mode mends a program.
pub const MAX_REPAIRS: u8 = 5;
/// The most runs of one answer's tool.
pub const MAX_RUNS: u8 = 32;

impl Features {
    /// These flags over the deployment's, over what holds where neither says anything.
    pub fn over(&self, deployment: &Self) -> Flags {
        let ttl = self.cache_ttl_seconds.or(deployment.cache_ttl_seconds).unwrap_or(300);
        let cache = self.cache.or(deployment.cache).unwrap_or(false) && ttl > 0;
        Flags {
            cache: cache.then(|| Duration::from_secs(ttl)),
            resumable: self.resumable.or(deployment.resumable).unwrap_or(false),
            continuation: self.continuation.or(deployment.continuation).unwrap_or(false),
            thinking_chain: self.thinking_chain.or(deployment.thinking_chain).unwrap_or(true),
            thinking: self.thinking_seconds.or(deployment.thinking_seconds).map(Duration::from_secs),
            reflection_depth: self.reflection_depth.or(deployment.reflection_depth).unwrap_or(1),
            code_repairs: self.code_repairs.or(deployment.code_repairs).unwrap_or(2),
            code_runs: self.code_runs.or(deployment.code_runs).unwrap_or(8),
            metrics: self.metrics.or(deployment.metrics).unwrap_or(true),
            detailed_tracking: self.detailed_tracking.or(deployment.detailed_tracking).unwrap_or(false),
        }
    }

    /// The first flag whose value cannot be meant, with why.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.cache_ttl_seconds.is_some_and(|seconds| seconds == 0 || seconds > 7 * 86_400) {
            return Err((
                "cache_ttl_seconds",
                "must be 1 to 604800; `cache = false` switches it off".to_owned(),
            ));
        }
        if self.thinking_seconds.is_some_and(|seconds| seconds == 0 || seconds > 3_600) {
            return Err(("thinking_seconds", "must be 1 to 3600".to_owned()));
        }
        if self.reflection_depth.is_some_and(|depth| depth > MAX_REFLECTIONS) {
            return Err(("reflection_depth", format!("must be 0 to {MAX_REFLECTIONS}")));
        }
        if self.code_repairs.is_some_and(|repairs| repairs > MAX_REPAIRS) {
            return Err(("code_repairs", format!("must be 0 to {MAX_REPAIRS}")));
        }
        if self.code_runs.is_some_and(|runs| runs > MAX_RUNS) {
            return Err(("code_runs", format!("must be 0 to {MAX_RUNS}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_tenants_flags_go_over_the_deployments() {
        let flags = |text: &str| Config::parse(&format!("[features]\n{text}")).unwrap().features;
        let deployment = flags("cache = true\ncache_ttl_seconds = 60\nmetrics = false");
        let none = Features::default();
        assert_eq!(none.over(&none).cache, None);
        assert_eq!(none.over(&deployment).cache, Some(Duration::from_secs(60)));
        assert_eq!(flags("cache = false").over(&deployment).cache, None);
        assert!(!none.over(&deployment).metrics);
        assert!(flags("metrics = true").over(&deployment).metrics);
    }
}
