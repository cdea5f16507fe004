//! What a run has seen so far: the answer's text, the hidden texts, every attempt.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Final;
use crate::call::{AttemptReport, Ended, Fate};
use crate::host::Time;
use crate::ledger::receipt::{Attempted, Outcome, Receipt, millis};
use crate::modes::Show;
use crate::route::Target;
use crate::wire::answer::Answer;
use crate::wire::event::{Event, Usage};
use crate::wire::{Dialect, Frame};

/// The most bytes of a hidden step's text that are kept for later steps.
const MAX_TEXT: usize = 1024 * 1024;

/// Which answers are written anew as a whole, at once or at their end: they have a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewritten {
    /// None: each piece is written when it comes.
    Never,
    /// All but those in this dialect, which pass as they are.
    Unless(Dialect),
    /// All.
    Always,
}

impl Rewritten {
    /// Whether an answer in this dialect is.
    pub(super) fn holds(self, spoken: Option<Dialect>) -> bool {
        match self {
            Self::Never => false,
            Self::Unless(own) => spoken != Some(own),
            Self::Always => true,
        }
    }
}

pub(super) struct Gather {
    targets: Arc<[Target]>,
    /// What is said of those that could not be asked.
    passed: Vec<String>,
    answer: Answer,
    hidden: BTreeMap<&'static str, String>,
    inputs: BTreeMap<&'static str, u64>,
    attempts: Vec<Attempted>,
    /// Tokens of the attempts that the answer is made of.
    told: Usage,
    first: Option<Time>,
    /// Whether the answer's words are kept, or only how it ended.
    keeps: bool,
    /// Whether it has any.
    spoke: bool,
    /// Whether the answer has content that only its own dialect can say.
    odd: bool,
}

impl Gather {
    pub fn new(targets: Arc<[Target]>, passed: Vec<String>) -> Self {
        Self {
            targets,
            passed,
            answer: Answer::default(),
            hidden: BTreeMap::new(),
            inputs: BTreeMap::new(),
            attempts: Vec::new(),
            told: Usage::default(),
            first: None,
            keeps: true,
            spoke: false,
            odd: false,
        }
    }

    /// Lets the answer's words go once they are said: thousands of streams would each keep theirs.
    pub fn forget_words(&mut self) {
        self.keeps = false;
    }

    /// Whether the answer has said anything.
    pub fn spoke(&self) -> bool {
        self.spoke
    }

    /// Whom the attempts are at from now on.
    pub fn among(&mut self, targets: Arc<[Target]>) {
        self.targets = targets;
    }

    /// Whether an ask was made of this target.
    pub fn has_asked(&self, target: &str) -> bool {
        self.attempts.iter().any(|it| it.target == target)
    }

    /// The attempts of an ask that said something, in order: more than one where the answer was continued.
    pub fn parts(&self, ask: &str) -> impl DoubleEndedIterator<Item = &Attempted> {
        self.attempts.iter().filter(move |it| it.ask == ask && it.first_ms.is_some())
    }

    /// Notes what an ask is estimated to send.
    pub fn ask(&mut self, id: &'static str, input: u64) {
        self.inputs.insert(id, input);
    }

    /// Frames of the answer.
    pub fn frames(&mut self, frames: &[Frame]) {
        for event in frames.iter().flat_map(|frame| &frame.events) {
            self.spoke |= matches!(event, Event::Text(text) if !text.is_empty());
            if self.keeps || matches!(event, Event::Finish(_) | Event::Usage(_)) {
                self.answer.add(event);
            } else {
                self.answer.measure(event);
            }
            self.odd |= matches!(event, Event::Other(_));
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

    /// Whether the answer has more than its blocks say.
    pub fn is_odd(&self) -> bool {
        self.odd
    }

    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Those that could not be asked, and `target=fate` of attempts, in order.
    pub fn tried(&self, reports: &[AttemptReport]) -> Vec<String> {
        let before = self.attempts.iter().map(|it| tried(&it.target, it.outcome));
        let now = reports.iter().filter(|report| report.fate != Fate::Running).filter_map(|report| {
            self.targets.get(report.target).map(|target| tried(&target.name, report.fate))
        });
        self.passed.iter().cloned().chain(before).chain(now).collect()
    }

    pub fn attempts(&mut self, ask: &'static str, reports: &[AttemptReport], now: Time) {
        let input = self.inputs.get(ask).copied().unwrap_or(0);
        let continued = self.parts(ask).next().is_some();
        let answered = reports.iter().any(|report| report.fate == Fate::Answered);
        for report in reports {
            let Some(target) = self.targets.get(report.target) else { continue };
            let attempt = Attempted::new(ask, report, target, input, now);
            // What broke off after its first content may be continued: then it is a part of the answer, too.
            if report.fate == Fate::Answered || (!answered && report.first.is_some()) {
                self.told = self.told.plus(attempt.usage);
            }
            self.attempts.push(attempt);
            // The caller sees the last ask's content; earlier asks are hidden.
            self.first = if continued { self.first } else { report.first.or(self.first) };
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
            code: None,
            attempts: self.attempts.clone(),
            usage: self.attempts.iter().fold(Usage::default(), |sum, it| sum.plus(it.usage)),
            cost_micros: self.attempts.iter().fold(0, |sum: u64, it| sum.saturating_add(it.cost_micros)),
            started,
            first_ms: self.first.map(|first| millis(first, started)),
            total_ms: millis(now, started),
        }
    }

    pub fn last(&mut self, ended: Ended) -> Final {
        let tried = self.tried(&[]);
        Final { ended, tried, usage: self.told, answer: std::mem::take(&mut self.answer), made: None }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Abilities, Prices};

    #[test]
    fn a_caller_is_told_the_tokens_of_its_answer_and_the_receipt_those_of_every_attempt() {
        let target = Target {
            name: "p/m".to_owned(),
            provider: "p".to_owned(),
            model: "m".to_owned(),
            base_url: String::new(),
            dialect: Dialect::OpenAi,
            context: 0,
            abilities: Abilities::default(),
            prefill: false,
            secret: None,
            prices: Prices::flat(0.0, 0.0),
        };
        let mut gather = Gather::new(vec![target].into(), Vec::new());
        gather.ask("chat", 57);
        let report = |fate, first: Option<u64>, usage| AttemptReport {
            target: 0,
            fate,
            status: None,
            sent: Time(0),
            first: first.map(Time),
            over: None,
            usage,
            content_bytes: 0,
            content_pieces: 0,
            unreadable: 0,
        };
        let reported = Usage { input: 8, output: 3, ..Usage::default() };
        gather.attempts(
            "chat",
            &[report(Fate::Timeout, None, None), report(Fate::Answered, Some(5), Some(reported))],
            Time(9),
        );
        let receipt = gather.receipt("id", "t", "k", "chat", Outcome::Complete, Time(0), Time(9));
        assert_eq!((receipt.usage.input, receipt.usage.output), (57 + 8, 3));
        assert_eq!(gather.last(Ended::Complete).usage, reported);
        // An answer that broke off and was continued is made of both parts.
        let mut gather = Gather::new(gather.targets, Vec::new());
        gather.attempts("chat", &[report(Fate::Failed, Some(3), Some(reported))], Time(9));
        gather.attempts("chat", &[report(Fate::Answered, Some(5), Some(reported))], Time(9));
        assert_eq!(gather.last(Ended::Complete).usage, reported.plus(reported));
    }
}
