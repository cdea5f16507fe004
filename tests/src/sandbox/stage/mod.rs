//! Where an attack happens: a process namespace of its own whose first process, this program again, plays the machine
//! around the sandbox. It owns the mounts, the network, the canaries and the Runtime API, hands executions over and
//! looks at what there is the moment an answer comes.
//!
//! Nothing that an attack does leaves it: the machine's file systems are read-only in it, what can be written is small
//! and in memory, its network has no way out, its users are nobody else's, and its end ends every process in it.
//!
//! ```text
//! ground       mounts, addresses, secrets that lie about
//! keeper       starts and ends what is under test
//! runtime_api  Lambda's part, as far as code inside can see it
//! invoke       a signed Invoke of the local sandbox
//! outside      what stands for the rest of the world, and hears what reaches it
//! survey       processes, files and the keeper's state at one moment
//! ```

mod ground;
pub use self::ground::HOME;
mod invoke;
mod keeper;
mod outside;
mod runtime_api;
mod survey;

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use self::keeper::Keeper;
use self::outside::Outside;
use self::runtime_api::Lambda;
use super::setup::Setup;
use crate::suite::RUNTIME;

/// Where the programs lie inside.
pub const PROGRAMS: &str = "/mnt/programs";
/// Where Python's packages lie inside.
pub const PACKAGES: &str = "/mnt/packages";
/// Where esbuild lies inside.
pub const ESBUILD: &str = "/mnt/esbuild";

/// What a stage was told by the suite.
#[derive(Clone)]
pub struct Plan {
    /// What is under test.
    pub setup: Setup,
    /// As the suite wrote it: `user`, `lone`, `programs`, `packages`, `esbuild`, `variables`, and `canaries` with `environment`,
    /// `memory`, `file` and `argument`.
    pub told: Value,
}

impl Plan {
    fn text(&self, name: &str) -> &str {
        self.told[name].as_str().unwrap_or_default()
    }

    /// A secret, by where it is planted.
    pub fn canary(&self, name: &str) -> &str {
        self.told["canaries"][name].as_str().unwrap_or_default()
    }

    /// Whether the suite is not run by root, so that a stage has one user only.
    pub fn lone(&self) -> bool {
        self.told["lone"] == true
    }

    /// The user id of this stage alone.
    pub fn user(&self) -> u64 {
        self.told["user"].as_u64().unwrap_or(60_000)
    }
}

/// Is a stage until the suite goes away: one JSON object a line asks, one answers. The first is the plan: on the command
/// line every process of the stage could read its secrets.
pub fn main() -> ExitCode {
    match play() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&json!({ "refused": error }));
            ExitCode::FAILURE
        }
    }
}

fn play() -> Result<(), String> {
    if std::process::id() != 1 {
        return Err("a stage is only ever the first process of its own namespace".to_owned());
    }
    let mut plan = String::new();
    std::io::stdin().lock().read_line(&mut plan).map_err(|error| error.to_string())?;
    let told: Value = serde_json::from_str(&plan).map_err(|error| error.to_string())?;
    let setup = told["setup"].as_str().and_then(Setup::find).ok_or("no such set-up")?;
    let plan = Plan { setup, told };
    ground::lay(&plan)?;
    let _running = RUNTIME.enter();
    let outside = Outside::open(&plan)?;
    let lambda = Lambda::open(&plan)?;
    let mut keeper = Keeper::new(plan, Arc::clone(&lambda));
    keeper.start()?;
    say(&json!({ "ready": keeper.secrets() }));
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let asked: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let mut answer = keeper.invoke(&asked);
        answer["received"] = outside.received().into();
        say(&answer);
    }
    Ok(())
}

fn say(answer: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{answer}").and_then(|()| out.flush());
}

/// How long an execution may take before whoever waits for it gives up, as a function's time does: its wall time and some seconds,
/// more of them than a function has, since a busy machine is no escape.
pub fn patience(asked: &Value) -> Duration {
    Duration::from_millis(asked["wall_ms"].as_u64().unwrap_or(30_000) + 6_000)
}
