//! The agent runtime: one step of a run per queue message, with a checkpoint after it. Any process can go on.
//!
//! A step is claimed by a compare-and-set that counts the attempt, so that two deliveries of a message do not ask
//! twice. A process that dies in a step costs at most that step's ask; its hold is found by the sweep, which charges
//! it, writes its receipt as `lost` and wakes the run.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::checkpoint::{self, Checkpoint, Elsewhere, Status};
use super::execute;
use super::gather::Gather;
use super::settle::{self, Note};
use crate::call::{Ended, Plan};
use crate::drive::{Driven, Question, drive};
use crate::error::{Error, Kind, Retry};
use crate::host::{Bytes, Held, Host, Message, StoreError, Swap, Time};
use crate::identity::role::Role;
use crate::identity::{Identity, Tenant};
use crate::ledger::receipt::{Outcome, RunStep};
use crate::ledger::reserve;
use crate::modes::{Code, Next, Op, Show};
use crate::route::{self, Target, Wish};
use crate::snapshot::Snapshot;
use crate::trace::{self, Trace};
use crate::wire::event::Usage;

/// The queue topic of a run's next step.
pub const TOPIC: &str = "run.step";

/// How often a step may be begun before its run is given up: a step that kills its process ends here.
const MAX_BEGUN: u32 = 8;

/// The message that wakes a run.
pub fn message(tenant: &Tenant, run: &str) -> Message {
    let body = json!({"run": run}).to_string();
    Message { topic: TOPIC.to_owned(), tenant: tenant.clone(), body }
}

/// The body of [`message`].
#[derive(Serialize, Deserialize)]
pub struct Wake {
    /// The run's id.
    pub run: String,
}

/// How a delivery of a wake-up ended.
#[derive(Debug, PartialEq)]
pub enum Stepped {
    /// The message has done its work, or there is none.
    Done,
    /// Someone else holds the step, or the tenant is short: come back, without counting it as a failure.
    Later(Duration),
    /// The step failed and may succeed: counted.
    Failed(Error),
}

/// A run that was read, with its record's version.
pub struct Loaded {
    /// For the next swap.
    pub version: u64,
    /// The run.
    pub run: Checkpoint,
}

/// Reads a run; `None` when the tenant has none of that id.
pub async fn load<H: Host>(host: &H, tenant: &Tenant, run: &str) -> Result<Option<Loaded>, Error> {
    let now = host.now();
    let Some(found) = host.read(&checkpoint::record(tenant, run), now).await? else { return Ok(None) };
    let unreadable = || Error::new(Kind::Internal, "the run's checkpoint cannot be read");
    let value = match serde_json::from_slice::<Elsewhere>(&found.value) {
        Ok(Elsewhere { blob }) => {
            host.get(&checkpoint::blob(tenant, run, &blob), now).await?.ok_or_else(unreadable)?
        }
        Err(_) => found.value,
    };
    let run = serde_json::from_slice(&value).map_err(|_| unreadable())?;
    Ok(Some(Loaded { version: found.version, run }))
}

/// Writes a run if its record is still at `seen`; the new version, or `None` when someone else was first.
pub async fn save<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    tenant: &Tenant,
    seen: u64,
    run: &Checkpoint,
) -> Result<Option<u64>, StoreError> {
    let now = host.now();
    let expires = expires(snapshot, run);
    let mut value = serde_json::to_vec(run).unwrap_or_default();
    if let Some(hash) = checkpoint::needs_blob(&value) {
        host.put(&checkpoint::blob(tenant, &run.id, &hash), value.into(), expires).await?;
        value = serde_json::to_vec(&Elsewhere { blob: hash }).unwrap_or_default();
    }
    let key = checkpoint::record(tenant, &run.id);
    match host.swap(&key, seen, value.into(), Some(expires), now).await? {
        Swap::Done(version) => Ok(Some(version)),
        Swap::Lost(_) => Ok(None),
    }
}

