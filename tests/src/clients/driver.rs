//! The processes that the SDKs run in: one a package for the whole suite. Jobs go in and answers come out as lines.

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

use crate::tools;

/// A job ends by the SDK's own limit, 25 s, before this.
const LIMIT: Duration = Duration::from_secs(40);

/// A client under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// PyPI's `openai`, with threads.
    Python,
    /// PyPI's `openai`, with asyncio.
    PythonAsync,
    /// npm's `openai`.
    Node,
    /// `ai` over `@ai-sdk/openai`.
    AiOpenAi,
    /// `ai` over `@ai-sdk/openai-compatible`.
    AiCompatible,
}

/// OpenAI's own.
pub const OPENAI: &[Client] = &[Client::Python, Client::PythonAsync, Client::Node];
/// Vercel's.
pub const AI: &[Client] = &[Client::AiOpenAi, Client::AiCompatible];
/// All.
pub const EVERY: &[Client] =
    &[Client::Python, Client::PythonAsync, Client::Node, Client::AiOpenAi, Client::AiCompatible];

impl Client {
    /// Its name in a trial's, and in a job's `sdk`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "openai-python",
            Self::PythonAsync => "openai-python-async",
            Self::Node => "openai-node",
            Self::AiOpenAi => "ai-openai",
            Self::AiCompatible => "ai-compatible",
        }
    }
}

/// All drivers.
pub struct Drivers {
    python: Driver,
    node: Driver,
    ai: Driver,
}

impl Drivers {
    /// Starts them; what they say on standard error is in `folder`.
    pub fn start(folder: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let (python, node) = (tools::path(tools::CLIENTS_PYTHON)?, tools::path(tools::NODE)?);
        Ok(Self {
            python: Driver::start(&python, "openai_jobs.py", folder)?,
            node: Driver::start(&node, "openai_jobs.mjs", folder)?,
            ai: Driver::start(&node, "ai_jobs.mjs", folder)?,
        })
    }

    /// Runs a job with a client; gives what it made of the platform's answer.
    pub async fn run(&self, client: Client, job: Value) -> Result<Value, String> {
        let driver = match client {
            Client::Python | Client::PythonAsync => &self.python,
            Client::Node => &self.node,
            Client::AiOpenAi | Client::AiCompatible => &self.ai,
        };
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
