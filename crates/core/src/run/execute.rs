//! One run of code: its places and its price are held, the sandbox is asked, what it says is handed on, and the receipt
//! is stored before the end is said.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{self, Either};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};

use super::session::{self, Session};
use super::settle::{self, Note};
use crate::config::sandbox::START_MS;
use crate::error::{Error, Kind};
use crate::host::{ByteStream, Held, Host, NetError, Time};
use crate::identity::Identity;
use crate::ledger::receipt::{Outcome, Receipt, millis};
use crate::ledger::reserve;
use crate::modes::Code;
use crate::sandbox::{Ended, Execution, Heard, Hearing, Limits, Status, bounds, invoke, written};
use crate::snapshot::Snapshot;
use crate::trace;
use crate::wire::aws::sigv4::Credentials;
use crate::wire::event::Usage;

/// A run to make. Its execution has passed [`Execution::check`] and its limits are within the tenant's.
pub struct Run {
    /// Who asks.
    pub identity: Identity,
    /// The request's trace.
    pub trace: String,
    /// What is to be run.
    pub execution: Execution,
    /// Whose files it takes up and leaves.
    pub session: Option<String>,
    /// Whether it is a part of an answer, which was counted as a request already.
    pub inside: bool,
    /// Whether it goes on when its caller has left.
    pub detached: bool,
}

/// A run that is a step of an answer: with the tenant's own limits, and files that fit into a checkpoint.
pub fn part(snapshot: &Snapshot, identity: &Identity, trace: &str, code: &Code) -> Result<Run, Error> {
    let config = snapshot.config();
    let most = config.code(&identity.tenant)?;
    let limits = config.sandbox.limits.within(&most);
    let files = code.files_bytes.unwrap_or(MAX_PART).min(MAX_PART);
    let limits = Limits {
        artifacts_bytes: limits.artifacts_bytes.min(files),
        memory_bytes: code.memory.unwrap_or(limits.memory_bytes).min(most.memory_bytes),
        ..limits
    };
    let execution = Execution { limits, ..Execution::of(&code.language, &code.text) };
    execution.check()?;
    let (identity, trace) = (identity.clone(), trace.to_owned());
    let session = code.session.clone();
    Ok(Run { identity, trace, execution, session, inside: true, detached: false })
}

/// The most bytes of files that a step of an answer hands back: with a checkpoint's other parts they fit into a blob.
const MAX_PART: u64 = 4 * 1024 * 1024;

impl Run {
    /// The same, with no more wall time than this.
    pub fn within(mut self, left: Duration) -> Result<Self, Error> {
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        if left < *bounds::WALL_MS.start() {
            return Err(Error::new(Kind::Timeout, "there is no time left to run the program"));
        }
        self.execution.limits.wall_ms = self.execution.limits.wall_ms.min(left);
        Ok(self)
    }
}

/// What comes of a run.
pub enum Ran {
    /// The program runs.
    Started,
    /// A piece of its standard output.
    Stdout(String),
    /// A piece of its standard error.
    Stderr(String),
    /// The end. Everything is settled; nothing follows. The outcome's `stdout` and `stderr` are empty.
    Ended(Result<Value, Error>),
}

/// The mode of its receipts.
pub const MODE: &str = "sandbox";

/// Runs. A run that was begun cannot be stopped where the sandbox is a Lambda function: who leaves is charged for the
/// longest that it may go on.
pub fn execute<H: Host>(host: H, snapshot: Arc<Snapshot>, run: Run) -> impl Stream<Item = Ran> + use<H> {
    let started = host.now();
    let id = trace::id(started, host.random());
    let wall = run.execution.limits.wall_ms.saturating_add(START_MS);
    let running = Box::new(Running {
        due: started.plus(Duration::from_millis(wall)),
        worst: snapshot.config().sandbox.micros(wall),
        held: false,
        session: None,
        body: None,
        hearing: None,
        ready: VecDeque::new(),
        phase: Phase::Begin,
        host,
        snapshot,
        run,
        started,
        id,
    });
    stream::unfold(running, |mut running| async move { running.next().await.map(|ran| (ran, running)) })
}

