//! A caller's request with a tool that runs code: ask → run what the model calls → ask again, until it answers.
//!
//! To the caller it is one answer. A target that has the tool itself is asked as the caller wrote it, and answers alone.

use std::collections::VecDeque;

use serde_json::Value;

use super::thinking::shorten;
use super::{Code, Next, Op, Show};
use crate::api::execute::failure;
use crate::error::{Error, Kind};
use crate::ledger::reserve::DEFAULT_OUTPUT;
use crate::wire::Dialect;
use crate::wire::answer::{Answer, too_long};
use crate::wire::builtin::{Function, Offer, functions, has_own};
use crate::wire::event::{Container, Event, Finish, Run, RunEnd, RunFile};
use crate::wire::json::{Members, parse};
use crate::wire::prompt::{Prompt, estimate};

/// The most characters of an output that the caller is told, and of one that the model is.
const KEPT: usize = 16_000;
/// See [`KEPT`].
const SHOWN: usize = 6_000;
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

/// One ask, and what it calls.
#[derive(Clone, Debug, Default)]
struct Round {
    /// All that was said, as it was.
    said: Answer,
    /// The indexes of the calls that are ours.
    ours: Vec<u32>,
    /// Those of the caller's own tools.
    others: Vec<u32>,
    /// Why it ended, held back where code is to be run first.
    finish: Option<Finish>,
    /// What is still to be run.
    waiting: VecDeque<Called>,
    /// What came of the calls.
    results: Vec<String>,
    /// What the caller is to be told.
    saying: Vec<Event>,
    /// Why it cannot go on.
    stuck: Option<Error>,
}