/// When a run is forgotten, counted from its beginning so that one that only ever waits ends too.
fn expires(snapshot: &Snapshot, run: &Checkpoint) -> Time {
    run.created.plus(Duration::from_secs(snapshot.config().runs.keep_seconds))
}

/// Ends a run that failed for good.
pub async fn give_up<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    tenant: &Tenant,
    run: &str,
    error: &Error,
) -> Result<(), Error> {
    let Some(Loaded { version, mut run }) = load(host, tenant, run).await? else { return Ok(()) };
    if !run.status.is_over() {
        run.status = Status::Failed;
        run.error = Some(error.detail.clone());
        run.updated = host.now();
        save(host, snapshot, tenant, version, &run).await?;
    }
    Ok(())
}

/// Does the next step of a run.
pub async fn step<H: Host>(
    host: &H,
    snapshot: &Arc<Snapshot>,
    tenant: &Tenant,
    run: &str,
) -> Result<Stepped, Error> {
    let Some(loaded) = load(host, tenant, run).await? else {
        return Err(Error::new(Kind::NotFound, "there is no such run: it may have expired"));
    };
    if loaded.run.status.is_over() {
        return Ok(Stepped::Done);
    }
    let now = host.now();
    if loaded.run.claimed > now {
        return Ok(Stepped::Later(loaded.run.claimed.since(now)));
    }
    if loaded.run.attempt >= MAX_BEGUN {
        let error =
            Error::new(Kind::Internal, format!("step {} was begun {MAX_BEGUN} times", loaded.run.step));
        give_up(host, snapshot, tenant, run, &error).await?;
        return Ok(Stepped::Done);
    }
    let Some((version, run)) = claim(host, snapshot, tenant, loaded, now).await? else {
        return Ok(Stepped::Later(Duration::from_secs(1)));
    };
    let worker = Worker { host, snapshot, tenant, version };
    worker.work(run).await
}

async fn claim<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    tenant: &Tenant,
    loaded: Loaded,
    now: Time,
) -> Result<Option<(u64, Checkpoint)>, Error> {
    let Loaded { version, mut run } = loaded;
    run.status = Status::Running;
    run.attempt = run.attempt.saturating_add(1);
    run.claimed = now.plus(Duration::from_millis(snapshot.config().runs.lease_ms));
    run.updated = now;
    Ok(save(host, snapshot, tenant, version, &run).await?.map(|version| (version, run)))
}

/// Whether a step can be asked.
enum Prepared {
    /// Its price is held.
    Ready(Arc<[Target]>),
    /// The tenant is short now.
    Wait(Duration),
    /// It never can.
    Never(Error),
}

struct Worker<'a, H> {
    host: &'a H,
    snapshot: &'a Arc<Snapshot>,
    tenant: &'a Tenant,
    version: u64,
}

