//! A caller's request with a tool that runs code: ask → run what the model calls → ask again, until it answers.
//!
//! To the caller it is one answer. A target that has the tool itself is asked as the caller wrote it, and answers alone.

mod round;
#[cfg(test)]
mod tests;
mod words;

use serde_json::Value;

use self::round::{Called, Round};
use self::words::{SHOWN, end, told};
use super::{Code, Next, Op, Show};
use crate::error::{Error, Kind};
use crate::ledger::reserve::DEFAULT_OUTPUT;
use crate::wire::Dialect;
use crate::wire::answer::too_long;
use crate::wire::builtin::{Offer, has_own};
use crate::wire::event::{Container, Event, Finish, Run, RunEnd};
use crate::wire::json::Members;
use crate::wire::prompt::{Prompt, estimate};

/// The most bytes of files that all runs of an answer hand back: it is written whole at its end.
const FILES: u64 = 512 * 1024;

const ANSWER: &str = "answer";
const RUN: &str = "run_code";

/// A run of the program.
#[derive(Clone, Debug)]
pub struct Interpreter {
    dialect: Dialect,
    /// As it came, for targets that have the tool; `None` once the platform's was used, or where no target has it.
    own: Option<Members>,
    /// With functions in the tool's place; it grows with each round.
    offer: Offer,
    /// What made-up ids begin with.
    id: String,
    session: Option<String>,
    /// Until when the session's files are kept, in Unix seconds.
    expires: u64,
    runs_left: u8,
    /// How many runs there were.
    runs: u32,
    files_left: u64,
    done: bool,
    round: Round,
}

/// Where the runs' files are kept.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The session; `None` where none are kept.
    pub session: Option<String>,
    /// Until when, in Unix seconds.
    pub expires: u64,
}

impl Interpreter {
    /// `own`: the request as it came. `runs`: the most that may be run.
    pub fn new(dialect: Dialect, own: Members, offer: Offer, id: &str, files: Files, runs: u8) -> Self {
        let most = offer.most.unwrap_or(u64::MAX);
        let mut interpreter = Self {
            dialect,
            own: has_own(dialect, dialect).then_some(own),
            offer,
            id: id.to_owned(),
            session: files.session,
            expires: files.expires,
            runs_left: u8::try_from(most).unwrap_or(u8::MAX).min(runs),
            runs: 0,
            files_left: FILES,
            done: false,
            round: Round::default(),
        };
        if interpreter.runs_left == 0 {
            interpreter.offer.no_more(dialect);
        }
        interpreter
    }

    /// The question as it stands.
    pub fn prompt(&self) -> Prompt {
        match &self.own {
            Some(own) => Prompt::Offered(self.dialect, own.clone(), self.offer.members.clone()),
            None => Prompt::Own(self.dialect, self.offer.members.clone()),
        }
    }

    /// What holds the runs' memory down.
    pub fn memory(&self) -> Option<u64> {
        self.offer.memory
    }

    pub(super) fn next(&self) -> Next {
        if let Some(error) = &self.round.stuck {
            return Next::Failed(error.clone());
        }
        if let Some(Called { function, code: Ok(code) }) = self.round.waiting.front() {
            return Next::All(vec![Op::Execute {
                id: RUN,
                code: Code {
                    language: function.language.to_owned(),
                    text: code.clone(),
                    session: self.session.clone(),
                    memory: self.offer.memory,
                    files_bytes: Some(self.files_left),
                },
            }]);
        }
        if self.done {
            return Next::Done;
        }
        Next::All(vec![Op::Ask { id: ANSWER, prompt: self.prompt(), show: Show::Answer }])
    }

    /// Keeps calls of the tool from the caller, and the reason for the end while there are any.
    pub(super) fn hear(&mut self, spoken: Dialect, events: Vec<Event>) -> Vec<Event> {
        if self.own.is_some() && has_own(self.dialect, spoken) {
            return events;
        }
        events.into_iter().filter_map(|event| self.round.hear(self.dialect, event)).collect()
    }

