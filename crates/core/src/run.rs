//! Runs a mode's steps: inside the request here, with a checkpoint after each step in [`detached`].

pub mod checkpoint;
mod continuing;
pub mod detached;
pub mod execute;
mod gather;
mod running;
mod said;
mod session;
pub mod settle;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future;
use futures::stream::{self, Stream, StreamExt};
use serde_json::json;

use self::continuing::Broken;
use self::gather::Gather;
pub use self::gather::Rewritten;
pub use self::said::{Began, Continued, Final, Said};
use crate::cache::{self, Tee};
use crate::call::{AttemptReport, Ended, Plan, Shape};
use crate::drive::{Driven, Question, drive};
use crate::error::{Error, Kind, Retry};
use crate::host::{Bytes, Held, Host, Key, Time};
use crate::identity::Identity;
use crate::ledger::receipt::{Outcome, Receipt};
use crate::ledger::reserve;
use crate::modes::{Code, Next, Op, Program, Show};
use crate::route::Target;
use crate::snapshot::Snapshot;
use crate::trace::{self, Trace};
use crate::wire::answer::too_long;
use crate::wire::conversation::Format;
use crate::wire::event::Finish;
use crate::wire::prompt::Prompt;
use crate::wire::{Dialect, continuation, schema};

/// One answer to make.
pub struct Job {
    /// Who asks.
    pub identity: Identity,
    /// The request's trace.
    pub trace: Trace,
    /// What is to be done.
    pub program: Program,
    /// Where it may be asked, in order.
    pub targets: Arc<[Target]>,
    /// `target=unfit:member` of those that cannot be asked.
    pub passed: Vec<String>,
    /// How the last ask's answer travels; the others are always streamed.
    pub shape: Shape,
    /// What the answer's text must be.
    pub format: Format,
    /// Hedging of each ask.
    pub hedge: Option<Duration>,
    /// How long the answer may be kept, if it may come from and go to the cache.
    pub cache: Option<Duration>,
    /// The most that the whole answer may take, beside the configured deadlines.
    pub bound: Option<Duration>,
    /// When the request came.
    pub started: Time,
    /// Whether the answer's words are needed once it has ended.
    pub keeps: bool,
    /// Whether the answer goes on when its caller has left.
    pub detached: bool,
    /// Whether another target may go on with a stream that breaks off after its beginning.
    pub continuation: bool,
    /// Whether all of the answer must be kept to be written.
    pub rewritten: Rewritten,
}

/// Runs a program inside the request. The receipt is stored before `Said::Ended` is said.
pub fn inline<H: Host>(host: H, snapshot: Arc<Snapshot>, job: Job) -> impl Stream<Item = Said> + use<H> {
    let starter = (host.clone(), snapshot.clone());
    let start = move |op: Asking, question: Question| {
        let driven = drive(starter.0.clone(), starter.1.clone(), question);
        Box::pin(driven.map(move |driven| (op, driven)))
    };
    let mut gather = Gather::new(job.targets.clone(), job.passed.clone());
    if !job.keeps && job.format == Format::Text && !job.continuation {
        gather.forget_words();
    }
    let run = Box::new(Inline {
        gather,
        id: String::new(),
        held: None,
        key: None,
        tee: Tee::default(),
        asks: Vec::new(),
        ready: VecDeque::new(),
        phase: Phase::Begin,
        answering: None,
        broken: None,
        spoken: None,
        code: None,
        host,
        snapshot,
        job,
        start,
    });
    // The state is boxed: it would be moved with every item.
    stream::unfold(run, |mut run| async move { run.next().await.map(|said| (said, run)) })
}

/// Which operation a stream belongs to.
#[derive(Clone, Copy)]
struct Asking {
    id: &'static str,
    show: Show,
}

#[derive(PartialEq)]
enum Phase {
    Begin,
    Running,
    Over,
}

