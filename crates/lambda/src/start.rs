//! What a function is started with.

use std::sync::Arc;
use std::time::Duration;

use opencode_core::catalog;
use opencode_core::config::sandbox::Sandbox;
use opencode_core::identity::key::SECRET_NAME;
use opencode_core::isolate::{Base, Isolate};

use crate::aws::{Aws, Settings};
use crate::event::MAX_BODY;

/// Which of the two functions this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Requests through the Function URL.
    Http,
    /// SQS batches and the schedule.
    Work,
}

/// Everything that both functions share.
pub struct Start {
    /// From `OPENCODE_FUNCTION`: `http` or `work`.
    pub function: Function,
    /// The core's part.
    pub isolate: Arc<Isolate>,
    /// The stores, the queue and the HTTP client.
    pub aws: Arc<Aws>,
}

/// What settling, the last bytes and the runtime itself need at the end of an invocation.
const RESERVE: Duration = Duration::from_secs(5);

/// The function's timeout where `OPENCODE_TIMEOUT_SECONDS` is not set.
const TIMEOUT_SECONDS: u64 = 300;

impl Start {
    /// Reads the environment. The error is one line for a person, without any secret.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let function = match set("OPENCODE_FUNCTION").as_deref() {
            Some("http") => Function::Http,
            Some("work") => Function::Work,
            _ => return Err("OPENCODE_FUNCTION must be `http` or `work`".to_owned()),
        };
        let base = Base {
            text: set("OPENCODE_CONFIG").unwrap_or_default(),
            secret: set(SECRET_NAME),
            ceiling: Some(ceiling(set)?),
            max_body: MAX_BODY,
            found: catalog::discover(set),
            sandbox: sandbox(set),
            ..Base::default()
        };
        let isolate = Isolate::new(base)?;
        let aws = Aws::new(Settings::from_env(set)?)?;
        Ok(Self { function, isolate, aws: Arc::new(aws) })
    }
}

/// The sandbox that was deployed with this function, for a configuration that names none.
fn sandbox(set: impl Fn(&str) -> Option<String>) -> Sandbox {
    let Some(function) = set("OPENCODE_SANDBOX_FUNCTION") else { return Sandbox::default() };
    Sandbox {
        function,
        region: set("AWS_REGION").unwrap_or_default(),
        answer_key: set(SEAL).map(|_| SEAL.to_owned()).unwrap_or_default(),
        per_tenant: set("OPENCODE_SANDBOX_PER_TENANT").as_deref() != Some("false"),
        ..Sandbox::default()
    }
}

/// The name of the secret with which the sandbox seals its answers.
const SEAL: &str = "SANDBOX_SEAL";

/// The longest answer: the function's timeout less [`RESERVE`].
fn ceiling(set: impl Fn(&str) -> Option<String>) -> Result<Duration, String> {
    let seconds = match set("OPENCODE_TIMEOUT_SECONDS") {
        None => TIMEOUT_SECONDS,
        Some(text) => match text.trim().parse() {
            Ok(seconds) if seconds > RESERVE.as_secs() && seconds <= 900 => seconds,
            _ => return Err("OPENCODE_TIMEOUT_SECONDS must be the function's timeout, 6 to 900".to_owned()),
        },
    };
    Ok(Duration::from_secs(seconds).saturating_sub(RESERVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(extra: &[(&str, &str)]) -> Result<Start, String> {
        let base = [
            ("OPENCODE_FUNCTION", "http"),
            ("OPENCODE_TABLE", "t"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            (SECRET_NAME, "a secret of at least thirty-two bytes"),
        ];
        Start::from_env(|name| {
            let found = extra.iter().chain(&base).find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_ceiling_leaves_five_seconds() {
        let start = start(&[("OPENCODE_TIMEOUT_SECONDS", "60")]).unwrap();
        assert_eq!(start.isolate.snapshot().config().deadlines.whole_ms, 55_000);
    }

    #[test]
    fn the_template_says_its_timeout_twice_alike() {
        let template = include_str!("../../../template.yaml");
        assert!(template.contains("    Timeout: 300\n"));
        assert!(template.contains("OPENCODE_TIMEOUT_SECONDS: '300'\n"));
    }

    #[test]
    fn the_sandbox_of_the_deployment_is_used_with_its_seal() {
        let sandbox =
            |extra: &[(&str, &str)]| start(extra).unwrap().isolate.snapshot().config().sandbox.clone();
        assert_eq!(sandbox(&[]).function, "");
        let deployed = [("OPENCODE_SANDBOX_FUNCTION", "f"), ("SANDBOX_SEAL", "s")];
        let found = sandbox(&deployed);
        assert_eq!((found.function.as_str(), found.region.as_str()), ("f", "us-east-1"));
        assert!(found.answer_key == "SANDBOX_SEAL" && found.per_tenant);
        let shared = sandbox(&[deployed[0], ("OPENCODE_SANDBOX_PER_TENANT", "false")]);
        assert!(shared.answer_key.is_empty() && !shared.per_tenant);
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for extra in [
            ("OPENCODE_FUNCTION", "both"),
            ("OPENCODE_TABLE", ""),
            ("OPENCODE_TIMEOUT_SECONDS", "5"),
            ("OPENCODE_CONFIG", "nonsense = 1"),
            (SECRET_NAME, "short"),
            ("AWS_REGION", " "),
            ("AWS_ACCESS_KEY_ID", ""),
        ] {
            let error = start(&[extra]).err().unwrap();
            assert!(!error.contains('\n') && !error.is_empty(), "{error}");
        }
    }
}
