//! The state machine of one answer: attempts, deadlines, failover before the commit point, hedging, the caller's
//! leaving. It reads no clock and does no I/O: [`Call::handle`] takes what happened and when, [`Call::next_step`] says
//! what to do, [`Call::timeout`] when to come back.
//!
//! The commit point is the first real content. Until then failing over is free and the frames of an attempt are
//! kept back; after it there is one attempt, and its failure is the answer's.

mod attempt;
pub mod breaker;
mod report;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

pub use self::attempt::Input;
use self::attempt::{Attempt, Said};
pub use self::report::{AttemptReport, Fate};
use crate::config::Deadlines;
use crate::error::{Error, Kind};
use crate::host::Time;
use crate::wire::refusal::Class;
use crate::wire::{Dialect, Frame};

/// The longest wait for a target that says when it may be asked again.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// The bound of the first pause before a retry, in milliseconds; it doubles.
const FIRST_PAUSE_MS: u64 = 250;
/// Where it stops doubling.
const MAX_PAUSE_MS: u64 = 2_000;

/// Whether the answer is streamed from upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Server-sent events.
    #[default]
    Stream,
    /// One JSON body.
    Whole,
}

/// What an answer may do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The targets, tried in order, each once; then again, as far as `retries` go.
    pub targets: Vec<Planned>,
    /// How many further tries there may be when every target has failed in a way that may pass.
    pub retries: u32,
    /// Where the pauses before those begin to be drawn from.
    pub seed: u64,
    /// How they are asked.
    pub shape: Shape,
    /// Bounds of each phase.
    pub deadlines: Deadlines,
    /// Ask the next target too after this long without content.
    pub hedge: Option<Duration>,
    /// When the caller's answer began, for the whole deadline.
    pub started: Time,
}

/// What is known of a target beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// What it speaks.
    pub dialect: Dialect,
    /// How many tokens it takes at most; 0 where that is not known.
    pub context: u64,
}

/// What to do next. Attempts are numbered from 0, in the order they are sent.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Ask a target.
    Send {
        /// The attempt's number.
        attempt: usize,
        /// The target's place in the plan.
        target: usize,
    },
    /// Abort an attempt upstream.
    Cancel(usize),
    /// Hand frames on. The first time, this is the commit point; `attempt` answers.
    Emit {
        /// Who answers.
        attempt: usize,
        /// Whole frames, in order.
        frames: Vec<Frame>,
    },
    /// The answer has ended; nothing follows.
    End(Ended),
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// Genuinely: a finish reason was seen.
    Complete,
    /// A target refused the request itself; no other was asked.
    Refused {
        /// What the provider speaks.
        dialect: Dialect,
        /// The provider's status.
        status: u16,
        /// The provider's body, at most [`attempt::MAX_REFUSAL`] bytes.
        body: Bytes,
    },
    /// No target answered, or the one that had begun broke off.
    Failed(Error),
    /// The caller left.
    Left,
}

/// One answer in the making.
pub struct Call {
    plan: Plan,
    attempts: Vec<Attempt>,
    next_target: usize,
    committed: Option<usize>,
    hedge_at: Option<Time>,
    /// A target that is asked once more, and when.
    again: Option<(Time, usize)>,
    retried: u32,
    steps: VecDeque<Step>,
    ended: bool,
}

impl Call {
    /// Begins: the first step sends the first target.
    pub fn new(plan: Plan, now: Time) -> Self {
        let mut call = Self {
            plan,
            attempts: Vec::new(),
            next_target: 0,
            committed: None,
            hedge_at: None,
            again: None,
            retried: 0,
            steps: VecDeque::new(),
            ended: false,
        };
        if !call.send_next(now) {
            call.end(Ended::Failed(Error::new(Kind::Unavailable, "no target is configured")), now);
        }
        call
    }