#[derive(Clone, Debug)]
struct Called {
    function: &'static Function,
    code: Result<String, String>,
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

impl Round {
    fn hear(&mut self, dialect: Dialect, event: Event) -> Option<Event> {
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

    fn called(&self, dialect: Dialect) -> VecDeque<Called> {
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

/// An outcome as the caller is told of it.
fn end(outcome: &Value) -> RunEnd {
    let text = |name: &str| outcome.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut stdout = shorten(text("stdout"), KEPT);
    let mut stderr = shorten(text("stderr"), KEPT);
    let line = |to: &mut String, said: &str| {
        if !to.is_empty() && !to.ends_with('\n') {
            to.push('\n');
        }
        to.push_str(said);
    };
    if let Some(value) = outcome.pointer("/result/text").and_then(Value::as_str) {
        line(&mut stdout, &shorten(value, KEPT));
    }
    let by_itself = matches!(text("status"), "ok" | "error");
    if !by_itself {
        line(&mut stderr, &failure(outcome));
    }
    let exit_code = outcome.get("exit_code").and_then(Value::as_i64).filter(|_| by_itself).unwrap_or(-1);
    let files = outcome.get("artifacts").and_then(Value::as_array).into_iter().flatten();
    let files = files.map(|file| {
        let text = |name: &str| file.get(name).and_then(Value::as_str).map(str::to_owned);
        RunFile {
            name: text("name").unwrap_or_default(),
            media: text("type").unwrap_or_default(),
            bytes: file.get("bytes").and_then(Value::as_u64).unwrap_or_default(),
            base64: text("content"),
        }
    });
    RunEnd { stdout, stderr, exit_code, files: files.collect(), refused: None }
}

/// What the model is told of a run.
fn told(end: &RunEnd) -> String {
    if let Some(why) = &end.refused {
        return format!("It was not run: {why}");
    }
    let names: Vec<&str> = end.files.iter().map(|file| file.name.as_str()).collect();
    let code = if end.exit_code == 0 { String::new() } else { format!("Exit code: {}", end.exit_code) };
    let parts = [
        shorten(&end.stdout, SHOWN),
        shorten(&end.stderr, SHOWN),
        code,
        if names.is_empty() {
            String::new()
        } else {
            format!("Files: {}", shorten(&names.join(", "), SHOWN))
        },
    ];
    let said: Vec<&str> = parts.iter().map(|part| part.trim_end()).filter(|part| !part.is_empty()).collect();
    if said.is_empty() { "It printed nothing.".to_owned() } else { said.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::builtin::offer;
    use crate::wire::event::ToolDelta;
    use serde_json::json;

    fn interpreter(runs: u8) -> Interpreter {
        let body = br#"{"model":"m","input":"hi","tools":[{"type":"code_interpreter"},{"type":"function","name":"f"}]}"#;
        let members = Members::parse(body).unwrap();
        let offer = offer(Dialect::Responses, &members).unwrap().unwrap();
        let files = Files { session: Some("cntr_1".to_owned()), expires: 9 };
        Interpreter::new(Dialect::Responses, members, offer, "01ABC", files, runs)
    }

    fn call(index: u32, name: &str, arguments: &str) -> Event {
        let (id, name) = (Some(format!("call_{index}")), Some(name.to_owned()));
        Event::Tool(ToolDelta { index, id, name, arguments: arguments.to_owned(), ..ToolDelta::default() })
    }

    fn text(text: &str) -> Event {
        Event::Text(text.to_owned())
    }

    /// What is said, in short.
    fn short(events: &[Event]) -> Vec<String> {
        let events = events.iter().map(|event| match event {
            Event::Text(text) => text.clone(),
            Event::Tool(tool) => format!("call {} {}", tool.index, tool.name.as_deref().unwrap_or_default()),
            Event::Finish(finish) => format!("{finish:?}"),
            Event::Run(run) => match &run.end {
                None => format!("run {} {}", run.number, run.code),
                Some(end) => match &end.refused {
                    None => format!("ran {} {}", run.number, end.stdout),
                    Some(why) => format!("refused {} {why}", run.number),
                },
            },
            other => format!("{other:?}"),
        });
        events.collect()
    }

    /// One ask: what the caller hears of what a model says.
    fn ask(run: &mut Interpreter, events: Vec<Event>) -> Vec<String> {
        assert!(matches!(run.next(), Next::All(ops) if matches!(ops[0], Op::Ask { .. })));
        let mut heard = run.hear(Dialect::Anthropic, events);
        run.absorb();
        heard.extend(run.say());
        short(&heard)
    }

    fn code(run: &Interpreter) -> String {
        match run.next() {
            Next::All(mut ops) => match ops.remove(0) {
                Op::Execute { code, .. } => code.text,
                Op::Ask { .. } => "ask".to_owned(),
            },
            Next::Done => "done".to_owned(),
            Next::Failed(error) => error.detail,
        }
    }

    fn good(out: &str) -> Result<Value, Error> {
        Ok(
            json!({"status": "ok", "exit_code": 0, "stdout": out, "artifacts": [{"name": "a", "bytes": 1000, "content": "eA=="}]}),
        )
    }

    #[test]
    fn code_is_run_between_the_asks_of_one_answer() {
        let mut run = interpreter(4);
        let calls = call(0, "code_interpreter", r#"{"code":"1+1"}"#);
        assert_eq!(
            ask(&mut run, vec![text("let me see"), calls, Event::Finish(Finish::ToolCalls)]),
            ["let me see", "run 0 1+1"]
        );
        assert_eq!(code(&run), "1+1");
        run.ran(good("2"));
        assert_eq!((short(&run.say()), code(&run)), (vec!["ran 0 2".to_owned()], "ask".to_owned()));
        assert!(matches!(run.prompt(), Prompt::Own(Dialect::Responses, _)), "nobody else's tool takes over");
        assert_eq!(ask(&mut run, vec![text("it is 2"), Event::Finish(Finish::Stop)]), ["it is 2", "Stop"]);
        assert_eq!((code(&run).as_str(), run.files_left), ("done", FILES - 1000));
    }

    #[test]
    fn the_callers_own_tools_end_the_answer_after_what_was_run() {
        let mut run = interpreter(4);
        let events = vec![
            call(0, "code_interpreter", r#"{"code":"1"}"#),
            call(1, "f", "{}"),
            call(2, "code_interpreter", "no JSON"),
            Event::Finish(Finish::ToolCalls),
        ];
        assert_eq!(ask(&mut run, events), ["call 0 f", "run 0 1"]);
        run.ran(Err(Error::new(Kind::Unavailable, "none here")));
        let refused = "refused 1 the arguments must be an object with the text `code`";
        assert_eq!(short(&run.say()), ["refused 0 none here", "run 1 ", refused, "ToolCalls"]);
        assert_eq!(code(&run), "done");
    }

    #[test]
    fn runs_are_bounded() {
        let mut run = interpreter(1);
        let calls = || {
            vec![
                call(0, "code_interpreter", r#"{"code":"1"}"#),
                call(1, "code_interpreter", r#"{"code":"2"}"#),
                Event::Finish(Finish::ToolCalls),
            ]
        };
        assert_eq!((ask(&mut run, calls()), run.asks_left()), (vec!["run 0 1".to_owned()], 1));
        run.ran(good(""));
        let used = "refused 1 the runs of this answer are used up";
        assert_eq!(short(&run.say()), ["ran 0 ", "run 1 2", used]);
        assert!(run.offer.members.text().contains(r#""tool_choice":"none""#));
        ask(&mut run, calls());
        assert!(code(&run).contains("used up"));
    }

    #[test]
    fn a_target_that_has_the_tool_answers_alone_and_a_call_that_was_cut_off_is_not_run() {
        let mut run = interpreter(4);
        let events = vec![call(0, "code_interpreter", "{}"), Event::Finish(Finish::Stop)];
        assert_eq!(run.hear(Dialect::Responses, events.clone()), events);
        run.absorb();
        assert_eq!(code(&run), "done");
        let mut run = interpreter(4);
        let cut = vec![call(0, "code_interpreter", r#"{"code":"1"#), Event::Finish(Finish::Length)];
        assert_eq!(ask(&mut run, cut), ["Length"]);
        assert_eq!(code(&run), "done");
    }
}
