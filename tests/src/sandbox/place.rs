//! A stage as the suite sees it: a child that answers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use opencode_core::sandbox::Execution;
use serde_json::{Value, json};

use super::seen::Seen;
use super::setup::{Parts, Setup};

/// A running stage; dropping it ends every process in it.
pub struct Place {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Every secret that is planted in it.
    pub canaries: Vec<String>,
}

/// One run.
pub struct Ask {
    /// Whose it is.
    pub tenant: String,
    /// What is sent.
    pub event: String,
    /// How long it may take.
    pub wall_ms: u64,
    /// See the stage's `invoke`.
    pub reset: Option<&'static str>,
}

impl Ask {
    /// Of an execution.
    pub fn of(execution: &Execution) -> Self {
        Self {
            tenant: "acme".to_owned(),
            event: serde_json::to_string(execution).unwrap_or_default(),
            wall_ms: execution.limits.wall_ms,
            reset: None,
        }
    }
}

impl Place {
    /// Starts one. `variables` are for what is under test.
    pub fn start(setup: Setup, parts: &Parts, variables: &[(&str, &str)]) -> Result<Self, String> {
        let number = number();
        let canary = |place: &str| format!("canary-{place}-{:08x}", number.wrapping_mul(0x9e37_79b9));
        let canaries: Vec<(&str, String)> =
            ["environment", "memory", "file", "argument"].map(|place| (place, canary(place))).into();
        let plan = json!({
            "setup": setup.name(),
            "user": 1_000_000 + number % 1_000_000,
            "lone": !rustix::process::geteuid().is_root(),
            "programs": parts.programs(),
            "packages": parts.packages,
            "esbuild": parts.esbuild,
            "variables": variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect::<serde_json::Map<_, _>>(),
            "canaries": canaries.iter().map(|(place, text)| ((*place).to_owned(), text.as_str().into())).collect::<serde_json::Map<_, _>>(),
        });
        let mut command = Command::new("unshare");
        command.args([
            "--pid",
            "--fork",
            "--kill-child",
            "--mount",
            "--mount-proc",
            "--net",
            "--ipc",
            "--uts",
        ]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.arg(std::env::current_exe().map_err(|error| error.to_string())?);
        command.arg("sandbox-stage");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| format!("unshare: {error}"))?;
        let mut asks = child.stdin.take().ok_or("no input")?;
        writeln!(asks, "{plan}").map_err(|error| error.to_string())?;
        let answers = BufReader::new(child.stdout.take().ok_or("no output")?);
        let canaries = canaries.into_iter().map(|(_, text)| text).collect();
        let mut place = Self { child, asks, answers, canaries };
        let ready = place.answer()?;
        place.canaries.extend(ready["ready"].as_str().map(str::to_owned));
        Ok(place)
    }

    /// Runs it and looks.
    pub fn ask(&mut self, ask: &Ask) -> Result<Seen, String> {
        let asked = json!({
            "tenant": ask.tenant, "event": ask.event, "wall_ms": ask.wall_ms, "reset": ask.reset,
        });
        writeln!(self.asks, "{asked}").map_err(|error| format!("the stage is gone: {error}"))?;
        Ok(Seen::new(self.answer()?, self.canaries.clone()))
    }

    /// Runs an execution.
    pub fn run(&mut self, execution: &Execution) -> Result<Seen, String> {
        self.ask(&Ask::of(execution))
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&line).map_err(|_| format!("the stage says {line:?}"))?;
        match answer["refused"].as_str() {
            Some(why) => Err(format!("the stage cannot be set: {why}")),
            None => Ok(answer),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Its first process ends with it, and with that one all others.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Different in every stage of every suite on this machine, as far as chance goes.
fn number() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    u64::from(std::process::id()) * 1000 + COUNT.fetch_add(1, Ordering::Relaxed)
}
