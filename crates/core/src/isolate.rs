//! What one process or isolate keeps between requests: the configuration in force, and how it came to be.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::Config;
use crate::config::rows::{KeyRow, TargetRow, TenantRow};
use crate::config::sandbox::Sandbox;
use crate::host::{Bytes, StoreError, Time};
use crate::identity::key::{MIN_SECRET, SECRET_NAME};
use crate::snapshot::{Shared, Snapshot};

/// How long a configuration is believed without looking for a newer one.
const REFRESH: Duration = Duration::from_secs(5);

/// What the host knows when it starts. It goes into every configuration that is read later.
#[derive(Clone, Default)]
pub struct Base {
    /// The configuration to start with, as TOML.
    pub text: String,
    /// `OPENCODE_SECRET`.
    pub secret: Option<String>,
    /// The longest answer that the platform allows.
    pub ceiling: Option<Duration>,
    /// The largest body that the host takes, in bytes.
    pub max_body: usize,
    /// Targets for a configuration that names none.
    pub found: Vec<TargetRow>,
    /// Targets behind those of any configuration.
    pub local: Vec<TargetRow>,
    /// The sandbox for a configuration that names none: its `function`, where it is and how its secrets are called; or
    /// why there is none.
    pub sandbox: Sandbox,
    /// Who may ask where a configuration names no key.
    pub development: Option<(TenantRow, KeyRow)>,
}

/// Made once at start-up and handed to every `serve` and `work`.
pub struct Isolate {
    base: Base,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

struct State {
    snapshot: Arc<Snapshot>,
    /// What `snapshot`, or the problem with it, was made of.
    text: Bytes,
    /// When it was looked for; `None` before the first look.
    checked: Option<Time>,
    /// Whether a look has ever come to an end: before it, what was changed since the start is not known.
    looked: bool,
}

impl Isolate {
    /// Checks what must hold before the first request. The error is one line for the operator.
    pub fn new(mut base: Base) -> Result<Arc<Self>, String> {
        let secret = base.secret.take().unwrap_or_default();
        if secret.len() < MIN_SECRET {
            return Err(format!(
                "{SECRET_NAME} must be set to at least {MIN_SECRET} random bytes: API keys are hashed and tokens \
                 signed with it"
            ));
        }
        let development = base.development.as_ref().map(|(_, key)| key.clone());
        let shared = Shared::new(secret, development);
        let config = Config::parse(&base.text).map_err(|problem| format!("the configuration: {problem}"))?;
        let snapshot = base.snapshot(config, &shared);
        let text = Bytes::from(base.text.clone());
        Ok(Arc::new(Self {
            base,
            shared,
            state: Mutex::new(State { snapshot, text, checked: None, looked: false }),
        }))
    }

    /// The configuration in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.state().snapshot)
    }

