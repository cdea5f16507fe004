//! The deployment's configuration: parsed once into a typed snapshot, the same on every host.

mod check;
pub mod features;
mod problem;
mod read;
pub mod rows;
pub mod sandbox;
mod table;

use std::time::Duration;

use self::features::{Features, Flags};
pub use self::problem::Problem;
use self::rows::{KeyRow, TargetRow, TenantRow};
use self::sandbox::{START_MS, Sandbox};
use crate::error::{Error, Kind};
use crate::identity::Tenant;
use crate::sandbox::{Limits as CodeLimits, bounds};

/// Everything that a deployment can set. Written as TOML; every member has a default.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Adds `x-opencode-store-rounds` to answers. For tests and tuning.
    pub debug: bool,
    /// How long each phase of an answer may take.
    pub deadlines: Deadlines,
    /// Hedging of the first content.
    pub hedge: Hedge,
    /// Further tries when every target has failed.
    pub retries: Retries,
    /// What a request may hold.
    pub limits: Limits,
    /// Tokens that are exchanged for keys.
    pub auth: Auth,
    /// Which web pages may call from a browser.
    pub cors: Cors,
    /// What is switched on.
    pub features: Features,
    /// How queue messages are retried.
    pub queue: QueueRules,
    /// Detached runs.
    pub runs: RunRules,
    /// Where code runs.
    pub sandbox: Sandbox,
    /// Where answers come from, in the order they are tried.
    pub targets: Vec<TargetRow>,
    /// Who may ask, and how much.
    pub tenants: Vec<TenantRow>,
    /// API keys, as keyed hashes.
    pub keys: Vec<KeyRow>,
}

/// Bounds of one answer, in milliseconds. The host may lower `whole_ms` to what its platform allows.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hedge {
    /// Milliseconds without content before the next target is asked too; 0 switches hedging off.
    pub after_ms: u64,
}

/// Further tries of an answer before its first content, when every target has failed in a way that may pass: a rate
/// limit, an overload, a broken connection. A pause that a provider names is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many; at most 5.
    pub attempts: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 2 }
    }
}

/// Retries of queue messages.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Bounds of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body, in bytes. Each host has a bound of its own, and the smaller one counts.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 4 * 1024 * 1024 }
    }
}

/// What a token says and how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// From `iat` to `exp` where a caller asks for no less, 60 to 86,400 seconds.
    pub token_seconds: u64,
}

impl Default for Auth {
    fn default() -> Self {
        Self { issuer: "opencode".to_owned(), audience: "opencode".to_owned(), token_seconds: 3_600 }
    }
}

/// Cross-origin requests of browsers: closed unless origins are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Such as `https://app.example`; `*` for all. Credentials are never allowed: callers send a header.
    pub origins: Vec<String>,
}

/// The longest configuration that is read, in bytes: what a record holds on every host.
pub const MAX_TEXT: usize = crate::host::MAX_RECORD;