    /// The next thing to do; `None`: wait for an input or the timeout.
    pub fn next_step(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// When `handle` wants `Input::Timeout`.
    pub fn timeout(&self) -> Option<Time> {
        if self.ended {
            return None;
        }
        let bounds = &self.plan.deadlines;
        let attempts = self.attempts.iter().filter_map(|attempt| attempt.due(bounds, self.plan.shape));
        let again = self.again.map(|(at, _)| at);
        attempts.chain(self.hedge_at).chain(again).chain([self.whole_due()]).min()
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Time) {
        if self.ended {
            return;
        }
        // A provider that is always ready must not starve the deadline.
        if self.whole_due() <= now && !matches!(input, Input::Gone) {
            return self.expire(now);
        }
        match input {
            Input::Gone => self.leave(now),
            Input::Timeout => self.expire(now),
            Input::Head { attempt, .. }
            | Input::Chunk { attempt, .. }
            | Input::End { attempt }
            | Input::Broken { attempt, .. } => {
                let shape = self.plan.shape;
                let said = self.attempts.get_mut(attempt).map(|it| it.handle(input, shape, now));
                if let Some(said) = said {
                    self.react(attempt, said, now);
                }
            }
        }
    }

    /// What became of every attempt so far, for the receipt.
    pub fn reports(&self) -> Vec<AttemptReport> {
        self.attempts.iter().map(|attempt| attempt.report.clone()).collect()
    }

    /// The target's place in the plan that an attempt asks.
    pub fn target(&self, attempt: usize) -> Option<usize> {
        self.attempts.get(attempt).map(|attempt| attempt.report.target)
    }

    fn react(&mut self, attempt: usize, said: Said, now: Time) {
        match said {
            Said::Nothing => {}
            Said::Frames(frames) => self.emit(attempt, frames, now),
            Said::Finished(frames) => {
                self.emit(attempt, frames, now);
                self.end(Ended::Complete, now);
            }
            // A hedge that refuses must not end the answer that it was to help.
            Said::Refused { status, .. } if self.attempts.iter().any(Attempt::is_running) => {
                let error = Error::new(Kind::Upstream, format!("a provider refused with status {status}"));
                self.fail(attempt, error, now);
            }
            Said::Refused { class: Class::Context, .. } if self.send_larger(attempt, now) => {}
            Said::Refused { status, body, .. } => {
                let dialect = self.dialect(attempt);
                self.end(Ended::Refused { dialect, status, body }, now);
            }
            Said::Failed { error, frames } => {
                if !frames.is_empty() {
                    self.emit(attempt, frames, now);
                }
                self.fail(attempt, error, now);
            }
        }
    }

    fn emit(&mut self, attempt: usize, frames: Vec<Frame>, now: Time) {
        if self.committed.is_none() {
            self.committed = Some(attempt);
            self.hedge_at = None;
            self.cancel_all_but(Some(attempt), Fate::Lost, now);
        }
        if !frames.is_empty() {
            self.steps.push_back(Step::Emit { attempt, frames });
        }
    }

    /// An attempt is over without an answer: its stream is dropped, and another target may be asked.
    fn fail(&mut self, attempt: usize, error: Error, now: Time) {
        self.steps.push_back(Step::Cancel(attempt));
        if self.committed == Some(attempt) {
            self.end(Ended::Failed(error), now);
            return;
        }
        if self.attempts.iter().any(Attempt::is_running) || self.again.is_some() {
            return;
        }
        if error.is_refusal() {
            // As for one that came with a status of its own.
            if error.kind != Kind::Context || !self.send_larger(attempt, now) {
                self.end(Ended::Failed(error), now);
            }
            return;
        }
        if self.send_next(now) || self.retry(now) {
            return;
        }
        self.end(Ended::Failed(self.all_failed(error)), now);
    }

    fn expire(&mut self, now: Time) {
        if self.whole_due() <= now {
            // What has said its finish reason is complete, however late its body ends.
            let committed = self.committed.and_then(|it| Some((it, self.attempts.get_mut(it)?)));
            if let Some((attempt, said)) =
                committed.and_then(|(it, attempt)| Some((it, attempt.linger_is_over(now)?)))
            {
                return self.react(attempt, said, now);
            }
            let error = self.timed_out("the whole answer", self.plan.deadlines.whole_ms);
            self.end(Ended::Failed(error), now);
            return;
        }
        for attempt in 0..self.attempts.len() {
            let bounds = self.plan.deadlines.clone();
            let Some(it) = self.attempts.get_mut(attempt) else { break };
            if it.due(&bounds, self.plan.shape).is_some_and(|due| due <= now) {
                if let Some(said) = it.linger_is_over(now) {
                    self.react(attempt, said, now);
                    return;
                }
                let (phase, limit) = it.phase(&bounds, self.plan.shape);
                it.over(Fate::Timeout, now);
                let error = self.timed_out(phase, limit);
                self.fail(attempt, error, now);
                if self.ended {
                    return;
                }
            }
        }
        if self.hedge_at.is_some_and(|due| due <= now) {
            self.hedge_at = None;
            self.send_next(now);
        }
        if let Some((_, target)) = self.again.take_if(|(at, _)| *at <= now) {
            self.send(target, now);
        }
    }

    fn leave(&mut self, now: Time) {
        self.cancel_all_but(None, Fate::Left, now);
        self.end(Ended::Left, now);
    }

    fn end(&mut self, ended: Ended, now: Time) {
        self.cancel_all_but(None, Fate::Lost, now);
        self.ended = true;
        self.steps.push_back(Step::End(ended));
    }

    fn send_next(&mut self, now: Time) -> bool {
        if self.next_target >= self.plan.targets.len() {
            return false;
        }
        let target = self.next_target;
        self.next_target = self.next_target.saturating_add(1);
        self.send(target, now);
        true
    }

    fn send(&mut self, target: usize, now: Time) {
        let attempt = self.attempts.len();
        let planned = self.plan.targets.get(target).copied().unwrap_or_default();
        self.attempts.push(Attempt::new(target, planned.dialect, now));
        self.hedge_at = match self.plan.hedge {
            Some(after) if self.next_target < self.plan.targets.len() => Some(now.plus(after)),
            _ => None,
        };
        self.steps.push_back(Step::Send { attempt, target });
    }

    /// What was too long for one target goes to the next one with a larger window, where both are known.
    fn send_larger(&mut self, attempt: usize, now: Time) -> bool {
        let context = |target: usize| self.plan.targets.get(target).map_or(0, |planned| planned.context);
        let had = self.target(attempt).map_or(0, context);
        let larger = (self.next_target..self.plan.targets.len()).find(|it| had > 0 && context(*it) > had);
        let Some(larger) = larger else { return false };
        self.next_target = larger;
        self.send_next(now)
    }

    /// Every target has failed: the one that may be asked again first is, after the pause that it named or one of
    /// ours, if the answer's deadline allows it.
    fn retry(&mut self, now: Time) -> bool {
        if self.retried >= self.plan.retries {
            return false;
        }
        let pause = self.pause();
        let ready = |target: usize| {
            let last = self.attempts.iter().rev().find(|attempt| attempt.report.target == target)?;
            Some(last.report.over?.plus(last.again?).max(now.plus(pause)))
        };
        let first = (0..self.plan.targets.len()).filter_map(|target| Some((ready(target)?, target))).min();
        self.again = first.filter(|(at, _)| at.since(now) <= MAX_WAIT && *at < self.whole_due());
        if self.again.is_some() {
            self.retried = self.retried.saturating_add(1);
        }
        self.again.is_some()
    }

    /// Full jitter: anything from nothing to a bound that doubles with each retry.
    /// <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>
    fn pause(&self) -> Duration {
        let most = FIRST_PAUSE_MS
            .saturating_mul(1u64.checked_shl(self.retried).unwrap_or(u64::MAX))
            .min(MAX_PAUSE_MS);
        // SplitMix64's finisher, so that neighbouring seeds and tries differ: <https://prng.di.unimi.it/splitmix64.c>
        let mut mixed =
            self.plan.seed.wrapping_add(u64::from(self.retried).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis((mixed ^ (mixed >> 31)).checked_rem(most.saturating_add(1)).unwrap_or(0))
    }

    fn dialect(&self, attempt: usize) -> Dialect {
        let planned = self.target(attempt).and_then(|target| self.plan.targets.get(target));
        planned.map(|planned| planned.dialect).unwrap_or_default()
    }

    fn cancel_all_but(&mut self, winner: Option<usize>, fate: Fate, now: Time) {
        for (number, attempt) in self.attempts.iter_mut().enumerate() {
            if Some(number) != winner && attempt.is_running() {
                attempt.over(fate, now);
                self.steps.push_back(Step::Cancel(number));
            }
        }
    }

    fn whole_due(&self) -> Time {
        self.plan.started.plus(Duration::from_millis(self.plan.deadlines.whole_ms))
    }

    fn timed_out(&self, phase: &str, limit_ms: u64) -> Error {
        Error::new(Kind::Timeout, format!("{phase} did not come within {limit_ms} ms"))
    }

    /// The last failure speaks for all; how many there were is said.
    fn all_failed(&self, last: Error) -> Error {
        match self.attempts.len() {
            0 | 1 => last,
            tried => {
                let detail = format!("all {tried} targets failed; the last one: {}", last.detail);
                Error { detail, ..last }
            }
        }
    }
}
