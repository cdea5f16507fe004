//! What a run has seen so far: the answer's text, the hidden texts, every attempt.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Final;
use crate::call::{AttemptReport, Ended};
use crate::host::Time;
use crate::ledger::receipt::{Attempted, Outcome, Receipt, millis};
use crate::modes::Show;
use crate::route::Target;
use crate::wire::Frame;
use crate::wire::event::{Event, Finish, ToolDelta, Usage};

/// The most tool calls of one answer that are kept for surfaces of our own making.
const MAX_TOOLS: usize = 128;

/// The most bytes of one answer's text that are kept for the platform's own surfaces and for later steps.
const MAX_TEXT: usize = 1024 * 1024;

pub(super) struct Gather {
    targets: Arc<[Target]>,
    text: String,
    tools: Vec<ToolDelta>,
    began: bool,
    finish: Option<Finish>,
    hidden: BTreeMap<&'static str, String>,
    inputs: BTreeMap<&'static str, u64>,
    attempts: Vec<Attempted>,
    first: Option<Time>,
}

impl Gather {
    pub fn new(targets: Arc<[Target]>) -> Self {
        Self {
            targets,
            text: String::new(),
            tools: Vec::new(),
            began: false,
            finish: None,
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

    /// Whether these are the answer's first frames; true once.
    pub fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.began, true)
    }

    pub fn frames(&mut self, frames: &[Frame], show: Show) {
        if show != Show::Answer {
            return;
        }
        collect(frames, &mut self.text);
        for event in frames.iter().flat_map(|frame| &frame.events) {
            match event {
                Event::Finish(finish) => self.finish = Some(*finish),
                Event::Tool(piece) => self.tool(piece),
                _ => {}
            }
        }
    }

    fn tool(&mut self, piece: &ToolDelta) {
        if let Some(tool) = self.tools.iter_mut().find(|tool| tool.index == piece.index) {
            if tool.arguments.len().saturating_add(piece.arguments.len()) <= MAX_TEXT {
                tool.arguments.push_str(&piece.arguments);
            }
        } else if self.tools.len() < MAX_TOOLS {
            self.tools.push(piece.clone());
        }
    }

    pub fn hidden(&mut self, id: &'static str, frames: &[Frame]) {
        collect(frames, self.hidden.entry(id).or_default());
    }

    /// An ask's whole text, for the program.
    pub fn take(&mut self, id: &'static str, show: Show) -> String {
        match show {
            Show::Answer => self.text.clone(),
            Show::Hidden => self.hidden.remove(id).unwrap_or_default(),
        }
    }

    pub fn text(&self) -> &str {
        &self.text
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
        let tried = self.attempts.iter().map(|it| {
            let fate = serde_json::to_value(it.outcome).unwrap_or_default();
            format!("{}={}", it.target, fate.as_str().unwrap_or_default())
        });
        Final {
            ended,
            tried: tried.collect(),
            usage: self.usage(),
            text: std::mem::take(&mut self.text),
            tools: std::mem::take(&mut self.tools),
            finish: self.finish,
        }
    }

    fn usage(&self) -> Usage {
        self.attempts.iter().fold(Usage::default(), |sum, it| sum.plus(it.usage))
    }
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