impl Config {
    /// Reads and checks a TOML text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_TEXT {
            return Err(Problem { line: None, what: format!("it is longer than {MAX_TEXT} bytes") });
        }
        let config = table::read(text, read::config)?;
        check::check(&config).map_err(|(path, what)| Problem::at(text, &path, what))?;
        Ok(config)
    }

    /// The row of a tenant.
    pub fn tenant(&self, tenant: &Tenant) -> Option<&TenantRow> {
        self.tenants.iter().find(|row| row.name == *tenant)
    }

    /// What is switched on for a tenant.
    pub fn flags(&self, tenant: &Tenant) -> Flags {
        let none = Features::default();
        self.tenant(tenant).map_or(&none, |row| &row.features).over(&self.features)
    }

    /// The most that a run of a tenant's code may use; the error says why there is none.
    pub fn code(&self, tenant: &Tenant) -> Result<CodeLimits, Error> {
        let row = self.tenant(tenant).map(|row| &row.sandbox);
        if row.and_then(|row| row.enabled) == Some(false) {
            return Err(Error::new(Kind::Forbidden, "this tenant may not run code"));
        }
        if self.sandbox.function.is_empty() {
            let why = self.sandbox.absent.as_deref().unwrap_or("name one in [sandbox] of the configuration");
            return Err(Error::new(Kind::Unavailable, format!("there is no sandbox here: {why}")));
        }
        let most = &self.sandbox.most;
        let most = row.and_then(|row| row.most.as_ref()).map_or(*most, |row| row.within(most));
        // An answer must be there before the host ends it.
        let longest = self.deadlines.whole_ms.saturating_sub(START_MS).max(*bounds::WALL_MS.start());
        Ok(most.map(|name, value| if name == "wall_ms" { value.min(longest) } else { value }))
    }

    /// How many runs of a tenant's code there may be at once; 0: no limit.
    pub fn code_at_once(&self, tenant: &Tenant) -> u64 {
        self.tenant(tenant).and_then(|row| row.sandbox.concurrency).unwrap_or(self.sandbox.concurrency)
    }

    /// How long an answer may take in all: when its hold is this old its owner is dead.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.deadlines.whole_ms.saturating_add(self.deadlines.grace_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "[[targets]]\nname = \"a\"\nbase_url = \"https://a.example/v1\"\nmodel = \"m\"\n";
    const TENANT: &str = "[[tenants]]\nname = \"t\"\n";

    /// The documented example is one that can be used, and so is it with everything that it leaves out.
    #[test]
    fn the_example_can_be_used() {
        let example = include_str!("../../../../opencode.example.toml");
        let config = Config::parse(example).unwrap();
        assert_eq!((config.targets.len(), config.tenants.len(), config.keys.len()), (1, 1, 1));
        let all: Vec<&str> = example
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
            .collect();
        let all = Config::parse(&all.join("\n")).unwrap();
        let defaults = Config::default();
        assert_eq!(all.deadlines, defaults.deadlines);
        assert_eq!((all.queue, all.runs), (defaults.queue, defaults.runs));
        assert_eq!(Sandbox { usd_per_second: 0.0, ..all.sandbox }, defaults.sandbox);
        assert_eq!((all.limits, all.auth, all.cors), (defaults.limits, defaults.auth, defaults.cors));
        assert_eq!(all.hedge, defaults.hedge);
        let none = Features::default();
        let flags = none.over(&Features { thinking_seconds: None, ..all.features });
        assert_eq!(flags, none.over(&none));
    }

    /// A configuration, the line that is blamed (0: none) and what is said of it.
    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line() {
        let key = format!("[[keys]]\nid = \"k\"\ntenant = \"t\"\nhash = \"{}\"\n", "0".repeat(64));
        assert!(Config::parse(&format!("{TARGET}{TENANT}{key}")).is_ok());
        assert!(Config::parse("").is_ok());
        let cases = [
            ("colour = 1".to_owned(), 1, "`colour`"),
            ("\n[deadlines]\nidle = 1".to_owned(), 3, "did you mean `idle_ms`?"),
            ("[deadlines]\nconnect_ms = 5\nidle_ms = 0".to_owned(), 3, "at least 1 ms"),
            (
                "[deadlines]\nidle_ms = \"sk-secret\"".to_owned(),
                2,
                "`idle_ms` must be a whole number, 0 or more",
            ),
            ("[deadlines]\nidle_ms = -1".to_owned(), 2, "`idle_ms` must be a whole number, 0 or more"),
            ("[features]\ncahce = true".to_owned(), 2, "did you mean `cache`?"),
            ("[features]\ncache = 1".to_owned(), 2, "`cache` must be true or false"),
            ("[features]\nreflection_depth = 9".to_owned(), 2, "must be 0 to 3"),
            ("[queue]\nmax_attempts = 0".to_owned(), 2, "queue.max_attempts"),
            ("[runs]\nlease_ms = 10".to_owned(), 2, "runs.lease_ms"),
            ("[cors]\norigins = [\"app.example\"]".to_owned(), 2, "must be an origin"),
            ("[auth]\ntoken_seconds = 5".to_owned(), 2, "60 to 86400"),
            ("[limits]\nbody_bytes = 5".to_owned(), 2, "at least 1024"),
            ("[retries]\nattempts = 5_000_000_000".to_owned(), 2, "`attempts` must be a whole number"),
            ("deadlines = 1".to_owned(), 1, "`deadlines` must be a table"),
            ("targets = 1".to_owned(), 1, "`targets` must be a list"),
            ("targets = [1]".to_owned(), 1, "`targets` must be a table"),
            ("[cors]\norigins = [\n\"*\",\n1]".to_owned(), 4, "`origins` must be a text in quotes"),
            ("[sandbox]\nfunction = \"f g\"".to_owned(), 2, "name or ARN"),
            ("[sandbox]\nfunction = \"f\"".to_owned(), 1, "sandbox.region"),
            ("[sandbox]\nendpoint = \"https://a/b\"".to_owned(), 2, "without a path"),
            ("[sandbox]\nsecret_access_key = \"sk-secret\"".to_owned(), 2, "NAME of a secret"),
            ("[sandbox]\nanswer_key = \"OPENCODE_SECRET\"".to_owned(), 2, "NAME of a secret"),
            ("[sandbox]\nusd_per_second = -1".to_owned(), 2, "price"),
            ("[sandbox]\nsession_seconds = 1_000_000".to_owned(), 2, "a week"),
            ("[sandbox.limits]\nwall_ms = 1".to_owned(), 2, "must be 100 to 300000"),
            ("[sandbox.most]\nwall_s = 1".to_owned(), 2, "`wall_s`"),
            (format!("{TENANT}[tenants.sandbox.most]\nprocesses = 0"), 4, "1 to 512"),
            ("x = ".to_owned(), 1, ""),
            (TARGET.replace("model = \"m\"", ""), 1, "`model` is missing"),
            (format!("{TARGET}dialect = \"x\""), 5, "`dialect` must be one of openai, responses"),
            (format!("{TENANT}usd_per_day = \"1\""), 3, "`usd_per_day` must be a number"),
            (TENANT.replace("name = \"t\"", ""), 1, "`name` is missing"),
            (format!("{TARGET}{TARGET}"), 6, "stands in two rows"),
            (TARGET.replace("\"a\"", "\"a/b\""), 2, "slash"),
            (TARGET.replace("\"a\"", "\"opencode\""), 2, "opencode"),
            (TARGET.replace("model", "modle"), 4, "did you mean `model`?"),
            (TARGET.replace("https", "ftp"), 3, "base_url"),
            (TARGET.replace("/v1", "/v1/"), 3, "base_url"),
            (TARGET.replace("https://", "https://user:pw@"), 3, "without credentials"),
            (format!("{TARGET}secret = \"sk-live-123\""), 5, "NAME of a secret"),
            (format!("{TARGET}secret = \"OPENCODE_SECRET\""), 5, "platform's own"),
            (format!("{TARGET}usd_per_mtok_in = -1.0"), 5, "price"),
            (format!("{TENANT}{TENANT}"), 4, "stands in two rows"),
            (format!("{TENANT}usd_per_day = -1.0"), 3, "usd_per_day"),
            (format!("{TENANT}usd_per_day = nan"), 3, "usd_per_day"),
            (format!("{TENANT}usd_per_day = 0.0000001"), 3, "usd_per_day"),
            (format!("{TENANT}[tenants.features]\nthinking_seconds = 0"), 4, "1 to 3600"),
            (TENANT.replace("\"t\"", "\"T_\""), 2, "tenant"),
            (TENANT.replace("\"t\"", "\"_\""), 2, "platform itself"),
            (key.clone(), 3, "no row"),
            (format!("{TENANT}{key}{key}"), 8, "two rows"),
            (format!("{TENANT}{}", key.replace("\"k\"", "\"k_1\"")), 4, "letters and digits"),
            (format!("{TENANT}{}", key.replace("000", "xyz")), 6, "mint-key"),
            (format!("{TENANT}{key}role = \"king\""), 7, "`role` must be one of"),
            ("#".repeat(MAX_TEXT + 1), 0, "longer"),
        ];
        for (text, line, says) in cases {
            let problem = Config::parse(&text).unwrap_err();
            assert_eq!(problem.line.unwrap_or(0), line, "{text}\n{problem}");
            assert!(problem.what.contains(says) && !problem.what.contains('\n'), "{text}\n{problem}");
            assert!(!problem.what.contains("sk-"), "{problem}");
        }
    }
}
