//! What a function is started with.

use std::sync::Arc;
use std::time::Duration;

use opencode_core::catalog;
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
            ..Base::default()
        };
        let isolate = Isolate::new(base)?;
        let aws = Aws::new(Settings::from_env(set)?)?;
        Ok(Self { function, isolate, aws: Arc::new(aws) })
    }
}

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
