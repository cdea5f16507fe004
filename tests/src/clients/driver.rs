//! The processes that the SDKs run in: one a script for the whole suite. Jobs go in and answers come out as lines.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::sdk::Client;
use crate::tools;

/// A job ends by the SDK's own limit, 25 s, before this.
const LIMIT: Duration = Duration::from_secs(40);

/// All drivers, by their script.
pub struct Drivers(HashMap<&'static str, Driver>);

const SCRIPTS: [&str; 9] = [
    "openai_jobs.py",
    "openai_jobs.mjs",
    "responses_jobs.py",
    "responses_jobs.mjs",
    "anthropic_jobs.py",
    "anthropic_jobs.mjs",
    "google_jobs.py",
    "google_jobs.mjs",
    "ai_jobs.mjs",
];

impl Drivers {
    /// Starts them; what they say on standard error is in `folder`.
    pub fn start(folder: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let (python, node) = (tools::path(tools::CLIENTS_PYTHON)?, tools::path(tools::NODE)?);
        let start = |script: &'static str| {
            let program = if script.ends_with(".py") { &python } else { &node };
            Ok((script, Driver::start(program, script, folder)?))
        };
        SCRIPTS.into_iter().map(start).collect::<Result<_, String>>().map(Self)
    }

    /// Runs a job with a client; gives what it made of the platform's answer.
    pub async fn run(&self, client: Client, job: Value) -> Result<Value, String> {
        let driver = self.0.get(client.script).ok_or_else(|| format!("{} is not started", client.script))?;
        driver.run(job).await
    }
}

struct Driver {
    script: &'static str,
    log: PathBuf,
    input: tokio::sync::Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
    _process: Child,
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

impl Driver {
    fn start(program: &Path, script: &'static str, folder: &Path) -> Result<Self, String> {
        let log = folder.join(format!("{script}.log"));
        let errors = std::fs::File::create(&log).map_err(|error| error.to_string())?;
        let mut process = Command::new(program)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script))
            .env("OPENCODE_CLIENTS_NODE", tools::path(tools::CLIENTS_NODE)?)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{script}: {error}"))?;
        let input = process.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(process.stdout.take().ok_or("no standard output")?).lines();
        let waiting = Waiting::default();
        tokio::spawn(deliver(output, Arc::clone(&waiting)));
        let (input, next) = (tokio::sync::Mutex::new(input), AtomicU64::new(1));
        Ok(Self { script, log, input, waiting, next, _process: process })
    }

    async fn run(&self, mut job: Value) -> Result<Value, String> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        job["id"] = id.into();
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        let written = self.input.lock().await.write_all(format!("{job}\n").as_bytes()).await;
        match (written, timeout(LIMIT, answer).await) {
            (Ok(()), Ok(Ok(outcome))) => Ok(outcome),
            (_, Err(_)) => Err(format!("{} did not answer within {} s", self.script, LIMIT.as_secs())),
            _ => {
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                Err(format!("{} has ended:\n{said}", self.script))
            }
        }
    }
}

/// Hands answers to whoever waits for them; at the process's end nobody waits any more.
async fn deliver(mut output: Lines<BufReader<ChildStdout>>, waiting: Waiting) {
    while let Ok(Some(line)) = output.next_line().await {
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_default();
        let sender = answer["id"].as_u64().and_then(|id| waiting.lock().unwrap().remove(&id));
        if let Some(sender) = sender {
            let _ = sender.send(answer["outcome"].take());
        }
    }
    waiting.lock().unwrap().clear();
}