    /// Whether somebody has to look for a newer configuration now: every caller before the first look has ended,
    /// one caller after that.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        let mut state = self.state();
        match state.checked {
            None => true,
            // A clock may be set back.
            Some(checked) if checked <= now && now < checked.plus(REFRESH) => false,
            Some(_) => {
                state.checked = Some(now);
                true
            }
        }
    }

    /// Whether the configuration in force is known to be the newest there was: keys that were taken away since the start
    /// must not open anything.
    pub(crate) fn is_certain(&self) -> bool {
        self.state().looked
    }

    /// Takes what a look has found: a text, or `None` for the one that the host started with. One that cannot be used
    /// leaves the configuration in force as it is, with the problem noted.
    pub(crate) fn learn(&self, found: Result<Option<Bytes>, StoreError>, now: Time) -> Arc<Snapshot> {
        let mut state = self.state();
        state.checked = Some(now);
        match found {
            Ok(text) => {
                state.looked = true;
                let text = text.unwrap_or_else(|| Bytes::from(self.base.text.clone()));
                let unread = state.snapshot.problem().is_some_and(|problem| problem.starts_with(UNREAD));
                if text != state.text || unread {
                    state.snapshot = match read(&text) {
                        Ok(config) => self.base.snapshot(config, &self.shared),
                        Err(problem) => state.snapshot.with_problem(Some(problem)),
                    };
                    state.text = text;
                }
            }
            Err(error) => {
                state.snapshot = state.snapshot.with_problem(Some(format!("{UNREAD}: {error}")));
            }
        }
        Arc::clone(&state.snapshot)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const UNREAD: &str = "a newer configuration could not be looked for";

fn read(text: &[u8]) -> Result<Config, String> {
    let text = std::str::from_utf8(text).map_err(|_| "the newer configuration is not UTF-8".to_owned())?;
    Config::parse(text).map_err(|problem| format!("the newer configuration is not in force: {problem}"))
}

impl Base {
    fn snapshot(&self, mut config: Config, shared: &Arc<Shared>) -> Arc<Snapshot> {
        if config.targets.is_empty() {
            config.targets.clone_from(&self.found);
        }
        for row in &self.local {
            if config.targets.iter().all(|other| other.name != row.name) {
                config.targets.push(row.clone());
            }
        }
        if config.sandbox.function.is_empty() {
            let rules = config.sandbox;
            config.sandbox = Sandbox {
                usd_per_second: rules.usd_per_second,
                concurrency: rules.concurrency,
                session_seconds: rules.session_seconds,
                limits: rules.limits,
                most: rules.most,
                ..self.sandbox.clone()
            };
        }
        if let (true, Some((tenant, key))) = (config.keys.is_empty(), &self.development) {
            if config.tenant(&tenant.name).is_none() {
                config.tenants.push(tenant.clone());
            }
            config.keys.push(key.clone());
        }
        if let Some(ceiling) = self.ceiling {
            let ceiling = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
            config.deadlines.whole_ms = config.deadlines.whole_ms.min(ceiling.max(1));
        }
        let max_body = config.limits.body_bytes.min(self.max_body);
        Snapshot::new(config, max_body, Arc::clone(shared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn isolate() -> Arc<Isolate> {
        let secret = Some("a secret of at least thirty-two bytes".to_owned());
        let text = "[limits]\nbody_bytes = 2000".to_owned();
        Isolate::new(Base { text, secret, max_body: 10_000, ..Base::default() }).unwrap()
    }

    #[test]
    fn a_short_secret_or_a_bad_text_does_not_start() {
        for (secret, text) in [(None, ""), (Some("short"), ""), (Some("x".repeat(32).as_str()), "colour = 1")]
        {
            let base = Base { secret: secret.map(str::to_owned), text: text.to_owned(), ..Base::default() };
            let why = Isolate::new(base).err().unwrap();
            assert!(!why.contains('\n'), "{why}");
        }
    }

    #[test]
    fn a_bad_change_leaves_what_is_in_force_and_is_said() {
        let isolate = isolate();
        let learn =
            |text: &'static str| isolate.learn(Ok(Some(Bytes::from_static(text.as_bytes()))), Time(1));
        assert_eq!(isolate.snapshot().max_body(), 2_000);
        assert_eq!(learn("[limits]\nbody_bytes = 3000").max_body(), 3_000);
        let bad = learn("[limits]\nbody_bites = 4000");
        assert_eq!(bad.max_body(), 3_000);
        assert!(bad.problem().unwrap().contains("line 2"), "{:?}", bad.problem());
        let unread = isolate.learn(Err(StoreError("down".to_owned())), Time(1));
        assert!(unread.problem().unwrap().contains("down"));
        let bad = learn("[limits]\nbody_bites = 4000");
        assert!(bad.problem().unwrap().contains("line 2"), "{:?}", bad.problem());
        let good = learn("[limits]\nbody_bytes = 40000");
        assert_eq!((good.max_body(), good.problem()), (10_000, None));
        assert_eq!(isolate.learn(Ok(None), Time(1)).max_body(), 2_000);
    }

    #[test]
    fn everyone_looks_before_the_first_answer_and_one_after_it() {
        let isolate = isolate();
        assert!(isolate.is_due(Time(1)) && isolate.is_due(Time(1)));
        isolate.learn(Ok(None), Time(1));
        assert!(!isolate.is_due(Time(5_000)));
        assert!(isolate.is_due(Time(5_001)) && !isolate.is_due(Time(5_001)));
    }
}
