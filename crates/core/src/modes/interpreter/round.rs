//! One ask of an answer, and what it calls.

use std::collections::VecDeque;

use crate::error::Error;
use crate::wire::Dialect;
use crate::wire::answer::Answer;
use crate::wire::builtin::{Function, functions};
use crate::wire::event::{Event, Finish};
use crate::wire::json::{Members, parse};

/// One ask, and what it calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    /// All that was said, as it was.
    pub said: Answer,
    /// The indexes of the calls that are ours.
    pub ours: Vec<u32>,
    /// Those of the caller's own tools.
    pub others: Vec<u32>,
    /// Why it ended, held back where code is to be run first.
    pub finish: Option<Finish>,
    /// What is still to be run.
    pub waiting: VecDeque<Called>,
    /// What came of the calls.
    pub results: Vec<String>,
    /// What the caller is to be told.
    pub saying: Vec<Event>,
    /// Why it cannot go on.
    pub stuck: Option<Error>,
}

#[derive(Clone, Debug)]
pub(super) struct Called {
    pub function: &'static Function,
    pub code: Result<String, String>,
}

impl Round {
    /// Keeps what is ours; the rest is the caller's.
    pub fn hear(&mut self, dialect: Dialect, event: Event) -> Option<Event> {
        self.said.add(&event);
        match event {
            Event::Tool(mut piece) => {
                let index = piece.index;
                if self.ours.contains(&index) {
                    return None;
                }
                let known = self.others.iter().position(|other| *other == index);
                let named = |function: &Function| piece.name.as_deref() == Some(function.name);
                if known.is_none() && functions(dialect).iter().any(named) {
                    self.ours.push(index);
                    return None;
                }
                // Without gaps: some clients keep calls in a list.
                let place = known.unwrap_or(self.others.len());
                if known.is_none() {
                    self.others.push(index);
                }
                piece.index = u32::try_from(place).unwrap_or(u32::MAX);
                Some(Event::Tool(piece))
            }
            Event::Finish(finish) if !self.ours.is_empty() => {
                self.finish = Some(finish);
                None
            }
            Event::End if !self.ours.is_empty() => None,
            other => Some(other),
        }
    }

    /// What is to be run, in order.
    pub fn called(&self, dialect: Dialect) -> VecDeque<Called> {
        let ours = self.said.tools().filter(|tool| self.ours.contains(&tool.index));
        ours.filter_map(|tool| {
            let function = functions(dialect).iter().find(|it| tool.name.as_deref() == Some(it.name))?;
            let code = parse::<Members>(&tool.arguments).ok();
            let code = code.and_then(|members| members.read::<String>(function.argument).ok().flatten());
            let code = code.ok_or_else(|| {
                format!("the arguments must be an object with the text `{}`", function.argument)
            });
            Some(Called { function, code })
        })
        .collect()
    }
}