impl<H: Host> Worker<'_, H> {
    async fn work(mut self, mut run: Checkpoint) -> Result<Stepped, Error> {
        if let Next::All(ops) = run.program.next()
            && let Some(Op::Execute { code, .. }) = ops.first()
        {
            return self.execute(run, code).await;
        }
        let started = self.host.now();
        let id = trace::id(started, self.host.random());
        let targets = match self.prepare(&run, &id, started).await {
            Ok(Prepared::Ready(targets)) => targets,
            Ok(Prepared::Never(error)) => return self.failed(run, error).await,
            Ok(Prepared::Wait(wait)) => {
                self.unclaim(&mut run).await?;
                return Ok(Stepped::Later(wait));
            }
            Err(error) => {
                self.unclaim(&mut run).await?;
                return Err(error);
            }
        };
        let mut gather = Gather::new(targets.clone(), Vec::new());
        let mut failure = None;
        let ops = match run.program.next() {
            Next::All(ops) => ops,
            Next::Done | Next::Failed(_) => Vec::new(),
        };
        for op in ops {
            let Op::Ask { id: name, prompt, .. } = op else { continue };
            gather.ask(name, prompt.estimated_input());
            let (targets, trace) = (targets.clone(), Trace::stored(&run.trace));
            let question = Question { prompt, targets, plan: self.plan(started), trace, detached: true };
            match self.ask(name, question, &mut gather).await {
                Ok(text) => {
                    run.program.absorb(name, text.clone());
                    run.result = Some(text);
                    // Nobody's answer depends on it.
                    let _ = self.note(&run, name).await;
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let usage = self.settle(&run, &gather, &id, started, failure.is_none()).await;
        match failure {
            None => self.advance(run, usage).await,
            Some(error) => self.failed(run, error).await,
        }
    }

    /// Runs a program. Its hold and its receipt are the run's own.
    async fn execute(mut self, mut run: Checkpoint, code: &Code) -> Result<Stepped, Error> {
        let identity = Identity {
            tenant: self.tenant.clone(),
            key: run.key.clone(),
            key_hash: String::new(),
            role: Role::User,
        };
        // It must not outlive its claim.
        let left = run.claimed.since(self.host.now());
        let left = left.saturating_sub(left.checked_div(10).unwrap_or_default());
        let part = execute::part(self.snapshot, &identity, &run.trace, code);
        let outcome = match part.and_then(|part| part.within(left)) {
            Ok(part) => {
                let part = execute::Run { detached: true, ..part };
                execute::whole(self.host.clone(), self.snapshot.clone(), part).await
            }
            Err(error) => Err(error),
        };
        if matches!(&outcome, Err(error) if error.kind == Kind::Limited) {
            self.unclaim(&mut run).await?;
            return Ok(Stepped::Later(Duration::from_secs(1)));
        }
        match run.program.ran(outcome) {
            Ok(()) => {
                let _ = self.note(&run, "run_code").await;
                self.advance(run, Usage::default()).await
            }
            Err(error) => self.failed(run, error).await,
        }
    }

    /// Finds the targets and holds the step's price.
    async fn prepare(&self, run: &Checkpoint, id: &str, now: Time) -> Result<Prepared, Error> {
        let config = self.snapshot.config();
        let tenant = config.tenant(self.tenant).map(|row| row.targets.as_slice()).unwrap_or_default();
        let wish = Wish { model: run.model.as_deref(), header: run.targets.as_deref(), tenant };
        let (_, targets) = route::plan(config, &wish)?;
        let program = &run.program;
        let micros = reserve::worst_cost(&targets, 1, program.input_bound(), program.max_output());
        if let Some(error) = reserve::impossible(config, self.tenant, micros) {
            return Ok(Prepared::Never(error));
        }
        let note = Note::new(&run.trace, &run.key, program.mode(), Some(at(run)));
        let mut hold = reserve::hold(config, self.tenant, id, note.text(), micros, now);
        // The claim and the hold run out together, so that a run is never woken while its claim still stands.
        hold.lease = run.claimed;
        match self.host.hold(&hold).await {
            Ok(Held::Held | Held::Already) => Ok(Prepared::Ready(targets.into())),
            Ok(Held::Short { counter, .. }) => {
                Ok(Prepared::Wait(match reserve::refusal(&counter, now).retry {
                    Retry::After(wait) => wait.min(Duration::from_secs(60)),
                    Retry::Yes | Retry::No => Duration::from_secs(1),
                }))
            }
            Err(error) => {
                // It may have been taken all the same.
                let _ = self.host.close(id, &reserve::unspent(self.tenant)).await;
                Err(error.into())
            }
        }
    }

    fn plan(&self, started: Time) -> Plan {
        let config = self.snapshot.config();
        let mut deadlines = config.deadlines.clone();
        // An ask must not outlive its claim.
        let claimed = config.runs.lease_ms.saturating_mul(9).div_euclid(10).max(1);
        deadlines.whole_ms = deadlines.whole_ms.min(claimed);
        let retries = config.retries.attempts;
        Plan { deadlines, retries, started, ..Plan::default() }
    }

    async fn ask(
        &self,
        name: &'static str,
        question: Question,
        gather: &mut Gather,
    ) -> Result<String, Error> {
        let mut driven = pin!(drive(self.host.clone(), self.snapshot.clone(), question));
        while let Some(driven) = driven.next().await {
            match driven {
                Driven::Began { .. } => {}
                Driven::Frames(frames) => gather.hidden(name, &frames),
                Driven::Ended { ended, reports } => {
                    gather.attempts(name, &reports, self.host.now());
                    return match ended {
                        Ended::Complete => Ok(gather.take(name, Show::Hidden)),
                        Ended::Failed(error) => Err(error),
                        Ended::Refused { status, .. } => Err(Error::invalid(format!(
                            "the provider refused the request with status {status}"
                        ))),
                        Ended::Left => Err(super::unanswered()),
                    };
                }
            }
        }
        Err(super::unanswered())
    }

    async fn settle(
        &self,
        run: &Checkpoint,
        gather: &Gather,
        id: &str,
        started: Time,
        complete: bool,
    ) -> Usage {
        let outcome = if complete { Outcome::Complete } else { Outcome::Failed };
        let mode = run.program.mode();
        let mut receipt = gather.receipt(id, &run.trace, &run.key, mode, outcome, started, self.host.now());
        receipt.step = Some(at(run));
        // What cannot be stored now is left to the sweep: a finished step is never thrown away for it.
        if settle::append(self.host, self.tenant, &receipt).await.is_ok() {
            let _ = self.host.close(id, &reserve::spent(self.tenant, receipt.cost_micros)).await;
        }
        receipt.usage
    }

    /// One event a step; its id makes a repeated step's event the same event.
    async fn note(&self, run: &Checkpoint, name: &str) -> Result<(), Error> {
        let log = checkpoint::events(self.tenant, &run.id);
        let event = json!({"step": name, "status": "end", "timestamp": self.host.now().0});
        let value = Bytes::from(event.to_string());
        self.host.append(&log, &format!("{:06}", run.step), value, Some(expires(self.snapshot, run))).await?;
        Ok(())
    }

    async fn advance(mut self, mut run: Checkpoint, usage: Usage) -> Result<Stepped, Error> {
        run.step = run.step.saturating_add(1);
        run.attempt = 0;
        run.tokens = run.tokens.saturating_add(usage.input).saturating_add(usage.output);
        if matches!(run.program.next(), Next::Done) {
            run.status = Status::Complete;
        } else {
            run.result = None;
        }
        // Someone else's write means that the run was cancelled, or taken from us after the lease.
        if self.release(&mut run).await? && !run.status.is_over() {
            self.host.enqueue(&message(self.tenant, &run.id), Duration::ZERO).await?;
        }
        Ok(Stepped::Done)
    }

    async fn failed(mut self, mut run: Checkpoint, error: Error) -> Result<Stepped, Error> {
        if error.retry == Retry::No {
            run.status = Status::Failed;
            run.error = Some(error.detail);
            self.release(&mut run).await?;
            return Ok(Stepped::Done);
        }
        self.release(&mut run).await?;
        Ok(Stepped::Failed(error))
    }

    /// Gives the claim back: nothing was asked, so it was no attempt.
    async fn unclaim(&mut self, run: &mut Checkpoint) -> Result<(), Error> {
        run.attempt = run.attempt.saturating_sub(1);
        self.release(run).await.map(|_| ())
    }

    /// Writes the run as nobody's; false when someone else wrote it meanwhile.
    async fn release(&mut self, run: &mut Checkpoint) -> Result<bool, Error> {
        run.claimed = Time::default();
        run.updated = self.host.now();
        let saved = save(self.host, self.snapshot, self.tenant, self.version, run).await?;
        self.version = saved.unwrap_or(self.version);
        Ok(saved.is_some())
    }
}

fn at(run: &Checkpoint) -> RunStep {
    RunStep { run: run.id.clone(), step: run.step, attempt: run.attempt }
}