    /// What the caller is to be told now.
    pub(super) fn say(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.round.saying)
    }

    /// An ask has ended.
    pub(super) fn absorb(&mut self) {
        let round = &mut self.round;
        if round.ours.is_empty() {
            self.done = true;
            return;
        }
        // A call that was cut off is not what the model meant.
        if !matches!(round.finish, Some(Finish::ToolCalls | Finish::Stop)) {
            round.saying.extend(round.finish.map(Event::Finish));
            self.done = true;
            return;
        }
        if round.said.is_cut() {
            round.stuck = Some(Error::new(Kind::Upstream, too_long()));
            return;
        }
        if self.runs_left == 0 {
            let why = "the model goes on calling the tool that runs code, though its runs are used up";
            round.stuck = Some(Error::new(Kind::Upstream, why));
            return;
        }
        round.waiting = round.called(self.dialect);
        self.begin();
    }

    /// Takes what became of the code that was run; an error is why it was not.
    pub(super) fn ran(&mut self, outcome: Result<Value, Error>) {
        let Some(called) = self.round.waiting.pop_front() else { return };
        let end = match outcome {
            Ok(outcome) => end(&outcome),
            Err(error) => RunEnd { exit_code: -1, refused: Some(error.detail), ..RunEnd::default() },
        };
        let files = end.files.iter().filter(|file| file.base64.is_some()).map(|file| file.bytes);
        self.files_left = files.fold(self.files_left, u64::saturating_sub);
        self.ended(&called, end);
        self.begin();
    }

    /// Tells the caller of the next run; calls that cannot be run end at once. After the last the model is asked again,
    /// unless it called the caller's own tools as well.
    fn begin(&mut self) {
        while let Some(called) = self.round.waiting.front().cloned() {
            let refused = match &called.code {
                _ if self.runs_left == 0 => Some("the runs of this answer are used up".to_owned()),
                Err(why) => Some(why.clone()),
                Ok(_) => None,
            };
            self.runs_left = self.runs_left.saturating_sub(1);
            let begun = self.run(&called, None);
            self.round.saying.push(begun);
            let Some(why) = refused else { return };
            self.round.waiting.pop_front();
            self.ended(&called, RunEnd { exit_code: -1, refused: Some(why), ..RunEnd::default() });
        }
        if !self.round.others.is_empty() {
            self.round.saying.extend(self.round.finish.map(Event::Finish));
            self.done = true;
            return;
        }
        let round = std::mem::take(&mut self.round);
        let id = format!("{}{}", self.id, self.runs);
        self.offer.go_on(self.dialect, &id, &round.said, &round.results);
        self.own = None;
        self.round.saying = round.saying;
        if self.runs_left == 0 {
            self.offer.no_more(self.dialect);
        }
    }

    fn ended(&mut self, called: &Called, end: RunEnd) {
        self.round.results.push(told(&end));
        let ended = self.run(called, Some(end));
        self.round.saying.push(ended);
        self.runs = self.runs.saturating_add(1);
    }

    fn run(&self, called: &Called, end: Option<RunEnd>) -> Event {
        let id = self.session.clone().unwrap_or_default();
        let expires = if id.is_empty() { 0 } else { self.expires };
        Event::Run(Box::new(Run {
            number: self.runs,
            function: called.function,
            code: called.code.clone().unwrap_or_default(),
            container: Container { id, expires },
            end,
        }))
    }

    pub(super) fn asks_left(&self) -> u64 {
        if self.done { 0 } else { u64::from(self.runs_left).saturating_add(1) }
    }

    pub(super) fn input_bound(&self) -> u64 {
        // Each round adds what the model said, and outputs, which are counted in characters of at most four bytes.
        let round = self.max_output().unwrap_or(DEFAULT_OUTPUT).saturating_add(estimate(SHOWN * 8));
        let first = estimate(self.offer.members.size());
        first.saturating_add(round.saturating_mul(u64::from(self.runs_left)))
    }

    pub(super) fn max_output(&self) -> Option<u64> {
        self.prompt().max_output()
    }

    pub(super) fn bound_output(&mut self, bound: u64) {
        for members in self.own.iter_mut().chain([&mut self.offer.members]) {
            let mut prompt = Prompt::Own(self.dialect, std::mem::take(members));
            prompt.bound_output(bound);
            if let Prompt::Own(_, bounded) = prompt {
                *members = bounded;
            }
        }
    }
}