/// Runs to the end; the outcome has all that was written.
pub async fn whole<H: Host>(host: H, snapshot: Arc<Snapshot>, run: Run) -> Result<Value, Error> {
    let mut running = pin!(execute(host, snapshot, run));
    let (mut stdout, mut stderr) = (String::new(), String::new());
    while let Some(ran) = running.next().await {
        match ran {
            Ran::Started => {}
            Ran::Stdout(text) => stdout.push_str(&text),
            Ran::Stderr(text) => stderr.push_str(&text),
            Ran::Ended(ended) => {
                let mut outcome = ended?;
                if let Some(outcome) = outcome.as_object_mut() {
                    outcome.insert("stdout".to_owned(), stdout.into());
                    outcome.insert("stderr".to_owned(), stderr.into());
                }
                return Ok(outcome);
            }
        }
    }
    Err(super::unanswered())
}

#[derive(PartialEq)]
enum Phase {
    Begin,
    Listening,
    Over,
}

/// Why a wait ended before what it waited for.
enum Stop {
    Left,
    Late,
}

struct Running<H: Host> {
    host: H,
    snapshot: Arc<Snapshot>,
    run: Run,
    /// Of the hold and the receipt.
    id: String,
    started: Time,
    /// When the sandbox must have ended.
    due: Time,
    /// The most that it can cost, in micro-dollars.
    worst: u64,
    held: bool,
    session: Option<Session>,
    body: Option<H::Body>,
    hearing: Option<Hearing>,
    ready: VecDeque<Ran>,
    phase: Phase,
}

impl<H: Host> Running<H> {
    async fn next(&mut self) -> Option<Ran> {
        loop {
            if let Some(ran) = self.ready.pop_front() {
                return Some(ran);
            }
            match self.phase {
                Phase::Begin => {
                    if let Err(error) = self.begin().await {
                        self.unhold().await;
                        self.over(Err(error));
                    }
                }
                Phase::Listening => self.listen().await,
                Phase::Over => return None,
            }
        }
    }

    /// Up to the head of the sandbox's answer. An error says that nothing was run: nothing is charged.
    async fn begin(&mut self) -> Result<(), Error> {
        self.hold().await?;
        let tenant = self.run.identity.tenant.clone();
        if let Some(name) = self.run.session.take() {
            let keep = self.snapshot.config().sandbox.session_seconds;
            let session = Session::take(&self.host, &self.run.identity, &name, self.due, keep).await?;
            let session = self.session.insert(session);
            session.add_to(&mut self.run.execution)?;
        }
        let sandbox = &self.snapshot.config().sandbox;
        let secret =
            |name: &str| Some(name).filter(|name| !name.is_empty()).and_then(|it| self.host.secret(it));
        let missing = |name: &str| {
            Error::new(Kind::Unavailable, format!("there is no sandbox here: the secret {name} is not set"))
        };
        let id = secret(&sandbox.access_key_id).ok_or_else(|| missing(&sandbox.access_key_id))?;
        let key = secret(&sandbox.secret_access_key).ok_or_else(|| missing(&sandbox.secret_access_key))?;
        let token = secret(&sandbox.session_token);
        let answer_key = secret(&sandbox.answer_key);
        if !sandbox.answer_key.is_empty() {
            answer_key.as_ref().ok_or_else(|| missing(&sandbox.answer_key))?;
            self.run.execution.nonce = format!("{:032x}", self.host.random());
        }
        let credentials = Credentials { id: &id, secret: &key, token: token.as_deref() };
        let request = invoke::request(sandbox, &credentials, &tenant, &self.run.execution, self.host.now())?;
        let response = match self.until(self.host.fetch(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                self.settle(Err(unreached(&error))).await;
                return Ok(());
            }
            Err(stop) => {
                self.stopped(stop).await;
                return Ok(());
            }
        };
        let (head, mut body) = response.into_parts();
        if head.status != 200 {
            let kind = head.headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
            let said = match self.until(body.next()).await {
                Ok(Some(Ok(said))) => said,
                _ => Default::default(),
            };
            return Err(invoke::refused(head.status.as_u16(), kind, &said));
        }
        let execution = Arc::new(std::mem::replace(&mut self.run.execution, Execution::of("", "")));
        self.run.execution.language.clone_from(&execution.language);
        self.hearing = Some(Hearing::new(execution, answer_key.as_deref()));
        self.body = Some(body);
        self.phase = Phase::Listening;
        Ok(())
    }

