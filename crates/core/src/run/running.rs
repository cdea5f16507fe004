//! What a program has run on its way to an answer, and what it keeps of the answer for itself.

use std::pin::Pin;
use std::time::Duration;

use futures::Stream;

use super::execute::{self, Run};
use super::{Asking, Inline, Said};
use crate::call::{Ended, Shape};
use crate::config::sandbox::START_MS;
use crate::drive::{Driven, Question};
use crate::host::{Bytes, Host};
use crate::ledger::receipt::Outcome;
use crate::modes::Code;
use crate::modes::code::brief;
use crate::wire::Frame;

/// What a run of code may take beside its wall time.
const START: Duration = Duration::from_millis(START_MS);

impl<H, S, F> Inline<H, S, F>
where
    H: Host,
    S: Stream<Item = (Asking, Driven)>,
    F: Fn(Asking, Question) -> Pin<Box<S>>,
{
    /// What the program itself adds to the answer.
    pub(super) fn say(&mut self) {
        let events = self.job.program.say();
        if !events.is_empty() {
            let frames = vec![Frame { bytes: Bytes::new(), events }];
            self.gather.frames(&frames);
            self.ready.push_back(Said::Frames(frames));
        }
    }

    pub(super) async fn execute(&mut self, code: &Code) {
        let due = self.job.started.plus(Duration::from_millis(self.plan(Shape::Stream).deadlines.whole_ms));
        let run = execute::part(&self.snapshot, &self.job.identity, self.job.trace.id(), code);
        let run = run.and_then(|run| run.within(due.since(self.host.now()).saturating_sub(START)));
        let outcome = match run {
            Ok(run) => {
                let run = Run { detached: self.job.detached, ..run };
                execute::whole(self.host.clone(), self.snapshot.clone(), run).await
            }
            Err(error) => Err(error),
        };
        if let (true, Ok(outcome)) = (self.job.program.tells_runs(), &outcome) {
            self.ready.push_back(Said::Event { name: "source", data: brief(outcome) });
        }
        if let Err(error) = self.job.program.ran(outcome) {
            self.settle(Outcome::Failed, Ended::Failed(error)).await;
        }
    }

    /// Lets the program keep what is for itself alone.
    pub(super) fn hear(&mut self, frames: &mut [Frame]) {
        let Some(spoken) = self.spoken else { return };
        for frame in frames {
            frame.events = self.job.program.hear(spoken, std::mem::take(&mut frame.events));
        }
    }
}
