//! Where code runs, and how much of it.

use super::check::Wrong;
use crate::sandbox::Limits;

/// `[sandbox]`: a function of AWS Lambda, or a stand-in for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sandbox {
    /// Its name or ARN; empty where there is none.
    pub function: String,
    /// Where it is, `eu-west-1` for example.
    pub region: String,
    /// Where its Invoke is asked, without a slash at the end; empty: Lambda's own in this region.
    pub endpoint: String,
    /// The NAMES of the secrets with the credentials that sign. A session token may be missing.
    pub access_key_id: String,
    /// See `access_key_id`.
    pub secret_access_key: String,
    /// See `access_key_id`.
    pub session_token: String,
    /// The NAME of the secret with which the sandbox seals its answers; empty: they are not sealed.
    pub answer_key: String,
    /// Whether the function keeps tenants apart (`TenancyConfig`), so that each run must say whose it is.
    pub per_tenant: bool,
    /// US dollars for a second of a run, for its receipt and the tenant's budget.
    pub usd_per_second: f64,
    /// Runs of one tenant at once, where its row says nothing; 0: no limit.
    pub concurrency: u64,
    /// How long a session's files are kept after its last run, in seconds; 0: there are no sessions.
    pub session_seconds: u64,
    /// What a run may use where its caller says nothing.
    pub limits: Limits,
    /// The most that a caller may ask for.
    pub most: Limits,
    /// Why there is none, where a host knows more than that none is configured.
    pub absent: Option<String>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            function: String::new(),
            region: String::new(),
            endpoint: String::new(),
            access_key_id: "AWS_ACCESS_KEY_ID".to_owned(),
            secret_access_key: "AWS_SECRET_ACCESS_KEY".to_owned(),
            session_token: "AWS_SESSION_TOKEN".to_owned(),
            answer_key: String::new(),
            per_tenant: true,
            usd_per_second: 0.0,
            concurrency: 0,
            session_seconds: 3_600,
            limits: Limits::default(),
            most: most(),
            absent: None,
        }
    }
}

/// What a caller may ask for unless the operator says otherwise: an answer that fits into a Worker's memory, which holds
/// it three times over.
fn most() -> Limits {
    Limits::default().map(|name, value| match name {
        "wall_ms" | "cpu_ms" => 300_000,
        "memory_bytes" => 2 * 1024 * 1024 * 1024,
        "output_bytes" => 4 * 1024 * 1024,
        "disk_bytes" => 512 * 1024 * 1024,
        "artifacts_bytes" => 8 * 1024 * 1024,
        "processes" => 128,
        _ => value,
    })
}

/// `[tenants.sandbox]`: what holds for one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantSandbox {
    /// Whether it may run code. It may unless set.
    pub enabled: Option<bool>,
    /// Runs at once; 0: no limit.
    pub concurrency: Option<u64>,
    /// The most that its callers may ask for; never more than the deployment's.
    pub most: Option<Limits>,
}

/// The longest run's time is not all that an answer takes: its environment may have to be started first, and what it
/// says has to travel.
pub const START_MS: u64 = 10_000;

impl Sandbox {
    /// Micro-dollars for so many milliseconds, rounded up.
    pub fn micros(&self, millis: u64) -> u64 {
        (self.usd_per_second * 1e3 * millis as f64).ceil() as u64
    }

    pub(super) fn check(&self) -> Result<(), Wrong> {
        let wrong = |name: &str, what: &str| Err((format!("sandbox.{name}"), what.to_owned()));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:$".contains(&byte);
        if self.function.len() > 170 || !self.function.bytes().all(plain) {
            return wrong("function", "must be a function's name or ARN");
        }
        let region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !self.region.bytes().all(region) || (self.region.is_empty() && !self.function.is_empty()) {
            return wrong("region", "must be the function's region, such as eu-west-1");
        }
        let url = ["https://", "http://"].iter().find_map(|scheme| self.endpoint.strip_prefix(scheme));
        let host = url.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@']));
        if !self.endpoint.is_empty() && (!host || self.endpoint.parse::<http::Uri>().is_err()) {
            return wrong("endpoint", "must be https:// or http:// and a host, without a path");
        }
        for (name, secret) in [
            ("access_key_id", &self.access_key_id),
            ("secret_access_key", &self.secret_access_key),
            ("session_token", &self.session_token),
            ("answer_key", &self.answer_key),
        ] {
            let optional = matches!(name, "session_token" | "answer_key");
            let sound = if secret.is_empty() { optional } else { is_secret(secret) };
            if !sound {
                return wrong(name, "must be the NAME of a secret, in capitals, digits and `_`");
            }
        }
        if !self.usd_per_second.is_finite() || self.usd_per_second < 0.0 {
            return wrong("usd_per_second", "must be 0 or more: it is a price");
        }
        if self.session_seconds > 7 * 86_400 {
            return wrong("session_seconds", "must be at most 604800, a week; 0 switches sessions off");
        }
        limits(&self.limits, "sandbox.limits")?;
        limits(&self.most, "sandbox.most")
    }
}

/// Each limit in its range; the path of the first that is not.
pub(super) fn limits(limits: &Limits, at: &str) -> Result<(), Wrong> {
    for (name, value, range) in limits.rows() {
        if !range.contains(&value) {
            return Err((format!("{at}.{name}"), format!("must be {} to {}", range.start(), range.end())));
        }
    }
    Ok(())
}

/// The platform's own secrets are never sent, but AWS's are what signs here: a signature does not give them away.
fn is_secret(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    let ours = ["OPENCODE_", "CLOUDFLARE_"].iter().any(|prefix| name.starts_with(prefix));
    name.len() <= 64 && !ours && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}