    async fn listen(&mut self) {
        let (Some(mut body), Some(mut hearing)) = (self.body.take(), self.hearing.take()) else {
            return self.over(Err(super::unanswered()));
        };
        match self.until(body.next()).await {
            Ok(Some(Ok(bytes))) => match hearing.push(&bytes) {
                Ok(heard) => {
                    self.ready.extend(heard.into_iter().map(|heard| match heard {
                        Heard::Started => Ran::Started,
                        Heard::Stdout(text) => Ran::Stdout(text),
                        Heard::Stderr(text) => Ran::Stderr(text),
                    }));
                    (self.body, self.hearing) = (Some(body), Some(hearing));
                }
                Err(why) => self.settle(Err(broken(&why))).await,
            },
            Ok(Some(Err(error))) => self.settle(Err(broken(&error.0))).await,
            Ok(None) => {
                let ended = match hearing.finish() {
                    Ok(Ended::Outcome(outcome)) => Ok(self.kept(outcome).await),
                    Ok(Ended::Lost(why)) => {
                        let says = format!("the sandbox ended before it could say how the run did ({why})");
                        Ok(written(Status::SandboxLost, &says))
                    }
                    Ok(Ended::Poisoned) => {
                        let says = "the answer has not the sandbox's seal: the code may have written it";
                        Ok(written(Status::Poisoned, says))
                    }
                    Err(why) => Err(broken(&why)),
                };
                self.settle(ended).await;
            }
            Err(stop) => {
                drop(body);
                self.stopped(stop).await;
            }
        }
    }

