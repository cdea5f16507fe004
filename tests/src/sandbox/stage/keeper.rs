//! What is under test: its start, its runs, its end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opencode_core::sandbox::seal;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group};
use serde_json::{Value, json};

use super::ground::HOME;
use super::runtime_api::{ADDRESS, Answer, Lambda, Look};
use super::{ESBUILD, PACKAGES, PROGRAMS, Plan, invoke, patience, survey};
use crate::sandbox::setup::Setup;
use crate::suite::RUNTIME;

/// How long anything may take to start.
const START: Duration = Duration::from_secs(30);
/// How long the function may take from its answer to its next question, or to its end.
const GOES_ON: Duration = Duration::from_secs(10);
/// What is kept of its log.
const LOG: usize = 64 * 1024;

/// What is under test.
pub struct Keeper {
    plan: Plan,
    lambda: Arc<Lambda>,
    pid: Arc<AtomicI32>,
    log: Arc<Mutex<Vec<u8>>>,
    /// How the local sandbox is reached.
    ready: Value,
}

impl Keeper {
    /// Nothing runs yet.
    pub fn new(plan: Plan, lambda: Arc<Lambda>) -> Self {
        std::thread::spawn(reap);
        Self { plan, lambda, pid: Arc::default(), log: Arc::default(), ready: Value::Null }
    }

    /// Secrets that it has made itself.
    pub fn secrets(&self) -> Value {
        self.ready["secret_access_key"].clone()
    }

