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
use crate::wire::Frame;

/// Whether the answer is streamed from upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Server-sent events.
    Stream,
    /// One JSON body.
    Whole,
}

/// What an answer may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How many targets there are; they are tried in order, each once.
    pub targets: usize,
    /// How they are asked.
    pub shape: Shape,
    /// Bounds of each phase.
    pub deadlines: Deadlines,
    /// Ask the next target too after this long without content.
    pub hedge: Option<Duration>,
    /// When the caller's answer began, for the whole deadline.
    pub started: Time,
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
        attempts.chain(self.hedge_at).chain([self.whole_due()]).min()
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
            Said::Refused { status, body } => self.end(Ended::Refused { status, body }, now),
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
        let others = self.attempts.iter().any(Attempt::is_running);
        if others || self.send_next(now) {
            return;
        }
        self.end(Ended::Failed(self.all_failed(error)), now);
    }

    fn expire(&mut self, now: Time) {
        if self.whole_due() <= now {
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
        if self.next_target >= self.plan.targets {
            return false;
        }
        let (attempt, target) = (self.attempts.len(), self.next_target);
        self.next_target = self.next_target.saturating_add(1);
        self.attempts.push(Attempt::new(target, now));
        self.hedge_at = match self.plan.hedge {
            Some(after) if self.next_target < self.plan.targets => Some(now.plus(after)),
            _ => None,
        };
        self.steps.push_back(Step::Send { attempt, target });
        true
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