    /// What is waited for, unless the caller leaves or the time is over before it.
    async fn until<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        let gone = pin!(async {
            match self.run.detached {
                true => future::pending().await,
                false => self.host.gone().await,
            }
        });
        let late = pin!(self.host.sleep(self.due.since(self.host.now())));
        match future::select(pin!(work), future::select(gone, late)).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right((Either::Left(_), _)) => Err(Stop::Left),
            Either::Right((Either::Right(_), _)) => Err(Stop::Late),
        }
    }

    async fn stopped(&mut self, stop: Stop) {
        let error = match stop {
            Stop::Left => Error::new(Kind::Upstream, "the caller left"),
            Stop::Late => Error::new(Kind::Timeout, "the sandbox has not ended the run in its time"),
        };
        let outcome = if matches!(stop, Stop::Left) { Outcome::Left } else { Outcome::Failed };
        // It may go on without anyone who listens.
        self.book(outcome, "", self.worst).await;
        self.over(Err(error));
    }

    async fn settle(&mut self, ended: Result<Value, Error>) {
        let status = ended.as_ref().ok().and_then(|it| it.get("status")?.as_str()).unwrap_or_default();
        let outcome = if ended.is_ok() { Outcome::Complete } else { Outcome::Failed };
        let cost =
            self.snapshot.config().sandbox.micros(millis(self.host.now(), self.started)).min(self.worst);
        self.book(outcome, status, cost).await;
        self.over(ended);
    }

    /// Stores the receipt, then gives back what was not spent; what cannot be stored is left to the sweep.
    async fn book(&mut self, outcome: Outcome, status: &str, cost_micros: u64) {
        let (tenant, now) = (&self.run.identity.tenant, self.host.now());
        let receipt = Receipt {
            id: self.id.clone(),
            trace: self.run.trace.clone(),
            key: self.run.identity.key.clone(),
            mode: MODE.to_owned(),
            step: None,
            outcome,
            code: Some(json!({"language": self.run.execution.language, "status": status})),
            attempts: Vec::new(),
            usage: Usage::default(),
            cost_micros,
            started: self.started,
            first_ms: None,
            total_ms: millis(now, self.started),
        };
        let stored = settle::append(&self.host, tenant, &receipt).await;
        if stored.is_ok() && self.held {
            let spent = reserve::spent_on_code(tenant, cost_micros, !self.run.inside);
            let _ = self.host.close(&self.id, &spent).await;
            self.held = false;
        }
        if let Some(session) = self.session.take() {
            session.unlock(&self.host).await;
        }
    }

    /// The session's files as the run has left them.
    async fn kept(&mut self, mut outcome: Value) -> Value {
        let Some(session) = &mut self.session else { return outcome };
        let status = outcome.get("status").and_then(Value::as_str).unwrap_or_default();
        if matches!(status, "sandbox_lost" | "poisoned") {
            return outcome;
        }
        let told = session.keep(&self.host, &outcome).await;
        if let Some(outcome) = outcome.as_object_mut() {
            outcome.insert("session".to_owned(), told);
        }
        outcome
    }

    /// Takes the run's place and its worst price, where the tenant has any limit.
    async fn hold(&mut self) -> Result<(), Error> {
        let (config, tenant) = (self.snapshot.config(), &self.run.identity.tenant);
        if !reserve::is_limited(config, tenant) && config.code_at_once(tenant) == 0 {
            return Ok(());
        }
        if let Some(error) = reserve::impossible(config, tenant, self.worst) {
            return Err(error);
        }
        let now = self.started;
        let note = Note::new(&self.run.trace, &self.run.identity.key, MODE, None).text();
        let lease = self.due.plus(Duration::from_millis(config.deadlines.grace_ms));
        let request = !self.run.inside;
        let hold = reserve::hold_of_code(config, tenant, &self.id, note, self.worst, request, lease, now);
        let mut held = match self.host.hold(&hold).await {
            Ok(held) => held,
            Err(error) => {
                // It may have been taken all the same.
                let _ = self.host.close(&self.id, &reserve::unspent(tenant)).await;
                return Err(error.into());
            }
        };
        if matches!(&held, Held::Short { counter, .. } if reserve::is_place(counter))
            && settle::sweep(&self.host, tenant, now).await?.swept > 0
        {
            held = self.host.hold(&hold).await?;
        }
        if let Held::Short { counter, .. } = held {
            return Err(reserve::refusal(&counter, now));
        }
        self.held = true;
        Ok(())
    }

    /// Nothing was run after all: everything is given back.
    async fn unhold(&mut self) {
        if self.held {
            let _ = self.host.close(&self.id, &reserve::unspent(&self.run.identity.tenant)).await;
        }
        if let Some(session) = self.session.take() {
            session.unlock(&self.host).await;
        }
    }

    fn over(&mut self, ended: Result<Value, Error>) {
        self.phase = Phase::Over;
        self.ready.push_back(Ran::Ended(ended));
    }
}

fn unreached(error: &NetError) -> Error {
    Error::new(Kind::Upstream, format!("the sandbox cannot be reached: {error}"))
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Upstream, format!("the sandbox's answer cannot be used: {why}"))
}

/// Ends a session: its files are gone.
pub async fn forget<H: Host>(host: &H, identity: &Identity, name: &str) -> Result<(), Error> {
    Ok(host.remove(&session::files(identity, name)?).await?)
}