    /// Starts it and waits until it can be asked.
    pub fn start(&mut self) -> Result<(), String> {
        self.lambda.reset();
        let mut child = self.command().spawn().map_err(|error| format!("it cannot be started: {error}"))?;
        self.pid.store(i32::try_from(child.id()).unwrap_or_default(), Ordering::SeqCst);
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&self.log);
            std::thread::spawn(move || keep(stderr, &log));
        }
        // The control keeps this secret in its memory.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(self.plan.canary("memory").as_bytes()));
        if self.plan.setup == Setup::Full {
            let mut line = String::new();
            let stdout = child.stdout.take().ok_or("it has no output")?;
            BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
            self.ready =
                serde_json::from_str(&line).map_err(|_| format!("it says {line:?}: {}", self.log()))?;
            return Ok(());
        }
        let pid = Arc::clone(&self.pid);
        self.lambda
            .ready(START, move || is_alive(pid.load(Ordering::SeqCst)))
            .map_err(|why| format!("{why}: {}", self.log()))
    }

    fn command(&self) -> Command {
        let plan = &self.plan;
        let tests = format!("{PROGRAMS}/tests");
        let mut command = match plan.setup {
            Setup::Full if !plan.lone() => Command::new(format!("{PROGRAMS}/opencode")),
            Setup::Full => self.as_user(&format!("{PROGRAMS}/opencode")),
            Setup::Lambda | Setup::Control => self.as_user(&tests),
        };
        match plan.setup {
            Setup::Full => command.arg("sandbox").stdout(Stdio::piped()),
            Setup::Lambda => {
                command.arg("sandbox-refuse").arg(format!("{PROGRAMS}/bootstrap")).stdout(Stdio::null())
            }
            Setup::Control => command
                .args(["sandbox-naive", plan.canary("argument")])
                .stdin(Stdio::piped())
                .stdout(Stdio::null()),
        };
        let secret = plan.canary("environment");
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .envs(["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "OPENAI_API_KEY"].map(|name| (name, secret)))
            .env("OPENCODE_SANDBOX_PYTHON", "/usr/bin/python3.11")
            .env("OPENCODE_SANDBOX_PACKAGES", PACKAGES)
            .env("OPENCODE_SANDBOX_ESBUILD", format!("{ESBUILD}/esbuild"))
            .envs(
                plan.told["variables"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())),
            )
            .current_dir("/")
            .stderr(Stdio::piped());
        match plan.setup {
            // Nothing less is under test.
            Setup::Full => command.env("OPENCODE_SANDBOX_PROFILE", "full"),
            Setup::Lambda => command.env("LAMBDA_TASK_ROOT", PROGRAMS),
            Setup::Control => command.env("HOME", HOME),
        };
        if plan.setup != Setup::Full {
            command
                .env("AWS_LAMBDA_RUNTIME_API", ADDRESS)
                .env("AWS_LAMBDA_FUNCTION_NAME", "sandbox")
                .env("_HANDLER", "bootstrap")
                .env("OPENCODE_SANDBOX_SEAL", plan.canary("memory"));
        }
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }

    /// A command that runs a program as the user of this stage, without any power.
    fn as_user(&self, program: &str) -> Command {
        let user = self.plan.user().to_string();
        let mut command;
        if self.plan.lone() {
            // There is only one user to be: under another number.
            command = Command::new("unshare");
            command.args(["--user", "--map-user", &user, "--map-group", &user, "--"]);
        } else {
            command = Command::new("setpriv");
            command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]);
        }
        command.arg(program);
        command
    }

    /// One execution, and what there was when its answer came.
    ///
    /// `asked` has `tenant`, `event`, `wall_ms`, and `reset`: end what is under test in the middle of the run, with all
    /// its processes (`all`) or as far as its process group goes (`group`).
    pub fn invoke(&mut self, asked: &Value) -> Value {
        if !self.is_running()
            && let Err(why) = self.start()
        {
            return json!({ "problem": format!("it cannot be started again: {why}"), "survey": {} });
        }
        let event = asked["event"].as_str().unwrap_or_default().to_owned();
        let before: BTreeSet<i32> = survey::pids().collect();
        let local = self.plan.setup == Setup::Full;
        let pid = Arc::clone(&self.pid);
        let ours = ours(self.pid(), local);
        let look: Look = Arc::new(move || {
            let mut seen = survey::take(pid.load(Ordering::SeqCst), &before, local);
            if local && settle() {
                seen["left"] = json!([]);
            }
            compare(&ours, pid.load(Ordering::SeqCst), local, &mut seen);
            seen
        });
        let mut answer = match self.plan.setup {
            Setup::Full => self.invoke_local(asked, &event, &look),
            Setup::Lambda | Setup::Control => self.invoke_lambda(asked, event, &look),
        };
        answer["log"] = self.log().into();
        answer
    }

    fn invoke_local(&self, asked: &Value, event: &str, look: &Look) -> Value {
        let tenant = asked["tenant"].as_str().unwrap_or("tenant");
        if asked["reset"].is_string() {
            std::thread::spawn(end_environments_when_marked);
        }
        let waited = RUNTIME.block_on(async {
            tokio::time::timeout(
                patience(asked) + Duration::from_secs(7),
                invoke::invoke(&self.ready, tenant, event),
            )
            .await
        });
        let seen = look();
        match waited {
            Ok(Ok(body)) => json!({ "answer": body, "survey": seen }),
            Ok(Err(problem)) => json!({ "problem": problem, "survey": seen }),
            Err(_) => json!({ "problem": "hung", "survey": seen }),
        }
    }

    fn invoke_lambda(&self, asked: &Value, event: String, look: &Look) -> Value {
        let nonce = serde_json::from_str::<Value>(&event).ok();
        let nonce = nonce.and_then(|event| event["nonce"].as_str().map(str::to_owned)).unwrap_or_default();
        self.lambda.begin(event, Arc::clone(look));
        let until = Instant::now() + patience(asked);
        if asked["reset"].is_string() {
            while !survey::is_marked() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            self.kill();
        }
        let alive = || is_alive(self.pid());
        let left = until.saturating_duration_since(Instant::now());
        let Some((answer, seen)) = self.lambda.answer(left, alive) else {
            let problem = if alive() { "hung" } else { "lost" };
            let seen = look();
            self.kill();
            if asked["reset"] != "group" {
                self.end_user();
            }
            return json!({ "problem": problem, "survey": seen });
        };
        if !self.lambda.goes_on(GOES_ON, alive) {
            // Lambda gives a function that has ended another environment.
            self.end_user();
        }
        match answer {
            Answer::Body(body) => self.unsealed(&body, &nonce, seen),
            Answer::Error(report) => json!({ "problem": format!("refused: {report}"), "survey": seen }),
            Answer::TooLarge => json!({ "problem": "too large", "survey": seen }),
        }
    }

    /// The gateway's part: an answer that is not sealed as it must be is not the sandbox's.
    fn unsealed(&self, body: &[u8], nonce: &str, seen: Value) -> Value {
        if self.plan.setup == Setup::Control {
            return json!({ "answer": String::from_utf8_lossy(body), "survey": seen });
        }
        let end = body.iter().position(|byte| *byte == b'\n').map_or(body.len(), |at| at + 1);
        let (outcome, last) = body.split_at(end);
        let last: Value = serde_json::from_slice(last).unwrap_or_default();
        if last["text"] == seal(self.plan.canary("memory"), nonce, outcome) {
            json!({ "answer": String::from_utf8_lossy(outcome), "survey": seen })
        } else {
            json!({ "problem": "poisoned", "survey": seen })
        }
    }

    fn pid(&self) -> i32 {
        self.pid.load(Ordering::SeqCst)
    }

    fn is_running(&self) -> bool {
        is_alive(self.pid())
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// Ends the process group of what is under test, as Lambda's emulator does.
    fn kill(&self) {
        if let Some(pid) = Pid::from_raw(self.pid()) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let until = Instant::now() + Duration::from_secs(5);
        while self.is_running() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends every process of the stage but its own.
    fn end_user(&self) {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let others: Vec<i32> = survey::pids().filter(|pid| *pid != 1).collect();
            let alive: Vec<i32> = others.into_iter().filter(|pid| is_alive(*pid)).collect();
            if alive.is_empty() || Instant::now() > until {
                return;
            }
            for pid in alive.into_iter().filter_map(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Waits until what makes a spare ready has gone; `false` where something stays.
fn settle() -> bool {
    let until = Instant::now() + Duration::from_secs(2);
    loop {
        if survey::is_clean() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Orphans become ours: this is the first process.
fn reap() {
    loop {
        if rustix::process::wait(WaitOptions::empty()).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn keep(mut stderr: std::process::ChildStderr, log: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = stderr.read(&mut bytes) {
        let mut log = log.lock().unwrap();
        log.extend_from_slice(&bytes[..length]);
        let over = log.len().saturating_sub(LOG);
        log.drain(..over);
    }
}

fn is_alive(pid: i32) -> bool {
    survey::state(pid)["alive"] == true
}

/// The processes of what is under test, as others could change them. Those of the local sandbox come and go: its own
/// start and its environments' ends are told by their outcomes.
fn ours(keeper: i32, local: bool) -> BTreeMap<i32, Value> {
    let keeper = [keeper].into_iter();
    let all = if local {
        survey::environments().into_iter().chain(keeper).collect()
    } else {
        keeper.collect::<Vec<_>>()
    };
    all.into_iter().map(|pid| (pid, survey::state(pid))).collect()
}

/// Adds what has become of them.
fn compare(before: &BTreeMap<i32, Value>, keeper: i32, local: bool, seen: &mut Value) {
    let after = ours(keeper, local);
    let still = |pid: &i32| after.get(pid).filter(|state| state["alive"] == true);
    let changed = before.iter().filter_map(|(pid, state)| Some((state, still(pid)?)));
    seen["changed"] = changed.clone().any(|(then, now)| then["changeable"] != now["changeable"]).into();
    seen["stopped"] = changed.clone().any(|(_, now)| now["stopped"] == true).into();
    seen["ended"] = still(&keeper).is_none().into();
    seen["peak_bytes"] = after.values().filter_map(|state| state["peak_bytes"].as_u64()).max().into();
}

/// Ends the environments of the local sandbox as soon as a marked program runs.
fn end_environments_when_marked() {
    let until = Instant::now() + START;
    while !survey::is_marked() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    for pid in survey::environments().into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}
