//! What a run has seen so far: the answer's text, the hidden texts, every attempt.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Final;
use crate::call::{AttemptReport, Ended, Fate};
use crate::host::Time;
use crate::ledger::receipt::{Attempted, Outcome, Receipt, millis};
use crate::modes::Show;
use crate::route::Target;
use crate::wire::Frame;
use crate::wire::answer::Answer;
use crate::wire::event::{Event, Usage};

/// The most bytes of a hidden step's text that are kept for later steps.
const MAX_TEXT: usize = 1024 * 1024;

pub(super) struct Gather {
    targets: Arc<[Target]>,
    answer: Answer,
    hidden: BTreeMap<&'static str, String>,
    inputs: BTreeMap<&'static str, u64>,
    attempts: Vec<Attempted>,
    first: Option<Time>,
}

impl Gather {
    pub fn new(targets: Arc<[Target]>) -> Self {
        Self {
            targets,
            answer: Answer::default(),
            hidden: BTreeMap::new(),
            inputs: BTreeMap::new(),
            attempts: Vec::new(),
            first: None,
        }
    }

    /// Notes what an ask is estimated to send.
    pub fn ask(&mut self, id: &'static str, input: u64) {
        self.inputs.insert(id, input);
    }

    /// Frames of the answer.
    pub fn frames(&mut self, frames: &[Frame]) {
        for event in frames.iter().flat_map(|frame| &frame.events) {
            self.answer.add(event);
        }
    }

    pub fn hidden(&mut self, id: &'static str, frames: &[Frame]) {
        collect(frames, self.hidden.entry(id).or_default());
    }

    /// An ask's whole text, for the program.
    pub fn take(&mut self, id: &'static str, show: Show) -> String {
        match show {
            Show::Answer => self.answer.text(),
            Show::Hidden => self.hidden.remove(id).unwrap_or_default(),
        }
    }

    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// `target=fate` of attempts, in order.
    pub fn tried(&self, reports: &[AttemptReport]) -> Vec<String> {
        let before = self.attempts.iter().map(|it| tried(&it.target, it.outcome));
        let now = reports.iter().filter(|report| report.fate != Fate::Running).filter_map(|report| {
            self.targets.get(report.target).map(|target| tried(&target.name, report.fate))
        });
        before.chain(now).collect()
    }

    pub fn attempts(&mut self, ask: &'static str, reports: &[AttemptReport], now: Time) {
        let input = self.inputs.get(ask).copied().unwrap_or(0);
        for report in reports {
            let Some(target) = self.targets.get(report.target) else { continue };
            self.attempts.push(Attempted::new(ask, report, target, input, now));
            // The caller sees the last ask's content; earlier asks are hidden.
            self.first = report.first.or(self.first);
        }
    }

    #[allow(clippy::too_many_arguments)] // Each is a member of the receipt that this cannot know.
    pub fn receipt(
        &self,
        id: &str,
        trace: &str,
        key: &str,
        mode: &str,
        outcome: Outcome,
        started: Time,
        now: Time,
    ) -> Receipt {
        Receipt {
            id: id.to_owned(),
            trace: trace.to_owned(),
            key: key.to_owned(),
            mode: mode.to_owned(),
            step: None,
            outcome,
            attempts: self.attempts.clone(),
            usage: self.usage(),
            cost_micros: self.attempts.iter().fold(0, |sum: u64, it| sum.saturating_add(it.cost_micros)),
            started,
            first_ms: self.first.map(|first| millis(first, started)),
            total_ms: millis(now, started),
        }
    }

    pub fn last(&mut self, ended: Ended) -> Final {
        let tried = self.tried(&[]);
        Final { ended, tried, usage: self.usage(), answer: std::mem::take(&mut self.answer) }
    }

    fn usage(&self) -> Usage {
        self.attempts.iter().fold(Usage::default(), |sum, it| sum.plus(it.usage))
    }
}

fn tried(target: &str, fate: Fate) -> String {
    let fate = serde_json::to_value(fate).unwrap_or_default();
    format!("{target}={}", fate.as_str().unwrap_or_default())
}

fn collect(frames: &[Frame], text: &mut String) {
    for event in frames.iter().flat_map(|frame| &frame.events) {
        if let Event::Text(piece) = event
            && text.len().saturating_add(piece.len()) <= MAX_TEXT
        {
            text.push_str(piece);
        }
    }
}
