//! The platform as its user started it, and what it printed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::stage::Stage;
use crate::child::{Child, START};
use crate::client::{Request, Response};

/// How long an end, or a new start of the model, may take.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often something is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A started platform. All of it ends with this value.
pub struct Running {
    /// The printed address.
    pub url: String,
    /// The development key.
    pub key: String,
    /// The printed command.
    pub curl: String,
    /// Where it was started.
    pub folder: PathBuf,
    log: PathBuf,
    child: Child,
}

impl Running {
    /// Starts `opencode` with arguments and waits for what it prints last.
    pub async fn start(stage: &Stage, folder: &Path, args: &[&str]) -> Result<Self, String> {
        let mut command = stage.command(folder);
        command.args(["--listen", "127.0.0.1:0"]).args(args);
        Self::from(&mut command, folder).await
    }

    /// The same with a command that says everything.
    pub async fn from(command: &mut tokio::process::Command, folder: &Path) -> Result<Self, String> {
        let log = folder.join("said.log");
        let _ = std::fs::remove_file(&log);
        let mut child = Child::spawn(command, &log)?;
        let text = tokio::select! {
            text = timeout(START, printed(&log)) => text.ok(),
            () = child.ended() => None,
        };
        let Some((url, curl)) = text else { return Err(format!("it does not start:\n{}", child.tail())) };
        let key = std::fs::read_to_string(folder.join(".opencode/dev-key"));
        let key = key.map_err(|error| format!("the development key: {error}"))?.trim().to_owned();
        Ok(Self { url, key, curl, folder: folder.to_owned(), log, child })
    }

    /// Everything that it said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A `POST` with the development key.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Response, String> {
        Request::post(format!("{}{path}", self.url), body).key(&self.key).send().await
    }

    /// A chat completion: this question, and other members.
    pub async fn ask(&self, question: &str, members: Value) -> Result<Response, String> {
        let mut body = json!({ "model": "auto", "messages": [{ "role": "user", "content": question }] });
        for (name, value) in members.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.post("/v1/chat/completions", &body).await
    }

    /// The same, which must be answered with 200.
    pub async fn answer(&self, question: &str, members: Value) -> Result<Value, String> {
        let mut response = self.ask(question, members).await?;
        match response.status {
            200 => response.json().await,
            status => Err(format!("{status}: {}", response.text().await?)),
        }
    }

    /// Its children: the model, and the sandbox where the machine has the barriers for one.
    pub fn children(&self) -> Vec<Pid> {
        children(self.child.pid())
    }

    /// The process of the model: its child of that subcommand.
    pub fn model(&self) -> Result<Pid, String> {
        let models: Vec<Pid> = self.children().into_iter().filter(|pid| is(*pid, "model")).collect();
        match models.as_slice() {
            [model] => Ok(*model),
            other => Err(format!("{} models instead of one", other.len())),
        }
    }

    /// What a terminal sends for Ctrl-C: SIGINT to everything in the foreground.
    pub fn ctrl_c(&self) {
        let _ = kill_process_group(self.child.pid(), Signal::INT);
    }

    /// Kills the platform itself, and nothing beside it.
    pub fn kill(&self) {
        self.child.signal(Signal::KILL);
    }

    /// Waits until the platform has ended.
    pub async fn ended(&mut self) -> Result<(), String> {
        let ended = timeout(PATIENCE, self.child.ended()).await;
        ended.map_err(|_| format!("it did not end:\n{}", self.child.tail()))
    }
}

/// Kills a process.
pub fn kill(pid: Pid) {
    let _ = kill_process(pid, Signal::KILL);
}

/// Waits until a process has ended.
pub async fn vanished(pid: Pid) -> Result<(), String> {
    until(&format!("process {} did not end", pid.as_raw_nonzero()), || {
        state(pid).is_none_or(|state| state.ended)
    })
    .await
}

/// Waits until something is so.
pub async fn until(otherwise: &str, so: impl Fn() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !so() {
        if start.elapsed() > PATIENCE {
            return Err(format!("{otherwise} within {} s", PATIENCE.as_secs()));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// The address and the command, once both are printed.
async fn printed(log: &Path) -> (String, String) {
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let after = |mark: &str| text.lines().find_map(|line| line.strip_prefix(mark));
        let whole = text.ends_with('\n');
        if let (Some(url), Some(curl), true) =
            (after("OpenCode Platform listens on "), after("  curl "), whole)
        {
            return (url.trim().to_owned(), format!("  curl {curl}"));
        }
        sleep(LOOK).await;
    }
}

struct State {
    parent: i32,
    ended: bool,
}

/// `/proc/PID/stat`: the name in parentheses may hold anything; state and parent follow it (proc_pid_stat(5)).
fn state(pid: Pid) -> Option<State> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    Some(State { parent: fields.next()?.parse().ok()?, ended })
}

/// Whether a process was started with this subcommand.
fn is(pid: Pid, subcommand: &str) -> bool {
    let words = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1) == Some(subcommand.as_bytes())
}

fn children(parent: Pid) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    let parent = parent.as_raw_nonzero().get();
    pids.filter(|pid| state(*pid).is_some_and(|state| state.parent == parent && !state.ended)).collect()
}
