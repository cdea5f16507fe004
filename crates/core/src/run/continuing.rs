//! An answer that broke off after its beginning and is continued by a target that was not asked yet.

use std::sync::Arc;
use std::time::Duration;

use futures::Stream;

use super::{Asking, Continued, Inline, Said};
use crate::call::{Ended, Shape};
use crate::drive::{Driven, Question};
use crate::error::Error;
use crate::host::Host;
use crate::ledger::receipt::Attempted;
use crate::modes::Show;
use crate::route::Target;
use crate::wire::continuation::{self, Seam};
use crate::wire::{Frame, request};

/// The part of an answer that broke off.
pub(super) struct Broken {
    /// Why.
    error: Error,
    /// What came of the attempt.
    attempt: Attempted,
    /// Those that may go on.
    left: Arc<[Target]>,
    seam: Seam,
    /// Whether the one that goes on has begun.
    began: bool,
}

impl<H, S, F> Inline<H, S, F>
where
    H: Host,
    S: Stream<Item = (Asking, Driven)>,
    F: Fn(Asking, Question) -> std::pin::Pin<Box<S>>,
{
    /// Asks another target to go on, if the answer broke off and can be continued; otherwise how it ended.
    pub(super) fn go_on(&mut self, op: Asking, ended: Ended) -> Option<Ended> {
        if op.show != Show::Answer || self.answering.is_none() {
            return Some(ended);
        }
        let (error, attempt) = match (&ended, self.broken.take()) {
            // Why nobody went on matters less than why the answer broke off.
            (Ended::Failed(_) | Ended::Refused { .. }, Some(broken)) if !broken.began => {
                (broken.error, Some(broken.attempt))
            }
            // What one refuses to say, no other is asked to say for it.
            (Ended::Failed(error), _) if error.is_refusal() => return Some(ended),
            (Ended::Failed(error), _) => (error.clone(), self.gather.parts(op.id).next_back().cloned()),
            _ => return Some(ended),
        };
        let Some((question, seam)) = self.question(op.id) else { return Some(Ended::Failed(error)) };
        let Some(attempt) = attempt else { return Some(Ended::Failed(error)) };
        let left = question.targets.clone();
        self.gather.ask(op.id, question.prompt.estimated_input());
        self.gather.among(left.clone());
        self.asks.push((self.start)(op, question));
        self.broken = Some(Broken { error, attempt, left, seam, began: false });
        None
    }

    /// Someone goes on.
    pub(super) fn continued(&mut self, target: usize) {
        // Two answers joined are nobody's answer to keep.
        self.key = None;
        let Some(broken) = &mut self.broken else { return };
        broken.began = true;
        let Some(target) = broken.left.get(target) else { return };
        self.ready.push_back(Said::Continued(Box::new(Continued {
            target: target.name.clone(),
            broken: broken.attempt.target.clone(),
            error: broken.error.clone(),
            usage: broken.attempt.usage,
            estimated: broken.attempt.estimated,
        })));
    }

    /// Frames of the answer, as they follow what was said before.
    pub(super) fn joined(&mut self, mut frames: Vec<Frame>) -> Vec<Frame> {
        let Some(Broken { seam, .. }) = &mut self.broken else { return frames };
        for frame in &mut frames {
            let events = std::mem::take(&mut frame.events);
            frame.events = events.into_iter().filter_map(|event| seam.join(event)).collect();
        }
        frames
    }

    /// The rest of the answer as a question, to those who were not asked yet and can be asked it.
    fn question(&self, ask: &str) -> Option<(Question, Seam)> {
        let plan = self.plan(Shape::Stream);
        if self.host.now() >= self.job.started.plus(Duration::from_millis(plan.deadlines.whole_ms)) {
            return None;
        }
        // What has ended is complete, whatever came after.
        if self.gather.answer().finish.is_some() {
            return None;
        }
        let said = continuation::said(self.gather.answer()).filter(|_| !self.gather.is_odd())?;
        let conversation = continuation::of(self.answering.as_ref()?)?;
        let tokens = self.gather.parts(ask).fold(0, |sum: u64, it| sum.saturating_add(it.usage.output));
        let left = || self.job.targets.iter().filter(|target| !self.gather.has_asked(&target.name));
        let prefill = left().all(|target| target.prefill);
        let prompt = continuation::prompt(conversation, &said, tokens, prefill)?;
        let targets: Arc<[Target]> =
            left().filter(|target| request::fits(target, &prompt, Shape::Stream).is_ok()).cloned().collect();
        let (trace, detached) = (self.job.trace.clone(), self.job.detached);
        let question = Question { prompt, targets, plan, trace, detached };
        (!question.targets.is_empty()).then(|| (question, Seam::after(&said)))
    }
}