struct Inline<H, S, F> {
    host: H,
    snapshot: Arc<Snapshot>,
    job: Job,
    start: F,
    /// Of the hold and the receipt.
    id: String,
    held: Option<u64>,
    key: Option<Key>,
    tee: Tee,
    /// A program asks a few things at once at most, so all are looked at each time.
    asks: Vec<Pin<Box<S>>>,
    gather: Gather,
    ready: VecDeque<Said>,
    phase: Phase,
    /// What is asked for the answer, where it may be continued.
    answering: Option<Prompt>,
    /// The part of the answer that broke off.
    broken: Option<Broken>,
    /// What the one who answers speaks.
    spoken: Option<Dialect>,
    /// What is to be run once it was said.
    code: Option<Code>,
}

impl<H, S, F> Inline<H, S, F>
where
    H: Host,
    S: Stream<Item = (Asking, Driven)>,
    F: Fn(Asking, Question) -> Pin<Box<S>>,
{
    async fn next(&mut self) -> Option<Said> {
        loop {
            if let Some(said) = self.ready.pop_front() {
                return Some(said);
            }
            match self.phase {
                Phase::Begin => self.begin().await,
                Phase::Running => match self.code.take() {
                    Some(code) => self.execute(&code).await,
                    None => match self.heard().await {
                        Some((op, driven)) => self.take(op, driven).await,
                        None => self.step().await,
                    },
                },
                Phase::Over => return None,
            }
        }
    }

    /// What one of the asks says next; `None` once all have ended. Whoever has spoken goes to the end of the line.
    async fn heard(&mut self) -> Option<(Asking, Driven)> {
        let asks = &mut self.asks;
        future::poll_fn(|context| {
            let mut place = 0;
            while let Some(ask) = asks.get_mut(place) {
                match ask.poll_next_unpin(context) {
                    Poll::Ready(Some(said)) => {
                        let spoken = asks.remove(place);
                        asks.push(spoken);
                        return Poll::Ready(Some(said));
                    }
                    Poll::Ready(None) => drop(asks.remove(place)),
                    Poll::Pending => place = place.saturating_add(1),
                }
            }
            if asks.is_empty() { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    async fn begin(&mut self) {
        self.id = trace::id(self.job.started, self.host.random());
        if let Some(value) = self.cached().await {
            return self.replay(value).await;
        }
        match self.hold().await {
            Ok(()) => {
                self.phase = Phase::Running;
                self.step().await;
            }
            Err(error) => self.over(Ended::Failed(error)),
        }
    }

    async fn cached(&mut self) -> Option<Bytes> {
        self.job.cache?;
        let Program::Chat(chat) = &self.job.program else { return None };
        let key = cache::key(&self.job.identity.tenant, &chat.prompt, &self.job.targets, self.job.shape);
        let value = self.host.cached(&key, self.job.started).await;
        self.key = Some(key);
        value
    }

    async fn replay(&mut self, value: Bytes) {
        let Some((target, dialect, frames)) = cache::replay(&value, self.job.shape, &self.job.targets) else {
            // Written by another version: as good as missing, but the hold comes first.
            return match self.hold().await {
                Ok(()) => self.phase = Phase::Running,
                Err(error) => self.over(Ended::Failed(error)),
            };
        };
        self.gather.frames(&frames);
        let rounds = self.host.rounds();
        self.ready.push_back(Said::Began(Began { target, dialect, tried: Vec::new(), cached: true, rounds }));
        self.ready.push_back(Said::Frames(frames));
        self.key = None;
        self.settle(Outcome::Cached, Ended::Complete).await;
    }

    /// Takes the answer's place and its worst price. When the tenant's places are taken, those of owners that died
    /// are freed first, once.
    async fn hold(&mut self) -> Result<(), Error> {
        if !reserve::is_limited(self.snapshot.config(), &self.job.identity.tenant) {
            return Ok(());
        }
        let tenant = &self.job.identity.tenant;
        let program = &self.job.program;
        let mut input = program.input_bound();
        if self.job.continuation {
            // Whoever goes on reads what was said before.
            let said = program.max_output().unwrap_or(reserve::DEFAULT_OUTPUT);
            input = input.saturating_add(said).saturating_add(continuation::overhead());
        }
        let asks = program.asks_left();
        let micros = reserve::worst_cost(&self.job.targets, asks, input, program.max_output());
        let note = settle::Note::new(self.job.trace.id(), &self.job.identity.key, program.mode(), None);
        let now = self.host.now();
        let hold = reserve::hold(self.snapshot.config(), tenant, &self.id, note.text(), micros, now);
        if let Some(error) = reserve::impossible(self.snapshot.config(), tenant, micros) {
            return Err(error);
        }
        let mut held = match self.host.hold(&hold).await {
            Ok(held) => held,
            Err(error) => {
                // It may have been taken all the same.
                let _ = self.host.close(&self.id, &reserve::unspent(tenant)).await;
                return Err(error.into());
            }
        };
        // Only places come back from the dead: what they held of money and of the minute's requests is charged.
        if matches!(&held, Held::Short { counter, .. } if reserve::is_place(counter))
            && settle::sweep(&self.host, tenant, now).await?.swept > 0
        {
            held = self.host.hold(&hold).await?;
        }
        if let Held::Short { counter, .. } = held {
            return Err(reserve::refusal(&counter, now));
        }
        self.held = Some(micros);
        Ok(())
    }

    async fn step(&mut self) {
        self.say();
        match self.job.program.next() {
            Next::Done => self.settle(Outcome::Complete, Ended::Complete).await,
            Next::Failed(error) => self.settle(Outcome::Failed, Ended::Failed(error)).await,
            Next::All(ops) => {
                for op in ops {
                    let (id, prompt, show) = match op {
                        Op::Ask { id, prompt, show } => (id, prompt, show),
                        Op::Execute { id, code } => {
                            if self.job.program.tells_runs() {
                                let (language, text) = (&code.language, &code.text);
                                let data = json!({"step": id, "name": "execute", "language": language, "code": text});
                                self.ready.push_back(Said::Event { name: "tool_call", data });
                            }
                            self.code = Some(code);
                            continue;
                        }
                    };
                    if show == Show::Hidden {
                        self.ready.push_back(Said::Progress { step: id, done: false });
                    }
                    let shape = if show == Show::Answer { self.job.shape } else { Shape::Stream };
                    self.gather.ask(id, prompt.estimated_input());
                    if show == Show::Answer && self.job.continuation {
                        self.answering = Some(prompt.clone());
                    }
                    let question = Question {
                        prompt,
                        targets: self.job.targets.clone(),
                        plan: self.plan(shape),
                        trace: self.job.trace.clone(),
                        detached: self.job.detached,
                    };
                    self.asks.push((self.start)(Asking { id, show }, question));
                }
            }
        }
    }

    fn plan(&self, shape: Shape) -> Plan {
        let mut deadlines = self.snapshot.config().deadlines.clone();
        if let Some(bound) = self.job.bound {
            let bound = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
            deadlines.whole_ms = deadlines.whole_ms.min(bound);
        }
        Plan {
            shape,
            deadlines,
            hedge: self.job.hedge,
            retries: self.snapshot.config().retries.attempts,
            started: self.job.started,
            ..Plan::default()
        }
    }

    async fn take(&mut self, op: Asking, driven: Driven) {
        match driven {
            Driven::Began { .. } if op.show == Show::Hidden => {}
            Driven::Began { target, .. } if self.broken.is_some() => self.continued(target),
            // Another round of the same answer.
            Driven::Began { .. } if self.spoken.is_some() => {}
            Driven::Began { target, reports } => {
                let Some(target) = self.job.targets.get(target) else { return };
                let tried = self.gather.tried(&reports);
                let (target, dialect) = (target.name.clone(), target.dialect);
                self.spoken = Some(dialect);
                let rounds = self.host.rounds();
                self.ready.push_back(Said::Began(Began { target, dialect, tried, cached: false, rounds }));
            }
            Driven::Frames(frames) if op.show == Show::Hidden => self.gather.hidden(op.id, &frames),
            Driven::Frames(frames) => {
                let mut frames = self.joined(frames);
                self.hear(&mut frames);
                self.gather.frames(&frames);
                if self.key.is_some() {
                    self.tee.add(&frames);
                }
                self.ready.push_back(Said::Frames(frames));
            }
            Driven::Ended { ended, reports } => self.ended(op, ended, &reports).await,
        }
    }

    async fn ended(&mut self, op: Asking, ended: Ended, reports: &[AttemptReport]) {
        self.gather.attempts(op.id, reports, self.host.now());
        let ended = match self.go_on(op, ended) {
            Some(ended) => ended,
            None => return,
        };
        let outcome = match &ended {
            Ended::Complete => {
                if op.show == Show::Hidden {
                    self.ready.push_back(Said::Progress { step: op.id, done: true });
                }
                if let Some(error) = self.misshapen(op.show) {
                    self.asks.clear();
                    return self.settle(Outcome::Failed, Ended::Failed(error)).await;
                }
                let text = self.gather.take(op.id, op.show);
                self.job.program.absorb(op.id, text);
                return;
            }
            Ended::Refused { .. } => Outcome::Refused,
            Ended::Failed(error) if error.is_refusal() && self.gather.parts(op.id).next().is_none() => {
                Outcome::Refused
            }
            Ended::Failed(_) => Outcome::Failed,
            Ended::Left => Outcome::Left,
        };
        self.asks.clear();
        self.settle(outcome, ended).await;
    }

    /// Why a complete answer is not what was asked for, or cannot be said. One that was cut short or refused says so itself.
    fn misshapen(&self, show: Show) -> Option<Error> {
        let answer = self.gather.answer();
        if show == Show::Answer && answer.is_cut() && self.job.rewritten.holds(self.spoken) {
            let error = Error::new(Kind::Upstream, too_long());
            return Some(Error { retry: Retry::No, ..error });
        }
        let whole = show == Show::Answer && answer.finish == Some(Finish::Stop) && answer.has_only_text();
        if !whole || self.job.format == Format::Text {
            return None;
        }
        let why = schema::mismatch(&self.job.format, &answer.text())?;
        Some(Error::new(Kind::Upstream, format!("the answer is not of the format that was asked for: {why}")))
    }

    /// Stores the receipt, then gives back what was not spent. When the stores fail now, the hold stays open and the
    /// sweeper charges it in full: the books err towards refusing.
    async fn settle(&mut self, outcome: Outcome, ended: Ended) {
        let receipt = self.receipt(outcome);
        let tenant = self.job.identity.tenant.clone();
        let cached = self.cacheable(&outcome, &receipt);
        let keep = async {
            if let Some((key, value, expires)) = cached {
                self.host.cache(&key, value, expires).await;
            }
        };
        let (stored, ()) = future::join(settle::append(&self.host, &tenant, &receipt), keep).await;
        if stored.is_ok() && self.held.is_some() {
            let spent = reserve::spent(&tenant, receipt.cost_micros);
            let _ = self.host.close(&receipt.id, &spent).await;
        }
        self.over(ended);
    }

    fn cacheable(&mut self, outcome: &Outcome, receipt: &Receipt) -> Option<(Key, Bytes, Time)> {
        let key = self.key.take()?;
        if *outcome != Outcome::Complete || !self.gather.spoke() {
            return None;
        }
        let target = receipt.attempts.iter().find(|it| it.outcome == crate::call::Fate::Answered)?;
        let value = std::mem::take(&mut self.tee).value(&target.target)?;
        Some((key, value, self.host.now().plus(self.job.cache?)))
    }

    fn receipt(&self, outcome: Outcome) -> Receipt {
        let job = &self.job;
        let now = self.host.now();
        self.gather.receipt(
            &self.id,
            job.trace.id(),
            &job.identity.key,
            job.program.mode(),
            outcome,
            job.started,
            now,
        )
    }

    fn over(&mut self, ended: Ended) {
        self.phase = Phase::Over;
        let last = Final { made: self.job.program.made(), ..self.gather.last(ended) };
        self.ready.push_back(Said::Ended(Box::new(last)));
    }
}

/// No answer: what a run that said nothing comes to.
pub fn unanswered() -> Error {
    Error::new(Kind::Internal, "the run ended without an answer")
}
